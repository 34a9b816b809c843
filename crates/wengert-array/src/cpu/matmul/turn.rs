//! Copying transposed matrices.

use super::{Number, sides, stack_dims, strides};
use crate::array::Array;
use crate::cpu::threads;

/// A contiguous copy of transposed matrices, whose rows are 1 apart.
pub(super) fn turned<C: Number>(x: &Array) -> Array {
    /// Elements of a side of the squares in which this is done.
    const SIDE: usize = 16;
    struct Ends<C>(*const C, *mut C);
    // SAFETY: the source is only read, and no two squares share an element of the copy.
    unsafe impl<C> Sync for Ends<C> {}
    let ([k, n], [_, col]) = (sides(x), strides(x));
    let mut copy = Array::uninit(x.shape(), C::DTYPE);
    let ends = Ends(x.as_ptr::<C>(), copy.uninit_slice::<C>());
    let dims = stack_dims(x, x, &x.shape()[..x.rank() - 2].into());
    let (bands, count) = (k.div_ceil(SIDE), x.numel() / (k * n));
    threads::split(count * bands, 1, SIDE * n, |start, len| {
        let Ends(src, out) = *{ &ends };
        let mut square = [[C::default(); SIDE]; SIDE];
        for band in start..start + len {
            let (mut rest, mut from) = (band / bands, 0);
            for &(size, step, _) in dims.iter().rev() {
                from += (rest % size) as isize * step;
                rest /= size;
            }
            let l = band % bands * SIDE;
            let height = SIDE.min(k - l);
            for j in (0..n).step_by(SIDE) {
                let width = SIDE.min(n - j);
                // SAFETY: rows l..l + height and columns j..j + width lie within the matrix that begins at
                // `from`, which is number band / bands of the copy.
                unsafe {
                    let src = src.offset(from + l as isize + j as isize * col);
                    let out = out.add(band / bands * k * n + l * n + j);
                    if (height, width) != (SIDE, SIDE) {
                        turn(src, col, out, n, [height, width]);
                        continue;
                    }
                    // Through the square, since rows a power of two apart would evict each other.
                    for i in (0..SIDE * SIDE / 4).step_by(4) {
                        let (l, t) = (i % SIDE, i / SIDE * 4);
                        turn4(
                            src.add(l).offset(t as isize * col),
                            col,
                            square.as_mut_ptr().cast::<C>().add(l * SIDE + t),
                            SIDE,
                        );
                    }
                    for (l, row) in square.iter().enumerate() {
                        out.add(l * n).cast::<[C; SIDE]>().write_unaligned(*row);
                    }
                }
            }
        }
    });
    copy
}

/// Copies a transposed matrix, whose rows are 1 apart and columns `col`, to one with rows `step` apart.
///
/// # Safety
/// Both hold a matrix of that size.
#[inline(always)]
pub(super) unsafe fn turn<C: Copy>(src: *const C, col: isize, out: *mut C, step: usize, [k, n]: [usize; 2]) {
    for l in 0..k {
        for j in 0..n {
            // SAFETY: row l and column j are within the matrices.
            unsafe {
                out.add(l * step + j)
                    .write(*src.offset(l as isize + j as isize * col))
            };
        }
    }
}

/// [`turn`] for four rows and columns.
///
/// # Safety
/// Both hold a matrix of that size.
#[inline(always)]
unsafe fn turn4<C: Copy>(src: *const C, col: isize, out: *mut C, step: usize) {
    #[cfg(target_arch = "x86_64")]
    if size_of::<C>() == 4 {
        use std::arch::x86_64::*;
        // The compiler does not find these shuffles by itself.
        // SAFETY: four elements from each of four columns, and to as many rows; any 4 bytes may be moved so.
        unsafe {
            let (src, out) = (src.cast::<f32>(), out.cast::<f32>());
            let [mut x, mut y, mut z, mut w] = [0, 1, 2, 3].map(|j| _mm_loadu_ps(src.offset(j * col)));
            _MM_TRANSPOSE4_PS(&mut x, &mut y, &mut z, &mut w);
            for (l, row) in [x, y, z, w].into_iter().enumerate() {
                _mm_storeu_ps(out.add(l * step), row);
            }
        }
        return;
    }
    // SAFETY: the caller's promise.
    unsafe { turn(src, col, out, step, [4, 4]) }
}
