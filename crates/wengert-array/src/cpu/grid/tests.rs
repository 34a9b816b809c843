use super::*;
use crate::cpu::threads;
use crate::dtype::DType;

/// Numbers between −1 and 1 that look random.
fn numbers(shape: &[usize], seed: usize) -> Vec<f64> {
    let hash = |i: usize| (i * 2_654_435_761 + seed * 40_503) % 65_521;
    (0..shape.iter().product())
        .map(|i| hash(i) as f64 / 32_760.5 - 1.0)
        .collect()
}

/// Each neighbour of place `p` along a dimension of `size`: where it is, and its weight's derivative of some order.
fn along(s: &Sampling, d: usize, p: f64, size: usize) -> Vec<(Option<usize>, f64)> {
    let low = match s.interpolation {
        Interpolation::Nearest => p.round_ties_even(),
        _ => p.floor(),
    };
    let weights = s.interpolation.weights();
    let each = weights.iter().enumerate().map(|(k, polynomial)| {
        let mut at = low + k as f64 - if weights.len() == 4 { 1.0 } else { 0.0 };
        if s.interpolation == Interpolation::Cubic {
            at = s.outside.bring(at, size, s.align).round();
        }
        let order = s.order[d] as i32;
        let term = |i: i32| {
            let falling: i32 = (0..order).map(|j| i - j).product();
            polynomial[i as usize] * falling as f64 * (p - low).powi((i - order).max(0))
        };
        let weight = (0..4).map(term).sum();
        ((0.0..size as f64).contains(&at).then_some(at as usize), weight)
    });
    each.collect()
}

/// Calls `f(x, y, weight)` with the numbers of the elements that meet.
fn meetings(s: &Sampling, shape: [usize; 5], places: &[Vec<f64>], mut f: impl FnMut(usize, usize, f64)) {
    let [n, c, a, b, e] = shape;
    let m = places[0].len() / n;
    for (image, q) in (0..n * m).map(|i| (i / m, i % m)) {
        let line = |d: usize, size: usize| along(s, d, places[d][image * m + q], size);
        for (i, u) in line(0, a) {
            for (j, v) in line(1, b) {
                for (k, w) in line(2, e) {
                    if let (Some(i), Some(j), Some(k)) = (i, j, k) {
                        for channel in image * c..(image + 1) * c {
                            f(((channel * a + i) * b + j) * e + k, channel * m + q, u * v * w);
                        }
                    }
                }
            }
        }
    }
}

fn check(s: &Sampling, shape: [usize; 5], m: usize) {
    let [n, c] = [shape[0], shape[1]];
    let (x, dy) = (numbers(&shape, 1), numbers(&[n, c, m], 2));
    // Some are outside, and some are exactly between elements.
    let places: Vec<Vec<f64>> = (0..3)
        .map(|d| {
            let size = shape[2 + d] as f64;
            let far = numbers(&[n, m], 3 + d)
                .into_iter()
                .map(|p| (p + 1.0) * 0.7 * size - 0.2 * size);
            far.map(|p| (p * 16.0).round() / 16.0).collect()
        })
        .collect();
    let (mut y, mut dx) = (vec![0.0; n * c * m], vec![0.0; x.len()]);
    meetings(s, shape, &places, |i, k, w| {
        y[k] += w * x[i];
        dx[i] += w * dy[k];
    });
    let mut slope = vec![0.0; 3 * n * m];
    for d in 0..3 {
        meetings(&s.steeper(d), shape, &places, |i, k, w| {
            slope[(d * n + k / m / c) * m + k % m] += w * x[i] * dy[k];
        });
    }
    for dtype in [DType::F64, DType::F32] {
        let array = |x: &[f64], shape: &[usize]| Array::from_slice(x, shape).cast(dtype);
        let all: Vec<Array> = places.iter().map(|p| array(p, &[n, m])).collect();
        let (x, dy) = (array(&x, &shape), array(&dy, &[n, c, m]));
        let close = |got: Array, want: &[f64], what: &str| {
            let tolerance = if dtype == DType::F32 { 2e-4 } else { 1e-11 };
            assert_eq!((got.numel(), got.dtype()), (want.len(), dtype));
            for (i, (g, w)) in got.to_vec::<f64>().iter().zip(want).enumerate() {
                let far = (g - w).abs();
                assert!(
                    far <= tolerance * (1.0 + w.abs()),
                    "{what} {i} of {s:?} on {shape:?}: {g} for {w}"
                );
            }
        };
        close(grid_sample(&x, &all, s), &y, "value");
        close(grid_sample_back(&dy, &all, s, &shape[2..]), &dx, "back");
        close(grid_sample_slope(&dy, &x, &all, s), &slope, "slope");
    }
}

