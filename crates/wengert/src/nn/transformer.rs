//! Transformers.

use super::attention::Masks;
use super::{Dropout, Layer, LayerNorm, Linear, Module, MultiheadAttention, Part, init};
use crate::tensor::Tensor;

/// What layers of a transformer can be made with. PyTorch's defaults: 2048 inner units, dropout 0.1, relu, time first,
/// normalisation last.
#[derive(Clone, Debug)]
pub struct TransformerOptions {
    /// The width of the two linear layers' inside.
    pub dim_feedforward: usize,
    /// Dropout everywhere, while training.
    pub dropout: f64,
    /// Gelu for relu.
    pub gelu: bool,
    /// What normalisation adds to the variance.
    pub layer_norm_eps: f64,
    /// `[batch, time, width]` rather than `[time, batch, width]`.
    pub batch_first: bool,
    /// Normalises before attention and linear layers rather than after.
    pub norm_first: bool,
}

impl Default for TransformerOptions {
    fn default() -> TransformerOptions {
        TransformerOptions {
            dim_feedforward: 2048,
            dropout: 0.1,
            gelu: false,
            layer_norm_eps: 1e-5,
            batch_first: false,
            norm_first: false,
        }
    }
}

fn attention(width: usize, heads: usize, o: &TransformerOptions) -> MultiheadAttention {
    MultiheadAttention::new(width, heads)
        .dropout(o.dropout)
        .batch_first(o.batch_first)
}

fn norm(width: usize, o: &TransformerOptions) -> LayerNorm {
    LayerNorm::new([width]).eps(o.layer_norm_eps)
}

/// Self-attention and two linear layers, each added to its input and normalised.
///
/// Source: Vaswani et al., Attention Is All You Need, 2017.
///
/// ```
/// use wengert::nn::{Masks, TransformerEncoderLayer, TransformerOptions};
/// use wengert::Tensor;
///
/// let options = TransformerOptions { dim_feedforward: 64, batch_first: true, ..Default::default() };
/// let layer = TransformerEncoderLayer::new(16, 4, options);
/// let y = layer.forward(&Tensor::randn([2, 10, 16]), Masks { causal: true, ..Default::default() });
/// assert_eq!(y.shape(), [2, 10, 16]);
/// ```
#[derive(Clone, Debug, Module)]
pub struct TransformerEncoderLayer {
    self_attn: MultiheadAttention,
    linear1: Linear,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    dropout: Dropout,
    #[module(skip)]
    options: TransformerOptions,
}

impl TransformerEncoderLayer {
    /// Of this width and so many heads.
    ///
    /// # Panics
    /// If the heads do not divide the width.
    #[track_caller]
    pub fn new(width: usize, heads: usize, options: TransformerOptions) -> TransformerEncoderLayer {
        TransformerEncoderLayer {
            self_attn: attention(width, heads, &options),
            linear1: Linear::new(width, options.dim_feedforward),
            linear2: Linear::new(options.dim_feedforward, width),
            norm1: norm(width, &options),
            norm2: norm(width, &options),
            dropout: Dropout::new(options.dropout),
            options,
        }
    }

    /// The result, of the input's shape.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, masks: Masks<'_>) -> Tensor {
        let attend = |x: &Tensor| self.dropout.forward(&self.self_attn.forward(x, x, x, masks));
        let feed = |x: &Tensor| feed(x, &self.linear1, &self.linear2, &self.dropout, &self.options);
        if self.options.norm_first {
            let x = x + attend(&self.norm1.forward(x));
            &x + feed(&self.norm2.forward(&x))
        } else {
            let x = self.norm1.forward(&(x + attend(x)));
            self.norm2.forward(&(&x + feed(&x)))
        }
    }
}

#[track_caller]
fn feed(x: &Tensor, first: &Linear, second: &Linear, dropout: &Dropout, o: &TransformerOptions) -> Tensor {
    let h = first.forward(x);
    let h = if o.gelu { h.gelu() } else { h.relu() };
    dropout.forward(&second.forward(&dropout.forward(&h)))
}

/// As the encoder's layer, with attention to what the encoder made of the source in between.
#[derive(Clone, Debug, Module)]
pub struct TransformerDecoderLayer {
    self_attn: MultiheadAttention,
    multihead_attn: MultiheadAttention,
    linear1: Linear,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    norm3: LayerNorm,
    dropout: Dropout,
    #[module(skip)]
    options: TransformerOptions,
}

impl TransformerDecoderLayer {
    /// Of this width and so many heads.
    ///
    /// # Panics
    /// If the heads do not divide the width.
    #[track_caller]
    pub fn new(width: usize, heads: usize, options: TransformerOptions) -> TransformerDecoderLayer {
        TransformerDecoderLayer {
            self_attn: attention(width, heads, &options),
            multihead_attn: attention(width, heads, &options),
            linear1: Linear::new(width, options.dim_feedforward),
            linear2: Linear::new(options.dim_feedforward, width),
            norm1: norm(width, &options),
            norm2: norm(width, &options),
            norm3: norm(width, &options),
            dropout: Dropout::new(options.dropout),
            options,
        }
    }

