//! Batches, in order or shuffled, prepared by several threads.

use super::collate::Collate;
use super::dataset::Dataset;
use super::generator_for;
use crate::io::Value;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use wengert_array::{Error, ErrorKind, Result, raise};

/// Iterates over a dataset in batches.
///
/// What it yields depends on the seed and the number of the epoch, never on the number of threads. Each iteration is one
/// epoch, with an order of its own; its state is the epoch and the number of batches done, so that a
/// run that was stopped goes on with the next batch.
#[derive(Debug)]
pub struct DataLoader<D> {
    dataset: Arc<D>,
    batch_size: usize,
    shuffle: bool,
    drop_last: bool,
    workers: usize,
    prefetch: usize,
    seed: u64,
    epoch: AtomicU64,
    done: AtomicUsize,
}

impl<D: Dataset + 'static> DataLoader<D> {
    /// One example a batch, in order, prepared by the thread that asks.
    pub fn new(dataset: D) -> DataLoader<D> {
        DataLoader {
            dataset: Arc::new(dataset),
            batch_size: 1,
            shuffle: false,
            drop_last: false,
            workers: 0,
            prefetch: 2,
            seed: 0,
            epoch: AtomicU64::new(0),
            done: AtomicUsize::new(0),
        }
    }

    /// With so many examples in a batch.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn batch_size(self, batch_size: usize) -> DataLoader<D> {
        if batch_size == 0 {
            raise(Error::new(
                ErrorKind::Value,
                "DataLoader",
                "a batch must have at least one example",
            ));
        }
        DataLoader { batch_size, ..self }
    }

    /// In a new random order each epoch, or in order.
    #[must_use]
    pub fn shuffle(self, shuffle: bool) -> DataLoader<D> {
        DataLoader { shuffle, ..self }
    }

    /// Leaves out the last batch where it is smaller than the others.
    #[must_use]
    pub fn drop_last(self, drop_last: bool) -> DataLoader<D> {
        DataLoader { drop_last, ..self }
    }

    /// With so many threads that prepare batches ahead; 0 is none but the one that asks.
    #[must_use]
    pub fn workers(self, workers: usize) -> DataLoader<D> {
        DataLoader { workers, ..self }
    }

    /// Each thread may be so many batches ahead; 2 by default.
    #[must_use]
    pub fn prefetch(self, prefetch: usize) -> DataLoader<D> {
        DataLoader {
            prefetch: prefetch.max(1),
            ..self
        }
    }

    /// With this seed for orders and augmentation.
    #[must_use]
    pub fn seed(self, seed: u64) -> DataLoader<D> {
        DataLoader { seed, ..self }
    }

    /// The dataset.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// How many batches an epoch has.
    pub fn len(&self) -> usize {
        let n = self.dataset.len();
        if self.drop_last {
            n / self.batch_size
        } else {
            n.div_ceil(self.batch_size)
        }
    }

    /// Whether an epoch has no batches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the epoch that is under way, or comes next.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Where it is: the epoch, and how many of its batches are done.
    pub fn state_dict(&self) -> Value {
        Value::dict([
            ("epoch", (self.epoch() as i64).into()),
            ("done", self.done.load(Ordering::Relaxed).into()),
        ])
    }

    /// Goes to where another one was: the next iteration begins there.
    ///
    /// # Errors
    /// If a number is missing; then nothing was changed.
    pub fn load_state_dict(&self, saved: &Value) -> Result<()> {
        let count = |name: &str| {
            let value = saved.entry(name)?;
            value.as_i64().and_then(|v| u64::try_from(v).ok()).ok_or_else(|| {
                let message = format!("`{name}` must be a count, and is {value}");
                Error::new(ErrorKind::Value, "load_state_dict", message)
            })
        };
        let (epoch, done) = (count("epoch")?, count("done")?);
        self.epoch.store(epoch, Ordering::Relaxed);
        self.done.store(done as usize, Ordering::Relaxed);
        Ok(())
    }

    /// One epoch, or what is left of it.
    pub fn iter(&self) -> Batches<'_, D> {
        let (n, epoch) = (self.dataset.len(), self.epoch());
        let order: Vec<usize> = if self.shuffle {
            // The order's generator is that of an example that no dataset has.
            let order = generator_for(self.seed, epoch, u64::MAX).permutation(n);
            order.as_slice::<i64>().iter().map(|i| *i as usize).collect()
        } else {
            (0..n).collect()
        };
        let next = self.done.load(Ordering::Relaxed).min(self.len());
        let plan = Arc::new(Plan {
            dataset: self.dataset.clone(),
            order,
            batch_size: self.batch_size,
            seed: self.seed,
            epoch,
        });
        let pool =
            (self.workers > 0).then(|| Pool::new(&plan, self.workers, self.prefetch, next, self.len()));
        Batches {
            loader: self,
            plan,
            pool,
            next,
        }
    }
}

