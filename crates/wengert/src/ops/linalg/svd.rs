//! The singular value decomposition.

use super::*;
use crate::autograd::{Ctx, is_recording};
use crate::op::{Extra, Fixed, Sample, Saves};
use crate::ops::cat;
use wengert_array::Meta;

/// U, the singular values s, descending, and Vᵀ, end to end, of A = U diag(s) Vᵀ.
///
/// dA is U (skew(Uᵀ dU)/E · S + S · skew(Vᵀ dV)/E + diag(ds)) Vᵀ, and where A is tall or wide the parts of dU and dV outside
/// of the bases come to it, (1 − U Uᵀ) dU S⁻¹ Vᵀ and U S⁻¹ dVᵀ (1 − V Vᵀ). Here skew(X) = X − Xᵀ, Eᵢⱼ = sⱼ² − sᵢ² and
/// S = diag(s); quotients by 0 count as 0. (Townsend 2016, *Differentiating the singular value decomposition*; Seeger et
/// al. 2017, *Auto-differentiating linear algebra*.)
#[derive(Clone, Debug)]
pub struct Svd;

impl Op for Svd {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "svd";
    const SAVES: &'static [Saves] = &[Saves::Y];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let [m, n] = matrix("svd", &x)?;
        let k = m.min(n);
        Ok(x.with_shape(with_last(x.shape, &[m * k + k + k * n])))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let (u, s, vt) = kernels::svd(&x, false);
        pack(&batch(x.shape()), &[u, s, vt])
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let shape = &cx.meta(0).shape;
        let [m, n] = [shape[shape.rank() - 2], shape[shape.rank() - 1]];
        let k = m.min(n);
        let sizes: [&[usize]; 3] = [&[m, k], &[k], &[k, n]];
        let ([u, s, vt], [du, ds, dvt]) = (unpack(&cx.y(), sizes), unpack(&dy, sizes));
        let squares = &s * &s;
        let gaps = reciprocal_or_zero(&(squares.unsqueeze(-2) - squares.unsqueeze(-1)));
        let skew = |x: Tensor| (&x - mt(&x)) * &gaps;
        let inner = skew(mt(&u).matmul(&du)) * s.unsqueeze(-2)
            + s.unsqueeze(-1) * skew(vt.matmul(&mt(&dvt)))
            + diagonal_matrix(&ds);
        let mut left = u.matmul(&inner);
        let over = reciprocal_or_zero(&s);
        if m > k {
            let scaled = &du * over.unsqueeze(-2);
            left = left + &scaled - u.matmul(&mt(&u).matmul(&scaled));
        }
        let mut dx = left.matmul(&vt);
        if n > k {
            let scaled = over.unsqueeze(-1) * &dvt;
            dx += u.matmul(&(&scaled - scaled.matmul(&mt(&vt)).matmul(&vt)));
        }
        [Some(dx)]
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Svd, [sample(3, 3)]),
            Sample::new(Svd, [sample(4, 2)]),
            Sample::new(Svd, [sample(4, 3).reshape([2, 2, 3])]),
            Sample::new(Svd, [Array::from_slice(&[-2.0], [1, 1])]),
        ]
    }
}

#[track_caller]
fn decompose(op: &str, x: &Tensor) -> [Tensor; 3] {
    finite(op, x);
    let y = Svd.apply([x]);
    found(op, &y);
    let shape = x.shape();
    let [m, n] = [shape[shape.rank() - 2], shape[shape.rank() - 1]];
    let k = m.min(n);
    unpack(&y, [&[m, k], &[k], &[k, n]])
}

/// U, the singular values in descending order, and Vᵀ of A = U diag(s) Vᵀ. U has as many columns, and Vᵀ as many rows, as
/// there are singular values; with `full_matrices` they are square. (PyTorch's default is `true`.)
///
/// Pairs of singular vectors are determined up to their sign, and those of equal singular values up to a rotation. The
/// gradient is that of functions which do not depend on the choice; the vectors that `full_matrices` adds have
/// none, as in PyTorch.
///
/// ```
/// use wengert::{Tensor, linalg::svd};
///
/// let (u, s, vt) = svd(&Tensor::new([[3.0, 0.0], [0.0, -5.0], [0.0, 0.0]]), false);
/// assert!(s.allclose(&Tensor::new([5.0, 3.0]), 1e-6, 1e-6));
/// assert_eq!((u.shape().dims(), vt.shape().dims()), (&[3, 2][..], &[2, 2][..]));
/// ```
///
/// # Panics
/// If it has less than two dimensions, or an element is not finite.
#[track_caller]
pub fn svd(x: &Tensor, full_matrices: bool) -> (Tensor, Tensor, Tensor) {
    let [u, s, vt] = decompose("svd", x);
    let (m, n) = (x.size(-2), x.size(-1));
    if !full_matrices || m == n {
        return (u, s, vt);
    }
    let (all_u, _, all_v) = kernels::svd(&x.array(), true);
    let rest = |all: Array, dim: usize, k: usize| {
        let d = all.rank() - 2 + dim;
        Tensor::constant(all.slice(d, k, all.shape()[d] - k, 1))
    };
    let k = m.min(n);
    if m > n {
        return (cat(&[&u, &rest(all_u, 1, k)], -1), s, vt);
    }
    (u, s, cat(&[&vt, &rest(all_v, 0, k)], -2))
}

/// The singular values, in descending order.
///
/// # Panics
/// As [`svd`].
#[track_caller]
pub fn svdvals(x: &Tensor) -> Tensor {
    let value = x.array();
    if !(x.requires_grad() && is_recording()) && matrix("svd", &In::from(&value)).is_ok() {
        finite("svdvals", x);
        let s = Tensor::constant(kernels::svdvals(&value));
        found("svdvals", &s);
        return s;
    }
    let [_, s, _] = decompose("svdvals", x);
    s
}

contract! { svd: Svd }
