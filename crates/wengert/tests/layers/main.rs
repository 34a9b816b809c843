//! Layers beside PyTorch's: the same state dicts and inputs give the same outputs, gradients and buffers.
//!
//! `reference/layers.py` made the numbers with PyTorch, in f64.

mod init;
mod rearrange;

use std::path::Path;
use wengert::io::load_safetensors;
use wengert::nn::*;
use wengert::{DType, ErrorKind, Tensor, catch, gradcheck_model};

/// Both are in f64 and differ by the order of sums: 1e-16 an operation, a few hundred operations.
const BOUND: f64 = 1e-12;

struct Case {
    name: &'static str,
    file: StateDict,
}

impl Case {
    fn get(&self, what: &str) -> Option<Tensor> {
        self.file.get(&format!("{}.{what}", self.name)).cloned()
    }

    fn part(&self, what: &str) -> Vec<(String, Tensor)> {
        let prefix = format!("{}.{what}.", self.name);
        let own = self
            .file
            .iter()
            .filter_map(|(n, t)| Some((n.strip_prefix(&prefix)?.to_string(), t.clone())));
        own.collect()
    }

    fn input(&self, i: usize) -> Tensor {
        self.get(&format!("in.{i}")).unwrap()
    }

    fn close(&self, what: &str, ours: &Tensor, theirs: &Tensor) {
        assert_eq!(ours.shape(), theirs.shape(), "{} {what}", self.name);
        let far = (ours.detach().to(DType::F64) - theirs.to(DType::F64)).abs();
        let far = if far.numel() == 0 { 0.0 } else { far.max().item() };
        assert!(far < BOUND, "{} {what}: {far:e} apart", self.name);
    }
}

/// Runs a case: `run` gives all outputs from the first input.
fn check(name: &'static str, model: &dyn Module, run: impl Fn(&Case, &Tensor) -> Vec<Tensor>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/layers.safetensors");
    let case = Case {
        name,
        file: load_safetensors(path).unwrap(),
    };
    model.to(DType::F64);
    model
        .load_state_dict(&case.part("state").into_iter().collect())
        .unwrap();
    let x = case.input(0);
    let x = if x.dtype().is_float() {
        x.requires_grad_(true)
    } else {
        x
    };
    let ys = run(&case, &x);
    let theirs = case.part("out");
    assert_eq!(ys.len(), theirs.len(), "{name}");
    let mut loss = Tensor::full_as([], 0.0, DType::F64);
    for (i, y) in ys.iter().enumerate() {
        case.close(&format!("output {i}"), y, &case.get(&format!("out.{i}")).unwrap());
        let factors: Vec<f64> = (0..y.numel()).map(|i| (i as f64).cos()).collect();
        loss += (y * Tensor::from_vec(factors, y.shape())).sum();
    }
    loss.backward();
    let mut checked = 0;
    for (n, part) in model.tensors() {
        let grad = match part {
            Part::Parameter(t) => t.grad(),
            Part::Transposed(t) => t.grad().map(|g| g.t()),
            _ => continue,
        };
        if let Some(theirs) = case.get(&format!("grad.{n}")) {
            case.close(
                &format!("gradient of {n}"),
                &grad.unwrap_or_else(|| panic!("{name}: no gradient of {n}")),
                &theirs,
            );
            checked += 1;
        }
    }
    if let Some(theirs) = case.get("grad.in") {
        case.close("gradient of the input", &x.grad().unwrap(), &theirs);
        checked += 1;
    }
    assert_eq!(checked, case.part("grad").len(), "{name}: gradients checked");
    let state = model.state_dict();
    for (n, theirs) in case.part("after") {
        case.close(&format!("{n} afterwards"), state.get(&n).unwrap(), &theirs);
    }
}

fn both((y, other): (Tensor, Tensor)) -> Vec<Tensor> {
    vec![y, other]
}

fn options(num_layers: usize, bidirectional: bool) -> RecurrentOptions {
    RecurrentOptions {
        num_layers,
        bidirectional,
        ..Default::default()
    }
}

