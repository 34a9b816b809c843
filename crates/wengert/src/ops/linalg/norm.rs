//! Norms of vectors and matrices, and what they measure.

use super::least::{counted, tolerances};
use super::*;
use crate::ops::axis;
use crate::ops::common::tied;
use crate::ops::shape::Permute;
use crate::ops::{Dims, ok};

/// The norm of all elements along `dims`: (Σ |x|ᵖ)^(1/p); the largest |x| for p = ∞, the smallest for −∞, and the number of
/// elements that are not 0 for p = 0.
///
/// Where it is 0 its gradient is 0, as is that of each element that is 0 (a subgradient, as in PyTorch).
///
/// ```
/// use wengert::{Tensor, linalg::vector_norm};
///
/// let x = Tensor::new([3.0, -4.0]);
/// assert_eq!(vector_norm(&x, 2.0, (), false).item(), 5.0);
/// assert_eq!(vector_norm(&x, f64::INFINITY, (), false).item(), 4.0);
/// ```
///
/// # Panics
/// If there is no such dimension, the dtype is not a floating-point one, or there is no element to take the largest of.
#[track_caller]
pub fn vector_norm(x: &Tensor, p: f64, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
    if x.dtype().is_complex() {
        return vector_norm(&x.abs(), p, dims, keepdim);
    }
    if !x.dtype().is_float() {
        let message = format!("needs floating-point numbers, and got {}", x.dtype());
        raise(Error::new(ErrorKind::DType, "vector_norm", message).help("convert it: `.to(DType::F32)`"));
    }
    let dims = dims.into();
    let (one, zero) = (
        Tensor::full_as([], 1.0, x.dtype()),
        Tensor::full_as([], 0.0, x.dtype()),
    );
    // A root, with slope 0 where it is 0.
    let root = |s: Tensor, p: f64| {
        let some = s.ne(0.0);
        let r = s.where_(&some, &one);
        let r = r.powf(1.0 / p);
        let at_zero = if p > 0.0 {
            zero.clone()
        } else {
            Tensor::full_as([], f64::INFINITY, x.dtype())
        };
        r.where_(&some, &at_zero)
    };
    match p {
        f64::INFINITY => x.abs().amax(dims, keepdim),
        f64::NEG_INFINITY => x.abs().amin(dims, keepdim),
        0.0 => tied(x.ne(0.0).to(x.dtype()).sum_dim(dims, keepdim), x),
        1.0 => x.abs().sum_dim(dims, keepdim),
        2.0 => x.norm_dim(2.0, dims, keepdim),
        _ => {
            let (a, some) = (x.abs(), x.ne(0.0));
            let at_zero = if p > 0.0 {
                zero.clone()
            } else {
                Tensor::full_as([], f64::INFINITY, x.dtype())
            };
            let powers = a.where_(&some, &one).powf(p).where_(&some, &at_zero);
            root(powers.sum_dim(dims, keepdim), p)
        }
    }
}

/// Which norm of a matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ord {
    /// √Σx².
    Frobenius,
    /// The sum of the singular values.
    Nuclear,
    /// ±1: the largest (smallest) sum of absolute values in a column; ±2: the largest (smallest) singular value; ±∞: the
    /// largest (smallest) sum of absolute values in a row.
    P(f64),
}

impl From<f64> for Ord {
    fn from(p: f64) -> Ord {
        Ord::P(p)
    }
}

