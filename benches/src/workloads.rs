//! The workloads, each the same work as the one of the same name in `torch_worker.py`.

use wengert::nn::{Layer, Linear, Module, ReLU, Sequential};
use wengert::ops::{Reduction, cross_entropy};
use wengert::optim::{Adam, Optimizer, SGD};
use wengert::{DType, Tensor, manual_seed, mse_loss, no_grad};

/// Something to run again and again.
pub struct Workload {
    /// Runs it once.
    pub run: Box<dyn FnMut()>,
    /// How many operations, or steps, one run is.
    pub units: usize,
}

fn of(units: usize, run: impl FnMut() + 'static) -> Option<Workload> {
    Some(Workload {
        run: Box::new(run),
        units,
    })
}

/// The workload called `name`, ready to run.
pub fn find(name: &str) -> Option<Workload> {
    manual_seed(0);
    let (kind, rest) = name.split_once(':').unwrap_or((name, ""));
    let parts: Vec<&str> = rest.split(',').collect();
    let size = |i: usize| parts.get(i).and_then(|p| p.parse::<usize>().ok());
    match kind {
        "chain_forward" => {
            let x = Tensor::rand([4]);
            of(100, move || {
                no_grad(|| std::hint::black_box(chain(&x)));
            })
        }
        "chain_train" => {
            let x = Tensor::rand([4]).requires_grad_(true);
            of(100, move || {
                x.zero_grad();
                chain(&x).sum().backward();
            })
        }
        "matmul" => {
            let (m, k, n) = (size(0)?, size(1)?, size(2)?);
            let (a, b) = match parts.get(3).copied() {
                Some("nt") => (Tensor::randn([m, k]), Tensor::randn([n, k]).t()),
                Some("tn") => (Tensor::randn([k, m]).t(), Tensor::randn([k, n])),
                _ => (Tensor::randn([m, k]), Tensor::randn([k, n])),
            };
            of(1, move || {
                no_grad(|| std::hint::black_box(a.matmul(&b)));
            })
        }
        "elementwise" => elementwise(parts.first()?, size(1)?, parts.get(2) == Some(&"train")),
        "tiny_mlp" => {
            let (x, y) = (Tensor::randn([32, 2]), Tensor::randn([32, 1]));
            let model = Sequential::new()
                .add(Linear::new(2, 16))
                .add(ReLU)
                .add(Linear::new(16, 16))
                .add(ReLU)
                .add(Linear::new(16, 1));
            let mut optimizer = optimizer(parts.first()?, model.parameters())?;
            of(1, move || {
                optimizer.zero_grad();
                mse_loss(&model.forward(&x), &y, Reduction::Mean).backward();
                optimizer.step();
            })
        }
        "mlp" => {
            let batch = size(0)?;
            let (x, y) = (Tensor::randn([batch, 784]), Tensor::randint(0, 10, [batch]));
            let model = Sequential::new()
                .add(Linear::new(784, 512))
                .add(ReLU)
                .add(Linear::new(512, 512))
                .add(ReLU)
                .add(Linear::new(512, 10));
            let mut optimizer = optimizer(parts.get(1)?, model.parameters())?;
            of(1, move || {
                optimizer.zero_grad();
                cross_entropy(&model.forward(&x), &y, Reduction::Mean, -100).backward();
                optimizer.step();
            })
        }
        _ => None,
    }
}

/// A hundred small operations: 34 products, 33 sums, 33 hyperbolic tangents.
fn chain(x: &Tensor) -> Tensor {
    let mut y = x * 0.9;
    for _ in 0..33 {
        y = ((y + 0.1).tanh()) * 0.9;
    }
    y
}

fn elementwise(op: &str, n: usize, train: bool) -> Option<Workload> {
    let rows = n / 1024;
    let (x, other) = (Tensor::randn([rows, 1024]), Tensor::randn([rows, 1024]));
    let f: fn(&Tensor, &Tensor) -> Tensor = match op {
        "relu" => |x, _| x.relu(),
        "add" => |x, y| x + y,
        "exp" => |x, _| x.exp(),
        "gelu" => |x, _| x.gelu(),
        "sum" => |x, _| x.sum(),
        "softmax" => |x, _| x.softmax(-1),
        _ => return None,
    };
    if !train {
        return of(1, move || {
            no_grad(|| std::hint::black_box(f(&x, &other)));
        });
    }
    let x = x.requires_grad_(true);
    let dy = no_grad(|| f(&x, &other)).ones_like().to(DType::F32);
    of(1, move || {
        x.zero_grad();
        f(&x, &other).backward_with(&dy);
    })
}

fn optimizer(name: &str, parameters: Vec<Tensor>) -> Option<Box<dyn Optimizer>> {
    match name {
        "sgd" => Some(Box::new(SGD::new(parameters, 0.01))),
        "adam" => Some(Box::new(Adam::new(parameters, 1e-3))),
        _ => None,
    }
}