#[test]
fn recurrent_layers() {
    let rnn = RNN::with(3, 4, options(2, false));
    check("rnn", &rnn, |_, x| both(rnn.forward(x, None)));
    let rnn = RNN::with(
        3,
        4,
        RecurrentOptions {
            bias: false,
            ..Default::default()
        },
    )
    .relu();
    check("rnn_relu", &rnn, |_, x| both(rnn.forward(x, None)));
    let all = |(y, (h, c)): (Tensor, (Tensor, Tensor))| vec![y, h, c];
    let lstm = LSTM::with(
        3,
        4,
        RecurrentOptions {
            batch_first: true,
            ..options(2, true)
        },
    );
    check("lstm", &lstm, |_, x| all(lstm.forward(x, None)));
    let lstm = LSTM::new(3, 4);
    check("lstm_state", &lstm, |c, x| {
        all(lstm.forward(x, Some((&c.input(1), &c.input(2)))))
    });
    let lstm = LSTM::with(3, 4, options(2, true));
    check("lstm_packed", &lstm, |_, x| {
        all(lstm.forward_packed(x, &[3, 5, 1], None))
    });
    let gru = GRU::with(3, 4, options(2, true));
    check("gru", &gru, |_, x| both(gru.forward(x, None)));
    let gru = GRU::new(3, 4);
    check("gru_packed", &gru, |c, x| {
        both(gru.forward_packed(x, &[3, 5, 1], Some(&c.input(1))))
    });
}

#[test]
fn attention() {
    let mha = MultiheadAttention::new(4, 2);
    check("mha", &mha, |_, x| {
        both(mha.forward_with_weights(x, x, x, Masks::default()))
    });
    let mha = MultiheadAttention::new(4, 2).batch_first(true).without_bias();
    check("mha_masks", &mha, |c, x| {
        let padding = Tensor::new([[false, false, true, false], [false, true, false, false]]);
        let later = Tensor::new([
            [false, false, true, true],
            [false, false, false, true],
            [false, false, false, false],
        ]);
        let masks = Masks {
            key_padding: Some(&padding),
            attention: Some(&later),
            causal: false,
        };
        let (y, weights) = mha.forward_with_weights(x, &c.input(1), &c.input(2), masks);
        // Without weights it is the same, and so it is with numbers for bools.
        assert!(
            mha.forward(x, &c.input(1), &c.input(2), masks)
                .allclose(&y, 1e-12, 1e-14)
        );
        let numbers = Tensor::full_as([], f64::NEG_INFINITY, DType::F64)
            .where_(&later, &Tensor::full_as([], 0.0, DType::F64));
        let masks = Masks {
            attention: Some(&numbers),
            ..masks
        };
        assert!(
            mha.forward(x, &c.input(1), &c.input(2), masks)
                .allclose(&y, 1e-12, 1e-14)
        );
        vec![y, weights]
    });
}

#[test]
fn transformers() {
    let small = TransformerOptions {
        dim_feedforward: 6,
        dropout: 0.0,
        ..Default::default()
    };
    let layer = TransformerEncoderLayer::new(4, 2, small.clone());
    check("encoder_layer", &layer, |_, x| {
        vec![layer.forward(x, Masks::default())]
    });
    let first = TransformerOptions {
        norm_first: true,
        batch_first: true,
        gelu: true,
        ..small.clone()
    };
    let layer = TransformerEncoderLayer::new(4, 2, first);
    check("encoder_layer_first", &layer, |_, x| {
        vec![layer.forward(
            x,
            Masks {
                causal: true,
                ..Default::default()
            },
        )]
    });
    let encoder = TransformerEncoder::new(
        2,
        4,
        2,
        TransformerOptions {
            batch_first: true,
            ..small.clone()
        },
        true,
    );
    check("encoder", &encoder, |_, x| {
        vec![encoder.forward(x, Masks::default())]
    });
    let layer = TransformerDecoderLayer::new(4, 2, small.clone());
    check("decoder_layer", &layer, |c, x| {
        vec![layer.forward(x, &c.input(1), Masks::default(), Masks::default())]
    });
    let decoder = TransformerDecoder::new(
        2,
        4,
        2,
        TransformerOptions {
            norm_first: true,
            ..small
        },
        false,
    );
    check("decoder", &decoder, |c, x| {
        vec![decoder.forward(x, &c.input(1), Masks::default(), Masks::default())]
    });
}

fn layer(name: &'static str, layer: impl Layer) {
    check(name, &layer, |_, x| vec![layer.forward(x)]);
}

#[test]
fn norms() {
    layer("batch_norm", BatchNorm1d::new(3));
    layer("batch_norm_2d", BatchNorm2d::new(3));
    let trained = BatchNorm1d::new(3);
    trained.eval();
    layer("batch_norm_eval", trained);
    layer("batch_norm_mean", BatchNorm1d::new(3).momentum(None));
    layer(
        "instance_norm",
        InstanceNorm1d::new(3)
            .affine(3, true)
            .track_running_stats(3, true),
    );
    layer("layer_norm", LayerNorm::new([2, 3]));
    layer("group_norm", GroupNorm::new(2, 4));
    layer("rms_norm", RMSNorm::new([5]));
}

