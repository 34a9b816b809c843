//! Pooling, resizing, and other layers without weights that look at neighbours.

use super::{Layer, Module, Part};
use crate::ops::functional as F;
use crate::ops::functional::{OutputSize, Sizes};
use crate::tensor::Tensor;

macro_rules! windows {
    ($($(#[$max_doc:meta])* $max:ident $max_function:ident, $(#[$mean_doc:meta])* $mean:ident $mean_function:ident;)*) => {$(
        $(#[$max_doc])*
        #[derive(Clone, Debug)]
        pub struct $max {
            kernel: Sizes,
            stride: Option<Sizes>,
            padding: Sizes,
            dilation: Sizes,
            ceil: bool,
        }

        impl $max {
            /// With this kernel, whose size is the stride too, and no padding.
            pub fn new(kernel_size: impl Into<Sizes>) -> $max {
                $max { kernel: kernel_size.into(), stride: None, padding: 0.into(), dilation: 1.into(), ceil: false }
            }

            /// With this stride.
            #[must_use]
            pub fn stride(self, stride: impl Into<Sizes>) -> $max {
                $max { stride: Some(stride.into()), ..self }
            }

            /// With this padding, which counts as −∞.
            #[must_use]
            pub fn padding(self, padding: impl Into<Sizes>) -> $max {
                $max { padding: padding.into(), ..self }
            }

            /// With steps of this size within the window.
            #[must_use]
            pub fn dilation(self, dilation: impl Into<Sizes>) -> $max {
                $max { dilation: dilation.into(), ..self }
            }

            /// Lets the last window reach beyond the input.
            #[must_use]
            pub fn ceil_mode(self, ceil: bool) -> $max {
                $max { ceil, ..self }
            }
        }

        impl Module for $max {
            fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
        }

        impl Layer for $max {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let (padding, dilation) = (self.padding.clone(), self.dilation.clone());
                F::$max_function(x, self.kernel.clone(), self.stride.clone(), padding, dilation, self.ceil)
            }
        }

        $(#[$mean_doc])*
        #[derive(Clone, Debug)]
        pub struct $mean {
            kernel: Sizes,
            stride: Option<Sizes>,
            padding: Sizes,
            ceil: bool,
            count_padding: bool,
        }

        impl $mean {
            /// With this kernel, whose size is the stride too, and no padding.
            pub fn new(kernel_size: impl Into<Sizes>) -> $mean {
                $mean { kernel: kernel_size.into(), stride: None, padding: 0.into(), ceil: false, count_padding: true }
            }

            /// With this stride.
            #[must_use]
            pub fn stride(self, stride: impl Into<Sizes>) -> $mean {
                $mean { stride: Some(stride.into()), ..self }
            }

            /// With this padding by zeros.
            #[must_use]
            pub fn padding(self, padding: impl Into<Sizes>) -> $mean {
                $mean { padding: padding.into(), ..self }
            }

            /// Lets the last window reach beyond the input.
            #[must_use]
            pub fn ceil_mode(self, ceil: bool) -> $mean {
                $mean { ceil, ..self }
            }

            /// Whether the padding counts in the mean; it does by default.
            #[must_use]
            pub fn count_include_pad(self, count_padding: bool) -> $mean {
                $mean { count_padding, ..self }
            }
        }

        impl Module for $mean {
            fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
        }

        impl Layer for $mean {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let (kernel, padding) = (self.kernel.clone(), self.padding.clone());
                F::$mean_function(x, kernel, self.stride.clone(), padding, self.ceil, self.count_padding, None)
            }
        }
    )*};
}
windows! {
    /// The largest of each window of x `[n, channels, length]`.
    MaxPool1d max_pool1d,
    /// The mean of each window of x `[n, channels, length]`.
    AvgPool1d avg_pool1d;
    /// The largest of each window of x `[n, channels, height, width]`.
    MaxPool2d max_pool2d,
    /// The mean of each window of x `[n, channels, height, width]`.
    AvgPool2d avg_pool2d;
    /// The largest of each window of x `[n, channels, depth, height, width]`.
    MaxPool3d max_pool3d,
    /// The mean of each window of x `[n, channels, depth, height, width]`.
    AvgPool3d avg_pool3d;
}

macro_rules! adaptive {
    ($($(#[$doc:meta])* $name:ident $function:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(OutputSize);

        impl $name {
            /// Down to this size.
            pub fn new(output_size: impl Into<OutputSize>) -> $name {
                $name(output_size.into())
            }
        }

        impl Module for $name {
            fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
        }

        impl Layer for $name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                F::$function(x, self.0.clone())
            }
        }
    )*};
}
adaptive! {
    /// The largest of as many windows as the result is to have numbers, of x `[n, channels, length]`.
    AdaptiveMaxPool1d adaptive_max_pool1d;
    /// As [`AdaptiveMaxPool1d`] for x `[n, channels, height, width]`.
    AdaptiveMaxPool2d adaptive_max_pool2d;
    /// As [`AdaptiveMaxPool1d`] for x `[n, channels, depth, height, width]`.
    AdaptiveMaxPool3d adaptive_max_pool3d;
    /// The means of as many windows as the result is to have numbers, of x `[n, channels, length]`.
    AdaptiveAvgPool1d adaptive_avg_pool1d;
    /// As [`AdaptiveAvgPool1d`] for x `[n, channels, height, width]`.
    AdaptiveAvgPool2d adaptive_avg_pool2d;
    /// As [`AdaptiveAvgPool1d`] for x `[n, channels, depth, height, width]`.
    AdaptiveAvgPool3d adaptive_avg_pool3d;
}

