//! The sentence encoder beside the reference implementation's, whose numbers `../reference/minilm.py` wrote.

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use wengert::nn::{Layer, Module, StateDict};
use wengert::train::accuracy;
use wengert::{DType, Tensor, no_grad};
use wengert_examples::bert::{Bert, Config, Intents, Sentences, fine_tune};

fn reference(of: &str) -> Value {
    let json: Value = serde_json::from_str(include_str!("../reference/minilm.json")).unwrap();
    json[of].clone()
}

fn numbers(v: &Value) -> Vec<f64> {
    match v.as_array() {
        Some(items) => items.iter().flat_map(numbers).collect(),
        None => vec![v.as_f64().unwrap()],
    }
}

#[track_caller]
fn close(what: &str, ours: &[f64], theirs: &[f64], within: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let differences = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
    let most = differences.fold(0.0, f64::max);
    println!("{what}: at most {most:e} apart");
    assert!(most <= within, "{what}: {most:e} apart\n{ours:?}\n{theirs:?}");
}

/// The tiny model, whose weights are a formula.
fn tiny() -> (Bert, Tensor, Tensor) {
    let model = Bert::new(Config {
        vocabulary: 50,
        width: 16,
        layers: 2,
        heads: 4,
        middle: 32,
        positions: 12,
        eps: 1e-12,
    });
    let mut state: Vec<(String, Tensor)> = model.state_dict().into_iter().collect();
    state.sort_by(|a, b| a.0.cmp(&b.0));
    let weights = state.into_iter().enumerate().map(|(p, (name, old))| {
        let start = f64::from(u8::from(name.ends_with("LayerNorm.weight")));
        let value = |i: usize| start + 0.4 * (1.0 + 0.37 * i as f64 + 1.7 * p as f64).sin();
        let values: Vec<f64> = (0..old.numel()).map(value).collect();
        (name, Tensor::from_vec(values, old.shape()).to(DType::F32))
    });
    model.load_state_dict(&weights.collect::<StateDict>()).unwrap();
    let lengths = [7, 3, 5, 1];
    let cell = |i: i64, j: i64| {
        if j < lengths[i as usize] {
            ((5 * i * i + 7 * j) % 49 + 1, 1)
        } else {
            (0, 0)
        }
    };
    let cells: Vec<(i64, i64)> = (0..28).map(|k| cell(k / 7, k % 7)).collect();
    let (ids, mask): (Vec<i64>, Vec<i64>) = cells.into_iter().unzip();
    (
        model,
        Tensor::from_vec(ids, [4, 7]),
        Tensor::from_vec(mask, [4, 7]),
    )
}

#[test]
fn a_tiny_encoder_gives_the_references_embeddings() {
    let (model, ids, mask) = tiny();
    let embeddings = model.embed(&ids, &mask).to_vec::<f64>();
    close(
        "embeddings",
        &embeddings,
        &numbers(&reference("tiny")["embeddings"]),
        2e-6,
    );
}

#[test]
fn a_tiny_encoder_learns_as_the_reference_does() {
    let (model, ids, mask) = tiny();
    let batch = (ids, mask, Tensor::new([0, 1, 2, 1]));
    let (_, losses) = fine_tune(&model, 16, 3, &[batch], 1e-2, 25, |_, _| {});
    let theirs = numbers(&reference("tiny")["losses"]);
    close("losses", &losses, &theirs, 1e-3);
    close("the first losses", &losses[..5], &theirs[..5], 1e-5);
}

/// Where `examples/data/fetch_minilm.py` puts the model. Without it nothing can be compared; `WENGERT_TEST_MINILM` says
/// that it must be there.
fn real() -> Option<Sentences> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/minilm");
    if !directory.join("model.safetensors").exists() {
        assert!(
            std::env::var_os("WENGERT_TEST_MINILM").is_none(),
            "there is no model in {}: python3 examples/data/fetch_minilm.py fetches it",
            directory.display()
        );
        // Not by `eprintln!`, which is not shown where the test passes.
        let message = format!("left out: there is no model in {}\n", directory.display());
        std::io::stderr().write_all(message.as_bytes()).unwrap();
        return None;
    }
    Some(Sentences::load(&directory).unwrap())
}

#[test]
fn the_real_encoder_gives_the_references_tokens_and_embeddings() {
    let Some(model) = real() else { return };
    let reference = reference("real");
    let sentences: Vec<&str> = reference["sentences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s.as_str().unwrap())
        .collect();
    let (ids, mask) = model.tokens(&sentences).unwrap();
    for i in 0..sentences.len() {
        let length = mask.select(0, i as isize).sum().item() as usize;
        let ours = ids.select(0, i as isize).narrow(0, 0, length).to_vec::<f64>();
        assert_eq!(ours, numbers(&reference["ids"][i]), "{}", sentences[i]);
    }
    let embeddings = model.embed(&sentences).unwrap();
    close(
        "embeddings",
        &embeddings.narrow(1, 0, 8).to_vec::<f64>(),
        &numbers(&reference["embeddings"]),
        1e-6,
    );
    close(
        "similarities",
        &embeddings.matmul(&embeddings.t()).to_vec::<f64>(),
        &numbers(&reference["similarities"]),
        2e-6,
    );
}

#[test]
fn the_real_encoder_is_fine_tuned_as_the_reference_is() {
    let Some(model) = real() else { return };
    let (reference, intents) = (reference("real"), Intents::read());
    let batches = Intents::batches(&intents.train, 17, &model).unwrap();
    let theirs = numbers(&reference["losses"]);
    // The whole of it takes long where the code is not optimised.
    let steps = if cfg!(debug_assertions) { 4 } else { theirs.len() };
    let classes = intents.names.len();
    let (head, losses) = fine_tune(&model.model, 384, classes, &batches, 1e-4, steps, |_, _| {});
    close("losses", &losses, &theirs[..steps], 1e-3);
    if steps == theirs.len() {
        let test = Intents::batches(&intents.test, intents.test.len(), &model).unwrap();
        let (ids, mask, truth) = &test[0];
        let scores = no_grad(|| head.forward(&model.model.embed(ids, mask)));
        let right = accuracy(&scores, truth) * intents.test.len() as f64;
        assert_eq!(right, reference["right"].as_f64().unwrap());
    }
}
