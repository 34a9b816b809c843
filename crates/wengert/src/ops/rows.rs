//! Rows along a dimension, moved by lists of indices.

use super::compare::Operand;
use super::index::positions;
use super::{axis, checked_axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, kernels, raise};

pub(super) fn table() -> Array {
    Array::from_slice(&[0.5, -1.0, 2.0, 3.0, -0.25, 1.5], [3, 2])
}

/// y = the parts of x at `index` along a dimension; dx = dy added up at the indices.
#[derive(Clone, Debug)]
pub struct IndexSelect(pub isize);

impl Op for IndexSelect {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "index_select";
    const SAVES: &'static [Saves] = &[Saves::x(1)];
    fn infer(&self, [x, index]: [In<'_>; 2]) -> Result<Meta> {
        let d = axis("index_select", self.0, x.shape.rank())?;
        if index.shape.rank() != 1 {
            let message = format!(
                "the indices must have one dimension, and have shape {}",
                index.shape
            );
            return Err(Error::new(ErrorKind::Shape, "index_select", message));
        }
        Ok(x.with_shape(x.shape.with(d, index.shape[0])))
    }
    fn forward(&self, [x, index]: [Array; 2], _: &Meta, _: &mut Extra) -> Array {
        kernels::index_select(&x, checked_axis(self.0, x.rank()), &index)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let shape = &cx.meta(0).shape;
        [
            cx.grad(0, || added_rows(shape, self.0, &cx.x(1).detach(), &dy)),
            None,
        ]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[2i64, 0, 2], [3]);
        vec![
            Sample::new(IndexSelect(0), [table(), index]).gives([-0.25, 1.5, 0.5, -1.0, -0.25, 1.5]),
            Sample::new(IndexSelect(-1), [table(), Array::from_slice(&[1i64], [1])]).gives([-1.0, 3.0, 1.5]),
        ]
    }
}

/// y = x with v added to the rows at `index` along a dimension, the reverse of [`IndexSelect`]; dx = dy, dv = dy at them.
#[derive(Clone, Debug)]
pub struct IndexAdd(pub isize);

impl Op for IndexAdd {
    type Inputs = Fixed<3>;
    const NAME: &'static str = "index_add";
    const SAVES: &'static [Saves] = &[Saves::NOTHING, Saves::NOTHING, Saves::x(1)];
    fn infer(&self, [x, index, v]: [In<'_>; 3]) -> Result<Meta> {
        let d = axis("index_add", self.0, x.shape.rank())?;
        if index.shape.rank() != 1 || *v.shape != x.shape.with(d, index.shape[0]) {
            let message = format!(
                "cannot add {} at {} indices into {}",
                v.shape, index.shape, x.shape
            );
            return Err(Error::new(ErrorKind::Shape, "index_add", message));
        }
        if v.dtype != x.dtype {
            return Err(other_dtype("index_add", x.dtype, v.dtype));
        }
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x, index, v]: [Array; 3], _: &Meta, _: &mut Extra) -> Array {
        let d = checked_axis(self.0, x.rank());
        kernels::index_add(x, d, &index, &v)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 3] {
        let at = |index: Tensor| IndexSelect(self.0).apply([&dy, &index.detach()]);
        [cx.grad(0, || dy.clone()), None, cx.grad(2, || at(cx.x(1)))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(0b101)
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[1i64, 1], [2]);
        let v = Array::from_slice(&[7.0, 8.0, 9.0, 10.0], [2, 2]);
        vec![Sample::new(IndexAdd(0), [table(), index, v]).gives([0.5, -1.0, 18.0, 21.0, -0.25, 1.5])]
    }
}

/// Zeros of the shape with `v` added to the rows at `index` along a dimension.
#[track_caller]
pub(super) fn added_rows(shape: &Shape, dim: isize, index: &Tensor, v: &Tensor) -> Tensor {
    let zeros = Tensor::constant(Array::full(shape, 0.0, v.dtype()));
    IndexAdd(dim).apply_owned([zeros, index.clone(), v.clone()])
}

/// y = x with the rows at `index` along a dimension replaced by those of v; dx = dy without those rows, dv = dy
/// at them.
#[derive(Clone, Debug)]
pub struct IndexCopy(pub isize);

