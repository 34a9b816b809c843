//! Discrete Fourier transforms along one dimension. `rustfft` and `realfft` compute them.

use super::threads;
use crate::array::Array;
use crate::dtype::{DType, Element};
use num_complex::Complex;
use realfft::{FftNum, RealFftPlanner};
use rustfft::{FftDirection, FftPlanner};
use std::cell::RefCell;

thread_local! {
    /// Plans are made once for each length, and kept.
    static PLANS: RefCell<(Plans<f32>, Plans<f64>)> = RefCell::new((Plans::new(), Plans::new()));
}

#[doc(hidden)]
pub struct Plans<T: FftNum> {
    complex: FftPlanner<T>,
    real: RealFftPlanner<T>,
}

impl<T: FftNum> Plans<T> {
    fn new() -> Plans<T> {
        Plans {
            complex: FftPlanner::new(),
            real: RealFftPlanner::new(),
        }
    }
}

/// A type that transforms are computed in.
trait Number: FftNum + Element {
    fn plans<R>(f: impl FnOnce(&mut Plans<Self>) -> R) -> R;
    fn scaled(self, by: f64) -> Self;
}

impl Number for f32 {
    fn plans<R>(f: impl FnOnce(&mut Plans<f32>) -> R) -> R {
        PLANS.with_borrow_mut(|plans| f(&mut plans.0))
    }
    fn scaled(self, by: f64) -> f32 {
        self * by as f32
    }
}

impl Number for f64 {
    fn plans<R>(f: impl FnOnce(&mut Plans<f64>) -> R) -> R {
        PLANS.with_borrow_mut(|plans| f(&mut plans.1))
    }
    fn scaled(self, by: f64) -> f64 {
        self * by
    }
}

/// Roughly how many instructions a transform of `n` numbers takes.
fn cost(n: usize) -> usize {
    2 * n * (1 + n.max(1).ilog2() as usize)
}

/// The array with `axis` innermost, contiguous.
fn rows(x: &Array, axis: usize) -> Array {
    x.transpose(axis, x.rank() - 1).contiguous()
}

/// `y_k = scale Σ x_j e^(∓2πi jk/n)` along a dimension of complex numbers, with + if `inverse`.
pub fn fft(x: &Array, axis: usize, inverse: bool, scale: f64) -> Array {
    match x.dtype() {
        DType::C64 => complex::<f32>(x, axis, inverse, scale),
        _ => complex::<f64>(x, axis, inverse, scale),
    }
}

fn complex<T: Number>(x: &Array, axis: usize, inverse: bool, scale: f64) -> Array
where
    Complex<T>: Element,
{
    let mut y = rows(x, axis);
    let n = x.shape()[axis];
    let direction = if inverse {
        FftDirection::Inverse
    } else {
        FftDirection::Forward
    };
    let plan = T::plans(|plans| plans.complex.plan_fft(n, direction));
    let scratch = || vec![Complex::default(); plan.get_inplace_scratch_len()];
    threads::each_row(y.make_mut(), n, cost(n), scratch, |scratch, _, row| {
        plan.process_with_scratch(row, scratch);
        rescale(row, scale);
    });
    y.transpose(axis, x.rank() - 1)
}

/// Row by row, while it is in the cache.
fn rescale<T: Number>(row: &mut [Complex<T>], scale: f64) {
    if scale != 1.0 {
        for z in row {
            *z = Complex::new(z.re.scaled(scale), z.im.scaled(scale));
        }
    }
}

/// As [`fft`] of real numbers, of which the first `n/2 + 1` results say all.
pub fn rfft(x: &Array, axis: usize, scale: f64) -> Array {
    match x.dtype() {
        DType::F32 => forward::<f32>(x, axis, scale),
        _ => forward::<f64>(x, axis, scale),
    }
}

fn forward<T: Number>(x: &Array, axis: usize, scale: f64) -> Array
where
    Complex<T>: Element,
{
    let (x_rows, n) = (rows(x, axis), x.shape()[axis]);
    let half = n / 2 + 1;
    let shape = x_rows.shape().with(x.rank() - 1, half);
    let mut y = Array::full(shape, 0.0, T::DTYPE.complex());
    let plan = T::plans(|plans| plans.real.plan_fft_forward(n));
    let from = x_rows.as_slice::<T>();
    let own = || (plan.make_input_vec(), plan.make_scratch_vec());
    threads::each_row(
        y.make_mut(),
        half,
        cost(n) / 2,
        own,
        |(input, scratch), r, row| {
            input.copy_from_slice(&from[r * n..][..n]);
            plan.process_with_scratch(input, row, scratch)
                .expect("lengths that fit");
            rescale(row, scale);
        },
    );
    y.transpose(axis, x.rank() - 1)
}

