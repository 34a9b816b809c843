//! Writing into a copy of an array, at chosen elements.
//!
//! Each function takes the array it changes as its own: where nobody else holds it, it is changed in place.

use super::copy;
use super::index::{Rows, around, copy_into, own, places, reader, with_bits, writer};
use super::shared::{In, Out};
use super::threads;
use crate::array::Array;
use crate::dtype::DType;
use crate::layout::{Layout, Shape};
use crate::{with_compute, with_element};
use smallvec::SmallVec;
use std::ops::Range;

/// What becomes of an element that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scatter {
    /// The last value written.
    Set,
    /// Itself plus all values.
    Sum,
    /// Itself times all values.
    Prod,
    /// The largest of itself and all values; NaN counts as such.
    Max,
    /// The smallest of itself and all values; NaN counts as such.
    Min,
}

/// `base` with `src` written to the elements that `layout` sees in it (as if it were contiguous).
///
/// # Panics
/// If the layout leaves the array or sees an element twice, or if `src` has another shape or dtype.
pub fn write(base: Array, layout: &Layout, src: &Array) -> Array {
    assert!(layout.shape() == src.shape() && base.dtype() == src.dtype());
    let mut base = own(base);
    if src.numel() == 0 {
        return base;
    }
    let (mut low, mut high) = (layout.offset() as isize, layout.offset() as isize);
    let mut steps: Vec<(usize, usize)> = Vec::new();
    for (&n, &stride) in layout
        .shape()
        .iter()
        .zip(layout.strides())
        .filter(|(n, _)| **n > 1)
    {
        let reach = (n as isize - 1) * stride;
        (low, high) = (low + reach.min(0), high + reach.max(0));
        steps.push((stride.unsigned_abs(), reach.unsigned_abs()));
    }
    assert!(
        low >= 0 && high < base.numel() as isize,
        "the layout leaves the array"
    );
    // Threads share the work, so no element may be met twice: each step must be longer than all shorter ones
    // together reach.
    steps.sort_unstable();
    let mut reached = 0;
    for (step, reach) in steps {
        assert!(step > reached, "the layout sees an element twice");
        reached += reach;
    }
    with_bits!(src.dtype(), T => {
        // SAFETY: checked above: every element has a place of its own in the array, which we alone hold.
        unsafe { copy_into(src, writer::<T>(&mut base).at(layout.offset()), layout.strides()) }
    });
    base
}

/// `base` with row `k` of `src` written to row `index[k]` (I64, 1-D) of dimension `axis`, in order.
///
/// # Panics
/// If an index is out of range.
pub fn index_write(base: Array, axis: usize, index: &Array, src: &Array) -> Array {
    let (outer, size, inner) = around(base.shape(), axis);
    let index = places(index, size);
    let index = index.as_slice::<i64>();
    assert!(src.dtype() == base.dtype() && *src.shape() == base.shape().with(axis, index.len()));
    let (mut base, src) = (own(base), src.contiguous());
    with_bits!(src.dtype(), T => {
        let (from, out) = (reader::<T>(&src), writer::<T>(&mut base));
        threads::split(outer, 1, index.len() * inner.div_ceil(8), |start, len| {
            for o in start..start + len {
                for (k, &i) in index.iter().enumerate() {
                    // SAFETY: i < size, so both are rows of their arrays; this part of `base` is ours alone.
                    unsafe {
                        let row = from.at((o * index.len() + k) * inner);
                        copy::row(row, out.at((o * size + i as usize) * inner), inner);
                    }
                }
            }
        });
    });
    base
}

/// `base` with `src` combined into the elements that [`gather`](super::index::gather) with this index would
/// read, in order.
///
/// # Panics
/// If an index is out of range.
pub fn scatter(base: Array, axis: usize, index: &Array, src: &Array, how: Scatter) -> Array {
    assert!(src.shape() == index.shape() && src.dtype() == base.dtype());
    let rows = Rows::new(base.shape(), &base.shape().strides(), axis, index);
    // Along the last dimension, rows of the index lead to rows of the array; along others, several to the same.
    let alone = axis + 1 == base.rank();
    let run = |cost: usize, f: &(dyn Fn(usize, usize) + Sync)| match alone {
        true => threads::split(rows.count(), 1, rows.len.max(1) * cost, f),
        false => f(0, rows.count()),
    };
    if how == Scatter::Set {
        let (mut base, src) = (own(base), src.contiguous());
        with_bits!(src.dtype(), T => {
            let (from, out) = (reader::<T>(&src), writer::<T>(&mut base));
            run(2, &|start, n| {
                let (from, out) = (from.at(0), out.at(0));
                rows.each(start, n, move |at, place| {
                    // SAFETY: indices are in range, other sizes are at most those of `base`, and `src` has the index's.
                    unsafe { out.offset(place).write(*from.add(at)) }
                });
            });
        });
        return base;
    }
    let (dtype, compute) = (src.dtype(), src.dtype().compute());
    let terms = src.cast(compute).contiguous();
    let mut sums = if dtype == compute {
        own(base)
    } else {
        base.cast(compute)
    };
    with_compute!(compute, C => {
        let (from, out): (In<C>, Out<C>) = (reader(&terms), writer(&mut sums));
        run(4, &|start, n| {
            let (from, out) = (from.at(0), out.at(0));
            rows.each(start, n, move |at, place| {
                // SAFETY: as above.
                unsafe {
                    let place = out.offset(place);
                    place.write(C::combine(how, *place, *from.add(at)))
                }
            });
        });
    });
    sums.cast(dtype)
}

