//! Sines and their kin.

use super::contract;
use super::pair::Pair;
use super::pointwise::{Map, Pointwise};
use super::rule::real;
use crate::op::{Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::real::Real;

/// y = sin x; dx = dy cos x.
#[derive(Debug, Clone)]
pub struct Sin;

impl Pointwise<1> for Sin {
    const NAME: &'static str = "sin";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    const COST: usize = 6;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.sin()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        [dy * x.cos()]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.sin())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Sin), [real()])]
    }
}

/// y = cos x; dx = −dy sin x.
#[derive(Debug, Clone)]
pub struct Cos;

impl Pointwise<1> for Cos {
    const NAME: &'static str = "cos";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    const COST: usize = 6;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.cos()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        [-(dy * x.sin())]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.cos())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Cos), [real()])]
    }
}

/// y = tanh x; dx = dy (1 − y²).
#[derive(Debug, Clone)]
pub struct Tanh;

impl Pointwise<1> for Tanh {
    const NAME: &'static str = "tanh";
    const SAVES: &'static [Saves] = &[Saves::Y];
    const COST: usize = 4;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.tanh()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 1], y: S) -> [S; 1] {
        [dy * (S::ONE - y * y)]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.tanh())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Tanh), [real()])]
    }
}

impl Tensor {
    /// The sine of angles in radians.
    #[track_caller]
    pub fn sin(&self) -> Tensor {
        Map(Sin).apply([self])
    }

    /// The cosine of angles in radians.
    #[track_caller]
    pub fn cos(&self) -> Tensor {
        Map(Cos).apply([self])
    }

    /// The hyperbolic tangent.
    #[track_caller]
    pub fn tanh(&self) -> Tensor {
        Map(Tanh).apply([self])
    }
}

contract! {
    sin: Map<Sin, 1>,
    cos: Map<Cos, 1>,
    tanh: Map<Tanh, 1>,
}
