//! Adam and its kin: steps scaled by running means of g and of g².

use super::core::State;
use super::options::{at_least_zero, optimizer, rate};
use super::step::{step_with_one, step_with_three, step_with_two};
use crate::tensor::Tensor;
use wengert_array::kernels::Body;
use wengert_array::real::Real;
use wengert_array::{Array, Result};

/// How weight decay enters: what of the parameter joins the gradient, and what the parameter is multiplied by.
#[derive(Clone, Copy)]
struct Decay {
    penalty: f64,
    shrink: f64,
    sign: f64,
}

impl Decay {
    fn new(decoupled: bool, weight_decay: f64, learning_rate: f64, maximize: bool) -> Decay {
        Decay {
            penalty: if decoupled { 0.0 } else { weight_decay },
            shrink: if decoupled {
                1.0 - learning_rate * weight_decay
            } else {
                1.0
            },
            sign: if maximize { -1.0 } else { 1.0 },
        }
    }

    /// The parameter and the gradient after it.
    #[inline(always)]
    fn apply<S: Real>(self, p: S, g: S) -> (S, S) {
        let g = p.mul_add(S::lit(self.penalty), g * S::lit(self.sign));
        (p * S::lit(self.shrink), g)
    }
}

/// The running means of g and g².
#[derive(Clone, Copy)]
struct Means {
    beta1: f64,
    beta2: f64,
}

impl Means {
    #[inline(always)]
    fn apply<S: Real>(self, m: S, v: S, g: S) -> (S, S) {
        let m = (g - m).mul_add(S::lit(1.0 - self.beta1), m);
        let v = v.mul_add(S::lit(self.beta2), g * g * S::lit(1.0 - self.beta2));
        (m, v)
    }
}

/// p − (a m + b g) / (r √v + ε): a step of Adam, NAdam, or RAdam.
struct Step {
    decay: Decay,
    means: Means,
    /// What the mean counts for, and the gradient itself.
    mix: (f64, f64),
    root: f64,
    eps: f64,
}

impl Step {
    #[inline(always)]
    fn change<S: Real>(&self, p: S, m: S, v: S, g: S) -> S {
        let under = v.sqrt().mul_add(S::lit(self.root), S::lit(self.eps));
        let p = (m / under).mul_add(S::lit(-self.mix.0), p);
        (g / under).mul_add(S::lit(-self.mix.1), p)
    }
}

impl Body<4, 0, 3> for Step {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, m, v, g]: [S; 4], []: [S; 0]) -> [S; 3] {
        let (p, g) = self.decay.apply(p, g);
        let (m, v) = self.means.apply(m, v, g);
        [self.change(p, m, v, g), m, v]
    }
    fn cost(&self) -> usize {
        8
    }
}

/// As [`Step`], without the gradient itself, which saves Adam a division.
struct Plain(Step);

impl Body<4, 0, 3> for Plain {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, m, v, g]: [S; 4], []: [S; 0]) -> [S; 3] {
        let (p, g) = self.0.decay.apply(p, g);
        let (m, v) = self.0.means.apply(m, v, g);
        let under = v.sqrt().mul_add(S::lit(self.0.root), S::lit(self.0.eps));
        [(m / under).mul_add(S::lit(-self.0.mix.0), p), m, v]
    }
    fn cost(&self) -> usize {
        8
    }
}

/// As [`Plain`], by the largest v so far.
struct Largest(Step);

impl Body<5, 0, 4> for Largest {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, m, v, top, g]: [S; 5], []: [S; 0]) -> [S; 4] {
        let (p, g) = self.0.decay.apply(p, g);
        let (m, v) = self.0.means.apply(m, v, g);
        let top = top.max(v);
        let under = top.sqrt().mul_add(S::lit(self.0.root), S::lit(self.0.eps));
        [(m / under).mul_add(S::lit(-self.0.mix.0), p), m, v, top]
    }
    fn cost(&self) -> usize {
        9
    }
}

/// One step of Adam or AdamW.
fn adam(
    o: &AdamOptions,
    decoupled: bool,
    learning_rate: f64,
    p: &Tensor,
    gradient: Array,
    state: &mut State,
) {
    let (beta1, beta2) = o.betas;
    let step = Step {
        decay: Decay::new(decoupled, o.weight_decay, learning_rate, o.maximize),
        means: Means { beta1, beta2 },
        mix: (learning_rate / (1.0 - beta1.powi(state.steps)), 0.0),
        root: 1.0 / (1.0 - beta2.powi(state.steps)).sqrt(),
        eps: o.eps,
    };
    if o.amsgrad {
        step_with_three(p, gradient, state, [0, 1, 2], [0.0; 3], &Largest(step));
    } else {
        step_with_two(p, gradient, state, [0, 1], [0.0; 2], &Plain(step));
    }
}

