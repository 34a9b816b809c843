//! Burn's half of the benchmarks: the same dialogue as `benches/src/main.rs`, for the workloads that it knows.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLossConfig, MseLoss, Reduction};
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::{gelu, relu, softmax};
use burn::tensor::module::{attention, conv2d, layer_norm};
use burn::tensor::ops::{AttentionModuleOptions, ConvOptions};
use burn::tensor::{Device, Distribution, Int, Tensor};
use std::hint::black_box;

#[path = "../../serve.rs"]
mod serve;
use serve::Run;

fn randn<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn chain(x: Tensor<1>) -> Tensor<1> {
    let mut y = x * 0.9;
    for _ in 0..33 {
        y = (y + 0.1).tanh() * 0.9;
    }
    y
}

/// The optimizer and its learning rate, with PyTorch's numbers where Burn's are others.
fn optimizer(name: &str) -> Option<(ModuleOptimizer, f64)> {
    Some(match name.trim_end_matches("_fused") {
        "sgd" => (SgdConfig::new().init(), 0.01),
        "adam" => (AdamConfig::new().with_epsilon(1e-8).init(), 1e-3),
        "adamw" => (AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.01).init(), 1e-3),
        _ => return None,
    })
}

fn training<M: Module + 'static>(model: M, how: &str, loss: impl Fn(&M) -> Tensor<1> + 'static) -> Option<Run> {
    let (mut optimizer, rate) = optimizer(how)?;
    let mut model = Some(model);
    Some(Box::new(move || {
        let old = model.take().expect("each step leaves a model");
        let gradients = GradientsParams::from_grads(loss(&old).backward(), &old);
        model = Some(optimizer.step(rate, old, gradients));
    }))
}

#[derive(Module, Debug)]
struct Net {
    convs: Vec<Conv2d>,
    layers: Vec<Linear>,
}

impl Net {
    fn new(convs: &[[usize; 2]], sizes: &[usize], device: &Device) -> Net {
        let convs = convs.iter().map(|channels| Conv2dConfig::new(*channels, [3, 3]).init(device));
        let layers = sizes.windows(2).map(|s| LinearConfig::new(s[0], s[1]).init(device));
        Net { convs: convs.collect(), layers: layers.collect() }
    }

    fn dense(&self, x: Tensor<2>) -> Tensor<2> {
        let (last, inner) = self.layers.split_last().expect("a net has layers");
        last.forward(inner.iter().fold(x, |h, layer| relu(layer.forward(h))))
    }

    fn pictures(&self, x: Tensor<4>) -> Tensor<2> {
        let h = self.convs.iter().fold(x, |h, conv| relu(conv.forward(h)));
        self.dense(MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init().forward(h).flatten(1, 3))
    }
}

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

const WIDTH: usize = 128;
const HEADS: usize = 4;
const CAUSAL: AttentionModuleOptions = AttentionModuleOptions { scale: None, softcap: None, is_causal: true };

