//! Linear algebra: products, decompositions, and what is solved with them, as in PyTorch's `torch.linalg`.
//!
//! Matrices are the last two dimensions; those before them are stacks. Decompositions take f32 and f64 and compute in
//! f64. An operation with several results is one whose results lie end to end in one array, of which they are
//! views: a result that nobody uses gets a gradient of zeros.
//!
//! ```
//! use wengert::{Tensor, linalg};
//!
//! let a = Tensor::new([[4.0, 2.0], [2.0, 3.0]]).requires_grad_(true);
//! let l = linalg::cholesky(&a);
//! assert!(l.matmul(&l.t()).allclose(&a, 1e-6, 1e-6));
//! linalg::slogdet(&a).1.backward();
//! assert!(a.grad().unwrap().allclose(&linalg::inv(&a), 1e-6, 1e-6));
//! ```

mod cholesky;
mod eigen;
mod einsum;
mod exponential;
mod indefinite;
mod least;
mod lu;
mod norm;
mod power;
mod product;
mod qr;
mod reflections;
mod solve;
mod statistics;
mod svd;
mod tensor;

pub use cholesky::{Cholesky, Mirror, cholesky, cholesky_ex, cholesky_inverse, cholesky_solve};
pub use eigen::{Eigh, eigh, eigvalsh};
pub use einsum::einsum;
pub use exponential::{MatrixExp, matrix_exp};
pub use indefinite::{LdlSolve, ldl_factor, ldl_factor_ex, ldl_solve};
pub use least::{Fit, LeastSquares, Pinv, lstsq, pinv, pinv_tol};
pub use lu::{Lu, lu, lu_factor, lu_solve, lu_unpack};
pub use norm::{Ord, cond, cond_ord, matrix_norm, matrix_rank, norm, vector_norm};
pub use power::{matrix_power, multi_dot};
pub use product::{cross, kron, tensordot, tensordot_dims, vecdot};
pub use qr::{Mode, Qr, qr};
pub use reflections::{geqrf, householder_product, ormqr};
pub use solve::{
    Cofactor, Det, Inverse, SLogDet, Solve, SolveTriangular, det, inv, inv_ex, logdet, slogdet, solve,
    solve_ex, solve_left, solve_triangular,
};
pub use statistics::{Distances, cdist, corrcoef, cov};
pub use svd::{Svd, svd, svdvals};
pub use tensor::{tensorinv, tensorsolve, vander};

use super::contract;
use crate::autograd::Precision;
use crate::autograd::autocast::bring;
use crate::op::{In, Op};
use crate::ops::cat;
use crate::tensor::Tensor;
use wengert_array::kernels::Reduce;
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape, kernels, raise};

/// The leading dimensions, those of a stack of matrices.
fn batch(shape: &Shape) -> Shape {
    Shape::new(&shape[..shape.rank() - 2])
}

/// The shape with other last dimensions in place of the last two.
fn with_last(shape: &Shape, last: &[usize]) -> Shape {
    batch(shape).iter().chain(last).copied().collect()
}

/// Rows and columns of a matrix or of each of a stack, of numbers that decompositions take.
fn matrix(op: &str, x: &In<'_>) -> Result<[usize; 2]> {
    if x.dtype.is_complex() {
        let message = format!("takes no complex numbers, and got {}", x.dtype);
        return Err(Error::new(ErrorKind::DType, op, message));
    }
    any_matrix(op, x)
}

/// As [`matrix`], of real or complex numbers.
fn any_matrix(op: &str, x: &In<'_>) -> Result<[usize; 2]> {
    let &[.., m, n] = x.shape.dims() else {
        let message = format!("needs a matrix or a stack of matrices, and got shape {}", x.shape);
        return Err(Error::new(ErrorKind::Shape, op, message));
    };
    if !matches!(x.dtype.real(), DType::F32 | DType::F64) {
        let message = format!("needs float32 or float64, and got {}", x.dtype);
        return Err(Error::new(ErrorKind::DType, op, message).help("convert it: `.to(DType::F32)`"));
    }
    Ok([m, n])
}

/// Complex matrices A + iB as the real ones [[A, −B], [B, A]], whose sums, products and inverses are of that form again.
fn embedded(z: &Tensor) -> Tensor {
    let (re, im) = (z.real(), z.imag());
    let (top, low) = (cat(&[&re, &-&im], -1), cat(&[&im, &re], -1));
    cat(&[&top, &low], -2)
}

/// The complex matrices [[A], [B]], of which A has as many rows as there are complex ones.
fn unembedded(y: &Tensor, cols: usize) -> Tensor {
    let n = y.size(-2) / 2;
    let part = |start| y.narrow(-2, start, n).narrow(-1, 0, cols);
    Tensor::complex(&part(0), &part(n))
}

/// The size of a square matrix or of each of a stack.
fn square(op: &str, x: &In<'_>) -> Result<usize> {
    matrix(op, x)?;
    any_square(op, x)
}

