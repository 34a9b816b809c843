//! A variational autoencoder: it learns to write digits.
//!
//! Kingma and Welling, Auto-Encoding Variational Bayes, 2014.

use wengert::nn::{Layer, Linear, Module, ReLU, Sequential};
use wengert::ops::functional as F;
use wengert::{Reduction, Tensor};

/// An encoder that makes a distribution of a picture, and a decoder that makes a picture of what was drawn from it.
#[derive(Module)]
pub struct Vae {
    encoder: Sequential,
    decoder: Sequential,
    latent: usize,
}

impl Vae {
    /// For pictures of so many pixels.
    pub fn new(pixels: usize, hidden: usize, latent: usize) -> Vae {
        Vae {
            encoder: Sequential::new()
                .add(Linear::new(pixels, hidden))
                .add(ReLU)
                .add(Linear::new(hidden, 2 * latent)),
            decoder: Sequential::new()
                .add(Linear::new(latent, hidden))
                .add(ReLU)
                .add(Linear::new(hidden, pixels)),
            latent,
        }
    }

    /// The negative evidence lower bound, in nats a picture: how badly the pixels are told from what was drawn, and how
    /// far the distributions are from the standard normal one.
    pub fn loss(&self, x: &Tensor) -> [Tensor; 2] {
        let n = x.size(0) as f64;
        let y = self.encoder.forward(x);
        let (mean, log_variance) = (y.narrow(1, 0, self.latent), y.narrow(1, self.latent, self.latent));
        let drawn = &mean + (&log_variance * 0.5).exp() * mean.randn_like();
        let logits = self.decoder.forward(&drawn);
        let pixels = F::binary_cross_entropy_with_logits(&logits, x, None, Reduction::Sum, None) / n;
        let far = (mean.square() + log_variance.exp() - 1.0 - log_variance).sum() * 0.5 / n;
        [pixels, far]
    }

    /// New pictures, `[n, pixels]`, from 0 to 1.
    pub fn sample(&self, n: usize) -> Tensor {
        self.decoder.forward(&Tensor::randn([n, self.latent])).sigmoid()
    }

    /// What is left of pictures that go through the narrow middle.
    pub fn reconstruct(&self, x: &Tensor) -> Tensor {
        let mean = self.encoder.forward(x).narrow(1, 0, self.latent);
        self.decoder.forward(&mean).sigmoid()
    }
}
