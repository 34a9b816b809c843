//! Picking elements by their indices.

use super::shape::Slice;
use super::{axis, contract};
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use std::ops::{Range, RangeFrom, RangeFull, RangeTo};
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, kernels, raise};

fn table() -> Array {
    Array::from_slice(&[0.5, -1.0, 2.0, 3.0, -0.25, 1.5], [3, 2])
}

/// An index that may count from the end, as a position in dimension `d`.
pub(crate) fn position(op: &str, index: isize, d: usize, shape: &Shape) -> Result<usize> {
    let n = shape[d] as isize;
    let from_start = if index < 0 { index + n } else { index };
    if (0..n).contains(&from_start) {
        return Ok(from_start as usize);
    }
    let message = format!("index {index} is out of range for dimension {d} of {shape}");
    Err(Error::new(ErrorKind::Index, op, message))
}

/// Indices as non-negative i64 positions, each checked to be in range.
fn positions(op: &str, index: &Tensor, size: usize) -> Result<Tensor> {
    if !index.dtype().is_integer() {
        let message = format!("indices must be integers, and are {}", index.dtype());
        return Err(Error::new(ErrorKind::DType, op, message));
    }
    let index = index.array().cast(DType::I64).contiguous();
    let n = size as i64;
    let mut negative = false;
    for (at, &i) in index.as_slice::<i64>().iter().enumerate() {
        if i < -n || i >= n {
            let message =
                format!("index {i}, at position {at} of the indices, is out of range for size {size}");
            return Err(Error::new(ErrorKind::Index, op, message));
        }
        negative |= i < 0;
    }
    let mut index = index;
    if negative {
        index
            .make_mut::<i64>()
            .iter_mut()
            .filter(|i| **i < 0)
            .for_each(|i| *i += n);
    }
    Ok(Tensor::constant(index))
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
        kernels::index_select(
            &x,
            axis("", self.0, x.rank()).expect("infer has checked it"),
            &index,
        )
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let add = IndexAdd {
            dim: self.0,
            shape: cx.meta(0).shape.clone(),
        };
        [cx.grad(0, || add.apply([&dy, &cx.x(1).detach()])), None]
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[2i64, 0, 2], [3]);
        vec![
            Sample::new(IndexSelect(0), [table(), index]).gives([-0.25, 1.5, 0.5, -1.0, -0.25, 1.5]),
            Sample::new(IndexSelect(-1), [table(), Array::from_slice(&[1i64], [1])]).gives([-1.0, 3.0, 1.5]),
        ]
    }
}

/// The reverse of [`IndexSelect`]: zeros with x added at `index`; dx = dy there.
#[derive(Clone, Debug)]
pub struct IndexAdd {
    /// Along which dimension.
    pub dim: isize,
    /// The result's shape.
    pub shape: Shape,
}

impl Op for IndexAdd {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "index_add";
    const SAVES: &'static [Saves] = &[Saves::x(1)];
    fn infer(&self, [x, index]: [In<'_>; 2]) -> Result<Meta> {
        let d = axis("index_add", self.dim, self.shape.rank())?;
        if index.shape.rank() != 1 || *x.shape != self.shape.with(d, index.shape[0]) {
            let message = format!(
                "cannot add {} at {} indices into {}",
                x.shape, index.shape, self.shape
            );
            return Err(Error::new(ErrorKind::Shape, "index_add", message));
        }
        Ok(x.with_shape(&self.shape))
    }
    fn forward(&self, [x, index]: [Array; 2], _: &Meta, _: &mut Extra) -> Array {
        kernels::index_add(
            &self.shape,
            axis("", self.dim, x.rank()).expect("infer has checked it"),
            &index,
            &x,
        )
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        [
            cx.grad(0, || IndexSelect(self.dim).apply([&dy, &cx.x(1).detach()])),
            None,
        ]
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[1i64, 1, 0], [3]);
        let add = IndexAdd {
            dim: 0,
            shape: [2, 2].into(),
        };
        vec![Sample::new(add, [table(), index]).gives([-0.25, 1.5, 2.5, 2.0])]
    }
}

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
    fn forward(&self, [x, index]: [Array; 2], _: &Meta, _: &mut Extra) -> Array {
        kernels::gather(
            &x,
            axis("", self.0, x.rank()).expect("infer has checked it"),
            &index,
        )
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let add = ScatterAdd {
            dim: self.0,
            shape: cx.meta(0).shape.clone(),
        };
        [cx.grad(0, || add.apply([&dy, &cx.x(1).detach()])), None]
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[1i64, 0, 0, 0], [2, 2]);
        vec![Sample::new(Gather(1), [table(), index]).gives([-1.0, 0.5, 2.0, 2.0])]
    }
}

