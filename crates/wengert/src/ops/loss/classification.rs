//! Losses of classifiers.

use super::{Reduction, require_same};
use crate::autograd::autocast::bring;
use crate::autograd::{Ctx, Precision, is_recording};
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::ops::common::scalar;
use crate::ops::{contract, ok};
use crate::tensor::Tensor;
use wengert_array::kernels;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, raise};

/// For each row of logits x, L = ln Σ e^x − `x[target]`; dx = dL (softmax(x) − onehot(target)). Rows whose target
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
    const PRECISION: Precision = Precision::Full;
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
            let order = [0]
                .into_iter()
                .chain(2..shape.rank() as isize)
                .chain([1])
                .collect();
            let moved = crate::ops::shape::Permute(order).apply([logits]).flatten(0, -2);
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
    let logits = &bring(logits, Precision::Full);
    let dim = if logits.dim() == 1 { 0 } else { 1 };
    let losses = -(logits.log_softmax(dim) * target).sum_dim(dim, false);
    match reduction {
        Reduction::None => losses,
        Reduction::Sum => losses.sum(),
        Reduction::Mean => losses.mean(),
    }
}

/// [`cross_entropy`] with all its options: a weight for each class, and `label_smoothing`, by which part of the truth
/// is spread evenly over all classes (Szegedy et al., 2016).
///
/// # Panics
/// As [`cross_entropy`]; and if the smoothing is not in [0, 1], or there is not one weight for each class.
#[track_caller]
pub fn cross_entropy_with(
    logits: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
    ignore_index: i64,
    label_smoothing: f64,
) -> Tensor {
    const NAME: &str = "cross_entropy";
    if !(0.0..=1.0).contains(&label_smoothing) {
        let message = format!("label smoothing must be in [0, 1], and is {label_smoothing}");
        raise(Error::new(ErrorKind::Value, NAME, message));
    }
    if weight.is_none() && label_smoothing == 0.0 {
        return cross_entropy(logits, target, reduction, ignore_index);
    }
    let dim = if logits.dim() == 1 { 0 } else { 1 };
    if logits.dim() == 0 {
        raise(Error::new(
            ErrorKind::Shape,
            NAME,
            "logits of shape [] have no classes",
        ));
    }
    let classes = logits.size(dim);
    ok(check_weight(NAME, weight, classes));
    let log = logits.log_softmax(dim);
    if logits.shape() == target.shape() && target.dtype().is_float() {
        let target = target * (1.0 - label_smoothing) + label_smoothing / classes as f64;
        let all = log * target;
        let losses = match weight {
            Some(w) => -(all * along(w, dim, logits.dim())).sum_dim(dim, false),
            None => -all.sum_dim(dim, false),
        };
        return match reduction {
            // The mean over what is classified, not over classes.
            Reduction::Mean if losses.dim() == 0 => losses,
            _ => reduction.of(losses),
        };
    }
    let plain = nll_loss(&log, target, weight, reduction, ignore_index);
    if label_smoothing == 0.0 {
        return plain;
    }
    let spread = match weight {
        Some(w) => -(&log * along(w, dim, logits.dim())).sum_dim(dim, false),
        None => -log.sum_dim(dim, false),
    };
    let target = target.detach();
    let counts = target.ne(ignore_index as f64);
    let spread = spread.where_(&counts, &scalar(0.0, log.dtype()));
    let spread = match reduction {
        Reduction::None => spread,
        Reduction::Sum => spread.sum(),
        Reduction::Mean => {
            let total = weights_of(&target, weight, ignore_index, log.dtype()).sum();
            spread.sum() / total
        }
    };
    plain * (1.0 - label_smoothing) + spread * (label_smoothing / classes as f64)
}

/// A vector seen along `dim` of `rank` dimensions.
fn along(w: &Tensor, dim: isize, rank: usize) -> Tensor {
    let shape: Shape = (0..rank as isize)
        .map(|d| if d == dim { w.numel() } else { 1 })
        .collect();
    w.reshape(shape)
}