impl<'a, D: Dataset + 'static> IntoIterator for &'a DataLoader<D> {
    type Item = Result<<D::Item as Collate>::Batch>;
    type IntoIter = Batches<'a, D>;
    fn into_iter(self) -> Batches<'a, D> {
        self.iter()
    }
}

struct Plan<D> {
    dataset: Arc<D>,
    order: Vec<usize>,
    batch_size: usize,
    seed: u64,
    epoch: u64,
}

type Batch<D> = <<D as Dataset>::Item as Collate>::Batch;

impl<D: Dataset> Plan<D> {
    fn batch(&self, i: usize) -> Result<Batch<D>> {
        let start = i * self.batch_size;
        let rows = &self.order[start..(start + self.batch_size).min(self.order.len())];
        self.dataset.batch(rows, self.seed, self.epoch)
    }
}

type Made<D> = std::result::Result<Result<Batch<D>>, Box<dyn Any + Send>>;

/// Threads that take numbers of batches and give batches back.
struct Pool<D: Dataset> {
    /// Gone when the pool is to end.
    jobs: Option<Sender<usize>>,
    made: Receiver<(usize, Made<D>)>,
    /// What came before its turn.
    early: BTreeMap<usize, Made<D>>,
    asked: usize,
    threads: Vec<JoinHandle<()>>,
}

impl<D: Dataset + 'static> Pool<D> {
    fn new(plan: &Arc<Plan<D>>, workers: usize, prefetch: usize, next: usize, end: usize) -> Pool<D> {
        let (jobs, queue) = channel::<usize>();
        let queue = Arc::new(Mutex::new(queue));
        let (give, made) = channel();
        let thread = |_| {
            let (plan, queue, give) = (plan.clone(), queue.clone(), give.clone());
            std::thread::spawn(move || {
                loop {
                    let job = crate::autograd::lock(&queue).recv();
                    let Ok(i) = job else { return };
                    let made = catch_unwind(AssertUnwindSafe(|| plan.batch(i)));
                    if give.send((i, made)).is_err() {
                        return;
                    }
                }
            })
        };
        let threads = (0..workers).map(thread).collect();
        let mut pool = Pool {
            jobs: Some(jobs),
            made,
            early: BTreeMap::new(),
            asked: next,
            threads,
        };
        for _ in 0..workers * prefetch {
            pool.ask(end);
        }
        pool
    }

    fn ask(&mut self, end: usize) {
        if self.asked < end
            && let Some(jobs) = &self.jobs
            && jobs.send(self.asked).is_ok()
        {
            self.asked += 1;
        }
    }

    fn take(&mut self, i: usize) -> Result<Batch<D>> {
        let made = loop {
            if let Some(made) = self.early.remove(&i) {
                break made;
            }
            let (j, made) = self
                .made
                .recv()
                .expect("a thread sends something for each job, even if it panics");
            self.early.insert(j, made);
        };
        made.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl<D: Dataset> Drop for Pool<D> {
    fn drop(&mut self) {
        self.jobs = None;
        // What is still in the queue is not prepared any more: each thread ends after the batch it is at.
        self.threads.drain(..).for_each(|t| drop(t.join()));
    }
}

/// The batches of one epoch; see [`DataLoader::iter`].
pub struct Batches<'a, D: Dataset> {
    loader: &'a DataLoader<D>,
    plan: Arc<Plan<D>>,
    pool: Option<Pool<D>>,
    next: usize,
}

impl<D: Dataset + 'static> Iterator for Batches<'_, D> {
    type Item = Result<Batch<D>>;

    fn next(&mut self) -> Option<Result<Batch<D>>> {
        let end = self.loader.len();
        if self.next >= end {
            return None;
        }
        let i = self.next;
        self.next += 1;
        self.loader.done.store(self.next, Ordering::Relaxed);
        Some(match &mut self.pool {
            None => self.plan.batch(i),
            Some(pool) => {
                let batch = pool.take(i);
                pool.ask(end);
                batch
            }
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.loader.len() - self.next.min(self.loader.len());
        (left, Some(left))
    }
}

impl<D: Dataset + 'static> ExactSizeIterator for Batches<'_, D> {}

/// The epoch is over, also if not all of it was wanted.
impl<D: Dataset> Drop for Batches<'_, D> {
    fn drop(&mut self) {
        self.loader.epoch.fetch_add(1, Ordering::Relaxed);
        self.loader.done.store(0, Ordering::Relaxed);
    }
}
