//! A trainer.

use super::log::Log;
use super::progress::{At, Progress};
use crate::data::{Collate, DataLoader, Dataset};
use crate::io::{self, Value};
use crate::nn::Module;
use crate::optim::schedule::{Mode, ReduceLROnPlateau, Scheduler};
use crate::optim::{EMA, GradScaler, Optimizer, clip_grad_norm_};
use crate::tensor::Tensor;
use crate::with_generator;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wengert_array::kernels::Generator;
use wengert_array::{Error, ErrorKind, Result};

type Validate<'a> = Box<dyn FnMut() -> f64 + 'a>;

/// Trains a model: epochs, steps, accumulation, clipping, schedule, validation, early stopping, checkpoints, logs.
///
/// With a directory for checkpoints, a run that was killed goes on from its last checkpoint and ends, bit for bit, where
/// it would have ended: the checkpoint holds model, optimizer, schedule, random state and the place in the data.
///
/// ```
/// use wengert::Tensor;
/// use wengert::data::{DataLoader, TensorDataset};
/// use wengert::nn::{Layer, Linear, MSELoss, Module};
/// use wengert::optim::Adam;
/// use wengert::train::Trainer;
///
/// let x = Tensor::randn([64, 3]);
/// let y = x.sum_dim(1, true);
/// let loader = DataLoader::new(TensorDataset::new([x, y])).batch_size(16).shuffle(true);
/// let model = Linear::new(3, 1);
/// let mut optimizer = Adam::new(model.parameters(), 0.05);
/// let report = Trainer::new(30)
///     .fit(&model, &mut optimizer, &loader, |[x, y]| MSELoss::new().forward(&model.forward(x), y))
///     .unwrap();
/// assert!(report.losses[29] < 0.1 * report.losses[0]);
/// ```
pub struct Trainer<'a> {
    epochs: usize,
    accumulate: usize,
    clip: Option<f64>,
    schedule: Option<(Scheduler, bool)>,
    plateau: Option<ReduceLROnPlateau>,
    scaler: Option<&'a mut GradScaler>,
    average: Option<&'a mut EMA>,
    validate: Option<(Validate<'a>, Mode)>,
    patience: Option<usize>,
    directory: Option<PathBuf>,
    every: Option<usize>,
    logs: Vec<Box<dyn Log + 'a>>,
    progress: Option<Progress>,
    stop: Arc<AtomicBool>,
    #[cfg(feature = "ctrl-c")]
    interrupts: Option<super::interrupt::Interrupts>,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The mean loss of each epoch.
    pub losses: Vec<f64>,
    /// The validation's measure after each epoch.
    pub measures: Vec<f64>,
    /// The best measure and its epoch.
    pub best: Option<(f64, usize)>,
    /// How many times the parameters were changed.
    pub steps: usize,
    /// Whether it ended before the last epoch.
    pub stopped_early: bool,
}