fn check_weight(op: &str, weight: Option<&Tensor>, classes: usize) -> Result<()> {
    match weight {
        Some(w) if w.shape() != [classes] => {
            let message = format!("the weight has shape {}, and must be [{classes}]", w.shape());
            Err(Error::new(ErrorKind::Shape, op, message).note("there is one number for each class"))
        }
        _ => Ok(()),
    }
}

/// For each target the weight of its class, 0 where it is ignored.
fn weights_of(target: &Tensor, weight: Option<&Tensor>, ignore_index: i64, dtype: DType) -> Tensor {
    let counts = target.ne(ignore_index as f64);
    match weight {
        None => counts.to(dtype),
        Some(w) => {
            let safe = target.where_(&counts, &scalar(0.0, target.dtype()));
            let each = w
                .to(dtype)
                .index_select(0, &safe.reshape([safe.numel()]))
                .reshape(target.shape());
            each.where_(&counts, &scalar(0.0, dtype))
        }
    }
}

/// The negative log-likelihood, −x\[target\], of log-probabilities `[n, classes, d…]` (or `[classes]`) for class numbers
/// `[n, d…]`, each times the weight of its class; the mean is over weights. Targets equal to `ignore_index` do not
/// count.
///
/// # Panics
/// If shapes or dtypes do not fit, or a class number is out of range.
#[track_caller]
pub fn nll_loss(
    x: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
    ignore_index: i64,
) -> Tensor {
    const NAME: &str = "nll_loss";
    let x = &bring(x, Precision::Full);
    let (shape, wanted) = (x.shape(), target.shape());
    let dim = if shape.rank() == 1 { 0 } else { 1 };
    if shape.rank() == 0 || shape.remove(dim) != wanted {
        let message = format!("log-probabilities of shape {shape} and targets of shape {wanted} do not fit");
        raise(
            Error::new(ErrorKind::Shape, NAME, message)
                .note("there must be one class number for each place: [n, classes, d…] and [n, d…]"),
        );
    }
    if !x.dtype().is_float() || !target.dtype().is_integer() {
        let message = format!(
            "log-probabilities are {} and targets {}",
            x.dtype(),
            target.dtype()
        );
        raise(
            Error::new(ErrorKind::DType, NAME, message)
                .note("the first must be floating-point and the others integer class numbers"),
        );
    }
    let classes = shape[dim];
    ok(check_weight(NAME, weight, classes));
    let target = target.detach().to(DType::I64);
    ok(check_numbers(NAME, &target, &shape, classes, ignore_index));
    let counts = target.ne(ignore_index as f64);
    let safe = target.where_(&counts, &scalar(0.0, DType::I64));
    let picked = x
        .gather(dim as isize, &safe.unsqueeze(dim as isize))
        .squeeze(dim as isize);
    let weights = weights_of(&target, weight, ignore_index, x.dtype());
    // An ignored place may hold −∞, so it is replaced rather than multiplied by zero.
    let losses = -(picked.where_(&counts, &scalar(0.0, x.dtype())) * &weights);
    match reduction {
        Reduction::None => losses,
        Reduction::Sum => losses.sum(),
        Reduction::Mean => losses.sum() / weights.sum(),
    }
}

