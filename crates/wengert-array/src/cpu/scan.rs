//! Running totals and extremes along a dimension: one pass for each row.
//!
//! Totals of floating-point numbers run in f64.

use super::isa::{Lane, dispatch};
use super::rows::columns::{self, Strip, WIDE, row, row_mut, strips};
use super::shared::{In, Out};
use super::threads;
use crate::array::Array;
use crate::dtype::{Compute, DType, Element};
use crate::real::Real;
use crate::with_compute;

/// What a scan carries along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// The sum so far.
    Sum,
    /// The product so far.
    Prod,
    /// The logarithm of the sum of exponentials so far.
    LogSumExp,
}

/// What an element costs, roughly: each waits for the one before.
const COST: usize = 4;

/// The array with `axis` innermost, contiguous.
fn rows(x: &Array, axis: usize) -> Array {
    x.transpose(axis, x.rank() - 1).contiguous()
}

fn unrows(y: &Array, axis: usize) -> Array {
    y.transpose(axis, y.rank() - 1).contiguous()
}

/// Runs `f` on each row and what it is to fill, with several threads where there is much.
fn each_row<A: Sync, B: Send>(x: &[A], y: &mut [B], len: usize, f: impl Fn(&[A], &mut [B]) + Sync) {
    threads::each_row(y, len, len * COST, || (), |_, r, y| f(&x[r * len..][..len], y));
}

/// Calls `f` for the positions of a row, from its end if `reverse`.
fn positions(n: usize, reverse: bool, mut f: impl FnMut(usize)) {
    if reverse {
        (0..n).rev().for_each(f);
    } else {
        (0..n).for_each(&mut f);
    }
}

/// For each element what those up to it along `axis` make, itself included; from the end if `reverse`. The result is of
/// dtype `out`: a float, or I64.
pub fn scan(x: &Array, axis: usize, how: Scan, reverse: bool, out: DType) -> Array {
    let x = x.cast(out.compute());
    if x.dtype().is_float() && columns::suits(&x, axis) {
        return scan_columns(&x, axis, how, reverse).cast(out);
    }
    let r = rows(&x, axis);
    let n = r.shape()[r.rank() - 1];
    let mut y = Array::uninit(r.shape(), r.dtype());
    match r.dtype() {
        DType::I64 => each_row(r.as_slice::<i64>(), all(&mut y), n, |x, y| match how {
            Scan::Prod => running(x, y, reverse, 1, i64::wrapping_mul),
            _ => running(x, y, reverse, 0, i64::wrapping_add),
        }),
        dtype => with_float!(dtype, C => {
            let (src, out) = (In(r.as_ptr::<C>()), Out(y.uninit_slice::<C>()));
            threads::split(r.numel().checked_div(n).unwrap_or(0), WAYS, n * COST, |start, len| {
                for row in (start..start + len).step_by(WAYS) {
                    let rows = WAYS.min(start + len - row);
                    // SAFETY: the rows lie within both arrays, and these are this thread's.
                    unsafe {
                        let (x, y) = (src.at(row * n), out.at(row * n));
                        match (how, rows) {
                            (Scan::Sum, WAYS) => side_by_side::<C, Sum>(x, y, n, reverse),
                            (Scan::Prod, WAYS) => side_by_side::<C, Product>(x, y, n, reverse),
                            _ => {
                                let x = std::slice::from_raw_parts(x, rows * n);
                                let rows = x.chunks(n).zip(out.slice(row * n, rows * n).chunks_mut(n));
                                rows.for_each(|(x, y)| scan_row(x, y, how, reverse));
                            }
                        }
                    }
                }
            });
        }),
    }
    unrows(&y, axis).cast(out)
}

/// [`scan`] of floats along `axis`, of which the rows are columns.
fn scan_columns(x: &Array, axis: usize, how: Scan, reverse: bool) -> Array {
    let mut y = Array::uninit(x.shape(), x.dtype());
    with_float!(x.dtype(), C => {
        let (x, out) = (In(x.as_ptr::<C>()), Out(y.uninit_slice::<C>()));
        strips(&y, axis, |at, strip| {
            let (x, y) = (x.at(at), out.at(at));
            // SAFETY: the strip lies within both arrays, and is this thread's in the second.
            unsafe {
                match how {
                    Scan::Sum => down::<C, Sum>(x, y, strip, reverse),
                    Scan::Prod => down::<C, Product>(x, y, strip, reverse),
                    Scan::LogSumExp => down::<C, LogSumExp>(x, y, strip, reverse),
                }
            }
        });
    });
    y
}

