//! Rules that say how a learning rate follows from the one before.

use super::{Rate, Rule, at_least_one};
use std::f64::consts::PI;
use wengert_array::{Error, ErrorKind, Result, raise};

/// Multiplies by γ every so many steps.
#[derive(Clone, Debug)]
pub struct StepLR {
    step_size: usize,
    gamma: f64,
}

impl StepLR {
    /// Every `step_size` steps, by γ = 0.1.
    ///
    /// # Panics
    /// If `step_size` is 0.
    #[track_caller]
    pub fn new(step_size: usize) -> StepLR {
        StepLR {
            step_size: at_least_one("StepLR", "step size", step_size),
            gamma: 0.1,
        }
    }

    /// With this γ.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> StepLR {
        StepLR { gamma, ..self }
    }
}

impl Rule for StepLR {
    fn next(&self, t: usize, rate: Rate) -> f64 {
        if t.is_multiple_of(self.step_size) {
            rate.now * self.gamma
        } else {
            rate.now
        }
    }
}

/// Multiplies by γ at certain steps.
#[derive(Clone, Debug)]
pub struct MultiStepLR {
    milestones: Vec<usize>,
    gamma: f64,
}

impl MultiStepLR {
    /// At these steps, by γ = 0.1; a step listed twice counts twice.
    pub fn new(milestones: impl Into<Vec<usize>>) -> MultiStepLR {
        MultiStepLR {
            milestones: milestones.into(),
            gamma: 0.1,
        }
    }

    /// With this γ.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> MultiStepLR {
        MultiStepLR { gamma, ..self }
    }
}

impl Rule for MultiStepLR {
    fn next(&self, t: usize, rate: Rate) -> f64 {
        let times = self.milestones.iter().filter(|m| **m == t).count();
        if times == 0 {
            rate.now
        } else {
            rate.now * self.gamma.powi(times as i32)
        }
    }
}

/// A fraction of the learning rate for the first steps.
#[derive(Clone, Debug)]
pub struct ConstantLR {
    factor: f64,
    total_iters: usize,
}

impl ConstantLR {
    /// `factor` (PyTorch's default: 1/3) times the learning rate until step `total_iters` (5).
    pub fn new(factor: f64, total_iters: usize) -> ConstantLR {
        ConstantLR { factor, total_iters }
    }
}

impl Rule for ConstantLR {
    fn first(&self, rate: Rate) -> f64 {
        rate.now * self.factor
    }
    fn next(&self, t: usize, rate: Rate) -> f64 {
        if t == self.total_iters {
            rate.now * (1.0 / self.factor)
        } else {
            rate.now
        }
    }
}

/// From one fraction of the learning rate to another, along a line.
#[derive(Clone, Debug)]
pub struct LinearLR {
    start: f64,
    end: f64,
    total_iters: usize,
}

impl LinearLR {
    /// From `start_factor` (PyTorch's default: 1/3) to `end_factor` (1) within `total_iters` (5) steps.
    ///
    /// # Panics
    /// If a factor or the number of steps is 0.
    #[track_caller]
    pub fn new(start_factor: f64, end_factor: f64, total_iters: usize) -> LinearLR {
        if start_factor.is_nan() || start_factor <= 0.0 {
            let message = format!("the factor at the start must be above 0, and is {start_factor}");
            raise(
                Error::new(ErrorKind::Value, "LinearLR", message).note("the next rate is a multiple of it"),
            );
        }
        LinearLR {
            start: start_factor,
            end: end_factor,
            total_iters: at_least_one("LinearLR", "number of steps", total_iters),
        }
    }
}

impl Rule for LinearLR {
    fn first(&self, rate: Rate) -> f64 {
        rate.now * self.start
    }
    fn next(&self, t: usize, rate: Rate) -> f64 {
        if t > self.total_iters {
            return rate.now;
        }
        let rise = self.end - self.start;
        rate.now * (1.0 + rise / (self.total_iters as f64 * self.start + (t - 1) as f64 * rise))
    }
}

/// Multiplies by γ at every step.
#[derive(Clone, Debug)]
pub struct ExponentialLR {
    gamma: f64,
}

impl ExponentialLR {
    /// By this γ.
    pub fn new(gamma: f64) -> ExponentialLR {
        ExponentialLR { gamma }
    }
}

impl Rule for ExponentialLR {
    fn next(&self, _: usize, rate: Rate) -> f64 {
        rate.now * self.gamma
    }
}

/// η (1 − t/T)^power, then 0.
#[derive(Clone, Debug)]
pub struct PolynomialLR {
    total_iters: usize,
    power: f64,
}

