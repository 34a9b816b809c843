//! Muon: momentum made orthogonal.

use super::options::{Setting, at_least_zero, optimizer};
use super::step::step_without_state;
use crate::autograd::no_grad;
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Body};
use wengert_array::real::Real;
use wengert_array::{DType, Error, ErrorKind};

/// How the step's size follows from the matrix's: `adjust_lr_fn` in PyTorch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adjust {
    /// η √max(1, outputs / inputs), as the method's author does.
    #[default]
    Original,
    /// 0.2 η √max(outputs, inputs), which makes steps of the size of AdamW's.
    MatchRmsAdamW,
}

impl Setting for Adjust {
    fn save(&self) -> crate::io::Value {
        match self {
            Adjust::Original => "original".into(),
            Adjust::MatchRmsAdamW => "match_rms_adamw".into(),
        }
    }
    fn load(name: &str, value: &crate::io::Value) -> wengert_array::Result<Adjust> {
        match value.as_str() {
            Some("original") => Ok(Adjust::Original),
            Some("match_rms_adamw") => Ok(Adjust::MatchRmsAdamW),
            _ => {
                let message = format!("`{name}` must be original or match_rms_adamw, and is {value}");
                Err(Error::new(ErrorKind::Value, "Muon", message))
            }
        }
    }
}

struct Average {
    momentum: f64,
    nesterov: bool,
}

/// Of the running mean and the gradient: the new mean, and what is to be made orthogonal.
impl Body<2, 0, 2> for Average {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [b, g]: [S; 2], []: [S; 0]) -> [S; 2] {
        let b = (g - b).mul_add(S::lit(1.0 - self.momentum), b);
        let share = if self.nesterov { self.momentum } else { 1.0 };
        [b, (b - g).mul_add(S::lit(share), g)]
    }
}

struct Move {
    shrink: f64,
    size: f64,
}

impl Body<2, 0, 1> for Move {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [p, u]: [S; 2], []: [S; 0]) -> [S; 1] {
        [u.mul_add(S::lit(-self.size), p * S::lit(self.shrink))]
    }
}

/// A matrix near U Vᵀ, where the given one is U S Vᵀ: `steps` times X ← a X + (b X Xᵀ + c (X Xᵀ)²) X.
fn orthogonal(x: Tensor, [a, b, c]: [f64; 3], eps: f64, steps: usize) -> Tensor {
    let tall = x.size(0) > x.size(1);
    let x = if tall { x.t() } else { x };
    let norm = x.to(DType::F64).square().sum().item().sqrt().max(eps);
    let mut x = x / norm;
    for _ in 0..steps {
        let gram = x.matmul(&x.t());
        let update = &gram * b + gram.matmul(&gram) * c;
        x = &x * a + update.matmul(&x);
    }
    if tall { x.t() } else { x }
}

optimizer! {
    /// Muon: each step is the momentum made (nearly) orthogonal, as `torch.optim.Muon`; for matrices only.
    ///
    /// b ← μ b + (1 − μ) g;  u = μ b + (1 − μ) g with Nesterov, else b;  p ← (1 − η λ) p − η r O, where O is the
    /// result of a few Newton–Schulz iterations on u / ‖u‖ and r follows from the matrix's shape, see [`Adjust`].
    ///
    /// PyTorch iterates in bfloat16; here it is the parameter's own precision. Source: Jordan et al., Muon: An
    /// optimizer for hidden layers in neural networks, 2024. PyTorch's default learning rate is 0.001.
    Muon, MuonOptions, arrays ["momentum_buffer"], counts false;
    options {
        /// The weight decay λ; 0.1 by default.
        weight_decay: f64 = 0.1, (weight_decay: f64) weight_decay;
        /// The momentum μ; 0.95 by default.
        momentum: f64 = 0.95, (momentum: f64) momentum;
        /// Nesterov's variant of momentum; on by default.
        nesterov: bool = true, (on: bool) on;
        /// The numbers a, b and c of the iteration; (3.4445, −4.775, 2.0315) by default.
        ns_coefficients: [f64; 3] = [3.4445, -4.7750, 2.0315], (a: f64, b: f64, c: f64) [a, b, c];
        /// The least norm that is divided by; 1e-7 by default.
        eps: f64 = 1e-7, (eps: f64) eps;
        /// How many iterations; 5 by default.
        ns_steps: usize = 5, (steps: usize) steps;
        /// Matrices lie as `[outputs, inputs]`; off by default, as [`Linear`](crate::nn::Linear) keeps `[inputs,
        /// outputs]`.
        outputs_first: bool = false, (on: bool) on;
        /// How the size of the step follows from the matrix's shape.
        adjust_lr_fn: Adjust = Adjust::Original, (adjust: Adjust) adjust;
    }
    check |o| {
        at_least_zero("Muon", "momentum", o.momentum)?;
        at_least_zero("Muon", "weight decay", o.weight_decay)?;
        at_least_zero("Muon", "ε", o.eps)?;
        if o.ns_steps >= 100 {
            let message = format!("there must be fewer than 100 iterations, not {}", o.ns_steps);
            return Err(Error::new(ErrorKind::Value, "Muon", message));
        }
        Ok(())
    };
    takes |p| {
        if p.dtype().is_complex() {
            let message = "trains real matrices only, and got a complex parameter";
            return Err(Error::new(ErrorKind::DType, "Muon", message).help("train the others with AdamW"));
        }
        if p.dim() == 2 {
            return Ok(());
        }
        let message = format!("trains matrices only, and got a parameter of shape {}", p.shape());
        Err(Error::new(ErrorKind::Shape, "Muon", message).help("train the others with AdamW"))
    };
    step |o, learning_rate, p, gradient, state| {
        let (shape, dtype) = (p.shape(), p.dtype());
        let mean = state.take(0, &p.array(), 0.0);
        let rule = Average { momentum: o.momentum, nesterov: o.nesterov };
        let [mean, update] = kernels::map(&rule, dtype, [mean, gradient].map(Some), [], &shape, [dtype; 2]);
        state.arrays[0] = Some(mean);
        let size = |d: bool| shape[usize::from(d)].max(1) as f64;
        let (outputs, inputs) = (size(!o.outputs_first), size(o.outputs_first));
        let ratio = match o.adjust_lr_fn {
            Adjust::Original => (outputs / inputs).max(1.0).sqrt(),
            Adjust::MatchRmsAdamW => 0.2 * outputs.max(inputs).sqrt(),
        };
        let update = no_grad(|| orthogonal(Tensor::constant(update), o.ns_coefficients, o.eps, o.ns_steps)).array();
        let rule = Move { shrink: 1.0 - learning_rate * o.weight_decay, size: learning_rate * ratio };
        step_without_state(p, update, &rule);
    }
}
