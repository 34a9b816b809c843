//! The linear layer.

use super::{Layer, Module, Part};
use crate::ops::linear;
use crate::tensor::Tensor;
use std::fmt;

/// y = x W + b, for x `[.., in]`.
///
/// `W` is `[in, out]` and `b` is `[out]`, both plain tensors that may be replaced: a tensor put there becomes the
/// layer's parameter. State dicts hold them as PyTorch does, `weight` `[out, in]` and `bias` `[out]`.
///
/// ```
/// use wengert::nn::{Layer, Linear, MSELoss};
/// use wengert::Tensor;
///
/// let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
/// let mut linear = Linear::new(2, 2);
/// linear.W = Tensor::new([[0.1, 0.2], [0.3, 0.4]]);
/// linear.b = Tensor::new([0.5, 0.6]);
/// let y = linear.forward(&x);
/// let loss = MSELoss::new().forward(&y, &Tensor::new([[1.0, 1.0], [1.0, 1.0]]));
/// loss.backward();
/// assert!(linear.W.grad().unwrap().allclose(&Tensor::new([[1.6, 3.0], [2.2, 4.2]]), 1e-5, 0.0));
/// assert!(linear.b.grad().unwrap().allclose(&Tensor::new([0.6, 1.2]), 1e-5, 0.0));
/// ```
#[allow(non_snake_case)] // the formula's name
#[derive(Clone)]
pub struct Linear {
    /// The weight, `[in, out]`.
    pub W: Tensor,
    /// The bias, `[out]`; a layer without one has an empty tensor here.
    pub b: Tensor,
}

impl Linear {
    /// A layer with a bias. All parameters are drawn uniformly from ±1/√in, as PyTorch does.
    pub fn new(inputs: usize, outputs: usize) -> Linear {
        let layer = Linear::without_bias(inputs, outputs);
        let bound = bound(inputs);
        Linear {
            b: Tensor::uniform([outputs], -bound, bound).requires_grad_(true),
            ..layer
        }
    }

    /// A layer that only multiplies.
    pub fn without_bias(inputs: usize, outputs: usize) -> Linear {
        let bound = bound(inputs);
        Linear {
            W: Tensor::uniform([inputs, outputs], -bound, bound).requires_grad_(true),
            b: Tensor::zeros([0]),
        }
    }

    /// The weight as PyTorch sees it, `[out, in]`: a view that passes gradients on to `W`.
    pub fn weight(&self) -> Tensor {
        self.W.as_parameter().t()
    }

    fn has_bias(&self) -> bool {
        // A layer of no outputs has an empty bias that is one.
        self.b.numel() > 0 || self.W.size(-1) == 0
    }
}

fn bound(inputs: usize) -> f64 {
    1.0 / (inputs.max(1) as f64).sqrt()
}

impl Module for Linear {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        show("weight", Part::Transposed(&self.W));
        if self.has_bias() {
            show("bias", Part::Parameter(&self.b));
        }
    }
}

impl Layer for Linear {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let bias = self.has_bias().then(|| self.b.as_parameter());
        linear(x, self.W.as_parameter(), bias)
    }
}

impl fmt::Debug for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shape, bias) = (self.W.shape(), self.has_bias());
        let at = |d: usize| shape.get(d).copied().unwrap_or(0);
        write!(
            f,
            "Linear(in_features={}, out_features={}, bias={bias})",
            at(0),
            at(1)
        )
    }
}
