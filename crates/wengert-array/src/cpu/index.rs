//! Moving elements by index: what neither arithmetic nor a view can do.
//!
//! Moves know elements by their size only.

mod add;
mod range;

pub use add::{index_add, scatter_add};
pub(super) use range::places;
pub use range::positions;

use super::copy;
use super::shared::{In, Out};
use super::threads;
use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels;
use crate::layout::{Layout, Shape};
use crate::with_element;
use range::{Kind, kind, outside};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs `$body` with `$T` standing for an integer of the size of `$dtype`'s elements. Its zero has their bits.
macro_rules! with_bits {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype.size() {
            1 => {
                type $T = u8;
                $body
            }
            2 => {
                type $T = u16;
                $body
            }
            4 => {
                type $T = u32;
                $body
            }
            _ => {
                type $T = u64;
                $body
            }
        }
    };
}

pub(super) use with_bits;

pub(super) fn reader<T>(x: &Array) -> In<T> {
    assert_eq!(size_of::<T>(), x.dtype().size());
    In(x.as_bytes_ptr().cast::<T>())
}

/// Where a fresh array is to be written.
pub(super) fn writer<T>(x: &mut Array) -> Out<T> {
    assert!(size_of::<T>() == x.dtype().size() && x.is_unique() && x.is_contiguous());
    Out(x.as_bytes_ptr().cast_mut().cast::<T>())
}

/// An array of zeros.
pub(super) fn zeros(shape: &Shape, dtype: DType) -> Array {
    let mut x = Array::uninit(shape, dtype);
    with_bits!(dtype, T => {
        let out = writer::<T>(&mut x);
        // SAFETY: the fresh array has these elements; all bits zero are the number zero, and `false`.
        threads::split(shape.numel(), 64, 1, |start, n| unsafe { out.at(start).write_bytes(0, n) });
    });
    x
}

/// The array itself where nobody else holds it and it has no gaps, else a copy.
pub(super) fn own(x: Array) -> Array {
    match x.is_unique() && x.is_contiguous() {
        true => x,
        false => kernels::copy(&x),
    }
}

/// How many elements a step outside dimension `axis`, along it, and inside it are.
pub(super) fn around(shape: &Shape, axis: usize) -> (usize, usize, usize) {
    let (outer, inner) = (&shape[..axis], &shape[axis + 1..]);
    (outer.iter().product(), shape[axis], inner.iter().product())
}

/// Neighbours that an index lists one after the other.
struct Run {
    /// Where they begin in the index.
    at: usize,
    /// The first of them.
    first: usize,
    count: usize,
}

/// The index as runs of neighbours, if these are few. None is longer than `most`.
fn runs(index: &[i64], most: usize) -> Option<Vec<Run>> {
    let breaks = |index: &[i64]| -> usize { index.windows(2).map(|i| usize::from(i[0] + 1 != i[1])).sum() };
    // The first ones mostly tell.
    let head = &index[..index.len().min(1024)];
    if head.len() < 2 * breaks(head) || index.len() < 4 * (breaks(index) + 1) {
        return None;
    }
    let mut all: Vec<Run> = Vec::new();
    for (at, &i) in index.iter().enumerate() {
        match all.last_mut() {
            Some(run) if run.first + run.count == i as usize && run.count < most => run.count += 1,
            _ => all.push(Run {
                at,
                first: i as usize,
                count: 1,
            }),
        }
    }
    Some(all)
}

/// Calls `f(row, from..to)` for the parts of rows of `n` that make up items `start .. start + len`.
#[inline(always)]
pub(super) fn parts(start: usize, len: usize, n: usize, mut f: impl FnMut(usize, Range<usize>)) {
    let mut at = start;
    while at < start + len {
        let (row, from) = (at / n, at % n);
        let count = (n - from).min(start + len - at);
        f(row, from..from + count);
        at += count;
    }
}

