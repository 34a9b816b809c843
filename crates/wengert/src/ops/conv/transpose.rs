//! Transposed convolution: the gradient of a convolution for its input.

use super::{
    Conv, ConvWeight, batched, check_bias, five, flops, joined, of_pairs, per_channel, some_conv, three,
    weight_shape,
};
use crate::autograd::{Ctx, Precision};
use crate::op::{Complex, Each, Extra, In, Many, Op, Sample, Saves, Variadic};
use crate::ops::common::{Sizes, last, numbers, same_floats};
use crate::ops::{contract, ok};
use crate::tensor::Tensor;
use smallvec::smallvec;
use wengert_array::kernels;
use wengert_array::{Array, Error, ErrorKind, Meta, Result, Shape};

/// The transpose of [`Conv`] in its input: dx for a gradient dy of the result, and by itself the transposed
/// convolution. Its gradients are a [`Conv`] with the same weight, and a [`ConvWeight`].
#[derive(Clone, Debug)]
pub struct ConvInput {
    /// The convolution.
    pub conv: Conv,
    /// The sizes of its input.
    pub size: Vec<usize>,
}

impl Op for ConvInput {
    /// dy, the weight, and where there is one a bias for each channel of the result.
    type Inputs = Variadic;
    const NAME: &'static str = "conv_transpose";
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::x(0), Saves::NOTHING];
    const PRECISION: Precision = Precision::Half;
    fn name(&self) -> &'static str {
        self.conv
            .named(["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"])
    }
    fn infer(&self, all: Each<Self, In<'_>>) -> Result<Meta> {
        let (dy, w, conv) = (all[0].shape, all[1].shape, &self.conv);
        conv.check(self.name(), dy, w, w.first().copied().unwrap_or(0), true)?;
        let channels = w[1] * conv.groups;
        check_bias(self.name(), all.get(2), channels)?;
        same_floats(self.name(), &all)?;
        let sizes = conv.sizes(self.name(), &self.size, &w[2..])?;
        if sizes != dy[2..] {
            let message = format!(
                "a result of size {:?} does not fit an input of size {:?}",
                self.size,
                &dy[2..]
            );
            return Err(Error::new(ErrorKind::Shape, self.name(), message));
        }
        Ok(all[0].with_shape(joined(dy[0], channels, &self.size)))
    }
    fn forward(&self, x: Each<Self, Array>, y: &Meta, _: &mut Extra) -> Array {
        let size = three(&y.shape[2..], 1);
        kernels::conv_input(&five(&x[0]), &five(&x[1]), x.get(2), &self.conv.spec(), size).reshape(&y.shape)
    }
    fn flops(&self, x: &[&Shape], _: &Meta) -> u64 {
        flops(x[0], x[1])
    }
    fn backward(&self, cx: &Ctx<'_, Self>, g: Tensor) -> Each<Self, Option<Tensor>> {
        let ddy = cx.grad(0, || self.conv.clone().apply([&g, &cx.x(1)][..].into()));
        let dw = cx.grad(1, || {
            let kernel = last(&cx.meta(1).shape, self.size.len());
            ConvWeight {
                conv: self.conv.clone(),
                kernel,
            }
            .apply([&g, &cx.x(0)])
        });
        let mut grads = smallvec![ddy, dw];
        if cx.inputs() == 3 {
            grads.push(cx.grad(2, || per_channel(&g)));
        }
        grads
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, x: Many<Tensor>| Some(of_pairs(x, |x| op.clone().apply(x))))
    }
    fn samples() -> Vec<Sample<Self>> {
        let back = |conv: Conv, size: &[usize]| ConvInput {
            conv,
            size: size.to_vec(),
        };
        vec![
            Sample::new(
                back(some_conv(1, 0, 0, 1, 1), &[5]),
                vec![numbers(&[2, 3, 3]), numbers(&[3, 2, 3])],
            ),
            Sample::new(
                back(some_conv(2, 1, 1, 2, 2), &[4, 5]),
                vec![numbers(&[1, 4, 3, 3]), numbers(&[4, 2, 2, 3]), numbers(&[4])],
            ),
            Sample::new(
                back(some_conv(3, 0, 0, 1, 2), &[4, 5]),
                vec![numbers(&[1, 3, 2, 2]), numbers(&[3, 3, 1, 2]), numbers(&[3])],
            ),
            Sample::new(
                back(some_conv(1, 0, 0, 1, 1), &[3]),
                vec![
                    Array::from_slice(&[1.0, 2.0], [1, 1, 2]),
                    Array::from_slice(&[1.0, -2.0], [1, 1, 2]),
                ],
            )
            .gives([1.0, 0.0, -4.0]),
        ]
    }
}

