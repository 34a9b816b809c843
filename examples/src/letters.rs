//! Models that write names letter by letter: the text, the training, the samples.
//!
//! Data order and first weights come from a formula that any language can compute, and not from random numbers, so that
//! `reference/letters.py` can train the same model with PyTorch.

use crate::loss_curve;
use flate2::read::GzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wengert::data::Vocabulary;
use wengert::nn::{Module, StateDict};
use wengert::optim::schedule::{CosineAnnealingLR, Rule};
use wengert::optim::{AdamW, Optimizer, clip_grad_norm_};
use wengert::{Reduction, Tensor, cat, cross_entropy, manual_seed, no_grad};

/// A 64-bit number that looks random: number `i` of the generator splitmix64.
pub fn hash(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

// Where the numbers of the formula begin that weights and data order are made of.
const WEIGHTS: u64 = 1 << 40;
const PLACES: u64 = 2 << 40;

/// Gives a model its first weights: matrices are spread evenly in ±1/√(length of a row), as PyTorch lays them; vectors
/// are 0, and 1 where they are scales of a normalisation.
pub fn begin(model: &dyn Module) {
    let mut next = WEIGHTS;
    let mut first = |name: &str, shape: &[usize]| -> Vec<f32> {
        let count = shape.iter().product();
        if shape.len() < 2 {
            let scale = name.ends_with("weight");
            return vec![f32::from(u8::from(scale)); count];
        }
        let bound = 1.0 / (shape[1..].iter().product::<usize>() as f64).sqrt();
        let numbers = (next..).take(count).map(|i| {
            let unit = (hash(i) >> 40) as f64 / f64::from(1 << 24);
            ((2.0 * unit - 1.0) * bound) as f32
        });
        let numbers = numbers.collect();
        next += count as u64;
        numbers
    };
    let state = model.state_dict().into_iter();
    let state = state.map(|(name, t)| {
        let shape = t.shape();
        let numbers = first(&name, &shape);
        (name, Tensor::from_vec(numbers, shape))
    });
    let state: StateDict = state.collect();
    model
        .load_state_dict(&state)
        .expect("they are the model's own names");
}

/// The names, one a line, in a mixed order. The last tenth is held out.
pub struct Names {
    /// Their letters, and the end of a line.
    pub vocabulary: Vocabulary,
    train: Vec<i64>,
    held_out: Vec<i64>,
}

impl Names {
    /// The 8,422 names that ship with the examples; `data/README.md` says where they come from.
    pub fn new() -> Names {
        let mut text = String::new();
        GzDecoder::new(&include_bytes!("../data/names.txt.gz")[..])
            .read_to_string(&mut text)
            .expect("the embedded data are whole");
        let vocabulary = Vocabulary::new(&text);
        let mut names: Vec<(u64, &str)> = (0..).map(hash).zip(text.lines()).collect();
        names.sort_unstable();
        let split = names.len() * 9 / 10;
        let numbers = |names: &[(u64, &str)]| {
            let lines: String = names.iter().map(|(_, name)| format!("\n{name}")).collect();
            vocabulary.encode(&lines).expect("its own letters").to_vec()
        };
        let (train, held_out) = (numbers(&names[..split]), numbers(&names[split..]));
        Names {
            vocabulary,
            train,
            held_out,
        }
    }

    /// The pieces of the text that a step sees, `[batch, context]`, and the letters that come next.
    pub fn batch(&self, step: usize, batch: usize, context: usize) -> [Tensor; 2] {
        let room = (self.train.len() - context) as u64;
        let rows = (step * batch..).take(batch);
        let starts = rows.map(|i| (hash(PLACES + i as u64) % room) as usize);
        pieces(&self.train, starts, context)
    }

    /// The mean loss on the names that are held out.
    pub fn held_out_loss(&self, model: &dyn Letters, context: usize) -> f64 {
        let pieces = pieces(
            &self.held_out,
            (0..self.held_out.len() - context).step_by(context),
            context,
        );
        no_grad(|| loss_of(model, &pieces)).item()
    }
}

impl Default for Names {
    fn default() -> Names {
        Names::new()
    }
}

/// Pieces of a text that begin there, and the same one letter later.
fn pieces(text: &[i64], starts: impl Iterator<Item = usize> + Clone, context: usize) -> [Tensor; 2] {
    [0, 1].map(|later| {
        let pieces = starts.clone().flat_map(|s| &text[s + later..][..context]);
        let numbers: Vec<i64> = pieces.copied().collect();
        let rows = numbers.len() / context;
        Tensor::from_vec(numbers, [rows, context])
    })
}

/// A model that reads letters, `[batch, time]`, and scores what may come after each, `[batch, time, letters]`.
pub trait Letters: Module {
    /// The scores.
    fn forward(&self, letters: &Tensor) -> Tensor;
}

fn loss_of(model: &dyn Letters, [x, y]: &[Tensor; 2]) -> Tensor {
    let scores = model.forward(x).flatten(0, 1);
    cross_entropy(&scores, &y.flatten(0, -1), Reduction::Mean, -100)
}

/// How a model is trained.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many steps.
    pub steps: usize,
    /// How many pieces of text a step sees.
    pub batch: usize,
    /// How long they are.
    pub context: usize,
    /// The learning rate of the first step, which falls along a cosine.
    pub learning_rate: f64,
}

