//! Output channels in lanes. The register tile of most sums: up to 14 positions of a row, whose numbers are spread over all lanes one after the other,
//! times the weights of two vectors of output channels. It fills the registers whatever the width of a row, loads of weights are
//! whole vectors, and nothing is computed that is forgotten but channels that fill up a vector. Results lie channel by channel
//! at each position, and are turned at the end.

use super::{DEPTH, In, Out, Taps};
use crate::array::Array;
use crate::cpu::isa::{Isa, Lane, dispatch, isa};
use crate::cpu::threads;
use crate::cpu::turn::turn;
use crate::cpu::vector::{Float, Vector};
use crate::dtype::DType;
use std::array::from_fn;

/// Output channels that are computed together, two vectors of them; nothing where the type has no vectors.
pub(super) fn panel<C: Lane>() -> Option<usize> {
    let bytes = match isa() {
        Isa::Avx512 => 64,
        Isa::Avx2 => 32,
        Isa::Baseline => 16,
    };
    matches!(C::DTYPE, DType::F32 | DType::F64).then_some(2 * bytes / size_of::<C>())
}

/// Where rows of positions are: so many, of so many columns, `pitch` apart in a slab, and `row` positions apart in the result.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub rows: usize,
    pub columns: usize,
    pub pitch: usize,
    pub row: usize,
}

impl Taps {
    /// All outputs, in whole panels, at each of the positions: `out[position, output]` from weights packed for panels, from `first`
    /// of each output on.
    ///
    /// # Safety
    /// The arrays have the sum's sizes; `first` has a number for each output of whole panels, `out` room for them.
    pub(super) unsafe fn in_lanes<C: Lane>(
        &self,
        offsets: &[usize],
        packed: *const C,
        seen: *const C,
        rows: Rows,
        first: *const C,
        out: *mut C,
    ) {
        let outputs = self.outputs;
        // SAFETY: the caller's promise, and C is that type.
        unsafe {
            with_float!(C::DTYPE, F => {
                let (packed, seen, first) = (packed.cast::<F>(), seen.cast(), first.cast());
                sums(offsets, outputs, packed, seen, rows, first, out.cast())
            })
        }
    }
}

dispatch!(vectors unsafe fn sums<C: Float>(
    offsets: &[usize], outputs: usize, packed: *const C, seen: *const C, rows: Rows, first: *const C, out: *mut C
) => sums_body);

/// # Safety
/// As [`Taps::in_lanes`].
#[inline(always)]
unsafe fn sums_body<V: Vector<C = C>, C: Float>(
    offsets: &[usize],
    outputs: usize,
    packed: *const C,
    seen: *const C,
    at: Rows,
    first: *const C,
    out: *mut C,
) {
    let padded = outputs.next_multiple_of(2 * V::LANES);
    let pieces = at.columns.div_ceil(most::<V>());
    // Without a tap the result is what it begins with.
    for k in (0..offsets.len().max(1)).step_by(DEPTH) {
        let offsets = &offsets[k..offsets.len().min(k + DEPTH)];
        let weights = packed.wrapping_add(k * padded);
        for r in 0..at.rows {
            for piece in 0..pieces {
                let [from, end] = [piece, piece + 1].map(|p| p * at.columns / pieces);
                let seen = seen.wrapping_add(r * at.pitch + from);
                let out = out.wrapping_add((r * at.row + from) * padded);
                let (old, step) = if k == 0 {
                    (first, 0)
                } else {
                    (out.cast_const(), padded)
                };
                macro_rules! of {
                    ($($W:literal)*) => {
                        match end - from {
                            $($W if $W <= most::<V>() => {
                                for o in (0..outputs).step_by(2 * V::LANES) {
                                    let (weights, old, out) = (weights.wrapping_add(o * offsets.len()), old.wrapping_add(o), out.wrapping_add(o));
                                    // SAFETY: the caller's promise.
                                    unsafe {
                                        match outputs - o <= V::LANES {
                                            true => tile::<V, C, $W, 1>(offsets, weights, seen, old, step, out, padded),
                                            false => tile::<V, C, $W, 2>(offsets, weights, seen, old, step, out, padded),
                                        }
                                    }
                                }
                            })*
                            _ => unreachable!("a piece has no more than the tile"),
                        }
                    };
                }
                of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
            }
        }
    }
}

/// Positions of a tile.
const fn most<V: Vector>() -> usize {
    let registers = match size_of::<V>() {
        16 if cfg!(target_arch = "aarch64") => 32,
        64 => 32,
        _ => 16,
    };
    registers / 2 - 2
}

/// `out` = `old` + Σ weights · seen at W positions, for N of the panel's two vectors of outputs.
///
/// # Safety
/// As [`Taps::in_lanes`].
#[inline(always)]
unsafe fn tile<V: Vector<C = C>, C: Float, const W: usize, const N: usize>(
    offsets: &[usize],
    weights: *const C,
    seen: *const C,
    old: *const C,
    step: usize,
    out: *mut C,
    padded: usize,
) {
    let mut sums = [[V::splat(C::default()); N]; W];
    let mut weights = weights;
    // SAFETY: the caller's promise.
    unsafe {
        for offset in offsets {
            let seen = seen.add(*offset);
            let w: [V; N] = from_fn(|v| V::load(weights.add(v * V::LANES)));
            for i in 0..W {
                let x = V::splat(seen.add(i).read());
                for v in 0..N {
                    sums[i][v] = x.mul_add(w[v], sums[i][v]);
                }
            }
            weights = weights.add(2 * V::LANES);
        }
        for i in 0..W {
            for v in 0..N {
                let old = V::load(old.add(i * step + v * V::LANES));
                sums[i][v]
                    .add(old)
                    .store(out.add(i * padded + v * V::LANES), false);
            }
        }
    }
}

