//! What is equal, and how often it occurs: groups, counts and histograms.

use super::reduce::{Reduce, reduce};
use super::sort::{order, wide_key};
use super::threads;
use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::with_element;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

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
        && let Some(groups) = counted(&x.reshape([n]).cast(DType::I64))
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

/// The groups of equal integers, counted in tables where they lie near enough together for that.
fn counted(x: &Array) -> Option<Groups> {
    let extreme = |how| reduce(x, &[0], how, DType::I64).to_vec::<i64>()[0];
    let n = x.numel();
    let (low, high) = match n {
        0 => (0, -1),
        _ => (extreme(Reduce::Min), extreme(Reduce::Max)),
    };
    let range = usize::try_from(high.checked_sub(low)?.checked_add(1)?).ok()?;
    if range / 4 > n {
        return None;
    }
    let x = x.as_slice::<i64>();
    // For each integer its count and the place where it first stands, then its group.
    let mut table = in_tables(
        n,
        range,
        (0i64, i64::MAX),
        |table: &mut [(i64, i64)], places| {
            for i in places {
                let (count, first) = &mut table[(x[i] - low) as usize];
                *first = if *count == 0 { i as i64 } else { *first };
                *count += 1;
            }
        },
        |all, part| *all = (all.0 + part.0, all.1.min(part.1)),
    );
    let (mut first, mut count) = (Vec::new(), Vec::new());
    for slot in table.iter_mut().filter(|slot| slot.0 > 0) {
        first.push(slot.1);
        count.push(slot.0);
        slot.1 = first.len() as i64 - 1;
    }
    let mut group = Array::uninit([n], DType::I64);
    let out = super::index::writer::<i64>(&mut group);
    threads::split(n, 1, 2, |start, len| {
        for (i, v) in x[start..start + len].iter().enumerate() {
            // SAFETY: these are below n, and this thread's alone.
            unsafe { out.at(start + i).write(table[(v - low) as usize].1) };
        }
    });
    let list = |v: &[i64]| Array::from_slice(v, [v.len()]);
    Some(Groups {
        first: list(&first),
        group,
        count: list(&count),
    })
}

/// A table of so many entries that `f` has changed for each of n places, in any order, and in tables that `join` makes one.
fn in_tables<T: Copy + Send + Sync>(
    n: usize,
    entries: usize,
    empty: T,
    f: impl Fn(&mut [T], Range<usize>) + Sync,
    join: impl Fn(&mut T, T) + Sync,
) -> Vec<T> {
    let all = Mutex::new(Vec::new());
    // Tables that are joined cost no more than a part of what fills them.
    threads::split(n, (8 * entries).max(1), 4, |start, len| {
        let mut table = vec![empty; entries];
        f(&mut table, start..start + len);
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        match all.is_empty() {
            true => *all = table,
            false => all.iter_mut().zip(table).for_each(|(all, part)| join(all, part)),
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// How often each of the numbers 0 to below `size` occurs among those of an array, I64, which are such.
///
/// # Panics
/// If one is not.
pub fn bincount(x: &Array, size: usize) -> Array {
    let x = x.contiguous();
    let x = x.as_slice::<i64>();
    let count = |table: &mut [i64], places: Range<usize>| {
        x[places].iter().for_each(|i| table[*i as usize] += 1);
    };
    let counts = in_tables(x.len(), size, 0, count, |all, part| *all += part);
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
    const FEW: usize = 256;
    let x = x.contiguous();
    let weights = weights.map(|w| w.to_vec::<f64>());
    // Blocks of elements, which are always the same, have their own sums. The last one is for what lies outside.
    let (n, width) = (x.numel(), bins + 1);
    let block = (64 << 10).max(8 * width);
    let mut sums = vec![0.0f64; n.div_ceil(block).max(1) * width];
    with_element!(x.dtype(), T => {
        let x = x.as_slice::<T>();
        threads::each_row(&mut sums, width, 8 * block.min(n), || [0; FEW], |places, b, sums| {
            let elements = b * block..n.min((b + 1) * block);
            for (few, from) in x[elements.clone()].chunks(FEW).zip(elements.step_by(FEW)) {
                for (place, v) in places.iter_mut().zip(few) {
                    let v = v.load::<f64>();
                    // In the dtype's own precision, so that what lies on an edge falls where PyTorch has it fall.
                    let at = match T::DTYPE.compute() {
                        DType::F32 => f64::from((v as f32 - low as f32) * bins as f32 / (high as f32 - low as f32)),
                        _ => (v - low) * bins as f64 / (high - low),
                    };
                    let inside = v >= low && v <= high;
                    *place = if inside { (at as usize).min(bins - 1) } else { bins };
                }
                let places = places[..few.len()].iter();
                match &weights {
                    Some(w) => places.zip(&w[from..]).for_each(|(at, w)| sums[*at] += w),
                    None => places.for_each(|at| sums[*at] += 1.0),
                }
            }
        });
    });
    let (all, others) = sums.split_at_mut(width);
    for part in others.chunks(width) {
        all.iter_mut().zip(part).for_each(|(all, part)| *all += part);
    }
    Array::from_slice(&all[..bins], [bins]).cast(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels;

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
        let many: Vec<i64> = (0..300_000).map(|i| (i * 7919 + i / 1000) % 1013).collect();
        let x = Array::from_slice(&many, [many.len(), 1]);
        for groups in threads::with_each(&[1, 2, 8], || unique_rows(&x, false)) {
            let [first, group, count] = [groups.first, groups.group, groups.count].map(|a| a.to_vec::<i64>());
            assert!(
                (0..1013)
                    .zip(&first)
                    .all(|(v, at)| many.iter().position(|w| *w == v) == Some(*at as usize))
            );
            assert!(group == many && count == bincount(&x, 1013).to_vec::<i64>());
        }
        let all = threads::with_each(&[1, 2, 8], || bincount(&x, 1020).to_vec::<i64>());
        let mut want = vec![0; 1020];
        many.iter().for_each(|v| want[*v as usize] += 1);
        assert!(all.iter().all(|counts| *counts == want));
        let x = Array::from_slice(&[3i64, 0, 3, 1], [4]);
        assert_eq!(bincount(&x, 5).to_vec::<i64>(), [1, 1, 0, 2, 0]);
        assert_eq!(bincount(&x.slice(0, 0, 0, 1), 2).to_vec::<i64>(), [0, 0]);
    }

    #[test]
    fn histograms_of_many_do_not_depend_on_the_threads() {
        let data: Vec<f64> = (0..300_000u32)
            .map(|i| f64::from(i * 7919 % 10_007) / 100.0 - 3.0)
            .collect();
        let x = Array::from_slice(&data, [data.len()]);
        let mut want = vec![0.0; 80];
        for v in data.iter().filter(|v| (0.0..=80.0).contains(*v)) {
            want[(*v as usize).min(79)] += 1.0;
        }
        for weights in [None, Some(x.clone())] {
            let all = threads::with_each(&[1, 2, 8], || {
                histogram(&x, weights.as_ref(), 0.0, 80.0, 80, DType::F64).to_vec::<f64>()
            });
            assert!(all.iter().all(|sums| *sums == all[0]));
            assert!(weights.is_some() || all[0] == want);
        }
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
