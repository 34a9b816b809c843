//! Arrays with more elements around them: those of their own from elsewhere, or a number. In one pass, whatever the number of dimensions.

use super::copy;
use super::index::{parts, reader, with_bits, writer, zeros};
use super::isa::{Lane, dispatch};
use super::scatter::write;
use super::shared::In;
use super::threads;
use crate::array::Array;
use crate::layout::{Layout, Shape};
use crate::real::Real;
use crate::with_compute;
use std::ops::Range;

/// For some dimensions, the first first: for each element of the result which of the array's it is. Below 0, none.
pub type Lists = [(usize, Vec<i64>)];

/// Elements of the result side by side that are side by side in the array, too, or none of its.
struct Run {
    /// The first of them in the array, if they are there.
    from: Option<usize>,
    at: usize,
    count: usize,
}

/// What is done for each element of the dimensions before the first that has a list.
struct Plan {
    runs: Vec<Run>,
    /// How many elements of the array and of the result there are for each.
    sizes: [usize; 2],
    shares: usize,
}

impl Plan {
    fn new(shape: &Shape, lists: &Lists) -> Plan {
        let (first, last) = (lists[0].0, lists[lists.len() - 1].0);
        for (d, list) in lists {
            assert!(
                list.iter().all(|i| *i < shape[*d] as i64),
                "a list leaves the array"
            );
        }
        let mut plan = Plan {
            runs: Vec::new(),
            sizes: [shape[first..].iter().product(), 0],
            shares: shape[..first].iter().product(),
        };
        // Those of the last dimension that has a list are the same again and again.
        let step: usize = shape[last + 1..].iter().product();
        for i in &lists[lists.len() - 1].1 {
            plan.push(usize::try_from(*i).ok().map(|i| i * step), step);
        }
        let (row, count) = (std::mem::take(&mut plan.runs), std::mem::take(&mut plan.sizes[1]));
        plan.add(shape, lists, first..last, Some(0), (&row, count));
        plan
    }

    fn push(&mut self, from: Option<usize>, count: usize) {
        match self.runs.last_mut() {
            Some(run) if from == run.from.map(|from| from + run.count) => run.count += count,
            _ => {
                let at = self.sizes[1];
                self.runs.push(Run { from, at, count });
            }
        }
        self.sizes[1] += count;
    }

    /// Adds the runs along these dimensions, of which the first element of the array is `from`; `row` has those of what follows, and how
    /// many elements they are.
    fn add(
        &mut self,
        shape: &Shape,
        lists: &Lists,
        dims: Range<usize>,
        from: Option<usize>,
        row: (&[Run], usize),
    ) {
        let Some(start) = from else {
            let sizes = dims.map(|d| list_of(lists, d).map_or(shape[d], <[i64]>::len));
            return self.push(None, sizes.product::<usize>() * row.1);
        };
        if dims.is_empty() {
            for run in row.0 {
                self.push(run.from.map(|from| start + from), run.count);
            }
            return;
        }
        let (d, rest) = (dims.start, dims.start + 1..dims.end);
        let step: usize = shape[rest.start..].iter().product();
        match list_of(lists, d) {
            Some(list) => {
                for i in list {
                    let from = usize::try_from(*i).ok().map(|i| start + i * step);
                    self.add(shape, lists, rest.clone(), from, row);
                }
            }
            None => {
                (0..shape[d]).for_each(|i| self.add(shape, lists, rest.clone(), Some(start + i * step), row))
            }
        }
    }
}

fn list_of(lists: &Lists, d: usize) -> Option<&[i64]> {
    lists.iter().find(|(e, _)| *e == d).map(|(_, list)| &list[..])
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
    let count = plan.runs.len();
    let cost = 8 + plan.sizes[1].checked_div(8 * count).unwrap_or(0);
    with_bits!(x.dtype(), T => {
        let (src, out) = (reader::<T>(&x), writer::<T>(&mut y));
        // SAFETY: there is one element.
        let around = [unsafe { *reader::<T>(&around).at(0) }; 64];
        threads::split(plan.shares * count, 1, cost, |start, len| {
            parts(start, len, count, |share, part| {
                let [src, out] = [src.at(share * plan.sizes[0]).cast(), out.at(share * plan.sizes[1]).cast_const().cast()];
                // SAFETY: the plan stays within the array and its result, of which these runs are ours.
                unsafe { move_runs::<i64>(src, out.cast_mut(), &plan.runs[part], around.as_ptr().cast(), size_of::<T>()) };
            });
        });
    });
    y
}

dispatch!(unsafe fn move_runs<C: Lane>(
    src: *const C, out: *mut C, runs: &[Run], around: *const C, size: usize
) => move_runs_body);

/// Moves runs of elements of `size` bytes; `around` has 64 bytes of what goes where there are none.
///
/// # Safety
/// The runs lie within both.
#[inline(always)]
#[allow(clippy::extra_unused_type_parameters)] // only moves, of whatever reading
unsafe fn move_runs_body<S: Real, C: Lane>(
    src: *const C,
    out: *mut C,
    runs: &[Run],
    around: *const C,
    size: usize,
) {
    let (src, out, around) = (src.cast::<u8>(), out.cast::<u8>(), around.cast::<u8>());
    for run in runs {
        // SAFETY: the caller's promise.
        unsafe {
            let (out, bytes) = (out.add(run.at * size), run.count * size);
            match run.from {
                Some(from) => copy::short(src.add(from * size), out, bytes),
                None => copy::pieces(around, 0, out, bytes),
            }
        }
    }
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
    assert!(plan.shares * plan.sizes[1] == terms.numel());
    with_compute!(compute, C => {
        let (src, out) = (In(terms.as_ptr::<C>()), writer::<C>(&mut x));
        threads::split(plan.shares, 1, plan.sizes[1].div_ceil(2), |start, len| {
            for share in start..start + len {
                let (src, out) = (src.at(share * plan.sizes[1]), out.at(share * plan.sizes[0]));
                // SAFETY: the plan stays within both arrays, and this share of the result is ours.
                unsafe { add_runs::<C>(src, out, &plan.runs) };
            }
        });
    });
    x.cast(dtype)
}

dispatch!(unsafe fn add_runs<C: Lane>(src: *const C, out: *mut C, runs: &[Run]) => add_runs_body);

/// # Safety
/// The runs lie within both arrays, of which nobody else uses what is written; S has the bits of C.
#[inline(always)]
unsafe fn add_runs_body<S: Real, C: Lane>(src: *const C, out: *mut C, runs: &[Run]) {
    let (src, out) = (src.cast::<S>(), out.cast::<S>());
    for run in runs {
        let Some(from) = run.from else { continue };
        // SAFETY: the caller's promise.
        unsafe {
            let (src, out) = (
                std::slice::from_raw_parts(src.add(run.at), run.count),
                out.add(from),
            );
            for (sum, v) in std::slice::from_raw_parts_mut(out, run.count).iter_mut().zip(src) {
                *sum = *sum + *v;
            }
        }
    }
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
