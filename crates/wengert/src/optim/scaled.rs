//! RMSprop, Adagrad, Adadelta: steps divided by the root of past squared gradients.

use super::options::{at_least_zero, optimizer};
use super::step::{step_with_one, step_with_three, step_with_two};
use wengert_array::kernels::Body;
use wengert_array::real::Real;
use wengert_array::{Error, ErrorKind, Result};

/// What all of them share.
#[derive(Clone, Copy)]
struct Rule {
    learning_rate: f64,
    weight_decay: f64,
    sign: f64,
    /// The decay rate of the running mean of g².
    decay: f64,
    momentum: f64,
    eps: f64,
}

impl Rule {
    #[inline(always)]
    fn gradient<S: Real>(&self, p: S, g: S) -> S {
        p.mul_add(S::lit(self.weight_decay), g * S::lit(self.sign))
    }
    #[inline(always)]
    fn mean<S: Real>(&self, v: S, square: S) -> S {
        v.mul_add(S::lit(self.decay), square * S::lit(1.0 - self.decay))
    }
    #[inline(always)]
    fn centred<S: Real>(&self, m: S, g: S) -> S {
        (g - m).mul_add(S::lit(1.0 - self.decay), m)
    }
    #[inline(always)]
    fn step<S: Real>(&self, p: S, by: S) -> S {
        by.mul_add(S::lit(-self.learning_rate), p)
    }
}

struct Plain(Rule);
struct WithMomentum(Rule);
struct Centred(Rule);
struct Both(Rule);

impl Body<3, 0, 2> for Plain {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, v, g]: [S; 3], []: [S; 0]) -> [S; 2] {
        let g = self.0.gradient(p, g);
        let v = self.0.mean(v, g * g);
        [self.0.step(p, g / (v.sqrt() + S::lit(self.0.eps))), v]
    }
    fn cost(&self) -> usize {
        6
    }
}

impl Body<4, 0, 3> for WithMomentum {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, v, b, g]: [S; 4], []: [S; 0]) -> [S; 3] {
        let g = self.0.gradient(p, g);
        let v = self.0.mean(v, g * g);
        let b = b.mul_add(S::lit(self.0.momentum), g / (v.sqrt() + S::lit(self.0.eps)));
        [self.0.step(p, b), v, b]
    }
    fn cost(&self) -> usize {
        7
    }
}

impl Body<4, 0, 3> for Centred {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, v, m, g]: [S; 4], []: [S; 0]) -> [S; 3] {
        let g = self.0.gradient(p, g);
        let v = self.0.mean(v, g * g);
        let m = self.0.centred(m, g);
        [
            self.0.step(p, g / ((v - m * m).sqrt() + S::lit(self.0.eps))),
            v,
            m,
        ]
    }
    fn cost(&self) -> usize {
        8
    }
}

impl Body<5, 0, 4> for Both {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, v, b, m, g]: [S; 5], []: [S; 0]) -> [S; 4] {
        let g = self.0.gradient(p, g);
        let v = self.0.mean(v, g * g);
        let m = self.0.centred(m, g);
        let by = g / ((v - m * m).sqrt() + S::lit(self.0.eps));
        let b = b.mul_add(S::lit(self.0.momentum), by);
        [self.0.step(p, b), v, b, m]
    }
    fn cost(&self) -> usize {
        9
    }
}

fn check(op: &str, eps: f64, weight_decay: f64) -> Result<()> {
    at_least_zero(op, "ε", eps)?;
    at_least_zero(op, "weight decay", weight_decay)?;
    Ok(())
}

fn sign(maximize: bool) -> f64 {
    if maximize { -1.0 } else { 1.0 }
}

optimizer! {
    /// RMSprop: steps divided by the root of the running mean of g², as `torch.optim.RMSprop`.
    ///
    /// g ← g + λ p;  v ← α v + (1 − α) g²;  p ← p − η g / (√v + ε).
    ///
    /// Centred, √(v − m²) stands for √v, where m is the running mean of g; with momentum μ,
    /// b ← μ b + g / (√v + ε) and p ← p − η b.
    ///
    /// Sources: Hinton, Neural Networks for Machine Learning, lecture 6, 2012; for the centred form, Graves,
    /// Generating Sequences With Recurrent Neural Networks, 2013. PyTorch's default learning rate is 0.01.
    RMSprop, RMSpropOptions, arrays ["square_avg", "momentum_buffer", "grad_avg"];
    options {
        /// The decay rate α of the running mean of g²; 0.99 by default.
        alpha: f64 = 0.99, (alpha: f64) alpha;
        /// ε, which keeps the step finite where the gradient has been zero; 1e-8 by default.
        eps: f64 = 1e-8, (eps: f64) eps;
        /// The weight decay λ; 0 by default.
        weight_decay: f64 = 0.0, (weight_decay: f64) weight_decay;
        /// The momentum μ; 0 by default.
        momentum: f64 = 0.0, (momentum: f64) momentum;
        /// Takes the variance of the gradient for its mean square.
        centered: bool = false, (on: bool) on;
        /// Steps up the gradient instead of down.
        maximize: bool = false, (on: bool) on;
    }
    check |o| {
        at_least_zero("RMSprop", "momentum", o.momentum)?;
        at_least_zero("RMSprop", "α", o.alpha)?;
        check("RMSprop", o.eps, o.weight_decay)
    };
    step |o, learning_rate, p, gradient, state| {
        let RMSpropOptions { alpha: decay, eps, weight_decay, momentum, .. } = *o;
        let rule = Rule { learning_rate, weight_decay, sign: sign(o.maximize), decay, momentum, eps };
        match (momentum > 0.0, o.centered) {
            (false, false) => step_with_one(p, gradient, state, [0], [0.0], &Plain(rule)),
            (true, false) => step_with_two(p, gradient, state, [0, 1], [0.0; 2], &WithMomentum(rule)),
            (false, true) => step_with_two(p, gradient, state, [0, 2], [0.0; 2], &Centred(rule)),
            (true, true) => step_with_three(p, gradient, state, [0, 1, 2], [0.0; 3], &Both(rule)),
        }
    }
}

