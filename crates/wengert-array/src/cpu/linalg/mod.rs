//! Decompositions of matrices, and of stacks of them.
//!
//! They compute in f64 whatever the dtype, matrix by matrix, several at once on several threads, and round at
//! the end. Loops of our own rather than a crate's: the ones that do this well take minutes to compile. Rows
//! are what the inner loops run along.
//!
//! Nothing here fails: what has no answer is NaN, and what called decides what to say about it.

mod eigen;
mod exponential;
mod factor;
mod householder;
mod singular;
#[cfg(test)]
mod tests;

use crate::array::Array;
use crate::cpu::threads;
use crate::dtype::DType;
use crate::layout::Shape;
use std::sync::Mutex;

/// Below this much work in all, one thread does it.
const GRAIN: usize = 1 << 20;

/// A matrix in row-major order.
#[derive(Clone, Debug)]
struct Matrix {
    rows: usize,
    cols: usize,
    data: Vec<f64>,
}

impl Matrix {
    fn zeros(rows: usize, cols: usize) -> Matrix {
        Matrix {
            rows,
            cols,
            data: vec![0.0; rows * cols],
        }
    }

    fn identity(n: usize) -> Matrix {
        let mut eye = Matrix::zeros(n, n);
        (0..n).for_each(|i| eye.data[i * n + i] = 1.0);
        eye
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// Two different rows, both to be changed.
    fn two_rows(&mut self, i: usize, j: usize) -> [&mut [f64]; 2] {
        let n = self.cols;
        let rows = self
            .data
            .get_disjoint_mut([i * n..(i + 1) * n, j * n..(j + 1) * n]);
        rows.expect("two different rows")
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.data[i * self.cols + j]
    }

    fn transposed(&self) -> Matrix {
        let mut t = Matrix::zeros(self.cols, self.rows);
        for i in 0..self.rows {
            for j in 0..self.cols {
                t.data[j * self.rows + i] = self.data[i * self.cols + j];
            }
        }
        t
    }

    /// The mean with its transpose.
    fn symmetric(&self) -> Matrix {
        let mut s = self.transposed();
        s.data
            .iter_mut()
            .zip(&self.data)
            .for_each(|(x, y)| *x = 0.5 * *x + 0.5 * y);
        s
    }

    fn times(&self, other: &Matrix) -> Matrix {
        let mut product = Matrix::zeros(self.rows, other.cols);
        for i in 0..self.rows {
            let row = product.row_mut(i);
            for (k, &x) in self.row(i).iter().enumerate() {
                add(row, x, other.row(k));
            }
        }
        product
    }

    fn scaled(mut self, c: f64) -> Matrix {
        self.data.iter_mut().for_each(|x| *x *= c);
        self
    }

    fn plus(mut self, c: f64, other: &Matrix) -> Matrix {
        add(&mut self.data, c, &other.data);
        self
    }

    fn largest(&self) -> f64 {
        largest(&self.data)
    }
}

/// Eight sums side by side, so that the loop vectorises.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (ac, bc) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = ac
        .remainder()
        .iter()
        .zip(bc.remainder())
        .map(|(a, b)| a * b)
        .sum();
    let mut sums = [0.0; 8];
    for (a, b) in ac.zip(bc) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// y += c x
fn add(y: &mut [f64], c: f64, x: &[f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += c * x);
}

/// (x, y) ← (c x − s y, s x + c y)
fn rotate([x, y]: [&mut [f64]; 2], c: f64, s: f64) {
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

/// The largest absolute value; unlike with `max`, NaN where any is.
fn largest(x: &[f64]) -> f64 {
    x.iter().fold(
        0.0,
        |m: f64, x| if m.is_nan() || x.abs() <= m { m } else { x.abs() },
    )
}

/// √Σx², without overflow on the way.
fn norm(x: &[f64]) -> f64 {
    let square = dot(x, x);
    if square.is_normal() && square < 1e300 && square > 1e-280 {
        return square.sqrt();
    }
    let scale = largest(x);
    if scale == 0.0 || !scale.is_finite() {
        return scale;
    }
    scale * x.iter().map(|x| (x / scale) * (x / scale)).sum::<f64>().sqrt()
}

/// The matrices of a stack.
fn matrices(a: &Array) -> Vec<Matrix> {
    let (rows, cols) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]);
    let count = batch(a.shape()).numel();
    let data = a.to_vec::<f64>();
    let part = |k: usize| data[k * rows * cols..(k + 1) * rows * cols].to_vec();
    let matrix = |k| Matrix {
        rows,
        cols,
        data: part(k),
    };
    (0..count).map(matrix).collect()
}

fn batch(shape: &Shape) -> Shape {
    Shape::new(&shape[..shape.rank() - 2])
}

