//! Convolutions, and attention.

use super::{Maybe, SizesArg, functions_of, maybe, same};
use crate::args::TensorLike;
use pyo3::prelude::*;
use pyo3::types::PyString;
use wengert::nn::functional::{self as F, Padding};

/// A padding: one number, one for each dimension, or `"same"` or `"valid"`.
pub(crate) struct PaddingArg(Padding);

impl<'py> FromPyObject<'_, 'py> for PaddingArg {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(name) = obj.cast::<PyString>() {
            return Ok(PaddingArg(name.to_cow()?.as_ref().into()));
        }
        Ok(PaddingArg(obj.extract::<SizesArg>()?.0.into()))
    }
}

fn none() -> PaddingArg {
    PaddingArg(0.into())
}

macro_rules! convolutions {
    ($($conv:ident $transpose:ident $doc:literal $tdoc:literal)*) => {
        functions_of! {
            $(
                #[doc = $doc]
                fn $conv(
                    input: TensorLike, weight: TensorLike, bias: Maybe = None, stride: SizesArg = (same(1)),
                    padding: PaddingArg = (none()), dilation: SizesArg = (same(1)), groups: usize = 1
                ) => F::$conv(&input.0, &weight.0, maybe(&bias), stride, padding.0, dilation, groups);
                #[doc = $tdoc]
                fn $transpose(
                    input: TensorLike, weight: TensorLike, bias: Maybe = None, stride: SizesArg = (same(1)),
                    padding: SizesArg = (same(0)), output_padding: SizesArg = (same(0)), groups: usize = 1,
                    dilation: SizesArg = (same(1))
                ) => F::$transpose(&input.0, &weight.0, maybe(&bias), stride, padding, output_padding, groups, dilation);
            )*
            /// softmax(query keyᵀ scale + mask) value, in blocks so that memory is linear in the length.
            fn scaled_dot_product_attention(
                query: TensorLike, key: TensorLike, value: TensorLike, attn_mask: Maybe = None, dropout_p: f64 = 0.0,
                is_causal: bool = false; scale: Option<f64> = None, enable_gqa: bool = false
            ) => F::scaled_dot_product_attention(
                &query.0, &key.0, &value.0, maybe(&attn_mask), dropout_p, is_causal, scale, enable_gqa
            );
        }
    };
}
convolutions! {
    conv1d conv_transpose1d "The convolution over [n, channels, length]." "The transposed convolution over [n, channels, length]."
    conv2d conv_transpose2d "The convolution over [n, channels, height, width]." "The transposed convolution over [n, channels, height, width]."
    conv3d conv_transpose3d "The convolution over [n, channels, depth, height, width]." "The transposed convolution over [n, channels, depth, height, width]."
}
