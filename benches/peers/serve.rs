//! What the workers of other libraries share: they run workloads that the driver asks for by name.

use std::io::{BufRead, Write};
use std::time::Instant;

/// A workload, ready to be run again and again.
pub type Run = Box<dyn FnMut()>;

/// Answers lines of a name and a number of runs with the nanoseconds of each, and how many units of work one is; with `null` where
/// `find` knows no such workload.
pub fn serve(find: impl Fn(&str) -> Option<(Run, usize)>) {
    let mut known: Option<(String, Run, usize)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the driver writes text");
        let Some((name, n)) = line.split_once(' ') else {
            break;
        };
        if known.as_ref().is_none_or(|(last, ..)| last != name) {
            drop(known.take());
            known = find(name).map(|(mut run, units)| {
                run();
                run();
                (name.to_string(), run, units)
            });
        }
        match &mut known {
            None => println!("null"),
            Some((_, run, units)) => {
                let mut times = Vec::new();
                for _ in 0..n.parse().expect("how many times to run it") {
                    let start = Instant::now();
                    run();
                    times.push(start.elapsed().as_nanos());
                }
                println!("{{\"ns\": {times:?}, \"units\": {units}}}");
            }
        }
        std::io::stdout().flush().expect("the driver listens");
    }
}
