//! Runs workloads by name and says how long they took; `run.py` asks for them, in turn with PyTorch's.
//!
//! Each line of the input names a workload and how many times to run it. The answer is one line: nanoseconds for
//! each run, and allocations per unit of work (where the feature `count` is on), as JSON. A workload that is asked for again goes on where it was.
//! `wengert-benches NAME N` runs one workload without a dialogue, for counting instructions and for the time and
//! memory that a whole process takes.

mod workloads;

use std::io::{BufRead, Write};
use std::time::Instant;
use workloads::Workload;

#[cfg(feature = "count")]
fn allocations(run: &mut dyn FnMut()) -> f64 {
    allocation_counter::measure(run).count_total as f64
}

#[cfg(not(feature = "count"))]
fn allocations(_: &mut dyn FnMut()) -> f64 {
    -1.0
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [name, n] = &args[..] {
        let mut workload = workloads::find(name).unwrap_or_else(|| panic!("there is no workload `{name}`"));
        let n = n.parse().expect("how many times to run it");
        for _ in 0..n {
            (workload.run)();
        }
        return;
    }
    let mut last: Option<(String, f64, Workload)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the driver writes text");
        let Some((name, n)) = line.split_once(' ') else {
            break;
        };
        if last.as_ref().is_none_or(|(known, ..)| known != name) {
            drop(last.take()); // its memory may be needed
            last = workloads::find(name).map(|mut workload| {
                (workload.run)(); // what is made once is made now
                (workload.run)();
                let allocations = allocations(&mut *workload.run);
                (name.to_string(), allocations / workload.units as f64, workload)
            });
        }
        match &mut last {
            None => println!("null"),
            Some((_, allocations, workload)) => {
                let n: usize = n.parse().expect("how many times to run it");
                let mut times = Vec::with_capacity(n);
                for _ in 0..n {
                    let start = Instant::now();
                    (workload.run)();
                    times.push(start.elapsed().as_nanos());
                }
                println!(
                    "{{\"ns\": {times:?}, \"units\": {}, \"allocations\": {allocations}}}",
                    workload.units
                );
            }
        }
        std::io::stdout().flush().expect("the driver listens");
    }
}