trait Combine: Copy {
    fn combine(how: Scatter, a: Self, b: Self) -> Self;
}

macro_rules! combine_floats {
    ($($t:ty),*) => {$(
        impl Combine for $t {
            #[inline(always)]
            fn combine(how: Scatter, a: $t, b: $t) -> $t {
                match how {
                    Scatter::Set => b,
                    Scatter::Sum => a + b,
                    Scatter::Prod => a * b,
                    // A comparison with NaN is false, so that NaN stays in either place.
                    Scatter::Max => if a.is_nan() || a > b { a } else { b },
                    Scatter::Min => if a.is_nan() || a < b { a } else { b },
                }
            }
        }
    )*};
}
combine_floats!(f32, f64);

impl Combine for i64 {
    #[inline(always)]
    fn combine(how: Scatter, a: i64, b: i64) -> i64 {
        match how {
            Scatter::Set => b,
            Scatter::Sum => a.wrapping_add(b),
            Scatter::Prod => a.wrapping_mul(b),
            Scatter::Max => a.max(b),
            Scatter::Min => a.min(b),
        }
    }
}

/// The indices of the elements that are not zero, a row for each in row-major order: I64 of shape [count, rank].
pub fn nonzero(x: &Array) -> Array {
    /// Elements that are counted and then written by one thread.
    const BLOCK: usize = 16 << 10;
    let (x, rank) = (x.contiguous(), x.rank());
    let blocks = x.numel().div_ceil(BLOCK);
    // How many each block has, and then before which row it writes.
    let mut counts = vec![0; blocks];
    let block = |b: usize| b * BLOCK..x.numel().min((b + 1) * BLOCK);
    with_element!(x.dtype(), T => {
        let all = x.as_slice::<T>();
        threads::each_row(&mut counts, 1, BLOCK, || (), |(), b, count| {
            count[0] = all[block(b)].iter().filter(|v| **v != T::default()).count();
        });
        let mut total = 0;
        for count in &mut counts {
            total += std::mem::replace(count, total);
        }
        let mut y = Array::uninit([total, rank], DType::I64);
        if total > 0 && rank > 0 {
            let out = writer::<i64>(&mut y);
            threads::split(blocks, 1, 4 * BLOCK, |first, n| {
                let (mut at, mut places) = (counts[first], [0i64; PIECE]);
                let elements = block(first).start..block(first + n - 1).end;
                each_piece(x.shape(), elements, |row, column, piece| {
                    // Each place is written, and the next one over it if it was of a zero: no branch can be foretold wrongly.
                    let mut count = 0;
                    for (i, v) in all[piece].iter().enumerate() {
                        places[count] = (column + i) as i64;
                        count += usize::from(*v != T::default());
                    }
                    // SAFETY: these rows are those that were counted in these blocks.
                    let rows = unsafe { out.slice(at * rank, count * rank) };
                    match row {
                        [] => rows.copy_from_slice(&places[..count]),
                        &[row] => rows.as_chunks_mut().0.iter_mut().zip(&places).for_each(|(to, place)| *to = [row, *place]),
                        _ => rows.chunks_mut(rank).zip(&places).for_each(|(to, place)| {
                            to[..rank - 1].copy_from_slice(row);
                            to[rank - 1] = *place;
                        }),
                    }
                    at += count;
                });
            });
        }
        y
    })
}

/// Elements that [`nonzero`] looks at in one go, at most.
const PIECE: usize = 1024;

