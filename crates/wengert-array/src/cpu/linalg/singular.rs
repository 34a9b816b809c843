//! Singular values: first bidiagonal, then diagonal.

use super::factor::{is_odd, lu, lu_solve};
use super::householder::{Reflections, factor, reflection, upper};
use super::matrix::{Matrix, Rotations, add, dot, levels, product};

/// U as rows, singular values in descending order, and V as rows.
///
/// A tall matrix is first made square by a QR decomposition. (Golub & Van Loan, 8.6.)
pub(super) fn svd(a: Matrix, full: bool) -> (Matrix, Vec<f64>, Matrix) {
    let (m, n) = (a.rows, a.cols);
    if m < n {
        let (v, s, u) = svd(a.transposed(), full);
        return (u, s, v);
    }
    let width = if full { m } else { n };
    let nothing = || {
        let nan = |rows, cols| Matrix::filled(rows, cols, f64::NAN);
        (nan(width, m), vec![f64::NAN; n], nan(n, n))
    };
    let scale = a.largest();
    if !scale.is_finite() {
        return nothing();
    }
    let mut a = a;
    if scale > 0.0 {
        a.data.iter_mut().for_each(|x| *x /= scale);
    }
    if m == n {
        let Some((u, s, v)) = square(a) else {
            return nothing();
        };
        return (u, s.iter().map(|s| s * scale).collect(), v);
    }
    let (q, diagonal) = factor(a.transposed());
    let Some((small, s, v)) = square(upper(&q, &diagonal, n)) else {
        return nothing();
    };
    // Rows of U are those of the square part, seen through Q; so are those of the identity beside it.
    let mut u = Matrix::zeros(width, m);
    (0..n).for_each(|i| u.row_mut(i)[..n].copy_from_slice(small.row(i)));
    (n..width).for_each(|i| u.data[i * m + i] = 1.0);
    q.apply(&mut u, true);
    (u, s.iter().map(|s| s * scale).collect(), v)
}