/// Rows `index` (I64, 1-D, each in 0..size) of dimension `axis`: the result has `index.len()` there.
///
/// # Panics
/// If an index is out of range.
pub fn index_select(x: &Array, axis: usize, index: &Array) -> Array {
    let (outer, size, inner) = around(x.shape(), axis);
    let (x, index) = (x.contiguous(), places(index, size));
    let index = index.as_slice::<i64>();
    let n = index.len();
    let mut y = Array::uninit(x.shape().with(axis, n), x.dtype());
    with_bits!(x.dtype(), T => {
        let (src, out) = (reader::<T>(&x), writer::<T>(&mut y));
        if let Some(runs) = runs(index, (threads::GRAIN / inner.max(1)).max(1)) {
            let cost = (n * inner / runs.len()).div_ceil(8);
            threads::split(outer * runs.len(), 1, cost, |start, len| parts(start, len, runs.len(), |o, part| {
                for run in &runs[part] {
                    let (from, to) = (o * size + run.first, o * n + run.at);
                    // SAFETY: as below, for neighbouring rows.
                    unsafe { copy::row(src.at(from * inner), out.at(to * inner), run.count * inner) };
                }
            }));
            return y;
        }
        let cost = if inner == 1 { 2 } else { inner.div_ceil(8) };
        threads::split(outer * n, 1, cost, |start, len| parts(start, len, n, |o, part| {
            let (src, out) = (src.at(o * size * inner), out.at((o * n + part.start) * inner));
            for (k, i) in index[part].iter().enumerate() {
                // SAFETY: the index is below size, so both are rows of `inner` elements within their arrays.
                unsafe {
                    match inner {
                        1 => out.add(k).write(*src.add(*i as usize)),
                        _ => copy::row(src.add(*i as usize * inner), out.add(k * inner), inner),
                    }
                }
            }
        }));
    });
    y
}

/// Where the rows of an index, along its last dimension, lead in an array of its rank.
pub(super) struct Rows {
    index: Array,
    /// Sizes of the index but along its last dimension; with the array's strides, 0 along `axis`.
    outer: SmallVec<[(usize, isize); 4]>,
    /// The length of rows.
    pub(super) len: usize,
    /// What indices are below.
    size: usize,
    /// How far apart neighbours along a row are, and along `axis`.
    step: isize,
    axis: isize,
}

impl Rows {
    pub(super) fn new(shape: &Shape, strides: &[isize], axis: usize, index: &Array) -> Rows {
        let last = shape.rank() - 1;
        let fits = |d: usize| d == axis || index.shape()[d] <= shape[d];
        assert!(index.rank() == shape.rank() && (0..=last).all(fits));
        let stride = |d: usize| if d == axis { 0 } else { strides[d] };
        Rows {
            index: index.contiguous(),
            outer: (0..last).map(|d| (index.shape()[d], stride(d))).collect(),
            len: index.shape()[last],
            size: shape[axis],
            step: stride(last),
            axis: strides[axis],
        }
    }

    pub(super) fn count(&self) -> usize {
        self.outer.iter().map(|d| d.0).product()
    }

    /// Calls `f(at, place)` for elements of rows `start .. start + n`: number `at` of the index leads to
    /// `place`, in elements from the array's first.
    ///
    /// # Panics
    /// If an index is out of range.
    #[inline(always)]
    pub(super) fn each(&self, start: usize, n: usize, f: impl FnMut(usize, isize)) {
        if !self.each_inside(start, n, f) {
            panic!("{}", outside(&self.index, self.size));
        }
    }

    /// As [`each`](Rows::each); ends, and says so, at indices that are out of range.
    #[inline(always)]
    fn each_inside(&self, start: usize, n: usize, f: impl FnMut(usize, isize)) -> bool {
        // The common steps are constants, and cost nothing.
        match (self.step, self.axis) {
            (0, 1) => self.by(0, 1, start, n, f),
            (1, axis) => self.by(1, axis, start, n, f),
            (step, axis) => self.by(step, axis, start, n, f),
        }
    }

    #[inline(always)]
    fn by(&self, step: isize, axis: isize, start: usize, n: usize, mut f: impl FnMut(usize, isize)) -> bool {
        /// Indices that stay in the nearest cache between the look at them and their use.
        const PIECE: usize = 1024;
        let index = self.index.as_slice::<i64>();
        for row in start..start + n {
            let (mut rest, mut base) = (row, 0);
            for &(size, stride) in self.outer.iter().rev() {
                base += (rest % size) as isize * stride;
                rest /= size;
            }
            let first = row * self.len;
            for from in (0..self.len).step_by(PIECE) {
                let piece = &index[first + from..first + self.len.min(from + PIECE)];
                let end = match kind(piece, self.size) {
                    Kind::Plain => 0,
                    Kind::FromEnd => self.size as isize,
                    Kind::Outside => return false,
                };
                let (at, base) = (first + from, base + from as isize * step);
                match end {
                    0 => {
                        for (j, &i) in piece.iter().enumerate() {
                            f(at + j, base + j as isize * step + i as isize * axis);
                        }
                    }
                    end => {
                        for (j, &i) in piece.iter().enumerate() {
                            let i = i as isize + if i < 0 { end } else { 0 };
                            f(at + j, base + j as isize * step + i * axis);
                        }
                    }
                }
            }
        }
        true
    }
}

