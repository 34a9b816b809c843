//! Losses of numbers, and of the parameters of distributions.

use super::{Reduction, require_same};
use crate::autograd::Precision;
use crate::op::{Op, Sample, Saves};
use crate::ops::contract;
use crate::ops::pair::Pair;
use crate::ops::pointwise::{Map, Pointwise};
use crate::tensor::Tensor;
use wengert_array::real::Real;
use wengert_array::{Array, Error, ErrorKind, Shape, raise};

fn pair() -> [Array; 2] {
    [
        Array::from_slice(&[0.5, -3.0, 4.0, -0.25, 1.5, 0.75], [2, 3]),
        Array::from_slice(&[0.25, 1.0, 3.5, -0.75, 2.75, 0.5], [2, 3]),
    ]
}

/// L = |x − t|.
#[derive(Debug, Clone)]
pub struct L1;

impl Pointwise<2> for L1 {
    const NAME: &'static str = "l1_loss";
    const PRECISION: Precision = Precision::Full;
    #[inline(always)]
    fn value<S: Real>(&self, [x, t]: [S; 2]) -> S {
        (x - t).abs()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x, t]: [S; 2], _: S) -> [S; 2] {
        let d = x - t;
        let slope = S::select(d.gt(S::ZERO), S::ONE, S::select(d.lt(S::ZERO), -S::ONE, d));
        [dy * slope, -(dy * slope)]
    }
    fn complex(&self, [x, t]: [Pair; 2]) -> Option<Pair> {
        Some(Pair::of_real((&x - &t).abs()))
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        vec![Sample::new(Map(L1), pair())]
    }
}

/// L = d²/2β where d = |x − t| is below β, else d − β/2.
#[derive(Debug, Clone)]
pub struct SmoothL1(pub f64);

impl Pointwise<2> for SmoothL1 {
    const NAME: &'static str = "smooth_l1_loss";
    const PRECISION: Precision = Precision::Full;
    #[inline(always)]
    fn value<S: Real>(&self, [x, t]: [S; 2]) -> S {
        let (d, beta) = ((x - t).abs(), S::lit(self.0));
        S::select(d.lt(beta), S::lit(0.5) * d * d / beta, d - S::lit(0.5) * beta)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x, t]: [S; 2], _: S) -> [S; 2] {
        let (d, beta) = (x - t, S::lit(self.0));
        let slope = S::select(d.le(-beta), -S::ONE, S::select(d.ge(beta), S::ONE, d / beta));
        [dy * slope, -(dy * slope)]
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        vec![
            Sample::new(Map(SmoothL1(1.0)), pair()),
            Sample::new(Map(SmoothL1(0.3)), pair()),
        ]
    }
}

/// L = d²/2 where d = |x − t| is at most δ, else δ (d − δ/2) (Huber, 1964).
#[derive(Debug, Clone)]
pub struct Huber(pub f64);

impl Pointwise<2> for Huber {
    const NAME: &'static str = "huber_loss";
    const PRECISION: Precision = Precision::Full;
    #[inline(always)]
    fn value<S: Real>(&self, [x, t]: [S; 2]) -> S {
        let (d, delta) = ((x - t).abs(), S::lit(self.0));
        S::select(
            d.le(delta),
            S::lit(0.5) * d * d,
            delta * (d - S::lit(0.5) * delta),
        )
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x, t]: [S; 2], _: S) -> [S; 2] {
        let (d, delta) = (x - t, S::lit(self.0));
        let slope = S::select(d.lt(-delta), -delta, S::select(d.gt(delta), delta, d));
        [dy * slope, -(dy * slope)]
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        vec![
            Sample::new(Map(Huber(1.0)), pair()),
            Sample::new(Map(Huber(0.3)), pair()),
        ]
    }
}

/// L = t ln t − t x, the divergence of x = ln q from t, or with t = ln p as the target e^t (t − x).
#[derive(Debug, Clone)]
pub struct KlDiv {
    /// Whether the target is given as its logarithm.
    pub log_target: bool,
}

