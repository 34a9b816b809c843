//! What the machine can do, to hold the workloads against: multiply-adds and bytes.

use super::{Parts, Workload, of};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use wengert::kernels::{self, Body};
use wengert::{Array, DType, Real, Shape};

/// Multiply-adds that depend on each other only in chains: so many chains keep every unit busy.
const CHAINS: usize = 10;
const LINKS: usize = 12;

struct Peak;

impl Body<1, 0, 1> for Peak {
    const INTEGERS: bool = false;

    #[inline(always)]
    fn eval<S: Real>(&self, [x]: [S; 1], []: [S; 0]) -> [S; 1] {
        let (by, plus) = (S::lit(0.999), S::lit(1e-3));
        let mut chains = [x; CHAINS];
        for (j, chain) in chains.iter_mut().enumerate() {
            *chain = x + S::lit(j as f64);
        }
        for _ in 0..LINKS {
            for chain in &mut chains {
                *chain = chain.mul_add(by, plus);
            }
        }
        [chains.into_iter().fold(S::ZERO, |sum, chain| sum + chain)]
    }
}

/// Floating-point operations of each thread, in units of a million; or bytes that all of them move together.
pub(super) fn find(parts: &Parts<'_>) -> Option<Workload> {
    let threads = parts.size(1)?;
    match parts.word(0)? {
        "flops" => {
            const ROUNDS: usize = 2000;
            let n = 512;
            let work = move || {
                let x = Array::full([n], 0.5, DType::F32);
                for _ in 0..ROUNDS {
                    let x = Some(x.clone());
                    black_box(kernels::map(
                        &Peak,
                        DType::F32,
                        [x],
                        [],
                        &Shape::new(&[n]),
                        [DType::F32],
                    ));
                }
            };
            of(threads * ROUNDS * n * CHAINS * LINKS * 2 / 1_000_000, move || {
                together(threads, |_| work())
            })
        }
        // y = a x + y over much more than the caches hold: two reads and one write an element.
        "bytes" => {
            const N: usize = 16 << 20;
            let (mut x, mut y) = (vec![1.0f32; N], vec![2.0f32; N]);
            of(12 * N / 1_000_000, move || {
                let part = N.div_ceil(threads);
                thread::scope(|s| {
                    for (x, y) in x.chunks_mut(part).zip(y.chunks_mut(part)) {
                        s.spawn(move || {
                            for (y, x) in y.iter_mut().zip(x) {
                                *y += *x * 0.5;
                            }
                        });
                    }
                });
            })
        }
        _ => None,
    }
}

/// Runs `work` on so many threads at once, from the moment when all are ready.
fn together(threads: usize, work: impl Fn(usize) + Sync) {
    let ready = AtomicUsize::new(0);
    thread::scope(|s| {
        for i in 1..threads {
            let (work, ready) = (&work, &ready);
            s.spawn(move || {
                ready.fetch_add(1, Ordering::Release);
                work(i);
            });
        }
        while ready.load(Ordering::Acquire) + 1 < threads {
            std::hint::spin_loop();
        }
        work(0);
    });
}
