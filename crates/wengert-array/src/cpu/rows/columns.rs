//! Down the columns of matrices, where they lie: a strip of columns at a time, which stays in the second-level cache. Softmax is.

use super::{cast, cast_mut};
use crate::array::Array;
use crate::cpu::index::around;
use crate::cpu::isa::{Lane, dispatch};
use crate::cpu::shared::{In, Out};
use crate::cpu::threads;
use crate::cpu::vector::Float;
use crate::dtype::Compute;
use crate::real::Real;

/// Elements of a strip, about.
const STRIP: usize = 64 << 10;
/// The least and the most columns of one: fewer are sooner turned into rows.
const NARROW: usize = 64;
pub(in crate::cpu) const WIDE: usize = 512;
/// Rows that are added up before they are rounded to f64.
const ROWS: usize = 64;

/// Whether this array's rows along `axis` are columns for which this is the better way.
pub(in crate::cpu) fn suits(x: &Array, axis: usize) -> bool {
    x.numel() > 0 && x.is_contiguous() && around(x.shape(), axis).2 >= NARROW
}

/// Calls `f(at, strip)` for strips of the columns along `axis` of an array of this shape, that begin at element `at`.
pub(in crate::cpu) fn strips(x: &Array, axis: usize, f: impl Fn(usize, Strip) + Sync) {
    let (outer, rows, step) = around(x.shape(), axis);
    let width = (STRIP / rows).clamp(NARROW, WIDE) / NARROW * NARROW;
    let across = step.div_ceil(width);
    threads::split(outer * across, 1, 4 * rows * width.min(step), |start, len| {
        for task in start..start + len {
            let column = task % across * width;
            let strip = Strip {
                step,
                rows,
                width: width.min(step - column),
            };
            f(task / across * rows * step + column, strip);
        }
    });
}

/// Rows of so many elements that begin `step` apart.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Strip {
    pub step: usize,
    pub rows: usize,
    pub width: usize,
}

impl Strip {
    /// Adds up, for each column, what `f(at, rows, sums)` adds to the sums for the few rows from element `at` on.
    fn totals<C: Float>(self, f: impl Fn(usize, Strip, &mut [C])) -> [f64; WIDE] {
        let (mut wide, mut sums) = ([0.0; WIDE], [C::default(); WIDE]);
        for r in (0..self.rows).step_by(ROWS) {
            let sums = &mut sums[..self.width];
            let rows = ROWS.min(self.rows - r);
            f(r * self.step, Strip { rows, ..self }, sums);
            for (wide, sum) in wide.iter_mut().zip(sums) {
                *wide += std::mem::take(sum).to_f64();
            }
        }
        wide
    }
}

/// What a loop over a strip reads of each row: as many numbers as there are columns.
///
/// # Safety
/// They are there; S has the bits of C.
#[inline(always)]
pub(in crate::cpu) unsafe fn row<'a, S, C: 'a>(x: *const C, at: usize, strip: Strip) -> &'a [S] {
    // SAFETY: the caller's promise.
    unsafe { cast::<S, C>(std::slice::from_raw_parts(x.add(at), strip.width)) }
}

/// What it writes.
///
/// # Safety
/// As for [`row`], and nobody else looks at them.
#[inline(always)]
pub(in crate::cpu) unsafe fn row_mut<'a, S, C: 'a>(x: *mut C, at: usize, strip: Strip) -> &'a mut [S] {
    // SAFETY: the caller's promise.
    unsafe { cast_mut::<S, C>(std::slice::from_raw_parts_mut(x.add(at), strip.width)) }
}

/// [`softmax`](super::softmax) of an array that it [suits].
pub(super) fn softmax(x: &Array, axis: usize, log: bool) -> Array {
    let mut y = Array::uninit(x.shape(), x.dtype());
    with_float!(x.dtype(), C => {
        let (x, out) = (In(x.as_ptr::<C>()), Out(y.uninit_slice::<C>()));
        strips(&y, axis, |at, strip| {
            let (x, y) = (x.at(at), out.at(at));
            let mut top = [C::default(); WIDE];
            let top = &mut top[..strip.width];
            // SAFETY: the strip lies within both arrays, and is this thread's in the second.
            unsafe {
                largest::<C>(x, strip, top);
                let totals = strip.totals::<C>(|at, rows, sums| powers::<C>(x.add(at), rows, top, y.add(at), sums));
                let by: [C; WIDE] = totals.map(|total| C::from_f64(if log { total.ln() } else { 1.0 / total }));
                match log {
                    true => less::<C>(x, strip, [top, &by], y),
                    false => scale::<C>(y, strip, &by),
                }
            }
        });
    });
    y
}

/// [`softmax_backward`](super::softmax_backward) for arrays that it [suits].
pub(super) fn softmax_backward(y: &Array, dy: &Array, axis: usize, log: bool) -> Array {
    let mut dx = Array::uninit(y.shape(), y.dtype());
    with_float!(y.dtype(), C => {
        let (from, out) = ([y, dy].map(|a| In(a.as_ptr::<C>())), Out(dx.uninit_slice::<C>()));
        strips(y, axis, |at, strip| {
            let from = from.map(|a| a.at(at));
            // SAFETY: the strip lies within all arrays, and is this thread's in the last.
            unsafe {
                let totals = strip.totals::<C>(|at, rows, sums| products::<C>(from.map(|a| a.add(at)), rows, log, sums));
                let totals: [C; WIDE] = totals.map(C::from_f64);
                slopes::<C>(from, strip, log, &totals, out.at(at));
            }
        });
    });
    dx
}

