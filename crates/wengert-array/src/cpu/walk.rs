//! Reading strided arrays in row-major order, a run at a time.

use super::convert;
use super::isa::Lane;
use crate::array::Array;
use crate::dtype::{Compute, DType, Element};
use crate::with_element;
use smallvec::SmallVec;
use std::mem::MaybeUninit;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// The merged dimensions of a layout, to be walked in row-major order.
#[derive(Clone)]
pub(crate) struct Walk {
    dims: SmallVec<[(usize, isize); 4]>,
}

impl Walk {
    pub(crate) fn new(array: &Array) -> Walk {
        let mut dims = array.layout().collapsed();
        if dims.is_empty() {
            dims.push((1, 1));
        }
        Walk { dims }
    }

    /// Size and stride of the innermost dimension.
    pub(crate) fn inner(&self) -> (usize, isize) {
        self.dims[self.dims.len() - 1]
    }

    /// After how many elements those of an array repeat, which is broadcast along its first dimension.
    pub(crate) fn period(&self) -> Option<usize> {
        match &self.dims[..] {
            [(_, 0), rest @ ..] => Some(rest.iter().map(|(size, _)| size).product()),
            _ => None,
        }
    }

    /// From row to row instead, of `row` elements each, along the innermost dimension, whose size is a multiple of that.
    pub(crate) fn by_rows(mut self, row: usize) -> Walk {
        let inner = self.dims.last_mut().expect("has one");
        *inner = (inner.0 / row, inner.1 * row as isize);
        self
    }

    /// Where position `at` is, and those after it.
    pub(crate) fn cursor(&self, at: usize) -> Cursor<'_> {
        Cursor::new(&self.dims, at)
    }

    /// The stretches along the innermost dimension from element `start` on.
    pub(crate) fn from(&self, start: usize) -> Runs<'_> {
        let (outer, inner) = self.dims.split_at(self.dims.len() - 1);
        let (inner, stride) = inner[0];
        Runs {
            inner,
            stride,
            rows: Cursor::new(outer, start / inner.max(1)),
            column: start % inner.max(1),
        }
    }

    /// Calls `run(offset, stride, len)` for the stretches along the innermost dimension that make up
    /// elements `start .. start + n`, in order. Offsets count elements from the layout's first.
    #[cfg(test)]
    pub(crate) fn runs(&self, start: usize, n: usize, run: impl FnMut(isize, isize, usize)) {
        self.from(start).take(n, run)
    }
}

/// Stretches along the innermost dimension of a walk, of so many elements and so far apart.
pub(crate) struct Runs<'a> {
    inner: usize,
    stride: isize,
    rows: Cursor<'a>,
    column: usize,
}

impl Runs<'_> {
    /// Those of the next `n` elements, as [`Walk::runs`] gives them.
    #[inline]
    pub(crate) fn take(&mut self, n: usize, mut run: impl FnMut(isize, isize, usize)) {
        let mut left = n;
        while left > 0 {
            let len = (self.inner - self.column).min(left);
            run(
                self.rows.offset + self.column as isize * self.stride,
                self.stride,
                len,
            );
            left -= len;
            self.column += len;
            if self.column == self.inner {
                self.column = 0;
                self.rows.next();
            }
        }
    }
}

/// A position among dimensions, which goes forward in row-major order.
pub(crate) struct Cursor<'a> {
    dims: &'a [(usize, isize)],
    at: SmallVec<[usize; 4]>,
    /// How many elements it lies from the first one.
    pub offset: isize,
}

