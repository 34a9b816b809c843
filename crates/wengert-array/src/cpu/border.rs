//! Arrays with more elements around them: those of their own from elsewhere, or a number. In one pass, whatever the number of dimensions.

use super::index::{reader, with_bits, writer, zeros};
use super::isa::{Lane, dispatch};
use super::scatter::write;
use super::shared::In;
use super::threads;
use crate::array::Array;
use crate::layout::{Layout, Shape};
use crate::real::Real;
use crate::with_compute;
use smallvec::SmallVec;

/// For some dimensions, the first first: for each element of the result which of the array's it is. Below 0, none.
pub type Lists = [(usize, Vec<i64>)];

/// Neighbours along the last dimension that has a list.
struct Run {
    at: usize,
    /// The first of them in the array, if they are there.
    first: Option<usize>,
    count: usize,
}

struct Plan<'a> {
    /// How far apart neighbours are in the array, how many there are in the result, and the list, for dimensions before the last that
    /// has one.
    outer: Vec<(usize, usize, Option<&'a [i64]>)>,
    runs: Vec<Run>,
    /// Elements of the array and of the result for each of those outer ones, and elements in a step along the last.
    row: [usize; 2],
    inner: usize,
    /// Rows of the result for each element of dimensions before the first that has a list.
    together: usize,
}

impl<'a> Plan<'a> {
    fn new(shape: &Shape, lists: &'a Lists) -> Plan<'a> {
        let ((first, _), (last, list)) = (&lists[0], &lists[lists.len() - 1]);
        let strides = shape.strides();
        let of = |d: usize| lists.iter().find(|(e, _)| *e == d).map(|(_, list)| &list[..]);
        for (d, list) in lists {
            assert!(
                list.iter().all(|i| *i < shape[*d] as i64),
                "a list leaves the array"
            );
        }
        let outer: Vec<_> = (0..*last)
            .map(|d| (strides[d] as usize, of(d).map_or(shape[d], <[i64]>::len), of(d)))
            .collect();
        let mut runs: Vec<Run> = Vec::new();
        for (at, &i) in list.iter().enumerate() {
            let place = usize::try_from(i).ok();
            match runs.last_mut() {
                Some(run) if place == run.first.map(|first| first + run.count) => run.count += 1,
                _ => runs.push(Run {
                    at,
                    first: place,
                    count: 1,
                }),
            }
        }
        let inner: usize = shape[last + 1..].iter().product();
        Plan {
            runs,
            row: [shape[*last] * inner, list.len() * inner],
            inner,
            together: outer[*first..].iter().map(|d| d.1).product(),
            outer,
        }
    }

    fn rows(&self) -> usize {
        self.outer.iter().map(|d| d.1).product()
    }

    /// Calls `f(place, at, n)` for all n elements side by side of rows `start .. start + len` of the result: they are at `at`, and come from
    /// `place`, if they come from the array.
    #[inline(always)]
    fn each(&self, start: usize, len: usize, mut f: impl FnMut(Option<usize>, usize, usize)) {
        let mut rest = start;
        let mut place: SmallVec<[usize; 4]> = self.outer.iter().map(|_| 0).collect();
        for (i, d) in place.iter_mut().zip(&self.outer).rev() {
            *i = rest % d.1.max(1);
            rest /= d.1.max(1);
        }
        for row in start..start + len {
            let mut from = Some(0);
            for (i, (step, _, list)) in place.iter().zip(&self.outer) {
                let i = list.map_or(*i as i64, |list| list[*i]);
                from = from.filter(|_| i >= 0).map(|from| from + i as usize * step);
            }
            // The next row.
            for (i, d) in place.iter_mut().zip(&self.outer).rev() {
                *i += 1;
                if *i < d.1 {
                    break;
                }
                *i = 0;
            }
            let at = row * self.row[1];
            let Some(from) = from else {
                f(None, at, self.row[1]);
                continue;
            };
            for run in &self.runs {
                let from = run.first.map(|first| from + first * self.inner);
                f(from, at + run.at * self.inner, run.count * self.inner);
            }
        }
    }
}

/// Calls `f` with the places and widths of pieces, of 32 bytes and less, that make up so many bytes; some lie over others. A call of
/// the system's copy takes as long as a short row.
#[inline(always)]
fn pieces(bytes: usize, mut f: impl FnMut(usize, usize)) {
    match bytes {
        32.. => {
            (0..bytes - 31).step_by(32).for_each(|at| f(at, 32));
            f(bytes - 32, 32);
        }
        16.. => [0, bytes - 16].into_iter().for_each(|at| f(at, 16)),
        8.. => [0, bytes - 8].into_iter().for_each(|at| f(at, 8)),
        4.. => [0, bytes - 4].into_iter().for_each(|at| f(at, 4)),
        _ => (0..bytes).for_each(|at| f(at, 1)),
    }
}

/// # Safety
/// There are as many bytes at `src` as `width`, which is one that [`pieces`] gives, and room for them at `out`.
#[inline(always)]
unsafe fn copy_piece(src: *const u8, out: *mut u8, width: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match width {
            32 => out
                .cast::<[u64; 4]>()
                .write_unaligned(src.cast::<[u64; 4]>().read_unaligned()),
            16 => out
                .cast::<[u64; 2]>()
                .write_unaligned(src.cast::<[u64; 2]>().read_unaligned()),
            8 => out
                .cast::<u64>()
                .write_unaligned(src.cast::<u64>().read_unaligned()),
            4 => out
                .cast::<u32>()
                .write_unaligned(src.cast::<u32>().read_unaligned()),
            _ => out.write(*src),
        }
    }
}

