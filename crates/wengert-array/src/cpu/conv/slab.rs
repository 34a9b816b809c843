//! A slab: rows of the source, widened by zeros, in which each tap is a fixed distance away from each position. With
//! a stride, what the taps meet is sorted into phases, of which each has its own planes: elements that are a stride apart
//! in the source lie beside each other there.

use super::{Taps, product};
use crate::cpu::copy;
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::walk::prefetch;
use crate::dtype::Compute;

/// Elements of a slab: it stays in the second-level cache.
pub(super) const SLAB: usize = 64 << 10;
/// Elements of a slab with so much room that patches are rather gathered.
pub(super) const MOST: usize = 1 << 20;

/// Which part of the source is in a slab, and how.
pub(super) struct Slab {
    pub channels: usize,
    source: [usize; 3],
    stride: [usize; 3],
    /// Where each phase begins in the source, from `position × stride`, in each dimension.
    first: [Vec<isize>; 3],
    /// Depth, rows and columns of a phase.
    pub size: [usize; 3],
    /// Rows of positions.
    pub rows: usize,
}

impl Slab {
    /// For sums over the same source, of which the first has the most positions; each slab has `channels` of it, and about as many
    /// positions as asked for, or fewer.
    pub(super) fn new(parts: &[Taps], channels: usize, positions: usize) -> Slab {
        let (all, taps) = (&parts[0], || parts.iter().flat_map(|p| &p.taps));
        let mut span = [0; 3];
        let first: [Vec<isize>; 3] = std::array::from_fn(|d| {
            let least = taps().map(|t| t[d]).min().unwrap_or(0);
            let most = taps().map(|t| t[d]).max().unwrap_or(0);
            span[d] = (most - least) as usize / all.stride[d];
            let mut first: Vec<isize> = taps()
                .map(|t| least + (t[d] - least) % all.stride[d] as isize)
                .collect();
            first.sort_unstable();
            first.dedup();
            first
        });
        let width = all.grid[2] + span[2];
        let phases: usize = first.iter().map(|f| f.len().max(1)).product();
        let per_row = (channels * phases * (span[0] + 1) * width).max(1);
        let rows = (SLAB / per_row)
            .saturating_sub(span[1])
            .clamp(4, 64)
            .min(positions / width.max(1))
            .clamp(1, all.grid[1].max(1));
        // Slabs of even sizes rather than full ones and a rest.
        let rows = all.grid[1].div_ceil(all.grid[1].div_ceil(rows).max(1));
        Slab {
            channels,
            source: all.source,
            stride: all.stride,
            first,
            size: [span[0] + 1, rows + span[1], width],
            rows,
        }
    }

    /// Elements of one channel.
    pub(super) fn plane(&self) -> usize {
        self.first.iter().map(Vec::len).product::<usize>() * product(self.size)
    }

    pub(super) fn len(&self) -> usize {
        self.channels * self.plane()
    }

    /// How far from a position each tap's element is, for each channel of a slab.
    pub(super) fn offsets(&self, taps: &[[isize; 3]]) -> Vec<usize> {
        let place = |t: &[isize; 3]| {
            let (mut phase, mut at) = (0, 0);
            for d in 0..3 {
                let (first, stride) = (&self.first[d], self.stride[d]);
                let far = (t[d] - first[0]) as usize;
                let here = first.iter().position(|f| (f - first[0]) as usize == far % stride);
                phase = phase * first.len() + here.unwrap_or(0);
                at = at * self.size[d] + far / stride;
            }
            phase * product(self.size) + at
        };
        let taps: Vec<usize> = taps.iter().map(place).collect();
        let plane = self.plane();
        (0..self.channels)
            .flat_map(|c| taps.iter().map(move |t| c * plane + t))
            .collect()
    }
}

/// The room for a slab.
pub(super) struct Seen<C> {
    pub data: Vec<C>,
    /// What lies outside of the source, and is zero, depends on this alone.
    at: Option<[usize; 2]>,
}

impl<C: Lane> Seen<C> {
    /// With room for `more` elements behind, which kernels may read and forget.
    pub(super) fn new(slab: &Slab, more: usize) -> Seen<C> {
        Seen {
            data: vec![C::default(); slab.len() + more],
            at: None,
        }
    }

    /// Copies what the taps of the rows of positions from (`q0`, `q1`) on meet, in the first `channels`.
    ///
    /// # Safety
    /// `source` has these channels, and there are no more than the slab's.
    pub(super) unsafe fn fill(
        &mut self,
        slab: &Slab,
        source: *const C,
        channels: usize,
        q0: usize,
        q1: usize,
    ) {
        if self.at != Some([q0, q1]) {
            if self.at.is_some() {
                self.data[..slab.len()].fill(C::default());
            }
            self.at = Some([q0, q1]);
        }
        // SAFETY: the caller's promise, and the room is as large as the slab.
        unsafe { fill::<C>(slab, source, channels, q0, q1, self.data.as_mut_ptr()) };
    }
}