fn check(op: &str, betas: (f64, f64), eps: f64, weight_decay: f64) -> Result<()> {
    rate(op, "β₁", betas.0)?;
    rate(op, "β₂", betas.1)?;
    at_least_zero(op, "ε", eps)?;
    at_least_zero(op, "weight decay", weight_decay)?;
    Ok(())
}

optimizer! {
    /// Adam: steps of a size that adapts to each number's gradients, as `torch.optim.Adam`.
    ///
    /// With gradient g, learning rate η and step number t:
    ///
    /// g ← g + λ p;  m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;
    /// p ← p − η m̂ / (√v̂ + ε), where m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ).
    ///
    /// Sources: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015; for AMSGrad, Reddi et al., On the
    /// Convergence of Adam and Beyond, 2018. PyTorch's default learning rate is 0.001.
    Adam, AdamOptions, arrays ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];
    options {
        /// The decay rates β₁ and β₂ of the running means of g and g²; (0.9, 0.999) by default.
        betas: (f64, f64) = (0.9, 0.999), (beta1: f64, beta2: f64) (beta1, beta2);
        /// ε, which keeps the step finite where the gradient has been zero; 1e-8 by default.
        eps: f64 = 1e-8, (eps: f64) eps;
        /// The weight decay λ; 0 by default.
        weight_decay: f64 = 0.0, (weight_decay: f64) weight_decay;
        /// Divides by the root of the largest v so far (AMSGrad).
        amsgrad: bool = false, (on: bool) on;
        /// Steps up the gradient instead of down.
        maximize: bool = false, (on: bool) on;
    }
    check |o| check("Adam", o.betas, o.eps, o.weight_decay);
    step |o, learning_rate, p, gradient, state| adam(o, false, learning_rate, p, gradient, state)
}

optimizer! {
    /// Adam whose weight decay does not pass through the running means, as `torch.optim.AdamW`.
    ///
    /// As [`Adam`], but the gradient is left alone and p ← (1 − η λ) p before the step. Source: Loshchilov and
    /// Hutter, Decoupled Weight Decay Regularization, 2019. PyTorch's default learning rate is 0.001.
    ///
    /// Groups of parameters may have options of their own:
    ///
    /// ```
    /// use wengert::nn::{Linear, Module};
    /// use wengert::optim::AdamW;
    ///
    /// let layer = Linear::new(4, 3);
    /// let (weights, biases): (Vec<_>, Vec<_>) = layer.parameters().into_iter().partition(|p| p.dim() > 1);
    /// let optimizer = AdamW::new(weights, 1e-3)
    ///     .weight_decay(0.1)
    ///     .group(biases, |_learning_rate, options| options.weight_decay = 0.0);
    /// ```
    AdamW, AdamWOptions, arrays ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];
    options {
        /// The decay rates β₁ and β₂ of the running means of g and g²; (0.9, 0.999) by default.
        betas: (f64, f64) = (0.9, 0.999), (beta1: f64, beta2: f64) (beta1, beta2);
        /// ε, which keeps the step finite where the gradient has been zero; 1e-8 by default.
        eps: f64 = 1e-8, (eps: f64) eps;
        /// The weight decay λ; 0.01 by default.
        weight_decay: f64 = 0.01, (weight_decay: f64) weight_decay;
        /// Divides by the root of the largest v so far (AMSGrad).
        amsgrad: bool = false, (on: bool) on;
        /// Steps up the gradient instead of down.
        maximize: bool = false, (on: bool) on;
    }
    check |o| check("AdamW", o.betas, o.eps, o.weight_decay);
    step |o, learning_rate, p, gradient, state| {
        let AdamWOptions { betas, eps, weight_decay, amsgrad, maximize } = *o;
        let options = AdamOptions { betas, eps, weight_decay, amsgrad, maximize };
        adam(&options, true, learning_rate, p, gradient, state);
    }
}