    /// The result, of x's shape. `masks` are for x itself, `memory_masks` for what the encoder made.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, memory: &Tensor, masks: Masks<'_>, memory_masks: Masks<'_>) -> Tensor {
        let attend = |x: &Tensor| self.dropout.forward(&self.self_attn.forward(x, x, x, masks));
        let look = |x: &Tensor| {
            let y = self.multihead_attn.forward(x, memory, memory, memory_masks);
            self.dropout.forward(&y)
        };
        let feed = |x: &Tensor| feed(x, &self.linear1, &self.linear2, &self.dropout, &self.options);
        if self.options.norm_first {
            let x = x + attend(&self.norm1.forward(x));
            let x = &x + look(&self.norm2.forward(&x));
            &x + feed(&self.norm3.forward(&x))
        } else {
            let x = self.norm1.forward(&(x + attend(x)));
            let x = self.norm2.forward(&(&x + look(&x)));
            self.norm3.forward(&(&x + feed(&x)))
        }
    }
}

/// Encoder layers one after the other.
#[derive(Clone, Debug, Module)]
pub struct TransformerEncoder {
    layers: Vec<TransformerEncoderLayer>,
    norm: Option<LayerNorm>,
}

impl TransformerEncoder {
    /// `n` layers, and a normalisation at the end if wanted. Unlike PyTorch's, each layer has weights of its own from
    /// the start.
    #[track_caller]
    pub fn new(
        n: usize,
        width: usize,
        heads: usize,
        options: TransformerOptions,
        norm_last: bool,
    ) -> TransformerEncoder {
        TransformerEncoder {
            norm: norm_last.then(|| norm(width, &options)),
            layers: (0..n)
                .map(|_| TransformerEncoderLayer::new(width, heads, options.clone()))
                .collect(),
        }
    }

    /// The result, of the input's shape.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, masks: Masks<'_>) -> Tensor {
        let mut x = x.clone();
        for layer in &self.layers {
            x = layer.forward(&x, masks);
        }
        match &self.norm {
            Some(norm) => norm.forward(&x),
            None => x,
        }
    }
}

/// Decoder layers one after the other.
#[derive(Clone, Debug, Module)]
pub struct TransformerDecoder {
    layers: Vec<TransformerDecoderLayer>,
    norm: Option<LayerNorm>,
}

impl TransformerDecoder {
    /// `n` layers, and a normalisation at the end if wanted.
    #[track_caller]
    pub fn new(
        n: usize,
        width: usize,
        heads: usize,
        options: TransformerOptions,
        norm_last: bool,
    ) -> TransformerDecoder {
        TransformerDecoder {
            norm: norm_last.then(|| norm(width, &options)),
            layers: (0..n)
                .map(|_| TransformerDecoderLayer::new(width, heads, options.clone()))
                .collect(),
        }
    }

    /// The result, of x's shape.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, memory: &Tensor, masks: Masks<'_>, memory_masks: Masks<'_>) -> Tensor {
        let mut x = x.clone();
        for layer in &self.layers {
            x = layer.forward(&x, memory, masks, memory_masks);
        }
        match &self.norm {
            Some(norm) => norm.forward(&x),
            None => x,
        }
    }
}

/// An encoder, and a decoder that looks at what it makes (Vaswani et al., 2017).
#[derive(Clone, Debug, Module)]
pub struct Transformer {
    /// What reads the source.
    pub encoder: TransformerEncoder,
    /// What writes the target.
    pub decoder: TransformerDecoder,
}

impl Transformer {
    /// Of so many layers each, with a normalisation at the end; PyTorch's defaults are a width of 512, 8 heads, and 6 layers. Matrices
    /// are drawn by Xavier's uniform, as PyTorch does.
    ///
    /// # Panics
    /// If the heads do not divide the width.
    #[track_caller]
    pub fn new(width: usize, heads: usize, layers: [usize; 2], options: TransformerOptions) -> Transformer {
        let model = Transformer {
            encoder: TransformerEncoder::new(layers[0], width, heads, options.clone(), true),
            decoder: TransformerDecoder::new(layers[1], width, heads, options, true),
        };
        model.apply(&mut |_, part| {
            if let Part::Parameter(t) | Part::Transposed(t) = part
                && t.dim() > 1
                && let Ok(weight) = init::Weight::try_from(part)
            {
                init::xavier_uniform_(weight, 1.0);
            }
        });
        model
    }

    /// What the decoder makes of the target, of its shape.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(
        &self,
        source: &Tensor,
        target: &Tensor,
        source_masks: Masks<'_>,
        target_masks: Masks<'_>,
        memory_masks: Masks<'_>,
    ) -> Tensor {
        let memory = self.encoder.forward(source, source_masks);
        self.decoder.forward(target, &memory, target_masks, memory_masks)
    }
}
