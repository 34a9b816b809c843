//! Running totals along a dimension, and what is found by order: one pass, or one selection, for each row.
//!
//! Totals of floating-point numbers run in f64.

use super::threads;
use crate::array::Array;
use crate::dtype::{Compute, DType, Element};
use crate::{with_compute, with_element};

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
    let r = rows(&x.cast(out.compute()), axis);
    let n = r.shape()[r.rank() - 1];
    let mut y = Array::full(r.shape(), 0.0, r.dtype());
    match r.dtype() {
        DType::I64 => each_row(r.as_slice::<i64>(), y.make_mut::<i64>(), n, |x, y| {
            let mut total = i64::from(how == Scan::Prod);
            positions(n, reverse, |i| {
                total = match how {
                    Scan::Prod => total.wrapping_mul(x[i]),
                    _ => total.wrapping_add(x[i]),
                };
                y[i] = total;
            });
        }),
        DType::F64 => each_row(r.as_slice::<f64>(), y.make_mut::<f64>(), n, |x, y| {
            scan_row(x, y, how, reverse)
        }),
        _ => each_row(r.as_slice::<f32>(), y.make_mut::<f32>(), n, |x, y| {
            scan_row(x, y, how, reverse)
        }),
    }
    unrows(&y, axis).cast(out)
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

/// For each element the index of the largest (or smallest) up to it along `axis`, of equals the last. NaN counts as the
/// extreme from where it first stands.
pub fn scan_extreme(x: &Array, axis: usize, largest: bool) -> Array {
    let r = rows(&x.cast(x.dtype().compute()), axis);
    let n = r.shape()[r.rank() - 1];
    let mut index = Array::full(r.shape(), 0.0, DType::I64);
    with_compute!(r.dtype(), C => each_row(r.as_slice::<C>(), index.make_mut::<i64>(), n, |x, index| {
        match largest {
            true => extremes(x, index, |v, best| v >= best),
            false => extremes(x, index, |v, best| v <= best),
        }
    }));
    unrows(&index, axis)
}

#[allow(clippy::eq_op)]
fn extremes<T: PartialOrd + Copy>(x: &[T], index: &mut [i64], beats: impl Fn(T, T) -> bool) {
    let Some(&first) = x.first() else {
        return;
    };
    let (mut best, mut at) = (first, 0);
    for (i, (&v, slot)) in x.iter().zip(index).enumerate() {
        // Nothing but another NaN beats NaN. A branch, since with luck it is rarely taken, and else always.
        if v != v || beats(v, best) {
            (best, at) = (v, i as i64);
        }
        *slot = at;
    }
}

/// The index of the median along `axis`, which stays with size one: of an even count the lower of the two in the middle.
/// NaN is the median where there is one, unless `skip_nan`: then that of the others.
pub fn median_index(x: &Array, axis: usize, skip_nan: bool) -> Array {
    let r = rows(x, axis);
    let last = r.rank() - 1;
    let n = r.shape()[last];
    let mut index = vec![0i64; r.shape().with(last, 1).numel()];
    with_element!(r.dtype(), T => {
        let data = r.as_slice::<T>();
        for (k, slot) in index.iter_mut().enumerate() {
            let row = &data[k * n..][..n];
            *slot = if T::DTYPE.is_float() {
                middle(&row.iter().map(|v| v.load::<f64>()).collect::<Vec<_>>(), skip_nan)
            } else {
                middle(&row.iter().map(|v| v.load::<i64>()).collect::<Vec<_>>(), skip_nan)
            };
        }
    });
    unrows(&Array::from_slice(&index, r.shape().with(last, 1)), axis)
}

#[allow(clippy::eq_op)]
fn middle<T: PartialOrd + Copy>(row: &[T], skip_nan: bool) -> i64 {
    let mut order: Vec<usize> = (0..row.len()).filter(|&i| row[i] == row[i]).collect();
    if order.is_empty() || (order.len() < row.len() && !skip_nan) {
        return row.iter().position(|v| v != v).unwrap_or(0) as i64;
    }
    let half = (order.len() - 1) / 2;
    let by_value = |a: &usize, b: &usize| {
        row[*a]
            .partial_cmp(&row[*b])
            .expect("no NaN is left")
            .then(a.cmp(b))
    };
    *order.select_nth_unstable_by(half, by_value).1 as i64
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
    fn equals_and_nans_are_pytorchs() {
        let x = Array::from_slice(&[1.0, 1.0, f64::NAN, 2.0, f64::NAN], [5]);
        assert_eq!(scan_extreme(&x, 0, true).to_vec::<i64>(), [0, 1, 2, 2, 4]);
        assert_eq!(median_index(&x, 0, false).to_vec::<i64>(), [2]);
        assert_eq!(median_index(&x, 0, true).to_vec::<i64>(), [1]);
        let inf = f64::INFINITY;
        let x = Array::from_slice(&[-inf, -inf, 0.0, inf, 1.0], [5]);
        assert_eq!(
            scan(&x, 0, Scan::LogSumExp, false, DType::F64).to_vec::<f64>(),
            [-inf, -inf, 0.0, inf, inf]
        );
        let even = Array::from_slice(&[4i64, 1, 3, 2], [4]);
        assert_eq!(median_index(&even, 0, false).to_vec::<i64>(), [3]);
    }
}
