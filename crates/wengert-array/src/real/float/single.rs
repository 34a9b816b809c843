//! The elementary functions of 32-bit floats.

use super::{Double, ROUND64, Real, Single, at_least, at_most, poly};

/// 1.5 · 2²³: adding it to a number below 2²² rounds that to an integer, which stands in the low bits.
const ROUND32: f32 = 12582912.0;
/// ln 2 in two parts. The first is so short that its product with an exponent is exact.
const LN2_32: (f32, f32) = (355.0 / 512.0, -0.00021219444);

/// As [`ROUND32`], after which the low bits are those of the integer and 127: the exponent of a power of two.
const ROUND_EXP32: f32 = ROUND32 + 127.0;
/// With twice as much, for two powers whose product may be out of range where each is not.
const ROUND_FAR32: f32 = ROUND32 + 254.0;

/// `e^r − 1` for |r| ≤ 0.347, as r + r² · a polynomial, which is off by 2⁻²⁸ at most.
#[inline(always)]
fn exp_kernel32<S: Single>(r: S) -> S {
    let q = poly(r, [0.49999994, 0.1666652, 0.0416684, 0.008368852, 0.0013814335]);
    q.mul_add(r * r, r)
}

/// `e^x` as `(y, z)` with `e^x = (1 + y) · 2ⁿ` and z = n + `round`, for |x| < 200.
///
/// The reduction to |r| ≤ ln 2 / 2 takes n · ln 2 off in two parts (Cody and Waite, 1980).
#[inline(always)]
fn exp_parts32<S: Single>(x: S, round: f32) -> (S, S) {
    let z = x.mul_add(S::new(std::f32::consts::LOG2_E), S::new(round));
    let n = z - S::new(round);
    let r = n.mul_add(S::new(-LN2_32.1), n.mul_add(S::new(-LN2_32.0), x));
    (exp_kernel32(r), z)
}

/// The power of two with these exponent bits, the lowest ones.
#[inline(always)]
fn power32<S: Single>(exponent: u32) -> S {
    S::new(f32::from_bits(exponent << 23))
}

/// `y · 2ⁿ` for |n| < 127.
#[inline(always)]
fn scale32<S: Single>(y: S, n: i32) -> S {
    y * power32(n.wrapping_add(127) as u32)
}

/// `(1 + y) · 2ⁿ` for |n| < 254, given the bits of n + [`ROUND_FAR32`], in two steps.
#[inline(always)]
fn scale_far32<S: Single>(y: S, z: u32) -> S {
    let half = power32::<S>(z >> 1);
    y.mul_add(half, half) * power32(z.wrapping_sub(z >> 1))
}

/// `e^x` within 1 ULP, for |x| < 87.
#[inline(always)]
fn exp_near32<S: Single>(x: S) -> S {
    let (y, z) = exp_parts32(x, ROUND_EXP32);
    let power = power32::<S>(z.raw().to_bits());
    y.mul_add(power, power)
}

/// −254 ln 2: e to it and to all below, of which −∞ is in every masked row, is a product of two exact zeros. One that
/// underflowed would take some processors a hundred times as long.
const NOTHING32: f64 = -176.0593838622261;

/// `e^x` within 1 ULP.
#[inline(always)]
pub(super) fn exp32<S: Single>(x: S) -> S {
    let (y, z) = exp_parts32(at_least(at_most(x, 89.0), NOTHING32), ROUND_FAR32);
    scale_far32(y, z.raw().to_bits())
}

/// `2^x` within 1 ULP.
#[inline(always)]
pub(super) fn exp2_32<S: Single>(x: S) -> S {
    let x = at_least(at_most(x, 129.0), -254.0);
    let z = x + S::new(ROUND_FAR32);
    let r = (x - (z - S::new(ROUND_FAR32))) * S::new(std::f32::consts::LN_2);
    scale_far32(exp_kernel32(r), z.raw().to_bits())
}

