//! An LSTM that learns to make up names, letter by letter.
//!
//! `cargo run --release --example lstm`, with `-- --help` for the options.

use std::error::Error;
use wengert::Tensor;
use wengert::nn::{Embedding, LSTM, Layer, Linear, Module, RecurrentOptions};
use wengert_examples::letters::{Letters, Plan, run};

#[derive(Module)]
struct Lstm {
    letter: Embedding,
    lstm: LSTM,
    head: Linear,
}

impl Lstm {
    fn new(letters: usize, width: usize, hidden: usize) -> Lstm {
        let options = RecurrentOptions {
            batch_first: true,
            ..Default::default()
        };
        Lstm {
            letter: Embedding::new(letters, width),
            lstm: LSTM::with(width, hidden, options),
            head: Linear::new(hidden, letters),
        }
    }
}

impl Letters for Lstm {
    fn forward(&self, letters: &Tensor) -> Tensor {
        let (y, _) = self.lstm.forward(&self.letter.forward(letters), None);
        self.head.forward(&y)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let plan = Plan {
        steps: 800,
        batch: 16,
        context: 64,
        learning_rate: 5e-3,
    };
    run("lstm", plan, |letters| Lstm::new(letters, 64, 256))
}

#[test]
fn short_run_follows_pytorch() {
    let names = wengert_examples::letters::Names::new();
    let model = Lstm::new(names.vocabulary.len(), 16, 32);
    wengert_examples::letters::assert_follows_pytorch("lstm", &model);
}
