//! Copying arrays element by element, whatever their strides: to row-major order without gaps.

use super::shared::{In, Out};
use super::threads;
use super::turn::{SIDE, turn};
use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::with_element;
use num_complex::{Complex32, Complex64};
use smallvec::SmallVec;

/// Elements that a thread copies at a time, about.
const TASK: usize = 16 << 10;

/// The same elements in row-major order.
pub(crate) fn copy(array: &Array) -> Array {
    let mut copy = Array::uninit(array.shape(), array.dtype());
    if array.numel() == 0 {
        return copy;
    }
    let plan = Plan::new(array);
    macro_rules! run {
        ($T:ty) => {
            plan.run(In(array.as_ptr::<$T>()), Out(copy.uninit_slice::<$T>()))
        };
    }
    match array.dtype() {
        DType::C64 => run!(Complex32),
        DType::C128 => run!(Complex64),
        real => with_element!(real, T => run!(T)),
    }
    copy
}

/// Whether elements that lie side by side follow each other along another than the last dimension.
pub(crate) fn is_turned(array: &Array) -> bool {
    let dims = array.layout().collapsed();
    let [outer @ .., (_, stride)] = &dims[..] else {
        return false;
    };
    !matches!(stride, 0 | 1) && outer.iter().any(|&(size, stride)| stride == 1 && size > 1)
}

/// A dimension: its size, and how far apart its elements are in the source and in the copy.
#[derive(Clone, Copy, Debug)]
struct Dim {
    size: usize,
    from: isize,
    to: usize,
}

/// Matrices of rows and columns, one for each index of the other dimensions.
struct Plan {
    others: SmallVec<[Dim; 4]>,
    rows: Dim,
    columns: Dim,
}

impl Plan {
    fn new(array: &Array) -> Plan {
        let mut to = 1;
        let mut dims: SmallVec<[Dim; 4]> =
            array
                .layout()
                .collapsed()
                .iter()
                .rev()
                .fold(SmallVec::new(), |mut dims, &(size, from)| {
                    dims.push(Dim { size, from, to });
                    to *= size;
                    dims
                });
        dims.reverse();
        let one = Dim {
            size: 1,
            from: 0,
            to: 0,
        };
        let columns = dims.pop().unwrap_or(one);
        // Where the columns are not side by side, the rows that are; else those next to each other in the copy.
        let turned = match columns.from {
            1 => None,
            _ => dims.iter().position(|dim| dim.from == 1),
        };
        let rows = match turned {
            Some(d) => dims.remove(d),
            None => dims.pop().unwrap_or(one),
        };
        Plan {
            others: dims,
            rows,
            columns,
        }
    }

    fn run<T: Element>(&self, from: In<T>, to: Out<T>) {
        let &Plan { rows, columns, .. } = self;
        // One long row is cut, too.
        let (side, long) = match rows.size {
            1 => (TASK, columns.size),
            _ => ((TASK / columns.size).max(1).next_multiple_of(SIDE), rows.size),
        };
        let blocks = long.div_ceil(side);
        let others: usize = self.others.iter().map(|dim| dim.size).product();
        let cost = side.min(long) * if rows.size == 1 { 1 } else { columns.size };
        threads::split(others * blocks, 1, cost, |start, len| {
            for task in start..start + len {
                let (at, begin) = (self.offset(task / blocks), task % blocks * side);
                let n = side.min(long - begin);
                // SAFETY: the task's part of the matrix lies within both, and is this thread's.
                unsafe {
                    let (from, to) = (from.at(0).offset(at.0), to.at(at.1));
                    match rows.size {
                        1 => matrix(
                            from.offset(begin as isize * columns.from),
                            to.add(begin * columns.to),
                            rows,
                            Dim { size: n, ..columns },
                        ),
                        _ => matrix(
                            from.offset(begin as isize * rows.from),
                            to.add(begin * rows.to),
                            Dim { size: n, ..rows },
                            columns,
                        ),
                    }
                }
            }
        });
    }

    /// Where a matrix begins in the source and in the copy.
    fn offset(&self, mut index: usize) -> (isize, usize) {
        let (mut from, mut to) = (0, 0);
        for dim in self.others.iter().rev() {
            let i = index % dim.size;
            index /= dim.size;
            (from, to) = (from + i as isize * dim.from, to + i * dim.to);
        }
        (from, to)
    }
}

