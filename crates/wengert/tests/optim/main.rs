//! Optimizers and schedules beside PyTorch's: the same weights, data and options give the same runs.
//!
//! `reference/optim.py` made the numbers with PyTorch and says what was trained.

mod schedules;

use wengert::io::{Value, load_safetensors};
use wengert::nn::{CrossEntropyLoss, Layer, Linear, Module, Sequential, StateDict, Tanh};
use wengert::optim::*;
use wengert::{DType, ErrorKind, Tensor, catch};

const STEPS: usize = 50;
const BATCH: usize = 32;
const ROWS: usize = 96;

fn read() -> StateDict {
    load_safetensors(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/reference/optim.safetensors"
    ))
    .unwrap()
}

fn tensor(file: &StateDict, name: &str) -> Tensor {
    file.get(name).unwrap().detach()
}

struct Run {
    model: Sequential,
    x: Tensor,
    y: Tensor,
}

impl Run {
    fn new(file: &StateDict, dtype: DType) -> Run {
        let model = Sequential::new()
            .add(Linear::new(8, 16))
            .add(Tanh)
            .add(Linear::new(16, 3));
        let names = ["0.weight", "0.bias", "2.weight", "2.bias"];
        let init = names.map(|n| (n.to_string(), tensor(file, &format!("init.{n}"))));
        model.load_state_dict(&StateDict::from_iter(init)).unwrap();
        model.to(dtype);
        Run {
            model,
            x: tensor(file, "x").to(dtype),
            y: tensor(file, "y"),
        }
    }

    fn loss(&self, step: usize, batch: usize) -> Tensor {
        let rows: Vec<i64> = (0..batch).map(|i| ((step * batch + i) % ROWS) as i64).collect();
        let rows = Tensor::from_vec(rows, [batch]);
        let logits = self.model.forward(&self.x.index_select(0, &rows));
        CrossEntropyLoss::new().forward(&logits, &self.y.index_select(0, &rows))
    }

    fn steps(&self, optimizer: &mut dyn Optimizer, steps: std::ops::Range<usize>) -> Vec<f64> {
        let one = |step| {
            let loss = self.loss(step, BATCH);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            loss.item()
        };
        steps.map(one).collect()
    }

    fn weights(&self) -> Vec<f64> {
        let state = self.model.state_dict();
        state.into_iter().flat_map(|(_, t)| t.to_vec::<f64>()).collect()
    }
}

/// The largest difference, relative to the largest number.
fn apart(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let size = theirs.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let far = |a: f64, (x, y): (&f64, &f64)| if (x - y).abs() <= a { a } else { (x - y).abs() };
    ours.iter().zip(theirs).fold(0.0, far) / size
}

/// In f64 the two differ by rounding, 1e-16 an operation, which 50 steps let grow. In f32 rounding is 6e-8, and
/// PyTorch's own f32 runs are up to 1e-6 from its f64 runs (2.5e-6 for Lion and Muon, where a small change of a
/// gradient changes a whole step): the bounds are a few times that.
fn bound(dtype: DType) -> f64 {
    if dtype == DType::F64 { 1e-13 } else { 8e-6 }
}

fn compare(run: &str, make: impl Fn(Vec<Tensor>) -> Box<dyn Optimizer>) {
    let file = read();
    for (name, dtype) in [("f64", DType::F64), ("f32", DType::F32)] {
        let this = Run::new(&file, dtype);
        let losses = this.steps(&mut *make(this.model.parameters()), 0..STEPS);
        let theirs = |what: &str| tensor(&file, &format!("{run}.{name}.{what}")).to_vec::<f64>();
        for (what, ours) in [("losses", &losses), ("weights", &this.weights())] {
            let far = apart(ours, &theirs(what));
            println!("{run} {name} {what}: {far:.1e}");
            assert!(far <= bound(dtype), "{run} {name}: {what} are {far:e} apart");
        }

        // A run that is saved and resumed half way is bit for bit the run that was not.
        let again = Run::new(&file, dtype);
        let mut first = make(again.model.parameters());
        let mut resumed = again.steps(&mut *first, 0..STEPS / 2);
        let mut second = make(again.model.parameters());
        second.set_learning_rate(77.0);
        second.load_state_dict(&first.state_dict()).unwrap();
        resumed.extend(again.steps(&mut *second, STEPS / 2..STEPS));
        assert_eq!(
            (resumed, again.weights()),
            (losses, this.weights()),
            "{run} {name} resumed"
        );
    }
}

