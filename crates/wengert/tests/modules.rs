//! Models: names, the state in PyTorch's layout, loading it, and checking gradients of all parameters.

use wengert::autograd::check::GradCheck;
use wengert::nn::{Layer, Linear, Module, ReLU, Sequential, StateDict, Tanh};
use wengert::optim::{Adam, Optimizer, SGD};
use wengert::{
    Array, Ctx, DType, ErrorKind, Extra, Fixed, Meta, Op, Result, Sample, Saves, Tensor, catch,
    gradcheck_model, op::In,
};

#[derive(Module)]
struct Block {
    first: Linear,
    scale: Tensor,
    #[module(buffer)]
    mean: Tensor,
    layers: Vec<Linear>,
    head: Option<Box<dyn Layer>>,
    dropout: f64,
    #[module(skip)]
    _note: std::time::Duration,
}

fn block() -> Block {
    Block {
        first: Linear::new(3, 4),
        scale: Tensor::ones([4]),
        mean: Tensor::zeros([4]),
        layers: vec![Linear::new(4, 4), Linear::without_bias(4, 4)],
        head: Some(Box::new(Sequential::new().add(Tanh).add(Linear::new(4, 2)))),
        dropout: 0.5,
        _note: Default::default(),
    }
}

impl Layer for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = (self.first.forward(x) - &self.mean) * &self.scale * (1.0 - self.dropout);
        for layer in &self.layers {
            x = layer.forward(&x).tanh();
        }
        self.head.as_ref().map_or(x.clone(), |head| head.forward(&x))
    }
}

#[test]
fn derived_names_are_those_of_the_fields() {
    let block = block();
    let names: Vec<String> = block.named_parameters().into_iter().map(|(n, _)| n).collect();
    let expected = [
        "first.weight",
        "first.bias",
        "scale",
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "head.1.weight",
        "head.1.bias",
    ];
    assert_eq!(names, expected);
    let state: Vec<String> = block.state_dict().into_iter().map(|(n, _)| n).collect();
    assert_eq!(state.len(), expected.len() + 1);
    assert_eq!(state[3], "mean");
    assert_eq!(block.num_parameters(), 16 + 4 + 20 + 16 + 10);
}

#[test]
fn a_plain_tensor_in_a_layer_becomes_its_parameter() {
    let mut layer = Linear::new(2, 1);
    layer.W = Tensor::new([[1.0], [2.0]]);
    layer.forward(&Tensor::new([[3.0, 4.0]])).sum().backward();
    assert_eq!(layer.W.grad().unwrap().to_vec::<f32>(), [3.0, 4.0]);
    // Whoever said no meant it.
    layer.W = Tensor::new([[1.0], [2.0]]).requires_grad_(false);
    layer.forward(&Tensor::new([[3.0, 4.0]])).sum().backward();
    assert!(layer.W.grad().is_none());
}

#[test]
fn state_dicts_have_pytorchs_layout_and_go_round() {
    let (a, b) = (block(), block());
    assert_eq!(a.state_dict().get("first.weight").unwrap().shape(), [4, 3]);
    let x = Tensor::randn([5, 3]);
    assert!(!a.forward(&x).allclose(&b.forward(&x), 1e-3, 1e-3));
    let before = b.parameters();
    b.load_state_dict(&a.state_dict()).unwrap();
    assert_eq!(a.forward(&x).to_vec::<f32>(), b.forward(&x).to_vec::<f32>());
    // The same variables with new values: optimizers that hold them go on.
    assert!(before.iter().zip(b.parameters()).all(|(a, b)| a.is(&b)));
}

#[test]
fn a_state_that_does_not_match_is_refused_whole() {
    let net = Sequential::new()
        .add(Linear::new(3, 2))
        .add(ReLU)
        .add(Linear::new(2, 1));
    let before = net.state_dict();
    let state: StateDict = [
        ("0.weight".to_string(), Tensor::zeros([2, 3])),
        ("0.bais".to_string(), Tensor::zeros([2])),
        ("2.weight".to_string(), Tensor::zeros([2, 1])),
        ("2.bias".to_string(), Tensor::zeros([1])),
    ]
    .into_iter()
    .collect();
    let error = net.load_state_dict(&state).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    let expected = "load_state_dict: the values do not match the model; nothing was changed
  missing: `0.bias` (is `0.bais` meant?)
  unexpected: `0.bais`
  of another shape: `2.weight` is [1, 2] in the model and [2, 1] in the values";
    assert_eq!(error.to_string(), expected);
    for ((_, a), (_, b)) in before.iter().zip(net.state_dict().iter()) {
        assert_eq!(a.to_vec::<f32>(), b.to_vec::<f32>());
    }
    let report = net.load_partial_state_dict(&state);
    assert_eq!(report.missing, ["0.bias"]);
    assert_eq!(report.unexpected, ["0.bais"]);
    assert_eq!(
        net.state_dict().get("0.weight").unwrap().to_vec::<f32>(),
        [0.0; 6]
    );
}

