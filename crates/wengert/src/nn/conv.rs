//! Convolutions.

use super::weight_norm::Kernels;
use super::{Layer, Module, Part};
use crate::ops::functional as F;
use crate::ops::functional::{Padding, Sizes};
use crate::tensor::Tensor;
use std::fmt;
use wengert_array::{Error, ErrorKind, Shape, raise};

#[derive(Clone)]
struct Options {
    channels: [usize; 2],
    kernel: Vec<usize>,
    stride: Sizes,
    padding: Padding,
    output_padding: Sizes,
    dilation: Sizes,
    groups: usize,
    transposed: bool,
}

impl Options {
    #[track_caller]
    fn new(op: &str, inputs: usize, outputs: usize, kernel: Vec<usize>, transposed: bool) -> Options {
        if kernel.contains(&0) {
            raise(Error::new(
                ErrorKind::Value,
                op,
                format!("a kernel of size {kernel:?} sees nothing"),
            ));
        }
        Options {
            channels: [inputs, outputs],
            kernel,
            stride: 1.into(),
            padding: 0.into(),
            output_padding: 0.into(),
            dilation: 1.into(),
            groups: 1,
            transposed,
        }
    }

    /// Weight and bias, uniform in ±1/√(inputs of an output), as PyTorch has it.
    #[track_caller]
    fn parameters(&self, op: &str) -> (Tensor, Tensor) {
        let [inputs, outputs] = self.channels;
        if self.groups == 0 || !inputs.is_multiple_of(self.groups) || !outputs.is_multiple_of(self.groups) {
            let message = format!(
                "{} groups do not divide {inputs} inputs and {outputs} outputs",
                self.groups
            );
            raise(Error::new(ErrorKind::Value, op, message));
        }
        let first = if self.transposed {
            [inputs, outputs / self.groups]
        } else {
            [outputs, inputs / self.groups]
        };
        let shape: Shape = first.into_iter().chain(self.kernel.iter().copied()).collect();
        let seen: usize = shape[1..].iter().product();
        let bound = 1.0 / (seen.max(1) as f64).sqrt();
        let draw = |shape: Shape| Tensor::uniform(shape, -bound, bound).requires_grad_(true);
        (draw(shape), draw([outputs].into()))
    }
}

