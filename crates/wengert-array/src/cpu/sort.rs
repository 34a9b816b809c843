//! Order: sorting, selecting, searching, grouping, counting.
//!
//! Elements are compared by unsigned keys in the same order, with NaN above all numbers. A key and the
//! element's place make one integer, so the fast unstable sorts give stable results.

use super::shared::Out;
use super::threads;
use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::{with_compute, with_element};

/// A number whose unsigned order is that of elements of up to 32 bits.
#[inline(always)]
fn narrow_key<T: Element>(v: T) -> u32 {
    if !T::DTYPE.is_float() {
        return (v.load::<i64>() as i32).cast_unsigned() ^ 1 << 31;
    }
    let v = v.load::<f32>();
    // Adding zero makes both zeros the same.
    let bits = (v + 0.0).to_bits();
    match v.is_nan() {
        true => u32::MAX,
        false if bits >> 31 == 1 => !bits,
        false => bits | 1 << 31,
    }
}

/// A number whose unsigned order is that of the elements.
#[inline(always)]
fn wide_key<T: Element>(v: T) -> u64 {
    if !T::DTYPE.is_float() {
        return v.load::<i64>().cast_unsigned() ^ 1 << 63;
    }
    let v = v.load::<f64>();
    let bits = (v + 0.0).to_bits();
    match v.is_nan() {
        true => u64::MAX,
        false if bits >> 63 == 1 => !bits,
        false => bits | 1 << 63,
    }
}

/// For each row along `axis`, the places of its elements number `from .. to` in ascending (or descending) order;
/// of equal elements the first comes first. NaN is the largest. I64, with size `to − from` along `axis`.
pub fn order(x: &Array, axis: usize, descending: bool, from: usize, to: usize) -> Array {
    let last = x.rank() - 1;
    let rows = x.transpose(axis, last).contiguous();
    let n = rows.shape()[last];
    assert!(from <= to && to <= n && u32::try_from(n).is_ok());
    let mut y = Array::uninit(rows.shape().with(last, to - from), DType::I64);
    let (count, k) = (rows.numel() / n.max(1), to - from);
    if y.numel() > 0 {
        let out = super::index::writer::<i64>(&mut y);
        // About a comparison for each bit of the length.
        let cost = n * (usize::BITS - n.leading_zeros()) as usize;
        with_element!(x.dtype(), T => {
            let data = rows.as_slice::<T>();
            threads::split(count, 1, cost, |start, len| {
                for r in start..start + len {
                    let row = &data[r * n..][..n];
                    let write = |j: usize, place: u32| {
                        // SAFETY: j < k, and row r of the result is this thread's alone.
                        unsafe { out.at(r * k + j).write(i64::from(place)) }
                    };
                    if matches!(T::DTYPE, DType::F64 | DType::I64) {
                        let flip = if descending { u64::MAX } else { 0 };
                        let key = |(i, v): (usize, &T)| u128::from(wide_key(*v) ^ flip) << 32 | i as u128;
                        let mut keys: Vec<u128> = row.iter().enumerate().map(key).collect();
                        sort_part(&mut keys, from, to);
                        keys[from..to].iter().enumerate().for_each(|(j, key)| write(j, *key as u32));
                    } else {
                        let flip = if descending { u32::MAX } else { 0 };
                        let key = |(i, v): (usize, &T)| u64::from(narrow_key(*v) ^ flip) << 32 | i as u64;
                        let mut keys: Vec<u64> = row.iter().enumerate().map(key).collect();
                        sort_part(&mut keys, from, to);
                        keys[from..to].iter().enumerate().for_each(|(j, key)| write(j, *key as u32));
                    }
                }
            });
        });
    }
    y.transpose(axis, last).contiguous()
}

/// Brings to places `from .. to` what sorting would put there. The keys all differ.
fn sort_part<K: Ord + Send>(keys: &mut [K], from: usize, to: usize) {
    if to < keys.len() {
        keys.select_nth_unstable(to);
    }
    let mut part = &mut keys[..to];
    if from > 0 && from < part.len() {
        part.select_nth_unstable(from);
        part = &mut part[from..];
    }
    if part.len() <= threads::GRAIN {
        return part.sort_unstable();
    }
    // Pieces, and then what merges sorted pieces.
    let keys = Out(part.as_mut_ptr());
    threads::split(part.len(), 1, 16, |start, len| {
        // SAFETY: the piece lies within the part, and is this thread's.
        unsafe { keys.slice(start, len) }.sort_unstable();
    });
    part.sort();
}

