//! Bilinear layers, and changes of shape.

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
