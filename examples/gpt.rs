//! A small GPT that learns to make up names, letter by letter.
//!
//! `cargo run --release --example gpt`, with `-- --help` for the options.

use std::error::Error;
use wengert::Tensor;
use wengert::nn::functional::scaled_dot_product_attention;
use wengert::nn::{Embedding, GELU, Layer, LayerNorm, Linear, Module, Sequential};
use wengert_examples::letters::{Letters, Plan, run};

/// Attention of each place to itself and what came before, of several heads.
#[derive(Module)]
struct Attention {
    qkv: Linear,
    out: Linear,
    heads: usize,
}

impl Layer for Attention {
    fn forward(&self, x: &Tensor) -> Tensor {
        let [batch, time, width] = [x.size(0), x.size(1), x.size(2)];
        let qkv = self.qkv.forward(x);
        let part = |i: usize| {
            let part = qkv.narrow(-1, i * width, width);
            part.reshape([batch, time, self.heads, width / self.heads])
                .transpose(1, 2)
        };
        let y = scaled_dot_product_attention(&part(0), &part(1), &part(2), None, 0.0, true, None, false);
        self.out.forward(&y.transpose(1, 2).flatten(2, 3))
    }
}

#[derive(Module)]
struct Block {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    mlp: Sequential,
}

impl Block {
    fn new(width: usize, heads: usize) -> Block {
        Block {
            norm1: LayerNorm::new([width]),
            attention: Attention {
                qkv: Linear::new(width, 3 * width),
                out: Linear::new(width, width),
                heads,
            },
            norm2: LayerNorm::new([width]),
            mlp: Sequential::new()
                .add(Linear::new(width, 4 * width))
                .add(GELU)
                .add(Linear::new(4 * width, width)),
        }
    }
}

impl Layer for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = x + self.attention.forward(&self.norm1.forward(x));
        &x + self.mlp.forward(&self.norm2.forward(&x))
    }
}

#[derive(Module)]
struct Gpt {
    letter: Embedding,
    place: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Gpt {
    fn new(letters: usize, context: usize, layers: usize, width: usize, heads: usize) -> Gpt {
        Gpt {
            letter: Embedding::new(letters, width),
            place: Embedding::new(context, width),
            blocks: (0..layers).map(|_| Block::new(width, heads)).collect(),
            norm: LayerNorm::new([width]),
            head: Linear::without_bias(width, letters),
        }
    }
}

impl Letters for Gpt {
    fn forward(&self, letters: &Tensor) -> Tensor {
        let places = Tensor::arange(0, letters.size(1) as i64);
        let mut x = self.letter.forward(letters) + self.place.forward(&places);
        for block in &self.blocks {
            x = block.forward(&x);
        }
        self.head.forward(&self.norm.forward(&x))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let plan = Plan {
        steps: 800,
        batch: 16,
        context: 64,
        learning_rate: 1e-3,
    };
    run("gpt", plan, |letters| Gpt::new(letters, plan.context, 4, 128, 4))
}

#[test]
fn short_run_follows_pytorch() {
    let names = wengert_examples::letters::Names::new();
    // Samples are longer than the pieces of text of the short run.
    let model = Gpt::new(names.vocabulary.len(), 32, 2, 32, 4);
    wengert_examples::letters::assert_follows_pytorch("gpt", &model);
}
