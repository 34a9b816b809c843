//! Discrete Fourier transforms along one dimension. `rustfft` computes those of complex numbers.

mod real;

use super::isa::Lane;
use super::threads;
use crate::array::Array;
use crate::dtype::{DType, Element};
use num_complex::Complex;
use real::Turns;
use rustfft::{Fft, FftDirection, FftNum, FftPlanner};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

thread_local! {
    /// Plans are made once for each length, and kept.
    static PLANS: RefCell<(Plans<f32>, Plans<f64>)> = RefCell::new((Plans::new(), Plans::new()));
}

#[doc(hidden)]
pub struct Plans<T: FftNum> {
    complex: FftPlanner<T>,
    turns: HashMap<usize, Arc<Turns<T>>>,
}

impl<T: FftNum> Plans<T> {
    fn new() -> Plans<T> {
        Plans {
            complex: FftPlanner::new(),
            turns: HashMap::new(),
        }
    }
}

/// A type that transforms are computed in.
trait Number: FftNum + Element + Lane {
    fn plans<R>(f: impl FnOnce(&mut Plans<Self>) -> R) -> R;
    fn number(x: f64) -> Self;
}

impl Number for f32 {
    fn plans<R>(f: impl FnOnce(&mut Plans<f32>) -> R) -> R {
        PLANS.with_borrow_mut(|plans| f(&mut plans.0))
    }
    fn number(x: f64) -> f32 {
        x as f32
    }
}

impl Number for f64 {
    fn plans<R>(f: impl FnOnce(&mut Plans<f64>) -> R) -> R {
        PLANS.with_borrow_mut(|plans| f(&mut plans.1))
    }
    fn number(x: f64) -> f64 {
        x
    }
}

fn plan<T: Number>(n: usize, inverse: bool) -> Arc<dyn Fft<T>> {
    let direction = match inverse {
        true => FftDirection::Inverse,
        false => FftDirection::Forward,
    };
    T::plans(|plans| plans.complex.plan_fft(n, direction))
}

