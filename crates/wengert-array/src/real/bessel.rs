//! Modified Bessel functions.

use std::f64::consts::{PI, TAU};

/// The modified Bessel functions of the second kind of orders 0 and 1, if `scaled` times exp x: up to 2 by the power series of K₀
/// and the Wronskian, from there on by Steed's continued fraction (Temme 1975, *On the numerical evaluation of the modified
/// Bessel function of the third kind*).
pub(super) fn bessel_k(x: f64, scaled: bool) -> [f64; 2] {
    if x == 0.0 {
        return [f64::INFINITY; 2];
    }
    if x.is_nan() || x < 0.0 {
        return [f64::NAN; 2];
    }
    if x == f64::INFINITY {
        return [0.0; 2];
    }
    if x <= 2.0 {
        const GAMMA: f64 = 0.577_215_664_901_532_9;
        let (i0, i1) = (bessel_i(0, x, false), bessel_i(1, x, false));
        let z = 0.25 * x * x;
        let (mut term, mut harmonic, mut sum) = (1.0, 0.0, 0.0);
        for k in 1..40 {
            let k = f64::from(k);
            term *= z / (k * k);
            harmonic += 1.0 / k;
            sum += term * harmonic;
        }
        let k0 = sum - ((0.5 * x).ln() + GAMMA) * i0;
        let k1 = (1.0 / x - i1 * k0) / i0;
        let scale = if scaled { x.exp() } else { 1.0 };
        return [k0 * scale, k1 * scale];
    }
    let mut b = 2.0 * (1.0 + x);
    let mut d = 1.0 / b;
    let (mut h, mut step) = (d, d);
    let (mut q1, mut q2, mut a) = (0.0, 1.0, -0.25);
    let (mut c, mut q) = (0.25, 0.25);
    let mut s = 1.0 + q * step;
    for i in 2..1000 {
        let i = f64::from(i);
        a -= 2.0 * (i - 1.0);
        c *= -a / i;
        let next = (q1 - b * q2) / a;
        (q1, q2) = (q2, next);
        q += c * next;
        b += 2.0;
        d = 1.0 / (b + a * d);
        step *= b * d - 1.0;
        h += step;
        let more = q * step;
        s += more;
        if more.abs() < 1e-17 * s.abs() {
            break;
        }
    }
    let k0 = (PI / (2.0 * x)).sqrt() / s * if scaled { 1.0 } else { (-x).exp() };
    [k0, k0 * (x + 0.5 - 0.25 * h) / x]
}

/// The modified Bessel function of order 0 or 1, if `scaled` times exp(−|x|): its power series, whose terms all have one
/// sign, and from 30 on the asymptotic one (Abramowitz and Stegun, 9.6 and 9.7).
pub(super) fn bessel_i(order: u32, x: f64, scaled: bool) -> f64 {
    let a = x.abs();
    if a == f64::INFINITY {
        let y = if scaled { 0.0 } else { a };
        return if order == 1 { y * x.signum() } else { y };
    }
    let nu = f64::from(order);
    let y = if a < 30.0 {
        let z = 0.25 * a * a;
        let (mut term, mut sum, mut k) = (if order == 0 { 1.0 } else { 0.5 * a }, 0.0, 1.0);
        while term > 1e-18 * sum {
            sum += term;
            term *= z / (k * (k + nu));
            k += 1.0;
        }
        if scaled { sum * (-a).exp() } else { sum }
    } else {
        let (mut term, mut sum, mut k) = (1.0f64, 0.0, 1.0);
        while term.abs() > 1e-18 && k < 40.0 {
            sum += term;
            term *= -(4.0 * nu * nu - (2.0 * k - 1.0) * (2.0 * k - 1.0)) / (8.0 * k * a);
            k += 1.0;
        }
        // Half the exponential on either side: its whole overflows before the function does.
        let half = if scaled { 1.0 } else { (0.5 * a).exp() };
        half * (sum / (TAU * a).sqrt()) * half
    };
    if a.is_nan() {
        a
    } else if order == 1 {
        y.copysign(x)
    } else {
        y
    }
}