macro_rules! convolutions {
    ($($(#[$doc:meta])* $name:ident $n:literal $transposed:literal |$this:ident, $x:ident, $bias:ident| $forward:expr,
        { $($more:item)* };)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            /// The weight.
            pub weight: Tensor,
            /// The bias, `[out]`.
            pub bias: Option<Tensor>,
            options: Options,
        }

        impl $name {
            /// With a kernel of this size in every dimension, stride 1, and no padding.
            ///
            /// # Panics
            /// If the kernel's size is 0.
            #[track_caller]
            pub fn new(inputs: usize, outputs: usize, kernel_size: usize) -> $name {
                $name::with_kernel(inputs, outputs, [kernel_size; $n])
            }

            /// With a kernel of these sizes.
            ///
            /// # Panics
            /// If one of them is 0.
            #[track_caller]
            pub fn with_kernel(inputs: usize, outputs: usize, kernel_size: [usize; $n]) -> $name {
                let op = stringify!($name);
                let options = Options::new(op, inputs, outputs, kernel_size.to_vec(), $transposed);
                let (weight, bias) = options.parameters(op);
                $name { weight, bias: Some(bias), options }
            }

            /// With this stride.
            #[must_use]
            pub fn stride(mut self, stride: impl Into<Sizes>) -> $name {
                self.options.stride = stride.into();
                self
            }

            /// With steps of this size within the kernel.
            #[must_use]
            pub fn dilation(mut self, dilation: impl Into<Sizes>) -> $name {
                self.options.dilation = dilation.into();
                self
            }

            /// With so many groups of channels that do not see each other; draws new weights.
            ///
            /// # Panics
            /// If they do not divide inputs and outputs.
            #[must_use]
            #[track_caller]
            pub fn groups(mut self, groups: usize) -> $name {
                self.options.groups = groups;
                let (weight, bias) = self.options.parameters(stringify!($name));
                $name { weight, bias: self.bias.map(|_| bias), options: self.options }
            }

            /// Without a bias.
            #[must_use]
            pub fn without_bias(self) -> $name {
                $name { bias: None, ..self }
            }

            $($more)*
        }

        impl Kernels for $name {
            fn weight(&self) -> &Tensor {
                &self.weight
            }
            fn bias(&self) -> Option<&Tensor> {
                self.bias.as_ref()
            }
            fn with_weight(&self, weight: Tensor) -> $name {
                $name { weight, ..self.clone() }
            }
        }

        impl Module for $name {
            fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
                show("weight", Part::Parameter(&self.weight));
                if let Some(bias) = &self.bias {
                    show("bias", Part::Parameter(bias));
                }
            }
        }

        impl Layer for $name {
            #[track_caller]
            fn forward(&self, $x: &Tensor) -> Tensor {
                let ($this, $bias) = (self, self.bias.as_ref().map(Tensor::as_parameter));
                self.weight.as_parameter();
                $forward
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let [inputs, outputs] = self.options.channels;
                write!(f, "{}({inputs}, {outputs}, kernel_size={:?})", stringify!($name), self.options.kernel)
            }
        }
    )*};
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident $n:literal $function:ident;)*) => {
        convolutions! {$(
            $(#[$doc])*
            $name $n false |c, x, bias| {
                let o = &c.options;
                let (stride, padding, dilation) = (o.stride.clone(), o.padding.clone(), o.dilation.clone());
                F::$function(x, &c.weight, bias, stride, padding, dilation, o.groups)
            }, {
                /// With this padding by zeros, or `"same"`, or `"valid"`.
                #[must_use]
                pub fn padding(mut self, padding: impl Into<Padding>) -> $name {
                    self.options.padding = padding.into();
                    self
                }
            };
        )*}
    };
}
plain! {
    /// The convolution of x `[n, in, length]` with a weight `[out, in / groups, kernel]`.
    Conv1d 1 conv1d;
    /// The convolution of x `[n, in, height, width]` with a weight `[out, in / groups, kernel, kernel]`.
    ///
    /// ```
    /// use wengert::nn::{Conv2d, Layer};
    /// use wengert::Tensor;
    ///
    /// let conv = Conv2d::new(1, 6, 5).padding(2);
    /// assert_eq!(conv.forward(&Tensor::randn([3, 1, 28, 28])).shape(), [3, 6, 28, 28]);
    /// ```
    Conv2d 2 conv2d;
    /// The convolution of x `[n, in, depth, height, width]` with a weight `[out, in / groups, kernel, kernel, kernel]`.
    Conv3d 3 conv3d;
}

macro_rules! transposed {
    ($($(#[$doc:meta])* $name:ident $n:literal $function:ident;)*) => {
        convolutions! {$(
            $(#[$doc])*
            $name $n true |c, x, bias| {
                let o = &c.options;
                let Padding::By(padding) = o.padding.clone() else {
                    unreachable!("only numbers can be set")
                };
                let (stride, output, dilation) = (o.stride.clone(), o.output_padding.clone(), o.dilation.clone());
                F::$function(x, &c.weight, bias, stride, padding, output, o.groups, dilation)
            }, {
                /// Leaves out so much of the result's border.
                #[must_use]
                pub fn padding(mut self, padding: impl Into<Sizes>) -> $name {
                    self.options.padding = Padding::from(padding.into());
                    self
                }

                /// Makes the result larger by so much, at the end of each dimension.
                #[must_use]
                pub fn output_padding(mut self, padding: impl Into<Sizes>) -> $name {
                    self.options.output_padding = padding.into();
                    self
                }
            };
        )*}
    };
}
transposed! {
    /// The transposed convolution of x `[n, in, length]` with a weight `[in, out / groups, kernel]`.
    ConvTranspose1d 1 conv_transpose1d;
    /// The transposed convolution of x `[n, in, height, width]` with a weight `[in, out / groups, kernel, kernel]`.
    ConvTranspose2d 2 conv_transpose2d;
    /// The transposed convolution of x `[n, in, depth, height, width]` with a weight
    /// `[in, out / groups, kernel, kernel, kernel]`.
    ConvTranspose3d 3 conv_transpose3d;
}
