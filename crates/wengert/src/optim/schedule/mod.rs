//! Schedules: how learning rates change from step to step.
//!
//! A schedule is a [`Rule`]; [`on`](Rule::on) puts it on an optimizer, which sets the first learning rate, and each
//! [`step`](Scheduler::step) sets the next. Numbers, names and defaults are PyTorch's (`torch.optim.lr_scheduler`).
//!
//! ```
//! use wengert::Tensor;
//! use wengert::optim::schedule::{CosineAnnealingLR, Rule};
//! use wengert::optim::{AdamW, Optimizer};
//!
//! let w = Tensor::new([1.0]).requires_grad_(true);
//! let mut optimizer = AdamW::new([w], 1e-3);
//! let mut schedule = CosineAnnealingLR::new(90).warm_up(10).on(&mut optimizer);
//! for step in 0..100 {
//!     // … loss.backward(); optimizer.step(); …
//!     schedule.step(&mut optimizer);
//! }
//! assert!(optimizer.learning_rate() < 1e-9);
//! ```

mod cycle;
mod plateau;
mod simple;

pub use cycle::{Anneal, CycleMode, CyclicLR, OneCycleLR};
pub use plateau::{Mode, ReduceLROnPlateau};
pub use simple::{
    ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, ExponentialLR, LambdaLR,
    LinearLR, MultiStepLR, MultiplicativeLR, PolynomialLR, SequentialLR, StepLR,
};

use super::Optimizer;
use super::options::Setting;
use crate::io::Value;
use crate::ops::ok;
use wengert_array::{Error, ErrorKind, Result};

/// A group's learning rate as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// The number of the group.
    pub group: usize,
    /// The learning rate as it is.
    pub now: f64,
    /// What it was before any schedule changed it.
    pub base: f64,
}

/// How a learning rate changes.
pub trait Rule: Send + Sync {
    /// The learning rate before the first step.
    fn first(&self, rate: Rate) -> f64 {
        rate.now
    }

    /// The learning rate after step `t`, which is at least 1.
    fn next(&self, t: usize, rate: Rate) -> f64;

    /// The momentum after step `t`, for rules that change it too.
    fn momentum(&self, t: usize) -> Option<f64> {
        let _ = t;
        None
    }

    /// Why there is no step `t`.
    fn check(&self, t: usize) -> Result<()> {
        let _ = t;
        Ok(())
    }

    /// Puts the rule on an optimizer and sets its first learning rates.
    #[track_caller]
    fn on(self, optimizer: &mut dyn Optimizer) -> Scheduler
    where
        Self: Sized + 'static,
    {
        Scheduler::new(Box::new(self), optimizer)
    }

    /// Before this rule, `steps` steps in which the learning rate rises evenly to its full size.
    #[track_caller]
    fn warm_up(self, steps: usize) -> SequentialLR
    where
        Self: Sized + 'static,
    {
        let rise = LinearLR::new(1.0 / (steps + 1) as f64, 1.0, steps.max(1));
        SequentialLR::new(rise).then(steps, self)
    }
}

impl Rule for Box<dyn Rule> {
    fn first(&self, rate: Rate) -> f64 {
        (**self).first(rate)
    }
    fn next(&self, t: usize, rate: Rate) -> f64 {
        (**self).next(t, rate)
    }
    fn momentum(&self, t: usize) -> Option<f64> {
        (**self).momentum(t)
    }
    fn check(&self, t: usize) -> Result<()> {
        (**self).check(t)
    }
}

/// A rule at work on an optimizer.
pub struct Scheduler {
    rule: Box<dyn Rule>,
    base: Vec<f64>,
    last: Vec<f64>,
    t: usize,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (t, last) = (self.t, &self.last);
        f.debug_struct("Scheduler")
            .field("t", &t)
            .field("last_lr", last)
            .finish_non_exhaustive()
    }
}

