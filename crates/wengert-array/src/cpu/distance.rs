//! Distances between the rows of matrices.
//!
//! They are taken from the differences, in tiles of rows by vectors of columns: as fast as a matrix product where the processor
//! adds and multiplies at once, and exact where rows are near each other, of which |a|² + |b|² − 2ab would leave nothing.

use super::index::writer;
use super::isa::dispatch;
use super::shared::In;
use super::threads;
use super::turn::turn;
use super::vector::{Float, Vector};
use crate::array::Array;
use std::array::from_fn;

/// Rows of the first matrix in a tile.
const ROWS: usize = 4;
/// Vectors of columns in a tile.
const WIDE: usize = 2;
/// Columns that are brought beside each other at once: a tile's at the highest level, several tiles' at others.
const COLUMNS: usize = 32;
/// Rows of the first matrix that one task takes.
const BAND: usize = 256;

/// ‖aᵢ − bⱼ‖ for all rows of stacks of matrices `[.., n, k]` and `[.., m, k]` of one floating-point dtype, whose leading sizes are equal.
pub fn distances(a: &Array, b: &Array) -> Array {
    let last = a.rank() - 1;
    let ([n, k], m) = ([a.shape()[last - 1], a.shape()[last]], b.shape()[last - 1]);
    assert!(a.dtype() == b.dtype() && *b.shape() == a.shape().with(last - 1, m));
    let dtype = a.dtype();
    let [a, b] = [a, b].map(|x| x.cast(dtype.compute()).contiguous());
    let mut y = Array::uninit(a.shape().with(last, m), a.dtype());
    let (bands, panels) = (n.div_ceil(BAND), m.div_ceil(COLUMNS));
    let tasks = y.numel() / (n * m).max(1) * bands * panels;
    with_float!(dtype, C => {
        let (a, b, out) = (In(a.as_ptr::<C>()), In(b.as_ptr::<C>()), writer::<C>(&mut y));
        threads::split(tasks, 1, BAND.min(n) * COLUMNS * k.max(1) / 8, |start, len| {
            let mut panel = vec![C::default(); k * COLUMNS];
            for task in start..start + len {
                let (at, i, j) = (task / panels / bands, task / panels % bands * BAND, task % panels * COLUMNS);
                let (rows, columns) = (BAND.min(n - i), COLUMNS.min(m - j));
                let b = b.at((at * m + j) * k);
                // SAFETY: rows j .. j + columns of b have k elements, and the panel's k rows room for as many columns.
                unsafe { turn(b, k as isize, panel.as_mut_ptr(), COLUMNS, [k, columns]) };
                // SAFETY: rows i .. i + rows of a have k elements, and the result's columns j .. j + columns in them are ours.
                unsafe { band(a.at((at * n + i) * k), rows, &panel, k, out.at((at * n + i) * m + j), m, columns) };
            }
        });
    });
    y.cast(dtype)
}

dispatch!(vectors unsafe fn band<C: Float>(a: *const C, rows: usize, panel: &[C], k: usize, out: *mut C, step: usize, columns: usize) => band_body);

/// The distances of `rows` rows at `a` from the `columns` columns of a panel of k rows.
///
/// # Safety
/// Rows have k elements; the result's, `step` apart at `out`, room for the columns.
#[inline(always)]
unsafe fn band_body<V: Vector<C = C>, C: Float>(
    a: *const C,
    rows: usize,
    panel: &[C],
    k: usize,
    out: *mut C,
    step: usize,
    columns: usize,
) {
    assert!(panel.len() == k * COLUMNS && COLUMNS.is_multiple_of(WIDE * V::LANES));
    for i in (0..rows).step_by(ROWS) {
        // Past the end the last row is taken again.
        let row = |r: usize| (i + r).min(rows - 1);
        for j in (0..columns).step_by(WIDE * V::LANES) {
            let mut sums = [[V::splat(C::default()); WIDE]; ROWS];
            // SAFETY: the rows have k elements and the panel k rows; results go where `columns` of a row lie.
            unsafe {
                let a: [*const C; ROWS] = from_fn(|r| a.add(row(r) * k));
                for c in 0..k {
                    let b = panel.as_ptr().add(c * COLUMNS + j);
                    let b: [V; WIDE] = from_fn(|w| V::load(b.add(w * V::LANES)));
                    for r in 0..ROWS {
                        let a = V::splat(*a[r].add(c));
                        for w in 0..WIDE {
                            let apart = a.sub(b[w]);
                            sums[r][w] = apart.mul_add(apart, sums[r][w]);
                        }
                    }
                }
                let some = (WIDE * V::LANES).min(columns - j);
                for r in 0..ROWS {
                    let out = out.add(row(r) * step + j);
                    let mut near = [C::default(); COLUMNS];
                    let whole = some == WIDE * V::LANES;
                    let to = if whole { out } else { near.as_mut_ptr() };
                    for w in 0..WIDE {
                        sums[r][w].sqrt().store(to.add(w * V::LANES), false);
                    }
                    if !whole {
                        out.copy_from_nonoverlapping(near.as_ptr(), some);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn distances_are_those_of_differences() {
        let number = |i: usize, of: usize| ((i * 37 + of) % 101) as f64 / 16.0 - 3.0;
        for (stack, n, m, k) in [
            (1, 1, 1, 1),
            (2, 5, 33, 7),
            (1, 300, 17, 3),
            (3, 4, 64, 0),
            (1, 0, 3, 2),
            (2, 3, 0, 2),
            (1, 9, 70, 65),
        ] {
            let make = |rows: usize, of| {
                let all: Vec<f64> = (0..stack * rows * k).map(|i| number(i, of)).collect();
                Array::from_slice(&all, [stack, rows, k])
            };
            let (a, b) = (make(n, 5), make(m, 11));
            let (va, vb) = (a.to_vec::<f64>(), b.to_vec::<f64>());
            for dtype in [DType::F64, DType::F32, DType::F16] {
                let y = distances(&a.cast(dtype), &b.cast(dtype));
                assert_eq!((y.shape().dims(), y.dtype()), (&[stack, n, m][..], dtype));
                for (at, got) in y.to_vec::<f64>().into_iter().enumerate() {
                    let (s, i, j) = (at / (n * m), at / m % n, at % m);
                    let square = |c: usize| (va[(s * n + i) * k + c] - vb[(s * m + j) * k + c]).powi(2);
                    let want = (0..k).map(square).sum::<f64>().sqrt();
                    let close = if dtype == DType::F16 { 1e-3 } else { 1e-6 };
                    assert!(
                        (got - want).abs() <= close * want,
                        "{dtype} {stack} {n} {m} {k}: {got}, not {want}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_near_or_nan_is_seen_as_such() {
        let a = Array::from_slice(
            &[
                1e4f32,
                1e4,
                1e4,
                1e4 + 0.0078125,
                f32::NAN,
                0.0,
                f32::INFINITY,
                0.0,
            ],
            [4, 2],
        );
        let y = distances(&a, &a).to_vec::<f32>();
        assert_eq!(&y[..2], [0.0, 0.0078125]);
        assert!(y[2].is_nan() && y[10].is_nan() && y[3] == f32::INFINITY && y[15].is_nan());
    }
}
