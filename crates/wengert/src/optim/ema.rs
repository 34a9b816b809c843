//! Averages of weights.

use super::step::{elements, numbers};
use crate::nn::{Module, Part, StateDict};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Body};
use wengert_array::real::Real;
use wengert_array::{Array, Error, ErrorKind, Result};

struct Mix(f64);

impl Body<2, 0, 1> for Mix {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, [mean, w]: [S; 2], []: [S; 0]) -> [S; 1] {
        [(w - mean).mul_add(S::lit(self.0), mean)]
    }
}

/// A running mean of a model's weights, which often tests better than the last weights do.
///
/// With decay d: mean ← d mean + (1 − d) weights, the first time mean ← weights, as
/// `torch.optim.swa_utils.AveragedModel` does with `get_ema_multi_avg_fn(d)`. Buffers are copied.
///
/// ```
/// use wengert::nn::{Layer, Linear, Module};
/// use wengert::optim::EMA;
///
/// let model = Linear::new(2, 1);
/// let mut mean = EMA::new(0.99);
/// mean.update(&model);                             // after each step
/// let trained = mean.swap(&model).unwrap();        // the model has the mean weights now
/// mean.swap_back(&model, &trained).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct EMA {
    decay: f64,
    means: Vec<(String, Array)>,
}

impl EMA {
    /// With this decay, for instance 0.999.
    ///
    /// # Panics
    /// If it is not in [0, 1].
    #[track_caller]
    pub fn new(decay: f64) -> EMA {
        if !(0.0..=1.0).contains(&decay) {
            let message = format!("the decay must be from 0 to 1, and is {decay}");
            wengert_array::raise(Error::new(ErrorKind::Value, "EMA", message));
        }
        EMA {
            decay,
            means: Vec::new(),
        }
    }

    /// Takes in the weights as they are now.
    ///
    /// # Panics
    /// If the model's parameters are no longer those of the first update.
    #[track_caller]
    pub fn update(&mut self, model: &dyn Module) {
        let parts = model.tensors();
        let first = self.means.is_empty();
        if !first && parts.len() != self.means.len() {
            let message = format!(
                "the model had {} tensors and has {}",
                self.means.len(),
                parts.len()
            );
            wengert_array::raise(Error::new(ErrorKind::Value, "EMA", message));
        }
        for (i, (name, part)) in parts.into_iter().enumerate() {
            let (now, averaged) = match part {
                Part::Parameter(t) | Part::Transposed(t) => (t.array(), true),
                Part::Buffer(t) => (t.array(), false),
                _ => continue,
            };
            if first {
                self.means.push((name, now));
                continue;
            }
            let (known, mean) = &mut self.means[i];
            if *known != name || mean.meta() != now.meta() {
                let message = format!(
                    "`{known}` was {} {}, and is now `{name}`, {} {}",
                    mean.dtype(),
                    mean.shape(),
                    now.dtype(),
                    now.shape()
                );
                wengert_array::raise(Error::new(ErrorKind::Value, "EMA", message));
            }
            if !averaged {
                *mean = now;
                continue;
            }
            let complex = now.dtype().is_complex();
            let old = numbers(std::mem::replace(mean, Array::full([], 0.0, now.dtype())));
            let now = numbers(now);
            let (shape, dtype) = (now.shape().clone(), now.dtype());
            let [new] = kernels::map(
                &Mix(1.0 - self.decay),
                dtype,
                [Some(old), Some(now)],
                [],
                &shape,
                [dtype],
            );
            *mean = elements(new, complex);
        }
    }

    /// The means by name; parameters lie as the model keeps them.
    pub fn means(&self) -> StateDict {
        let means = self.means.iter();
        means
            .map(|(name, a)| (name.clone(), Tensor::constant(a.clone())))
            .collect()
    }

    /// Restores means that [`means`](EMA::means) gave.
    pub fn set_means(&mut self, means: &StateDict) {
        self.means = means
            .iter()
            .map(|(name, t)| (name.to_string(), t.array()))
            .collect();
    }

    /// Gives the model the mean weights, and returns those it had.
    ///
    /// # Errors
    /// If there was no update yet, or the model is another.
    pub fn swap(&self, model: &dyn Module) -> Result<EMA> {
        let mut before = EMA::new(self.decay);
        before.update(model);
        self.put(model)?;
        Ok(before)
    }

    /// Gives the model back the weights that [`swap`](EMA::swap) returned.
    ///
    /// # Errors
    /// If the model is another.
    pub fn swap_back(&self, model: &dyn Module, before: &EMA) -> Result<()> {
        before.put(model)
    }

    fn put(&self, model: &dyn Module) -> Result<()> {
        let parts = model.tensors();
        let fits = parts.len() == self.means.len()
            && parts
                .iter()
                .zip(&self.means)
                .all(|((name, part), (known, mean))| {
                    name == known
                        && matches!(part, Part::Parameter(t) | Part::Transposed(t) | Part::Buffer(t)
                        if t.array().meta() == mean.meta())
                });
        if !fits {
            return Err(Error::new(
                ErrorKind::Value,
                "EMA",
                "these are not the averages of this model",
            ));
        }
        for ((_, part), (_, mean)) in parts.into_iter().zip(&self.means) {
            if let Part::Parameter(t) | Part::Transposed(t) | Part::Buffer(t) = part {
                t.set_data(&Tensor::constant(mean.clone()));
            }
        }
        Ok(())
    }
}
