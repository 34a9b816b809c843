//! Linear algebra, with second derivatives: `reference/linalg.py`.

use crate::{Case, each};
use wengert::linalg::{self as la, Mode, Ord};
use wengert::{Backward, DType, Tensor, cat};

fn run(case: &Case<'_>, x: &[Tensor]) -> Tensor {
    let a = &x[0];
    let (name, argument) = case.name.split_once(' ').unwrap_or((case.name, ""));
    let p = || argument.parse::<f64>().unwrap();
    match name {
        "mm" => a.mm(&x[1]),
        "mv" => a.mv(&x[1]),
        "dot" => a.dot(&x[1]),
        "inner" => a.inner(&x[1]),
        "bmm" => a.bmm(&x[1]),
        "outer" => a.outer(&x[1]),
        "addmm" => a.addmm(&x[1], &x[2], 0.5, 2.0),
        "addmv" => a.addmv(&x[1], &x[2], -1.0, 0.25),
        "addr" => a.addr(&x[1], &x[2], 2.0, 3.0),
        "baddbmm" => a.baddbmm(&x[1], &x[2], 0.5, 2.0),
        "addbmm" => a.addbmm(&x[1], &x[2], 0.5, 2.0),
        "tensordot" => la::tensordot(a, &x[1], 2),
        "tensordot_dims" => la::tensordot_dims(a, &x[1], &[2, 0], &[0, 2]),
        "kron" => a.kron(&x[1]),
        "cross" => a.cross(&x[1], 1),
        "vecdot" => la::vecdot(a, &x[1], 0),
        "trace" => a.trace(),
        "multi_dot" => la::multi_dot(&x.iter().collect::<Vec<_>>()),
        "matrix_power_5" => a.matrix_power(5),
        "matrix_power_minus_2" => a.matrix_power(-2),
        "matrix_exp" | "matrix_exp_large" => a.matrix_exp(),
        "det" | "det_singular" => a.det(),
        "slogdet" => a.slogdet().1,
        "logdet" => a.logdet(),
        "inv" => a.inverse(),
        "solve" | "solve_vector" => la::solve(a, &x[1]),
        "solve_left" => la::solve_left(a, &x[1]),
        "triangular_lower" => la::solve_triangular(a, &x[1], false, true, false),
        "triangular_upper_right" => la::solve_triangular(a, &x[1], true, false, false),
        "triangular_unit" => la::solve_triangular(a, &x[1], true, true, true),
        "cholesky" => la::cholesky(&symmetric(a)),
        "cholesky_solve" => la::cholesky_solve(a, &triangular(&x[1], false), false),
        "cholesky_solve_upper" => la::cholesky_solve(a, &triangular(&x[1], true), true),
        "cholesky_inverse" => la::cholesky_inverse(a, false),
        "qr_tall" | "qr_square" | "qr_wide" => {
            let (q, r) = la::qr(a, Mode::Reduced);
            parts(&[q, r])
        }
        "lu" => {
            let (_, l, u) = la::lu(a);
            parts(&[l, u])
        }
        "eigh" => {
            let (w, v) = la::eigh(&symmetric(a), false);
            let back = (&v * w.exp().unsqueeze(-2)).matmul(&v.transpose(-2, -1));
            parts(&[w, v.square(), back])
        }
        "eigvalsh" => la::eigvalsh(&symmetric(a), false),
        "svd_square" | "svd_tall" | "svd_wide" => {
            let (u, s, vt) = la::svd(a, false);
            let back = (&u * s.sqrt().unsqueeze(-2)).matmul(&vt);
            parts(&[back, u.square(), s, vt.square()])
        }
        "svdvals" => la::svdvals(a),
        "pinv_tall" | "pinv_wide" => la::pinv(a),
        "lstsq" | "lstsq_wide" => la::lstsq(a, &x[1], None).solution,
        "cond" => la::cond(a),
        "cond_fro" => la::cond_ord(a, Ord::Frobenius),
        "norm" => la::norm(a),
        "vector_norm" => la::vector_norm(a, p(), 1, false),
        "matrix_norm" => match argument {
            "fro" => la::matrix_norm(a, Ord::Frobenius, [0, 2], false),
            "nuc" => la::matrix_norm(a, Ord::Nuclear, [0, 2], false),
            _ => la::matrix_norm(a, p(), [0, 2], false),
        },
        "cdist" => la::cdist(a, &x[1], p()),
        "cov" => la::cov(a, 1.0, None, None),
        "cov_weights" => la::cov(a, 1.0, Some(&Tensor::new([1, 2, 1, 3])), Some(&x[1])),
        "corrcoef" => la::corrcoef(a),
        "einsum" => la::einsum(argument, &x.iter().collect::<Vec<_>>()),
        name => panic!("nobody wrote down what `{name}` is here"),
    }
}