macro_rules! runs {
    ($($name:ident: |$p:ident| $make:expr;)*) => {$(
        #[test]
        fn $name() {
            compare(stringify!($name), |$p| Box::new($make));
        }
    )*};
}
fn matrices(p: Vec<Tensor>) -> Vec<Tensor> {
    p.into_iter().filter(|p| p.dim() == 2).collect()
}
fn vectors(p: Vec<Tensor>) -> Vec<Tensor> {
    p.into_iter().filter(|p| p.dim() == 1).collect()
}
runs! {
    sgd: |p| SGD::new(p, 0.1).momentum(0.9).dampening(0.1).weight_decay(1e-2);
    sgd_maximize: |p| SGD::new(p, 0.01).maximize(true);
    adam_amsgrad: |p| Adam::new(p, 1e-2).weight_decay(1e-2).amsgrad(true);
    adamw: |p| AdamW::new(p, 1e-2).betas(0.8, 0.95);
    nadam: |p| NAdam::new(p, 1e-2).weight_decay(1e-2);
    nadam_decoupled: |p| NAdam::new(p, 1e-2).weight_decay(1e-2).decoupled_weight_decay(true);
    radam: |p| RAdam::new(p, 1e-2).weight_decay(1e-2);
    adamax: |p| Adamax::new(p, 1e-2).weight_decay(1e-2);
    rmsprop: |p| RMSprop::new(p, 1e-2).weight_decay(1e-2);
    rmsprop_centered: |p| RMSprop::new(p, 1e-3).centered(true);
    rmsprop_momentum: |p| RMSprop::new(p, 1e-3).momentum(0.9);
    rmsprop_both: |p| RMSprop::new(p, 1e-3).momentum(0.9).centered(true);
    adagrad: |p| Adagrad::new(p, 0.1).lr_decay(0.01).weight_decay(1e-2).initial_accumulator_value(0.1);
    adadelta: |p| Adadelta::new(p, 1.0).weight_decay(1e-2);
    lion: |p| Lion::new(p, 1e-3).weight_decay(0.1);
    muon: |p| Muon::new(matrices(p), 1e-2);
    muon_plain: |p| Muon::new(matrices(p), 1e-2).nesterov(false).adjust_lr_fn(Adjust::MatchRmsAdamW);
    groups: |p| AdamW::new(matrices(p.clone()), 1e-2)
        .weight_decay(0.1)
        .group(vectors(p), |learning_rate, options| (*learning_rate, options.weight_decay) = (1e-3, 0.0));
}

/// The runs are chaotic: what rounding makes of them is larger than with the others (PyTorch's f32 runs are 2e-6 from
/// its f64 runs), and a line search may turn on it.
#[test]
fn lbfgs() {
    let file = read();
    for (run, wolfe) in [("lbfgs", false), ("lbfgs_wolfe", true)] {
        for (name, dtype, bound) in [("f64", DType::F64, 1e-11), ("f32", DType::F32, 1e-4)] {
            let make = |p| match wolfe {
                false => LBFGS::new(p, 0.1).max_iter(4).history_size(5),
                true => LBFGS::new(p, 1.0).max_iter(4).line_search(true),
            };
            let this = Run::new(&file, dtype);
            let mut optimizer = make(this.model.parameters());
            let losses: Vec<f64> = (0..3).map(|_| optimizer.step(|| this.loss(0, ROWS))).collect();
            for (what, ours) in [("losses", &losses), ("weights", &this.weights())] {
                let theirs = tensor(&file, &format!("{run}.{name}.{what}")).to_vec::<f64>();
                let far = apart(ours, &theirs);
                println!("{run} {name} {what}: {far:.1e}");
                assert!(far <= bound, "{run} {name}: {what} are {far:e} apart");
            }
            let again = Run::new(&file, dtype);
            let mut first = make(again.model.parameters());
            let mut resumed: Vec<f64> = (0..2).map(|_| first.step(|| again.loss(0, ROWS))).collect();
            let mut second = LBFGS::new(again.model.parameters(), 7.0);
            second.load_state_dict(&first.state_dict()).unwrap();
            resumed.extend((2..3).map(|_| second.step(|| again.loss(0, ROWS))));
            assert_eq!(
                (resumed, again.weights()),
                (losses, this.weights()),
                "{run} {name} resumed"
            );
        }
    }
}

