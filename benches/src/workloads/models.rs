//! Steps of training: forward, backward, and the optimizer.

use super::{Parts, Workload, of};
use wengert::nn::functional as F;
use wengert::nn::{
    Conv2d, Embedding, Flatten, Layer, LayerNorm, Linear, MaxPool2d, Module, ReLU, Sequential,
};
use wengert::ops::{Reduction, cross_entropy};
use wengert::optim::{Adam, AdamW, Optimizer, SGD};
use wengert::{Tensor, mse_loss};

fn optimizer(name: &str, parameters: Vec<Tensor>) -> Option<Box<dyn Optimizer>> {
    match name {
        "sgd" => Some(Box::new(SGD::new(parameters, 0.01))),
        // One sweep over all parameters is the only kind there is.
        "adam" | "adam_fused" => Some(Box::new(Adam::new(parameters, 1e-3))),
        "adamw" | "adamw_fused" => Some(Box::new(AdamW::new(parameters, 1e-3))),
        _ => None,
    }
}

fn step(
    model: impl Layer + 'static,
    x: Tensor,
    optimizer_name: &str,
    loss: impl Fn(&Tensor) -> Tensor + 'static,
) -> Option<Workload> {
    let mut optimizer = optimizer(optimizer_name, model.parameters())?;
    of(1, move || {
        optimizer.zero_grad();
        loss(&model.forward(&x)).backward();
        optimizer.step();
    })
}

fn classes(y: Tensor) -> impl Fn(&Tensor) -> Tensor {
    move |logits| cross_entropy(logits, &y, Reduction::Mean, -100)
}

pub(super) fn tiny_mlp(parts: &Parts<'_>) -> Option<Workload> {
    let (x, y) = (Tensor::randn([32, 2]), Tensor::randn([32, 1]));
    let model = Sequential::new()
        .add(Linear::new(2, 16))
        .add(ReLU)
        .add(Linear::new(16, 16))
        .add(ReLU)
        .add(Linear::new(16, 1));
    step(model, x, parts.word(0)?, move |p| {
        mse_loss(p, &y, Reduction::Mean)
    })
}

pub(super) fn mlp(parts: &Parts<'_>) -> Option<Workload> {
    let batch = parts.size(0)?;
    let (x, y) = (Tensor::randn([batch, 784]), Tensor::randint(0, 10, [batch]));
    let model = Sequential::new()
        .add(Linear::new(784, 512))
        .add(ReLU)
        .add(Linear::new(512, 512))
        .add(ReLU)
        .add(Linear::new(512, 10));
    step(model, x, parts.word(1)?, classes(y))
}

pub(super) fn cnn(parts: &Parts<'_>) -> Option<Workload> {
    let batch = parts.size(0)?;
    let (x, y) = (Tensor::randn([batch, 1, 28, 28]), Tensor::randint(0, 10, [batch]));
    let model = Sequential::new()
        .add(Conv2d::new(1, 32, 3))
        .add(ReLU)
        .add(Conv2d::new(32, 64, 3))
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(Flatten)
        .add(Linear::new(9216, 128))
        .add(ReLU)
        .add(Linear::new(128, 10));
    step(model, x, parts.word(1)?, classes(y))
}

/// A layer of a transformer that normalises before.
#[derive(Module)]
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
    heads: usize,
}

impl Block {
    fn new(width: usize, heads: usize) -> Block {
        Block {
            norm1: LayerNorm::new([width]),
            qkv: Linear::new(width, 3 * width),
            proj: Linear::new(width, width),
            norm2: LayerNorm::new([width]),
            up: Linear::new(width, 4 * width),
            down: Linear::new(4 * width, width),
            heads,
        }
    }
}

impl Layer for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let (n, t, c) = (x.size(0), x.size(1), x.size(2));
        let qkv: Vec<Tensor> = self
            .qkv
            .forward(&self.norm1.forward(x))
            .split(c, -1)
            .iter()
            .map(|part| part.reshape([n, t, self.heads, c / self.heads]).transpose(1, 2))
            .collect();
        let y = F::scaled_dot_product_attention(&qkv[0], &qkv[1], &qkv[2], None, 0.0, true, None, false);
        let x = x + self.proj.forward(&y.transpose(1, 2).reshape([n, t, c]));
        let inner = self.up.forward(&self.norm2.forward(&x)).gelu();
        x + self.down.forward(&inner)
    }
}

/// A transformer that predicts the next character.
#[derive(Module)]
struct Gpt {
    tokens: Embedding,
    places: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Layer for Gpt {
    fn forward(&self, x: &Tensor) -> Tensor {
        let places = Tensor::arange(0, x.size(1) as i64);
        let mut h = self.tokens.forward(x) + self.places.forward(&places);
        for block in &self.blocks {
            h = block.forward(&h);
        }
        self.head.forward(&self.norm.forward(&h))
    }
}

pub(super) fn gpt(parts: &Parts<'_>) -> Option<Workload> {
    let (batch, length, width, vocabulary) = (16, 64, 128, 65);
    let x = Tensor::randint(0, vocabulary as i64, [batch, length]);
    let y = Tensor::randint(0, vocabulary as i64, [batch * length]);
    let model = Gpt {
        tokens: Embedding::new(vocabulary, width),
        places: Embedding::new(length, width),
        blocks: (0..4).map(|_| Block::new(width, 4)).collect(),
        norm: LayerNorm::new([width]),
        head: Linear::new(width, vocabulary),
    };
    let loss = classes(y);
    step(model, x, parts.word(0)?, move |logits| {
        loss(&logits.reshape([batch * length, vocabulary]))
    })
}
