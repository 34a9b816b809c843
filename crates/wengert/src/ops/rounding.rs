//! Rounding, signs, and quotients that are rounded. What is flat has gradient 0.

use super::compare::Operand;
use super::contract;
use super::pointwise::{Kind, Map, Pointwise};
use super::rule::{Rule, between, contract_rules, rules, rules2};
use crate::op::{Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Quotient};
use wengert_array::real::Real;
use wengert_array::{Array, Error, ErrorKind, raise};

/// Whether a remainder lies on the other side of zero than the divisor.
#[inline(always)]
fn crosses<S: Real>(rest: S, b: S) -> S::Mask {
    (rest * S::ONE.copysign(b)).lt(S::ZERO)
}

/// The quotient rounded down, from the exact remainder: right also where a / b rounds up to the next integer.
#[inline(always)]
fn floored<S: Real>(a: S, b: S) -> S {
    let rest = a.rem(b);
    let whole = (a - rest) / b;
    let down = S::select(crosses(rest, b), whole - S::ONE, whole).round();
    // A zero has the quotient's sign; a zero or infinite divisor has no remainder to go by.
    let y = S::select(down.eq(S::ZERO), S::ZERO.copysign(a / b), down);
    S::select(b.eq(S::ZERO), a / b, y)
}

/// What the quotient rounded down leaves: it has the divisor's sign.
#[inline(always)]
fn left_over<S: Real>(a: S, b: S) -> S {
    let rest = a.rem(b);
    S::select(crosses(rest, b), rest + b, rest)
}

/// y = 1 above zero, −1 below, else 0; dx = 0.
#[derive(Debug, Clone)]
pub struct Sign;

impl Pointwise<1> for Sign {
    const NAME: &'static str = "sign";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        let low = S::select(x.lt(S::ZERO), -S::ONE, S::ZERO);
        S::select(x.gt(S::ZERO), S::ONE, low)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, _: S, _: [S; 1], _: S) -> [S; 1] {
        [S::ZERO]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Sign), [between()])]
    }
}

rules! {
    /// The smallest integer not below x; dx = 0.
    ceil Ceil: Arithmetic on between();
    |x| x.ceil();
    |_, _, _| S::ZERO;

    /// The integer next to x on the side of zero; dx = 0.
    trunc Trunc: Arithmetic on between();
    |x| x.trunc();
    |_, _, _| S::ZERO;

    /// The nearest number with this many decimals, halves to the even one; dx = 0.
    round_decimals Round { decimals: i32 = 1 }: Arithmetic on Array::from_slice(&[0.26, -1.53, 2.08, 12.52], [4]);
    |x| {
        let scale = S::lit(10f64.powi(decimals.abs()));
        if decimals == 0 {
            x.round()
        } else if decimals > 0 {
            (x * scale).round() / scale
        } else {
            (x / scale).round() * scale
        }
    };
    |_, _, _| S::ZERO;

    /// What [`trunc`](Tensor::trunc) takes off: it has x's sign; dx = dy.
    frac Frac: Float on between();
    |x| x - x.trunc();
    |dy, _, _| dy;
}

