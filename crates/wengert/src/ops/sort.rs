//! Sorting, and what comes of it: the order has no gradient, the values are gathered by it and so have one.

use super::scatter::Gather;
use super::{axis, ok};
use crate::op::Op;
use crate::tensor::Tensor;
use wengert_array::{DType, Error, ErrorKind, kernels, raise};

/// Distinct elements, or rows: see [`Tensor::unique`].
#[derive(Clone, Debug)]
pub struct Unique {
    /// Each once. The gradient of each goes to its first occurrence.
    pub values: Tensor,
    /// For each element, or row, which of the values it is.
    pub inverse: Tensor,
    /// How often each value occurs.
    pub counts: Tensor,
}

impl Tensor {
    /// Elements `from .. to` of the order along `dim`, and their indices.
    #[track_caller]
    fn ordered(&self, d: usize, descending: bool, from: usize, to: usize) -> (Tensor, Tensor) {
        ok(super::ordered("sort", self));
        if self.dim() == 0 {
            let (values, index) = self.reshape([1]).ordered(0, descending, from, to);
            return match to - from {
                1 => (values.squeeze(0), index.squeeze(0)),
                _ => (values, index),
            };
        }
        let index = Tensor::constant(kernels::order(&self.array(), d, descending, from, to));
        (Gather(d as isize).apply([self, &index]), index)
    }

    /// The elements along `dim` in ascending (or descending) order, and their indices. Equal elements keep their
    /// order; NaN counts as the largest.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let (values, index) = Tensor::new([3.0, 1.0, 2.0]).sort(0, false);
    /// assert_eq!(values.to_vec::<f32>(), [1.0, 2.0, 3.0]);
    /// assert_eq!(index.to_vec::<i64>(), [1, 2, 0]);
    /// ```
    #[track_caller]
    pub fn sort(&self, dim: isize, descending: bool) -> (Tensor, Tensor) {
        let d = ok(axis("sort", dim, self.dim().max(1)));
        let n = self.shape().get(d).copied().unwrap_or(1);
        self.ordered(d, descending, 0, n)
    }

    /// The indices that [`sort`](Tensor::sort) gives.
    #[track_caller]
    pub fn argsort(&self, dim: isize, descending: bool) -> Tensor {
        self.detach().sort(dim, descending).1
    }

    /// Sorted along the first dimension.
    #[track_caller]
    pub fn msort(&self) -> Tensor {
        self.sort(0, false).0
    }

    /// The `k` largest (or smallest) elements along `dim`, in order, and their indices. NaN counts as the largest.
    #[track_caller]
    pub fn topk(&self, k: usize, dim: isize, largest: bool) -> (Tensor, Tensor) {
        let d = ok(axis("topk", dim, self.dim().max(1)));
        let n = self.shape().get(d).copied().unwrap_or(1);
        if k > n {
            let message = format!(
                "there are no {k} elements along dimension {d} of {}",
                self.shape()
            );
            raise(Error::new(ErrorKind::Value, "topk", message));
        }
        self.ordered(d, largest, 0, k)
    }

    /// The `k`-th smallest element along `dim`, counted from one, and its index.
    #[track_caller]
    pub fn kthvalue(&self, k: usize, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        let d = ok(axis("kthvalue", dim, self.dim().max(1)));
        let n = self.shape().get(d).copied().unwrap_or(1);
        if k == 0 || k > n {
            let message = format!(
                "there is no element number {k} along dimension {d} of {}",
                self.shape()
            );
            raise(Error::new(ErrorKind::Value, "kthvalue", message).note("elements are counted from 1"));
        }
        let (values, index) = self.ordered(d, false, k - 1, k);
        match keepdim || self.dim() == 0 {
            true => (values, index),
            false => (values.squeeze(d as isize), index.squeeze(d as isize)),
        }
    }

    /// The most frequent elements along `dim`, of equally frequent ones the smallest, and where they last occur. NaN equals
    /// nothing.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let (value, index) = Tensor::new([3, 1, 3, 2]).mode(0, false);
    /// assert_eq!((value.item(), index.item()), (3.0, 2.0));
    /// ```
    ///
    /// # Panics
    /// If there is no such dimension, or no element along it.
    #[track_caller]
    pub fn mode(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        if self.dim() == 0 {
            ok(axis("mode", dim, 1));
            return (self.clone(), Tensor::full_as([], 0.0, DType::I64));
        }
        let d = ok(axis("mode", dim, self.dim()));
        let n = self.shape()[d];
        if n == 0 && self.shape().remove(d).numel() > 0 {
            let message = format!("dimension {d} of shape {} has no element", self.shape());
            raise(Error::new(ErrorKind::Shape, "mode", message));
        }
        let (sorted, order) = self.detach().sort(d as isize, false);
        let last = |t: &Tensor| t.movedim(d as isize, -1).contiguous();
        let (sorted, order) = (last(&sorted), last(&order));
        let pairs = n.saturating_sub(1);
        let steps = sorted
            .narrow(-1, n - pairs, pairs)
            .ne(&sorted.narrow(-1, 0, pairs))
            .to_vec::<bool>();
        let order = order.to_vec::<i64>();
        let rows = self.shape().remove(d);
        let mut places = Vec::with_capacity(rows.numel());
        for row in 0..rows.numel() {
            // Runs of equal elements, of which the first of the longest is taken.
            let (mut longest, mut length, mut place) = (0, 0, 0);
            for i in 0..n {
                length += 1;
                if i + 1 == n || steps[row * pairs + i] {
                    if length > longest {
                        (longest, place) = (length, order[row * n + i]);
                    }
                    length = 0;
                }
            }
            places.push(place);
        }
        let index = Tensor::from_vec(places, self.shape().with(d, 1));
        self.picked(index, d as isize, keepdim)
    }

