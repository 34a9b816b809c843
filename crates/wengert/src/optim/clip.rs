//! Bounds on gradients.

use super::step::{elements, numbers};
use crate::autograd::no_grad;
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Body};
use wengert_array::real::Real;
use wengert_array::{DType, Error, ErrorKind, Result};

struct Scale(f64);

impl Body<1, 0, 1> for Scale {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [g]: [S; 1], []: [S; 0]) -> [S; 1] {
        [g * S::lit(self.0)]
    }
}

struct Clamp(f64);

impl Body<1, 0, 1> for Clamp {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [g]: [S; 1], []: [S; 0]) -> [S; 1] {
        [g.max(S::lit(-self.0)).min(S::lit(self.0))]
    }
}

/// `body` at every number of the gradients.
fn each(parameters: &[Tensor], body: &impl Body<1, 0, 1>) {
    for p in parameters {
        let Some(g) = p.grad() else { continue };
        // The gradient's only handle goes to the kernel, which so works in place.
        p.set_grad(None);
        let complex = g.dtype().is_complex();
        let g = numbers(g.into_array());
        let (shape, dtype) = (g.shape().clone(), g.dtype());
        let [g] = kernels::map(body, dtype, [Some(g)], [], &shape, [dtype]);
        p.set_grad(Some(Tensor::constant(elements(g, complex))));
    }
}

/// The norm of all gradients of these parameters together: (Σ |g|ᵖ)^(1/p), or with p = ∞ the largest |g|. Sums are
/// taken in f64.
pub fn grad_norm(parameters: &[Tensor], p: f64) -> f64 {
    no_grad(|| {
        let gradients = parameters
            .iter()
            .filter_map(Tensor::grad)
            .filter(|g| g.numel() > 0);
        let size = |g: Tensor| if g.dtype().is_complex() { g.abs() } else { g };
        let gradients = gradients.map(|g| size(g).to(DType::F64));
        if p.is_infinite() {
            // Not `f64::max`, which forgets a NaN.
            return gradients
                .map(|g| g.abs().max().item())
                .fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a });
        }
        if p == 2.0 {
            return gradients.map(|g| g.square().sum().item()).sum::<f64>().sqrt();
        }
        gradients
            .map(|g| g.abs().powf(p).sum().item())
            .sum::<f64>()
            .powf(1.0 / p)
    })
}

/// Scales the gradients so that their norm together is at most `max_norm`, and returns what it was, as
/// `torch.nn.utils.clip_grad_norm_`.
///
/// g ← g · min(1, c / (‖g‖₂ + 10⁻⁶)).
///
/// ```
/// use wengert::Tensor;
/// use wengert::optim::clip_grad_norm_;
///
/// let w = Tensor::new([3.0, 4.0]).requires_grad_(true);
/// (&w * &w / 2.0).sum().backward();
/// assert_eq!(clip_grad_norm_(&[w.clone()], 1.0), 5.0);
/// assert!(w.grad().unwrap().allclose(&Tensor::new([0.6, 0.8]), 1e-5, 0.0));
/// ```
pub fn clip_grad_norm_(parameters: &[Tensor], max_norm: f64) -> f64 {
    let norm = grad_norm(parameters, 2.0);
    scale_to(parameters, norm, max_norm);
    norm
}

/// As [`clip_grad_norm_`], by any norm, with an error where the norm is not finite (`error_if_nonfinite`).
///
/// # Errors
/// If a gradient is infinite or NaN; then nothing was changed.
pub fn try_clip_grad_norm_(parameters: &[Tensor], max_norm: f64, p: f64) -> Result<f64> {
    let norm = grad_norm(parameters, p);
    if !norm.is_finite() {
        let message = format!("the norm of the gradients is {norm}");
        let error = Error::new(ErrorKind::Value, "clip_grad_norm_", message);
        let bad = |p: &Tensor| !grad_norm(std::slice::from_ref(p), f64::INFINITY).is_finite();
        return Err(match parameters.iter().position(bad) {
            Some(i) => error.note(format!("the gradient of parameter {i} is not finite")),
            None => error,
        });
    }
    scale_to(parameters, norm, max_norm);
    Ok(norm)
}

fn scale_to(parameters: &[Tensor], norm: f64, max_norm: f64) {
    let factor = max_norm / (norm + 1e-6);
    // A NaN goes on to all gradients, as in PyTorch: it should be seen.
    if factor < 1.0 || factor.is_nan() {
        each(parameters, &Scale(factor));
    }
}

/// Brings every number of the gradients to within ±`bound`, as `torch.nn.utils.clip_grad_value_`.
pub fn clip_grad_value_(parameters: &[Tensor], bound: f64) {
    each(parameters, &Clamp(bound));
}

/// Multiplies all gradients by a number, in place.
pub fn scale_grads_(parameters: &[Tensor], factor: f64) {
    each(parameters, &Scale(factor));
}