fn sampling(interpolation: Interpolation, outside: Outside, order: [u8; 3]) -> Sampling {
    Sampling {
        interpolation,
        outside,
        align: false,
        order: order.to_vec(),
    }
}

#[test]
fn agrees_with_plain_loops() {
    let linear = sampling(Interpolation::Linear, Outside::Zeros, [0; 3]);
    // As many channels as are beside each other, fewer and more; places of several tiles, and fewer than there are elements.
    for c in [1, 2, 3, 4, 5, 8, 11, 16, 19] {
        check(&linear, [2, c, 2, 5, 4], 150);
        check(&linear, [1, c, 3, 6, 7], 3);
    }
    check(
        &sampling(Interpolation::Nearest, Outside::Zeros, [0; 3]),
        [2, 5, 2, 3, 4],
        140,
    );
    check(
        &sampling(Interpolation::Linear, Outside::Zeros, [0, 1, 0]),
        [1, 6, 2, 3, 4],
        129,
    );
    for outside in [Outside::Zeros, Outside::Border, Outside::Reflection] {
        check(
            &sampling(Interpolation::Cubic, outside, [0; 3]),
            [2, 3, 2, 3, 4],
            40,
        );
    }
}

#[test]
fn what_is_not_finite_is_seen_only_by_its_neighbours() {
    let linear = sampling(Interpolation::Linear, Outside::Zeros, [0; 3]);
    for c in [1, 3, 16] {
        let mut x = vec![1.0; c * 9];
        (0..c).for_each(|i| x[i * 9] = f64::INFINITY);
        let x = Array::from_slice(&x, [1, c, 1, 3, 3]);
        let place = |at: [f64; 4]| Array::from_slice(&at, [1, 4]);
        let places = [
            place([0.0; 4]),
            place([1.5, -7.0, 0.5, 1.5]),
            place([1.5, 0.0, 0.5, f64::NAN]),
        ];
        let y = grid_sample(&x, &places, &linear).to_vec::<f64>();
        for at in y.chunks(4) {
            assert_eq!(at[..3], [1.0, 0.0, f64::INFINITY]);
            assert!(at[3].is_nan());
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let linear = sampling(Interpolation::Linear, Outside::Zeros, [0; 3]);
    let (shape, m) = ([5, 19, 1, 20, 30], 3000);
    let (x, dy) = (numbers(&shape, 1), numbers(&[5, 19, m], 2));
    let place = |d: usize, size: f64| {
        let far = numbers(&[5, m], d).into_iter().map(|p| (p + 1.0) * 0.5 * size);
        Array::from_slice(&far.collect::<Vec<_>>(), [5, m]).cast(DType::F32)
    };
    let places = [place(3, 0.0), place(4, 20.0), place(5, 30.0)];
    let [x, dy] =
        [(x, &shape[..]), (dy, &[5, 19, m][..])].map(|(x, s)| Array::from_slice(&x, s).cast(DType::F32));
    let all = threads::with_each(&[1, 2, 8], || {
        let y = grid_sample(&x, &places, &linear);
        let dx = grid_sample_back(&dy, &places, &linear, &shape[2..]);
        let slope = grid_sample_slope(&dy, &x, &places, &linear);
        [y, dx, slope].map(|a| a.to_vec::<f32>().iter().map(|v| v.to_bits()).collect::<Vec<_>>())
    });
    assert!(all.iter().all(|bits| *bits == all[0]));
}
