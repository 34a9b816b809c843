//! Splitting work, where it is large enough to pay for waking others.

mod place;
mod pool;

use super::shared::Out;
use crate::error::{Error, ErrorKind, raise};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Below this many elements of simple work, waking another thread costs more than it saves.
pub(crate) const GRAIN: usize = 64 << 10;

/// How many threads were asked for; 0 before anyone did.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// How many threads a large operation uses, the caller's among them.
///
/// Unless [`set_num_threads`] said otherwise, that is what the environment variable `WENGERT_NUM_THREADS` or else
/// `OMP_NUM_THREADS` says, and else the number of cores that the process may use: its CPU affinity and the quota of its
/// control group count.
pub fn get_num_threads() -> usize {
    static FOUND: OnceLock<usize> = OnceLock::new();
    match ASKED.load(Ordering::Relaxed) {
        0 => *FOUND.get_or_init(|| {
            let says = |name| std::env::var(name).ok().and_then(|text| number(&text));
            says("WENGERT_NUM_THREADS")
                .or_else(|| says("OMP_NUM_THREADS"))
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        }),
        asked => asked,
    }
}

/// The first of the numbers in a list, if it is not 0.
fn number(text: &str) -> Option<usize> {
    let first = text.split(',').next()?.trim();
    first.parse().ok().filter(|n| *n > 0)
}

/// From now on large operations use `n` threads, the caller's among them. Results do not depend on it.
///
/// # Panics
/// If `n` is 0.
#[track_caller]
pub fn set_num_threads(n: usize) {
    if n == 0 {
        let message = "there must be at least one thread";
        raise(Error::new(ErrorKind::Value, "set_num_threads", message));
    }
    ASKED.store(n, Ordering::Relaxed);
}

/// Runs `f(start, len)` over `0..n` in chunks, on several threads where `n × cost` is large.
///
/// Chunks are multiples of `unit`. Callers' results must not depend on where the cuts are.
pub(crate) fn split(n: usize, unit: usize, cost: usize, f: impl Fn(usize, usize) + Sync) {
    let pays = n.saturating_mul(cost) / GRAIN;
    // Small work is most work: it does not even ask how many threads there are.
    if pays < 2 {
        return f(0, n);
    }
    let threads = get_num_threads();
    if threads == 1 {
        return f(0, n);
    }
    let wanted = pays.min(threads * 4);
    let chunk = n.div_ceil(wanted).next_multiple_of(unit);
    pool::run(threads, n.div_ceil(chunk), &|c| {
        f(c * chunk, chunk.min(n - c * chunk))
    });
}

/// Runs `f(own, r, row)` on each row of `width` elements, on several threads where the rows, which cost so many
/// instructions each, are many. Each share of the rows has its `own` to work with.
pub(crate) fn each_row<B: Send, S>(
    rows: &mut [B],
    width: usize,
    cost: usize,
    own: impl Fn() -> S + Sync,
    f: impl Fn(&mut S, usize, &mut [B]) + Sync,
) {
    let count = rows.len().checked_div(width).unwrap_or(0);
    let out = Out(rows.as_mut_ptr());
    split(count, 1, cost, |start, n| {
        let mut own = own();
        for r in start..start + n {
            // SAFETY: row r lies within the slice, and this thread alone has it.
            let row = unsafe { out.slice(r * width, width) };
            f(&mut own, r, row);
        }
    });
}

/// What `f` gives with each of these numbers of threads; for tests that it is the same.
#[cfg(test)]
pub(crate) fn with_each<T>(counts: &[usize], f: impl Fn() -> T) -> Vec<T> {
    // One such test at a time; others may see another number than they would, which changes nothing for them.
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let before = ASKED.load(Ordering::Relaxed);
    let all = counts.iter().map(|n| {
        set_num_threads(*n);
        f()
    });
    let all = all.collect();
    ASKED.store(before, Ordering::Relaxed);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_done_once() {
        with_each(&[1, 2, 8], || {
            for n in [0, 1, 1000, 1 << 17, (1 << 20) + 7] {
                let sum = AtomicUsize::new(0);
                let count = AtomicUsize::new(0);
                split(n, 16, 10, |start, len| {
                    assert!(start.is_multiple_of(16) && start + len <= n);
                    sum.fetch_add((start..start + len).sum(), Ordering::Relaxed);
                    count.fetch_add(len, Ordering::Relaxed);
                });
                assert_eq!(count.into_inner(), n);
                assert_eq!(sum.into_inner(), n * n.saturating_sub(1) / 2);
            }
        });
    }

    #[test]
    fn splits_within_splits_and_from_many_threads_end() {
        with_each(&[3], || {
            let total = AtomicUsize::new(0);
            std::thread::scope(|s| {
                for _ in 0..4 {
                    s.spawn(|| {
                        for _ in 0..50 {
                            split(64, 1, GRAIN, |_, outer| {
                                split(64, 1, GRAIN, |_, len| {
                                    total.fetch_add(outer * len, Ordering::Relaxed);
                                });
                            });
                        }
                    });
                }
            });
            assert_eq!(total.into_inner(), 4 * 50 * 64 * 64);
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_threads_go_on() {
        with_each(&[4], || {
            for bad in [0, 999] {
                let run = || {
                    split(1000, 1, GRAIN, |start, len| {
                        assert!(!(start..start + len).contains(&bad), "item {bad}")
                    });
                };
                let panic = std::panic::catch_unwind(run).unwrap_err();
                assert_eq!(panic.downcast_ref::<String>().unwrap(), &format!("item {bad}"));
                let count = AtomicUsize::new(0);
                split(1000, 1, GRAIN, |_, len| {
                    count.fetch_add(len, Ordering::Relaxed);
                });
                assert_eq!(count.into_inner(), 1000);
            }
        });
    }

    #[test]
    fn numbers_of_threads_are_read_as_they_are_written() {
        assert_eq!(number("4"), Some(4));
        assert_eq!(number(" 8,2"), Some(8));
        assert_eq!([number(""), number("0"), number("many")], [None; 3]);
    }
}
