//! Bilinear layers, changes of shape, and weight normalisation.

use super::{Layer, Module, Part};
use crate::ops::functional as F;
use crate::tensor::Tensor;
use wengert_array::{Error, ErrorKind, Shape, raise};

/// y_k = xᵀ W_k z + b_k, for x `[.., first]` and z `[.., second]`.
#[derive(Clone, Debug, Module)]
pub struct Bilinear {
    /// The weight, `[out, first, second]`.
    pub weight: Tensor,
    /// The bias, `[out]`.
    pub bias: Option<Tensor>,
}

impl Bilinear {
    /// All numbers are drawn uniformly from ±1/√first, as PyTorch does.
    pub fn new(first: usize, second: usize, outputs: usize) -> Bilinear {
        let bound = 1.0 / (first.max(1) as f64).sqrt();
        let draw = |shape: &[usize]| Tensor::uniform(shape, -bound, bound).requires_grad_(true);
        Bilinear {
            weight: draw(&[outputs, first, second]),
            bias: Some(draw(&[outputs])),
        }
    }

    /// The output.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, z: &Tensor) -> Tensor {
        F::bilinear(x, z, &self.weight, self.bias.as_ref())
    }
}

/// One dimension made several.
#[derive(Clone, Debug)]
pub struct Unflatten {
    dim: isize,
    sizes: Vec<usize>,
}

impl Unflatten {
    /// Dimension `dim` becomes dimensions of these sizes.
    pub fn new(dim: isize, sizes: impl Into<Vec<usize>>) -> Unflatten {
        let sizes = sizes.into();
        Unflatten { dim, sizes }
    }
}

impl Module for Unflatten {
    fn parts<'a>(&'a self, _: &mut dyn FnMut(&str, Part<'a>)) {}
}

impl Layer for Unflatten {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let n = x.size(self.dim);
        if self.sizes.iter().product::<usize>() != n {
            let message = format!("cannot make {:?} of a dimension of size {n}", self.sizes);
            raise(Error::new(ErrorKind::Shape, "Unflatten", message));
        }
        let shape = x.shape();
        let d = if self.dim < 0 {
            (self.dim + shape.rank() as isize) as usize
        } else {
            self.dim as usize
        };
        let before = shape[..d].iter().copied();
        let shape: Shape = before
            .chain(self.sizes.iter().copied())
            .chain(shape[d + 1..].iter().copied())
            .collect();
        x.reshape(shape)
    }
}

/// A linear layer whose weight is a length and a direction for each output: w = g v / ‖v‖, as
/// `torch.nn.utils.parametrizations.weight_norm` makes of one.
///
/// Source: Salimans and Kingma, Weight Normalization, 2016.
#[allow(non_snake_case)] // as `Linear` has it
#[derive(Clone, Debug)]
pub struct WeightNormLinear {
    /// The lengths, `[1, out]`.
    pub g: Tensor,
    /// The directions, `[in, out]`.
    pub V: Tensor,
    /// The bias, `[out]`.
    pub bias: Option<Tensor>,
}

impl WeightNormLinear {
    /// With the weight that the layer has.
    pub fn new(layer: &super::Linear) -> WeightNormLinear {
        let w = layer.W.detach();
        let g = w.square().sum_dim(0, true).sqrt();
        WeightNormLinear {
            g: g.requires_grad_(true),
            V: w.contiguous().requires_grad_(true),
            bias: (layer.b.numel() > 0).then(|| layer.b.clone()),
        }
    }

    /// The weight, `[in, out]`.
    pub fn weight(&self) -> Tensor {
        let v = self.V.as_parameter();
        v * (self.g.as_parameter() / v.square().sum_dim(0, true).sqrt())
    }
}

impl Module for WeightNormLinear {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        if let Some(bias) = &self.bias {
            show("bias", Part::Parameter(bias));
        }
        show("parametrizations.weight.original0", Part::Transposed(&self.g));
        show("parametrizations.weight.original1", Part::Transposed(&self.V));
    }
}

impl Layer for WeightNormLinear {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        crate::ops::linear(x, &self.weight(), self.bias.as_ref().map(Tensor::as_parameter))
    }
}
