//! Cells of recurrent layers, layers that surround and rearrange, a softmax over many classes, a whole transformer.

use super::{both, check, layer};
use wengert::nn::*;
use wengert::{Tensor, catch};

#[test]
fn cells() {
    let cell = RNNCell::new(3, 4).relu();
    check("rnn_cell", &cell, |_, x| vec![cell.forward(x, None)]);
    let cell = LSTMCell::new(3, 4);
    check("lstm_cell", &cell, |c, x| {
        both(cell.forward(x, Some((&c.input(1), &c.input(2)))))
    });
    let cell = GRUCell::without_bias(3, 4);
    check("gru_cell", &cell, |c, x| vec![cell.forward(x, Some(&c.input(1)))]);
    // A cell's steps are those of the layer.
    let (layer, cell) = (LSTM::new(3, 4), LSTMCell::new(3, 4));
    let state = layer.state_dict();
    let renamed = state.iter().map(|(n, t)| (n.replace("_l0", ""), t.clone()));
    cell.load_state_dict(&renamed.collect()).unwrap();
    let x = Tensor::randn([2, 5, 3]);
    let (y, _) = layer.forward(&x, None);
    let mut state = cell.forward(&x.select(0, 0), None);
    state = cell.forward(&x.select(0, 1), Some((&state.0, &state.1)));
    assert!(state.0.allclose(&y.select(0, 1), 1e-6, 1e-7));
    let error = catch(|| cell.forward(&Tensor::zeros([2, 4]), None))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("it must be [batch, 3], or [3] for a single one"),
        "{error}"
    );
    let h = Tensor::zeros([3, 4]);
    let error = catch(|| cell.forward(&Tensor::zeros([2, 3]), Some((&h, &h)))).unwrap_err();
    assert!(
        error.to_string().contains("a state is of shape [3, 4]"),
        "{error}"
    );
}

#[test]
fn a_softmax_over_many_classes_and_a_whole_transformer() {
    let softmax = AdaptiveLogSoftmaxWithLoss::with(8, 20, [4, 10], 2.0, true);
    check("adaptive", &softmax, |c, x| {
        let (output, loss) = softmax.forward(x, &c.input(1));
        vec![output, loss, softmax.log_prob(x), softmax.predict(x)]
    });
    let error = |cutoffs: &[usize]| {
        let cutoffs = cutoffs.to_vec();
        catch(|| AdaptiveLogSoftmaxWithLoss::new(8, 20, cutoffs))
            .unwrap_err()
            .to_string()
    };
    assert!(error(&[]).contains("do not rise") && error(&[4, 4]).contains("do not rise"));
    assert!(error(&[0, 4]).contains("for 20 classes") && error(&[4, 20]).contains("for 20 classes"));
    let options = TransformerOptions {
        dim_feedforward: 6,
        dropout: 0.0,
        ..Default::default()
    };
    let model = Transformer::new(4, 2, [1, 2], options);
    check("transformer", &model, |c, x| {
        let causal = Masks {
            causal: true,
            ..Default::default()
        };
        vec![model.forward(x, &c.input(1), Masks::default(), causal, Masks::default())]
    });
}

#[test]
fn layers_that_surround_and_rearrange() {
    layer("constant_pad1", ConstantPad1d::new([1, 2], 1.5));
    layer("constant_pad2", ConstantPad2d::new([1, 2, 2, 0], 1.5));
    layer("constant_pad3", ConstantPad3d::new([1, 2, 2, 0, 1, 1], 1.5));
    layer("zero_pad1", ZeroPad1d::new([1, 2]));
    layer("zero_pad2", ZeroPad2d::new([1, 2, 2, 0]));
    layer("zero_pad3", ZeroPad3d::new([1, 2, 2, 0, 1, 1]));
    layer("reflection_pad1", ReflectionPad1d::new(1));
    layer("reflection_pad2", ReflectionPad2d::new(1));
    layer("reflection_pad3", ReflectionPad3d::new(1));
    layer("replication_pad1", ReplicationPad1d::new([1, 2]));
    layer("replication_pad2", ReplicationPad2d::new([1, 2, 2, 0]));
    layer("replication_pad3", ReplicationPad3d::new([1, 2, 2, 0, 1, 1]));
    layer("circular_pad1", CircularPad1d::new([1, 2]));
    layer("circular_pad2", CircularPad2d::new([1, 2, 2, 0]));
    layer("circular_pad3", CircularPad3d::new([1, 2, 2, 0, 1, 1]));
    let error = catch(|| ZeroPad2d::new([1, 2, 3])).unwrap_err().to_string();
    assert!(error.contains("is neither one number nor 4"), "{error}");
    layer("lp_pool1", LPPool1d::new(3.0, 2).ceil_mode(true));
    layer("lp_pool2", LPPool2d::new(3.0, 2).ceil_mode(true));
    layer("lp_pool3", LPPool3d::new(3.0, 2).ceil_mode(true));
    let pool = MaxUnpool1d::new(2);
    check("max_unpool1", &pool, |c, x| {
        vec![pool.forward(x, &c.input(1), None)]
    });
    let pool = MaxUnpool2d::new(2);
    check("max_unpool2", &pool, |c, x| {
        vec![pool.forward(x, &c.input(1), None)]
    });
    let pool = MaxUnpool3d::new(2);
    check("max_unpool3", &pool, |c, x| {
        vec![pool.forward(x, &c.input(1), None)]
    });
    let sliding = Sliding {
        kernel: [2, 3],
        dilation: [1, 2],
        padding: [1, 1],
        stride: [2, 2],
    };
    layer("unfold", Unfold::new(sliding));
    layer("fold", Fold::new([5, 6], sliding));
    layer("pixel_shuffle", PixelShuffle::new(2));
    layer("pixel_unshuffle", PixelUnshuffle::new(2));
    layer("channel_shuffle", ChannelShuffle::new(2));
    let norm = LocalResponseNorm::new(3);
    layer("local_response_norm", LocalResponseNorm { alpha: 0.1, ..norm });
    let cosine = CosineSimilarity::default();
    check("cosine", &cosine, |c, x| vec![cosine.forward(x, &c.input(1))]);
    let distance = PairwiseDistance::default();
    check("distance", &distance, |c, x| {
        vec![distance.forward(x, &c.input(1))]
    });
    let mut triplet = TripletMarginWithDistanceLoss::new(|a, b| (a - b).abs().sum_dim(-1, false));
    triplet.swap = true;
    check("triplet", &Identity, |c, x| {
        vec![triplet.forward(x, &c.input(1), &c.input(2))]
    });
    let options = CrossEntropyLoss::new().ignore_index(1).label_smoothing(0.1);
    let loss = LinearCrossEntropyLoss::with(Linear::new(4, 6), 3)
        .out_features([2])
        .loss(options);
    check("linear_cross_entropy", &loss, |c, x| {
        vec![loss.forward(x, &c.input(1))]
    });
    let plain = LinearCrossEntropyLoss::new(4, 3);
    assert!(catch(|| plain.clone().out_features([2])).is_err());
    assert!(catch(|| LinearCrossEntropyLoss::with(Linear::new(4, 5), 3)).is_err());
    let x = Tensor::randn([2, 3, 9, 9]);
    let y = FractionalMaxPool2d::new(2, 4).forward(&x);
    assert_eq!(y.shape(), [2, 3, 4, 4]);
    assert_eq!(
        FractionalMaxPool3d::new(2, 2).forward(&x.unsqueeze(0)).shape(),
        [1, 2, 2, 2, 2]
    );
}
