//! Attention with several heads.

use super::{Layer, Linear, Mode, Module, Part, init};
use crate::ops::functional as F;
use crate::ops::linear;
use crate::tensor::Tensor;
use wengert_array::{DType, Error, ErrorKind, raise};

/// Attention of several heads: heads = softmax(q kᵀ / √d) v of projections of queries, keys and values, put side by
/// side and projected once more.
///
/// Queries, keys and values are `[time, batch, width]`, or `[batch, time, width]` with
/// [`batch_first`](MultiheadAttention::batch_first), or `[time, width]`.
///
/// Source: Vaswani et al., Attention Is All You Need, 2017.
#[allow(non_snake_case)] // as `Linear` has it
#[derive(Clone, Debug)]
pub struct MultiheadAttention {
    /// The projections of queries, keys and values side by side, `[width, 3 width]`. State dicts hold them as
    /// PyTorch does, `in_proj_weight` `[3 width, width]`.
    pub in_proj_W: Tensor,
    /// The biases of the projections.
    pub in_proj_bias: Option<Tensor>,
    /// The last projection.
    pub out_proj: Linear,
    heads: usize,
    dropout: f64,
    batch_first: bool,
    mode: Mode,
}

/// What a query may not see, as `torch.nn.MultiheadAttention` takes it: of a bool, `true` hides; numbers are added to
/// the scores.
#[derive(Clone, Copy, Debug, Default)]
pub struct Masks<'a> {
    /// `[batch, keys]`: keys that nobody sees.
    pub key_padding: Option<&'a Tensor>,
    /// `[queries, keys]` or `[batch · heads, queries, keys]`.
    pub attention: Option<&'a Tensor>,
    /// Queries see keys up to their own place only.
    pub causal: bool,
}

impl MultiheadAttention {
    /// With biases and without dropout.
    ///
    /// # Panics
    /// If the heads do not divide the width.
    #[track_caller]
    pub fn new(width: usize, heads: usize) -> MultiheadAttention {
        if heads == 0 || !width.is_multiple_of(heads) {
            let message = format!("{heads} heads do not divide a width of {width}");
            raise(Error::new(ErrorKind::Value, "MultiheadAttention", message));
        }
        let out_proj = Linear::new(width, width);
        init::zeros_(&out_proj.b);
        let in_proj = Tensor::zeros([width, 3 * width]).requires_grad_(true);
        init::xavier_uniform_(&in_proj, 1.0);
        MultiheadAttention {
            in_proj_W: in_proj,
            in_proj_bias: Some(Tensor::zeros([3 * width]).requires_grad_(true)),
            out_proj,
            heads,
            dropout: 0.0,
            batch_first: false,
            mode: Mode::new(),
        }
    }

    /// With dropout of what is looked at, while training.
    #[must_use]
    pub fn dropout(self, dropout: f64) -> MultiheadAttention {
        MultiheadAttention { dropout, ..self }
    }

    /// With `[batch, time, width]`.
    #[must_use]
    pub fn batch_first(self, batch_first: bool) -> MultiheadAttention {
        MultiheadAttention { batch_first, ..self }
    }

    /// Without biases.
    #[must_use]
    pub fn without_bias(self) -> MultiheadAttention {
        let mut out_proj = self.out_proj;
        out_proj.b = Tensor::zeros([0]);
        MultiheadAttention {
            in_proj_bias: None,
            out_proj,
            ..self
        }
    }

