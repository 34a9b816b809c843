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
        // Blocks of rows, or of one row or a few that are long.
        let (mut width, mut height, mut strips, mut blocks) = (columns.size, rows.size, 1, 1);
        if width * height > TASK {
            width = TASK.min(width);
            height = (TASK / width).next_multiple_of(SIDE).min(height);
            strips = columns.size.div_ceil(width);
            blocks = rows.size.div_ceil(height) * strips;
        }
        let others: usize = self.others.iter().map(|dim| dim.size).product();
        threads::split(others * blocks, 1, height * width, |start, len| {
            for task in start..start + len {
                let ((from_at, to_at), block) = (self.offset(task / blocks), task % blocks);
                let (row, column) = (block / strips * height, block % strips * width);
                let part = |dim: Dim, at, most: usize| Dim {
                    size: most.min(dim.size - at),
                    ..dim
                };
                // SAFETY: the task's part of the matrix lies within both, and is this thread's.
                unsafe {
                    let from = from
                        .at(0)
                        .offset(from_at + row as isize * rows.from + column as isize * columns.from);
                    let to = to.at(to_at + row * rows.to + column * columns.to);
                    matrix(from, to, part(rows, row, height), part(columns, column, width));
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

/// Copies a row.
///
/// # Safety
/// Both hold it, and do not overlap.
#[inline(always)]
pub(super) unsafe fn row<T: Copy>(from: *const T, to: *mut T, n: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match n * size_of::<T>() {
            _ if n == 1 => to.write(*from),
            129.. => to.copy_from_nonoverlapping(from, n),
            _ => short(from, to, n),
        }
    }
}

/// Copies a row without a call of the system's copy, which takes as long where the row is short: some hundred bytes where the code is
/// for wide vectors.
///
/// # Safety
/// As for [`row`].
#[inline(always)]
pub(super) unsafe fn short<T: Copy>(from: *const T, to: *mut T, n: usize) {
    // SAFETY: the caller's promise.
    unsafe { pieces(from.cast(), 1, to.cast(), n * size_of::<T>()) }
}

/// Copies so many bytes, in pieces of which some lie over others. With `step` 0 the pieces all come from the same place.
///
/// # Safety
/// There are as many at `from`, or 64 with `step` 0, and room for them at `to`; they do not overlap.
#[inline(always)]
pub(super) unsafe fn pieces(from: *const u8, step: usize, to: *mut u8, bytes: usize) {
    macro_rules! two_of {
        ($T:ty) => {{
            piece::<$T>(from, step, to, 0);
            piece::<$T>(from, step, to, bytes - size_of::<$T>());
        }};
    }
    // SAFETY: the caller's promise.
    unsafe {
        match bytes {
            64.. => {
                for at in (0..bytes - 63).step_by(64) {
                    piece::<[u64; 8]>(from, step, to, at);
                }
                if !bytes.is_multiple_of(64) {
                    piece::<[u64; 8]>(from, step, to, bytes - 64);
                }
            }
            32.. => two_of!([u64; 4]),
            16.. => two_of!([u64; 2]),
            8.. => two_of!(u64),
            4.. => two_of!(u32),
            _ => (0..bytes).for_each(|at| piece::<u8>(from, step, to, at)),
        }
    }
}

/// # Safety
/// As for [`pieces`], from byte `at` on.
#[inline(always)]
unsafe fn piece<P>(from: *const u8, step: usize, to: *mut u8, at: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let piece = from.add(step * at).cast::<P>().read_unaligned();
        to.add(at).cast::<P>().write_unaligned(piece);
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
    fn rows_of_any_length_are_copied_and_nothing_else() {
        let from: Vec<u8> = (0..2100).map(|i| (i % 251) as u8).collect();
        for n in (0..300).chain([1023, 1024, 1025, 2000]) {
            for (step, at) in [(0, 1), (1, 0), (1, 3), (2, 5)] {
                let mut to = vec![255; 2100];
                // SAFETY: both hold so many bytes there.
                unsafe {
                    match step {
                        0 => pieces([9u8; 64].as_ptr(), 0, to[at..].as_mut_ptr(), n),
                        1 => row(from[at..].as_ptr(), to[at..].as_mut_ptr(), n),
                        _ => short(from[at..].as_ptr(), to[at..].as_mut_ptr(), n),
                    }
                }
                let want = |i: usize| if step == 0 { 9 } else { from[i] };
                let right =
                    |(i, v): (usize, &u8)| *v == if (at..at + n).contains(&i) { want(i) } else { 255 };
                assert!(to.iter().enumerate().all(right), "{n} {step} {at}");
            }
        }
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