optimizer! {
    /// Adam with Nesterov's momentum, as `torch.optim.NAdam`.
    ///
    /// With μₜ = β₁ (1 − ½ 0.96^(t ψ)) and the running means of [`Adam`]:
    ///
    /// p ← p − η [(1 − μₜ) / (1 − Πᵢ₌₁ᵗ μᵢ) g + μₜ₊₁ / (1 − Πᵢ₌₁ᵗ⁺¹ μᵢ) m] / (√v̂ + ε).
    ///
    /// Source: Dozat, Incorporating Nesterov Momentum into Adam, 2016. PyTorch's default learning rate is 0.002.
    NAdam, NAdamOptions, arrays ["exp_avg", "exp_avg_sq"];
    options {
        /// The decay rates β₁ and β₂ of the running means of g and g²; (0.9, 0.999) by default.
        betas: (f64, f64) = (0.9, 0.999), (beta1: f64, beta2: f64) (beta1, beta2);
        /// ε, which keeps the step finite where the gradient has been zero; 1e-8 by default.
        eps: f64 = 1e-8, (eps: f64) eps;
        /// The weight decay λ; 0 by default.
        weight_decay: f64 = 0.0, (weight_decay: f64) weight_decay;
        /// ψ, how fast the momentum rises to β₁; 0.004 by default.
        momentum_decay: f64 = 4e-3, (momentum_decay: f64) momentum_decay;
        /// Takes the weight decay as AdamW does.
        decoupled_weight_decay: bool = false, (on: bool) on;
        /// Steps up the gradient instead of down.
        maximize: bool = false, (on: bool) on;
    }
    check |o| {
        at_least_zero("NAdam", "momentum decay", o.momentum_decay)?;
        check("NAdam", o.betas, o.eps, o.weight_decay)
    };
    step |o, learning_rate, p, gradient, state| {
        let (beta1, beta2) = o.betas;
        let momentum = |t: i32| beta1 * (1.0 - 0.5 * 0.96f64.powf(f64::from(t) * o.momentum_decay));
        let (now, next) = (momentum(state.steps), momentum(state.steps + 1));
        state.product = now * if state.steps == 1 { 1.0 } else { state.product };
        let of_mean = learning_rate * next / (1.0 - state.product * next);
        let of_gradient = learning_rate * (1.0 - now) / (1.0 - state.product);
        let step = Step {
            decay: Decay::new(o.decoupled_weight_decay, o.weight_decay, learning_rate, o.maximize),
            means: Means { beta1, beta2 },
            mix: (of_mean, of_gradient),
            root: 1.0 / (1.0 - beta2.powi(state.steps)).sqrt(),
            eps: o.eps,
        };
        step_with_two(p, gradient, state, [0, 1], [0.0; 2], &step);
    }
}

optimizer! {
    /// Adam that waits with adapting until enough gradients were seen, as `torch.optim.RAdam`.
    ///
    /// With ρ∞ = 2 / (1 − β₂) − 1 and ρₜ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ), the step is η m̂ while ρₜ ≤ 5, and then
    ///
    /// η m̂ √(1 − β₂ᵗ) / (√v + ε) · √[(ρₜ − 4)(ρₜ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρₜ)].
    ///
    /// Source: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2020. PyTorch's default
    /// learning rate is 0.001.
    RAdam, RAdamOptions, arrays ["exp_avg", "exp_avg_sq"];
    options {
        /// The decay rates β₁ and β₂ of the running means of g and g²; (0.9, 0.999) by default.
        betas: (f64, f64) = (0.9, 0.999), (beta1: f64, beta2: f64) (beta1, beta2);
        /// ε, which keeps the step finite where the gradient has been zero; 1e-8 by default.
        eps: f64 = 1e-8, (eps: f64) eps;
        /// The weight decay λ; 0 by default.
        weight_decay: f64 = 0.0, (weight_decay: f64) weight_decay;
        /// Takes the weight decay as AdamW does.
        decoupled_weight_decay: bool = false, (on: bool) on;
        /// Steps up the gradient instead of down.
        maximize: bool = false, (on: bool) on;
    }
    check |o| check("RAdam", o.betas, o.eps, o.weight_decay);
    step |o, learning_rate, p, gradient, state| {
        let (beta1, beta2) = o.betas;
        let left = 1.0 - beta2.powi(state.steps);
        let longest = 2.0 / (1.0 - beta2) - 1.0;
        let length = longest - 2.0 * f64::from(state.steps) * beta2.powi(state.steps) / left;
        let size = learning_rate / (1.0 - beta1.powi(state.steps));
        // A step that does not adapt divides by 0 √v + 1.
        let (size, root, eps) = if length > 5.0 {
            let rectified = (length - 4.0) * (length - 2.0) * longest
                / ((longest - 4.0) * (longest - 2.0) * length);
            (size * left.sqrt() * rectified.sqrt(), 1.0, o.eps)
        } else {
            (size, 0.0, 1.0)
        };
        let step = Step {
            decay: Decay::new(o.decoupled_weight_decay, o.weight_decay, learning_rate, o.maximize),
            means: Means { beta1, beta2 },
            mix: (size, 0.0),
            root,
            eps,
        };
        step_with_two(p, gradient, state, [0, 1], [0.0; 2], &Plain(step));
    }
}

