//! Singular values: first bidiagonal, then diagonal.

use super::factor::{is_odd, lu, lu_solve};
use super::householder::{Reflections, factor, reflection, upper};
use super::loops::{along, dot, four, inner, length, levels};
use super::matrix::{Matrix, product};
use super::rotations::Rotations;
use crate::cpu::vector::Vector;

/// Singular values in descending order, NaN where an element is not finite or no iteration ends.
pub(super) fn values(a: Matrix) -> Vec<f64> {
    let k = a.rows.min(a.cols);
    let mut a = if a.rows < a.cols { a.transposed() } else { a };
    let scale = a.largest();
    if !scale.is_finite() {
        return vec![f64::NAN; k];
    }
    if scale > 0.0 {
        a.data.iter_mut().for_each(|x| *x /= scale);
    }
    if a.rows > k {
        let (q, diagonal) = factor(a.transposed());
        a = upper(&q, &diagonal, k);
    }
    let (mut d, mut e, ..) = bidiagonal(a);
    let mut none = [Matrix::zeros(k, 0), Matrix::zeros(k, 0)];
    let [u, v] = &mut none;
    if diagonalise(&mut d, &mut e, u, v).is_none() {
        return vec![f64::NAN; k];
    }
    let mut values: Vec<f64> = d.iter().map(|d| d.abs() * scale).collect();
    values.sort_by(|x, y| y.total_cmp(x));
    values
}

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

