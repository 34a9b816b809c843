//! Pooling.

use super::resize::Factors;
use super::{Maybe, SizesArg, functions_of, maybe, same, stride};
use crate::args::TensorLike;
use crate::give::Give;
use pyo3::prelude::*;
use pyo3::types::PyInt;
use wengert::nn::functional::{self as F, OutputSize};
use wengert::{Error, ErrorKind, Tensor};

/// A result with or without its indices.
enum Pooled {
    Values(Tensor),
    Both((Tensor, Tensor)),
}

impl Give for Pooled {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Pooled::Values(y) => y.give(py),
            Pooled::Both(both) => both.give(py),
        }
    }
}

/// The size that adaptive pooling gives: a number, or one for each dimension, where `None` keeps the input's.
struct OutputArg(OutputSize);

impl<'py> FromPyObject<'_, 'py> for OutputArg {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if obj.is_none() {
            return Ok(OutputArg(vec![None].into()));
        }
        if obj.cast::<PyInt>().is_ok() {
            return Ok(OutputArg(vec![Some(obj.extract::<usize>()?)].into()));
        }
        Ok(OutputArg(obj.extract::<Vec<Option<usize>>>()?.into()))
    }
}

fn fractional(
    n: usize,
    x: &Tensor,
    kernel: SizesArg,
    size: Option<SizesArg>,
    ratio: Option<Factors>,
    return_indices: bool,
    samples: Option<&Tensor>,
) -> Pooled {
    let old = &x.shape()[x.dim().saturating_sub(n)..];
    let size = match (size, ratio) {
        (Some(size), _) => size,
        (None, Some(Factors(by))) if by.len() == 1 || by.len() == old.len() => {
            let at = |d: usize| by[if by.len() == 1 { 0 } else { d }];
            SizesArg(
                old.iter()
                    .enumerate()
                    .map(|(d, n)| (*n as f64 * at(d)) as usize)
                    .collect(),
            )
        }
        _ => {
            let message = "either an output size or an output ratio must be given";
            wengert_array::raise(Error::new(ErrorKind::Value, "fractional_max_pool", message))
        }
    };
    let both = match n {
        2 => F::fractional_max_pool2d(x, kernel, size, samples),
        _ => F::fractional_max_pool3d(x, kernel, size, samples),
    };
    if return_indices {
        Pooled::Both(both)
    } else {
        Pooled::Values(both.0)
    }
}

/// The last `n` of the sizes asked for; the first ones may be n and channels.
fn spatial(size: Option<SizesArg>, n: usize) -> Option<F::Sizes> {
    size.map(|s| s.0[s.0.len().saturating_sub(n)..].to_vec().into())
}

