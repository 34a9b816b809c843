//! Many numbers to one: sums, means and extremes over dimensions.

use super::shape::block;
use super::{axis, checked_axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use wengert_array::kernels::{self, Body, Reduce};
use wengert_array::real::Real;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape};

/// Which dimensions: one, several, or all (`()`). Negative ones count from the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dims(Option<Vec<isize>>);

impl From<()> for Dims {
    fn from((): ()) -> Dims {
        Dims(None)
    }
}
impl From<isize> for Dims {
    fn from(dim: isize) -> Dims {
        Dims(Some(vec![dim]))
    }
}
impl<const N: usize> From<[isize; N]> for Dims {
    fn from(dims: [isize; N]) -> Dims {
        Dims(Some(dims.to_vec()))
    }
}
impl From<&[isize]> for Dims {
    fn from(dims: &[isize]) -> Dims {
        Dims(Some(dims.to_vec()))
    }
}
impl From<Vec<isize>> for Dims {
    fn from(dims: Vec<isize>) -> Dims {
        Dims(Some(dims))
    }
}

/// Dimensions by number; few need no allocation.
pub(super) type Axes = SmallVec<[usize; 4]>;

impl Dims {
    /// The dimensions that are named, if any are.
    pub(crate) fn list(self) -> Option<Vec<isize>> {
        self.0
    }

    /// As sorted dimension numbers of a tensor of `rank` dimensions; no dimensions mean all, as in PyTorch.
    fn resolve(&self, op: &str, rank: usize) -> Result<Axes> {
        let Some(dims) = self.0.as_ref().filter(|d| !d.is_empty()) else {
            return Ok((0..rank).collect());
        };
        // PyTorch lets a 0-d tensor be reduced over its "only" dimension.
        if rank == 0 && dims.iter().all(|d| matches!(d, 0 | -1)) {
            return Ok(Axes::new());
        }
        let mut axes = dims
            .iter()
            .map(|d| axis(op, *d, rank))
            .collect::<Result<Axes>>()?;
        axes.sort_unstable();
        if let Some(twice) = axes.windows(2).find(|w| w[0] == w[1]) {
            let message = format!("dimension {} is named twice", twice[0]);
            return Err(Error::new(ErrorKind::Value, op, message));
        }
        Ok(axes)
    }
}

/// The dimensions a reduction goes over, and whether they stay with size one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// Which.
    pub dims: Dims,
    /// Whether they stay, with size one.
    pub keepdim: bool,
}

impl Over {
    pub(super) fn axes(&self, rank: usize) -> Axes {
        self.dims
            .resolve("", rank)
            .expect("infer has checked the dimensions")
    }

    pub(super) fn infer(&self, op: &str, x: In<'_>, dtype: DType) -> Result<Meta> {
        if self.dims.0.is_none() && !self.keepdim {
            return Ok(Meta {
                shape: Shape::default(),
                dtype,
                device: x.device,
            });
        }
        let axes = self.dims.resolve(op, x.shape.rank())?;
        let shape = match self.keepdim {
            false if axes.len() == x.shape.rank() => Shape::default(),
            true => (0..x.shape.rank())
                .map(|d| if axes.contains(&d) { 1 } else { x.shape[d] })
                .collect(),
            false => (0..x.shape.rank())
                .filter(|d| !axes.contains(d))
                .map(|d| x.shape[d])
                .collect::<Shape>(),
        };
        Ok(Meta {
            shape,
            dtype,
            device: x.device,
        })
    }

    pub(super) fn reduce(&self, x: &Array, y: &Meta, how: Reduce) -> Array {
        kernels::reduce_as(x, &self.axes(x.rank()), how, y.dtype, &y.shape)
    }

    /// The gradient or result with the reduced dimensions put back as size one.
    pub(super) fn put_back(&self, t: &Tensor, x: &Meta) -> Tensor {
        let mut shape = x.shape.clone();
        self.axes(shape.rank())
            .into_iter()
            .for_each(|d| shape = shape.with(d, 1));
        t.reshape(&shape)
    }

