//! Normalisation.

use super::{Layer, Mode, Module, Part};
use crate::ops::functional as F;
use crate::tensor::Tensor;
use wengert_array::{DType, Error, ErrorKind, Shape, raise};

fn parameter(shape: impl Into<Shape>, value: f64) -> Tensor {
    Tensor::full(shape, value).requires_grad_(true)
}

/// What batch and instance normalisation share.
#[derive(Clone, Debug)]
struct Channels {
    weight: Option<Tensor>,
    bias: Option<Tensor>,
    running: Option<[Tensor; 2]>,
    batches: Tensor,
    momentum: Option<f64>,
    eps: f64,
    mode: Mode,
}

impl Channels {
    fn new(channels: usize, affine: bool, running: bool) -> Channels {
        Channels {
            weight: affine.then(|| parameter([channels], 1.0)),
            bias: affine.then(|| parameter([channels], 0.0)),
            running: running.then(|| [Tensor::zeros([channels]), Tensor::ones([channels])]),
            batches: Tensor::full_as([], 0.0, DType::I64),
            momentum: Some(0.1),
            eps: 1e-5,
            mode: Mode::new(),
        }
    }

    fn show<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        if let Some(weight) = &self.weight {
            show("weight", Part::Parameter(weight));
        }
        if let Some(bias) = &self.bias {
            show("bias", Part::Parameter(bias));
        }
        if let Some([mean, var]) = &self.running {
            show("running_mean", Part::Buffer(mean));
            show("running_var", Part::Buffer(var));
            show("num_batches_tracked", Part::Buffer(&self.batches));
        }
        show("mode", Part::Mode(&self.mode));
    }

    /// Mean, variance, weight and bias, where there are any.
    fn all(&self) -> [Option<&Tensor>; 4] {
        let [mean, var] = match &self.running {
            Some([mean, var]) => [Some(mean), Some(var)],
            None => [None, None],
        };
        [mean, var, self.weight.as_ref(), self.bias.as_ref()]
    }
}

#[track_caller]
fn check_rank(op: &str, x: &Tensor, ranks: &[usize]) {
    if !ranks.contains(&x.dim()) {
        let ranks: Vec<String> = ranks.iter().map(usize::to_string).collect();
        let message = format!(
            "needs an input of {} dimensions, and got shape {}",
            ranks.join(" or "),
            x.shape()
        );
        raise(Error::new(ErrorKind::Shape, op, message));
    }
}

macro_rules! by_channel {
    ($($(#[$doc:meta])* $name:ident, ranks [$($rank:literal),*], affine $affine:literal, running $running:literal,
        |$this:ident, $x:ident| $forward:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(Channels);

        impl $name {
            /// For this many channels, with PyTorch's defaults.
            pub fn new(channels: usize) -> $name {
                $name(Channels::new(channels, $affine, $running))
            }

            /// With a weight and a bias for each channel, or without.
            #[must_use]
            pub fn affine(self, channels: usize, affine: bool) -> $name {
                let fresh = Channels::new(channels, affine, self.0.running.is_some());
                $name(Channels { momentum: self.0.momentum, eps: self.0.eps, ..fresh })
            }

            /// With running statistics, or without.
            #[must_use]
            pub fn track_running_stats(self, channels: usize, on: bool) -> $name {
                let fresh = Channels::new(channels, self.0.weight.is_some(), on);
                $name(Channels { momentum: self.0.momentum, eps: self.0.eps, ..fresh })
            }

            /// How fast the running statistics follow (0.1 by default); `None` is the plain mean of all batches.
            #[must_use]
            pub fn momentum(self, momentum: Option<f64>) -> $name {
                $name(Channels { momentum, ..self.0 })
            }

            /// What is added to the variance; 1e-5 by default.
            #[must_use]
            pub fn eps(self, eps: f64) -> $name {
                $name(Channels { eps, ..self.0 })
            }

            /// The running mean and variance, where they are kept.
            pub fn running(&self) -> Option<&[Tensor; 2]> {
                self.0.running.as_ref()
            }

            /// The weight and the bias, where there are any.
            pub fn weight_and_bias(&self) -> Option<(&Tensor, &Tensor)> {
                self.0.weight.as_ref().zip(self.0.bias.as_ref())
            }
        }

        impl Module for $name {
            fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
                self.0.show(show);
            }
        }

        impl Layer for $name {
            #[track_caller]
            fn forward(&self, $x: &Tensor) -> Tensor {
                check_rank(stringify!($name), $x, &[$($rank),*]);
                let $this = &self.0;
                $forward
            }
        }
    )*};
}

