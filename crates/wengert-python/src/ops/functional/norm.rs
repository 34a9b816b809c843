//! Normalization and dropout.

use super::{Maybe, SizesArg, functions_of, maybe};
use crate::args::TensorLike;
use pyo3::prelude::*;
use wengert::nn::functional as F;

functions_of! {
    /// The input with each channel brought to mean 0 and variance 1 over the batch.
    fn batch_norm(
        input: TensorLike, running_mean: Maybe, running_var: Maybe, weight: Maybe = None, bias: Maybe = None,
        training: bool = false, momentum: f64 = 0.1, eps: f64 = 1e-5
    ) => F::batch_norm(
        &input.0, maybe(&running_mean), maybe(&running_var), maybe(&weight), maybe(&bias), training, momentum, eps
    );
    /// The input with each channel of each example brought to mean 0 and variance 1.
    fn instance_norm(
        input: TensorLike, running_mean: Maybe = None, running_var: Maybe = None, weight: Maybe = None, bias: Maybe = None,
        use_input_stats: bool = true, momentum: f64 = 0.1, eps: f64 = 1e-5
    ) => F::instance_norm(
        &input.0, maybe(&running_mean), maybe(&running_var), maybe(&weight), maybe(&bias), use_input_stats, momentum, eps
    );
    /// The input with its last dimensions brought to mean 0 and variance 1.
    fn layer_norm(
        input: TensorLike, normalized_shape: SizesArg, weight: Maybe = None, bias: Maybe = None, eps: f64 = 1e-5
    ) => F::layer_norm(&input.0, &normalized_shape.0, maybe(&weight), maybe(&bias), eps);
    /// The input divided by the root of the mean square of its last dimensions.
    fn rms_norm(
        input: TensorLike, normalized_shape: SizesArg, weight: Maybe = None, eps: Option<f64> = None
    ) => F::rms_norm(&input.0, &normalized_shape.0, maybe(&weight), eps);
    /// The input with groups of channels brought to mean 0 and variance 1.
    fn group_norm(
        input: TensorLike, num_groups: usize, weight: Maybe = None, bias: Maybe = None, eps: f64 = 1e-5
    ) => F::group_norm(&input.0, num_groups, maybe(&weight), maybe(&bias), eps);
    /// The input divided by a power of the mean square over neighbouring channels.
    fn local_response_norm(
        input: TensorLike, size: usize, alpha: f64 = 1e-4, beta: f64 = 0.75, k: f64 = 1.0
    ) => F::local_response_norm(&input.0, size, alpha, beta, k);
    /// The input divided by its p-norm along a dimension.
    fn normalize(input: TensorLike, p: f64 = 2.0, dim: isize = 1, eps: f64 = 1e-12) =>
        F::normalize(&input.0, p, dim, eps);
    /// The input with each element zero with probability p. The result is always new: `inplace` changes nothing.
    fn dropout(input: TensorLike, p: f64 = 0.5, training: bool = true, inplace: bool = false) => {
        let _ = inplace;
        F::dropout(&input.0, p, training)
    };
    /// As `dropout`, whole channels together.
    fn dropout1d(input: TensorLike, p: f64 = 0.5, training: bool = true, inplace: bool = false) => {
        let _ = inplace;
        F::dropout1d(&input.0, p, training)
    };
    /// As `dropout`, whole channels together.
    fn dropout2d(input: TensorLike, p: f64 = 0.5, training: bool = true, inplace: bool = false) => {
        let _ = inplace;
        F::dropout2d(&input.0, p, training)
    };
    /// As `dropout`, whole channels together.
    fn dropout3d(input: TensorLike, p: f64 = 0.5, training: bool = true, inplace: bool = false) => {
        let _ = inplace;
        F::dropout3d(&input.0, p, training)
    };
    /// Dropout that keeps mean 0 and variance 1 behind selu.
    fn alpha_dropout(input: TensorLike, p: f64 = 0.5, training: bool = false, inplace: bool = false) => {
        let _ = inplace;
        F::alpha_dropout(&input.0, p, training)
    };
    /// As `alpha_dropout`, whole channels together.
    fn feature_alpha_dropout(input: TensorLike, p: f64 = 0.5, training: bool = false, inplace: bool = false) => {
        let _ = inplace;
        F::feature_alpha_dropout(&input.0, p, training)
    };
}