#[test]
fn convolutions_tables_and_others() {
    layer("conv", Conv2d::new(4, 6, 3).groups(2).stride(2).padding(1));
    layer("conv_same", Conv1d::new(2, 3, 4).padding("same").without_bias());
    layer(
        "conv_transpose",
        ConvTranspose2d::new(3, 2, 3)
            .stride(2)
            .padding(1)
            .output_padding(1),
    );
    layer("embedding", Embedding::new(6, 3).padding_idx(2));
    layer(
        "embedding_bag",
        EmbeddingBag::new(6, 3).mode(functional::Bag::Sum),
    );
    let bilinear = Bilinear::new(3, 4, 2);
    check("bilinear", &bilinear, |c, x| {
        vec![bilinear.forward(x, &c.input(1))]
    });
    let linear = Linear::new(3, 2);
    let normed = WeightNormLinear::new(&linear);
    assert!(
        normed.weight().allclose(&linear.W, 1e-6, 1e-7),
        "it begins with the layer's own weight"
    );
    layer("weight_norm", normed);
    let conv = Conv2d::new(4, 6, 3).groups(2).stride(2).padding(1);
    layer("weight_norm_conv", WeightNormConv::new(&conv));
    let transposed = ConvTranspose1d::new(3, 2, 3).without_bias();
    layer("weight_norm_transposed", WeightNormConv::new(&transposed));
}

#[test]
fn modes_reach_every_layer() {
    #[derive(Module)]
    struct Net {
        drop: Dropout,
        rest: Vec<Sequential>,
        named: ModuleDict<Dropout>,
    }
    let net = Net {
        drop: Dropout::new(0.5),
        rest: vec![Sequential::new().add(Linear::new(4, 4)).add(Dropout::new(0.9))],
        named: ModuleDict::new([("a", Dropout::new(1.0))]),
    };
    let x = Tensor::ones([100, 4]);
    let zeros = |y: &Tensor| y.to_vec::<f32>().iter().filter(|v| **v == 0.0).count();
    assert!((100..300).contains(&zeros(&net.drop.forward(&x))));
    assert_eq!(zeros(&net.named.get("a").unwrap().forward(&x)), 400);
    net.eval();
    assert_eq!(zeros(&net.drop.forward(&x)), 0);
    assert!(
        net.rest[0]
            .forward(&x)
            .allclose(&net.rest[0].forward(&x), 0.0, 0.0)
    );
    assert_eq!(zeros(&net.named.get("a").unwrap().forward(&x)), 0);
    net.train();
    assert_eq!(zeros(&net.named.get("a").unwrap().forward(&x)), 400);
    let names: Vec<String> = net.named_parameters().into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, ["rest.0.0.weight", "rest.0.0.bias"]);
    let mut list = ModuleList::new([Linear::new(2, 2)]);
    list.push(Linear::new(2, 3));
    assert_eq!(
        (list.len(), list[1].forward(&Tensor::ones([1, 2])).shape()),
        (2, [1, 3].into())
    );
    assert_eq!(list.named_parameters()[2].0, "1.weight");
}

#[test]
fn tied_weights_are_one_parameter_and_frozen_ones_stay() {
    #[derive(Module)]
    struct Tied {
        table: Embedding,
        head: Head,
    }
    #[derive(Module)]
    struct Head {
        weight: Tensor,
    }
    let table = Embedding::new(5, 3);
    let head = Head {
        weight: table.weight.clone(),
    };
    let model = Tied { table, head };
    assert_eq!(model.parameters().len(), 1);
    assert_eq!(model.state_dict().len(), 2);
    let y = model
        .table
        .forward(&Tensor::new([0, 1]))
        .matmul(&model.head.weight.t());
    y.sum().backward();
    assert!(model.table.weight.grad().is_some());
    let text = summary(&model);
    assert!(
        text.contains("shared") && text.ends_with("15 parameters, of which 15 are trained; 60 bytes"),
        "{text}"
    );
    model.requires_grad_(false);
    assert!(summary(&model).contains("of which 0 are trained"));
}

