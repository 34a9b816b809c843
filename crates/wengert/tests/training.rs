//! Whole training runs of an MLP, a CNN, an LSTM and a transformer with each optimizer, beside PyTorch's from the same
//! weights and data: losses and final weights agree.
//!
//! `reference/training.py` made the numbers with PyTorch and says what was trained.

use serde_json::Value;
use std::io::Read;
use std::path::Path;
use wengert::data::Vocabulary;
use wengert::nn::{
    BatchNorm2d, Conv2d, Embedding, Flatten, LSTM, Layer, Linear, Masks, MaxPool2d, Module, Part, ReLU,
    RecurrentOptions, Sequential, StateDict, TransformerEncoder, TransformerOptions,
};
use wengert::optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, LBFGS, Lion, Muon, NAdam, Optimizer, RAdam, RMSprop, SGD,
};
use wengert::{DType, Reduction, Tensor, cross_entropy};

const FULL_STEPS: usize = 4;
const DIGITS: usize = 16;
const PIECES: usize = 8;
const CONTEXT: usize = 8;
const ROWS: usize = 1500;
const WEIGHTS: u64 = 1 << 40;
const PLACES: u64 = 2 << 40;
const FACTORS: u64 = 3 << 40;

/// Number `i` of the generator splitmix64.
fn number(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers in [−1, 1).
fn spread(start: u64, count: usize) -> impl Iterator<Item = f64> {
    (start..)
        .take(count)
        .map(|i| 2.0 * ((number(i) >> 40) as f64 / f64::from(1 << 24)) - 1.0)
}

/// The parameters as PyTorch has them.
fn parameters(model: &dyn Module) -> Vec<(String, Tensor)> {
    let of = |(name, part)| match part {
        Part::Parameter(t) => Some((name, t.detach())),
        Part::Transposed(t) => Some((name, t.detach().t())),
        _ => None,
    };
    model.tensors().into_iter().filter_map(of).collect()
}

/// Matrices spread evenly in ±1/√(length of a row), vectors 0, scales of a norm 1.
fn begin(model: &dyn Module) {
    let mut place = WEIGHTS;
    let first = parameters(model).into_iter().map(|(name, t)| {
        let (shape, n) = (t.shape(), t.numel());
        let values = if shape.rank() < 2 {
            vec![f32::from(u8::from(name.ends_with("weight"))); n]
        } else {
            let bound = 1.0 / (shape[1..].iter().product::<usize>() as f64).sqrt();
            let values = spread(place, n).map(|v| (v * bound) as f32).collect();
            place += n as u64;
            values
        };
        (name, Tensor::from_vec(values, shape))
    });
    let first: StateDict = first.collect();
    let report = model.load_partial_state_dict(&first);
    assert!(
        report.unexpected.is_empty() && report.misshaped.is_empty(),
        "{report}"
    );
}

/// For each parameter the sum of its numbers, each times a number of the formula.
fn weights(model: &dyn Module) -> Vec<f64> {
    let mut place = FACTORS;
    let sum = |(_, t): (String, Tensor)| {
        let numbers = t.contiguous().to_vec::<f64>();
        let sum = numbers
            .iter()
            .zip(spread(place, numbers.len()))
            .map(|(v, f)| v * f)
            .sum();
        place += numbers.len() as u64;
        sum
    };
    parameters(model).into_iter().map(sum).collect()
}

/// A file of `examples/data`, unpacked.
fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/data")
        .join(name);
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&std::fs::read(path).unwrap()[..])
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// A model, and what it learns.
trait Run: Module {
    fn loss(&self, step: usize) -> Tensor;
}

/// Reads the digits.
struct Digits {
    net: Sequential,
    images: Tensor,
    labels: Tensor,
}

impl Module for Digits {
    fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
        self.net.parts(show);
    }
}

impl Digits {
    /// Of the shape of one picture.
    fn run(net: Sequential, shape: &[usize], dtype: DType) -> Box<dyn Run> {
        let elements = |name| wengert::data::read_idx(&read(name)).unwrap();
        let images = elements("digits-images.idx3.gz").to(dtype) / 16.0;
        let shape: Vec<usize> = [1797].iter().chain(shape).copied().collect();
        Box::new(Digits {
            net,
            images: images.reshape(shape),
            labels: elements("digits-labels.idx1.gz").to(DType::I64),
        })
    }
}

impl Run for Digits {
    fn loss(&self, step: usize) -> Tensor {
        let rows: Vec<i64> = (0..DIGITS).map(|i| ((step * DIGITS + i) % ROWS) as i64).collect();
        let rows = Tensor::from_vec(rows, [DIGITS]);
        let logits = self.net.forward(&self.images.index_select(0, &rows));
        cross_entropy(
            &logits,
            &self.labels.index_select(0, &rows),
            Reduction::Mean,
            -100,
        )
    }
}

