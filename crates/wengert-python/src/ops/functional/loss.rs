//! Losses.

use super::{Maybe, functions_of, maybe, reduction as how};
use crate::args::TensorLike;
use pyo3::prelude::*;
use wengert::nn::functional::{self as F, Reduction};
use wengert::{DType, Error, ErrorKind, Tensor};

type Old = Option<bool>;

fn mean() -> String {
    "mean".into()
}

/// Losses times a weight; the mean is over weights, as PyTorch's is.
fn weighed(loss: impl Fn(Reduction) -> Tensor, weight: Option<&Tensor>, how: Reduction) -> Tensor {
    let Some(weight) = weight else { return loss(how) };
    let losses = loss(Reduction::None);
    if losses.shape() != weight.shape() {
        let message = format!(
            "a weight of shape {} does not fit losses of shape {}",
            weight.shape(),
            losses.shape()
        );
        wengert_array::raise(Error::new(ErrorKind::Shape, "loss", message));
    }
    let losses = losses * weight;
    match how {
        Reduction::None => losses,
        Reduction::Sum => losses.sum(),
        Reduction::Mean => losses.sum() / weight.sum(),
    }
}

fn kl(x: &Tensor, target: &Tensor, average: Old, reduce: Old, name: &str, log_target: bool) -> Tensor {
    if name == "batchmean" && average.is_none() && reduce.is_none() {
        return F::kl_div(x, target, Reduction::Sum, log_target)
            / x.shape().first().copied().unwrap_or(1) as f64;
    }
    F::kl_div(x, target, how(average, reduce, name), log_target)
}

/// Lengths: a tensor, or a sequence of numbers.
fn lengths(x: &Tensor, what: &str) -> Vec<usize> {
    let each = x.to_vec::<i64>().into_iter().map(|n| match usize::try_from(n) {
        Ok(n) => n,
        Err(_) => {
            let message = format!("{what} of {n} makes no sense");
            wengert_array::raise(Error::new(ErrorKind::Value, "ctc_loss", message))
        }
    });
    each.collect()
}

fn ctc(
    x: &Tensor,
    targets: &Tensor,
    inputs: &Tensor,
    lens: &Tensor,
    blank: usize,
    how: Reduction,
    zero: bool,
) -> Tensor {
    let (inputs, lens) = (
        lengths(inputs, "an input length"),
        lengths(lens, "a target length"),
    );
    F::ctc_loss(x, targets, &inputs, &lens, blank, how, zero)
}

