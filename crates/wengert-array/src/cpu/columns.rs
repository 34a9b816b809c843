//! The windows of images as columns, and columns added up to images: in runs of neighbours, each window's element for a row of windows
//! at once. What surrounds an image is never written down.

use super::index::{reader, with_bits, writer, zeros};
use super::isa::{Lane, dispatch};
use super::shared::In;
use super::threads;
use crate::array::Array;
use crate::real::Real;
use crate::with_compute;
use std::ops::Range;

/// How a window moves over an image, in each of its two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    /// Its size.
    pub kernel: [usize; 2],
    /// How far apart its elements are.
    pub dilation: [usize; 2],
    /// How many zeros surround the image.
    pub padding: [usize; 2],
    /// How far it moves.
    pub stride: [usize; 2],
}

impl Sliding {
    /// A window of this size that moves by one, undilated, over an image without padding.
    pub fn new(kernel: [usize; 2]) -> Sliding {
        Sliding {
            kernel,
            dilation: [1, 1],
            padding: [0, 0],
            stride: [1, 1],
        }
    }

    /// How many windows there are in direction `i` of an image of `n` elements; none where not even one fits.
    pub fn count(&self, i: usize, n: usize) -> Option<usize> {
        let reach = self.dilation[i] * self.kernel[i].saturating_sub(1) + usize::from(self.kernel[i] > 0);
        Some(
            (n + 2 * self.padding[i])
                .checked_sub(reach)?
                .checked_div(self.stride[i])?
                + 1,
        )
    }

    /// In direction `i` of an image of `n` elements: where element `k` of the first window lies, and of which of `count` windows it lies
    /// within.
    fn reach(&self, i: usize, k: usize, n: usize, count: usize) -> (isize, Range<usize>) {
        let first = (k * self.dilation[i]) as isize - self.padding[i] as isize;
        let before = |place: isize| {
            (place - first)
                .max(0)
                .cast_unsigned()
                .div_ceil(self.stride[i])
                .min(count)
        };
        let (from, to) = (before(0), before(n as isize));
        (first, from..to.max(from))
    }

    /// Calls `f(at, place, n)` for the windows' elements in an image of `size` pixels, of which windows `counts` are: those of `n` windows
    /// side by side, that are numbers `at` and on of the columns, begin at pixel `place`; `None` if they lie outside. The numbers of
    /// one element of all windows are `step` from those of the next.
    #[inline(always)]
    fn each(
        &self,
        size: [usize; 2],
        counts: [usize; 2],
        step: usize,
        mut f: impl FnMut(usize, Option<usize>, usize),
    ) {
        for k in 0..self.kernel[0] {
            let (top, rows) = self.reach(0, k, size[0], counts[0]);
            for l in 0..self.kernel[1] {
                let (left, columns) = self.reach(1, l, size[1], counts[1]);
                let mut at = (k * self.kernel[1] + l) * step;
                for row in 0..counts[0] {
                    if rows.contains(&row) && !columns.is_empty() {
                        let y = top + (row * self.stride[0]) as isize;
                        let x = left + (columns.start * self.stride[1]) as isize;
                        f(at, None, columns.start);
                        f(
                            at + columns.start,
                            Some((y * size[1] as isize + x) as usize),
                            columns.len(),
                        );
                        f(at + columns.end, None, counts[1] - columns.end);
                    } else {
                        f(at, None, counts[1]);
                    }
                    at += counts[1];
                }
            }
        }
    }
}

/// The windows of images `[n, c, h, w]` as columns `[n, c · kh · kw, windows]`.
///
/// # Panics
/// If no window fits.
pub fn columns(x: &Array, sliding: &Sliding) -> Array {
    let [n, c, h, w] = [0, 1, 2, 3].map(|d| x.shape()[d]);
    let counts = [0, 1].map(|i| sliding.count(i, x.shape()[2 + i]).expect("a window fits"));
    let [kh, kw] = sliding.kernel;
    let x = x.contiguous();
    let mut y = Array::uninit([n, c * kh * kw, counts[0] * counts[1]], x.dtype());
    let (plane, per) = (h * w, kh * kw * counts[0] * counts[1]);
    with_bits!(x.dtype(), T => {
        let (src, out) = (reader::<T>(&x), writer::<T>(&mut y));
        threads::split(n * c, 1, per.div_ceil(8), |start, len| {
            for p in start..start + len {
                let (src, out) = (src.at(p * plane), out.at(p * per));
                // SAFETY: the elements lie within the plane, and the columns have room for all of them.
                sliding.each([h, w], counts, counts[0] * counts[1], |at, place, n| unsafe {
                    match (place, sliding.stride[1]) {
                        (None, _) => out.add(at).write_bytes(0, n),
                        (Some(place), 1) => out.add(at).copy_from_nonoverlapping(src.add(place), n),
                        (Some(place), stride) => (0..n).for_each(|i| out.add(at + i).write(*src.add(place + i * stride))),
                    }
                });
            }
        });
    });
    y
}

