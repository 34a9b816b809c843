//! Eigenvalues and eigenvectors of symmetric matrices.

use super::cholesky::symmetric;
use super::*;
use crate::autograd::{Ctx, is_recording};
use crate::op::{Extra, Fixed, Sample, Saves};
use wengert_array::Meta;
use wengert_array::kernels::Triangle;

/// Eigenvalues w, ascending, and eigenvectors V as columns, end to end, of the mean A = V diag(w) Vᵀ of x and xᵀ.
///
/// dx = ½ (G + Gᵀ) with G = V (diag(dw) + F ∘ Vᵀ dV) Vᵀ and Fᵢⱼ = 1 / (wⱼ − wᵢ), 0 where they are equal (Giles 2008; Seeger
/// et al. 2017, *Auto-differentiating linear algebra*).
#[derive(Clone, Debug)]
pub struct Eigh;

impl Op for Eigh {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "eigh";
    const SAVES: &'static [Saves] = &[Saves::Y];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let n = square("eigh", &x)?;
        Ok(x.with_shape(with_last(x.shape, &[n + n * n])))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let (w, v) = kernels::eigh(&x, Triangle::Both, true);
        let v = v.expect("vectors were asked for");
        pack(&Shape::new(&y.shape[..y.shape.rank() - 1]), &[w, v])
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let n = cx.meta(0).shape[cx.meta(0).shape.rank() - 1];
        let [w, v] = unpack(&cx.y(), [&[n], &[n, n]]);
        let [dw, dv] = unpack(&dy, [&[n], &[n, n]]);
        let f = reciprocal_or_zero(&(w.unsqueeze(-2) - w.unsqueeze(-1)));
        let inner = diagonal_matrix(&dw) + f * mt(&v).matmul(&dv);
        let g = v.matmul(&inner).matmul(&mt(&v));
        [Some((&g + mt(&g)) * 0.5)]
    }
    fn samples() -> Vec<Sample<Self>> {
        let a = Array::from_slice(&[2.0, 1.0, 1.0, -1.0], [2, 2]);
        let b = [4.0, 1.0, -2.0, 1.0, 2.0, 0.5, -2.0, 0.5, -3.0];
        let c = [1.0, 0.5, 0.25, 0.5, -2.0, 1.0, 0.25, 1.0, 5.0];
        vec![
            Sample::new(Eigh, [a]),
            Sample::new(Eigh, [Array::from_slice(&[b, c].concat(), [2, 3, 3])]),
            Sample::new(Eigh, [Array::from_slice(&[3.0], [1, 1])]).gives([3.0, 1.0]),
        ]
    }
}

/// Eigenvalues and, unless they are neither asked for nor needed for a gradient, eigenvectors of the matrix that a triangle
/// stands for.
#[track_caller]
fn decompose(op: &str, x: &Tensor, upper: bool, vectors: bool) -> (Tensor, Option<Tensor>) {
    finite(op, x);
    let value = x.array();
    if !(x.requires_grad() && is_recording()) && square(op, &In::from(&value)).is_ok() {
        let from = if upper { Triangle::Upper } else { Triangle::Lower };
        let (w, v) = kernels::eigh(&value, from, vectors);
        let w = Tensor::constant(w);
        found(op, &w);
        return (w, v.map(Tensor::constant));
    }
    let y = Eigh.apply([&symmetric(x, upper)]);
    found(op, &y);
    let shape = x.shape();
    let n = shape[shape.rank() - 1];
    let [w, v] = unpack(&y, [&[n], &[n, n]]);
    (w, Some(v))
}

/// The eigenvalues of symmetric matrices, ascending, and orthonormal eigenvectors as columns: A = V diag(w) Vᵀ. Only the
/// lower triangle is read (`upper`: the upper).
///
/// Eigenvectors are determined up to their sign, and those of equal eigenvalues up to a rotation. The gradient is
/// that of functions which do not depend on the choice. (Where eigenvalues are equal, PyTorch's gradient is NaN.)
///
/// ```
/// use wengert::{Tensor, linalg::eigh};
///
/// let (w, v) = eigh(&Tensor::new([[2.0, 1.0], [1.0, 2.0]]), false);
/// assert!(w.allclose(&Tensor::new([1.0, 3.0]), 1e-6, 1e-6));
/// assert!(v.matmul(&v.t()).allclose(&Tensor::eye(2), 1e-6, 1e-6));
/// ```
///
/// # Panics
/// If the matrices are not square, or an element is not finite.
#[track_caller]
pub fn eigh(x: &Tensor, upper: bool) -> (Tensor, Tensor) {
    let (w, v) = decompose("eigh", x, upper, true);
    (w, v.expect("vectors were asked for"))
}

/// The eigenvalues that [`eigh`] gives.
///
/// # Panics
/// As [`eigh`].
#[track_caller]
pub fn eigvalsh(x: &Tensor, upper: bool) -> Tensor {
    decompose("eigvalsh", x, upper, false).0
}

contract! { eigh: Eigh }
