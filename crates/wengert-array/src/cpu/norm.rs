//! Normalizing to mean 0 and variance 1: rows (layer, group and instance norms), and channels (batch norm).
//!
//! Means and variances take two passes; sums are taken in blocks of a fixed size, and those added up in f64, so
//! they are exact to the last bits and the same for any number of threads.

mod channel;
mod columns;
mod group;
mod layer;
mod steps;
#[cfg(test)]
mod tests;

use super::reduce::{Reduce, reduce};
use super::shared::{In, Out};
use super::threads;
use super::vector::goes_past;
use super::walk::end_of_stream;
use crate::array::Array;
use crate::dtype::DType;
pub use channel::{channel_affine, channel_norm_backward, channel_stats};

/// How an array is seen as rows to be normalized, and which weight belongs to which element: element j of row r has
/// number `(r mod groups) · (n / inner) + j / inner`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows {
    /// The length of a row.
    pub n: usize,
    /// After how many rows weights repeat.
    pub groups: usize,
    /// How many neighbours share a weight.
    pub inner: usize,
    /// Whether the mean is subtracted; without it only the size is normalized (RMS norm).
    pub center: bool,
    /// What is added to the variance.
    pub eps: f64,
}

/// Neighbours that share a weight are taken one run of them after another if they are so many, forwards and backwards, or a whole
/// row. Of fewer each has the weight written beside it, as the ends of runs, which fill no vector, would take more time than their
/// middle; but not for few rows with the same weights.
const LONG: [usize; 2] = [32, 128];
const FEW: usize = 4;

/// Rows whose weight gradients are added up in one go, at least, and how many such parts there are at most.
const TOGETHER: usize = 16;
const PARTS: usize = 64;

/// What is normalized: arrays of rows, and of weights and biases.
struct Forward<'a, C> {
    rows: &'a Rows,
    x: *const C,
    w: *const C,
    b: *const C,
    y: *mut C,
    mean: *mut C,
    scale: *mut C,
    /// Whether y is written past the caches, in runs that begin where cache lines do.
    past: bool,
    /// How far ahead rows with few weights are asked for; 0 is not at all.
    ahead: usize,
}

/// What a gradient is computed from, and where the rows' own goes.
struct Backward<'a, C> {
    rows: &'a Rows,
    x: *const C,
    dy: *const C,
    w: *const C,
    mean: *const C,
    scale: *const C,
    dx: *mut C,
    past: bool,
    ahead: usize,
}

impl Rows {
    /// How many weights a row has.
    fn per(&self) -> usize {
        self.n / self.inner.max(1)
    }

    /// The weights and biases in arrays, `v` where none are given, for rows of which so many have the same ones, as these rows are
    /// better seen: where the neighbours that share a weight are fewer than `long`, each may have one of its own.
    fn seen<const N: usize>(
        &mut self,
        given: [(Option<&Array>, f64); N],
        count: usize,
        long: usize,
        compute: DType,
    ) -> [Array; N] {
        let (weights, inner) = (self.groups * self.per(), self.inner);
        let apart = inner < self.n.min(long) && count >= FEW;
        if apart {
            self.inner = 1;
        }
        let inner = if apart { inner } else { 1 };
        given.map(|(a, v)| {
            let all = a.map_or_else(|| Array::full([weights], v, compute), |a| a.cast(compute));
            beside(all, inner)
        })
    }

    /// How many elements are written in one go: a whole row, or those that share a weight.
    fn run(&self) -> usize {
        match self.inner {
            1 => self.n,
            inner => inner,
        }
    }

    /// How far ahead rows of so many bytes are asked for: two of them, where they are not in a core's caches.
    fn ahead(&self, all: &Array, least: usize) -> usize {
        let size = all.dtype().size();
        match all.numel() * size >= 8 << 20 && self.n * size >= least {
            true => 2 * self.n,
            false => 0,
        }
    }

    /// How many rows are normalized at a time: two where they are short, so that the sums of one are on their way while
    /// those of the other are waited for.
    fn pair<C>(&self, past: bool) -> usize {
        match !past && self.groups == 1 && self.inner == 1 && self.n * size_of::<C>() <= 8 << 10 {
            true => 2,
            false => 1,
        }
    }
}

/// Each number so many times, one beside the other.
fn beside(a: Array, times: usize) -> Array {
    let n = a.numel();
    match times {
        1 => a.contiguous(),
        _ => a.reshape([n, 1]).broadcast_to(&[n, times].into()).contiguous(),
    }
}

