//! Scaling the loss, for training in half precision.

use super::Optimizer;
use super::clip::{grad_norm, scale_grads_};
use super::options::{Setting, number};
use crate::io::Value;
use crate::tensor::Tensor;
use wengert_array::Result;

/// Scales the loss so that small gradients do not vanish in half precision, as `torch.amp.GradScaler`.
///
/// Where a scaled gradient overflows, the step is left out and the scale is halved; after 2,000 steps without
/// overflow it is doubled. Source: Micikevicius et al., Mixed Precision Training, 2018.
///
/// ```
/// use wengert::Tensor;
/// use wengert::optim::{GradScaler, SGD};
///
/// let w = Tensor::new([5.0]).requires_grad_(true);
/// let mut optimizer = SGD::new([w.clone()], 0.1);
/// let mut scaler = GradScaler::new();
/// let loss = (&w - 2.0).square().sum();
/// scaler.scale(&loss).backward();
/// assert!(scaler.step(&mut optimizer));
/// assert!((w.item() - 4.4).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct GradScaler {
    scale: f64,
    growth_factor: f64,
    backoff_factor: f64,
    growth_interval: usize,
    growth_tracker: usize,
    unscaled: bool,
}

impl Default for GradScaler {
    fn default() -> GradScaler {
        GradScaler::new()
    }
}

impl GradScaler {
    /// Starting from a scale of 2¹⁶.
    pub fn new() -> GradScaler {
        GradScaler {
            scale: 65536.0,
            growth_factor: 2.0,
            backoff_factor: 0.5,
            growth_interval: 2000,
            growth_tracker: 0,
            unscaled: false,
        }
    }

    /// Starting from this scale.
    #[must_use]
    pub fn init_scale(self, scale: f64) -> GradScaler {
        GradScaler { scale, ..self }
    }

    /// Growing by this factor, and back by the other.
    #[must_use]
    pub fn factors(self, growth_factor: f64, backoff_factor: f64) -> GradScaler {
        GradScaler {
            growth_factor,
            backoff_factor,
            ..self
        }
    }

    /// Growing after this many steps without overflow.
    #[must_use]
    pub fn growth_interval(self, growth_interval: usize) -> GradScaler {
        GradScaler {
            growth_interval,
            ..self
        }
    }

    /// The scale as it is now.
    pub fn get_scale(&self) -> f64 {
        self.scale
    }

    /// The loss times the scale: call `backward` on it.
    #[track_caller]
    pub fn scale(&self, loss: &Tensor) -> Tensor {
        loss * self.scale
    }

    /// Divides the gradients by the scale, for those who clip them before [`step`](GradScaler::step).
    pub fn unscale_(&mut self, optimizer: &dyn Optimizer) {
        if !self.unscaled {
            scale_grads_(optimizer.parameters(), 1.0 / self.scale);
            self.unscaled = true;
        }
    }

    /// Steps with the unscaled gradients, unless one of them overflowed; then adjusts the scale. Says whether it
    /// stepped.
    pub fn step(&mut self, optimizer: &mut dyn Optimizer) -> bool {
        self.unscale_(optimizer);
        self.unscaled = false;
        let finite = grad_norm(optimizer.parameters(), f64::INFINITY).is_finite();
        if finite {
            optimizer.step();
            self.growth_tracker += 1;
            if self.growth_tracker >= self.growth_interval {
                self.scale *= self.growth_factor;
                self.growth_tracker = 0;
            }
        } else {
            self.scale *= self.backoff_factor;
            self.growth_tracker = 0;
        }
        finite
    }

    /// Scale and options, in PyTorch's layout.
    pub fn state_dict(&self) -> Value {
        Value::dict([
            ("scale", self.scale.into()),
            ("growth_factor", self.growth_factor.into()),
            ("backoff_factor", self.backoff_factor.into()),
            ("growth_interval", self.growth_interval.into()),
            ("_growth_tracker", self.growth_tracker.into()),
        ])
    }

    /// Takes over scale and options.
    ///
    /// # Errors
    /// If one is missing or no number.
    pub fn load_state_dict(&mut self, saved: &Value) -> Result<()> {
        *self = GradScaler {
            scale: number("scale", saved.entry("scale")?)?,
            growth_factor: number("growth_factor", saved.entry("growth_factor")?)?,
            backoff_factor: number("backoff_factor", saved.entry("backoff_factor")?)?,
            growth_interval: usize::load("growth_interval", saved.entry("growth_interval")?)?,
            growth_tracker: usize::load("_growth_tracker", saved.entry("_growth_tracker")?)?,
            unscaled: false,
        };
        Ok(())
    }
}