impl PolynomialLR {
    /// Down to 0 within `total_iters` steps (PyTorch's default: 5), by the power 1.
    ///
    /// # Panics
    /// If `total_iters` is 0.
    #[track_caller]
    pub fn new(total_iters: usize) -> PolynomialLR {
        PolynomialLR {
            total_iters: at_least_one("PolynomialLR", "number of steps", total_iters),
            power: 1.0,
        }
    }

    /// With this power.
    #[must_use]
    pub fn power(self, power: f64) -> PolynomialLR {
        PolynomialLR { power, ..self }
    }
}

impl Rule for PolynomialLR {
    fn next(&self, t: usize, rate: Rate) -> f64 {
        if t > self.total_iters {
            return rate.now;
        }
        let left = |t: usize| 1.0 - t as f64 / self.total_iters as f64;
        rate.now * (left(t) / left(t - 1)).powf(self.power)
    }
}

/// η_min + ½ (η − η_min)(1 + cos(π t / T)).
///
/// Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017, without the restarts.
#[derive(Clone, Debug)]
pub struct CosineAnnealingLR {
    t_max: usize,
    eta_min: f64,
}

impl CosineAnnealingLR {
    /// Down to 0 at step `t_max`, and then up again.
    ///
    /// # Panics
    /// If `t_max` is 0.
    #[track_caller]
    pub fn new(t_max: usize) -> CosineAnnealingLR {
        CosineAnnealingLR {
            t_max: at_least_one("CosineAnnealingLR", "number of steps", t_max),
            eta_min: 0.0,
        }
    }

    /// Down to this learning rate.
    #[must_use]
    pub fn eta_min(self, eta_min: f64) -> CosineAnnealingLR {
        CosineAnnealingLR { eta_min, ..self }
    }
}

impl Rule for CosineAnnealingLR {
    fn next(&self, t: usize, rate: Rate) -> f64 {
        let whole = self.t_max as f64;
        if (t as isize - 1 - self.t_max as isize) % (2 * self.t_max as isize) == 0 {
            return rate.now + (rate.base - self.eta_min) * (1.0 - (PI / whole).cos()) / 2.0;
        }
        let height = |t: usize| 1.0 + (PI * t as f64 / whole).cos();
        height(t) / height(t - 1) * (rate.now - self.eta_min) + self.eta_min
    }
}

/// As [`CosineAnnealingLR`], but at the lowest point it starts again from the top.
///
/// Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017.
#[derive(Clone, Debug)]
pub struct CosineAnnealingWarmRestarts {
    t_0: usize,
    t_mult: usize,
    eta_min: f64,
}

impl CosineAnnealingWarmRestarts {
    /// Each way down takes `t_0` steps.
    ///
    /// # Panics
    /// If `t_0` is 0.
    #[track_caller]
    pub fn new(t_0: usize) -> CosineAnnealingWarmRestarts {
        CosineAnnealingWarmRestarts {
            t_0: at_least_one("CosineAnnealingWarmRestarts", "number of steps", t_0),
            t_mult: 1,
            eta_min: 0.0,
        }
    }

    /// Each way down takes `t_mult` times as long as the one before.
    ///
    /// # Panics
    /// If `t_mult` is 0.
    #[must_use]
    #[track_caller]
    pub fn t_mult(self, t_mult: usize) -> CosineAnnealingWarmRestarts {
        let t_mult = at_least_one("CosineAnnealingWarmRestarts", "factor", t_mult);
        CosineAnnealingWarmRestarts { t_mult, ..self }
    }

    /// Down to this learning rate.
    #[must_use]
    pub fn eta_min(self, eta_min: f64) -> CosineAnnealingWarmRestarts {
        CosineAnnealingWarmRestarts { eta_min, ..self }
    }
}

impl Rule for CosineAnnealingWarmRestarts {
    fn next(&self, mut t: usize, rate: Rate) -> f64 {
        let mut whole = self.t_0;
        if self.t_mult == 1 {
            t %= whole;
        }
        while t >= whole {
            t -= whole;
            whole = whole.saturating_mul(self.t_mult);
        }
        let height = 1.0 + (PI * t as f64 / whole as f64).cos();
        self.eta_min + (rate.base - self.eta_min) * height / 2.0
    }
}

type Function = Box<dyn Fn(usize, usize) -> f64 + Send + Sync>;

/// A function of the step, times the learning rate at the start.
pub struct LambdaLR(Function);

impl LambdaLR {
    /// By `factor(t)`.
    pub fn new(factor: impl Fn(usize) -> f64 + Send + Sync + 'static) -> LambdaLR {
        LambdaLR(Box::new(move |_, t| factor(t)))
    }

    /// By `factor(group, t)`.
    pub fn by_group(factor: impl Fn(usize, usize) -> f64 + Send + Sync + 'static) -> LambdaLR {
        LambdaLR(Box::new(factor))
    }
}

