//! Elements and rows moved by tensors of indices: gathering them, and scattering into them.

use super::index::positions;
use super::rows::table;
use super::{axis, checked_axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Scatter as How};
use wengert_array::{Array, Error, ErrorKind, Meta, Result, Shape, raise};

/// y = x at `index` along a dimension, element by element; dx = dy added up at the indices.
#[derive(Clone, Debug)]
pub struct Gather(pub isize);

fn infer_gather(op: &str, dim: isize, x: &Shape, index: &Shape) -> Result<()> {
    let d = axis(op, dim, x.rank())?;
    let fits = x.rank() == index.rank() && (0..x.rank()).all(|i| i == d || index[i] <= x[i]);
    if !fits {
        let message = format!("indices of shape {index} do not fit {x}");
        return Err(Error::new(ErrorKind::Shape, op, message).note(format!(
            "they need as many dimensions, and no larger sizes but in dimension {d}"
        )));
    }
    Ok(())
}

impl Op for Gather {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "gather";
    const SAVES: &'static [Saves] = &[Saves::x(1)];
    fn infer(&self, [x, index]: [In<'_>; 2]) -> Result<Meta> {
        infer_gather("gather", self.0, x.shape, index.shape)?;
        Ok(x.with_shape(index.shape))
    }
    fn forward(&self, [x, index]: [Array; 2], y: &Meta, extra: &mut Extra) -> Array {
        match kernels::gather(&x, checked_axis(self.0, x.rank()), &index) {
            Ok(y) => y,
            Err(error) => {
                extra.fail(error);
                Array::full(&y.shape, 0.0, y.dtype)
            }
        }
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let shape = &cx.meta(0).shape;
        [
            cx.grad(0, || scattered(shape, self.0, &cx.x(1).detach(), &dy)),
            None,
        ]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[1i64, 0, 0, 0], [2, 2]);
        vec![Sample::new(Gather(1), [table(), index]).gives([-1.0, 0.5, 2.0, 2.0])]
    }
}

/// y = x with v added to the elements at `index` along a dimension, the reverse of [`Gather`]; dx = dy, dv = dy at them.
#[derive(Clone, Debug)]
pub struct ScatterAdd(pub isize);

impl Op for ScatterAdd {
    type Inputs = Fixed<3>;
    const NAME: &'static str = "scatter_add";
    const SAVES: &'static [Saves] = &[Saves::NOTHING, Saves::NOTHING, Saves::x(1)];
    fn infer(&self, [x, index, v]: [In<'_>; 3]) -> Result<Meta> {
        infer_scatter("scatter_add", self.0, x, index, v)
    }
    fn forward(&self, [x, index, v]: [Array; 3], _: &Meta, _: &mut Extra) -> Array {
        let d = checked_axis(self.0, x.rank());
        kernels::scatter_add(x, d, &index, &v)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 3] {
        let at = |index: Tensor| Gather(self.0).apply([&dy, &index.detach()]);
        [cx.grad(0, || dy.clone()), None, cx.grad(2, || at(cx.x(1)))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(0b101)
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[1i64, 1, 0, 1, 0, 0], [3, 2]);
        let v = Array::from_slice(&[7.0, 8.0, 9.0, 10.0, -1.0, 0.5], [3, 2]);
        vec![Sample::new(ScatterAdd(1), [table(), index, v]).gives([0.5, 14.0, 11.0, 13.0, -0.75, 1.5])]
    }
}

/// Zeros of the shape with `v` added to the elements at `index` along a dimension.
#[track_caller]
pub(super) fn scattered(shape: &Shape, dim: isize, index: &Tensor, v: &Tensor) -> Tensor {
    let zeros = Tensor::constant(Array::full(shape, 0.0, v.dtype()));
    ScatterAdd(dim).apply_owned([zeros, index.clone(), v.clone()])
}

/// y = x with v written to the elements at `index` along a dimension, the last one where several meet; dx = dy
/// without those elements, dv = dy at them.
#[derive(Clone, Debug)]
pub struct Scatter(pub isize);

impl Op for Scatter {
    type Inputs = Fixed<3>;
    const NAME: &'static str = "scatter";
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::NOTHING, Saves::x(1)];
    fn infer(&self, [x, index, v]: [In<'_>; 3]) -> Result<Meta> {
        infer_scatter("scatter", self.0, x, index, v)
    }
    fn forward(&self, [x, index, v]: [Array; 3], _: &Meta, _: &mut Extra) -> Array {
        let d = checked_axis(self.0, x.rank());
        kernels::scatter(x, d, &index, &v, How::Set)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 3] {
        let index = cx.x(1).detach();
        [
            cx.grad(0, || blank(&dy, self.0, &index)),
            None,
            cx.grad(2, || Gather(self.0).apply([&dy, &index])),
        ]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(0b101)
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[2i64, 0, 0, 1], [2, 2]);
        let v = Array::from_slice(&[7.0, 8.0, 9.0, 10.0], [2, 2]);
        vec![Sample::new(Scatter(0), [table(), index, v]).gives([9.0, 8.0, 2.0, 10.0, 7.0, 1.5])]
    }
}

pub(super) fn infer_scatter(op: &str, dim: isize, x: In<'_>, index: In<'_>, v: In<'_>) -> Result<Meta> {
    infer_gather(op, dim, x.shape, index.shape)?;
    if v.shape != index.shape {
        let message = format!(
            "values of shape {} and indices of shape {} differ",
            v.shape, index.shape
        );
        return Err(Error::new(ErrorKind::Shape, op, message));
    }
    if v.dtype != x.dtype {
        return Err(super::rows::other_dtype(op, x.dtype, v.dtype));
    }
    Ok(x.with_shape(x.shape))
}

