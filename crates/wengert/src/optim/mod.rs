//! Optimizers: how gradients change parameters; and what goes with them: schedules of the learning rate, bounds on
//! gradients, scaling of the loss, averages of weights.
//!
//! Each parameter is updated by one fused kernel that reads the gradient and writes parameter and state in
//! place. A graph that was recorded before still holds the values it saw.
//!
//! Gradients add up until they are forgotten, so several small batches make one large one:
//!
//! ```
//! use wengert::Tensor;
//! use wengert::nn::{Layer, Linear, MSELoss, Module};
//! use wengert::optim::{AdamW, Optimizer, clip_grad_norm_};
//!
//! let model = Linear::new(3, 1);
//! let mut optimizer = AdamW::new(model.parameters(), 1e-2);
//! let batches: Vec<_> = (0..8).map(|_| (Tensor::randn([4, 3]), Tensor::randn([4, 1]))).collect();
//! for (i, (x, y)) in batches.iter().enumerate() {
//!     let loss = MSELoss::new().forward(&model.forward(x), y);
//!     (loss / 4.0).backward();
//!     if i % 4 == 3 {
//!         clip_grad_norm_(optimizer.parameters(), 1.0);
//!         optimizer.step();
//!         optimizer.zero_grad();
//!     }
//! }
//! ```

mod adam;
mod clip;
mod core;
mod ema;
mod lbfgs;
mod muon;
mod options;
mod scaled;
mod scaler;
pub mod schedule;
mod sgd;
mod single;
mod step;

pub use adam::{
    Adam, AdamOptions, AdamW, AdamWOptions, Adamax, AdamaxOptions, Lion, LionOptions, NAdam, NAdamOptions,
    RAdam, RAdamOptions,
};
pub use clip::{clip_grad_norm_, clip_grad_value_, grad_norm, scale_grads_, try_clip_grad_norm_};
pub use ema::EMA;
pub use lbfgs::LBFGS;
pub use muon::{Adjust, Muon, MuonOptions};
pub use scaled::{Adadelta, AdadeltaOptions, Adagrad, AdagradOptions, RMSprop, RMSpropOptions};
pub use scaler::GradScaler;
pub use sgd::{SGD, SGDOptions};
pub use single::{Kept, SingleStep};

use crate::io::Value;
use crate::nn::{Module, Part};
use crate::ops::ok;
use crate::tensor::Tensor;
use wengert_array::Result;

/// The state of an optimizer over `model.parameters()`, as it came from PyTorch or is to go there: the two keep
/// matrices of weights turned against each other ([`Part::Transposed`]), and so what belongs to them.
pub fn pytorch_state(model: &dyn Module, state: &Value) -> Value {
    let turned = |i: i64| {
        let mut known: Vec<&Tensor> = Vec::new();
        let parts = model.tensors();
        for (_, part) in &parts {
            let (t, turned) = match part {
                Part::Parameter(t) => (t, false),
                Part::Transposed(t) => (t, true),
                _ => continue,
            };
            if !known.iter().any(|k| k.is(t)) {
                if known.len() as i64 == i {
                    return turned;
                }
                known.push(t);
            }
        }
        false
    };
    let turn = |value: &Value| match value {
        Value::Tensor(t) if t.dim() == 2 => Value::Tensor(t.detach().t()),
        other => other.clone(),
    };
    let state_of = |(number, of): &(Value, Value)| match (number.as_i64(), of) {
        (Some(i), Value::Dict(entries)) if turned(i) => {
            let entries = entries.iter().map(|(k, v)| (k.clone(), turn(v)));
            (number.clone(), Value::Dict(entries.collect()))
        }
        _ => (number.clone(), of.clone()),
    };
    let entries =
        state
            .entries()
            .unwrap_or_default()
            .iter()
            .map(|(key, value)| match (key.as_str(), value) {
                (Some("state"), Value::Dict(states)) => {
                    (key.clone(), Value::Dict(states.iter().map(state_of).collect()))
                }
                _ => (key.clone(), value.clone()),
            });
    Value::Dict(entries.collect())
}

/// What all optimizers do.
pub trait Optimizer: Send {
    /// Changes the parameters by one step. Those without a gradient stay as they are.
    ///
    /// # Panics
    /// If a gradient's shape is no longer that of its parameter.
    fn step(&mut self);

    /// The parameters of all groups, in the order they were given in.
    fn parameters(&self) -> &[Tensor];

    /// How many groups of parameters there are.
    fn num_groups(&self) -> usize;

    /// An option of a group by PyTorch's name for it, such as `lr`.
    fn option(&self, group: usize, name: &str) -> Option<Value>;

    /// Changes an option of a group, from the next step on.
    ///
    /// # Errors
    /// If there is no such group or option, or the value makes no sense.
    fn set_option(&mut self, group: usize, name: &str, value: &Value) -> Result<()>;

    /// Options and state, in PyTorch's layout: `state`, by the numbers of the parameters, and `param_groups`.
    ///
    /// ```
    /// use wengert::Tensor;
    /// use wengert::optim::{Adam, Optimizer};
    ///
    /// let w = Tensor::new([1.0, 2.0]).requires_grad_(true);
    /// let mut optimizer = Adam::new([w.clone()], 1e-3);
    /// w.square().sum().backward();
    /// optimizer.step();
    /// let saved = optimizer.state_dict();
    /// let m = saved.get("state").unwrap().get_number(0).unwrap().get("exp_avg").unwrap();
    /// assert!(m.as_tensor().unwrap().allclose(&Tensor::new([0.2, 0.4]), 1e-6, 0.0));
    /// Adam::new([w.clone()], 0.1).load_state_dict(&saved).unwrap();
    /// ```
    fn state_dict(&self) -> Value;

    /// Takes over options and state from a [`state_dict`](Optimizer::state_dict), also from PyTorch's, as
    /// [`io::load`](crate::io::load) reads it and [`pytorch_state`] turns it.
    ///
    /// # Errors
    /// If groups, names or shapes differ; then nothing was changed.
    fn load_state_dict(&mut self, state: &Value) -> Result<()>;

    /// The learning rate of the first group.
    fn learning_rate(&self) -> f64 {
        self.option(0, "lr").and_then(|v| v.as_f64()).unwrap_or(0.0)
    }

    /// Changes the learning rate of all groups, from the next step on.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    fn set_learning_rate(&mut self, learning_rate: f64) {
        for group in 0..self.num_groups() {
            ok(self.set_option(group, "lr", &learning_rate.into()));
        }
    }

    /// Forgets the gradients of all parameters.
    fn zero_grad(&self) {
        self.parameters().iter().for_each(Tensor::zero_grad);
    }
}
