//! Forward mode: a value and its derivative, carried together.

use super::{IntOp, Real, Special};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2, LOG2_E, LOG10_E};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A dual number `value + slope·ε` with `ε² = 0`: running a rule on it computes the rule's derivative
/// in one direction beside its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual<S> {
    /// The value.
    pub value: S,
    /// The derivative of the value in the chosen direction.
    pub slope: S,
}

impl<S: Real> Dual<S> {
    /// A constant: its derivative is zero.
    #[inline(always)]
    pub fn constant(value: S) -> Self {
        Dual {
            value,
            slope: S::ZERO,
        }
    }

    /// The variable that the derivative is taken by: its derivative is one.
    #[inline(always)]
    pub fn variable(value: S) -> Self {
        Dual { value, slope: S::ONE }
    }

    /// f(x) with f'(x) given: the chain rule.
    #[inline(always)]
    fn chain(self, value: S, derivative: S) -> Self {
        Dual {
            value,
            slope: self.slope * derivative,
        }
    }
}

impl<S: Real> Add for Dual<S> {
    type Output = Self;
    #[inline(always)]
    fn add(self, o: Self) -> Self {
        Dual {
            value: self.value + o.value,
            slope: self.slope + o.slope,
        }
    }
}

impl<S: Real> Sub for Dual<S> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, o: Self) -> Self {
        Dual {
            value: self.value - o.value,
            slope: self.slope - o.slope,
        }
    }
}

impl<S: Real> Mul for Dual<S> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, o: Self) -> Self {
        Dual {
            value: self.value * o.value,
            slope: self.slope * o.value + self.value * o.slope,
        }
    }
}

impl<S: Real> Div for Dual<S> {
    type Output = Self;
    #[inline(always)]
    fn div(self, o: Self) -> Self {
        let value = self.value / o.value;
        Dual {
            value,
            slope: (self.slope - value * o.slope) / o.value,
        }
    }
}

impl<S: Real> Neg for Dual<S> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Dual {
            value: -self.value,
            slope: -self.slope,
        }
    }
}

impl<S: Real> Real for Dual<S> {
    type Mask = S::Mask;
    const ZERO: Self = Dual {
        value: S::ZERO,
        slope: S::ZERO,
    };
    const ONE: Self = Dual {
        value: S::ONE,
        slope: S::ZERO,
    };

    #[inline(always)]
    fn lit(v: f64) -> Self {
        Dual::constant(S::lit(v))
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Dual {
            value: self.value.mul_add(b.value, c.value),
            slope: self.slope * b.value + self.value * b.slope + c.slope,
        }
    }
    #[inline(always)]
    fn exp(self) -> Self {
        let y = self.value.exp();
        self.chain(y, y)
    }
    #[inline(always)]
    fn exp2(self) -> Self {
        let y = self.value.exp2();
        self.chain(y, y * S::lit(LN_2))
    }
    #[inline(always)]
    fn ln(self) -> Self {
        self.chain(self.value.ln(), S::ONE / self.value)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        let y = self.value.sqrt();
        self.chain(y, S::lit(0.5) / y)
    }
    #[inline(always)]
    fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }
    #[inline(always)]
    fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        let y = self.value.tanh();
        self.chain(y, S::ONE - y * y)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        let x = self.value;
        self.chain(x.erf(), S::lit(FRAC_2_SQRT_PI) * (-x * x).exp())
    }
    #[inline(always)]
    fn normal_cdf(self) -> Self {
        let x = self.value;
        let density = S::lit(0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2) * (S::lit(-0.5) * (x * x)).exp();
        self.chain(x.normal_cdf(), density)
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        self.chain(self.value.exp_m1(), self.value.exp())
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        self.chain(self.value.ln_1p(), S::ONE / (S::ONE + self.value))
    }
    #[inline(always)]
    fn log2(self) -> Self {
        self.chain(self.value.log2(), S::lit(LOG2_E) / self.value)
    }
    #[inline(always)]
    fn log10(self) -> Self {
        self.chain(self.value.log10(), S::lit(LOG10_E) / self.value)
    }
    #[inline(always)]
    fn atan(self) -> Self {
        let x = self.value;
        self.chain(x.atan(), S::ONE / (S::ONE + x * x))
    }
    #[inline(always)]
    fn special(self, f: Special) -> Self {
        let y = self.value.special(f);
        self.chain(y, f.slope(self.value, y))
    }
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        let flipped = S::ONE.copysign(self.value) * S::ONE.copysign(sign.value);
        self.chain(self.value.copysign(sign.value), flipped)
    }
    #[inline(always)]
    fn rem(self, divisor: Self) -> Self {
        let (a, b) = (self.value, divisor.value);
        let rest = a.rem(b);
        Dual {
            value: rest,
            slope: self.slope - (a - rest) / b * divisor.slope,
        }
    }
    #[inline(always)]
    fn integer(self, f: IntOp, other: Self) -> Self {
        Dual::constant(self.value.integer(f, other.value))
    }
    #[inline(always)]
    fn floor(self) -> Self {
        Dual::constant(self.value.floor())
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        Dual::constant(self.value.ceil())
    }
    #[inline(always)]
    fn trunc(self) -> Self {
        Dual::constant(self.value.trunc())
    }
    #[inline(always)]
    fn round(self) -> Self {
        Dual::constant(self.value.round())
    }
    #[inline(always)]
    fn abs(self) -> Self {
        let x = self.value;
        let sign = S::select(x.gt(S::ZERO), S::ONE, S::select(x.lt(S::ZERO), -S::ONE, S::ZERO));
        self.chain(x.abs(), sign)
    }
    #[inline(always)]
    fn pow(self, p: Self) -> Self {
        // d(x^p) = p x^(p−1) dx + x^p ln x dp. A slope of zero must stay zero where its factor is infinite
        // (ln 0, or 0^(p−1)), so each term is chosen away rather than multiplied by zero.
        let y = self.value.pow(p.value);
        let by_x = self.slope * p.value * self.value.pow(p.value - S::ONE);
        let by_p = p.slope * y * self.value.ln();
        let dead_x = S::or(self.slope.eq(S::ZERO), p.value.eq(S::ZERO));
        let dead_p = S::or(
            p.slope.eq(S::ZERO),
            S::and(self.value.eq(S::ZERO), p.value.ge(S::ZERO)),
        );
        Dual {
            value: y,
            slope: S::select(dead_x, S::ZERO, by_x) + S::select(dead_p, S::ZERO, by_p),
        }
    }
    #[inline(always)]
    fn lt(self, o: Self) -> S::Mask {
        self.value.lt(o.value)
    }
    #[inline(always)]
    fn le(self, o: Self) -> S::Mask {
        self.value.le(o.value)
    }
    #[inline(always)]
    fn eq(self, o: Self) -> S::Mask {
        self.value.eq(o.value)
    }
    #[inline(always)]
    fn ne(self, o: Self) -> S::Mask {
        self.value.ne(o.value)
    }
    #[inline(always)]
    fn and(a: S::Mask, b: S::Mask) -> S::Mask {
        S::and(a, b)
    }
    #[inline(always)]
    fn or(a: S::Mask, b: S::Mask) -> S::Mask {
        S::or(a, b)
    }
    #[inline(always)]
    fn select(mask: S::Mask, yes: Self, no: Self) -> Self {
        Dual {
            value: S::select(mask, yes.value, no.value),
            slope: S::select(mask, yes.slope, no.slope),
        }
    }
}
