//! Candle's half of the benchmarks: the same dialogue as `benches/src/main.rs`, for the workloads that it knows.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{
    AdamW, Conv2d, Conv2dConfig, Linear, Module, Optimizer, ParamsAdamW, SGD, VarBuilder, VarMap, conv2d, linear,
    loss, ops,
};

#[path = "../../serve.rs"]
mod serve;

type Run = Box<dyn FnMut() -> Result<()>>;

const CPU: &Device = &Device::Cpu;

fn randn(shape: &[usize]) -> Result<Tensor> {
    Tensor::randn(0f32, 1f32, shape, CPU)
}

fn chain(x: &Tensor) -> Result<Tensor> {
    let mut y = (x * 0.9)?;
    for _ in 0..33 {
        y = ((y + 0.1)?.tanh()? * 0.9)?;
    }
    Ok(y)
}

enum Optim {
    Sgd(SGD),
    Adam(AdamW),
}

impl Optim {
    fn new(name: &str, vars: Vec<Var>) -> Result<Option<Optim>> {
        let adam = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..Default::default() };
        Ok(match name {
            "sgd" => Some(Optim::Sgd(SGD::new(vars, 0.01)?)),
            "adam" | "adam_fused" => Some(Optim::Adam(AdamW::new(vars, adam)?)),
            _ => None,
        })
    }

    fn step(&mut self, loss: &Tensor) -> Result<()> {
        match self {
            Optim::Sgd(o) => o.backward_step(loss),
            Optim::Adam(o) => o.backward_step(loss),
        }
    }
}

struct Net {
    convs: Vec<Conv2d>,
    layers: Vec<Linear>,
}

impl Net {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut h = x.clone();
        for conv in &self.convs {
            h = conv.forward(&h)?.relu()?;
        }
        if !self.convs.is_empty() {
            h = h.max_pool2d(2)?.flatten_from(1)?;
        }
        for (i, layer) in self.layers.iter().enumerate() {
            h = layer.forward(&h)?;
            if i + 1 < self.layers.len() {
                h = h.relu()?;
            }
        }
        Ok(h)
    }
}

fn net(convs: &[(usize, usize)], sizes: &[usize]) -> Result<(Net, VarMap)> {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, CPU);
    let convs = convs.iter().enumerate();
    let convs = convs.map(|(i, &(a, b))| conv2d(a, b, 3, Conv2dConfig::default(), vb.pp(format!("c{i}"))));
    let layers = sizes.windows(2).enumerate();
    let layers = layers.map(|(i, s)| linear(s[0], s[1], vb.pp(format!("l{i}"))));
    let net = Net { convs: convs.collect::<Result<_>>()?, layers: layers.collect::<Result<_>>()? };
    Ok((net, vars))
}

fn training((net, vars): (Net, VarMap), x: Tensor, y: Tensor, optimizer: &str) -> Result<Option<(Run, usize)>> {
    let Some(mut optimizer) = Optim::new(optimizer, vars.all_vars())? else {
        return Ok(None);
    };
    let run = move || {
        let out = net.forward(&x)?;
        let loss = if y.dtype() == DType::F32 { loss::mse(&out, &y)? } else { loss::cross_entropy(&out, &y)? };
        optimizer.step(&loss)
    };
    Ok(Some((Box::new(run), 1)))
}

fn classes(n: usize) -> Result<Tensor> {
    Tensor::from_vec((0..n).map(|i| (i * 7 % 10) as u32).collect(), n, CPU)
}

fn find(name: &str) -> Result<Option<(Run, usize)>> {
    let (kind, rest) = name.split_once(':').unwrap_or((name, ""));
    let parts: Vec<&str> = rest.split(',').collect();
    let size: Vec<usize> = parts.iter().filter_map(|p| p.parse().ok()).collect();
    let last = parts[parts.len() - 1];
    Ok(match kind {
        "chain_forward" => {
            let x = Tensor::rand(0f32, 1f32, 4, CPU)?;
            Some((Box::new(move || chain(&x).map(drop)), 100))
        }
        "chain_train" => {
            let x = Var::rand(0f32, 1f32, 4, CPU)?;
            Some((Box::new(move || chain(&x)?.sum_all()?.backward().map(drop)), 100))
        }
        "matmul" => {
            let (m, k, n) = (size[0], size[1], size[2]);
            let a = if last == "tn" { randn(&[k, m])?.t()? } else { randn(&[m, k])? };
            let b = if last == "nt" { randn(&[n, k])?.t()? } else { randn(&[k, n])? };
            Some((Box::new(move || a.matmul(&b).map(drop)), 1))
        }
        "bmm" => {
            let shape = [size[0], size[1], size[1]];
            let (a, b) = (randn(&shape)?, randn(&shape)?);
            Some((Box::new(move || a.matmul(&b).map(drop)), 1))
        }
        "elementwise" => {
            let shape = [size[0] / 1024, 1024];
            let (x, other) = (Var::from_tensor(&randn(&shape)?)?, randn(&shape)?);
            let op = parts[0].to_string();
            if op == "layer_norm" {
                return Ok(None);
            }
            let train = last == "train";
            let run = move || {
                let x = if train { x.as_tensor().clone() } else { x.as_detached_tensor() };
                let y = match op.as_str() {
                    "relu" => x.relu()?,
                    "add" => (&x + &other)?,
                    "exp" => x.exp()?,
                    "gelu" => x.gelu_erf()?,
                    "sum" => x.sum_all()?,
                    _ => ops::softmax(&x, 1)?,
                };
                if train {
                    y.backward()?;
                }
                Ok(())
            };
            Some((Box::new(run), 1))
        }
        "tiny_mlp" => training(net(&[], &[2, 16, 16, 1])?, randn(&[32, 2])?, randn(&[32, 1])?, last)?,
        "mlp" => training(net(&[], &[784, 512, 512, 10])?, randn(&[size[0], 784])?, classes(size[0])?, last)?,
        "cnn" => {
            let net = net(&[(1, 32), (32, 64)], &[9216, 128, 10])?;
            training(net, randn(&[size[0], 1, 28, 28])?, classes(size[0])?, last)?
        }
        _ => None,
    })
}

fn main() {
    serve::serve(|name| {
        let (mut run, units) = find(name).expect("candle makes the workload")?;
        Some((Box::new(move || run().expect("candle runs it")), units))
    });
}
