//! The elementary functions of 64-bit floats.

use super::{Double, ROUND64, Special, at_least, at_most, poly};

/// ln 2 in two parts. The first is so short that its product with an exponent is exact.
const LN2_64: (f64, f64) = (0.6931471803691238, 1.9082149292705877e-10);
/// As [`ROUND64`], after which the low bits are those of the integer and 2 · 1023: the exponents of two powers of two.
const ROUND_FAR64: f64 = ROUND64 + 2046.0;

/// `e^x` within 1 ULP, as [`exp32`].
#[inline(always)]
pub(super) fn exp64<S: Double>(x: S) -> S {
    let x = at_least(at_most(x, 710.0), -746.0);
    let z = x.mul_add(S::new(std::f64::consts::LOG2_E), S::new(ROUND_FAR64));
    let n = z - S::new(ROUND_FAR64);
    let r = n.mul_add(S::new(-LN2_64.1), n.mul_add(S::new(-LN2_64.0), x));
    scaled_exp64(r, z)
}

/// `2^x` within 1.1 ULP.
#[inline(always)]
pub(super) fn exp2_64<S: Double>(x: S) -> S {
    let x = at_least(at_most(x, 1025.0), -1077.0);
    let z = x + S::new(ROUND_FAR64);
    let r = (x - (z - S::new(ROUND_FAR64))) * S::new(std::f64::consts::LN_2);
    scaled_exp64(r, z)
}

/// `e^r · 2ⁿ` for |r| ≤ 0.347 by a polynomial that is off by 2⁻⁶¹, and z = n + [`ROUND_FAR64`].
#[inline(always)]
fn scaled_exp64<S: Double>(r: S, z: S) -> S {
    let q = poly(
        r,
        [
            0.5,
            0.1666666666666668,
            0.04166666666666729,
            0.008333333333320201,
            0.0013888888888573356,
            0.0001984126988963277,
            2.480158793374643e-05,
            2.755724058731378e-06,
            2.7556766738855554e-07,
            2.51103593265976e-08,
            2.106576105214162e-09,
        ],
    );
    // In two steps: 2ⁿ may be out of range where the result is not.
    let z = z.raw().to_bits();
    let power = |exponent: u64| S::new(f64::from_bits(exponent << 52));
    let half = power(z >> 1);
    q.mul_add(r * r, r).mul_add(half, half) * power(z.wrapping_sub(z >> 1))
}

/// `ln x` within 1 ULP.
///
/// With f = m − 1 and s = f / (2 + f), ln m = 2 artanh s, whose series in s² converges fast (off by 2⁻⁵⁹). It
/// is summed as f − (f²/2 − s · (f²/2 + …)), in which the leading term f is exact.
#[inline(always)]
pub(super) fn ln64<S: Double>(x: S) -> S {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let tiny = x.raw() < f64::MIN_POSITIVE;
    let scaled = S::select(tiny, x * S::new(4503599627370496.0), x);
    let bits = scaled.raw().to_bits().wrapping_sub(SQRT_HALF);
    // k + 1075 is positive, so the shift can be unsigned; it becomes a float by standing in the low bits of one.
    let k = f64::from_bits((bits.wrapping_add(1075 << 52) >> 52) | ROUND64.to_bits());
    let k = S::new(k) - S::new(ROUND64) - S::select(tiny, S::new(1127.0), S::new(1075.0));
    let m = f64::from_bits((bits & 0xf_ffff_ffff_ffff).wrapping_add(SQRT_HALF));
    let f = S::new(m) - S::ONE;
    let s = f / (f + S::new(2.0));
    let z = s * s;
    let p = poly(
        z,
        [
            0.6666666666666734,
            0.39999999999416364,
            0.2857142874201706,
            0.22222198610627694,
            0.1818356241264813,
            0.1531409866079245,
            0.14795476737752836,
        ],
    );
    let half = S::new(0.5) * f * f;
    let y = s.mul_add(p.mul_add(z, half), k * S::new(LN2_64.1));
    let y = k.mul_add(S::new(LN2_64.0), f - (half - y));
    let y = S::select(x.lt(S::new(f64::INFINITY)), y, x);
    let y = S::select(x.lt(S::ZERO), S::new(f64::NAN), y);
    S::select(x.eq(S::ZERO), S::new(f64::NEG_INFINITY), y)
}

/// `x` with the sign of `sign`, for x ≥ 0.
#[inline(always)]
pub(super) fn with_sign64<S: Double>(x: S, sign: S) -> S {
    S::new(f64::from_bits(
        x.raw().to_bits() | (sign.raw().to_bits() & (1 << 63)),
    ))
}

