//! Sines and their kin.

use super::contract;
use super::pair::Pair;
use super::pointwise::{Kind, Map, Pointwise};
use super::rule::{Rule, contract_rules, real, rules};
use crate::op::{Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::real::Real;

rules! {
    /// The sine of angles in radians; dx = dy cos x.
    sin Sin: Float on real();
    |x| x.sin();
    |dy, x, _| dy * x.cos();
    => complex |z| z.sin();

    /// The cosine of angles in radians; dx = −dy sin x.
    cos Cos: Float on real();
    |x| x.cos();
    |dy, x, _| -(dy * x.sin());
    => complex |z| z.cos();
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
    /// The hyperbolic tangent.
    #[track_caller]
    pub fn tanh(&self) -> Tensor {
        Map(Tanh).apply([self])
    }
}

contract! {
    tanh: Map<Tanh, 1>,
}

contract_rules! {
    sin: Sin, 1,
    cos: Cos, 1,
}