/// `y[i][j][k] = x[i][index[i][j][k]][k]` for axis 1, and so on: `index` has x's rank; other sizes are at most
/// x's. Indices below 0 count from the end.
///
/// # Errors
/// If an index is out of range.
pub fn gather(x: &Array, axis: usize, index: &Array) -> Result<Array> {
    let rows = Rows::new(x.shape(), x.layout().strides(), axis, index);
    let mut y = Array::uninit(index.shape(), x.dtype());
    let wrong = AtomicBool::new(false);
    with_bits!(x.dtype(), T => {
        let (src, out) = (reader::<T>(x), writer::<T>(&mut y));
        threads::split(rows.count(), 1, rows.len.max(1) * 2, |start, n| {
            let (src, out) = (src.at(0), out.at(0));
            // SAFETY: indices are in range and other sizes are at most x's; y has the index's size.
            if !rows.each_inside(start, n, move |at, place| unsafe { out.add(at).write(*src.offset(place)) }) {
                wrong.store(true, Ordering::Relaxed);
            }
        });
    });
    match wrong.into_inner() {
        true => Err(Error::new(ErrorKind::Index, "", outside(&rows.index, rows.size))),
        false => Ok(y),
    }
}

/// Arrays of one dtype end to end along `axis`; other sizes are equal.
pub fn concat(parts: &[Array], axis: usize) -> Array {
    let (dtype, first) = (parts[0].dtype(), parts[0].shape());
    let size = parts.iter().map(|p| p.shape()[axis]).sum();
    let shape = first.with(axis, size);
    let y = Array::uninit(&shape, dtype);
    let step = match axis {
        // One after the other, in rows of the rest.
        0 => first[1..].iter().product(),
        _ => shape.strides()[axis] as usize,
    };
    assert!(dtype.size() <= 8, "complex numbers are joined by their parts");
    let (out, mut at) = (y.as_bytes_ptr().cast_mut(), 0);
    for part in parts {
        let fits = |(d, (a, b)): (usize, (&usize, &usize))| a == b || d == axis;
        assert!(
            part.dtype() == dtype
                && part.rank() == first.rank()
                && part.shape().iter().zip(first.iter()).enumerate().all(fits)
        );
        // SAFETY: from `at` on, y has as many elements along `axis` as the part, and equal sizes else.
        unsafe {
            let out = out.add(at * dtype.size());
            match axis {
                0 if part.is_contiguous() && part.numel() <= SHORT => {
                    out.copy_from_nonoverlapping(part.as_bytes_ptr(), part.numel() * dtype.size());
                }
                _ => with_bits!(dtype, T => copy_into(part, out.cast::<T>(), &shape.strides())),
            }
        }
        at += part.shape()[axis] * step;
    }
    y
}

/// Zeros of `shape` with `src` written into the view that `slices` choose, a start and a step for each
/// dimension; steps may be negative. The reverse of slicing.
pub fn embed(shape: &Shape, slices: &[(usize, isize)], src: &Array) -> Array {
    assert!(slices.len() == shape.rank() && src.rank() == shape.rank());
    let mut layout = Layout::contiguous(shape.clone());
    for (d, &(start, step)) in slices.iter().enumerate() {
        layout = layout.slice(d, start, src.shape()[d], step);
    }
    super::scatter::write(zeros(shape, src.dtype()), &layout, src)
}

/// Up to so many elements in one row are copied without more ado.
const SHORT: usize = 1024;

