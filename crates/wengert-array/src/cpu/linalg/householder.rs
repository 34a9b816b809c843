//! Reflections I − τ v vᵀ that make zeros.

use super::{Matrix, add, dot, norm};

/// Turns x into the v, with v₀ = 1, and gives the τ of the reflection that takes x to (β, 0, …), and β, whose sign is
/// the opposite of x₀'s; τ = 0 where there is nothing to do. (Golub & Van Loan, 5.1; the choices are LAPACK's.)
pub(super) fn reflection(x: &mut [f64]) -> (f64, f64) {
    let alpha = x[0];
    let rest = norm(&x[1..]);
    x[0] = 1.0;
    if rest == 0.0 {
        return (0.0, alpha);
    }
    let beta = -alpha.hypot(rest).copysign(alpha);
    let tau = (beta - alpha) / beta;
    let scale = alpha - beta;
    x[1..].iter_mut().for_each(|x| *x /= scale);
    (tau, beta)
}

/// x ← x − τ v (vᵀ x)
fn reflect(x: &mut [f64], v: &[f64], tau: f64) {
    if tau != 0.0 {
        let c = -tau * dot(v, x);
        add(x, c, v);
    }
}

/// Q with `k` columns and R with `k` rows.
pub(super) fn qr(a: &Matrix, k: usize) -> (Matrix, Matrix) {
    let (m, n) = (a.rows, a.cols);
    // Columns, lying as rows.
    let mut columns = a.transposed();
    let steps = m.min(n);
    let mut r = Matrix::zeros(k, n);
    let mut taus = Vec::with_capacity(steps);
    for j in 0..steps {
        let (tau, beta) = reflection(&mut columns.row_mut(j)[j..]);
        taus.push(tau);
        r.data[j * n + j] = beta;
        let v = columns.row(j)[j..].to_vec();
        for other in j + 1..n {
            reflect(&mut columns.row_mut(other)[j..], &v, tau);
        }
    }
    for j in 0..n {
        for i in 0..j.min(k).min(m) {
            r.data[i * n + j] = columns.at(j, i);
        }
    }
    let mut q = Matrix::zeros(k, m);
    for i in 0..k {
        q.data[i * m + i] = 1.0;
        let row = q.row_mut(i);
        for j in (0..steps).rev() {
            reflect(&mut row[j..], &columns.row(j)[j..], taus[j]);
        }
    }
    (q.transposed(), r)
}

/// Rows added to some orthonormal ones, so that `n` rows of length `n` are an orthonormal basis.
pub(super) fn complete(rows: &Matrix, n: usize) -> Matrix {
    let k = rows.rows;
    let (q, r) = qr(&rows.transposed(), n);
    let mut basis = q.transposed();
    // The first ones are the given ones up to sign; take them as given.
    debug_assert!((0..k).all(|i| (r.at(i, i).abs() - 1.0).abs() < 1e-6));
    basis.data[..k * n].copy_from_slice(&rows.data);
    basis
}
