//! The reverse of max pooling.

use super::common::{Sizes, last, numbers};
use super::pool::{batched, flat, unbatched};
use super::scatter::Gather;
use super::{contract, ok};
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, kernels};

/// y = zeros with x put at the places that indices say; dx = dy at those places.
#[derive(Clone, Debug)]
pub struct MaxUnpool {
    /// The size of the last dimension of the result.
    pub size: usize,
}

impl Op for MaxUnpool {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "max_unpool";
    const SAVES: &'static [Saves] = &[Saves::x(1)];
    fn infer(&self, [x, index]: [In<'_>; 2]) -> Result<Meta> {
        if x.shape != index.shape || x.shape.rank() == 0 {
            let message = format!(
                "values of shape {} and indices of shape {} differ",
                x.shape, index.shape
            );
            return Err(Error::new(ErrorKind::Shape, Self::NAME, message));
        }
        Ok(x.with_shape(x.shape.with(x.shape.rank() - 1, self.size)))
    }
    fn forward(&self, [x, index]: [Array; 2], _: &Meta, _: &mut Extra) -> Array {
        kernels::max_unpool(&x, &index, self.size)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let last = dy.dim() as isize - 1;
        [cx.grad(0, || Gather(last).apply([&dy, &cx.x(1).detach()])), None]
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[3i64, 0, 1, 2], [2, 2]);
        vec![Sample::new(MaxUnpool { size: 4 }, [numbers(&[2, 2]), index])]
    }
}

#[track_caller]
pub(super) fn unpool(
    name: &'static str,
    x: &Tensor,
    indices: &Tensor,
    (kernel, stride, padding, size): (Sizes, Option<Sizes>, Sizes, Option<Sizes>),
    n: usize,
) -> Tensor {
    let prepare = || {
        let kernel = kernel.positive(name, "the kernel size", n)?;
        let stride = stride.map_or(Ok(kernel.clone()), |s| s.positive(name, "the stride", n))?;
        let padding = padding.each(name, "the padding", n)?;
        if x.shape() != indices.shape() {
            let message = format!(
                "values of shape {} and indices of shape {} differ",
                x.shape(),
                indices.shape()
            );
            return Err(Error::new(ErrorKind::Shape, name, message));
        }
        if indices.dtype() != DType::I64 {
            let message = format!("indices must be int64, and are {}", indices.dtype());
            return Err(Error::new(ErrorKind::DType, name, message));
        }
        let (x, alone) = batched(name, x, n)?;
        let old = last(&x.shape(), n);
        let by_rule = |d: usize| ((old[d].max(1) - 1) * stride[d] + kernel[d]).saturating_sub(2 * padding[d]);
        let sizes = match size {
            Some(sizes) => sizes.each(name, "the output size", n)?,
            None => (0..n).map(by_rule).collect(),
        };
        let total = sizes.iter().product::<usize>();
        let array = indices.array().contiguous();
        if let Some(wrong) = array
            .as_slice::<i64>()
            .iter()
            .find(|i| !(0..total as i64).contains(i))
        {
            let message = format!("index {wrong} is out of range for a result of size {sizes:?}");
            return Err(Error::new(ErrorKind::Index, name, message));
        }
        Ok((x, alone, sizes, total))
    };
    let (x, alone, sizes, total) = ok(prepare());
    let (shape, indices) = (x.shape(), indices.detach());
    let whole: Shape = shape[..2].iter().copied().chain(sizes).collect();
    let y = MaxUnpool { size: total }.apply([&x.reshape(flat(&shape, n)), &indices.reshape(flat(&shape, n))]);
    unbatched(y.reshape(whole), alone)
}

contract! { max_unpool: MaxUnpool }