/// The reverse of [`Gather`]: zeros with x added at `index`; dx = dy there.
#[derive(Clone, Debug)]
pub struct ScatterAdd {
    /// Along which dimension.
    pub dim: isize,
    /// The result's shape.
    pub shape: Shape,
}

impl Op for ScatterAdd {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "scatter_add";
    const SAVES: &'static [Saves] = &[Saves::x(1)];
    fn infer(&self, [x, index]: [In<'_>; 2]) -> Result<Meta> {
        infer_gather("scatter_add", self.dim, &self.shape, index.shape)?;
        if x.shape != index.shape {
            let message = format!(
                "values of shape {} and indices of shape {} differ",
                x.shape, index.shape
            );
            return Err(Error::new(ErrorKind::Shape, "scatter_add", message));
        }
        Ok(x.with_shape(&self.shape))
    }
    fn forward(&self, [x, index]: [Array; 2], _: &Meta, _: &mut Extra) -> Array {
        kernels::scatter_add(
            &self.shape,
            axis("", self.dim, x.rank()).expect("infer has checked it"),
            &index,
            &x,
        )
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        [
            cx.grad(0, || Gather(self.dim).apply([&dy, &cx.x(1).detach()])),
            None,
        ]
    }
    fn samples() -> Vec<Sample<Self>> {
        let index = Array::from_slice(&[1i64, 1, 0, 1, 0, 0], [3, 2]);
        let add = ScatterAdd {
            dim: 1,
            shape: [3, 2].into(),
        };
        vec![Sample::new(add, [table(), index]).gives([0.0, -0.5, 2.0, 3.0, 1.25, 0.0])]
    }
}

/// One part of an index, as between the brackets of `x[1:3, ..., 0]`. Made from numbers, ranges, `..` and
/// integer tensors; see [`Tensor::index`].
#[derive(Clone, Debug)]
pub enum Index {
    /// One position; the dimension goes away.
    At(isize),
    /// Positions from the first up to, without, the second, by steps. `None` is the end there.
    Range(Option<isize>, Option<isize>, isize),
    /// The positions that an integer tensor lists; its dimensions take the place of the one indexed.
    List(Tensor),
    /// A new dimension of size one.
    New,
    /// As many whole dimensions as the other parts leave.
    Ellipsis,
}

/// Every `step`-th of `range`; a negative step goes backwards, as `s(.., -1)` does through all.
pub fn s(range: impl Into<Index>, step: isize) -> Index {
    match range.into() {
        Index::Range(a, b, _) => Index::Range(a, b, step),
        other => other,
    }
}

impl From<isize> for Index {
    fn from(i: isize) -> Index {
        Index::At(i)
    }
}
impl From<i32> for Index {
    fn from(i: i32) -> Index {
        Index::At(i as isize)
    }
}
impl From<usize> for Index {
    fn from(i: usize) -> Index {
        Index::At(i as isize)
    }
}
impl From<Range<isize>> for Index {
    fn from(r: Range<isize>) -> Index {
        Index::Range(Some(r.start), Some(r.end), 1)
    }
}
impl From<RangeFrom<isize>> for Index {
    fn from(r: RangeFrom<isize>) -> Index {
        Index::Range(Some(r.start), None, 1)
    }
}
impl From<RangeTo<isize>> for Index {
    fn from(r: RangeTo<isize>) -> Index {
        Index::Range(None, Some(r.end), 1)
    }
}
impl From<RangeFull> for Index {
    fn from(_: RangeFull) -> Index {
        Index::Range(None, None, 1)
    }
}
impl From<&Tensor> for Index {
    fn from(t: &Tensor) -> Index {
        Index::List(t.clone())
    }
}

/// The parts of an index: one, or a tuple of up to four, or a vector.
pub trait Indices {
    /// As a list.
    fn parts(self) -> Vec<Index>;
}
impl<I: Into<Index>> Indices for I {
    fn parts(self) -> Vec<Index> {
        vec![self.into()]
    }
}
impl Indices for Vec<Index> {
    fn parts(self) -> Vec<Index> {
        self
    }
}
macro_rules! tuples {
    ($(($($T:ident $i:tt),*)),*) => {$(
        impl<$($T: Into<Index>),*> Indices for ($($T,)*) {
            fn parts(self) -> Vec<Index> {
                vec![$(self.$i.into()),*]
            }
        }
    )*};
}
tuples!((A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3));

/// Python's rule for slices: ends are clamped, and count from the back where negative.
fn range(n: usize, from: Option<isize>, to: Option<isize>, step: isize) -> (usize, usize) {
    let n = n as isize;
    let clamp = |i: isize, low: isize, high: isize| (if i < 0 { i + n } else { i }).clamp(low, high);
    let (start, len) = if step > 0 {
        let (a, b) = (clamp(from.unwrap_or(0), 0, n), clamp(to.unwrap_or(n), 0, n));
        (a, (b - a).max(0).unsigned_abs().div_ceil(step.unsigned_abs()))
    } else {
        let a = from.map_or(n - 1, |i| clamp(i, -1, n - 1));
        let b = to.map_or(-1, |i| clamp(i, -1, n - 1));
        (a, (a - b).max(0).unsigned_abs().div_ceil(step.unsigned_abs()))
    };
    (start.max(0) as usize, len)
}

impl Tensor {
    /// The part that `index` picks: `x.index(0)`, `x.index((.., 1..3))`, `x.index((0, s(.., -1)))`,
    /// `x.index(&rows)`. Numbers drop their dimension, ranges keep it; both may count from the end, and ranges
    /// are clamped as in Python. Numbers and ranges make views; integer tensors copy.
    ///
    /// ```
    /// # use wengert::{Tensor, s};
    /// let x = Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.index((1, 0..2)).to_vec::<f32>(), [4.0, 5.0]);
    /// assert_eq!(x.index((.., -1)).to_vec::<f32>(), [3.0, 6.0]);
    /// assert_eq!(x.index((0, s(.., -2))).to_vec::<f32>(), [3.0, 1.0]);
    /// assert_eq!(x.index(&Tensor::new([1, 0, 1])).shape().dims(), [3, 3]);
    /// ```
    #[track_caller]
    pub fn index(&self, index: impl Indices) -> Tensor {
        let parts = index.parts();
        let taken = parts
            .iter()
            .filter(|p| !matches!(p, Index::New | Index::Ellipsis))
            .count();
        let rank = self.dim();
        if taken > rank {
            let message = format!("{taken} indices are too many for shape {}", self.shape());
            raise(Error::new(ErrorKind::Index, "index", message));
        }
        let (mut x, mut d) = (self.clone(), 0isize);
        for part in &parts {
            match part {
                Index::At(i) => x = x.select(d, *i),
                Index::Range(_, _, 0) => raise(Error::new(
                    ErrorKind::Value,
                    "index",
                    "a step of zero goes nowhere",
                )),
                Index::Range(None, None, 1) => d += 1,
                Index::Range(a, b, step) => {
                    let (start, len) = range(x.size(d), *a, *b, *step);
                    x = Slice {
                        dim: d,
                        start,
                        len,
                        step: *step,
                    }
                    .apply([&x]);
                    d += 1;
                }
                Index::List(list) => {
                    x = x.take(d, list);
                    d += list.dim() as isize;
                }
                Index::New => {
                    x = x.unsqueeze(d);
                    d += 1;
                }
                Index::Ellipsis => d += (rank - taken) as isize,
            }
        }
        x
    }

