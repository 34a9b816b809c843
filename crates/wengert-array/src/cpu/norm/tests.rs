use super::*;

fn wave(shape: &[usize], step: f64) -> Array {
    let n: usize = shape.iter().product();
    let data: Vec<f64> = (0..n).map(|i| (i as f64 * step).sin() * 2.0 + 0.5).collect();
    Array::from_slice(&data, shape)
}

fn near(got: &Array, want: &[f64], tolerance: f64, what: &str) {
    let got = got.to_vec::<f64>();
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!(
            (got - want).abs() <= tolerance * (1.0 + want.abs()),
            "{what} at {i}: {got} and not {want}"
        );
    }
}

fn mean(of: impl Iterator<Item = f64>, n: usize) -> f64 {
    of.sum::<f64>() / n as f64
}

/// Elements that are normalized together, `at` in x and with weights of these numbers.
struct Together {
    at: Vec<usize>,
    weight: Vec<usize>,
}

/// y, dx, dw and db by the formulas, where `w` and `b` are the weights and biases.
fn formulas(all: &[Together], [x, dy, w, b]: [&[f64]; 4], center: bool, eps: f64) -> [Vec<f64>; 4] {
    let [mut y, mut dx] = [0, 1].map(|_| vec![0.0; x.len()]);
    let [mut dw, mut db] = [0, 1].map(|_| vec![0.0; w.len()]);
    for Together { at, weight } in all {
        let n = at.len();
        let m = if center {
            mean(at.iter().map(|i| x[*i]), n)
        } else {
            0.0
        };
        let by = 1.0 / (mean(at.iter().map(|i| (x[*i] - m).powi(2)), n) + eps).sqrt();
        let hat: Vec<f64> = at.iter().map(|i| (x[*i] - m) * by).collect();
        let g: Vec<f64> = at.iter().zip(weight).map(|(i, c)| dy[*i] * w[*c]).collect();
        let shift = if center { mean(g.iter().copied(), n) } else { 0.0 };
        let slope = mean(g.iter().zip(&hat).map(|(g, hat)| g * hat), n);
        for (j, (i, c)) in at.iter().zip(weight).enumerate() {
            y[*i] = hat[j] * w[*c] + b[*c];
            dx[*i] = by * (g[j] - shift - hat[j] * slope);
            dw[*c] += dy[*i] * hat[j];
            db[*c] += dy[*i];
        }
    }
    [y, dx, dw, db]
}

#[test]
fn rows_and_their_gradients_are_those_of_the_formulas() {
    for (count, n, groups, inner) in [
        (5, 1, 1, 1),
        (4, 3, 1, 1),
        (3, 64, 1, 1),
        (37, 70, 1, 1),
        (6, 130, 2, 1),
        (70, 9, 2, 1),
        (3, 2500, 1, 1),
        (6, 12, 2, 3),
        (10, 12, 2, 3),
        (12, 98, 3, 49),
        (4, 606, 2, 303),
        (5, 40, 1, 40),
        (8, 7, 4, 7),
        (2, 6000, 1, 3000),
    ] {
        for (center, weighted, dtype) in [
            (true, true, DType::F64),
            (false, true, DType::F32),
            (true, false, DType::F32),
        ] {
            let what = format!("{count} rows of {n}, {groups}, {inner}, {dtype:?}, {center}, {weighted}");
            let rows = Rows {
                n,
                groups,
                inner,
                center,
                eps: 1e-3,
            };
            let (tolerance, weights) = (if dtype == DType::F64 { 1e-12 } else { 1e-4 }, groups * n / inner);
            let [x, dy] = [0.37, 0.71].map(|step| wave(&[count, n], step).cast(dtype));
            let [w, b] = [0.13, 0.19].map(|step| weighted.then(|| wave(&[weights], step).cast(dtype)));
            let [y, mean, scale] = norm_rows(&x, &rows, w.as_ref(), b.as_ref());
            let [dx, dw, db] = norm_rows_backward(&x, &dy, &rows, w.as_ref(), &mean, &scale);
            let all: Vec<Together> = (0..count)
                .map(|r| Together {
                    at: (r * n..(r + 1) * n).collect(),
                    weight: (0..n).map(|j| r % groups * (n / inner) + j / inner).collect(),
                })
                .collect();
            let [x, dy] = [x, dy].map(|a| a.to_vec::<f64>());
            let [w, b] = [(w, 1.0), (b, 0.0)].map(|(a, v)| a.map_or(vec![v; weights], |a| a.to_vec::<f64>()));
            let want = formulas(&all, [&x, &dy, &w, &b], center, rows.eps);
            for (got, want) in [y, dx, dw, db].iter().zip(&want) {
                near(got, want, tolerance, &what);
            }
        }
    }
}

