use super::*;
use crate::kernels;
use half::{bf16, f16};

const DTYPES: [DType; 7] = [
    DType::F32,
    DType::F64,
    DType::F16,
    DType::BF16,
    DType::I64,
    DType::U8,
    DType::Bool,
];

fn ramp(shape: &[usize], dtype: DType) -> Array {
    let n: usize = shape.iter().product();
    Array::from_slice(&(0..n).map(|i| (i * 7 % 23) as f64).collect::<Vec<_>>(), shape).cast(dtype)
}

fn indices(shape: &[usize], size: usize) -> Array {
    let n: usize = shape.iter().product();
    Array::from_slice(
        &(0..n)
            .map(|i| ((i * 5 + i / 3) % size.max(1)) as i64)
            .collect::<Vec<_>>(),
        shape,
    )
}

/// The same elements, transposed, reversed and repeated in memory.
fn views(x: &Array) -> Vec<Array> {
    let mut all = vec![x.clone()];
    for d in 0..x.rank() {
        all.push(x.transpose(0, d).contiguous().transpose(0, d));
        if let n @ 1.. = x.shape()[d] {
            all.push(kernels::copy(&x.slice(d, n - 1, n, -1)).slice(d, n - 1, n, -1));
        }
    }
    all.push(Array::fill(x.shape(), 3.0, x.dtype()));
    all
}

/// Positions in an array of `shape`, in row-major order.
fn positions(shape: &Shape) -> impl Iterator<Item = Vec<usize>> {
    let shape = shape.clone();
    (0..shape.numel()).map(move |mut i| {
        let mut at: Vec<usize> = shape.iter().rev().map(|n| (i % n, i /= n).0).collect();
        at.reverse();
        at
    })
}

fn offset(shape: &Shape, at: &[usize]) -> usize {
    shape.iter().zip(at).fold(0, |o, (n, i)| o * n + i)
}

/// What `dtype` stores of these sums.
fn stored(sums: &[f64], dtype: DType) -> Vec<f64> {
    with_element!(dtype, T => sums.iter().map(|v| T::store(*v).load::<f64>()).collect())
}

const SHAPES: [(&[usize], usize); 7] = [
    (&[5], 0),
    (&[4, 3], 0),
    (&[4, 3], 1),
    (&[2, 4, 3], 1),
    (&[2, 3, 300], 1),
    (&[0, 3], 1),
    (&[3, 0, 2], 2),
];

#[test]
fn rows_are_selected_and_added() {
    for (shape, axis) in SHAPES {
        for (dtype, len) in DTYPES.iter().flat_map(|d| [(*d, 0), (*d, 1), (*d, 7)]) {
            let index = indices(&[len], shape[axis]);
            let picks = index.to_vec::<i64>();
            for x in views(&ramp(shape, dtype)) {
                let (values, y) = (x.to_vec::<f64>(), index_select(&x, axis, &index));
                assert_eq!((y.shape(), y.dtype()), (&x.shape().with(axis, len), dtype));
                let mut sums = vec![0.0; x.numel()];
                for (mut at, v) in positions(y.shape()).zip(y.to_vec::<f64>()) {
                    at[axis] = picks[at[axis]] as usize;
                    assert_eq!(v, values[offset(x.shape(), &at)]);
                    sums[offset(x.shape(), &at)] += v;
                }
                for y in [&y, &y.transpose(0, axis).contiguous().transpose(0, axis)] {
                    let back = index_add(zeros(x.shape(), y.dtype()), axis, &index, y);
                    assert_eq!((back.shape(), back.dtype()), (x.shape(), dtype));
                    assert_eq!(back.to_vec::<f64>(), stored(&sums, dtype));
                }
            }
        }
    }
}

#[test]
fn runs_of_neighbours_are_moved_as_single_rows_are() {
    let border: Vec<i64> = [2, 1].into_iter().chain(0..50).chain([48, 47]).collect();
    let twice: Vec<i64> = (0..50).chain(0..50).chain(3..20).collect();
    for index in [
        border,
        twice,
        (0..50).collect(),
        (0..50).rev().collect(),
        vec![49; 9],
    ] {
        let n = index.len();
        let list = Array::from_slice(&index, [n]);
        for (outer, inner) in [(1, 1), (3, 1), (2, 7), (1, 300), (1, 2000)] {
            let x = ramp(&[outer, 50, inner], DType::F32);
            let (y, values) = (index_select(&x, 1, &list), x.to_vec::<f64>());
            let mut sums = vec![0.0; x.numel()];
            for (at, v) in y.to_vec::<f64>().into_iter().enumerate() {
                let from = (at / inner / n * 50 + index[at / inner % n] as usize) * inner + at % inner;
                assert_eq!(v, values[from]);
                sums[from] += v;
            }
            assert_eq!(
                index_add(zeros(x.shape(), y.dtype()), 1, &list, &y).to_vec::<f64>(),
                sums
            );
        }
    }
}