#[track_caller]
fn batch(c: &Channels, x: &Tensor) -> Tensor {
    let [mean, var, weight, bias] = c.all();
    let training = c.mode.is_training();
    let mut momentum = c.momentum.unwrap_or(0.0);
    if training && mean.is_some() {
        c.batches.update(|n| (Tensor::constant(n) + 1.0).array());
        momentum = c.momentum.unwrap_or_else(|| 1.0 / c.batches.item());
    }
    F::batch_norm(
        x,
        mean,
        var,
        weight,
        bias,
        training || mean.is_none(),
        momentum,
        c.eps,
    )
}

#[track_caller]
fn instance(c: &Channels, x: &Tensor, unbatched: bool) -> Tensor {
    let [mean, var, weight, bias] = c.all();
    let of_input = c.mode.is_training() || mean.is_none();
    let x = if unbatched { x.unsqueeze(0) } else { x.clone() };
    let y = F::instance_norm(
        &x,
        mean,
        var,
        weight,
        bias,
        of_input,
        c.momentum.unwrap_or(0.1),
        c.eps,
    );
    if unbatched { y.squeeze(0) } else { y }
}

by_channel! {
    /// Each channel of x `[n, channels]` or `[n, channels, length]` brought to mean 0 and variance 1 over the batch,
    /// and then scaled and shifted; after [`Module::eval`], by running statistics.
    ///
    /// Source: Ioffe and Szegedy, Batch Normalization, 2015.
    BatchNorm1d, ranks [2, 3], affine true, running true, |c, x| batch(c, x);
    /// As [`BatchNorm1d`] for x `[n, channels, height, width]`.
    BatchNorm2d, ranks [4], affine true, running true, |c, x| batch(c, x);
    /// As [`BatchNorm1d`] for x `[n, channels, depth, height, width]`.
    BatchNorm3d, ranks [5], affine true, running true, |c, x| batch(c, x);
    /// Each channel of each example of x `[n, channels, length]` (which may lack n) brought to mean 0 and variance 1.
    ///
    /// Source: Ulyanov, Vedaldi and Lempitsky, Instance Normalization, 2016.
    InstanceNorm1d, ranks [2, 3], affine false, running false, |c, x| instance(c, x, x.dim() == 2);
    /// As [`InstanceNorm1d`] for x `[n, channels, height, width]`.
    InstanceNorm2d, ranks [3, 4], affine false, running false, |c, x| instance(c, x, x.dim() == 3);
    /// As [`InstanceNorm1d`] for x `[n, channels, depth, height, width]`.
    InstanceNorm3d, ranks [4, 5], affine false, running false, |c, x| instance(c, x, x.dim() == 4);
}

/// The last dimensions brought to mean 0 and variance 1, then scaled and shifted.
///
/// Source: Ba, Kiros and Hinton, Layer Normalization, 2016.
#[derive(Clone, Debug, Module)]
pub struct LayerNorm {
    /// The scale, of the shape that is normalised.
    pub weight: Option<Tensor>,
    /// The shift.
    pub bias: Option<Tensor>,
    #[module(skip)]
    shape: Shape,
    eps: f64,
}

impl LayerNorm {
    /// Of these last dimensions: `LayerNorm::new([512])`.
    pub fn new(shape: impl Into<Shape>) -> LayerNorm {
        let shape = shape.into();
        LayerNorm {
            weight: Some(parameter(&shape, 1.0)),
            bias: Some(parameter(&shape, 0.0)),
            shape,
            eps: 1e-5,
        }
    }