/// Elements of `x` as the lists say, and `value` where they name none.
///
/// # Panics
/// If there are no lists, or one leaves the array.
pub fn surround(x: &Array, lists: &Lists, value: f64) -> Array {
    let mut shape = x.shape().clone();
    lists
        .iter()
        .for_each(|(d, list)| shape = shape.with(*d, list.len()));
    let plan = Plan::new(x.shape(), lists);
    let (x, around) = (x.contiguous(), Array::full([], value, x.dtype()));
    let mut y = Array::uninit(shape, x.dtype());
    with_bits!(x.dtype(), T => {
        let (src, out) = (reader::<T>(&x), writer::<T>(&mut y));
        // SAFETY: there is one element.
        let around = unsafe { *reader::<T>(&around).at(0) };
        let around = [around; 32];
        threads::split(plan.rows(), 1, plan.row[1].div_ceil(8) + 4, |start, len| {
            let (src, out, around) = (src.at(0), out.at(0), around.as_ptr().cast::<u8>());
            // SAFETY: the plan stays within the array and its result, of which these rows are ours; the pieces are of 32 bytes at most.
            plan.each(start, len, move |place, at, n| unsafe {
                let (out, bytes) = (out.add(at).cast::<u8>(), n * size_of::<T>());
                match place {
                    Some(place) => {
                        let src = src.add(place).cast::<u8>();
                        pieces(bytes, |at, width| copy_piece(src.add(at), out.add(at), width));
                    }
                    None => pieces(bytes, |at, width| copy_piece(around, out.add(at), width)),
                }
            });
        });
    });
    y
}

/// The reverse of [`surround`]: zeros of `shape` with the elements of `y` added where they come from.
///
/// # Panics
/// As there.
pub fn gather_back(y: &Array, lists: &Lists, shape: &Shape) -> Array {
    let plan = Plan::new(shape, lists);
    let (dtype, compute) = (y.dtype(), y.dtype().compute());
    let terms = y.cast(compute).contiguous();
    let mut x = zeros(shape, compute);
    let shares = plan.rows().checked_div(plan.together).unwrap_or(0);
    assert!(plan.rows() * plan.row[1] == terms.numel());
    with_compute!(compute, C => {
        let (src, out) = (In(terms.as_ptr::<C>()), writer::<C>(&mut x));
        threads::split(shares, 1, plan.together * plan.row[1].div_ceil(2), |start, len| {
            // SAFETY: the plan stays within both arrays, and shares of the rows lead to elements of their own.
            unsafe { add_back::<C>(&plan, start * plan.together, len * plan.together, src.at(0), out.at(0)) };
        });
    });
    x.cast(dtype)
}

