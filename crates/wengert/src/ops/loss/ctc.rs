//! Connectionist temporal classification.

use super::Reduction;
use crate::autograd::{Ctx, Precision, is_recording};
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::ops::common::{numbers, recorded_grads};
use crate::ops::contract;
use crate::ops::stack;
use crate::tensor::Tensor;
use std::sync::Arc;
use wengert_array::kernels::{self, Alignment};
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, raise};

/// L = −ln Σ p(alignment) over the alignments of T times with a sequence of classes (Graves et al., 2006), for
/// log-probabilities x [T, N, C]; dx = −dL p(class at time | sequence), by the forward–backward recursion.
///
/// This is the gradient of the loss itself, for log-probabilities of any kind; [`ctc_loss`] adds to it.
#[derive(Clone, Debug)]
pub struct Ctc {
    /// The classes to find, for each of the N.
    pub targets: Arc<Vec<Vec<usize>>>,
    /// How many of the T times count, for each.
    pub lengths: Arc<Vec<usize>>,
    /// The class that means none.
    pub blank: usize,
    /// Whether impossible alignments have no loss rather than an infinite one.
    pub zero_infinity: bool,
}

impl Ctc {
    fn with<T>(&self, x: &Array, f: impl FnOnce(&Alignment<'_>) -> T) -> T {
        let log_probs = &x.cast(DType::F64).contiguous();
        f(&Alignment {
            log_probs,
            lengths: &self.lengths,
            targets: &self.targets,
            blank: self.blank,
        })
    }

    /// The same in tensor operations, for gradients of the gradient.
    fn composite(&self, x: &Tensor) -> Tensor {
        // Finite, so that slopes of what never happens are zero and not NaN.
        const NEVER: f64 = -1e30;
        let never = Tensor::full_as([1], NEVER, x.dtype());
        let losses = (0..self.targets.len()).map(|i| {
            let (target, length) = (&self.targets[i], self.lengths[i]);
            let mut classes = vec![self.blank as i64];
            for k in target {
                classes.extend([*k as i64, self.blank as i64]);
            }
            let n = classes.len();
            let jumps: Vec<bool> = (0..n)
                .map(|s| s % 2 == 1 && s >= 2 && classes[s] != classes[s - 2])
                .collect();
            let (index, jumps) = (Tensor::from_slice(&classes, [n]), Tensor::from_slice(&jumps, [n]));
            if length == 0 {
                return Tensor::full_as([], if n == 1 { 0.0 } else { f64::INFINITY }, x.dtype());
            }
            let at = |t: usize| {
                x.select(0, t as isize)
                    .select(0, i as isize)
                    .index_select(0, &index)
            };
            let first: Vec<bool> = (0..n).map(|s| s < 2).collect();
            let mut alpha = at(0).where_(&Tensor::from_slice(&first, [n]), &never);
            let sum = |parts: &[&Tensor]| {
                let parts = stack(parts, 0);
                let top = parts.detach().amax(0, false);
                (parts - &top).exp().sum_dim(0, false).log() + top
            };
            for t in 1..length {
                let shifted = |by: usize| match n > by {
                    true => super::super::cat(&[&never.expand([by]), &alpha.narrow(0, 0, n - by)], 0),
                    false => never.expand([n]),
                };
                let jump = shifted(2).where_(&jumps, &never);
                alpha = sum(&[&alpha, &shifted(1), &jump]) + at(t);
            }
            let end = alpha.narrow(0, n.saturating_sub(2), n.min(2));
            let top = end.detach().max();
            -((end - &top).exp().sum().log() + top)
        });
        let losses: Vec<Tensor> = losses.collect();
        stack(&losses.iter().collect::<Vec<_>>(), 0)
    }
}

impl Op for Ctc {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "ctc_loss";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Shape, Self::NAME, message));
        if x.shape.rank() != 3 {
            return wrong(format!(
                "log-probabilities of shape {} are not [times, n, classes]",
                x.shape
            ));
        }
        let (n, times, classes) = (x.shape[1], x.shape[0], x.shape[2]);
        if self.targets.len() != n || self.lengths.len() != n {
            return wrong(format!(
                "there are {} targets and {} lengths for log-probabilities of shape {}",
                self.targets.len(),
                self.lengths.len(),
                x.shape
            ));
        }
        if let Some(length) = self.lengths.iter().find(|l| **l > times) {
            return wrong(format!(
                "an input length of {length} is more than the {times} times of {}",
                x.shape
            ));
        }
        let classes_used = self.targets.iter().flatten().chain([&self.blank]);
        if let Some(class) = classes_used.into_iter().find(|c| **c >= classes) {
            let message = format!("class {class} is out of range");
            return Err(Error::new(ErrorKind::Index, Self::NAME, message).note(format!(
                "log-probabilities of shape {} have classes 0 to {}",
                x.shape,
                classes.max(1) - 1
            )));
        }
        if !x.dtype.is_float() {
            let message = format!("needs floating-point numbers, and got {}", x.dtype);
            return Err(Error::new(ErrorKind::DType, Self::NAME, message));
        }
        Ok(x.with_shape([n]))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let mut losses = self.with(&x, kernels::ctc);
        if self.zero_infinity {
            losses
                .make_mut::<f64>()
                .iter_mut()
                .filter(|l| **l == f64::INFINITY)
                .for_each(|l| *l = 0.0);
        }
        losses.cast(y.dtype)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let x = cx.x(0);
        if is_recording() {
            let grads = recorded_grads(&[x], &[true], &dy, |x| self.composite(&x[0]));
            return [grads.into_iter().next().flatten()];
        }
        let x = x.array();
        let mut dy = dy.array().cast(DType::F64).contiguous();
        if self.zero_infinity {
            let losses = self.with(&x, kernels::ctc).to_vec::<f64>();
            let impossible = losses.iter().map(|l| *l == f64::INFINITY);
            dy.make_mut::<f64>()
                .iter_mut()
                .zip(impossible)
                .filter(|(_, no)| *no)
                .for_each(|(dy, _)| *dy = 0.0);
        }
        let grad = self.with(&x, |a| kernels::ctc_backward(a, &dy));
        [Some(Tensor::constant(grad.cast(x.dtype())))]
    }
    fn samples() -> Vec<Sample<Self>> {
        let op = |targets: &[&[usize]], lengths: &[usize]| Ctc {
            targets: Arc::new(targets.iter().map(|t| t.to_vec()).collect()),
            lengths: Arc::new(lengths.to_vec()),
            blank: 0,
            zero_infinity: false,
        };
        let even = Array::full([2, 1, 2], 0.5f64.ln(), DType::F64);
        vec![
            Sample::new(op(&[&[1, 2], &[2, 2]], &[4, 4]), [numbers(&[4, 2, 3])]),
            Sample::new(op(&[&[], &[1]], &[2, 3]), [numbers(&[3, 2, 2])]),
            // Three of the four paths: 01, 10 and 11.
            Sample::new(op(&[&[1]], &[2]), [even]).gives([-(0.75f64.ln())]),
        ]
    }
}