#[test]
fn bad_options_and_states_are_refused_and_change_nothing() {
    let p = || Tensor::zeros([2, 3]).requires_grad_(true);
    let message = |f: &dyn Fn()| catch(f).unwrap_err().message().to_string();
    for (f, text) in [
        (
            &(|| drop(Adam::new([p()], -1.0))) as &dyn Fn(),
            "the learning rate must be a number that is not negative, and is -1",
        ),
        (
            &|| drop(Adam::new([p()], 0.1).betas(0.9, 1.0)),
            "β₂ must be at least 0 and below 1, and is 1",
        ),
        (
            &|| drop(SGD::new([p()], 0.1).nesterov(true)),
            "Nesterov's variant needs a momentum and no dampening",
        ),
        (
            &|| drop(RMSprop::new([p()], 0.1).group([p()], |_, o| o.eps = f64::NAN)),
            "the ε must be a number that is not negative, and is NaN",
        ),
        (
            &|| drop(Adadelta::new([p()], 0.1).rho(2.0)),
            "ρ must be from 0 to 1, and is 2",
        ),
        (
            &|| drop(Muon::new([Tensor::zeros([3])], 0.1)),
            "trains matrices only, and got a parameter of shape [3]",
        ),
        (
            &|| drop(SGD::new([p()], 0.1).group([], |_, _| {})),
            "there are no parameters to train",
        ),
    ] {
        assert_eq!(message(f), text);
    }
    let shared = p();
    let error = catch(|| SGD::new([shared.clone()], 0.1).group([shared.clone()], |_, _| {})).unwrap_err();
    assert_eq!(error.message(), "parameter 1 is parameter 0 once more");

    let w = p();
    let mut optimizer = Adam::new([w.clone()], 0.1);
    w.set_grad(Some(Tensor::ones([2, 3])));
    optimizer.step();
    let good = optimizer.state_dict();
    let other = Adam::new([Tensor::zeros([4]).requires_grad_(true)], 0.3);
    let two = SGD::new([p(), p()], 0.1);
    let no_betas = Value::dict([
        ("state", Value::Dict(vec![])),
        (
            "param_groups",
            Value::List(vec![Value::dict([
                ("lr", 0.5.into()),
                ("betas", 3.into()),
                ("params", Value::List(vec![0.into()])),
            ])]),
        ),
    ]);
    for (state, text) in [
        (Value::None, "there is no `param_groups` in none"),
        (
            two.state_dict(),
            "the groups have [1] parameters here and [2] in the saved state",
        ),
        (no_betas, "`betas` must be 2 numbers, and is 3"),
    ] {
        let error = optimizer.load_state_dict(&state).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Value, text));
    }
    let mut other = other;
    let error = other.load_state_dict(&good).unwrap_err();
    assert_eq!(
        error.message(),
        "`exp_avg` is of shape [2, 3], the parameter of [4]"
    );
    assert_eq!(other.learning_rate(), 0.3);
    let error = optimizer.set_option(0, "beta", &1.into()).unwrap_err();
    assert_eq!(error.message(), "there is no option `beta`");
}