/// Rows normalized, times the weight and plus the bias where there are any: y, the means, and 1/√(variance + ε).
pub fn norm_rows(x: &Array, rows: &Rows, weight: Option<&Array>, bias: Option<&Array>) -> [Array; 3] {
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let x = x.cast(compute).contiguous();
    let mut rows = *rows;
    if rows.inner > 1 && weight.is_none() && bias.is_none() {
        (rows.groups, rows.inner) = (1, rows.n);
    }
    let count = x.numel().checked_div(rows.n).unwrap_or(0);
    let [w, b] = rows.seen(
        [(weight, 1.0), (bias, 0.0)],
        count / rows.groups.max(1),
        LONG[0],
        compute,
    );
    let rows = &rows;
    let mut y = Array::uninit(x.shape(), compute);
    let [mut mean, mut scale] = [0, 1].map(|_| Array::full([count], 0.0, compute));
    with_float!(compute, C => {
        let [x, w, b] = [&x, &w, &b].map(|a| In(a.as_slice::<C>().as_ptr()));
        let past = goes_past::<C>(&y, rows.run());
        let ahead = rows.ahead(&y, 0);
        let y = Out(y.uninit_slice::<C>());
        let [mean, scale] = [&mut mean, &mut scale].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
        let pair = rows.pair::<C>(past);
        threads::split(count, pair, rows.n * 3, |start, len| {
            let task = Forward { rows, x: x.at(0), w: w.at(0), b: b.at(0), y: y.at(0), mean: mean.at(0), scale: scale.at(0), past, ahead };
            for r in (start..start + len).step_by(pair) {
                // SAFETY: each row belongs to one thread.
                unsafe {
                    match pair.min(start + len - r) {
                        2 => layer::forward::<C, 2>(&task, r),
                        _ if rows.inner == 1 => layer::forward::<C, 1>(&task, r),
                        _ => group::forward::<C>(&task, r),
                    }
                }
            }
            end_of_stream();
        });
    });
    [y.cast(dtype), mean, scale]
}

/// The gradients of [`norm_rows`] for x, and for the weight and the bias as flat arrays.
pub fn norm_rows_backward(
    x: &Array,
    dy: &Array,
    rows: &Rows,
    weight: Option<&Array>,
    mean: &Array,
    scale: &Array,
) -> [Array; 3] {
    let (dtype, compute) = (x.dtype(), x.dtype().compute());
    let [x, dy] = [x, dy].map(|a| a.cast(compute).contiguous());
    let (mut rows, inner, groups) = (*rows, rows.inner, rows.groups.max(1));
    let count = x.numel().checked_div(rows.n * groups).unwrap_or(0);
    let [w] = rows.seen([(weight, 1.0)], count, LONG[1], compute);
    let (rows, per) = (&rows, rows.per());
    // Sums for the weights: of several rows with the same ones each, or where few elements share a weight, of each row by itself.
    let together = match rows.inner {
        1 => TOGETHER.max(count.div_ceil(PARTS)),
        _ => 1,
    };
    let parts = count.div_ceil(together);
    let [mut dw, mut db] = [0, 1].map(|_| Array::full([parts, groups * per], 0.0, compute));
    let mut dx = Array::uninit(x.shape(), compute);
    with_float!(compute, C => {
        let [x, dy, w, mean, scale] = [&x, &dy, &w, mean, scale].map(|a| In(a.as_slice::<C>().as_ptr()));
        let past = goes_past::<C>(&dx, rows.run());
        let ahead = rows.ahead(&dx, 4096);
        let dx = Out(dx.uninit_slice::<C>());
        let [dw, db] = [&mut dw, &mut db].map(|a| Out(a.make_mut::<C>().as_mut_ptr()));
        let pair = rows.pair::<C>(past).min(together);
        threads::split(parts * groups, 1, rows.n * together * 4, |start, len| {
            let task = Backward { rows, x: x.at(0), dy: dy.at(0), w: w.at(0), mean: mean.at(0), scale: scale.at(0), dx: dx.at(0), past, ahead };
            for part in start..start + len {
                let (dw, db) = (dw.at(part * per), db.at(part * per));
                let (from, group) = (part / groups * together, part % groups);
                let end = count.min(from + together);
                for i in (from..end).step_by(pair) {
                    let r = i * groups + group;
                    // SAFETY: each part's rows and sums belong to one thread.
                    unsafe {
                        match pair.min(end - i) {
                            2 => layer::backward::<C, 2>(&task, r, dw, db),
                            _ if rows.inner == 1 => layer::backward::<C, 1>(&task, r, dw, db),
                            _ => group::backward::<C>(&task, r, dw, db),
                        }
                    }
                }
            }
            end_of_stream();
        });
    });
    let share = (inner / rows.inner.max(1)).max(1);
    let summed = |a: Array| {
        let weights = groups * per / share;
        let sum = reduce(&a.reshape([parts, weights, share]), &[0, 2], Reduce::Sum, compute);
        sum.reshape([weights]).cast(dtype)
    };
    [dx.cast(dtype), summed(dw), summed(db)]
}
