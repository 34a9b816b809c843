//! Kills a training fifty times, lets it go on each time, and compares what it comes to with one that was left alone.
//!
//! `cargo run --release --example resume`

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use wengert_examples::resume::{FILES, STEPS, kill_and_resume, life};

const HELP: &str = "Kills a training again and again and lets it go on from its last checkpoint.

    --kills N      how often (50)
    --seed N       of the moments at which it is killed (0)
    --out DIR      where the checkpoints go (resume-out)";

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::*;
    let (mut kills, mut seed, mut out) = (50, 0, PathBuf::from("resume-out"));
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("kills") => kills = parser.value()?.parse()?,
            Long("seed") => seed = parser.value()?.parse()?,
            Long("out") => out = parser.value()?.into(),
            // What this program starts itself with.
            Long("life") => {
                life(&PathBuf::from(parser.value()?))?;
                return Ok(());
            }
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let me = std::env::current_exe()?;
    let start = |directory: &std::path::Path| {
        let mut command = Command::new(&me);
        command.arg("--life").arg(directory);
        command
    };
    println!("a training of {STEPS} steps, killed {kills} times");
    let outcome = kill_and_resume(start, &out, kills, seed)?;
    println!(
        "killed {} times: {} before the first batch, {} while a checkpoint was being written; {} batches in all, {} of \
         them for nothing",
        outcome.kills,
        outcome.starting,
        outcome.writing,
        outcome.batches,
        outcome.batches - 2 * STEPS
    );
    if outcome.different.is_empty() {
        println!(
            "{}: the same bytes as those of the run that was left alone",
            FILES.join(", ")
        );
        Ok(())
    } else {
        Err(format!("different: {}", outcome.different.join(", ")).into())
    }
}