struct Sum(Rule);

impl Body<3, 0, 2> for Sum {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, v, g]: [S; 3], []: [S; 0]) -> [S; 2] {
        let g = self.0.gradient(p, g);
        let v = g.mul_add(g, v);
        [self.0.step(p, g / (v.sqrt() + S::lit(self.0.eps))), v]
    }
    fn cost(&self) -> usize {
        6
    }
}

optimizer! {
    /// Adagrad: steps divided by the root of the sum of all g², as `torch.optim.Adagrad`.
    ///
    /// g ← g + λ p;  v ← v + g²;  p ← p − η / (1 + (t − 1) d) · g / (√v + ε).
    ///
    /// Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and Stochastic
    /// Optimization, 2011. PyTorch's default learning rate is 0.01.
    Adagrad, AdagradOptions, arrays ["sum"];
    options {
        /// How fast the learning rate falls, d; 0 by default.
        lr_decay: f64 = 0.0, (lr_decay: f64) lr_decay;
        /// The weight decay λ; 0 by default.
        weight_decay: f64 = 0.0, (weight_decay: f64) weight_decay;
        /// What the sum starts from; 0 by default.
        initial_accumulator_value: f64 = 0.0, (value: f64) value;
        /// ε, which keeps the step finite where the gradient has been zero; 1e-10 by default.
        eps: f64 = 1e-10, (eps: f64) eps;
        /// Steps up the gradient instead of down.
        maximize: bool = false, (on: bool) on;
    }
    check |o| {
        at_least_zero("Adagrad", "decay of the learning rate", o.lr_decay)?;
        at_least_zero("Adagrad", "initial sum", o.initial_accumulator_value)?;
        check("Adagrad", o.eps, o.weight_decay)
    };
    step |o, learning_rate, p, gradient, state| {
        let learning_rate = learning_rate / (1.0 + f64::from(state.steps - 1) * o.lr_decay);
        let AdagradOptions { weight_decay, eps, .. } = *o;
        let rule = Rule { learning_rate, weight_decay, sign: sign(o.maximize), decay: 1.0, momentum: 0.0, eps };
        step_with_one(p, gradient, state, [0], [o.initial_accumulator_value], &Sum(rule));
    }
}

struct Delta(Rule);

impl Body<4, 0, 3> for Delta {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, v, d, g]: [S; 4], []: [S; 0]) -> [S; 3] {
        let g = self.0.gradient(p, g);
        let eps = S::lit(self.0.eps);
        let v = self.0.mean(v, g * g);
        let by = (d + eps).sqrt() / (v + eps).sqrt() * g;
        [self.0.step(p, by), v, self.0.mean(d, by * by)]
    }
    fn cost(&self) -> usize {
        10
    }
}

optimizer! {
    /// Adadelta: steps in proportion to past steps, over the root of the running mean of g², as
    /// `torch.optim.Adadelta`.
    ///
    /// g ← g + λ p;  v ← ρ v + (1 − ρ) g²;  δ = √(d + ε) / √(v + ε) · g;  d ← ρ d + (1 − ρ) δ²;  p ← p − η δ.
    ///
    /// Source: Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012. PyTorch's default learning rate is 1.
    Adadelta, AdadeltaOptions, arrays ["square_avg", "acc_delta"];
    options {
        /// The decay rate ρ of the running means; 0.9 by default.
        rho: f64 = 0.9, (rho: f64) rho;
        /// ε, which the first steps are in proportion to the root of; 1e-6 by default.
        eps: f64 = 1e-6, (eps: f64) eps;
        /// The weight decay λ; 0 by default.
        weight_decay: f64 = 0.0, (weight_decay: f64) weight_decay;
        /// Steps up the gradient instead of down.
        maximize: bool = false, (on: bool) on;
    }
    check |o| {
        if !(0.0..=1.0).contains(&o.rho) {
            let message = format!("ρ must be from 0 to 1, and is {}", o.rho);
            return Err(Error::new(ErrorKind::Value, "Adadelta", message));
        }
        check("Adadelta", o.eps, o.weight_decay)
    };
    step |o, learning_rate, p, gradient, state| {
        let AdadeltaOptions { rho: decay, eps, weight_decay, .. } = *o;
        let rule = Rule { learning_rate, weight_decay, sign: sign(o.maximize), decay, momentum: 0.0, eps };
        step_with_two(p, gradient, state, [0, 1], [0.0; 2], &Delta(rule));
    }
}
