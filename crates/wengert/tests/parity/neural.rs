//! The functions of `torch.nn.functional`, and, where PyTorch has them, second derivatives: `reference/neural.py`.

use crate::{Case, difference, each};
use wengert::nn::functional::{self as F, Bag, Reduction};
use wengert::{Backward, DType, Tensor, catch};

fn reduction(name: &str) -> Reduction {
    match name {
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        "none" => Reduction::None,
        _ => panic!("{name}"),
    }
}

fn convolve(name: &str, x: &[Tensor]) -> Tensor {
    let (a, w, b) = (&x[0], &x[1], x.get(2));
    match name {
        "conv1d" => F::conv1d(a, w, b, 2, 1, 2, 1),
        "conv1d_same" => F::conv1d(a, w, b, 1, "same", 1, 1),
        "conv2d" => F::conv2d(a, w, b, 1, 1, 1, 1),
        "conv2d_strided" => F::conv2d(a, w, b, [2, 3], [1, 0], [1, 2], 1),
        "conv2d_groups" => F::conv2d(a, w, b, 1, 1, 1, 2),
        "conv2d_depthwise" => F::conv2d(a, w, b, 2, 1, 1, 4),
        "conv2d_unbatched" => F::conv2d(a, w, b, 1, "valid", 1, 1),
        "conv3d" => F::conv3d(a, w, b, [1, 2, 1], [0, 1, 1], 1, 1),
        "conv_transpose1d" => F::conv_transpose1d(a, w, b, 2, 1, 1, 1, 1),
        "conv_transpose2d" => F::conv_transpose2d(a, w, b, [2, 3], [1, 0], [1, 2], 2, 1),
        "conv_transpose2d_dilated" => F::conv_transpose2d(a, w, b, 1, 1, 1, 1, 2),
        "conv_transpose3d" => F::conv_transpose3d(a, w, b, 2, 1, 0, 1, 1),
        _ => panic!("nobody wrote down what `{name}` is here"),
    }
}

fn pool(name: &str, x: &Tensor, t: &[Tensor]) -> Tensor {
    match name {
        "max_pool1d" => F::max_pool1d(x, 3, Some(2.into()), 1, 2, false),
        "max_pool2d" => F::max_pool2d(x, 2, None, 0, 1, false),
        "max_pool2d_ceil" => F::max_pool2d(x, [3, 2], Some([2, 3].into()), [1, 0], 1, true),
        "max_pool3d" => F::max_pool3d(x, 2, Some(1.into()), 1, 1, false),
        "max_unpool2d" => F::max_unpool2d(x, &t[0], 2, None, 0, None),
        "avg_pool1d" => F::avg_pool1d(x, 3, Some(2.into()), 1, false, true, None),
        "avg_pool2d_ceil" => F::avg_pool2d(x, [3, 2], Some([2, 3].into()), [1, 1], true, true, None),
        "avg_pool2d_without_pad" => F::avg_pool2d(x, 3, Some(2.into()), 1, true, false, None),
        "avg_pool2d_divisor" => F::avg_pool2d(x, 2, Some(1.into()), 0, false, true, Some(3)),
        "avg_pool3d" => F::avg_pool3d(x, 2, Some(2.into()), 1, false, true, None),
        "lp_pool1d" => F::lp_pool1d(x, 2.0, 3, Some(2.into()), false),
        "lp_pool2d" => F::lp_pool2d(x, 3.0, 2, None, false),
        "adaptive_avg_pool1d" => F::adaptive_avg_pool1d(x, 3),
        "adaptive_avg_pool2d" => F::adaptive_avg_pool2d(x, [Some(3), None]),
        "adaptive_avg_pool3d" => F::adaptive_avg_pool3d(x, [2, 3, 1]),
        "adaptive_max_pool2d" => F::adaptive_max_pool2d(x, [3, 2]),
        _ => panic!("nobody wrote down what `{name}` is here"),
    }
}

fn resize(name: &str, x: &Tensor) -> Tensor {
    match name {
        "nearest" => F::interpolate(x, 1.7, "nearest", false, false),
        "nearest_exact" => F::interpolate(x, [5, 11], "nearest-exact", false, false),
        "linear" => F::interpolate(x, 9, "linear", false, false),
        "bilinear" => F::interpolate(x, [7, 3], "bilinear", false, false),
        "bilinear_aligned" => F::interpolate(x, [7, 3], "bilinear", true, false),
        "bilinear_scale" => F::interpolate(x, [1.3, 0.6], "bilinear", false, false),
        "bilinear_antialias" => F::interpolate(x, [3, 4], "bilinear", false, true),
        "bicubic" => F::interpolate(x, [7, 4], "bicubic", false, false),
        "bicubic_antialias" => F::interpolate(x, [3, 4], "bicubic", false, true),
        "trilinear" => F::interpolate(x, 2.0, "trilinear", true, false),
        "area" => F::interpolate(x, [3, 4], "area", false, false),
        _ => panic!("nobody wrote down what `{name}` is here"),
    }
}

