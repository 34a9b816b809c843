//! Pseudo-inverses and least squares.

use super::*;
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, Sample, Saves};
use crate::ops::common::tied;
use wengert_array::Meta;

/// y = x⁺, the pseudo-inverse, for the rank that x has: singular values up to max(atol, rtol s₀) count as 0.
///
/// dx = −yᵀ dy yᵀ + (1 − x y) dyᵀ y yᵀ + yᵀ y dyᵀ (1 − y x) (Golub & Pereyra 1973, *The differentiation of pseudo-inverses and
/// nonlinear least squares problems whose variables separate*), which holds where the rank does not change.
#[derive(Clone, Debug)]
pub struct Pinv {
    /// Singular values up to this size count as 0,
    pub atol: f64,
    /// or up to this part of the largest.
    pub rtol: f64,
}

impl Op for Pinv {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "pinv";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y)];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let [m, n] = any_matrix("pinv", &x)?;
        Ok(x.with_shape(batch(x.shape).iter().copied().chain([n, m]).collect::<Shape>()))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        kernels::pinv(&x, self.atol, self.rtol)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(pinv_slope(&cx.x(0), &cx.y(), &dy))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, [x]: [Tensor; 1]| {
            Some(unembedded(&op.clone().apply([&embedded(&x)]), x.size(-2)))
        })
    }
    fn samples() -> Vec<Sample<Self>> {
        let op = || Pinv {
            atol: 0.0,
            rtol: 1e-10,
        };
        let a = Array::from_slice(&[2.0, 0.0, 0.0, 4.0, 0.0, 0.0], [3, 2]);
        vec![
            Sample::new(op(), [a]).gives([0.5, 0.0, 0.0, 0.0, 0.25, 0.0]),
            Sample::new(op(), [sample(4, 2)]),
            Sample::new(op(), [sample(4, 3).reshape([2, 2, 3])]),
        ]
    }
}

/// The gradient of the pseudo-inverse y of x.
fn pinv_slope(x: &Tensor, y: &Tensor, dy: &Tensor) -> Tensor {
    let (yt, dt) = (mt(y), mt(dy));
    let right = dt.matmul(y).matmul(&yt);
    let left = yt.matmul(y).matmul(&dt);
    let dx = &right - x.matmul(&y.matmul(&right)) + &left - left.matmul(y).matmul(x);
    dx - yt.matmul(dy).matmul(&yt)
}

/// The smallest X of those that make ‖A X − B‖ smallest, and the rank of A, which has no gradient, end to end; dB = A⁺ᵀ dX, and dA
/// is what [`Pinv`] makes of dX Bᵀ, since X = A⁺ B.
#[derive(Clone, Debug)]
pub struct Fit {
    /// Singular values up to this part of the largest count as 0.
    pub rtol: f64,
}

impl Op for Fit {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "lstsq";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::x(1)), Saves::x(0)];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [a, b]: [In<'_>; 2]) -> Result<Meta> {
        let ([m, n], [rows, r]) = (matrix("lstsq", &a)?, matrix("lstsq", &b)?);
        let lead = batch(a.shape).broadcast(&batch(b.shape));
        let Some(lead) = lead.filter(|_| m == rows) else {
            let message = format!("cannot fit {} X to {}", a.shape, b.shape);
            return Err(Error::new(ErrorKind::Shape, "lstsq", message)
                .note("both must have as many rows, and leading dimensions must broadcast"));
        };
        Ok(a.with_shape(lead.iter().copied().chain([n * r + 1]).collect::<Shape>()))
    }
    fn forward(&self, [a, b]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        let lead = Shape::new(&y.shape[..y.shape.rank() - 1]);
        let (x, rank) = kernels::least_squares(&a, &b, &lead, self.rtol);
        pack(&lead, &[x, rank.cast(y.dtype).unsqueeze(lead.rank())])
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let [n, r] = [cx.meta(0), cx.meta(1)].map(|meta| meta.shape[meta.shape.rank() - 1]);
        let [dx, _] = unpack(&dy, [&[n, r], &[1]]);
        let a = cx.x(0);
        let rtol = self.rtol;
        let inverse = Pinv { atol: 0.0, rtol }.apply([&a]);
        let da = cx.grad(0, || pinv_slope(&a, &inverse, &dx.matmul(&mt(&cx.x(1)))));
        [da, Some(mt(&inverse).matmul(&dx))]
    }
    fn samples() -> Vec<Sample<Self>> {
        let op = || Fit { rtol: 1e-10 };
        let a = Array::from_slice(&[2.0, 0.0, 0.0, 4.0, 0.0, 0.0], [3, 2]);
        let b = Array::from_slice(&[2.0, 2.0, 5.0], [3, 1]);
        vec![
            Sample::new(op(), [a, b]).gives([1.0, 0.5, 2.0]),
            Sample::new(op(), [sample(2, 4), sample(2, 3)]),
            Sample::new(op(), [sample(4, 3).reshape([2, 2, 3]), sample(2, 2)]),
        ]
    }
}

