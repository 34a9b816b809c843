//! Indexing: `x[1:3, ..., rows]`, read and written.

mod plan;

use self::plan::{Merged, alone, plan};
use super::compare::Operand;
use super::ok;
use super::rows::{IndexAdd, IndexCopy, IndexSelect};
use super::slice::{Overwrite, Part, See};
use crate::op::Op;
use crate::tensor::Tensor;
use smallvec::{SmallVec, smallvec};
use std::ops::{Range, RangeFrom, RangeFull, RangeTo};
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape, kernels, raise};

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

/// Indices as I64.
pub(super) fn integers(op: &str, index: &Tensor) -> Result<Tensor> {
    if index.dtype().is_integer() {
        return Ok(Tensor::constant(index.array().cast(DType::I64)));
    }
    let message = format!("indices must be integers, and are {}", index.dtype());
    Err(Error::new(ErrorKind::DType, op, message))
}

/// Indices as non-negative i64 positions, each checked to be in range.
pub(super) fn positions(op: &str, index: &Tensor, size: usize) -> Result<Tensor> {
    let index = kernels::positions(&integers(op, index)?.into_array(), size);
    index.map(Tensor::constant).map_err(|e| e.of(op))
}

/// One part of an index, as between the brackets of `x[1:3, ..., 0]`. Made from numbers, ranges, `..` and
/// integer tensors; see [`Tensor::index`].
#[derive(Clone, Debug)]
pub enum Index {
    /// One position; the dimension goes away.
    At(isize),
    /// Positions from the first up to, without, the second, by steps. `None` is the end there.
    Range(Option<isize>, Option<isize>, isize),
    /// The positions that an integer tensor lists, or those where a bool tensor holds. Several such lists are
    /// broadcast together and name elements one by one.
    List(Tensor),
    /// Everything (`true`) or nothing, as a new dimension of size 1 or 0.
    Whether(bool),
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
impl From<bool> for Index {
    fn from(b: bool) -> Index {
        Index::Whether(b)
    }
}
impl From<&Tensor> for Index {
    fn from(t: &Tensor) -> Index {
        Index::List(t.clone())
    }
}

/// The parts of an index; few need no allocation.
pub type Parts = SmallVec<[Index; 2]>;

/// The parts of an index: one, or a tuple of up to four, or a vector.
pub trait Indices {
    /// As a list.
    fn parts(self) -> Parts;
}
impl<I: Into<Index>> Indices for I {
    fn parts(self) -> Parts {
        smallvec![self.into()]
    }
}
impl Indices for Vec<Index> {
    fn parts(self) -> Parts {
        self.into()
    }
}
impl Indices for Parts {
    fn parts(self) -> Parts {
        self
    }
}
macro_rules! tuples {
    ($(($($T:ident $i:tt),*)),*) => {$(
        impl<$($T: Into<Index>),*> Indices for ($($T,)*) {
            fn parts(self) -> Parts {
                smallvec![$(self.$i.into()),*]
            }
        }
    )*};
}
tuples!((A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3));

impl Tensor {
    /// The part that `index` picks: `x.index(0)`, `x.index((.., 1..3))`, `x.index((0, s(.., -1)))`,
    /// `x.index(&rows)`, `x.index(&x.gt(0.0))`. Numbers drop their dimension, ranges keep it; both may count from the
    /// end, and ranges are clamped as in Python. Numbers and ranges make views; integer and bool tensors copy.
    ///
    /// As in NumPy, several tensors are broadcast together and name elements one by one; what they pick takes
    /// the place of their dimensions if these follow each other, and else comes first.
    ///
    /// ```
    /// # use wengert::{Tensor, s};
    /// let x = Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.index((1, 0..2)).to_vec::<f32>(), [4.0, 5.0]);
    /// assert_eq!(x.index((.., -1)).to_vec::<f32>(), [3.0, 6.0]);
    /// assert_eq!(x.index((0, s(.., -2))).to_vec::<f32>(), [3.0, 1.0]);
    /// assert_eq!(x.index(&Tensor::new([1, 0, 1])).shape().dims(), [3, 3]);
    /// assert_eq!(x.index(&x.gt(4.5)).to_vec::<f32>(), [5.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn index(&self, index: impl Indices) -> Tensor {
        let parts = index.parts();
        if let [only] = &parts[..]
            && let Some(step) = self.with_shape(|shape| alone(only, shape))
        {
            return See(Part::of("index", step)).apply([self]);
        }
        let plan = ok(plan("index", &self.shape(), &parts));
        let part = match plan.part.steps.is_empty() {
            true => self.clone(),
            false => See(plan.part).apply([self]),
        };
        if plan.lists.is_empty() {
            return part;
        }
        let lists = ok(Merged::new("index", &plan.shape, &plan.lists));
        let picked = IndexSelect(lists.dim as isize).apply([&lists.arrange(&part), &lists.places]);
        let result = lists.result();
        if picked.shape() == result {
            picked
        } else {
            picked.reshape(result)
        }
    }