/// A positive finite `x` as `(m − 1, k)` with `x = m · 2ᵏ` and √½ ≤ m < √2; `m − 1` is exact.
#[inline(always)]
pub(super) fn split32<S: Single>(x: S) -> (S, i32) {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let tiny = x.raw() < f32::MIN_POSITIVE;
    let x = S::select(tiny, x * S::new(8388608.0), x);
    let bits = x.raw().to_bits().wrapping_sub(SQRT_HALF);
    // Counted from those of √½, the bits carry into the exponent there rather than at a power of two.
    let k = ((bits as i32) >> 23).wrapping_sub(if tiny { 23 } else { 0 });
    let m = f32::from_bits((bits & 0x7f_ffff).wrapping_add(SQRT_HALF));
    (S::new(m) - S::ONE, k)
}

/// ln (1 + f) + k · ln 2 + a small rest, for 1 + f between √½ and √2.
///
/// It is f − f²/2 + f³ · a polynomial (off by 2⁻²⁷ of the whole) + k · ln 2, the small terms first.
#[inline(always)]
fn ln_kernel32<S: Single>(f: S, k: i32, rest: S) -> S {
    let k = S::new(k as f32);
    let p = poly(
        f,
        [
            0.3333333,
            -0.2500082,
            0.20001228,
            -0.16623358,
            0.14201742,
            -0.13160151,
            0.12761661,
            -0.0763467,
        ],
    );
    let f2 = f * f;
    let y = k.mul_add(S::new(LN2_32.1), (p * f).mul_add(f2, rest));
    let y = f2.mul_add(S::new(-0.5), y) + f;
    k.mul_add(S::new(LN2_32.0), y)
}

/// `y`, but what a logarithm is where `x`, of which it is, is not positive and finite. Infinity and NaN are their own.
#[inline(always)]
fn ln_ends32<S: Single>(x: S, y: S) -> S {
    let y = S::select(x.lt(S::new(f32::INFINITY)), y, x);
    let y = S::select(x.lt(S::ZERO), S::new(f32::NAN), y);
    S::select(x.eq(S::ZERO), S::new(f32::NEG_INFINITY), y)
}

/// `ln x` within 0.9 ULP.
#[inline(always)]
pub(super) fn ln32<S: Single>(x: S) -> S {
    let (f, k) = split32(x);
    ln_ends32(x, ln_kernel32(f, k, S::ZERO))
}

/// `x` with the sign of `sign`, for x ≥ 0.
#[inline(always)]
pub(super) fn with_sign32<S: Single>(x: S, sign: S) -> S {
    S::new(f32::from_bits(
        x.raw().to_bits() | (sign.raw().to_bits() & 0x8000_0000),
    ))
}

/// `tanh x` within 1.5 ULP.
///
/// Below 0.55 an odd polynomial (off by 2⁻²⁹); above, where nothing cancels, 1 − 2 / (e²ˣ + 1).
#[inline(always)]
pub(super) fn tanh32<S: Single>(x: S) -> S {
    let a = x.abs();
    let z = a * a;
    let p = poly(
        z,
        [-0.33333316, 0.13332586, -0.05385231, 0.021071676, -0.0062742364],
    );
    let near = (p * z).mul_add(a, a);
    let far = S::ONE - S::new(2.0) / (exp_near32(at_most(a + a, 20.0)) + S::ONE);
    with_sign32(S::select(a.lt(S::new(0.55)), near, far), x)
}

/// `erf x` within 1.4 ULP.
///
/// Below 0.9 an odd polynomial (off by 2⁻²⁶). Above, 1 − e^(a polynomial fitted to ln erfc), off by 2⁻²⁹; from
/// 4 on that is 1 (the form is due to N. Juffa).
#[inline(always)]
pub(super) fn erf32<S: Single>(x: S) -> S {
    let a = x.abs();
    let z = a * a;
    let p = poly(
        z,
        [
            0.12837915,
            -0.37612525,
            0.11282141,
            -0.026778908,
            0.005011963,
            -0.0006090361,
        ],
    );
    let near = p.mul_add(a, a);
    let t = at_most(a, 4.0);
    let p = poly(
        t,
        [
            -0.00016644844,
            -1.1277972,
            -0.63697606,
            -0.104113676,
            0.02231521,
            -0.0030654897,
            0.00019821958,
        ],
    );
    let far = S::ONE - exp_near32(p);
    with_sign32(S::select(a.lt(S::new(0.9)), near, far), x)
}

