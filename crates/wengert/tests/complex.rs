//! Complex numbers: values beside `num-complex`'s, gradients beside finite differences and by the convention, and what is
//! refused.

use wengert::num_complex::Complex64;
use wengert::{DType, Tensor, cat, gradcheck, gradgradcheck, linalg};

type Of = fn(&Tensor) -> Tensor;
type At = fn(Complex64) -> Complex64;

fn z(parts: &[(f64, f64)], shape: &[usize]) -> Tensor {
    let all: Vec<Complex64> = parts.iter().map(|(re, im)| Complex64::new(*re, *im)).collect();
    Tensor::from_slice(&all, shape)
}

/// Numbers in all four quadrants, small and large.
fn table() -> Tensor {
    let parts = [
        (0.5, -1.0),
        (2.0, 0.75),
        (-0.25, 1.5),
        (0.75, -0.5),
        (-1.5, -0.3),
        (-0.8, 0.125),
    ];
    z(&parts, &[2, 3])
}

fn close(ours: &[Complex64], want: &[Complex64], name: &str) {
    assert_eq!(ours.len(), want.len(), "{name}");
    for (a, b) in ours.iter().zip(want) {
        let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).norm() <= 1e-12 * (1.0 + b.norm());
        assert!(same, "{name}: {a}, not {b}");
    }
}

const FUNCTIONS: [(&str, Of, At); 30] = [
    ("exp", Tensor::exp, |z| z.exp()),
    ("expm1", Tensor::expm1, |z| z.exp() - 1.0),
    ("exp2", Tensor::exp2, |z| z.exp2()),
    ("ln", Tensor::ln, |z| z.ln()),
    ("log1p", Tensor::log1p, |z| (z + 1.0).ln()),
    ("log2", Tensor::log2, |z| z.log2()),
    ("log10", Tensor::log10, |z| z.log10()),
    ("sqrt", Tensor::sqrt, |z| z.sqrt()),
    ("rsqrt", Tensor::rsqrt, |z| z.sqrt().inv()),
    ("square", Tensor::square, |z| z * z),
    ("reciprocal", Tensor::reciprocal, |z| z.inv()),
    ("sin", Tensor::sin, |z| z.sin()),
    ("cos", Tensor::cos, |z| z.cos()),
    ("tan", Tensor::tan, |z| z.tan()),
    ("sinh", Tensor::sinh, |z| z.sinh()),
    ("cosh", Tensor::cosh, |z| z.cosh()),
    ("tanh", Tensor::tanh, |z| z.tanh()),
    ("asin", Tensor::asin, |z| z.asin()),
    ("acos", Tensor::acos, |z| z.acos()),
    ("atan", Tensor::atan, |z| z.atan()),
    ("asinh", Tensor::asinh, |z| z.asinh()),
    ("acosh", Tensor::acosh, |z| z.acosh()),
    ("atanh", Tensor::atanh, |z| z.atanh()),
    ("sigmoid", Tensor::sigmoid, |z| ((-z).exp() + 1.0).inv()),
    ("silu", Tensor::silu, |z| z / ((-z).exp() + 1.0)),
    ("cube", |z| z.powf(3.0), |z| z * z * z),
    ("power", |z| z.powf(-1.5), |z| z.powf(-1.5)),
    ("neg", |z| -z, |z| -z),
    ("conj", Tensor::conj, |z| z.conj()),
    ("sgn", Tensor::sgn, |z| z / z.norm()),
];

#[test]
fn functions_are_those_of_num_complex() {
    let x = table();
    let numbers = x.to_vec::<Complex64>();
    for (name, f, at) in FUNCTIONS {
        let want: Vec<Complex64> = numbers.iter().map(|z| at(*z)).collect();
        close(&f(&x).to_vec(), &want, name);
        let single = f(&x.to(DType::C64));
        assert_eq!(single.dtype(), DType::C64, "{name}");
        for (a, b) in single.to_vec::<Complex64>().iter().zip(&want) {
            assert!((a - b).norm() < 1e-5 * (1.0 + b.norm()), "{name}: {a}, not {b}");
        }
    }
}