/// Where each of `values` would be put in the row of `sorted` that lies beside it, so that the row stays
/// sorted: before equal elements, or (`right`) after them. Both have the same dtype and leading sizes, or
/// `sorted` has one dimension. I64, of `values`' shape.
pub fn search_sorted(sorted: &Array, values: &Array, right: bool) -> Array {
    assert_eq!(sorted.dtype(), values.dtype());
    let compute = sorted.dtype().compute();
    let (sorted, values) = (
        sorted.cast(compute).contiguous(),
        values.cast(compute).contiguous(),
    );
    let n = sorted.shape()[sorted.rank() - 1];
    let one = sorted.rank() == 1;
    let m = if one {
        values.numel()
    } else {
        values.shape()[values.rank() - 1]
    };
    assert!(one || sorted.shape()[..sorted.rank() - 1] == values.shape()[..values.rank() - 1]);
    let mut y = Array::uninit(values.shape(), DType::I64);
    let out = super::index::writer::<i64>(&mut y);
    let cost = (usize::BITS - n.leading_zeros()) as usize * 2 + 1;
    with_compute!(compute, C => {
        let (edges, wanted) = (sorted.as_slice::<C>(), values.as_slice::<C>());
        threads::split(values.numel(), 1, cost, |start, len| {
            for at in start..start + len {
                let row = if one { edges } else { &edges[at / m * n..][..n] };
                let v = wanted[at];
                // NaN compares as false, so it goes to the end.
                #[allow(clippy::neg_cmp_op_on_partial_ord, clippy::nonminimal_bool)]
                let place = match right {
                    true => row.partition_point(|e| !(*e > v)),
                    false => row.partition_point(|e| !(*e >= v)),
                };
                // SAFETY: `at` is below the number of values, and this thread's alone.
                unsafe { out.at(at).write(place as i64) };
            }
        });
    });
    y
}

/// Which rows of a matrix are equal: see [`unique_rows`]. All I64 and 1-D.
#[derive(Clone, Debug)]
pub struct Groups {
    /// For each group, the number of its first row.
    pub first: Array,
    /// For each row, its group.
    pub group: Array,
    /// For each group, how many rows it has.
    pub count: Array,
}

/// The rows of a matrix in groups of equal ones, in ascending order of their elements; or (`consecutive`) in the
/// order they come, a new group wherever a row differs from the one before. NaN equals nothing.
pub fn unique_rows(x: &Array, consecutive: bool) -> Groups {
    let (n, m) = (x.shape()[0], x.shape()[1]);
    let x = x.contiguous();
    let single = m == 1 && !consecutive && u32::try_from(n).is_ok();
    if single
        && !x.dtype().is_float()
        && let Some(groups) = counted(x.cast(DType::I64).as_slice::<i64>())
    {
        return groups;
    }
    let keys: Vec<u64> =
        with_element!(x.dtype(), T => x.as_slice::<T>().iter().map(|v| wide_key(*v)).collect());
    let row = |i: usize| &keys[i * m..][..m];
    let mut places: Vec<usize> = match single {
        true => order(&x.reshape([n]), 0, false, 0, n)
            .to_vec::<i64>()
            .iter()
            .map(|i| *i as usize)
            .collect(),
        false => (0..n).collect(),
    };
    if !consecutive && !single {
        places.sort_unstable_by(|a, b| row(*a).cmp(row(*b)).then(a.cmp(b)));
    }
    let nan = x.dtype().is_float().then_some(u64::MAX);
    let same = |a: usize, b: usize| row(a) == row(b) && !row(a).iter().any(|k| Some(*k) == nan);
    let (mut first, mut group, mut count) = (Vec::new(), vec![0i64; n], Vec::<i64>::new());
    for (k, &i) in places.iter().enumerate() {
        match k > 0 && same(places[k - 1], i) {
            true => *count.last_mut().expect("there is a row before") += 1,
            false => {
                first.push(i as i64);
                count.push(1);
            }
        }
        group[i] = count.len() as i64 - 1;
    }
    let list = |v: &[i64]| Array::from_slice(v, [v.len()]);
    Groups {
        first: list(&first),
        group: list(&group),
        count: list(&count),
    }
}

