//! The trainer: what it reports and when it stops. That a run which is killed ends where it would have: examples/tests/resume.rs.

use std::path::PathBuf;
use wengert::Tensor;
use wengert::data::{DataLoader, TensorDataset};
use wengert::io;
use wengert::nn::{Layer, Linear, MSELoss, Module, init};
use wengert::optim::schedule::{LinearLR, Mode, Rule, StepLR};
use wengert::optim::{Optimizer, SGD};
use wengert::train::*;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("wengert-train-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_stops_when_nothing_improves_and_keeps_the_best() {
    let scratch = Scratch::new("patience");
    let data = || TensorDataset::new([Tensor::ones([4, 2]), Tensor::ones([4, 1])]);
    let model = Linear::new(2, 1);
    let mut optimizer = SGD::new(model.parameters(), 0.1);
    let mut measures = [3.0, 2.0, 2.5, 1.0, 1.5, 1.2, 0.1].into_iter();
    let schedule = StepLR::new(2).on(&mut optimizer);
    let log = scratch.0.join("log.csv");
    let board = TensorBoard::new(scratch.0.join("board")).unwrap();
    let events = board.path().to_path_buf();
    let mut weights = Vec::new();
    let report = Trainer::new(100)
        .validate(Mode::Min, || {
            weights.push(model.W.to_vec::<f32>());
            measures.next().unwrap()
        })
        .patience(2)
        .schedule(schedule)
        .checkpoints(&scratch.0)
        .log(CsvLog::new(&log))
        .log(board)
        .fit(
            &model,
            &mut optimizer,
            &DataLoader::new(data()).batch_size(2),
            |[x, y]| MSELoss::new().forward(&model.forward(x), y),
        )
        .unwrap();
    assert_eq!(report.measures, [3.0, 2.0, 2.5, 1.0, 1.5, 1.2]);
    assert_eq!(
        (report.best, report.stopped_early, report.steps),
        (Some((1.0, 3)), true, 12)
    );
    assert!((optimizer.learning_rate() - 1e-4).abs() < 1e-12);
    let best = io::load(scratch.0.join("best.safetensors")).unwrap();
    assert_eq!(
        best.get("weight").unwrap().as_tensor().unwrap().to_vec::<f32>(),
        weights[3]
    );
    let text = std::fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().count(), 7);
    assert!(
        text.starts_with("step,loss,lr,measure\n2,") && text.lines().nth(4).unwrap().ends_with(",1"),
        "{text}"
    );
    // Each record is its length, a checksum, the event, a checksum.
    let bytes = std::fs::read(events).unwrap();
    let (mut at, mut records) = (0, 0);
    while at < bytes.len() {
        at += 16 + u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        records += 1;
    }
    assert_eq!((at, records), (bytes.len(), 7));
    assert!(bytes.windows(7).any(|w| w == b"measure"));
}

#[test]
fn a_loss_that_is_not_finite_ends_it() {
    let data = TensorDataset::new([Tensor::ones([4, 2])]);
    let model = Linear::new(2, 1);
    let before = model.W.to_vec::<f32>();
    let mut optimizer = SGD::new(model.parameters(), 0.1);
    let error = Trainer::new(1)
        .fit(&model, &mut optimizer, &DataLoader::new(data), |[x]| {
            model.forward(x).sum() / 0.0
        })
        .unwrap_err();
    assert!(error.message().starts_with("the loss is "), "{error}");
    assert_eq!(model.W.to_vec::<f32>(), before);
}

#[test]
fn a_flag_stops_it_with_a_checkpoint_and_it_goes_on() {
    let scratch = Scratch::new("flag");
    let start = || {
        let model = Linear::new(2, 1);
        init::constant_(&model.W, 0.25);
        init::zeros_(&model.b);
        model
    };
    let data = || {
        DataLoader::new(TensorDataset::new([
            Tensor::linspace(0.0, 1.0, 12).reshape([6, 2])
        ]))
    };
    let loss = |model: &Linear, x: &Tensor| (model.forward(x) - 1.0).square().mean();
    let whole = start();
    let mut optimizer = SGD::new(whole.parameters(), 0.1);
    let schedule = LinearLR::new(0.1, 1.0, 9).on(&mut optimizer);
    let report = Trainer::new(2)
        .schedule_steps(schedule)
        .fit(&whole, &mut optimizer, &data(), |[x]| loss(&whole, x))
        .unwrap();
    assert_eq!((report.steps, report.stopped_early), (12, false));

    let mut steps = 0;
    for _ in 0..2 {
        let model = start();
        let mut optimizer = SGD::new(model.parameters(), 0.1);
        let schedule = LinearLR::new(0.1, 1.0, 9).on(&mut optimizer);
        let trainer = Trainer::new(2).schedule_steps(schedule).checkpoints(&scratch.0);
        let stop = trainer.stop_flag();
        let report = trainer
            .fit(&model, &mut optimizer, &data(), |[x]| {
                steps += 1;
                stop.store(steps == 8, std::sync::atomic::Ordering::Relaxed);
                loss(&model, x)
            })
            .unwrap();
        assert_eq!(report.stopped_early, steps == 8);
        if steps == 12 {
            assert_eq!(model.W.to_vec::<f32>(), whole.W.to_vec::<f32>());
            assert_eq!(report.steps, 12);
        }
    }
    assert_eq!(steps, 12);
}

#[test]
fn measures() {
    let scores = Tensor::new([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.3, 0.3, 0.4], [0.2, 0.5, 0.3]]);
    let targets = Tensor::new([1, 0, 0, 2]);
    assert_eq!(accuracy(&scores, &targets), 0.5);
    assert_eq!(top_k_accuracy(&scores, &targets, 1), 0.5);
    assert_eq!(top_k_accuracy(&scores, &targets, 2), 1.0);
    let mut c = Confusion::new(3);
    c.update(&scores, &targets);
    assert_eq!(
        (c.count(0, 2), c.count(2, 1), c.total(), c.accuracy()),
        (1, 1, 4, 0.5)
    );
    assert_eq!((c.precision(0), c.recall(0), c.f1(2)), (1.0, 0.5, 0.0));
    assert!((c.f1(0) - 2.0 / 3.0).abs() < 1e-15 && (c.macro_f1() - 4.0 / 9.0).abs() < 1e-15);
    assert_eq!(
        c.to_string(),
        "  0 |   1   0   1\n  1 |   0   1   0\n  2 |   0   1   0\n"
    );
    assert!(wengert::catch(|| c.update(&Tensor::new([3]), &Tensor::new([0]))).is_err());
    let (p, t) = (
        Tensor::new([2.5, 0.0, 2.0, 8.0]),
        Tensor::new([3.0, -0.5, 2.0, 7.0]),
    );
    // As scikit-learn has it.
    assert!((r2_score(&p, &t) - 0.948_608_137_044_967_9).abs() < 1e-12);
    assert_eq!(mean_absolute_error(&p, &t), 0.5);
    assert!((perplexity(2f64.ln()) - 2.0).abs() < 1e-15);
    let mut mean = Mean::default();
    mean.update(1.0, 3);
    mean.update(5.0, 1);
    assert_eq!(mean.value(), 2.0);
}