/// The inverse of [`rfft`] but for the scale: `n` real numbers from the `n/2 + 1` that say all. The imaginary parts of the
/// first of them and, if `n` is even, of the last are taken for zero.
pub fn irfft(z: &Array, axis: usize, n: usize, scale: f64) -> Array {
    match z.dtype() {
        DType::C64 => backward::<f32>(z, axis, n, scale),
        _ => backward::<f64>(z, axis, n, scale),
    }
}

fn backward<T: Number>(z: &Array, axis: usize, n: usize, scale: f64) -> Array
where
    Complex<T>: Element,
{
    let (z_rows, half) = (rows(z, axis), n / 2 + 1);
    let shape = z_rows.shape().with(z.rank() - 1, n);
    let mut y = Array::full(shape, 0.0, T::DTYPE);
    let plan = T::plans(|plans| plans.real.plan_fft_inverse(n));
    let from = z_rows.as_slice::<Complex<T>>();
    let own = || (plan.make_input_vec(), plan.make_scratch_vec());
    threads::each_row(y.make_mut(), n, cost(n) / 2, own, |(input, scratch), r, row| {
        input.copy_from_slice(&from[r * half..][..half]);
        input[0].im = T::zero();
        if n.is_multiple_of(2) {
            input[half - 1].im = T::zero();
        }
        plan.process_with_scratch(input, row, scratch)
            .expect("lengths that fit");
        row.iter_mut().for_each(|v| *v = v.scaled(scale));
    });
    y.transpose(axis, z.rank() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_complex::Complex64;
    use std::f64::consts::PI;

    /// By the definition.
    fn slow(x: &[Complex64], inverse: bool) -> Vec<Complex64> {
        let n = x.len();
        let sign = if inverse { 2.0 } else { -2.0 };
        let term = |j: usize, k: usize| x[j] * Complex64::cis(sign * PI * (j * k % n) as f64 / n as f64);
        (0..n).map(|k| (0..n).map(|j| term(j, k)).sum()).collect()
    }

    fn close(a: &[Complex64], b: &[Complex64]) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).norm() < 1e-10, "{a}, not {b}");
        }
    }

    #[test]
    fn transforms_are_those_of_the_definition() {
        for n in [1, 2, 3, 4, 5, 7, 8, 12, 17, 30, 64] {
            let row: Vec<Complex64> = (0..n)
                .map(|i| Complex64::new((i * 7 % 5) as f64 - 1.5, (i * 3 % 4) as f64))
                .collect();
            let twice: Vec<Complex64> = row.iter().chain(row.iter().rev()).copied().collect();
            let x = Array::from_slice(&twice, [2, n]);
            for inverse in [false, true] {
                let y = fft(&x, 1, inverse, 0.5);
                let both: Vec<Complex64> = [&twice[..n], &twice[n..]]
                    .iter()
                    .flat_map(|row| slow(row, inverse))
                    .map(|z| z * 0.5)
                    .collect();
                close(&y.to_vec(), &both);
                // Along the other dimension, of the transposed array.
                let turned = fft(&x.transpose(0, 1), 0, inverse, 0.5);
                close(&turned.transpose(0, 1).to_vec(), &both);
            }
            let (real, half) = (x.real(), n / 2 + 1);
            let y = rfft(&real, 1, 1.0);
            let whole = fft(&real.cast(DType::C128), 1, false, 1.0);
            close(&y.to_vec(), &whole.slice(1, 0, half, 1).to_vec());
            let back = irfft(&y, 1, n, 1.0 / n as f64);
            let (ours, want) = (back.to_vec::<f64>(), real.to_vec::<f64>());
            assert!(ours.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-12), "{n}");
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let x: Vec<f32> = (0..1 << 16).map(|i| (i * 37 % 101) as f32).collect();
        let x = Array::from_slice(&x, [128, 512]);
        let all = threads::with_each(&[1, 2, 8], || rfft(&x, 1, 1.0).to_vec::<Complex<f32>>());
        assert!(all.windows(2).all(|w| w[0] == w[1]));
    }
}
