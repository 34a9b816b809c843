//! Windows that weigh a stretch of a signal, f64 unless converted: sums of cosines, and others.

use crate::tensor::Tensor;
use std::f64::consts::PI;
use wengert_array::{Error, ErrorKind, raise};

/// `f` at `n` places from 0 to 1; a periodic window is a longer one without its last element.
fn window(n: usize, periodic: bool, f: impl Fn(f64) -> f64) -> Tensor {
    if n == 1 {
        return Tensor::from_slice(&[1.0f64], [1]);
    }
    let last = if periodic { n as f64 } else { n as f64 - 1.0 };
    let values: Vec<f64> = (0..n).map(|i| f(i as f64 / last)).collect();
    Tensor::from_vec(values, [n])
}

/// Σ (−1)^k aₖ cos(2πkx).
#[track_caller]
pub fn general_cosine(n: usize, a: &[f64], periodic: bool) -> Tensor {
    if a.is_empty() {
        raise(Error::new(
            ErrorKind::Value,
            "general_cosine",
            "needs at least one coefficient",
        ));
    }
    window(n, periodic, |x| {
        let term =
            |(k, a): (usize, &f64)| if k % 2 == 0 { *a } else { -*a } * (2.0 * PI * k as f64 * x).cos();
        a.iter().enumerate().map(term).sum()
    })
}

/// α − (1 − α) cos(2πx).
#[track_caller]
pub fn general_hamming(n: usize, alpha: f64, periodic: bool) -> Tensor {
    general_cosine(n, &[alpha, 1.0 - alpha], periodic)
}

/// ½ − ½ cos(2πx).
#[track_caller]
pub fn hann_window(n: usize, periodic: bool) -> Tensor {
    general_hamming(n, 0.5, periodic)
}

/// α − β cos(2πx), by default with α = 0.54 and β = 0.46.
#[track_caller]
pub fn hamming_window(n: usize, periodic: bool, alpha: f64, beta: f64) -> Tensor {
    general_cosine(n, &[alpha, beta], periodic)
}

/// 0.42 − 0.5 cos(2πx) + 0.08 cos(4πx).
#[track_caller]
pub fn blackman_window(n: usize, periodic: bool) -> Tensor {
    general_cosine(n, &[0.42, 0.5, 0.08], periodic)
}

/// Nuttall's four cosines.
#[track_caller]
pub fn nuttall_window(n: usize, periodic: bool) -> Tensor {
    general_cosine(n, &[0.3635819, 0.4891775, 0.1365995, 0.0106411], periodic)
}

/// 1 − |2x − 1|.
#[track_caller]
pub fn bartlett_window(n: usize, periodic: bool) -> Tensor {
    window(n, periodic, |x| 1.0 - (2.0 * x - 1.0).abs())
}

/// I₀(β √(1 − (2x − 1)²)) / I₀(β).
#[track_caller]
pub fn kaiser_window(n: usize, periodic: bool, beta: f64) -> Tensor {
    window(n, periodic, |x| {
        bessel_i0(beta * (1.0 - (2.0 * x - 1.0).powi(2)).max(0.0).sqrt()) / bessel_i0(beta)
    })
}

/// exp(−½ ((i − (n − 1) / 2) / σ)²), of a window one longer where it is periodic.
#[track_caller]
pub fn gaussian_window(n: usize, std: f64, periodic: bool) -> Tensor {
    let last = if periodic { n as f64 } else { n as f64 - 1.0 };
    window(n, periodic, |x| (-0.5 * ((x - 0.5) * last / std).powi(2)).exp())
}

/// exp(−|i − (n − 1) / 2| / τ), of a window one longer where it is periodic.
#[track_caller]
pub fn exponential_window(n: usize, tau: f64, periodic: bool) -> Tensor {
    let last = if periodic { n as f64 } else { n as f64 - 1.0 };
    window(n, periodic, |x| (-((x - 0.5) * last).abs() / tau).exp())
}

/// sin(π (i + ½) / n), of a window one longer where it is periodic.
#[track_caller]
pub fn cosine_window(n: usize, periodic: bool) -> Tensor {
    let last = if periodic { n as f64 } else { n as f64 - 1.0 };
    window(n, periodic, |x| (PI * (x * last + 0.5) / (last + 1.0)).sin())
}

/// The modified Bessel function of the first kind of order zero: Σ ((x/2)^k / k!)².
fn bessel_i0(x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= (x / 2.0 / k).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_windows() {
        let close = |t: Tensor, want: &[f64]| {
            let got = t.to_vec::<f64>();
            assert!(
                got.len() == want.len() && got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12),
                "{got:?}"
            );
        };
        close(hann_window(4, true), &[0.0, 0.5, 1.0, 0.5]);
        close(hann_window(3, false), &[0.0, 1.0, 0.0]);
        close(hamming_window(3, false, 0.54, 0.46), &[0.08, 1.0, 0.08]);
        close(bartlett_window(5, false), &[0.0, 0.5, 1.0, 0.5, 0.0]);
        close(blackman_window(3, false), &[0.0, 1.0, 0.0]);
        // I₀(2) is 2.279585302336067.
        close(
            kaiser_window(3, false, 2.0),
            &[1.0 / 2.279585302336067, 1.0, 1.0 / 2.279585302336067],
        );
        close(hann_window(1, true), &[1.0]);
    }
}