struct Infinity {
    decay: Decay,
    beta1: f64,
    beta2: f64,
    size: f64,
    eps: f64,
}

impl Body<4, 0, 3> for Infinity {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, m, u, g]: [S; 4], []: [S; 0]) -> [S; 3] {
        let (p, g) = self.decay.apply(p, g);
        let m = (g - m).mul_add(S::lit(1.0 - self.beta1), m);
        let u = (u * S::lit(self.beta2)).max(g.abs() + S::lit(self.eps));
        [(m / u).mul_add(S::lit(-self.size), p), m, u]
    }
    fn cost(&self) -> usize {
        6
    }
}

optimizer! {
    /// Adam by the infinity norm, as `torch.optim.Adamax`.
    ///
    /// g ← g + λ p;  m ← β₁ m + (1 − β₁) g;  u ← max(β₂ u, |g| + ε);  p ← p − η / (1 − β₁ᵗ) · m / u.
    ///
    /// Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015. PyTorch's default learning rate is
    /// 0.002.
    Adamax, AdamaxOptions, arrays ["exp_avg", "exp_inf"];
    options {
        /// The decay rates β₁ and β₂ of the running mean and the running maximum; (0.9, 0.999) by default.
        betas: (f64, f64) = (0.9, 0.999), (beta1: f64, beta2: f64) (beta1, beta2);
        /// ε, which keeps the step finite where the gradient has been zero; 1e-8 by default.
        eps: f64 = 1e-8, (eps: f64) eps;
        /// The weight decay λ; 0 by default.
        weight_decay: f64 = 0.0, (weight_decay: f64) weight_decay;
        /// Steps up the gradient instead of down.
        maximize: bool = false, (on: bool) on;
    }
    check |o| check("Adamax", o.betas, o.eps, o.weight_decay);
    step |o, learning_rate, p, gradient, state| {
        let (beta1, beta2) = o.betas;
        let rule = Infinity {
            decay: Decay::new(false, o.weight_decay, learning_rate, o.maximize),
            beta1,
            beta2,
            size: learning_rate / (1.0 - beta1.powi(state.steps)),
            eps: o.eps,
        };
        step_with_two(p, gradient, state, [0, 1], [0.0; 2], &rule);
    }
}

struct Sign {
    decay: Decay,
    beta1: f64,
    beta2: f64,
    learning_rate: f64,
}

impl Body<3, 0, 2> for Sign {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, m, g]: [S; 3], []: [S; 0]) -> [S; 2] {
        let (p, g) = self.decay.apply(p, g);
        let way = (g - m).mul_add(S::lit(1.0 - self.beta1), m);
        let step = S::lit(self.learning_rate);
        let step = S::select(way.gt(S::ZERO), step, S::select(way.lt(S::ZERO), -step, S::ZERO));
        [p - step, (g - m).mul_add(S::lit(1.0 - self.beta2), m)]
    }
    fn cost(&self) -> usize {
        5
    }
}

optimizer! {
    /// Lion: steps of one size, in the direction of a running mean's sign.
    ///
    /// p ← (1 − η λ) p − η sign(β₁ m + (1 − β₁) g);  m ← β₂ m + (1 − β₂) g.
    ///
    /// Source: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, whose default learning rate is
    /// 0.0001.
    Lion, LionOptions, arrays ["exp_avg"];
    options {
        /// The decay rates β₁, for the step, and β₂, for the mean that is kept; (0.9, 0.99) by default.
        betas: (f64, f64) = (0.9, 0.99), (beta1: f64, beta2: f64) (beta1, beta2);
        /// The weight decay λ; 0 by default.
        weight_decay: f64 = 0.0, (weight_decay: f64) weight_decay;
        /// Steps up the gradient instead of down.
        maximize: bool = false, (on: bool) on;
    }
    check |o| check("Lion", o.betas, 0.0, o.weight_decay);
    step |o, learning_rate, p, gradient, state| {
        let (beta1, beta2) = o.betas;
        let decay = Decay::new(true, o.weight_decay, learning_rate, o.maximize);
        let rule = Sign { decay, beta1, beta2, learning_rate };
        step_with_one(p, gradient, state, [0], [0.0], &rule);
    }
}
