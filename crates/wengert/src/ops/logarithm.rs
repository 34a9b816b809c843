//! Logarithms and exponentials beside [`exp`](Tensor::exp) and [`ln`](Tensor::ln), made so that they neither overflow nor
//! cancel.

use super::compare::Operand;
use super::pointwise::{Kind, Map, Pointwise};
use super::rule::{Rule, above_one, contract_rules, positive, probability, real, rules, rules2};
use crate::op::{Op, Sample};
use crate::tensor::Tensor;
use std::f64::consts::{LN_2, LOG2_E, LOG10_E};
use wengert_array::Array;
use wengert_array::real::Real;

rules! {
    /// `2^x`; dx = dy y ln 2.
    exp2 Exp2: Float on real();
    |x| x.exp2();
    |dy, _, y| dy * (y * S::lit(LN_2));
    => complex |z| z.scale(LN_2).exp();

    /// `e^x − 1`, exact near 0; dx = dy (y + 1).
    expm1 Expm1: Float on real();
    |x| x.exp_m1();
    |dy, _, y| dy * (y + S::ONE);
    => complex |z| z.exp_m1();

    /// `ln(1 + x)`, exact near 0; dx = dy / (1 + x).
    log1p Log1p: Float on positive();
    |x| x.ln_1p();
    |dy, x, _| dy / (x + S::ONE);
    => complex |z| z.ln_1p();

    /// The logarithm to base 2; dx = dy / (x ln 2).
    log2 Log2: Float on positive();
    |x| x.log2();
    |dy, x, _| dy * S::lit(LOG2_E) / x;
    => complex |z| z.ln().scale(LOG2_E);

    /// The logarithm to base 10; dx = dy / (x ln 10).
    log10 Log10: Float on positive();
    |x| x.log10();
    |dy, x, _| dy * S::lit(LOG10_E) / x;
    => complex |z| z.ln().scale(LOG10_E);

    /// `1 / √x`; dx = −dy y³ / 2.
    rsqrt Rsqrt: Float on positive();
    |x| S::ONE / x.sqrt();
    |dy, _, y| S::lit(-0.5) * dy * (y * y * y);
    => complex |z| z.sqrt().reciprocal();

    /// `1 / x`; dx = −dy y².
    reciprocal Reciprocal: Float on real();
    |x| S::ONE / x;
    |dy, _, y| -dy * (y * y);
    => complex |z| z.reciprocal();

    /// `−x ln x`, an entropy's term: 0 at 0 and −∞ below; dx = −dy (1 + ln x).
    entr Entr: Float on positive();
    |x| {
        let zero = x.eq(S::ZERO);
        let inside = -x * S::select(zero, S::ONE, x).ln();
        S::select(x.lt(S::ZERO), S::lit(f64::NEG_INFINITY), inside)
    };
    |dy, x, _| -dy * (S::ONE + x.ln());

    /// `ln(x / (1 − x))`, with x first brought into [`eps`, 1 − `eps`] if `eps` is not negative;
    /// dx = dy / (x (1 − x)), 0 where x was brought in.
    logit_eps Logit { eps: f64 = 0.15 }: Float on probability();
    |x| {
        let (low, high) = (S::lit(eps), S::lit(1.0 - eps));
        let kept = S::select(x.lt(low), low, S::select(x.gt(high), high, x));
        let z = if eps < 0.0 { x } else { kept };
        (z / (S::ONE - z)).ln()
    };
    |dy, x, _| {
        let slope = dy / (x * (S::ONE - x));
        let (low, high) = if eps < 0.0 { (0.0, 1.0) } else { (eps, 1.0 - eps) };
        let outside = S::lit(if eps < 0.0 { f64::NAN } else { 0.0 });
        S::select(S::or(x.lt(S::lit(low)), x.gt(S::lit(high))), outside, slope)
    };
}

/// The larger of two by which a sum of exponentials is shifted, and how far the other lies below: what remains
/// of equal infinities is 0.
#[inline(always)]
fn shifted<S: Real>(a: S, b: S) -> (S, S) {
    let (top, gap) = (a.max(b), (a - b).abs());
    let same = S::and(a.eq(b), gap.ne(gap));
    (top, S::select(same, S::lit(f64::INFINITY), gap))
}

