//! How good predictions are.

use crate::tensor::Tensor;
use std::fmt;
use wengert_array::{Error, ErrorKind, raise};

/// Counts of true classes (rows) and predicted ones (columns), and what follows from them.
///
/// ```
/// use wengert::Tensor;
/// use wengert::train::Confusion;
///
/// let mut c = Confusion::new(2);
/// c.update(&Tensor::new([0, 1, 1, 1]), &Tensor::new([0, 0, 1, 1]));
/// assert_eq!(c.accuracy(), 0.75);
/// assert_eq!((c.precision(1), c.recall(1)), (2.0 / 3.0, 1.0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// Nothing counted yet.
    pub fn new(classes: usize) -> Confusion {
        Confusion {
            classes,
            counts: vec![0; classes * classes],
        }
    }

    /// Counts predictions: class numbers `[n]`, or scores `[n, classes]` of which the largest counts.
    ///
    /// # Panics
    /// If shapes differ or a class is out of range.
    #[track_caller]
    pub fn update(&mut self, predictions: &Tensor, targets: &Tensor) {
        let scores = predictions.dim() == targets.dim() + 1;
        let predictions = if scores {
            predictions.argmax_dim(-1, false)
        } else {
            predictions.clone()
        };
        same_shape("Confusion", &predictions, targets);
        for (p, t) in predictions
            .to_vec::<i64>()
            .into_iter()
            .zip(targets.to_vec::<i64>())
        {
            let place = |v: i64| usize::try_from(v).ok().filter(|v| *v < self.classes);
            match (place(t), place(p)) {
                (Some(t), Some(p)) => self.counts[t * self.classes + p] += 1,
                _ => {
                    let message = format!("a class of {} or {t} among {} classes", p, self.classes);
                    raise(Error::new(ErrorKind::Index, "Confusion", message));
                }
            }
        }
    }

    /// How often class `truth` was taken for `prediction`.
    pub fn count(&self, truth: usize, prediction: usize) -> u64 {
        self.counts[truth * self.classes + prediction]
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn right(&self, class: usize) -> u64 {
        self.count(class, class)
    }

    /// The share of right predictions; NaN of none.
    pub fn accuracy(&self) -> f64 {
        (0..self.classes).map(|c| self.right(c)).sum::<u64>() as f64 / self.total() as f64
    }

    /// Of those predicted as this class, the share that is; 0 if there are none.
    pub fn precision(&self, class: usize) -> f64 {
        share(
            self.right(class),
            (0..self.classes).map(|t| self.count(t, class)).sum(),
        )
    }

    /// Of those that are of this class, the share that was found; 0 if there are none.
    pub fn recall(&self, class: usize) -> f64 {
        share(
            self.right(class),
            (0..self.classes).map(|p| self.count(class, p)).sum(),
        )
    }

    /// The harmonic mean of precision and recall.
    pub fn f1(&self, class: usize) -> f64 {
        let (p, r) = (self.precision(class), self.recall(class));
        if p + r == 0.0 { 0.0 } else { 2.0 * p * r / (p + r) }
    }

    /// The mean of [`f1`](Confusion::f1) over the classes.
    pub fn macro_f1(&self) -> f64 {
        (0..self.classes).map(|c| self.f1(c)).sum::<f64>() / self.classes as f64
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.counts.iter().max().map_or(1, |n| n.to_string().len()).max(3);
        for t in 0..self.classes {
            let row: Vec<String> = (0..self.classes)
                .map(|p| format!("{:>width$}", self.count(t, p)))
                .collect();
            writeln!(f, "{:>3} | {}", t, row.join(" "))?;
        }
        Ok(())
    }
}

#[track_caller]
fn same_shape(op: &str, a: &Tensor, b: &Tensor) {
    if a.shape() != b.shape() {
        let message = format!(
            "predictions of shape {} for targets of shape {}",
            a.shape(),
            b.shape()
        );
        raise(Error::new(ErrorKind::Shape, op, message));
    }
}

/// The share of rows whose largest score is that of the target.
///
/// # Panics
/// If shapes do not fit.
#[track_caller]
pub fn accuracy(scores: &Tensor, targets: &Tensor) -> f64 {
    let found = scores.argmax_dim(-1, false);
    same_shape("accuracy", &found, targets);
    let right = found
        .to_vec::<i64>()
        .iter()
        .zip(targets.to_vec::<i64>())
        .filter(|(a, b)| **a == *b)
        .count();
    right as f64 / targets.numel() as f64
}

/// The share of rows where the target is among the `k` largest scores.
///
/// # Panics
/// If shapes do not fit.
#[track_caller]
pub fn top_k_accuracy(scores: &Tensor, targets: &Tensor, k: usize) -> f64 {
    let classes = scores.size(-1);
    let (scores, targets) = (scores.to_vec::<f64>(), targets.to_vec::<i64>());
    if scores.len() != targets.len() * classes {
        let message = format!("{} scores for {} targets", scores.len(), targets.len());
        raise(Error::new(ErrorKind::Shape, "top_k_accuracy", message));
    }
    let hit = |(row, t): (&[f64], &i64)| {
        let of_target = usize::try_from(*t)
            .ok()
            .and_then(|t| row.get(t))
            .copied()
            .unwrap_or(f64::NAN);
        row.iter().filter(|s| **s > of_target).count() < k && !of_target.is_nan()
    };
    let hits = scores
        .chunks(classes.max(1))
        .zip(&targets)
        .filter(|(r, t)| hit((r, t)))
        .count();
    hits as f64 / targets.len() as f64
}

/// R², the share of the targets' variance that the predictions explain: 1 − Σ (t − p)² / Σ (t − t̄)².
///
/// # Panics
/// If shapes differ.
#[track_caller]
pub fn r2_score(predictions: &Tensor, targets: &Tensor) -> f64 {
    same_shape("r2_score", predictions, targets);
    let (p, t) = (predictions.to_vec::<f64>(), targets.to_vec::<f64>());
    let mean = t.iter().sum::<f64>() / t.len() as f64;
    let left: f64 = p.iter().zip(&t).map(|(p, t)| (t - p) * (t - p)).sum();
    let all: f64 = t.iter().map(|t| (t - mean) * (t - mean)).sum();
    1.0 - left / all
}

/// The mean of |t − p|.
///
/// # Panics
/// If shapes differ.
#[track_caller]
pub fn mean_absolute_error(predictions: &Tensor, targets: &Tensor) -> f64 {
    same_shape("mean_absolute_error", predictions, targets);
    let (p, t) = (predictions.to_vec::<f64>(), targets.to_vec::<f64>());
    p.iter().zip(&t).map(|(p, t)| (t - p).abs()).sum::<f64>() / t.len() as f64
}

/// e to the mean cross-entropy: among how many equally likely words a language model is undecided.
pub fn perplexity(mean_cross_entropy: f64) -> f64 {
    mean_cross_entropy.exp()
}

/// A mean of numbers that come in batches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    /// Takes in a value that stands for `weight` examples.
    pub fn update(&mut self, value: f64, weight: usize) {
        self.sum += value * weight as f64;
        self.weight += weight as f64;
    }

    /// The mean so far; NaN of nothing.
    pub fn value(&self) -> f64 {
        self.sum / self.weight
    }
}
