//! Distances between vectors.

use super::common::{floats, scalar};
use super::ok;
use crate::tensor::Tensor;
use wengert_array::{Error, ErrorKind, raise};

/// (Σ |x|ᵖ)^(1/p) along the last dimension, kept. The slope at zero is zero.
#[track_caller]
pub(crate) fn vector_norm(x: &Tensor, p: f64, dim: isize) -> Tensor {
    if x.dtype().is_complex() {
        return vector_norm(&x.abs(), p, dim);
    }
    if p == f64::INFINITY {
        return x.abs().amax(dim, true);
    }
    if p == f64::NEG_INFINITY {
        return x.abs().amin(dim, true);
    }
    if p == 0.0 {
        return x.ne(0.0).to(x.dtype()).sum_dim(dim, true);
    }
    if p == 1.0 {
        return x.abs().sum_dim(dim, true);
    }
    if p == 2.0 && x.dtype().is_float() {
        return x.norm_dim(p, dim, true);
    }
    let sum = x.abs().powf(p).sum_dim(dim, true);
    // The root's slope is infinite at zero; there the norm is taken as a constant.
    let zero = sum.detach().eq(0.0);
    let one = scalar(1.0, sum.dtype());
    let root = one.where_(&zero, &sum);
    scalar(0.0, sum.dtype()).where_(&zero, &root.powf(1.0 / p))
}

/// The p-norms of x₁ − x₂ + ε along the last dimension; the inputs broadcast.
///
/// # Panics
/// If they do not broadcast.
#[track_caller]
pub fn pairwise_distance(x1: &Tensor, x2: &Tensor, p: f64, eps: f64, keepdim: bool) -> Tensor {
    ok(floats("pairwise_distance", x1, x2));
    let difference = x1 - x2 + eps;
    if difference.dim() == 0 {
        raise(Error::new(
            ErrorKind::Shape,
            "pairwise_distance",
            "numbers without dimensions are no vectors",
        ));
    }
    let norm = vector_norm(&difference, p, -1);
    if keepdim { norm } else { norm.squeeze(-1) }
}

/// x₁·x₂ / (max(‖x₁‖, ε) max(‖x₂‖, ε)) along `dim`; the inputs broadcast.
///
/// # Panics
/// If they do not broadcast.
#[track_caller]
pub fn cosine_similarity(x1: &Tensor, x2: &Tensor, dim: isize, eps: f64) -> Tensor {
    ok(floats("cosine_similarity", x1, x2));
    let eps = scalar(eps, x1.dtype().promote(x2.dtype()));
    let unit = |x: &Tensor, other: &Tensor| {
        // Sizes along `dim` must be those of the broadcast result before the norm is taken.
        let x = match x.shape().broadcast(&other.shape()) {
            Some(shape) if shape != x.shape() => x.expand(shape),
            _ => x.clone(),
        };
        let norm = vector_norm(&x, 2.0, dim).maximum(&eps);
        x / norm
    };
    (unit(x1, x2) * unit(x2, x1)).sum_dim(dim, false)
}

/// The p-norms of the differences of all pairs of rows of x `[n, d]`, in the order (0, 1), (0, 2), …, (1, 2), ….
///
/// # Panics
/// If x is no matrix, or p is negative.
#[track_caller]
pub fn pdist(x: &Tensor, p: f64) -> Tensor {
    if x.dim() != 2 || !x.dtype().is_float() {
        let message = format!(
            "needs a matrix of floating-point numbers, and got {} {}",
            x.dtype(),
            x.shape()
        );
        raise(Error::new(ErrorKind::Shape, "pdist", message));
    }
    if p.is_nan() || p < 0.0 {
        raise(Error::new(
            ErrorKind::Value,
            "pdist",
            format!("p must not be negative, and is {p}"),
        ));
    }
    let n = x.size(0) as i64;
    let pairs: Vec<(i64, i64)> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
    let side = |f: fn(&(i64, i64)) -> i64| Tensor::from_vec(pairs.iter().map(f).collect(), [pairs.len()]);
    let (a, b) = (
        x.index_select(0, &side(|p| p.0)),
        x.index_select(0, &side(|p| p.1)),
    );
    vector_norm(&(a - b), p, -1).squeeze(-1)
}

/// x divided by max(‖x‖, ε), the p-norm along `dim`.
///
/// # Panics
/// If there is no such dimension.
#[track_caller]
pub fn normalize(x: &Tensor, p: f64, dim: isize, eps: f64) -> Tensor {
    x / vector_norm(x, p, dim).maximum(&scalar(eps, x.dtype().real()))
}
