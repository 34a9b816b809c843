use super::*;

fn naive(x: &Array, axes: &[usize], how: Reduce) -> Vec<f64> {
    let kept: Vec<usize> = (0..x.rank()).filter(|d| !axes.contains(d)).collect();
    let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
    let rows: usize = kept.iter().map(|&d| x.shape()[d]).product();
    let data = x.permute(&order).to_vec::<f64>();
    let count = data.len().checked_div(rows).unwrap_or(0);
    let fold = |row: &[f64]| match how {
        Reduce::Sum => row.iter().sum(),
        Reduce::Squares => row.iter().map(|v| v * v).sum(),
        Reduce::Known => row.iter().filter(|v| !v.is_nan()).sum(),
        Reduce::Prod => row.iter().product(),
        Reduce::Max => {
            row.iter().copied().fold(
                f64::NEG_INFINITY,
                |a: f64, b| if b.is_nan() { b } else { Real::max(a, b) },
            )
        }
        Reduce::Min => row.iter().copied().fold(
            f64::INFINITY,
            |a: f64, b| if b.is_nan() { b } else { Real::min(a, b) },
        ),
    };
    (0..rows).map(|k| fold(&data[k * count..][..count])).collect()
}

fn numbers(shape: &[usize], dtype: DType) -> Array {
    let n: usize = shape.iter().product();
    let data: Vec<f64> = (0..n).map(|i| ((i * 37 + 11) % 23) as f64 / 8.0 - 1.0).collect();
    Array::from_slice(&data, shape).cast(dtype)
}