    /// The parts at `index` along `dim`; the dimensions of `index` take the place of `dim`.
    #[track_caller]
    fn take(&self, dim: isize, index: &Tensor) -> Tensor {
        let (shape, list) = (self.shape(), index.shape());
        let flat = index.detach().reshape([index.numel()]);
        let part = self.index_select(dim, &flat);
        let d = dim as usize;
        let shape: Shape = shape[..d]
            .iter()
            .chain(list.iter())
            .chain(&shape[d + 1..])
            .copied()
            .collect();
        part.reshape(shape)
    }

    /// The parts at `index`, a list of integers, along `dim`. Indices may repeat, and may count from the end.
    #[track_caller]
    pub fn index_select(&self, dim: isize, index: &Tensor) -> Tensor {
        let index = axis("index_select", dim, self.dim())
            .and_then(|d| positions("index_select", index, self.shape()[d]));
        match index {
            Ok(index) => IndexSelect(dim).apply([self, &index]),
            Err(error) => raise(error),
        }
    }

    /// Element by element, what lies at `index` along `dim`: `y[i][j] = x[i][index[i][j]]` for `dim` 1.
    #[track_caller]
    pub fn gather(&self, dim: isize, index: &Tensor) -> Tensor {
        let checked =
            axis("gather", dim, self.dim()).and_then(|d| positions("gather", index, self.shape()[d]));
        match checked {
            Ok(index) => Gather(dim).apply([self, &index]),
            Err(error) => raise(error),
        }
    }
}

contract! {
    index_select: IndexSelect,
    index_add: IndexAdd,
    gather: Gather,
    scatter_add: ScatterAdd,
}