/// The groups of equal integers, counted in one table where they lie near enough together for that.
fn counted(x: &[i64]) -> Option<Groups> {
    let (low, high) = x
        .iter()
        .fold((i64::MAX, i64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    let range = usize::try_from(high.checked_sub(low)?).ok()?;
    if range / 4 > x.len() {
        return None;
    }
    // For each integer its count and the place where it first stands, then its group.
    let mut table = vec![(0i64, 0i64); range + 1];
    for (i, v) in x.iter().enumerate() {
        let (count, first) = &mut table[(v - low) as usize];
        if *count == 0 {
            *first = i as i64;
        }
        *count += 1;
    }
    let (mut first, mut count) = (Vec::new(), Vec::new());
    for slot in table.iter_mut().filter(|slot| slot.0 > 0) {
        first.push(slot.1);
        count.push(slot.0);
        slot.1 = first.len() as i64 - 1;
    }
    let group: Vec<i64> = x.iter().map(|v| table[(v - low) as usize].1).collect();
    let list = |v: &[i64]| Array::from_slice(v, [v.len()]);
    Some(Groups {
        first: list(&first),
        group: list(&group),
        count: list(&count),
    })
}

/// How often each of the numbers 0 to below `size` occurs among those of an array, I64, which are such.
///
/// # Panics
/// If one is not.
pub fn bincount(x: &Array, size: usize) -> Array {
    let x = x.contiguous();
    let mut counts = vec![0i64; size];
    x.as_slice::<i64>().iter().for_each(|i| counts[*i as usize] += 1);
    Array::from_slice(&counts, [size])
}

/// How many elements (or how much of their `weights`, of the same shape) lie in each of `bins` equal parts of
/// `low ..= high`, as `dtype`. Elements outside, and NaN, are left out.
pub fn histogram(
    x: &Array,
    weights: Option<&Array>,
    low: f64,
    high: f64,
    bins: usize,
    dtype: DType,
) -> Array {
    /// Elements whose parts are found in one go.
    const BLOCK: usize = 256;
    let x = x.contiguous();
    let weights = weights.map(|w| w.to_vec::<f64>());
    // The last is for what lies outside.
    let mut sums = vec![0.0f64; bins + 1];
    with_element!(x.dtype(), T => {
        let mut places = [0; BLOCK];
        for (block, from) in x.as_slice::<T>().chunks(BLOCK).zip((0..).step_by(BLOCK)) {
            for (place, v) in places.iter_mut().zip(block) {
                let v = v.load::<f64>();
                // In the dtype's own precision, so that what lies on an edge falls where PyTorch has it fall.
                let at = match T::DTYPE.compute() {
                    DType::F32 => f64::from((v as f32 - low as f32) * bins as f32 / (high as f32 - low as f32)),
                    _ => (v - low) * bins as f64 / (high - low),
                };
                let inside = v >= low && v <= high;
                *place = if inside { (at as usize).min(bins - 1) } else { bins };
            }
            let places = places[..block.len()].iter();
            match &weights {
                Some(w) => places.zip(&w[from..]).for_each(|(at, w)| sums[*at] += w),
                None => places.for_each(|at| sums[*at] += 1.0),
            }
        }
    });
    Array::from_slice(&sums[..bins], [bins]).cast(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels;

    #[test]
    fn nan_is_largest_and_ties_keep_their_order() {
        let x = Array::from_slice(
            &[2.0f32, f32::NAN, -0.0, 0.0, f32::NEG_INFINITY, 2.0, f32::INFINITY],
            [7],
        );
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            let x = x.cast(dtype);
            assert_eq!(order(&x, 0, false, 0, 7).to_vec::<i64>(), [4, 2, 3, 0, 5, 6, 1]);
            assert_eq!(order(&x, 0, true, 0, 7).to_vec::<i64>(), [1, 6, 0, 5, 2, 3, 4]);
        }
        let x = Array::from_slice(&[i64::MIN, 3, i64::MAX, -1, 3], [5]);
        assert_eq!(order(&x, 0, false, 0, 5).to_vec::<i64>(), [0, 3, 1, 4, 2]);
        assert_eq!(order(&x, 0, true, 1, 3).to_vec::<i64>(), [1, 4]);
        let b = Array::from_slice(&[true, false, true], [3]);
        assert_eq!(order(&b, 0, false, 0, 3).to_vec::<i64>(), [1, 0, 2]);
    }

    #[test]
    fn parts_of_an_order_are_parts_of_the_whole() {
        let n = 200_000;
        let x = Array::from_slice(
            &(0..n).map(|i| ((i * 7919) % 1013) as f32).collect::<Vec<_>>(),
            [n],
        );
        let whole = order(&x, 0, false, 0, n).to_vec::<i64>();
        for (from, to) in [(0, 5), (n - 3, n), (1000, 1001), (10, 100_000)] {
            assert_eq!(order(&x, 0, false, from, to).to_vec::<i64>(), whole[from..to]);
        }
        let table = x.reshape([200, 1000]);
        let by_column = order(&table, 0, true, 0, 200);
        let turned = order(&kernels::copy(&table.transpose(0, 1)), 1, true, 0, 200).transpose(0, 1);
        assert_eq!(by_column.to_vec::<i64>(), turned.to_vec::<i64>());
    }

    #[test]
    fn searches_find_either_side_and_nan_the_end() {
        let edges = Array::from_slice(&[1.0f32, 2.0, 2.0, 5.0], [4]);
        let v = Array::from_slice(&[0.0f32, 2.0, 5.0, 6.0, f32::NAN], [5]);
        assert_eq!(search_sorted(&edges, &v, false).to_vec::<i64>(), [0, 1, 3, 4, 4]);
        assert_eq!(search_sorted(&edges, &v, true).to_vec::<i64>(), [0, 3, 4, 4, 4]);
    }

    #[test]
    fn equal_rows_make_groups() {
        let x = Array::from_slice(&[2i64, 1, 0, 5, 2, 1, 2, 0], [4, 2]);
        let g = unique_rows(&x, false);
        assert_eq!(g.first.to_vec::<i64>(), [1, 3, 0]);
        assert_eq!(g.group.to_vec::<i64>(), [2, 0, 2, 1]);
        assert_eq!(g.count.to_vec::<i64>(), [1, 1, 2]);
        let nans = Array::from_slice(&[f32::NAN, f32::NAN, 0.0, -0.0], [4, 1]);
        assert_eq!(unique_rows(&nans, false).count.to_vec::<i64>(), [2, 1, 1]);
        assert_eq!(unique_rows(&nans, true).group.to_vec::<i64>(), [0, 1, 2, 2]);
    }

    #[test]
    fn single_elements_are_grouped_as_rows_are() {
        let tables: [Vec<i64>; 5] = [
            vec![],
            vec![7],
            (0..3000).map(|i| (i * i) % 97 - 40).collect(),
            (0..500).map(|i| (i % 9) << 58).collect(),
            vec![i64::MIN, i64::MAX, 0, i64::MIN],
        ];
        for numbers in tables {
            for dtype in [
                DType::I64,
                DType::I32,
                DType::U8,
                DType::F32,
                DType::F64,
                DType::F16,
            ] {
                let x = Array::from_slice(&numbers, [numbers.len(), 1]).cast(dtype);
                // Beside a column of zeros each row is one of two elements, which are sorted as such.
                let zeros = Array::full([numbers.len(), 1], 0.0, dtype);
                let (one, two) = (
                    unique_rows(&x, false),
                    unique_rows(&kernels::concat(&[x, zeros], 1), false),
                );
                for (a, b) in [
                    (&one.first, &two.first),
                    (&one.group, &two.group),
                    (&one.count, &two.count),
                ] {
                    assert_eq!(a.to_vec::<i64>(), b.to_vec::<i64>(), "{dtype} {numbers:?}");
                }
            }
        }
        let x = Array::from_slice(&[3i64, 0, 3, 1], [4]);
        assert_eq!(bincount(&x, 5).to_vec::<i64>(), [1, 1, 0, 2, 0]);
        assert_eq!(bincount(&x.slice(0, 0, 0, 1), 2).to_vec::<i64>(), [0, 0]);
    }

    #[test]
    fn histograms_count_the_last_edge_and_leave_out_what_is_outside() {
        let x = Array::from_slice(&[0.0f32, 0.5, 1.0, 2.0, -1.0, f32::NAN], [6]);
        assert_eq!(
            histogram(&x, None, 0.0, 1.0, 2, DType::F32).to_vec::<f32>(),
            [1.0, 2.0]
        );
        assert_eq!(
            histogram(&x, Some(&x), 0.0, 2.0, 2, DType::F32).to_vec::<f32>(),
            [0.5, 3.0]
        );
    }
}