fn norm(name: &str, x: &[Tensor], t: &[Tensor]) -> Tensor {
    let (a, w, b) = (&x[0], x.get(1), x.get(2));
    match name {
        "layer_norm" => F::layer_norm(a, &[3, 4], w, b, 1e-5),
        "layer_norm_plain" => F::layer_norm(a, &[4], w, b, 1e-3),
        "rms_norm" => F::rms_norm(a, &[4], w, None),
        "group_norm" => F::group_norm(a, 2, w, b, 1e-5),
        "instance_norm" => F::instance_norm(a, None, None, w, b, true, 0.1, 1e-5),
        "batch_norm" | "batch_norm_2d" => F::batch_norm(a, None, None, w, b, true, 0.1, 1e-5),
        "batch_norm_eval" => F::batch_norm(a, Some(&t[0]), Some(&t[1]), w, b, false, 0.1, 1e-5),
        _ => panic!("nobody wrote down what `{name}` is here"),
    }
}

fn loss(name: &str, how: &str, x: &[Tensor], t: &[Tensor]) -> Tensor {
    let mean = Reduction::Mean;
    match name {
        "l1_loss" => F::l1_loss(&x[0], &x[1], reduction(how)),
        "smooth_l1_loss" => F::smooth_l1_loss(&x[0], &x[1], reduction(how), 0.7),
        "huber_loss" => F::huber_loss(&x[0], &x[1], reduction(how), 0.7),
        "nll_loss" => F::nll_loss(&x[0], &t[0], Some(&t[1]), reduction(how), 1),
        "cross_entropy" => F::cross_entropy_with(&x[0], &t[0], Some(&t[1]), reduction(how), 1, 0.2),
        "cross_entropy_probabilities" => {
            F::cross_entropy_with(&x[0], &x[1], Some(&t[0]), reduction(how), -100, 0.2)
        }
        "ctc_loss" => F::ctc_loss(
            &x[0].log_softmax(2),
            &t[0],
            &[6, 5],
            &[3, 2],
            0,
            reduction(how),
            false,
        ),
        "binary_cross_entropy" => F::binary_cross_entropy(&x[0], &t[0], Some(&t[1]), mean),
        "bce_with_logits" => F::binary_cross_entropy_with_logits(&x[0], &x[1], None, mean, None),
        "bce_with_logits_weighted" => {
            F::binary_cross_entropy_with_logits(&x[0], &t[0], Some(&t[1]), mean, Some(&t[2]))
        }
        "kl_div" => F::kl_div(&x[0], &x[1], Reduction::Sum, false),
        "kl_div_log" => F::kl_div(&x[0], &x[1], Reduction::Sum, true),
        "poisson_nll_loss" => F::poisson_nll_loss(&x[0], &t[0], true, true, 1e-8, mean),
        "poisson_nll_loss_rate" => F::poisson_nll_loss(&x[0], &t[0], false, false, 1e-8, mean),
        "gaussian_nll_loss" => F::gaussian_nll_loss(&x[0], &x[1], &x[2], true, 1e-6, mean),
        "hinge_embedding_loss" => F::hinge_embedding_loss(&x[0], &t[0], 0.8, mean),
        "soft_margin_loss" => F::soft_margin_loss(&x[0], &t[0], mean),
        "margin_ranking_loss" => F::margin_ranking_loss(&x[0], &x[1], &t[0], 0.3, mean),
        "multi_margin_loss" => F::multi_margin_loss(&x[0], &t[0], 2, 0.8, Some(&t[1]), mean),
        "multilabel_margin_loss" => F::multilabel_margin_loss(&x[0], &t[0], mean),
        "multilabel_soft_margin_loss" => F::multilabel_soft_margin_loss(&x[0], &t[0], Some(&t[1]), mean),
        "triplet_margin_loss" => F::triplet_margin_loss(&x[0], &x[1], &x[2], 1.0, 2.0, 1e-6, true, mean),
        "cosine_embedding_loss" => F::cosine_embedding_loss(&x[0], &x[1], &t[0], 0.1, mean),
        _ => panic!("nobody wrote down what `{name}` is here"),
    }
}