/// Copies a matrix, whose columns are side by side in the copy.
///
/// # Safety
/// Both hold it.
unsafe fn matrix<T: Element>(from: *const T, to: *mut T, rows: Dim, columns: Dim) {
    let (m, n) = (rows.size, columns.size);
    // SAFETY: the caller's promise.
    unsafe {
        if rows.from == 1 && columns.from != 1 && m > 1 {
            return turn(from, columns.from, to, rows.to, [m, n]);
        }
        for i in 0..m {
            let (from, to) = (from.offset(i as isize * rows.from), to.add(i * rows.to));
            match columns.from {
                1 => row(from, to, n),
                stride => (0..n).for_each(|j| to.add(j).write(*from.offset(j as isize * stride))),
            }
        }
    }
}

/// Copies a row; a short one without a call.
///
/// # Safety
/// Both hold it.
#[inline(always)]
unsafe fn row<T: Copy>(from: *const T, to: *mut T, n: usize) {
    const PART: usize = 64;
    let part = PART / size_of::<T>();
    // SAFETY: the caller's promise.
    unsafe {
        if n > 16 * part {
            return to.copy_from_nonoverlapping(from, n);
        }
        let mut i = 0;
        while i + part <= n {
            to.add(i)
                .cast::<[u8; PART]>()
                .write_unaligned(from.add(i).cast::<[u8; PART]>().read_unaligned());
            i += part;
        }
        while i < n {
            to.add(i).write(*from.add(i));
            i += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::walk::Walk;

    /// One element after the other.
    fn naive<T: Element>(array: &Array) -> Vec<T> {
        let mut all = Vec::new();
        if array.numel() == 0 {
            return all;
        }
        Walk::new(array).runs(0, array.numel(), |offset, stride, len| {
            for i in 0..len as isize {
                // SAFETY: the walk visits elements of the array.
                all.push(unsafe { *array.as_ptr::<T>().offset(offset + i * stride) });
            }
        });
        all
    }

    #[test]
    fn every_layout_is_copied_in_its_order() {
        for shape in [
            &[][..],
            &[1],
            &[50_000],
            &[7, 5],
            &[200, 300],
            &[2, 70_000],
            &[70_000, 2],
            &[3, 40, 33],
            &[2, 3, 17, 16],
            &[0, 4],
        ] {
            for dtype in [DType::U8, DType::F16, DType::F32, DType::F64, DType::Bool] {
                let n = shape.iter().product();
                let data: Vec<i64> = (0..n).map(|i: i64| i * 7 % 251).collect();
                let shape: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
                let plain = Array::from_slice(&data, &shape[..]).cast(dtype);
                let rank = plain.rank();
                let mut views = vec![
                    plain.clone(),
                    plain.unsqueeze(0).broadcast_to(&plain.shape().insert(0, 3)),
                ];
                for (a, b) in (0..rank).flat_map(|a| (a + 1..rank).map(move |b| (a, b))) {
                    views.push(plain.transpose(a, b));
                    views.push(
                        plain
                            .transpose(a, b)
                            .unsqueeze(rank)
                            .broadcast_to(&plain.transpose(a, b).shape().insert(rank, 3)),
                    );
                }
                for d in 0..rank {
                    let size = plain.shape()[d];
                    views.push(plain.slice(d, size / 3, size.div_ceil(3), 1));
                    views.push(plain.slice(d, 0, size.div_ceil(2), 2));
                    views.push(plain.slice(d, 0, size.div_ceil(2), 2).transpose(0, rank - 1));
                    if size > 0 {
                        views.push(plain.slice(d, size - 1, size, -1).transpose(d, rank - 1));
                    }
                }
                for view in &views {
                    let what = || {
                        format!(
                            "{dtype} {} of strides {:?}",
                            view.shape(),
                            view.layout().strides()
                        )
                    };
                    let got = copy(view);
                    assert!(got.is_contiguous() && got.shape() == view.shape(), "{}", what());
                    with_element!(dtype, T => assert!(got.as_slice::<T>() == naive::<T>(view), "{}", what()));
                }
            }
        }
    }
}
