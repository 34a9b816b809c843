//! Inverse and hyperbolic functions, and angles.

use super::compare::Operand;
use super::pointwise::{Kind, Map, Pointwise};
use super::rule::{Rule, above_one, contract_rules, real, rules, rules2, within_one};
use crate::op::{Op, Sample};
use crate::tensor::Tensor;
use std::f64::consts::{LN_2, PI};
use wengert_array::Array;
use wengert_array::real::Real;

/// The angle of the point (x, y) from the x-axis, as IEEE 754 `atan2`. Also for infinite and zero coordinates.
#[inline(always)]
fn angle<S: Real>(y: S, x: S) -> S {
    let (ay, ax) = (y.abs(), x.abs());
    // Both infinite, or both zero: the quotient is then that of ones, or 0.
    let inf = S::lit(f64::INFINITY);
    let both = S::and(ay.eq(inf), ax.eq(inf));
    let none = S::and(ay.eq(S::ZERO), ax.eq(S::ZERO));
    let ay = S::select(both, S::ONE, ay);
    let ax = S::select(S::or(both, none), S::ONE, ax);
    let turn = (ay / ax).atan();
    let behind = S::ONE.copysign(x).lt(S::ZERO);
    S::select(behind, S::lit(PI) - turn, turn).copysign(y)
}

/// √(1 − x²), without cancelling near ±1.
#[inline(always)]
fn across<S: Real>(x: S) -> S {
    ((S::ONE - x) * (S::ONE + x)).sqrt()
}

rules! {
    /// The tangent of angles in radians; dx = dy (1 + y²).
    tan Tan: Float on within_one();
    |x| x.sin() / x.cos();
    |dy, _, y| dy * (S::ONE + y * y);
    => complex |z| z.tan();

    /// The angle between −π/2 and π/2 whose sine is x; dx = dy / √(1 − x²).
    asin Asin: Float on within_one();
    |x| (x / across(x)).atan();
    |dy, x, _| dy / across(x);
    => complex |z| z.asin();

    /// The angle between 0 and π whose cosine is x; dx = −dy / √(1 − x²).
    acos Acos: Float on within_one();
    |x| {
        let turn = (across(x) / x.abs()).atan();
        S::select(x.lt(S::ZERO), S::lit(PI) - turn, turn)
    };
    |dy, x, _| -dy / across(x);
    => complex |z| z.acos();

    /// The angle between −π/2 and π/2 whose tangent is x; dx = dy / (1 + x²).
    atan Atan: Float on real();
    |x| x.atan();
    |dy, x, _| dy / (S::ONE + x * x);
    => complex |z| z.atan();

    /// The hyperbolic sine, (e^x − e^−x)/2; dx = dy cosh x.
    sinh Sinh: Float on real();
    |x| {
        // Half of e^x − 1 and of what it is more than 1 − e^−x; by halves of x where e^x alone would overflow.
        let a = x.abs();
        let t = a.exp_m1();
        let near = S::lit(0.5) * (t + t / (t + S::ONE));
        let root = (S::lit(0.5) * a).exp();
        let y = S::select(a.gt(S::lit(20.0)), S::lit(0.5) * root * root, near);
        y.copysign(x)
    };
    |dy, x, _| dy * cosh(x);
    => complex |z| z.sinh();

    /// The hyperbolic cosine, (e^x + e^−x)/2; dx = dy sinh x.
    cosh Cosh: Float on real();
    |x| cosh(x);
    |dy, x, _| dy * (S::lit(0.5) * (x.exp() - (-x).exp()));
    => complex |z| z.cosh();

    /// The inverse of [`sinh`](Tensor::sinh); dx = dy / √(x² + 1).
    asinh Asinh: Float on real();
    |x| {
        let a = x.abs();
        let far = a.ln() + S::lit(LN_2);
        let near = S::select(a.gt(S::lit(1e8)), S::ONE, a);
        let square = near * near;
        let near = (near + square / (S::ONE + (square + S::ONE).sqrt())).ln_1p();
        S::select(a.gt(S::lit(1e8)), far, near).copysign(x)
    };
    |dy, x, _| dy / (x * x + S::ONE).sqrt();
    => complex |z| z.asinh();

    /// The inverse of [`cosh`](Tensor::cosh) for x ≥ 1; dx = dy / √(x² − 1).
    acosh Acosh: Float on above_one();
    |x| {
        let t = x - S::ONE;
        let far = x.ln() + S::lit(LN_2);
        let near = (t + (t * (x + S::ONE)).sqrt()).ln_1p();
        S::select(x.gt(S::lit(1e8)), far, near)
    };
    |dy, x, _| dy / ((x - S::ONE) * (x + S::ONE)).sqrt();
    => complex |z| z.acosh();

    /// The inverse of [`tanh`](Tensor::tanh); dx = dy / (1 − x²).
    atanh Atanh: Float on within_one();
    |x| {
        let a = x.abs();
        (S::lit(0.5) * ((a + a) / (S::ONE - a)).ln_1p()).copysign(x)
    };
    |dy, x, _| dy / ((S::ONE - x) * (S::ONE + x));
    => complex |z| z.atanh();

    /// `sin(πx) / (πx)`, and 1 at 0; dx = dy (cos(πx) − y) / x, and 0 at 0.
    sinc Sinc: Float on real();
    |x| {
        let zero = x.eq(S::ZERO);
        let z = S::lit(PI) * S::select(zero, S::ONE, x);
        S::select(zero, S::ONE, z.sin() / z)
    };
    |dy, x, _| {
        let zero = x.eq(S::ZERO);
        let z = S::lit(PI) * S::select(zero, S::ONE, x);
        S::select(zero, S::ZERO, dy * S::lit(PI) * ((z * z.cos() - z.sin()) / (z * z)))
    };
    => complex |z| z.sinc();

    /// Degrees as radians; dx = dy π/180.
    deg2rad Deg2rad: Float on real();
    |x| x * S::lit(PI / 180.0);
    |dy, _, _| dy * S::lit(PI / 180.0);

    /// Radians as degrees; dx = dy 180/π.
    rad2deg Rad2deg: Float on real();
    |x| x * S::lit(180.0 / PI);
    |dy, _, _| dy * S::lit(180.0 / PI);
}

