//! How far a prediction is from the truth. Losses refuse unequal shapes: broadcasting a prediction against
//! a truth is nearly always a mistake, and silently gives a wrong number.

mod binary;
mod classification;
mod ctc;
mod ranking;
mod regression;

pub use binary::*;
pub use classification::*;
pub use ctc::*;
pub use ranking::*;
pub use regression::*;

use super::common::floats;
use super::{contract, ok};
use crate::autograd::{Ctx, Precision, is_recording};
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Body, Reduce};
use wengert_array::real::Real;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape};

/// What becomes of the losses of single elements or rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// They are returned as they are.
    None,
}

struct SquareOfDifference;
impl Body<2, 0, 1> for SquareOfDifference {
    #[inline(always)]
    fn eval<S: Real>(&self, [a, b]: [S; 2], []: [S; 0]) -> [S; 1] {
        let d = a - b;
        [d * d]
    }
}

/// c (a − b), with c in the second group of inputs.
struct ScaledDifference;
impl Body<2, 1, 1> for ScaledDifference {
    #[inline(always)]
    fn eval<S: Real>(&self, [a, b]: [S; 2], [c]: [S; 1]) -> [S; 1] {
        [c * (a - b)]
    }
}

/// L = 1/n Σ (a − b)², or the sum, or each square; da = dL 2/n (a − b), db = −da.
#[derive(Clone, Debug)]
pub struct MseOp(pub Reduction);

impl Op for MseOp {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "mse_loss";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::x(1))];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [a, b]: [In<'_>; 2]) -> Result<Meta> {
        same_shapes("mse_loss", a.shape, b.shape)?;
        let dtype = a.dtype.promote(b.dtype);
        if !dtype.is_float() {
            let message = format!(
                "needs floating-point numbers, and got {} and {}",
                a.dtype, b.dtype
            );
            return Err(Error::new(ErrorKind::DType, "mse_loss", message));
        }
        let shape = if self.0 == Reduction::None {
            a.shape.clone()
        } else {
            Shape::default()
        };
        Ok(Meta {
            shape,
            dtype,
            device: a.device,
        })
    }
    fn forward(&self, [a, b]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        let (shape, n) = (a.shape().clone(), a.numel());
        let [squares] = kernels::map(
            &SquareOfDifference,
            y.dtype,
            [Some(a), Some(b)],
            [],
            &shape,
            [y.dtype],
        );
        if self.0 == Reduction::None {
            return squares;
        }
        let axes: Vec<usize> = (0..shape.rank()).collect();
        let sum = kernels::reduce(&squares, &axes, Reduce::Sum, y.dtype).reshape([]);
        if self.0 == Reduction::Sum {
            return sum;
        }
        // 0/0 for no elements is NaN, as in PyTorch.
        Array::full([], sum.item().expect("it is 0-d") / n as f64, y.dtype)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let n = cx.meta(0).shape.numel();
        let c = dy
            * if self.0 == Reduction::Mean {
                2.0 / n as f64
            } else {
                2.0
            };
        let (a, b) = (cx.x(0), cx.x(1));
        let da = if is_recording() {
            c * (a - b)
        } else {
            let (dtype, shape) = (c.dtype(), cx.meta(0).shape.clone());
            let (x, c) = (
                [Some(a.into_array()), Some(b.into_array())],
                [Some(c.into_array())],
            );
            let [da] = kernels::map(&ScaledDifference, dtype, x, c, &shape, [dtype]);
            Tensor::constant(da)
        };
        let db = cx.grad(1, || -&da);
        [Some(da), db]
    }
    fn samples() -> Vec<Sample<Self>> {
        let pair = || {
            [
                Array::from_slice(&[1.2, 1.6, 2.0, 2.8], [2, 2]),
                Array::full([2, 2], 1.0, DType::F64),
            ]
        };
        vec![
            Sample::new(MseOp(Reduction::Mean), pair()).gives([1.16]),
            Sample::new(MseOp(Reduction::Sum), pair()).gives([4.64]),
            Sample::new(MseOp(Reduction::None), pair()).gives([0.04, 0.36, 1.0, 3.24]),
            Sample::new(MseOp(Reduction::Mean), [Array::scalar(3.0), Array::scalar(1.0)]).gives([4.0]),
        ]
    }
}

/// The mean squared error, 1/n Σ (prediction − target)².
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn mse_loss(prediction: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    MseOp(reduction).apply([prediction, target])
}

impl Reduction {
    /// The reduced losses.
    #[track_caller]
    pub(crate) fn of(self, losses: Tensor) -> Tensor {
        match self {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
            Reduction::None => losses,
        }
    }
}

/// That a prediction and its target have one shape; else the error says what may have been meant.
pub(crate) fn same_shapes(op: &str, a: &Shape, b: &Shape) -> Result<()> {
    if a == b {
        return Ok(());
    }
    let message = format!("a prediction of shape {a} and a target of shape {b} differ");
    let mut error = Error::new(ErrorKind::Shape, op, message)
        .note("they must be equal: broadcasting here would compare each number with many");
    if a.numel() == b.numel() {
        error = error.help(format!("`target.reshape({a})` would fit"));
    }
    Err(error)
}

/// As [`same_shapes`] for tensors, at the caller's line.
#[track_caller]
pub(crate) fn require_same(op: &str, a: &Tensor, b: &Tensor) {
    ok(same_shapes(op, &a.shape(), &b.shape()).and_then(|()| floats(op, a, b)));
}

/// ln(1 + e) for e ≥ 0, exact where e is small.
#[inline(always)]
pub(crate) fn ln_1p<S: Real>(e: S) -> S {
    let sum = S::ONE + e;
    // What rounding the sum lost is made up for by the ratio.
    let ratio = e / S::select(sum.eq(S::ONE), S::ONE, sum - S::ONE);
    S::select(sum.eq(S::ONE), e, sum.ln() * ratio)
}

contract! { mse_loss: MseOp }
