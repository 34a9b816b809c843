//! Moving elements by index.

use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::kernels;
use crate::layout::Shape;
use crate::{with_compute, with_element};

/// Sizes before, at and after `axis`.
fn around(shape: &Shape, axis: usize) -> (usize, usize, usize) {
    (
        shape[..axis].iter().product(),
        shape[axis],
        shape[axis + 1..].iter().product(),
    )
}

/// The parts at `index` (I64, 1-D, each in 0..size) of dimension `axis`.
///
/// # Panics
/// If an index is out of range.
pub fn index_select(x: &Array, axis: usize, index: &Array) -> Array {
    let (x, index) = (x.contiguous(), index.contiguous());
    let (outer, size, inner) = around(x.shape(), axis);
    let index = index.as_slice::<i64>();
    let mut y = Array::full(x.shape().with(axis, index.len()), 0.0, x.dtype());
    with_element!(x.dtype(), T => {
        let (src, out) = (x.as_slice::<T>(), y.make_mut::<T>());
        for o in 0..outer {
            for (k, &i) in index.iter().enumerate() {
                let from = &src[(o * size + place(i, size)) * inner..][..inner];
                out[(o * index.len() + k) * inner..][..inner].copy_from_slice(from);
            }
        }
    });
    y
}

fn place(i: i64, size: usize) -> usize {
    usize::try_from(i)
        .ok()
        .filter(|i| *i < size)
        .unwrap_or_else(|| panic!("index {i} is out of range for size {size}"))
}

/// Zeros of `shape`, with slices of `src` added at `index` along `axis`, in order.
///
/// # Panics
/// If an index is out of range.
pub fn index_add(shape: &Shape, axis: usize, index: &Array, src: &Array) -> Array {
    let index = index.contiguous();
    let (outer, size, inner) = around(shape, axis);
    let index = index.as_slice::<i64>();
    let compute = src.dtype().compute();
    let src_c = src.cast(compute).contiguous();
    let mut y = Array::full(shape, 0.0, compute);
    with_compute!(compute, C => {
        let (from, out) = (src_c.as_slice::<C>(), y.make_mut::<C>());
        for o in 0..outer {
            for (k, &i) in index.iter().enumerate() {
                let from = &from[(o * index.len() + k) * inner..][..inner];
                let to = &mut out[(o * size + place(i, size)) * inner..][..inner];
                to.iter_mut().zip(from).for_each(|(t, f)| *t = add(*t, *f));
            }
        }
    });
    y.cast(src.dtype())
}

/// Addition that wraps for integers.
trait Sum {
    fn sum(self, other: Self) -> Self;
}
impl Sum for f32 {
    fn sum(self, o: f32) -> f32 {
        self + o
    }
}
impl Sum for f64 {
    fn sum(self, o: f64) -> f64 {
        self + o
    }
}
impl Sum for i64 {
    fn sum(self, o: i64) -> i64 {
        self.wrapping_add(o)
    }
}

#[inline(always)]
fn add<T: Sum>(a: T, b: T) -> T {
    a.sum(b)
}

/// Calls `f(k, at)` for each element `k` of `index`, with the place `at` in an array of `shape` that it and its
/// position name.
fn each_place(shape: &Shape, axis: usize, index: &Array, mut f: impl FnMut(usize, usize)) {
    let index = index.contiguous();
    let (strides, sizes) = (shape.strides(), index.shape().clone());
    let mut at = vec![0usize; sizes.rank()];
    for (k, &i) in index.as_slice::<i64>().iter().enumerate() {
        let others: usize = (0..at.len())
            .filter(|d| *d != axis)
            .map(|d| at[d] * strides[d] as usize)
            .sum();
        f(k, others + place(i, shape[axis]) * strides[axis] as usize);
        for d in (0..at.len()).rev() {
            at[d] += 1;
            if at[d] < sizes[d] {
                break;
            }
            at[d] = 0;
        }
    }
}

