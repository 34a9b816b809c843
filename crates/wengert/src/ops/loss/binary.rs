//! Losses of yes and no.

use super::{Reduction, ln_1p, require_same};
use crate::autograd::Precision;
use crate::op::{Op, Sample, Saves};
use crate::ops::contract;
use crate::ops::pointwise::{Map, Pointwise};
use crate::tensor::Tensor;
use wengert_array::real::Real;
use wengert_array::{Array, Error, ErrorKind, raise};

/// L = −(t ln x + (1 − t) ln (1 − x)) for a probability x, logarithms cut off at −100 as PyTorch does;
/// dx = dL (x − t) / (x (1 − x)), dt = dL (ln (1 − x) − ln x).
#[derive(Debug, Clone)]
pub struct BinaryCrossEntropy;

impl Pointwise<2> for BinaryCrossEntropy {
    const NAME: &'static str = "binary_cross_entropy";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::x(1)), Saves::x(0)];
    const PRECISION: Precision = Precision::Full;
    const COST: usize = 16;
    #[inline(always)]
    fn value<S: Real>(&self, [x, t]: [S; 2]) -> S {
        let (yes, no) = (x.ln().max(S::lit(-100.0)), (S::ONE - x).ln().max(S::lit(-100.0)));
        (t - S::ONE) * no - t * yes
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x, t]: [S; 2], _: S) -> [S; 2] {
        let (yes, no) = (x.ln().max(S::lit(-100.0)), (S::ONE - x).ln().max(S::lit(-100.0)));
        [
            dy * (x - t) / ((S::ONE - x) * x).max(S::lit(1e-12)),
            dy * (no - yes),
        ]
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        let x = Array::from_slice(&[0.5, 0.1, 0.9, 0.25], [2, 2]);
        vec![Sample::new(
            Map(BinaryCrossEntropy),
            [x, Array::from_slice(&[0.0, 1.0, 0.75, 0.5], [2, 2])],
        )]
    }
}

/// L = (1 − t) x + ln(1 + e^−x), the cross-entropy of the probability sigmoid(x); dx = dL (sigmoid(x) − t), dt = −dL x.
#[derive(Debug, Clone)]
pub struct LogitsEntropy;

/// ln(1 + e^−x) without overflow.
#[inline(always)]
fn softplus_of_minus<S: Real>(x: S) -> S {
    (-x).max(S::ZERO) + ln_1p((-x.abs()).exp())
}

/// 1 / (1 + e^−x).
#[inline(always)]
fn sigmoid<S: Real>(x: S) -> S {
    // Never an infinite e^x, whose slope would be NaN.
    let e = (-x.abs()).exp();
    S::select(x.lt(S::ZERO), e, S::ONE) / (S::ONE + e)
}

impl Pointwise<2> for LogitsEntropy {
    const NAME: &'static str = "binary_cross_entropy_with_logits";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::x(1)), Saves::x(0)];
    const PRECISION: Precision = Precision::Full;
    const COST: usize = 16;
    #[inline(always)]
    fn value<S: Real>(&self, [x, t]: [S; 2]) -> S {
        (S::ONE - t) * x + softplus_of_minus(x)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x, t]: [S; 2], _: S) -> [S; 2] {
        [dy * (sigmoid(x) - t), dy * -x]
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        let x = Array::from_slice(&[0.5, -3.0, 40.0, -800.0], [2, 2]);
        vec![Sample::new(
            Map(LogitsEntropy),
            [x, Array::from_slice(&[0.0, 1.0, 0.75, 0.5], [2, 2])],
        )]
    }
}

/// L = (1 − t) x + (1 + (p − 1) t) ln(1 + e^−x), which weighs positive examples by p.
#[derive(Debug, Clone)]
pub struct WeightedLogitsEntropy;

