//! Optimizers: how gradients change parameters.
//!
//! Each parameter is updated by one fused kernel that reads the gradient and writes parameter and state in
//! place. A graph that was recorded before still holds the values it saw.

mod adam;
mod sgd;

pub use adam::{Adam, AdamW};
pub use sgd::SGD;

use crate::tensor::Tensor;
use wengert_array::kernels::{self, Body};
use wengert_array::{Array, Error, ErrorKind, raise};

/// What all optimizers do.
pub trait Optimizer {
    /// Changes the parameters by one step. Those without a gradient stay as they are.
    ///
    /// # Panics
    /// If a gradient's shape is no longer that of its parameter.
    fn step(&mut self);

    /// The parameters, in the order they were given in.
    fn parameters(&self) -> &[Tensor];

    /// The learning rate.
    fn learning_rate(&self) -> f64;

    /// Changes the learning rate, from the next step on.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// Forgets the gradients of all parameters.
    fn zero_grad(&self) {
        self.parameters().iter().for_each(Tensor::zero_grad);
    }
}

/// A value that must be finite and not negative.
#[track_caller]
fn at_least_zero(op: &str, what: &str, value: f64) -> f64 {
    if !(value >= 0.0 && value.is_finite()) {
        let message = format!("the {what} must be a number that is not negative, and is {value}");
        raise(Error::new(ErrorKind::Value, op, message));
    }
    value
}

/// A decay rate: in [0, 1).
#[track_caller]
fn rate(op: &str, what: &str, value: f64) -> f64 {
    if !(0.0..1.0).contains(&value) {
        let message = format!("{what} must be at least 0 and below 1, and is {value}");
        raise(Error::new(ErrorKind::Value, op, message));
    }
    value
}

/// The parameters, checked to be trainable, and each only once.
#[track_caller]
fn trainable(op: &str, parameters: impl IntoIterator<Item = Tensor>) -> Vec<Tensor> {
    let mut list: Vec<Tensor> = Vec::new();
    for p in parameters {
        let number = list.len();
        if !p.is_leaf() {
            let message = format!(
                "parameter {number}, of shape {}, is a result with a history",
                p.shape()
            );
            raise(
                Error::new(ErrorKind::Graph, op, message)
                    .note("only leaves can be trained")
                    .help("`.detach()` gives a leaf with the same value"),
            );
        }
        if let Some(first) = list.iter().position(|other| other.is(&p)) {
            let message = format!("parameter {number} is parameter {first} once more");
            raise(Error::new(ErrorKind::Value, op, message).note("it would be stepped twice"));
        }
        list.push(p);
    }
    if list.is_empty() {
        raise(Error::new(
            ErrorKind::Value,
            op,
            "there are no parameters to train",
        ));
    }
    list
}

/// The gradient, if there is one, and the state that goes with the parameter: `N` arrays of its shape, zeros at
/// first and when the parameter has become another.
fn gradient<const N: usize>(p: &Tensor, state: &mut Option<[Array; N]>) -> Option<(Array, [Array; N])> {
    let grad = p.grad()?.array();
    let of_value = p.array().meta();
    if grad.meta() != of_value {
        let (g, p) = (grad.meta(), of_value);
        let message = format!(
            "a parameter is {} {}, and its gradient {} {}",
            p.dtype, p.shape, g.dtype, g.shape
        );
        raise(
            Error::new(ErrorKind::Shape, "step", message).help("call `zero_grad` after replacing the value"),
        );
    }
    let state = state.take().filter(|s| s.iter().all(|s| s.meta() == of_value));
    let zeros = || Array::full(grad.shape(), 0.0, grad.dtype());
    let state = state.unwrap_or_else(|| std::array::from_fn(|_| zeros()));
    Some((grad, state))
}

/// One step of parameter `p` with two arrays of state, in one pass: `body` maps parameter, gradient and state to
/// the new parameter and state, each written where the old one was.
fn step_with_two(p: &Tensor, state: &mut Option<[Array; 2]>, body: &impl Body<4, 0, 3>) {
    let Some((grad, [m, v])) = gradient(p, state) else {
        return;
    };
    p.update(|value| {
        let (shape, dtype) = (value.shape().clone(), value.dtype());
        // The order of the inputs is that in which results take over their buffers.
        let x = [value, m, v, grad].map(Some);
        let [value, m, v] = kernels::map(body, dtype, x, [], &shape, [dtype; 3]);
        *state = Some([m, v]);
        value
    });
}

/// As [`step_with_two`], with one array of state.
fn step_with_one(p: &Tensor, state: &mut Option<[Array; 1]>, body: &impl Body<3, 0, 2>) {
    let Some((grad, [m])) = gradient(p, state) else {
        return;
    };
    p.update(|value| {
        let (shape, dtype) = (value.shape().clone(), value.dtype());
        let x = [value, m, grad].map(Some);
        let [value, m] = kernels::map(body, dtype, x, [], &shape, [dtype; 2]);
        *state = Some([m]);
        value
    });
}

/// As [`step_with_two`], without state.
fn step_without_state(p: &Tensor, body: &impl Body<2, 0, 1>) {
    let Some((grad, [])) = gradient::<0>(p, &mut Some([])) else {
        return;
    };
    p.update(|value| {
        let (shape, dtype) = (value.shape().clone(), value.dtype());
        let [value] = kernels::map(body, dtype, [value, grad].map(Some), [], &shape, [dtype]);
        value
    });
}