impl Rule for LambdaLR {
    fn first(&self, rate: Rate) -> f64 {
        rate.base * self.0(rate.group, 0)
    }
    fn next(&self, t: usize, rate: Rate) -> f64 {
        rate.base * self.0(rate.group, t)
    }
}

/// A function of the step, times the learning rate before it.
pub struct MultiplicativeLR(Function);

impl MultiplicativeLR {
    /// By `factor(t)`.
    pub fn new(factor: impl Fn(usize) -> f64 + Send + Sync + 'static) -> MultiplicativeLR {
        MultiplicativeLR(Box::new(move |_, t| factor(t)))
    }

    /// By `factor(group, t)`.
    pub fn by_group(factor: impl Fn(usize, usize) -> f64 + Send + Sync + 'static) -> MultiplicativeLR {
        MultiplicativeLR(Box::new(factor))
    }
}

impl Rule for MultiplicativeLR {
    fn next(&self, t: usize, rate: Rate) -> f64 {
        rate.now * self.0(rate.group, t)
    }
}

/// Rules one after the other.
///
/// ```
/// use wengert::optim::schedule::{ExponentialLR, LinearLR, Rule, SequentialLR};
/// use wengert::optim::{Optimizer, SGD};
/// use wengert::Tensor;
///
/// let mut optimizer = SGD::new([Tensor::new([1.0]).requires_grad_(true)], 0.1);
/// let rule = SequentialLR::new(LinearLR::new(0.1, 1.0, 5)).then(5, ExponentialLR::new(0.9));
/// let mut schedule = rule.on(&mut optimizer);
/// assert!((optimizer.learning_rate() - 0.01).abs() < 1e-12);
/// ```
pub struct SequentialLR(Vec<(usize, Box<dyn Rule>)>);

impl SequentialLR {
    /// Starting with this rule.
    pub fn new(first: impl Rule + 'static) -> SequentialLR {
        SequentialLR(vec![(0, Box::new(first))])
    }

    /// From step `milestone` on, this rule, from its start.
    ///
    /// # Panics
    /// If the milestone is before that of the last rule.
    #[must_use]
    #[track_caller]
    pub fn then(mut self, milestone: usize, rule: impl Rule + 'static) -> SequentialLR {
        let last = self.0.last().map_or(0, |(t, _)| *t);
        if milestone < last {
            let message = format!("a rule from step {milestone} cannot follow one from step {last}");
            raise(Error::new(ErrorKind::Value, "SequentialLR", message));
        }
        self.0.push((milestone, Box::new(rule)));
        self
    }

    /// The rule for step `t`, and when it began.
    fn at(&self, t: usize) -> (usize, &dyn Rule) {
        let later = self.0.iter().rev().find(|(start, _)| *start <= t);
        let (start, rule) = later.unwrap_or(&self.0[0]);
        (*start, rule)
    }
}

impl Rule for SequentialLR {
    fn first(&self, rate: Rate) -> f64 {
        self.at(0).1.first(rate)
    }
    fn next(&self, t: usize, rate: Rate) -> f64 {
        let (start, rule) = self.at(t);
        // Whoever comes in anew starts from the learning rate before all schedules.
        let fresh = Rate {
            now: rate.base,
            ..rate
        };
        if t == start {
            rule.first(fresh)
        } else {
            rule.next(t - start, rate)
        }
    }
    fn momentum(&self, t: usize) -> Option<f64> {
        let (start, rule) = self.at(t);
        rule.momentum(t - start)
    }
    fn check(&self, t: usize) -> Result<()> {
        let (start, rule) = self.at(t);
        rule.check(t - start)
    }
}

/// Rules at the same time: each works on what the one before it gave.
pub struct ChainedScheduler(Vec<Box<dyn Rule>>);

impl ChainedScheduler {
    /// Of this rule alone, so far.
    pub fn new(first: impl Rule + 'static) -> ChainedScheduler {
        ChainedScheduler(vec![Box::new(first)])
    }

    /// With one more.
    #[must_use]
    pub fn and(mut self, rule: impl Rule + 'static) -> ChainedScheduler {
        self.0.push(Box::new(rule));
        self
    }
}

impl Rule for ChainedScheduler {
    fn first(&self, rate: Rate) -> f64 {
        self.0
            .iter()
            .fold(rate.now, |now, rule| rule.first(Rate { now, ..rate }))
    }
    fn next(&self, t: usize, rate: Rate) -> f64 {
        self.0
            .iter()
            .fold(rate.now, |now, rule| rule.next(t, Rate { now, ..rate }))
    }
    fn momentum(&self, t: usize) -> Option<f64> {
        self.0.iter().rev().find_map(|rule| rule.momentum(t))
    }
    fn check(&self, t: usize) -> Result<()> {
        self.0.iter().try_for_each(|rule| rule.check(t))
    }
}