/// The reverse of [`columns`]: they are added up to images `[n, c, h, w]` of this size.
pub fn images(columns: &Array, size: [usize; 2], sliding: &Sliding) -> Array {
    let counts = [0, 1].map(|i| sliding.count(i, size[i]).expect("a window fits"));
    let [n, rows] = [columns.shape()[0], columns.shape()[1]];
    let taps = sliding.kernel[0] * sliding.kernel[1];
    let c = rows.checked_div(taps).unwrap_or(0);
    let (dtype, compute) = (columns.dtype(), columns.dtype().compute());
    let terms = columns.cast(compute).contiguous();
    let mut y = zeros(&[n, c, size[0], size[1]].into(), compute);
    let (plane, per) = (size[0] * size[1], taps * counts[0] * counts[1]);
    with_compute!(compute, C => {
        let (src, out) = (In(terms.as_ptr::<C>()), writer::<C>(&mut y));
        threads::split(n * c, 1, per.div_ceil(4), |start, len| {
            for p in start..start + len {
                // SAFETY: the plane is this thread's, and the columns are those of its windows.
                unsafe { add_windows::<C>(src.at(p * per), per / taps.max(1), out.at(p * plane), sliding, size, counts) };
            }
        });
    });
    y.cast(dtype)
}

dispatch!(pub(super) unsafe fn add_windows<C: Lane>(
    src: *const C, step: usize, out: *mut C, sliding: &Sliding, size: [usize; 2], counts: [usize; 2]
) => add_windows_body);

/// # Safety
/// There is an image of the size at `out`, and the columns of its windows at `src`, `step` apart for each of their elements; S has the bits of C.
#[inline(always)]
unsafe fn add_windows_body<S: Real, C: Lane>(
    src: *const C,
    step: usize,
    out: *mut C,
    sliding: &Sliding,
    size: [usize; 2],
    counts: [usize; 2],
) {
    let (src, out) = (src.cast::<S>(), out.cast::<S>());
    sliding.each(size, counts, step, move |at, place, n| {
        let Some(place) = place else { return };
        // SAFETY: the caller's promise.
        unsafe {
            let (src, out) = (std::slice::from_raw_parts(src.add(at), n), out.add(place));
            match sliding.stride[1] {
                1 => {
                    for (sum, v) in std::slice::from_raw_parts_mut(out, n).iter_mut().zip(src) {
                        *sum = *sum + *v;
                    }
                }
                stride => {
                    for (i, v) in src.iter().enumerate() {
                        let sum = out.add(i * stride);
                        sum.write(sum.read() + *v);
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn columns_and_images_are_those_of_plain_loops() {
        let all = [
            ([3, 4], Sliding::new([2, 3])),
            (
                [5, 37],
                Sliding {
                    padding: [1, 2],
                    ..Sliding::new([3, 3])
                },
            ),
            (
                [6, 9],
                Sliding {
                    stride: [2, 3],
                    dilation: [2, 1],
                    padding: [3, 0],
                    ..Sliding::new([2, 4])
                },
            ),
            (
                [1, 1],
                Sliding {
                    padding: [4, 4],
                    stride: [3, 2],
                    ..Sliding::new([2, 2])
                },
            ),
            (
                [4, 20],
                Sliding {
                    dilation: [1, 9],
                    padding: [0, 1],
                    ..Sliding::new([1, 2])
                },
            ),
        ];
        for (size, s) in all {
            for dtype in [DType::F32, DType::F64, DType::F16, DType::I64, DType::U8] {
                let [h, w] = size;
                let (n, c) = (2, 3);
                let x: Vec<f64> = (0..n * c * h * w).map(|i| (i % 7) as f64 + 1.0).collect();
                let y = columns(&Array::from_slice(&x, [n, c, h, w]).cast(dtype), &s);
                let [oh, ow] = [0, 1].map(|i| s.count(i, size[i]).unwrap());
                assert_eq!(y.shape().dims(), [n, c * s.kernel[0] * s.kernel[1], oh * ow]);
                let (got, mut sums, mut at) = (y.to_vec::<f64>(), vec![0.0; x.len()], 0);
                for p in 0..n * c {
                    for (k, l) in (0..s.kernel[0]).flat_map(|k| (0..s.kernel[1]).map(move |l| (k, l))) {
                        for (i, j) in (0..oh).flat_map(|i| (0..ow).map(move |j| (i, j))) {
                            let place = |d: usize, o: usize, k: usize| {
                                (o * s.stride[d] + k * s.dilation[d])
                                    .checked_sub(s.padding[d])
                                    .filter(|v| *v < size[d])
                            };
                            let place = place(0, i, k)
                                .zip(place(1, j, l))
                                .map(|(y, x)| (p * h + y) * w + x);
                            assert_eq!(got[at], place.map_or(0.0, |place| x[place]), "{s:?} {dtype}");
                            if let Some(place) = place {
                                sums[place] += x[place];
                            }
                            at += 1;
                        }
                    }
                }
                let back = images(&y, size, &s);
                assert_eq!((back.shape().dims(), back.dtype()), (&[n, c, h, w][..], dtype));
                assert_eq!(back.to_vec::<f64>(), sums, "{s:?} {dtype}");
            }
        }
    }

    #[test]
    fn there_may_be_nothing() {
        let none = columns(&Array::full([0, 2, 3, 3], 0.0, DType::F32), &Sliding::new([2, 2]));
        assert_eq!(none.shape().dims(), [0, 8, 4]);
        assert_eq!(
            images(&none, [3, 3], &Sliding::new([2, 2])).shape().dims(),
            [0, 2, 3, 3]
        );
        assert_eq!(Sliding::new([4, 4]).count(0, 3), None);
    }
}
