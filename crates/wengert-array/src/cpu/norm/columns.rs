//! Batch normalization where channels are innermost: rows added up, several at a time.

use super::steps::{Gradient, Products, Squares, WAYS, run};
use super::{In, Out, end_of_stream, goes_past, threads};
use crate::array::Array;
use crate::cpu::isa::dispatch;
use crate::cpu::vector::{Float, Numbers, Step, Terms, Vector, walk};
use crate::dtype::Compute;
use std::array::from_fn;
use std::ops::Range;

/// Rows that are added up at once, and how many are before they are rounded to f64, at least and at most.
const ROWS: usize = 4;
const FEW: usize = 16;
const MANY: usize = 256;

/// What is summed down the columns of x: its numbers; with `m`, (x − m)²; with `dy`, too, dy and dy (x − m).
struct Columns<C> {
    c: usize,
    x: *const C,
    m: Option<*const C>,
    dy: Option<*const C>,
}

/// Adds the terms of N rows to a sum for each column.
struct Add<C, T, const N: usize, const K: usize> {
    terms: T,
    to: [*mut C; K],
}

impl<C: Float, T: Terms<C, N, K>, const N: usize, const K: usize> Step<C> for Add<C, T, N, K> {
    #[inline(always)]
    unsafe fn at<V: Vector<C = C>>(&self, i: usize, _: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            let terms = self.terms.at::<V>(i);
            for k in 0..K {
                let to = self.to[k].add(i);
                terms
                    .iter()
                    .fold(V::load(to), |sum, row| sum.add(row[k]))
                    .store(to, false);
            }
        }
    }
}

dispatch!(vectors unsafe fn add_up<C: Float; const K: usize>(of: &Columns<C>, which: Range<usize>, to: [*mut C; K]) => add_up_body);

/// Adds the terms of these rows to `to`.
///
/// # Safety
/// The arrays have them, and `to` room for a row each.
#[inline(always)]
unsafe fn add_up_body<V: Vector<C = C>, C: Float, const K: usize>(
    of: &Columns<C>,
    which: Range<usize>,
    to: [*mut C; K],
) {
    let whole = which.start + which.len() / ROWS * ROWS;
    // SAFETY: the caller's promise.
    unsafe {
        for r in (which.start..whole).step_by(ROWS) {
            of.add::<V, ROWS, K>(r, to);
        }
        for r in whole..which.end {
            of.add::<V, 1, K>(r, to);
        }
    }
}

impl<C: Float> Columns<C> {
    /// Adds the terms of rows r .. r + N to `to`.
    ///
    /// # Safety
    /// The arrays have them, and `to` room for a row each.
    #[inline(always)]
    unsafe fn add<V: Vector<C = C>, const N: usize, const K: usize>(&self, r: usize, to: [*mut C; K]) {
        let rows = |a: *const C| from_fn(|i| a.wrapping_add((r + i) * self.c));
        let (x, first) = (rows(self.x), [to[0]]);
        // SAFETY: the caller's promise.
        unsafe {
            match (self.m, self.dy) {
                (Some(m), Some(dy)) => {
                    let terms = Products { x, dy: rows(dy), m };
                    let to = [to[0], to[K - 1]];
                    walk::<V>(self.c, false, &Add::<C, _, N, 2> { terms, to });
                }
                (Some(m), None) => {
                    let terms = Squares { x, m: [m; N] };
                    walk::<V>(self.c, false, &Add::<C, _, N, 1> { terms, to: first });
                }
                _ => walk::<V>(
                    self.c,
                    false,
                    &Add::<C, _, N, 1> {
                        terms: Numbers(x),
                        to: first,
                    },
                ),
            }
        }
    }
}

