//! Sums without a matrix of patches: in a slab each tap is a fixed distance away in memory, so the register tile reads
//! the source itself. With positions in lanes, those at the ends of rows that belong to no result are computed and forgotten.

use super::direct::rows_body;
use super::lanes::Rows;
use super::slab::{MOST, SLAB, Seen, Slab};
use super::tile::Tile;
use super::{DEPTH, In, Kind, Out, Taps, product};
use crate::cpu::copy;
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::threads;
use crate::cpu::turn::turn;
use crate::cpu::walk::prefetch;
use crate::dtype::Compute;

/// The slab to use for sums over one source, where it costs less than matrices of patches.
pub(super) fn slab(parts: &[Taps], kind: Kind) -> Option<Slab> {
    let all = &parts[0];
    let taps = parts.iter().map(|p| p.taps.len()).sum::<usize>();
    let positions = match kind {
        Kind::Lanes(_) => SLAB / all.outputs,
        _ => usize::MAX,
    };
    let slab = Slab::new(parts, all.channels, positions);
    // Computing what is forgotten against gathering: about twenty products in the time of one element.
    let forgotten = (slab.size[2] - all.grid[2]) * all.outputs > 20 * all.grid[2];
    let pays = match kind {
        Kind::Few => true,
        Kind::Lanes(_) => taps > 1 && taps * all.channels >= 32,
        Kind::Tile(_) => taps > 1 && taps * all.channels >= 32 && !forgotten,
    };
    (pays && slab.len() <= MOST).then_some(slab)
}

/// Computes the sums, given the packed weights of each.
pub(super) fn run<C: Lane>(
    parts: &[Taps],
    slab: &Slab,
    kind: Kind,
    source: In<C>,
    packed: &[In<C>],
    bias: In<C>,
    out: Out<C>,
) {
    let (all, tile) = (&parts[0], Tile::best::<C>());
    let down = all.grid[1].div_ceil(slab.rows);
    let offsets: Vec<Vec<usize>> = parts.iter().map(|p| slab.offsets(&p.taps)).collect();
    let pitch = slab.size[2];
    // The register tile takes whole vectors, so a little beyond the last position.
    let n = (slab.rows * pitch).next_multiple_of(tile.columns);
    let room = match kind {
        Kind::Few | Kind::Lanes(_) if all.is_dense() => 0,
        Kind::Few | Kind::Lanes(_) => all.outputs * n,
        Kind::Tile(rows) => all.outputs.next_multiple_of(rows) * n,
    };
    // In lanes, all outputs of a position lie beside each other.
    let padded = match kind {
        Kind::Lanes(panel) => all.outputs.next_multiple_of(panel),
        _ => 0,
    };
    let deep: usize = parts.iter().map(Taps::depth).sum();
    let cost = all.outputs * deep * n / 24 + (slab.len() + parts.len() * all.outputs * n) / 4;
    threads::split(
        all.images * all.groups * all.grid[0] * down,
        1,
        cost.max(1),
        |start, len| {
            let mut seen = Seen::new(slab, n + tile.columns);
            let mut result = vec![C::default(); parts.len() * room];
            let mut sums = vec![C::default(); padded * (slab.rows * pitch + 1)];
            for task in start..start + len {
                let (part, q1) = (task / down, task % down * slab.rows);
                let (part, q0) = (part / all.grid[0], part % all.grid[0]);
                let group = part % all.groups;
                let out = out.at(part * all.outputs * product(all.target));
                let first = |m: usize| match bias.0.is_null() {
                    true => bias.0,
                    false => bias.at(group * all.outputs + m),
                };
                let start = |m: usize| match first(m) {
                    first if first.is_null() => C::default(),
                    // SAFETY: the bias has a number for each output.
                    first => unsafe { first.read() },
                };
                // SAFETY: the source has the sum's sizes; rows of this part are this task's.
                unsafe {
                    seen.fill(
                        slab,
                        source.at(part * all.channels * product(all.source)),
                        all.channels,
                        q0,
                        q1,
                    );
                    for (p, sum) in parts.iter().enumerate() {
                        let rows = sum.rows(slab, q0, q1);
                        let result = result.as_mut_ptr().add(p * room);
                        let (seen, offsets, dense) = (seen.data.as_ptr(), &offsets[p], sum.is_dense());
                        let (place, plane) = (sum.place([q0, q1, 0]), product(sum.target));
                        match kind {
                            _ if rows == 0 => {}
                            Kind::Few => {
                                for m in 0..sum.outputs {
                                    let weights = packed[p].at((group * sum.outputs + m) * sum.depth());
                                    let (to, step) = match dense {
                                        true => (out.add(m * plane + place), sum.target[2]),
                                        false => (result.add(m * n), pitch),
                                    };
                                    let size = [rows, sum.grid[2]];
                                    by_rows(offsets, weights, start(m), seen, pitch, to, step, size);
                                }
                            }
                            Kind::Lanes(_) => {
                                // What each begins with, and then the sums.
                                let (begin, beside) = sums.split_at_mut(padded);
                                (0..sum.outputs).for_each(|m| begin[m] = start(m));
                                let columns = sum.grid[2];
                                let (to, step, row) = match dense {
                                    true => (out.add(place), plane, columns),
                                    false => (result, n, pitch),
                                };
                                let at = Rows {
                                    rows,
                                    columns,
                                    pitch,
                                    row,
                                };
                                let weights = packed[p].at(group * sum.depth() * padded);
                                let beside = beside.as_mut_ptr();
                                sum.in_lanes(offsets, weights, seen, at, begin.as_ptr(), beside);
                                let count = (rows - 1) * row + columns;
                                turn(beside, padded as isize, to, step, [sum.outputs, count]);
                            }
                            Kind::Tile(panel) => {
                                let padded = sum.outputs.next_multiple_of(panel);
                                let weights = packed[p].at(group * sum.depth() * padded);
                                let width = ((rows - 1) * pitch + sum.grid[2]).next_multiple_of(tile.unit());
                                tiles(sum, tile, offsets, weights, seen, result, [n, width], first);
                            }
                        }
                    }
                    if room > 0 {
                        store::<C>(parts, slab, [q0, q1], result.as_ptr(), [room, n], out);
                    }
                }
            }
        },
    );
}