/// y[i][j][k] = x[i][index[i][j][k]][k] for axis 1, and so on. `index` has x's rank and, but along `axis`, no larger
/// sizes.
///
/// # Panics
/// If an index is out of range.
pub fn gather(x: &Array, axis: usize, index: &Array) -> Array {
    let x = x.contiguous();
    let mut y = Array::full(index.shape(), 0.0, x.dtype());
    with_element!(x.dtype(), T => {
        let (src, out) = (x.as_slice::<T>(), y.make_mut::<T>());
        each_place(x.shape(), axis, index, |k, at| out[k] = src[at]);
    });
    y
}

/// Zeros of `shape`, with `src` added at `index` along `axis`: the reverse of [`gather`].
///
/// # Panics
/// If an index is out of range.
pub fn scatter_add(shape: &Shape, axis: usize, index: &Array, src: &Array) -> Array {
    let compute = src.dtype().compute();
    let src_c = src.cast(compute).contiguous();
    let mut y = Array::full(shape, 0.0, compute);
    with_compute!(compute, C => {
        let (from, out) = (src_c.as_slice::<C>(), y.make_mut::<C>());
        each_place(shape, axis, index, |k, at| out[at] = add(out[at], from[k]));
    });
    y.cast(src.dtype())
}

/// Arrays of one dtype end to end along `axis`.
pub fn concat(parts: &[Array], axis: usize) -> Array {
    let size = parts.iter().map(|p| p.shape()[axis]).sum();
    let shape = parts[0].shape().with(axis, size);
    let (outer, _, inner) = around(&shape, axis);
    let mut y = Array::full(&shape, 0.0, parts[0].dtype());
    with_element!(y.dtype(), T => {
        let out = y.make_mut::<T>();
        let mut start = 0;
        for part in parts {
            let part = part.contiguous();
            let run = part.shape()[axis] * inner;
            if run > 0 {
                for (o, from) in part.as_slice::<T>().chunks(run).enumerate().take(outer) {
                    out[o * size * inner + start..][..run].copy_from_slice(from);
                }
            }
            start += run;
        }
    });
    y
}

/// Zeros of `shape`, with `src` written into the view that `slices`, a start and a step for each dimension,
/// choose: the reverse of slicing.
pub fn embed(shape: &Shape, slices: &[(usize, isize)], src: &Array) -> Array {
    let src = src.contiguous();
    let mut y = Array::full(shape, 0.0, src.dtype());
    let (strides, sizes) = (shape.strides(), src.shape().clone());
    let rank = sizes.rank();
    if src.numel() == 0 {
        return y;
    }
    if rank == 0 {
        return src;
    }
    let inner = sizes[rank - 1];
    let (inner_start, inner_step) = slices[rank - 1];
    with_element!(y.dtype(), T => {
        let out = y.make_mut::<T>();
        let mut at = vec![0usize; rank - 1];
        for row in src.as_slice::<T>().chunks(inner) {
            let place = |d: usize, i: usize| (slices[d].0 as isize + i as isize * slices[d].1) * strides[d];
            let base = at.iter().enumerate().map(|(d, &i)| place(d, i)).sum::<isize>() + inner_start as isize;
            if inner_step == 1 {
                out[base as usize..][..inner].copy_from_slice(row);
            } else {
                row.iter().enumerate().for_each(|(i, v)| out[(base + i as isize * inner_step) as usize] = *v);
            }
            for d in (0..rank - 1).rev() {
                at[d] += 1;
                if at[d] < sizes[d] {
                    break;
                }
                at[d] = 0;
            }
        }
    });
    y
}

/// The numbers start + i·step; exact in i64 where both are integers.
pub fn arange(start: f64, step: f64, n: usize, dtype: DType) -> Array {
    let whole = start.fract() == 0.0 && step.fract() == 0.0 && !dtype.is_float();
    with_element!(dtype, T => {
        let at = |i: usize| match whole {
            true => T::store((start as i64).wrapping_add((i as i64).wrapping_mul(step as i64))),
            false => T::store(start + i as f64 * step),
        };
        Array::from_slice(&(0..n).map(at).collect::<Vec<T>>(), [n])
    })
}

