//! Trains a network to read handwritten digits, on the data that ship with the repository.
//!
//! `cargo run --release --example digits`, with `-- --help` for the options.

use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::f64::consts::PI;
use std::path::{Path, PathBuf};
use std::time::Instant;
use wengert::inspect::Graph;
use wengert::nn::{CrossEntropyLoss, Layer, Linear, Module, ReLU, Sequential};
use wengert::optim::{AdamW, Optimizer};
use wengert::{DType, Tensor, cat, manual_seed, no_grad};
use wengert_examples::{Images, digits, loss_curve, mnist};

const HELP: &str = "Trains a network to read handwritten digits.

    --data digits|mnist|both   which pictures (both)
    --epochs N                 how often to go through them (60 for digits, 15 for mnist)
    --seed N                   of the random numbers (0)
    --out DIR                  where the pictures go (digits-out)";

struct Options {
    sets: Vec<String>,
    epochs: Option<usize>,
    seed: u64,
    out: PathBuf,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options {
        sets: vec!["digits".into(), "mnist".into()],
        epochs: None,
        seed: 0,
        out: "digits-out".into(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("data") => match parser.value()?.string()?.as_str() {
                "both" => {}
                one @ ("digits" | "mnist") => options.sets = vec![one.into()],
                other => return Err(format!("--data: there is no set `{other}`").into()),
            },
            Long("epochs") => options.epochs = Some(parser.value()?.parse()?),
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("out") => options.out = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = options()? else {
        println!("{HELP}");
        return Ok(());
    };
    std::fs::create_dir_all(&options.out)?;
    for set in &options.sets {
        manual_seed(options.seed);
        let (images, hidden, batch, epochs) = match set.as_str() {
            "digits" => (digits(), 256, 32, 60),
            _ => (mnist(), 384, 64, 15),
        };
        train(
            set,
            &images,
            hidden,
            batch,
            options.epochs.unwrap_or(epochs),
            &options.out,
        )?;
    }
    Ok(())
}

fn train(
    name: &str,
    images: &Images,
    hidden: usize,
    batch: usize,
    epochs: usize,
    out: &Path,
) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let (n, inputs) = (images.labels.numel(), images.pixels.size(1));
    // One picture in five is held out: the network never trains on it.
    let order = Tensor::randperm(n);
    let split = n * 4 / 5;
    let (rows, held_out) = (order.narrow(0, 0, split), order.narrow(0, split, n - split));
    let (test_x, test_y) = (
        images.pixels.index_select(0, &held_out),
        images.labels.index_select(0, &held_out),
    );

    let model = Sequential::new()
        .add(Linear::new(inputs, hidden))
        .add(ReLU)
        .add(Linear::new(hidden, hidden / 2))
        .add(ReLU)
        .add(Linear::new(hidden / 2, 10));
    let mut optimizer = AdamW::new(model.parameters(), 0.0).weight_decay(0.05);
    let loss_of = CrossEntropyLoss::new();
    println!(
        "{name}: {n} pictures of {0}×{0}, {1} of them held out; {2} parameters",
        images.size,
        n - split,
        model.num_parameters()
    );

    let steps = epochs * split.div_ceil(batch);
    let bar = ProgressBar::new(steps as u64).with_style(ProgressStyle::with_template(
        "{bar:36} {pos:>5}/{len} steps {elapsed:>4} {msg}",
    )?);
    let (mut losses, mut curve) = (Vec::new(), Vec::new());
    for _ in 0..epochs {
        let order = rows.index_select(0, &Tensor::randperm(split));
        for start in (0..split).step_by(batch) {
            let rows = order.narrow(0, start, batch.min(split - start));
            let x = images.pixels.index_select(0, &rows);
            // On the coarse pictures a pixel is far.
            let x = shifted(&x, images.size, if images.size < 28 { 0.6 } else { 1.5 });
            let y = images.labels.index_select(0, &rows);

            optimizer.set_learning_rate(learning_rate(losses.len(), steps));
            optimizer.zero_grad();
            let loss = loss_of.forward(&model.forward(&x), &y);
            if losses.is_empty() {
                let graph = Graph::of(&loss).named(model.named_parameters());
                std::fs::write(out.join(format!("{name}-graph.svg")), graph.to_svg())?;
            }
            loss.backward();
            optimizer.step();

            losses.push(loss.item());
            bar.inc(1);
        }
        let (loss, accuracy) = evaluate(&model, &test_x, &test_y);
        curve.push((losses.len(), loss));
        bar.set_message(format!(
            "held out: loss {loss:.4}, accuracy {:.2} %",
            100.0 * accuracy
        ));
    }
    bar.finish();
    let (loss, accuracy) = evaluate(&model, &test_x, &test_y);
    println!(
        "{name}: held-out accuracy {:.2} %, loss {loss:.4}, after {steps} steps in {:.1} s",
        100.0 * accuracy,
        started.elapsed().as_secs_f64()
    );
    let file = out.join(format!("{name}-loss.svg"));
    loss_curve(
        &file,
        &format!("{name}: loss of a {inputs}-{hidden}-{}-10 network", hidden / 2),
        &losses,
        &curve,
    )?;
    println!(
        "pictures: {} and {}\n",
        file.display(),
        out.join(format!("{name}-graph.svg")).display()
    );
    Ok(())
}

/// Up to 3e-3 over the first twentieth of the steps, then down to nothing along a cosine.
fn learning_rate(step: usize, steps: usize) -> f64 {
    let (step, steps) = (step as f64 + 1.0, steps as f64);
    let warm = (steps / 20.0).max(1.0);
    let down = 0.5 * (1.0 + (PI * (step / steps).min(1.0)).cos());
    3e-3 * (step / warm).min(1.0) * down
}

/// All pictures moved by the same random step, of at most `most` pixels: a shifted digit is the same digit.
fn shifted(x: &Tensor, size: usize, most: f64) -> Tensor {
    let step = Tensor::uniform([2], -most, most).to_vec::<f64>();
    let mut x = x.reshape([x.size(0), size, size]);
    for (dim, step) in [(1, step[0]), (2, step[1])] {
        // Between two whole steps, a mixture of both.
        let (near, share) = (step.floor(), step - step.floor());
        x = moved(&x, dim, near as isize) * (1.0 - share) + moved(&x, dim, near as isize + 1) * share;
    }
    x.flatten(1, -1)
}

/// Pictures moved by whole pixels along a dimension; what comes in from the edge is paper.
fn moved(x: &Tensor, dim: isize, step: isize) -> Tensor {
    let (rest, far) = (x.size(dim) - step.unsigned_abs(), step.unsigned_abs());
    let paper = x.narrow(dim, 0, far).zeros_like();
    match step {
        0 => x.clone(),
        1.. => cat(&[&paper, &x.narrow(dim, 0, rest)], dim),
        _ => cat(&[&x.narrow(dim, far, rest), &paper], dim),
    }
}

/// The loss, and the share of pictures read rightly.
fn evaluate(model: &Sequential, x: &Tensor, y: &Tensor) -> (f64, f64) {
    no_grad(|| {
        let logits = model.forward(x);
        let right = logits.argmax_dim(1, false).eq(y).to(DType::F64).mean();
        (CrossEntropyLoss::new().forward(&logits, y).item(), right.item())
    })
}
