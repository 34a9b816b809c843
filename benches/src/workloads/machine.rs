//! What the machine can do, to hold the workloads against: multiply-adds and bytes.

use super::{Parts, Workload, of};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use wengert::kernels::{self, Body};
use wengert::{Array, DType, Real, Shape};

/// Multiply-adds that depend on each other only in chains: so many chains keep every unit busy.
const CHAINS: usize = 10;
const LINKS: usize = 25;

struct Peak;

impl Body<1, 0, 1> for Peak {
    const INTEGERS: bool = false;

    #[inline(always)]
    fn eval<S: Real>(&self, [x]: [S; 1], []: [S; 0]) -> [S; 1] {
        let (by, plus) = (S::lit(0.999), S::lit(1e-3));
        let mut chains = [x; CHAINS];
        // Of the same numbers: others would take registers, of which AVX2 has sixteen, and one chain would follow another.
        for j in 1..CHAINS {
            chains[j] = chains[j - 1] + by;
        }
        for _ in 0..LINKS {
            for chain in &mut chains {
                *chain = chain.mul_add(by, plus);
            }
        }
        [chains.into_iter().fold(S::ZERO, |sum, chain| sum + chain)]
    }
}

/// Floating-point operations, or bytes, that all threads do together, in units of a million.
pub(super) fn find(parts: &Parts<'_>) -> Option<Workload> {
    let threads = parts.size(1)?;
    match parts.word(0)? {
        // Short, so that of many runs some are not interrupted on any core.
        "flops" => {
            const ROUNDS: usize = 250;
            const N: usize = 512;
            let make = || {
                let x = Array::full([N], 0.5, DType::F32);
                move || {
                    for _ in 0..ROUNDS {
                        let x = [Some(x.clone())];
                        black_box(kernels::map(
                            &Peak,
                            DType::F32,
                            x,
                            [],
                            &Shape::new(&[N]),
                            [DType::F32],
                        ));
                    }
                }
            };
            of(
                threads * ROUNDS * N * CHAINS * LINKS * 2 / 1_000_000,
                together(threads, make),
            )
        }
        // y = a x + y over much more than the caches hold: two reads and one write an element.
        "bytes" => {
            const ALL: usize = 16 << 20;
            let part = ALL / threads;
            let make = || {
                let (x, mut y) = (vec![1.0f32; part], vec![2.0f32; part]);
                move || {
                    for (y, x) in y.iter_mut().zip(black_box(&x)) {
                        *y += *x * 0.5;
                    }
                    black_box(&mut y);
                }
            };
            of(12 * part * threads / 1_000_000, together(threads, make))
        }
        _ => None,
    }
}

/// The round that threads are in; they end after the last.
struct Rounds {
    begun: AtomicUsize,
    finished: AtomicUsize,
}

const LAST: usize = usize::MAX;

/// Ends the threads when the workload is dropped.
struct Leader(Arc<Rounds>);

impl Drop for Leader {
    fn drop(&mut self) {
        self.0.begun.store(LAST, Ordering::Release);
    }
}

/// Runs a work of its own on each of so many threads at once. They are started here, and spin between the rounds: a thread
/// that starts or wakes while the clock runs may be put on the core of the one that woke it, and wait there.
fn together<W: FnMut() + Send + 'static>(threads: usize, make: impl Fn() -> W) -> impl FnMut() + 'static {
    let rounds = Arc::new(Rounds {
        begun: AtomicUsize::new(0),
        finished: AtomicUsize::new(0),
    });
    for _ in 1..threads {
        let (mut work, rounds) = (make(), Arc::clone(&rounds));
        thread::spawn(move || {
            let mut seen = 0;
            loop {
                match rounds.begun.load(Ordering::Acquire) {
                    LAST => return,
                    begun if begun == seen => std::hint::spin_loop(),
                    begun => {
                        seen = begun;
                        work();
                        rounds.finished.fetch_add(1, Ordering::Release);
                    }
                }
            }
        });
    }
    let (mut work, leader) = (make(), Leader(rounds));
    move || {
        leader.0.finished.store(0, Ordering::Relaxed);
        leader.0.begun.fetch_add(1, Ordering::Release);
        work();
        while leader.0.finished.load(Ordering::Acquire) + 1 < threads {
            std::hint::spin_loop();
        }
    }
}
