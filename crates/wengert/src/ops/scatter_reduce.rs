//! Scattering where values that meet are combined: products, means, the largest and the smallest.

use super::rows::table;
use super::scatter::{Gather, ScatterAdd, blank, infer_scatter, scattered};
use super::{axis, checked_axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Scatter as How};
use wengert_array::{Array, Error, ErrorKind, Meta, Result, raise};

/// y = x with the largest or the smallest of itself and all v at `index` along a dimension; those equal to the
/// result share dy. Where x is not included, elements that are written to have no gradient in x, nor a share (PyTorch
/// leaves them the share).
#[derive(Clone, Debug)]
pub struct ScatterExtreme {
    /// Along which dimension.
    pub dim: isize,
    /// The largest, not the smallest.
    pub largest: bool,
    /// Whether x's own elements take part where others are written.
    pub include_self: bool,
}

/// `x` combined with `v`; where x takes no part, beginning from `first` in its place.
fn combine(how: How, dim: isize, first: Option<Array>, x: Array, index: &Array, v: &Array) -> Array {
    let d = checked_axis(dim, x.rank());
    let x = match first {
        Some(first) => kernels::scatter(x, d, index, &first, How::Set),
        None => x,
    };
    kernels::scatter(x, d, index, v, how)
}

impl Op for ScatterExtreme {
    type Inputs = Fixed<3>;
    const NAME: &'static str = "scatter_reduce";
    const SAVES: &'static [Saves] = &[
        Saves::ALL_X.and(Saves::Y),
        Saves::NOTHING,
        Saves::ALL_X.and(Saves::Y),
    ];
    fn infer(&self, [x, index, v]: [In<'_>; 3]) -> Result<Meta> {
        infer_scatter("scatter_reduce", self.dim, x, index, v)
    }
    fn forward(&self, [x, index, v]: [Array; 3], _: &Meta, _: &mut Extra) -> Array {
        let how = if self.largest { How::Max } else { How::Min };
        // To begin with, any of the values written to a place will do.
        let first = (!self.include_self).then(|| v.clone());
        combine(how, self.dim, first, x, &index, &v)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 3] {
        let (x, index, v) = (cx.x(0).detach(), cx.x(1).detach(), cx.x(2).detach());
        let (y, dtype) = (cx.y().detach(), dy.dtype());
        let at = |t: &Tensor| Gather(self.dim).apply([t, &index]);
        let mut mine = x.eq(&y).to(dtype);
        if !self.include_self {
            mine = blank(&mine, self.dim, &index);
        }
        let theirs = v.eq(&at(&y)).to(dtype);
        let one = Tensor::constant(Array::full([], 1.0, dtype));
        // NaN equals nothing: where it won, nobody shares.
        let count = ScatterAdd(self.dim).apply([&mine, &index, &theirs]).maximum(&one);
        let share = dy / count;
        [
            cx.grad(0, || &mine * &share),
            None,
            cx.grad(2, || &theirs * at(&share)),
        ]
    }
    fn samples() -> Vec<Sample<Self>> {
        let op = |largest, include_self| ScatterExtreme {
            dim: 0,
            largest,
            include_self,
        };
        let given = |op| Sample::new(op, meeting());
        vec![
            given(op(true, true)).gives([4.0, -1.0, 2.0, 3.0, 0.75, 2.5]),
            given(op(false, false)).gives([3.0, -2.0, 2.0, 0.25, 0.75, 2.5]),
            given(op(true, false)),
            given(op(false, true)),
        ]
    }
}

/// A table, indices some of which meet, and values.
fn meeting() -> [Array; 3] {
    let index = Array::from_slice(&[2i64, 0, 0, 1, 0, 2], [3, 2]);
    let v = Array::from_slice(&[0.75, -2.0, 4.0, 0.25, 3.0, 2.5], [3, 2]);
    [table(), index, v]
}

/// y = x with the product of itself and all v at `index` along a dimension; each factor's gradient is dy times
/// the product of the others. Where x is not included, elements that are written to have no gradient in x.
#[derive(Clone, Debug)]
pub struct ScatterProd {
    /// Along which dimension.
    pub dim: isize,
    /// Whether x's own elements take part where others are written.
    pub include_self: bool,
}