    /// With the part that `index` picks replaced by `values`, a number or a tensor that broadcasts to it; or
    /// (`accumulate`) with them added. Where an index names an element twice, the last value stays.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let x = Tensor::zeros([2, 3]);
    /// let y = x.index_put((.., 1), 5.0, false);
    /// assert_eq!(y.to_vec::<f32>(), [0.0, 5.0, 0.0, 0.0, 5.0, 0.0]);
    /// let y = y.index_put(&y.gt(0.0), 1.0, true);
    /// assert_eq!(y.to_vec::<f32>(), [0.0, 6.0, 0.0, 0.0, 6.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn index_put(&self, index: impl Indices, values: impl Operand, accumulate: bool) -> Tensor {
        let plan = ok(plan("index_put", &self.shape(), &index.parts()));
        let values = values.operand(self).to(self.dtype());
        let whole = plan.part.steps.is_empty();
        if plan.lists.is_empty() {
            let values = match accumulate {
                true => See(plan.part.clone()).apply([self]) + leading(&values, plan.shape.rank()),
                false => leading(&values, plan.shape.rank()),
            };
            return Overwrite(plan.part).apply([self, &values]);
        }
        let part = if whole {
            self.clone()
        } else {
            See(plan.part.clone()).apply([self])
        };
        let lists = ok(Merged::new("index_put", &plan.shape, &plan.lists));
        let (result, rows) = (lists.result(), lists.merged.with(lists.dim, lists.listed.numel()));
        let values = leading(&values, result.rank());
        if values.shape().broadcast(&result).as_ref() != Some(&result) {
            let message = format!("cannot put {} into a part of shape {result}", values.shape());
            raise(
                Error::new(ErrorKind::Shape, "index_put", message)
                    .note("it must broadcast to the part's shape"),
            );
        }
        let values = values.expand(&result).reshape(rows);
        let (dim, arranged) = (lists.dim as isize, lists.arrange(&part));
        let changed = match accumulate {
            true => IndexAdd(dim).apply([&arranged, &lists.places, &values]),
            false => IndexCopy(dim).apply([&arranged, &lists.places, &values]),
        };
        let changed = lists.back(&changed);
        if whole {
            changed
        } else {
            Overwrite(plan.part).apply([self, &changed])
        }
    }

    /// [`index_put`](Tensor::index_put) on this leaf itself: every handle on it sees the new value.
    #[track_caller]
    pub fn index_put_(&self, index: impl Indices, values: impl Operand, accumulate: bool) -> Tensor {
        let (parts, values) = (index.parts(), values.operand(self).detach());
        let (shape, dtype) = (self.shape(), self.dtype());
        let plan = ok(plan("index_put_", &shape, &parts));
        let whole = plan.part.steps.is_empty();
        // The usual cases write into the array itself. All is checked before it is taken.
        if plan.lists.is_empty() && !accumulate {
            let place = ok(plan.part.layout(&shape));
            let values = ok(filling(&values, place.shape()));
            self.update(|x| kernels::write(x, &place, &values.cast(dtype)));
        } else if let (true, false, Ok(lists @ Merged { order: None, .. })) = (
            whole,
            accumulate,
            Merged::new("index_put_", &plan.shape, &plan.lists),
        ) {
            let values = ok(filling(&values, &lists.result())).cast(dtype);
            let rows = values.reshape(lists.merged.with(lists.dim, lists.listed.numel()));
            self.update(|x| {
                let flat = x.reshape(&lists.merged);
                drop(x);
                kernels::index_write(flat, lists.dim, &lists.places.array(), &rows).reshape(&shape)
            });
        } else {
            let new = self.detach().index_put(parts, &values, accumulate).into_array();
            self.update(|_| new);
        }
        self.clone()
    }
}

/// The values, repeated to fill a part of this shape.
fn filling(values: &Tensor, part: &Shape) -> Result<Array> {
    let values = leading(values, part.rank());
    if values.shape().broadcast(part).as_ref() != Some(part) {
        let message = format!("cannot put {} into a part of shape {part}", values.shape());
        return Err(
            Error::new(ErrorKind::Shape, "index_put_", message).note("it must broadcast to the part's shape")
        );
    }
    Ok(values.array().broadcast_to(part))
}