/// The names, as numbers of letters; and how many kinds there are.
fn names() -> (Vec<i64>, usize) {
    let text = String::from_utf8(read("names.txt.gz")).unwrap();
    let vocabulary = Vocabulary::new(&text);
    (vocabulary.encode(&text).unwrap().to_vec(), vocabulary.len())
}

/// The pieces of the text that a step sees, and the letters that come next.
fn pieces(text: &[i64], step: usize) -> [Tensor; 2] {
    let room = (text.len() - CONTEXT) as u64;
    [0, 1].map(|later| {
        let rows = (step * PIECES..).take(PIECES);
        let starts = rows.map(|i| (number(PLACES + i as u64) % room) as usize + later);
        let letters: Vec<i64> = starts.flat_map(|s| text[s..][..CONTEXT].to_vec()).collect();
        Tensor::from_vec(letters, [PIECES, CONTEXT])
    })
}

fn letters_loss(logits: &Tensor, next: &Tensor) -> Tensor {
    cross_entropy(&logits.flatten(0, 1), &next.flatten(0, 1), Reduction::Mean, -100)
}

#[derive(Module)]
struct Lstm {
    letter: Embedding,
    lstm: LSTM,
    head: Linear,
    #[module(skip)]
    text: Vec<i64>,
}

impl Run for Lstm {
    fn loss(&self, step: usize) -> Tensor {
        let [x, next] = pieces(&self.text, step);
        let (y, _) = self.lstm.forward(&self.letter.forward(&x), None);
        letters_loss(&self.head.forward(&y), &next)
    }
}

#[derive(Module)]
struct Transformer {
    letter: Embedding,
    place: Embedding,
    encoder: TransformerEncoder,
    head: Linear,
    #[module(skip)]
    text: Vec<i64>,
}

impl Run for Transformer {
    fn loss(&self, step: usize) -> Tensor {
        let [x, next] = pieces(&self.text, step);
        let masks = Masks {
            causal: true,
            ..Default::default()
        };
        let y = self
            .encoder
            .forward(&(self.letter.forward(&x) + &self.place.weight), masks);
        letters_loss(&self.head.forward(&y), &next)
    }
}

fn model(name: &str, dtype: DType) -> Box<dyn Run> {
    let run: Box<dyn Run> = match name {
        "mlp" => {
            let net = Sequential::new()
                .add(Linear::new(64, 32))
                .add(ReLU)
                .add(Linear::new(32, 10));
            Digits::run(net, &[64], dtype)
        }
        "cnn" => {
            let net = Sequential::new()
                .add(Conv2d::new(1, 4, 3).padding(1).without_bias())
                .add(BatchNorm2d::new(4))
                .add(ReLU)
                .add(MaxPool2d::new(2))
                .add(Conv2d::new(4, 8, 3))
                .add(ReLU)
                .add(Flatten)
                .add(Linear::new(32, 10));
            Digits::run(net, &[1, 8, 8], dtype)
        }
        "lstm" => {
            let (text, kinds) = names();
            let options = RecurrentOptions {
                batch_first: true,
                ..Default::default()
            };
            Box::new(Lstm {
                letter: Embedding::new(kinds, 8),
                lstm: LSTM::with(8, 16, options),
                head: Linear::new(16, kinds),
                text,
            })
        }
        "transformer" => {
            let (text, kinds) = names();
            let options = TransformerOptions {
                dim_feedforward: 32,
                dropout: 0.0,
                gelu: true,
                batch_first: true,
                norm_first: true,
                ..Default::default()
            };
            Box::new(Transformer {
                letter: Embedding::new(kinds, 16),
                place: Embedding::new(CONTEXT, 16),
                encoder: TransformerEncoder::new(2, 16, 2, options, true),
                head: Linear::new(16, kinds),
                text,
            })
        }
        other => panic!("there is no model {other}"),
    };
    begin(&*run);
    run.to(dtype);
    for (name, p) in run.named_parameters() {
        p.requires_grad_(!name.ends_with("in_proj_bias"));
    }
    run
}

type Parameters = Vec<(String, Tensor)>;

fn trained(model: &dyn Run) -> Parameters {
    let all = model.named_parameters().into_iter();
    all.filter(|(_, p)| p.requires_grad()).collect()
}

fn plain(all: Parameters) -> Vec<Tensor> {
    all.into_iter().map(|(_, p)| p).collect()
}

/// Matrices to Muon; vectors, convolutions and tables to AdamW.
fn muon(all: Parameters) -> Vec<Box<dyn Optimizer>> {
    let table = |name: &str| name.starts_with("letter") || name.starts_with("place");
    let (matrices, rest) = all
        .into_iter()
        .partition(|(name, p)| p.dim() == 2 && !table(name));
    vec![
        Box::new(Muon::new(plain(matrices), 0.02)),
        Box::new(AdamW::new(plain(rest), 3e-3)),
    ]
}

