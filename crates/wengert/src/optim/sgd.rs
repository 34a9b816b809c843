//! Stochastic gradient descent.

use super::{Optimizer, at_least_zero, step_with_one, step_without_state, trainable};
use crate::tensor::Tensor;
use wengert_array::kernels::Body;
use wengert_array::real::Real;
use wengert_array::{Array, Error, ErrorKind, raise};

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
#[derive(Debug)]
pub struct SGD {
    parameters: Vec<Tensor>,
    learning_rate: f64,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: bool,
    velocity: Vec<Option<[Array; 1]>>,
}

impl SGD {
    /// Plain gradient descent.
    ///
    /// # Panics
    /// If there are no parameters, one is there twice or is not a leaf, or the learning rate is negative.
    #[track_caller]
    pub fn new(parameters: impl IntoIterator<Item = Tensor>, learning_rate: f64) -> SGD {
        let parameters = trainable("SGD", parameters);
        SGD {
            velocity: vec![None; parameters.len()],
            parameters,
            learning_rate: at_least_zero("SGD", "learning rate", learning_rate),
            momentum: 0.0,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
        }
    }

    /// With this momentum μ.
    #[must_use]
    #[track_caller]
    pub fn momentum(self, momentum: f64) -> SGD {
        let momentum = at_least_zero("SGD", "momentum", momentum);
        SGD { momentum, ..self }
    }

    /// With this dampening τ of the momentum.
    ///
    /// # Panics
    /// With Nesterov momentum, which takes none.
    #[must_use]
    #[track_caller]
    pub fn dampening(self, dampening: f64) -> SGD {
        SGD { dampening, ..self }.checked()
    }

    /// With this weight decay λ, an L2 penalty.
    #[must_use]
    #[track_caller]
    pub fn weight_decay(self, weight_decay: f64) -> SGD {
        let weight_decay = at_least_zero("SGD", "weight decay", weight_decay);
        SGD { weight_decay, ..self }
    }

    /// With Nesterov's variant of momentum, or without.
    ///
    /// # Panics
    /// Without momentum, or with dampening.
    #[must_use]
    #[track_caller]
    pub fn nesterov(self, on: bool) -> SGD {
        SGD { nesterov: on, ..self }.checked()
    }

    #[track_caller]
    fn checked(self) -> SGD {
        if self.nesterov && (self.momentum <= 0.0 || self.dampening != 0.0) {
            let message = "Nesterov's variant needs a momentum and no dampening";
            raise(Error::new(ErrorKind::Value, "SGD", message).help("set the momentum before it"));
        }
        self
    }
}

struct Plain {
    learning_rate: f64,
    weight_decay: f64,
}

impl Body<2, 0, 1> for Plain {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, g]: [S; 2], []: [S; 0]) -> [S; 1] {
        let g = p.mul_add(S::lit(self.weight_decay), g);
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
    /// How much of the gradient enters the velocity.
    share: f64,
    /// How much of the gradient, and of the velocity, make the step.
    mix: (f64, f64),
}

impl Body<3, 0, 2> for Momentum {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, v, g]: [S; 3], []: [S; 0]) -> [S; 2] {
        let g = p.mul_add(S::lit(self.weight_decay), g);
        let v = v.mul_add(S::lit(self.momentum), g * S::lit(self.share));
        let step = g * S::lit(self.mix.0) + v * S::lit(self.mix.1);
        [step.mul_add(S::lit(-self.learning_rate), p), v]
    }
    fn cost(&self) -> usize {
        3
    }
}

impl Optimizer for SGD {
    fn step(&mut self) {
        let (learning_rate, weight_decay, momentum) = (self.learning_rate, self.weight_decay, self.momentum);
        for (p, velocity) in self.parameters.iter().zip(&mut self.velocity) {
            if momentum == 0.0 {
                step_without_state(
                    p,
                    &Plain {
                        learning_rate,
                        weight_decay,
                    },
                );
                continue;
            }
            let share = if velocity.is_some() {
                1.0 - self.dampening
            } else {
                1.0
            };
            let mix = if self.nesterov {
                (1.0, momentum)
            } else {
                (0.0, 1.0)
            };
            let rule = Momentum {
                learning_rate,
                weight_decay,
                momentum,
                share,
                mix,
            };
            step_with_one(p, velocity, &rule);
        }
    }
    fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }
    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }
}
