//! dfdx's half of the benchmarks: the same dialogue as `benches/src/main.rs`, for small work.

use dfdx::optim::{Adam, Optimizer, Sgd};
use dfdx::prelude::*;
use std::hint::black_box;

#[path = "../../serve.rs"]
mod serve;
use serve::Run;

type Tiny = ((Linear<2, 16>, ReLU), (Linear<16, 16>, ReLU), Linear<16, 1>);

fn chain<T: Tape<f32, Cpu>>(x: Tensor<Rank1<4>, f32, Cpu, T>) -> Tensor<Rank1<4>, f32, Cpu, T> {
    let mut y = x * 0.9;
    for _ in 0..33 {
        y = (y + 0.1).tanh() * 0.9;
    }
    y
}

/// A step of the tiny net. Both optimizers' own numbers are PyTorch's.
fn training(how: &str, cpu: Cpu) -> Option<Run> {
    let (x, y): (Tensor<Rank2<32, 2>, f32, _>, Tensor<Rank2<32, 1>, f32, _>) = (cpu.sample_normal(), cpu.sample_normal());
    let mut model = cpu.build_module::<Tiny, f32>();
    let mut gradients = Some(model.alloc_grads());
    let mut sgd = Sgd::new(&model, Default::default());
    let mut adam = Adam::new(&model, Default::default());
    let with_sgd = match how {
        "sgd" => true,
        "adam" => false,
        _ => return None,
    };
    Some(Box::new(move || {
        let tape = gradients.take().expect("each step leaves gradients");
        let mut found = mse_loss(model.forward_mut(x.trace(tape)), y.clone()).backward();
        let done = if with_sgd { sgd.update(&mut model, &found) } else { adam.update(&mut model, &found) };
        done.expect("every parameter has a gradient");
        model.zero_grads(&mut found);
        gradients = Some(found);
    }))
}

/// What runs the workload once, and how many units that is.
fn find(name: &str) -> Option<(Run, usize)> {
    let cpu = Cpu::default();
    match name.split_once(':').unwrap_or((name, "")) {
        ("chain_forward", _) => {
            let x: Tensor<Rank1<4>, f32, _> = cpu.sample_uniform();
            Some((Box::new(move || drop(black_box(chain(x.clone())))), 100))
        }
        ("chain_train", _) => {
            let x: Tensor<Rank1<4>, f32, _> = cpu.sample_uniform();
            Some((Box::new(move || drop(chain(x.leaky_trace()).sum().backward())), 100))
        }
        ("tiny_mlp", how) => training(how, cpu).map(|run| (run, 1)),
        _ => None,
    }
}

fn main() {
    serve::serve(find);
}
