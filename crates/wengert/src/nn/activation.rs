//! Layers without parameters: each applies one operation.

use super::{Layer, Module, Part};
use crate::tensor::Tensor;

macro_rules! layers {
    ($($(#[$doc:meta])* $name:ident: |$layer:ident, $x:ident| $y:expr;)*) => {$(
        impl Module for $name {
            fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
        }

        impl Layer for $name {
            #[track_caller]
            fn forward(&self, $x: &Tensor) -> Tensor {
                let $layer = self;
                $y
            }
        }
    )*};
}

/// max(x, 0).
#[derive(Clone, Copy, Debug)]
pub struct ReLU;
/// x Φ(x), where Φ is the distribution function of the standard normal.
#[derive(Clone, Copy, Debug)]
pub struct GELU;
/// 1 / (1 + e⁻ˣ).
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid;
/// The hyperbolic tangent.
#[derive(Clone, Copy, Debug)]
pub struct Tanh;
/// What goes in comes out.
#[derive(Clone, Copy, Debug)]
pub struct Identity;
/// e^x over its sum along a dimension.
#[derive(Clone, Copy, Debug)]
pub struct Softmax(/** The dimension. */ pub isize);
/// The logarithm of the softmax along a dimension.
#[derive(Clone, Copy, Debug)]
pub struct LogSoftmax(/** The dimension. */ pub isize);
/// All dimensions but the first made one.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

layers! {
    ReLU: |_l, x| x.relu();
    GELU: |_l, x| x.gelu();
    Sigmoid: |_l, x| x.sigmoid();
    Tanh: |_l, x| x.tanh();
    Identity: |_l, x| x.clone();
    Softmax: |l, x| x.softmax(l.0);
    LogSoftmax: |l, x| x.log_softmax(l.0);
    Flatten: |_l, x| x.flatten(1, -1);
}