macro_rules! pooling {
    ($($n:literal $max:ident $indices:ident $lp:ident $amax:ident $aindices:ident $aaverage:ident $unpool:ident)*) => {
        functions_of! {
            $(
                /// The largest element of each window; with `return_indices`, their places too.
                fn $max(
                    input: TensorLike, kernel_size: SizesArg, stride: Option<SizesArg> = None, padding: SizesArg = (same(0)),
                    dilation: SizesArg = (same(1)), ceil_mode: bool = false, return_indices: bool = false
                ) => {
                    let stride = self::stride(stride);
                    match return_indices {
                        true => Pooled::Both(F::$indices(&input.0, kernel_size, stride, padding, dilation, ceil_mode)),
                        false => Pooled::Values(F::$max(&input.0, kernel_size, stride, padding, dilation, ceil_mode)),
                    }
                };
                /// The largest element of each window, and their places.
                fn $indices(
                    input: TensorLike, kernel_size: SizesArg, stride: Option<SizesArg> = None, padding: SizesArg = (same(0)),
                    dilation: SizesArg = (same(1)), ceil_mode: bool = false, return_indices: bool = true
                ) => {
                    let _ = return_indices;
                    F::$indices(&input.0, kernel_size, self::stride(stride), padding, dilation, ceil_mode)
                };
                /// (Σ xᵖ)^(1/p) of each window.
                fn $lp(
                    input: TensorLike, norm_type: f64, kernel_size: SizesArg, stride: Option<SizesArg> = None, ceil_mode: bool = false
                ) => F::$lp(&input.0, norm_type, kernel_size, self::stride(stride), ceil_mode);
                /// The largest elements of windows that divide the input into parts.
                fn $amax(input: TensorLike, output_size: OutputArg, return_indices: bool = false) => match return_indices {
                    true => Pooled::Both(F::$aindices(&input.0, output_size.0)),
                    false => Pooled::Values(F::$amax(&input.0, output_size.0)),
                };
                /// The largest elements of windows that divide the input into parts, and their places.
                fn $aindices(input: TensorLike, output_size: OutputArg, return_indices: bool = true) => {
                    let _ = return_indices;
                    F::$aindices(&input.0, output_size.0)
                };
                /// The means of windows that divide the input into parts.
                fn $aaverage(input: TensorLike, output_size: OutputArg) => F::$aaverage(&input.0, output_size.0);
                /// Zeros with the elements of the input at the places that pooling found.
                fn $unpool(
                    input: TensorLike, indices: TensorLike, kernel_size: SizesArg, stride: Option<SizesArg> = None,
                    padding: SizesArg = (same(0)), output_size: Option<SizesArg> = None
                ) => F::$unpool(
                    &input.0, &indices.0, kernel_size, self::stride(stride), padding, spatial(output_size, $n)
                );
            )*
            /// The largest elements of windows whose distances vary at random.
            fn fractional_max_pool2d(
                input: TensorLike, kernel_size: SizesArg, output_size: Option<SizesArg> = None,
                output_ratio: Option<Factors> = None, return_indices: bool = false, _random_samples: Maybe = None
            ) => fractional(2, &input.0, kernel_size, output_size, output_ratio, return_indices, maybe(&_random_samples));
            /// The largest elements of windows whose distances vary at random.
            fn fractional_max_pool3d(
                input: TensorLike, kernel_size: SizesArg, output_size: Option<SizesArg> = None,
                output_ratio: Option<Factors> = None, return_indices: bool = false, _random_samples: Maybe = None
            ) => fractional(3, &input.0, kernel_size, output_size, output_ratio, return_indices, maybe(&_random_samples));
            /// The mean of each window.
            fn avg_pool1d(
                input: TensorLike, kernel_size: SizesArg, stride: Option<SizesArg> = None, padding: SizesArg = (same(0)),
                ceil_mode: bool = false, count_include_pad: bool = true
            ) => F::avg_pool1d(&input.0, kernel_size, self::stride(stride), padding, ceil_mode, count_include_pad, None);
            /// The mean of each window.
            fn avg_pool2d(
                input: TensorLike, kernel_size: SizesArg, stride: Option<SizesArg> = None, padding: SizesArg = (same(0)),
                ceil_mode: bool = false, count_include_pad: bool = true, divisor_override: Option<i64> = None
            ) => F::avg_pool2d(
                &input.0, kernel_size, self::stride(stride), padding, ceil_mode, count_include_pad, divisor_override
            );
            /// The mean of each window.
            fn avg_pool3d(
                input: TensorLike, kernel_size: SizesArg, stride: Option<SizesArg> = None, padding: SizesArg = (same(0)),
                ceil_mode: bool = false, count_include_pad: bool = true, divisor_override: Option<i64> = None
            ) => F::avg_pool3d(
                &input.0, kernel_size, self::stride(stride), padding, ceil_mode, count_include_pad, divisor_override
            );
        }
    };
}
pooling! {
    1 max_pool1d max_pool1d_with_indices lp_pool1d
        adaptive_max_pool1d adaptive_max_pool1d_with_indices adaptive_avg_pool1d max_unpool1d
    2 max_pool2d max_pool2d_with_indices lp_pool2d
        adaptive_max_pool2d adaptive_max_pool2d_with_indices adaptive_avg_pool2d max_unpool2d
    3 max_pool3d max_pool3d_with_indices lp_pool3d
        adaptive_max_pool3d adaptive_max_pool3d_with_indices adaptive_avg_pool3d max_unpool3d
}