/// Of a square matrix; nothing where the iteration does not end.
fn square(a: Matrix) -> Option<(Matrix, Vec<f64>, Matrix)> {
    let n = a.rows;
    let (mut d, mut e, left, right) = bidiagonal(a);
    let (mut u, mut v) = (left.columns(n), right.columns(n));
    diagonalise(&mut d, &mut e, &mut u, &mut v)?;
    for (i, d) in d.iter_mut().enumerate() {
        if *d < 0.0 {
            *d = -*d;
            v.row_mut(i).iter_mut().for_each(|x| *x = -*x);
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| d[j].total_cmp(&d[i]));
    let s = order.iter().map(|&i| d[i].abs()).collect();
    let (mut u, mut v) = (u.ordered(&order), v.ordered(&order));
    // Signs are free. They shall not hang on those of intermediate numbers, which change with the last digit of an element:
    // a sum of weights that no special vector makes zero is positive.
    for i in 0..n {
        let sum: f64 = v
            .row(i)
            .iter()
            .enumerate()
            .map(|(j, x)| x / (1.0 + j as f64).sqrt())
            .sum();
        if sum < 0.0 {
            for m in [&mut u, &mut v] {
                m.row_mut(i).iter_mut().for_each(|x| *x = -*x);
            }
        }
    }
    Some((u, s, v))
}

/// Diagonal and upper off-diagonal of B, and U and V, of A = U B Vᵀ. (Golub & Van Loan, 5.4.8.)
fn bidiagonal(mut a: Matrix) -> (Vec<f64>, Vec<f64>, Reflections, Reflections) {
    let n = a.rows;
    let (mut d, mut e) = (vec![0.0; n], vec![0.0; n.saturating_sub(1)]);
    let mut lefts = Matrix::zeros(n, n);
    let (mut left_taus, mut right_taus) = (vec![0.0; n], vec![0.0; n.saturating_sub(1)]);
    for k in 0..n {
        let u = &mut lefts.row_mut(k)[k..];
        (k..n).for_each(|i| u[i - k] = a.at(i, k));
        (left_taus[k], d[k]) = reflection(u);
        if k + 1 == n {
            break;
        }
        let (u, tau) = (&lefts.row(k)[k..], left_taus[k]);
        let mut w = vec![0.0; n - k - 1];
        combine(&a, k, u, &mut w);
        let row = &mut a.row_mut(k)[k + 1..];
        add(row, -tau, &w);
        (right_taus[k], e[k]) = reflection(row);
        let v = row.to_vec();
        reflect_both(&mut a, k + 1, [&u[1..], &w], tau, &v, right_taus[k]);
    }
    let right = Reflections {
        v: a,
        taus: right_taus,
        shift: 1,
    };
    let left = Reflections {
        v: lefts,
        taus: left_taus,
        shift: 0,
    };
    (d, e, left, right)
}

levels! {
    /// Σ uᵢ aᵢ over the rows from `k` on, in the columns after k.
    fn combine(a: &Matrix, k: usize, u: &[f64], sum: &mut [f64]) {
        // Four rows at a time, so that the sum is read and written less often.
        let four = u.len() / 4 * 4;
        for i in (0..four).step_by(4) {
            let [p, q, r, s] = [0, 1, 2, 3].map(|j| &a.row(k + i + j)[k + 1..]);
            let [up, uq, ur, us] = [0, 1, 2, 3].map(|j| u[i + j]);
            for ((((y, p), q), r), s) in sum.iter_mut().zip(p).zip(q).zip(r).zip(s) {
                *y += (up * p + uq * q) + (ur * r + us * s);
            }
        }
        for i in four..u.len() {
            add(sum, u[i], &a.row(k + i)[k + 1..]);
        }
    }

    /// A ← (A − τ u wᵀ)(I − σ v vᵀ) from row and column `from` on.
    fn reflect_both(a: &mut Matrix, from: usize, [u, w]: [&[f64]; 2], tau: f64, v: &[f64], sigma: f64) {
        for i in from..a.rows {
            let row = &mut a.row_mut(i)[from..];
            add(row, -tau * u[i - from], w);
            let c = -sigma * dot(row, v);
            add(row, c, v);
        }
    }
}

/// c, s and r of the rotation that takes (x, y) to (r, 0).
fn rotation(x: f64, y: f64) -> (f64, f64, f64) {
    let r = x.hypot(y);
    if r == 0.0 {
        (1.0, 0.0, 0.0)
    } else {
        (x / r, y / r, r)
    }
}

/// Makes an upper bidiagonal matrix diagonal by implicitly shifted QR steps, each of which turns pairs of rows of u and v.
/// Nothing where that does not end. (Golub & Reinsch 1970, *Singular value decomposition and least squares solutions*.)
fn diagonalise(d: &mut [f64], e: &mut [f64], u: &mut Matrix, v: &mut Matrix) -> Option<()> {
    let n = d.len();
    let size = d.iter().chain(e.iter()).fold(0.0, |m: f64, x| m.max(x.abs()));
    let (mut us, mut vs) = (Rotations::default(), Rotations::default());
    let mut steps = 0;
    let mut end = n.saturating_sub(1);
    while end > 0 {
        for i in 0..end {
            if e[i].abs() <= f64::EPSILON * size {
                e[i] = 0.0;
            }
        }
        if e[end - 1] == 0.0 {
            end -= 1;
            continue;
        }
        steps += 1;
        if steps > 60 * n {
            return None;
        }
        let start = (0..end).rev().find(|&i| e[i] == 0.0).map_or(0, |i| i + 1);
        if let Some(zero) = (start..=end).find(|&i| d[i].abs() <= f64::EPSILON * size) {
            // Its row, or in the last place its column, can be made zero, too, and the matrix falls apart.
            d[zero] = 0.0;
            if zero < end {
                let mut f = std::mem::take(&mut e[zero]);
                for k in zero + 1..=end {
                    let (c, s, r) = rotation(d[k], f);
                    d[k] = r;
                    us.turn(u, [k, zero], c, s);
                    if k < end {
                        f = -s * e[k];
                        e[k] *= c;
                    }
                }
            } else {
                let mut f = std::mem::take(&mut e[end - 1]);
                for k in (start..end).rev() {
                    let (c, s, r) = rotation(d[k], f);
                    d[k] = r;
                    vs.turn(v, [k, end], c, s);
                    if k > start {
                        f = -s * e[k - 1];
                        e[k - 1] *= c;
                    }
                }
            }
            continue;
        }
        // The eigenvalue of the last 2 × 2 corner of Bᵀ B that is nearer to its last element.
        let above = if end - 1 > start { e[end - 2] } else { 0.0 };
        let (a, b) = (d[end - 1].hypot(above).powi(2), d[end].hypot(e[end - 1]).powi(2));
        let off = d[end - 1] * e[end - 1];
        let half = 0.5 * (a - b);
        let shift = b - off * off / (half + half.hypot(off).copysign(half));
        let (mut y, mut z) = (d[start] * d[start] - shift, d[start] * e[start]);
        for k in start..end {
            let (c, s, r) = rotation(y, z);
            if k > start {
                e[k - 1] = r;
            }
            (y, e[k]) = (c * d[k] + s * e[k], c * e[k] - s * d[k]);
            z = s * d[k + 1];
            d[k + 1] *= c;
            vs.turn(v, [k, k + 1], c, s);
            let (c, s, r) = rotation(y, z);
            d[k] = r;
            (y, d[k + 1]) = (c * e[k] + s * d[k + 1], c * d[k + 1] - s * e[k]);
            if k + 1 < end {
                z = s * e[k + 1];
                e[k + 1] *= c;
            }
            us.turn(u, [k, k + 1], c, s);
        }
        e[end - 1] = y;
    }
    us.finish(u);
    vs.finish(v);
    Some(())
}

/// det(A) A⁻ᵀ. From the LU decomposition where that is well away from singular; else from singular values: with A = U S Vᵀ
/// it is ± U C Vᵀ, where C has at i the product of all singular values but the i-th.
pub(super) fn cofactor(a: Matrix) -> Matrix {
    let n = a.rows;
    let (factors, order) = lu(a.clone());
    let pivots: Vec<f64> = (0..n).map(|i| factors.at(i, i)).collect();
    let (small, large) = pivots.iter().fold((f64::INFINITY, 0.0), |(s, l): (f64, f64), p| {
        (s.min(p.abs()), l.max(p.abs()))
    });
    if small > 1e-8 * large || pivots.iter().any(|p| p.is_nan()) {
        let det = pivots
            .iter()
            .fold(if is_odd(&order) { -1.0 } else { 1.0 }, |d, p| d * p);
        return lu_solve(&factors, &order, Matrix::identity(n), true).scaled(det);
    }
    let (u, s, v) = svd(a, false);
    let negative = |m: &Matrix| {
        let (factors, order) = lu(m.clone());
        is_odd(&order) ^ ((0..n).filter(|&i| factors.at(i, i) < 0.0).count() % 2 == 1)
    };
    let sign = if negative(&u) ^ negative(&v) { -1.0 } else { 1.0 };
    let others = |i: usize| (0..n).filter(|&j| j != i).fold(sign, |p, j| p * s[j]);
    outer_sum(&u, &v, others)
}

/// Σ cᵢ uᵢ vᵢᵀ over the rows of both. Where cᵢ is 0, nothing is added, whatever the vectors are.
fn outer_sum(u: &Matrix, v: &Matrix, c: impl Fn(usize) -> f64) -> Matrix {
    let mut scaled = u.clone();
    for k in 0..u.rows {
        let c = c(k);
        scaled.row_mut(k).iter_mut().for_each(|x| *x *= c);
    }
    product(scaled.whole().t(), v.whole())
}

/// Σ vᵢ uᵢᵀ / sᵢ over the singular values that count.
pub(super) fn pinv(a: Matrix, atol: f64, rtol: f64) -> Matrix {
    let (u, s, v) = svd(a, false);
    let least = atol.max(rtol * s.first().copied().unwrap_or(0.0));
    outer_sum(&v, &u, |i| if s[i] <= least { 0.0 } else { 1.0 / s[i] })
}