/// `x` with zeros at `index`.
pub(super) fn blank(x: &Tensor, dim: isize, index: &Tensor) -> Tensor {
    let zeros = Array::fill(index.shape(), 0.0, x.dtype());
    Scatter(dim).apply([x, index, &Tensor::constant(zeros)])
}

/// Elements by index.
impl Tensor {
    /// The index along `dim`, checked against the size there. For a 0-d tensor, which counts as a vector of one.
    pub(super) fn places(&self, op: &str, dim: isize, index: &Tensor) -> Result<Tensor> {
        let shape = self.shape();
        let d = axis(op, dim, shape.rank())?;
        positions(op, index, shape[d])
    }

    /// Element by element, what lies at `index` along `dim`: `y[i][j] = x[i][index[i][j]]` for `dim` 1.
    #[track_caller]
    pub fn gather(&self, dim: isize, index: &Tensor) -> Tensor {
        if self.dim() == 0 || index.dim() == 0 {
            return self
                .atleast_1d()
                .gather(dim, &index.atleast_1d())
                .reshape(index.shape());
        }
        if index.numel() == 0 {
            // Nothing is picked, in whatever shape.
            return self.ravel().narrow(0, 0, 0).reshape(index.shape());
        }
        let index = ok(super::index::integers("gather", index));
        Gather(dim).apply([self, &index])
    }

    /// What lies at `index`, which has size one along `dim`, and the index; without `keepdim`, both without that dimension.
    #[track_caller]
    pub(super) fn picked(&self, index: Tensor, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        let values = Gather(dim).apply([self, &index]);
        match keepdim {
            true => (values, index),
            false => (values.squeeze(dim), index.squeeze(dim)),
        }
    }

    /// As [`gather`](Tensor::gather) where sizes but that of `dim` broadcast; without `dim`, of the elements in
    /// row-major order.
    #[track_caller]
    pub fn take_along_dim(&self, index: &Tensor, dim: Option<isize>) -> Tensor {
        let Some(dim) = dim else {
            return self.ravel().gather(0, &index.ravel());
        };
        let (a, b) = (self.shape(), index.shape());
        let d = ok(axis("take_along_dim", dim, a.rank()));
        let both = (a.rank() == b.rank())
            .then(|| a.with(d, 1).broadcast(&b.with(d, 1)))
            .flatten();
        let Some(both) = both else {
            let message = format!("indices of shape {b} do not fit {a}");
            raise(
                Error::new(ErrorKind::Shape, "take_along_dim", message)
                    .note(format!("all sizes but that of dimension {d} must broadcast")),
            )
        };
        let (x, index) = (self.expand(both.with(d, a[d])), index.expand(both.with(d, b[d])));
        x.gather(d as isize, &index)
    }

    /// The values to be scattered to `index`: a number as a tensor, a larger tensor cut to the index's shape.
    #[track_caller]
    pub(super) fn values(&self, op: &'static str, src: &Tensor, index: &Tensor) -> Tensor {
        let (have, want) = (src.shape(), index.shape());
        if have == want {
            return src.clone();
        }
        if have.rank() != want.rank() || (0..want.rank()).any(|d| want[d] > have[d]) {
            let message = format!("values of shape {have} are too few for indices of shape {want}");
            raise(Error::new(ErrorKind::Shape, op, message));
        }
        let mut src = src.clone();
        for d in 0..want.rank() {
            src = src.narrow(d as isize, 0, want[d]);
        }
        src
    }

    /// With the values `src` written to the elements at `index` along `dim`; the reverse of
    /// [`gather`](Tensor::gather). Where several meet, the last one stays.
    #[track_caller]
    pub fn scatter(&self, dim: isize, index: &Tensor, src: &Tensor) -> Tensor {
        if self.dim() == 0 || index.dim() == 0 {
            let y = self
                .atleast_1d()
                .scatter(dim, &index.atleast_1d(), &src.atleast_1d());
            return y.reshape(self.shape());
        }
        let places = ok(self.places("scatter", dim, index));
        Scatter(dim).apply([self, &places, &self.values("scatter", src, index)])
    }

    /// As [`scatter`](Tensor::scatter), with the same number everywhere.
    #[track_caller]
    pub fn scatter_value(&self, dim: isize, index: &Tensor, value: f64) -> Tensor {
        let value = Tensor::constant(Array::fill(index.shape(), value, self.dtype()));
        self.scatter(dim, index, &value)
    }

    /// With `src` added to the elements at `index` along `dim`.
    #[track_caller]
    pub fn scatter_add(&self, dim: isize, index: &Tensor, src: &Tensor) -> Tensor {
        ok(super::rows::same_dtype("scatter_add", self, src));
        if self.dim() == 0 || index.dim() == 0 {
            let y = self
                .atleast_1d()
                .scatter_add(dim, &index.atleast_1d(), &src.atleast_1d());
            return y.reshape(self.shape());
        }
        let places = ok(self.places("scatter_add", dim, index));
        ScatterAdd(dim).apply([self, &places, &self.values("scatter_add", src, index)])
    }
}

contract! {
    gather: Gather,
    scatter_add: ScatterAdd,
    scatter: Scatter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_the_end_and_sizes_broadcast() {
        let x = Tensor::new([1.0, 10.0]).scatter_value(0, &Tensor::new([-1]), 4.0);
        assert_eq!(x.to_vec::<f32>(), [1.0, 4.0]);
        let wide = Tensor::new([[1.0, 2.0, 3.0]]).take_along_dim(&Tensor::new([[2], [0]]), Some(1));
        assert_eq!(wide.to_vec::<f32>(), [3.0, 1.0]);
    }
}
