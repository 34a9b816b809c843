//! Sums with one or two output channels in a group, depthwise convolution among them: a block of some rows at a
//! time, tap by tap, since the register tile would stay nearly empty.

use super::slab::in_steps;
use crate::cpu::isa::Lane;
use crate::real::Real;

/// Rows in a block.
const ROWS: usize = 4;

/// The sums at `size` rows and columns of positions: from `first` on, weight by weight. Rows are `pitch` apart in what is seen,
/// `step` in the result.
///
/// # Safety
/// There is a weight for each offset; what is that far from positions can be read, and the result written.
#[inline(always)]
pub(super) unsafe fn rows_body<S: Real, C: Lane>(
    offsets: &[usize],
    weights: *const C,
    first: C,
    seen: *const C,
    pitch: usize,
    out: *mut C,
    step: usize,
    [rows, columns]: [usize; 2],
) {
    const { assert!(size_of::<S>() == size_of::<C>()) };
    let (weights, seen, out) = (weights.cast::<S>(), seen.cast::<S>(), out.cast::<S>());
    // SAFETY: S has the bits of C; else the caller's promise.
    unsafe {
        let first = (&raw const first).cast::<S>().read();
        let mut next = 0;
        while next < rows {
            // The last rows may be some of those before again.
            let r = if rows < ROWS { next } else { next.min(rows - ROWS) };
            let (seen, out) = (seen.add(r * pitch), out.add(r * step));
            if rows < ROWS {
                in_steps!(columns, W, i => block::<S, 1, W>(offsets, weights, first, seen.add(i), pitch, out.add(i), step));
                next += 1;
            } else {
                in_steps!(columns, W, i => block::<S, ROWS, W>(offsets, weights, first, seen.add(i), pitch, out.add(i), step));
                next += ROWS;
            }
        }
    }
}

/// R rows and W columns.
///
/// # Safety
/// As [`rows_body`].
#[inline(always)]
unsafe fn block<S: Real, const R: usize, const W: usize>(
    offsets: &[usize],
    weights: *const S,
    first: S,
    seen: *const S,
    pitch: usize,
    out: *mut S,
    step: usize,
) {
    let mut sums = [[first; W]; R];
    // SAFETY: the caller's promise.
    unsafe {
        for (k, at) in offsets.iter().enumerate() {
            let w = weights.add(k).read();
            for r in 0..R {
                let x = seen.add(at + r * pitch).cast::<[S; W]>().read();
                for l in 0..W {
                    sums[r][l] = w.mul_add(x[l], sums[r][l]);
                }
            }
        }
        for r in 0..R {
            out.add(r * step).cast::<[S; W]>().write(sums[r]);
        }
    }
}
