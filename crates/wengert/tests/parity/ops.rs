//! Single operations: `reference/ops.py`.

use crate::{Case, agree};
use wengert::{Reduction, Tensor, cat, cross_entropy, linear, mse_loss, stack, where_};

fn run(case: &Case<'_>, x: &[Tensor]) -> Tensor {
    match case.name {
        "add" => &x[0] + &x[1],
        "sub" => &x[0] - &x[1],
        "mul" => &x[0] * &x[1],
        "div" => &x[0] / &x[1],
        "maximum" => x[0].maximum(&x[1]),
        "minimum" => x[0].minimum(&x[1]),
        "pow" => x[0].pow(&x[1]),
        "exp" => x[0].exp(),
        "log" => x[0].log(),
        "sqrt" => x[0].sqrt(),
        "tanh" => x[0].tanh(),
        "sigmoid" => x[0].sigmoid(),
        "relu" => x[0].relu(),
        "gelu" => x[0].gelu(),
        "gelu_tanh" => x[0].gelu_tanh(),
        "sin" => x[0].sin(),
        "cos" => x[0].cos(),
        "abs" => x[0].abs(),
        "where" => where_(&case.part("cond"), &x[0], &x[1]),
        "sum" => x[0].sum_dim([0, 2], false),
        "sum_keepdim" => x[0].sum_dim([0, 2], true),
        "mean" => x[0].mean_dim([0, 2], false),
        "mean_keepdim" => x[0].mean_dim([0, 2], true),
        "amax" => x[0].amax(1, false),
        "softmax_last" => x[0].softmax(-1),
        "softmax_first" => x[0].softmax(0),
        "log_softmax" => x[0].log_softmax(1),
        "cat" => cat(&[&x[0], &x[1]], 1),
        "stack" => stack(&[&x[0], &x[1]], 0),
        "mse_loss" => mse_loss(&x[0], &x[1], Reduction::Mean),
        "cross_entropy" => cross_entropy(&x[0], &case.part("target"), Reduction::Mean, -100),
        "linear" => linear(&x[0], &x[1].t(), Some(&x[2])),
        name if name.starts_with("matmul_") => x[0].matmul(&x[1]),
        name => panic!("nobody wrote down what `{name}` is here"),
    }
}

#[test]
fn values_and_gradients_agree_with_pytorch() {
    agree("ops.safetensors", 38, run);
}