type Make = fn(Parameters) -> Vec<Box<dyn Optimizer>>;

/// Each optimizer but L-BFGS, which is of another form.
const OPTIMIZERS: [(&str, Make); 12] = [
    ("sgd", |p| vec![Box::new(SGD::new(plain(p), 0.1).momentum(0.9))]),
    ("nesterov", |p| {
        let sgd = SGD::new(plain(p), 0.1).momentum(0.9).weight_decay(1e-4);
        vec![Box::new(sgd.nesterov(true))]
    }),
    ("adam", |p| vec![Box::new(Adam::new(plain(p), 3e-3))]),
    ("adamw", |p| {
        vec![Box::new(AdamW::new(plain(p), 3e-3).weight_decay(0.1))]
    }),
    ("nadam", |p| vec![Box::new(NAdam::new(plain(p), 3e-3))]),
    ("radam", |p| vec![Box::new(RAdam::new(plain(p), 3e-3))]),
    ("adamax", |p| vec![Box::new(Adamax::new(plain(p), 3e-3))]),
    ("rmsprop", |p| {
        vec![Box::new(RMSprop::new(plain(p), 2e-3).momentum(0.5))]
    }),
    ("adagrad", |p| vec![Box::new(Adagrad::new(plain(p), 0.03))]),
    ("adadelta", |p| vec![Box::new(Adadelta::new(plain(p), 1.0))]),
    ("lion", |p| {
        vec![Box::new(Lion::new(plain(p), 1e-3).weight_decay(0.1))]
    }),
    ("muon", muon),
];

/// The losses before each step, and what the weights come to.
fn train(model: &dyn Run, make: Make, steps: usize) -> [Vec<f64>; 2] {
    let mut optimizers = make(trained(model));
    let one = |step| {
        let loss = model.loss(step);
        model.zero_grad();
        loss.backward();
        optimizers.iter_mut().for_each(|o| o.step());
        loss.item()
    };
    let losses = (0..steps).map(one).collect();
    [losses, weights(model)]
}

fn train_lbfgs(model: &dyn Run) -> [Vec<f64>; 2] {
    let mut optimizer = LBFGS::new(plain(trained(model)), 1.0)
        .max_iter(4)
        .line_search(true);
    let losses = (0..FULL_STEPS)
        .map(|_| optimizer.step(|| model.loss(0)))
        .collect();
    [losses, weights(model)]
}

/// The largest difference, relative to the largest number.
fn apart(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let size = theirs.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let far = |a: f64, (x, y): (&f64, &f64)| if (x - y).abs() <= a { a } else { (x - y).abs() };
    ours.iter().zip(theirs).fold(0.0, far) / size
}

/// Two right programs differ by rounding alone: sums are taken in another order, elementary functions differ in the last
/// place. Training lets that grow, by as much as the model and the optimizer make of it. How much that is, PyTorch's own
/// run in f32 tells, beside its run in f64: the bound in f32 is thirty times that, and no less than a few roundings. In f64
/// the same growth starts from roundings that are 2²⁹ times smaller. There RAdam needs the most: its step's size has a
/// difference of nearly equal numbers in it.
fn bound(dtype: DType, rounding: f64) -> f64 {
    match dtype {
        DType::F64 => (30.0 * rounding / f64::from(1 << 29)).max(2e-13),
        _ => (30.0 * rounding).max(3e-6),
    }
}

fn compare(name: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/training.json");
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let runs = all[name].as_object().unwrap();
    assert_eq!(runs.len(), OPTIMIZERS.len() + 1);
    let mut wrong = Vec::new();
    for (optimizer, theirs) in runs {
        let numbers = |what: &str| -> Vec<f64> {
            let list = theirs[what].as_array().unwrap();
            list.iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let rounding = numbers("rounding");
        let theirs = [numbers("losses"), numbers("weights")];
        for dtype in [DType::F64, DType::F32] {
            let model = model(name, dtype);
            let ours = match OPTIMIZERS.iter().find(|(name, _)| name == optimizer) {
                Some((_, make)) => train(&*model, *make, theirs[0].len()),
                None => train_lbfgs(&*model),
            };
            for (i, what) in ["losses", "weights"].into_iter().enumerate() {
                let (far, bound) = (apart(&ours[i], &theirs[i]), bound(dtype, rounding[i]));
                let line = format!("{name} {optimizer} {dtype} {what}: {far:.1e} apart, bound {bound:.1e}");
                println!("{line}");
                if far.is_nan() || far > bound {
                    wrong.push(line);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mlp_trains_as_in_pytorch() {
    compare("mlp");
}

#[test]
fn cnn_trains_as_in_pytorch() {
    compare("cnn");
}

#[test]
fn lstm_trains_as_in_pytorch() {
    compare("lstm");
}

#[test]
fn transformer_trains_as_in_pytorch() {
    compare("transformer");
}
