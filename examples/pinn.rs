//! Solves Burgers' equation by a network, and compares with the exact solution.
//!
//! `cargo run --release --example pinn`

use std::error::Error;
use std::f64::consts::PI;
use std::path::PathBuf;
use std::time::Instant;
use wengert_examples::pinn::{Burgers, exact};
use wengert_examples::profiles;

const HELP: &str = "Solves u_t + u u_x = v u_xx by a network.

    --viscosity V  times 1/π (0.1)
    --steps N      of L-BFGS, each of 50 iterations (20)
    --points N     at which the equation is to hold (600)
    --seed N       of the random numbers (0)
    --out DIR      where the picture goes (pinn-out)";

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::*;
    let (mut viscosity, mut steps, mut points, mut seed) = (0.1, 20, 600, 0);
    let mut out = PathBuf::from("pinn-out");
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("viscosity") => viscosity = parser.value()?.parse()?,
            Long("steps") => steps = parser.value()?.parse()?,
            Long("points") => points = parser.value()?.parse()?,
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
    let viscosity = viscosity / PI;
    let burgers = Burgers::new(viscosity, 3, 24, points, seed);
    burgers.train(steps, |i, loss| {
        if i % 5 == 4 || i == 0 {
            let (relative, most) = burgers.error();
            println!(
                "after {:4} iterations: mean square of the equation {loss:.2e}, error {relative:.2e}, at most {most:.2e}",
                50 * (i + 1)
            );
        }
    });
    let (relative, most) = burgers.error();
    println!(
        "error against the exact solution: {relative:.2e} of its norm, at most {most:.2e}; {:.1} s",
        started.elapsed().as_secs_f64()
    );
    std::fs::create_dir_all(&out)?;
    let x: Vec<f64> = (0..=400).map(|i| -1.0 + f64::from(i) / 200.0).collect();
    let curve = |t: f64| {
        let found = x.iter().zip(burgers.at(t, &x));
        let points = found.map(|(x, u)| (*x, u, exact(viscosity, t, *x)));
        (format!("t = {t}"), points.collect())
    };
    let file = out.join("burgers.svg");
    profiles(
        &file,
        "Burgers' equation: the network, and beneath it the exact solution",
        &[0.0, 0.25, 0.5, 1.0].map(curve),
    )?;
    println!("picture: {}", file.display());
    Ok(())
}
