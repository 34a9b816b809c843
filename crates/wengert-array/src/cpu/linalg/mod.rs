//! Decompositions of matrices, and of stacks of them.
//!
//! They compute in f64 whatever the dtype, matrix by matrix, several at once on several threads, and round at
//! the end. Algorithms of our own rather than a crate's: the ones that do this well take minutes to compile. They go by
//! blocks, so that most of the work of large matrices is in matrix products. Rows are what the inner loops run along.
//!
//! Nothing here fails: what has no answer is NaN, and what called decides what to say about it.

mod divide;
mod eigen;
mod exponential;
mod factor;
mod householder;
mod indefinite;
mod least;
mod loops;
mod matrix;
mod rotations;
mod secular;
mod singular;
mod small;
mod stack;
#[cfg(test)]
mod tests;

use crate::array::Array;
use crate::cpu::threads;
use crate::dtype::DType;
use crate::layout::Shape;
use matrix::{Matrix, Numbers};
use stack::Stack;
use std::ops::Deref;
use std::sync::Mutex;

/// Below this much work in all, one thread does it.
const GRAIN: usize = 1 << 20;

/// The matrices of a stack.
fn matrices(a: &Array) -> Vec<Matrix> {
    let stack = Stack::of(a);
    (0..stack.len()).map(|k| stack.matrix(k)).collect()
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
fn stacked<T: Deref<Target = [f64]>>(
    parts: impl IntoIterator<Item = T>,
    batch: &Shape,
    shape: &[usize],
    dtype: DType,
) -> Array {
    let whole: Shape = batch.iter().chain(shape).copied().collect();
    let mut data = Vec::with_capacity(whole.numel());
    parts.into_iter().for_each(|part| data.extend_from_slice(&part));
    Array::from_slice(&data, whole).cast(dtype)
}

/// L of A = L Lᵀ, for symmetric positive-definite A [.., n, n], of which the mean with their transposes is taken. Where
/// one is not positive-definite, the diagonal of L is NaN from the first column on where that shows.
pub fn cholesky(a: &Array) -> Array {
    let (n, lead) = (a.shape()[a.rank() - 1], batch(a.shape()));
    if stack::small(lead.numel(), n, n) {
        return small::cholesky(a, &lead);
    }
    let parts = each(matrices(a), n * n * n / 3, |a| {
        factor::cholesky(a.symmetric()).data
    });
    stacked(parts, &lead, &[n, n], a.dtype())
}

/// L and U of P A = L U in one, `[.., m, n]`, and the order P of rows, i64 `[.., m]`: row i of P A is row `P[i]` of A.
/// L has ones on its diagonal, which are not stored. A pivot that is 0 stays 0 in U.
pub fn lu(a: &Array) -> (Array, Array) {
    let (m, n) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]);
    let lead = batch(a.shape());
    if stack::small(lead.numel(), m, n) {
        return small::lu(a, &lead);
    }
    let parts = each(matrices(a), m * n * m.min(n), factor::lu);
    let mut orders: Vec<i64> = Vec::with_capacity(parts.len() * m);
    parts.iter().for_each(|(_, order)| orders.extend(order));
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
    if stack::small(lead.numel(), n, n) {
        return small::lu_solve(lu, order, b, lead, adjoint);
    }
    let spread =
        |x: &Array, tail: &[usize]| x.broadcast_to(&lead.iter().chain(tail).copied().collect::<Shape>());
    let lus = matrices(&spread(lu, &[n, n]));
    let orders = spread(order, &[n]).to_vec::<i64>();
    let orders = (0..lus.len()).map(|k| &orders[k * n..(k + 1) * n]);
    let all: Vec<_> = lus
        .into_iter()
        .zip(orders)
        .zip(matrices(&spread(b, &[n, r])))
        .collect();
    let parts = each(all, n * n * r, |((lu, order), b)| {
        factor::lu_solve(&lu, order, b, adjoint).data
    });
    stacked(parts, lead, &[n, r], b.dtype())
}

