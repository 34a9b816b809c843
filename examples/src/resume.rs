//! A training that is killed again and again, and ends where one that was left alone ends.

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use wengert::data::{DataLoader, Dataset, Generator};
use wengert::nn::{BatchNorm1d, CrossEntropyLoss, Dropout, Layer, Linear, Module, ReLU, Sequential};
use wengert::optim::AdamW;
use wengert::optim::schedule::{Mode, OneCycleLR, Rule};
use wengert::train::{CsvLog, Report, Trainer, accuracy};
use wengert::{Tensor, manual_seed, with_generator};

/// How many steps the training takes: 48 epochs of 15.
pub const STEPS: usize = 48 * 15;

/// The files that must be the same in the end.
pub const FILES: [&str; 3] = ["last.safetensors", "best.safetensors", "log.csv"];

/// Digits with noise, which is drawn anew whenever one is read.
struct Noisy {
    pixels: Tensor,
    labels: Tensor,
}

impl Dataset for Noisy {
    type Item = [Tensor; 2];
    fn len(&self) -> usize {
        self.labels.numel()
    }
    fn get(&self, index: usize, random: &mut Generator) -> wengert::Result<[Tensor; 2]> {
        let x = self.pixels.select(0, index as isize);
        let noise = Tensor::from(random.normal(&x.shape(), 0.0, 0.1, x.dtype()));
        Ok([x + noise, self.labels.select(0, index as isize)])
    }
}

/// Trains with all that has a state: weights and running statistics, an optimizer's moments, a schedule, dropout,
/// accumulated gradients, shuffled and noisy data that a thread prepares, the best model, a log. What is in `directory`
/// already is gone on with. `before` is called before each batch.
pub fn train(directory: &Path, mut before: impl FnMut()) -> wengert::Result<Report> {
    manual_seed(17);
    let images = crate::digits();
    let part = |start, n| Noisy {
        pixels: images.pixels.narrow(0, start, n),
        labels: images.labels.narrow(0, start, n),
    };
    let (data, test) = (part(0, 600), part(1600, 150));
    let loader = DataLoader::new(data)
        .batch_size(20)
        .shuffle(true)
        .seed(5)
        .workers(1);
    let model = Sequential::new()
        .add(Linear::new(64, 48))
        .add(BatchNorm1d::new(48))
        .add(ReLU)
        .add(Dropout::new(0.25))
        .add(Linear::new(48, 10));
    let mut optimizer = AdamW::new(model.parameters(), 0.0).weight_decay(0.05);
    let schedule = OneCycleLR::new(0.01, STEPS).on(&mut optimizer);
    Trainer::new(48)
        .accumulate(2)
        .clip_grad_norm(1.0)
        .schedule_steps(schedule)
        .validate(Mode::Max, || {
            // Draws random numbers, which must not change the training.
            with_generator(|g| g.next_u64());
            accuracy(&model.forward(&test.pixels), &test.labels)
        })
        .checkpoints(directory)
        .checkpoint_every(2)
        .log(CsvLog::new(directory.join("log.csv")))
        .stop_on_ctrl_c()?
        .fit(&model, &mut optimizer, &loader, |[x, y]| {
            before();
            CrossEntropyLoss::new().forward(&model.forward(x), y)
        })
}

/// [`train`] for a process of its own: before each batch it waits for a byte on standard input, or its end, and then says
/// on standard output that it begins.
pub fn life(directory: &Path) -> wengert::Result<Report> {
    train(directory, || {
        // At the end of the input nobody holds it back any more.
        let _ = std::io::stdin().read(&mut [0]);
        println!("batch");
    })
}

/// Lets a [`life`] begin so many batches more.
pub fn go_on(child: &mut Child, batches: usize) -> std::io::Result<()> {
    let input = child.stdin.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
    input.write_all(&vec![b'.'; batches])?;
    input.flush()
}

/// What came of a training that was killed often.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many processes were killed before they came to the end.
    pub kills: usize,
    /// How many of those had not begun their first batch.
    pub starting: usize,
    /// How many of those were writing a checkpoint: they have left half a file.
    pub writing: usize,
    /// How many batches were computed in all, those that were lost and computed again among them.
    pub batches: usize,
    /// Which of [`FILES`] differ from those of the training that was left alone.
    pub different: Vec<String>,
    /// What was left in the directory besides.
    pub left: Vec<String>,
}