impl Op for ScatterProd {
    type Inputs = Fixed<3>;
    const NAME: &'static str = "scatter_reduce";
    const SAVES: &'static [Saves] = &[Saves::ALL_X, Saves::NOTHING, Saves::ALL_X];
    fn infer(&self, [x, index, v]: [In<'_>; 3]) -> Result<Meta> {
        infer_scatter("scatter_reduce", self.dim, x, index, v)
    }
    fn forward(&self, [x, index, v]: [Array; 3], _: &Meta, _: &mut Extra) -> Array {
        let first = (!self.include_self).then(|| Array::fill(index.shape(), 1.0, v.dtype()));
        combine(How::Prod, self.dim, first, x, &index, &v)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 3] {
        let (x, index, v, dtype) = (cx.x(0), cx.x(1).detach(), cx.x(2), dy.dtype());
        let at = |t: &Tensor| Gather(self.dim).apply([t, &index]);
        let own = |t: Tensor| {
            if self.include_self {
                t
            } else {
                blank(&t, self.dim, &index)
            }
        };
        // Zeros are taken out of each product and counted: a product with one zero has a gradient there, and
        // one with more has none.
        let (x_zero, v_zero) = (x.detach().eq(0.0), v.detach().eq(0.0));
        let zeros = ScatterAdd(self.dim).apply([&own(x_zero.to(dtype)), &index, &v_zero.to(dtype)]);
        let (x1, v1) = (x.masked_fill(&x_zero, 1.0), v.masked_fill(&v_zero, 1.0));
        let product = self.clone().apply([&x1, &index, &v1]);
        let others = |zeros: &Tensor, product: &Tensor, factor: &Tensor, is_zero: &Tensor| {
            product / factor * zeros.eq(&is_zero.to(dtype)).to(dtype)
        };
        [
            cx.grad(0, || own(&dy * others(&zeros, &product, &x1, &x_zero))),
            None,
            cx.grad(2, || at(&dy) * others(&at(&zeros), &at(&product), &v1, &v_zero)),
        ]
    }
    fn samples() -> Vec<Sample<Self>> {
        let op = |include_self| ScatterProd { dim: 0, include_self };
        vec![
            Sample::new(op(true), meeting()).gives([6.0, 2.0, 2.0, 0.75, -0.1875, 3.75]),
            Sample::new(op(false), meeting()).gives([12.0, -2.0, 2.0, 0.25, 0.75, 2.5]),
        ]
    }
}

/// How [`Tensor::scatter_reduce`] combines values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScatterMode {
    /// Their sum.
    Sum,
    /// Their product.
    Prod,
    /// Their mean.
    Mean,
    /// The largest.
    Amax,
    /// The smallest.
    Amin,
}

impl std::str::FromStr for ScatterMode {
    type Err = Error;
    /// From PyTorch's names.
    fn from_str(name: &str) -> Result<ScatterMode> {
        Ok(match name {
            "sum" | "add" => ScatterMode::Sum,
            "prod" | "multiply" => ScatterMode::Prod,
            "mean" => ScatterMode::Mean,
            "amax" => ScatterMode::Amax,
            "amin" => ScatterMode::Amin,
            _ => {
                let message = format!("there is no reduction `{name}`");
                return Err(Error::new(ErrorKind::Value, "scatter_reduce", message)
                    .note("it is one of sum, prod, mean, amax, amin"));
            }
        })
    }
}

/// Elements combined by index.
impl Tensor {
    /// With the slices at the places `index`, a vector, along `dim` combined with those of `src`; without `include_self`,
    /// replaced by what `src` has for them alone.
    ///
    /// # Panics
    /// If `index` is no vector of places, or `src` does not have as many slices of the same shape.
    #[track_caller]
    pub fn index_reduce(
        &self,
        dim: isize,
        index: &Tensor,
        src: &Tensor,
        mode: ScatterMode,
        include_self: bool,
    ) -> Tensor {
        if self.dim() == 0 {
            let y =
                self.reshape([1])
                    .index_reduce(dim, index, &src.reshape([src.numel()]), mode, include_self);
            return y.reshape(self.shape());
        }
        let d = ok(axis("index_reduce", dim, self.dim()));
        let fits = index.dim() <= 1 && src.shape() == self.shape().with(d, index.numel());
        if !fits {
            let message = format!(
                "{} places and values of shape {} do not fit {} along dimension {d}",
                index.numel(),
                src.shape(),
                self.shape()
            );
            raise(
                Error::new(ErrorKind::Shape, "index_reduce", message)
                    .note("the values must have the same shape but for that dimension, and there one slice for each place"),
            );
        }
        let column: Vec<usize> = (0..self.dim())
            .map(|e| if e == d { index.numel() } else { 1 })
            .collect();
        let places = index.reshape(column).expand(src.shape());
        self.scatter_reduce(d as isize, &places, src, mode, include_self)
    }

