//! Exponentials, logarithms and roots.

use super::contract;
use super::pair::Pair;
use super::pointwise::{Map, Pointwise};
use super::rule::real;
use crate::op::{Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::Array;
use wengert_array::real::Real;

/// y = e^x; dx = dy y.
#[derive(Debug, Clone)]
pub struct Exp;

impl Pointwise<1> for Exp {
    const NAME: &'static str = "exp";
    const SAVES: &'static [Saves] = &[Saves::Y];
    const COST: usize = 4;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.exp()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 1], y: S) -> [S; 1] {
        [dy * y]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.exp())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Exp), [real()])]
    }
}

/// y = ln x; dx = dy / x.
#[derive(Debug, Clone)]
pub struct Ln;

impl Pointwise<1> for Ln {
    const NAME: &'static str = "ln";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    const COST: usize = 4;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.ln()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        [dy / x]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.ln())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(
            Map(Ln),
            [Array::from_slice(&[0.5, 1.5, 2.0, 0.25, 3.0, 1.0], [2, 3])],
        )]
    }
}

/// y = √x; dx = dy / 2y.
#[derive(Debug, Clone)]
pub struct Sqrt;

impl Pointwise<1> for Sqrt {
    const NAME: &'static str = "sqrt";
    const SAVES: &'static [Saves] = &[Saves::Y];
    const COST: usize = 2;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.sqrt()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 1], y: S) -> [S; 1] {
        [dy / (S::lit(2.0) * y)]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.sqrt())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(
            Map(Sqrt),
            [Array::from_slice(&[0.5, 1.5, 2.0, 0.25, 3.0, 1.0], [2, 3])],
        )]
    }
}

/// y = erf x = 2/√π ∫₀ˣ exp(−t²) dt; dx = dy 2/√π exp(−x²).
#[derive(Debug, Clone)]
pub struct Erf;

impl Pointwise<1> for Erf {
    const NAME: &'static str = "erf";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    const COST: usize = 8;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.erf()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        [dy * (S::lit(std::f64::consts::FRAC_2_SQRT_PI) * (-(x * x)).exp())]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Erf), [real()])]
    }
}

impl Tensor {
    /// `e^x`.
    #[track_caller]
    pub fn exp(&self) -> Tensor {
        Map(Exp).apply([self])
    }

    /// The natural logarithm.
    #[track_caller]
    pub fn ln(&self) -> Tensor {
        Map(Ln).apply([self])
    }

    /// The natural logarithm, by PyTorch's name for it.
    #[track_caller]
    pub fn log(&self) -> Tensor {
        self.ln()
    }

    /// The square root.
    #[track_caller]
    pub fn sqrt(&self) -> Tensor {
        Map(Sqrt).apply([self])
    }

    /// The error function.
    #[track_caller]
    pub fn erf(&self) -> Tensor {
        Map(Erf).apply([self])
    }
}

contract! {
    exp: Map<Exp, 1>,
    ln: Map<Ln, 1>,
    sqrt: Map<Sqrt, 1>,
    erf: Map<Erf, 1>,
}