/// `f` of each, on several threads where the work is large.
fn each<A: Send, B: Send>(all: Vec<A>, work: usize, f: impl Fn(A) -> B + Send + Sync) -> Vec<B> {
    if all.len() < 2 || all.len().saturating_mul(work) <= GRAIN {
        return all.into_iter().map(f).collect();
    }
    let all: Vec<_> = all.into_iter().map(|a| Mutex::new((Some(a), None))).collect();
    threads::split(all.len(), 1, work, |start, len| {
        for one in &all[start..start + len] {
            let mut one = one.lock().expect("only one thread looks at it");
            one.1 = one.0.take().map(&f);
        }
    });
    let done = |one: Mutex<(Option<A>, Option<B>)>| one.into_inner().ok().and_then(|one| one.1);
    all.into_iter()
        .map(|one| done(one).expect("all were computed"))
        .collect()
}

/// Parts of `shape` each, stacked in the leading dimensions of `batch`.
fn stacked(parts: impl IntoIterator<Item = Vec<f64>>, batch: &Shape, shape: &[usize], dtype: DType) -> Array {
    let whole: Shape = batch.iter().chain(shape).copied().collect();
    let mut data = Vec::with_capacity(whole.numel());
    parts.into_iter().for_each(|part| data.extend(part));
    Array::from_slice(&data, whole).cast(dtype)
}

/// L of A = L Lᵀ, for symmetric positive-definite A [.., n, n], of which the mean with their transposes is taken. Where
/// one is not positive-definite, the diagonal of L is NaN from the first column on where that shows.
pub fn cholesky(a: &Array) -> Array {
    let n = a.shape()[a.rank() - 1];
    let parts = each(matrices(a), n * n * n / 3, |a| {
        factor::cholesky(a.symmetric()).data
    });
    stacked(parts, &batch(a.shape()), &[n, n], a.dtype())
}

/// L and U of P A = L U in one, `[.., m, n]`, and the order P of rows, i64 `[.., m]`: row i of P A is row `P[i]` of A.
/// L has ones on its diagonal, which are not stored. A pivot that is 0 stays 0 in U.
pub fn lu(a: &Array) -> (Array, Array) {
    let (m, n) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]);
    let parts = each(matrices(a), m * n * m.min(n), factor::lu);
    let mut orders: Vec<i64> = Vec::with_capacity(parts.len() * m);
    parts
        .iter()
        .for_each(|(_, order)| orders.extend(order.iter().map(|&i| i as i64)));
    let lead = batch(a.shape());
    let order = Array::from_slice(&orders, lead.iter().copied().chain([m]).collect::<Shape>());
    (
        stacked(
            parts.into_iter().map(|(lu, _)| lu.data),
            &lead,
            &[m, n],
            a.dtype(),
        ),
        order,
    )
}

/// X of A X = B (`adjoint`: of Aᵀ X = B) from what [`lu`] gives for A [.., n, n], for B [.., n, r]; the leading
/// dimensions of both broadcast to `batch`. NaN where A is singular.
pub fn lu_solve(lu: &Array, order: &Array, b: &Array, lead: &Shape, adjoint: bool) -> Array {
    let (n, r) = (b.shape()[b.rank() - 2], b.shape()[b.rank() - 1]);
    let spread =
        |x: &Array, tail: &[usize]| x.broadcast_to(&lead.iter().chain(tail).copied().collect::<Shape>());
    let lus = matrices(&spread(lu, &[n, n]));
    let orders = spread(order, &[n]).to_vec::<i64>();
    let orders = (0..lus.len()).map(|k| orders[k * n..(k + 1) * n].to_vec());
    let all: Vec<_> = lus
        .into_iter()
        .zip(orders)
        .zip(matrices(&spread(b, &[n, r])))
        .collect();
    let parts = each(all, n * n * r, |((lu, order), b)| {
        factor::lu_solve(&lu, &order, b, adjoint).data
    });
    stacked(parts, lead, &[n, r], b.dtype())
}

/// From what [`lu`] gives for square matrices: the sign of the determinant and the logarithm of its absolute value,
/// [.., 2], or with `product` the determinant itself, [.., 1].
pub fn lu_determinant(lu: &Array, order: &Array, product: bool) -> Array {
    let n = lu.shape()[lu.rank() - 1];
    let orders = order.to_vec::<i64>();
    let parts = matrices(lu).into_iter().enumerate().map(|(k, lu)| {
        let odd = factor::is_odd(&orders[k * n..(k + 1) * n]);
        let sign = if odd { -1.0 } else { 1.0 };
        let pivots = (0..n).map(|i| lu.at(i, i));
        if product {
            return vec![pivots.fold(sign, |d, p| d * p)];
        }
        let (mut s, mut log) = (sign, 0.0);
        for p in pivots {
            s *= if p == 0.0 { 0.0 } else { p.signum() };
            log += p.abs().ln();
        }
        vec![s, log]
    });
    let width = if product { 1 } else { 2 };
    stacked(parts, &batch(lu.shape()), &[width], lu.dtype())
}

