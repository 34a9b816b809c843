//! Sums with stride 1 without a matrix of patches: in a slab of rows of the source, widened by zeros, each tap is a
//! fixed distance away in memory, so the register tile reads the source itself. Positions at the ends of rows that
//! belong to no result are computed and forgotten.

use super::tile::Tile;
use super::{DEPTH, In, Out, Taps};
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::threads;
use crate::dtype::Compute;

/// Elements of a slab: it stays in the second-level cache.
const SLAB: usize = 48 << 10;

/// A slab: `rows` rows of positions, and of the source all that their taps meet.
pub(super) struct Slab {
    /// The least distance of a tap, in each dimension.
    least: [isize; 3],
    /// Depth, rows and columns of the source in it.
    size: [usize; 3],
    rows: usize,
    /// How far each channel and tap is from a position.
    offsets: Vec<usize>,
}

impl Taps {
    /// The slab to use, where it costs less than a matrix of patches.
    pub(super) fn slab(&self) -> Option<Slab> {
        if self.stride != [1; 3] || self.depth() < 32 || self.positions() == 0 {
            return None;
        }
        let over =
            |d: usize, f: fn(isize, isize) -> isize| self.taps.iter().map(|t| t[d]).reduce(f).unwrap_or(0);
        let least: [isize; 3] = std::array::from_fn(|d| over(d, isize::min));
        let span: [usize; 3] = std::array::from_fn(|d| (over(d, isize::max) - least[d]) as usize);
        let width = self.grid[2] + span[2];
        // Computing what is forgotten against gathering: about twenty products in the time of one element.
        if span[2] * self.outputs > 20 * self.grid[2] || self.taps.len() == 1 {
            return None;
        }
        let per_row = self.channels * (span[0] + 1) * width;
        let rows = (SLAB / per_row)
            .saturating_sub(span[1])
            .clamp(4, 64)
            .min(self.grid[1]);
        // Slabs of even sizes rather than full ones and a rest.
        let rows = self.grid[1].div_ceil(self.grid[1].div_ceil(rows));
        let size = [span[0] + 1, rows + span[1], width];
        let place = |t: &[isize; 3]| {
            let at: [usize; 3] = std::array::from_fn(|d| (t[d] - least[d]) as usize);
            (at[0] * size[1] + at[1]) * size[2] + at[2]
        };
        let plane: usize = size.iter().product();
        let offsets = (0..self.channels).flat_map(|c| self.taps.iter().map(move |t| c * plane + place(t)));
        Some(Slab {
            least,
            size,
            rows,
            offsets: offsets.collect(),
        })
    }