dispatch!(unsafe fn down<C: Lane, T: Total>(x: *const C, y: *mut C, strip: Strip, reverse: bool) => down_body);

/// The totals down a strip's columns, or up if `reverse`.
///
/// # Safety
/// It lies at x, and y has room for it.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // in f64, of whatever reading
unsafe fn down_body<S: Real, C: Lane, T: Total>(x: *const C, y: *mut C, strip: Strip, reverse: bool) {
    let mut totals = [T::START; WIDE];
    for i in 0..strip.rows {
        let at = strip.step * if reverse { strip.rows - 1 - i } else { i };
        // SAFETY: the caller's promise.
        let (x, y) = unsafe { (row::<C, C>(x, at, strip), row_mut::<C, C>(y, at, strip)) };
        for ((total, x), y) in totals.iter_mut().zip(x).zip(y) {
            *total = T::join(*total, x.to_f64());
            *y = C::from_f64(*total);
        }
    }
}

/// Rows that are gone over together, as each total waits for the one before.
const WAYS: usize = 4;

/// How totals come about that need no more than an instruction.
trait Total {
    const START: f64;
    fn join(a: f64, b: f64) -> f64;
}

struct Sum;
struct Product;
struct LogSumExp;

impl Total for Sum {
    const START: f64 = 0.0;
    #[inline(always)]
    fn join(a: f64, b: f64) -> f64 {
        a + b
    }
}

impl Total for Product {
    const START: f64 = 1.0;
    #[inline(always)]
    fn join(a: f64, b: f64) -> f64 {
        a * b
    }
}

impl Total for LogSumExp {
    const START: f64 = f64::NEG_INFINITY;
    #[inline(always)]
    fn join(a: f64, b: f64) -> f64 {
        log_add_exp(a, b)
    }
}

/// The totals of [`WAYS`] rows of n numbers, one after the other, from their ends if `reverse`.
///
/// # Safety
/// The rows lie at x, and there is room for as many at y.
unsafe fn side_by_side<C: Compute, T: Total>(x: *const C, y: *mut C, n: usize, reverse: bool) {
    let [mut a, mut b, mut c, mut d] = [T::START; WAYS];
    for i in 0..n {
        let i = if reverse { n - 1 - i } else { i };
        // SAFETY: the caller's promise.
        let total = |total: &mut f64, row: usize| unsafe {
            *total = T::join(*total, (*x.add(row * n + i)).to_f64());
            y.add(row * n + i).write(C::from_f64(*total));
        };
        total(&mut a, 0);
        total(&mut b, 1);
        total(&mut c, 2);
        total(&mut d, 3);
    }
}

/// The elements of a new array, each to be written before it is read.
fn all<T: Element>(y: &mut Array) -> &mut [T] {
    // SAFETY: a new array is nobody else's.
    unsafe { std::slice::from_raw_parts_mut(y.uninit_slice::<T>(), y.numel()) }
}

/// What integers make so far. A few of them begin anew, so that they need not wait for those before.
fn running(x: &[i64], y: &mut [i64], reverse: bool, unit: i64, join: impl Fn(i64, i64) -> i64) {
    const FEW: usize = 8;
    let mut total = unit;
    let mut few = |x: &[i64], y: &mut [i64]| {
        let (before, mut own) = (total, unit);
        positions(x.len(), reverse, |i| {
            own = join(own, x[i]);
            y[i] = join(before, own);
        });
        total = join(before, own);
    };
    // Arrays, whose length is known, and what they leave.
    match reverse {
        true => {
            let ((x_rest, x), (y_rest, y)) = (x.as_rchunks::<FEW>(), y.as_rchunks_mut::<FEW>());
            x.iter().zip(y).rev().for_each(|(x, y)| few(x, y));
            few(x_rest, y_rest);
        }
        false => {
            let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<FEW>(), y.as_chunks_mut::<FEW>());
            x.iter().zip(y).for_each(|(x, y)| few(x, y));
            few(x_rest, y_rest);
        }
    }
}

