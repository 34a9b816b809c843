//! The workloads, each the same work as the one of the same name in `torch_worker.py`.

mod kernels;
mod machine;
mod models;

use wengert::{Tensor, manual_seed, no_grad};

/// Something to run again and again.
pub struct Workload {
    /// Runs it once.
    pub run: Box<dyn FnMut()>,
    /// How many operations, steps, or units of the machine's limits, one run is.
    pub units: usize,
}

fn of(units: usize, run: impl FnMut() + 'static) -> Option<Workload> {
    Some(Workload {
        run: Box::new(run),
        units,
    })
}

/// What follows the colon of a workload's name.
struct Parts<'a>(Vec<&'a str>);

impl<'a> Parts<'a> {
    fn word(&self, i: usize) -> Option<&'a str> {
        self.0.get(i).copied()
    }

    fn size(&self, i: usize) -> Option<usize> {
        self.word(i)?.parse().ok()
    }

    fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }
}

/// The workload called `name`, ready to run.
pub fn find(name: &str) -> Option<Workload> {
    manual_seed(0);
    let (kind, rest) = name.split_once(':').unwrap_or((name, ""));
    let parts = Parts(rest.split(',').collect());
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
        "matmul" => kernels::matmul(&parts),
        "bmm" => kernels::batched(&parts),
        "elementwise" => kernels::elementwise(&parts),
        "conv" => kernels::convolution(&parts),
        "grid_sample" => kernels::grid_sample(&parts),
        "attention" => kernels::attention(&parts),
        "rfft" | "fft" | "complex_mul" => kernels::spectra(kind, &parts),
        "tiny_mlp" => models::tiny_mlp(&parts),
        "mlp" => models::mlp(&parts),
        "cnn" => models::cnn(&parts),
        "gpt" => models::gpt(&parts),
        "machine" => machine::find(&parts),
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