/// A⁻¹ for A [.., n, n]; NaN where A is singular.
pub fn inverse(a: &Array) -> Array {
    let (n, lead) = (a.shape()[a.rank() - 1], batch(a.shape()));
    if stack::small(lead.numel(), n, n) {
        return small::inverse(a, &lead, false);
    }
    let parts = each(matrices(a), 2 * n * n * n, |a| {
        let (lu, order) = factor::lu(a);
        factor::lu_solve(&lu, &order, Matrix::identity(n), false).data
    });
    stacked(parts, &lead, &[n, n], a.dtype())
}

/// The sign of the determinant of A [.., n, n] and the logarithm of its absolute value, [.., 2], or with `product` the determinant
/// itself, [.., 1].
pub fn determinant(a: &Array, product: bool) -> Array {
    let (n, lead) = (a.shape()[a.rank() - 1], batch(a.shape()));
    if stack::small(lead.numel(), n, n) {
        return small::determinant(a, &lead, product);
    }
    let width = if product { 1 } else { 2 };
    let parts = each(matrices(a), n * n * n, |a| {
        let (lu, order) = factor::lu(a);
        let sign = if factor::is_odd(&order) { -1.0 } else { 1.0 };
        let mut values = vec![0.0; width];
        factor::determinant(sign, (0..n).map(|i| lu.at(i, i)), product, &mut values);
        values
    });
    stacked(parts, &lead, &[width], a.dtype())
}

/// The derivative of the determinant, det(A) A⁻ᵀ, which singular matrices have, too.
pub fn cofactor(a: &Array) -> Array {
    let (n, lead) = (a.shape()[a.rank() - 1], batch(a.shape()));
    if stack::small(lead.numel(), n, n) {
        return small::inverse(a, &lead, true);
    }
    let parts = each(matrices(a), 30 * n * n * n, |a| singular::cofactor(a).data);
    stacked(parts, &lead, &[n, n], a.dtype())
}

/// Whether all are symmetric, NaN beside NaN.
pub fn is_symmetric(a: &Array) -> bool {
    Stack::of(a).is_symmetric()
}

/// A⁺ [.., n, m] for A [.., m, n]: the pseudo-inverse. Singular values up to the larger of `atol` and `rtol` times the
/// largest of a matrix count as 0.
pub fn pinv(a: &Array, atol: f64, rtol: f64) -> Array {
    let (m, n) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]);
    let parts = each(matrices(a), 30 * m * n * m.min(n), |a| {
        least::solve(a, Matrix::identity(m), atol, rtol).0.data
    });
    stacked(parts, &batch(a.shape()), &[n, m], a.dtype())
}

/// The smallest X [.., n, r] of those that make ‖A X − B‖ smallest, for A [.., m, n] and B [.., m, r], and the rank of A, i64 [..]. The
/// leading dimensions of both broadcast to `lead`. Singular values up to `rtol` times the largest of a matrix count as 0.
pub fn least_squares(a: &Array, b: &Array, lead: &Shape, rtol: f64) -> (Array, Array) {
    let (m, n, r) = (
        a.shape()[a.rank() - 2],
        a.shape()[a.rank() - 1],
        b.shape()[b.rank() - 1],
    );
    let spread = |x: &Array, tail: [usize; 2]| {
        matrices(&x.broadcast_to(&lead.iter().copied().chain(tail).collect::<Shape>()))
    };
    let all: Vec<_> = spread(a, [m, n]).into_iter().zip(spread(b, [m, r])).collect();
    let parts = each(all, 2 * m * n * (m.min(n) + r), |(a, b)| {
        least::solve(a, b, 0.0, rtol)
    });
    let (x, ranks): (Vec<_>, Vec<_>) = parts.into_iter().map(|(x, rank)| (x.data, rank as i64)).unzip();
    (
        stacked(x, lead, &[n, r], a.dtype()),
        Array::from_slice(&ranks, lead.clone()),
    )
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
    if stack::small(lead.numel(), n, n) {
        return small::solve_triangular(a, b, lead, upper, unit);
    }
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

/// R on and above the diagonal of `[.., m, n]`, below it the vectors of the reflections whose product is Q, of A = Q R, and
/// their factors `[.., min(m, n)]`.
pub fn geqrf(a: &Array) -> (Array, Array) {
    let (m, n) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]);
    let parts = each(matrices(a), 2 * m * n * m.min(n), |a| {
        let (q, diagonal) = householder::factor(a.transposed());
        let mut packed = q.v.transposed();
        diagonal
            .iter()
            .enumerate()
            .for_each(|(i, d)| packed.data[i * n + i] = *d);
        (packed.data, q.taus)
    });
    let lead = batch(a.shape());
    let (packed, taus): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    (
        stacked(packed, &lead, &[m, n], a.dtype()),
        stacked(taus, &lead, &[m.min(n)], a.dtype()),
    )
}