impl Taps {
    /// dy with the outputs of a panel beside each other at each position: [images · groups, panels, positions, panel].
    pub(super) fn turned<C: Lane>(&self, dy: In<C>, panel: usize) -> Array {
        let (p, panels) = (self.positions(), self.outputs.div_ceil(panel));
        let planes = self.images * self.groups;
        let mut turned = match self.outputs.is_multiple_of(panel) {
            true => Array::uninit([planes, panels, p, panel], C::DTYPE),
            false => Array::full([planes, panels, p, panel], 0.0, C::DTYPE),
        };
        let out = Out(turned.make_mut::<C>().as_mut_ptr());
        threads::split(planes * panels, 1, p * panel / 4, |start, len| {
            for task in start..start + len {
                let (plane, first) = (task / panels, task % panels * panel);
                let from = dy.at((plane * self.outputs + first) * p);
                // SAFETY: the positions of some outputs of a plane, and room for them in this task's part.
                unsafe {
                    turn(
                        from,
                        p as isize,
                        out.at(task * p * panel),
                        panel,
                        [p, panel.min(self.outputs - first)],
                    )
                };
            }
        });
        turned
    }

    /// Adds to `out[tap, output]` the products of dy, turned, with what the taps meet at these positions, for one panel.
    ///
    /// # Safety
    /// There are so many rows of positions; `out` has a panel for each of the offsets.
    pub(super) unsafe fn add_slopes<C: Lane>(
        &self,
        offsets: &[usize],
        outputs: usize,
        dy: *const C,
        seen: *const C,
        rows: Rows,
        out: *mut C,
    ) {
        // SAFETY: the caller's promise, and C is that type.
        unsafe {
            with_float!(C::DTYPE, F => {
                slopes(offsets, outputs, dy.cast::<F>(), seen.cast(), rows, out.cast())
            })
        }
    }
}

dispatch!(vectors unsafe fn slopes<C: Float>(
    offsets: &[usize], outputs: usize, dy: *const C, seen: *const C, rows: Rows, out: *mut C
) => slopes_body);

/// # Safety
/// As [`Taps::add_slopes`].
#[inline(always)]
unsafe fn slopes_body<V: Vector<C = C>, C: Float>(
    offsets: &[usize],
    outputs: usize,
    dy: *const C,
    seen: *const C,
    at: Rows,
    out: *mut C,
) {
    let pieces = offsets.len().div_ceil(taps::<V>());
    for piece in 0..pieces {
        let [from, end] = [piece, piece + 1].map(|p| p * offsets.len() / pieces);
        let out = out.wrapping_add(from * 2 * V::LANES);
        macro_rules! of {
            ($($T:literal)*) => {
                match end - from {
                    $($T if $T <= taps::<V>() => {
                        let seen: [_; $T] = from_fn(|t| seen.wrapping_add(offsets[from + t]));
                        // SAFETY: the caller's promise.
                        unsafe {
                            match outputs <= V::LANES {
                                true => slope::<V, C, $T, 1>(seen, dy, at, out),
                                false => slope::<V, C, $T, 2>(seen, dy, at, out),
                            }
                        }
                    })*
                    _ => unreachable!("a piece has no more than the tile"),
                }
            };
        }
        of!(1 2 3 4 5 6 7 8 9);
    }
}

/// Taps of a tile: their places stay in registers, too.
const fn taps<V: Vector>() -> usize {
    if most::<V>() > 9 { 9 } else { most::<V>() }
}

/// `out` += Σ dy · seen over the positions, for T taps and N of the panel's two vectors of outputs.
///
/// # Safety
/// As [`Taps::add_slopes`].
#[inline(always)]
unsafe fn slope<V: Vector<C = C>, C: Float, const T: usize, const N: usize>(
    mut seen: [*const C; T],
    mut dy: *const C,
    at: Rows,
    out: *mut C,
) {
    let mut sums = [[V::splat(C::default()); N]; T];
    // SAFETY: the caller's promise.
    unsafe {
        for _ in 0..at.rows {
            for i in 0..at.columns {
                let y: [V; N] = from_fn(|v| V::load(dy.add(v * V::LANES)));
                for t in 0..T {
                    let x = V::splat(seen[t].add(i).read());
                    for v in 0..N {
                        sums[t][v] = x.mul_add(y[v], sums[t][v]);
                    }
                }
                dy = dy.add(2 * V::LANES);
            }
            seen = seen.map(|s| s.wrapping_add(at.pitch));
        }
        for t in 0..T {
            for v in 0..N {
                let out = out.add((2 * t + v) * V::LANES);
                V::load(out).add(sums[t][v]).store(out, false);
            }
        }
    }
}
