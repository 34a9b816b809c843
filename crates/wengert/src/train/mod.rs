//! The loop: a small trainer that you may use or ignore, metrics, and logs.

#[cfg(feature = "ctrl-c")]
mod interrupt;
mod log;
mod metrics;
mod plot;
mod progress;
mod trainer;

pub use log::{Console, CsvLog, Log, TensorBoard};
pub use metrics::{Confusion, Mean, accuracy, mean_absolute_error, perplexity, r2_score, top_k_accuracy};
pub use plot::Plot;
pub use trainer::{Report, Trainer};