fn turns<T: Number>(n: usize) -> Arc<Turns<T>> {
    T::plans(|plans| {
        plans
            .turns
            .entry(n)
            .or_insert_with(|| Arc::new(Turns::new(n)))
            .clone()
    })
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
    let (mut y, n) = (rows(x, axis), x.shape()[axis]);
    let plan = plan::<T>(n, inverse);
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
        let scale = T::number(scale);
        for z in row {
            *z = Complex::new(z.re * scale, z.im * scale);
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
    let from = x_rows.as_slice::<T>();
    let (out, cost) = (y.make_mut::<Complex<T>>(), cost(n) / 2);
    if n.is_multiple_of(2) {
        let (plan, turns) = (plan::<T>(n / 2, false), turns::<T>(n));
        let scratch = || vec![Complex::default(); plan.get_immutable_scratch_len()];
        threads::each_row(out, half, cost, scratch, |scratch, r, row| {
            let pairs = as_complex(&from[r * n..][..n]);
            plan.process_immutable_with_scratch(pairs, &mut row[..n / 2], scratch);
            row[n / 2] = row[0];
            turns.apart(row, 0.5 * scale, false);
        });
    } else {
        let plan = plan::<T>(n, false);
        let own = || {
            (
                vec![Complex::default(); n],
                vec![Complex::default(); plan.get_inplace_scratch_len()],
            )
        };
        threads::each_row(out, half, 2 * cost, own, |(whole, scratch), r, row| {
            for (z, x) in whole.iter_mut().zip(&from[r * n..][..n]) {
                *z = Complex::new(*x, T::default());
            }
            plan.process_with_scratch(whole, scratch);
            row.copy_from_slice(&whole[..half]);
            rescale(row, scale);
        });
    }
    y.transpose(axis, x.rank() - 1)
}

/// The inverse of [`rfft`] but for the scale: `n` real numbers from the `n/2 + 1` that say all. The imaginary parts of the
/// first of them and, if `n` is even, of the last are taken for zero. If not `mirrored`, the rest of the spectrum counts as zeros,
/// and the result is the real part.
pub fn irfft(z: &Array, axis: usize, n: usize, scale: f64, mirrored: bool) -> Array {
    match z.dtype() {
        DType::C64 => backward::<f32>(z, axis, n, scale, mirrored),
        _ => backward::<f64>(z, axis, n, scale, mirrored),
    }
}

fn backward<T: Number>(z: &Array, axis: usize, n: usize, scale: f64, mirrored: bool) -> Array
where
    Complex<T>: Element,
{
    let (z_rows, half) = (rows(z, axis), n / 2 + 1);
    let shape = z_rows.shape().with(z.rank() - 1, n);
    let mut y = Array::full(shape, 0.0, T::DTYPE);
    let from = z_rows.as_slice::<Complex<T>>();
    let (out, cost) = (y.make_mut::<T>(), cost(n) / 2);
    // Half of what is mirrored, with twice what is its own mirror image, is what stands there alone.
    let (scale, own_image) = if mirrored {
        (scale, 1.0)
    } else {
        (0.5 * scale, 2.0)
    };
    let alone = |z: Complex<T>| Complex::new(z.re * T::number(own_image), T::default());
    if n.is_multiple_of(2) {
        let (plan, turns) = (plan::<T>(n / 2, true), turns::<T>(n));
        let own = || {
            let scratch = plan.get_immutable_scratch_len();
            (vec![Complex::default(); half], vec![Complex::default(); scratch])
        };
        threads::each_row(out, n, cost, own, |(input, scratch), r, row| {
            input.copy_from_slice(&from[r * half..][..half]);
            input[0] = alone(input[0]);
            input[half - 1] = alone(input[half - 1]);
            turns.apart(input, scale, true);
            plan.process_immutable_with_scratch(&input[..n / 2], as_complex_mut(row), scratch);
        });
    } else {
        let plan = plan::<T>(n, true);
        let own = || {
            (
                vec![Complex::default(); n],
                vec![Complex::default(); plan.get_inplace_scratch_len()],
            )
        };
        let scale = T::number(scale);
        threads::each_row(out, n, 2 * cost, own, |(whole, scratch), r, row| {
            let from = &from[r * half..][..half];
            whole[0] = alone(from[0]);
            for k in 1..half {
                (whole[k], whole[n - k]) = (from[k], from[k].conj());
            }
            plan.process_with_scratch(whole, scratch);
            row.iter_mut().zip(whole).for_each(|(x, z)| *x = z.re * scale);
        });
    }
    y.transpose(axis, z.rank() - 1)
}

/// Pairs of numbers as complex numbers.
fn as_complex<T: Number>(x: &[T]) -> &[Complex<T>] {
    // SAFETY: a complex number is two numbers beside each other (`repr(C)`), aligned as one of them.
    unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), x.len() / 2) }
}

/// As [`as_complex`], to be written.
fn as_complex_mut<T: Number>(x: &mut [T]) -> &mut [Complex<T>] {
    // SAFETY: as there.
    unsafe { std::slice::from_raw_parts_mut(x.as_mut_ptr().cast(), x.len() / 2) }
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
        for n in [1, 2, 3, 4, 5, 6, 7, 8, 12, 14, 17, 30, 32, 34, 62, 64, 96, 100] {
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
    fn the_number_of_threads_changes_nothing() {
        let x: Vec<f32> = (0..1 << 16).map(|i| (i * 37 % 101) as f32).collect();
        let x = Array::from_slice(&x, [128, 512]);
        let all = threads::with_each(&[1, 2, 8], || rfft(&x, 1, 1.0).to_vec::<Complex<f32>>());
        assert!(all.windows(2).all(|w| w[0] == w[1]));
    }
}