    /// What is added to the variance; 1e-5 by default.
    #[must_use]
    pub fn eps(self, eps: f64) -> LayerNorm {
        LayerNorm { eps, ..self }
    }

    /// Without the shift.
    #[must_use]
    pub fn without_bias(self) -> LayerNorm {
        LayerNorm { bias: None, ..self }
    }

    /// Without scale and shift.
    #[must_use]
    pub fn without_affine(self) -> LayerNorm {
        LayerNorm {
            weight: None,
            bias: None,
            ..self
        }
    }
}

impl Layer for LayerNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        F::layer_norm(x, &self.shape, self.weight.as_ref(), self.bias.as_ref(), self.eps)
    }
}

/// The last dimensions divided by the root of their mean square, then scaled.
///
/// Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.
#[derive(Clone, Debug, Module)]
pub struct RMSNorm {
    /// The scale, of the shape that is normalised.
    pub weight: Option<Tensor>,
    #[module(skip)]
    shape: Shape,
    #[module(skip)]
    eps: Option<f64>,
}

impl RMSNorm {
    /// Of these last dimensions.
    pub fn new(shape: impl Into<Shape>) -> RMSNorm {
        let shape = shape.into();
        RMSNorm {
            weight: Some(parameter(&shape, 1.0)),
            shape,
            eps: None,
        }
    }

    /// What is added to the mean square; by default the dtype's machine epsilon.
    #[must_use]
    pub fn eps(self, eps: f64) -> RMSNorm {
        RMSNorm {
            eps: Some(eps),
            ..self
        }
    }
}

impl Layer for RMSNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        F::rms_norm(x, &self.shape, self.weight.as_ref(), self.eps)
    }
}

/// Groups of channels of each example brought to mean 0 and variance 1, then each channel scaled and shifted.
///
/// Source: Wu and He, Group Normalization, 2018.
#[derive(Clone, Debug, Module)]
pub struct GroupNorm {
    /// The scale of each channel.
    pub weight: Option<Tensor>,
    /// The shift of each channel.
    pub bias: Option<Tensor>,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// So many groups of so many channels in all.
    ///
    /// # Panics
    /// If the groups do not divide the channels.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> GroupNorm {
        if groups == 0 || !channels.is_multiple_of(groups) {
            let message = format!("{groups} groups do not divide {channels} channels");
            raise(Error::new(ErrorKind::Value, "GroupNorm", message));
        }
        GroupNorm {
            weight: Some(parameter([channels], 1.0)),
            bias: Some(parameter([channels], 0.0)),
            groups,
            eps: 1e-5,
        }
    }

    /// What is added to the variance; 1e-5 by default.
    #[must_use]
    pub fn eps(self, eps: f64) -> GroupNorm {
        GroupNorm { eps, ..self }
    }
}

impl Layer for GroupNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        F::group_norm(x, self.groups, self.weight.as_ref(), self.bias.as_ref(), self.eps)
    }
}

/// x `[n, channels, ..]` divided by (k + α/size Σ x²)^β, the sum over `size` neighbouring channels (Krizhevsky et al., 2012).
#[derive(Clone, Debug, Module)]
pub struct LocalResponseNorm {
    /// How many channels are neighbours.
    pub size: usize,
    /// α; 1e-4 by default.
    pub alpha: f64,
    /// β; 0.75 by default.
    pub beta: f64,
    /// k; 1 by default.
    pub k: f64,
}

impl LocalResponseNorm {
    /// Over so many channels, with PyTorch's defaults.
    pub fn new(size: usize) -> LocalResponseNorm {
        LocalResponseNorm {
            size,
            alpha: 1e-4,
            beta: 0.75,
            k: 1.0,
        }
    }
}

impl Layer for LocalResponseNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        F::local_response_norm(x, self.size, self.alpha, self.beta, self.k)
    }
}