/// As [`square`], of real or complex numbers.
fn any_square(op: &str, x: &In<'_>) -> Result<usize> {
    match any_matrix(op, x)? {
        [m, n] if m == n => Ok(n),
        _ => {
            let message = format!("needs square matrices, and got shape {}", x.shape);
            Err(Error::new(ErrorKind::Shape, op, message).note("the last two dimensions must be equal"))
        }
    }
}

/// Refuses numbers that are not finite: no method of decomposition ends on them.
#[track_caller]
fn finite(op: &str, x: &Tensor) {
    let x = x.array();
    let ends = [Reduce::Min, Reduce::Max];
    if !x.dtype().is_float() || ends.iter().all(|&end| extreme(&x, end).is_finite()) {
        return;
    }
    raise(Error::new(
        ErrorKind::Linalg,
        op,
        "the input has elements that are infinite or NaN",
    ));
}

/// The smallest or largest element, NaN where one is; 0 of none.
fn extreme(x: &Array, end: Reduce) -> f64 {
    if x.numel() == 0 {
        return 0.0;
    }
    let axes: Vec<usize> = (0..x.rank()).collect();
    let end = kernels::reduce(x, &axes, end, x.dtype());
    end.item().expect("one element is left")
}

fn has_nan(x: &Array) -> bool {
    if x.dtype().is_complex() {
        return has_nan(&x.real()) || has_nan(&x.imag());
    }
    extreme(x, Reduce::Max).is_nan()
}

/// Refuses what a decomposition that found no end gave for finite numbers.
#[track_caller]
fn found(op: &str, y: &Tensor) {
    if has_nan(&y.array()) {
        let error = Error::new(ErrorKind::Linalg, op, "the iteration did not converge");
        raise(error.note(
            "this takes matrices of very large and very small numbers at once: scale its rows or columns",
        ));
    }
}

/// Which matrix of a stack an error is about.
fn which(shape: &Shape, k: usize) -> String {
    match shape.rank() {
        2 => "the matrix".to_string(),
        _ => format!(
            "matrix {} of the stack",
            crate::autograd::check::element(&batch(shape), k)
        ),
    }
}

/// Rows and columns exchanged.
fn mt(x: &Tensor) -> Tensor {
    x.transpose(-2, -1)
}

/// A number for each matrix, as a matrix of one element each.
fn as_matrix(x: &Tensor) -> Tensor {
    x.unsqueeze(-1).unsqueeze(-1)
}

fn identity(n: usize, dtype: DType) -> Array {
    let mut eye = vec![0.0; n * n];
    eye.iter_mut().step_by(n + 1).for_each(|x| *x = 1.0);
    Array::from_slice(&eye, [n, n]).cast(dtype)
}

fn eye(n: usize, like: &Tensor) -> Tensor {
    Tensor::constant(identity(n, like.dtype()))
}

/// The elements on or below diagonal `k` (`upper`: on or above), zeros elsewhere.
fn triangle(x: &Tensor, k: isize, upper: bool) -> Tensor {
    if upper { x.triu(k) } else { x.tril(k) }
}

/// The diagonals of matrices.
fn diagonal(x: &Tensor) -> Tensor {
    x.diagonal(0, -2, -1)
}

/// Square matrices with these diagonals, and zeros elsewhere.
fn diagonal_matrix(d: &Tensor) -> Tensor {
    d.diag_embed(0, -2, -1)
}

/// x⁻¹ where x is not 0, and 0 there: so that a difference of equal numbers, whose factor is 0 as well, adds nothing.
fn reciprocal_or_zero(x: &Tensor) -> Tensor {
    let (some, one, zero) = (
        x.ne(0.0),
        Tensor::full_as([], 1.0, x.dtype()),
        Tensor::full_as([], 0.0, x.dtype()),
    );
    (1.0 / x.where_(&some, &one)).where_(&some, &zero)
}

/// Several results end to end in the last dimension, after the leading ones of a stack.
fn pack(lead: &Shape, parts: &[Array]) -> Array {
    let flat = |part: &Array| {
        let n: usize = part.shape()[lead.rank()..].iter().product();
        part.reshape(lead.iter().copied().chain([n]).collect::<Shape>())
    };
    kernels::concat(&parts.iter().map(flat).collect::<Vec<_>>(), lead.rank())
}

/// The parts of what [`pack`] made, in these shapes.
fn unpack<const N: usize>(packed: &Tensor, shapes: [&[usize]; N]) -> [Tensor; N] {
    let lead = packed.shape();
    let lead = Shape::new(&lead[..lead.rank() - 1]);
    let mut start = 0;
    shapes.map(|shape| {
        let n = shape.iter().product();
        start += n;
        let whole: Shape = lead.iter().chain(shape).copied().collect();
        packed.narrow(-1, start - n, n).reshape(whole)
    })
}

/// Numbers of both signs, n rows of m, that make no matrix singular.
fn sample(n: usize, m: usize) -> Array {
    let number =
        |k: usize| ((k * 37 + 11) % 23) as f64 / 8.0 - 1.25 + if k.is_multiple_of(m + 1) { 1.5 } else { 0.0 };
    Array::from_slice(&(0..n * m).map(number).collect::<Vec<_>>(), [n, m])
}

#[cfg(test)]
mod tests;