fn symmetric(a: &Tensor) -> Tensor {
    (a + a.transpose(-2, -1)) / 2.0
}

/// PyTorch's gradient of what is solved with a factor takes the factor to be triangular.
fn triangular(a: &Tensor, upper: bool) -> Tensor {
    let n = a.size(-1);
    let kept = |k: usize| f64::from(u8::from(if upper { k % n >= k / n } else { k % n <= k / n }));
    a * Tensor::from_vec((0..n * n).map(kept).collect::<Vec<_>>(), [n, n])
}

fn parts(tensors: &[Tensor]) -> Tensor {
    let flat: Vec<Tensor> = tensors.iter().map(|t| t.reshape([t.numel()])).collect();
    cat(&flat.iter().collect::<Vec<_>>(), 0)
}

/// The largest difference, relative to the largest number expected (or 1).
fn difference(got: &Tensor, want: &Tensor, what: &str) -> f64 {
    assert_eq!((got.shape(), got.dtype()), (want.shape(), DType::F64), "{what}");
    let (got, want) = (got.to_vec::<f64>(), want.to_vec::<f64>());
    let size = want.iter().fold(1.0, |m: f64, w| m.max(w.abs()));
    let each = got.iter().zip(&want).map(|(g, w)| (g - w).abs() / size);
    each.fold(0.0, |worst, d| if d.is_nan() { f64::NAN } else { worst.max(d) })
}

/// Rounding, multiplied by the conditions of what is drawn at random.
const BOUND: f64 = 2e-11;

#[test]
fn linear_algebra_agrees_with_pytorch() {
    let mut wrong = Vec::new();
    let mut worst = (0.0, String::new());
    let mut second = 0;
    each("linalg.safetensors", 100, |case| {
        let (name, x) = (case.name, case.inputs());
        let y = run(case, &x);
        let wrt: Vec<&Tensor> = x.iter().collect();
        let how = Backward::new().create_graph(true).materialize_grads(true);
        let grads = how.try_grad(&y, &wrt, Some(&case.part("dy"))).unwrap();
        let grads: Vec<Tensor> = grads.into_iter().flatten().collect();
        let mut pairs = vec![(y.detach(), case.part("y"), format!("{name}: the value"))];
        for (i, (g, want)) in grads.iter().zip(case.all("g")).enumerate() {
            pairs.push((g.clone(), want, format!("{name}: the gradient of input {i}")));
        }
        assert_eq!(pairs.len(), 1 + x.len());
        let directions = case.all("v");
        if !directions.is_empty() {
            second += 1;
            let slope = grads
                .iter()
                .zip(&directions)
                .map(|(g, v)| (g * v).sum())
                .reduce(|a, b| a + b)
                .unwrap();
            let curved = match slope.requires_grad() {
                true => Backward::new()
                    .materialize_grads(true)
                    .try_grad(&slope, &wrt, None)
                    .unwrap(),
                false => wrt.iter().map(|x| Some(x.zeros_like())).collect(),
            };
            for (i, (h, want)) in curved.into_iter().flatten().zip(case.all("h")).enumerate() {
                pairs.push((h, want, format!("{name}: the second derivative of input {i}")));
            }
            assert_eq!(pairs.len(), 1 + 2 * x.len());
        }
        for (got, want, what) in pairs {
            let d = difference(&got, &want, &what);
            if d.is_nan() || d > BOUND {
                wrong.push(format!("{what} differs by {d:e}"));
            } else if d > worst.0 {
                worst = (d, what);
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(second, 96);
    println!("largest difference: {:e} in {}", worst.0, worst.1);
}