    /// As [`run`](Taps::run), given the packed weights.
    pub(super) fn run_flat<C: Lane>(
        &self,
        slab: &Slab,
        source: In<C>,
        packed: In<C>,
        bias: In<C>,
        out: Out<C>,
    ) {
        let (tile, depth) = (Tile::best::<C>(), self.depth());
        let (down, plane) = (
            self.grid[1].div_ceil(slab.rows),
            slab.size.iter().product::<usize>(),
        );
        let n = (slab.rows * slab.size[2]).next_multiple_of(tile.columns);
        let cost = self.outputs * depth * n / 24 + (self.channels * plane + self.outputs * n) / 4;
        threads::split(
            self.images * self.groups * self.grid[0] * down,
            1,
            cost.max(1),
            |start, len| {
                // The register tile reads whole rows of itself, so a little beyond the last position.
                let mut seen = vec![C::default(); self.channels * plane + n + tile.columns];
                let mut result = vec![C::default(); self.outputs.next_multiple_of(tile.rows) * n];
                for task in start..start + len {
                    let (part, q1) = (task / down, task % down * slab.rows);
                    let (part, q0) = (part / self.grid[0], part % self.grid[0]);
                    let rows = slab.rows.min(self.grid[1] - q1);
                    let group = part % self.groups;
                    // SAFETY: the source has the sum's sizes; rows of this part are this task's.
                    unsafe {
                        let from = source.at(part * self.channels * self.source.iter().product::<usize>());
                        fill::<C>(self, slab, from, q0, q1, &mut seen);
                        let n = (rows * slab.size[2]).next_multiple_of(tile.columns);
                        for k in (0..depth).step_by(DEPTH) {
                            let deep = DEPTH.min(depth - k);
                            let padded = self.outputs.next_multiple_of(tile.rows);
                            let weights = packed.at((group * depth + k) * padded);
                            for j in (0..n).step_by(tile.columns) {
                                for i in (0..self.outputs).step_by(tile.rows) {
                                    let size = [tile.rows.min(self.outputs - i), tile.columns];
                                    let start = match bias.0.is_null() {
                                        true => bias.0,
                                        false => bias.at(group * self.outputs + i),
                                    };
                                    let to = result.as_mut_ptr().add(i * n + j);
                                    let (left, right) =
                                        (weights.wrapping_add(i * deep), seen.as_ptr().add(j));
                                    let offsets = &slab.offsets[k..k + deep];
                                    tile.multiply_at(offsets, left, right, to, n, size, start, k > 0);
                                }
                            }
                        }
                        let target = self.target.iter().product::<usize>();
                        for m in 0..self.outputs {
                            let out = out.at((part * self.outputs + m) * target);
                            for r in 0..rows {
                                let from = result.as_ptr().add(m * n + r * slab.size[2]);
                                let to = out.add(self.place((q0 * self.grid[1] + q1 + r) * self.grid[2]));
                                match self.step[2] {
                                    1 => to.copy_from_nonoverlapping(from, self.grid[2]),
                                    step => (0..self.grid[2])
                                        .for_each(|i| to.add(i * step).write(from.add(i).read())),
                                }
                            }
                        }
                    }
                }
            },
        );
    }
}

dispatch!(unsafe fn fill<C: Lane>(sum: &Taps, slab: &Slab, source: *const C, q0: usize, q1: usize, out: &mut [C]) => fill_body);

/// Copies what the taps of the rows from (`q0`, `q1`) on meet, with zeros outside.
///
/// # Safety
/// `source` has the planes of one image and group, and `out` room for a slab of each.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // only elements move, of whatever reading
unsafe fn fill_body<S, C: Compute>(
    sum: &Taps,
    slab: &Slab,
    source: *const C,
    q0: usize,
    q1: usize,
    out: &mut [C],
) {
    let ([depth, height, width], [planes, rows, columns]) = (sum.source, slab.size);
    let mut to = out.as_mut_ptr();
    // Columns of the source that are in the slab, and where they begin there.
    let before = (-slab.least[2]).max(0) as usize;
    let first = slab.least[2].max(0) as usize;
    let before = before.min(columns);
    let inside = width.saturating_sub(first).min(columns - before);
    for c in 0..sum.channels {
        for d in 0..planes {
            let d = q0 as isize + slab.least[0] + d as isize;
            for h in 0..rows {
                let h = q1 as isize + slab.least[1] + h as isize;
                // SAFETY: places are checked against the source's sizes, and the slab has room for each row.
                unsafe {
                    if d < 0 || d as usize >= depth || h < 0 || h as usize >= height {
                        (0..columns).for_each(|i| to.add(i).write(C::default()));
                    } else {
                        let row = source.add(((c * depth + d as usize) * height + h as usize) * width);
                        (0..before).for_each(|i| to.add(i).write(C::default()));
                        let (from, at) = (row.wrapping_add(first), to.add(before));
                        let mut i = 0;
                        while i + 8 <= inside {
                            at.add(i)
                                .cast::<[C; 8]>()
                                .write(from.add(i).cast::<[C; 8]>().read());
                            i += 8;
                        }
                        (i..inside).for_each(|i| at.add(i).write(from.add(i).read()));
                        (before + inside..columns).for_each(|i| to.add(i).write(C::default()));
                    }
                    to = to.add(columns);
                }
            }
        }
    }
}