#[test]
fn places_out_of_range_are_refused_wherever_they_stand() {
    let x = ramp(&[2, 3000], DType::F32);
    for (at, bad) in [
        (0, -3002),
        (2999, 3000),
        (1500, i64::MAX),
        (5999, i64::MIN),
        (1024, -3001),
    ] {
        let mut index = vec![7i64; 6000];
        index[at] = bad;
        let list = Array::from_slice(&index, [2, 3000]);
        let message = format!("index {bad}, at position {at} of the indices, is out of range for size 3000");
        for f in [
            &(|| gather(&x, 1, &list).unwrap_or_else(|e| panic!("{}", e.message()))) as &dyn Fn() -> Array,
            &|| scatter_add(zeros(x.shape(), x.dtype()), 1, &list, &x),
            &|| index_select(&x, 1, &list.reshape([6000])),
        ] {
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>().unwrap(), &message);
        }
    }
}

#[test]
fn elements_are_gathered_and_scattered() {
    for (shape, axis) in SHAPES {
        for (dtype, len) in DTYPES.iter().flat_map(|d| [(*d, 0), (*d, 1), (*d, 6)]) {
            let less: Vec<usize> = shape.iter().map(|n| n.saturating_sub(1)).collect();
            for sizes in [shape, &less] {
                let index = indices(&Shape::new(sizes).with(axis, len), shape[axis]);
                let picks = index.to_vec::<i64>();
                for (x, index) in views(&ramp(shape, dtype))
                    .iter()
                    .zip(views(&index).iter().cycle())
                {
                    let picks = if index.to_vec::<i64>() == picks {
                        picks.clone()
                    } else {
                        continue;
                    };
                    let (values, y) = (x.to_vec::<f64>(), gather(x, axis, index).unwrap());
                    assert_eq!((y.shape(), y.dtype()), (index.shape(), dtype));
                    let mut sums = vec![0.0; x.numel()];
                    for (k, mut at) in positions(y.shape()).enumerate() {
                        at[axis] = picks[k] as usize;
                        assert_eq!(y.to_vec::<f64>()[k], values[offset(x.shape(), &at)]);
                        sums[offset(x.shape(), &at)] += y.to_vec::<f64>()[k];
                    }
                    let back = scatter_add(zeros(x.shape(), y.dtype()), axis, index, &y);
                    assert_eq!((back.shape(), back.dtype()), (x.shape(), dtype));
                    assert_eq!(back.to_vec::<f64>(), stored(&sums, dtype));
                }
            }
        }
    }
}

#[test]
fn half_precision_is_summed_in_single() {
    let (index, ones) = (indices(&[5000], 1), Array::full([5000], 1.0, DType::F16));
    assert_eq!(
        index_add(zeros(&[1].into(), ones.dtype()), 0, &index, &ones).as_slice::<f16>(),
        [f16::from_f32(5000.0)]
    );
    let ones = ones.cast(DType::BF16);
    assert_eq!(
        scatter_add(zeros(&[1].into(), ones.dtype()), 0, &index, &ones).as_slice::<bf16>(),
        [bf16::from_f32(5000.0)]
    );
    let wraps = Array::full([5], 100.0, DType::U8);
    assert_eq!(
        index_add(zeros(&[1].into(), wraps.dtype()), 0, &indices(&[5], 1), &wraps).as_slice::<u8>(),
        [244]
    );
}

#[test]
#[should_panic(expected = "index 3, at position 0 of the indices, is out of range for size 3")]
fn an_index_too_large_is_refused() {
    index_select(&ramp(&[3], DType::F32), 0, &Array::from_slice(&[3i64], [1]));
}

