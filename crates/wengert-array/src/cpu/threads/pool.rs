//! The threads that help: they look for work for a moment before they sleep.
//!
//! A training loop forks many times a millisecond. Waking a sleeping thread takes tens of microseconds, one that
//! still looks a fraction of one; but looking for long would take a core from others on a busy machine.

use super::place::{Places, here};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How long a thread looks for work, or for the others' end, before it sleeps.
const LOOK: Duration = Duration::from_micros(30);

/// After how many jobs that nobody came to in a row the helpers are looked after.
const ALONE: usize = 8;

/// Into how many parts the calls of a job are divided, at most.
const PARTS: usize = 16;

/// Calls of `f(0) .. f(count - 1)`. Each thread begins with a part of them that is always the same, since what it worked on the last
/// time may still be in its core's cache, and goes on with those that others have left.
struct Job {
    f: *const (dyn Fn(usize) + Sync),
    /// Of each part, which call is next.
    next: [AtomicUsize; PARTS],
    parts: usize,
    count: usize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

struct State {
    job: Option<*const Job>,
    /// How many more threads may join the job.
    seats: usize,
    spawned: usize,
    asleep: usize,
}

/// What the thread whose job it is has to look after.
struct Owner {
    places: Places,
    /// How many jobs in a row nobody came to.
    alone: usize,
}

// SAFETY: a job is shared by those who joined it, and its function is `Sync`; who may use it is said at `run`.
unsafe impl Send for State {}

/// Held by the thread whose job it is.
static OWNER: Mutex<Owner> = Mutex::new(Owner {
    places: Places::new(),
    alone: 0,
});
static STATE: Mutex<State> = Mutex::new(State {
    job: None,
    seats: 0,
    spawned: 0,
    asleep: 0,
});
/// How many jobs there were.
static JOBS: AtomicUsize = AtomicUsize::new(0);
/// How many threads are at the job. It grows only while `STATE` is locked.
static BUSY: AtomicUsize = AtomicUsize::new(0);
static WORK: Condvar = Condvar::new();
static DONE: Condvar = Condvar::new();

/// Calls `f(0) .. f(count - 1)` on up to so many threads, the caller's among them, and returns when all are done. Where
/// others are at work already, the caller does it alone.
pub(super) fn run(threads: usize, count: usize, f: &(dyn Fn(usize) + Sync)) {
    let mut owner = match OWNER.try_lock() {
        Ok(owner) => owner,
        Err(TryLockError::Poisoned(owner)) => owner.into_inner(),
        Err(TryLockError::WouldBlock) => return (0..count).for_each(f),
    };
    // SAFETY: only the lifetime changes. The job is used by this function, and by threads between their joining, which
    // is while `STATE` says that there is a job, and their leaving, which is waited for below, panic or not.
    let f = unsafe {
        std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync)>(f)
    };
    let parts = threads.min(count).clamp(1, PARTS);
    let job = Job {
        f,
        next: std::array::from_fn(|part| AtomicUsize::new(part * count / parts)),
        parts,
        count,
        panic: Mutex::new(None),
    };
    let mut state = lock(&STATE);
    while state.spawned + 1 < threads {
        let name = format!("wengert-{}", state.spawned + 1);
        // Where there can be no more threads, those there are do the work.
        let number = state.spawned + 1;
        if std::thread::Builder::new()
            .name(name)
            .spawn(move || help(number))
            .is_err()
        {
            break;
        }
        state.spawned += 1;
    }
    state.job = Some(&job);
    state.seats = (threads - 1).min(count - 1);
    let (wake, seats) = (state.asleep.min(state.seats), state.seats);
    JOBS.fetch_add(1, Ordering::Release);
    drop(state);
    // Those who do not sleep and do not come may wait for this core.
    if wake > 0 || owner.alone >= ALONE {
        owner.alone = 0;
        owner.places.keep_off();
    }
    (0..wake).for_each(|_| WORK.notify_one());
    job.work(0);
    let mut state = lock(&STATE);
    state.job = None;
    owner.alone = if state.seats == seats { owner.alone + 1 } else { 0 };
    drop(state);
    if !look(|| BUSY.load(Ordering::Acquire) == 0) {
        let mut state = lock(&STATE);
        while BUSY.load(Ordering::Acquire) != 0 {
            state = DONE.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
    if let Some(panic) = lock(&job.panic).take() {
        resume_unwind(panic);
    }
}

impl Job {
    /// Does what no one else has taken, a thread's own part first.
    fn work(&self, thread: usize) {
        let all = || {
            for part in (0..self.parts).map(|i| (thread + i) % self.parts) {
                let end = (part + 1) * self.count / self.parts;
                loop {
                    let at = self.next[part].fetch_add(1, Ordering::Relaxed);
                    if at >= end {
                        break;
                    }
                    // SAFETY: the function outlives the job.
                    unsafe { (*self.f)(at) };
                }
            }
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(all)) {
            for next in &self.next {
                next.store(self.count, Ordering::Relaxed);
            }
            lock(&self.panic).get_or_insert(panic);
        }
    }
}

/// What a helping thread does all its life.
fn help(number: usize) {
    here();
    let mut seen = 0;
    loop {
        look(|| JOBS.load(Ordering::Acquire) != seen);
        let mut state = lock(&STATE);
        while JOBS.load(Ordering::Acquire) == seen {
            state.asleep += 1;
            state = WORK.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.asleep -= 1;
        }
        seen = JOBS.load(Ordering::Acquire);
        let Some(job) = state.job.filter(|_| state.seats > 0) else {
            continue;
        };
        state.seats -= 1;
        BUSY.fetch_add(1, Ordering::Relaxed);
        drop(state);
        // SAFETY: joined while there was a job, and its owner waits until BUSY is 0 again.
        unsafe { (*job).work(number) };
        let _state = lock(&STATE);
        if BUSY.fetch_sub(1, Ordering::Release) == 1 {
            DONE.notify_one();
        }
    }
}

/// Whether it came true within [`LOOK`].
fn look(true_yet: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    loop {
        for _ in 0..32 {
            if true_yet() {
                return true;
            }
            std::hint::spin_loop();
        }
        if start.elapsed() > LOOK {
            return false;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