#[track_caller]
fn conv_transpose(
    n: usize,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    [stride, padding, output_padding, dilation]: [Sizes; 4],
    groups: usize,
) -> Tensor {
    let op = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"][n - 1];
    let prepare = || {
        let (x, alone) = batched(op, x, n)?;
        let stride = stride.positive(op, "the stride", n)?;
        let dilation = dilation.positive(op, "the dilation", n)?;
        let padding = padding.each(op, "the padding", n)?;
        let more = output_padding.each(op, "the output padding", n)?;
        let w = weight_shape(op, weight, n)?;
        let mut size = Vec::new();
        for d in 0..n {
            if more[d] >= stride[d].max(dilation[d]) {
                let message = format!("output padding {more:?} is too large");
                return Err(Error::new(ErrorKind::Value, op, message).note(format!(
                    "it must be smaller than the stride {stride:?} or the dilation {dilation:?}"
                )));
            }
            let reach = (x.size(d as isize + 2).max(1) - 1) * stride[d]
                + dilation[d] * w[d + 2].saturating_sub(1)
                + 1
                + more[d];
            match reach.checked_sub(2 * padding[d]) {
                Some(n) if n > 0 && x.size(d as isize + 2) > 0 => size.push(n),
                _ => {
                    let message = format!(
                        "an input of shape {} with padding {padding:?} leaves nothing",
                        x.shape()
                    );
                    return Err(Error::new(ErrorKind::Shape, op, message));
                }
            }
        }
        // Output padding beyond the stride is more than a convolution of the result would skip by itself.
        let skipped = |d: usize| more[d].saturating_sub(stride[d] - 1);
        let after = (0..n)
            .map(|d| padding[d] as isize - skipped(d) as isize)
            .collect();
        let conv = Conv {
            stride,
            before: padding,
            after,
            dilation,
            groups,
        };
        Ok((x, alone, ConvInput { conv, size }))
    };
    let (x, alone, back) = ok(prepare());
    let inputs = [Some(&x), Some(weight), bias].into_iter().flatten().collect();
    let y = back.apply(inputs);
    if alone { y.squeeze(0) } else { y }
}

macro_rules! transposes {
    ($($n:literal $transpose:ident $sizes:literal;)*) => {$(
        #[doc = concat!("The transposed convolution of x `[n, in, ", $sizes, "]` with a weight `[in, out / groups, ", $sizes, "]` and a bias `[out]`: the gradient of a convolution for its input.")]
        ///
        /// Each size becomes `(size − 1) stride − 2 padding + dilation (kernel − 1) + output_padding + 1`. x may lack
        /// its first dimension.
        ///
        /// # Panics
        /// If shapes or dtypes do not fit, or the output padding is not smaller than stride or dilation.
        #[track_caller]
        pub fn $transpose(
            x: &Tensor,
            weight: &Tensor,
            bias: Option<&Tensor>,
            stride: impl Into<Sizes>,
            padding: impl Into<Sizes>,
            output_padding: impl Into<Sizes>,
            groups: usize,
            dilation: impl Into<Sizes>,
        ) -> Tensor {
            let sizes = [stride.into(), padding.into(), output_padding.into(), dilation.into()];
            conv_transpose($n, x, weight, bias, sizes, groups)
        }
    )*};
}
transposes! {
    1 conv_transpose1d "length";
    2 conv_transpose2d "height, width";
    3 conv_transpose3d "depth, height, width";
}

contract! {
    conv_input: ConvInput,
}