impl<'a> Trainer<'a> {
    /// For so many epochs.
    pub fn new(epochs: usize) -> Trainer<'a> {
        Trainer {
            epochs,
            accumulate: 1,
            clip: None,
            schedule: None,
            plateau: None,
            scaler: None,
            average: None,
            validate: None,
            patience: None,
            directory: None,
            every: None,
            logs: Vec::new(),
            progress: None,
            stop: Arc::default(),
            #[cfg(feature = "ctrl-c")]
            interrupts: None,
        }
    }

    /// Adds up the gradients of so many batches for each step.
    #[must_use]
    pub fn accumulate(self, batches: usize) -> Trainer<'a> {
        Trainer {
            accumulate: batches.max(1),
            ..self
        }
    }

    /// Bounds the norm of the gradients.
    #[must_use]
    pub fn clip_grad_norm(self, max_norm: f64) -> Trainer<'a> {
        Trainer {
            clip: Some(max_norm),
            ..self
        }
    }

    /// Steps this schedule after each epoch.
    #[must_use]
    pub fn schedule(self, schedule: Scheduler) -> Trainer<'a> {
        Trainer {
            schedule: Some((schedule, false)),
            ..self
        }
    }

    /// Steps this schedule after each step of the optimizer.
    #[must_use]
    pub fn schedule_steps(self, schedule: Scheduler) -> Trainer<'a> {
        Trainer {
            schedule: Some((schedule, true)),
            ..self
        }
    }

    /// Gives this schedule the validation's measure after each epoch.
    #[must_use]
    pub fn schedule_plateau(self, schedule: ReduceLROnPlateau) -> Trainer<'a> {
        Trainer {
            plateau: Some(schedule),
            ..self
        }
    }

    /// Scales losses by this, so that small gradients survive half precision: see [`autocast`](crate::autocast), inside
    /// which the loss is to be computed. A step whose gradients overflow is left out, and counts.
    #[must_use]
    pub fn scaler(self, scaler: &'a mut GradScaler) -> Trainer<'a> {
        Trainer {
            scaler: Some(scaler),
            ..self
        }
    }

    /// Keeps a running mean of the weights: it takes in the model after each step.
    #[must_use]
    pub fn average(self, average: &'a mut EMA) -> Trainer<'a> {
        Trainer {
            average: Some(average),
            ..self
        }
    }

    /// Measures after each epoch, in evaluation mode and without recording; the mode says whether small or large is good.
    /// Random numbers drawn meanwhile do not change the training.
    #[must_use]
    pub fn validate(self, mode: Mode, measure: impl FnMut() -> f64 + 'a) -> Trainer<'a> {
        Trainer {
            validate: Some((Box::new(measure), mode)),
            ..self
        }
    }

    /// Ends when the measure has not become better for so many epochs.
    #[must_use]
    pub fn patience(self, epochs: usize) -> Trainer<'a> {
        Trainer {
            patience: Some(epochs),
            ..self
        }
    }

    /// Keeps `last.safetensors`, from which a later run goes on, and `best.safetensors`, the model at the best measure,
    /// in this directory.
    #[must_use]
    pub fn checkpoints(self, directory: impl AsRef<Path>) -> Trainer<'a> {
        Trainer {
            directory: Some(directory.as_ref().to_path_buf()),
            ..self
        }
    }

    /// Writes the checkpoint after so many steps too, and not only after each epoch.
    #[must_use]
    pub fn checkpoint_every(self, steps: usize) -> Trainer<'a> {
        Trainer {
            every: Some(steps.max(1)),
            ..self
        }
    }

    /// Keeps the numbers of each epoch in this log too.
    #[must_use]
    pub fn log(mut self, log: impl Log + 'a) -> Trainer<'a> {
        self.logs.push(Box::new(log));
        self
    }

    /// Shows how far it is on the console (standard error): a bar with loss, learning rate, measure, speed and the time
    /// left; where that is no terminal, a line for each epoch.
    #[must_use]
    pub fn progress(self) -> Trainer<'a> {
        Trainer {
            progress: Some(Progress::new()),
            ..self
        }
    }

    /// Ctrl-C, or a request to end (SIGTERM), ends the run after the current step, with a checkpoint; the second one ends
    /// the process at once, as does one after the run.
    ///
    /// # Errors
    /// If the system refuses.
    #[cfg(feature = "ctrl-c")]
    pub fn stop_on_ctrl_c(mut self) -> Result<Trainer<'a>> {
        self.interrupts = Some(super::interrupt::Interrupts::new(&self.stop)?);
        Ok(self)
    }

    /// When this is set, for instance by a handler of Ctrl-C, the run ends after the current step, with a checkpoint.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// Trains: `loss` is the mean loss of a batch.
    ///
    /// # Errors
    /// If data cannot be read, a checkpoint or log cannot be written, a checkpoint that is there does not fit, or the loss
    /// is not finite.
    pub fn fit<D: Dataset + 'static>(
        mut self,
        model: &dyn Module,
        optimizer: &mut dyn Optimizer,
        loader: &DataLoader<D>,
        mut loss: impl FnMut(&<D::Item as Collate>::Batch) -> Tensor,
    ) -> Result<Report> {
        let mut state = State::default();
        if let Some(directory) = self.directory.clone() {
            std::fs::create_dir_all(&directory).map_err(|e| {
                let message = format!("cannot make `{}`: {e}", directory.display());
                Error::new(ErrorKind::Io, "fit", message)
            })?;
            let [last, best] = ["last", "best"].map(|name| directory.join(format!("{name}.safetensors")));
            [&last, &best]
                .into_iter()
                .for_each(|path| io::remove_leftovers(path));
            if last.exists() {
                state = self.resume(&io::load(&last)?, model, optimizer, loader)?;
            }
        }
        model.train();
        while !state.over && state.epoch < self.epochs {
            let mut batches = loader.iter();
            let count = batches.len();
            let mut waiting = 0;
            for i in 0..count {
                let Some(batch) = batches.next() else { break };
                let batch = batch?;
                if waiting == 0 {
                    optimizer.zero_grad();
                }
                // What is left at the end of an epoch is a step of its own, of the mean of its batches.
                let parts = self.accumulate.min(waiting + count - i);
                let value = loss(&batch);
                let number = value.item();
                if !number.is_finite() {
                    let message = format!(
                        "the loss is {number} in step {} of epoch {}",
                        state.report.steps + 1,
                        state.epoch
                    );
                    return Err(Error::new(ErrorKind::Value, "fit", message)
                        .note("the step was not taken; the last checkpoint is as it was"));
                }
                let value = if parts > 1 { value / parts as f64 } else { value };
                match &self.scaler {
                    Some(scaler) => scaler.scale(&value).backward(),
                    None => value.backward(),
                }
                state.sum += number;
                state.batches += 1;
                if let Some(progress) = &mut self.progress {
                    progress.batch(state.at(self.epochs, loader.len(), optimizer));
                }
                waiting += 1;
                if waiting < parts {
                    continue;
                }
                waiting = 0;
                if let Some(scaler) = &mut self.scaler {
                    scaler.unscale_(optimizer);
                }
                if let Some(max_norm) = self.clip {
                    clip_grad_norm_(optimizer.parameters(), max_norm);
                }
                match &mut self.scaler {
                    Some(scaler) => _ = scaler.step(optimizer),
                    None => optimizer.step(),
                }
                state.report.steps += 1;
                if let Some(average) = &mut self.average {
                    average.update(model);
                }
                if let Some((schedule, true)) = &mut self.schedule {
                    schedule.step(optimizer);
                }
                let stop = self.stop.load(Ordering::Relaxed);
                let due = self.every.is_some_and(|n| state.report.steps.is_multiple_of(n));
                // The end of an epoch has a checkpoint of its own.
                if (due || stop) && i + 1 < count {
                    self.save(&state, model, optimizer, loader)?;
                    if stop {
                        state.report.stopped_early = true;
                        return Ok(state.report);
                    }
                }
            }
            drop(batches);
            self.end_epoch(&mut state, model, optimizer, loader.len())?;
            self.save(&state, model, optimizer, loader)?;
            if self.stop.load(Ordering::Relaxed) && state.epoch < self.epochs {
                state.report.stopped_early = true;
                break;
            }
        }
        Ok(state.report)
    }

    fn end_epoch(
        &mut self,
        state: &mut State,
        model: &dyn Module,
        optimizer: &mut dyn Optimizer,
        batches: usize,
    ) -> Result<()> {
        let mean = state.sum / state.batches as f64;
        state.report.losses.push(mean);
        let at = state.at(self.epochs, batches, optimizer);
        (state.sum, state.batches) = (0.0, 0);
        let mut values = vec![("loss", mean), ("lr", optimizer.learning_rate())];
        if let Some((validate, mode)) = &mut self.validate {
            let random = with_generator(|g| g.state());
            model.eval();
            let measure = crate::autograd::no_grad(validate);
            model.train();
            with_generator(|g| *g = Generator::from_state(random));
            state.report.measures.push(measure);
            values.push(("measure", measure));
            let better = |best: f64| {
                if *mode == Mode::Min {
                    measure < best
                } else {
                    measure > best
                }
            };
            if state.report.best.is_none_or(|(best, _)| better(best)) {
                state.report.best = Some((measure, state.epoch));
                if let Some(directory) = &self.directory {
                    io::save(directory.join("best.safetensors"), &model.state_dict().into())?;
                }
            }
            let since = state.report.best.map_or(0, |(_, epoch)| state.epoch - epoch);
            if self.patience.is_some_and(|p| since >= p) {
                state.over = true;
                state.report.stopped_early = true;
            }
            if let Some(plateau) = &mut self.plateau {
                plateau.step(optimizer, measure);
            }
        }
        if let Some((schedule, false)) = &mut self.schedule {
            schedule.step(optimizer);
        }
        if let Some(progress) = &mut self.progress {
            let measure = state.report.measures.last().copied();
            progress.epoch(At { measure, ..at });
        }
        for log in &mut self.logs {
            log.log(state.report.steps, &values)?;
        }
        state.epoch += 1;
        Ok(())
    }

    fn save<D: Dataset + 'static>(
        &self,
        state: &State,
        model: &dyn Module,
        optimizer: &dyn Optimizer,
        loader: &DataLoader<D>,
    ) -> Result<()> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        // The bits, since the numbers may be too large for a signed integer.
        let random = with_generator(|g| g.state()).map(|v| Value::Int(v as i64));
        let checkpoint = Value::dict([
            ("model", model.state_dict().into()),
            ("optimizer", optimizer.state_dict()),
            (
                "schedule",
                self.schedule.as_ref().map(|(s, _)| s.state_dict()).into(),
            ),
            (
                "plateau",
                self.plateau.as_ref().map(ReduceLROnPlateau::state_dict).into(),
            ),
            ("scaler", self.scaler.as_ref().map(|s| s.state_dict()).into()),
            (
                "average",
                self.average.as_ref().map(|a| Value::from(a.means())).into(),
            ),
            ("random", Value::List(random.to_vec())),
            ("data", loader.state_dict()),
            ("trainer", state.save()),
        ]);
        io::save(directory.join("last.safetensors"), &checkpoint)
    }

    fn resume<D: Dataset + 'static>(
        &mut self,
        saved: &Value,
        model: &dyn Module,
        optimizer: &mut dyn Optimizer,
        loader: &DataLoader<D>,
    ) -> Result<State> {
        model.load_state_dict(&saved.entry("model")?.to_state_dict()?)?;
        optimizer.load_state_dict(saved.entry("optimizer")?)?;
        if let Some(saved) = part(saved, "schedule", self.schedule.is_some())?
            && let Some((schedule, _)) = &mut self.schedule
        {
            schedule.load_state_dict(saved)?;
        }
        if let Some(saved) = part(saved, "plateau", self.plateau.is_some())?
            && let Some(plateau) = &mut self.plateau
        {
            plateau.load_state_dict(saved)?;
        }
        if let Some(saved) = part(saved, "scaler", self.scaler.is_some())?
            && let Some(scaler) = &mut self.scaler
        {
            scaler.load_state_dict(saved)?;
        }
        if let Some(saved) = part(saved, "average", self.average.is_some())?
            && let Some(average) = &mut self.average
        {
            average.set_means(&saved.to_state_dict()?);
        }
        loader.load_state_dict(saved.entry("data")?)?;
        let random = saved.entry("random")?.items().unwrap_or_default();
        let random: Option<Vec<u64>> = random.iter().map(|v| v.as_i64().map(|v| v as u64)).collect();
        let random: Option<[u64; 2]> = random.and_then(|r| r.try_into().ok());
        let random = random.ok_or_else(|| {
            Error::new(
                ErrorKind::Value,
                "fit",
                "the checkpoint's random state is not two integers",
            )
        })?;
        let state = State::load(saved.entry("trainer")?)?;
        with_generator(|g| *g = Generator::from_state(random));
        for log in &mut self.logs {
            log.resumed(&state.report)?;
        }
        Ok(state)
    }
}

