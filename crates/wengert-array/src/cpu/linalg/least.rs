//! Least squares.

use super::factor::solve_triangular;
use super::householder::{factor, upper};
use super::loops::{add, dot, levels, norm};
use super::matrix::Matrix;
use super::singular::{svd, values};
use crate::cpu::vector::Vector;

/// How much larger a norm may be than what [`sizes`] finds: in trials it was never twice as large.
const DOUBT: f64 = 8.0;

/// The smallest X of those that make ‖A X − B‖ smallest, and the rank of A. Singular values up to the larger of `atol` and `rtol` times the
/// largest count as 0.
///
/// By a QR decomposition where A has full rank, else by singular values. (Golub & Van Loan, 5.3 and 5.5.)
pub(super) fn solve(a: Matrix, b: Matrix, atol: f64, rtol: f64) -> (Matrix, usize) {
    let (m, n) = (a.rows, a.cols);
    let k = m.min(n);
    // Of a wide matrix the transpose is decomposed: its columns are A's rows.
    let (q, diagonal) = factor(if m < n { a.clone() } else { a.transposed() });
    let r = upper(&q, &diagonal, k);
    let [large, over] = sizes(&r);
    // What is not finite is not certain.
    let certain = DOUBT * over * atol.max(rtol * large) < 1.0;
    if !certain {
        let s = values(a.clone());
        let least = atol.max(rtol * s.first().copied().unwrap_or(0.0));
        let rank = s.iter().filter(|s| **s > least).count();
        if rank < k || s.iter().any(|s| s.is_nan()) {
            return (by_singular_values(a, &b, atol, rtol), rank);
        }
    }
    if m >= n {
        let mut rows = b.transposed();
        q.apply(&mut rows, false);
        let mut x = rows.part(0..rows.rows, 0..n).t().copied();
        solve_triangular(&r, &mut x, true, false);
        return (x, k);
    }
    let mut y = b;
    solve_triangular(&r.transposed(), &mut y, false, false);
    let mut rows = Matrix::zeros(y.cols, n);
    for i in 0..y.cols {
        (0..m).for_each(|j| rows.data[i * n + j] = y.at(j, i));
    }
    q.apply(&mut rows, true);
    (rows.transposed(), k)
}

/// V S⁺ Uᵀ B for A = U S Vᵀ.
fn by_singular_values(a: Matrix, b: &Matrix, atol: f64, rtol: f64) -> Matrix {
    let (u, s, v) = svd(a, false);
    let least = atol.max(rtol * s.first().copied().unwrap_or(0.0));
    let mut along = u.times(b);
    for (i, s) in s.iter().enumerate() {
        let over = if *s <= least { 0.0 } else { 1.0 / s };
        along.row_mut(i).iter_mut().for_each(|x| *x *= over);
    }
    v.transposed().times(&along)
}

levels! {
    /// About the largest factors by which a triangular R and its inverse make a vector longer.
    fn sizes<V>(r: &Matrix) -> [f64; 2] {
        [size::<V>(r, false), size::<V>(r, true)]
    }
}

/// One of [`sizes`], by a few steps of the power method for Rᵀ R or its inverse. (Golub & Van Loan, 8.2.)
#[inline(always)]
fn size<V: Vector<C = f64>>(r: &Matrix, inverse: bool) -> f64 {
    let n = r.rows;
    // A vector that no matrix is likely to be made for.
    let mut x = vec![0.0; n];
    for (i, x) in x.iter_mut().enumerate() {
        *x = ((i as f64 + 1.0) * 0.754_877_666_246_692_7).fract() - 0.5 + 1e-3;
    }
    let mut size = 0.0;
    for _ in 0..4 {
        let length = norm::<V>(&x);
        if !(length > 0.0 && length.is_finite()) {
            // Of no columns, of zero, or of what is too large.
            let nothing = n == 0 || (length == 0.0 && !inverse);
            return if nothing { 0.0 } else { f64::INFINITY };
        }
        x.iter_mut().for_each(|x| *x /= length);
        if inverse {
            // Rᵀ y = x from the first row on, then R x = y from the last.
            for i in 0..n {
                let row = &r.row(i)[i..];
                let y = x[i] / row[0];
                x[i] = y;
                add::<V>(&mut x[i + 1..], -y, &row[1..]);
            }
            size = norm::<V>(&x);
            for i in (0..n).rev() {
                let row = &r.row(i)[i..];
                x[i] = (x[i] - dot::<V>(&row[1..], &x[i + 1..])) / row[0];
            }
        } else {
            for i in 0..n {
                x[i] = dot::<V>(&r.row(i)[i..], &x[i..]);
            }
            size = norm::<V>(&x);
            for i in (0..n).rev() {
                let y = x[i];
                x[i] = y * r.at(i, i);
                add::<V>(&mut x[i + 1..], y, &r.row(i)[i + 1..]);
            }
        }
    }
    size
}
