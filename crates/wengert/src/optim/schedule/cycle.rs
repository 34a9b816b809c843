//! Rules that go up and down, and change the momentum too.

use super::{Rate, Rule, at_least_one};
use std::f64::consts::PI;
use wengert_array::{Error, ErrorKind, Result};

/// The way from one value to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anneal {
    /// Half a wave of the cosine.
    #[default]
    Cos,
    /// A line.
    Linear,
}

impl Anneal {
    fn at(self, from: f64, to: f64, share: f64) -> f64 {
        match self {
            Anneal::Cos => to + (from - to) / 2.0 * (1.0 + (PI * share).cos()),
            Anneal::Linear => (to - from) * share + from,
        }
    }
}

/// Up to a highest learning rate, and down to almost nothing, once.
///
/// Source: Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates, 2018.
#[derive(Clone, Debug)]
pub struct OneCycleLR {
    max_lr: f64,
    total_steps: usize,
    pct_start: f64,
    anneal: Anneal,
    cycle_momentum: bool,
    momenta: (f64, f64),
    div_factor: f64,
    final_div_factor: f64,
    three_phase: bool,
}

impl OneCycleLR {
    /// With PyTorch's defaults: up during 30 % of the steps from 1/25 of the highest learning rate, down to 10⁻⁴ of
    /// where it began, the momentum between 0.95 and 0.85.
    ///
    /// # Panics
    /// If there are no steps.
    #[track_caller]
    pub fn new(max_lr: f64, total_steps: usize) -> OneCycleLR {
        OneCycleLR {
            max_lr,
            total_steps: at_least_one("OneCycleLR", "number of steps", total_steps),
            pct_start: 0.3,
            anneal: Anneal::Cos,
            cycle_momentum: true,
            momenta: (0.85, 0.95),
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }

    /// Goes up during this share of the steps.
    #[must_use]
    pub fn pct_start(self, pct_start: f64) -> OneCycleLR {
        OneCycleLR { pct_start, ..self }
    }

    /// Goes this way.
    #[must_use]
    pub fn anneal_strategy(self, anneal: Anneal) -> OneCycleLR {
        OneCycleLR { anneal, ..self }
    }

    /// Changes the momentum (β₁ of Adam) against the learning rate, or leaves it alone.
    #[must_use]
    pub fn cycle_momentum(self, cycle_momentum: bool) -> OneCycleLR {
        OneCycleLR {
            cycle_momentum,
            ..self
        }
    }

    /// The lowest and the highest momentum.
    #[must_use]
    pub fn momenta(self, base_momentum: f64, max_momentum: f64) -> OneCycleLR {
        let momenta = (base_momentum, max_momentum);
        OneCycleLR { momenta, ..self }
    }

    /// Starts from the highest learning rate divided by this.
    #[must_use]
    pub fn div_factor(self, div_factor: f64) -> OneCycleLR {
        OneCycleLR { div_factor, ..self }
    }

    /// Ends at the first learning rate divided by this.
    #[must_use]
    pub fn final_div_factor(self, final_div_factor: f64) -> OneCycleLR {
        OneCycleLR {
            final_div_factor,
            ..self
        }
    }

    /// Goes down as fast as up, and then to the end.
    #[must_use]
    pub fn three_phase(self, three_phase: bool) -> OneCycleLR {
        OneCycleLR { three_phase, ..self }
    }

    /// Value at step `t`, of one that is first, high, and last.
    fn at(&self, t: usize, first: f64, high: f64, last: f64) -> f64 {
        let (t, end) = (t as f64, self.total_steps as f64 - 1.0);
        let top = self.pct_start * self.total_steps as f64 - 1.0;
        let phases = if self.three_phase {
            let middle = 2.0 * self.pct_start * self.total_steps as f64 - 2.0;
            vec![(top, first, high), (middle, high, first), (end, first, last)]
        } else {
            vec![(top, first, high), (end, high, last)]
        };
        let mut start = 0.0;
        for (i, &(stop, from, to)) in phases.iter().enumerate() {
            if t <= stop || i + 1 == phases.len() {
                return self.anneal.at(from, to, (t - start) / (stop - start));
            }
            start = stop;
        }
        last
    }

    fn rate(&self, t: usize) -> f64 {
        let first = self.max_lr / self.div_factor;
        self.at(t, first, self.max_lr, first / self.final_div_factor)
    }
}

impl Rule for OneCycleLR {
    fn first(&self, _: Rate) -> f64 {
        self.rate(0)
    }
    fn next(&self, t: usize, _: Rate) -> f64 {
        self.rate(t)
    }
    fn momentum(&self, t: usize) -> Option<f64> {
        let (low, high) = self.momenta;
        self.cycle_momentum.then(|| self.at(t, high, low, high))
    }
    fn check(&self, t: usize) -> Result<()> {
        // A loop that steps after each of its steps asks for one more rate than it uses.
        if t > self.total_steps {
            let message = format!("step {t} of a schedule of {} steps", self.total_steps);
            return Err(Error::new(ErrorKind::Value, "OneCycleLR", message));
        }
        Ok(())
    }
}

/// How the height of the cycles changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum CycleMode {
    /// Not at all.
    #[default]
    Triangular,
    /// Each cycle is half as high as the one before.
    Triangular2,
    /// By γᵗ.
    ExpRange(/** γ. */ f64),
}