macro_rules! others {
    ($($sizes:literal $power:ident $lp:ident $unpool:ident $unpool_function:ident $max:ident;)*) => {$(
        #[doc = concat!("The power mean, without its division, of each window of x `[n, channels, ", $sizes, "]`: (Σ xᵖ)^(1/p).")]
        #[derive(Clone, Debug)]
        pub struct $power {
            norm_type: f64,
            kernel: Sizes,
            stride: Option<Sizes>,
            ceil: bool,
        }

        impl $power {
            /// Of this p, with this kernel, whose size is the stride too.
            pub fn new(norm_type: f64, kernel_size: impl Into<Sizes>) -> $power {
                $power { norm_type, kernel: kernel_size.into(), stride: None, ceil: false }
            }

            /// With this stride.
            #[must_use]
            pub fn stride(self, stride: impl Into<Sizes>) -> $power {
                $power { stride: Some(stride.into()), ..self }
            }

            /// Lets the last window reach beyond the input.
            #[must_use]
            pub fn ceil_mode(self, ceil: bool) -> $power {
                $power { ceil, ..self }
            }
        }

        impl Module for $power {
            fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
        }

        impl Layer for $power {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                F::$lp(x, self.norm_type, self.kernel.clone(), self.stride.clone(), self.ceil)
            }
        }

        #[doc = concat!("Undoes [`", stringify!($max), "`]: zeros, with the numbers of x `[n, channels, ", $sizes, "]` at the places where they were the largest.")]
        #[derive(Clone, Debug)]
        pub struct $unpool {
            kernel: Sizes,
            stride: Option<Sizes>,
            padding: Sizes,
        }

        impl $unpool {
            /// With the pooling's kernel, whose size is the stride too, and no padding.
            pub fn new(kernel_size: impl Into<Sizes>) -> $unpool {
                $unpool { kernel: kernel_size.into(), stride: None, padding: 0.into() }
            }

            /// With the pooling's stride.
            #[must_use]
            pub fn stride(self, stride: impl Into<Sizes>) -> $unpool {
                $unpool { stride: Some(stride.into()), ..self }
            }

            /// With the pooling's padding.
            #[must_use]
            pub fn padding(self, padding: impl Into<Sizes>) -> $unpool {
                $unpool { padding: padding.into(), ..self }
            }

            /// The result, for the places that the pooling gives with its result; of the sizes `output_size`, where these do
            /// not follow from the pooling's.
            ///
            /// # Panics
            /// If the indices have another shape than x, or one is out of range.
            #[track_caller]
            pub fn forward(&self, x: &Tensor, indices: &Tensor, output_size: Option<Sizes>) -> Tensor {
                let (kernel, padding) = (self.kernel.clone(), self.padding.clone());
                F::$unpool_function(x, indices, kernel, self.stride.clone(), padding, output_size)
            }
        }

        impl Module for $unpool {
            fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
        }
    )*};
}
others! {
    "length" LPPool1d lp_pool1d MaxUnpool1d max_unpool1d MaxPool1d;
    "height, width" LPPool2d lp_pool2d MaxUnpool2d max_unpool2d MaxPool2d;
    "depth, height, width" LPPool3d lp_pool3d MaxUnpool3d max_unpool3d MaxPool3d;
}

macro_rules! fractional {
    ($($sizes:literal $name:ident $function:ident;)*) => {$(
        #[doc = concat!("The largest of windows at random places of x `[n, channels, ", $sizes, "]` (Graham, 2014).")]
        #[derive(Clone, Debug)]
        pub struct $name {
            kernel: Sizes,
            output: Sizes,
        }

        impl $name {
            /// With this kernel, down to this size.
            pub fn new(kernel_size: impl Into<Sizes>, output_size: impl Into<Sizes>) -> $name {
                $name { kernel: kernel_size.into(), output: output_size.into() }
            }
        }

        impl Module for $name {
            fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
        }

        impl Layer for $name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                F::$function(x, self.kernel.clone(), self.output.clone(), None).0
            }
        }
    )*};
}
fractional! {
    "height, width" FractionalMaxPool2d fractional_max_pool2d;
    "depth, height, width" FractionalMaxPool3d fractional_max_pool3d;
}

/// Pictures (and rows, and volumes) made larger or smaller; see [`interpolate`](F::interpolate).
#[derive(Clone, Debug)]
pub struct Upsample {
    to: F::Resize,
    mode: String,
    align_corners: bool,
}

impl Upsample {
    /// To this size, or by this factor (a number with a fraction, such as `2.0`), to the nearest number.
    pub fn new(to: impl Into<F::Resize>) -> Upsample {
        Upsample {
            to: to.into(),
            mode: "nearest".to_string(),
            align_corners: false,
        }
    }

    /// With this mode: `"nearest"`, `"linear"`, `"bilinear"`, `"bicubic"`, `"trilinear"`.
    #[must_use]
    pub fn mode(self, mode: &str) -> Upsample {
        Upsample {
            mode: mode.to_string(),
            ..self
        }
    }

    /// Whether the corners of input and output are the same points.
    #[must_use]
    pub fn align_corners(self, align_corners: bool) -> Upsample {
        Upsample {
            align_corners,
            ..self
        }
    }
}

impl Module for Upsample {
    fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
}

impl Layer for Upsample {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        F::interpolate(x, self.to.clone(), &self.mode, self.align_corners, false)
    }
}