#[test]
fn indices_below_zero_count_from_the_end() {
    let (x, src) = (ramp(&[2, 1500], DType::F32), ramp(&[2, 1500], DType::F32));
    let list: Vec<i64> = (0..3000).map(|i| i * 7 % 1500).collect();
    let plain = Array::from_slice(&list, [2, 1500]);
    // Only beyond the first elements that are looked at together.
    let from_end: Vec<i64> = list
        .iter()
        .enumerate()
        .map(|(k, i)| i - if k % 1500 > 1100 { 1500 } else { 0 })
        .collect();
    let from_end = Array::from_slice(&from_end, [2, 1500]);
    let both =
        |f: &dyn Fn(&Array) -> Array| assert_eq!(f(&plain).to_vec::<f32>(), f(&from_end).to_vec::<f32>());
    both(&|index| super::positions(index, 1500).unwrap());
    both(&|index| gather(&x, 1, index).unwrap());
    both(&|index| scatter_add(x.clone(), 1, index, &src));
    both(&|index| index_select(&x, 1, &index.reshape([3000])));
    // The smallest number there is, where adding the size to it makes a positive one.
    let least = Array::from_slice(&[i64::MIN], [1]);
    assert!(gather(&ramp(&[3], DType::F32), 0, &least).is_err());
}

#[test]
#[should_panic(expected = "index -4, at position 1 of the indices, is out of range for size 3")]
fn an_index_below_the_last_from_the_end_is_refused() {
    let base = zeros(&[2, 3].into(), DType::F32);
    scatter_add(
        base,
        1,
        &Array::from_slice(&[0i64, -4], [1, 2]),
        &ramp(&[1, 2], DType::F32),
    );
}

#[test]
fn parts_are_joined_and_embedded() {
    for (shape, axis) in SHAPES {
        for dtype in DTYPES {
            let parts: Vec<Array> = [1, 0, 3]
                .map(|n| ramp(&Shape::new(shape).with(axis, n), dtype))
                .to_vec();
            let views: Vec<Vec<Array>> = parts.iter().map(views).collect();
            for v in 0..views.iter().map(Vec::len).min().unwrap() {
                let parts: Vec<Array> = views.iter().map(|x| x[v].clone()).collect();
                let y = concat(&parts, axis);
                assert_eq!((y.shape(), y.dtype()), (&Shape::new(shape).with(axis, 4), dtype));
                let mut start = 0;
                for part in parts {
                    let n = part.shape()[axis];
                    assert_eq!(y.slice(axis, start, n, 1).to_vec::<f64>(), part.to_vec::<f64>());
                    let mut slices = vec![(0, 1); shape.len()];
                    slices[axis] = (start, 1);
                    let zero = Array::full(y.shape(), 0.0, dtype);
                    let back = embed(y.shape(), &slices, &part);
                    for d in 0..4 {
                        let inside = (start..start + n).contains(&d);
                        let want = if inside {
                            part.slice(axis, d - start, 1, 1)
                        } else {
                            zero.slice(axis, d, 1, 1)
                        };
                        assert_eq!(back.slice(axis, d, 1, 1).to_vec::<f64>(), want.to_vec::<f64>());
                    }
                    start += n;
                }
            }
        }
    }
    let y = embed(&[2, 4].into(), &[(1, -1), (3, -2)], &ramp(&[2, 2], DType::F32));
    assert_eq!(y.to_vec::<f32>(), [0.0, 21.0, 0.0, 14.0, 0.0, 7.0, 0.0, 0.0]);
    assert_eq!(embed(&[].into(), &[], &Array::scalar(3i64)).to_vec::<i64>(), [3]);
    assert_eq!(
        embed(&[3].into(), &[(0, 1)], &ramp(&[0], DType::I64)).to_vec::<i64>(),
        [0; 3]
    );
}

#[test]
fn numbers_are_counted() {
    assert_eq!(arange(-1.0, 2.0, 3, DType::I64).to_vec::<i64>(), [-1, 1, 3]);
    assert_eq!(arange(0.0, 0.5, 3, DType::F32).to_vec::<f32>(), [0.0, 0.5, 1.0]);
    assert_eq!(arange(0.5, 1.0, 3, DType::I64).to_vec::<i64>(), [0, 1, 2]);
    assert_eq!(arange(254.0, 1.0, 3, DType::U8).to_vec::<u8>(), [254, 255, 0]);
    assert_eq!(arange(0.0, 1.0, 0, DType::F64).shape().dims(), [0]);
    assert_eq!(
        arange(0.0, 1.0, 3, DType::Bool).to_vec::<bool>(),
        [false, true, true]
    );
}

