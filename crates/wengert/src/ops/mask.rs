//! Elements chosen by a bool mask.

use super::compare::Operand;
use super::join::common;
use super::rows::{IndexCopy, IndexSelect, same_dtype, zero_dim};
use super::{ok, where_};
use crate::op::Op;
use crate::tensor::Tensor;
use wengert_array::{DType, Error, ErrorKind, Result, Shape, kernels, raise};

fn bool_mask(op: &str, mask: &Tensor) -> Result<()> {
    if mask.dtype() == DType::Bool {
        return Ok(());
    }
    let message = format!("the mask must be bool, and is {}", mask.dtype());
    Err(Error::new(ErrorKind::DType, op, message).help("compare, as in `x.gt(0.0)`, to get a mask"))
}

/// The places, counted in row-major order, where a mask of this shape holds.
pub(in crate::ops) fn places(mask: &Tensor, shape: &Shape) -> Tensor {
    let mask = mask.array().broadcast_to(shape).contiguous();
    let all = kernels::nonzero(&mask.reshape([mask.numel()]));
    Tensor::constant(all.reshape([all.numel()]))
}

impl Tensor {
    /// `value`, a number or a 0-d tensor, where the mask holds; itself elsewhere. The mask broadcasts.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: impl Operand) -> Tensor {
        ok(bool_mask("masked_fill", mask));
        let value = value.operand(self);
        ok(zero_dim("masked_fill", &value));
        where_(mask, &value.to(self.dtype()), self)
    }

    /// `value`, a number or a 0-d tensor, everywhere, in this shape and dtype. Its gradient is the sum, and that of what was there
    /// before is zero.
    #[track_caller]
    pub fn fill(&self, value: impl Operand) -> Tensor {
        let value = value.operand(self);
        ok(zero_dim("fill", &value));
        super::common::tied(value.to(self.dtype()).expand(self.shape()), self)
    }

    /// The elements where the mask holds, in row-major order; both broadcast.
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor) -> Tensor {
        ok(bool_mask("masked_select", mask));
        let shape = ok(common("masked_select", &[self, mask]));
        let places = places(mask, &shape);
        let flat = self.expand(&shape).ravel();
        IndexSelect(0).apply([&flat, &places])
    }

    /// The first elements of `source`, in row-major order, one after the other where the mask holds; itself
    /// elsewhere. The mask broadcasts.
    #[track_caller]
    pub fn masked_scatter(&self, mask: &Tensor, source: &Tensor) -> Tensor {
        ok(bool_mask("masked_scatter", mask));
        ok(same_dtype("masked_scatter", self, source));
        let shape = ok(common("masked_scatter", &[self, mask]));
        let places = places(mask, &shape);
        let n = places.numel();
        if source.numel() < n {
            let message = format!(
                "the mask holds {n} times, and there are {} values",
                source.numel()
            );
            raise(Error::new(ErrorKind::Shape, "masked_scatter", message));
        }
        let (flat, source) = (self.expand(&shape).ravel(), source.ravel().narrow(0, 0, n));
        IndexCopy(0).apply([&flat, &places, &source]).reshape(shape)
    }

    /// The indices of the elements that are not zero, one row for each, in row-major order: i64 of shape
    /// [count, dimensions].
    #[track_caller]
    pub fn nonzero(&self) -> Tensor {
        if self.dtype().is_complex() {
            return self.ne(0.0).nonzero();
        }
        Tensor::constant(kernels::nonzero(&self.array()))
    }

    /// As [`nonzero`](Tensor::nonzero).
    #[track_caller]
    pub fn argwhere(&self) -> Tensor {
        self.nonzero()
    }

    /// The columns of [`nonzero`](Tensor::nonzero), one list for each dimension: what `where` of a condition alone
    /// gives, and what [`index`](Tensor::index) takes. A 0-d tensor counts as a vector.
    #[track_caller]
    pub fn nonzero_lists(&self) -> Vec<Tensor> {
        self.atleast_1d().nonzero().unbind(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_choose() {
        let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]).requires_grad_(true);
        let m = Tensor::new([true, false]);
        assert_eq!(x.masked_fill(&m, -1.0).to_vec::<f32>(), [-1., 2., -1., 4.]);
        let y = x.masked_select(&m);
        assert_eq!(y.to_vec::<f32>(), [1., 3.]);
        y.sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1., 0., 1., 0.]);
        let z = x.masked_scatter(&m, &Tensor::new([7.0, 8.0, 9.0]));
        assert_eq!(z.to_vec::<f32>(), [7., 2., 8., 4.]);
        assert_eq!(
            Tensor::new([[0, 3], [5, 0]]).nonzero().to_vec::<i64>(),
            [0, 1, 1, 0]
        );
        assert_eq!(Tensor::new(2.0).nonzero().shape(), [1, 0]);
        assert_eq!(Tensor::new(2.0).nonzero_lists()[0].to_vec::<i64>(), [0]);
    }
}