#[test]
fn a_table_says_what_layers_do() {
    #[derive(Module)]
    struct Net {
        conv: Conv2d,
        norm: BatchNorm2d,
        read: LSTM,
        attend: MultiheadAttention,
        unused: Linear,
        head: Linear,
    }
    let net = Net {
        conv: Conv2d::new(1, 4, 3),
        norm: BatchNorm2d::new(4),
        read: LSTM::new(16, 8),
        attend: MultiheadAttention::new(8, 2),
        unused: Linear::new(2, 2),
        head: Linear::new(8, 3),
    };
    net.requires_grad_(false);
    let text = summary_of(&net, || {
        let x = net
            .norm
            .forward(&net.conv.forward(&Tensor::zeros([2, 1, 6, 6])))
            .relu();
        let (y, _) = net.read.forward(&x.flatten(2, -1), None);
        net.head
            .forward(&net.attend.forward(&y, &y, &y, Masks::default()))
    });
    let line = |name: &str| {
        let line = text
            .lines()
            .find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
    };
    // The kernel's 9 numbers for each of the result.
    assert!(
        line("conv").contains("[2, 4, 4, 4]") && line("conv").ends_with(" 2,304"),
        "{text}"
    );
    assert!(
        line("norm").contains("batch_norm") && line("norm").ends_with(" 0"),
        "{text}"
    );
    // Four gates for 2 steps of 4 sequences, from 16 inputs and 8 of the state.
    let flops = 2 * 2 * 4 * (4 * 8) * (16 + 8);
    assert_eq!(flops, 12288);
    assert!(line("read").ends_with(" 12,288"), "{text}");
    assert!(line("head").contains("[2, 4, 3]"), "{text}");
    assert!(line("unused").ends_with(" 0"), "{text}");
    // With the attention's three projections in, one out, and its two products.
    let all = 2304 + flops + 2 * 8 * 8 * (24 + 8) + 512 + 2 * 8 * 8 * 3;
    assert_eq!(all, 19584);
    assert!(text.ends_with("; 19,584 FLOPs"), "{text}");
}

#[test]
fn gradients_of_whole_layers() {
    struct First<M>(M, fn(&M, &Tensor) -> Tensor);
    impl<M: Module> Module for First<M> {
        fn parts<'a>(&'a self, show: &mut dyn FnMut(&str, Part<'a>)) {
            self.0.parts(show);
        }
    }
    impl<M: Module> Layer for First<M> {
        fn forward(&self, x: &Tensor) -> Tensor {
            self.1(&self.0, x)
        }
    }
    let gru = First(GRU::with(2, 3, options(1, true)), |m, x| {
        m.forward_packed(x, &[2, 3], None).0
    });
    let x = Tensor::randn([3, 2, 2]);
    gradcheck_model(&gru, &x).unwrap();
    let mha = First(MultiheadAttention::new(4, 2), |m, x| {
        m.forward(
            x,
            x,
            x,
            Masks {
                causal: true,
                ..Default::default()
            },
        )
    });
    let x = Tensor::randn([3, 2, 4]);
    gradcheck_model(&mha, &x).unwrap();
}

#[test]
fn what_does_not_fit_is_refused() {
    let message = |f: &dyn Fn()| {
        let error = catch(f).unwrap_err();
        (error.kind(), error.message().to_string())
    };
    let lstm = LSTM::new(3, 4);
    for (f, kind, text) in [
        (
            &(|| drop(lstm.forward(&Tensor::ones([5, 2, 4]), None))) as &dyn Fn(),
            ErrorKind::Shape,
            "the input is of shape [5, 2, 4]",
        ),
        (
            &|| drop(lstm.forward_packed(&Tensor::ones([5, 2, 3]), &[6, 1], None)),
            ErrorKind::Shape,
            "a length of 6 among sequences of up to 5 steps",
        ),
        (
            &|| {
                let h = Tensor::ones([1, 3, 4]);
                drop(lstm.forward(&Tensor::ones([5, 2, 3]), Some((&h, &h))));
            },
            ErrorKind::Shape,
            "a state is of shape [1, 3, 4]",
        ),
        (
            &|| drop(LSTM::new(3, 0)),
            ErrorKind::Value,
            "needs a hidden size of at least 1",
        ),
        (
            &|| drop(MultiheadAttention::new(8, 3)),
            ErrorKind::Value,
            "3 heads do not divide a width of 8",
        ),
        (
            &|| drop(GroupNorm::new(3, 8)),
            ErrorKind::Value,
            "3 groups do not divide 8 channels",
        ),
        (
            &|| drop(Conv2d::new(4, 6, 3).groups(5)),
            ErrorKind::Value,
            "5 groups do not divide 4 inputs and 6 outputs",
        ),
        (
            &|| drop(Conv2d::new(4, 6, 0)),
            ErrorKind::Value,
            "a kernel of size [0, 0] sees nothing",
        ),
        (
            &|| drop(BatchNorm2d::new(3).forward(&Tensor::ones([2, 3]))),
            ErrorKind::Shape,
            "needs an input of 4 dimensions, and got shape [2, 3]",
        ),
        (
            &|| drop(Unflatten::new(1, [2, 3]).forward(&Tensor::ones([2, 5]))),
            ErrorKind::Shape,
            "cannot make [2, 3] of a dimension of size 5",
        ),
        (
            &|| drop(Embedding::new(3, 2).padding_idx(3)),
            ErrorKind::Index,
            "there is no row 3 among 3",
        ),
    ] {
        assert_eq!(message(f), (kind, text.to_string()));
    }
    let y = Unflatten::new(-1, [2, 3]).forward(&Tensor::ones([4, 6]));
    assert_eq!(y.shape(), [4, 2, 3]);
}
