//! Learns to write digits from 10,000 that ship with the repository, and shows some.
//!
//! `cargo run --release --example vae`

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use wengert::data::transforms::make_grid;
use wengert::data::{DataLoader, TensorDataset, save_image};
use wengert::nn::{Module, summary};
use wengert::optim::Adam;
use wengert::optim::schedule::Mode;
use wengert::train::{Plot, Trainer};
use wengert::{cat, manual_seed, no_grad};
use wengert_examples::mnist;
use wengert_examples::vae::Vae;

const HELP: &str = "A variational autoencoder of handwritten digits.

    --epochs N     how often to go through them (30)
    --latent N     numbers that a digit is described by (10)
    --seed N       of the random numbers (0)
    --out DIR      where the pictures go (vae-out)";

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::*;
    let (mut epochs, mut latent, mut seed, mut out) = (30, 10, 0, PathBuf::from("vae-out"));
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("epochs") => epochs = parser.value()?.parse()?,
            Long("latent") => latent = parser.value()?.parse()?,
            Long("seed") => seed = parser.value()?.parse()?,
            Long("out") => out = parser.value()?.into(),
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    manual_seed(seed);
    std::fs::create_dir_all(&out)?;
    let images = mnist();
    let (train, test) = (
        images.pixels.narrow(0, 0, 9000),
        images.pixels.narrow(0, 9000, 1000),
    );
    let model = Vae::new(784, 256, latent);
    println!("{}", summary(&model));
    let mut optimizer = Adam::new(model.parameters(), 1e-3);
    let loader = DataLoader::new(TensorDataset::new([train]))
        .batch_size(100)
        .shuffle(true)
        .seed(seed);
    let bound = |x: &_| {
        let [pixels, far] = model.loss(x);
        pixels + far
    };
    let started = Instant::now();
    let report = Trainer::new(epochs)
        .validate(Mode::Min, || bound(&test).item())
        .log(Plot::new(out.join("loss.svg")))
        .progress()
        .stop_on_ctrl_c()?
        .fit(&model, &mut optimizer, &loader, |[x]| bound(x))?;
    if let (Some(loss), Some(measure)) = (report.losses.last(), report.measures.last()) {
        println!(
            "negative evidence lower bound after {} steps: {loss:.1} nats a picture, {measure:.1} on pictures held out; \
             {:.1} s",
            report.steps,
            started.elapsed().as_secs_f64()
        );
    }
    let file = out.join("samples.png");
    let pictures = no_grad(|| {
        let some = test.narrow(0, 0, 16);
        cat(&[&some, &model.reconstruct(&some), &model.sample(96)], 0).reshape([128, 1, 28, 28])
    });
    save_image(&file, &make_grid(&pictures, 16, 1))?;
    println!(
        "pictures: {} (above: digits, and what is left of them; below: new ones) and {}",
        file.display(),
        out.join("loss.svg").display()
    );
    Ok(())
}