/// The last two dimensions with what lies above diagonal `k` (or below it, if `upper`) replaced by zeros.
pub fn triangle(x: &Array, k: isize, upper: bool) -> Array {
    let mut y = kernels::copy(x);
    let (rows, cols) = (x.shape()[x.rank() - 2], x.shape()[x.rank() - 1]);
    if x.numel() == 0 {
        return y;
    }
    with_element!(x.dtype(), T => {
        for matrix in y.make_mut::<T>().chunks_mut(rows * cols) {
            for (i, row) in matrix.chunks_mut(cols).enumerate() {
                for (j, v) in row.iter_mut().enumerate() {
                    let off = j as isize - i as isize - k;
                    if if upper { off < 0 } else { off > 0 } {
                        *v = T::default();
                    }
                }
            }
        }
    });
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(shape: &[usize]) -> Array {
        let n: usize = shape.iter().product();
        Array::from_slice(&(0..n).map(|i| i as f32).collect::<Vec<_>>(), shape)
    }

    #[test]
    fn selecting_and_adding_are_each_others_reverse() {
        let x = ramp(&[2, 4, 3]).permute(&[1, 0, 2]);
        let index = Array::from_slice(&[3i64, 0, 3], [3]);
        let y = index_select(&x, 0, &index);
        assert_eq!(y.shape().dims(), [3, 2, 3]);
        assert_eq!(y.to_vec::<f32>()[..6], [9.0, 10.0, 11.0, 21.0, 22.0, 23.0]);
        let back = index_add(x.shape(), 0, &index, &y).to_vec::<f32>();
        assert_eq!(back[..3], [0.0, 1.0, 2.0]);
        assert_eq!(back[18..21], [18.0, 20.0, 22.0]);
        let index = Array::from_slice(&[1i64, 1, 0, 2], [2, 2]);
        let x = ramp(&[2, 3]);
        assert_eq!(gather(&x, 1, &index).to_vec::<f32>(), [1.0, 1.0, 3.0, 5.0]);
        let src = ramp(&[2, 2]).cast(DType::I32);
        assert_eq!(
            scatter_add(x.shape(), 1, &index, &src).to_vec::<i32>(),
            [0, 1, 0, 2, 0, 3]
        );
    }

    #[test]
    #[should_panic(expected = "index 3 is out of range for size 3")]
    fn an_index_out_of_range_is_refused() {
        index_select(&ramp(&[3]), 0, &Array::from_slice(&[3i64], [1]));
    }

    #[test]
    fn joining_embedding_and_counting() {
        let (a, b) = (ramp(&[2, 1]), ramp(&[2, 2]).transpose(0, 1));
        assert_eq!(
            concat(&[a.clone(), b], 1).to_vec::<f32>(),
            [0.0, 0.0, 2.0, 1.0, 1.0, 3.0]
        );
        assert_eq!(
            concat(&[ramp(&[0, 3]), ramp(&[1, 3])], 0).to_vec::<f32>(),
            [0.0, 1.0, 2.0]
        );
        let y = embed(&[2, 4].into(), &[(1, -1), (3, -2)], &ramp(&[2, 2]));
        assert_eq!(y.to_vec::<f32>(), [0.0, 3.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(arange(-1.0, 2.0, 3, DType::I64).to_vec::<i64>(), [-1, 1, 3]);
        assert_eq!(arange(0.0, 0.5, 3, DType::F32).to_vec::<f32>(), [0.0, 0.5, 1.0]);
        assert_eq!(
            triangle(&ramp(&[2, 3]), 0, false).to_vec::<f32>(),
            [0.0, 0.0, 0.0, 3.0, 4.0, 0.0]
        );
        assert_eq!(
            triangle(&ramp(&[2, 3]), 1, true).to_vec::<f32>(),
            [0.0, 1.0, 2.0, 0.0, 0.0, 5.0]
        );
    }
}
