//! The number of threads changes nothing but the time. A test program of its own, since that number is the process's.

use std::slice::from_ref;
use wengert::nn::functional::{
    grid_sample, group_norm, layer_norm, max_pool2d, scaled_dot_product_attention,
};
use wengert::nn::{BatchNorm2d, Conv2d, Layer, LayerNorm, Module};
use wengert::ops::{Reduction, cross_entropy};
use wengert::{Tensor, get_num_threads, manual_seed, set_num_threads};

fn bits(t: &Tensor) -> Vec<u32> {
    t.to_vec::<f32>().into_iter().map(f32::to_bits).collect()
}

/// The result of `f` and all gradients of its mean square, as bits.
fn all_bits(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Tensor) -> Vec<Vec<u32>> {
    let leaves: Vec<Tensor> = inputs.iter().map(|x| x.detach().requires_grad_(true)).collect();
    let y = f(&leaves);
    y.square().mean().backward();
    let grads = leaves.iter().filter_map(Tensor::grad).map(|g| bits(&g));
    std::iter::once(bits(&y)).chain(grads).collect()
}

fn results() -> Vec<(&'static str, Vec<Vec<u32>>)> {
    manual_seed(0);
    let image = Tensor::randn([4, 16, 33, 31]);
    let rows = Tensor::randn([300, 700]);
    let (conv, strided, depthwise) = (
        Conv2d::new(16, 24, 3).padding(1),
        Conv2d::new(16, 24, 3).stride(2),
        Conv2d::new(16, 16, 3).groups(16),
    );
    let with = |x: &Tensor, m: &dyn Module| -> Vec<Tensor> {
        std::iter::once(x.clone()).chain(m.parameters()).collect()
    };
    let through = |conv: &Conv2d| {
        conv.parameters().iter().for_each(Tensor::zero_grad);
        let mut all = all_bits(from_ref(&image), |x| conv.forward(&x[0]));
        all.extend(
            with(&image, conv)[1..]
                .iter()
                .filter_map(Tensor::grad)
                .map(|g| bits(&g)),
        );
        all
    };
    let heads = [3; 3].map(|_| Tensor::randn([2, 4, 130, 32]));
    let norm = LayerNorm::new([700]);
    let batch = BatchNorm2d::new(16);
    let weights = [Tensor::rand([700]), Tensor::rand([700])];
    let grid = Tensor::rand([4, 40, 40, 2]) * 2.2 - 1.1;
    let classes = Tensor::randint(0, 700, [300]);
    let four = [rows.clone(), Tensor::randn([700, 400])];
    vec![
        ("convolution", through(&conv)),
        ("convolution with stride", through(&strided)),
        ("depthwise convolution", through(&depthwise)),
        (
            "pooling",
            all_bits(from_ref(&image), |x| max_pool2d(&x[0], 2, None, 0, 1, false)),
        ),
        ("batch norm", all_bits(from_ref(&image), |x| batch.forward(&x[0]))),
        (
            "group norm",
            all_bits(from_ref(&image), |x| group_norm(&x[0], 4, None, None, 1e-5)),
        ),
        (
            "layer norm",
            all_bits(&[rows.clone(), weights[0].clone(), weights[1].clone()], |x| {
                layer_norm(&x[0], &[700], Some(&x[1]), Some(&x[2]), 1e-5)
            }),
        ),
        (
            "a layer",
            all_bits(from_ref(&rows), |x| norm.forward(&x[0]).gelu()),
        ),
        (
            "attention",
            all_bits(&heads, |x| {
                scaled_dot_product_attention(&x[0], &x[1], &x[2], None, 0.0, true, None, false)
            }),
        ),
        (
            "grid_sample",
            all_bits(&[image.clone(), grid], |x| {
                grid_sample(&x[0], &x[1], "bilinear", "zeros", false)
            }),
        ),
        (
            "product",
            all_bits(&four, |x| x[0].matmul(&x[1]).tanh().softmax(1)),
        ),
        (
            "sums",
            all_bits(from_ref(&rows), |x| {
                x[0].sum_dim(0, false) * x[0].mean() + x[0].var() * x[0].logsumexp(0, false)
            }),
        ),
        ("running sums", all_bits(from_ref(&rows), |x| x[0].cumsum(1))),
        (
            "sorting",
            all_bits(&[Tensor::randn([200_000])], |x| x[0].sort(0, false).0),
        ),
        (
            "cross entropy",
            all_bits(from_ref(&rows), |x| {
                cross_entropy(&x[0], &classes, Reduction::Mean, -100)
            }),
        ),
        (
            "drawing",
            vec![bits(&Tensor::randn([100_003])), bits(&Tensor::rand([100_003]))],
        ),
    ]
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    set_num_threads(1);
    let one = results();
    for threads in [2, 8] {
        set_num_threads(threads);
        assert_eq!(get_num_threads(), threads);
        for ((name, one), (_, many)) in one.iter().zip(results()) {
            assert!(one.iter().flatten().any(|v| *v != 0), "{name} computes something");
            assert!(*one == many, "{name}: {threads} threads give other bits");
        }
    }
    let error = wengert::catch(|| set_num_threads(0)).unwrap_err();
    let message = "set_num_threads: there must be at least one thread";
    assert!(error.to_string().starts_with(message), "{error}");
}