/// dy split by the weights e^a and e^b.
#[inline(always)]
fn split<S: Real>(dy: S, a: S, b: S, log_base: f64) -> [S; 2] {
    let gap = b - a;
    let same = S::and(a.eq(b), gap.ne(gap));
    let t = S::select(same, S::ZERO, gap) * S::lit(log_base);
    [dy / (S::ONE + t.exp()), dy / (S::ONE + (-t).exp())]
}

rules2! {
    /// `ln(e^a + e^b)`; the gradient is shared as e^a to e^b, equally by equal infinities (where PyTorch has NaN).
    logaddexp Logaddexp: Float on [real(), above_one()];
    |a, b| {
        let (top, gap) = shifted(a, b);
        top + (-gap).exp().ln_1p()
    };
    |dy, a, b, _| split(dy, a, b, 1.0);

    /// `log₂(2^a + 2^b)`; the gradient is shared as 2^a to 2^b, equally by equal infinities.
    logaddexp2 Logaddexp2: Float on [real(), above_one()];
    |a, b| {
        let (top, gap) = shifted(a, b);
        top + (gap * S::lit(-LN_2)).exp().ln_1p() * S::lit(LOG2_E)
    };
    |dy, a, b, _| split(dy, a, b, LN_2);

    /// `a ln b`, and 0 where a = 0 unless b is NaN; da = dy ln b, 0 where a = 0 and b ≤ 0; db = dy a / b, 0 where a = 0
    /// (PyTorch has NaN at a = b = 0).
    xlogy Xlogy: Float on [real(), positive()];
    |a, b| {
        let dead = S::and(a.eq(S::ZERO), b.eq(b));
        S::select(dead, S::ZERO, a * S::select(dead, S::ONE, b).ln())
    };
    |dy, a, b, _| {
        let zero = a.eq(S::ZERO);
        let dead = S::and(zero, b.le(S::ZERO));
        let da = S::select(dead, S::ZERO, dy * S::select(dead, S::ONE, b).ln());
        let flat = S::and(zero, b.eq(S::ZERO));
        [da, dy * a / S::select(flat, S::ONE, b)]
    };

    /// `a ln(1 + b)`, and 0 where a = 0 unless b is NaN; gradients as those of [`xlogy`](Tensor::xlogy).
    xlog1py Xlog1py: Float on [real(), positive()];
    |a, b| {
        let dead = S::and(a.eq(S::ZERO), b.eq(b));
        S::select(dead, S::ZERO, a * S::select(dead, S::ZERO, b).ln_1p())
    };
    |dy, a, b, _| {
        let zero = a.eq(S::ZERO);
        let dead = S::and(zero, b.le(S::lit(-1.0)));
        let da = S::select(dead, S::ZERO, dy * S::select(dead, S::ZERO, b).ln_1p());
        let flat = S::and(zero, b.eq(S::lit(-1.0)));
        [da, dy * a / (S::ONE + S::select(flat, S::ZERO, b))]
    };
}

impl Tensor {
    /// `ln(x / (1 − x))`, the inverse of the sigmoid.
    #[track_caller]
    pub fn logit(&self) -> Tensor {
        self.logit_eps(-1.0)
    }

    /// `self · 2^other`.
    #[track_caller]
    pub fn ldexp(&self, other: &Tensor) -> Tensor {
        self * other.exp2()
    }
}

contract_rules! {
    exp2: Exp2, 1,
    expm1: Expm1, 1,
    log1p: Log1p, 1,
    log2: Log2, 1,
    log10: Log10, 1,
    rsqrt: Rsqrt, 1,
    reciprocal: Reciprocal, 1,
    entr: Entr, 1,
    logit_eps: Logit, 1,
    logaddexp: Logaddexp, 2,
    logaddexp2: Logaddexp2, 2,
    xlogy: Xlogy, 2,
    xlog1py: Xlog1py, 2,
}
