//! Questions about each element, and combinations of three.

use super::compare::Operand;
use super::contract;
use super::pair::Pair;
use super::pointwise::{Kind, Map, Pointwise};
use super::rule::{Rule, contract_rules, is_finite, not_finite, real, rules};
use crate::op::{Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::real::Real;
use wengert_array::{Array, DType};

fn awkward() -> Array {
    let inf = f64::INFINITY;
    Array::from_slice(&[0.5, f64::NAN, inf, -inf, -0.0, -2.0], [2, 3])
}

rules! {
    /// Whether it is NaN, as bool.
    isnan IsNan: Compare on awkward();
    |x| S::select(x.ne(x), S::ONE, S::ZERO);
    |_, _, _| S::ZERO;
    => complex |z| Pair::of_real(z.any(Tensor::isnan));

    /// Whether it is neither infinite nor NaN, as bool.
    isfinite IsFinite: Compare on awkward();
    |x| S::select(is_finite(x), S::ONE, S::ZERO);
    |_, _, _| S::ZERO;
    => complex |z| Pair::of_real(z.re.isfinite().logical_and(&z.imag().isfinite()));

    /// Whether it is ∞ or −∞, as bool.
    isinf IsInf: Compare on awkward();
    |x| S::select(S::and(not_finite(x), x.eq(x)), S::ONE, S::ZERO);
    |_, _, _| S::ZERO;
    => complex |z| Pair::of_real(z.any(Tensor::isinf));

    /// Whether it is ∞, as bool.
    isposinf IsPosInf: Compare on awkward();
    |x| S::select(S::and(not_finite(x), x.gt(S::ZERO)), S::ONE, S::ZERO);
    |_, _, _| S::ZERO;

    /// Whether it is −∞, as bool.
    isneginf IsNegInf: Compare on awkward();
    |x| S::select(S::and(not_finite(x), x.lt(S::ZERO)), S::ONE, S::ZERO);
    |_, _, _| S::ZERO;

    /// Whether its sign is negative, also that of a zero, as bool.
    signbit SignBit: Compare on awkward();
    |x| S::select(S::ONE.copysign(x).lt(S::ZERO), S::ONE, S::ZERO);
    |_, _, _| S::ZERO;
}

/// y = a + w (b − a), from the nearer end, so that w = 1 gives b exactly; da = dy (1 − w), db = dy w, dw = dy (b − a).
#[derive(Debug, Clone)]
pub struct Lerp;

impl Pointwise<3> for Lerp {
    const NAME: &'static str = "lerp";
    fn value<S: Real>(&self, [a, b, w]: [S; 3]) -> S {
        let gap = b - a;
        S::select(w.abs().lt(S::lit(0.5)), a + w * gap, b - gap * (S::ONE - w))
    }
    fn grad<S: Real>(&self, dy: S, [a, b, w]: [S; 3], _: S) -> [S; 3] {
        [dy * (S::ONE - w), dy * w, dy * (b - a)]
    }
    fn complex(&self, [a, b, w]: [Pair; 3]) -> Option<Pair> {
        Some(&a + &(w * (&b - &a)))
    }
    fn samples() -> Vec<Sample<Map<Self, 3>>> {
        let [a, b] = super::arithmetic::pair();
        vec![Sample::new(
            Map(Lerp),
            [a, b, Array::from_slice(&[0.25, 0.75, -0.5], [3])],
        )]
    }
}

/// y = a + w (b − a) for the same w everywhere, from the nearer end; da = dy (1 − w), db = dy w.
#[derive(Debug, Clone)]
pub struct LerpScalar(f64);

impl Pointwise<2> for LerpScalar {
    const NAME: &'static str = "lerp";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    #[inline(always)]
    fn value<S: Real>(&self, [a, b]: [S; 2]) -> S {
        // From either end to the other. (The weight is the same for all elements: these are decided outside the loop.)
        let near = self.0.abs() < 0.5;
        let (from, w) = if near { (a, self.0) } else { (b, self.0 - 1.0) };
        from + S::lit(w) * (b - a)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 2], _: S) -> [S; 2] {
        [dy * S::lit(1.0 - self.0), dy * S::lit(self.0)]
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        [0.25, 0.75]
            .map(|w| Sample::new(Map(LerpScalar(w)), super::arithmetic::pair()))
            .into()
    }
}

/// y = x + c a b; dx = dy, da = c dy b, db = c dy a.
#[derive(Debug, Clone)]
pub struct Addcmul(f64);