impl Op for IndexCopy {
    type Inputs = Fixed<3>;
    const NAME: &'static str = "index_copy";
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::NOTHING, Saves::x(1)];
    fn infer(&self, [x, index, v]: [In<'_>; 3]) -> Result<Meta> {
        let d = axis("index_copy", self.0, x.shape.rank())?;
        if index.shape.rank() != 1 || x.shape.with(d, index.shape[0]) != *v.shape {
            let message = format!(
                "cannot copy {} to {} indices of {}",
                v.shape, index.shape, x.shape
            );
            return Err(Error::new(ErrorKind::Shape, "index_copy", message).note(format!(
                "sizes must be equal but for dimension {d}, where each index takes one row"
            )));
        }
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x, index, v]: [Array; 3], y: &Meta, _: &mut Extra) -> Array {
        let d = checked_axis(self.0, x.rank());
        kernels::index_write(x, d, &index, &v.cast(y.dtype))
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 3] {
        let index = cx.x(1).detach();
        [
            cx.grad(0, || {
                let zeros = Array::fill(&cx.meta(2).shape, 0.0, dy.dtype());
                IndexCopy(self.0).apply([&dy, &index, &Tensor::constant(zeros)])
            }),
            None,
            cx.grad(2, || IndexSelect(self.0).apply([&dy, &index])),
        ]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(0b101)
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[2i64, 0], [2]);
        let v = Array::from_slice(&[7.0, 8.0, 9.0, 10.0], [2, 2]);
        vec![
            Sample::new(IndexCopy(0), [table(), index, v]).gives([9.0, 10.0, 2.0, 3.0, 7.0, 8.0]),
            Sample::new(
                IndexCopy(-1),
                [
                    table(),
                    Array::from_slice(&[1i64], [1]),
                    Array::from_slice(&[4.0, 5.0, 6.0], [3, 1]),
                ],
            )
            .gives([0.5, 4.0, 2.0, 5.0, -0.25, 6.0]),
        ]
    }
}

/// Rows by index.
impl Tensor {
    /// The index along `dim`, checked, and where there is no such dimension, of what.
    fn rows(&self, op: &str, dim: isize, index: &Tensor) -> Result<(usize, Tensor)> {
        let d = axis(op, dim, self.dim())?;
        Ok((d, positions(op, index, self.shape()[d])?))
    }

    /// The parts at `index`, a list of integers, along `dim`. Indices may repeat, and may count from the end.
    #[track_caller]
    pub fn index_select(&self, dim: isize, index: &Tensor) -> Tensor {
        if self.dim() == 0 && index.numel() == 1 {
            return self
                .reshape([1])
                .index_select(dim, index)
                .reshape(Shape::default());
        }
        let (_, index) = ok(self.rows("index_select", dim, index));
        // As PyTorch has it, a number is a list of one.
        let index = if index.dim() == 0 {
            index.reshape([1])
        } else {
            index
        };
        IndexSelect(dim).apply([self, &index])
    }

    /// With `alpha` times the rows of `source` added to the rows at `index` along `dim`.
    #[track_caller]
    pub fn index_add(&self, dim: isize, index: &Tensor, source: &Tensor, alpha: f64) -> Tensor {
        if self.dim() == 0 {
            return self
                .reshape([1])
                .index_add(dim, index, &source.atleast_1d(), alpha)
                .reshape(Shape::default());
        }
        let (_, index) = ok(self.rows("index_add", dim, index));
        let index = index.atleast_1d();
        ok(same_dtype("index_add", self, source));
        let source = if alpha == 1.0 {
            source.clone()
        } else {
            source * alpha
        };
        IndexAdd(dim).apply([self, &index, &source])
    }

    /// With the rows at `index` along `dim` replaced by those of `source`.
    #[track_caller]
    pub fn index_copy(&self, dim: isize, index: &Tensor, source: &Tensor) -> Tensor {
        if self.dim() == 0 {
            return self
                .reshape([1])
                .index_copy(dim, index, &source.atleast_1d())
                .reshape(Shape::default());
        }
        let (_, index) = ok(self.rows("index_copy", dim, index));
        let index = index.atleast_1d();
        ok(same_dtype("index_copy", self, source));
        IndexCopy(dim).apply([self, &index, source])
    }

