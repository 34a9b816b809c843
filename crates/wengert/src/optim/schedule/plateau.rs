//! A rule that looks at the results.

use crate::io::Value;
use crate::ops::ok;
use crate::optim::Optimizer;
use crate::optim::options::{Setting, number};
use wengert_array::Result;

/// Whether a measure is to be small or large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Small is good: a loss.
    #[default]
    Min,
    /// Large is good: an accuracy.
    Max,
}

/// Lowers the learning rate when a measure has not become better for some time.
///
/// ```
/// use wengert::Tensor;
/// use wengert::optim::schedule::ReduceLROnPlateau;
/// use wengert::optim::{Optimizer, SGD};
///
/// let mut optimizer = SGD::new([Tensor::new([1.0]).requires_grad_(true)], 0.1);
/// let mut schedule = ReduceLROnPlateau::new().patience(2);
/// for loss in [3.0, 2.0, 2.0, 2.0, 2.0] {
///     schedule.step(&mut optimizer, loss);
/// }
/// assert!((optimizer.learning_rate() - 0.01).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct ReduceLROnPlateau {
    mode: Mode,
    factor: f64,
    patience: usize,
    threshold: f64,
    absolute: bool,
    cooldown: usize,
    min_lr: f64,
    eps: f64,
    best: f64,
    bad: usize,
    cooling: usize,
    t: usize,
}

impl Default for ReduceLROnPlateau {
    fn default() -> ReduceLROnPlateau {
        ReduceLROnPlateau::new()
    }
}

impl ReduceLROnPlateau {
    /// With PyTorch's defaults: to a tenth after more than 10 steps without a relative improvement by 10⁻⁴ of a
    /// measure that is to be small.
    pub fn new() -> ReduceLROnPlateau {
        ReduceLROnPlateau {
            mode: Mode::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            absolute: false,
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
            best: f64::INFINITY,
            bad: 0,
            cooling: 0,
            t: 0,
        }
    }

    /// Whether the measure is to be small or large.
    #[must_use]
    pub fn mode(self, mode: Mode) -> ReduceLROnPlateau {
        let best = match mode {
            Mode::Min => f64::INFINITY,
            Mode::Max => f64::NEG_INFINITY,
        };
        ReduceLROnPlateau { mode, best, ..self }
    }

    /// Multiplies by this.
    #[must_use]
    pub fn factor(self, factor: f64) -> ReduceLROnPlateau {
        ReduceLROnPlateau { factor, ..self }
    }

    /// Bears so many steps without improvement.
    #[must_use]
    pub fn patience(self, patience: usize) -> ReduceLROnPlateau {
        ReduceLROnPlateau { patience, ..self }
    }

    /// What counts as an improvement, as a share of the best so far.
    #[must_use]
    pub fn threshold(self, threshold: f64) -> ReduceLROnPlateau {
        ReduceLROnPlateau { threshold, ..self }
    }

    /// What counts as an improvement, in the measure's own units (`threshold_mode="abs"`).
    #[must_use]
    pub fn absolute_threshold(self, threshold: f64) -> ReduceLROnPlateau {
        ReduceLROnPlateau {
            threshold,
            absolute: true,
            ..self
        }
    }

    /// Waits so many steps after lowering.
    #[must_use]
    pub fn cooldown(self, cooldown: usize) -> ReduceLROnPlateau {
        ReduceLROnPlateau { cooldown, ..self }
    }

    /// Goes no lower than this.
    #[must_use]
    pub fn min_lr(self, min_lr: f64) -> ReduceLROnPlateau {
        ReduceLROnPlateau { min_lr, ..self }
    }

    fn is_better(&self, measure: f64) -> bool {
        match (self.mode, self.absolute) {
            (Mode::Min, false) => measure < self.best * (1.0 - self.threshold),
            (Mode::Min, true) => measure < self.best - self.threshold,
            (Mode::Max, false) => measure > self.best * (1.0 + self.threshold),
            (Mode::Max, true) => measure > self.best + self.threshold,
        }
    }

    /// Looks at the measure, and lowers the learning rates if it is time.
    #[track_caller]
    pub fn step(&mut self, optimizer: &mut dyn Optimizer, measure: f64) {
        self.t += 1;
        if self.is_better(measure) {
            self.best = measure;
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad = 0;
        }
        if self.bad > self.patience {
            for group in 0..optimizer.num_groups() {
                let old = optimizer
                    .option(group, "lr")
                    .and_then(|v| v.as_f64())
                    .unwrap_or(0.0);
                let new = (old * self.factor).max(self.min_lr);
                if old - new > self.eps {
                    ok(optimizer.set_option(group, "lr", &new.into()));
                }
            }
            self.cooling = self.cooldown;
            self.bad = 0;
        }
    }

    /// What it remembers.
    pub fn state_dict(&self) -> Value {
        Value::dict([
            ("best", self.best.into()),
            ("num_bad_epochs", self.bad.into()),
            ("cooldown_counter", self.cooling.into()),
            ("last_epoch", self.t.into()),
        ])
    }

    /// Takes over what another one remembered.
    ///
    /// # Errors
    /// If something is missing; then nothing was changed.
    pub fn load_state_dict(&mut self, saved: &Value) -> Result<()> {
        let count = |name: &str| usize::load(name, saved.entry(name)?);
        let (bad, cooling, t) = (
            count("num_bad_epochs")?,
            count("cooldown_counter")?,
            count("last_epoch")?,
        );
        self.best = number("best", saved.entry("best")?)?;
        (self.bad, self.cooling, self.t) = (bad, cooling, t);
        Ok(())
    }
}