/// The state of a part of the training, which a checkpoint must have where this run has that part, and else not.
fn part<'v>(checkpoint: &'v Value, name: &str, here: bool) -> Result<Option<&'v Value>> {
    let saved = checkpoint.get(name).filter(|saved| !matches!(saved, Value::None));
    let message = match (saved.is_some(), here) {
        (true, false) => format!("the checkpoint has a {name}, and this run has none"),
        (false, true) => format!("the checkpoint has no {name}, and this run has one"),
        _ => return Ok(saved),
    };
    Err(Error::new(ErrorKind::Value, "fit", message))
}

/// How far a run is.
#[derive(Default)]
struct State {
    epoch: usize,
    /// Of the epoch under way.
    sum: f64,
    batches: usize,
    over: bool,
    report: Report,
}

impl State {
    fn at(&self, epochs: usize, batches: usize, optimizer: &dyn Optimizer) -> At {
        At {
            epoch: self.epoch,
            epochs,
            batch: self.batches,
            batches,
            loss: self.sum / self.batches as f64,
            rate: optimizer.learning_rate(),
            measure: self.report.measures.last().copied(),
        }
    }

    fn save(&self) -> Value {
        let list = |v: &[f64]| Value::List(v.iter().map(|v| Value::Float(*v)).collect());
        let best = self
            .report
            .best
            .map(|(v, e)| Value::List(vec![v.into(), e.into()]));
        Value::dict([
            ("epoch", self.epoch.into()),
            ("sum", self.sum.into()),
            ("batches", self.batches.into()),
            ("over", self.over.into()),
            ("losses", list(&self.report.losses)),
            ("measures", list(&self.report.measures)),
            ("best", best.into()),
            ("steps", self.report.steps.into()),
        ])
    }

    fn load(saved: &Value) -> Result<State> {
        let wrong = |name: &str| {
            let message = format!("the checkpoint's `{name}` makes no sense");
            Error::new(ErrorKind::Value, "fit", message)
        };
        let count = |name: &str| {
            let n = saved.entry(name)?.as_i64().and_then(|v| usize::try_from(v).ok());
            n.ok_or_else(|| wrong(name))
        };
        let list = |name: &str| {
            let items = saved.entry(name)?.items();
            items
                .and_then(|v| v.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>())
                .ok_or_else(|| wrong(name))
        };
        let best = match saved.entry("best")?.items() {
            Some([v, e]) => v.as_f64().zip(e.as_i64().map(|e| e as usize)),
            _ => None,
        };
        let over = saved.entry("over")?.as_bool().ok_or_else(|| wrong("over"))?;
        Ok(State {
            epoch: count("epoch")?,
            sum: saved.entry("sum")?.as_f64().ok_or_else(|| wrong("sum"))?,
            batches: count("batches")?,
            over,
            report: Report {
                losses: list("losses")?,
                measures: list("measures")?,
                best,
                steps: count("steps")?,
                stopped_early: over,
            },
        })
    }
}
