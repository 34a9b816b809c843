//! Elementwise functions beyond arithmetic: see also `elementwise`.

use crate::args::{Number, Operand, TensorLike};
use crate::give::{Give, Named};
use crate::guard::guard;
use crate::macros::{functions, ops};
use crate::tensor::PyTensor;
use pyo3::prelude::*;
use wengert::{DType, Tensor, get_default_dtype};

/// A limit: none, a number, or a tensor.
type Limit = Option<Operand>;

fn clamp_(x: &Tensor, low: &Limit, high: &Limit) -> Tensor {
    match (low, high) {
        (Some(Operand::Tensor(_)), _) | (_, Some(Operand::Tensor(_))) => {
            let tensor = |limit: &Limit| limit.as_ref().map(|l| l.tensor(x));
            let (low, high) = (tensor(low), tensor(high));
            x.clamp_tensor(low.as_ref(), high.as_ref())
        }
        (low, high) => {
            let mut ready = x.clone();
            let mut number = |limit: &Limit| match limit {
                Some(Operand::Number(n)) => {
                    ready = n.ready(&ready);
                    Some(n.f64())
                }
                _ => None,
            };
            let (low, high) = (number(low), number(high));
            ready.clamp(low, high)
        }
    }
}

/// Infinities and NaN are for floating-point numbers; integers are compared as they are.
fn float_of(x: &Tensor) -> Tensor {
    x.to(x.dtype().or_default())
}

/// The other side of a function that is computed in floating point: a number need not fit among integers.
fn float_operand(other: &Operand, x: &Tensor) -> Tensor {
    match other {
        Operand::Number(n) if !x.dtype().is_differentiable() => n.tensor(get_default_dtype()),
        other => other.tensor(x),
    }
}

/// An exponent of integers does not change the dtype.
fn ldexp_(x: &Tensor, exponent: &Tensor) -> Tensor {
    if x.dtype().is_float() && !exponent.dtype().is_float() {
        x.ldexp(&exponent.to(x.dtype()))
    } else {
        x.ldexp(exponent)
    }
}

fn not_integer(x: &Tensor, f: impl Fn(&Tensor) -> Tensor) -> Tensor {
    if x.dtype().is_differentiable() {
        f(x)
    } else {
        x.clone()
    }
}

