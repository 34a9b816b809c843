//! Losses as objects that hold their options.

use crate::ops::functional::cross_entropy_with;
use crate::ops::{Reduction, cross_entropy, mse_loss};
use crate::tensor::Tensor;

/// The mean squared error, L = 1/n Σ (y_pred − y_true)²; see [`mse_loss`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MSELoss {
    /// What becomes of the squares; their mean by default.
    pub reduction: Reduction,
}

impl MSELoss {
    /// The mean of the squares.
    pub fn new() -> MSELoss {
        MSELoss::default()
    }

    /// With another reduction.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> MSELoss {
        MSELoss { reduction }
    }

    /// The loss.
    ///
    /// # Panics
    /// If the shapes differ: broadcasting a prediction against a target is nearly always a mistake.
    #[track_caller]
    pub fn forward(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        mse_loss(prediction, target, self.reduction)
    }
}

/// The cross-entropy between logits and class numbers (or probabilities); see [`cross_entropy`].
#[derive(Clone, Debug)]
pub struct CrossEntropyLoss {
    /// How much each class counts, `[classes]`.
    pub weight: Option<Tensor>,
    /// How much of the target is spread evenly over all classes; 0 by default.
    pub label_smoothing: f64,
    /// What becomes of the losses of the rows; their mean by default.
    pub reduction: Reduction,
    /// The target of rows that do not count; −100 by default.
    pub ignore_index: i64,
}

impl Default for CrossEntropyLoss {
    fn default() -> Self {
        CrossEntropyLoss {
            weight: None,
            label_smoothing: 0.0,
            reduction: Reduction::Mean,
            ignore_index: -100,
        }
    }
}

impl CrossEntropyLoss {
    /// The mean over the rows.
    pub fn new() -> CrossEntropyLoss {
        CrossEntropyLoss::default()
    }

    /// With another reduction.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> CrossEntropyLoss {
        CrossEntropyLoss { reduction, ..self }
    }

    /// With classes that count unequally.
    #[must_use]
    pub fn weight(self, weight: Tensor) -> CrossEntropyLoss {
        CrossEntropyLoss {
            weight: Some(weight),
            ..self
        }
    }

    /// With a part of the target spread evenly over all classes.
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f64) -> CrossEntropyLoss {
        CrossEntropyLoss {
            label_smoothing,
            ..self
        }
    }

    /// With another target that marks rows that do not count.
    #[must_use]
    pub fn ignore_index(self, ignore_index: i64) -> CrossEntropyLoss {
        CrossEntropyLoss { ignore_index, ..self }
    }

    /// The loss of logits `[n, classes]` for class numbers `[n]`.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a class number is out of range.
    #[track_caller]
    pub fn forward(&self, logits: &Tensor, target: &Tensor) -> Tensor {
        if self.weight.is_none() && self.label_smoothing == 0.0 {
            return cross_entropy(logits, target, self.reduction, self.ignore_index);
        }
        let (weight, smoothing) = (self.weight.as_ref(), self.label_smoothing);
        cross_entropy_with(
            logits,
            target,
            weight,
            self.reduction,
            self.ignore_index,
            smoothing,
        )
    }
}