/// The normal distribution function, off by 2.3 · 10⁻⁷ at most.
///
/// It is ½ + x · a quotient of polynomials in x² (of itself off by 2⁻²⁵) up to |x| = 5.5, and beyond that runs out of 0 to 1.
#[inline(always)]
pub(super) fn cdf32<S: Single>(x: S) -> S {
    let z = at_most(x * x, 30.25);
    let p = poly(
        z,
        [
            0.39894226,
            0.033458583,
            0.0046514627,
            0.00016457062,
            6.3015696e-6,
            2.2931388e-8,
        ],
    );
    let q = poly(
        z,
        [
            1.0,
            0.25053462,
            0.028415952,
            0.0018606281,
            7.216604e-5,
            1.1990336e-6,
        ],
    );
    at_most(at_least((p / q).mul_add(x, S::new(0.5)), 0.0), 1.0)
}

/// `sin(x + quarters · π/2)` for x ≥ 0, within 1.7 ULP however large x is.
///
/// x · 2/π is wanted modulo 4, and a large x is a multiple of a large power of two, so the leading digits
/// of 2/π add only multiples of 4 and are left out (Payne and Hanek, 1983). Here four digit strings, each
/// in two `f64`s, serve for all x, and the one for x is selected. What remains is at most 0.63 quarter
/// turns, for which the polynomials (for |r| ≤ 1) are off by 2⁻²⁹.
#[inline(always)]
pub(super) fn sin_shifted32<S: Single>(x: S, quarters: u32) -> S {
    use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};
    let w = |c: f64| S::Wide::new(c);
    // Each serves for x below 2 to its third number, and for multiples of 2 to the 0, 27, 53 and 79.
    const BANDS: [(f64, f64, u32); 4] = [
        (FRAC_2_PI, -3.935735335036497e-17, 50),
        (-4.119769120791653e-9, 2.8376220177865265e-25, 76),
        (-1.5037965581288064e-16, 1.018166438749971e-32, 102),
        (-5.434184107743751e-25, 3.8858987075186823e-41, 128),
    ];
    let (mut c1, mut c2) = (w(BANDS[3].0), w(BANDS[3].1));
    for b in [2, 1, 0] {
        let within = x.raw() < f32::from_bits((BANDS[b].2 + 127) << 23);
        c1 = Real::select(within, w(BANDS[b].0), c1);
        c2 = Real::select(within, w(BANDS[b].1), c2);
    }
    let x = w(f64::from(x.raw()));
    let (turn, error) = x.exact_product(c1);
    let z = turn + w(ROUND64);
    let rest = (turn - (z - w(ROUND64))) + x.mul_add(c2, error);
    let r = S::new((rest * w(FRAC_PI_2)).raw() as f32);
    let quadrant = (z.raw().to_bits() as u32).wrapping_add(quarters);

    let r2 = r * r;
    let s = (sin_tail32(r2) * r2).mul_add(r, r);
    let c = cos_tail32(r2).mul_add(r2 * r2, r2.mul_add(S::new(-0.5), S::ONE));
    let y = S::select(quadrant & 1 == 0, s, c);
    S::new(f32::from_bits(y.raw().to_bits() ^ ((quadrant & 2) << 30)))
}

/// `sin x` within 1.7 ULP.
#[inline(always)]
pub(super) fn sin32<S: Single>(x: S) -> S {
    let y = sin_shifted32(x.abs(), 0);
    S::new(f32::from_bits(
        y.raw().to_bits() ^ (x.raw().to_bits() & 0x8000_0000),
    ))
}

/// `cos x` within 1.7 ULP.
#[inline(always)]
pub(super) fn cos32<S: Single>(x: S) -> S {
    sin_shifted32(x.abs(), 1)
}