/// `sin x` by the standard library, so not vectorised, like the others of which this is said.
#[inline(always)]
pub(super) fn sin64<S: Double>(x: S) -> S {
    S::new(x.raw().sin())
}

/// `cos x`, by the standard library.
#[inline(always)]
pub(super) fn cos64<S: Double>(x: S) -> S {
    S::new(x.raw().cos())
}

/// `x^p`, by the standard library.
#[inline(always)]
pub(super) fn pow64<S: Double>(x: S, p: S) -> S {
    S::new(x.raw().powf(p.raw()))
}

/// `tanh x` within 2 ULP, as [`tanh32`] with a polynomial that is off by 2⁻⁶⁰.
#[inline(always)]
pub(super) fn tanh64<S: Double>(x: S) -> S {
    let a = x.abs();
    let z = a * a;
    let p = poly(
        z,
        [
            -0.333333333333333,
            0.13333333333326622,
            -0.0539682539637605,
            0.021869488385853106,
            -0.008863232601401889,
            0.0035920920300866297,
            -0.0014555428437795965,
            0.0005884444791027479,
            -0.00023338154946788767,
            8.331642757989915e-05,
            -1.9494676789769786e-05,
        ],
    );
    let near = (p * z).mul_add(a, a);
    let far = S::ONE - S::new(2.0) / (exp64(a + a) + S::ONE);
    with_sign64(S::select(a.lt(S::new(0.55)), near, far), x)
}

/// The normal distribution function, off by 2⁻⁵³ at most.
#[inline(always)]
pub(super) fn cdf64<S: Double>(x: S) -> S {
    S::new(0.5) * (S::ONE + erf64(x * S::new(std::f64::consts::FRAC_1_SQRT_2)))
}

/// `erf x` within 1.5 ULP.
///
/// Below 1 an odd polynomial (off by 2⁻⁵⁶). Above, 1 − e^(−x²) · a polynomial in (x − 2) / (x + 2), the variable
/// in which e^(x²) erfc x is smooth out to infinity (Schonfelder, 1978); off by 2⁻⁶², and from 6 on it is 1.
#[inline(always)]
pub(super) fn erf64<S: Double>(x: S) -> S {
    let a = x.abs();
    let z = a * a;
    let p = poly(
        z,
        [
            0.12837916709551256,
            -0.3761263890318352,
            0.11283791670944185,
            -0.02686617064311151,
            0.005223977606118751,
            -0.000854832592932579,
            0.00012055293577199674,
            -1.492471230721731e-05,
            1.6447131630213587e-06,
            -1.6206314174210144e-07,
            1.3710982053571266e-08,
            -7.779471325247432e-10,
        ],
    );
    let near = p.mul_add(a, a);
    let b = at_most(a, 6.0);
    let t = (b - S::new(2.0)) / (b + S::new(2.0));
    let p = poly(
        t,
        [
            0.25539567631050575,
            -0.4271858474139583,
            0.2416581942424577,
            -0.0789785810158729,
            0.0037328924052847257,
            0.006997461763893481,
            -0.0008471432028079391,
            -0.0009819781694854022,
            4.354943800657641e-05,
            0.0001743705761392471,
            2.7668163175962675e-05,
            -2.7319814338903016e-05,
            -1.4626532370807027e-05,
            -1.6466503316853002e-06,
        ],
    );
    let far = S::ONE - exp64(-b * b) * p;
    with_sign64(S::select(a.lt(S::ONE), near, far), x)
}

/// `e^x − 1`, by the standard library.
#[inline(always)]
pub(super) fn exp_m1_64<S: Double>(x: S) -> S {
    S::new(x.raw().exp_m1())
}

/// `ln(1 + x)`, by the standard library.
#[inline(always)]
pub(super) fn ln_1p_64<S: Double>(x: S) -> S {
    S::new(x.raw().ln_1p())
}

/// `log₂ x`, by the standard library.
#[inline(always)]
pub(super) fn log2_64<S: Double>(x: S) -> S {
    S::new(x.raw().log2())
}

/// `log₁₀ x`, by the standard library.
#[inline(always)]
pub(super) fn log10_64<S: Double>(x: S) -> S {
    S::new(x.raw().log10())
}

/// `atan x`, by the standard library.
#[inline(always)]
pub(super) fn atan64<S: Double>(x: S) -> S {
    S::new(x.raw().atan())
}

/// The remainder, by the standard library.
#[inline(always)]
pub(super) fn rem_near64<S: Double>(a: S, b: S) -> (S, bool) {
    (a.rem(b), true)
}

/// A special function, one number at a time.
#[inline(always)]
pub(super) fn special64<S: Double>(x: S, f: Special) -> S {
    S::new(f.eval(x.raw()))
}
