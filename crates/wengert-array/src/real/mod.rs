//! The abstract scalar over which elementwise rules are written.
//!
//! A rule such as `g * (1 − y²)` is written once over [`Real`] and read in several ways:
//!
//! | reading | gives |
//! |---|---|
//! | `f32`, `f64`, and [`Fma`] of them | the CPU kernels, vectorised |
//! | [`Int`] | the kernels for integers (wrapping arithmetic) |
//! | [`Dual`] | forward mode, and the gradient of a rule for which nobody wrote one |
//! | [`Expr`] | the rule as data: evaluated on tensors, printed as a formula |

mod airy;
mod bessel;
mod dual;
mod expr;
mod float;
mod gamma;
mod int;
mod special;

pub use dual::Dual;
pub use expr::{Expr, ExprGraph, ExprNode, trace};
pub use float::Fma;
pub(crate) use gamma::zeta;
pub use int::{Int, IntOp};
pub use special::Special;

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A scalar of which a rule knows only its arithmetic.
///
/// A rule may not branch on a value: it compares, which gives a [`Mask`](Real::Mask), and selects.
/// That is what lets one rule become a vectorised loop, a formula and a derivative.
pub trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// What a comparison gives.
    type Mask: Copy;
    /// The number 0.
    const ZERO: Self;
    /// The number 1.
    const ONE: Self;

    /// The constant `v`, rounded to this scalar's precision.
    fn lit(v: f64) -> Self;
    /// `self · b + c`, fused where the CPU fuses it.
    fn mul_add(self, b: Self, c: Self) -> Self;

    /// `e^x`.
    fn exp(self) -> Self;
    /// The natural logarithm; −∞ at 0, NaN below.
    fn ln(self) -> Self;
    /// The square root; NaN below 0.
    fn sqrt(self) -> Self;
    /// `2^x`; exact for integers.
    fn exp2(self) -> Self;
    /// The sine of an angle in radians.
    fn sin(self) -> Self;
    /// The cosine of an angle in radians.
    fn cos(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The error function, 2/√π ∫₀ˣ exp(−t²) dt.
    fn erf(self) -> Self;
    /// The normal distribution function, (1 + erf(x/√2)) / 2, as near as 1 has digits: what lies far below 0 keeps few of
    /// its own.
    fn normal_cdf(self) -> Self {
        let x = self * Self::lit(std::f64::consts::FRAC_1_SQRT_2);
        Self::lit(0.5) * (Self::ONE + x.erf())
    }
    /// `e^x − 1`, exact near 0.
    fn exp_m1(self) -> Self;
    /// `ln(1 + x)`, exact near 0.
    fn ln_1p(self) -> Self;
    /// The logarithm to base 2; exact for powers of two.
    fn log2(self) -> Self;
    /// The logarithm to base 10; exact for powers of ten.
    fn log10(self) -> Self;
    /// The angle between −π/2 and π/2 whose tangent is `x`.
    fn atan(self) -> Self;
    /// A function too rare to be a method of its own.
    fn special(self, f: Special) -> Self;
    /// The largest integer not above `x`.
    fn floor(self) -> Self;
    /// The smallest integer not below `x`.
    fn ceil(self) -> Self;
    /// The integer next to `x` on the side of zero.
    fn trunc(self) -> Self;
    /// The nearest integer; halves to the even one.
    fn round(self) -> Self;
    /// The absolute value.
    fn abs(self) -> Self;
    /// The absolute value of `self` with the sign of `sign`, also of a zero.
    fn copysign(self, sign: Self) -> Self;
    /// What the quotient rounded toward zero leaves of `self`, exactly: C's `fmod`.
    fn rem(self, divisor: Self) -> Self;
    /// [`rem`](Real::rem), and whether it is right: with less to do where the quotient is small, and no more right where not.
    #[doc(hidden)]
    fn rem_near(self, divisor: Self) -> (Self, bool) {
        (self.rem(divisor), true)
    }
    /// The sine or cosine, and whether it is right: with less to do where the angle is of no great size, and no more right where it is.
    #[doc(hidden)]
    fn turn_near(self, cosine: bool) -> (Self, bool) {
        (if cosine { self.cos() } else { self.sin() }, true)
    }
    /// A function that only integers have; of the whole parts of other numbers.
    fn integer(self, f: IntOp, other: Self) -> Self;
    /// `self` to the power `p`, as IEEE 754 `pow`.
    fn pow(self, p: Self) -> Self;
    /// The larger one; NaN if either is NaN.
    fn max(self, other: Self) -> Self {
        Self::select(Self::or(self.gt(other), self.ne(self)), self, other)
    }
    /// The smaller one; NaN if either is NaN.
    fn min(self, other: Self) -> Self {
        Self::select(Self::or(self.lt(other), self.ne(self)), self, other)
    }

    /// `self < other`.
    fn lt(self, other: Self) -> Self::Mask;
    /// `self ≤ other`.
    fn le(self, other: Self) -> Self::Mask;
    /// `self > other`.
    fn gt(self, other: Self) -> Self::Mask {
        other.lt(self)
    }
    /// `self ≥ other`.
    fn ge(self, other: Self) -> Self::Mask {
        other.le(self)
    }
    /// `self = other`.
    fn eq(self, other: Self) -> Self::Mask;
    /// `self ≠ other`; true if either is NaN.
    fn ne(self, other: Self) -> Self::Mask;
    /// Both masks.
    fn and(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// Either mask.
    fn or(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// `yes` where the mask holds, else `no`. Both are computed; only the chosen one counts.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
}