impl Plan {
    /// The short run of the tests.
    pub const SHORT: Plan = Plan {
        steps: 40,
        batch: 8,
        context: 16,
        learning_rate: 1e-2,
    };

    /// Trains a model, from the weights it has. The losses before each step, each shown to `see`.
    pub fn train(&self, model: &dyn Letters, names: &Names, mut see: impl FnMut(f64)) -> Vec<f64> {
        let mut optimizer = AdamW::new(model.parameters(), self.learning_rate);
        let mut schedule = CosineAnnealingLR::new(self.steps).on(&mut optimizer);
        let one = |step| {
            let loss = loss_of(model, &names.batch(step, self.batch, self.context));
            optimizer.zero_grad();
            loss.backward();
            clip_grad_norm_(optimizer.parameters(), 1.0);
            optimizer.step();
            schedule.step(&mut optimizer);
            let loss = loss.item();
            see(loss);
            loss
        };
        (0..self.steps).map(one).collect()
    }
}

/// So many names that the model makes up. Below 1, `temperature` prefers what is likely.
pub fn sample(model: &dyn Letters, names: &Names, count: usize, temperature: f64) -> Vec<String> {
    let start = names.vocabulary.encode("\n").expect("each name has one");
    let mut text = start.expand([count, 1]);
    for _ in 0..20 {
        let scores = no_grad(|| model.forward(&text)).select(1, -1);
        let next = (scores / temperature).softmax(-1).multinomial(1, true);
        text = cat(&[&text, &next], 1);
    }
    let name = |i: usize| {
        let letters = names.vocabulary.decode(&text.select(0, i as isize));
        letters.lines().nth(1).unwrap_or_default().to_string()
    };
    (0..count).map(name).collect()
}

/// What PyTorch comes to from the same weights and data; `reference/letters.py` made it.
pub struct Reference {
    /// The losses of the short run.
    pub short: Vec<f64>,
    /// The largest difference between PyTorch's own short runs in f32 and in f64: what rounding does.
    pub rounding: f64,
    /// The long run's mean loss over its last 50 steps.
    pub last: f64,
    /// The long run's loss on the names that are held out.
    pub held_out: f64,
}

impl Reference {
    /// Of the example of this name, `gpt` or `lstm`.
    pub fn of(example: &str) -> Reference {
        let all: serde_json::Value =
            serde_json::from_str(include_str!("../reference/letters.json")).expect("it is JSON");
        let this = &all[example];
        let number = |name: &str| this[name].as_f64().expect("a number");
        let short = this["short"].as_array().expect("a list");
        Reference {
            short: short.iter().filter_map(serde_json::Value::as_f64).collect(),
            rounding: number("rounding"),
            last: number("last"),
            held_out: number("held_out"),
        }
    }
}

/// The mean of the last 50.
pub fn last(losses: &[f64]) -> f64 {
    let last = &losses[losses.len().saturating_sub(50)..];
    last.iter().sum::<f64>() / last.len() as f64
}

/// What an example's command line says.
struct Options {
    steps: usize,
    samples: usize,
    temperature: f64,
    out: PathBuf,
}

impl Options {
    fn parse(name: &str, plan: &Plan) -> Result<Option<Options>, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options = Options {
            steps: plan.steps,
            samples: 20,
            temperature: 0.8,
            out: format!("{name}-out").into(),
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("steps") => options.steps = parser.value()?.parse()?,
                Long("samples") => options.samples = parser.value()?.parse()?,
                Long("temperature") => options.temperature = parser.value()?.parse()?,
                Long("out") => options.out = parser.value()?.into(),
                Long("help") | Short('h') => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(options))
    }
}