    pub(super) fn count(&self, x: &Shape) -> usize {
        self.axes(x.rank()).into_iter().map(|d| x[d]).product()
    }
}

pub(super) fn over(dims: impl Into<Dims>, keepdim: bool) -> Over {
    Over {
        dims: dims.into(),
        keepdim,
    }
}

/// y = Σ x over dimensions; dx = dy, repeated.
#[derive(Clone, Debug)]
pub struct Sum(pub Over);

impl Op for Sum {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "sum";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        // Sums of integers and truths are counted in i64, as in PyTorch.
        self.0.infer(
            "sum",
            x,
            if x.dtype.is_differentiable() {
                x.dtype
            } else {
                DType::I64
            },
        )
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        self.0.reduce(&x, y, Reduce::Sum)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let x = cx.meta(0);
        [Some(self.0.put_back(&dy, x).expand(&x.shape))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Sum(over((), false)), [block()]).gives([6.625]),
            Sample::new(Sum(over([0, 2], true)), [block()]).gives([-1.75, 10.0, -1.625]),
            Sample::new(Sum(over(-2, false)), [block()]),
            Sample::new(Sum(over((), false)), [Array::scalar(2.0)]).gives([2.0]),
            Sample::new(Sum(over(0, false)), [Array::full([0, 2], 0.0, DType::F64)]).gives([0.0, 0.0]),
        ]
    }
}

struct Scale(f64);
impl Body<1, 0, 1> for Scale {
    #[inline(always)]
    fn eval<S: Real>(&self, [x]: [S; 1], []: [S; 0]) -> [S; 1] {
        [x / S::lit(self.0)]
    }
}

/// y = 1/n Σ x over dimensions of n elements; dx = dy / n, repeated.
#[derive(Clone, Debug)]
pub struct Mean(pub Over);

impl Op for Mean {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "mean";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        if !x.dtype.is_differentiable() {
            let message = format!("needs floating-point numbers, and got {}", x.dtype);
            return Err(Error::new(ErrorKind::DType, "mean", message)
                .note("the mean of integers is not one")
                .help("convert first: `.to(DType::F32)`"));
        }
        self.0.infer("mean", x, x.dtype)
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let sum = self.0.reduce(&x, y, Reduce::Sum);
        let n = self.0.count(x.shape()) as f64;
        let [mean] = kernels::map(&Scale(n), y.dtype, [Some(sum)], [], &y.shape, [y.dtype]);
        mean
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let x = cx.meta(0);
        let each = dy / self.0.count(&x.shape) as f64;
        [Some(self.0.put_back(&each, x).expand(&x.shape))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Mean(over((), false)), [block()]),
            Sample::new(Mean(over([0, 2], false)), [block()]).gives([-0.4375, 2.5, -0.40625]),
        ]
    }
}

/// The result of looking for an extreme, for which there must be numbers.
fn of_something(op: &str, x: In<'_>, y: Meta) -> Result<Meta> {
    if y.shape.numel() > 0 && x.shape.numel() == 0 {
        let message = format!(
            "there is no extreme among no numbers: the input has shape {}",
            x.shape
        );
        return Err(Error::new(ErrorKind::Value, op, message));
    }
    Ok(y)
}

/// The largest (or smallest) number over dimensions; equal ones share the gradient.
#[derive(Clone, Debug)]
pub struct Extreme {
    /// Over which dimensions.
    pub over: Over,
    /// The largest rather than the smallest.
    pub largest: bool,
}