/// Without dimensions of size one that lead beyond `rank`, which an assignment passes over.
fn leading(values: &Tensor, rank: usize) -> Tensor {
    let shape = values.shape();
    let extra = shape.rank().saturating_sub(rank);
    let ones = shape[..extra].iter().take_while(|n| **n == 1).count();
    if ones == 0 {
        values.clone()
    } else {
        values.reshape(&shape[ones..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cube() -> Tensor {
        Tensor::arange(0, 24).reshape([2, 3, 4])
    }

    #[test]
    fn lists_pick_one_by_one() {
        let x = cube();
        let (i, j) = (Tensor::new([0, 1]), Tensor::new([[2], [0]]));
        assert_eq!(x.index((&i, &i)).to_vec::<i64>(), [0, 1, 2, 3, 16, 17, 18, 19]);
        assert_eq!(x.index((&i, .., &i)).shape(), [2, 3]);
        assert_eq!(x.index((&i, .., &i)).to_vec::<i64>(), [0, 4, 8, 13, 17, 21]);
        assert_eq!(x.index((0, &j, &i)).to_vec::<i64>(), [8, 9, 0, 1]);
        assert_eq!(x.index((Index::New, .., &j)).shape(), [1, 2, 2, 1, 4]);
        assert_eq!(x.index((true, 0)).shape(), [1, 3, 4]);
        assert_eq!(x.index(false).shape(), [0, 2, 3, 4]);
        assert_eq!(x.index((Index::Ellipsis, &Tensor::new(-1))).shape(), [2, 3]);
    }

    #[test]
    fn masks_pick_where_they_hold() {
        let x = cube();
        let m = Tensor::new([[true, false, false], [false, false, true]]);
        assert_eq!(x.index(&m).to_vec::<i64>(), [0, 1, 2, 3, 20, 21, 22, 23]);
        assert_eq!(x.index((&m, &Tensor::new([1, 2]))).to_vec::<i64>(), [1, 22]);
        let rows = Tensor::new([false, true]);
        assert_eq!(x.index((&rows, .., 0)).to_vec::<i64>(), [12, 16, 20]);
        assert_eq!(Tensor::new(3.0).index(&Tensor::new(true)).shape(), [1]);
    }

    #[test]
    fn gradients_go_where_the_index_leads() {
        let x = Tensor::zeros([3, 4]).requires_grad_(true);
        let v = Tensor::ones([2]).requires_grad_(true);
        let (i, j) = (Tensor::new([0, 2]), Tensor::new([1, 1]));
        let y = x.index_put((&i, &j), &v, false);
        (&y * 2.0).sum().backward();
        assert_eq!(v.grad().unwrap().to_vec::<f32>(), [2.0, 2.0]);
        let g = x.grad().unwrap().to_vec::<f32>();
        assert_eq!((g[1], g[9], g.iter().sum::<f32>()), (0.0, 0.0, 20.0));
        let z = Tensor::ones([3]).requires_grad_(true);
        z.index(&Tensor::new([1, 1])).sum().backward();
        assert_eq!(z.grad().unwrap().to_vec::<f32>(), [0.0, 2.0, 0.0]);
    }

    #[test]
    fn puts_go_where_indices_lead() {
        let x = Tensor::zeros([2, 3, 4]);
        let (i, j) = (Tensor::new([0, 1]), Tensor::new([3, 0]));
        let y = x.index_put((&i, 1..3, &j), &Tensor::new([[1.0, 2.0], [3.0, 4.0]]), false);
        let want = |k: usize| {
            [(7, 1.0), (11, 2.0), (16, 3.0), (20, 4.0)]
                .iter()
                .find(|w| w.0 == k)
                .map_or(0.0, |w| w.1)
        };
        assert_eq!(y.to_vec::<f64>(), (0..24).map(want).collect::<Vec<_>>());
        let z = Tensor::zeros([3]).index_put(&Tensor::new([1, 1, 2]), &Tensor::ones([1, 1, 3]), true);
        assert_eq!(z.to_vec::<f32>(), [0.0, 2.0, 1.0]);
        let leaf = Tensor::zeros([2, 2]);
        leaf.index_put_((0, s(.., -1)), &Tensor::new([5.0, 6.0]), false);
        assert_eq!(leaf.to_vec::<f32>(), [6.0, 5.0, 0.0, 0.0]);
    }
}