/// `sin x`, or `cos x`, within 1.3 ULP where |x| < 3000, and whether it is there.
///
/// Whole multiples of π/2 are taken off in four parts, so short that the products of the first three, and the differences of the
/// first two, are exact (Cody and Waite, 1980). What the third one's rounding loses is kept, or nothing would be left of the last.
#[inline(always)]
pub(super) fn turn_near32<S: Single>(x: S, cosine: bool) -> (S, bool) {
    const PARTS: [f32; 4] = [1.5705566, 0.00023967028, 1.5890691e-8, 2.563344e-12];
    let a = x.abs();
    let z = a.mul_add(S::new(std::f32::consts::FRAC_2_PI), S::new(ROUND32));
    let n = z - S::new(ROUND32);
    let high = n.mul_add(S::new(-PARTS[1]), n.mul_add(S::new(-PARTS[0]), a));
    let third = n * S::new(PARTS[2]);
    let r = high - third;
    // Exact: where the third part is the larger one, so was the difference.
    let low = n.mul_add(S::new(-PARTS[3]), (high - r) - third);

    let r2 = r * r;
    let s = r + (r * r2).mul_add(sin_tail32(r2), low);
    let c = (r2 * r2).mul_add(cos_tail32(r2), -(r * low)) + r2.mul_add(S::new(-0.5), S::ONE);
    let quadrant = z.raw().to_bits().wrapping_add(u32::from(cosine));
    let y = S::select(quadrant & 1 == 0, s, c).raw().to_bits() ^ ((quadrant & 2) << 30);
    let sign = if cosine {
        0
    } else {
        x.raw().to_bits() & 0x8000_0000
    };
    (S::new(f32::from_bits(y ^ sign)), a.lt(S::new(3000.0)))
}

/// (sin r − r) / r³ of r², for |r| ≤ 1.
#[inline(always)]
fn sin_tail32<S: Single>(r2: S) -> S {
    poly(r2, [-0.16666667, 0.008333316, -0.00019836116, 2.6948098e-06])
}

/// (cos r − 1 + r²/2) / r⁴ of r², for |r| ≤ 1.
#[inline(always)]
fn cos_tail32<S: Single>(r2: S) -> S {
    poly(r2, [0.041666575, -0.0013884676, 2.4200333e-05])
}

/// `x^p` within 1.1 ULP, as 2^(p · log₂ x) with the logarithm and the product in 64 bits.
///
/// log₂ is k + (m − 1) · a polynomial, off by 2⁻³⁵: at the ends of the range, where p · log₂ x is near ±128,
/// that is 0.05 ULP of the power.
#[inline(always)]
pub(super) fn pow32<S: Single>(x: S, p: S) -> S {
    let w = |c: f64| S::Wide::new(c);
    let (a, ap) = (x.abs(), p.abs());
    let infinity = S::new(f32::INFINITY);

    let (f, k) = split32(a);
    let f = w(f64::from(f.raw()));
    let log2 = poly(
        f,
        [
            1.442695040868705,
            -0.721347520868741,
            0.48089836139568165,
            -0.3606736748309757,
            0.28853729345735846,
            -0.24045316542449582,
            0.20617535971675183,
            -0.1803006051307318,
            0.1587698018618587,
            -0.1431564227330569,
            0.14474841199067207,
            -0.14283946284146204,
            0.07737057607208432,
        ],
    );
    let log2 = log2.mul_add(f, w(f64::from(k)));
    let log2 = Real::select(a.lt(infinity), log2, w(f64::from(a.raw())));
    let log2 = Real::select(a.eq(S::ZERO), w(f64::NEG_INFINITY), log2);

    let y = at_least(at_most(log2 * w(f64::from(p.raw())), 160.0), -254.0);
    let round = ROUND64 + 254.0;
    let z = y + w(round);
    let r = (y - (z - w(round))) * w(std::f64::consts::LN_2);
    let y = scale_far32(exp_kernel32(S::new(r.raw() as f32)), z.raw().to_bits() as u32);

    // Adding 2^23 puts an integer's units digit in the lowest bit; from 2^23 on it stands there already.
    let step = S::new(8388608.0);
    let shifted = S::select(ap.lt(step), ap + step, ap);
    let whole = ap.ge(step) | (shifted - step).eq(ap);
    let odd = whole & ap.lt(step + step) & (shifted.raw().to_bits() & 1 == 1);
    let sign = if odd { x.raw().to_bits() & 0x8000_0000 } else { 0 };
    let y = S::new(f32::from_bits(y.raw().to_bits() ^ sign));

    let undefined = x.lt(S::ZERO) & a.lt(infinity) & !whole;
    let y = S::select(undefined, S::new(f32::NAN), y);
    let one = p.eq(S::ZERO) | x.eq(S::ONE) | (a.eq(S::ONE) & ap.eq(infinity));
    S::select(one, S::ONE, y)
}

