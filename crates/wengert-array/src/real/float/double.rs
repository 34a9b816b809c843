//! The elementary functions of 64-bit floats.

use super::{Double, ROUND64, at_least, at_most, poly};

/// ln 2 in two parts. The first is so short that its product with an exponent is exact.
const LN2_64: (f64, f64) = (0.6931471803691238, 1.9082149292705877e-10);
/// As [`ROUND64`], after which the low bits are those of the integer and 2 · 1023: the exponents of two powers of two.
const ROUND_FAR64: f64 = ROUND64 + 2046.0;

/// −2046 ln 2: e to all below is a product of exact zeros, as in 32 bits.
const NOTHING64: f64 = -1418.179131425648;

/// `e^x` within 1 ULP, as [`exp32`].
#[inline(always)]
pub(super) fn exp64<S: Double>(x: S) -> S {
    let x = at_least(at_most(x, 710.0), NOTHING64);
    let z = x.mul_add(S::new(std::f64::consts::LOG2_E), S::new(ROUND_FAR64));
    let n = z - S::new(ROUND_FAR64);
    let r = n.mul_add(S::new(-LN2_64.1), n.mul_add(S::new(-LN2_64.0), x));
    scaled_exp64(r, z)
}

/// `2^x` within 1.1 ULP.
#[inline(always)]
pub(super) fn exp2_64<S: Double>(x: S) -> S {
    let x = at_least(at_most(x, 1025.0), -2046.0);
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

/// A positive finite `x` as `(m − 1, k)` with `x = m · 2ᵏ` and √½ ≤ m < √2; `m − 1` is exact.
#[inline(always)]
fn split64<S: Double>(x: S) -> (S, S) {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let tiny = x.raw() < f64::MIN_POSITIVE;
    let scaled = S::select(tiny, x * S::new(4503599627370496.0), x);
    let bits = scaled.raw().to_bits().wrapping_sub(SQRT_HALF);
    // k + 1075 is positive, so the shift can be unsigned; it becomes a float by standing in the low bits of one.
    let k = f64::from_bits((bits.wrapping_add(1075 << 52) >> 52) | ROUND64.to_bits());
    let k = S::new(k) - S::new(ROUND64) - S::select(tiny, S::new(1127.0), S::new(1075.0));
    let m = f64::from_bits((bits & 0xf_ffff_ffff_ffff).wrapping_add(SQRT_HALF));
    (S::new(m) - S::ONE, k)
}

/// ln (1 + f) for 1 + f between √½ and √2, as f − (h − y): `(h, y)`.
///
/// With s = f / (2 + f) it is 2 artanh s, whose series in s² converges fast (off by 2⁻⁵⁹), summed so that f is exact and
/// h = f²/2.
#[inline(always)]
fn ln_kernel64<S: Double>(f: S) -> (S, S) {
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
    (half, s * p.mul_add(z, half))
}

/// `y`, but what a logarithm is where `x`, of which it is, is not positive and finite. Infinity and NaN are their own.
#[inline(always)]
fn ln_ends64<S: Double>(x: S, y: S) -> S {
    let y = S::select(x.lt(S::new(f64::INFINITY)), y, x);
    let y = S::select(x.lt(S::ZERO), S::new(f64::NAN), y);
    S::select(x.eq(S::ZERO), S::new(f64::NEG_INFINITY), y)
}

/// `ln x` within 1 ULP.
#[inline(always)]
pub(super) fn ln64<S: Double>(x: S) -> S {
    let (f, k) = split64(x);
    let (half, y) = ln_kernel64(f);
    let y = k.mul_add(S::new(LN2_64.1), y);
    ln_ends64(x, k.mul_add(S::new(LN2_64.0), f - (half - y)))
}

/// `x` with the sign of `sign`, for x ≥ 0.
#[inline(always)]
pub(super) fn with_sign64<S: Double>(x: S, sign: S) -> S {
    S::new(f64::from_bits(
        x.raw().to_bits() | (sign.raw().to_bits() & (1 << 63)),
    ))
}

/// `a + b` as a rounded sum and its rounding error.
#[inline(always)]
fn exact_sum<S: Double>(a: S, b: S) -> (S, S) {
    let sum = a + b;
    let other = sum - a;
    (sum, (a - (sum - other)) + (b - other))
}

/// `a − b` as a rounded difference and its rounding error, where |a| ≥ |b| or there is no error (Dekker, 1971).
#[inline(always)]
fn exact_difference<S: Double>(a: S, b: S) -> (S, S) {
    let rest = a - b;
    (rest, (a - rest) - b)
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

/// `sin x`, or `cos x`, within 1 ULP where |x| < 2²⁰, and whether it is there.
///
/// Whole multiples of π/2 are taken off in four parts, of which the first three have 33 bits: their products are exact
/// (Cody and Waite, 1980). What remains, of twice the digits, is at most π/4, for which the polynomials are off by 2⁻⁵⁸.
#[inline(always)]
pub(super) fn turn_near64<S: Double>(x: S, cosine: bool) -> (S, bool) {
    const PARTS: [f64; 4] = [
        1.5707963267341256,
        6.077100506303966e-11,
        2.0222662487111665e-21,
        8.4784276603689e-32,
    ];
    let a = x.abs();
    let z = a.mul_add(S::new(std::f64::consts::FRAC_2_PI), S::new(ROUND64));
    let n = z - S::new(ROUND64);
    // Where a part is larger than what it is taken off, the difference has no rounding error.
    let (high, lost) = exact_difference(n.mul_add(S::new(-PARTS[0]), a), n * S::new(PARTS[1]));
    let (high, lost2) = exact_difference(high, n * S::new(PARTS[2]));
    let low = lost + n.mul_add(S::new(-PARTS[3]), lost2);
    let r = high + low;
    let low = (high - r) + low;

    let r2 = r * r;
    let half = S::new(0.5) * r2;
    let s = poly(
        r2,
        [
            -0.16666666666666632,
            0.008333333333322413,
            -0.0001984126982980783,
            2.7557313691924606e-06,
            -2.505075811624782e-08,
            1.5896795707506886e-10,
        ],
    );
    let s = r + (r * r2).mul_add(s, low - half * low);
    let c = poly(
        r2,
        [
            0.0416666666666666,
            -0.001388888888887413,
            2.4801587289483936e-05,
            -2.755731435266466e-07,
            2.0875723300986792e-09,
            -1.1359648576297289e-11,
        ],
    );
    let one = S::ONE - half;
    let c = one + ((S::ONE - one - half) + (r2 * r2).mul_add(c, -(r * low)));

    let quadrant = z.raw().to_bits().wrapping_add(u64::from(cosine));
    let y = S::select(quadrant & 1 == 0, s, c).raw().to_bits() ^ ((quadrant & 2) << 62);
    let sign = if cosine { 0 } else { x.raw().to_bits() & (1 << 63) };
    (S::new(f64::from_bits(y ^ sign)), a.lt(S::new(1048576.0)))
}

/// ln a in two parts, off by 2⁻⁶⁷ of itself, for a positive finite `a`.
///
/// As [`ln_kernel64`], ln m = 2 artanh s = 2 s + s z (2/3 + z · a polynomial) with s = f / (2 + f) and z = s²; all but the polynomial,
/// which is off by 2⁻⁵⁷ and counts for little, is computed in two parts.
#[inline(always)]
fn ln_parts64<S: Double>(a: S) -> (S, S) {
    let (f, k) = split64(a);
    let (sum, lost) = exact_sum(S::new(2.0), f);
    let inverse = S::ONE / sum;
    let s = f * inverse;
    let (product, error) = s.exact_product(sum);
    let s_low = ((f - product) - error - s * lost) * inverse;
    let (z, error) = s.exact_product(s);
    let z_low = (s + s).mul_add(s_low, error);
    let q = poly(
        z,
        [
            0.4,
            0.2857142857142937,
            0.2222222222165491,
            0.18181818335591193,
            0.1538459494328934,
            0.13334805650345932,
            0.11706212751302199,
            0.11723407118655466,
        ],
    );
    let (c, error) = exact_sum(S::new(2.0 / 3.0), z * q);
    let c_low = error + S::new(3.700743415417188e-17);
    let (cube, error) = s.exact_product(z);
    let cube_low = s.mul_add(z_low, s_low.mul_add(z, error));
    let (t, error) = cube.exact_product(c);
    let t_low = cube.mul_add(c_low, cube_low.mul_add(c, error));
    let (y, first) = exact_sum(k * S::new(LN2_64.0), s + s);
    let (y, second) = exact_sum(y, t);
    let low = k.mul_add(S::new(LN2_64.1), (s_low + s_low) + t_low);
    (y, (first + second) + low)
}

/// `x^p` within 1.2 ULP, as e^(p ln x) with the logarithm and the product in two parts.
#[inline(always)]
pub(super) fn pow64<S: Double>(x: S, p: S) -> S {
    let (a, ap) = (x.abs(), p.abs());
    let infinity = S::new(f64::INFINITY);
    let (ln, low) = ln_parts64(a);
    let ln = S::select(a.lt(infinity), ln, a);
    let ln = S::select(a.eq(S::ZERO), S::new(f64::NEG_INFINITY), ln);

    // However near one x is, larger powers come to nothing else.
    let power = at_least(at_most(p, 1e20), -1e20);
    let (y, error) = power.exact_product(ln);
    let rest = S::select(y.abs().lt(S::new(760.0)), power.mul_add(low, error), S::ZERO);
    let y = at_least(at_most(y, 760.0), NOTHING64);
    let z = y.mul_add(S::new(std::f64::consts::LOG2_E), S::new(ROUND_FAR64));
    let n = z - S::new(ROUND_FAR64);
    let r = n.mul_add(S::new(-LN2_64.1), n.mul_add(S::new(-LN2_64.0), y));
    let y = scaled_exp64(r + rest, z);

    // Adding 2^52 puts an integer's units digit in the lowest bit; from 2^52 on it stands there already.
    let step = S::new(4503599627370496.0);
    let shifted = S::select(ap.lt(step), ap + step, ap);
    let whole = ap.ge(step) | (shifted - step).eq(ap);
    let odd = whole & ap.lt(step + step) & (shifted.raw().to_bits() & 1 == 1);
    let sign = if odd { x.raw().to_bits() & (1 << 63) } else { 0 };
    let y = S::new(f64::from_bits(y.raw().to_bits() ^ sign));

    let undefined = x.lt(S::ZERO) & a.lt(infinity) & !whole;
    let y = S::select(undefined, S::new(f64::NAN), y);
    let one = p.eq(S::ZERO) | x.eq(S::ONE) | (a.eq(S::ONE) & ap.eq(infinity));
    S::select(one, S::ONE, y)
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

/// `e^x − 1` within 1 ULP: (2ⁿ − 1) + 2ⁿ (e^r − 1), halved so that 2ⁿ stays in range, with the rounding errors of what is large.
/// The polynomial is off by 2⁻⁶¹.
#[inline(always)]
pub(super) fn exp_m1_64<S: Double>(x: S) -> S {
    let near = at_least(at_most(x, 710.0), -60.0);
    let z = near.mul_add(S::new(std::f64::consts::LOG2_E), S::new(ROUND64));
    let n = z - S::new(ROUND64);
    let upper = n.mul_add(S::new(-LN2_64.0), near);
    let lower = n * S::new(-LN2_64.1);
    let r = upper + lower;
    let lost = (upper - r) + lower;
    let q = poly(
        r,
        [
            0.5,
            0.16666666666666677,
            0.0416666666666667,
            0.008333333333321615,
            0.0013888888888866837,
            0.0001984126988615893,
            2.4801587360559372e-05,
            2.7557244181507833e-06,
            2.755724275663013e-07,
            2.510904503598162e-08,
            2.0924444328461833e-09,
        ],
    );
    let q = q.mul_add(r * r, r.mul_add(lost, lost));
    let n = (z.raw().to_bits() as i64).wrapping_sub(ROUND64.to_bits() as i64);
    // Half of 2ⁿ.
    let scale = S::new(f64::from_bits((n.wrapping_add(1022) as u64) << 52));
    let (sum, error) = exact_sum(scale - S::new(0.5), scale * r);
    let y = (sum + scale.mul_add(q, error)) * S::new(2.0);
    S::select(x.abs().lt(S::new(1e-17)), x, y)
}

/// `ln(1 + x)` within 1 ULP: as [`ln64`] of the rounded sum, and what rounding took from that times the slope there.
#[inline(always)]
pub(super) fn ln_1p_64<S: Double>(x: S) -> S {
    let sum = x + S::ONE;
    let (f, k) = split64(sum);
    let (half, y) = ln_kernel64(f);
    // From the larger of the two.
    let lost = S::select(S::ONE.lt(x), S::ONE - (sum - x), x - (sum - S::ONE));
    let y = k.mul_add(S::new(LN2_64.1), y + lost / sum);
    let y = k.mul_add(S::new(LN2_64.0), f - (half - y));
    // Zeros keep their sign.
    S::select(x.eq(S::ZERO), x, ln_ends64(sum, y))
}

/// A logarithm within 1 ULP, given a unit's logarithm and that of 2, each in two parts, of which the first times a number of 21
/// bits is exact: ln m is taken in two parts as well.
#[inline(always)]
fn log64<S: Double>(x: S, e: (f64, f64), two: (f64, f64)) -> S {
    let (f, k) = split64(x);
    let (half, y) = ln_kernel64(f);
    let upper = S::new(f64::from_bits((f - half).raw().to_bits() & !0xffff_ffff));
    let lower = ((f - upper) - half) + y;
    let (m, lost) = exact_sum(k * S::new(two.0), upper * S::new(e.0));
    let low = (upper + lower).mul_add(S::new(e.1), lower * S::new(e.0));
    let low = k.mul_add(S::new(two.1), low);
    ln_ends64(x, m + (low + lost))
}

/// `log₂ x` within 1 ULP; exact for powers of two.
#[inline(always)]
pub(super) fn log2_64<S: Double>(x: S) -> S {
    log64(x, (1.4426950216293335, 1.9259629911266175e-08), (1.0, 0.0))
}

/// `log₁₀ x` within 1 ULP; exact for powers of ten.
#[inline(always)]
pub(super) fn log10_64<S: Double>(x: S) -> S {
    let e = (0.4342944622039795, 1.9699272335463627e-08);
    log64(x, e, (0.30102999566383914, 1.42050232272661e-13))
}

/// `atan x` within 1 ULP: that of the nearest of 0, ½, 1, 1½ and ∞, and of the angle between the two, which has a tangent up to
/// 7/16, for which the odd polynomial is off by 2⁻⁵⁷.
#[inline(always)]
pub(super) fn atan64<S: Double>(x: S) -> S {
    let a = x.abs();
    // Up to the first number: the tangent of the middle, its arc in two parts.
    const ARCS: [(f64, f64, f64, f64); 3] = [
        (2.4375, 1.5, 0.982793723247329, 1.3903311031230998e-17),
        (1.1875, 1.0, std::f64::consts::FRAC_PI_4, 3.061616997868383e-17),
        (0.6875, 0.5, 0.4636476090008061, 2.2698777452961687e-17),
    ];
    let (mut above, mut below) = (-S::ONE, a);
    let (mut high, mut low) = (S::new(std::f64::consts::FRAC_PI_2), S::new(6.123233995736766e-17));
    for (end, middle, arc, rest) in ARCS {
        let within = a.lt(S::new(end));
        above = S::select(within, a - S::new(middle), above);
        below = S::select(within, a.mul_add(S::new(middle), S::ONE), below);
        high = S::select(within, S::new(arc), high);
        low = S::select(within, S::new(rest), low);
    }
    let near = a.lt(S::new(0.4375));
    let t = S::select(near, a, above / below);
    high = S::select(near, S::ZERO, high);
    low = S::select(near, S::ZERO, low);
    let z = t * t;
    let p = poly(
        z,
        [
            -0.3333333333333293,
            0.1999999999987616,
            -0.14285714272480643,
            0.11111110404611799,
            -0.09090887114553294,
            0.0769187593932336,
            -0.06661070705158169,
            0.05833555689650483,
            -0.04976824312474459,
            0.036530438182669905,
            -0.01628477935607485,
        ],
    );
    let y = high + (t + (t * z).mul_add(p, low));
    with_sign64(y, x)
}

/// What the quotient rounded toward zero leaves of `a`, and whether it is right, as it is where the quotient is below 2²².
///
/// The rounded quotient times b is taken off in two parts, exactly. Rounding may have reached the next integer, whose
/// remainder is on the other side of zero.
#[inline(always)]
pub(super) fn rem_near64<S: Double>(a: S, b: S) -> (S, bool) {
    let (size, by) = (a.abs(), b.abs());
    let quotient = (size / by).trunc();
    let (product, error) = quotient.exact_product(by);
    let rest = (size - product) - error;
    let rest = S::select(rest.lt(S::ZERO), rest + by, rest);
    let rest = S::select(size.lt(by), size, rest);
    let fits = size.lt(S::new(1e300)) & by.gt(S::new(1e-280));
    (with_sign64(rest, a), quotient.lt(S::new(4194304.0)) & fits)
}