/// The sizes up to which singular values count as 0, absolute and relative to the largest: PyTorch's where not given.
pub(super) fn tolerances(x: &Tensor, atol: Option<f64>, rtol: Option<f64>) -> [f64; 2] {
    let epsilon = if x.dtype() == DType::F64 {
        f64::EPSILON
    } else {
        f64::from(f32::EPSILON)
    };
    let side = x.shape().iter().rev().take(2).copied().max().unwrap_or(0);
    let relative = if atol.is_some_and(|a| a > 0.0) {
        0.0
    } else {
        side as f64 * epsilon
    };
    [atol.unwrap_or(0.0), rtol.unwrap_or(relative)]
}

/// The pseudo-inverse (Moore–Penrose), of matrices of any shape and rank. Singular values up to max(m, n) ε times the
/// largest count as 0, where ε is the dtype's; [`pinv_tol`] says otherwise.
///
/// # Panics
/// If it has less than two dimensions, or an element is not finite.
#[track_caller]
pub fn pinv(x: &Tensor) -> Tensor {
    pinv_tol(x, None, None)
}

/// As [`pinv`], where singular values up to the larger of `atol` and `rtol` times the largest count as 0. By default `atol`
/// is 0, and `rtol` max(m, n) ε unless an `atol` above 0 is given.
///
/// # Panics
/// As [`pinv`].
#[track_caller]
pub fn pinv_tol(x: &Tensor, atol: Option<f64>, rtol: Option<f64>) -> Tensor {
    finite("pinv", x);
    let [atol, rtol] = tolerances(x, atol, rtol);
    Pinv { atol, rtol }.apply([x])
}

/// What [`lstsq`] gives.
#[derive(Clone, Debug)]
pub struct LeastSquares {
    /// X that makes ‖A X − B‖ smallest, and of those the smallest.
    pub solution: Tensor,
    /// ‖A X − B‖² for each column, where A has more rows than columns and full rank; else empty.
    pub residuals: Tensor,
    /// The rank of A, i64.
    pub rank: Tensor,
}

/// The X that makes ‖A X − B‖ smallest, and of those the smallest: A⁺ B, for matrices A [.., m, n] and B [.., m, r], or a vector B
/// for a matrix A. Singular values up to `rcond` times the largest count as 0; `None` is max(m, n) ε.
///
/// The solution and the residuals are differentiable, where the rank does not change.
///
/// # Panics
/// If the shapes do not fit, the dtypes differ, or an element is not finite.
#[track_caller]
pub fn lstsq(a: &Tensor, b: &Tensor, rcond: Option<f64>) -> LeastSquares {
    let (sa, sb) = (a.shape(), b.shape());
    let vector = sb.rank() + 1 == sa.rank() && sb[..] == sa[..sa.rank() - 1];
    let fits =
        sa.rank() >= 2 && (vector || (sb.rank() == sa.rank() && sb[sb.rank() - 2] == sa[sa.rank() - 2]));
    if !fits {
        let message = format!("cannot fit {sa} X to {sb}");
        raise(
            Error::new(ErrorKind::Shape, "lstsq", message)
                .note("both must have as many rows, and the right side as many dimensions or one less"),
        );
    }
    if a.dtype() != b.dtype() {
        let message = format!("cannot combine {} and {}", a.dtype(), b.dtype());
        raise(Error::new(ErrorKind::DType, "lstsq", message).note("both sides must have the same dtype"));
    }
    finite("lstsq", a);
    finite("lstsq", b);
    let [_, rtol] = tolerances(a, None, rcond);
    let b = if vector { b.unsqueeze(-1) } else { b.clone() };
    let [m, n, r] = [sa[sa.rank() - 2], sa[sa.rank() - 1], b.size(-1)];
    let [x, rank] = unpack(&Fit { rtol }.apply([a, &b]), [&[n, r], &[]]);
    // One for each A, however many B there are.
    let rank = match *batch(&sa) == rank.shape()[..] {
        true => rank.detach().to(DType::I64),
        false => counted(&svdvals(&a.detach()), 0.0, rtol),
    };
    let full = m > n && rank.to_vec::<i64>().iter().all(|r| *r == n as i64);
    let residuals = match full {
        true => (a.matmul(&x) - &b).square().sum_dim(-2, false),
        // No elements, and yet a function of both.
        false => tied(tied(Tensor::full_as([0], 0.0, a.dtype()), a), &b),
    };
    LeastSquares {
        solution: if vector { x.squeeze(-1) } else { x },
        residuals: if vector && full {
            residuals.squeeze(-1)
        } else {
            residuals
        },
        rank,
    }
}

/// How many of some singular values do not count as 0.
pub(super) fn counted(s: &Tensor, atol: f64, rtol: f64) -> Tensor {
    if s.size(-1) == 0 {
        return s.sum_dim(-1, false).to(DType::I64);
    }
    let least = (s.amax(-1, true) * rtol).maximum(&Tensor::full_as([], atol, s.dtype()));
    s.gt(&least).sum_dim(-1, false)
}

contract! { pinv: Pinv, lstsq: Fit }