/// Writes the elements of `x` to `out`, where they have these strides.
///
/// # Safety
/// `T` has the size of the elements, and each of them a place of its own in an array that we may write.
pub(super) unsafe fn copy_into<T: Copy + Send + Sync>(x: &Array, out: *mut T, strides: &[isize]) {
    // Dimensions merged where both sides walk them in one.
    let mut dims: SmallVec<[(usize, isize, isize); 4]> = SmallVec::new();
    for (d, &n) in x.shape().iter().enumerate().filter(|(_, n)| **n != 1) {
        let (from, to) = (x.layout().strides()[d], strides[d]);
        match dims.last_mut() {
            Some(last) if (last.1, last.2) == (from * n as isize, to * n as isize) => {
                *last = (last.0 * n, from, to);
            }
            _ => dims.push((n, from, to)),
        }
    }
    let (len, from, to) = dims.pop().unwrap_or((1, 1, 1));
    let count = dims.iter().map(|d| d.0).product::<usize>() * len;
    let (src, out) = (reader::<T>(x), Out(out));
    if dims.is_empty() && (from, to) == (1, 1) && count <= SHORT {
        // SAFETY: the only row, all of it.
        return unsafe { copy::row(src.at(0), out.at(0), count) };
    }
    threads::split(count, 1, 1, |start, n| {
        let mut at = start;
        while at < start + n {
            let (mut row, col) = (at / len, at % len);
            let n = (len - col).min(start + n - at);
            let (mut src_at, mut out_at) = (col as isize * from, col as isize * to);
            for &(size, from, to) in dims.iter().rev() {
                src_at += (row % size) as isize * from;
                out_at += (row % size) as isize * to;
                row /= size;
            }
            let (src, out) = (
                src.at(0).wrapping_offset(src_at),
                out.at(0).wrapping_offset(out_at),
            );
            // SAFETY: the n elements from here on along the innermost dimension, at their places.
            unsafe {
                match (from, to) {
                    (1, 1) => copy::row(src, out, n),
                    _ => (0..n as isize).for_each(|i| out.offset(i * to).write(*src.offset(i * from))),
                }
            }
            at += n;
        }
    });
}

/// The numbers `start + i · step`, computed in f64 (in i64 where both are integers and `dtype` is not a
/// float) and stored as `dtype`.
pub fn arange(start: f64, step: f64, n: usize, dtype: DType) -> Array {
    let exact = start.fract() == 0.0 && step.fract() == 0.0 && !dtype.is_float();
    let mut y = Array::uninit([n], dtype);
    with_element!(dtype, T => {
        let out = y.uninit_slice::<T>();
        let (first, by) = (start as i64, step as i64);
        // A loop for each, so that the choice is not made inside it.
        macro_rules! fill {
            ($i:ident => $value:expr) => {
                for $i in 0..n {
                    // SAFETY: i < n, the number of elements of the fresh buffer.
                    unsafe { out.add($i).write(T::store($value)) };
                }
            };
        }
        match (exact, by) {
            (true, 1) => fill!(i => first.wrapping_add(i as i64)),
            (true, _) => fill!(i => first.wrapping_add(by.wrapping_mul(i as i64))),
            (false, _) => fill!(i => start + i as f64 * step),
        }
    });
    y
}

/// The last two dimensions with rows and columns on or below diagonal `k` kept (`upper`: on or above), others
/// zero.
pub fn triangle(x: &Array, k: isize, upper: bool) -> Array {
    let x = x.contiguous();
    let (rows, cols) = (x.shape()[x.rank() - 2], x.shape()[x.rank() - 1]);
    let mut y = Array::uninit(x.shape(), x.dtype());
    with_bits!(x.dtype(), T => {
        let (src, out) = (reader::<T>(&x), writer::<T>(&mut y));
        threads::split(x.numel() / cols.max(1), 1, cols, |start, n| {
            for row in start..start + n {
                // Elements of the row that lie before the diagonal's, with it where that is kept below.
                let diagonal = ((row % rows) as isize).saturating_add(k).saturating_add(!upper as isize);
                let split = diagonal.clamp(0, cols as isize) as usize;
                let (from, to) = if upper { (split, cols) } else { (0, split) };
                let at = row * cols;
                // SAFETY: from ≤ to ≤ cols: parts of one row of each array.
                unsafe {
                    out.at(at).write_bytes(0, from);
                    out.at(at + from).copy_from_nonoverlapping(src.at(at + from), to - from);
                    out.at(at + to).write_bytes(0, cols - to);
                }
            }
        });
    });
    y
}

#[cfg(test)]
mod tests;
