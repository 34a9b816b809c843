//! The gradient for the weights: dot products, over all images and positions, of the result's gradient with
//! the patches.

use super::patches::{append, line};
use super::slab::{Seen, Slab};
use super::{FEW, In, Out, Taps, product};
use crate::array::Array;
use crate::cpu::isa::{Isa, Lane, dispatch, isa};
use crate::cpu::threads;
use crate::real::Real;

/// Positions whose products are added up in one go.
const RUN: usize = 512;
/// Rows of patches that are gathered together.
const ROWS: usize = 48;
/// Over how many pieces work is spread where there are few rows of patches.
const PIECES: usize = 8;

impl Taps {
    /// dw [groups × outputs, depth].
    pub(super) fn weight_gradient<C: Lane>(&self, x: &Array, dy: &Array) -> Array {
        let (depth, outputs, total) = (
            self.depth(),
            self.groups * self.outputs,
            self.images * self.positions(),
        );
        // A few outputs are computed from slabs, which have whole channels.
        let slab = (self.outputs <= FEW && total * depth > 0).then(|| {
            let channels = (ROWS / self.taps.len()).clamp(1, self.channels);
            Slab::new(std::slice::from_ref(self), channels)
        });
        let chunk = slab.as_ref().map_or(ROWS, |slab| slab.channels * self.taps.len());
        let chunks = depth.div_ceil(chunk).max(1);
        let work = depth * self.outputs * total / 24 / threads::GRAIN;
        let splits = (PIECES / (chunks * self.groups))
            .clamp(1, self.images.max(1))
            .min(work.max(1));
        let mut parts = Array::full([splits, outputs, depth], 0.0, C::DTYPE);
        if total == 0 || depth == 0 || outputs == 0 {
            return parts.slice(0, 0, 1, 1).squeeze(0);
        }
        let (x, dy) = (In(x.as_slice::<C>().as_ptr()), In(dy.as_slice::<C>().as_ptr()));
        let out = Out(parts.make_mut::<C>().as_mut_ptr());
        let images = self.images.div_ceil(splits);
        let cost = chunk.min(depth) * self.outputs * images * self.positions() / 24;
        threads::split(splits * self.groups * chunks, 1, cost.max(1), |start, len| {
            let mut seen = slab.as_ref().map(|slab| Seen::new(slab, 0));
            let room = if slab.is_some() { 0 } else { RUN };
            let mut left = vec![C::default(); self.outputs * room];
            let mut right = vec![C::default(); chunk.min(depth) * room];
            for task in start..start + len {
                let (part, g, from) = (
                    task / chunks / self.groups,
                    task / chunks % self.groups,
                    task % chunks * chunk,
                );
                let range = (part * images).min(self.images)..((part + 1) * images).min(self.images);
                let out = out.at((part * outputs + g * self.outputs) * depth + from);
                let rows = chunk.min(depth - from);
                // SAFETY: arrays of the sum's sizes; these rows of this part are this task's.
                unsafe {
                    if let (Some(slab), Some(seen)) = (&slab, &mut seen) {
                        self.part_of_slabs::<C>(slab, seen, x, dy, g, range, from, rows, out);
                        continue;
                    }
                    self.part::<C>(x, dy, g, range, from, rows, &mut left, &mut right, out)
                }
            }
        });
        match splits {
            1 => parts.squeeze(0),
            _ => super::super::reduce::reduce(&parts, &[0], super::super::reduce::Reduce::Sum, C::DTYPE)
                .squeeze(0),
        }
    }

