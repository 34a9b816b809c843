//! Functions that are asked for too rarely to be vectorised: one call for each element, in 64 bits.

use super::Real;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI, SQRT_2, TAU};

/// A rarely used function of one number.
///
/// Relative errors are below 2·10⁻¹⁵ (1·10⁻¹⁴ for `Polygamma`, `Ndtri` and the Bessel functions), measured
/// against mpmath; near a root that is not at 0, the bound holds for the absolute error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Special {
    /// 1 − erf x, which does not lose small values.
    Erfc,
    /// exp(x²) erfc x.
    Erfcx,
    /// The inverse of erf.
    Erfinv,
    /// The inverse of the normal distribution function.
    Ndtri,
    /// The logarithm of the normal distribution function.
    LogNdtr,
    /// ln |Γ(x)|.
    Lgamma,
    /// The derivative of order n of ln Γ's derivative.
    Polygamma(u32),
    /// The modified Bessel function of order 0.
    I0,
    /// exp(−|x|) times that.
    I0e,
    /// The modified Bessel function of order 1.
    I1,
    /// exp(−|x|) times that.
    I1e,
    /// The Bessel function of the first kind, order 0.
    J0,
    /// The Bessel function of the first kind, order 1.
    J1,
}

impl Special {
    /// Its name in a traced rule.
    pub const fn name(self) -> &'static str {
        match self {
            Special::Erfc => "erfc",
            Special::Erfcx => "erfcx",
            Special::Erfinv => "erfinv",
            Special::Ndtri => "ndtri",
            Special::LogNdtr => "log_ndtr",
            Special::Lgamma => "lgamma",
            Special::Polygamma(_) => "polygamma",
            Special::I0 => "i0",
            Special::I0e => "i0e",
            Special::I1 => "i1",
            Special::I1e => "i1e",
            Special::J0 => "bessel_j0",
            Special::J1 => "bessel_j1",
        }
    }

    /// The function of that name, of which [`Polygamma`](Special::Polygamma) has none: it is traced with its order.
    pub fn named(name: &str) -> Option<Special> {
        use Special::*;
        [
            Erfc, Erfcx, Erfinv, Ndtri, LogNdtr, Lgamma, I0, I0e, I1, I1e, J0, J1,
        ]
        .into_iter()
        .find(|f| f.name() == name)
    }

    /// The value at `x`.
    pub fn eval(self, x: f64) -> f64 {
        match self {
            Special::Erfc => libm::erfc(x),
            Special::Erfcx => erfcx(x),
            Special::Erfinv if x.abs() > 1.0 => f64::NAN,
            Special::Erfinv => inverse(x.abs(), 1.0 - x.abs()).copysign(x),
            Special::Ndtri => ndtri(x),
            Special::LogNdtr if x < -1.0 => (0.5 * erfcx(-x * FRAC_1_SQRT_2)).ln() - 0.5 * x * x,
            Special::LogNdtr => (-0.5 * libm::erfc(x * FRAC_1_SQRT_2)).ln_1p(),
            Special::Lgamma => libm::lgamma(x),
            Special::Polygamma(0) => digamma(x),
            Special::Polygamma(n) => {
                let size = libm::tgamma(f64::from(n) + 1.0) * zeta(n + 1, x);
                if n % 2 == 1 { size } else { -size }
            }
            Special::I0 => bessel_i(0, x, false),
            Special::I0e => bessel_i(0, x, true),
            Special::I1 => bessel_i(1, x, false),
            Special::I1e => bessel_i(1, x, true),
            Special::J0 => libm::j0(x),
            Special::J1 => libm::j1(x),
        }
    }

    /// The derivative at `x`, where the value is `y`.
    #[inline(always)]
    pub fn slope<S: Real>(self, x: S, y: S) -> S {
        let sign = || S::select(x.eq(S::ZERO), S::ZERO, S::ONE.copysign(x));
        // I₁(x)/x and J₁(x)/x are 1/2 at 0; dividing by one there keeps what is not chosen finite.
        let by_x = |y: S| {
            let zero = x.eq(S::ZERO);
            S::select(zero, S::lit(0.5), y / S::select(zero, S::ONE, x))
        };
        match self {
            Special::Erfc => S::lit(-FRAC_2_SQRT_PI) * (-(x * x)).exp(),
            Special::Erfcx => S::lit(2.0) * x * y - S::lit(FRAC_2_SQRT_PI),
            Special::Erfinv => S::lit(1.0 / FRAC_2_SQRT_PI) * (y * y).exp(),
            Special::Ndtri => S::lit(TAU.sqrt()) * (S::lit(0.5) * (y * y)).exp(),
            Special::LogNdtr => {
                S::lit((2.0 / PI).sqrt()) / (x * S::lit(-FRAC_1_SQRT_2)).special(Special::Erfcx)
            }
            Special::Lgamma => x.special(Special::Polygamma(0)),
            Special::Polygamma(n) => x.special(Special::Polygamma(n + 1)),
            Special::I0 => x.special(Special::I1),
            Special::I0e => x.special(Special::I1e) - sign() * y,
            Special::I1 => x.special(Special::I0) - by_x(y),
            Special::I1e => x.special(Special::I0e) - sign() * y - by_x(y),
            Special::J0 => -x.special(Special::J1),
            Special::J1 => x.special(Special::J0) - by_x(y),
        }
    }
}

/// exp(x²) erfc x; from 2 on by its continued fraction, which has no large factor.
fn erfcx(x: f64) -> f64 {
    if x < 2.0 {
        return (x * x).exp() * libm::erfc(x);
    }
    let rest = (1..=120)
        .rev()
        .fold(0.0, |rest, k| f64::from(k) * 0.5 / (x + rest));
    0.5 * FRAC_2_SQRT_PI / (x + rest)
}

/// The y ≥ 0 with erf y = x and erfc y = q, for x + q = 1: a closed approximation (Winitzki, 2008) and Halley steps,
/// on whichever of the two is small.
fn inverse(x: f64, q: f64) -> f64 {
    if x == 0.0 || q == 0.0 || x.is_nan() {
        return x / q;
    }
    let (a, ln) = (0.147, (q * (1.0 + x)).ln());
    let b = 2.0 / (PI * a) + 0.5 * ln;
    let mut y = ((b * b - ln / a).sqrt() - b).sqrt();
    for _ in 0..3 {
        let error = if x < 0.5 {
            Real::erf(y) - x
        } else {
            q - libm::erfc(y)
        };
        let step = error / (FRAC_2_SQRT_PI * (-y * y).exp());
        y -= step / (1.0 + y * step);
    }
    y
}

fn ndtri(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let q = 2.0 * p.min(1.0 - p);
    (SQRT_2 * inverse(1.0 - q, q)).copysign(p - 0.5)
}

/// The derivative of ln Γ: reflected to positive numbers, raised by its recurrence to 10, and there its asymptotic
/// series (Abramowitz and Stegun, 6.3).
fn digamma(x: f64) -> f64 {
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

/// Hurwitz's ζ(s, x) = Σ (x + k)^(−s): terms up to 15, then Euler's and Maclaurin's formula for the rest.
fn zeta(s: u32, x: f64) -> f64 {
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
    let p = f64::from(s);
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

/// The modified Bessel function of order 0 or 1, if `scaled` times exp(−|x|): its power series, whose terms all have one
/// sign, and from 30 on the asymptotic one (Abramowitz and Stegun, 9.6 and 9.7).
fn bessel_i(order: u32, x: f64, scaled: bool) -> f64 {
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