fn scan_row<C: Compute>(x: &[C], y: &mut [C], how: Scan, reverse: bool) {
    let mut total = match how {
        Scan::Sum => 0.0,
        Scan::Prod => 1.0,
        Scan::LogSumExp => f64::NEG_INFINITY,
    };
    positions(x.len(), reverse, |i| {
        let v = x[i].to_f64();
        total = match how {
            Scan::Sum => total + v,
            Scan::Prod => total * v,
            Scan::LogSumExp => log_add_exp(total, v),
        };
        y[i] = C::from_f64(total);
    });
}

fn log_add_exp(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    // Equal infinities have no difference.
    if high.is_infinite() {
        high
    } else {
        high + (low - high).exp().ln_1p()
    }
}

/// The gradient of a running log-sum-exp with result `y`: dx_j = e^(x_j) Σ dy_i e^(−y_i) over the i that have j behind
/// them, carried along so that no exponential exceeds one.
pub fn log_sum_exp_backward(x: &Array, y: &Array, dy: &Array, axis: usize, reverse: bool) -> Array {
    let dtype = DType::F64;
    let [x_rows, y_rows, dy_rows] = [x, y, dy].map(|a| rows(&a.cast(dtype), axis));
    let n = x_rows.shape()[x_rows.rank() - 1];
    let mut dx = Array::full(x_rows.shape(), 0.0, dtype);
    let (x_all, y_all, dy_all) = (
        x_rows.as_slice::<f64>(),
        y_rows.as_slice::<f64>(),
        dy_rows.as_slice::<f64>(),
    );
    for (k, dx) in dx.make_mut::<f64>().chunks_mut(n.max(1)).enumerate() {
        let (x, y, dy) = (&x_all[k * n..][..n], &y_all[k * n..][..n], &dy_all[k * n..][..n]);
        let (mut carried, mut last) = (0.0, f64::NAN);
        // An exponential of −∞ weighs nothing, also against a sum of nothing else.
        let weight = |of: f64, by: f64| {
            if of == f64::NEG_INFINITY {
                0.0
            } else {
                (of - by).exp()
            }
        };
        positions(n, !reverse, |j| {
            let fade = match carried {
                // Nothing is carried yet, or the totals are one infinity.
                0.0 => 0.0,
                _ if y[j] == last => 1.0,
                _ => weight(y[j], last),
            };
            carried = dy[j] + carried * fade;
            last = y[j];
            dx[j] = carried * weight(x[j], y[j]);
        });
    }
    unrows(&dx, axis).cast(x.dtype())
}

/// For each element the largest (or smallest) up to it along `axis`, and its index (I64), of equals the last. NaN counts as the
/// extreme from where it first stands.
pub fn scan_extreme(x: &Array, axis: usize, largest: bool) -> [Array; 2] {
    let r = rows(&x.cast(x.dtype().compute()), axis);
    let n = r.shape()[r.rank() - 1];
    let (mut y, mut index) = (
        Array::uninit(r.shape(), r.dtype()),
        Array::uninit(r.shape(), DType::I64),
    );
    with_compute!(r.dtype(), C => {
        let (src, y, index) = (In(r.as_ptr::<C>()), Out(y.uninit_slice::<C>()), Out(index.uninit_slice::<i64>()));
        threads::split(r.numel().checked_div(n).unwrap_or(0), 1, n * 2, |start, len| {
            for row in (start..start + len).map(|row| row * n) {
                // SAFETY: the rows lie within the arrays, and these are this thread's.
                unsafe {
                    match largest {
                        true => extremes::<C, Largest>(src.at(row), y.at(row), index.at(row), n),
                        false => extremes::<C, Smallest>(src.at(row), y.at(row), index.at(row), n),
                    }
                }
            }
        });
    });
    [unrows(&y, axis).cast(x.dtype()), unrows(&index, axis)]
}

/// Which of two is the extreme.
trait Beats {
    fn beats<T: PartialOrd>(a: T, b: T) -> bool;
}

struct Largest;
struct Smallest;

impl Beats for Largest {
    #[inline(always)]
    fn beats<T: PartialOrd>(a: T, b: T) -> bool {
        a >= b
    }
}

impl Beats for Smallest {
    #[inline(always)]
    fn beats<T: PartialOrd>(a: T, b: T) -> bool {
        a <= b
    }
}

/// What extremes are sought among.
trait Ordered: Lane + PartialOrd {}
impl<C: Lane + PartialOrd> Ordered for C {}

dispatch!(unsafe fn extremes<C: Ordered, B: Beats>(x: *const C, y: *mut C, index: *mut i64, n: usize) => extremes_body);

