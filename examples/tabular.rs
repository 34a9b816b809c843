//! Predicts the progress of diabetes from ten measurements, on a table that ships with the repository.
//!
//! `cargo run --release --example tabular`

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use wengert_examples::residual_plot;
use wengert_examples::tabular::{Fold, cross_validate, r2_of_all};

const HELP: &str = "Regression on the diabetes table, cross-validated.

    --folds N      into how many parts the patients are divided (5)
    --epochs N     how often to go through them (40)
    --seed N       of the random numbers (0)
    --out DIR      where the picture goes (tabular-out)";

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::*;
    let (mut folds, mut epochs, mut seed, mut out) = (5, 40, 0, PathBuf::from("tabular-out"));
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("folds") => folds = parser.value()?.parse()?,
            Long("epochs") => epochs = parser.value()?.parse()?,
            Long("seed") => seed = parser.value()?.parse()?,
            Long("out") => out = parser.value()?.into(),
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let started = Instant::now();
    println!("442 patients in {folds} parts; for each, a 10-32-1 network trained on the others");
    let all = cross_validate(folds, epochs, seed, |fold: &Fold| {
        println!(
            "R² {:.3} on {} patients (a linear function: {:.3})",
            fold.r2,
            fold.targets.len(),
            fold.linear
        );
    })?;
    let mean = |of: fn(&Fold) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
    println!(
        "mean R² {:.3} (linear: {:.3}); of all predictions together {:.3}; {:.1} s",
        mean(|f| f.r2),
        mean(|f| f.linear),
        r2_of_all(&all),
        started.elapsed().as_secs_f64()
    );
    std::fs::create_dir_all(&out)?;
    let file = out.join("residuals.svg");
    let points = all
        .iter()
        .flat_map(|f| f.predictions.iter().copied().zip(f.targets.iter().copied()));
    residual_plot(
        &file,
        "Progress of diabetes: what the network did not foresee",
        &points.collect::<Vec<_>>(),
    )?;
    println!("picture: {}", file.display());
    Ok(())
}