#[test]
fn triangles_are_kept() {
    for shape in [
        &[3, 4][..],
        &[4, 3],
        &[2, 3, 3],
        &[0, 3],
        &[3, 0],
        &[2, 0, 2],
        &[1, 1],
    ] {
        for dtype in DTYPES {
            for x in views(&ramp(shape, dtype)) {
                for (k, upper) in (-5..=5)
                    .chain([isize::MIN, isize::MAX])
                    .flat_map(|k| [(k, false), (k, true)])
                {
                    let (y, values) = (triangle(&x, k, upper), x.to_vec::<f64>());
                    for (n, at) in positions(x.shape()).enumerate() {
                        let off = at[shape.len() - 1] as isize - at[shape.len() - 2] as isize;
                        let kept = if upper { off >= k } else { off <= k };
                        assert_eq!(y.to_vec::<f64>()[n], if kept { values[n] } else { 0.0 });
                    }
                }
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let data: Vec<f32> = (0..600 * 700)
        .map(|i| ((i % 9973 * (i % 8191)) as f32).sin())
        .collect();
    let x = Array::from_slice(&data, [600, 700]);
    let (rows, index) = (indices(&[900], 600), indices(&[600, 700], 700));
    let all = || {
        let t = x.transpose(0, 1);
        let y = index_select(&x, 0, &rows);
        let (g, c) = (gather(&x, 1, &index).unwrap(), concat(&[x.clone(), y.clone()], 0));
        let e = embed(
            &[1300, 1500].into(),
            &[(1299, -2), (3, 2)],
            &t.slice(0, 0, 650, 1),
        );
        let sums = [
            index_add(zeros(x.shape(), y.dtype()), 0, &rows, &y),
            scatter_add(zeros(x.shape(), x.dtype()), 1, &index, &x),
        ];
        let moved = [y, g, c, e, triangle(&t, 3, true), concat(&[t.clone(), t], 1)];
        sums.into_iter()
            .chain(moved)
            .flat_map(|a| a.to_vec::<f32>())
            .map(f32::to_bits)
            .collect::<Vec<_>>()
    };
    let all = threads::with_each(&[1, 2, 8], all);
    assert!(all.iter().all(|bits| *bits == all[0]));
}

#[test]
fn many_rows_are_added_in_order_with_any_number_of_threads() {
    // Inner sizes and indices for each way there is without neighbours: rows, bands, and parts of the result.
    for (inner, hot) in [(1, false), (300, true), (300, false), (2, false)] {
        let (size, n) = (70, 1000);
        let index: Vec<i64> = (0..n)
            .map(|k| if hot { k % 3 } else { (k * 37 + 7) % size })
            .collect();
        let of = |n: i64, from: f32| -> Vec<f32> { (0..n).map(|i| (i as f32 * 0.37 + from).sin()).collect() };
        let (base, src) = (of(2 * size * inner, 1.0), of(2 * n * inner, 5.0));
        let mut want = base.clone();
        for (o, k, j) in (0..2).flat_map(|o| (0..n).flat_map(move |k| (0..inner).map(move |j| (o, k, j)))) {
            want[((o * size + index[k as usize]) * inner + j) as usize] +=
                src[((o * n + k) * inner + j) as usize];
        }
        let shape = |n: i64| [2, n as usize, inner as usize];
        let (base, src) = (
            Array::from_slice(&base, shape(size)),
            Array::from_slice(&src, shape(n)),
        );
        let index = Array::from_slice(&index, [n as usize]);
        for y in threads::with_each(&[1, 2, 8], || index_add(base.clone(), 1, &index, &src)) {
            assert!(y.to_vec::<f32>() == want, "{inner} {hot}");
        }
    }
}

#[test]
fn one_index_of_many_that_is_negative_or_out_of_range_is_seen() {
    let n = 300_000;
    let places: Vec<i64> = (0..n).map(|i| i * 7919 % 1000).collect();
    for at in [0, 1023, 150_000, n as usize - 1] {
        let with = |v: i64| {
            let mut places = places.clone();
            places[at] = v;
            range::positions(&Array::from_slice(&places, [n as usize]), 1000)
        };
        for found in threads::with_each(&[1, 2, 8], || [with(-1), with(1000), with(-1001)]) {
            let [last, above, below] = found;
            assert_eq!(last.unwrap().to_vec::<i64>()[at], 999);
            for (found, v) in [(above, 1000), (below, -1001)] {
                assert!(
                    found
                        .unwrap_err()
                        .message()
                        .starts_with(&format!("index {v}, at position {at} "))
                );
            }
        }
    }
}