dispatch!(unsafe fn by_rows<C: Lane>(
    offsets: &[usize], weights: *const C, first: C, seen: *const C, pitch: usize, out: *mut C, step: usize, size: [usize; 2]
) => rows_body);

/// All outputs of one sum at the first `width` places of a slab, in rows of `n`.
///
/// # Safety
/// The arrays have the sum's sizes.
unsafe fn tiles<C: Lane>(
    sum: &Taps,
    tile: Tile,
    offsets: &[usize],
    packed: *const C,
    seen: *const C,
    result: *mut C,
    [n, width]: [usize; 2],
    first: impl Fn(usize) -> *const C,
) {
    let padded = sum.outputs.next_multiple_of(tile.rows);
    // Without a tap the result is what it begins with.
    for k in (0..sum.depth().max(1)).step_by(DEPTH) {
        let deep = DEPTH.min(sum.depth() - k);
        let (weights, offsets) = (packed.wrapping_add(k * padded), &offsets[k..k + deep]);
        for j in (0..width).step_by(tile.columns) {
            for i in (0..sum.outputs).step_by(tile.rows) {
                let size = [tile.rows.min(sum.outputs - i), tile.columns.min(width - j)];
                // SAFETY: the caller's promise.
                unsafe {
                    let (left, right) = (weights.wrapping_add(i * deep), seen.add(j));
                    tile.multiply_at(
                        offsets,
                        left,
                        right,
                        result.add(i * n + j),
                        n,
                        size,
                        first(i),
                        k > 0,
                    );
                }
            }
        }
    }
}

dispatch!(unsafe fn store<C: Lane>(
    parts: &[Taps], slab: &Slab, q: [usize; 2], result: *const C, room: [usize; 2], out: *mut C
) => store_body);

/// Brings a slab's results to their places.
///
/// # Safety
/// `result` has `room` for each part and each of its outputs; nobody else writes these rows.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // only elements move, of whatever reading
unsafe fn store_body<S, C: Compute>(
    parts: &[Taps],
    slab: &Slab,
    [q0, q1]: [usize; 2],
    result: *const C,
    [room, n]: [usize; 2],
    out: *mut C,
) {
    // Sums of neighbouring places are woven together: those of one row are beside each other in the list.
    let step = parts[0].step[2];
    let lines = step.min(parts[0].target[2]);
    let all = &parts[0];
    let written = all.rows(slab, q0, q1) * all.step[1] * all.target[2];
    for m in 0..all.outputs {
        let next = (m + 1) * product(all.target) + all.place([q0, q1, 0]);
        prefetch(out.wrapping_add(next), written);
        for (p, line) in parts.chunks(lines).enumerate() {
            let sum = &line[0];
            for r in 0..sum.rows(slab, q0, q1) {
                // SAFETY: the caller's promise.
                unsafe {
                    let from = |i: usize| result.add((p * lines + i) * room + m * n + r * slab.size[2]);
                    let to = out.add(m * product(sum.target) + sum.place([q0, q1 + r, 0]));
                    match line {
                        [one] if step == 1 => copy::short(from(0), to, one.grid[2]),
                        [even, odd] if step == 2 => {
                            let (a, b) = (from(0), from(1));
                            for i in 0..odd.grid[2] {
                                to.add(2 * i).write(a.add(i).read());
                                to.add(2 * i + 1).write(b.add(i).read());
                            }
                            if even.grid[2] > odd.grid[2] {
                                let i = odd.grid[2];
                                to.add(2 * i).write(a.add(i).read());
                            }
                        }
                        _ => {
                            for (at, sum) in line.iter().enumerate() {
                                (0..sum.grid[2])
                                    .for_each(|i| to.add(at + i * step).write(from(at).add(i).read()));
                            }
                        }
                    }
                }
            }
        }
    }
}