/// By halves of x: e^x alone would overflow before its half.
#[inline(always)]
fn cosh<S: Real>(x: S) -> S {
    let root = (S::lit(0.5) * x.abs()).exp();
    S::lit(0.5) * root * root + S::lit(0.5) / (root * root)
}

rules2! {
    /// The angle of the point with these ordinates (`self`) and abscissas (`other`), between −π and π;
    /// da = dy b / (a² + b²), db = −dy a / (a² + b²), both 0 at the origin.
    atan2 Atan2: Float on [real(), above_one()];
    |a, b| angle(a, b);
    |dy, a, b, _| {
        let square = a * a + b * b;
        let none = square.eq(S::ZERO);
        let scale = S::select(none, S::ZERO, dy / S::select(none, S::ONE, square));
        [scale * b, -scale * a]
    };

    /// `√(a² + b²)` without overflow; da = dy a / y, db = dy b / y, both 0 at the origin (where PyTorch has NaN).
    hypot Hypot: Float on [real(), above_one()];
    |a, b| {
        let (a, b) = (a.abs(), b.abs());
        let inf = S::lit(f64::INFINITY);
        let (top, low) = (a.max(b), a.min(b));
        let t = low / S::select(top.eq(S::ZERO), S::ONE, top);
        let y = top * (S::ONE + t * t).sqrt();
        S::select(S::or(a.eq(inf), b.eq(inf)), inf, y)
    };
    |dy, a, b, y| {
        let none = y.eq(S::ZERO);
        let y = S::select(none, S::ONE, y);
        [dy * (a / y), dy * (b / y)]
    };
}

contract_rules! {
    tan: Tan, 1,
    asin: Asin, 1,
    acos: Acos, 1,
    atan: Atan, 1,
    sinh: Sinh, 1,
    cosh: Cosh, 1,
    asinh: Asinh, 1,
    acosh: Acosh, 1,
    atanh: Atanh, 1,
    sinc: Sinc, 1,
    deg2rad: Deg2rad, 1,
    rad2deg: Rad2deg, 1,
    atan2: Atan2, 2,
    hypot: Hypot, 2,
}