/// Calls `f(row, column, piece)` for the pieces of rows that make up these elements: in which row they lie, by its index in each
/// dimension but the last, and from which column on.
#[inline(always)]
fn each_piece(shape: &Shape, elements: Range<usize>, mut f: impl FnMut(&[i64], usize, Range<usize>)) {
    let (outer, width) = (&shape[..shape.rank() - 1], shape[shape.rank() - 1]);
    let (mut at, mut column, mut rest) = (elements.start, elements.start % width, elements.start / width);
    let mut row: SmallVec<[i64; 4]> = SmallVec::from_elem(0, outer.len());
    for (index, size) in row.iter_mut().zip(outer).rev() {
        *index = (rest % size) as i64;
        rest /= size;
    }
    while at < elements.end {
        let n = PIECE.min(width - column).min(elements.end - at);
        f(&row, column, at..at + n);
        (at, column) = (at + n, column + n);
        if column == width {
            column = 0;
            for (index, size) in row.iter_mut().zip(outer).rev() {
                *index += 1;
                if *index < *size as i64 {
                    break;
                }
                *index = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels;

    fn ramp(n: usize) -> Array {
        kernels::arange(0.0, 1.0, n, DType::F32)
    }

    #[test]
    fn written_where_the_layout_looks() {
        let base = ramp(12).reshape([3, 4]);
        let layout = Layout::contiguous([3, 4].into());
        let column = write(
            base.clone(),
            &layout.slice(1, 3, 2, -2),
            &Array::fill([3, 2], 9.0, DType::F32),
        );
        assert_eq!(
            column.to_vec::<f64>(),
            [0., 9., 2., 9., 4., 9., 6., 9., 8., 9., 10., 9.]
        );
        let diagonal = write(
            base.clone(),
            &layout.diagonal(0, 0, 1),
            &ramp(3).slice(0, 2, 3, -1),
        );
        assert_eq!(
            diagonal.to_vec::<f64>(),
            [2., 1., 2., 3., 4., 1., 6., 7., 8., 9., 0., 11.]
        );
        assert_eq!(base.to_vec::<f64>(), (0..12).map(f64::from).collect::<Vec<_>>());
    }

    #[test]
    #[should_panic(expected = "sees an element twice")]
    fn overlapping_writes_are_refused() {
        write(
            ramp(4),
            &Layout::contiguous([4].into()).windows(0, 2, 1, 1),
            &ramp(6).reshape([3, 2]),
        );
    }

    #[test]
    #[should_panic(expected = "leaves the array")]
    fn writes_stay_inside() {
        write(ramp(4), &Layout::contiguous([5].into()), &ramp(5));
    }

    #[test]
    fn scatters_combine_in_order() {
        let index = Array::from_slice(&[0i64, 0, 2, 0], [4]);
        let src = Array::from_slice(&[3.0f32, f32::NAN, 5.0, -1.0], [4]);
        let base = Array::from_slice(&[2.0f32, 7.0, 1.0], [3]);
        let run = |how| {
            let y = scatter(base.clone(), 0, &index, &src, how).to_vec::<f32>();
            format!("{y:?}")
        };
        assert_eq!(run(Scatter::Set), "[-1.0, 7.0, 5.0]");
        assert_eq!(run(Scatter::Sum), "[NaN, 7.0, 6.0]");
        assert_eq!(run(Scatter::Prod), "[NaN, 7.0, 5.0]");
        assert_eq!(run(Scatter::Max), "[NaN, 7.0, 5.0]");
        assert_eq!(run(Scatter::Min), "[NaN, 7.0, 1.0]");
        let (a, b) = (
            Array::from_slice(&[5i64, 6], [2]),
            Array::from_slice(&[7i64, 2, 1], [3]),
        );
        let index = Array::from_slice(&[1i64, 1, 0], [3]);
        assert_eq!(scatter(a, 0, &index, &b, Scatter::Max).to_vec::<i64>(), [5, 7]);
    }

    #[test]
    fn rows_are_written() {
        let src = ramp(4).reshape([2, 2]);
        let y = index_write(
            Array::full([3, 2], -1.0, DType::F32),
            0,
            &Array::from_slice(&[2i64, 0], [2]),
            &src,
        );
        assert_eq!(y.to_vec::<f64>(), [2., 3., -1., -1., 0., 1.]);
    }

    #[test]
    fn what_is_not_zero_is_found_with_any_number_of_threads() {
        let x = Array::from_slice(&[0.0f32, f32::NAN, -0.0, 2.0], [2, 2]);
        assert_eq!(nonzero(&x).to_vec::<i64>(), [0, 1, 1, 1]);
        assert_eq!(nonzero(&x.transpose(0, 1)).to_vec::<i64>(), [1, 0, 1, 1]);
        let shapes = [
            &[][..],
            &[0, 3],
            &[3, 0],
            &[50_000],
            &[7, 5],
            &[300, 900],
            &[40_001, 3],
            &[3, 2, 7, 4000],
        ];
        for (shape, dtype) in shapes
            .iter()
            .flat_map(|shape| [DType::Bool, DType::F16, DType::I64].map(|t| (*shape, t)))
        {
            let n: usize = shape.iter().product();
            for (every, of) in [(1, 1), (0, 1), (2, 3), (1, 5000)] {
                let data: Vec<i64> = (0..n)
                    .map(|i| i64::from((i * 7919 + i / 3) % of < every))
                    .collect();
                let x = Array::from_slice(&data, shape).cast(dtype);
                let mut want = Vec::new();
                for mut i in (0..n).filter(|i| data[*i] != 0) {
                    let at = want.len();
                    for size in shape.iter().rev() {
                        want.insert(at, (i % size) as i64);
                        i /= size;
                    }
                }
                let count = data.iter().filter(|v| **v != 0).count();
                for y in threads::with_each(&[1, 2, 8], || nonzero(&x)) {
                    assert_eq!(y.shape().dims(), [count, shape.len()]);
                    assert!(y.to_vec::<i64>() == want, "{dtype} {shape:?} {every} of {of}");
                }
            }
        }
    }
}
