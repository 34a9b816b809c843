//! Layers that rearrange images, and distances.

use super::{Layer, Module};
use crate::ops::functional as F;
use crate::tensor::Tensor;

pub use crate::ops::Sliding;

/// Makes channels pixels: `[.., C r², H, W]` becomes `[.., C, H r, W r]` (Shi et al., 2016).
#[derive(Clone, Debug, Module)]
pub struct PixelShuffle {
    /// r.
    pub upscale_factor: usize,
}

/// Makes pixels channels: undoes [`PixelShuffle`].
#[derive(Clone, Debug, Module)]
pub struct PixelUnshuffle {
    /// r.
    pub downscale_factor: usize,
}

/// Deals the channels of each group out to all (Zhang et al., 2018).
#[derive(Clone, Debug, Module)]
pub struct ChannelShuffle {
    /// How many groups there are.
    pub groups: usize,
}

macro_rules! shuffles {
    ($($name:ident $field:ident $method:ident;)*) => {$(
        impl $name {
            /// With this number.
            pub fn new($field: usize) -> $name {
                $name { $field }
            }
        }

        impl Layer for $name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                x.$method(self.$field)
            }
        }
    )*};
}
shuffles! {
    PixelShuffle upscale_factor pixel_shuffle;
    PixelUnshuffle downscale_factor pixel_unshuffle;
    ChannelShuffle groups channel_shuffle;
}

/// The windows of images `[n, c, h, w]` as columns `[n, c·kh·kw, windows]`.
#[derive(Clone, Debug, Module)]
pub struct Unfold {
    /// How the window moves.
    #[module(skip)]
    pub sliding: Sliding,
}

impl Unfold {
    /// Windows that move so.
    pub fn new(sliding: Sliding) -> Unfold {
        Unfold { sliding }
    }
}

impl Layer for Unfold {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.im2col(self.sliding)
    }
}

/// Columns `[n, c·kh·kw, windows]` put back as windows of images, and summed where they overlap.
#[derive(Clone, Debug, Module)]
pub struct Fold {
    /// The height and width of the images.
    #[module(skip)]
    pub output_size: [usize; 2],
    /// How the window moves.
    #[module(skip)]
    pub sliding: Sliding,
}

impl Fold {
    /// To images of this size, from windows that move so.
    pub fn new(output_size: [usize; 2], sliding: Sliding) -> Fold {
        Fold { output_size, sliding }
    }
}

impl Layer for Fold {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.col2im(self.output_size, self.sliding)
    }
}

/// x₁ · x₂ / max(‖x₁‖ ‖x₂‖, ε) along a dimension.
#[derive(Clone, Debug, Module)]
pub struct CosineSimilarity {
    /// The dimension; 1 by default.
    pub dim: isize,
    /// The least product of lengths; 1e-8 by default.
    pub eps: f64,
}

impl Default for CosineSimilarity {
    fn default() -> CosineSimilarity {
        CosineSimilarity { dim: 1, eps: 1e-8 }
    }
}

impl CosineSimilarity {
    /// Along this dimension.
    pub fn new(dim: isize) -> CosineSimilarity {
        CosineSimilarity {
            dim,
            ..CosineSimilarity::default()
        }
    }

    /// The similarities.
    ///
    /// # Panics
    /// If shapes do not broadcast.
    #[track_caller]
    pub fn forward(&self, x1: &Tensor, x2: &Tensor) -> Tensor {
        F::cosine_similarity(x1, x2, self.dim, self.eps)
    }
}

/// ‖x₁ − x₂ + ε‖ₚ along the last dimension.
#[derive(Clone, Debug, Module)]
pub struct PairwiseDistance {
    /// The norm; 2 by default.
    pub p: f64,
    /// What is added to differences; 1e-6 by default.
    pub eps: f64,
    /// Whether the last dimension stays, with size one.
    pub keepdim: bool,
}

impl Default for PairwiseDistance {
    fn default() -> PairwiseDistance {
        PairwiseDistance {
            p: 2.0,
            eps: 1e-6,
            keepdim: false,
        }
    }
}

impl PairwiseDistance {
    /// In this norm.
    pub fn new(p: f64) -> PairwiseDistance {
        PairwiseDistance {
            p,
            ..PairwiseDistance::default()
        }
    }

    /// The distances.
    ///
    /// # Panics
    /// If shapes do not broadcast.
    #[track_caller]
    pub fn forward(&self, x1: &Tensor, x2: &Tensor) -> Tensor {
        F::pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)
    }
}