/// The program of an example: trains the model, prints how the loss fell and what the model writes, and draws the loss.
///
/// # Errors
/// If the command line makes no sense, or the picture cannot be written.
pub fn run<M: Letters>(name: &str, plan: Plan, model: impl Fn(usize) -> M) -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse(name, &plan)? else {
        println!(
            "Trains a model that makes up names.

    --steps N          how long to train ({})
    --samples N        how many names to make up (20)
    --temperature T    below 1, likely letters are preferred (0.8)
    --out DIR          where the picture goes ({name}-out)",
            plan.steps
        );
        return Ok(());
    };
    std::fs::create_dir_all(&options.out)?;
    let long = Plan {
        steps: options.steps,
        ..plan
    };
    manual_seed(0);
    let names = Names::new();
    let model = model(names.vocabulary.len());
    begin(&model);
    println!(
        "{name}: {} parameters; {} letters to learn from, {} kinds of them",
        model.num_parameters(),
        names.train.len(),
        names.vocabulary.len()
    );
    let bar = ProgressBar::new(long.steps as u64).with_style(ProgressStyle::with_template(
        "{bar:36} {pos:>5}/{len} steps {per_sec} {eta:>4} left {msg}",
    )?);
    let (mut mean, mut curve, mut times) = (None, Vec::new(), Vec::new());
    let mut now = Instant::now();
    let mut done = 0;
    let losses = long.train(&model, &names, |loss| {
        times.push(now.elapsed());
        done += 1;
        let mean: &mut f64 = mean.get_or_insert(loss);
        *mean += (loss - *mean) * 0.05;
        if done % 100 == 0 {
            curve.push((done, names.held_out_loss(&model, long.context)));
            let held_out = curve[curve.len() - 1].1;
            bar.suspend(|| println!("step {done:>5}: loss {mean:.4}, held out {held_out:.4}"));
        }
        bar.set_message(format!("loss {mean:.4}"));
        bar.inc(1);
        now = Instant::now();
    });
    bar.finish();
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or(Duration::ZERO);
    println!(
        "{name}: loss {:.4} over the last 50 of {} steps, {:.4} held out; {:.1} ms a step",
        last(&losses),
        long.steps,
        names.held_out_loss(&model, long.context),
        middle.as_secs_f64() * 1e3
    );
    if long.steps == plan.steps {
        let theirs = Reference::of(name);
        println!(
            "PyTorch, from the same weights and data: {:.4}, and {:.4} held out",
            theirs.last, theirs.held_out
        );
    }
    println!("\nNames that the model makes up:");
    for some in sample(&model, &names, options.samples, options.temperature).chunks(5) {
        println!("    {}", some.join(", "));
    }
    let file = options.out.join("loss.svg");
    loss_curve(&file, &format!("{name}: loss a letter"), &losses, &curve)?;
    println!("\npicture: {}", file.display());
    Ok(())
}

/// Asserts that a model's short run gives PyTorch's losses; for the examples' tests.
///
/// In f32 rounding alone moves a loss, and training lets that grow: the bound is twenty times what PyTorch's own runs in
/// f32 and in f64 differ by.
///
/// # Panics
/// If it does not.
pub fn assert_follows_pytorch(name: &str, model: &dyn Letters) {
    let names = Names::new();
    begin(model);
    let theirs = Reference::of(name);
    let ours = Plan::SHORT.train(model, &names, |_| {});
    assert_eq!(ours.len(), theirs.short.len());
    assert!(
        last(&theirs.short[30..]) < 0.9 * theirs.short[0],
        "the reference learned"
    );
    let apart = ours.iter().zip(&theirs.short).map(|(a, b)| (a - b).abs());
    let apart = apart.fold(0.0, f64::max);
    println!(
        "{name}: {apart:.1e} apart, rounding alone {:.1e}",
        theirs.rounding
    );
    assert!(apart <= 20.0 * theirs.rounding, "{apart:e} apart: {ours:?}");
    let some = sample(model, &names, 3, 0.8);
    let letter = |c: char| c.is_ascii_alphabetic() || c == '-';
    assert!(some.iter().all(|name| name.chars().all(letter)), "{some:?}");
}