functions_of! {
    /// The squared differences: their mean, sum, or each.
    fn mse_loss(
        input: TensorLike, target: TensorLike, size_average: Old = None, reduce: Old = None, reduction: String = (mean()),
        weight: Maybe = None
    ) => weighed(|r| F::mse_loss(&input.0, &target.0, r), maybe(&weight), how(size_average, reduce, &reduction));
    /// The absolute differences.
    fn l1_loss(
        input: TensorLike, target: TensorLike, size_average: Old = None, reduce: Old = None, reduction: String = (mean()),
        weight: Maybe = None
    ) => weighed(|r| F::l1_loss(&input.0, &target.0, r), maybe(&weight), how(size_average, reduce, &reduction));
    /// Squares of small differences, absolute values of large ones.
    fn smooth_l1_loss(
        input: TensorLike, target: TensorLike, size_average: Old = None, reduce: Old = None, reduction: String = (mean()),
        beta: f64 = 1.0
    ) => F::smooth_l1_loss(&input.0, &target.0, how(size_average, reduce, &reduction), beta);
    /// Squares of small differences, absolute values of large ones times delta.
    fn huber_loss(
        input: TensorLike, target: TensorLike, reduction: String = (mean()), delta: f64 = 1.0, weight: Maybe = None
    ) => weighed(|r| F::huber_loss(&input.0, &target.0, r, delta), maybe(&weight), how(None, None, &reduction));
    /// The cross entropy of probabilities and targets in [0, 1].
    fn binary_cross_entropy(
        input: TensorLike, target: TensorLike, weight: Maybe = None, size_average: Old = None, reduce: Old = None,
        reduction: String = (mean())
    ) => F::binary_cross_entropy(&input.0, &target.0, maybe(&weight), how(size_average, reduce, &reduction));
    /// The cross entropy of logits and targets in [0, 1].
    fn binary_cross_entropy_with_logits(
        input: TensorLike, target: TensorLike, weight: Maybe = None, size_average: Old = None, reduce: Old = None,
        reduction: String = (mean()), pos_weight: Maybe = None
    ) => F::binary_cross_entropy_with_logits(
        &input.0, &target.0, maybe(&weight), how(size_average, reduce, &reduction), maybe(&pos_weight)
    );
    /// The cross entropy of logits and target classes, or probabilities of classes.
    fn cross_entropy(
        input: TensorLike, target: TensorLike, weight: Maybe = None, size_average: Old = None, ignore_index: i64 = (-100),
        reduce: Old = None, reduction: String = (mean()), label_smoothing: f64 = 0.0
    ) => F::cross_entropy_with(
        &input.0, &target.0, maybe(&weight), how(size_average, reduce, &reduction), ignore_index, label_smoothing
    );
    /// The negative log-likelihood of target classes.
    fn nll_loss(
        input: TensorLike, target: TensorLike, weight: Maybe = None, size_average: Old = None, ignore_index: i64 = (-100),
        reduce: Old = None, reduction: String = (mean())
    ) => F::nll_loss(&input.0, &target.0, maybe(&weight), how(size_average, reduce, &reduction), ignore_index);
    /// The Kullback–Leibler divergence from the target.
    fn kl_div(
        input: TensorLike, target: TensorLike, size_average: Old = None, reduce: Old = None, reduction: String = (mean()),
        log_target: bool = false
    ) => kl(&input.0, &target.0, size_average, reduce, &reduction, log_target);
    /// The negative log-likelihood of counts under Poisson distributions.
    fn poisson_nll_loss(
        input: TensorLike, target: TensorLike, log_input: bool = true, full: bool = false, size_average: Old = None,
        eps: f64 = 1e-8, reduce: Old = None, reduction: String = (mean())
    ) => F::poisson_nll_loss(&input.0, &target.0, log_input, full, eps, how(size_average, reduce, &reduction));
    /// The negative log-likelihood under normal distributions.
    fn gaussian_nll_loss(
        input: TensorLike, target: TensorLike, var: TensorLike, full: bool = false, eps: f64 = 1e-6,
        reduction: String = (mean())
    ) => {
        let x = &input.0;
        let var = if var.0.dim() == 0 && x.dim() > 0 { var.0.to(x.dtype()).expand(x.shape()) } else { var.0 };
        F::gaussian_nll_loss(x, &target.0, &var, full, eps, how(None, None, &reduction))
    };
    /// The input for targets 1, and how far it is below the margin for targets −1.
    fn hinge_embedding_loss(
        input: TensorLike, target: TensorLike, margin: f64 = 1.0, size_average: Old = None, reduce: Old = None,
        reduction: String = (mean())
    ) => F::hinge_embedding_loss(&input.0, &target.0, margin, how(size_average, reduce, &reduction));
    /// How far the first is not above the second by the margin, or the other way round.
    fn margin_ranking_loss(
        input1: TensorLike, input2: TensorLike, target: TensorLike, margin: f64 = 0.0, size_average: Old = None,
        reduce: Old = None, reduction: String = (mean())
    ) => F::margin_ranking_loss(&input1.0, &input2.0, &target.0, margin, how(size_average, reduce, &reduction));
    /// How far the target's score is not above the others' by the margin.
    fn multi_margin_loss(
        input: TensorLike, target: TensorLike, p: i64 = 1, margin: f64 = 1.0, weight: Maybe = None, size_average: Old = None,
        reduce: Old = None, reduction: String = (mean())
    ) => F::multi_margin_loss(&input.0, &target.0, p, margin, maybe(&weight), how(size_average, reduce, &reduction));
    /// How far the targets' scores are not above the others' by 1.
    fn multilabel_margin_loss(
        input: TensorLike, target: TensorLike, size_average: Old = None, reduce: Old = None, reduction: String = (mean())
    ) => F::multilabel_margin_loss(&input.0, &target.0, how(size_average, reduce, &reduction));
    /// The mean over classes of the cross entropy of logits and targets in [0, 1].
    fn multilabel_soft_margin_loss(
        input: TensorLike, target: TensorLike, weight: Maybe = None, size_average: Old = None, reduce: Old = None,
        reduction: String = (mean())
    ) => F::multilabel_soft_margin_loss(&input.0, &target.0, maybe(&weight), how(size_average, reduce, &reduction));
    /// ln(1 + e^(−t x)).
    fn soft_margin_loss(
        input: TensorLike, target: TensorLike, size_average: Old = None, reduce: Old = None, reduction: String = (mean())
    ) => F::soft_margin_loss(&input.0, &target.0, how(size_average, reduce, &reduction));
    /// How far the negative is not farther than the positive by the margin.
    fn triplet_margin_loss(
        anchor: TensorLike, positive: TensorLike, negative: TensorLike, margin: f64 = 1.0, p: f64 = 2.0, eps: f64 = 1e-6,
        swap: bool = false, size_average: Old = None, reduce: Old = None, reduction: String = (mean())
    ) => F::triplet_margin_loss(
        &anchor.0, &positive.0, &negative.0, margin, p, eps, swap, how(size_average, reduce, &reduction)
    );
    /// 1 − cosine for targets 1, how far the cosine is above the margin for targets −1.
    fn cosine_embedding_loss(
        input1: TensorLike, input2: TensorLike, target: TensorLike, margin: f64 = 0.0, size_average: Old = None,
        reduce: Old = None, reduction: String = (mean())
    ) => F::cosine_embedding_loss(&input1.0, &input2.0, &target.0, margin, how(size_average, reduce, &reduction));
    /// The connectionist temporal classification loss.
    fn ctc_loss(
        log_probs: TensorLike, targets: TensorLike, input_lengths: TensorLike, target_lengths: TensorLike, blank: usize = 0,
        reduction: String = (mean()), zero_infinity: bool = false
    ) => ctc(
        &log_probs.0, &targets.0.to(DType::I64), &input_lengths.0, &target_lengths.0, blank, how(None, None, &reduction),
        zero_infinity
    );
}