fn run(name: &str, x: &[Tensor], t: &[Tensor]) -> Tensor {
    let attend = |mask: Option<&Tensor>, causal: bool, scale: Option<f64>, gqa: bool| {
        F::scaled_dot_product_attention(&x[0], &x[1], &x[2], mask, 0.0, causal, scale, gqa)
    };
    let words: Vec<&str> = name.split(' ').collect();
    match words[0] {
        n if n.starts_with("conv") => convolve(n, x),
        n if n.contains("pool") => pool(n, &x[0], t),
        n if n.ends_with("norm") && n != "local_response_norm" || n.contains("_norm_") => norm(n, x, t),
        "local_response_norm" => F::local_response_norm(&x[0], 3, 0.1, 0.7, 1.5),
        "normalize" => F::normalize(&x[0], 3.0, 1, 1e-12),
        "grid_sample" => F::grid_sample(&x[0], &x[1], words[1], words[2], words[3] == "True"),
        "grid_sample_3d" => F::grid_sample(&x[0], &x[1], "bilinear", "border", false),
        "affine_grid" => F::affine_grid(&x[0], &[2, 1, 3, 4], false),
        "affine_grid_3d" => F::affine_grid(&x[0], &[2, 1, 2, 3, 4], true),
        "attention" => attend(None, false, None, false),
        "attention_causal" => attend(None, true, Some(0.3), false),
        "attention_bool" => attend(Some(&t[0]), false, None, false),
        "attention_float" => attend(Some(&x[3]), false, None, false),
        "attention_gqa" => attend(None, false, None, true),
        "embedding" => F::embedding(&t[0], &x[0], Some(1), None, 2.0),
        "embedding_bag_mean" => {
            F::embedding_bag(&t[0], &x[0], Some(&t[1]), None, 2.0, Bag::Mean, None, false, None)
        }
        "embedding_bag_sum" => {
            F::embedding_bag(&t[0], &x[0], None, None, 2.0, Bag::Sum, Some(&x[1]), false, None)
        }
        "embedding_bag_max" => {
            F::embedding_bag(&t[0], &x[0], None, None, 2.0, Bag::Max, None, false, Some(2))
        }
        "cosine_similarity" => F::cosine_similarity(&x[0], &x[1], 1, 1e-8),
        "pairwise_distance" => F::pairwise_distance(&x[0], &x[1], 2.0, 1e-6, true),
        "pairwise_distance_p" => F::pairwise_distance(&x[0], &x[1], 3.0, 1e-6, false),
        "pdist" => F::pdist(&x[0], 2.0),
        "bilinear_layer" => F::bilinear(&x[0], &x[1], &x[2], Some(&x[3])),
        "softmin" => x[0].softmin(1),
        n if n.contains("near") || n.starts_with("bi") && !n.contains("cross") || n == "area" => {
            resize(n, &x[0])
        }
        n => loss(n, words.get(1).copied().unwrap_or_default(), x, t),
    }
}

/// What is wrong with a case.
fn wrong(case: &Case<'_>) -> Vec<String> {
    let (x, t) = (case.inputs(), case.all("t"));
    let y = run(case.name, &x, &t);
    let mut found = Vec::new();
    let mut compare = |what: String, got: &Tensor, part: &str| {
        let Some(want) = case.get(part) else { return };
        let d = difference(got, &want);
        if d > 1e-11 {
            found.push(format!("{}: {what} differs by {d:e}\n{got}\n{want}", case.name));
        }
    };
    compare("the value".into(), &y.detach(), "y");
    let wrt: Vec<&Tensor> = x.iter().collect();
    let dy = case.part("dy");
    let plain = Backward::new()
        .retain_graph(true)
        .try_grad(&y, &wrt, Some(&dy))
        .unwrap();
    for (i, g) in plain.iter().enumerate() {
        let g = g.clone().unwrap_or_else(|| x[i].zeros_like());
        compare(format!("the gradient of input {i}"), &g, &format!("g{i}"));
    }
    let recorded = Backward::new()
        .create_graph(true)
        .try_grad(&y, &wrt, Some(&dy))
        .unwrap();
    let mut slope = Tensor::full_as([], 0.0, DType::F64);
    for (i, (g, v)) in recorded.into_iter().zip(case.all("v")).enumerate() {
        let Some(g) = g else { continue };
        compare(
            format!("the recorded gradient of input {i}"),
            &g.detach(),
            &format!("g{i}"),
        );
        slope += (g * v).sum();
    }
    if slope.requires_grad() {
        for (i, h) in Backward::new()
            .try_grad(&slope, &wrt, None)
            .unwrap()
            .into_iter()
            .enumerate()
        {
            let h = h.unwrap_or_else(|| x[i].zeros_like());
            compare(
                format!("the second derivative for input {i}"),
                &h,
                &format!("h{i}"),
            );
        }
    }
    found
}

#[test]
fn values_gradients_and_their_gradients_agree_with_pytorch() {
    let mut failures = Vec::new();
    each("neural.safetensors", 122, |case| match catch(|| wrong(case)) {
        Ok(found) => failures.extend(found),
        Err(error) => failures.push(format!("{}: {error}", case.name)),
    });
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
