//! The reading of a rule on integers.

use super::{Real, Special};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A 64-bit integer in wrapping arithmetic.
///
/// Everything is total, so that no rule can panic: a quotient by zero is zero, and functions with no
/// meaning on integers are computed in `f64` and truncated. Operations never ask for those: they promote
/// to a floating dtype first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Int(pub i64);

/// A function of two integers that only integers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntOp {
    /// The bits that both have.
    And,
    /// The bits that either has.
    Or,
    /// The bits that exactly one has.
    Xor,
    /// Shifted left; 0 where that is by a negative number or by all bits.
    Shl,
    /// Shifted right with the sign; as by all bits where that is by a negative number.
    Shr,
    /// The greatest common divisor.
    Gcd,
}

impl IntOp {
    /// Its name in a traced rule.
    pub const fn name(self) -> &'static str {
        match self {
            IntOp::And => "bit_and",
            IntOp::Or => "bit_or",
            IntOp::Xor => "bit_xor",
            IntOp::Shl => "shl",
            IntOp::Shr => "shr",
            IntOp::Gcd => "gcd",
        }
    }

    #[inline]
    pub(super) fn eval(self, a: i64, b: i64) -> i64 {
        match self {
            IntOp::And => a & b,
            IntOp::Or => a | b,
            IntOp::Xor => a ^ b,
            IntOp::Shl => u32::try_from(b).map_or(0, |b| a.checked_shl(b).unwrap_or(0)),
            IntOp::Shr => a >> u64::try_from(b).map_or(63, |b| b.min(63)),
            IntOp::Gcd => {
                let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
                while b != 0 {
                    (a, b) = (b, a % b);
                }
                a as i64
            }
        }
    }
}

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
    fn exp2(self) -> Int {
        Int((self.0 as f64).exp2() as i64)
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
    fn exp_m1(self) -> Int {
        Int((self.0 as f64).exp_m1() as i64)
    }
    fn ln_1p(self) -> Int {
        Int((self.0 as f64).ln_1p() as i64)
    }
    fn log2(self) -> Int {
        Int((self.0 as f64).log2() as i64)
    }
    fn log10(self) -> Int {
        Int((self.0 as f64).log10() as i64)
    }
    fn atan(self) -> Int {
        Int((self.0 as f64).atan() as i64)
    }
    fn special(self, f: Special) -> Int {
        Int(f.eval(self.0 as f64) as i64)
    }
    #[inline(always)]
    fn copysign(self, sign: Int) -> Int {
        let size = self.0.wrapping_abs();
        Int(if sign.0 < 0 { size.wrapping_neg() } else { size })
    }
    #[inline(always)]
    fn rem(self, divisor: Int) -> Int {
        Int(if divisor.0 == 0 {
            0
        } else {
            self.0.wrapping_rem(divisor.0)
        })
    }
    #[inline(always)]
    fn integer(self, f: IntOp, other: Int) -> Int {
        Int(f.eval(self.0, other.0))
    }
    #[inline(always)]
    fn floor(self) -> Int {
        self
    }
    #[inline(always)]
    fn ceil(self) -> Int {
        self
    }
    #[inline(always)]
    fn trunc(self) -> Int {
        self
    }
    #[inline(always)]
    fn round(self) -> Int {
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