/// L and D of A = P L D Lᵀ Pᵀ in one, `[.., n, n]`, for symmetric A, of which the lower triangle is read; LAPACK's list of
/// exchanges, i64 `[.., n]`; and the number of the first pivot that is zero, i64 `[..]`, or 0.
pub fn ldl(a: &Array) -> (Array, Array, Array) {
    let n = a.shape()[a.rank() - 1];
    let lead = batch(a.shape());
    let (mut factors, mut pivots, mut info) = (Vec::new(), Vec::new(), Vec::new());
    for (ld, p, i) in each(matrices(a), n * n * n / 3, |a| indefinite::ldl(&a)) {
        factors.push(ld.data);
        pivots.extend(p);
        info.push(i);
    }
    let pivots = Array::from_slice(&pivots, lead.iter().copied().chain([n]).collect::<Shape>());
    let info = Array::from_slice(&info, lead.clone());
    (stacked(factors, &lead, &[n, n], a.dtype()), pivots, info)
}

/// X of A X = B from what [`ldl`] gives for A [.., n, n], for B [.., n, r]; the leading dimensions of both broadcast to `lead`.
pub fn ldl_solve(ld: &Array, pivots: &Array, b: &Array, lead: &Shape) -> Array {
    let (n, r) = (b.shape()[b.rank() - 2], b.shape()[b.rank() - 1]);
    let spread =
        |x: &Array, tail: &[usize]| x.broadcast_to(&lead.iter().chain(tail).copied().collect::<Shape>());
    let factors = matrices(&spread(ld, &[n, n]));
    let pivots = spread(pivots, &[n]).to_vec::<i64>();
    let all = factors.into_iter().zip(matrices(&spread(b, &[n, r]))).enumerate();
    let parts = each(all.collect(), 2 * n * n * r, |(k, (ld, b))| {
        indefinite::ldl_solve(&ld, &pivots[k * n..(k + 1) * n], b).data
    });
    stacked(parts, lead, &[n, r], b.dtype())
}

/// Which elements say what a symmetric matrix is.
#[derive(Clone, Copy, PartialEq)]
pub enum Triangle {
    /// The upper ones.
    Upper,
    /// The lower ones.
    Lower,
    /// All: the mean with the transpose is taken.
    Both,
}

/// The eigenvalues [.., n], in ascending order, of symmetric matrices, and with `vectors` orthonormal eigenvectors, the columns of
/// [.., n, n]. NaN where an element is not finite.
pub fn eigh(a: &Array, from: Triangle, vectors: bool) -> (Array, Option<Array>) {
    let n = a.shape()[a.rank() - 1];
    let parts = each(matrices(a), 9 * n * n * n, |a| {
        let a = match from {
            Triangle::Upper => a,
            Triangle::Lower => a.transposed(),
            Triangle::Both => a.symmetric(),
        };
        let (w, v) = eigen::eigh(a, vectors);
        (
            w,
            if vectors {
                v.transposed().data
            } else {
                Numbers::filled(0, 0.0)
            },
        )
    });
    let lead = batch(a.shape());
    let (w, v): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    (
        stacked(w, &lead, &[n], a.dtype()),
        vectors.then(|| stacked(v, &lead, &[n, n], a.dtype())),
    )
}

/// The singular values [.., k] in descending order, for A [.., m, n]; k is the smaller of m and n. NaN where an element is not finite.
pub fn svdvals(a: &Array) -> Array {
    let (m, n) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]);
    let parts = each(matrices(a), 6 * m * n * m.min(n), singular::values);
    stacked(parts, &batch(a.shape()), &[m.min(n)], a.dtype())
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