ops! {
    /// `2ˣ`.
    fn exp2(input) / exp2_ => input.exp2();
    /// `eˣ − 1`, exact near 0.
    fn expm1(input) / expm1_ => input.expm1();
    /// `ln(1 + x)`, exact near 0.
    fn log1p(input) / log1p_ => input.log1p();
    /// The logarithm to base 2.
    fn log2(input) / log2_ => input.log2();
    /// The logarithm to base 10.
    fn log10(input) / log10_ => input.log10();
    /// `1 / √x`.
    fn rsqrt(input) / rsqrt_ => input.rsqrt();
    /// `1 / x`.
    fn reciprocal(input) / reciprocal_ => input.reciprocal();
    /// `ln(x / (1 − x))`, with x first brought into `[eps, 1 − eps]`.
    fn logit(input, eps: Option<f64> = None) / logit_ => input.logit_eps(eps.unwrap_or(-1.0));
    /// `ln(eᵃ + eᵇ)`.
    fn logaddexp(input, other: TensorLike) => input.logaddexp(&other.0);
    /// `log₂(2ᵃ + 2ᵇ)`.
    fn logaddexp2(input, other: TensorLike) => input.logaddexp2(&other.0);
    /// `a ln b`, and 0 where a is 0.
    fn xlogy(input, other: Operand) / xlogy_ => input.xlogy(&float_operand(&other, input));
    /// `a ln(1 + b)`, and 0 where a is 0.
    fn xlog1py(input, other: Operand) => input.xlog1py(&float_operand(&other, input));
    /// `−x ln x`.
    fn entr(input) => input.entr();
    /// `input · 2^other`.
    fn ldexp(input, other: TensorLike) / ldexp_ => ldexp_(input, &other.0);
    /// The tangent.
    fn tan(input) / tan_ => input.tan();
    /// The inverse sine.
    fn asin(input) / asin_ => input.asin();
    /// The inverse sine.
    fn arcsin(input) / arcsin_ => input.asin();
    /// The inverse cosine.
    fn acos(input) / acos_ => input.acos();
    /// The inverse cosine.
    fn arccos(input) / arccos_ => input.acos();
    /// The inverse tangent.
    fn atan(input) / atan_ => input.atan();
    /// The inverse tangent.
    fn arctan(input) / arctan_ => input.atan();
    /// The angle of the point (`other`, `input`).
    fn atan2(input, other: TensorLike) / atan2_ => input.atan2(&other.0);
    /// The angle of the point (`other`, `input`).
    fn arctan2(input, other: TensorLike) / arctan2_ => input.atan2(&other.0);
    /// The hyperbolic sine.
    fn sinh(input) / sinh_ => input.sinh();
    /// The hyperbolic cosine.
    fn cosh(input) / cosh_ => input.cosh();
    /// The inverse hyperbolic sine.
    fn asinh(input) / asinh_ => input.asinh();
    /// The inverse hyperbolic sine.
    fn arcsinh(input) / arcsinh_ => input.asinh();
    /// The inverse hyperbolic cosine.
    fn acosh(input) / acosh_ => input.acosh();
    /// The inverse hyperbolic cosine.
    fn arccosh(input) / arccosh_ => input.acosh();
    /// The inverse hyperbolic tangent.
    fn atanh(input) / atanh_ => input.atanh();
    /// The inverse hyperbolic tangent.
    fn arctanh(input) / arctanh_ => input.atanh();
    /// `√(a² + b²)`.
    fn hypot(input, other: TensorLike) / hypot_ => input.hypot(&other.0);
    /// `sin(πx) / (πx)`.
    fn sinc(input) / sinc_ => input.sinc();
    /// Degrees as radians.
    fn deg2rad(input) / deg2rad_ => input.deg2rad();
    /// Radians as degrees.
    fn rad2deg(input) / rad2deg_ => input.rad2deg();
    /// `1 − erf x`.
    fn erfc(input) / erfc_ => input.erfc();
    /// `exp(x²) erfc x`.
    fn erfcx(input) => input.erfcx();
    /// The inverse of erf.
    fn erfinv(input) / erfinv_ => input.erfinv();
    /// The normal distribution function.
    fn ndtr(input) => input.ndtr();
    /// The inverse of the normal distribution function.
    fn ndtri(input) => input.ndtri();
    /// The logarithm of the normal distribution function.
    fn log_ndtr(input) => input.log_ndtr();
    /// `ln |Γ(x)|`.
    fn lgamma(input) / lgamma_ => input.lgamma();
    /// The derivative of ln Γ.
    fn digamma(input) / digamma_ => input.digamma();
    /// The logarithm of the multivariate Γ function.
    fn mvlgamma(input, p: usize) / mvlgamma_ => input.mvlgamma(p);
    /// The modified Bessel function of order 0.
    fn i0(input) / i0_ => input.i0();
    /// `exp(−|x|) I₀(x)`.
    fn i0e(input) => input.i0e();
    /// The modified Bessel function of order 1.
    fn i1(input) => input.i1();
    /// `exp(−|x|) I₁(x)`.
    fn i1e(input) => input.i1e();
    /// The Bessel function of the first kind, order 0.
    fn bessel_j0(input) => input.bessel_j0();
    /// The Bessel function of the first kind, order 1.
    fn bessel_j1(input) => input.bessel_j1();
    /// The Bessel function of the second kind, order 0.
    fn bessel_y0(input) => input.bessel_y0();
    /// The Bessel function of the second kind, order 1.
    fn bessel_y1(input) => input.bessel_y1();
    /// The modified Bessel function of the second kind, order 0.
    fn modified_bessel_k0(input) => input.modified_bessel_k0();
    /// The modified Bessel function of the second kind, order 1.
    fn modified_bessel_k1(input) => input.modified_bessel_k1();
    /// `exp(x) K₀(x)`.
    fn scaled_modified_bessel_k0(input) => input.scaled_modified_bessel_k0();
    /// `exp(x) K₁(x)`.
    fn scaled_modified_bessel_k1(input) => input.scaled_modified_bessel_k1();
    /// The spherical Bessel function of the first kind, order 0.
    fn spherical_bessel_j0(input) => input.spherical_bessel_j0();
    /// The Airy function Ai.
    fn airy_ai(input) => input.airy_ai();
    /// The regularised lower incomplete Γ function P(input, other).
    fn igamma(input, other: TensorLike) / igamma_ => input.igamma(&other.0);
    /// The regularised upper incomplete Γ function Q(input, other).
    fn igammac(input, other: TensorLike) / igammac_ => input.igammac(&other.0);
    /// Hurwitz's ζ(input, other).
    fn zeta(input, other: Operand) => input.zeta(&float_operand(&other, input));
    /// Chebyshev's polynomial of the first kind and degree n.
    fn chebyshev_polynomial_t(input, n: Operand) => input.chebyshev_polynomial_t(&float_operand(&n, input));
    /// Chebyshev's polynomial of the second kind and degree n.
    fn chebyshev_polynomial_u(input, n: Operand) => input.chebyshev_polynomial_u(&float_operand(&n, input));
    /// Chebyshev's polynomial of the third kind and degree n.
    fn chebyshev_polynomial_v(input, n: Operand) => input.chebyshev_polynomial_v(&float_operand(&n, input));
    /// Chebyshev's polynomial of the fourth kind and degree n.
    fn chebyshev_polynomial_w(input, n: Operand) => input.chebyshev_polynomial_w(&float_operand(&n, input));
    /// Chebyshev's polynomial of the first kind at 2x − 1.
    fn shifted_chebyshev_polynomial_t(input, n: Operand) => input.shifted_chebyshev_polynomial_t(&float_operand(&n, input));
    /// Chebyshev's polynomial of the second kind at 2x − 1.
    fn shifted_chebyshev_polynomial_u(input, n: Operand) => input.shifted_chebyshev_polynomial_u(&float_operand(&n, input));
    /// Chebyshev's polynomial of the third kind at 2x − 1.
    fn shifted_chebyshev_polynomial_v(input, n: Operand) => input.shifted_chebyshev_polynomial_v(&float_operand(&n, input));
    /// Chebyshev's polynomial of the fourth kind at 2x − 1.
    fn shifted_chebyshev_polynomial_w(input, n: Operand) => input.shifted_chebyshev_polynomial_w(&float_operand(&n, input));
    /// The physicists' Hermite polynomial of degree n.
    fn hermite_polynomial_h(input, n: Operand) => input.hermite_polynomial_h(&float_operand(&n, input));
    /// The probabilists' Hermite polynomial of degree n.
    fn hermite_polynomial_he(input, n: Operand) => input.hermite_polynomial_he(&float_operand(&n, input));
    /// Laguerre's polynomial of degree n.
    fn laguerre_polynomial_l(input, n: Operand) => input.laguerre_polynomial_l(&float_operand(&n, input));
    /// Legendre's polynomial of degree n.
    fn legendre_polynomial_p(input, n: Operand) => input.legendre_polynomial_p(&float_operand(&n, input));
    /// The angle from the positive numbers, in radians: of real numbers π for negative ones, 0 for others.
    fn angle(input) => input.angle();
    /// Whether the imaginary part is zero.
    fn isreal(input) => match input.dtype().is_complex() {
        true => input.imag().eq(0.0),
        false => Tensor::full_as(input.shape(), 1.0, DType::Bool),
    };
    /// The complex conjugate; of real numbers themselves.
    fn conj(input) => input.conj();
    /// The complex conjugate; of real numbers themselves.
    fn conj_physical(input) / conj_physical_ => input.conj();
    /// Itself: conjugates are computed at once.
    fn resolve_conj(input) => input.clone();
    /// Itself: negatives are computed at once.
    fn resolve_neg(input) => input.clone();
    /// The smallest integer not below x.
    fn ceil(input) / ceil_ => not_integer(input, Tensor::ceil);
    /// The integer next to x on the side of zero.
    fn trunc(input) / trunc_ => not_integer(input, Tensor::trunc);
    /// The integer next to x on the side of zero.
    fn fix(input) / fix_ => not_integer(input, Tensor::trunc);
    /// The nearest number with this many decimals, halves to the even one.
    fn round(input; decimals: i32 = 0) / round_ => not_integer(input, |x| x.round_decimals(decimals));
    /// What `trunc` takes off.
    fn frac(input) / frac_ => input.frac();
    /// 1, 0 or −1 as x is above, at or below zero.
    fn sign(input) / sign_ => input.sign();
    /// `x / |x|`, and 0 at 0.
    fn sgn(input) / sgn_ => input.sgn();
    /// Whether the sign is negative, also of a zero.
    fn signbit(input) => input.signbit();
    /// `|a|` with the sign of b.
    fn copysign(input, other: Operand) / copysign_ => input.copysign(&float_operand(&other, input));
    /// 0 below zero, 1 above, and `values` at zero.
    fn heaviside(input, values: TensorLike) / heaviside_ => input.heaviside(&values.0);
    /// What the quotient rounded toward zero leaves: it has the sign of `input`.
    fn fmod(input, other: Operand) / fmod_ => input.fmod(&other.tensor(input));
    /// The power in float64.
    fn float_power(input, exponent: Operand) / float_power_ => input.float_power(&exponent.tensor(&input.to(DType::F64)));
    /// The larger of the two; the other where one is NaN.
    fn fmax(input, other: TensorLike) => input.fmax(&other.0);
    /// The smaller of the two; the other where one is NaN.
    fn fmin(input, other: TensorLike) => input.fmin(&other.0);
    /// Brought into the limits that are given.
    fn clamp(input, min: Limit = None, max: Limit = None) / clamp_ => clamp_(input, &min, &max);
    /// Brought into the limits that are given.
    fn clip(input, min: Limit = None, max: Limit = None) / clip_ => clamp_(input, &min, &max);
    /// Brought up to `min`.
    fn clamp_min(input, min: Operand) / clamp_min_ => clamp_(input, &Some(min), &None);
    /// Brought down to `max`.
    fn clamp_max(input, max: Operand) / clamp_max_ => clamp_(input, &None, &Some(max));
    /// Numbers for NaN and infinities.
    fn nan_to_num(input, nan: Option<f64> = None, posinf: Option<f64> = None, neginf: Option<f64> = None) / nan_to_num_
        => not_integer(input, |x| x.nan_to_num(nan, posinf, neginf));
    /// Whether it is NaN.
    fn isnan(input) => input.isnan();
    /// Whether it is infinite.
    fn isinf(input) => input.isinf();
    /// Whether it is neither infinite nor NaN.
    fn isfinite(input) => input.isfinite();
    /// Whether it is ∞.
    fn isposinf(input) => input.isposinf();
    /// Whether it is −∞.
    fn isneginf(input) => input.isneginf();
    /// Whether |a − b| ≤ `atol` + `rtol` |b|.
    fn isclose(input, other: TensorLike, rtol: f64 = 1e-5, atol: f64 = 1e-8, equal_nan: bool = false)
        => input.isclose(&other.0, rtol, atol, equal_nan);
    /// The number between `input` and `end` at `weight`.
    fn lerp(input, end: TensorLike, weight: Operand) / lerp_ => input.lerp(&end.0, &weight.tensor(input));
    /// `input + value · tensor1 · tensor2`.
    fn addcmul(input, tensor1: TensorLike, tensor2: TensorLike; value: Number = (Number::Int(1))) / addcmul_
        => value.ready(input).addcmul(&tensor1.0, &tensor2.0, value.f64());
    /// `input + value · tensor1 / tensor2`.
    fn addcdiv(input, tensor1: TensorLike, tensor2: TensorLike; value: Number = (Number::Int(1))) / addcdiv_
        => float_of(input).addcdiv(&tensor1.0, &tensor2.0, value.f64());
    /// Every bit inverted.
    fn bitwise_not(input) / bitwise_not_ => input.bitwise_not();
    /// The bits that both have.
    fn bitwise_and(input, other: Operand) / bitwise_and_ => input.bitwise_and(&other.tensor(input));
    /// The bits that either has.
    fn bitwise_or(input, other: Operand) / bitwise_or_ => input.bitwise_or(&other.tensor(input));
    /// The bits that exactly one has.
    fn bitwise_xor(input, other: Operand) / bitwise_xor_ => input.bitwise_xor(&other.tensor(input));
    /// Shifted left.
    fn bitwise_left_shift(input, other: Operand) / bitwise_left_shift_ => input.bitwise_left_shift(&other.tensor(input));
    /// Shifted right, with the sign.
    fn bitwise_right_shift(input, other: Operand) / bitwise_right_shift_
        => input.bitwise_right_shift(&other.tensor(input));
    /// The greatest common divisor.
    fn gcd(input, other: TensorLike) / gcd_ => input.gcd(&other.0);
    /// The least common multiple.
    fn lcm(input, other: TensorLike) / lcm_ => input.lcm(&other.0);
    /// `alpha · (other − input)`, the other way round.
    fn rsub(input, other: Operand; alpha: Number = (Number::Int(1))) => {
        let scaled = if alpha.f64() == 1.0 { input.clone() } else { alpha.ready(input) * alpha.f64() };
        other.tensor(input) - scaled
    };
    /// The number next to each element on the side of that of `other`.
    fn nextafter(input, other: TensorLike) / nextafter_ => input.nextafter(&other.0);
    /// Each element as mantissa and exponent.
    fn frexp(input) => {
        let (mantissa, exponent) = input.frexp();
        Named("frexp", ["mantissa", "exponent"], [mantissa, exponent])
    };
    /// Itself.
    fn positive(input) => input.clone();
    /// `a < b`, as bool.
    fn less(input, other: Operand) / less_ => input.lt(&other.tensor(input));
    /// `a ≤ b`, as bool.
    fn less_equal(input, other: Operand) / less_equal_ => input.le(&other.tensor(input));
    /// `a > b`, as bool.
    fn greater(input, other: Operand) / greater_ => input.gt(&other.tensor(input));
    /// `a ≥ b`, as bool.
    fn greater_equal(input, other: Operand) / greater_equal_ => input.ge(&other.tensor(input));
    /// `a ≠ b`, as bool.
    fn not_equal(input, other: Operand) / not_equal_ => input.ne(&other.tensor(input));
}