    /// With the elements at `index` along `dim` combined with `src`; without `include_self`, replaced by what
    /// `src` has for them alone.
    #[track_caller]
    pub fn scatter_reduce(
        &self,
        dim: isize,
        index: &Tensor,
        src: &Tensor,
        mode: ScatterMode,
        include_self: bool,
    ) -> Tensor {
        ok(super::rows::same_dtype("scatter_reduce", self, src));
        if self.dim() == 0 || index.dim() == 0 {
            let (index, src) = (index.atleast_1d(), src.atleast_1d());
            let y = self
                .atleast_1d()
                .scatter_reduce(dim, &index, &src, mode, include_self);
            return y.reshape(self.shape());
        }
        let places = ok(self.places("scatter_reduce", dim, index));
        let src = self.values("scatter_reduce", src, index);
        let dtype = self.dtype();
        match mode {
            ScatterMode::Prod => ScatterProd { dim, include_self }.apply([self, &places, &src]),
            ScatterMode::Amax | ScatterMode::Amin => {
                let largest = mode == ScatterMode::Amax;
                ScatterExtreme {
                    dim,
                    largest,
                    include_self,
                }
                .apply([self, &places, &src])
            }
            ScatterMode::Sum | ScatterMode::Mean => {
                let own = if include_self {
                    self.clone()
                } else {
                    blank(self, dim, &places)
                };
                let sum = ScatterAdd(dim).apply([&own, &places, &src]);
                if mode == ScatterMode::Sum {
                    return sum;
                }
                let number = |v| Tensor::constant(Array::full([], v, dtype));
                let count = scattered(&self.shape(), dim, &places, &number(1.0).expand(places.shape()));
                // A place that nothing was written to divides by one.
                let count = if include_self {
                    count + number(1.0)
                } else {
                    count.maximum(&number(1.0))
                };
                match dtype.is_float() {
                    true => sum / count,
                    // Integers, as in PyTorch, are divided and rounded down.
                    false => floor_divide(&sum, &count),
                }
            }
        }
    }
}

fn floor_divide(a: &Tensor, b: &Tensor) -> Tensor {
    let (a64, b64) = (a.to_vec::<i64>(), b.to_vec::<i64>());
    let y: Vec<i64> = a64.iter().zip(&b64).map(|(a, b)| a.div_euclid(*b)).collect();
    Tensor::from_vec(y, a.shape()).to(a.dtype())
}

contract! {
    scatter_extreme: ScatterExtreme,
    scatter_prod: ScatterProd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_zeros_have_the_gradients_of_products() {
        let x = Tensor::new([2.0, 0.0, 3.0]).requires_grad_(true);
        let v = Tensor::new([0.0, 5.0, 0.0, 7.0, 0.0]).requires_grad_(true);
        let index = Tensor::new([0, 0, 1, 2, 2]);
        let y = x.scatter_reduce(0, &index, &v, ScatterMode::Prod, true);
        assert_eq!(y.to_vec::<f32>(), [0., 0., 0.]);
        y.sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0., 0., 0.]);
        assert_eq!(v.grad().unwrap().to_vec::<f32>(), [10., 0., 0., 0., 21.]);
    }

    #[test]
    fn means_count_what_takes_part() {
        let x = Tensor::new([1.0, 10.0]);
        let (index, v) = (Tensor::new([0, 0]), Tensor::new([3.0, 5.0]));
        let mean = |own| {
            x.scatter_reduce(0, &index, &v, ScatterMode::Mean, own)
                .to_vec::<f32>()
        };
        assert_eq!((mean(true), mean(false)), (vec![3.0, 10.0], vec![4.0, 10.0]));
        let i =
            Tensor::new([1, 1]).scatter_reduce(0, &index, &Tensor::new([-4, 0]), ScatterMode::Mean, false);
        assert_eq!(i.to_vec::<i64>(), [-2, 1]);
    }

    #[test]
    fn slices_are_combined_at_their_places() {
        let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]).requires_grad_(true);
        let v = Tensor::new([[5.0, -6.0], [7.0, 8.0]]).requires_grad_(true);
        let y = x.index_reduce(0, &Tensor::new([1, 1]), &v, ScatterMode::Amax, true);
        assert_eq!(y.to_vec::<f32>(), [1., 2., 7., 8.]);
        y.sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1., 1., 0., 0.]);
        assert_eq!(v.grad().unwrap().to_vec::<f32>(), [0., 0., 1., 1.]);
        let error = crate::catch(|| x.index_reduce(0, &Tensor::new([1]), &v, ScatterMode::Prod, true));
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("index_reduce: 1 places and values of shape [2, 2] do not fit [2, 2]"),
            "{error}"
        );
    }
}
