//! Orthogonal matrices as products of reflections, as QR decompositions find them.

use super::*;
use crate::autograd::is_recording;
use crate::ops::common::tied;
use crate::ops::ok;

/// Says that a decomposition is not to be differentiated, where it would be.
#[track_caller]
pub(super) fn no_gradient(op: &str, x: &Tensor, instead: &str) {
    if x.requires_grad() && is_recording() {
        raise(
            Error::new(ErrorKind::Graph, op, "has no gradient")
                .note("the result is for what follows it, such as solving, not for itself")
                .help(format!("use `{instead}`, or give it `x.detach()`")),
        );
    }
}

/// The QR decomposition as LAPACK keeps it: R on and above the diagonal of a matrix [.., m, n], below it the vectors of the
/// reflections whose product is Q, and their factors τ [.., min(m, n)]. [`householder_product`] and [`ormqr`] take both.
///
/// ```
/// use wengert::{Tensor, linalg::{geqrf, householder_product, qr, Mode}};
///
/// let x = Tensor::new([[3.0, 1.0], [4.0, 2.0], [1.0, 0.0]]);
/// let (a, tau) = geqrf(&x);
/// let (q, _) = qr(&x, Mode::Reduced);
/// assert!(householder_product(&a, &tau).allclose(&q, 1e-6, 1e-6));
/// ```
///
/// # Panics
/// If it has less than two dimensions, or is to be differentiated, which [`qr`] can be.
#[track_caller]
pub fn geqrf(x: &Tensor) -> (Tensor, Tensor) {
    no_gradient("geqrf", x, "qr");
    let value = x.array();
    if let Err(error) = matrix("geqrf", &In::from(&value)) {
        raise(error);
    }
    let (a, tau) = kernels::geqrf(&value);
    (Tensor::constant(a), Tensor::constant(tau))
}

/// Q C, or Qᵀ C with `adjoint`, for the product Q of the reflections 1 − τᵢ vᵢ vᵢᵀ, whose vectors are the columns of V.
///
/// Q = 1 − V T Vᵀ with T⁻¹ = diag(τ)⁻¹ + S, where S is Vᵀ V above its diagonal; in a form that allows τ = 0:
/// (1 + diag(τ) S) T = diag(τ). (Joffrain et al. 2006, *Accumulating Householder transformations, revisited*.)
#[track_caller]
fn reflected(v: &Tensor, tau: &Tensor, c: &Tensor, adjoint: bool) -> Tensor {
    let inner = tau.unsqueeze(-1) * triangle(&mt(v).matmul(v), 1, true) + eye(v.size(-1), v);
    let t = SolveTriangular {
        upper: true,
        unit: true,
    }
    .apply([&inner, &diagonal_matrix(tau)]);
    let t = if adjoint { mt(&t) } else { t };
    c - v.matmul(&t.matmul(&mt(v).matmul(c)))
}

/// The vectors of the reflections, of as many as there are factors: what is below the diagonal of v, and ones on it.
#[track_caller]
fn vectors(op: &str, v: &Tensor, tau: &Tensor) -> Tensor {
    let [m, _] = ok(matrix(op, &In::from(&v.array())));
    let k = tau.shape().last().copied().unwrap_or(0);
    let lead = batch(&v.shape());
    let fits =
        k <= v.size(-1) && k <= m && tau.dim() + 1 == v.dim() && lead[..] == tau.shape()[..lead.rank()];
    if !fits || tau.dtype() != v.dtype() {
        let message = format!(
            "reflections {} of shape {} and factors {} of shape {} do not fit",
            v.dtype(),
            v.shape(),
            tau.dtype(),
            tau.shape()
        );
        raise(Error::new(ErrorKind::Shape, op, message).note(
            "both must be of one dtype and have the same leading dimensions, and there must be at most as many factors as columns and as rows",
        ));
    }
    triangle(&v.narrow(-1, 0, k), -1, false) + eye(m, v).narrow(-1, 0, k)
}

/// The first n columns of the product of reflections 1 − τᵢ vᵢ vᵢᵀ, where vᵢ is column i of v [.., m, n] from its diagonal on, which
/// counts as one, and τᵢ element i of `tau` [.., k], k ≤ n ≤ m.
///
/// # Panics
/// If the shapes do not fit, or the dtypes differ.
#[track_caller]
pub fn householder_product(v: &Tensor, tau: &Tensor) -> Tensor {
    let all = vectors("householder_product", v, tau);
    let (m, n) = (v.size(-2), v.size(-1));
    if m < n {
        let message = format!("there are more columns than rows in {}", v.shape());
        raise(
            Error::new(ErrorKind::Shape, "householder_product", message)
                .note("the product has as many rows as columns, of which no more can be asked for"),
        );
    }
    let q = reflected(&all, tau, &eye(m, v).narrow(-1, 0, n).expand(v.shape()), false);
    // Without reflections it is made of neither.
    tied(tied(q, v), tau)
}

/// Q C for the product Q [.., m, m] of the reflections that [`geqrf`] gives as v and `tau`, without making Q; `left` false: C Q;
/// `transpose`: with Qᵀ for Q.
///
/// ```
/// use wengert::{Tensor, linalg::{geqrf, ormqr}};
///
/// let x = Tensor::new([[3.0, 1.0], [4.0, 2.0]]);
/// let (a, tau) = geqrf(&x);
/// // Qᵀ X = R
/// assert!(ormqr(&a, &tau, &x, true, true).allclose(&a.triu(0), 1e-5, 1e-5));
/// ```
///
/// # Panics
/// If the shapes do not fit, or the dtypes differ.
#[track_caller]
pub fn ormqr(v: &Tensor, tau: &Tensor, c: &Tensor, left: bool, transpose: bool) -> Tensor {
    let all = vectors("ormqr", v, tau);
    if let Err(error) = matrix("ormqr", &In::from(&c.array())) {
        raise(error);
    }
    let side = if left { -2 } else { -1 };
    if c.dim() != v.dim()
        || c.size(side) != v.size(-2)
        || batch(&c.shape()) != batch(&v.shape())
        || c.dtype() != v.dtype()
    {
        let message = format!(
            "reflections {} of shape {} cannot be applied to {} of shape {}",
            v.dtype(),
            v.shape(),
            c.dtype(),
            c.shape()
        );
        let what = if left { "rows" } else { "columns" };
        raise(Error::new(ErrorKind::Shape, "ormqr", message).note(format!(
            "both must be of one dtype and have the same leading dimensions, and the second as many {what} as the first has rows"
        )));
    }
    let y = match left {
        true => reflected(&all, tau, c, transpose),
        false => mt(&reflected(&all, tau, &mt(c), !transpose)),
    };
    tied(tied(y, v), tau)
}