/// The derivative of the determinant, det(A) A⁻ᵀ, which singular matrices have, too.
pub fn cofactor(a: &Array) -> Array {
    let n = a.shape()[a.rank() - 1];
    let parts = each(matrices(a), 30 * n * n * n, |a| singular::cofactor(a).data);
    stacked(parts, &batch(a.shape()), &[n, n], a.dtype())
}

/// A⁺ [.., n, m] for A [.., m, n]: the pseudo-inverse. Singular values up to the larger of `atol` and `rtol` times the
/// largest of a matrix count as 0.
pub fn pinv(a: &Array, atol: f64, rtol: f64) -> Array {
    let (m, n) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]);
    let parts = each(matrices(a), 30 * m * n * m.min(n), |a| {
        singular::pinv(a, atol, rtol).data
    });
    stacked(parts, &batch(a.shape()), &[n, m], a.dtype())
}

/// e^A for A [.., n, n].
pub fn matrix_exp(a: &Array) -> Array {
    let n = a.shape()[a.rank() - 1];
    let parts = each(matrices(a), 40 * n * n * n, |a| exponential::exp(&a).data);
    stacked(parts, &batch(a.shape()), &[n, n], a.dtype())
}

/// X of A X = B for a triangular A [.., n, n], of which only that triangle is read, and B [.., n, r]; the leading
/// dimensions of both broadcast to `lead`.
pub fn solve_triangular(a: &Array, b: &Array, lead: &Shape, upper: bool, unit: bool) -> Array {
    let (n, r) = (b.shape()[b.rank() - 2], b.shape()[b.rank() - 1]);
    let spread = |x: &Array, tail: [usize; 2]| {
        matrices(&x.broadcast_to(&lead.iter().copied().chain(tail).collect::<Shape>()))
    };
    let all: Vec<_> = spread(a, [n, n]).into_iter().zip(spread(b, [n, r])).collect();
    let parts = each(all, n * n * r, |(a, mut b)| {
        factor::solve_triangular(&a, &mut b, upper, unit);
        b.data
    });
    stacked(parts, lead, &[n, r], b.dtype())
}

/// Q [.., m, k] with orthonormal columns and the upper triangular R [.., k, n] of A = Q R, for A [.., m, n]; k is the
/// smaller of m and n, or with `complete` m. Signs are LAPACK's.
pub fn qr(a: &Array, complete: bool) -> (Array, Array) {
    let (m, n) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]);
    let k = if complete { m } else { m.min(n) };
    let parts = each(matrices(a), 2 * m * n * m.min(n), |a| householder::qr(&a, k));
    let lead = batch(a.shape());
    let (q, r): (Vec<_>, Vec<_>) = parts.into_iter().map(|(q, r)| (q.data, r.data)).unzip();
    (
        stacked(q, &lead, &[m, k], a.dtype()),
        stacked(r, &lead, &[k, n], a.dtype()),
    )
}

/// The eigenvalues [.., n], in ascending order, and orthonormal eigenvectors, the columns of [.., n, n], of symmetric
/// matrices, of which the mean with their transposes is taken. NaN where an element is not finite.
pub fn eigh(a: &Array) -> (Array, Array) {
    let n = a.shape()[a.rank() - 1];
    let parts = each(matrices(a), 9 * n * n * n, eigen::eigh);
    let lead = batch(a.shape());
    let (w, v): (Vec<_>, Vec<_>) = parts.into_iter().map(|(w, v)| (w, v.transposed().data)).unzip();
    (
        stacked(w, &lead, &[n], a.dtype()),
        stacked(v, &lead, &[n, n], a.dtype()),
    )
}

/// U [.., m, k], the singular values [.., k] in descending order, and Vᵀ [.., k, n] of A = U S Vᵀ, for A [.., m, n]; k is
/// the smaller of m and n. With `full`, U is [.., m, m] and Vᵀ [.., n, n]. NaN where an element is not finite.
pub fn svd(a: &Array, full: bool) -> (Array, Array, Array) {
    let (m, n) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]);
    let k = m.min(n);
    let parts = each(matrices(a), 30 * m * n * k, |a| singular::svd(a, full));
    let lead = batch(a.shape());
    let (ku, kv) = if full { (m, n) } else { (k, k) };
    let (mut u, mut s, mut v) = (Vec::new(), Vec::new(), Vec::new());
    for (ut, values, vt) in parts {
        u.push(ut.transposed().data);
        s.push(values);
        v.push(vt.data);
    }
    let dtype = a.dtype();
    (
        stacked(u, &lead, &[m, ku], dtype),
        stacked(s, &lead, &[k], dtype),
        stacked(v, &lead, &[kv, n], dtype),
    )
}