    /// Rows `from .. from + rows` of the gradient, over some images of one group.
    ///
    /// # Safety
    /// The arrays have the sums' sizes; nobody else writes these rows.
    unsafe fn part<C: Lane>(
        &self,
        x: In<C>,
        dy: In<C>,
        g: usize,
        images: std::ops::Range<usize>,
        from: usize,
        rows: usize,
        left: &mut [C],
        right: &mut [C],
        out: *mut C,
    ) {
        let (p, plane, depth) = (self.positions(), product(self.source), self.depth());
        let [r, t, l] = tile::<C>();
        let mut sums = vec![C::default(); self.outputs.div_ceil(r) * rows.div_ceil(t) * r * t * l];
        let mut list = Vec::new();
        let (mut at, end) = (images.start * p, images.end * p);
        while at < end {
            let n = RUN.min(end - at);
            let wide = n.next_multiple_of(16);
            let first = at / p;
            list.clear();
            let mut done = 0;
            while done < n {
                let (image, here) = ((at + done) / p, (at + done) % p);
                let len = (p - here).min(n - done);
                append(self.grid, image - first, here, len, done, &mut list);
                for o in 0..self.outputs {
                    let channel = (image * self.groups + g) * self.outputs + o;
                    // SAFETY: `len` positions of a plane, and of a row of `left`.
                    unsafe {
                        let to = left.as_mut_ptr().add(o * wide + done);
                        to.copy_from_nonoverlapping(dy.at(channel * p + here), len);
                    }
                }
                done += len;
            }
            for row in left.chunks_exact_mut(wide).take(self.outputs) {
                row[n..].fill(C::default());
            }
            // SAFETY: the caller's promise; both sides have rows of `wide` numbers, `rows` and `outputs` of them.
            unsafe {
                for k in 0..rows {
                    let (c, t) = ((from + k) / self.taps.len(), (from + k) % self.taps.len());
                    let channel = x.at(((first * self.groups + g) * self.channels + c) * plane);
                    let image = self.groups * self.channels * plane;
                    let to = right.as_mut_ptr().add(k * wide);
                    line(self, channel, image, self.taps[t], &list, to);
                    (n..wide).for_each(|i| to.add(i).write(C::default()));
                }
                dots(wide, left, self.outputs, right, rows, &mut sums);
            }
            at += n;
        }
        // Lanes are added up once, at the end.
        let tiles = rows.div_ceil(t);
        for (tile, sums) in sums.chunks_exact(r * t * l).enumerate() {
            let (first_row, first_tap) = (tile / tiles * r, tile % tiles * t);
            for (pair, lanes) in sums.chunks_exact(l).enumerate() {
                let (o, k) = (first_row + pair / t, first_tap + pair % t);
                if o < self.outputs && k < rows {
                    let sum = lanes.iter().map(|v| v.to_f64()).sum();
                    // SAFETY: these rows are ours.
                    unsafe { out.add(o * depth + k).write(C::from_f64(sum)) };
                }
            }
        }
    }
}

/// Rows of the left operand, of the right one, and lanes in each sum of the tile.
fn tile<C: Lane>() -> [usize; 3] {
    match (isa(), const { size_of::<C>() == 4 }) {
        (Isa::Avx512, true) => [6, 4, 16],
        (Isa::Avx512, false) => [6, 4, 8],
        (Isa::Avx2, true) => [4, 3, 8],
        _ => [4, 3, 4],
    }
}

/// Adds the dot products of rows of `n` numbers, a multiple of 16, with each other to `sums`, tile by tile.
///
/// # Safety
/// `left` and `right` have `m` and `rows` rows; `sums` has room for all tiles.
unsafe fn dots<C: Lane>(n: usize, left: &[C], m: usize, right: &[C], rows: usize, sums: &mut [C]) {
    let (left, right, sums) = (left.as_ptr(), right.as_ptr(), sums.as_mut_ptr());
    // SAFETY: the caller's promise.
    unsafe {
        match tile::<C>() {
            [6, _, 16] => blocks::<C, 6, 4, 16>(n, left, m, right, rows, sums),
            [6, ..] => blocks::<C, 6, 4, 8>(n, left, m, right, rows, sums),
            [_, _, 8] => blocks::<C, 4, 3, 8>(n, left, m, right, rows, sums),
            _ => blocks::<C, 4, 3, 4>(n, left, m, right, rows, sums),
        }
    }
}

dispatch!(unsafe fn blocks<C: Lane; const R: usize, const T: usize, const L: usize>(
    n: usize, left: *const C, m: usize, right: *const C, rows: usize, out: *mut C
) => blocks_body);

#[inline(always)]
unsafe fn blocks_body<S: Real, C: Lane, const R: usize, const T: usize, const L: usize>(
    n: usize,
    left: *const C,
    m: usize,
    right: *const C,
    rows: usize,
    out: *mut C,
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let (left, right, out) = (
        left.cast::<S>(),
        right.cast::<S>(),
        out.cast::<[[[S; L]; T]; R]>(),
    );
    for r in (0..m).step_by(R) {
        for t in (0..rows).step_by(T) {
            // Rows past the last one are the last one again, and nobody asks for their sums.
            let a: [usize; R] = std::array::from_fn(|i| (r + i).min(m - 1) * n);
            let b: [usize; T] = std::array::from_fn(|i| (t + i).min(rows - 1) * n);
            // SAFETY: the caller's promise; S has the bits of C.
            unsafe {
                let tile = out.add(r / R * rows.div_ceil(T) + t / T);
                let mut sums = tile.read();
                let mut at = 0;
                while at < n {
                    let y: [[S; L]; T] =
                        std::array::from_fn(|i| right.add(b[i] + at).cast::<[S; L]>().read());
                    for i in 0..R {
                        let x = left.add(a[i] + at).cast::<[S; L]>().read();
                        for j in 0..T {
                            for l in 0..L {
                                sums[i][j][l] = x[l].mul_add(y[j][l], sums[i][j][l]);
                            }
                        }
                    }
                    at += L;
                }
                tile.write(sums);
            }
        }
    }
}
