//! Values and gradients of single operations, beside PyTorch's. `reference/ops.py` made the numbers, in f64.

use wengert::io::load_safetensors;
use wengert::nn::StateDict;
use wengert::{DType, Reduction, Tensor, cat, cross_entropy, linear, mse_loss, stack, where_};

/// A case of the reference file.
struct Case<'a> {
    file: &'a StateDict,
    name: &'a str,
}

impl Case<'_> {
    fn tensor(&self, part: &str) -> Option<Tensor> {
        let tensor = self.file.get(&format!("{}.{part}", self.name));
        tensor.map(Tensor::detach)
    }

    /// `x0`, `x1` and so on, or `g0`, `g1`.
    fn numbered(&self, part: &str) -> Vec<Tensor> {
        (0..).map_while(|i| self.tensor(&format!("{part}{i}"))).collect()
    }

    fn run(&self, x: &[Tensor]) -> Tensor {
        match self.name {
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
            "where" => where_(&self.tensor("cond").unwrap().to(DType::Bool), &x[0], &x[1]),
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
            "cross_entropy" => cross_entropy(&x[0], &self.tensor("target").unwrap(), Reduction::Mean, -100),
            "linear" => linear(&x[0], &x[1].t(), Some(&x[2])),
            name if name.starts_with("matmul_") => x[0].matmul(&x[1]),
            name => panic!("nobody wrote down what `{name}` is here"),
        }
    }
}

/// The largest difference, relative to the larger of 1 and the number expected.
fn difference(got: &Tensor, want: &Tensor, what: &str) -> f64 {
    assert_eq!((got.shape(), got.dtype()), (want.shape(), want.dtype()), "{what}");
    let (got, want) = (got.to_vec::<f64>(), want.to_vec::<f64>());
    let each = got
        .iter()
        .zip(&want)
        .map(|(g, w)| (g - w).abs() / w.abs().max(1.0));
    each.fold(0.0, |worst, d| if d.is_nan() { f64::NAN } else { worst.max(d) })
}

/// A few roundings of f64: sums run in another order than PyTorch's, and elementary functions differ in the last
/// place. The largest seen is 7e-16.
const BOUND: f64 = 4e-15;

#[test]
fn values_and_gradients_agree_with_pytorch() {
    let file = load_safetensors(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/reference/ops.safetensors"
    ))
    .unwrap();
    let mut names: Vec<&str> = file.iter().filter_map(|(n, _)| n.strip_suffix(".dy")).collect();
    names.sort_unstable();
    assert_eq!(names.len(), 38);
    let mut worst = (0.0, "");
    for name in names {
        let case = Case { file: &file, name };
        let x = case.numbered("x");
        x.iter().for_each(|x| drop(x.requires_grad_(true)));
        let y = case.run(&x);
        y.backward_with(&case.tensor("dy").unwrap());
        let mut pairs = vec![(
            y.detach(),
            case.tensor("y").unwrap(),
            format!("{name}: the value"),
        )];
        for (i, (x, g)) in x.iter().zip(case.numbered("g")).enumerate() {
            pairs.push((x.grad().unwrap(), g, format!("{name}: the gradient of input {i}")));
        }
        assert_eq!(pairs.len(), 1 + x.len());
        for (got, want, what) in pairs {
            let d = difference(&got, &want, &what);
            assert!(d <= BOUND, "{what} differs by {d:e}\n{got}\n{want}");
            if d > worst.0 {
                worst = (d, name);
            }
        }
    }
    println!("largest difference: {:e} in {}", worst.0, worst.1);
}
