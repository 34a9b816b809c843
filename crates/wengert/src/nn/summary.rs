//! A model as a table.

use super::module::{Module, Part};
use crate::Tensor;
use crate::inspect::{Performed, performed};
use std::fmt::Write;

/// The parts of a model that have tensors, with their shapes, numbers of parameters, and bytes.
///
/// ```
/// use wengert::nn::{Linear, ReLU, Sequential, summary};
///
/// let net = Sequential::new().add(Linear::new(64, 32)).add(ReLU).add(Linear::new(32, 10));
/// let text = summary(&net);
/// assert!(text.contains("2,410 parameters, of which 2,410 are trained"), "{text}");
/// ```
pub fn summary(model: &dyn Module) -> String {
    let mut rows = vec![["name", "shape", "dtype", "parameters", "bytes"].map(String::from)];
    let all = tensors(model);
    for held in &all {
        let t = held.tensor;
        let shape = match held.turned {
            true => t.detach().t().shape(),
            false => t.shape(),
        };
        let count = match (held.is_parameter, held.again) {
            (_, true) => "shared".to_string(),
            (true, _) => thousands(t.numel()),
            (false, _) => "buffer".to_string(),
        };
        rows.push([
            held.name.clone(),
            shape.to_string(),
            t.dtype().to_string(),
            count,
            thousands(held.size()),
        ]);
    }
    table(&rows, 3) + &totals(&all)
}

/// What the layers of a model do when `forward` runs it on an example: the operations, the shape of the last result, and
/// the floating-point operations it takes, beside their parameters and bytes.
///
/// A line stands for a layer with parameters and for what follows it without any. A multiplication with an addition counts
/// as two FLOPs; as in PyTorch's counter only products, convolutions and attention count.
/// A layer that is training does as in training: call [`eval`](Module::eval) before if statistics are to stay as they are.
///
/// ```
/// use wengert::Tensor;
/// use wengert::nn::{Layer, Linear, ReLU, Sequential, summary_of};
///
/// let net = Sequential::new().add(Linear::new(64, 32)).add(ReLU).add(Linear::new(32, 10));
/// let text = summary_of(&net, || net.forward(&Tensor::zeros([5, 64])));
/// assert!(text.contains("linear, relu  [5, 32]       2,080  8,320  20,480"), "{text}");
/// assert!(text.ends_with("2,410 parameters, of which 2,410 are trained; 9,640 bytes; 23,680 FLOPs"), "{text}");
/// ```
pub fn summary_of<T>(model: &dyn Module, forward: impl FnOnce() -> T) -> String {
    let (_, operations) = performed(|| crate::no_grad(forward));
    let all = tensors(model);
    let arrays: Vec<_> = all.iter().map(|held| held.tensor.array()).collect();
    let mut layers: Vec<Layer<'_>> = Vec::new();
    let mut current = 0;
    for operation in &operations {
        let reads = arrays.iter().position(|array| operation.read(array));
        current = match reads.map(|i| all[i].layer()) {
            Some(name) => place(&mut layers, name),
            // What comes before the first layer has a line of its own.
            None if layers.is_empty() => place(&mut layers, "-"),
            None => current,
        };
        layers[current].add(operation);
    }
    for held in &all {
        let at = place(&mut layers, held.layer());
        let layer = &mut layers[at];
        if !held.again {
            layer.bytes += held.size();
            layer.parameters += if held.is_parameter { held.tensor.numel() } else { 0 };
        }
    }
    let head = ["layer", "operations", "output", "parameters", "bytes", "FLOPs"];
    let rows = layers.iter().map(Layer::row);
    let rows: Vec<[String; 6]> = std::iter::once(head.map(String::from)).chain(rows).collect();
    let flops: u64 = layers.iter().map(|layer| layer.flops).sum();
    table(&rows, 3) + &totals(&all) + &format!("; {} FLOPs", thousands(flops as usize))
}

/// A tensor of a model.
struct Held<'a> {
    name: String,
    tensor: &'a Tensor,
    is_parameter: bool,
    /// Whether it is shown the other way round.
    turned: bool,
    /// Whether it is listed already, under another name.
    again: bool,
}

impl Held<'_> {
    fn size(&self) -> usize {
        self.tensor.numel() * self.tensor.dtype().size()
    }
    /// The name of the module that has it.
    fn layer(&self) -> &str {
        self.name.rsplit_once('.').map_or("(itself)", |(layer, _)| layer)
    }
}

fn tensors(model: &dyn Module) -> Vec<Held<'_>> {
    let mut all: Vec<Held<'_>> = Vec::new();
    for (name, part) in model.tensors() {
        let (tensor, is_parameter, turned) = match part {
            Part::Parameter(t) => (t, true, false),
            Part::Transposed(t) => (t, true, true),
            Part::Buffer(t) => (t, false, false),
            Part::Module(_) | Part::Mode(_) => continue,
        };
        let again = all.iter().any(|held| held.tensor.is(tensor));
        all.push(Held {
            name,
            tensor,
            is_parameter,
            turned,
            again,
        });
    }
    all
}

/// A line of [`summary_of`].
#[derive(Default)]
struct Layer<'a> {
    name: &'a str,
    operations: Vec<&'static str>,
    output: String,
    parameters: usize,
    bytes: usize,
    flops: u64,
}

/// The place of the layer of this name, which is put at the end if there is none.
fn place<'a>(layers: &mut Vec<Layer<'a>>, name: &'a str) -> usize {
    layers
        .iter()
        .position(|layer| layer.name == name)
        .unwrap_or_else(|| {
            layers.push(Layer {
                name,
                ..Layer::default()
            });
            layers.len() - 1
        })
}

impl Layer<'_> {
    fn add(&mut self, operation: &Performed) {
        if !self.operations.contains(&operation.name) {
            self.operations.push(operation.name);
        }
        self.output = operation.meta.shape.to_string();
        self.flops += operation.flops;
    }

    fn row(&self) -> [String; 6] {
        const SHOWN: usize = 4;
        let mut operations = self.operations[..self.operations.len().min(SHOWN)].join(", ");
        if self.operations.len() > SHOWN {
            operations += ", …";
        }
        [
            self.name.to_string(),
            operations,
            self.output.clone(),
            thousands(self.parameters),
            thousands(self.bytes),
            thousands(self.flops as usize),
        ]
    }
}

fn totals(all: &[Held<'_>]) -> String {
    let all = || all.iter().filter(|held| !held.again);
    let parameters = || all().filter(|held| held.is_parameter);
    let trained = parameters().filter(|held| held.tensor.as_parameter().requires_grad());
    format!(
        "{} parameters, of which {} are trained; {} bytes",
        thousands(parameters().map(|held| held.tensor.numel()).sum()),
        thousands(trained.map(|held| held.tensor.numel()).sum()),
        thousands(all().map(Held::size).sum())
    )
}

/// Lines of columns, of which the first `left` are set to the left.
fn table<const N: usize>(rows: &[[String; N]], left: usize) -> String {
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        for (c, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = match (c < left, c) {
                (true, 0) => write!(text, "{cell:<width$}"),
                (true, _) => write!(text, "  {cell:<width$}"),
                (false, _) => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}
