//! Weights as lengths and directions.

use super::{Layer, Module, Part};
use crate::tensor::Tensor;

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

/// A layer with one weight, whose first dimension counts its kernels, and a bias: what [`WeightNormConv`] can be made of.
pub trait Kernels: Layer + Clone {
    /// The weight.
    fn weight(&self) -> &Tensor;
    /// The bias.
    fn bias(&self) -> Option<&Tensor>;
    /// The same layer with this weight.
    fn with_weight(&self, weight: Tensor) -> Self;
}

/// A convolution whose weight is a length and a direction for each entry of its first dimension: w = g v / ‖v‖, as
/// `torch.nn.utils.parametrizations.weight_norm` makes of one.
///
/// Source: Salimans and Kingma, Weight Normalization, 2016.
///
/// ```
/// use wengert::Tensor;
/// use wengert::nn::{Conv2d, Layer, WeightNormConv};
///
/// let conv = Conv2d::new(3, 8, 3).padding(1);
/// let normed = WeightNormConv::new(&conv);
/// let x = Tensor::randn([2, 3, 5, 5]);
/// assert_eq!(normed.g.shape(), [8, 1, 1, 1]);
/// assert!(normed.forward(&x).allclose(&conv.forward(&x), 1e-4, 1e-5));
/// ```
#[derive(Clone, Debug)]
pub struct WeightNormConv<C: Kernels> {
    /// The lengths, `[out, 1, ..]` (of a transposed convolution `[in, 1, ..]`).
    pub g: Tensor,
    /// The directions, in the weight's shape.
    pub v: Tensor,
    conv: C,
}

/// The lengths of what each entry of the first dimension holds.
fn lengths(v: &Tensor) -> Tensor {
    let rest: Vec<isize> = (1..v.dim() as isize).collect();
    v.square().sum_dim(rest, true).sqrt()
}

impl<C: Kernels> WeightNormConv<C> {
    /// With the weight that the layer has.
    pub fn new(conv: &C) -> WeightNormConv<C> {
        let w = conv.weight().detach();
        WeightNormConv {
            g: lengths(&w).requires_grad_(true),
            v: w.contiguous().requires_grad_(true),
            conv: conv.clone(),
        }
    }

    /// The weight.
    pub fn weight(&self) -> Tensor {
        let v = self.v.as_parameter();
        v * (self.g.as_parameter() / lengths(v))
    }
}

impl<C: Kernels> Module for WeightNormConv<C> {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        if let Some(bias) = self.conv.bias() {
            show("bias", Part::Parameter(bias));
        }
        show("parametrizations.weight.original0", Part::Parameter(&self.g));
        show("parametrizations.weight.original1", Part::Parameter(&self.v));
    }
}

impl<C: Kernels> Layer for WeightNormConv<C> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.conv.with_weight(self.weight()).forward(x)
    }
}
