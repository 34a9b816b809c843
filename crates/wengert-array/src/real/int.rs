//! The reading of a rule on integers.

use super::Real;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A 64-bit integer in wrapping arithmetic.
///
/// Everything is total, so that no rule can panic: a quotient by zero is zero, and functions with no
/// meaning on integers are computed in `f64` and truncated. Operations never ask for those: they promote
/// to a floating dtype first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Int(pub i64);

macro_rules! wrapping {
    ($($op:ident $f:ident $wrapping:ident),*) => {$(
        impl $op for Int {
            type Output = Int;
            #[inline(always)]
            fn $f(self, o: Int) -> Int {
                Int(self.0.$wrapping(o.0))
            }
        }
    )*};
}
wrapping!(Add add wrapping_add, Sub sub wrapping_sub, Mul mul wrapping_mul);

impl Div for Int {
    type Output = Int;
    #[inline(always)]
    fn div(self, o: Int) -> Int {
        Int(if o.0 == 0 { 0 } else { self.0.wrapping_div(o.0) })
    }
}

impl Neg for Int {
    type Output = Int;
    #[inline(always)]
    fn neg(self) -> Int {
        Int(self.0.wrapping_neg())
    }
}

impl Real for Int {
    type Mask = bool;
    const ZERO: Int = Int(0);
    const ONE: Int = Int(1);

    #[inline(always)]
    fn lit(v: f64) -> Int {
        Int(v as i64)
    }
    #[inline(always)]
    fn mul_add(self, b: Int, c: Int) -> Int {
        self * b + c
    }
    fn exp(self) -> Int {
        Int((self.0 as f64).exp() as i64)
    }
    fn ln(self) -> Int {
        Int((self.0 as f64).ln() as i64)
    }
    fn sqrt(self) -> Int {
        Int((self.0 as f64).sqrt() as i64)
    }
    fn sin(self) -> Int {
        Int((self.0 as f64).sin() as i64)
    }
    fn cos(self) -> Int {
        Int((self.0 as f64).cos() as i64)
    }
    fn tanh(self) -> Int {
        Int((self.0 as f64).tanh() as i64)
    }
    fn erf(self) -> Int {
        Int(self.0.signum())
    }
    #[inline(always)]
    fn floor(self) -> Int {
        self
    }
    #[inline(always)]
    fn abs(self) -> Int {
        Int(self.0.wrapping_abs())
    }
    fn pow(self, p: Int) -> Int {
        Int(match (self.0, u32::try_from(p.0)) {
            (x, Ok(p)) => x.wrapping_pow(p),
            (1, _) => 1,
            (-1, _) => 1 - 2 * (p.0 & 1),
            // A negative power truncates to zero; one past u32 of an even number has wrapped to zero long since,
            // and an odd number's powers repeat with a period that divides 2^62.
            (x, _) if p.0 > 0 && x & 1 == 1 => {
                let high = x
                    .wrapping_pow(1 << 31)
                    .wrapping_pow(2)
                    .wrapping_pow((p.0 >> 32) as u32);
                high.wrapping_mul(x.wrapping_pow(p.0 as u32))
            }
            _ => 0,
        })
    }
    #[inline(always)]
    fn lt(self, other: Int) -> bool {
        self.0 < other.0
    }
    #[inline(always)]
    fn le(self, other: Int) -> bool {
        self.0 <= other.0
    }
    #[inline(always)]
    fn eq(self, other: Int) -> bool {
        self.0 == other.0
    }
    #[inline(always)]
    fn ne(self, other: Int) -> bool {
        self.0 != other.0
    }
    #[inline(always)]
    fn and(a: bool, b: bool) -> bool {
        a & b
    }
    #[inline(always)]
    fn or(a: bool, b: bool) -> bool {
        a | b
    }
    #[inline(always)]
    fn select(mask: bool, yes: Int, no: Int) -> Int {
        if mask { yes } else { no }
    }
}
