//! Symmetric matrices: first tridiagonal, then diagonal.

use super::householder::reflection;
use super::{Matrix, add, dot, rotate};

/// Eigenvalues in ascending order, and eigenvectors as rows.
pub(super) fn eigh(a: Matrix) -> (Vec<f64>, Matrix) {
    let n = a.rows;
    let mut s = a.symmetric();
    let scale = s.largest();
    if !scale.is_finite() {
        return (
            vec![f64::NAN; n],
            Matrix {
                data: vec![f64::NAN; n * n],
                ..s
            },
        );
    }
    if scale == 0.0 {
        return (vec![0.0; n], Matrix::identity(n));
    }
    s.data.iter_mut().for_each(|x| *x /= scale);
    let (mut d, e, mut v) = tridiagonal(s);
    if !diagonalise(&mut d, e, &mut v) {
        d.fill(f64::NAN);
        v.data.fill(f64::NAN);
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| d[i].total_cmp(&d[j]));
    let mut sorted = Matrix::zeros(n, n);
    order
        .iter()
        .enumerate()
        .for_each(|(to, &from)| sorted.row_mut(to).copy_from_slice(v.row(from)));
    (order.iter().map(|&i| d[i] * scale).collect(), sorted)
}

/// Diagonal and off-diagonal of T, and the rows of Qᵀ, of A = Q T Qᵀ. (Golub & Van Loan, 8.3.1.)
fn tridiagonal(mut a: Matrix) -> (Vec<f64>, Vec<f64>, Matrix) {
    let n = a.rows;
    let mut e = vec![0.0; n];
    let mut taus = vec![0.0; n];
    for k in 0..n.saturating_sub(1) {
        // The row right of the diagonal is the column below it.
        let (tau, beta) = reflection(&mut a.row_mut(k)[k + 1..]);
        (taus[k], e[k]) = (tau, beta);
        if tau == 0.0 {
            continue;
        }
        let v = a.row(k)[k + 1..].to_vec();
        let mut w: Vec<f64> = (k + 1..n).map(|i| tau * dot(&a.row(i)[k + 1..], &v)).collect();
        let half = -0.5 * tau * dot(&w, &v);
        add(&mut w, half, &v);
        for i in k + 1..n {
            let (vi, wi) = (v[i - k - 1], w[i - k - 1]);
            let row = &mut a.row_mut(i)[k + 1..];
            add(row, -vi, &w);
            add(row, -wi, &v);
        }
    }
    let d = (0..n).map(|i| a.at(i, i)).collect();
    // Q = H₀ H₁ …, applied from the last on, to the part that each changes.
    let mut q = Matrix::identity(n);
    for k in (0..n.saturating_sub(1)).rev() {
        if taus[k] == 0.0 {
            continue;
        }
        let v = &a.row(k)[k + 1..];
        let mut sum = vec![0.0; n - k - 1];
        for i in k + 1..n {
            add(&mut sum, v[i - k - 1], &q.row(i)[k + 1..]);
        }
        for i in k + 1..n {
            add(&mut q.row_mut(i)[k + 1..], -taus[k] * v[i - k - 1], &sum);
        }
    }
    (d, e, q.transposed())
}

/// Makes a tridiagonal matrix diagonal by implicitly shifted QL steps, each of which turns pairs of the rows of `v`.
/// Says whether it came to an end. (Golub & Van Loan, 8.3.3; Dubrulle, Martin & Wilkinson 1968, *The implicit QL
/// algorithm*.)
fn diagonalise(d: &mut [f64], mut e: Vec<f64>, v: &mut Matrix) -> bool {
    let n = d.len();
    for l in 0..n {
        let mut steps = 0;
        loop {
            // The first element off the diagonal, from l on, that is as good as zero.
            let small = |m: usize| {
                e[m].abs() <= f64::EPSILON * (d[m].abs() + d[m + 1].abs()) || e[m].abs() < f64::MIN_POSITIVE
            };
            let m = (l..n - 1).find(|&m| small(m)).unwrap_or(n - 1);
            if m == l {
                break;
            }
            steps += 1;
            if steps > 80 {
                return false;
            }
            // The eigenvalue of the 2 × 2 corner at l that is nearer to d[l].
            let half = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let root = half.hypot(1.0);
            let mut g = d[m] - d[l] + e[l] / (half + root.copysign(half));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut split = false;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    // The matrix falls apart here.
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    split = true;
                    break;
                }
                (s, c) = (f / r, g / r);
                let before = d[i + 1] - p;
                let t = (d[i] - before) * s + 2.0 * c * b;
                p = s * t;
                d[i + 1] = before + p;
                g = c * t - b;
                rotate(v.two_rows(i, i + 1), c, s);
            }
            if !split {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
    true
}
