//! Order: sorting, selecting, searching.
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
pub(super) fn wide_key<T: Element>(v: T) -> u64 {
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

/// An element's key and place as one integer.
trait Key: Ord + Copy + Send {
    fn new<T: Element>(v: T, place: usize, descending: bool) -> Self;
    fn place(self) -> i64;
    /// Whether it is that of a NaN, among floating-point numbers in ascending order.
    fn is_nan(self) -> bool;
}

impl Key for u64 {
    #[inline(always)]
    fn new<T: Element>(v: T, place: usize, descending: bool) -> u64 {
        u64::from(narrow_key(v) ^ if descending { u32::MAX } else { 0 }) << 32 | place as u64
    }
    fn place(self) -> i64 {
        i64::from(self as u32)
    }
    fn is_nan(self) -> bool {
        self >> 32 == u64::from(u32::MAX)
    }
}

impl Key for u128 {
    #[inline(always)]
    fn new<T: Element>(v: T, place: usize, descending: bool) -> u128 {
        u128::from(wide_key(v) ^ if descending { u64::MAX } else { 0 }) << 64 | place as u128
    }
    fn place(self) -> i64 {
        self as i64
    }
    fn is_nan(self) -> bool {
        self >> 64 == u128::from(u64::MAX)
    }
}

/// Runs `$body` with `$T` standing for the elements of rows of `$n`, and `$K` for their keys with their places.
macro_rules! with_key {
    ($dtype:expr, $n:expr, $T:ident, $K:ident => $body:expr) => {
        with_element!($dtype, $T => {
            match matches!($T::DTYPE, DType::F64 | DType::I64) || u32::try_from($n).is_err() {
                true => {
                    type $K = u128;
                    $body
                }
                false => {
                    type $K = u64;
                    $body
                }
            }
        })
    };
}

/// The keys of a row, in the place of others.
fn renew<T: Element, K: Key>(keys: &mut Vec<K>, row: &[T], descending: bool) {
    keys.clear();
    keys.extend(row.iter().enumerate().map(|(i, v)| K::new(*v, i, descending)));
}

/// For each row along `axis`, the places of its elements number `from .. to` in ascending (or descending) order;
/// of equal elements the first comes first. NaN is the largest. I64, with size `to − from` along `axis`.
pub fn order(x: &Array, axis: usize, descending: bool, from: usize, to: usize) -> Array {
    let last = x.rank() - 1;
    let rows = x.transpose(axis, last).contiguous();
    let n = rows.shape()[last];
    assert!(from <= to && to <= n);
    let mut y = Array::uninit(rows.shape().with(last, to - from), DType::I64);
    let (count, k) = (rows.numel() / n.max(1), to - from);
    if y.numel() > 0 {
        let out = super::index::writer::<i64>(&mut y);
        // About a comparison for each bit of the length.
        let cost = n * (usize::BITS - n.leading_zeros()) as usize;
        with_key!(x.dtype(), n, T, K => {
            let data = rows.as_slice::<T>();
            threads::split(count, 1, cost, |start, len| {
                let mut keys: Vec<K> = Vec::with_capacity(n);
                for r in start..start + len {
                    renew(&mut keys, &data[r * n..][..n], descending);
                    sort_part(&mut keys, from, to);
                    for (j, key) in keys[from..to].iter().enumerate() {
                        // SAFETY: j < k, and row r of the result is this thread's alone.
                        unsafe { out.at(r * k + j).write(key.place()) };
                    }
                }
            });
        });
    }
    y.transpose(axis, last).contiguous()
}

/// The index of the median along `axis`, which stays with size one: of an even count the lower of the two in the middle.
/// NaN is the median where there is one, unless `skip_nan`: then that of the others.
pub fn median_index(x: &Array, axis: usize, skip_nan: bool) -> Array {
    let last = x.rank() - 1;
    let rows = x.transpose(axis, last).contiguous();
    let (n, shape) = (rows.shape()[last], rows.shape().with(last, 1));
    let mut index = vec![0i64; shape.numel()];
    with_key!(x.dtype(), n, T, K => {
        let data = rows.as_slice::<T>();
        threads::each_row(&mut index, 1, 8 * n, || Vec::with_capacity(n), |keys: &mut Vec<K>, r, slot| {
            renew(keys, &data[r * n..][..n], false);
            slot[0] = middle(keys, T::DTYPE.is_float(), skip_nan);
        });
    });
    Array::from_slice(&index, shape)
        .transpose(axis, last)
        .contiguous()
}

/// The place of the median among keys, of which those of floats may be NaN's.
fn middle<K: Key>(keys: &mut [K], float: bool, skip_nan: bool) -> i64 {
    let nan = |key: &K| float && key.is_nan();
    let known = keys.len() - keys.iter().filter(|key| nan(key)).count();
    match (known == keys.len() || skip_nan, known) {
        // The first NaN.
        (false, _) | (_, 0) => keys.iter().position(nan).unwrap_or(0) as i64,
        _ => keys.select_nth_unstable((known - 1) / 2).1.place(),
    }
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
    fn medians_are_those_of_sorted_rows() {
        for n in [1, 2, 7, 100] {
            let mut data: Vec<f64> = (0..5 * n).map(|i| (i * 37 % 23) as f64 - 9.0).collect();
            // One NaN, two, and nothing else.
            data[n] = f64::NAN;
            (data[2 * n + n / 2], data[3 * n - 1]) = (f64::NAN, f64::NAN);
            data[3 * n..4 * n].fill(f64::NAN);
            for dtype in [DType::F32, DType::F64, DType::BF16, DType::I64, DType::U8] {
                for skip in [false, true] {
                    let nan = |v: &f64| v.is_nan() && dtype.is_float();
                    let whole: Vec<f64> = data
                        .iter()
                        .map(|v| if nan(v) { *v } else { v.max(-9.0) + 9.0 })
                        .collect();
                    let x = Array::from_slice(&whole, [5, n]).cast(dtype);
                    let want: Vec<i64> = whole
                        .chunks(n)
                        .map(|row| {
                            let mut places: Vec<usize> = (0..n).filter(|i| !row[*i].is_nan()).collect();
                            if places.is_empty() || (places.len() < n && !skip) {
                                return row.iter().position(|v| v.is_nan()).unwrap() as i64;
                            }
                            places.sort_by(|a, b| row[*a].partial_cmp(&row[*b]).unwrap());
                            places[(places.len() - 1) / 2] as i64
                        })
                        .collect();
                    let [rows, columns] = [
                        median_index(&x, 1, skip),
                        median_index(&x.transpose(0, 1), 0, skip),
                    ];
                    assert_eq!(rows.to_vec::<i64>(), want, "{dtype} {n} {skip}");
                    assert_eq!(
                        (columns.shape().dims(), columns.to_vec::<i64>()),
                        (&[1, 5][..], want)
                    );
                }
            }
        }
        let x = Array::from_slice(
            &(0..300_000).map(|i| i * 7919 % 10_007).collect::<Vec<i64>>(),
            [300, 1000],
        );
        let all = threads::with_each(&[1, 2, 8], || median_index(&x, 1, false).to_vec::<i64>());
        assert!(
            all.iter()
                .all(|index| *index == order(&x, 1, false, 499, 500).to_vec::<i64>())
        );
    }

    #[test]
    fn searches_find_either_side_and_nan_the_end() {
        let edges = Array::from_slice(&[1.0f32, 2.0, 2.0, 5.0], [4]);
        let v = Array::from_slice(&[0.0f32, 2.0, 5.0, 6.0, f32::NAN], [5]);
        assert_eq!(search_sorted(&edges, &v, false).to_vec::<i64>(), [0, 1, 3, 4, 4]);
        assert_eq!(search_sorted(&edges, &v, true).to_vec::<i64>(), [0, 3, 4, 4, 4]);
    }
}
