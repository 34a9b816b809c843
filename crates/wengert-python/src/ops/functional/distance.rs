//! Distances, embeddings, and layers of two inputs.

use super::{Maybe, functions_of, maybe};
use crate::args::{Dtype, TensorLike, cast};
use pyo3::prelude::*;
use wengert::nn::functional::{self as F, Bag};
use wengert::{Error, ErrorKind};

fn refuse(op: &str, by_frequency: bool, sparse: bool) {
    if by_frequency || sparse {
        let message = "scale_grad_by_freq and sparse gradients are not supported";
        wengert_array::raise(Error::new(ErrorKind::Value, op, message));
    }
}

fn bag(mode: &str) -> Bag {
    match mode {
        "sum" => Bag::Sum,
        "mean" => Bag::Mean,
        "max" => Bag::Max,
        other => {
            let message = format!("there is no mode {other:?}: it is sum, mean or max");
            wengert_array::raise(Error::new(ErrorKind::Value, "embedding_bag", message))
        }
    }
}

functions_of! {
    /// The rows of `weight` that the input names.
    fn embedding(
        input: TensorLike, weight: TensorLike, padding_idx: Option<i64> = None, max_norm: Option<f64> = None,
        norm_type: f64 = 2.0, scale_grad_by_freq: bool = false, sparse: bool = false
    ) => {
        refuse("embedding", scale_grad_by_freq, sparse);
        // As an operation PyTorch takes −1 for none.
        F::embedding(&input.0, &weight.0, padding_idx, max_norm, norm_type)
    };
    /// The rows of `weight` named in each bag as one.
    fn embedding_bag(
        input: TensorLike, weight: TensorLike, offsets: Maybe = None, max_norm: Option<f64> = None, norm_type: f64 = 2.0,
        scale_grad_by_freq: bool = false, mode: String = (mean()), sparse: bool = false, per_sample_weights: Maybe = None,
        include_last_offset: bool = false, padding_idx: Option<i64> = None
    ) => {
        refuse("embedding_bag", scale_grad_by_freq, sparse);
        F::embedding_bag(
            &input.0, &weight.0, maybe(&offsets), max_norm, norm_type, bag(&mode), maybe(&per_sample_weights),
            include_last_offset, padding_idx
        )
    };
    /// Rows that are 1 at a class number and else 0.
    fn one_hot(tensor: TensorLike, num_classes: i64 = (-1)) =>
        F::one_hot(&tensor.0, usize::try_from(num_classes).ok());
    /// The cosine of the angle between vectors along a dimension.
    fn cosine_similarity(x1: TensorLike, x2: TensorLike, dim: isize = 1, eps: f64 = 1e-8) =>
        F::cosine_similarity(&x1.0, &x2.0, dim, eps);
    /// The p-norms of differences of rows.
    fn pairwise_distance(x1: TensorLike, x2: TensorLike, p: f64 = 2.0, eps: f64 = 1e-6, keepdim: bool = false) =>
        F::pairwise_distance(&x1.0, &x2.0, p, eps, keepdim);
    /// The p-norms of the differences of all pairs of rows.
    fn pdist(input: TensorLike, p: f64 = 2.0) => F::pdist(&input.0, p);
    /// x₁ᵀ W x₂ + b for each output.
    fn bilinear(input1: TensorLike, input2: TensorLike, weight: TensorLike, bias: Maybe = None) =>
        F::bilinear(&input1.0, &input2.0, &weight.0, maybe(&bias));
    /// One layer of an LSTM in one direction: the outputs [time, batch, hidden] and the last h and c, for input [time, batch, in].
    fn lstm_layer(
        input: TensorLike, h: TensorLike, c: TensorLike, weight_ih: TensorLike, weight_hh: TensorLike, bias_ih: Maybe = None,
        bias_hh: Maybe = None, reverse: bool = false
    ) => {
        let bias = bias_ih.zip(bias_hh).map(|(ih, hh)| ih.0 + hh.0);
        let (y, [h, c]) = F::lstm_layer(
            &input.0, [&h.0, &c.0], [&weight_ih.0, &weight_hh.0], bias.as_ref(), reverse
        );
        (y, h, c)
    };
    /// The softmax of −x.
    fn softmin(input: TensorLike, dim: isize = (-1), _stacklevel: i64 = 3, dtype: Dtype = None) =>
        cast(&input.0, dtype).softmin(dim);
    /// A random choice made differentiable.
    fn gumbel_softmax(logits: TensorLike, tau: f64 = 1.0, hard: bool = false, eps: f64 = 1e-10, dim: isize = (-1)) => {
        let _ = eps;
        F::gumbel_softmax(&logits.0, tau, hard, dim)
    };
}

fn mean() -> String {
    "mean".into()
}
