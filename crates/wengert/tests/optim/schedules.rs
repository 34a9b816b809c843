//! Schedules of learning rates beside PyTorch's.

use crate::{apart, read, tensor};
use wengert::optim::schedule::*;
use wengert::optim::*;
use wengert::{Tensor, catch};

fn heavy_ball() -> SGD {
    SGD::new([Tensor::zeros([1]).requires_grad_(true)], 0.5).momentum(0.9)
}

/// Learning rates to rounding: a few hundred multiplications of 1e-16 each.
#[test]
fn schedules_give_pytorchs_learning_rates() {
    let file = read();
    let rules: Vec<(&str, Box<dyn Rule>)> = vec![
        ("step", Box::new(StepLR::new(7).gamma(0.5))),
        (
            "multi_step",
            Box::new(MultiStepLR::new([5, 20, 20, 60]).gamma(0.3)),
        ),
        ("constant", Box::new(ConstantLR::new(0.25, 10))),
        ("linear", Box::new(LinearLR::new(0.1, 0.8, 30))),
        ("exponential", Box::new(ExponentialLR::new(0.97))),
        ("polynomial", Box::new(PolynomialLR::new(60).power(2.0))),
        ("cosine", Box::new(CosineAnnealingLR::new(30).eta_min(0.01))),
        (
            "restarts",
            Box::new(CosineAnnealingWarmRestarts::new(7).t_mult(2).eta_min(0.01)),
        ),
        ("restarts_even", Box::new(CosineAnnealingWarmRestarts::new(9))),
        ("one_cycle", Box::new(OneCycleLR::new(0.7, 101))),
        (
            "one_cycle_three",
            Box::new(
                OneCycleLR::new(0.7, 101)
                    .three_phase(true)
                    .anneal_strategy(Anneal::Linear)
                    .pct_start(0.25)
                    .div_factor(10.0)
                    .final_div_factor(100.0),
            ),
        ),
        ("cyclic", Box::new(CyclicLR::new(0.01, 0.3).step_sizes(9, 14))),
        (
            "cyclic_2",
            Box::new(
                CyclicLR::new(0.01, 0.3)
                    .step_sizes(10, 10)
                    .mode(CycleMode::Triangular2)
                    .cycle_momentum(false),
            ),
        ),
        (
            "cyclic_exp",
            Box::new(
                CyclicLR::new(0.01, 0.3)
                    .step_sizes(10, 10)
                    .mode(CycleMode::ExpRange(0.98)),
            ),
        ),
        ("lambda", Box::new(LambdaLR::new(|t| 1.0 / (1 + t) as f64))),
        (
            "multiplicative",
            Box::new(MultiplicativeLR::new(|t| 1.0 - 1.0 / (t + 10) as f64)),
        ),
        (
            "sequential",
            Box::new(
                SequentialLR::new(LinearLR::new(0.1, 1.0, 10))
                    .then(10, CosineAnnealingLR::new(40))
                    .then(50, ExponentialLR::new(0.9)),
            ),
        ),
        (
            "chained",
            Box::new(ChainedScheduler::new(ConstantLR::new(0.5, 20)).and(ExponentialLR::new(0.98))),
        ),
        ("warm_up", Box::new(CosineAnnealingLR::new(90).warm_up(10))),
    ];
    let mut checked = 0;
    for (name, rule) in rules {
        let mut optimizer = heavy_ball();
        let momentum = |o: &SGD| o.option(0, "momentum").unwrap().as_f64().unwrap();
        let mut schedule = rule.on(&mut optimizer);
        let (mut rates, mut momenta) = (vec![optimizer.learning_rate()], vec![momentum(&optimizer)]);
        for t in 1..=100 {
            if t == 40 {
                // Saving and restoring goes on where it was.
                let saved = schedule.state_dict();
                schedule.load_state_dict(&saved).unwrap();
            }
            schedule.step(&mut optimizer);
            assert_eq!(schedule.last_lr(), [optimizer.learning_rate()]);
            rates.push(optimizer.learning_rate());
            momenta.push(momentum(&optimizer));
        }
        let theirs = tensor(&file, &format!("schedule.{name}")).to_vec::<f64>();
        let far = apart(&rates, &theirs);
        println!("{name}: {far:.1e}");
        assert!(far < 1e-14, "{name}: {far:e} apart: {rates:?}\n{theirs:?}");
        if let Some(theirs) = file.get(&format!("momentum.{name}")) {
            assert!(
                apart(&momenta, &theirs.to_vec::<f64>()) < 1e-14,
                "{name}: momenta {momenta:?}"
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 4, "four of these schedules change the momentum");
    for (mode, name) in [(Mode::Min, "plateau_min"), (Mode::Max, "plateau_max")] {
        let mut optimizer = heavy_ball();
        let rule = ReduceLROnPlateau::new()
            .mode(mode)
            .factor(0.5)
            .patience(3)
            .cooldown(2)
            .min_lr(0.01);
        let mut rule = match mode {
            Mode::Min => rule.threshold(1e-2),
            Mode::Max => rule.absolute_threshold(1e-2),
        };
        let mut rates = vec![optimizer.learning_rate()];
        for t in 0..100 {
            let measure = 1.0 / (1 + t / 8) as f64 + 0.1 * f64::from(t).sin();
            rule.step(&mut optimizer, if mode == Mode::Min { measure } else { -measure });
            rates.push(optimizer.learning_rate());
            if t == 50 {
                let saved = rule.state_dict();
                rule.load_state_dict(&saved).unwrap();
            }
        }
        let theirs = tensor(&file, &format!("schedule.{name}")).to_vec::<f64>();
        assert_eq!(rates, theirs, "{name}");
    }
}

#[test]
fn a_schedule_of_adam_changes_its_first_beta() {
    let mut optimizer = Adam::new([Tensor::zeros([1]).requires_grad_(true)], 0.1);
    let mut schedule = OneCycleLR::new(0.1, 10).on(&mut optimizer);
    let beta = |o: &Adam| {
        o.option(0, "betas").unwrap().items().unwrap()[0]
            .as_f64()
            .unwrap()
    };
    assert_eq!(beta(&optimizer), 0.95);
    (0..2).for_each(|_| schedule.step(&mut optimizer));
    assert!((beta(&optimizer) - 0.85).abs() < 1e-12);
    (2..8).for_each(|_| schedule.step(&mut optimizer));
    let before_last = optimizer.learning_rate();
    (8..10).for_each(|_| schedule.step(&mut optimizer));
    // As PyTorch has it, which leaves the cosine running.
    assert!((optimizer.learning_rate() - before_last).abs() < 1e-15);
    let error = catch(|| schedule.step(&mut optimizer)).unwrap_err();
    assert_eq!(error.message(), "step 11 of a schedule of 10 steps");
    let mut lion = Lion::new([Tensor::zeros([1]).requires_grad_(true)], 0.1);
    OneCycleLR::new(0.1, 3).on(&mut lion);
    let mut adagrad = Adagrad::new([Tensor::zeros([1]).requires_grad_(true)], 0.1);
    let error = catch(|| OneCycleLR::new(0.1, 3).on(&mut adagrad)).unwrap_err();
    assert_eq!(error.message(), "there is no option `momentum`");
}