/// Up and down between two learning rates, again and again.
///
/// Source: Smith, Cyclical Learning Rates for Training Neural Networks, 2017.
#[derive(Clone, Debug)]
pub struct CyclicLR {
    base_lr: f64,
    max_lr: f64,
    up: usize,
    down: usize,
    mode: CycleMode,
    cycle_momentum: bool,
    momenta: (f64, f64),
}

impl CyclicLR {
    /// With PyTorch's defaults: 2,000 steps up and 2,000 down, cycles of equal height, the momentum between 0.8 and 0.9.
    pub fn new(base_lr: f64, max_lr: f64) -> CyclicLR {
        CyclicLR {
            base_lr,
            max_lr,
            up: 2000,
            down: 2000,
            mode: CycleMode::Triangular,
            cycle_momentum: true,
            momenta: (0.8, 0.9),
        }
    }

    /// So many steps up, and down.
    ///
    /// # Panics
    /// If one of them is 0.
    #[must_use]
    #[track_caller]
    pub fn step_sizes(self, up: usize, down: usize) -> CyclicLR {
        at_least_one("CyclicLR", "number of steps", up.min(down));
        CyclicLR { up, down, ..self }
    }

    /// Changes the height in this way.
    #[must_use]
    pub fn mode(self, mode: CycleMode) -> CyclicLR {
        CyclicLR { mode, ..self }
    }

    /// Changes the momentum (β₁ of Adam) against the learning rate, or leaves it alone.
    #[must_use]
    pub fn cycle_momentum(self, cycle_momentum: bool) -> CyclicLR {
        CyclicLR {
            cycle_momentum,
            ..self
        }
    }

    /// The lowest and the highest momentum.
    #[must_use]
    pub fn momenta(self, base_momentum: f64, max_momentum: f64) -> CyclicLR {
        let momenta = (base_momentum, max_momentum);
        CyclicLR { momenta, ..self }
    }

    /// How high it stands at step `t`: 0 at the bottom, 1 at the top of the first cycle.
    fn height(&self, t: usize) -> f64 {
        let whole = (self.up + self.down) as f64;
        let ratio = self.up as f64 / whole;
        let cycle = (1.0 + t as f64 / whole).floor();
        let x = 1.0 + t as f64 / whole - cycle;
        let height = if x <= ratio {
            x / ratio
        } else {
            (x - 1.0) / (ratio - 1.0)
        };
        height
            * match self.mode {
                CycleMode::Triangular => 1.0,
                CycleMode::Triangular2 => 0.5f64.powf(cycle - 1.0),
                CycleMode::ExpRange(gamma) => gamma.powf(t as f64),
            }
    }

    fn rate(&self, t: usize) -> f64 {
        self.base_lr + (self.max_lr - self.base_lr) * self.height(t)
    }
}

impl Rule for CyclicLR {
    fn first(&self, _: Rate) -> f64 {
        self.rate(0)
    }
    fn next(&self, t: usize, _: Rate) -> f64 {
        self.rate(t)
    }
    fn momentum(&self, t: usize) -> Option<f64> {
        let (low, high) = self.momenta;
        self.cycle_momentum.then(|| high - (high - low) * self.height(t))
    }
}