impl Pointwise<3> for Addcmul {
    const NAME: &'static str = "addcmul";
    const KIND: Kind = Kind::Arithmetic;
    fn value<S: Real>(&self, [x, a, b]: [S; 3]) -> S {
        x + S::lit(self.0) * a * b
    }
    fn grad<S: Real>(&self, dy: S, [_, a, b]: [S; 3], _: S) -> [S; 3] {
        let c = dy * S::lit(self.0);
        [dy, c * b, c * a]
    }
    fn complex(&self, [x, a, b]: [Pair; 3]) -> Option<Pair> {
        Some(x + (a * b).scale(self.0))
    }
    fn samples() -> Vec<Sample<Map<Self, 3>>> {
        let [a, b] = super::arithmetic::pair();
        vec![Sample::new(Map(Addcmul(1.5)), [real(), a, b])]
    }
}

/// y = x + c a / b; dx = dy, da = c dy / b, db = −c dy a / b².
#[derive(Debug, Clone)]
pub struct Addcdiv(f64);

impl Pointwise<3> for Addcdiv {
    const NAME: &'static str = "addcdiv";
    fn value<S: Real>(&self, [x, a, b]: [S; 3]) -> S {
        x + S::lit(self.0) * (a / b)
    }
    fn grad<S: Real>(&self, dy: S, [_, a, b]: [S; 3], _: S) -> [S; 3] {
        let c = dy * S::lit(self.0) / b;
        [dy, c, -(c * (a / b))]
    }
    fn complex(&self, [x, a, b]: [Pair; 3]) -> Option<Pair> {
        Some(x + (a / b).scale(self.0))
    }
    fn samples() -> Vec<Sample<Map<Self, 3>>> {
        let [a, b] = super::arithmetic::pair();
        vec![Sample::new(Map(Addcdiv(1.5)), [real(), a, b])]
    }
}

impl Tensor {
    /// The number that lies between `self` (at weight 0) and `end` (at weight 1).
    #[track_caller]
    pub fn lerp(&self, end: &Tensor, weight: impl Operand) -> Tensor {
        let w = weight.operand(self);
        let alike = w.dtype() == self.dtype() && w.dtype().is_float() && !end.dtype().is_complex();
        if w.dim() == 0 && !w.requires_grad() && alike {
            return Map(LerpScalar(w.item())).apply([self, end]);
        }
        Rule::new(Lerp).apply([self, end, &w])
    }

    /// `self + value · a · b`.
    #[track_caller]
    pub fn addcmul(&self, a: &Tensor, b: &Tensor, value: f64) -> Tensor {
        Rule::new(Addcmul(value)).apply([self, a, b])
    }

    /// `self + value · a / b`.
    #[track_caller]
    pub fn addcdiv(&self, a: &Tensor, b: &Tensor, value: f64) -> Tensor {
        Rule::new(Addcdiv(value)).apply([self, a, b])
    }

    /// Whether |a − b| ≤ `atol` + `rtol` |b|, or both are the same infinity, or both NaN if `equal_nan`; as bool.
    #[track_caller]
    pub fn isclose(&self, other: &Tensor, rtol: f64, atol: f64, equal_nan: bool) -> Tensor {
        let (a, b) = (self.detach(), other.detach());
        let whole = |t: &Tensor| {
            if t.dtype().is_differentiable() {
                t.clone()
            } else {
                t.to(DType::F64)
            }
        };
        let (x, y) = (whole(&a), whole(&b));
        let near = (&x - &y).abs().le(&(y.abs() * rtol + atol));
        let close = a
            .eq(&b)
            .logical_or(&near.logical_and(&(&x - &y).isfinite()).logical_and(&y.isfinite()));
        if equal_nan {
            close.logical_or(&a.isnan().logical_and(&b.isnan()))
        } else {
            close
        }
    }

    /// The power computed in f64, or of complex numbers in C128, whatever the dtypes.
    #[track_caller]
    pub fn float_power(&self, exponent: impl Operand) -> Tensor {
        let wide = |t: &Tensor| {
            t.to(if t.dtype().is_complex() {
                DType::C128
            } else {
                DType::F64
            })
        };
        let x = wide(self);
        x.pow(&wide(&exponent.operand(&x)))
    }
}

contract! { lerp_scalar: Map<LerpScalar, 2> }

contract_rules! {
    isnan: IsNan, 1,
    isfinite: IsFinite, 1,
    isinf: IsInf, 1,
    isposinf: IsPosInf, 1,
    isneginf: IsNegInf, 1,
    signbit: SignBit, 1,
    lerp: Lerp, 3,
    addcmul: Addcmul, 3,
    addcdiv: Addcdiv, 3,
}
