use super::*;
use crate::dtype::{DType, Element};
use crate::with_element;

fn numbers(shape: &[usize], dtype: DType) -> Array {
    let n: usize = shape.iter().product();
    let data: Vec<f64> = (0..n).map(|i| ((i * 37 + 11) % 17) as f64 / 4.0 - 2.0).collect();
    Array::from_slice(&data, shape).cast(dtype)
}

fn full(x: &Array, batch: &Shape) -> Vec<f64> {
    let shape: Shape = batch.iter().copied().chain(sides(x)).collect();
    x.broadcast_to(&shape).to_vec::<f64>()
}

fn check(a: &Array, b: &Array, batch: &Shape, bias: Option<&Array>) {
    let got = matmul(a, b, batch, bias);
    let ([m, k], [_, n], dtype) = (sides(a), sides(b), a.dtype());
    let shape: Shape = batch.iter().copied().chain([m, n]).collect();
    assert_eq!(
        (got.shape(), got.dtype(), got.is_contiguous()),
        (&shape, dtype, true)
    );
    let (x, y, bias) = (full(a, batch), full(b, batch), bias.map(|b| b.to_vec::<f64>()));
    for (at, got) in got.to_vec::<f64>().into_iter().enumerate() {
        let (s, i, j) = (at / n / m, at / n % m, at % n);
        let sum: f64 = (0..k)
            .map(|l| x[(s * m + i) * k + l] * y[(s * k + l) * n + j])
            .sum();
        let sum = sum + bias.as_ref().map_or(0.0, |b| b[j]);
        // All numbers here are multiples of a sixteenth: sums are exact until they are stored.
        let want = with_element!(dtype, T => T::store(sum).load::<f64>());
        assert_eq!(
            got,
            want,
            "{a:?} {b:?} at {s} {i} {j}",
            a = a.layout(),
            b = b.layout()
        );
    }
}

/// The same elements in other places: turned, in reverse, and with gaps.
fn views(x: &Array) -> Vec<Array> {
    let r = x.rank();
    let back = |x: &Array, d| match x.shape()[d] {
        0 => x.clone(),
        n => kernels::copy(&x.slice(d, n - 1, n, -1)).slice(d, n - 1, n, -1),
    };
    let gaps = |x: &Array, d: usize| {
        let wide = kernels::copy(&x.unsqueeze(d + 1).broadcast_to(&x.shape().insert(d + 1, 2)));
        let n = x.shape()[d];
        wide.reshape(x.shape().with(d, 2 * n)).slice(d, 0, n, 2)
    };
    let turn = |x: &Array| kernels::copy(&x.transpose(r - 2, r - 1)).transpose(r - 2, r - 1);
    let mut all = vec![
        x.clone(),
        turn(x),
        back(x, r - 1),
        back(x, r - 2),
        gaps(x, r - 1),
        gaps(x, r - 2),
    ];
    all.push(turn(&gaps(x, r - 2)));
    if r > 2 {
        all.extend([
            x.transpose(0, r - 2).contiguous().transpose(0, r - 2),
            back(x, 0),
            gaps(x, 0),
        ]);
    }
    all
}

#[test]
fn products_are_those_of_plain_loops() {
    let sizes = [0, 1, 2, 5, 17, 40];
    for (m, k) in sizes.iter().flat_map(|m| sizes.map(|k| (*m, k))) {
        for n in sizes {
            let (a, b, bias) = (&[m, k][..], &[k, n][..], numbers(&[n], DType::F32));
            let (a, b) = (views(&numbers(a, DType::F32)), views(&numbers(b, DType::F32)));
            for (at, a) in a.iter().enumerate() {
                for (bt, b) in b.iter().enumerate() {
                    check(
                        a,
                        b,
                        &Shape::default(),
                        (at + bt).is_multiple_of(2).then_some(&bias),
                    );
                }
            }
        }
    }
}

