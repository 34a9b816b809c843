//! Adam and AdamW.

use super::{Optimizer, at_least_zero, rate, step_with_two, trainable};
use crate::tensor::Tensor;
use wengert_array::Array;
use wengert_array::kernels::Body;
use wengert_array::real::Real;

/// What Adam and AdamW share: they differ in where weight decay enters.
#[derive(Debug)]
struct Moments {
    parameters: Vec<Tensor>,
    learning_rate: f64,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
    /// For each parameter: how many steps it has taken, and the running means of g and g².
    state: Vec<(i32, Option<[Array; 2]>)>,
}

/// One step of one parameter.
struct Rule {
    beta1: f64,
    beta2: f64,
    /// η / (1 − β₁ᵗ).
    size: f64,
    /// 1 / √(1 − β₂ᵗ).
    root: f64,
    eps: f64,
    /// What of the parameter joins the gradient (Adam's weight decay).
    penalty: f64,
    /// What the parameter is multiplied by first (AdamW's).
    shrink: f64,
}

impl Body<4, 0, 3> for Rule {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, m, v, g]: [S; 4], []: [S; 0]) -> [S; 3] {
        let g = p.mul_add(S::lit(self.penalty), g);
        let p = p * S::lit(self.shrink);
        let m = (g - m).mul_add(S::lit(1.0 - self.beta1), m);
        let v = v.mul_add(S::lit(self.beta2), g * g * S::lit(1.0 - self.beta2));
        let under = v.sqrt().mul_add(S::lit(self.root), S::lit(self.eps));
        [(m / under).mul_add(S::lit(-self.size), p), m, v]
    }
    fn cost(&self) -> usize {
        8
    }
}

impl Moments {
    #[track_caller]
    fn new(op: &str, parameters: impl IntoIterator<Item = Tensor>, learning_rate: f64) -> Moments {
        let parameters = trainable(op, parameters);
        Moments {
            state: parameters.iter().map(|_| (0, None)).collect(),
            parameters,
            learning_rate: at_least_zero(op, "learning rate", learning_rate),
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
        }
    }

    fn step(&mut self, decoupled: bool) {
        let (beta1, beta2) = self.betas;
        for (p, (steps, state)) in self.parameters.iter().zip(&mut self.state) {
            if p.grad().is_none() {
                continue;
            }
            *steps += 1;
            let rule = Rule {
                beta1,
                beta2,
                size: self.learning_rate / (1.0 - beta1.powi(*steps)),
                root: 1.0 / (1.0 - beta2.powi(*steps)).sqrt(),
                eps: self.eps,
                penalty: if decoupled { 0.0 } else { self.weight_decay },
                shrink: if decoupled {
                    1.0 - self.learning_rate * self.weight_decay
                } else {
                    1.0
                },
            };
            step_with_two(p, state, &rule);
        }
    }
}

macro_rules! optimizer {
    ($(#[$doc:meta])* $name:ident, $text:literal, weight decay $decay:literal, decoupled $decoupled:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Moments);

        impl $name {
            /// With PyTorch's defaults: β = (0.9, 0.999), ε = 1e-8, and the weight decay that the type's
            /// documentation states.
            ///
            /// # Panics
            /// If there are no parameters, one is there twice or is not a leaf, or the learning rate is negative.
            #[track_caller]
            pub fn new(parameters: impl IntoIterator<Item = Tensor>, learning_rate: f64) -> $name {
                let mut all = Moments::new($text, parameters, learning_rate);
                all.weight_decay = $decay;
                $name(all)
            }

            /// With these decay rates of the running means of g and g².
            #[must_use]
            #[track_caller]
            pub fn betas(mut self, beta1: f64, beta2: f64) -> $name {
                self.0.betas = (rate($text, "β₁", beta1), rate($text, "β₂", beta2));
                self
            }

            /// With this ε, which keeps the step finite where the gradient has been zero.
            #[must_use]
            #[track_caller]
            pub fn eps(mut self, eps: f64) -> $name {
                self.0.eps = at_least_zero($text, "ε", eps);
                self
            }

            /// With this weight decay λ.
            #[must_use]
            #[track_caller]
            pub fn weight_decay(mut self, weight_decay: f64) -> $name {
                self.0.weight_decay = at_least_zero($text, "weight decay", weight_decay);
                self
            }
        }

        impl Optimizer for $name {
            fn step(&mut self) {
                self.0.step($decoupled);
            }
            fn parameters(&self) -> &[Tensor] {
                &self.0.parameters
            }
            fn learning_rate(&self) -> f64 {
                self.0.learning_rate
            }
            fn set_learning_rate(&mut self, learning_rate: f64) {
                self.0.learning_rate = learning_rate;
            }
        }
    };
}

optimizer! {
    /// Adam: steps of a size that adapts to each number's gradients, as `torch.optim.Adam`.
    ///
    /// With gradient g, learning rate η and step number t:
    ///
    /// g ← g + λ p;  m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;
    /// p ← p − η m̂ / (√v̂ + ε), where m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ).
    ///
    /// The weight decay λ is 0 by default. Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015.
    Adam, "Adam", weight decay 0.0, decoupled false
}

optimizer! {
    /// Adam whose weight decay does not pass through the running means, as `torch.optim.AdamW`.
    ///
    /// As [`Adam`], but the gradient is left alone and p ← (1 − η λ) p before the step. The weight decay λ is 0.01 by
    /// default. Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.
    AdamW, "AdamW", weight decay 0.01, decoupled true
}
