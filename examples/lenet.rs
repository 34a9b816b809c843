//! A convolutional network that reads handwritten digits.
//!
//! `cargo run --release --example lenet`, with `-- --help` for the options.
//!
//! The network is after LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, 1998.

use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use wengert::data::{DataLoader, Dataset, Generator, transforms::random_crop};
use wengert::nn::{
    Conv2d, CrossEntropyLoss, Flatten, Layer, Linear, MaxPool2d, Module, ReLU, Sequential, summary,
};
use wengert::optim::AdamW;
use wengert::optim::schedule::{Mode, OneCycleLR, Rule};
use wengert::train::{Confusion, CsvLog, Trainer};
use wengert::{Result, Tensor, catch, manual_seed, no_grad};
use wengert_examples::{gallery, loss_curve, mnist};

const HELP: &str = "Trains a convolutional network to read handwritten digits.

    --epochs N   how often to go through them (12)
    --batch N    how many a step sees (32)
    --seed N     of the random numbers (0)
    --out DIR    where pictures and numbers go (lenet-out)";

struct Options {
    epochs: usize,
    batch: usize,
    seed: u64,
    out: PathBuf,
}

fn options() -> std::result::Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options {
        epochs: 12,
        batch: 32,
        seed: 0,
        out: "lenet-out".into(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("epochs") => options.epochs = parser.value()?.parse()?,
            Long("batch") => options.batch = parser.value()?.parse()?,
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("out") => options.out = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

/// Digits of 28 by 28 pixels, and what they show.
struct Digits {
    /// `[n, 1, 28, 28]`.
    pictures: Tensor,
    labels: Tensor,
}

impl Digits {
    /// To learn from, and held out: one in five. The order of the file is mixed already.
    fn split(most: usize) -> (Digits, Digits) {
        let images = mnist();
        let n = images.labels.numel().min(most);
        let part = |start: usize, count: usize| Digits {
            pictures: images
                .pixels
                .narrow(0, start, count)
                .reshape([count, 1, images.size, images.size]),
            labels: images.labels.narrow(0, start, count),
        };
        (part(0, n * 4 / 5), part(n * 4 / 5, n - n * 4 / 5))
    }
}

impl Dataset for Digits {
    type Item = [Tensor; 2];
    fn len(&self) -> usize {
        self.labels.numel()
    }
    /// A digit, shifted by up to two pixels: it shows the same number there.
    fn get(&self, index: usize, random: &mut Generator) -> Result<[Tensor; 2]> {
        catch(|| {
            let picture = self.pictures.select(0, index as isize);
            let label = self.labels.select(0, index as isize);
            [random_crop(&picture, [28, 28], 2, random), label]
        })
    }
}

fn lenet() -> Sequential {
    Sequential::new()
        .add(Conv2d::new(1, 6, 5).padding(2))
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(6, 16, 5))
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(Flatten)
        .add(Linear::new(400, 120))
        .add(ReLU)
        .add(Linear::new(120, 84))
        .add(ReLU)
        .add(Linear::new(84, 10))
}

/// Trains, and shows each step's loss to `see`; the mean loss and the accuracy on held-out digits after each epoch go to
/// `measured`.
fn train(
    model: &Sequential,
    data: (Digits, &Digits),
    options: &Options,
    mut see: impl FnMut(f64),
    mut measured: impl FnMut(f64, f64),
    log: Option<CsvLog>,
) -> Result<()> {
    let (digits, held_out) = data;
    let loss_of = CrossEntropyLoss::new();
    let loader = DataLoader::new(digits)
        .batch_size(options.batch)
        .shuffle(true)
        .seed(options.seed)
        .workers(1);
    let mut optimizer = AdamW::new(model.parameters(), 0.0).weight_decay(0.02);
    let schedule = OneCycleLR::new(4e-3, options.epochs * loader.len()).on(&mut optimizer);
    let validate = || {
        let scores = model.forward(&held_out.pictures);
        let accuracy = wengert::train::accuracy(&scores, &held_out.labels);
        measured(loss_of.forward(&scores, &held_out.labels).item(), accuracy);
        accuracy
    };
    let mut trainer = Trainer::new(options.epochs)
        .schedule_steps(schedule)
        .validate(Mode::Max, validate);
    if let Some(log) = log {
        trainer = trainer.log(log);
    }
    trainer.fit(model, &mut optimizer, &loader, |[x, y]| {
        let loss = loss_of.forward(&model.forward(x), y);
        see(loss.item());
        loss
    })?;
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let Some(options) = options()? else {
        println!("{HELP}");
        return Ok(());
    };
    std::fs::create_dir_all(&options.out)?;
    manual_seed(options.seed);
    let (digits, held_out) = Digits::split(usize::MAX);
    let (n, model) = (digits.len(), lenet());
    println!("{}", summary(&model));
    println!("{n} digits to learn from, {} held out", held_out.len());

    let per_epoch = n.div_ceil(options.batch);
    let bar = ProgressBar::new((options.epochs * per_epoch) as u64);
    bar.set_style(ProgressStyle::with_template(
        "{bar:36} {pos:>5}/{len} steps {per_sec} {eta:>4} left {msg}",
    )?);
    let (mut losses, mut curve, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let started = Instant::now();
    let mut now = Instant::now();
    train(
        &model,
        (digits, &held_out),
        &options,
        |loss| {
            losses.push(loss);
            times.push(now.elapsed());
            now = Instant::now();
            bar.inc(1);
        },
        |loss, accuracy| {
            curve.push((curve.len() * per_epoch + per_epoch, loss));
            let accuracy = 100.0 * accuracy;
            bar.set_message(format!("held out: {accuracy:.2} %"));
            bar.suspend(|| {
                println!(
                    "epoch {:>2}: held out: loss {loss:.4}, accuracy {accuracy:.2} %",
                    curve.len()
                )
            });
        },
        Some(CsvLog::new(options.out.join("epochs.csv"))),
    )?;
    bar.finish();
    times.sort_unstable();

    let scores = no_grad(|| model.forward(&held_out.pictures));
    let mut confusion = Confusion::new(10);
    confusion.update(&scores, &held_out.labels);
    println!("what they are (rows) and what they were taken for (columns):\n{confusion}");
    for digit in 0..10 {
        println!(
            "{digit}: precision {:.3}, recall {:.3}, F1 {:.3}",
            confusion.precision(digit),
            confusion.recall(digit),
            confusion.f1(digit)
        );
    }
    println!(
        "held-out accuracy {:.2} %, macro F1 {:.4}, in {:.1} s; {:.1} ms a step",
        100.0 * confusion.accuracy(),
        confusion.macro_f1(),
        started.elapsed().as_secs_f64(),
        times[times.len() / 2].as_secs_f64() * 1e3
    );

    let file = options.out.join("loss.svg");
    loss_curve(&file, "lenet: loss", &losses, &curve)?;
    let wrong = options.out.join("wrong.svg");
    draw_wrong(&wrong, &scores, &held_out)?;
    println!("pictures: {} and {}", file.display(), wrong.display());
    Ok(())
}

/// The held-out digits that were read wrongly, each with what it is and what it was taken for.
fn draw_wrong(
    file: &std::path::Path,
    scores: &Tensor,
    held_out: &Digits,
) -> std::result::Result<(), Box<dyn Error>> {
    let read = scores.argmax_dim(1, false).to_vec::<i64>();
    let true_ = held_out.labels.to_vec::<i64>();
    let wrong: Vec<usize> = (0..read.len())
        .filter(|i| read[*i] != true_[*i])
        .take(60)
        .collect();
    let captions: Vec<String> = wrong
        .iter()
        .map(|i| format!("{} read as {}", true_[*i], read[*i]))
        .collect();
    let rows: Vec<i64> = wrong.iter().map(|i| *i as i64).collect();
    let rows = Tensor::from_vec(rows, [wrong.len()]);
    gallery(
        file,
        &held_out.pictures.squeeze(1).index_select(0, &rows),
        &captions,
    )
}

/// One epoch over 3,200 digits: a network that learns nothing reads one in ten.
#[test]
fn one_epoch_reads_most_digits() {
    manual_seed(0);
    let (digits, held_out) = Digits::split(4000);
    let options = Options {
        epochs: 1,
        batch: 16,
        seed: 0,
        out: PathBuf::new(),
    };
    let (mut steps, mut reached) = (0, 0.0);
    let model = lenet();
    let see = |_| steps += 1;
    train(
        &model,
        (digits, &held_out),
        &options,
        see,
        |_, a| reached = a,
        None,
    )
    .unwrap();
    assert_eq!(steps, 200);
    assert!(reached > 0.8, "only {reached} of the held-out digits were read");
    let file = std::env::temp_dir().join(format!("wengert-wrong-{}.svg", std::process::id()));
    let scores = no_grad(|| model.forward(&held_out.pictures));
    draw_wrong(&file, &scores, &held_out).unwrap();
    let picture = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(picture.contains("read as"));
}
