//! Functions that are asked for too rarely to be vectorised: one call for each element, in 64 bits. Those that are not so rare, most
//! of them of `f32` alone, have loops of their own beside.

use super::Real;
use super::airy::airy;
use super::bessel::{bessel_i, bessel_k};
use super::gamma::{digamma, zeta};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI, SQRT_2, TAU};

/// A rarely used function of one number.
///
/// Relative errors are below 2·10⁻¹⁵ (1·10⁻¹⁴ for `Polygamma`, `Ndtri` and the Bessel functions), measured
/// against mpmath; near a root that is not at 0, the bound holds for the absolute error. `Erfinv` is within 2 units in
/// the last place, and of `f32` `Lgamma` and `Polygamma` of order 0 and 1 within 0.6, or near a root below 2⁻³⁶.
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
    /// The Bessel function of the second kind, order 0.
    Y0,
    /// The Bessel function of the second kind, order 1.
    Y1,
    /// The modified Bessel function of the second kind, order 0.
    K0,
    /// exp(x) times that.
    K0e,
    /// The modified Bessel function of the second kind, order 1.
    K1,
    /// exp(x) times that.
    K1e,
    /// The spherical Bessel function of the first kind, order 0: sin x / x.
    SphericalJ0,
    /// The Airy function Ai, to within |x|^1.5 times the error of the others.
    Airy,
    /// Its derivative.
    AirySlope,
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
            Special::Y0 => "bessel_y0",
            Special::Y1 => "bessel_y1",
            Special::K0 => "modified_bessel_k0",
            Special::K0e => "scaled_modified_bessel_k0",
            Special::K1 => "modified_bessel_k1",
            Special::K1e => "scaled_modified_bessel_k1",
            Special::SphericalJ0 => "spherical_bessel_j0",
            Special::Airy => "airy_ai",
            Special::AirySlope => "airy_ai_prime",
        }
    }

    /// The function of that name, of which [`Polygamma`](Special::Polygamma) has none: it is traced with its order.
    pub fn named(name: &str) -> Option<Special> {
        use Special::*;
        [
            Erfc,
            Erfcx,
            Erfinv,
            Ndtri,
            LogNdtr,
            Lgamma,
            I0,
            I0e,
            I1,
            I1e,
            J0,
            J1,
            Y0,
            Y1,
            K0,
            K0e,
            K1,
            K1e,
            SphericalJ0,
            Airy,
            AirySlope,
        ]
        .into_iter()
        .find(|f| f.name() == name)
    }

    /// The value at `x`.
    pub fn eval(self, x: f64) -> f64 {
        match self {
            Special::Erfc => libm::erfc(x),
            Special::Erfcx => erfcx(x),
            Special::Erfinv => x.special(self),
            Special::Ndtri => ndtri(x),
            Special::LogNdtr if x < -1.0 => (0.5 * erfcx(-x * FRAC_1_SQRT_2)).ln() - 0.5 * x * x,
            Special::LogNdtr => (-0.5 * libm::erfc(x * FRAC_1_SQRT_2)).ln_1p(),
            Special::Lgamma => libm::lgamma(x),
            Special::Polygamma(0) => digamma(x),
            Special::Polygamma(n) => {
                let size = libm::tgamma(f64::from(n) + 1.0) * zeta(f64::from(n + 1), x);
                if n % 2 == 1 { size } else { -size }
            }
            Special::I0 => bessel_i(0, x, false),
            Special::I0e => bessel_i(0, x, true),
            Special::I1 => bessel_i(1, x, false),
            Special::I1e => bessel_i(1, x, true),
            Special::J0 => libm::j0(x),
            Special::J1 => libm::j1(x),
            Special::Y0 => libm::y0(x),
            Special::Y1 => libm::y1(x),
            Special::K0 => bessel_k(x, false)[0],
            Special::K0e => bessel_k(x, true)[0],
            Special::K1 => bessel_k(x, false)[1],
            Special::K1e => bessel_k(x, true)[1],
            Special::SphericalJ0 if x == 0.0 => 1.0,
            Special::SphericalJ0 if x.is_infinite() => 0.0,
            Special::SphericalJ0 => x.sin() / x,
            Special::Airy => airy(x)[0],
            Special::AirySlope => airy(x)[1],
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
            Special::Y0 => -x.special(Special::Y1),
            Special::Y1 => x.special(Special::Y0) - y / x,
            Special::K0 => -x.special(Special::K1),
            Special::K0e => y - x.special(Special::K1e),
            Special::K1 => -x.special(Special::K0) - y / x,
            Special::K1e => y - x.special(Special::K0e) - y / x,
            Special::SphericalJ0 => {
                let zero = x.eq(S::ZERO);
                S::select(zero, S::ZERO, (x.cos() - y) / S::select(zero, S::ONE, x))
            }
            Special::Airy => x.special(Special::AirySlope),
            Special::AirySlope => x * x.special(Special::Airy),
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

#[cfg(test)]
mod tests {
    use super::Special::{self, *};

    #[test]
    fn functions_match_known_values() {
        // From mpmath, to 40 digits before rounding.
        let known: [(Special, &[(f64, f64)]); 22] = [
            (
                Erfc,
                &[
                    (-2.0, 1.9953222650189528),
                    (-0.3, 1.3286267594591274),
                    (0.1, 0.887537083981715),
                    (1.5, 0.033894853524689274),
                    (4.0, 1.541725790028002e-08),
                    (10.0, 2.088487583762545e-45),
                    (26.0, 5.663192408856143e-296),
                ],
            ),
            (
                Erfcx,
                &[
                    (-2.0, 108.94090438997797),
                    (0.1, 0.8964569799691267),
                    (1.9, 0.26650937366167265),
                    (2.0, 0.25539567631050575),
                    (2.5, 0.2108063640611436),
                    (10.0, 0.05614099274382259),
                    (100.0, 0.005641613782989433),
                    (10000000000.0, 5.641895835477563e-11),
                ],
            ),
            (
                Erfinv,
                &[
                    (1e-12, 8.86226925452758e-13),
                    (0.1, 0.08885599049425769),
                    (-0.5, -0.4769362762044699),
                    (0.75, 0.8134198475976185),
                    (0.99, 1.8213863677184494),
                    (-0.999999999, -4.320005388105362),
                    (0.9999999999999998, 5.805018683193453),
                ],
            ),
            (
                Ndtri,
                &[
                    (1e-300, -37.0470962993612),
                    (1e-10, -6.361340902404057),
                    (0.1, -1.2815515655446004),
                    (0.4999, -0.00025066283008800747),
                    (0.75, 0.6744897501960817),
                    (0.999, 3.090232306167813),
                ],
            ),
            (
                LogNdtr,
                &[
                    (-100.0, -5005.524208694205),
                    (-5.0, -15.064998393988725),
                    (-1.01, -1.8563130623431785),
                    (-1.0, -1.8410216450092636),
                    (1.0, -0.17275377902344988),
                    (5.0, -2.866516129637636e-07),
                ],
            ),
            (
                Lgamma,
                &[
                    (0.1, 2.252712651734206),
                    (0.5, 0.5723649429247001),
                    (1.5, -0.12078223763524522),
                    (3.7, 1.428072326665388),
                    (100.0, 359.1342053695754),
                    (1000000.0, 12815504.569147611),
                    (-0.5, 1.2655121234846454),
                    (-3.3, -0.8243558050174264),
                ],
            ),
            (
                Polygamma(0),
                &[
                    (0.1, -10.423754940411076),
                    (1.0, -0.5772156649015329),
                    (1.5, 0.03648997397857652),
                    (3.7, 1.1671535393615113),
                    (100.0, 4.600161852738087),
                    (-0.5, 0.03648997397857652),
                    (-3.3, 3.620353460592126),
                    (-20.7, 0.7715931850825055),
                ],
            ),
            (
                Polygamma(1),
                &[
                    (0.1, 101.43329915079275),
                    (1.0, 1.6449340668482264),
                    (1.5, 0.9348022005446793),
                    (3.7, 0.3100378576700383),
                    (100.0, 0.010050166663333571),
                    (-0.5, 8.934802200544679),
                    (-3.3, 14.817739525515929),
                ],
            ),
            (
                Polygamma(3),
                &[
                    (0.1, 60004.51287679026),
                    (1.0, 6.493939402266829),
                    (3.7, 0.058279217956563614),
                    (100.0, 2.030199990001333e-06),
                    (-0.5, 193.40909103400244),
                ],
            ),
            (
                I0,
                &[
                    (0.0, 1.0),
                    (0.5, 1.0634833707413236),
                    (-3.0, 4.8807925858650245),
                    (12.0, 18948.925349296307),
                    (29.9, 708478330489.0145),
                    (30.1, 862432920031.7792),
                    (100.0, 1.0737517071310738e+42),
                    (700.0, 1.5295933476718737e+302),
                ],
            ),
            (
                I0e,
                &[
                    (0.5, 0.6450352704491501),
                    (-3.0, 0.2430003541618254),
                    (29.9, 0.07326921904600191),
                    (30.1, 0.07302329413106094),
                    (1000.0, 0.012617240455891257),
                ],
            ),
            (
                I1,
                &[
                    (0.5, 0.2578943053908963),
                    (-3.0, -3.9533702174026093),
                    (12.0, 18141.348781638833),
                    (29.9, 696528308361.0927),
                    (30.1, 847983630191.5414),
                    (-100.0, -1.0683693903381625e+42),
                    (700.0, 1.5285003902339006e+302),
                ],
            ),
            (
                I1e,
                &[
                    (0.5, 0.1564208031848717),
                    (-3.0, -0.19682671329730086),
                    (29.9, 0.07203337491186879),
                    (30.1, 0.07179985435101434),
                    (-1000.0, -0.012610930256928629),
                ],
            ),
            (
                J0,
                &[
                    (0.0, 1.0),
                    (0.5, 0.9384698072408129),
                    (3.0, -0.26005195490193345),
                    (12.3, 0.11079795030758544),
                ],
            ),
            (
                J1,
                &[
                    (0.5, 0.2422684576748739),
                    (3.0, 0.3390589585259365),
                    (-12.3, 0.1942588480405914),
                ],
            ),
            (
                Y0,
                &[
                    (0.5, -0.4445187335067066),
                    (3.0, 0.3768500100127906),
                    (12.3, -0.19859309463502633),
                ],
            ),
            (
                Y1,
                &[
                    (0.5, -1.4714723926702433),
                    (3.0, 0.3246744247918001),
                    (12.3, -0.11894840329926633),
                ],
            ),
            (
                K0,
                &[
                    (0.01, 4.721244730161095),
                    (0.5, 0.9244190712276656),
                    (2.0, 0.1138938727495334),
                    (2.5, 0.062347553200366196),
                    (12.3, 1.6107849768886852e-06),
                    (100.0, 4.6566282291759025e-45),
                ],
            ),
            (
                K1,
                &[
                    (0.01, 99.97389411829623),
                    (0.5, 1.6564411200033007),
                    (2.0, 0.13986588181652246),
                    (2.5, 0.07389081634774705),
                    (12.3, 1.6750295538365833e-06),
                ],
            ),
            (
                K0e,
                &[
                    (0.5, 1.5241093857739092),
                    (3.0, 0.6977615980438517),
                    (700.0, 0.04736236945461357),
                ],
            ),
            (
                K1e,
                &[
                    (0.5, 2.7310097082117855),
                    (3.0, 0.806563480128787),
                    (700.0, 0.04739618765349455),
                ],
            ),
            (
                SphericalJ0,
                &[
                    (0.5, 0.958851077208406),
                    (3.0, 0.0470400026866224),
                    (-12.3, -0.021400958647626093),
                ],
            ),
        ];
        for (f, values) in known {
            let bound = match f {
                Polygamma(_) | Ndtri | I0 | I0e | I1 | I1e | J0 | J1 | Y0 | Y1 | K0 | K1 | K0e | K1e => 1e-14,
                _ => 2e-15,
            };
            for &(x, e) in values {
                let y = f.eval(x);
                assert!(
                    (y - e).abs() <= bound * e.abs(),
                    "{f:?}({x:e}) = {y:e}, not {e:e}"
                );
            }
        }
    }

    #[test]
    fn ends_of_domains_are_pytorchs() {
        let inf = f64::INFINITY;
        let cases = [
            (Erfinv, 1.0, inf),
            (Erfinv, -1.0, -inf),
            (Erfinv, 1.5, f64::NAN),
            (Ndtri, 0.0, -inf),
            (Ndtri, 1.0, inf),
            (Ndtri, -0.5, f64::NAN),
            (Lgamma, 0.0, inf),
            (Lgamma, -2.0, inf),
            (Polygamma(0), 0.0, -inf),
            (Polygamma(0), -3.0, f64::NAN),
            (Polygamma(1), -3.0, inf),
            (Polygamma(1), inf, 0.0),
            (I0, inf, inf),
            (I1, -inf, -inf),
            (I0e, inf, 0.0),
            (Erfcx, inf, 0.0),
            (LogNdtr, -inf, -inf),
        ];
        for (f, x, e) in cases {
            let y = f.eval(x);
            assert!(y == e || (y.is_nan() && e.is_nan()), "{f:?}({x}) = {y}, not {e}");
            assert!(f.eval(f64::NAN).is_nan(), "{f:?}(NaN)");
        }
    }
}
