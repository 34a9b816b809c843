//! The gradient for the weights of few output channels in a group: dot products of rows of the result's gradient with
//! rows of a slab.

use super::slab::{Seen, Slab};
use super::{In, Taps, product};
use crate::cpu::isa::{Isa, Lane, dispatch, isa};
use crate::real::Real;

/// Taps whose sums are in registers together.
const TAPS: usize = 9;

/// Lanes of a sum: a vector, but no more than a row has.
fn lanes<C: Lane>(columns: usize) -> usize {
    let bytes = match isa() {
        Isa::Avx512 => 64,
        Isa::Avx2 => 32,
        Isa::Baseline => 16,
    };
    let most = columns.clamp(1, bytes / size_of::<C>());
    1 << most.ilog2()
}

impl Taps {
    /// Rows `from .. from + rows` of the gradient, those of whole channels, over some images of one group.
    ///
    /// # Safety
    /// The arrays have the sums' sizes; nobody else writes these rows, which are `depth` apart.
    pub(super) unsafe fn few_of_slabs<C: Lane>(
        &self,
        slab: &Slab,
        seen: &mut Seen<C>,
        x: In<C>,
        dy: In<C>,
        g: usize,
        images: std::ops::Range<usize>,
        from: usize,
        rows: usize,
        out: *mut C,
    ) {
        let (first, channels) = (from / self.taps.len(), rows / self.taps.len());
        let offsets = slab.offsets(&self.taps);
        let (n, l) = (self.grid[2], lanes::<C>(self.grid[2]));
        // Sums of whole vectors, and those of what is left at the ends of rows: some of its lanes were there before.
        let room = rows.next_multiple_of(TAPS) * l;
        let mut sums = vec![C::default(); self.outputs * 2 * room];
        for image in images {
            for q0 in 0..self.grid[0] {
                for q1 in (0..self.grid[1]).step_by(slab.rows) {
                    let channel = (image * self.groups + g) * self.channels + first;
                    // SAFETY: the caller's promise; a row has l columns at least.
                    unsafe {
                        seen.fill(slab, x.at(channel * product(self.source)), channels, q0, q1);
                        for (o, sums) in sums.chunks_exact_mut(2 * room).enumerate() {
                            let channel = (image * self.groups + g) * self.outputs + o;
                            let dy = dy.at(channel * product(self.grid) + self.place([q0, q1, 0]));
                            let size = [self.rows(slab, q0, q1), n];
                            let (whole, rest) = sums.split_at_mut(room);
                            let (seen, pitch, offsets) = (seen.data.as_ptr(), slab.size[2], &offsets[..rows]);
                            dots(l, offsets, dy, seen, pitch, size, 0..n / l, whole.as_mut_ptr());
                            if n % l > 0 {
                                let (dy, seen) = (dy.add(n - l), seen.add(n - l));
                                dots(l, offsets, dy, seen, pitch, size, 0..1, rest.as_mut_ptr());
                            }
                        }
                    }
                }
            }
        }
        for (o, sums) in sums.chunks_exact(2 * room).enumerate() {
            for k in 0..rows {
                let whole = &sums[k * l..][..l];
                let rest = &sums[room + k * l..][l - n % l..l];
                let sum = whole.iter().chain(rest).map(|v| v.to_f64()).sum();
                // SAFETY: these rows are ours.
                unsafe { out.add(o * self.depth() + k).write(C::from_f64(sum)) };
            }
        }
    }
}

/// Adds the dot products of rows of dy with rows of what is seen, for each tap and in `l` lanes, to `sums`. Of each of the rows,
/// `size[0]` of them, which in dy are `size[1]` apart, some vectors are taken.
///
/// # Safety
/// All that is asked for can be read; the sums are those of whole blocks of taps.
unsafe fn dots<C: Lane>(
    l: usize,
    offsets: &[usize],
    dy: *const C,
    seen: *const C,
    pitch: usize,
    size: [usize; 2],
    vectors: std::ops::Range<usize>,
    sums: *mut C,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match l {
            16 => blocks::<C, 16>(offsets, dy, seen, pitch, size, vectors, sums),
            8 => blocks::<C, 8>(offsets, dy, seen, pitch, size, vectors, sums),
            4 => blocks::<C, 4>(offsets, dy, seen, pitch, size, vectors, sums),
            2 => blocks::<C, 2>(offsets, dy, seen, pitch, size, vectors, sums),
            _ => blocks::<C, 1>(offsets, dy, seen, pitch, size, vectors, sums),
        }
    }
}

dispatch!(unsafe fn blocks<C: Lane; const L: usize>(
    offsets: &[usize], dy: *const C, seen: *const C, pitch: usize, size: [usize; 2], vectors: std::ops::Range<usize>, sums: *mut C
) => blocks_body);

#[inline(always)]
unsafe fn blocks_body<S: Real, C: Lane, const L: usize>(
    offsets: &[usize],
    dy: *const C,
    seen: *const C,
    pitch: usize,
    [rows, n]: [usize; 2],
    vectors: std::ops::Range<usize>,
    sums: *mut C,
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let (dy, seen, sums) = (dy.cast::<S>(), seen.cast::<S>(), sums.cast::<[[S; L]; TAPS]>());
    for first in (0..offsets.len()).step_by(TAPS) {
        // Taps past the last one are the last one again, and nobody asks for their sums.
        let at: [*const S; TAPS] =
            std::array::from_fn(|t| seen.wrapping_add(offsets[(first + t).min(offsets.len() - 1)]));
        // SAFETY: the caller's promise; S has the bits of C.
        unsafe {
            let sums = sums.add(first / TAPS);
            let mut acc = sums.read();
            for r in 0..rows {
                for v in vectors.clone() {
                    let y = dy.add(r * n + v * L).cast::<[S; L]>().read();
                    for t in 0..TAPS {
                        let x = at[t].add(r * pitch + v * L).cast::<[S; L]>().read();
                        for l in 0..L {
                            acc[t][l] = y[l].mul_add(x[l], acc[t][l]);
                        }
                    }
                }
            }
            sums.write(acc);
        }
    }
}
