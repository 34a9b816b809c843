//! The same network, trained here and by PyTorch from the same weights: losses and final weights agree.
//!
//! `reference/mlp.py` made the numbers with PyTorch and says what was trained.

use safetensors::SafeTensors;
use std::io::Read;
use std::path::Path;
use wengert::nn::{CrossEntropyLoss, Layer, Linear, Module, ReLU, Sequential, StateDict};
use wengert::optim::{Adam, AdamW, Optimizer, SGD};
use wengert::{DType, Tensor};

const STEPS: usize = 200;
const BATCH: usize = 64;
const ROWS: usize = 1500;

fn read(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The elements of a gzipped IDX file of bytes.
fn idx(name: &str) -> Vec<f64> {
    let packed = read(&format!("../../examples/data/{name}"));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut bytes)
        .unwrap();
    let start = 4 + 4 * bytes[3] as usize;
    bytes[start..].iter().map(|b| f64::from(*b)).collect()
}

fn tensor(file: &SafeTensors<'_>, name: &str) -> Tensor {
    let view = file.tensor(name).unwrap();
    let shape = view.shape().to_vec();
    match view.dtype() {
        safetensors::Dtype::F32 => {
            let data = view
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            Tensor::from_vec(data.collect::<Vec<_>>(), shape)
        }
        safetensors::Dtype::F64 => {
            let data = view
                .data()
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes(b.try_into().unwrap()));
            Tensor::from_vec(data.collect::<Vec<_>>(), shape)
        }
        other => panic!("{other:?}"),
    }
}

const NAMES: [&str; 4] = ["0.weight", "0.bias", "2.weight", "2.bias"];

/// Trains as `mlp.py` does; the losses before each step, and the final weights.
fn train(
    file: &SafeTensors<'_>,
    dtype: DType,
    optimizer: impl Fn(Vec<Tensor>) -> Box<dyn Optimizer>,
) -> (Vec<f64>, StateDict) {
    let model = Sequential::new()
        .add(Linear::new(64, 32))
        .add(ReLU)
        .add(Linear::new(32, 10));
    let init: StateDict = NAMES
        .iter()
        .map(|n| (n.to_string(), tensor(file, &format!("init.{n}"))))
        .collect();
    model.load_state_dict(&init).unwrap();
    model.to(dtype);
    let images = Tensor::from_vec(idx("digits-images.idx3.gz"), [1797, 64]).to(dtype) / 16.0;
    let labels = Tensor::from_vec(idx("digits-labels.idx1.gz"), [1797]).to(DType::I64);
    let mut optimizer = optimizer(model.parameters());
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let rows: Vec<i64> = (0..BATCH).map(|i| ((step * BATCH + i) % ROWS) as i64).collect();
        let rows = Tensor::from_vec(rows, [BATCH]);
        let logits = model.forward(&images.index_select(0, &rows));
        let loss = CrossEntropyLoss::new().forward(&logits, &labels.index_select(0, &rows));
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        losses.push(loss.item());
    }
    (losses, model.state_dict())
}

/// The largest difference, relative to the largest number.
fn apart(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let size = theirs.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let far = ours
        .iter()
        .zip(theirs)
        .fold(0.0f64, |a, (x, y)| a.max((x - y).abs()));
    far / size
}

/// In f64 the two differ by the order in which sums are taken, 1e-16 an operation; 200 steps of training let that
/// grow. In f32 the same happens from 6e-8 on: the bounds are a few times what separates PyTorch's own f32 run
/// from its f64 run (sgd 1.7e-7 in the losses and 7.1e-7 in the weights, adam 4.4e-7 and 3.3e-7, adamw 2.3e-6
/// and 1.5e-6), which is rounding and nothing else.
fn compare(run: &str, bound: f64, optimizer: impl Fn(Vec<Tensor>) -> Box<dyn Optimizer>) {
    let bytes = read("tests/reference/mlp.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for (dtype, name, bound) in [(DType::F64, "f64", 1e-13), (DType::F32, "f32", bound)] {
        let (losses, state) = train(&file, dtype, &optimizer);
        let theirs = tensor(&file, &format!("{run}.{name}.losses")).to_vec::<f64>();
        assert!(
            theirs[0] > 2.0 && theirs[STEPS - 1] < 1.0,
            "the reference learned"
        );
        let far = apart(&losses, &theirs);
        println!("{run} {name}: losses {far:.1e} apart");
        assert!(far <= bound, "{run} {name}: losses are {far:e} apart");
        for weight in NAMES {
            let theirs = tensor(&file, &format!("{run}.{name}.{weight}"));
            let ours = state.get(weight).unwrap();
            assert_eq!(ours.shape(), theirs.shape());
            let far = apart(&ours.to_vec(), &theirs.to_vec());
            println!("{run} {name}: {weight} {far:.1e} apart");
            assert!(far <= bound, "{run} {name}: {weight} is {far:e} apart");
        }
    }
}

#[test]
fn sgd_trains_as_pytorch_does() {
    let sgd = |p| SGD::new(p, 0.1).momentum(0.9).weight_decay(1e-4).nesterov(true);
    compare("sgd", 3e-6, |p| Box::new(sgd(p)));
}

#[test]
fn adam_trains_as_pytorch_does() {
    compare("adam", 3e-6, |p| Box::new(Adam::new(p, 1e-3)));
}

#[test]
fn adamw_trains_as_pytorch_does() {
    compare("adamw", 3e-6, |p| Box::new(AdamW::new(p, 1e-3)));
}