impl Pointwise<2> for KlDiv {
    const NAME: &'static str = "kl_div";
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::ALL_X];
    const PRECISION: Precision = Precision::Full;
    const COST: usize = 8;
    #[inline(always)]
    fn value<S: Real>(&self, [x, t]: [S; 2]) -> S {
        match self.log_target {
            true => t.exp() * (t - x),
            false => S::select(t.eq(S::ZERO), S::ZERO, t * t.ln()) - t * x,
        }
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x, t]: [S; 2], _: S) -> [S; 2] {
        match self.log_target {
            true => [-(dy * t.exp()), dy * (t.exp() * (t - x + S::ONE))],
            false => [-(dy * t), dy * (t.ln() + S::ONE - x)],
        }
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        let [x, t] = pair();
        let positive = Array::from_slice(&[0.25, 0.5, 1.5, 0.75, 0.125, 2.0], [2, 3]);
        vec![
            Sample::new(Map(KlDiv { log_target: false }), [x.clone(), positive]),
            Sample::new(Map(KlDiv { log_target: true }), [x, t]),
        ]
    }
}

/// The negative log-likelihood of counts t under a Poisson distribution of rate e^x (`log_input`), e^x − t x, or of rate
/// x, x − t ln(x + ε); `full` adds Stirling's approximation of ln t!.
#[derive(Debug, Clone)]
pub struct PoissonNll {
    /// Whether x is the logarithm of the rate.
    pub log_input: bool,
    /// Whether the term that does not depend on x is added.
    pub full: bool,
    /// What keeps the logarithm finite.
    pub eps: f64,
}

impl Pointwise<2> for PoissonNll {
    const NAME: &'static str = "poisson_nll_loss";
    const PRECISION: Precision = Precision::Full;
    const COST: usize = 8;
    #[inline(always)]
    fn value<S: Real>(&self, [x, t]: [S; 2]) -> S {
        let loss = match self.log_input {
            true => x.exp() - t * x,
            false => x - t * (x + S::lit(self.eps)).ln(),
        };
        if !self.full {
            return loss;
        }
        // What is not chosen must not be infinite: its slope would be NaN.
        let safe = S::select(t.gt(S::ONE), t, S::ONE);
        let rest = safe * safe.ln() - safe + S::lit(0.5) * (S::lit(std::f64::consts::TAU) * safe).ln();
        loss + S::select(t.gt(S::ONE), rest, S::ZERO)
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        let [x, _] = pair();
        let positive = Array::from_slice(&[0.25, 0.5, 1.5, 0.75, 0.125, 2.0], [2, 3]);
        let op = |log_input, full| {
            Map(PoissonNll {
                log_input,
                full,
                eps: 1e-8,
            })
        };
        vec![
            Sample::new(op(true, true), [x, positive.clone()]),
            Sample::new(op(false, false), [positive.clone(), positive]),
        ]
    }
}

/// The mean of |x − t|.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn l1_loss(x: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    require_same("l1_loss", x, target);
    reduction.of(Map(L1).apply([x, target]))
}

/// The mean of d²/2β where d = |x − t| is below β, else of d − β/2 (Girshick, 2015). With β = 0 it is [`l1_loss`].
///
/// # Panics
/// If the shapes differ, or β is negative.
#[track_caller]
pub fn smooth_l1_loss(x: &Tensor, target: &Tensor, reduction: Reduction, beta: f64) -> Tensor {
    require_same("smooth_l1_loss", x, target);
    if beta.is_nan() || beta < 0.0 {
        raise(Error::new(
            ErrorKind::Value,
            "smooth_l1_loss",
            format!("beta must not be negative, and is {beta}"),
        ));
    }
    if beta == 0.0 {
        return reduction.of(Map(L1).apply([x, target]));
    }
    reduction.of(Map(SmoothL1(beta)).apply([x, target]))
}

