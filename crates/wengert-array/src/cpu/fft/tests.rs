use super::*;
use num_complex::Complex64;
use std::f64::consts::PI;

/// By the definition.
fn slow(x: &[Complex64], inverse: bool) -> Vec<Complex64> {
    let n = x.len();
    let sign = if inverse { 2.0 } else { -2.0 };
    let turns: Vec<_> = (0..n)
        .map(|k| Complex64::cis(sign * PI * k as f64 / n as f64))
        .collect();
    let term = |j: usize, k: usize| x[j] * turns[j * k % n];
    (0..n).map(|k| (0..n).map(|j| term(j, k)).sum()).collect()
}

/// By the library, of rows of n numbers.
fn known(x: &[Complex64], n: usize, inverse: bool) -> Vec<Complex64> {
    let mut y = x.to_vec();
    y.chunks_mut(n)
        .for_each(|row| library::<f64>(n, inverse).process(row));
    y
}

fn close(a: &[Complex64], b: &[Complex64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).norm() < 1e-10, "{a}, not {b}");
    }
}

/// How far apart they are, compared with their size.
fn distance(a: &Array, b: &[Complex64]) -> f64 {
    let a = a.cast(DType::C128).to_vec::<Complex64>();
    assert_eq!(a.len(), b.len());
    let far: f64 = a.iter().zip(b).map(|(a, b)| (a - b).norm_sqr()).sum();
    (far / b.iter().map(Complex64::norm_sqr).sum::<f64>()).sqrt()
}

fn numbers(count: usize) -> Vec<Complex64> {
    let number = |i: usize, by: usize| (i * by % 1009) as f64 / 500.0 - 1.0;
    (0..count)
        .map(|i| Complex64::new(number(i, 7919), number(i + 3, 6151)))
        .collect()
}

#[test]
fn transforms_are_those_of_the_definition() {
    /// More than a vector has lanes of f64.
    const ROWS: usize = 9;
    for n in [
        1, 2, 3, 4, 5, 6, 7, 8, 12, 14, 15, 17, 28, 30, 32, 34, 62, 64, 96, 100, 128, 245,
    ] {
        let all = numbers(ROWS * n);
        let x = Array::from_slice(&all, [ROWS, n]);
        let of_rows = |inverse| {
            all.chunks(n)
                .flat_map(move |row| slow(row, inverse))
                .map(|z| z * 0.5)
        };
        for inverse in [false, true] {
            let want: Vec<Complex64> = of_rows(inverse).collect();
            close(&fft(&x, 1, inverse, 0.5).to_vec(), &want);
            // One row, and some, by themselves.
            close(&fft(&x.slice(0, 0, 1, 1), 1, inverse, 0.5).to_vec(), &want[..n]);
            close(
                &fft(&x.slice(0, 0, 5, 1), 1, inverse, 0.5).to_vec(),
                &want[..5 * n],
            );
            // Along the other dimension, of the transposed array as it lies and copied, and of several such.
            for turned in [x.transpose(0, 1), x.transpose(0, 1).contiguous()] {
                let y = fft(&turned, 0, inverse, 0.5);
                close(&y.transpose(0, 1).to_vec(), &want);
            }
            let several = Array::from_slice(&all, [3, 3, n]).transpose(1, 2).contiguous();
            close(&fft(&several, 1, inverse, 0.5).transpose(1, 2).to_vec(), &want);
        }
        let (real, half) = (x.real(), n / 2 + 1);
        let y = rfft(&real, 1, 1.0);
        let whole = fft(&real.cast(DType::C128), 1, false, 1.0);
        close(&y.to_vec(), &whole.slice(1, 0, half, 1).to_vec());
        let back = irfft(&y, 1, n, 1.0 / n as f64, true);
        let (ours, want) = (back.to_vec::<f64>(), real.to_vec::<f64>());
        assert!(ours.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-12), "{n}");
        let given = y.to_vec::<Complex64>();
        let padded = given.chunks(half).flat_map(|row| {
            let zeros = vec![Complex64::default(); n - half];
            slow(&[row, &zeros[..]].concat(), true)
        });
        let alone = irfft(&y, 1, n, 1.0, false).to_vec::<f64>();
        assert!(padded.zip(&alone).all(|(a, b)| (a.re - b).abs() < 1e-10), "{n}");
    }
}

#[test]
fn long_transforms_are_the_library_s() {
    let sizes = [
        (17, 128),
        (17, 250),
        (1, 256),
        (2, 500),
        (17, 1000),
        (2, 1024),
        (1, 1792),
        (1, 2048),
        (20, 4000),
    ];
    let long = [
        (1, 4096),
        (1, 8192),
        (1, 16384),
        (1, 32768),
        (1, 50000),
        (1, 1 << 17),
    ];
    for (rows, n) in sizes.into_iter().chain(long) {
        let all = numbers(rows * n);
        // Errors grow as the number of steps does.
        let steps = (n as f64).log2();
        for (dtype, one) in [(DType::C64, f32::EPSILON as f64), (DType::C128, f64::EPSILON)] {
            let x = Array::from_slice(&all, [rows, n]).cast(dtype);
            let exact = x.cast(DType::C128).to_vec::<Complex64>();
            let near = |y: &Array, want: &[Complex64]| {
                let distance = distance(y, want);
                assert!(
                    distance < 0.5 * one * steps,
                    "{rows} × {n} of {dtype}: {distance:e}"
                );
            };
            for inverse in [false, true] {
                let want = known(&exact, n, inverse);
                near(&fft(&x, 1, inverse, 1.0), &want);
                let columns = fft(&x.transpose(0, 1).contiguous(), 0, inverse, 1.0);
                near(&columns.transpose(0, 1), &want);
            }
            let real = x.real();
            let of_real = known(&real.cast(DType::C128).to_vec::<Complex64>(), n, false);
            let half = n / 2 + 1;
            let first: Vec<Complex64> = of_real.chunks(n).flat_map(|row| row[..half].to_vec()).collect();
            near(&rfft(&real, 1, 1.0), &first);
            let spectra = Array::from_slice(&first, [rows, half]).cast(dtype);
            let back = irfft(&spectra, 1, n, 1.0 / n as f64, true);
            near(&back, &real.cast(DType::C128).to_vec::<Complex64>());
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let x: Vec<f32> = (0..1 << 16).map(|i| (i * 37 % 101) as f32).collect();
    for shape in [[128, 512], [1024, 64]] {
        let x = Array::from_slice(&x, shape);
        for axis in [0, 1] {
            let all = threads::with_each(&[1, 2, 8], || {
                let y = rfft(&x, 1, 1.0);
                fft(&y, axis, false, 1.0).to_vec::<Complex<f32>>()
            });
            assert!(all.windows(2).all(|w| w[0] == w[1]));
        }
    }
}
