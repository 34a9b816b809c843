//! How far a prediction is from the truth. Losses refuse unequal shapes: broadcasting a prediction against
//! a truth is nearly always a mistake, and silently gives a wrong number.

use super::contract;
use crate::autograd::{Ctx, is_recording};
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Body, Reduce};
use wengert_array::real::Real;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, raise};

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
    fn infer(&self, [a, b]: [In<'_>; 2]) -> Result<Meta> {
        if a.shape != b.shape {
            let message = format!(
                "a prediction of shape {} and a target of shape {} differ",
                a.shape, b.shape
            );
            let mut error = Error::new(ErrorKind::Shape, "mse_loss", message)
                .note("they must be equal: broadcasting here would compare each number with many");
            if a.shape.numel() == b.shape.numel() {
                error = error.help(format!("`target.reshape({})` would fit", a.shape));
            }
            return Err(error);
        }
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

/// For each row of logits x, L = ln Σ e^x − x[target]; dx = dL (softmax(x) − onehot(target)). Rows whose target
/// is `ignore_index` have no loss.
#[derive(Clone, Debug)]
pub struct CrossEntropyOp {
    /// The target of rows that do not count.
    pub ignore_index: i64,
}

impl Op for CrossEntropyOp {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "cross_entropy";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::x(1))];
    fn infer(&self, [x, target]: [In<'_>; 2]) -> Result<Meta> {
        let fits = x.shape.rank() == 2 && target.shape.rank() == 1 && x.shape[0] == target.shape[0];
        if !fits {
            let message = format!(
                "logits of shape {} and targets of shape {} do not fit",
                x.shape, target.shape
            );
            return Err(Error::new(ErrorKind::Shape, "cross_entropy", message)
                .note("there must be one class number for each row: [n, classes] and [n]"));
        }
        if !x.dtype.is_float() || target.dtype != DType::I64 {
            let message = format!("logits are {} and targets {}", x.dtype, target.dtype);
            return Err(Error::new(ErrorKind::DType, "cross_entropy", message)
                .note("logits must be floating-point and targets int64 class numbers"));
        }
        Ok(x.with_shape([x.shape[0]]))
    }
    fn forward(&self, [x, target]: [Array; 2], _: &Meta, extra: &mut Extra) -> Array {
        let [loss, lse] = kernels::cross_entropy(&x, &target, self.ignore_index);
        extra.keep(lse);
        loss
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let (x, target) = (cx.x(0), cx.x(1));
        if !is_recording() {
            let (x, target, dy) = (x.array(), target.array(), dy.array());
            let dx = kernels::cross_entropy_backward(&x, &cx.extra(0), &target, &dy, self.ignore_index);
            return [Some(Tensor::constant(dx)), None];
        }
        let classes = Tensor::arange(0, cx.meta(0).shape[1] as i64);
        let target = target.detach().unsqueeze(1);
        let counts = target.ne(self.ignore_index as f64).to(dy.dtype());
        let truth = classes.eq(&target).to(dy.dtype());
        [Some((x.softmax(1) - truth) * (dy.unsqueeze(1) * counts)), None]
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = || Array::from_slice(&[0.5, -1.0, 2.0, 3.0, -0.25, 1.5], [2, 3]);
        let op = || CrossEntropyOp { ignore_index: -100 };
        vec![
            Sample::new(op(), [x(), Array::from_slice(&[2i64, 1], [2])]),
            Sample::new(op(), [x(), Array::from_slice(&[0i64, -100], [2])]),
            Sample::new(
                op(),
                [
                    Array::full([1, 4], 0.0, DType::F64),
                    Array::from_slice(&[3i64], [1]),
                ],
            )
            .gives([4f64.ln()]),
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

/// The cross-entropy between logits `[n, classes]` and the true class numbers `[n]`, or, where `target` has the
/// logits' shape and is floating-point, probabilities of the classes. Logits may have further dimensions,
/// [n, classes, d…] with targets [n, d…]. Targets equal to `ignore_index` do not count, as PyTorch's.
///
/// # Panics
/// If shapes or dtypes do not fit, or a class number is out of range.
#[track_caller]
pub fn cross_entropy(logits: &Tensor, target: &Tensor, reduction: Reduction, ignore_index: i64) -> Tensor {
    let shape = logits.shape();
    if shape == target.shape() && target.dtype().is_float() {
        return of_probabilities(logits, target, reduction);
    }
    let (rows, flat, losses_shape) = match shape.rank() {
        1 => (
            logits.unsqueeze(0),
            target.reshape([target.numel()]),
            Shape::default(),
        ),
        0 | 2 => (logits.clone(), target.clone(), target.shape()),
        _ => {
            let order: Vec<isize> = [0]
                .into_iter()
                .chain(2..shape.rank() as isize)
                .chain([1])
                .collect();
            let moved = super::shape::Permute(order).apply([logits]).flatten(0, -2);
            (moved, target.reshape([target.numel()]), target.shape())
        }
    };
    let flat = if flat.dtype().is_integer() {
        flat.to(DType::I64)
    } else {
        flat
    };
    if let Err(error) = check_classes(&rows, &flat, ignore_index) {
        raise(error);
    }
    let losses = CrossEntropyOp { ignore_index }.apply([&rows, &flat]);
    match reduction {
        Reduction::None => losses.reshape(&losses_shape),
        Reduction::Sum => losses.sum(),
        Reduction::Mean => {
            let ignored = flat.array();
            let counted = ignored
                .as_slice::<i64>()
                .iter()
                .filter(|t| **t != ignore_index)
                .count();
            losses.sum() / counted as f64
        }
    }
}

fn check_classes(logits: &Tensor, target: &Tensor, ignore_index: i64) -> Result<()> {
    let (array, shape) = (target.array().contiguous(), logits.shape());
    if array.dtype() != DType::I64 || shape.rank() != 2 {
        return Ok(()); // infer says what is wrong
    }
    let classes = shape[1] as i64;
    let wrong = |t: &i64| *t != ignore_index && !(0..classes).contains(t);
    match array.as_slice::<i64>().iter().position(wrong) {
        None => Ok(()),
        Some(at) => {
            let class = array.as_slice::<i64>()[at];
            let message = format!("class {class}, at position {at} of the targets, is out of range");
            Err(
                Error::new(ErrorKind::Index, "cross_entropy", message).note(format!(
                    "logits of shape {shape} have classes 0 to {}",
                    classes - 1
                )),
            )
        }
    }
}

#[track_caller]
fn of_probabilities(logits: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    let dim = if logits.dim() == 1 { 0 } else { 1 };
    let losses = -(logits.log_softmax(dim) * target).sum_dim(dim, false);
    match reduction {
        Reduction::None => losses,
        Reduction::Sum => losses.sum(),
        Reduction::Mean => losses.mean(),
    }
}

contract! {
    mse_loss: MseOp,
    cross_entropy: CrossEntropyOp,
}