impl Block {
    fn new(device: &Device) -> Block {
        let linear = |a, b| LinearConfig::new(a, b).init(device);
        Block {
            norm1: LayerNormConfig::new(WIDTH).init(device),
            qkv: linear(WIDTH, 3 * WIDTH),
            proj: linear(WIDTH, WIDTH),
            norm2: LayerNormConfig::new(WIDTH).init(device),
            up: linear(WIDTH, 4 * WIDTH),
            down: linear(4 * WIDTH, WIDTH),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [n, t, c] = x.dims();
        let parts = self.qkv.forward(self.norm1.forward(x.clone())).split(c, 2).into_iter();
        let mut parts = parts.map(|part| part.reshape([n, t, HEADS, c / HEADS]).swap_dims(1, 2));
        let mut next = || parts.next().expect("there are three");
        let y = attention(next(), next(), next(), None, None, CAUSAL);
        let x = x + self.proj.forward(y.swap_dims(1, 2).reshape([n, t, c]));
        x.clone() + self.down.forward(gelu(self.up.forward(self.norm2.forward(x))))
    }
}

#[derive(Module, Debug)]
struct Gpt {
    tokens: Embedding,
    places: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Gpt {
    fn forward(&self, x: Tensor<2, Int>) -> Tensor<2> {
        let places = Tensor::arange(0..x.dims()[1] as i64, &x.device()).unsqueeze();
        let h = self.tokens.forward(x) + self.places.forward(places);
        let h = self.blocks.iter().fold(h, |h, block| block.forward(h));
        self.head.forward(self.norm.forward(h)).flatten(0, 1)
    }
}

/// Numbers below `limit`.
fn labels(n: usize, limit: i32, device: &Device) -> Tensor<1, Int> {
    let all: Vec<i32> = (0..n as i32).map(|i| i * 7 % limit).collect();
    Tensor::from_ints(all.as_slice(), device)
}

fn gpt(how: &str, device: &Device) -> Option<Run> {
    let (batch, length, vocabulary) = (16, 64, 65);
    let (x, y) = (labels(batch * length, 65, device).reshape([batch, length]), labels(batch * length, 64, device));
    let model = Gpt {
        tokens: EmbeddingConfig::new(vocabulary, WIDTH).init(device),
        places: EmbeddingConfig::new(length, WIDTH).init(device),
        blocks: (0..4).map(|_| Block::new(device)).collect(),
        norm: LayerNormConfig::new(WIDTH).init(device),
        head: LinearConfig::new(WIDTH, vocabulary).init(device),
    };
    let loss = CrossEntropyLossConfig::new().init(device);
    training(model, how, move |model| loss.forward(model.forward(x.clone()), y.clone()))
}

/// `f` forward, or forward and back to all inputs, which require a gradient then.
fn kernel<const D: usize, const N: usize>(
    train: bool,
    inputs: [Tensor<D>; N],
    f: impl Fn([Tensor<D>; N]) -> Tensor<D> + 'static,
) -> Option<Run> {
    if !train {
        return Some(Box::new(move || drop(black_box(f(inputs.clone())))));
    }
    let inputs = inputs.map(|x| x.require_grad());
    Some(Box::new(move || drop(black_box(f(inputs.clone()).backward()))))
}

fn elementwise(op: &str, n: usize, train: bool, device: &Device) -> Option<Run> {
    let x: Tensor<2> = randn([n / 1024, 1024], device);
    let other: Tensor<2> = randn([n / 1024, 1024], device);
    let vector = || Tensor::<1>::random([1024], Distribution::Default, device);
    match op {
        "relu" => kernel(train, [x], |[x]| relu(x)),
        "add" => kernel(train, [x], move |[x]| x + other.clone()),
        "exp" => kernel(train, [x], |[x]| x.exp()),
        "gelu" => kernel(train, [x], |[x]| gelu(x)),
        "sum" => kernel(train, [x], |[x]| x.sum().unsqueeze()),
        "softmax" => kernel(train, [x], |[x]| softmax(x, 1)),
        "layer_norm" => {
            let wb = [vector(), vector()].map(|v| if train { v.require_grad() } else { v });
            kernel(train, [x], move |[x]| layer_norm(x, wb[0].clone(), Some(wb[1].clone()), 1e-5))
        }
        _ => None,
    }
}

/// What runs the workload once, and how many units that is.
fn find(name: &str) -> Option<(Run, usize)> {
    let (kind, rest) = name.split_once(':').unwrap_or((name, ""));
    let parts: Vec<&str> = rest.split(',').collect();
    let size: Vec<usize> = parts.iter().filter_map(|p| p.parse().ok()).collect();
    let last = parts[parts.len() - 1];
    let train = last == "train";
    // What trains lives on a device that records.
    let plain = Device::flex();
    let recording = Device::flex().autodiff();
    let device = if train { &recording } else { &plain };
    let run = match kind {
        "chain_forward" => {
            let x = Tensor::<1>::random([4], Distribution::Default, &plain);
            return Some((Box::new(move || drop(black_box(chain(x.clone())))), 100));
        }
        "chain_train" => {
            let x = Tensor::<1>::random([4], Distribution::Default, &recording).require_grad();
            return Some((Box::new(move || drop(chain(x.clone()).sum().backward())), 100));
        }
        "matmul" => {
            let (m, k, n) = (size[0], size[1], size[2]);
            let a = if last == "tn" { randn([k, m], device).transpose() } else { randn([m, k], device) };
            let b = if last == "nt" { randn([n, k], device).transpose() } else { randn([k, n], device) };
            kernel(false, [a, b], |[a, b]| a.matmul(b))
        }
        "bmm" => {
            let shape = [size[0], size[1], size[1]];
            kernel(false, [randn(shape, device), randn(shape, device)], |[a, b]| a.matmul(b))
        }
        "elementwise" => elementwise(parts[0], size[0], train, device),
        "conv" => {
            let [images, from, to, side, k, stride, groups] = size[..] else { return None };
            let options = ConvOptions::new([stride; 2], [k / 2; 2], [1; 2], groups);
            let (x, w) = (randn([images, from, side, side], device), randn([to, from / groups, k, k], device) * 0.1);
            kernel(train, [x, w.detach()], move |[x, w]| conv2d(x, w, None, options.clone()))
        }
        "attention" => {
            let shape = [size[0], size[1], size[2], size[3]];
            let inputs = [randn(shape, device), randn(shape, device), randn(shape, device)];
            kernel(train, inputs, |[q, k, v]| attention(q, k, v, None, None, CAUSAL))
        }
        "tiny_mlp" => {
            let (x, y) = (randn([32, 2], &recording), randn([32, 1], &recording));
            training(Net::new(&[], &[2, 16, 16, 1], &recording), last, move |net| {
                MseLoss::new().forward(net.dense(x.clone()), y.clone(), Reduction::Mean)
            })
        }
        "mlp" => {
            let (x, y) = (randn([size[0], 784], &recording), labels(size[0], 10, &recording));
            let loss = CrossEntropyLossConfig::new().init(&recording);
            training(Net::new(&[], &[784, 512, 512, 10], &recording), last, move |net| {
                loss.forward(net.dense(x.clone()), y.clone())
            })
        }
        "cnn" => {
            let (x, y) = (randn([size[0], 1, 28, 28], &recording), labels(size[0], 10, &recording));
            let loss = CrossEntropyLossConfig::new().init(&recording);
            training(Net::new(&[[1, 32], [32, 64]], &[9216, 128, 10], &recording), last, move |net| {
                loss.forward(net.pictures(x.clone()), y.clone())
            })
        }
        "gpt" => gpt(last, &recording),
        _ => None,
    };
    run.map(|run| (run, 1))
}

fn main() {
    serve::serve(find);
}
