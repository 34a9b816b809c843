//! Copying transposed matrices.

#[cfg(target_arch = "x86_64")]
use crate::cpu::isa::{Isa, isa};

/// Elements of a side of the squares in which matrices are turned.
pub(super) const SIDE: usize = 16;

/// Copies a transposed matrix, whose rows are 1 apart and columns `col`, to one with rows `step` apart.
///
/// # Safety
/// Both hold a matrix of that size.
pub(super) unsafe fn turn<C: Copy + Default>(
    src: *const C,
    col: isize,
    out: *mut C,
    step: usize,
    [k, n]: [usize; 2],
) {
    let mut square = [[C::default(); SIDE]; SIDE];
    for l in (0..k).step_by(SIDE) {
        for j in (0..n).step_by(SIDE) {
            let [height, width] = [SIDE.min(k - l), SIDE.min(n - j)];
            // SAFETY: rows l..l + height and columns j..j + width lie within the matrices.
            unsafe {
                let src = src.offset(l as isize + j as isize * col);
                let out = out.add(l * step + j);
                #[cfg(target_arch = "x86_64")]
                if isa() == Isa::Avx512 && size_of::<C>() == 4 {
                    match (height, width) {
                        (SIDE, SIDE) => turn16::<true>(src.cast(), col, out.cast(), step, [SIDE, SIDE]),
                        (SIDE, 8) => {
                            turn8(src.cast(), col, out.cast(), step);
                            turn8(src.add(8).cast(), col, out.add(8 * step).cast(), step);
                        }
                        _ => turn16::<false>(src.cast(), col, out.cast(), step, [height, width]),
                    }
                    continue;
                }
                if (height, width) != (SIDE, SIDE) {
                    turn_some(src, col, out, step, [height, width]);
                    continue;
                }
                #[cfg(target_arch = "x86_64")]
                if isa() == Isa::Avx2 && size_of::<C>() == 4 {
                    for (l, t) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
                        let src = src.add(l).offset(t as isize * col);
                        turn8(src.cast(), col, out.add(l * step + t).cast(), step);
                    }
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
                    out.add(l * step).cast::<[C; SIDE]>().write_unaligned(*row);
                }
            }
        }
    }
}

/// [`turn`], an element after the other.
///
/// # Safety
/// Both hold a matrix of that size.
#[inline(always)]
unsafe fn turn_some<C: Copy>(src: *const C, col: isize, out: *mut C, step: usize, [k, n]: [usize; 2]) {
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

/// [`turn`] for up to sixteen rows and columns of four bytes each, or, where WHOLE says so, for exactly as many.
///
/// # Safety
/// Both hold a matrix of that size.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn turn16<const WHOLE: bool>(
    src: *const f32,
    col: isize,
    out: *mut f32,
    step: usize,
    [k, n]: [usize; 2],
) {
    use std::arch::x86_64::*;
    use std::array::from_fn;
    let pd = |f: fn(__m512d, __m512d) -> __m512d, a, b| {
        _mm512_castpd_ps(f(_mm512_castps_pd(a), _mm512_castps_pd(b)))
    };
    let [rows, columns] = [k, n].map(|n| {
        if WHOLE {
            !0
        } else {
            ((1_u32 << n) - 1) as __mmask16
        }
    });
    // SAFETY: k elements from each of n columns.
    let x: [__m512; 16] = from_fn(|j| unsafe {
        match WHOLE || j < n {
            true => _mm512_maskz_loadu_ps(rows, src.wrapping_offset(j as isize * col)),
            false => _mm512_setzero_ps(),
        }
    });
    // Pairs of columns, and then fours: a quarter of register 4i + c holds element c of that quarter of columns 4i to 4i + 3.
    let two: [__m512; 16] = from_fn(|j| match j % 2 {
        0 => _mm512_unpacklo_ps(x[j], x[j + 1]),
        _ => _mm512_unpackhi_ps(x[j - 1], x[j]),
    });
    let four: [__m512; 16] = from_fn(|j| {
        let (i, c) = (j / 4 * 4, j % 4);
        let (a, b) = (two[i + c / 2], two[i + c / 2 + 2]);
        match c % 2 {
            0 => pd(|a, b| _mm512_unpacklo_pd(a, b), a, b),
            _ => pd(|a, b| _mm512_unpackhi_pd(a, b), a, b),
        }
    });
    for c in 0..4 {
        let [a, b, d, e] = [four[c], four[c + 4], four[c + 8], four[c + 12]];
        const EVEN: i32 = 0b10_00_10_00;
        const ODD: i32 = 0b11_01_11_01;
        let (ab, de) = (
            _mm512_shuffle_f32x4::<EVEN>(a, b),
            _mm512_shuffle_f32x4::<EVEN>(d, e),
        );
        let (odd_ab, odd_de) = (
            _mm512_shuffle_f32x4::<ODD>(a, b),
            _mm512_shuffle_f32x4::<ODD>(d, e),
        );
        let turned = [
            _mm512_shuffle_f32x4::<EVEN>(ab, de),
            _mm512_shuffle_f32x4::<EVEN>(odd_ab, odd_de),
            _mm512_shuffle_f32x4::<ODD>(ab, de),
            _mm512_shuffle_f32x4::<ODD>(odd_ab, odd_de),
        ];
        for (q, row) in turned.into_iter().enumerate() {
            let l = c + 4 * q;
            if WHOLE || l < k {
                // SAFETY: n elements of row l.
                unsafe { _mm512_mask_storeu_ps(out.add(l * step), columns, row) };
            }
        }
    }
}

/// [`turn`] for eight rows and columns of four bytes each.
///
/// # Safety
/// Both hold a matrix of that size.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn turn8(src: *const f32, col: isize, out: *mut f32, step: usize) {
    use std::arch::x86_64::*;
    use std::array::from_fn;
    // SAFETY: eight elements from each of eight columns.
    let x: [__m256; 8] = from_fn(|j| unsafe { _mm256_loadu_ps(src.offset(j as isize * col)) });
    // Pairs of columns, and then fours: a half of register 4i + c holds element c of that half of columns 4i to 4i + 3.
    let two: [__m256; 8] = from_fn(|j| match j % 2 {
        0 => _mm256_unpacklo_ps(x[j], x[j + 1]),
        _ => _mm256_unpackhi_ps(x[j - 1], x[j]),
    });
    let four: [__m256; 8] = from_fn(|j| {
        let (i, c) = (j / 4 * 4, j % 4);
        let (a, b) = (two[i + c / 2], two[i + c / 2 + 2]);
        match c % 2 {
            0 => _mm256_shuffle_ps::<0b01_00_01_00>(a, b),
            _ => _mm256_shuffle_ps::<0b11_10_11_10>(a, b),
        }
    });
    for c in 0..4 {
        let (a, b) = (four[c], four[c + 4]);
        // SAFETY: rows of eight elements.
        unsafe {
            _mm256_storeu_ps(out.add(c * step), _mm256_permute2f128_ps::<0x20>(a, b));
            _mm256_storeu_ps(out.add((c + 4) * step), _mm256_permute2f128_ps::<0x31>(a, b));
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
    unsafe { turn_some(src, col, out, step, [4, 4]) }
}
