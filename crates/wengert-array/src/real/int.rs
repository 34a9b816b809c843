//! The reading of a rule on integers.

use super::{Real, Special};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// An integer in wrapping arithmetic, of 64 bits unless another type is named.
///
/// Everything is total, so that no rule can panic: a quotient by zero is zero, and functions with no
/// meaning on integers are computed in `f64` and truncated. Operations never ask for those: they promote
/// to a floating dtype first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Int<T = i64>(pub T);

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

    #[inline(always)]
    pub(super) fn eval(self, a: i64, b: i64) -> i64 {
        Int(a).integer(self, Int(b)).0
    }
}

/// The greatest common divisor.
fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a as i64
}

/// `x` to the power `p`, wrapping.
fn power(x: i64, p: i64) -> i64 {
    match (x, u32::try_from(p)) {
        (x, Ok(p)) => x.wrapping_pow(p),
        (1, _) => 1,
        (-1, _) => 1 - 2 * (p & 1),
        // A negative power truncates to zero; one past u32 of an even number has wrapped to zero long since,
        // and an odd number's powers repeat with a period that divides 2^62.
        (x, _) if p > 0 && x & 1 == 1 => {
            let high = x
                .wrapping_pow(1 << 31)
                .wrapping_pow(2)
                .wrapping_pow((p >> 32) as u32);
            high.wrapping_mul(x.wrapping_pow(p as u32))
        }
        _ => 0,
    }
}

macro_rules! int {
    ($($T:ident, $abs:expr, $negative:expr;)*) => {$(
        int!(operators $T Add add wrapping_add, Sub sub wrapping_sub, Mul mul wrapping_mul);

        impl Div for Int<$T> {
            type Output = Self;
            #[inline(always)]
            fn div(self, o: Self) -> Self {
                Int(if o.0 == 0 { 0 } else { self.0.wrapping_div(o.0) })
            }
        }

        impl Neg for Int<$T> {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Int(self.0.wrapping_neg())
            }
        }

        impl Real for Int<$T> {
            type Mask = bool;
            const ZERO: Self = Int(0);
            const ONE: Self = Int(1);

            #[inline(always)]
            fn lit(v: f64) -> Self {
                Int(v as i64 as $T)
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                self * b + c
            }
            int!(by_f64 $T exp exp2 ln sqrt sin cos tanh exp_m1 ln_1p log2 log10 atan);
            fn erf(self) -> Self {
                Int((i64::from(self.0)).signum() as $T)
            }
            fn special(self, f: Special) -> Self {
                Int(f.eval(self.0 as f64) as i64 as $T)
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                let size: $T = $abs(self.0);
                Int(if $negative(sign.0) { size.wrapping_neg() } else { size })
            }
            #[inline(always)]
            fn rem(self, divisor: Self) -> Self {
                Int(if divisor.0 == 0 { 0 } else { self.0.wrapping_rem(divisor.0) })
            }
            // In the type's own width they give the low bits of what they give in 64.
            #[inline(always)]
            fn integer(self, f: IntOp, other: Self) -> Self {
                let (a, b) = (self.0, other.0);
                Int(match f {
                    IntOp::And => a & b,
                    IntOp::Or => a | b,
                    IntOp::Xor => a ^ b,
                    // A negative one is large without its sign.
                    IntOp::Shl => if (b as u64) < u64::from($T::BITS) { a << b } else { 0 },
                    IntOp::Shr => {
                        let all = u64::from($T::BITS - 1);
                        let rest = if (b as u64) > all && !$negative(a) { 0 } else { a };
                        rest >> (b as u64).min(all)
                    }
                    IntOp::Gcd => gcd(i64::from(a), i64::from(b)) as $T,
                })
            }
            int!(itself floor ceil trunc round);
            #[inline(always)]
            fn abs(self) -> Self {
                Int($abs(self.0))
            }
            fn pow(self, p: Self) -> Self {
                Int(power(i64::from(self.0), i64::from(p.0)) as $T)
            }
            #[inline(always)]
            fn lt(self, other: Self) -> bool {
                self.0 < other.0
            }
            #[inline(always)]
            fn le(self, other: Self) -> bool {
                self.0 <= other.0
            }
            #[inline(always)]
            fn eq(self, other: Self) -> bool {
                self.0 == other.0
            }
            #[inline(always)]
            fn ne(self, other: Self) -> bool {
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
            fn select(mask: bool, yes: Self, no: Self) -> Self {
                if mask { yes } else { no }
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                Int(self.0.max(other.0))
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                Int(self.0.min(other.0))
            }
        }
    )*};
    (operators $T:ident $($op:ident $f:ident $wrapping:ident),*) => {$(
        impl $op for Int<$T> {
            type Output = Self;
            #[inline(always)]
            fn $f(self, o: Self) -> Self {
                Int(self.0.$wrapping(o.0))
            }
        }
    )*};
    (by_f64 $T:ident $($f:ident)*) => {$(
        fn $f(self) -> Self {
            Int((self.0 as f64).$f() as i64 as $T)
        }
    )*};
    (itself $($f:ident)*) => {$(
        #[inline(always)]
        fn $f(self) -> Self {
            self
        }
    )*};
}
int! {
    i64, i64::wrapping_abs, |v| v < 0;
    i32, i32::wrapping_abs, |v| v < 0;
    i16, i16::wrapping_abs, |v| v < 0;
    i8, i8::wrapping_abs, |v| v < 0;
    u8, |v| v, |_| false;
}
