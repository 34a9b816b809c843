//! Reflections I − τ v vᵀ that make zeros.

use super::loops::{add, dot, length, levels, norm};
use super::matrix::{BLOCK, Matrix, product};
use crate::cpu::vector::Vector;

/// Turns x into the v, with v₀ = 1, and gives the τ of the reflection that takes x to (β, 0, …), and β, whose sign is
/// the opposite of x₀'s; τ = 0 where there is nothing to do. (Golub & Van Loan, 5.1; the choices are LAPACK's.)
#[inline(always)]
pub(super) fn reflection<V: Vector<C = f64>>(x: &mut [f64]) -> (f64, f64) {
    let mut rest = norm::<V>(&x[1..]);
    // What is so small that it has lost digits would give no reflection: it is made larger for the time being.
    let few = length(x[0], rest) < 1e-280;
    let up = if few { 2f64.powi(500) } else { 1.0 };
    if few {
        x.iter_mut().for_each(|x| *x *= up);
        rest = norm::<V>(&x[1..]);
    }
    let alpha = std::mem::replace(&mut x[0], 1.0);
    if rest == 0.0 {
        return (0.0, alpha / up);
    }
    let beta = -length(alpha, rest).copysign(alpha);
    let tau = (beta - alpha) / beta;
    let scale = 1.0 / (alpha - beta);
    x[1..].iter_mut().for_each(|x| *x *= scale);
    (tau, beta / up)
}

/// The product Q = H₀ H₁ … of reflections. Row j of `v` is the vector of Hⱼ, from column j + `shift` on, where it has a 1;
/// what stands before it does not count.
pub(super) struct Reflections {
    pub(super) v: Matrix,
    pub(super) taus: Vec<f64>,
    pub(super) shift: usize,
}

impl Reflections {
    /// Rows x ← x Q, from row `first` on, or with `adjoint` x Qᵀ.
    ///
    /// A block of reflections is I − Vᵀ T V with an upper triangular T. (Schreiber & Van Loan 1989, *A storage-efficient WY
    /// representation for products of Householder transformations*.)
    pub(super) fn apply(&self, rows: &mut Matrix, adjoint: bool) {
        let count = self.taus.len().div_ceil(BLOCK);
        for k in 0..count {
            let k = if adjoint { count - 1 - k } else { k };
            self.block(k, rows, 0, adjoint);
        }
    }

    /// Rows of the first `n` rows of Qᵀ: columns of Q.
    pub(super) fn columns(&self, n: usize) -> Matrix {
        let m = self.v.cols;
        let mut rows = Matrix::zeros(n, m);
        (0..n).for_each(|i| rows.data[i * m + i] = 1.0);
        for k in (0..self.taus.len().div_ceil(BLOCK)).rev() {
            // Rows above are still those of the identity, which these reflections leave as they are.
            self.block(k, &mut rows, (k * BLOCK + self.shift).min(n), true);
        }
        rows
    }

    /// What reflections of block `k` do to the rows from `first` on.
    fn block(&self, k: usize, rows: &mut Matrix, first: usize, adjoint: bool) {
        let (start, end) = (k * BLOCK, self.taus.len().min((k + 1) * BLOCK));
        let (from, b, m) = (start + self.shift, end - start, self.v.cols);
        if from >= m || first >= rows.rows {
            return;
        }
        let mut v = Matrix::zeros(b, m - from);
        let mut t = Matrix::zeros(b, b);
        for i in 0..b {
            let row = v.row_mut(i);
            if i < m - from {
                row[i] = 1.0;
                row[i + 1..].copy_from_slice(&self.v.row(start + i)[from + i + 1..]);
            }
        }
        let gram = product(v.whole(), v.whole().t());
        for j in 0..b {
            let tau = self.taus[start + j];
            // Rows of T are known up to column j.
            for i in 0..j {
                let sum = (i..j).map(|l| t.at(i, l) * gram.at(l, j)).sum::<f64>();
                t.data[i * b + j] = -tau * sum;
            }
            t.data[j * b + j] = tau;
        }
        let along = product(rows.part(first..rows.rows, from..m), v.whole().t());
        let t = if adjoint { t.whole().t() } else { t.whole() };
        let along = product(along.whole(), t);
        rows.add_product([first, from], -1.0, along.whole(), v.whole());
    }
}

levels! {
    /// Reflections that make rows `start..end` lower triangular, and what they do to each other.
    fn panel<V>(rows: &mut Matrix, start: usize, end: usize, taus: &mut Vec<f64>, diagonal: &mut Vec<f64>) {
        for j in start..end {
            let (above, below) = rows.data.split_at_mut((j + 1) * rows.cols);
            let v = &mut above[j * rows.cols + j..];
            let (tau, beta) = reflection::<V>(v);
            taus.push(tau);
            diagonal.push(beta);
            if tau != 0.0 {
                for x in below.chunks_exact_mut(rows.cols).take(end - j - 1) {
                    let x = &mut x[j..];
                    let c = -tau * dot::<V>(v, x);
                    add::<V>(x, c, v);
                }
            }
        }
    }
}

/// Q as reflections, whose vectors lie where R has zeros in Rᵀ, of A = Q R for the `columns` of A, and the diagonal of R.
pub(super) fn factor(columns: Matrix) -> (Reflections, Vec<f64>) {
    let steps = columns.rows.min(columns.cols);
    let mut q = Reflections {
        v: columns,
        taus: Vec::with_capacity(steps),
        shift: 0,
    };
    let mut diagonal = Vec::with_capacity(steps);
    for start in (0..steps).step_by(BLOCK) {
        let end = steps.min(start + BLOCK);
        panel(&mut q.v, start, end, &mut q.taus, &mut diagonal);
        if end < q.v.rows {
            // The other columns, out of the way of the vectors.
            let m = q.v.cols;
            let mut rest = q.v.part(end..q.v.rows, 0..m).copied();
            q.block(start / BLOCK, &mut rest, 0, false);
            q.v.data[end * m..].copy_from_slice(&rest.data);
        }
    }
    (q, diagonal)
}

/// R with `k` rows, of what [`factor`] gives.
pub(super) fn upper(q: &Reflections, diagonal: &[f64], k: usize) -> Matrix {
    let n = q.v.rows;
    let known = k.min(q.v.cols);
    let mut r = Matrix::zeros(k, n);
    let first = q.v.part(0..n, 0..known).t().copied();
    r.data[..known * n].copy_from_slice(&first.data);
    for i in 0..known {
        let row = r.row_mut(i);
        row[..n.min(i)].fill(0.0);
        if i < diagonal.len() {
            row[i] = diagonal[i];
        }
    }
    r
}

/// Q with `k` columns and R with `k` rows.
pub(super) fn qr(a: &Matrix, k: usize) -> (Matrix, Matrix) {
    let (q, diagonal) = factor(a.transposed());
    (q.columns(k).transposed(), upper(&q, &diagonal, k))
}
