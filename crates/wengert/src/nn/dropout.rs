//! Dropout.

use super::{Layer, Mode, Module};
use crate::ops::functional as F;
use crate::tensor::Tensor;

macro_rules! dropouts {
    ($($(#[$doc:meta])* $name:ident $function:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// In training only: after [`Module::eval`] it passes its input on.
        #[derive(Clone, Debug, Module)]
        pub struct $name {
            /// How likely it is that something is left out.
            pub p: f64,
            mode: Mode,
        }

        impl $name {
            /// With this probability; PyTorch's default is 0.5.
            pub fn new(p: f64) -> $name {
                $name { p, mode: Mode::new() }
            }
        }

        impl Layer for $name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                F::$function(x, self.p, self.mode.is_training())
            }
        }
    )*};
}
dropouts! {
    /// Sets numbers to zero with probability p and scales the others by 1 / (1 − p).
    ///
    /// Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, 2014.
    Dropout dropout;
    /// As [`Dropout`] for whole channels of x `[n, channels, length]`.
    Dropout1d dropout1d;
    /// As [`Dropout`] for whole channels of x `[n, channels, height, width]`.
    Dropout2d dropout2d;
    /// As [`Dropout`] for whole channels of x `[n, channels, depth, height, width]`.
    Dropout3d dropout3d;
    /// Dropout that keeps mean and variance after a layer of selu.
    ///
    /// Source: Klambauer et al., Self-Normalizing Neural Networks, 2017.
    AlphaDropout alpha_dropout;
    /// As [`AlphaDropout`] for whole channels.
    FeatureAlphaDropout feature_alpha_dropout;
}
