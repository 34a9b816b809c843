//! The readings of a rule on floating-point numbers.
use super::Real;
use std::ops::{Add, Div, Mul, Neg, Sub};
/// Fused.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(transparent)]
pub struct Fma<T>(pub T);
macro_rules! real {
    ($t:ty) => {
        impl Add for Fma<$t> {
            type Output = Self;
            #[inline(always)]
            fn add(self, o: Self) -> Self {
                Fma(self.0 + o.0)
            }
        }
        impl Sub for Fma<$t> {
            type Output = Self;
            #[inline(always)]
            fn sub(self, o: Self) -> Self {
                Fma(self.0 - o.0)
            }
        }
        impl Mul for Fma<$t> {
            type Output = Self;
            #[inline(always)]
            fn mul(self, o: Self) -> Self {
                Fma(self.0 * o.0)
            }
        }
        impl Div for Fma<$t> {
            type Output = Self;
            #[inline(always)]
            fn div(self, o: Self) -> Self {
                Fma(self.0 / o.0)
            }
        }
        impl Neg for Fma<$t> {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Fma(-self.0)
            }
        }
        impl Real for $t {
            type Mask = bool;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn lit(v: f64) -> Self {
                v as $t
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                self * b + c
            }
            fn exp(self) -> Self {
                self.exp()
            }
            fn ln(self) -> Self {
                self.ln()
            }
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            fn sin(self) -> Self {
                self.sin()
            }
            fn cos(self) -> Self {
                self.cos()
            }
            fn tanh(self) -> Self {
                self.tanh()
            }
            fn erf(self) -> Self {
                erf(self as f64) as $t
            }
            fn floor(self) -> Self {
                self.floor()
            }
            fn abs(self) -> Self {
                self.abs()
            }
            fn pow(self, p: Self) -> Self {
                self.powf(p)
            }
            #[inline(always)]
            fn lt(self, o: Self) -> bool {
                self < o
            }
            #[inline(always)]
            fn le(self, o: Self) -> bool {
                self <= o
            }
            #[inline(always)]
            fn eq(self, o: Self) -> bool {
                self == o
            }
            #[inline(always)]
            fn ne(self, o: Self) -> bool {
                self != o
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
            fn select(m: bool, a: Self, b: Self) -> Self {
                if m { a } else { b }
            }
        }
        impl Real for Fma<$t> {
            type Mask = bool;
            const ZERO: Self = Fma(0.0);
            const ONE: Self = Fma(1.0);
            #[inline(always)]
            fn lit(v: f64) -> Self {
                Fma(v as $t)
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                Fma(self.0.mul_add(b.0, c.0))
            }
            fn exp(self) -> Self {
                Fma(self.0.exp())
            }
            fn ln(self) -> Self {
                Fma(self.0.ln())
            }
            fn sqrt(self) -> Self {
                Fma(self.0.sqrt())
            }
            fn sin(self) -> Self {
                Fma(self.0.sin())
            }
            fn cos(self) -> Self {
                Fma(self.0.cos())
            }
            fn tanh(self) -> Self {
                Fma(self.0.tanh())
            }
            fn erf(self) -> Self {
                Fma(erf(self.0 as f64) as $t)
            }
            fn floor(self) -> Self {
                Fma(self.0.floor())
            }
            fn abs(self) -> Self {
                Fma(self.0.abs())
            }
            fn pow(self, p: Self) -> Self {
                Fma(self.0.powf(p.0))
            }
            #[inline(always)]
            fn lt(self, o: Self) -> bool {
                self.0 < o.0
            }
            #[inline(always)]
            fn le(self, o: Self) -> bool {
                self.0 <= o.0
            }
            #[inline(always)]
            fn eq(self, o: Self) -> bool {
                self.0 == o.0
            }
            #[inline(always)]
            fn ne(self, o: Self) -> bool {
                self.0 != o.0
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
            fn select(m: bool, a: Self, b: Self) -> Self {
                if m { a } else { b }
            }
        }
    };
}
real!(f32);
real!(f64);

/// The error function: its power series near zero, the continued fraction of its complement elsewhere.
fn erf(x: f64) -> f64 {
    use std::f64::consts::FRAC_2_SQRT_PI;
    let a = x.abs();
    if a.is_nan() {
        return x;
    }
    if a < 2.5 {
        let (mut term, mut sum) = (x, x);
        for n in 1..80 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        return FRAC_2_SQRT_PI * sum;
    }
    let mut fraction = a;
    for k in (1..60).rev() {
        fraction = a + k as f64 * 0.5 / fraction;
    }
    (1.0 - (-a * a).exp() * 0.5 * FRAC_2_SQRT_PI / fraction).copysign(x)
}