impl Pointwise<3> for WeightedLogitsEntropy {
    const NAME: &'static str = "binary_cross_entropy_with_logits";
    const SAVES: &'static [Saves] = &[
        Saves::ALL_X,
        Saves::x(0).and(Saves::x(2)),
        Saves::x(0).and(Saves::x(1)),
    ];
    const PRECISION: Precision = Precision::Full;
    const COST: usize = 20;
    #[inline(always)]
    fn value<S: Real>(&self, [x, t, p]: [S; 3]) -> S {
        (S::ONE - t) * x + (S::ONE + (p - S::ONE) * t) * softplus_of_minus(x)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x, t, p]: [S; 3], _: S) -> [S; 3] {
        let (soft, weight) = (softplus_of_minus(x), S::ONE + (p - S::ONE) * t);
        let dx = (S::ONE - t) - weight * sigmoid(-x);
        [dy * dx, dy * ((p - S::ONE) * soft - x), dy * (t * soft)]
    }
    fn samples() -> Vec<Sample<Map<Self, 3>>> {
        let x = Array::from_slice(&[0.5, -3.0, 4.0, -0.25], [2, 2]);
        let t = Array::from_slice(&[0.0, 1.0, 0.75, 0.5], [2, 2]);
        vec![Sample::new(
            Map(WeightedLogitsEntropy),
            [x, t, Array::from_slice(&[2.0, 0.5], [2])],
        )]
    }
}

/// The cross-entropy between probabilities and targets in [0, 1], −(t ln x + (1 − t) ln (1 − x)), each times
/// `weight`, which broadcasts. Logarithms are cut off at −100, as PyTorch's.
///
/// # Panics
/// If the shapes differ, or a probability is not in [0, 1].
#[track_caller]
pub fn binary_cross_entropy(
    x: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
) -> Tensor {
    const NAME: &str = "binary_cross_entropy";
    require_same(NAME, x, target);
    if x.numel() > 0 {
        let (low, high) = (x.detach().min().item(), x.detach().max().item());
        if low < 0.0 || high > 1.0 {
            let message = format!("the input must be probabilities, and goes from {low} to {high}");
            raise(
                Error::new(ErrorKind::Value, NAME, message)
                    .help("`binary_cross_entropy_with_logits` takes logits, and is more exact"),
            );
        }
    }
    weighed(Map(BinaryCrossEntropy).apply([x, target]), weight, reduction)
}

#[track_caller]
fn weighed(losses: Tensor, weight: Option<&Tensor>, reduction: Reduction) -> Tensor {
    match weight {
        Some(w) => reduction.of(losses * w),
        None => reduction.of(losses),
    }
}

/// As [`binary_cross_entropy`] of sigmoid(x), without its loss of digits. `pos_weight`, which broadcasts, weighs
/// the positive examples.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn binary_cross_entropy_with_logits(
    x: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
    pos_weight: Option<&Tensor>,
) -> Tensor {
    require_same("binary_cross_entropy_with_logits", x, target);
    let losses = match pos_weight {
        Some(p) => Map(WeightedLogitsEntropy).apply([x, target, p]),
        None => Map(LogitsEntropy).apply([x, target]),
    };
    weighed(losses, weight, reduction)
}

/// The mean over classes of [`binary_cross_entropy_with_logits`], for x and targets `[n, classes]`, each times the weight
/// of its class.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn multilabel_soft_margin_loss(
    x: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
) -> Tensor {
    require_same("multilabel_soft_margin_loss", x, target);
    let losses = Map(LogitsEntropy).apply([x, target]);
    let losses = match weight {
        Some(w) => losses * w,
        None => losses,
    };
    let losses = if losses.dim() == 0 {
        losses
    } else {
        losses.mean_dim(-1, false)
    };
    reduction.of(losses)
}

contract! {
    binary_cross_entropy: Map<BinaryCrossEntropy, 2>,
    logits_entropy: Map<LogitsEntropy, 2>,
    weighted_logits_entropy: Map<WeightedLogitsEntropy, 3>,
}