impl Scheduler {
    #[track_caller]
    fn new(rule: Box<dyn Rule>, optimizer: &mut dyn Optimizer) -> Scheduler {
        let mut base = Vec::new();
        for group in 0..optimizer.num_groups() {
            let number = |name| optimizer.option(group, name).and_then(|v| v.as_f64());
            let initial = number("initial_lr").or(number("lr")).unwrap_or(0.0);
            ok(optimizer.set_option(group, "initial_lr", &initial.into()));
            base.push(initial);
        }
        let mut scheduler = Scheduler {
            rule,
            last: base.clone(),
            base,
            t: 0,
        };
        ok(scheduler.set(optimizer));
        scheduler
    }

    fn set(&mut self, optimizer: &mut dyn Optimizer) -> Result<()> {
        if optimizer.num_groups() != self.base.len() {
            let message = format!(
                "the schedule is for {} groups of parameters, the optimizer has {}",
                self.base.len(),
                optimizer.num_groups()
            );
            return Err(Error::new(ErrorKind::Value, "step", message));
        }
        self.rule.check(self.t)?;
        for (group, base) in self.base.iter().enumerate() {
            let now = optimizer
                .option(group, "lr")
                .and_then(|v| v.as_f64())
                .unwrap_or(*base);
            let rate = Rate {
                group,
                now,
                base: *base,
            };
            let new = if self.t == 0 {
                self.rule.first(rate)
            } else {
                self.rule.next(self.t, rate)
            };
            optimizer.set_option(group, "lr", &new.into())?;
            self.last[group] = new;
            if let Some(momentum) = self.rule.momentum(self.t) {
                match optimizer
                    .option(group, "betas")
                    .map(|b| <(f64, f64)>::load("betas", &b))
                {
                    Some(betas) => optimizer.set_option(group, "betas", &(momentum, betas?.1).into())?,
                    None => optimizer
                        .set_option(group, "momentum", &momentum.into())
                        .map_err(|e| e.help("`.cycle_momentum(false)` leaves the momentum alone"))?,
                }
            }
        }
        Ok(())
    }

    /// Sets the next learning rates.
    ///
    /// # Panics
    /// If the rule has an end and this is beyond it, or the optimizer has other groups than the one it was made for.
    #[track_caller]
    pub fn step(&mut self, optimizer: &mut dyn Optimizer) {
        self.t += 1;
        ok(self.set(optimizer));
    }

    /// How many steps were taken.
    pub fn last_epoch(&self) -> usize {
        self.t
    }

    /// The learning rates of the groups, as they were set last.
    pub fn last_lr(&self) -> &[f64] {
        &self.last
    }

    /// How far it is; the rule itself is not part of it.
    pub fn state_dict(&self) -> Value {
        let list = |v: &[f64]| Value::List(v.iter().map(|v| Value::Float(*v)).collect());
        Value::dict([
            ("last_epoch", self.t.into()),
            ("base_lrs", list(&self.base)),
            ("_last_lr", list(&self.last)),
        ])
    }

    /// Goes to where a saved schedule was. The learning rates themselves are part of the optimizer's state.
    ///
    /// # Errors
    /// If something is missing, or the number of groups is another; then nothing was changed.
    pub fn load_state_dict(&mut self, saved: &Value) -> Result<()> {
        let list = |name: &str| {
            let value = saved.entry(name)?;
            let numbers = value
                .items()
                .and_then(|v| v.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>());
            numbers.filter(|v| v.len() == self.base.len()).ok_or_else(|| {
                let message = format!("`{name}` must be {} numbers, and is {value}", self.base.len());
                Error::new(ErrorKind::Value, "load_state_dict", message)
            })
        };
        let (base, last) = (list("base_lrs")?, list("_last_lr")?);
        self.t = usize::load("last_epoch", saved.entry("last_epoch")?)?;
        (self.base, self.last) = (base, last);
        Ok(())
    }
}

#[track_caller]
fn at_least_one(op: &str, what: &str, value: usize) -> usize {
    if value == 0 {
        wengert_array::raise(Error::new(
            ErrorKind::Value,
            op,
            format!("the {what} must be at least 1"),
        ));
    }
    value
}
