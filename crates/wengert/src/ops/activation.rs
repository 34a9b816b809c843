//! What stands between layers.

use super::contract;
use super::pair::Pair;
use super::pointwise::{Kind, Map, Pointwise};
use super::rule::real;
use crate::op::{Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::real::Real;

/// y = max(x, 0); dx = dy where y > 0, else 0.
#[derive(Debug, Clone)]
pub struct Relu;

impl Pointwise<1> for Relu {
    const NAME: &'static str = "relu";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::Y];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.max(S::ZERO)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 1], y: S) -> [S; 1] {
        [S::select(y.le(S::ZERO), S::ZERO, dy)]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Relu), [real()])]
    }
}

/// y = 1 / (1 + e^−x); dx = dy y (1 − y).
#[derive(Debug, Clone)]
pub struct Sigmoid;

impl Pointwise<1> for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const SAVES: &'static [Saves] = &[Saves::Y];
    const COST: usize = 5;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        S::ONE / (S::ONE + (-x).exp())
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 1], y: S) -> [S; 1] {
        [dy * (y * (S::ONE - y))]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.sigmoid())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Sigmoid), [real()])]
    }
}

/// y = x Φ(x), Φ the normal distribution function: x/2 (1 + erf(x/√2)) (Hendrycks and Gimpel, 2016);
/// dx = dy (Φ(x) + x φ(x)).
#[derive(Debug, Clone)]
pub struct Gelu;

impl Pointwise<1> for Gelu {
    const NAME: &'static str = "gelu";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    const COST: usize = 12;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x * x.normal_cdf()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
        let density = S::lit(0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2) * (S::lit(-0.5) * (x * x)).exp();
        [dy * (x.normal_cdf() + x * density)]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Gelu), [real()])]
    }
}

/// The tanh approximation of gelu: y = x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))). Its gradient is derived from the rule.
#[derive(Debug, Clone)]
pub struct GeluTanh;

impl Pointwise<1> for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    const COST: usize = 10;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        let inner = x + S::lit(0.044_715) * (x * x * x);
        S::lit(0.5) * x * (S::ONE + (S::lit(0.797_884_560_802_865_4) * inner).tanh())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(GeluTanh), [real()])]
    }
}

impl Tensor {
    /// `max(x, 0)`.
    #[track_caller]
    pub fn relu(&self) -> Tensor {
        Map(Relu).apply([self])
    }

    /// `1 / (1 + e^−x)`.
    #[track_caller]
    pub fn sigmoid(&self) -> Tensor {
        Map(Sigmoid).apply([self])
    }

    /// `x Φ(x)`, exactly.
    #[track_caller]
    pub fn gelu(&self) -> Tensor {
        Map(Gelu).apply([self])
    }

    /// `x Φ(x)` by the tanh approximation.
    #[track_caller]
    pub fn gelu_tanh(&self) -> Tensor {
        Map(GeluTanh).apply([self])
    }
}

contract! {
    relu: Map<Relu, 1>,
    sigmoid: Map<Sigmoid, 1>,
    gelu: Map<Gelu, 1>,
    gelu_tanh: Map<GeluTanh, 1>,
}