/// The derivative of order `n` of the digamma function.
#[pyfunction]
fn polygamma(py: Python<'_>, n: u32, input: TensorLike) -> PyResult<Py<PyAny>> {
    let x = input.0;
    guard(py, x.numel(), move || x.polygamma(n))?.give(py)
}

#[pymethods]
impl PyTensor {
    /// The derivative of order `n` of the digamma function.
    fn polygamma(&self, py: Python<'_>, n: u32) -> PyResult<Py<PyAny>> {
        polygamma(py, n, TensorLike(self.get()))
    }
    fn __lshift__(&self, py: Python<'_>, other: Operand) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, x.numel(), move || x.bitwise_left_shift(&other.tensor(&x)))?.give(py)
    }
    fn __rlshift__(&self, py: Python<'_>, other: Operand) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, x.numel(), move || other.tensor(&x).bitwise_left_shift(&x))?.give(py)
    }
    fn __rrshift__(&self, py: Python<'_>, other: Operand) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, x.numel(), move || other.tensor(&x).bitwise_right_shift(&x))?.give(py)
    }
    fn __rshift__(&self, py: Python<'_>, other: Operand) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, x.numel(), move || x.bitwise_right_shift(&other.tensor(&x)))?.give(py)
    }
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    functions!(m, polygamma);
    for (alias, name) in [
        ("gammaln", "lgamma"),
        ("psi", "digamma"),
        ("multigammaln", "mvlgamma"),
        ("expit", "sigmoid"),
    ] {
        m.add(alias, m.getattr(name)?)?;
    }
    Ok(())
}
