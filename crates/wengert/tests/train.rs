//! The trainer: what it reports and when it stops. That a run which is killed ends where it would have: examples/tests/resume.rs.

use std::path::PathBuf;
use wengert::data::{DataLoader, TensorDataset};
use wengert::io;
use wengert::nn::{Layer, Linear, MSELoss, Module, init};
use wengert::optim::schedule::{LinearLR, Mode, ReduceLROnPlateau, Rule, StepLR};
use wengert::optim::{EMA, GradScaler, Optimizer, SGD};
use wengert::train::*;
use wengert::{DType, Reduction, Tensor, autocast, mse_loss};

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
    let file = board.path().to_path_buf();
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
    let events = events(&std::fs::read(file).unwrap());
    assert_eq!(
        events.iter().map(|(step, _)| *step).collect::<Vec<_>>(),
        [2, 4, 6, 8, 10, 12]
    );
    for ((_, values), (loss, measure)) in events.iter().zip(report.losses.iter().zip(&report.measures)) {
        let [(a, x), (b, _), (c, y)] = &values[..] else {
            panic!("{values:?}")
        };
        assert_eq!([a.as_str(), b, c], ["loss", "lr", "measure"]);
        assert_eq!((*x, *y), (*loss as f32, *measure as f32));
    }
}

/// What TensorBoard reads from a file of events: steps, and numbers by name.
fn events(mut file: &[u8]) -> Vec<(u64, Vec<(String, f32)>)> {
    fn take<'a>(from: &mut &'a [u8], n: usize) -> &'a [u8] {
        let (head, rest) = from.split_at(n);
        *from = rest;
        head
    }
    /// CRC-32C as TFRecord files have it, turned and offset.
    fn checksum(data: &[u8]) -> [u8; 4] {
        let crc = data.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 }
            })
        });
        (!crc).rotate_right(15).wrapping_add(0xA282_EAD8).to_le_bytes()
    }
    /// The fields of a message in Protocol Buffers' encoding: their numbers, and the value or its bytes.
    fn fields(mut message: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
        fn varint(from: &mut &[u8]) -> u64 {
            let (mut value, mut shift) = (0, 0);
            loop {
                let byte = take(from, 1)[0];
                value |= u64::from(byte & 127) << shift;
                shift += 7;
                if byte < 128 {
                    return value;
                }
            }
        }
        let mut found = Vec::new();
        while !message.is_empty() {
            let key = varint(&mut message);
            let (value, size) = match key & 7 {
                0 => (varint(&mut message), 0),
                1 => (0, 8),
                2 => (0, varint(&mut message) as usize),
                5 => (0, 4),
                other => panic!("there is no wire type {other}"),
            };
            found.push((key >> 3, value, take(&mut message, size).to_vec()));
        }
        found
    }
    let mut found = Vec::new();
    while !file.is_empty() {
        let length = take(&mut file, 8);
        assert_eq!(take(&mut file, 4), checksum(length));
        let event = take(&mut file, u64::from_le_bytes(length.try_into().unwrap()) as usize);
        assert_eq!(take(&mut file, 4), checksum(event));
        let event = fields(event);
        let get = |n: u64| event.iter().find(|(number, ..)| *number == n);
        let time = f64::from_le_bytes(get(1).unwrap().2[..].try_into().unwrap());
        assert!(time > 1.7e9, "the time, in seconds");
        let Some((_, step, _)) = get(2) else {
            assert!(found.is_empty() && get(3).unwrap().2 == b"brain.Event:2");
            continue;
        };
        let summary = fields(&get(5).unwrap().2);
        let value = |bytes: &[u8]| {
            let value = fields(bytes);
            assert_eq!((value[0].0, value[1].0, value.len()), (1, 2, 2));
            let name = String::from_utf8(value[0].2.clone()).unwrap();
            (name, f32::from_le_bytes(value[1].2[..].try_into().unwrap()))
        };
        found.push((*step, summary.iter().map(|(_, _, v)| value(v)).collect()));
    }
    found
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
fn mixed_precision_averages_and_a_plateau_go_on_where_they_were() {
    let scratch = Scratch::new("mixed");
    // A run, which stops after so many steps and goes on, or does not stop: the weights, their mean, the scale, the rate.
    let run = |name: &str, stop_after: usize| {
        let mut taken = 0;
        loop {
            let model = Linear::new(2, 1);
            init::constant_(&model.W, 0.25);
            init::zeros_(&model.b);
            let data = TensorDataset::new([Tensor::linspace(0.0, 1.0, 12).reshape([6, 2])]);
            let mut optimizer = SGD::new(model.parameters(), 0.1);
            let (mut scaler, mut average) = (
                GradScaler::new().init_scale(64.0).growth_interval(5),
                EMA::new(0.9),
            );
            let trainer = Trainer::new(3)
                .clip_grad_norm(1.0)
                .scaler(&mut scaler)
                .average(&mut average)
                .validate(Mode::Min, || 1.0)
                .schedule_plateau(ReduceLROnPlateau::new().patience(0))
                .checkpoints(scratch.0.join(name));
            let stop = trainer.stop_flag();
            let report = trainer
                .fit(&model, &mut optimizer, &DataLoader::new(data), |[x]| {
                    taken += 1;
                    stop.store(taken == stop_after, std::sync::atomic::Ordering::Relaxed);
                    autocast(DType::F16, || {
                        let y = model.forward(x);
                        assert_eq!(y.dtype(), DType::F16);
                        mse_loss(&y, &Tensor::ones([1, 1]), Reduction::Mean)
                    })
                })
                .unwrap();
            if !report.stopped_early {
                assert_eq!((report.steps, taken), (18, 18));
                let mean = average.means().get("weight").unwrap().to_vec::<f32>();
                assert_ne!(mean, model.W.to_vec::<f32>());
                return (
                    model.W.to_vec::<f32>(),
                    mean,
                    scaler.get_scale(),
                    optimizer.learning_rate(),
                );
            }
        }
    };
    let whole = run("whole", usize::MAX);
    // The scale grows after each five good steps; the first measure is the best there is.
    assert_eq!(whole.2, 64.0 * 8.0);
    assert!((whole.3 - 1e-3).abs() < 1e-12, "{}", whole.3);
    assert_eq!(run("stopped", 8), whole);
    let model = Linear::new(2, 1);
    let data = DataLoader::new(TensorDataset::new([Tensor::ones([6, 2])]));
    let error = Trainer::new(4)
        .checkpoints(scratch.0.join("whole"))
        .fit(&model, &mut SGD::new(model.parameters(), 0.1), &data, |[x]| {
            model.forward(x).sum()
        })
        .unwrap_err();
    assert!(
        error.message().contains("has a plateau, and this run has none"),
        "{error}"
    );
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
