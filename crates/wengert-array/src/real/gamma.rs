//! The logarithmic derivative of the gamma function, and sums of powers, of which its higher derivatives are made.

use std::f64::consts::PI;

/// The derivative of ln Γ: reflected to positive numbers, raised by its recurrence to 10, and there its asymptotic
/// series (Abramowitz and Stegun, 6.3).
pub(super) fn digamma(x: f64) -> f64 {
    if x == 0.0 {
        return -1.0 / x;
    }
    if x < 0.0 {
        if x == x.trunc() {
            return f64::NAN;
        }
        // The tangent's argument without its whole turns, which keeps it exact.
        return digamma(1.0 - x) - PI / (PI * x.fract()).tan();
    }
    let (mut x, mut y) = (x, 0.0);
    while x < 10.0 {
        y -= 1.0 / x;
        x += 1.0;
    }
    const C: [f64; 7] = [
        1.0 / 12.0,
        -1.0 / 120.0,
        1.0 / 252.0,
        -1.0 / 240.0,
        1.0 / 132.0,
        -691.0 / 32760.0,
        1.0 / 12.0,
    ];
    let z = 1.0 / (x * x);
    y + x.ln() - 0.5 / x - z * C.iter().rev().fold(0.0, |s, c| s * z + c)
}

/// Hurwitz's ζ(s, x) = Σ (x + k)^(−s): terms up to 15, then Euler's and Maclaurin's formula for the rest. Infinite at s = 1, NaN
/// below, and at negative x where s is no integer.
pub(crate) fn zeta(s: f64, x: f64) -> f64 {
    if s <= 1.0 || s.is_nan() {
        return if s == 1.0 { f64::INFINITY } else { f64::NAN };
    }
    if x < 0.0 && x != x.floor() && s != s.floor() {
        return f64::NAN;
    }
    if x <= 0.0 && x == x.floor() {
        return f64::INFINITY;
    }
    // So far below, the terms up to 0 are too many to add up.
    if x < -1e7 {
        return f64::NAN;
    }
    if x.is_nan() || x == f64::INFINITY {
        return if x > 0.0 { 0.0 } else { x };
    }
    let p = s;
    let (mut x, mut y) = (x, 0.0);
    while x < 15.0 {
        y += x.powf(-p);
        x += 1.0;
    }
    // B₂ₖ / (2k)!
    const B: [f64; 8] = [
        1.0 / 12.0,
        -1.0 / 720.0,
        1.0 / 30240.0,
        -1.0 / 1209600.0,
        1.0 / 47900160.0,
        -691.0 / 1307674368000.0,
        1.0 / 74724249600.0,
        -3617.0 / 10670622842880000.0,
    ];
    let last = x.powf(-p);
    y += last * x / (p - 1.0) + 0.5 * last;
    let mut factor = p * last / x;
    for (k, b) in B.iter().enumerate() {
        y += b * factor;
        let j = p + 2.0 * k as f64;
        factor *= (j + 1.0) * (j + 2.0) / (x * x);
    }
    y
}