#[test]
fn initial_parameters_are_drawn_as_pytorch_draws_them() {
    let layer = wengert::fork_rng(3, || Linear::new(100, 400));
    let w = layer.W.to_vec::<f64>();
    let (bound, n) = (0.1, w.len() as f64);
    assert!(w.iter().chain(&layer.b.to_vec::<f64>()).all(|x| x.abs() <= bound));
    let mean = w.iter().sum::<f64>() / n;
    let variance = w.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    // Uniform: the variance is bound²/3; the mean of 40,000 strays by 0.0577 / 200.
    assert!(mean.abs() < 1.5e-3 && (variance / (bound * bound / 3.0) - 1.0).abs() < 0.03);
}

#[test]
fn gradients_of_all_parameters_are_checked_and_the_model_is_left_as_it_was() {
    let model = block();
    let before = model.state_dict();
    let x = Tensor::randn([4, 3]);
    let report = gradcheck_model(&model, &x).unwrap();
    assert!(report.worst < 1e-5 && report.compared > 0);
    for ((name, a), (_, b)) in before.iter().zip(model.state_dict().iter()) {
        assert_eq!((a.dtype(), b.dtype()), (DType::F32, DType::F32));
        assert_eq!(a.to_vec::<f32>(), b.to_vec::<f32>(), "{name}");
    }
}

/// Multiplies by two, and says that the slope is three.
#[derive(Debug)]
struct Wrong;

impl Op for Wrong {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "wrong";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let mut x = x.contiguous();
        x.make_mut::<f64>().iter_mut().for_each(|v| *v *= 2.0);
        x
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(dy * 3.0)]
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![]
    }
}

#[test]
fn a_failed_check_names_the_parameter_the_element_and_the_operation() {
    let model = Sequential::new().add(Linear::new(2, 2)).add(Tanh);
    let x = Tensor::new([[1.0, -1.0], [0.5, 2.0]]).to(DType::F64);
    let check = GradCheck::new().full();
    let error = check
        .run_model(&model, |m| Wrong.apply([&m.forward(&x)]))
        .unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Check);
    let start = "gradcheck_model: backward and finite differences disagree at element [0, 0] of parameter `0.weight`, \
                 which is [2, 2] here\n  backward gives ";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("the rule of `wrong`, applied at "), "{text}");
    assert!(text.contains("tests/modules.rs:"), "{text}");
    // The same by random directions, and afterwards the model is what it was.
    assert!(
        GradCheck::new()
            .run_model(&model, |m| Wrong.apply([&m.forward(&x)]))
            .is_err()
    );
    assert_eq!(model.parameters()[0].dtype(), DType::F32);
}

#[test]
fn optimizers_refuse_what_they_cannot_train() {
    let w = || Tensor::new([1.0, 2.0]).requires_grad_(true);
    let (one, result) = (w(), w() * 2.0);
    let twice = catch(|| SGD::new([one.clone(), one.clone()], 0.1)).unwrap_err();
    assert!(
        twice
            .to_string()
            .starts_with("SGD: parameter 1 is parameter 0 once more\n")
    );
    let made = catch(|| Adam::new([result.clone()], 0.1)).unwrap_err();
    assert!(
        made.to_string()
            .starts_with("Adam: parameter 0, of shape [2], is a result with a history\n")
    );
    assert!(
        catch(|| SGD::new([], 0.1))
            .unwrap_err()
            .to_string()
            .contains("no parameters")
    );
    assert!(
        catch(|| SGD::new([w()], -1.0))
            .unwrap_err()
            .to_string()
            .contains("-1")
    );
    assert!(catch(|| SGD::new([w()], 0.1).nesterov(true)).is_err());
    assert!(
        catch(|| Adam::new([w()], 0.1).betas(0.9, 1.0))
            .unwrap_err()
            .to_string()
            .contains("β₂")
    );
}

#[test]
fn a_step_changes_the_variable_and_not_a_recorded_graph() {
    let w = Tensor::new([1.0, 2.0]).requires_grad_(true);
    let loss = (&w * &w).sum();
    w.set_grad(Some(Tensor::new([1.0, 1.0])));
    let mut optimizer = SGD::new([w.clone()], 0.5);
    optimizer.step();
    assert_eq!(w.to_vec::<f32>(), [0.5, 1.5]);
    optimizer.zero_grad();
    loss.backward();
    // d(w²) at the values the graph saw.
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [2.0, 4.0]);
    // A parameter without a gradient stays.
    optimizer.zero_grad();
    optimizer.step();
    assert_eq!(w.to_vec::<f32>(), [0.5, 1.5]);
}