    /// The distinct elements in ascending order. NaN equals nothing, not even itself.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let u = Tensor::new([3, 1, 3]).unique();
    /// assert_eq!(u.values.to_vec::<i64>(), [1, 3]);
    /// assert_eq!(u.inverse.to_vec::<i64>(), [1, 0, 1]);
    /// assert_eq!(u.counts.to_vec::<i64>(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn unique(&self) -> Unique {
        self.grouped(None, false)
    }

    /// The distinct slices along `dim`, in ascending order of their elements.
    #[track_caller]
    pub fn unique_dim(&self, dim: isize) -> Unique {
        let d = ok(axis("unique", dim, self.dim()));
        self.grouped(Some(d), false)
    }

    /// The elements, or slices along `dim`, without those equal to the one before.
    #[track_caller]
    pub fn unique_consecutive(&self, dim: Option<isize>) -> Unique {
        let d = dim.map(|dim| axis("unique_consecutive", dim, self.dim()));
        let d = ok(d.transpose());
        self.grouped(d, true)
    }

    #[track_caller]
    fn grouped(&self, dim: Option<usize>, consecutive: bool) -> Unique {
        ok(super::ordered("unique", self));
        let n = dim.map_or(self.numel(), |d| self.shape()[d]);
        let rows = match dim {
            Some(d) => {
                let mut order: Vec<usize> = (0..self.dim()).filter(|e| *e != d).collect();
                order.insert(0, d);
                self.array().permute(&order).contiguous()
            }
            None => self.array(),
        };
        let width = self.numel().checked_div(n).unwrap_or(0);
        let groups = kernels::unique_rows(&rows.reshape([n, width]), consecutive);
        let first = Tensor::constant(groups.first);
        let inverse = Tensor::constant(groups.group);
        Unique {
            values: match dim {
                Some(d) => self.index_select(d as isize, &first),
                None => self.ravel().index_select(0, &first),
            },
            inverse: if dim.is_none() {
                inverse.reshape(self.shape())
            } else {
                inverse
            },
            counts: Tensor::constant(groups.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_follow_the_order() {
        let x = Tensor::new([[3.0, 1.0, 2.0], [0.0, f64::NAN, 5.0]]).requires_grad_(true);
        let (values, index) = x.topk(2, -1, true);
        assert_eq!(index.to_vec::<i64>(), [0, 2, 1, 2]);
        let weights = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
        (&values * &weights).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1., 0., 2., 0., 3., 4.]);
        assert_eq!(x.kthvalue(2, 1, true).0.to_vec::<f32>(), [2.0, 5.0]);
        assert_eq!(x.kthvalue(1, 0, false).1.to_vec::<i64>(), [1, 0, 0]);
        assert_eq!(Tensor::new(4.0).sort(-1, true).1.item(), 0.0);
        assert_eq!(Tensor::zeros([0]).sort(0, false).0.shape(), [0]);
    }

    #[test]
    fn distinct_slices() {
        let x = Tensor::new([[2, 1], [0, 1], [2, 1]])
            .to(DType::F32)
            .requires_grad_(true);
        let u = x.unique_dim(0);
        assert_eq!(u.values.to_vec::<f32>(), [0., 1., 2., 1.]);
        assert_eq!(
            (u.inverse.to_vec::<i64>(), u.counts.to_vec::<i64>()),
            (vec![1, 0, 1], vec![1, 2])
        );
        u.values.sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1., 1., 1., 1., 0., 0.]);
        assert_eq!(
            Tensor::new([1, 1, 2, 1])
                .unique_consecutive(None)
                .counts
                .to_vec::<i64>(),
            [2, 1, 1]
        );
        assert_eq!(x.unique_dim(1).values.shape(), [3, 2]);
    }

    #[test]
    fn modes() {
        let x = Tensor::new([[2.0, 1.0, 2.0, 1.0], [5.0, 4.0, 5.0, 5.0]]).requires_grad_(true);
        let (value, index) = x.mode(-1, true);
        assert_eq!(
            (value.to_vec::<f32>(), index.to_vec::<i64>()),
            (vec![1.0, 5.0], vec![3, 3])
        );
        value.sum().backward();
        assert_eq!(
            x.grad().unwrap().to_vec::<f32>(),
            [0., 0., 0., 1., 0., 0., 0., 1.]
        );
        assert_eq!(x.mode(0, false).0.to_vec::<f32>(), [2., 1., 2., 1.]);
        assert!(crate::catch(|| Tensor::zeros([2, 0]).mode(1, false)).is_err());
    }
}