impl<'a> Cursor<'a> {
    fn new(dims: &'a [(usize, isize)], mut position: usize) -> Cursor<'a> {
        let mut at: SmallVec<[usize; 4]> = SmallVec::from_elem(0, dims.len());
        let mut offset = 0;
        for (at, &(size, stride)) in at.iter_mut().zip(dims).rev() {
            *at = position % size.max(1);
            position /= size.max(1);
            offset += *at as isize * stride;
        }
        Cursor { dims, at, offset }
    }

    /// Goes to the next position; from the last one to the first.
    #[inline]
    pub(crate) fn next(&mut self) {
        for (at, &(size, stride)) in self.at.iter_mut().zip(self.dims).rev() {
            *at += 1;
            self.offset += stride;
            if *at < size {
                break;
            }
            self.offset -= stride * size as isize;
            *at = 0;
        }
    }
}

/// Writes the next `n` elements of `array`, in row-major order and as `C`, to `out`.
///
/// # Safety
/// `out` has room for `n` elements; `runs` are the array's, and as many are left.
pub(crate) unsafe fn load<C: Lane>(array: &Array, runs: &mut Runs, n: usize, out: *mut C) {
    with_element!(array.dtype(), T => {
        let src = array.as_ptr::<T>();
        let mut done = 0;
        runs.take(n, |offset, stride, len| {
            // SAFETY: the walk visits elements of the layout only, and `done + len ≤ n`.
            unsafe {
                let (src, out) = (src.offset(offset), from_raw_parts_mut(out.add(done).cast::<MaybeUninit<C>>(), len));
                match stride {
                    0 => out.fill(MaybeUninit::new((*src).load::<C>())),
                    1 => convert::load(from_raw_parts(src, len), out),
                    _ => strided::<T, C>(src, stride, out),
                }
            }
            done += len;
        })
    })
}

/// Elements so far apart, as `C`.
///
/// # Safety
/// There are as many as `out` has.
unsafe fn strided<T: Element, C: Lane>(src: *const T, stride: isize, out: &mut [MaybeUninit<C>]) {
    // SAFETY: the caller's promise for i < out.len().
    let at = |i: usize| unsafe { *src.offset(i as isize * stride) };
    if !T::DTYPE.is_half() {
        return out.iter_mut().enumerate().for_each(|(i, out)| {
            out.write(at(i).load::<C>());
        });
    }
    // Side by side first, since they are converted many at a time.
    let mut near = [T::default(); 64];
    for (k, out) in out.chunks_mut(near.len()).enumerate() {
        let near = &mut near[..out.len()];
        let first = k * 64;
        near.iter_mut()
            .enumerate()
            .for_each(|(i, near)| *near = at(first + i));
        convert::load(near, out);
    }
}

/// Results of so many bytes are not worth keeping in the caches, which they would not fit.
pub(crate) const STREAM: usize = 32 << 20;

/// As [`store`] for elements of `C` itself, past the caches where the processor can: so memory is not read first.
/// [`end_of_stream`] must follow before another thread may look. On the way it asks for the `n` numbers from each of `next` on,
/// at any addresses: at once they would wait for each other.
///
/// # Safety
/// As for [`store`].
#[inline]
pub(crate) unsafe fn stream<C: Compute, const J: usize>(
    src: *const C,
    out: *mut u8,
    n: usize,
    next: [*const C; J],
) {
    #[cfg(target_arch = "x86_64")]
    {
        use super::isa::{Isa, isa};
        let bytes = n * size_of::<C>();
        if isa() == Isa::Avx512 && (out as usize).is_multiple_of(64) && bytes.is_multiple_of(64) {
            // SAFETY: the caller's promise; the processor has these instructions.
            return unsafe { stream_lines(src.cast(), out.cast(), bytes / 64, next) };
        }
        if (out as usize).is_multiple_of(16) && bytes.is_multiple_of(16) {
            // SAFETY: the caller's promise; `out` is aligned.
            return unsafe { stream_parts(src.cast(), out.cast(), bytes / 16, next) };
        }
    }
    let _ = next;
    // SAFETY: the caller's promise.
    unsafe { std::ptr::copy_nonoverlapping(src, out.cast::<C>(), n) }
}

/// [`stream`] of whole cache lines. What was written by wide stores just before is read by such: in parts it would have to
/// arrive in the cache first.
///
/// # Safety
/// `src` and `out` have `n` lines, of which those of `out` begin where cache lines do.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn stream_lines<C, const J: usize>(
    src: *const std::arch::x86_64::__m512i,
    out: *mut std::arch::x86_64::__m512i,
    n: usize,
    next: [*const C; J],
) {
    use std::arch::x86_64::{_mm512_loadu_si512, _mm512_stream_si512};
    for i in 0..n {
        for next in next {
            ask(next, 64 * i)
        }
        // SAFETY: the caller's promise.
        unsafe { _mm512_stream_si512(out.add(i), _mm512_loadu_si512(src.add(i))) };
    }
}