/// Runs the training once undisturbed and once killed `kills` times, each in a directory within `scratch`. `start` makes
/// the command whose process calls [`life`].
pub fn kill_and_resume(
    start: impl Fn(&Path) -> Command,
    scratch: &Path,
    kills: usize,
    seed: u64,
) -> Result<Outcome, Box<dyn Error>> {
    let (whole, killed) = (scratch.join("undisturbed"), scratch.join("killed"));
    for directory in [&whole, &killed] {
        if directory.exists() {
            std::fs::remove_dir_all(directory)?;
        }
        std::fs::create_dir_all(directory)?;
    }
    let begin = |directory: &Path| {
        start(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
    };
    let end = |child: &mut Child| -> Result<usize, Box<dyn Error>> {
        drop(child.stdin.take());
        let batches = lines(child).count();
        match child.wait()? {
            status if status.success() => Ok(batches),
            status => Err(format!("the training failed: {status}").into()),
        }
    };
    end(&mut begin(&whole)?)?;

    let mut outcome = Outcome::default();
    let mut random = Generator::new(seed);
    let mut draw = |low, high| {
        let drawn = random.integers(&[].into(), low, high).to_vec::<i64>();
        drawn[0] as u64
    };
    while outcome.kills < kills {
        let before = half_written(&killed)?;
        let mut child = begin(&killed)?;
        let mut batches = lines(&mut child);
        // It may begin a few batches more than are waited for, and so cannot come to its end before it is killed.
        let kind = draw(0, 4);
        let mut seen = if kind == 0 { 0 } else { draw(1, 20) as usize };
        if seen > 0 {
            go_on(&mut child, seen + 5)?;
        }
        seen = batches.by_ref().take(seen).count();
        match kind {
            // While it starts, or before its first batch.
            0 => std::thread::sleep(Duration::from_micros(draw(0, 8000))),
            // Somewhere between.
            1 => std::thread::sleep(Duration::from_micros(draw(0, 2000))),
            // While it writes, if it does soon.
            _ => {
                let began = Instant::now();
                while half_written(&killed)?.is_subset(&before) && began.elapsed() < Duration::from_millis(20)
                {
                    std::hint::spin_loop();
                }
            }
        }
        child.kill()?;
        seen += batches.count();
        let status = child.wait()?;
        outcome.batches += seen;
        if !is_kill(status) {
            return Err(format!("it was to be killed, and ended by itself: {status}").into());
        }
        outcome.kills += 1;
        outcome.starting += usize::from(seen == 0);
        outcome.writing += usize::from(!half_written(&killed)?.is_subset(&before));
    }
    outcome.batches += end(&mut begin(&killed)?)?;
    for name in FILES {
        if std::fs::read(whole.join(name))? != std::fs::read(killed.join(name))? {
            outcome.different.push(name.to_string());
        }
    }
    for entry in std::fs::read_dir(&killed)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !FILES.contains(&name.as_str()) {
            outcome.left.push(name);
        }
    }
    Ok(outcome)
}

/// The batches that a process begins, as it says so.
fn lines(child: &mut Child) -> impl Iterator<Item = ()> + use<> {
    let out = child.stdout.take().into_iter();
    let lines = out.flat_map(|out| BufReader::new(out).lines().map_while(Result::ok));
    lines.filter(|line| line == "batch").map(|_| ())
}

/// Files that are being written, or were when their process was killed.
fn half_written(directory: &Path) -> std::io::Result<BTreeSet<OsString>> {
    let names = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<std::io::Result<BTreeSet<OsString>>>()?;
    Ok(names
        .into_iter()
        .filter(|name| name.as_encoded_bytes().ends_with(b".tmp"))
        .collect())
}

#[cfg(unix)]
fn is_kill(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(9)
}

#[cfg(not(unix))]
fn is_kill(status: ExitStatus) -> bool {
    !status.success()
}