/// L = Σ max(0, margin − x\[target\] + x\[i\])ᵖ / classes over the other classes i, for x `[n, classes]` and class numbers
/// `[n]`, times the weight of the target.
///
/// # Panics
/// If shapes do not fit, or p is neither 1 nor 2.
#[track_caller]
pub fn multi_margin_loss(
    x: &Tensor,
    target: &Tensor,
    p: i64,
    margin: f64,
    weight: Option<&Tensor>,
    reduction: Reduction,
) -> Tensor {
    const NAME: &str = "multi_margin_loss";
    let x = &bring(x, Precision::Full);
    if p != 1 && p != 2 {
        raise(Error::new(
            ErrorKind::Value,
            NAME,
            format!("p must be 1 or 2, and is {p}"),
        ));
    }
    let (rows, alone) = match x.dim() {
        0 | 1 => (x.reshape([1, x.numel()]), true),
        _ => (x.clone(), false),
    };
    let target = target.detach();
    let target = if alone {
        target.reshape([target.numel()])
    } else {
        target
    };
    if rows.dim() != 2 || target.shape() != [rows.size(0)] {
        let message = format!(
            "an input of shape {} and targets of shape {} do not fit",
            x.shape(),
            target.shape()
        );
        raise(Error::new(ErrorKind::Shape, NAME, message).note("they must be [n, classes] and [n]"));
    }
    let classes = rows.size(1);
    ok(check_weight(NAME, weight, classes));
    let target = target.to(DType::I64);
    ok(check_numbers(NAME, &target, &rows.shape(), classes, i64::MIN));
    let index = target.unsqueeze(1);
    let over = (&rows - rows.gather(1, &index) + margin).relu();
    let mut losses = if p == 2 { over.square() } else { over };
    if let Some(w) = weight {
        losses *= w.index_select(0, &target).unsqueeze(1);
    }
    let others = Tensor::arange(0, classes as i64).ne(&index);
    let losses = losses
        .where_(&others, &scalar(0.0, rows.dtype()))
        .sum_dim(1, false)
        / classes as f64;
    reduction.of(if alone { losses.squeeze(0) } else { losses })
}

fn check_numbers(op: &str, target: &Tensor, shape: &Shape, classes: usize, ignore: i64) -> Result<()> {
    let array = target.array().contiguous();
    let wrong = |t: &i64| *t != ignore && !(0..classes as i64).contains(t);
    let Some(at) = array.as_slice::<i64>().iter().position(wrong) else {
        return Ok(());
    };
    let class = array.as_slice::<i64>()[at];
    let message = format!("class {class}, at position {at} of the targets, is out of range");
    let note = format!("an input of shape {shape} has {classes} classes, counted from 0");
    Err(Error::new(ErrorKind::Index, op, message).note(note))
}

/// L = Σ max(0, 1 − (x\[j\] − x\[i\])) / classes over the targets j and all i that are no target, for x `[n, classes]`
/// and, in each row of `target`, class numbers up to the first negative one.
///
/// # Panics
/// If the shapes differ, or a class number is out of range.
#[track_caller]
pub fn multilabel_margin_loss(x: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    const NAME: &str = "multilabel_margin_loss";
    let x = &bring(x, Precision::Full);
    require_same(NAME, x, target);
    if x.dim() > 2 {
        let message = format!("an input of shape {} has more than two dimensions", x.shape());
        raise(Error::new(ErrorKind::Shape, NAME, message).note("it must be [n, classes] or [classes]"));
    }
    let shape: Shape = match x.dim() {
        2 => x.shape(),
        _ => [1, x.numel()].into(),
    };
    let (n, classes) = (shape[0], shape[1]);
    let numbers = target.to_vec::<i64>();
    let (mut place, mut valid, mut is_target) = (
        vec![0i64; n * classes],
        vec![false; n * classes],
        vec![false; n * classes],
    );
    for row in 0..n {
        for k in 0..classes {
            let class = numbers[row * classes + k];
            if class < 0 {
                break;
            }
            if class >= classes as i64 {
                let message = format!("class {class}, in row {row} of the targets, is out of range");
                raise(
                    Error::new(ErrorKind::Index, NAME, message).note(format!("there are {classes} classes")),
                );
            }
            (place[row * classes + k], valid[row * classes + k]) = (class, true);
            is_target[row * classes + class as usize] = true;
        }
    }
    let rows = x.reshape(&shape);
    let mine = rows.gather(1, &Tensor::from_slice(&place, &shape)).unsqueeze(2);
    let over = (rows.unsqueeze(1) - mine + 1.0).relu();
    let pairs = Tensor::from_slice(&valid, &shape).unsqueeze(2);
    let others = Tensor::from_slice(&is_target, &shape).logical_not().unsqueeze(1);
    let kept = over.where_(&pairs.logical_and(&others), &scalar(0.0, rows.dtype()));
    let losses = kept.sum_dim([1, 2], false) / classes as f64;
    reduction.of(if x.dim() == 2 { losses } else { losses.squeeze(0) })
}

contract! { cross_entropy: CrossEntropyOp }
