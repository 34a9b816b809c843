//! Sums with one or two output channels in a group, depthwise convolution among them: a row of positions at a
//! time, tap by tap, since a register tile would stay nearly empty.

use super::{In, Out, Taps, product};
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::threads;
use crate::real::Real;

impl Taps {
    /// As [`run`](Taps::run).
    pub(super) fn run_direct<C: Lane>(
        &self,
        source: In<C>,
        weight: impl Fn(usize, usize, usize, usize) -> C,
        bias: In<C>,
        out: Out<C>,
    ) {
        let (depth, planes) = (self.depth(), self.groups * self.outputs);
        let mut weights = Vec::with_capacity(planes * depth);
        for plane in 0..planes {
            for k in 0..depth {
                let (c, t) = (k / self.taps.len(), k % self.taps.len());
                weights.push(weight(plane / self.outputs, plane % self.outputs, c, t));
            }
        }
        let cost = self.positions() * (depth + 1);
        threads::split(self.images * planes, 1, cost, |start, len| {
            let mut row = vec![C::default(); self.grid[2]];
            for task in start..start + len {
                let plane = task % planes;
                let first = match bias.0.is_null() {
                    true => C::default(),
                    // SAFETY: the bias has a number for each output channel.
                    false => unsafe { *bias.at(plane) },
                };
                let group = task / planes * self.groups + plane / self.outputs;
                let source = source.at(group * self.channels * product(self.source));
                let out = out.at(task * product(self.target));
                // SAFETY: planes of one image and group, and a plane of the result that is this task's.
                unsafe {
                    plane_of::<C>(
                        self,
                        source,
                        &weights[plane * depth..][..depth],
                        first,
                        &mut row,
                        out,
                    )
                };
            }
        });
    }
}

dispatch!(unsafe fn plane_of<C: Lane>(
    sum: &Taps, source: *const C, weights: &[C], first: C, row: &mut [C], out: *mut C
) => plane_body);

/// Positions whose sums stay in registers, and those of short rows.
const WIDE: usize = 32;
const NARROW: usize = 8;

/// Sums at positions `from .. to`, W at a time; the last ones are some of those before again. Returns `to`.
///
/// # Safety
/// There are at least W positions, and all that meets them is inside.
#[inline(always)]
unsafe fn blocks<S: Real, const W: usize>(
    meets: &[(*const S, isize, S)],
    first: S,
    row: &mut [S],
    from: usize,
    to: usize,
) -> usize {
    let mut at = from;
    while at < to {
        let here = at.min(to - W);
        let mut sums = [first; W];
        // SAFETY: the caller's promise.
        unsafe {
            for &(line, _, w) in meets {
                let x = line.wrapping_add(here).cast::<[S; W]>().read();
                for l in 0..W {
                    sums[l] = w.mul_add(x[l], sums[l]);
                }
            }
            row.as_mut_ptr().add(here).cast::<[S; W]>().write(sums);
        }
        at = here + W;
    }
    to
}

/// One plane of the result.
#[inline(always)]
unsafe fn plane_body<S: Real, C: Lane>(
    sum: &Taps,
    source: *const C,
    weights: &[C],
    first: C,
    row: &mut [C],
    out: *mut C,
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let ([depth, height, width], plane) = (sum.source.map(|s| s as isize), product(sum.source));
    let (n, stride, step) = (row.len(), sum.stride[2] as isize, sum.step[2]);
    // The positions at which a tap is inside the row.
    let range = |tap: isize| {
        let from = if tap < 0 { (-tap + stride - 1) / stride } else { 0 };
        let to = if tap < width {
            (width - tap + stride - 1) / stride
        } else {
            0
        };
        let to = (to as usize).min(n);
        ((from as usize).min(to), to)
    };
    // What meets a row: where it begins for position 0 (which may be outside), and the weight.
    let mut meets: Vec<(*const S, isize, S)> = Vec::with_capacity(sum.depth());
    // SAFETY: S has the bits of C; places are checked against the source's sizes.
    unsafe {
        let row = std::slice::from_raw_parts_mut(row.as_mut_ptr().cast::<S>(), n);
        let first = (&raw const first).cast::<S>().read();
        for p in (0..sum.positions()).step_by(n) {
            let (q0, q1) = (p / n / sum.grid[1], p / n % sum.grid[1]);
            meets.clear();
            let mut inner = (0, n);
            for c in 0..sum.channels {
                for (t, tap) in sum.taps.iter().enumerate() {
                    let d = (q0 * sum.stride[0]) as isize + tap[0];
                    let h = (q1 * sum.stride[1]) as isize + tap[1];
                    if d < 0 || d >= depth || h < 0 || h >= height {
                        continue;
                    }
                    let w = weights.as_ptr().add(c * sum.taps.len() + t).cast::<S>().read();
                    let line = source.add(c * plane).cast::<S>().offset((d * height + h) * width);
                    meets.push((line.wrapping_offset(tap[2]), tap[2], w));
                    let (from, to) = range(tap[2]);
                    inner = (inner.0.max(from), inner.1.min(to));
                }
            }
            // Where all taps are inside, a block of positions at a time in registers; else tap by tap.
            let mut at = inner.0.min(inner.1);
            let done = at;
            if stride == 1 && inner.1 >= at + WIDE {
                at = blocks::<S, WIDE>(&meets, first, row, at, inner.1);
            } else if stride == 1 && inner.1 >= at + NARROW {
                at = blocks::<S, NARROW>(&meets, first, row, at, inner.1);
            }
            row[..done].fill(first);
            row[at..].fill(first);
            for &(line, tap, w) in &meets {
                let (from, to) = range(tap);
                let ends = [(from, to.min(done)), (from.max(at), to)];
                for (from, to) in ends.into_iter().filter(|(from, to)| from < to) {
                    if stride == 1 {
                        let line = line.wrapping_add(from);
                        for (i, sum) in row[from..to].iter_mut().enumerate() {
                            *sum = w.mul_add(line.add(i).read(), *sum);
                        }
                    } else {
                        for (i, sum) in row[from..to].iter_mut().enumerate() {
                            *sum = w.mul_add(line.wrapping_offset((from + i) as isize * stride).read(), *sum);
                        }
                    }
                }
            }
            let out = out.add(sum.place(p)).cast::<S>();
            if step == 1 {
                out.copy_from_nonoverlapping(row.as_ptr(), n);
            } else {
                (0..n).for_each(|i| out.add(i * step).write(row[i]));
            }
        }
    }
}