/// The sums down the columns of x [n, c] that [`Columns`] speaks of.
fn sums<C: Float, const K: usize>(x: &Array, m: Option<&Array>, dy: Option<&Array>) -> [Vec<f64>; K] {
    let [n, c] = [0, 1].map(|d| x.shape()[d]);
    let together = (threads::GRAIN / c.max(1)).clamp(FEW, MANY);
    let parts = n.div_ceil(together);
    let of = |a: &Array| In(a.as_slice::<C>().as_ptr());
    let (x, m, dy) = (of(x), m.map(of), dy.map(of));
    let mut sums = Array::full([K, parts, c], 0.0, C::DTYPE);
    let to = Out(sums.make_mut::<C>().as_mut_ptr());
    threads::split(parts, 1, together * c * (K + 1), |start, len| {
        let columns = Columns {
            c,
            x: x.at(0),
            m: m.map(|m| m.at(0)),
            dy: dy.map(|dy| dy.at(0)),
        };
        for part in start..start + len {
            let which = part * together..n.min((part + 1) * together);
            // SAFETY: each part's sums belong to one thread.
            unsafe { add_up::<C, K>(&columns, which, from_fn(|k| to.at((k * parts + part) * c))) };
        }
    });
    let mut all = [0; K].map(|_| vec![0.0; c]);
    for (i, part) in sums.as_slice::<C>().chunks_exact(c.max(1)).enumerate() {
        let all = &mut all[i / parts];
        all.iter_mut()
            .zip(part)
            .for_each(|(all, part)| *all += part.to_f64());
    }
    all
}

/// [`channel_stats`](super::channel_stats) where channels are innermost.
pub(super) fn column_stats(x: &Array) -> [Array; 2] {
    let [n, c] = [0, 1].map(|d| x.shape()[d]);
    with_float!(x.dtype(), C => {
        let mean_of = |[sum]: [Vec<f64>; 1]| {
            let mean: Vec<C> = sum.iter().map(|sum| (sum / n as f64) as C).collect();
            Array::from_slice(&mean, [c])
        };
        let mean = mean_of(sums::<C, 1>(x, None, None));
        let var = mean_of(sums::<C, 1>(x, Some(&mean), None));
        [mean, var]
    })
}

dispatch!(vectors unsafe fn slope<C: Float>(n: usize, past: bool, step: &Gradient<C, *const C>) => slope_body);

/// # Safety
/// The arrays have n numbers.
#[inline(always)]
unsafe fn slope_body<V: Vector<C = C>, C: Float>(n: usize, past: bool, step: &Gradient<C, *const C>) {
    // SAFETY: the caller's promise.
    unsafe { run::<V, WAYS>(n, past, step) }
}

/// [`channel_norm_backward`](super::channel_norm_backward) where channels are innermost.
pub(super) fn column_backward(x: &Array, dy: &Array, w: &Array, mean: &Array, scale: &Array) -> [Array; 3] {
    let [n, c] = [0, 1].map(|d| x.shape()[d]);
    let mut dx = Array::uninit(x.shape(), x.dtype());
    with_float!(x.dtype(), C => {
        let [plain, product] = sums::<C, 2>(x, Some(mean), Some(dy));
        let [w, by] = [w, scale].map(|a| a.as_slice::<C>());
        let hat = |j: usize| product[j] * by[j].to_f64();
        let out = |j: usize| w[j].to_f64() * by[j].to_f64();
        let all = |f: &dyn Fn(usize) -> f64| (0..c).map(|j| f(j) as C).collect::<Vec<C>>();
        let out_of = all(&out);
        let slope_of = all(&|j| -out(j) * hat(j) / n as f64);
        let shift = all(&|j| -out(j) * plain[j] / n as f64);
        let of = [mean.as_slice(), by, &out_of, &slope_of, &shift].map(|a| In(a.as_ptr()));
        let [x, dy] = [x, dy].map(|a| In(a.as_slice::<C>().as_ptr()));
        let past = goes_past::<C>(&dx, c);
        let to = Out(dx.uninit_slice::<C>());
        threads::split(n, 1, c * 2, |start, len| {
            let [m, scale, out, slope_of, shift] = of.map(|a| a.at(0));
            for at in (start * c..(start + len) * c).step_by(c.max(1)) {
                let (x, dy, dx) = (x.at(at), dy.at(at), to.at(at));
                let step = Gradient { x, dy, dx, m, scale, out, slope: slope_of, shift };
                // SAFETY: each row belongs to one thread.
                unsafe { slope::<C>(c, past, &step) };
            }
            end_of_stream();
        });
        let [dw, db] = [all(&hat), all(&|j| plain[j])].map(|a| Array::from_slice(&a, [c]));
        [dx, dw, db]
    })
}
