//! The readings of a rule on floating-point numbers.
//!
//! Elementary functions are written here rather than taken from libm so that a loop over them is
//! vectorised: every function below is straight-line code in which a choice is a select. Each is written
//! once and serves both ways of reading `a · b + c` (see [`Fma`]).
//!
//! Coefficients are minimax fits of our own (Remez exchange in 60 digits, then rounded), and powers are by
//! Horner's rule. An error bound is in units in the last place (ULP) of the exact result, holds for both
//! readings over all numbers of the width, and is what the tests measure, rounded up. Results that are
//! subnormal are right to one unit too.

mod double;
mod single;
mod special;

use super::{IntOp, Real, Special};
use double::{
    atan64, cdf64, cos64, erf64, exp_m1_64, exp2_64, exp64, ln_1p_64, ln64, log2_64, log10_64, pow64,
    rem_near64, sin64, tanh64, turn_near64,
};
use single::{
    atan32, cdf32, cos32, erf32, exp_m1_32, exp2_32, exp32, ln_1p_32, ln32, log2_32, log10_32, pow32,
    rem_near32, sin32, tanh32, turn_near32,
};
use special::{special32, special64};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A float whose `mul_add` is one fused instruction.
///
/// `f32` and `f64` read `mul_add` as a product and a sum, because a fused one outside a function compiled
/// for a CPU that has it is a call into libm, many times slower than the loop around it. Kernels that are
/// compiled for such a CPU (`#[target_feature(enable = "avx2,fma")]` and wider) view their numbers as
/// `Fma` instead, which has the same layout, and get the fused instruction: faster and a little more exact.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(transparent)]
pub struct Fma<T>(pub T);

/// What the functions on 32-bit floats need beside [`Real`].
trait Single: Real<Mask = bool> {
    /// The 64-bit float with the same way of reading `mul_add`.
    type Wide: Double;
    fn new(x: f32) -> Self;
    fn raw(self) -> f32;
}

/// What the functions on 64-bit floats need beside [`Real`].
trait Double: Real<Mask = bool> {
    fn new(x: f64) -> Self;
    fn raw(self) -> f64;
    /// `self · b` as a rounded product and its rounding error, which where `self` has more than 26 significant bits may be off by 2⁻⁵³
    /// of itself.
    fn exact_product(self, b: Self) -> (Self, Self);
}

impl Single for f32 {
    type Wide = f64;
    #[inline(always)]
    fn new(x: f32) -> f32 {
        x
    }
    #[inline(always)]
    fn raw(self) -> f32 {
        self
    }
}

impl Single for Fma<f32> {
    type Wide = Fma<f64>;
    #[inline(always)]
    fn new(x: f32) -> Self {
        Fma(x)
    }
    #[inline(always)]
    fn raw(self) -> f32 {
        self.0
    }
}

impl Double for f64 {
    #[inline(always)]
    fn new(x: f64) -> f64 {
        x
    }
    #[inline(always)]
    fn raw(self) -> f64 {
        self
    }
    #[inline(always)]
    fn exact_product(self, b: f64) -> (f64, f64) {
        // The upper 26 bits of each and the lower 27 give products that fit 53 bits, but for one that is small (Dekker, 1971).
        let upper = |x: f64| f64::from_bits(x.to_bits() & !0x7ff_ffff);
        let (high, b_high) = (upper(self), upper(b));
        let (low, b_low) = (self - high, b - b_high);
        let product = self * b;
        (
            product,
            ((high * b_high - product) + high * b_low + low * b_high) + low * b_low,
        )
    }
}

impl Double for Fma<f64> {
    #[inline(always)]
    fn new(x: f64) -> Self {
        Fma(x)
    }
    #[inline(always)]
    fn raw(self) -> f64 {
        self.0
    }
    #[inline(always)]
    fn exact_product(self, b: Self) -> (Self, Self) {
        let product = self * b;
        (product, self.mul_add(b, -product))
    }
}

/// `c0 + c1·x + c2·x² + …` by Horner's rule.
#[inline(always)]
fn poly<S: Real, const N: usize>(x: S, c: [f64; N]) -> S {
    let mut y = S::lit(c[N - 1]);
    for i in (0..N - 1).rev() {
        y = y.mul_add(x, S::lit(c[i]));
    }
    y
}
/// 1.5 · 2⁵²: the same for numbers below 2⁵¹.
const ROUND64: f64 = 6755399441055744.0;

/// The smaller one; NaN where `x` is.
#[inline(always)]
fn at_most<S: Real>(x: S, high: f64) -> S {
    S::select(S::lit(high).lt(x), S::lit(high), x)
}

/// The larger one; NaN where `x` is.
#[inline(always)]
fn at_least<S: Real>(x: S, low: f64) -> S {
    S::select(x.lt(S::lit(low)), S::lit(low), x)
}

macro_rules! operators {
    ($($op:ident $f:ident),*) => {$(
        impl<T: $op<Output = T>> $op for Fma<T> {
            type Output = Self;
            #[inline(always)]
            fn $f(self, o: Self) -> Self {
                Fma(self.0.$f(o.0))
            }
        }
    )*};
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl<T: Neg<Output = T>> Neg for Fma<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Fma(-self.0)
    }
}

