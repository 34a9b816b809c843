//! Layers, the modules they make up, and losses.

mod activation;
mod container;
mod linear;
mod loss;
mod module;
mod state;

pub use crate::ops::functional;
pub use activation::{Flatten, GELU, Identity, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh};
pub use container::Sequential;
pub use linear::Linear;
pub use loss::{CrossEntropyLoss, MSELoss};
pub use module::{Field, Layer, Module, Part};
pub use state::{LoadReport, StateDict};
pub use wengert_derive::Module;
