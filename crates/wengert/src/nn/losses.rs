//! The other losses of `torch.nn` as objects that hold their options.

use super::{CrossEntropyLoss, Layer, Linear, Module};
use crate::ops::Reduction;
use crate::ops::functional as F;
use crate::tensor::Tensor;
use std::fmt;
use std::sync::Arc;
use wengert_array::{Error, ErrorKind, Shape, raise};

macro_rules! losses {
    ($(
        $(#[$doc:meta])*
        $name:ident {$($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)*}
        |$this:ident $(, $x:ident)*| $loss:expr;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// What becomes of the single losses; their mean by default.
            pub reduction: Reduction,
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $($field: $default,)* reduction: Reduction::Mean }
            }
        }

        impl $name {
            /// With PyTorch's defaults.
            pub fn new() -> $name {
                $name::default()
            }

            $(
                $(#[$field_doc])*
                #[must_use]
                pub fn $field(mut self, $field: $type) -> $name {
                    self.$field = $field;
                    self
                }
            )*

            /// With another reduction.
            #[must_use]
            pub fn reduction(mut self, reduction: Reduction) -> $name {
                self.reduction = reduction;
                self
            }

            /// The loss.
            ///
            /// # Panics
            /// If shapes or dtypes do not fit.
            #[track_caller]
            pub fn forward(&self $(, $x: &Tensor)*) -> Tensor {
                let $this = self;
                $loss
            }
        }
    )*};
}
losses! {
    /// The mean of |x − t|.
    L1Loss {} |l, x, target| F::l1_loss(x, target, l.reduction);
    /// Squares near zero, lines beyond β.
    SmoothL1Loss {
        /// Where the square ends; 1 by default.
        beta: f64 = 1.0,
    } |l, x, target| F::smooth_l1_loss(x, target, l.reduction, l.beta);
    /// Squares near zero, lines beyond δ, of the same slope. Source: Huber, Robust Estimation of a Location Parameter, 1964.
    HuberLoss {
        /// Where the square ends; 1 by default.
        delta: f64 = 1.0,
    } |l, x, target| F::huber_loss(x, target, l.reduction, l.delta);
    /// The Kullback–Leibler divergence of targets from logarithms of probabilities.
    KLDivLoss {
        /// Whether the targets are logarithms too.
        log_target: bool = false,
    } |l, x, target| F::kl_div(x, target, l.reduction, l.log_target);
    /// The negative logarithm of the targets' probabilities, of logarithms of probabilities.
    NLLLoss {
        /// How much each class counts.
        weight: Option<Tensor> = None,
        /// The target of rows that do not count; −100 by default.
        ignore_index: i64 = -100,
    } |l, x, target| F::nll_loss(x, target, l.weight.as_ref(), l.reduction, l.ignore_index);
    /// The cross-entropy of probabilities of two classes.
    BCELoss {
        /// How much each element counts.
        weight: Option<Tensor> = None,
    } |l, x, target| F::binary_cross_entropy(x, target, l.weight.as_ref(), l.reduction);
    /// The cross-entropy of logits of two classes.
    BCEWithLogitsLoss {
        /// How much each element counts.
        weight: Option<Tensor> = None,
        /// How much positive elements count.
        pos_weight: Option<Tensor> = None,
    } |l, x, target| {
        F::binary_cross_entropy_with_logits(x, target, l.weight.as_ref(), l.reduction, l.pos_weight.as_ref())
    };
    /// The negative logarithm of a Poisson distribution's probabilities.
    PoissonNLLLoss {
        /// Whether x is the logarithm of the mean; it is by default.
        log_input: bool = true,
        /// Whether Stirling's term is added.
        full: bool = false,
        /// Keeps the logarithm of a mean finite; 1e-8 by default.
        eps: f64 = 1e-8,
    } |l, x, target| F::poisson_nll_loss(x, target, l.log_input, l.full, l.eps, l.reduction);
    /// The negative logarithm of a normal distribution's density, of means x and variances.
    GaussianNLLLoss {
        /// Whether the constant is added.
        full: bool = false,
        /// The least variance; 1e-6 by default.
        eps: f64 = 1e-6,
    } |l, x, target, variance| F::gaussian_nll_loss(x, target, variance, l.full, l.eps, l.reduction);
    /// x where the target is 1, and max(0, margin − x) where it is −1.
    HingeEmbeddingLoss {
        /// The margin; 1 by default.
        margin: f64 = 1.0,
    } |l, x, target| F::hinge_embedding_loss(x, target, l.margin, l.reduction);
    /// ln(1 + exp(−t x)) for targets ±1.
    SoftMarginLoss {} |l, x, target| F::soft_margin_loss(x, target, l.reduction);
    /// max(0, −t (x₁ − x₂) + margin) for targets ±1.
    MarginRankingLoss {
        /// The margin; 0 by default.
        margin: f64 = 0.0,
    } |l, x1, x2, target| F::margin_ranking_loss(x1, x2, target, l.margin, l.reduction);
    /// 1 − cos(x₁, x₂) where the target is 1, and max(0, cos(x₁, x₂) − margin) where it is −1.
    CosineEmbeddingLoss {
        /// The margin; 0 by default.
        margin: f64 = 0.0,
    } |l, x1, x2, target| F::cosine_embedding_loss(x1, x2, target, l.margin, l.reduction);
    /// max(0, d(anchor, positive) − d(anchor, negative) + margin).
    TripletMarginLoss {
        /// The margin; 1 by default.
        margin: f64 = 1.0,
        /// The norm that measures distances; 2 by default.
        p: f64 = 2.0,
        /// What is added to differences; 1e-6 by default.
        eps: f64 = 1e-6,
        /// Takes the negative's distance to the positive where that is smaller.
        swap: bool = false,
    } |l, anchor, positive, negative| {
        F::triplet_margin_loss(anchor, positive, negative, l.margin, l.p, l.eps, l.swap, l.reduction)
    };
    /// How far the scores of other classes come near that of the target.
    MultiMarginLoss {
        /// The power, 1 or 2; 1 by default.
        p: i64 = 1,
        /// The margin; 1 by default.
        margin: f64 = 1.0,
        /// How much each class counts.
        weight: Option<Tensor> = None,
    } |l, x, target| F::multi_margin_loss(x, target, l.p, l.margin, l.weight.as_ref(), l.reduction);
    /// How far the scores of other classes come near those of several targets.
    MultiLabelMarginLoss {} |l, x, target| F::multilabel_margin_loss(x, target, l.reduction);
    /// The mean over classes of the cross-entropy of each as one of two.
    MultiLabelSoftMarginLoss {
        /// How much each class counts.
        weight: Option<Tensor> = None,
    } |l, x, target| F::multilabel_soft_margin_loss(x, target, l.weight.as_ref(), l.reduction);
}
/// Connectionist temporal classification: see [`ctc_loss`](F::ctc_loss).
#[derive(Clone, Debug)]
pub struct CTCLoss {
    /// The number of the class that stands for nothing.
    pub blank: usize,
    /// What becomes of the single losses; their mean by default.
    pub reduction: Reduction,
    /// Whether infinite losses, of targets that are too long, count as 0.
    pub zero_infinity: bool,
}