impl Op for Extreme {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "amax";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y)];
    fn name(&self) -> &'static str {
        if self.largest { "amax" } else { "amin" }
    }
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let y = self.over.infer(self.name(), x, x.dtype)?;
        of_something(self.name(), x, y)
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        self.over
            .reduce(&x, y, if self.largest { Reduce::Max } else { Reduce::Min })
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let x = cx.x(0);
        let hit = x.eq(&self.over.put_back(&cx.y(), cx.meta(0))).to(dy.dtype());
        let hits = Sum(Over {
            keepdim: true,
            ..self.over.clone()
        })
        .apply([&hit]);
        [Some(hit * (self.over.put_back(&dy, cx.meta(0)) / hits))]
    }
    fn samples() -> Vec<Sample<Self>> {
        let all = over((), false);
        vec![
            Sample::new(
                Extreme {
                    over: all.clone(),
                    largest: true,
                },
                [block()],
            )
            .gives([4.0]),
            Sample::new(
                Extreme {
                    over: all,
                    largest: false,
                },
                [block()],
            )
            .gives([-3.0]),
            Sample::new(
                Extreme {
                    over: over([0, 2], true),
                    largest: true,
                },
                [block()],
            )
            .gives([0.75, 4.0, 1.5]),
        ]
    }
}

/// The index of the first largest (or smallest) number along a dimension, or of all.
#[derive(Clone, Debug)]
pub struct ArgExtreme {
    /// Along which dimension; `None` for the index among all elements in row-major order.
    pub dim: Option<isize>,
    /// Whether it stays, with size one.
    pub keepdim: bool,
    /// Of the largest rather than the smallest.
    pub largest: bool,
}

impl Op for ArgExtreme {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "argmax";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn name(&self) -> &'static str {
        if self.largest { "argmax" } else { "argmin" }
    }
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let dims = self.dim.map_or(Dims(None), Dims::from);
        let y = Over {
            dims,
            keepdim: self.keepdim,
        }
        .infer(self.name(), x, DType::I64)?;
        of_something(self.name(), x, y)
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let along = |x: &Array, d| kernels::arg_reduce(x, d, self.largest).reshape(&y.shape);
        match self.dim {
            Some(dim) if x.rank() > 0 => along(&x, checked_axis(dim, x.rank())),
            _ => along(&x.reshape([x.numel()]), 0),
        }
    }
    fn backward(&self, _: &Ctx<'_, Self>, _: Tensor) -> [Option<Tensor>; 1] {
        [None]
    }
    fn samples() -> Vec<Sample<Self>> {
        let arg = |dim, keepdim, largest| ArgExtreme {
            dim,
            keepdim,
            largest,
        };
        vec![
            Sample::new(arg(None, false, true), [block()]).gives([9.0]),
            Sample::new(arg(Some(1), false, true), [block()]).gives([1.0; 4]),
            Sample::new(arg(Some(-1), true, false), [block()]).gives([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
        ]
    }
}

/// The reverse of broadcasting: sums what was repeated. dx = dy, repeated.
#[derive(Clone, Debug)]
pub struct SumTo(pub Shape);

impl Op for SumTo {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "sum_to";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        if self.0.broadcast(x.shape).as_ref() != Some(x.shape) {
            let message = format!("{} does not broadcast to {}", self.0, x.shape);
            return Err(Error::new(ErrorKind::Shape, "sum_to", message));
        }
        Ok(x.with_shape(&self.0))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let new = x.rank() - self.0.rank();
        let axes: Vec<usize> = (0..x.rank())
            .filter(|&d| d < new || (self.0[d - new] == 1 && x.shape()[d] != 1))
            .collect();
        kernels::reduce(&x, &axes, Reduce::Sum, y.dtype).reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(dy.expand(&cx.meta(0).shape))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(SumTo([3, 1].into()), [block()]).gives([-1.75, 10.0, -1.625]),
            Sample::new(SumTo([].into()), [block()]).gives([6.625]),
        ]
    }
}

/// Sums, means and extremes. Dimensions are given as one number, an array of them, or `()` for all.
impl Tensor {
    /// The sum of all elements. Integers are summed in i64.
    #[track_caller]
    pub fn sum(&self) -> Tensor {
        Sum(over((), false)).apply([self])
    }