dispatch!(unsafe fn largest<C: Lane>(x: *const C, strip: Strip, top: &mut [C]) => largest_body);
dispatch!(unsafe fn powers<C: Lane>(x: *const C, strip: Strip, top: &[C], y: *mut C, sums: &mut [C]) => powers_body);
dispatch!(unsafe fn scale<C: Lane>(y: *mut C, strip: Strip, by: &[C]) => scale_body);
dispatch!(unsafe fn less<C: Lane>(x: *const C, strip: Strip, by: [&[C]; 2], y: *mut C) => less_body);
dispatch!(unsafe fn products<C: Lane>(from: [*const C; 2], strip: Strip, log: bool, sums: &mut [C]) => products_body);
dispatch!(unsafe fn slopes<C: Lane>(from: [*const C; 2], strip: Strip, log: bool, totals: &[C], dx: *mut C) => slopes_body);

/// The largest of each column; NaN if one is.
///
/// # Safety
/// The strip lies at x, and there is room for a row; S has the bits of C.
#[inline(always)]
unsafe fn largest_body<S: Real, C: Lane>(x: *const C, strip: Strip, top: &mut [C]) {
    // SAFETY: the caller's promise.
    unsafe {
        let top = cast_mut::<S, C>(top);
        top.copy_from_slice(row(x, 0, strip));
        for r in 1..strip.rows {
            for (top, x) in top.iter_mut().zip(row::<S, C>(x, r * strip.step, strip)) {
                *top = top.max(*x);
            }
        }
    }
}

/// y = e^(x − top), which is added to the sums.
///
/// # Safety
/// As above, for all arrays.
#[inline(always)]
unsafe fn powers_body<S: Real, C: Lane>(x: *const C, strip: Strip, top: &[C], y: *mut C, sums: &mut [C]) {
    // SAFETY: the caller's promise.
    unsafe {
        let (top, sums) = (cast::<S, C>(top), cast_mut::<S, C>(sums));
        for at in (0..strip.rows).map(|r| r * strip.step) {
            let (x, y) = (row::<S, C>(x, at, strip), row_mut::<S, C>(y, at, strip));
            for ((y, sum), (x, top)) in y.iter_mut().zip(&mut *sums).zip(x.iter().zip(top)) {
                *y = (*x - *top).exp();
                *sum = *sum + *y;
            }
        }
    }
}

/// y = y · by
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn scale_body<S: Real, C: Lane>(y: *mut C, strip: Strip, by: &[C]) {
    // SAFETY: the caller's promise.
    unsafe {
        let by = cast::<S, C>(by);
        for r in 0..strip.rows {
            for (y, by) in row_mut::<S, C>(y, r * strip.step, strip).iter_mut().zip(by) {
                *y = *y * *by;
            }
        }
    }
}

/// y = x − top − total
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn less_body<S: Real, C: Lane>(x: *const C, strip: Strip, by: [&[C]; 2], y: *mut C) {
    // SAFETY: the caller's promise.
    unsafe {
        let [top, total] = [cast::<S, C>(by[0]), cast::<S, C>(by[1])];
        for at in (0..strip.rows).map(|r| r * strip.step) {
            let (x, y) = (row::<S, C>(x, at, strip), row_mut::<S, C>(y, at, strip));
            for ((y, x), (top, total)) in y.iter_mut().zip(x).zip(top.iter().zip(total)) {
                *y = *x - *top - *total;
            }
        }
    }
}

/// Adds to the sums what the gradient needs: dy y, or of the logarithm dy.
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn products_body<S: Real, C: Lane>(from: [*const C; 2], strip: Strip, log: bool, sums: &mut [C]) {
    // SAFETY: the caller's promise.
    unsafe {
        let sums = cast_mut::<S, C>(sums);
        for at in (0..strip.rows).map(|r| r * strip.step) {
            let [y, dy] = from.map(|a| row::<S, C>(a, at, strip));
            match log {
                true => sums.iter_mut().zip(dy).for_each(|(sum, dy)| *sum = *sum + *dy),
                false => {
                    for (sum, (y, dy)) in sums.iter_mut().zip(y.iter().zip(dy)) {
                        *sum = *sum + *y * *dy;
                    }
                }
            }
        }
    }
}

/// dx = y (dy − total), or of the logarithm dy − e^y total.
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn slopes_body<S: Real, C: Lane>(
    from: [*const C; 2],
    strip: Strip,
    log: bool,
    totals: &[C],
    dx: *mut C,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let totals = cast::<S, C>(totals);
        for at in (0..strip.rows).map(|r| r * strip.step) {
            let [y, dy] = from.map(|a| row::<S, C>(a, at, strip));
            let each = row_mut::<S, C>(dx, at, strip)
                .iter_mut()
                .zip(totals)
                .zip(y.iter().zip(dy));
            match log {
                true => each.for_each(|((dx, total), (y, dy))| *dx = *dy - y.exp() * *total),
                false => each.for_each(|((dx, total), (y, dy))| *dx = *y * (*dy - *total)),
            }
        }
    }
}