#[test]
fn gradients_of_functions_are_right_twice() {
    let x = table();
    for (name, f, _) in FUNCTIONS {
        gradcheck(|v| f(&v[0]), &[&x]).unwrap_or_else(|e| panic!("{name}: {e}"));
        gradgradcheck(|v| f(&v[0]), &[&x]).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

/// Operations of several inputs, or that move elements about, on complex and on real numbers.
#[test]
fn gradients_of_operations_are_right_twice() {
    type Many = fn(&[Tensor]) -> Tensor;
    let b = z(&[(1.5, 0.5), (-0.5, 2.0), (0.25, -1.0)], &[3]);
    let real = Tensor::from_slice(&[0.5, -1.5, 2.0], [3]);
    let square = z(&[(1.5, 0.5), (-0.5, 2.0), (0.25, -1.0), (1.0, 1.0)], &[2, 2]);
    let wide = z(
        &[
            (0.5, 1.0),
            (2.0, -1.0),
            (1.0, 0.25),
            (-0.5, 0.75),
            (0.0, 1.5),
            (1.25, -0.5),
        ],
        &[1, 2, 3],
    );
    let kernel = z(&[(1.0, -0.5), (0.5, 0.25), (-1.0, 1.0), (0.75, 0.5)], &[1, 2, 2]);
    let cases: [(&str, Many, Vec<Tensor>); 43] = [
        ("add", |v| &v[0] + &v[1], vec![table(), b.clone()]),
        ("sub real", |v| &v[0] - &v[1], vec![real.clone(), table()]),
        ("mul", |v| &v[0] * &v[1], vec![table(), b.clone()]),
        ("mul real", |v| &v[0] * &v[1], vec![table(), real.clone()]),
        ("div", |v| &v[0] / &v[1], vec![table(), b.clone()]),
        ("div real", |v| &v[0] / &v[1], vec![real.clone(), table()]),
        ("pow", |v| v[0].pow(&v[1]), vec![table(), b.clone()]),
        ("pow real", |v| v[0].pow(&v[1]), vec![real.square(), table()]),
        ("numbers", |v| 2.0 / (&v[0] * 1.5 - 0.5) + 3.0, vec![table()]),
        ("abs", |v| v[0].abs(), vec![table()]),
        ("angle", |v| v[0].angle(), vec![table()]),
        (
            "polar",
            |v| Tensor::polar(&v[0], &v[1]),
            vec![real.clone(), real.exp()],
        ),
        ("view as real", |v| v[0].view_as_real() * 2.0, vec![table()]),
        ("sum", |v| v[0].sum_dim(0, false), vec![table()]),
        ("mean", |v| v[0].mean(), vec![table()]),
        ("prod", |v| v[0].prod_dim(1, false), vec![table()]),
        ("cumsum", |v| v[0].cumsum(1), vec![table()]),
        ("cumprod", |v| v[0].cumprod(1), vec![table()]),
        ("var", |v| v[0].var_dim(1, 1.0, false), vec![table()]),
        ("norm", |v| v[0].norm_dim(3.0, 1, false), vec![table()]),
        (
            "matmul",
            |v| v[0].matmul(&v[1].t()),
            vec![table(), table().conj()],
        ),
        (
            "matrix and vector",
            |v| v[0].matmul(&v[1]),
            vec![table(), b.clone()],
        ),
        ("permute", |v| v[0].t().reshape([6]) * 2.0, vec![table()]),
        ("slice", |v| v[0].narrow(1, 1, 2).square(), vec![table()]),
        (
            "cat",
            |v| cat(&[&v[0], &v[1]], 0).square(),
            vec![b.clone(), real.clone()],
        ),
        (
            "gather",
            |v| v[0].gather(1, &Tensor::new([[0i64, 0], [2, 1]])).square(),
            vec![table()],
        ),
        (
            "index",
            |v| v[0].index_select(1, &Tensor::new([2i64, 0, 2])).square(),
            vec![table()],
        ),
        ("tril", |v| v[0].tril(0), vec![square.clone()]),
        ("flip", |v| v[0].flip(1), vec![table()]),
        (
            "where",
            |v| v[0].where_(&v[0].real().gt(0.0), &v[1]),
            vec![table(), real.clone()],
        ),
        (
            "addcmul",
            |v| v[0].addcmul(&v[1], &v[0], 0.5),
            vec![table(), b.clone()],
        ),
        ("adjoint", |v| v[0].adjoint().matmul(&v[0]), vec![square.clone()]),
        (
            "solve",
            |v| linalg::solve(&v[0], &v[1]),
            vec![square.clone(), square.conj()],
        ),
        (
            "triangular",
            |v| linalg::solve_triangular(&v[0], &v[1], true, true, false),
            vec![square.clone(), square.conj()],
        ),
        ("inv", |v| v[0].inverse(), vec![square.clone()]),
        ("pinv", |v| linalg::pinv(&v[0]), vec![table()]),
        ("power", |v| v[0].matrix_power(-3), vec![square.clone()]),
        ("exponential", |v| v[0].matrix_exp(), vec![square]),
        (
            "vector norm",
            |v| linalg::vector_norm(&v[0], 3.0, 1, false),
            vec![table()],
        ),
        ("vdot", |v| v[0].vdot(&v[1]), vec![b.clone(), b.square()]),
        (
            "covariances",
            |v| linalg::cov(&v[0], 1.0, None, None),
            vec![table()],
        ),
        (
            "convolution",
            |v| wengert::ops::conv::conv1d(&v[0], &v[1], Some(&v[2]), 1, 0, 1, 1),
            vec![wide, kernel, z(&[(0.5, -2.0)], &[1])],
        ),
        ("logsumexp", |v| v[0].logsumexp(1, false), vec![table()]),
    ];
    for (name, f, x) in cases {
        let x: Vec<&Tensor> = x.iter().collect();
        gradcheck(f, &x).unwrap_or_else(|e| panic!("{name}: {e}"));
        gradgradcheck(f, &x).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn the_convention_is_pytorchs() {
    // L = |z|²: ∂L/∂a + i ∂L/∂b = 2z.
    let x = table().requires_grad_(true);
    (&x * x.conj()).sum().real().backward();
    let want: Vec<Complex64> = x.to_vec::<Complex64>().iter().map(|z| 2.0 * z).collect();
    close(&x.grad().unwrap().to_vec(), &want, "squares");
    // A real parameter in a complex function has a real gradient.
    let w = Tensor::from_slice(&[2.0f64], [1]).requires_grad_(true);
    (&w * &x.detach()).sum().imag().backward();
    let grad = w.grad().unwrap();
    assert_eq!(grad.dtype(), DType::F64);
    assert!((grad.item() - x.imag().sum().item()).abs() < 1e-12);
    // A leaf may be used several times, also by views of it.
    let y = table().requires_grad_(true);
    (y.real() * y.imag() + y.select(0, 0).real().sum())
        .sum()
        .backward();
    let g = y.grad().unwrap();
    close(
        &[g.select(0, 1).select(0, 0).item_complex()],
        &[Complex64::new(-0.5, 0.75)],
        "parts",
    );
}

#[test]
fn zeros_have_finite_gradients() {
    let x = z(&[(0.0, 0.0)], &[1]);
    for (name, f) in [
        ("abs", Tensor::abs as Of),
        ("sgn", |z| z.sgn().view_as_real()),
        ("angle", Tensor::angle),
        ("sqrt", |z| z.sqrt().view_as_real()),
        ("square", |z| z.powf(2.0).view_as_real()),
        ("power", |z| z.powf(2.5).view_as_real()),
    ] {
        let leaf = x.detach().requires_grad_(true);
        f(&leaf).sum().backward();
        let grad = leaf.grad().unwrap().item_complex();
        assert_eq!(grad, Complex64::new(0.0, 0.0), "{name}");
    }
}

#[test]
fn comparisons_and_tests() {
    let x = z(
        &[(1.0, 2.0), (1.0, 0.0), (f64::NAN, 0.0), (0.0, f64::INFINITY)],
        &[4],
    );
    let y = z(&[(1.0, 2.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0)], &[4]);
    assert_eq!(x.eq(&y).to_vec::<bool>(), [true, false, false, false]);
    assert_eq!(x.ne(1.0).to_vec::<bool>(), [true, false, true, true]);
    assert_eq!(x.isnan().to_vec::<bool>(), [false, false, true, false]);
    assert_eq!(x.isinf().to_vec::<bool>(), [false, false, false, true]);
    assert_eq!(x.isfinite().to_vec::<bool>(), [true, true, false, false]);
    assert_eq!(y.logical_not().to_vec::<bool>(), [false, false, false, true]);
}

#[test]
fn dtypes_meet_as_in_pytorch() {
    let (single, double) = (table().to(DType::C64), table());
    let half = Tensor::new([1.0, 2.0, 3.0]).to(DType::F16);
    assert_eq!((&single * &half).dtype(), DType::C64);
    assert_eq!(
        (&single + Tensor::from_slice(&[1.0f64; 3], [3])).dtype(),
        DType::C128
    );
    assert_eq!((&single + Tensor::new([1i64, 2, 3])).dtype(), DType::C64);
    assert_eq!((&double * Tensor::new(2.0)).dtype(), DType::C128);
    // A 0-d tensor counts only where it is of a higher kind.
    assert_eq!((&single * Tensor::from_slice(&[2.0f64], [])).dtype(), DType::C64);
    let i = Tensor::new(Complex64::new(0.0, 1.0));
    assert_eq!(
        (i * Tensor::new([1.0, 2.0])).to_string(),
        "tensor([0.+1.j, 0.+2.j])"
    );
    assert_eq!(single.abs().dtype(), DType::F32);
    assert_eq!(single.eq(1.0).dtype(), DType::Bool);
}

#[test]
fn what_a_number_is_padded_with_is_real() {
    let x = z(&[(1.0, 2.0)], &[1]);
    let padded = |x: &Tensor| x.pad([1, 0], wengert::ops::PadMode::Constant(3.0));
    let want = [Complex64::new(3.0, 0.0), Complex64::new(1.0, 2.0)];
    close(&padded(&x).to_vec(), &want, "pad");
    gradcheck(|v| padded(&v[0]).square(), &[&x]).unwrap();
}

#[test]
fn gradients_are_clipped_by_their_sizes() {
    let p = z(&[(3.0, 4.0)], &[1]).requires_grad_(true);
    (p.abs().square() * 0.5).sum().backward();
    let norm = wengert::optim::clip_grad_norm_(std::slice::from_ref(&p), 1.0);
    assert!((norm - 5.0).abs() < 1e-12, "{norm}");
    let grad = p.grad().unwrap().item_complex();
    assert!((grad - Complex64::new(0.6, 0.8)).norm() < 1e-6, "{grad}");
}

#[test]
fn what_has_no_meaning_is_refused() {
    let x = table();
    let message = |f: &dyn Fn() -> Tensor| wengert::catch(f).unwrap_err().to_string();
    for (f, part) in [
        (
            &(|| x.relu()) as &dyn Fn() -> Tensor,
            "relu: takes no complex numbers, and got complex128",
        ),
        (&|| x.lt(&x), "lt: takes no complex numbers"),
        (&|| x.max(), "amax: takes no complex numbers"),
        (&|| x.sort(0, false).0, "takes no complex numbers"),
        (&|| x.floor(), "floor: takes no complex numbers"),
        (
            &|| Tensor::new([1.0]).view_as_real(),
            "view_as_real: needs complex numbers, and got float32",
        ),
        (&|| Tensor::new([1.0]).imag(), "imag: needs complex numbers"),
        (&|| Tensor::new([1.0]).view_as_complex(), "does not have size 2"),
        (&|| Tensor::new(x.item()), "item: the element is complex128"),
        (
            &|| Tensor::complex(&Tensor::new([1i64]), &Tensor::new([1i64])),
            "the parts are int64 and int64",
        ),
        (
            &|| wengert::searchsorted(&x, &x, false),
            "searchsorted: takes no complex numbers",
        ),
        (
            &|| linalg::svdvals(&x),
            "svd: takes no complex numbers, and got complex128",
        ),
        (&|| x.matmul(&x), "cannot multiply [2, 3] by [2, 3]"),
    ] {
        let text = message(f);
        assert!(text.contains(part), "{text}\n  has no {part:?}");
    }
}

#[test]
fn transforms_go_there_and_back() {
    use wengert::fft::{self, Norm};
    let x = Tensor::from_slice(
        &(0..24).map(|i| ((i * 7) % 11) as f64 - 4.0).collect::<Vec<_>>(),
        [2, 3, 4],
    );
    let near = |a: &Tensor, b: &Tensor| (a - b).abs().max().item() < 1e-12;
    for norm in [Norm::Backward, Norm::Forward, Norm::Ortho] {
        let z = fft::fftn(&x, None, None, norm);
        assert!(near(&fft::ifftn(&z, None, None, norm).real(), &x));
        let half = fft::rfftn(&x, None, Some(&[0, 2]), norm);
        assert_eq!(half.shape().dims(), [2, 3, 3]);
        assert!(near(&fft::irfftn(&half, None, Some(&[0, 2]), norm), &x));
        let h = fft::ihfftn(&x, None, None, norm);
        assert!(near(&fft::hfftn(&h, None, None, norm), &x));
        // Parseval's theorem.
        if norm == Norm::Ortho {
            assert!((z.abs().square().sum().item() - x.square().sum().item()).abs() < 1e-9);
        }
        gradcheck(
            |v| fft::irfft(&fft::fft(&v[0], Some(5), 1, norm), Some(7), 1, norm),
            &[&x],
        )
        .unwrap();
        gradgradcheck(
            |v| fft::rfft(&v[0], Some(3), -1, norm).view_as_real().square(),
            &[&x],
        )
        .unwrap();
    }
    assert!(near(&fft::ifftshift(&fft::fftshift(&x, None), None), &x));
    assert_eq!(
        fft::fftfreq(5, 0.5, DType::F64).to_vec::<f64>(),
        [0.0, 0.4, 0.8, -0.8, -0.4]
    );
    assert_eq!(
        fft::rfftfreq(4, 1.0, DType::F64).to_vec::<f64>(),
        [0.0, 0.25, 0.5]
    );
    let message = |f: &dyn Fn() -> Tensor| wengert::catch(f).unwrap_err().to_string();
    for (f, part) in [
        (
            &(|| fft::rfft(&x.to(DType::C128), None, -1, Norm::Backward)) as &dyn Fn() -> Tensor,
            "rfft: needs float32 or float64, and got complex128",
        ),
        (
            &|| fft::fft(&x, Some(0), -1, Norm::Backward),
            "a transform of 0 numbers",
        ),
        (
            &|| fft::fft(&x, None, 3, Norm::Backward),
            "there is no dimension 3",
        ),
        (
            &|| fft::fftn(&x, Some(&[2]), Some(&[0, 1]), Norm::Backward),
            "1 sizes do not go with 2 dimensions",
        ),
        (
            &|| fft::fftn(&x, None, Some(&[0, -3]), Norm::Backward),
            "named twice",
        ),
    ] {
        let text = message(f);
        assert!(text.contains(part), "{text}\n  has no {part:?}");
    }
}

#[test]
fn short_transforms_are_differentiable() {
    use wengert::fft::Stft;
    let x = Tensor::from_slice(
        &(0..40).map(|i| (0.3 * i as f64).sin()).collect::<Vec<_>>(),
        [2, 20],
    );
    let window = Tensor::from_slice(&[0.25, 0.75, 1.0, 0.75, 0.25], [5]);
    let how = || Stft::new(8).hop_length(2).win_length(5).window(window.clone());
    let spectra = how().stft(&x);
    assert_eq!(spectra.shape().dims(), [2, 5, 11]);
    let back = how().istft(&spectra, None);
    assert!(back.allclose(&x, 1e-9, 1e-9));
    gradcheck(|v| how().stft(&v[0]), &[&x]).unwrap();
    gradcheck(|v| how().normalized(true).istft(&v[0], Some(18)), &[&spectra]).unwrap();
    let z = Tensor::complex(&x, &x.flip(1));
    let two = how().onesided(false);
    let all = two.stft(&z);
    assert_eq!(all.shape().dims(), [2, 8, 11]);
    assert!(two.istft_complex(&all, Some(20)).allclose(&z, 1e-9, 1e-9));
}
