//! Singular values by rotations of pairs of columns.

use super::factor::{is_odd, lu, lu_solve};
use super::householder::{complete, qr};
use super::{Matrix, add, dot, norm, rotate};

/// U as rows, singular values in descending order, and V as rows.
///
/// One-sided Jacobi (Hestenes 1958; Demmel & Veselić 1992, *Jacobi's method is more accurate than QR*): columns are
/// turned in pairs until all are at right angles; their lengths are the singular values. A tall matrix is first
/// made square by a QR decomposition.
pub(super) fn svd(a: Matrix, full: bool) -> (Matrix, Vec<f64>, Matrix) {
    let (m, n) = (a.rows, a.cols);
    if m < n {
        let (v, s, u) = svd(a.transposed(), full);
        return (u, s, v);
    }
    let scale = a.largest();
    if !scale.is_finite() {
        let nan = |rows, cols| Matrix {
            rows,
            cols,
            data: vec![f64::NAN; rows * cols],
        };
        return (nan(if full { m } else { n }, m), vec![f64::NAN; n], nan(n, n));
    }
    let mut a = a;
    if scale > 0.0 {
        a.data.iter_mut().for_each(|x| *x /= scale);
    }
    let tall = m > n;
    let (q, square) = match tall {
        true => {
            let (q, r) = qr(&a, n);
            (Some(q), r)
        }
        false => (None, a),
    };
    let (mut u, mut s, v) = jacobi(square.transposed());
    s.iter_mut().for_each(|s| *s *= scale);
    if let Some(q) = q {
        // Rows of U are those of the square part, seen through Q.
        let mut seen = Matrix::zeros(n, m);
        for i in 0..n {
            for j in 0..m {
                seen.data[i * m + j] = dot(q.row(j), u.row(i));
            }
        }
        u = seen;
    }
    if full && tall {
        u = complete(&u, m);
    }
    (u, s, v)
}

/// Of a square matrix whose columns lie as rows.
fn jacobi(mut a: Matrix) -> (Matrix, Vec<f64>, Matrix) {
    let n = a.rows;
    let mut v = Matrix::identity(n);
    // A dot product of right angles is as large as this by rounding alone.
    let tolerance = f64::EPSILON * (n as f64).sqrt();
    for _sweep in 0..60 {
        let mut squares: Vec<f64> = (0..n).map(|i| dot(a.row(i), a.row(i))).collect();
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                // Larger columns first, so that the result is nearly sorted and fewer sweeps are needed.
                let (x, y) = (squares[p], squares[q]);
                if x == 0.0 && y == 0.0 {
                    continue;
                }
                let xy = dot(a.row(p), a.row(q));
                if xy.abs() <= tolerance * x.sqrt() * y.sqrt() {
                    if y > x {
                        exchange(&mut a, &mut v, &mut squares, p, q);
                    }
                    continue;
                }
                turned = true;
                let zeta = (y - x) / (2.0 * xy);
                let t = 1f64.copysign(zeta) / (zeta.abs() + zeta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = c * t;
                rotate(a.two_rows(p, q), c, s);
                rotate(v.two_rows(p, q), c, s);
                (squares[p], squares[q]) = ((x - t * xy).max(0.0), y + t * xy);
                if squares[q] > squares[p] {
                    exchange(&mut a, &mut v, &mut squares, p, q);
                }
            }
        }
        if !turned {
            break;
        }
    }
    let lengths: Vec<f64> = (0..n).map(|i| norm(a.row(i))).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| lengths[j].total_cmp(&lengths[i]));
    let (mut u, mut sorted) = (Matrix::zeros(n, n), Matrix::zeros(n, n));
    let s: Vec<f64> = order.iter().map(|&i| lengths[i]).collect();
    // What is smaller than rounding has a direction of its own only if that is at a right angle to all before.
    let noise = f64::EPSILON * n as f64 * s.first().copied().unwrap_or(0.0);
    let mut known = Matrix::zeros(0, n);
    let mut undetermined = Vec::new();
    for (to, &from) in order.iter().enumerate() {
        sorted.row_mut(to).copy_from_slice(v.row(from));
        let mut direction: Vec<f64> = a.row(from).iter().map(|x| x / s[to]).collect();
        if s[to] <= noise {
            for _ in 0..2 {
                for i in 0..known.rows {
                    let c = -dot(known.row(i), &direction);
                    add(&mut direction, c, known.row(i));
                }
            }
            let left = norm(&direction);
            // Also where it is 0/0.
            if left.is_nan() || left < 0.5 {
                undetermined.push(to);
                continue;
            }
            direction.iter_mut().for_each(|x| *x /= left);
        }
        u.row_mut(to).copy_from_slice(&direction);
        known.data.extend(direction);
        known.rows += 1;
    }
    if !undetermined.is_empty() {
        let basis = complete(&known, n);
        let free = known.rows..n;
        undetermined
            .iter()
            .zip(free)
            .for_each(|(&to, from)| u.row_mut(to).copy_from_slice(basis.row(from)));
    }
    (u, s, sorted)
}

fn exchange(a: &mut Matrix, v: &mut Matrix, squares: &mut [f64], p: usize, q: usize) {
    for m in [a, v] {
        let [x, y] = m.two_rows(p, q);
        x.swap_with_slice(y);
    }
    squares.swap(p, q);
}

/// det(A) A⁻ᵀ. From the LU decomposition where that is well away from singular; else from singular values: with A = U S Vᵀ
/// it is ± U C Vᵀ, where C has at i the product of all singular values but the i-th.
pub(super) fn cofactor(a: Matrix) -> Matrix {
    let n = a.rows;
    let (factors, order) = lu(a.clone());
    let order: Vec<i64> = order.into_iter().map(|i| i as i64).collect();
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
        let order: Vec<i64> = order.into_iter().map(|i| i as i64).collect();
        is_odd(&order) ^ ((0..n).filter(|&i| factors.at(i, i) < 0.0).count() % 2 == 1)
    };
    let sign = if negative(&u) ^ negative(&v) { -1.0 } else { 1.0 };
    let others = |i: usize| (0..n).filter(|&j| j != i).fold(sign, |p, j| p * s[j]);
    outer_sum(&u, &v, others)
}

/// Σ cᵢ uᵢ vᵢᵀ over the rows of both.
fn outer_sum(u: &Matrix, v: &Matrix, c: impl Fn(usize) -> f64) -> Matrix {
    let mut sum = Matrix::zeros(u.cols, v.cols);
    for k in 0..u.rows.min(v.rows) {
        let c = c(k);
        if c != 0.0 {
            (0..u.cols).for_each(|i| add(sum.row_mut(i), c * u.at(k, i), v.row(k)));
        }
    }
    sum
}

/// Σ vᵢ uᵢᵀ / sᵢ over the singular values that count.
pub(super) fn pinv(a: Matrix, atol: f64, rtol: f64) -> Matrix {
    let (u, s, v) = svd(a, false);
    let least = atol.max(rtol * s.first().copied().unwrap_or(0.0));
    outer_sum(&v, &u, |i| if s[i] <= least { 0.0 } else { 1.0 / s[i] })
}