    /// The result, of the queries' shape.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward(&self, query: &Tensor, key: &Tensor, value: &Tensor, masks: Masks<'_>) -> Tensor {
        self.run(query, key, value, masks, false).0
    }

    /// The result, and how much each query looked at each key, `[batch, queries, keys]`: the mean over the heads.
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn forward_with_weights(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        masks: Masks<'_>,
    ) -> (Tensor, Tensor) {
        let (y, weights) = self.run(query, key, value, masks, true);
        (y, weights.expect("they were asked for"))
    }

    #[track_caller]
    fn run(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        masks: Masks<'_>,
        want_weights: bool,
    ) -> (Tensor, Option<Tensor>) {
        let width = self.in_proj_W.size(0);
        let fits = |t: &Tensor| t.dim() == query.dim() && (2..=3).contains(&t.dim()) && t.size(-1) == width;
        if ![query, key, value].into_iter().all(fits) {
            let message = format!(
                "queries, keys and values are of shapes {}, {} and {}",
                query.shape(),
                key.shape(),
                value.shape()
            );
            let note = format!("all must have two or three dimensions, the last of size {width}");
            raise(Error::new(ErrorKind::Shape, "MultiheadAttention", message).note(note));
        }
        let projected = self.project(query, key, value, width);
        let alone = query.dim() == 2;
        // To [batch, heads, time, width of a head].
        let split = |t: &Tensor| {
            let t = if alone {
                t.unsqueeze(0)
            } else if self.batch_first {
                t.clone()
            } else {
                t.transpose(0, 1)
            };
            let [n, time] = [t.size(0), t.size(1)];
            t.reshape([n, time, self.heads, width / self.heads])
                .transpose(1, 2)
        };
        let [q, k, v] = projected.each_ref().map(split);
        let (n, queries, keys) = (q.size(0), q.size(2), k.size(2));
        let dropout = if self.mode.is_training() {
            self.dropout
        } else {
            0.0
        };
        let mask = self.mask(masks, [n, queries, keys], q.dtype());
        let causal = masks.causal && mask.is_none();
        let y = F::scaled_dot_product_attention(&q, &k, &v, mask.as_ref(), dropout, causal, None, false);
        let weights = want_weights.then(|| {
            let mask = match (&mask, causal) {
                (None, true) => self.mask(
                    Masks {
                        attention: Some(&triangle(queries, keys)),
                        ..Masks::default()
                    },
                    [n, queries, keys],
                    q.dtype(),
                ),
                _ => mask.clone(),
            };
            let mut scores = q.matmul(&k.transpose(-2, -1)) * (1.0 / ((width / self.heads) as f64).sqrt());
            if let Some(mask) = mask {
                scores = match mask.dtype() {
                    DType::Bool => {
                        scores.where_(&mask, &Tensor::full_as([], f64::NEG_INFINITY, scores.dtype()))
                    }
                    _ => scores + mask,
                };
            }
            let weights = scores.softmax(-1).mean_dim(1, false);
            if alone { weights.squeeze(0) } else { weights }
        });
        let y = y.transpose(1, 2).reshape([n, queries, width]);
        let y = if alone {
            y.squeeze(0)
        } else if self.batch_first {
            y
        } else {
            y.transpose(0, 1)
        };
        (self.out_proj.forward(&y), weights)
    }

    /// Queries, keys and values through their projections; in one product where they are the same tensor.
    #[track_caller]
    fn project(&self, query: &Tensor, key: &Tensor, value: &Tensor, width: usize) -> [Tensor; 3] {
        let (w, bias) = (
            self.in_proj_W.as_parameter(),
            self.in_proj_bias.as_ref().map(Tensor::as_parameter),
        );
        if query.is(key) && key.is(value) {
            let all = linear(query, w, bias);
            return [0, 1, 2].map(|i| all.narrow(-1, i * width, width));
        }
        let one = |t: &Tensor, i: usize| {
            let bias = bias.map(|b| b.narrow(0, i * width, width));
            linear(t, &w.narrow(1, i * width, width), bias.as_ref())
        };
        [one(query, 0), one(key, 1), one(value, 2)]
    }

    /// All masks as one: bools that say what may be seen, or numbers to add.
    #[track_caller]
    fn mask(&self, masks: Masks<'_>, [n, queries, keys]: [usize; 3], dtype: DType) -> Option<Tensor> {
        let heads = self.heads;
        let mut all = Vec::new();
        if let Some(mask) = masks.attention {
            all.push(match mask.dim() {
                3 if mask.shape() == [n * heads, queries, keys] => mask.reshape([n, heads, queries, keys]),
                2 if mask.shape() == [queries, keys] => mask.clone(),
                _ => {
                    let message = format!("an attention mask is of shape {}", mask.shape());
                    let note = format!(
                        "it must be [{queries}, {keys}] or [{}, {queries}, {keys}]",
                        n * heads
                    );
                    raise(Error::new(ErrorKind::Shape, "MultiheadAttention", message).note(note))
                }
            });
        }
        if let Some(mask) = masks.key_padding {
            let mask = if mask.dim() == 1 {
                mask.unsqueeze(0)
            } else {
                mask.clone()
            };
            if mask.shape() != [n, keys] {
                let message = format!("a key padding mask is of shape {}", mask.shape());
                let note = format!("it must be [{n}, {keys}]");
                raise(Error::new(ErrorKind::Shape, "MultiheadAttention", message).note(note));
            }
            all.push(mask.reshape([n, 1, 1, keys]));
        }
        if masks.causal && !all.is_empty() {
            all.push(triangle(queries, keys));
        }
        if all.iter().all(|m| m.dtype() == DType::Bool) {
            return all
                .into_iter()
                .map(|m| m.logical_not())
                .reduce(|a, b| a.logical_and(&b));
        }
        let number = |m: Tensor| match m.dtype() {
            DType::Bool => {
                let hidden = Tensor::full_as([], f64::NEG_INFINITY, dtype);
                hidden.where_(&m, &Tensor::full_as([], 0.0, dtype))
            }
            _ => m.to(dtype),
        };
        all.into_iter().map(number).reduce(|a, b| a + b)
    }
}

/// True above the diagonal: what is later than the query.
fn triangle(queries: usize, keys: usize) -> Tensor {
    let later: Vec<bool> = (0..queries * keys).map(|i| i % keys > i / keys).collect();
    Tensor::from_vec(later, [queries, keys])
}

impl Module for MultiheadAttention {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        show("in_proj_weight", Part::Transposed(&self.in_proj_W));
        if let Some(bias) = &self.in_proj_bias {
            show("in_proj_bias", Part::Parameter(bias));
        }
        show("out_proj", Part::Module(&self.out_proj));
        show("mode", Part::Mode(&self.mode));
    }
}