dispatch!(unsafe fn add_back<C: Lane>(plan: &Plan<'_>, start: usize, len: usize, src: *const C, out: *mut C) => add_back_body);

/// # Safety
/// The plan stays within both arrays, of which nobody else uses what is written; S has the bits of C.
#[inline(always)]
unsafe fn add_back_body<S: Real, C: Lane>(
    plan: &Plan<'_>,
    start: usize,
    len: usize,
    src: *const C,
    out: *mut C,
) {
    let (src, out) = (src.cast::<S>(), out.cast::<S>());
    plan.each(start, len, move |place, at, n| {
        let Some(place) = place else { return };
        // SAFETY: the caller's promise.
        unsafe {
            let (src, out) = (std::slice::from_raw_parts(src.add(at), n), out.add(place));
            for (sum, v) in std::slice::from_raw_parts_mut(out, n).iter_mut().zip(src) {
                *sum = *sum + *v;
            }
        }
    });
}

/// `value` in this shape, but for `x` where the layout looks.
///
/// # Panics
/// If the layout leaves the shape or sees an element twice, or if `x` has another shape.
pub fn place(x: &Array, layout: &Layout, shape: &Shape, value: f64) -> Array {
    let strides = shape.strides();
    if layout.strides() != &strides[..] || x.numel() == 0 {
        return write(Array::full(shape, value, x.dtype()), layout, x);
    }
    assert!(x.shape() == layout.shape());
    let mut rest = layout.offset();
    let starts = strides.iter().map(|stride| {
        let start = rest / *stride as usize;
        rest %= *stride as usize;
        start
    });
    let lists: Vec<(usize, Vec<i64>)> = starts
        .enumerate()
        .filter(|(d, _)| x.shape()[*d] != shape[*d])
        .map(|(d, start)| {
            let inside = start..start + x.shape()[d];
            assert!(inside.end <= shape[d], "the layout leaves the array");
            let list = (0..shape[d]).map(|i| {
                if inside.contains(&i) {
                    (i - start) as i64
                } else {
                    -1
                }
            });
            (d, list.collect())
        })
        .collect();
    match lists.is_empty() {
        true => x.contiguous(),
        false => surround(x, &lists, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn elements_come_from_where_the_lists_say_and_go_back() {
        let mirrored = |n: i64| {
            (-2..n + 1)
                .map(|i| if i < 0 { -i } else { i.min(2 * n - 2 - i) })
                .collect::<Vec<_>>()
        };
        let around = vec![-1, -1, 0, 1, 2, -1];
        type Case<'a> = (&'a [usize], Vec<(usize, Vec<i64>)>);
        let all: [Case<'_>; 6] = [
            (&[5], vec![(0, mirrored(5))]),
            (&[2, 3, 70], vec![(1, mirrored(3)), (2, mirrored(70))]),
            (&[3, 2, 4], vec![(0, around.clone()), (2, mirrored(4))]),
            (&[2, 3, 5, 2], vec![(1, around), (2, vec![4, -1, 0, 0])]),
            (&[2, 3], vec![(1, vec![])]),
            (&[0, 3], vec![(1, vec![1, -1])]),
        ];
        for (shape, lists) in all {
            let numel: usize = shape.iter().product();
            for dtype in [DType::F32, DType::F64, DType::BF16, DType::I64, DType::Bool] {
                let x: Vec<f64> = (0..numel)
                    .map(|i| if dtype == DType::Bool { i % 2 } else { i % 50 } as f64)
                    .collect();
                let y = surround(&Array::from_slice(&x, shape).cast(dtype), &lists, 1.0);
                let (got, mut sums) = (y.to_vec::<f64>(), vec![0.0; numel]);
                let strides = y.shape().strides();
                for (at, got) in got.iter().enumerate() {
                    let places = (0..shape.len()).map(|d| {
                        let i = at / strides[d] as usize % y.shape()[d];
                        lists
                            .iter()
                            .find(|(e, _)| *e == d)
                            .map_or(i as i64, |(_, list)| list[i])
                    });
                    let place = places.enumerate().try_fold(0, |sum, (d, i)| {
                        (i >= 0).then(|| sum + i as usize * Shape::new(shape).strides()[d] as usize)
                    });
                    assert_eq!(*got, place.map_or(1.0, |place| x[place]), "{shape:?} {dtype}");
                    if let Some(place) = place {
                        sums[place] += got;
                    }
                }
                let back = gather_back(&y, &lists, &Shape::new(shape));
                assert_eq!((back.shape().dims(), back.dtype()), (shape, dtype));
                let sums = Array::from_slice(&sums, shape).cast(dtype).to_vec::<f64>();
                assert_eq!(back.to_vec::<f64>(), sums, "{shape:?} {dtype}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a list leaves the array")]
    fn lists_stay_inside() {
        surround(&Array::full([3], 0.0, DType::F32), &[(0, vec![0, 3])], 0.0);
    }
}