/// The mean of d²/2 where d = |x − t| is at most δ, else of δ (d − δ/2).
///
/// # Panics
/// If the shapes differ, or δ is not positive.
#[track_caller]
pub fn huber_loss(x: &Tensor, target: &Tensor, reduction: Reduction, delta: f64) -> Tensor {
    require_same("huber_loss", x, target);
    if delta.is_nan() || delta <= 0.0 {
        raise(Error::new(
            ErrorKind::Value,
            "huber_loss",
            format!("delta must be positive, and is {delta}"),
        ));
    }
    reduction.of(Map(Huber(delta)).apply([x, target]))
}

/// The Kullback–Leibler divergence of x = ln q from the target p, Σ p (ln p − x); with `log_target` the target is ln p.
/// PyTorch's `batchmean` is the sum over the first size.
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn kl_div(x: &Tensor, target: &Tensor, reduction: Reduction, log_target: bool) -> Tensor {
    require_same("kl_div", x, target);
    reduction.of(Map(KlDiv { log_target }).apply([x, target]))
}

/// The negative log-likelihood of counts under Poisson distributions of rate e^x (`log_input`) or x; see [`PoissonNll`].
///
/// # Panics
/// If the shapes differ.
#[track_caller]
pub fn poisson_nll_loss(
    x: &Tensor,
    target: &Tensor,
    log_input: bool,
    full: bool,
    eps: f64,
    reduction: Reduction,
) -> Tensor {
    require_same("poisson_nll_loss", x, target);
    reduction.of(Map(PoissonNll { log_input, full, eps }).apply([x, target]))
}

/// The negative log-likelihood of `target` under normal distributions with mean x and variance `var`,
/// ½ (ln v + (x − t)² / v) with v = max(var, ε), whose gradient passes to `var` as if nothing were cut off; `full` adds ½ ln 2π.
/// Sizes of 1 are repeated, and the variance may lack the last dimension.
///
/// # Panics
/// If the shapes do not fit, or a variance is negative.
#[track_caller]
pub fn gaussian_nll_loss(
    x: &Tensor,
    target: &Tensor,
    var: &Tensor,
    full: bool,
    eps: f64,
    reduction: Reduction,
) -> Tensor {
    const NAME: &str = "gaussian_nll_loss";
    // As PyTorch documents, sizes of 1 are repeated here; anything else must be equal.
    let both = (x.dim() == target.dim())
        .then(|| x.shape().broadcast(&target.shape()))
        .flatten();
    let (x, target) = match both {
        Some(shape) => (&x.expand(&shape), &target.expand(&shape)),
        None => (x, target),
    };
    require_same(NAME, x, target);
    let (shape, given) = (x.shape(), var.shape());
    let fits = |s: &Shape| s.rank() == shape.rank() && s.broadcast(&shape).as_ref() == Some(&shape);
    let var =
        match shape.rank() {
            _ if fits(&given) || given.numel() == 1 => var.clone(),
            r if r > 0 && given == shape.remove(r - 1) => var.unsqueeze(-1),
            _ => {
                let message = format!("a variance of shape {given} does not fit an input of shape {shape}");
                raise(Error::new(ErrorKind::Shape, NAME, message).note(
                    "it may have the same shape, sizes of 1 that are repeated, or lack the last dimension",
                ))
            }
        };
    if var.numel() > 0 && var.detach().min().item() < 0.0 {
        raise(Error::new(ErrorKind::Value, NAME, "a variance is negative"));
    }
    let detached = var.detach();
    let floor = Tensor::full_as([], eps, var.dtype());
    let raised = detached.maximum(&floor) - &detached;
    let var = &var + raised;
    let losses = (var.log() + (x - target).square() / &var) * 0.5;
    let losses = if full {
        losses + 0.5 * std::f64::consts::TAU.ln()
    } else {
        losses
    };
    reduction.of(losses)
}

contract! {
    l1_loss: Map<L1, 2>,
    smooth_l1_loss: Map<SmoothL1, 2>,
    huber_loss: Map<Huber, 2>,
    kl_div: Map<KlDiv, 2>,
    poisson_nll_loss: Map<PoissonNll, 2>,
}