/// `a · b + c`, rounded twice.
#[inline(always)]
fn unfused<T: Mul<Output = T> + Add<Output = T>>(a: T, b: T, c: T) -> T {
    a * b + c
}

/// `a · b + c`, rounded once.
#[inline(always)]
fn fused32(a: Fma<f32>, b: Fma<f32>, c: Fma<f32>) -> Fma<f32> {
    Fma(a.0.mul_add(b.0, c.0))
}

/// `a · b + c`, rounded once.
#[inline(always)]
fn fused64(a: Fma<f64>, b: Fma<f64>, c: Fma<f64>) -> Fma<f64> {
    Fma(a.0.mul_add(b.0, c.0))
}

/// [`Real`] for a float by its private trait; the functions are those of its width.
macro_rules! real {
    ($float:ty: $kind:ident, $raw:ty, $zero:expr, $one:expr, $mul_add:expr,
     $exp:ident $exp2:ident $ln:ident $sin:ident $cos:ident $tanh:ident $erf:ident $cdf:ident $pow:ident
     $exp_m1:ident $ln_1p:ident $log2:ident $log10:ident $atan:ident $special:ident $rem_near:ident $turn_near:ident) => {
        impl Real for $float {
            type Mask = bool;
            const ZERO: Self = $zero;
            const ONE: Self = $one;
            #[inline(always)]
            fn lit(v: f64) -> Self {
                $kind::new(v as $raw)
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                $mul_add(self, b, c)
            }
            real!(unary exp $exp, exp2 $exp2, ln $ln, sin $sin, cos $cos, tanh $tanh, erf $erf, normal_cdf $cdf);
            real!(unary exp_m1 $exp_m1, ln_1p $ln_1p, log2 $log2, log10 $log10, atan $atan);
            #[inline(always)]
            fn pow(self, p: Self) -> Self {
                $pow(self, p)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $kind::new(self.raw().sqrt())
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $kind::new(self.raw().floor())
            }
            #[inline(always)]
            fn ceil(self) -> Self {
                $kind::new(self.raw().ceil())
            }
            #[inline(always)]
            fn trunc(self) -> Self {
                $kind::new(self.raw().trunc())
            }
            #[inline(always)]
            fn round(self) -> Self {
                $kind::new(self.raw().round_ties_even())
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $kind::new(self.raw().abs())
            }
            #[inline(always)]
            fn special(self, f: Special) -> Self {
                $special(self, f)
            }
            #[inline(always)]
            fn integer(self, f: IntOp, other: Self) -> Self {
                $kind::new(f.eval(self.raw() as i64, other.raw() as i64) as $raw)
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                $kind::new(self.raw().copysign(sign.raw()))
            }
            #[inline(always)]
            fn rem(self, divisor: Self) -> Self {
                $kind::new(self.raw() % divisor.raw())
            }
            #[inline(always)]
            fn rem_near(self, divisor: Self) -> (Self, bool) {
                $rem_near(self, divisor)
            }
            #[inline(always)]
            fn turn_near(self, cosine: bool) -> (Self, bool) {
                $turn_near(self, cosine)
            }
            #[inline(always)]
            fn lt(self, o: Self) -> bool {
                self.raw() < o.raw()
            }
            #[inline(always)]
            fn le(self, o: Self) -> bool {
                self.raw() <= o.raw()
            }
            #[inline(always)]
            fn eq(self, o: Self) -> bool {
                self.raw() == o.raw()
            }
            #[inline(always)]
            fn ne(self, o: Self) -> bool {
                self.raw() != o.raw()
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
        }
    };
    (unary $($method:ident $function:ident),*) => {$(
        #[inline(always)]
        fn $method(self) -> Self {
            $function(self)
        }
    )*};
}

real!(f32: Single, f32, 0.0, 1.0, unfused, exp32 exp2_32 ln32 sin32 cos32 tanh32 erf32 cdf32 pow32
      exp_m1_32 ln_1p_32 log2_32 log10_32 atan32 special32 rem_near32 turn_near32);
real!(f64: Double, f64, 0.0, 1.0, unfused, exp64 exp2_64 ln64 sin64 cos64 tanh64 erf64 cdf64 pow64
      exp_m1_64 ln_1p_64 log2_64 log10_64 atan64 special64 rem_near64 turn_near64);
real!(Fma<f32>: Single, f32, Fma(0.0), Fma(1.0), fused32, exp32 exp2_32 ln32 sin32 cos32 tanh32 erf32 cdf32 pow32
      exp_m1_32 ln_1p_32 log2_32 log10_32 atan32 special32 rem_near32 turn_near32);
real!(Fma<f64>: Double, f64, Fma(0.0), Fma(1.0), fused64, exp64 exp2_64 ln64 sin64 cos64 tanh64 erf64 cdf64 pow64
      exp_m1_64 ln_1p_64 log2_64 log10_64 atan64 special64 rem_near64 turn_near64);

#[cfg(test)]
mod tests;