rules2! {
    /// The quotient rounded toward zero; no gradient. Integers divided by zero give 0 here.
    trunc_divide_unchecked = "div" TruncDivide: Numeric with Trunc of integers on [between(), Array::from_slice(&[2.0, -0.75, 1.25], [3])];
    |a, b| (a / b).trunc();
    |_, _, _, _| [S::ZERO; 2];

    /// The quotient rounded down; no gradient. Integers divided by zero give 0 here.
    floor_divide_unchecked = "floor_divide" FloorDivide: Numeric with Floor of integers on [between(), Array::from_slice(&[2.0, -0.75, 1.25], [3])];
    |a, b| floored(a, b);
    |_, _, _, _| [S::ZERO; 2];

    /// As [`fmod`](Tensor::fmod), and 0 for integers divided by zero; da = dy, db = −dy times the quotient.
    fmod_unchecked = "fmod" Fmod: Numeric with TruncRest of integers on [between(), Array::from_slice(&[2.0, -0.75, 1.3], [3])];
    |a, b| a.rem(b);
    |dy, a, b, _| [dy, -dy * (a / b).trunc()];

    /// As [`remainder`](Tensor::remainder), and 0 for integers divided by zero; da = dy, db = −dy times the quotient.
    remainder_unchecked = "remainder" Remainder: Numeric with FloorRest of integers on [between(), Array::from_slice(&[2.0, -0.75, 1.3], [3])];
    |a, b| left_over(a, b);
    |dy, a, b, _| [dy, -dy * floored(a, b)];

    /// `|a|` with the sign of b, also of a zero; da = dy with that change of sign, 0 where a is 0, and db = 0.
    copysign Copysign: Float on [between(), Array::from_slice(&[2.0, -0.75, 1.25], [3])];
    |a, b| a.copysign(b);
    |dy, a, b, _| {
        let turned = dy * S::ONE.copysign(a) * S::ONE.copysign(b);
        [S::select(a.eq(S::ZERO), S::ZERO, turned), S::ZERO]
    };

    /// 0 below zero, 1 above, and the other's value at zero; no gradient.
    heaviside Heaviside: Arithmetic on [Array::from_slice(&[0.5, -1.5, 0.25], [3]), Array::from_slice(&[2.0, 3.0, 4.0], [3])];
    |a, b| {
        S::select(a.eq(S::ZERO), b, S::select(a.gt(S::ZERO), S::ONE, S::ZERO))
    };
    |_, _, _, _| [S::ZERO; 2];
}

/// How [`Tensor::div_mode`] rounds a quotient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundingMode {
    /// Toward zero.
    Trunc,
    /// Down.
    Floor,
}

impl Tensor {
    /// 1 above zero, −1 below, else 0; dx = 0.
    #[track_caller]
    pub fn sign(&self) -> Tensor {
        Map(Sign).apply([self])
    }

    /// The nearest integer, halves to the even one; dx = 0.
    #[track_caller]
    pub fn round(&self) -> Tensor {
        self.round_decimals(0)
    }

    /// The quotient rounded down; no gradient.
    ///
    /// # Panics
    /// If integers are divided by zero, or bool by bool.
    #[track_caller]
    pub fn floor_divide(&self, other: impl Operand) -> Tensor {
        let other = other.operand(self);
        self.refuse_zero("floor_divide", &other);
        self.floor_divide_unchecked(&other)
    }

    /// What the quotient rounded toward zero leaves of `self`, as C's `fmod`: it has the sign of `self`.
    ///
    /// # Panics
    /// If integers are divided by zero, or bool by bool.
    #[track_caller]
    pub fn fmod(&self, other: impl Operand) -> Tensor {
        let other = other.operand(self);
        self.refuse_zero("fmod", &other);
        self.fmod_unchecked(&other)
    }

    /// What [`floor_divide`](Tensor::floor_divide) leaves of `self`, as Python's `%`: it has the sign of `other`.
    ///
    /// # Panics
    /// If integers are divided by zero, or bool by bool.
    #[track_caller]
    pub fn remainder(&self, other: impl Operand) -> Tensor {
        let other = other.operand(self);
        self.refuse_zero("remainder", &other);
        self.remainder_unchecked(&other)
    }

    /// The quotient, rounded.
    ///
    /// # Panics
    /// If integers are divided by zero, or bool by bool.
    #[track_caller]
    pub fn div_mode(&self, other: impl Operand, mode: RoundingMode) -> Tensor {
        let other = other.operand(self);
        self.refuse_zero("div", &other);
        match mode {
            RoundingMode::Trunc => self.trunc_divide_unchecked(&other),
            RoundingMode::Floor => self.floor_divide_unchecked(&other),
        }
    }

    /// Integers have no infinity to stand for a quotient by zero.
    #[track_caller]
    fn refuse_zero(&self, op: &str, divisor: &Tensor) {
        let whole = !self.dtype().is_float() && !divisor.dtype().is_float();
        if whole && self.numel() > 0 && kernels::has_zero(&divisor.array()) {
            raise(Error::new(ErrorKind::Value, op, "an integer was divided by zero"));
        }
    }
}

contract! { sign: Map<Sign, 1> }

contract_rules! {
    ceil: Ceil, 1,
    trunc: Trunc, 1,
    round_decimals: Round, 1,
    frac: Frac, 1,
    trunc_divide: TruncDivide, 2,
    floor_divide: FloorDivide, 2,
    fmod: Fmod, 2,
    remainder: Remainder, 2,
    copysign: Copysign, 2,
    heaviside: Heaviside, 2,
}