impl Default for CTCLoss {
    fn default() -> CTCLoss {
        CTCLoss {
            blank: 0,
            reduction: Reduction::Mean,
            zero_infinity: false,
        }
    }
}

impl CTCLoss {
    /// With PyTorch's defaults.
    pub fn new() -> CTCLoss {
        CTCLoss::default()
    }

    /// The loss of log probabilities `[time, n, classes]` and targets `[n, length]`, of which so much counts.
    ///
    /// # Panics
    /// As [`ctc_loss`](F::ctc_loss).
    #[track_caller]
    pub fn forward(
        &self,
        log_probs: &Tensor,
        targets: &Tensor,
        input_lengths: &[usize],
        target_lengths: &[usize],
    ) -> Tensor {
        F::ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
    }
}

/// [`TripletMarginLoss`] with a distance of one's own: see
/// [`triplet_margin_with_distance_loss`](F::triplet_margin_with_distance_loss).
#[derive(Clone)]
pub struct TripletMarginWithDistanceLoss {
    distance: Arc<Distance>,
    /// The margin; 1 by default.
    pub margin: f64,
    /// Takes the negative's distance to the positive where that is smaller.
    pub swap: bool,
    /// What becomes of the single losses; their mean by default.
    pub reduction: Reduction,
}

type Distance = dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync;

