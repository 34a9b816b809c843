//! Symmetric matrices: first tridiagonal, then diagonal.

use super::householder::{Reflections, reflection};
use super::matrix::{Matrix, Rotations, add, dot, levels};

/// Eigenvalues in ascending order, and eigenvectors as rows; or nothing where the iteration does not end.
pub(super) fn eigh(a: Matrix) -> (Vec<f64>, Matrix) {
    let n = a.rows;
    let mut s = a.symmetric();
    let scale = s.largest();
    let nothing = || (vec![f64::NAN; n], Matrix::filled(n, n, f64::NAN));
    if !scale.is_finite() {
        return nothing();
    }
    if scale == 0.0 {
        return (vec![0.0; n], Matrix::identity(n));
    }
    s.data.iter_mut().for_each(|x| *x /= scale);
    let (mut d, e, q) = tridiagonal(s);
    let mut v = q.columns(n);
    if !diagonalise(&mut d, e, &mut v) {
        return nothing();
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| d[i].total_cmp(&d[j]));
    let values = order.iter().map(|&i| d[i] * scale).collect();
    (values, v.ordered(&order))
}

/// Diagonal and off-diagonal of T, and Q, of A = Q T Qᵀ. (Golub & Van Loan, 8.3.1.)
fn tridiagonal(mut a: Matrix) -> (Vec<f64>, Vec<f64>, Reflections) {
    let n = a.rows;
    let (mut d, mut e) = (vec![0.0; n], vec![0.0; n]);
    let mut taus = vec![0.0; n.saturating_sub(1)];
    // What the reflection before leaves to do: rows i ← rows i − vᵢ w − wᵢ v.
    let (mut v, mut w) = (vec![0.0; n], vec![0.0; n]);
    for k in 0..n {
        let row = a.row_mut(k);
        let (x, y) = (v[k], w[k]);
        add(&mut row[k..], -x, &w[k..]);
        add(&mut row[k..], -y, &v[k..]);
        d[k] = row[k];
        if k + 1 == n {
            break;
        }
        // The row right of the diagonal is the column below it.
        (taus[k], e[k]) = reflection(&mut row[k + 1..]);
        let next = row[k + 1..].to_vec();
        let mut product = vec![0.0; n];
        update_and_multiply(&mut a, k + 1, [&v, &w], &next, &mut product);
        v[k + 1..].copy_from_slice(&next);
        let tau = taus[k];
        let half = 0.5 * tau * tau * dot(&product[k + 1..], &next);
        for i in k + 1..n {
            w[i] = tau * product[i] - half * v[i];
        }
    }
    let q = Reflections { v: a, taus, shift: 1 };
    (d, e, q)
}

levels! {
    /// Rows i ← rows i − vᵢ w − wᵢ v from row and column `from` on, and their products with x, in one pass.
    fn update_and_multiply(a: &mut Matrix, from: usize, [v, w]: [&[f64]; 2], x: &[f64], y: &mut [f64]) {
        for i in from..a.rows {
            let row = &mut a.row_mut(i)[from..];
            let (vi, wi) = (v[i], w[i]);
            for ((r, v), w) in row.iter_mut().zip(&v[from..]).zip(&w[from..]) {
                *r -= vi * w + wi * v;
            }
            y[i] = dot(row, x);
        }
    }
}

/// Makes a tridiagonal matrix diagonal by implicitly shifted QL steps, each of which turns pairs of the rows of `v`.
/// Says whether it came to an end. (Golub & Van Loan, 8.3.3; Dubrulle, Martin & Wilkinson 1968, *The implicit QL
/// algorithm*.)
fn diagonalise(d: &mut [f64], mut e: Vec<f64>, v: &mut Matrix) -> bool {
    let n = d.len();
    let size = d.iter().chain(&e).fold(0.0, |m: f64, x| m.max(x.abs()));
    let mut turns = Rotations::default();
    for l in 0..n {
        let mut steps = 0;
        loop {
            // The first element off the diagonal, from l on, that is as good as zero. Measured by the whole, since
            // among eigenvalues that are all rounding errors no neighbour is larger.
            let small = |m: usize| e[m].abs() <= f64::EPSILON * size;
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
                turns.turn(v, [i, i + 1], c, -s);
            }
            if !split {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
    turns.finish(v);
    true
}