#[test]
fn every_axis_layout_and_dtype_agrees_with_plain_loops() {
    for shape in [
        &[][..],
        &[7],
        &[3, 5],
        &[2, 3, 4],
        &[70, 3],
        &[9, 8],
        &[65, 9],
        &[3, 70],
        &[2, 1500],
        &[0, 3],
        &[3, 0],
        &[2, 2, 3, 2],
    ] {
        for dtype in [DType::F32, DType::F64, DType::F16, DType::I64, DType::Bool] {
            let plain = numbers(shape, dtype);
            let order: Vec<usize> = (0..shape.len()).rev().collect();
            let turned = plain.permute(&order).contiguous().permute(&order);
            let wide = plain.unsqueeze(0).broadcast_to(&plain.shape().insert(0, 3));
            for x in [plain, turned, wide] {
                for mask in 0..1usize << x.rank() {
                    let axes: Vec<usize> = (0..x.rank()).filter(|d| mask >> d & 1 == 1).collect();
                    for how in [
                        Reduce::Sum,
                        Reduce::Prod,
                        Reduce::Max,
                        Reduce::Min,
                        Reduce::Squares,
                        Reduce::Known,
                    ] {
                        if x.numel() == 0 && matches!(how, Reduce::Max | Reduce::Min) {
                            continue;
                        }
                        let (out, tolerance) = match dtype {
                            DType::F32 => (DType::F32, 1e-5),
                            DType::F64 | DType::F16 => (DType::F64, 1e-9),
                            _ => (DType::I64, 1e-9),
                        };
                        let got = reduce(&x, &axes, how, out).to_vec::<f64>();
                        let want = naive(&x, &axes, how);
                        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance * (1.0 + b.abs());
                        assert!(
                            got.len() == want.len() && got.iter().zip(&want).all(close),
                            "{} {axes:?} {how:?} {dtype}: {got:?} {want:?}",
                            x.shape()
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn nan_wins_and_long_sums_stay_exact() {
    for (at, dtype) in (0..150).flat_map(|at| [(at, DType::F32), (at, DType::F64)]) {
        let mut data: Vec<f64> = (0..150).map(|i| f64::from(i * 37 % 101) - 50.0).collect();
        data[at] = f64::NAN;
        let x = Array::from_slice(&data, [150]).cast(dtype);
        for how in [Reduce::Max, Reduce::Min, Reduce::Sum, Reduce::Prod] {
            let found = reduce(&x, &[0], how, dtype).to_vec::<f64>()[0];
            assert!(found.is_nan(), "{how:?} of {dtype} with NaN at {at}: {found}");
        }
        let others: f64 = data.iter().filter(|v| !v.is_nan()).sum();
        for x in [&x, &x.unsqueeze(1).broadcast_to(&[150, 3].into()).contiguous()] {
            let known = reduce(x, &[0], Reduce::Known, dtype).to_vec::<f64>();
            assert!(
                known.iter().all(|sum| *sum == others),
                "{dtype} with NaN at {at}: {known:?}"
            );
        }
        assert_eq!(arg_reduce(&x, 0, true).to_vec::<i64>(), [at as i64]);
    }
    let long = Array::full([10_000_000], 0.1, DType::F32);
    let sum = reduce(&long, &[0], Reduce::Sum, DType::F32).to_vec::<f64>()[0];
    assert!((sum / (1e7 * f64::from(0.1f32)) - 1.0).abs() < 1e-6, "{sum}");
    let tie = Array::from_slice(&[2i64, 5, 5, 1], [4]);
    assert_eq!(arg_reduce(&tie, 0, true).to_vec::<i64>(), [1]);
    assert_eq!(arg_reduce(&tie, 0, false).to_vec::<i64>(), [3]);
}

#[test]
fn the_first_extreme_is_found_in_any_block() {
    let n = 5000;
    for (places, nan) in [
        (&[0usize][..], None),
        (&[2047, 2048], None),
        (&[2048, 4999], None),
        (&[4999], None),
        (&[10], Some(3000)),
        (&[10], Some(5)),
    ] {
        for dtype in [DType::F32, DType::F64, DType::F16, DType::I64, DType::I32] {
            let mut data: Vec<f64> = (0..n).map(|i| f64::from(i * 7 % 13) - 20.0).collect();
            places.iter().for_each(|p| data[*p] = 100.0);
            let first = match nan {
                Some(at) if dtype.is_float() => {
                    data[at] = f64::NAN;
                    at
                }
                _ => places[0],
            };
            let x = Array::from_slice(&data, [n as usize]).cast(dtype);
            assert_eq!(arg_reduce(&x, 0, true).to_vec::<i64>(), [first as i64]);
            let turned = x.reshape([2, n as usize / 2]).transpose(0, 1);
            let by_column = arg_reduce(&turned, 0, true).to_vec::<i64>();
            assert_eq!(
                by_column[first * 2 / n as usize],
                (first % (n as usize / 2)) as i64
            );
            if nan.is_none() {
                let low = data.iter().map(|v| -v).collect::<Vec<_>>();
                let low = Array::from_slice(&low, [n as usize]).cast(dtype);
                assert_eq!(arg_reduce(&low, 0, false).to_vec::<i64>(), [first as i64]);
            }
        }
    }
    let low = Array::full([3], f64::NEG_INFINITY, DType::F32);
    assert_eq!(arg_reduce(&low, 0, true).to_vec::<i64>(), [0]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let data: Vec<f32> = (0..1_500_000).map(|i| (i as f32 * 0.37).sin()).collect();
    let shapes = [
        [1500, 1000],
        [5, 300_000],
        [750_000, 2],
        [20_001, 70],
        [600, 2500],
    ];
    for ([rows, columns], how) in shapes.into_iter().flat_map(|shape| {
        let each = [Reduce::Sum, Reduce::Max, Reduce::Squares];
        each.map(|how| (shape, how))
    }) {
        let x = Array::from_slice(&data[..rows * columns], [rows, columns]);
        for axes in [&[0][..], &[1], &[0, 1]] {
            let all = threads::with_each(&[1, 2, 8], || reduce(&x, axes, how, DType::F32).to_vec::<f32>());
            assert!(all.iter().all(|sums| *sums == all[0]));
            let close = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() <= 1e-3 * (1.0 + b.abs());
            assert!(
                all[0].iter().zip(&naive(&x, axes, how)).all(close),
                "{} {axes:?} {how:?}",
                x.shape()
            );
        }
    }
}