    /// The sums over dimensions, which stay with size one if `keepdim`.
    #[track_caller]
    pub fn sum_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Sum(over(dims, keepdim)).apply([self])
    }

    /// The mean of all elements.
    #[track_caller]
    pub fn mean(&self) -> Tensor {
        Mean(over((), false)).apply([self])
    }

    /// The means over dimensions, which stay with size one if `keepdim`.
    #[track_caller]
    pub fn mean_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Mean(over(dims, keepdim)).apply([self])
    }

    /// The largest element; equal ones share the gradient.
    #[track_caller]
    pub fn max(&self) -> Tensor {
        Extreme {
            over: over((), false),
            largest: true,
        }
        .apply([self])
    }

    /// The smallest element; equal ones share the gradient.
    #[track_caller]
    pub fn min(&self) -> Tensor {
        Extreme {
            over: over((), false),
            largest: false,
        }
        .apply([self])
    }

    /// The largest elements over dimensions; equal ones share the gradient.
    #[track_caller]
    pub fn amax(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Extreme {
            over: over(dims, keepdim),
            largest: true,
        }
        .apply([self])
    }

    /// The smallest elements over dimensions; equal ones share the gradient.
    #[track_caller]
    pub fn amin(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Extreme {
            over: over(dims, keepdim),
            largest: false,
        }
        .apply([self])
    }

    /// The largest elements along `dim` and their indices. The gradient goes to the elements at the indices.
    #[track_caller]
    pub fn max_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.extreme_dim(dim, keepdim, true)
    }

    /// The smallest elements along `dim` and their indices. The gradient goes to the elements at the indices.
    #[track_caller]
    pub fn min_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.extreme_dim(dim, keepdim, false)
    }

    #[track_caller]
    fn extreme_dim(&self, dim: isize, keepdim: bool, largest: bool) -> (Tensor, Tensor) {
        let index = ArgExtreme {
            dim: Some(dim),
            keepdim: true,
            largest,
        }
        .apply([self]);
        if self.dim() == 0 {
            return (self.reshape(Shape::default()), index.reshape(Shape::default()));
        }
        self.picked(index, dim, keepdim)
    }

    /// The index of the largest of all elements, in row-major order.
    #[track_caller]
    pub fn argmax(&self) -> Tensor {
        ArgExtreme {
            dim: None,
            keepdim: false,
            largest: true,
        }
        .apply([self])
    }

    /// The indices of the largest elements along `dim`.
    #[track_caller]
    pub fn argmax_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        ArgExtreme {
            dim: Some(dim),
            keepdim,
            largest: true,
        }
        .apply([self])
    }

    /// The index of the smallest of all elements, in row-major order.
    #[track_caller]
    pub fn argmin(&self) -> Tensor {
        ArgExtreme {
            dim: None,
            keepdim: false,
            largest: false,
        }
        .apply([self])
    }

    /// The indices of the smallest elements along `dim`.
    #[track_caller]
    pub fn argmin_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        ArgExtreme {
            dim: Some(dim),
            keepdim,
            largest: false,
        }
        .apply([self])
    }

    /// Whether all elements are not zero.
    #[track_caller]
    pub fn all(&self) -> bool {
        self.numel() == 0 || self.ne(0.0).min().item() != 0.0
    }

    /// Whether any element is not zero.
    #[track_caller]
    pub fn any(&self) -> bool {
        self.numel() != 0 && self.ne(0.0).max().item() != 0.0
    }

    /// Whether both have the same shape and all elements agree: |a − b| ≤ `atol` + `rtol` |b|. NaN agrees with
    /// nothing.
    pub fn allclose(&self, other: &Tensor, rtol: f64, atol: f64) -> bool {
        if self.dtype().is_complex() || other.dtype().is_complex() {
            return self.shape() == other.shape() && self.isclose(other, rtol, atol, false).all();
        }
        let close = |(a, b): (&f64, &f64)| a == b || (a - b).abs() <= atol + rtol * b.abs();
        self.shape() == other.shape() && self.to_vec::<f64>().iter().zip(&other.to_vec::<f64>()).all(close)
    }

    /// Sums what broadcasting from `shape` to this shape repeats.
    #[track_caller]
    pub fn sum_to(&self, shape: &Shape) -> Tensor {
        ok(SumTo(shape.clone()).try_apply([self]))
    }
}

contract! {
    sum: Sum,
    mean: Mean,
    extreme: Extreme,
    arg_extreme: ArgExtreme,
    sum_to: SumTo,
}