/// # Safety
/// There are n elements at each, and n is not 0.
#[inline(always)]
#[allow(clippy::eq_op, clippy::extra_unused_type_parameters)] // only compares, of whatever reading
unsafe fn extremes_body<S: Real, C: Ordered, B: Beats>(x: *const C, y: *mut C, index: *mut i64, n: usize) {
    /// Elements that are looked at together: a new extreme is rare, or else each is one.
    const SOME: usize = 16;
    // SAFETY: the caller's promise.
    unsafe {
        let (mut best, mut at) = (*x, 0);
        let mut from = 0;
        while from < n {
            let len = SOME.min(n - from);
            let x = std::slice::from_raw_parts(x.add(from), len);
            // Nothing but another NaN beats NaN.
            let news = |v: C, best: C| B::beats(v, best) | (v != v);
            if len == SOME && !x.iter().fold(false, |any, v| any | news(*v, best)) {
                for k in from..from + SOME {
                    y.add(k).write(best);
                    index.add(k).write(at);
                }
            } else {
                let mut begun = from;
                for (k, &v) in x.iter().enumerate() {
                    if news(v, best) {
                        // What went before has the old one.
                        for k in begun..from + k {
                            y.add(k).write(best);
                            index.add(k).write(at);
                        }
                        begun = from + k;
                        (best, at) = (v, begun as i64);
                    }
                }
                for k in begun..from + len {
                    y.add(k).write(best);
                    index.add(k).write(at);
                }
            }
            from += len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_run_along_any_axis_either_way() {
        let x = Array::from_slice(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3]);
        let run = |axis, how, reverse| scan(&x, axis, how, reverse, DType::F32).to_vec::<f32>();
        assert_eq!(run(1, Scan::Sum, false), [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
        assert_eq!(run(1, Scan::Sum, true), [6.0, 5.0, 3.0, 15.0, 11.0, 6.0]);
        assert_eq!(run(0, Scan::Prod, false), [1.0, 2.0, 3.0, 4.0, 10.0, 18.0]);
        let y = run(1, Scan::LogSumExp, false);
        assert!((y[2] - (1f32.exp() + 2f32.exp() + 3f32.exp()).ln()).abs() < 1e-6);
        let big = Array::full([100_000], 1.0, DType::Bool);
        assert_eq!(
            scan(&big, 0, Scan::Sum, false, DType::I64).to_vec::<i64>()[99_999],
            100_000
        );
        let wide = Array::full([40, 1000], 0.5, DType::F16);
        assert_eq!(
            scan(&wide, 1, Scan::Sum, false, DType::F16).to_vec::<f64>()[39_999],
            500.0
        );
        let none = Array::full([0, 3], 0.0, DType::F32);
        assert_eq!(
            scan(&none, 0, Scan::Sum, false, DType::F32).shape().dims(),
            [0, 3]
        );
    }

    #[test]
    fn columns_are_scanned_as_rows_are() {
        for shape in [
            [1, 1, 16],
            [2, 3, 17],
            [1, 130, 600],
            [3, 400, 300],
            [2, 5000, 40],
        ] {
            let n = shape.iter().product();
            let mut data: Vec<f64> = (0..n)
                .map(|i: usize| 1.0 + (i as f64 * 0.37).sin() / 9.0)
                .collect();
            data[n / 2] = f64::NAN;
            for dtype in [DType::F32, DType::F64, DType::F16] {
                let x = Array::from_slice(&data, shape).cast(dtype);
                let turned = x.transpose(1, 2).contiguous();
                for (how, reverse) in [Scan::Sum, Scan::Prod, Scan::LogSumExp]
                    .into_iter()
                    .flat_map(|how| [false, true].map(|reverse| (how, reverse)))
                {
                    let bits = |y: Array| y.to_vec::<f64>().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    let want = bits(scan(&turned, 2, how, reverse, dtype).transpose(1, 2));
                    let all = threads::with_each(&[1, 2, 8], || bits(scan(&x, 1, how, reverse, dtype)));
                    assert!(
                        all.iter().all(|y| *y == want),
                        "{shape:?} {dtype} {how:?} {reverse}"
                    );
                }
            }
        }
    }

    #[test]
    fn integers_run_either_way_and_wrap() {
        for n in [0, 1, 7, 8, 9, 100] {
            let data: Vec<i64> = (0..2 * n as i64)
                .map(|i| i * i - 50 + (i64::MAX / 3) * (i % 2))
                .collect();
            let x = Array::from_slice(&data, [2, n]);
            for (how, reverse) in [
                (Scan::Sum, false),
                (Scan::Sum, true),
                (Scan::Prod, false),
                (Scan::Prod, true),
            ] {
                let mut want = vec![0; 2 * n];
                for row in 0..2 {
                    let mut total = i64::from(how == Scan::Prod);
                    positions(n, reverse, |i| {
                        let v = data[row * n + i];
                        total = if how == Scan::Prod {
                            total.wrapping_mul(v)
                        } else {
                            total.wrapping_add(v)
                        };
                        want[row * n + i] = total;
                    });
                }
                assert_eq!(scan(&x, 1, how, reverse, DType::I64).to_vec::<i64>(), want);
            }
        }
    }

    #[test]
    fn equals_and_nans_are_pytorchs() {
        let x = Array::from_slice(&[1.0, 1.0, f64::NAN, 2.0, f64::NAN], [5]);
        let [y, index] = scan_extreme(&x, 0, true);
        assert_eq!(index.to_vec::<i64>(), [0, 1, 2, 2, 4]);
        assert_eq!(y.to_vec::<f64>()[..2], [1.0, 1.0]);
        assert!(y.to_vec::<f64>()[2..].iter().all(|v| v.is_nan()));
        let inf = f64::INFINITY;
        let x = Array::from_slice(&[-inf, -inf, 0.0, inf, 1.0], [5]);
        assert_eq!(
            scan(&x, 0, Scan::LogSumExp, false, DType::F64).to_vec::<f64>(),
            [-inf, -inf, 0.0, inf, inf]
        );
    }

    #[test]
    fn extremes_and_totals_of_rows_of_any_length() {
        for n in [1, 15, 16, 17, 100] {
            let mut data: Vec<f64> = (0..5 * n).map(|i| ((i * 37 + 5) % 23) as f64 - 4.0).collect();
            // A row that rises all the way, and one with NaN late.
            (0..n).for_each(|i| data[n + i] = i as f64);
            data[3 * n - 1] = f64::NAN;
            for (dtype, axis) in [(DType::F32, 1), (DType::F64, 0), (DType::I64, 1), (DType::F16, 1)] {
                let whole: Vec<f64> = data
                    .iter()
                    .map(|v| if dtype.is_float() || !v.is_nan() { *v } else { 9.0 })
                    .collect();
                let x = Array::from_slice(&whole, [5, n]);
                let x = if axis == 0 { x.transpose(0, 1) } else { x }.cast(dtype);
                let rows = |a: &Array| if axis == 0 { a.transpose(0, 1) } else { a.clone() }.to_vec::<f64>();
                for (largest, sign) in [(true, 1.0), (false, -1.0)] {
                    let [y, index] = scan_extreme(&x, axis, largest);
                    assert_eq!((y.dtype(), y.shape()), (dtype, x.shape()));
                    let (y, index) = (rows(&y), rows(&index));
                    for r in 0..5 {
                        let mut at = 0;
                        for i in 0..n {
                            let (v, best) = (whole[r * n + i], whole[r * n + at]);
                            if v.is_nan() || sign * v >= sign * best {
                                at = i;
                            }
                            assert_eq!(index[r * n + i], at as f64, "{dtype} {n} {r} {i}");
                            assert_eq!(y[r * n + i].to_bits(), whole[r * n + at].to_bits());
                        }
                    }
                }
                for (how, reverse) in [(Scan::Sum, false), (Scan::Sum, true), (Scan::Prod, false)] {
                    let all = threads::with_each(&[1, 3], || {
                        let y = scan(&x, axis, how, reverse, dtype);
                        rows(&y).iter().map(|v| v.to_bits()).collect::<Vec<_>>()
                    });
                    assert_eq!(all[0], all[1]);
                    let each = (0..5).flat_map(|r| {
                        let row = Array::from_slice(&whole[r * n..][..n], [n]).cast(dtype);
                        scan(&row, 0, how, reverse, dtype).to_vec::<f64>()
                    });
                    assert_eq!(
                        all[0],
                        each.map(f64::to_bits).collect::<Vec<_>>(),
                        "{dtype} {n} {how:?}"
                    );
                }
            }
        }
    }
}