/// [`stream`] of quarters of cache lines.
///
/// # Safety
/// `src` and `out` have `n` of them, and `out` begins at a multiple of 16 bytes.
#[cfg(target_arch = "x86_64")]
unsafe fn stream_parts<C, const J: usize>(
    src: *const std::arch::x86_64::__m128i,
    out: *mut std::arch::x86_64::__m128i,
    n: usize,
    next: [*const C; J],
) {
    use std::arch::x86_64::{_mm_loadu_si128, _mm_stream_si128};
    for i in 0..n {
        if i % 4 == 0 {
            for next in next {
                ask(next, 16 * i)
            }
        }
        // SAFETY: the caller's promise; these instructions belong to every x86-64.
        unsafe { _mm_stream_si128(out.add(i), _mm_loadu_si128(src.add(i))) };
    }
}

/// Asks for a cache line, `bytes` behind any address.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn ask<C>(at: *const C, bytes: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: an instruction of every x86-64, and advice alone.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast::<i8>().wrapping_add(bytes)) };
}

/// Asks for the cache lines of `n` numbers (the first few thousand bytes of them), at any address, where the processor can. It
/// looks ahead by itself, but not past the page that it reads in.
#[inline(always)]
pub(crate) fn prefetch<C>(at: *const C, n: usize) {
    #[cfg(target_arch = "x86_64")]
    for k in (0..(n * size_of::<C>()).min(8 << 10)).step_by(64) {
        ask(at, k);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (at, n);
}

/// Orders what was written by [`stream`] before what this thread writes later.
pub(crate) fn end_of_stream() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: an instruction of every x86-64.
    unsafe {
        std::arch::x86_64::_mm_sfence()
    };
}

/// Writes `n` values of `C` to a contiguous run of elements of `dtype` that begins at `out`.
///
/// # Safety
/// `src` holds `n` values, `out` has room for `n` elements of `dtype`, and the two do not overlap.
pub(crate) unsafe fn store<C: Lane>(src: *const C, dtype: DType, out: *mut u8, n: usize) {
    if dtype == C::DTYPE {
        // SAFETY: the caller's promise.
        return unsafe { std::ptr::copy_nonoverlapping(src, out.cast::<C>(), n) };
    }
    with_element!(dtype, T => {
        // SAFETY: the caller's promise.
        unsafe { convert::store(from_raw_parts(src, n), from_raw_parts_mut(out.cast::<MaybeUninit<T>>(), n)) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_write_what_they_read_wherever_it_lies() {
        let source: Vec<f32> = (0..600).map(|i| i as f32).collect();
        let mut target = Array::full([700], -1.0, DType::F32);
        let target = target.make_mut::<f32>();
        for (from, to, n) in [
            (0, 0, 512),
            (3, 16, 512),
            (1, 1, 64),
            (0, 4, 12),
            (5, 32, 17),
            (0, 0, 0),
        ] {
            target.fill(-1.0);
            // SAFETY: both hold n numbers from there on, and do not overlap.
            unsafe {
                stream(
                    source[from..].as_ptr(),
                    target[to..].as_mut_ptr().cast(),
                    n,
                    [source.as_ptr()],
                )
            };
            end_of_stream();
            assert_eq!(target[to..to + n], source[from..from + n]);
            assert!(target[..to].iter().chain(&target[to + n..]).all(|v| *v == -1.0));
        }
    }
}