#[test]
fn long_sums_and_edges_of_tiles() {
    for (m, k, n) in [
        (3, 300, 70),
        (5, 40, 150),
        (13, 1100, 33),
        (50, 257, 97),
        (2, 2100, 129),
        (70, 300, 9),
        (130, 1040, 12),
    ] {
        for dtype in [DType::F32, DType::F64] {
            let bias = numbers(&[n], dtype);
            for a in views(&numbers(&[m, k], dtype)) {
                for (at, b) in views(&numbers(&[k, n], dtype)).iter().enumerate() {
                    check(&a, b, &Shape::default(), at.is_multiple_of(2).then_some(&bias));
                }
            }
        }
    }
}

#[test]
fn any_dtype_and_any_batch() {
    let cases: [(&[usize], &[usize], &[usize]); 14] = [
        (&[9, 14], &[14, 21], &[]),
        (&[4, 3, 20], &[20, 6], &[4]),
        (&[4, 1, 20], &[20, 19], &[4]),
        (&[4, 1, 20], &[20, 1], &[4]),
        (&[4, 6, 1], &[1, 18], &[4]),
        (&[2, 3, 7, 5], &[5, 6], &[2, 3]),
        (&[2, 3, 7, 5], &[1, 1, 5, 6], &[2, 3]),
        (&[2, 1, 3, 12], &[4, 12, 9], &[2, 4]),
        (&[3, 12], &[4, 12, 9], &[4]),
        (&[2, 3, 18, 20], &[2, 3, 20, 17], &[2, 3]),
        (&[3, 2, 0], &[0, 3], &[3]),
        (&[0, 2, 3], &[3, 3], &[0]),
        (&[2, 3], &[0, 3, 4], &[0]),
        (&[1, 1, 1], &[1, 1], &[1]),
    ];
    for (a, b, batch) in cases {
        for dtype in [
            DType::F32,
            DType::F64,
            DType::F16,
            DType::I64,
            DType::U8,
            DType::Bool,
        ] {
            let bias = numbers(&b[b.len() - 1..], dtype);
            for a in views(&numbers(a, dtype)) {
                for b in views(&numbers(b, dtype)) {
                    check(&a, &b, &batch.into(), None);
                    check(&a, &b, &batch.into(), Some(&bias));
                }
            }
        }
    }
}

#[test]
fn operands_may_repeat() {
    for (rank, shape) in [(2, [6, 30, 40]), (3, [3, 5, 20])] {
        let x = |v: f64| Array::fill(&shape[3 - rank..], v, DType::F32);
        let batch = Shape::new(&shape[..rank - 2]);
        check(&x(0.5), &x(2.0).transpose(rank - 2, rank - 1), &batch, None);
        let row = numbers(&shape[2..], DType::F32).broadcast_to(x(0.0).shape());
        check(&row, &row.transpose(rank - 2, rank - 1), &batch, None);
        check(&row.transpose(rank - 2, rank - 1), &row, &batch, None);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let wild = |shape: &[usize]| {
        let n: usize = shape.iter().product();
        let data: Vec<f32> = (0..n).map(|i| ((i * i) as f32).sin()).collect();
        Array::from_slice(&data, shape)
    };
    let cases: [(&[usize], &[usize], &[usize]); 9] = [
        (&[700, 130], &[130, 300], &[]),
        (&[97, 600], &[600, 385], &[]),
        (&[961, 520], &[520, 65], &[]),
        (&[973, 300], &[300, 40], &[]),
        (&[1300, 300], &[300, 10], &[]),
        (&[3, 1000, 80], &[80, 70], &[3]),
        (&[40, 33, 65], &[40, 65, 50], &[40]),
        (&[1, 900], &[900, 1100], &[]),
        (&[1100, 900], &[900, 1], &[]),
    ];
    for (a, b, batch) in cases {
        let bias = wild(&b[b.len() - 1..]);
        let (a, b, batch) = (wild(a), wild(b), Shape::new(batch));
        let turned = |x: &Array| {
            let [i, j] = [x.rank() - 2, x.rank() - 1];
            x.transpose(i, j).contiguous().transpose(i, j)
        };
        for (a, b, bias) in [
            (&a, &b, Some(&bias)),
            (&a, &turned(&b), Some(&bias)),
            (&turned(&a), &b, None),
        ] {
            let all = threads::with_each(&[1, 2, 8], || {
                let y = matmul(a, b, &batch, bias).to_vec::<f32>();
                y.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            });
            assert!(all.iter().all(|bits| *bits == all[0]));
        }
    }
}