/// The norm of matrices that lie in two dimensions `dims`.
///
/// # Panics
/// If there are not two such dimensions, or there is no such norm.
#[track_caller]
pub fn matrix_norm(x: &Tensor, ord: impl Into<Ord>, dims: [isize; 2], keepdim: bool) -> Tensor {
    let ord = ord.into();
    let rank = x.dim();
    let [rows, cols] = dims.map(|d| ok(axis("matrix_norm", d, rank)));
    if rows == cols {
        let message = format!("dimension {rows} is named twice");
        raise(Error::new(ErrorKind::Value, "matrix_norm", message));
    }
    let both = [rows as isize, cols as isize];
    let values = |op: &dyn Fn(&Tensor) -> Tensor| {
        let others = (0..rank).filter(|d| *d != rows && *d != cols);
        let order = others.chain([rows, cols]).map(|d| d as isize).collect();
        let y = op(&svdvals(&Permute(order).apply([x])));
        match keepdim {
            true => y.reshape(x.shape().with(rows, 1).with(cols, 1)),
            false => y,
        }
    };
    match ord {
        Ord::Frobenius => vector_norm(x, 2.0, both, keepdim),
        Ord::Nuclear => values(&|s| s.sum_dim(-1, false)),
        Ord::P(p) if p.abs() == 2.0 => values(&|s| {
            if p > 0.0 {
                s.amax(-1, false)
            } else {
                s.amin(-1, false)
            }
        }),
        Ord::P(p) if p.abs() == 1.0 || p.is_infinite() => {
            let (inner, outer) = if p.is_infinite() {
                (cols, rows)
            } else {
                (rows, cols)
            };
            let sums = vector_norm(x, 1.0, inner as isize, true);
            let y = match p > 0.0 {
                true => sums.amax(outer as isize, true),
                false => sums.amin(outer as isize, true),
            };
            match keepdim {
                true => y,
                false => y.reshape(x.shape().remove(rows.max(cols)).remove(rows.min(cols))),
            }
        }
        Ord::P(p) => {
            let message = format!("there is no norm of matrices of order {p}");
            raise(
                Error::new(ErrorKind::Value, "matrix_norm", message)
                    .note("the orders are 1, −1, 2, −2, ∞, −∞, `Ord::Frobenius` and `Ord::Nuclear`"),
            )
        }
    }
}

/// The 2-norm of all elements, as one vector: what `torch.linalg.norm` gives without further arguments.
///
/// # Panics
/// If the dtype is not a floating-point one.
#[track_caller]
pub fn norm(x: &Tensor) -> Tensor {
    vector_norm(x, 2.0, (), false)
}

/// The condition number in the 2-norm: the largest singular value over the smallest.
///
/// # Panics
/// As [`svdvals`].
#[track_caller]
pub fn cond(x: &Tensor) -> Tensor {
    let s = svdvals(x);
    s.amax(-1, false) / s.amin(-1, false)
}

/// The condition number in another norm: ‖A‖ ‖A⁻¹‖, infinite for singular matrices. −2 is the smallest singular value over
/// the largest.
///
/// # Panics
/// As [`matrix_norm`], and if the matrices are not square, but for the 2-norm.
#[track_caller]
pub fn cond_ord(x: &Tensor, ord: impl Into<Ord>) -> Tensor {
    let ord = ord.into();
    if let Ord::P(p) = ord
        && p.abs() == 2.0
    {
        return if p > 0.0 { cond(x) } else { 1.0 / cond(x) };
    }
    let norms = matrix_norm(x, ord, [-2, -1], false);
    let product = &norms * matrix_norm(&Inverse.apply([x]), ord, [-2, -1], false);
    // Of a singular matrix the inverse is NaN, and the number infinite. (Of one that is NaN, so is the number.)
    let known = product.eq(&product).logical_or(&norms.ne(&norms));
    product.where_(&known, &Tensor::full_as([], f64::INFINITY, x.dtype()))
}

/// The number of singular values that are larger than `atol` and than `rtol` times the largest; i64. By default `atol` is 0
/// and `rtol` max(m, n) ε, where ε is the dtype's, unless `atol` is given: then `rtol` is 0.
///
/// # Panics
/// As [`svdvals`].
#[track_caller]
pub fn matrix_rank(x: &Tensor, atol: Option<f64>, rtol: Option<f64>) -> Tensor {
    let [atol, rtol] = tolerances(x, atol, rtol);
    counted(&svdvals(&x.detach()), atol, rtol)
}