dispatch!(unsafe fn fill<C: Lane>(slab: &Slab, source: *const C, channels: usize, q0: usize, q1: usize, out: *mut C) => fill_body);

/// Copies what is inside of the source.
///
/// # Safety
/// As [`Seen::fill`]; `out` has room for a slab.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // only elements move, of whatever reading
unsafe fn fill_body<S, C: Compute>(
    slab: &Slab,
    source: *const C,
    channels: usize,
    q0: usize,
    q1: usize,
    out: *mut C,
) {
    let ([depth, height, width], [planes, rows, columns]) = (slab.source, slab.size);
    let stride = slab.stride[2] as isize;
    // Places `n` of a phase from which on they are not before the source's place `at`.
    let reaches = |first: isize, at: usize, stride: usize| {
        let far = (at as isize - first).max(0) as usize;
        far.div_ceil(stride)
    };
    // Rows of the source, of each channel, that positions from q1 on meet.
    let [above, below] = [slab.first[1].first(), slab.first[1].last()]
        .map(|h0| h0.map_or(0, |h0| (h0 + (q1 * slab.stride[1]) as isize).max(0) as usize));
    let met = (below + rows * slab.stride[1]).min(height).saturating_sub(above) * width;
    let mut to = out;
    for c in 0..channels {
        // Between channels the processor does not see what comes next.
        prefetch(
            source.wrapping_add(((c + 1) * depth * height + above) * width),
            met,
        );
        for &d0 in &slab.first[0] {
            for &h0 in &slab.first[1] {
                for &w0 in &slab.first[2] {
                    let from = reaches(w0, 0, slab.stride[2]).min(columns);
                    let n = reaches(w0, width, slab.stride[2]).min(columns) - from;
                    let left = w0 + from as isize * stride;
                    let h0 = h0 + (q1 * slab.stride[1]) as isize;
                    let top = reaches(h0, 0, slab.stride[1]).min(rows);
                    let end = reaches(h0, height, slab.stride[1]).min(rows);
                    for d in 0..planes {
                        let d = ((q0 + d) * slab.stride[0]) as isize + d0;
                        if n > 0 && (0..depth as isize).contains(&d) {
                            let plane = (c * depth + d as usize) * height;
                            for r in top..end {
                                let h = (h0 + (r * slab.stride[1]) as isize) as usize;
                                // SAFETY: the place is inside of the source, and the slab has room for each row.
                                unsafe {
                                    let row = source.add((plane + h) * width + left as usize);
                                    let to = to.add(r * columns + from);
                                    match stride {
                                        1 => copy::short(row, to, n),
                                        2 => every_second(row, to, n),
                                        _ => (0..n).for_each(|i| {
                                            to.add(i).write(row.add(i * stride as usize).read())
                                        }),
                                    }
                                }
                            }
                        }
                        to = to.wrapping_add(rows * columns);
                    }
                }
            }
        }
    }
}

impl Taps {
    /// Rows of positions from (q0, q1) on that a slab has.
    #[inline(always)]
    pub(super) fn rows(&self, slab: &Slab, q0: usize, q1: usize) -> usize {
        match q0 < self.grid[0] {
            true => slab.rows.min(self.grid[1].saturating_sub(q1)),
            false => 0,
        }
    }
}

/// Calls a step with a constant number of elements at once, and where to begin; the last ones may be some of those before again.
macro_rules! in_steps {
    ($n:expr, $W:ident, $i:ident => $body:expr) => {
        match $n {
            n @ 16.. => in_steps!(16, n, $W, $i => $body),
            n @ 8.. => in_steps!(8, n, $W, $i => $body),
            n @ 4.. => in_steps!(4, n, $W, $i => $body),
            n => in_steps!(1, n, $W, $i => $body),
        }
    };
    ($width:literal, $n:expr, $W:ident, $i:ident => $body:expr) => {{
        const $W: usize = $width;
        let mut next = 0;
        while next < $n {
            let $i = next.min($n - $W);
            $body;
            next += $W;
        }
    }};
}
pub(super) use in_steps;

/// # Safety
/// `to` has room for n elements, of which the last is `2 (n − 1)` from the first in `from`.
#[inline(always)]
unsafe fn every_second<C: Copy>(from: *const C, to: *mut C, n: usize) {
    // Two vectors that end with the last element needed: nothing behind it may be there.
    // SAFETY: the caller's promise.
    in_steps!(n, W, i => unsafe {
        let from = from.add(2 * i);
        let low = from.cast::<[C; W]>().read();
        let high = from.add(W - 1).cast::<[C; W]>().read();
        let even: [C; W] = std::array::from_fn(|l| if 2 * l < W { low[2 * l] } else { high[2 * l + 1 - W] });
        to.add(i).cast::<[C; W]>().write(even);
    });
}