    /// With all elements of the rows at `index` along `dim` replaced by `value`, a number or a 0-d tensor.
    #[track_caller]
    pub fn index_fill(&self, dim: isize, index: &Tensor, value: impl Operand) -> Tensor {
        let value = value.operand(self);
        if self.dim() == 0 {
            let y = self.reshape([1]).index_fill(dim, index, &value);
            return y.reshape(Shape::default());
        }
        let (d, index) = ok(self.rows("index_fill", dim, index));
        // An index named twice is filled once, and its element counts once in the value's gradient.
        let index = index.unique().values;
        ok(zero_dim("index_fill", &value));
        let rows = self.shape().with(d, index.numel());
        IndexCopy(dim).apply([self, &index, &value.to(self.dtype()).expand(rows)])
    }

    /// The elements at the places in `index`, counted in row-major order, in `index`'s shape.
    #[track_caller]
    pub fn take(&self, index: &Tensor) -> Tensor {
        let places = ok(positions("take", index, self.numel()));
        let places = places.reshape([places.numel()]);
        IndexSelect(0)
            .apply([&self.ravel(), &places])
            .reshape(index.shape())
    }

    /// With the elements at the places in `index`, counted in row-major order, replaced by those of `source`, or
    /// (`accumulate`) with those added.
    #[track_caller]
    pub fn put(&self, index: &Tensor, source: &Tensor, accumulate: bool) -> Tensor {
        let places = ok(positions("put", index, self.numel()));
        ok(same_dtype("put", self, source));
        if source.numel() != places.numel() {
            let message = format!(
                "{} elements do not fill {} places",
                source.numel(),
                places.numel()
            );
            raise(Error::new(ErrorKind::Shape, "put", message));
        }
        let (flat, places, source) = (self.ravel(), places.ravel(), source.ravel());
        let y = match accumulate {
            true => flat.index_add(0, &places, &source, 1.0),
            false => IndexCopy(0).apply([&flat, &places, &source]),
        };
        y.reshape(self.shape())
    }
}

/// PyTorch does not convert what is written into a tensor by these operations.
pub(super) fn same_dtype(op: &str, x: &Tensor, source: &Tensor) -> Result<()> {
    match x.dtype() == source.dtype() {
        true => Ok(()),
        false => Err(other_dtype(op, x.dtype(), source.dtype())),
    }
}

pub(super) fn other_dtype(op: &str, x: DType, source: DType) -> Error {
    let message = format!("cannot put {source} elements among {x} ones");
    Error::new(ErrorKind::DType, op, message).help("convert them first: `.to(x.dtype())`")
}

pub(super) fn zero_dim(op: &str, value: &Tensor) -> Result<()> {
    if value.dim() == 0 {
        return Ok(());
    }
    let message = format!(
        "the value must be a number or a 0-d tensor, and has shape {}",
        value.shape()
    );
    Err(Error::new(ErrorKind::Shape, op, message))
}

contract! {
    index_select: IndexSelect,
    index_add: IndexAdd,
    index_copy: IndexCopy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_copied_and_filled() {
        let x = Tensor::from_slice(&[1.0f32; 6], [3, 2]);
        let (i, v) = (
            Tensor::new([2, 0, 2]),
            Tensor::new([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        );
        assert_eq!(
            x.index_add(0, &i, &v, 2.0).to_vec::<f32>(),
            [7., 9., 1., 1., 13., 17.]
        );
        assert_eq!(x.index_copy(0, &i, &v).to_vec::<f32>(), [3., 4., 1., 1., 5., 6.]);
        assert_eq!(
            x.index_fill(1, &Tensor::new([-1]), 0.0).to_vec::<f32>(),
            [1., 0., 1., 0., 1., 0.]
        );
        assert_eq!(
            v.take(&Tensor::new([[0, -1], [3, 3]])).to_vec::<f32>(),
            [1., 6., 4., 4.]
        );
        let put = x.put(&Tensor::new([0, 5, 0]), &Tensor::new([1.0, 2.0, 3.0]), true);
        assert_eq!(put.to_vec::<f32>(), [5., 1., 1., 1., 1., 3.]);
    }
}