impl TripletMarginWithDistanceLoss {
    /// With this distance; PyTorch's default is [`pairwise_distance`](F::pairwise_distance).
    pub fn new(
        distance: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
    ) -> TripletMarginWithDistanceLoss {
        TripletMarginWithDistanceLoss {
            distance: Arc::new(distance),
            margin: 1.0,
            swap: false,
            reduction: Reduction::Mean,
        }
    }

    /// The loss.
    ///
    /// # Panics
    /// If the shapes do not fit, or the margin is not positive.
    #[track_caller]
    pub fn forward(&self, anchor: &Tensor, positive: &Tensor, negative: &Tensor) -> Tensor {
        F::triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            &*self.distance,
            self.margin,
            self.swap,
            self.reduction,
        )
    }
}

impl fmt::Debug for TripletMarginWithDistanceLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TripletMarginWithDistanceLoss")
            .field("margin", &self.margin)
            .field("swap", &self.swap)
            .field("reduction", &self.reduction)
            .finish_non_exhaustive()
    }
}

/// The cross-entropy of a linear layer's result, for inputs `[n, in]`; with [`out_features`](Self::out_features) of as many
/// results for each.
#[derive(Clone, Debug, Module)]
pub struct LinearCrossEntropyLoss {
    /// The layer, which has no bias by default.
    pub linear: Linear,
    classes: usize,
    #[module(skip)]
    out_features: Vec<usize>,
    #[module(skip)]
    loss: CrossEntropyLoss,
}

impl LinearCrossEntropyLoss {
    /// Of so many classes.
    pub fn new(inputs: usize, classes: usize) -> LinearCrossEntropyLoss {
        LinearCrossEntropyLoss::with(Linear::without_bias(inputs, classes), classes)
    }

    /// Of the result of this layer.
    ///
    /// # Panics
    /// If the layer's outputs are not a multiple of the classes.
    #[track_caller]
    pub fn with(linear: Linear, classes: usize) -> LinearCrossEntropyLoss {
        let outputs = linear.W.size(-1);
        if classes == 0 || !outputs.is_multiple_of(classes) {
            let message = format!("{outputs} outputs for {classes} classes");
            raise(Error::new(ErrorKind::Value, "LinearCrossEntropyLoss", message));
        }
        LinearCrossEntropyLoss {
            linear,
            classes,
            out_features: Vec::new(),
            loss: CrossEntropyLoss::new(),
        }
    }

    /// The outputs seen as `[classes, sizes…]`, and targets as `[n, sizes…]`.
    ///
    /// # Panics
    /// If the layer has not as many outputs.
    #[must_use]
    #[track_caller]
    pub fn out_features(self, sizes: impl Into<Vec<usize>>) -> LinearCrossEntropyLoss {
        let out_features = sizes.into();
        let outputs = self.linear.W.size(-1);
        if self.classes * out_features.iter().product::<usize>() != outputs {
            let message = format!(
                "{outputs} outputs are not {} times {out_features:?}",
                self.classes
            );
            raise(Error::new(ErrorKind::Value, "LinearCrossEntropyLoss", message));
        }
        LinearCrossEntropyLoss { out_features, ..self }
    }

    /// With the options of this loss.
    #[must_use]
    pub fn loss(self, loss: CrossEntropyLoss) -> LinearCrossEntropyLoss {
        LinearCrossEntropyLoss { loss, ..self }
    }

    /// The loss.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a class number is out of range.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, target: &Tensor) -> Tensor {
        let logits = self.linear.forward(x);
        let shape = logits.shape();
        let batch = shape[..shape.rank() - 1].iter().copied();
        let shape: Shape = batch
            .chain([self.classes])
            .chain(self.out_features.iter().copied())
            .collect();
        self.loss.forward(&logits.reshape(shape), target)
    }
}