#[test]
fn clipping() {
    let make = || {
        let (a, b) = (Tensor::new([3.0, -4.0]), Tensor::new([12.0]));
        let all = [Tensor::zeros([2]), Tensor::zeros([1]), Tensor::zeros([5])];
        all.iter().for_each(|p| drop(p.requires_grad_(true)));
        all[0].set_grad(Some(a));
        all[1].set_grad(Some(b));
        all
    };
    let grads = |p: &[Tensor]| {
        p.iter()
            .filter_map(Tensor::grad)
            .flat_map(|g| g.to_vec::<f32>())
            .collect::<Vec<_>>()
    };
    let p = make();
    assert_eq!(clip_grad_norm_(&p, 20.0), 13.0);
    assert_eq!(grads(&p), [3.0, -4.0, 12.0]);
    assert_eq!(clip_grad_norm_(&p, 6.5), 13.0);
    assert!(
        grads(&p)
            .iter()
            .zip([1.5, -2.0, 6.0])
            .all(|(a, b)| (a - b).abs() < 1e-5)
    );
    let p = make();
    assert_eq!(try_clip_grad_norm_(&p, 6.0, f64::INFINITY).unwrap(), 12.0);
    assert_eq!(try_clip_grad_norm_(&make(), 6.0, 1.0).unwrap(), 19.0);
    let p = make();
    clip_grad_value_(&p, 3.5);
    assert_eq!(grads(&p), [3.0, -3.5, 3.5]);
    p[1].set_grad(Some(Tensor::new([f64::NAN])));
    let error = try_clip_grad_norm_(&p, 1.0, 2.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "clip_grad_norm_: the norm of the gradients is NaN\n  the gradient of parameter 1 is not finite"
    );
    assert_eq!(grads(&p)[..2], [3.0, -3.5]);
    assert!(clip_grad_norm_(&p, 1.0).is_nan() && grads(&p).iter().all(|g| g.is_nan()));
    assert_eq!(grad_norm(&[], 2.0), 0.0);
}

#[test]
fn the_loss_scale_falls_on_overflow_and_rises_after_a_while() {
    let w = Tensor::new([1.0, 2.0]).requires_grad_(true);
    let mut optimizer = SGD::new([w.clone()], 0.1);
    let mut scaler = GradScaler::new().init_scale(8.0).growth_interval(2);
    let mut scales = Vec::new();
    for bad in [false, true, false, false, false] {
        optimizer.zero_grad();
        let factor = if bad { f64::INFINITY } else { 1.0 };
        scaler.scale(&(&w * factor).sum()).backward();
        let before = w.to_vec::<f32>();
        assert_eq!(scaler.step(&mut optimizer), !bad);
        assert_eq!(w.to_vec::<f32>() == before, bad);
        let saved = scaler.state_dict();
        scaler = GradScaler::new();
        scaler.load_state_dict(&saved).unwrap();
        scales.push(scaler.get_scale());
    }
    assert_eq!(scales, [8.0, 4.0, 4.0, 8.0, 8.0]);
    assert!(w.allclose(&Tensor::new([0.6, 1.6]), 1e-6, 0.0));
    // Clipping in between sees the true gradients, and they are not unscaled twice.
    optimizer.zero_grad();
    scaler.scale(&w.sum()).backward();
    scaler.unscale_(&optimizer);
    assert!((clip_grad_norm_(optimizer.parameters(), 10.0) - 2f64.sqrt()).abs() < 1e-6);
    assert!(scaler.step(&mut optimizer));
    assert!(w.allclose(&Tensor::new([0.5, 1.5]), 1e-6, 0.0));
}

#[test]
fn averages_of_weights() {
    let model = Linear::new(2, 1);
    let set = |w: f64| {
        model.W.copy_(&Tensor::full([], w));
        model.b.copy_(&Tensor::full([], -w));
    };
    let mut mean = EMA::new(0.75);
    for w in [1.0, 2.0, 4.0] {
        set(w);
        mean.update(&model);
    }
    let trained = mean.swap(&model).unwrap();
    assert_eq!(model.W.to_vec::<f64>(), [1.9375; 2]);
    assert_eq!(model.b.to_vec::<f64>(), [-1.9375]);
    mean.swap_back(&model, &trained).unwrap();
    assert_eq!(model.W.to_vec::<f64>(), [4.0; 2]);
    assert!(mean.swap(&Linear::new(3, 1)).is_err());
    let mut restored = EMA::new(0.75);
    restored.set_means(&mean.means());
    restored.swap(&model).unwrap();
    assert_eq!(model.W.to_vec::<f64>(), [1.9375; 2]);
}