#[test]
fn channels_and_their_gradients_are_those_of_the_formulas() {
    for [n, c, s] in [
        [3, 5, 1],
        [601, 33, 1],
        [5, 3, 4],
        [1, 3, 7],
        [2, 3, 40],
        [2, 1, 40],
        [3, 2, 2100],
    ] {
        for dtype in [DType::F64, DType::F32] {
            let (tolerance, eps) = (if dtype == DType::F64 { 1e-12 } else { 1e-4 }, 1e-3);
            let what = format!("{n} of {c} channels of {s}, {dtype:?}");
            let [x, dy] = [0.37, 0.71].map(|step| wave(&[n, c, s], step).cast(dtype));
            let [w, b] = [0.13, 0.19].map(|step| wave(&[c], step).cast(dtype));
            let [m, var] = channel_stats(&x);
            let scale: Vec<f64> = var
                .to_vec::<f64>()
                .iter()
                .map(|v| 1.0 / (v + eps).sqrt())
                .collect();
            let by: Vec<f64> = scale.iter().zip(w.to_vec::<f64>()).map(|(s, w)| s * w).collect();
            let [scale, by] = [scale, by].map(|a| Array::from_slice(&a, [c]).cast(dtype));
            let y = channel_affine(&x, &m, &by, &b);
            let [dx, dw, db] = channel_norm_backward(&x, &dy, Some(&w), &m, &scale);
            let all: Vec<Together> = (0..c)
                .map(|k| Together {
                    at: (0..n * s).map(|j| (j / s * c + k) * s + j % s).collect(),
                    weight: vec![k; n * s],
                })
                .collect();
            let [x, dy, w, b] = [&x, &dy, &w, &b].map(|a| a.to_vec::<f64>());
            let want = formulas(&all, [&x, &dy, &w, &b], true, eps);
            for (got, want) in [y, dx, dw, db].iter().zip(&want) {
                near(got, want, tolerance * (n as f64).sqrt(), &what);
            }
        }
    }
}

#[test]
fn rows_past_the_caches_are_the_same_bits() {
    let (count, n) = (8300, 1024);
    for inner in [1, 256] {
        let rows = Rows {
            n,
            groups: 1,
            inner,
            center: true,
            eps: 1e-5,
        };
        let [x, dy] = [0.37, 0.71].map(|step| {
            let part = wave(&[1, 4 * n], step).cast(DType::F32);
            part.broadcast_to(&[count / 4, 4 * n].into())
                .contiguous()
                .reshape([count, n])
        });
        let w = wave(&[n / inner], 0.13).cast(DType::F32);
        let all = |x: &Array, dy: &Array| {
            let [y, mean, scale] = norm_rows(x, &rows, Some(&w), Some(&w));
            let [dx, ..] = norm_rows_backward(x, dy, &rows, Some(&w), &mean, &scale);
            [y, dx].map(|a| a.slice(0, 0, 7, 1).to_vec::<f32>())
        };
        let few = |a: &Array| a.slice(0, 0, 7, 1).contiguous();
        assert_eq!(all(&x, &dy), all(&few(&x), &few(&dy)), "{inner}");
    }
}
