//! Stochastic gradient descent.

use super::options::{at_least_zero, optimizer};
use super::step::{step_with_one, step_without_state};
use wengert_array::kernels::Body;
use wengert_array::real::Real;
use wengert_array::{Error, ErrorKind};

optimizer! {
    /// Stochastic gradient descent, with momentum, weight decay and Nesterov's variant, as `torch.optim.SGD`.
    ///
    /// With gradient g, learning rate η, momentum μ, dampening τ and weight decay λ:
    ///
    /// g ← g + λ p;  v ← μ v + (1 − τ) g, at the first step v ← g;  p ← p − η v, with Nesterov p ← p − η (g + μ v).
    ///
    /// Source: Sutskever et al., On the importance of initialization and momentum in deep learning, 2013; as PyTorch,
    /// with the learning rate outside the velocity.
    ///
    /// ```
    /// use wengert::Tensor;
    /// use wengert::optim::{Optimizer, SGD};
    ///
    /// let w = Tensor::new([5.0]).requires_grad_(true);
    /// let mut optimizer = SGD::new([w.clone()], 0.1).momentum(0.5);
    /// for _ in 0..40 {
    ///     optimizer.zero_grad();
    ///     (&w - 2.0).square().sum().backward();
    ///     optimizer.step();
    /// }
    /// assert!((w.item() - 2.0).abs() < 1e-3);
    /// ```
    SGD, SGDOptions, arrays ["momentum_buffer"], counts false;
    options {
        /// The momentum μ; 0 by default.
        momentum: f64 = 0.0, (momentum: f64) momentum;
        /// The dampening τ of the momentum; 0 by default.
        dampening: f64 = 0.0, (dampening: f64) dampening;
        /// The weight decay λ, an L2 penalty; 0 by default.
        weight_decay: f64 = 0.0, (weight_decay: f64) weight_decay;
        /// Nesterov's variant of momentum, which needs a momentum and no dampening; off by default.
        nesterov: bool = false, (on: bool) on;
        /// Steps up the gradient instead of down.
        maximize: bool = false, (on: bool) on;
    }
    check |o| {
        at_least_zero("SGD", "momentum", o.momentum)?;
        at_least_zero("SGD", "weight decay", o.weight_decay)?;
        if o.nesterov && (o.momentum <= 0.0 || o.dampening != 0.0) {
            let message = "Nesterov's variant needs a momentum and no dampening";
            return Err(Error::new(ErrorKind::Value, "SGD", message).help("set the momentum before it"));
        }
        Ok(())
    };
    step |o, learning_rate, p, gradient, state| {
        let (weight_decay, momentum) = (o.weight_decay, o.momentum);
        let sign = if o.maximize { -1.0 } else { 1.0 };
        if momentum == 0.0 {
            return step_without_state(p, gradient, &Plain { learning_rate, weight_decay, sign });
        }
        let share = if state.has(0, p) { 1.0 - o.dampening } else { 1.0 };
        let mix = if o.nesterov { (1.0, momentum) } else { (0.0, 1.0) };
        let rule = Momentum { learning_rate, weight_decay, momentum, sign, share, mix };
        step_with_one(p, gradient, state, [0], [0.0], &rule);
    }
}

struct Plain {
    learning_rate: f64,
    weight_decay: f64,
    sign: f64,
}

impl Body<2, 0, 1> for Plain {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, g]: [S; 2], []: [S; 0]) -> [S; 1] {
        let g = p.mul_add(S::lit(self.weight_decay), g * S::lit(self.sign));
        [g.mul_add(S::lit(-self.learning_rate), p)]
    }
    fn cost(&self) -> usize {
        2
    }
}

struct Momentum {
    learning_rate: f64,
    weight_decay: f64,
    momentum: f64,
    sign: f64,
    /// How much of the gradient enters the velocity.
    share: f64,
    /// How much of the gradient, and of the velocity, make the step.
    mix: (f64, f64),
}

impl Body<3, 0, 2> for Momentum {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, v, g]: [S; 3], []: [S; 0]) -> [S; 2] {
        let g = p.mul_add(S::lit(self.weight_decay), g * S::lit(self.sign));
        let v = v.mul_add(S::lit(self.momentum), g * S::lit(self.share));
        let step = g * S::lit(self.mix.0) + v * S::lit(self.mix.1);
        [step.mul_add(S::lit(-self.learning_rate), p), v]
    }
    fn cost(&self) -> usize {
        3
    }
}