/// Diagonal and upper off-diagonal of B, and U and V, of A = U B Vᵀ.
///
/// What a column's reflections do to the rest of A waits for the next column, whose left reflection needs the whole of A anyway.
/// (Howell, Demmel, Fulton, Hammarling & Marmol 2008, *Cache efficient bidiagonalization using BLAS 2.5 operators*.)
fn bidiagonal(mut a: Matrix) -> (Vec<f64>, Vec<f64>, Reflections, Reflections) {
    let n = a.rows;
    let (mut d, mut e) = (vec![0.0; n], vec![0.0; n.saturating_sub(1)]);
    let mut lefts = Matrix::zeros(n, n);
    let (mut left_taus, mut right_taus) = (vec![0.0; n], vec![0.0; n.saturating_sub(1)]);
    // A is still to become A − p wᵀ − r vᵀ.
    let [mut p, mut r, mut w, mut v] = [(); 4].map(|()| vec![0.0; n]);
    for k in 0..n {
        let u = &mut lefts.row_mut(k)[k..];
        (k..n).for_each(|i| u[i - k] = a.at(i, k) - p[i] * w[k] - r[i] * v[k]);
        (left_taus[k], d[k]) = reflect(u);
        if k + 1 == n {
            break;
        }
        let (u, tau) = (&lefts.row(k)[k..], left_taus[k]);
        let mut sum = vec![0.0; n - k - 1];
        update_and_combine(
            &mut a,
            k,
            [&p[k..], &r[k..]],
            [&w[k + 1..], &v[k + 1..]],
            u,
            &mut sum,
        );
        w[k + 1..].copy_from_slice(&sum);
        let row = &mut a.row_mut(k)[k + 1..];
        along(row, -tau, &sum);
        (right_taus[k], e[k]) = reflect(row);
        v[k + 1..].copy_from_slice(row);
        products(&a, k + 1, &v[k + 1..], &mut r[k + 1..]);
        let (sigma, both) = (right_taus[k], inner(&sum, &v[k + 1..]));
        for i in k + 1..n {
            p[i] = tau * u[i - k];
            r[i] = sigma * (r[i] - p[i] * both);
        }
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
    fn reflect<V>(x: &mut [f64]) -> (f64, f64) {
        reflection::<V>(x)
    }

    /// A ← A − p wᵀ − r vᵀ from row `k` on and in the columns after k, and the sum of what the rows then are times u.
    fn update_and_combine<V>(a: &mut Matrix, k: usize, [p, r]: [&[f64]; 2], [w, v]: [&[f64]; 2], u: &[f64], sum: &mut [f64]) {
        let n = a.cols;
        let mut i = 0;
        while i < u.len() {
            let left = &mut a.data[(k + i) * n..];
            let terms = |i: usize| [-p[i], -r[i], u[i]];
            i += if u.len() - i >= 4 {
                let terms = [0, 1, 2, 3].map(|r| terms(i + r));
                update_rows::<V, 4>(&mut left[..4 * n], k + 1, terms, [w, v], sum)
            } else {
                update_rows::<V, 1>(&mut left[..n], k + 1, [terms(i)], [w, v], sum)
            };
        }
    }

    /// The products of the rows from row and column `from` on with x.
    fn products<V>(a: &Matrix, from: usize, x: &[f64], y: &mut [f64]) {
        let row = |i: usize| &a.row(from + i)[from..];
        let whole = y.len() / 4 * 4;
        for i in (0..whole).step_by(4) {
            let rows = [0, 1, 2, 3].map(|r| row(i + r));
            y[i..i + 4].copy_from_slice(&four::<V>(rows, Some(x), None));
        }
        (whole..y.len()).for_each(|i| y[i] = dot::<V>(row(i), x));
    }
}

/// Rows ← rows + p wᵀ + r vᵀ in the columns from `from` on, and the sum of what they then are times u; `terms` are p, r and u. Gives the
/// number of rows.
#[inline(always)]
fn update_rows<V: Vector<C = f64>, const N: usize>(
    rows: &mut [f64],
    from: usize,
    terms: [[f64; 3]; N],
    [w, v]: [&[f64]; 2],
    sum: &mut [f64],
) -> usize {
    let (step, count) = (rows.len() / N, sum.len());
    assert!(from + count == step && w.len() == count && v.len() == count);
    let mut by = [[V::splat(0.0); 3]; N];
    for (by, terms) in by.iter_mut().zip(&terms) {
        (0..3).for_each(|k| by[k] = V::splat(terms[k]));
    }
    let mut j = 0;
    // SAFETY: the vectors, and the rows from there on, have so many elements.
    unsafe {
        while j + V::LANES <= count {
            let (w, v) = (V::load(w.as_ptr().add(j)), V::load(v.as_ptr().add(j)));
            let to = sum.as_mut_ptr().add(j);
            let mut y = V::load(to);
            for (i, [p, r, u]) in by.into_iter().enumerate() {
                let at = rows.as_mut_ptr().add(i * step + from + j);
                let x = r.mul_add(v, p.mul_add(w, V::load(at)));
                x.store(at, false);
                y = x.mul_add(u, y);
            }
            y.store(to, false);
            j += V::LANES;
        }
    }
    for j in j..count {
        for (i, [p, r, u]) in terms.into_iter().enumerate() {
            let x = &mut rows[i * step + from + j];
            *x += p * w[j] + r * v[j];
            sum[j] += u * *x;
        }
    }
    N
}

/// c, s and r of the rotation that takes (x, y) to (r, 0).
fn rotation(x: f64, y: f64) -> (f64, f64, f64) {
    let r = length(x, y);
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
            vs.turn(v, [k + 1, k], c, -s);
            let (c, s, r) = rotation(y, z);
            d[k] = r;
            (y, d[k + 1]) = (c * e[k] + s * d[k + 1], c * d[k + 1] - s * e[k]);
            if k + 1 < end {
                z = s * e[k + 1];
                e[k + 1] *= c;
            }
            us.turn(u, [k + 1, k], c, -s);
        }
        e[end - 1] = y;
    }
    us.finish(u);
    vs.finish(v);
    Some(())
}

/// Matrices whose smallest pivot is so small beside the largest may be near to singular.
pub(super) const SINGULAR: f64 = 1e-8;

/// det(A) A⁻ᵀ. From the LU decomposition where that is well away from singular; else from singular values: with A = U S Vᵀ
/// it is ± U C Vᵀ, where C has at i the product of all singular values but the i-th.
pub(super) fn cofactor(a: Matrix) -> Matrix {
    let n = a.rows;
    let (factors, order) = lu(a.clone());
    let pivots: Vec<f64> = (0..n).map(|i| factors.at(i, i)).collect();
    let (small, large) = pivots.iter().fold((f64::INFINITY, 0.0), |(s, l): (f64, f64), p| {
        (s.min(p.abs()), l.max(p.abs()))
    });
    if small > SINGULAR * large || pivots.iter().any(|p| p.is_nan()) {
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