#[test]
fn steps_write_in_place_and_leave_recorded_graphs_alone() {
    let w = Tensor::ones([1000]).requires_grad_(true);
    let mut optimizer = AdamW::new([w.clone()], 0.1);
    let y = (&w * &w).sum();
    y.backward();
    optimizer.step();
    let values = w.array();
    let kept = y.item();
    w.zero_grad();
    let y = (&w * &w).sum();
    optimizer.step(); // no gradient: nothing happens
    assert_eq!(w.to_vec::<f32>(), values.to_vec::<f32>());
    y.backward();
    optimizer.step();
    assert_eq!((kept, y.item() < kept), (1000.0, true));
}

#[test]
fn single_steps_are_the_optimizers_own_and_work_in_place() {
    let start = Tensor::new([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]]);
    let gradient = |t: i32| (Tensor::new([[0.1, 0.2, -0.3], [1.0, -1.0, 2.0]]) * f64::from(t)).to(DType::F32);
    type Make = fn(Tensor) -> Box<dyn Optimizer>;
    type Options = &'static [(&'static str, Value)];
    const MOMENTUM: Options = &[("momentum", Value::Float(0.9))];
    const AMSGRAD: Options = &[("amsgrad", Value::Bool(true)), ("foreach", Value::Bool(true))];
    let cases: [(&str, Options, Make); 4] = [
        ("SGD", MOMENTUM, |p| Box::new(SGD::new([p], 0.1).momentum(0.9))),
        ("Adam", AMSGRAD, |p| Box::new(Adam::new([p], 0.1).amsgrad(true))),
        ("NAdam", &[], |p| Box::new(NAdam::new([p], 0.1))),
        ("Muon", &[], |p| Box::new(Muon::new([p], 0.1).outputs_first(true))),
    ];
    for (method, options, make) in cases {
        for turned in [false, true] {
            if method == "Muon" && turned {
                continue;
            }
            let whole = start.contiguous().requires_grad_(true);
            let single = start.contiguous().requires_grad_(true);
            let mut optimizer = make(whole.clone());
            let mut rule = SingleStep::new(method).unwrap();
            for (name, value) in options {
                assert_eq!(rule.set(name, value).unwrap(), *name != "foreach");
            }
            let mut kept = [Kept::of(single.clone())];
            kept[0].turned = turned;
            let mut first = None;
            for t in 1..=3 {
                whole.set_grad(Some(gradient(t)));
                single.set_grad(Some(gradient(t)));
                optimizer.step();
                rule.run(0.1, &mut kept).unwrap();
                let array = kept[0].arrays[0].clone().unwrap();
                assert!(first.get_or_insert(array.clone()).is(&array), "in place");
            }
            assert_eq!(
                (single.to_vec::<f32>(), kept[0].steps),
                (whole.to_vec::<f32>(), 3),
                "{method}"
            );
            let state = optimizer.state_dict();
            let state = state.get("state").unwrap().get_number(0).unwrap();
            for (ours, name) in kept[0].arrays.iter().zip(rule.arrays()) {
                let (Some(ours), Some(theirs)) = (ours, state.get(name)) else {
                    continue;
                };
                let theirs = theirs.as_tensor().unwrap();
                let theirs = if turned { theirs.t() } else { theirs.clone() };
                assert_eq!(
                    (ours.shape(), ours.to_vec::<f32>()),
                    (theirs.shape(), theirs.to_vec::<f32>())
                );
            }
            kept[0].arrays[0] = Some(Tensor::ones([4]));
            assert!(rule.run(0.1, &mut kept).is_err());
            assert_eq!(single.to_vec::<f32>(), whole.to_vec::<f32>(), "nothing changed");
        }
    }
    assert!(SingleStep::new("Magic").is_err());
}