/// The connectionist temporal classification loss of log-probabilities `[times, n, classes]` (or `[times, classes]`) for
/// sequences of classes: rows of `targets` `[n, longest]`, or all end to end in one dimension.
///
/// The mean is that of losses over the targets' lengths. `zero_infinity` gives impossible alignments no loss and no
/// gradient.
///
/// The gradient is PyTorch's: that of the loss itself and, at the times that count, dL eˣ, as if the log-probabilities came
/// straight out of a log-softmax. Where they do, it makes no difference behind it, as the log-softmax takes it away again; it
/// shows in `log_probs.grad()` alone.
///
/// # Panics
/// If shapes and lengths do not fit, or a class is out of range.
#[track_caller]
pub fn ctc_loss(
    log_probs: &Tensor,
    targets: &Tensor,
    input_lengths: &[usize],
    target_lengths: &[usize],
    blank: usize,
    reduction: Reduction,
    zero_infinity: bool,
) -> Tensor {
    const NAME: &str = "ctc_loss";
    let alone = log_probs.dim() == 2;
    let x = if alone {
        log_probs.unsqueeze(1)
    } else {
        log_probs.clone()
    };
    let (shape, all) = (targets.shape(), targets.to_vec::<i64>());
    let fail = |message: String| -> ! { raise(Error::new(ErrorKind::Shape, NAME, message)) };
    if !targets.dtype().is_integer() {
        let message = format!(
            "targets must be integer class numbers, and are {}",
            targets.dtype()
        );
        raise(Error::new(ErrorKind::DType, NAME, message));
    }
    if let Some(class) = all.iter().find(|c| **c < 0) {
        raise(Error::new(
            ErrorKind::Index,
            NAME,
            format!("class {class} is out of range"),
        ));
    }
    let mut lists: Vec<Vec<usize>> = Vec::new();
    let mut at = 0;
    for (i, &length) in target_lengths.iter().enumerate() {
        let start = if shape.rank() == 2 { i * shape[1] } else { at };
        let room = if shape.rank() == 2 {
            shape[1]
        } else {
            all.len().saturating_sub(at)
        };
        if length > room || (shape.rank() == 2 && i >= shape[0]) {
            fail(format!(
                "targets of shape {shape} do not hold {target_lengths:?} classes"
            ));
        }
        lists.push(all[start..start + length].iter().map(|c| *c as usize).collect());
        at += length;
    }
    if shape.rank() == 1 && at != all.len() {
        fail(format!(
            "targets of shape {shape} hold more than {target_lengths:?} classes"
        ));
    }
    let op = Ctc {
        targets: Arc::new(lists),
        lengths: Arc::new(input_lengths.to_vec()),
        blank,
        zero_infinity,
    };
    let losses = normalised(op.apply([&x]), &x, input_lengths, zero_infinity);
    match reduction {
        Reduction::Mean => {
            let lengths: Vec<f64> = target_lengths.iter().map(|l| (*l).max(1) as f64).collect();
            let lengths = Tensor::from_slice(&lengths, [lengths.len()]).to(losses.dtype());
            (losses / lengths).mean()
        }
        Reduction::Sum => losses.sum(),
        Reduction::None if alone => losses.squeeze(0),
        Reduction::None => losses,
    }
}

/// The losses, with e^x at the times that count added to their gradients, and nothing to their values.
fn normalised(losses: Tensor, x: &Tensor, lengths: &[usize], zero_infinity: bool) -> Tensor {
    if !losses.requires_grad() {
        return losses;
    }
    let (times, n) = (x.size(0), x.size(1));
    let known: Vec<bool> = losses
        .to_vec::<f64>()
        .iter()
        .map(|l| !zero_infinity || *l != 0.0)
        .collect();
    let counts: Vec<bool> = (0..times * n)
        .map(|k| k / n < lengths[k % n] && known[k % n])
        .collect();
    let counts = Tensor::from_vec(counts, [times, n, 1]);
    // No logarithm of a probability is above 0; bounded, so that what is no such stays finite.
    let total = x.clamp(None, Some(50.0)).exp();
    let total = total
        .where_(&counts, &Tensor::full_as([], 0.0, x.dtype()))
        .sum_dim([0, 2], false);
    losses + (&total - total.detach())
}

contract! { ctc_loss: Ctc }
