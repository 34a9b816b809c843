//! The softmax over very many classes.

use super::{Layer, Linear, Module, Sequential};
use crate::ops::cat;
use crate::tensor::Tensor;
use wengert_array::{Error, ErrorKind, raise};

/// Log-probabilities of classes in clusters by falling frequency: rare ones are looked at only when needed.
///
/// Source: Grave et al., Efficient softmax approximation for GPUs, 2017.
///
/// ```
/// use wengert::nn::AdaptiveLogSoftmaxWithLoss;
/// use wengert::Tensor;
///
/// let softmax = AdaptiveLogSoftmaxWithLoss::new(16, 1000, [10, 100]);
/// let x = Tensor::randn([4, 16]);
/// let (log_probs, loss) = softmax.forward(&x, &Tensor::new([3i64, 999, 42, 0]));
/// assert_eq!((log_probs.numel(), loss.numel()), (4, 1));
/// assert_eq!(softmax.log_prob(&x).shape(), [4, 1000]);
/// ```
#[derive(Debug, Module)]
pub struct AdaptiveLogSoftmaxWithLoss {
    head: Linear,
    tail: Vec<Sequential>,
    /// Where the clusters end.
    #[module(skip)]
    ends: Vec<usize>,
}

impl AdaptiveLogSoftmaxWithLoss {
    /// Of `classes` classes, in clusters that end before each of `cutoffs`, and the rest. Each cluster's input has a fourth of the
    /// width of the one before.
    ///
    /// # Panics
    /// If the cutoffs do not rise from 1 to at most the number of classes less one.
    #[track_caller]
    pub fn new(inputs: usize, classes: usize, cutoffs: impl AsRef<[usize]>) -> AdaptiveLogSoftmaxWithLoss {
        AdaptiveLogSoftmaxWithLoss::with(inputs, classes, cutoffs, 4.0, false)
    }

    /// As [`new`](Self::new), with another divisor of the widths, and a bias of the head where wanted.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[track_caller]
    pub fn with(
        inputs: usize,
        classes: usize,
        cutoffs: impl AsRef<[usize]>,
        div_value: f64,
        head_bias: bool,
    ) -> AdaptiveLogSoftmaxWithLoss {
        let cutoffs = cutoffs.as_ref();
        let rises = cutoffs.windows(2).all(|w| w[0] < w[1]);
        let (Some(&first), Some(&last), true) = (cutoffs.first(), cutoffs.last(), rises) else {
            let message = format!("the cutoffs {cutoffs:?} do not rise");
            raise(Error::new(
                ErrorKind::Value,
                "AdaptiveLogSoftmaxWithLoss",
                message,
            ))
        };
        if first == 0 || last >= classes {
            let message = format!("cutoffs from {first} to {last} for {classes} classes");
            raise(
                Error::new(ErrorKind::Value, "AdaptiveLogSoftmaxWithLoss", message)
                    .note("they must be at least 1, and at most the number of classes less one"),
            );
        }
        let ends: Vec<usize> = cutoffs.iter().copied().chain([classes]).collect();
        let head = first + cutoffs.len();
        let tail = ends.windows(2).enumerate().map(|(i, w)| {
            let width = (inputs as f64 / div_value.powi(i as i32 + 1)) as usize;
            Sequential::new()
                .add(Linear::without_bias(inputs, width))
                .add(Linear::without_bias(width, w[1] - w[0]))
        });
        AdaptiveLogSoftmaxWithLoss {
            head: match head_bias {
                true => Linear::new(inputs, head),
                false => Linear::without_bias(inputs, head),
            },
            tail: tail.collect(),
            ends,
        }
    }

    /// How many classes the head has itself.
    fn short(&self) -> usize {
        self.ends[0]
    }

    /// The log-probabilities of all classes, `[n, classes]`, for x `[n, in]`.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn log_prob(&self, x: &Tensor) -> Tensor {
        let head = self.head.forward(x).log_softmax(1);
        let mut parts = vec![head.narrow(1, 0, self.short())];
        for (i, tail) in self.tail.iter().enumerate() {
            parts.push(tail.forward(x).log_softmax(1) + head.narrow(1, self.short() + i, 1));
        }
        cat(&parts.iter().collect::<Vec<_>>(), 1)
    }

    /// The most probable class of each row.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn predict(&self, x: &Tensor) -> Tensor {
        self.log_prob(x).argmax_dim(1, false)
    }

    /// The log-probability of each target, and the mean of their negatives, for x `[n, in]` and class numbers `[n]`, or
    /// `[in]` and one.
    ///
    /// # Panics
    /// If shapes do not fit, or a class number is out of range.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, target: &Tensor) -> (Tensor, Tensor) {
        if target.dim() == 0 {
            let (output, loss) = self.forward(&x.unsqueeze(0), &target.unsqueeze(0));
            return (output.squeeze(0), loss);
        }
        if x.dim() != 2 || target.shape() != [x.size(0)] {
            let message = format!(
                "inputs of shape {} and targets of shape {} do not fit",
                x.shape(),
                target.shape()
            );
            raise(Error::new(ErrorKind::Shape, "forward", message).note("they must be [n, in] and [n]"));
        }
        let classes = *self.ends.last().expect("there is one at least");
        let target = target.to_vec::<i64>();
        if let Some(bad) = target.iter().find(|t| !(0..classes as i64).contains(t)) {
            let message = format!("class {bad} is out of range");
            let note = format!("there are {classes} classes, counted from 0");
            raise(Error::new(ErrorKind::Index, "forward", message).note(note));
        }
        let numbers = |v: &[i64]| Tensor::from_slice(v, [v.len()]);
        let picked = |all: &Tensor, columns: &[i64]| all.gather(1, &numbers(columns).unsqueeze(1)).squeeze(1);
        // For each target its column in the head: its own, or that of its cluster.
        let cluster = |t: i64| {
            self.ends
                .iter()
                .position(|end| t < *end as i64)
                .expect("it is in range")
        };
        let columns = target.iter().map(|t| match cluster(*t) {
            0 => *t,
            c => (self.short() + c - 1) as i64,
        });
        let head = self.head.forward(x).log_softmax(1);
        let mut output = picked(&head, &columns.collect::<Vec<_>>());
        for (i, tail) in self.tail.iter().enumerate() {
            let (rows, within): (Vec<i64>, Vec<i64>) = target
                .iter()
                .zip(0i64..)
                .filter(|(t, _)| cluster(**t) == i + 1)
                .map(|(t, row)| (row, t - self.ends[i] as i64))
                .unzip();
            if !rows.is_empty() {
                let rows = numbers(&rows);
                let own = tail.forward(&x.index_select(0, &rows)).log_softmax(1);
                output = output.index_add(0, &rows, &picked(&own, &within), 1.0);
            }
        }
        let loss = -output.mean();
        (output, loss)
    }
}