/// What the quotient rounded toward zero leaves of `a`, and whether it is right, as it is where the quotient is below 2²².
///
/// The rounded quotient times b, and what remains, are exact in 64 bits. Rounding may have reached the next integer, whose
/// remainder is on the other side of zero.
#[inline(always)]
pub(super) fn rem_near32<S: Single>(a: S, b: S) -> (S, bool) {
    let w = |x: S| S::Wide::new(f64::from(x.raw()));
    let quotient = (a / b).trunc();
    let rest = S::new((-w(quotient)).mul_add(w(b), w(a)).raw() as f32);
    let other_side = (rest * S::ONE.copysign(a)).lt(S::ZERO);
    let rest = S::select(other_side, rest.abs() - b.abs(), rest).copysign(a);
    let rest = S::select(a.abs().lt(b.abs()), a, rest);
    (rest, quotient.abs().lt(S::new(4194304.0)))
}

/// `e^x − 1` within 0.6 ULP: in 64 bits, where only |x| < 2⁻¹⁰ cancels too much and takes three terms of the series.
#[inline(always)]
pub(super) fn exp_m1_32<S: Single>(x: S) -> S {
    let w = |c: f64| S::Wide::new(c);
    let x = w(f64::from(x.raw()));
    let near = x * x.mul_add(x.mul_add(w(1.0 / 6.0), w(0.5)), w(1.0));
    let far = x.exp() - w(1.0);
    S::new(Real::select(x.abs().lt(w(1.0 / 1024.0)), near, far).raw() as f32)
}

/// `ln(1 + x)` within 1.1 ULP: as [`ln32`] of the rounded sum, and what rounding took from that times the slope there.
#[inline(always)]
pub(super) fn ln_1p_32<S: Single>(x: S) -> S {
    let sum = x + S::ONE;
    let (f, k) = split32(sum);
    // From the larger of the two; past 2²⁴ it no longer matters.
    let lost = S::select(S::ONE.lt(x), S::ONE - (sum - x), x - (sum - S::ONE));
    let lost = scale32(lost, -k.min(100));
    let y = ln_kernel32(f, k, lost - lost * f);
    // Zeros keep their sign.
    S::select(x.eq(S::ZERO), x, ln_ends32(sum, y))
}

/// `log₂ x` within 0.6 ULP, in 64 bits, so that whole results come out whole.
#[inline(always)]
pub(super) fn log2_32<S: Single>(x: S) -> S {
    let y = S::Wide::new(f64::from(x.raw())).ln() * S::Wide::new(std::f64::consts::LOG2_E);
    S::new(y.raw() as f32)
}

/// `log₁₀ x` within 0.6 ULP, as [`log2_32`].
#[inline(always)]
pub(super) fn log10_32<S: Single>(x: S) -> S {
    let y = S::Wide::new(f64::from(x.raw())).ln() * S::Wide::new(std::f64::consts::LOG10_E);
    S::new(y.raw() as f32)
}

/// `atan x` within 2 ULP: an odd polynomial up to 1 (off by 2⁻²⁸), and π/2 less that of 1/x above.
#[inline(always)]
pub(super) fn atan32<S: Single>(x: S) -> S {
    let a = x.abs();
    let steep = S::ONE.lt(a);
    let t = S::select(steep, S::ONE / a, a);
    let z = t * t;
    let p = poly(
        z,
        [
            -0.333333,
            0.19998549,
            -0.14264241,
            0.10952185,
            -0.084034495,
            0.05795758,
            -0.031177832,
            0.0109145995,
            -0.0017936204,
        ],
    );
    let y = (p * z).mul_add(t, t);
    with_sign32(S::select(steep, S::new(std::f32::consts::FRAC_PI_2) - y, y), x)
}
