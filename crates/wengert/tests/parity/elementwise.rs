//! Awkward numbers (zeros of both signs, ties, infinities, NaN, the ends of domains): `reference/elementwise.py`.

use crate::each;
use wengert::ops::RoundingMode;
use wengert::{DType, Tensor, where_};

/// Names for which this library gives a number where PyTorch has NaN: each where the limit exists, or nothing depends on
/// the input.
const BETTER: [&str; 18] = [
    "binary.copysign",
    "binary.hypot",
    "binary.logaddexp",
    "binary.logaddexp2",
    "binary.xlogy",
    "binary.xlog1py",
    "rows.cumprod",
    "rows.logcumsumexp",
    "rows.logsumexp",
    "rows.trapezoid",
    "unary.digamma",
    "unary.i0",
    "unary.i1",
    "unary.log_ndtr",
    "unary.polygamma1",
    "unary.polygamma3",
    "unary.pow1_5",
    "unary.softsign",
];

/// Names of what PyTorch computes with less precision than f64 has, or with 4.9e32 for an infinity.
const ROUGH: [&str; 5] = [
    "unary.digamma",
    "unary.hardsigmoid",
    "unary.log_ndtr",
    "unary.polygamma1",
    "unary.polygamma3",
];

fn number(p: f64) -> Tensor {
    Tensor::full_as([], p, DType::F64)
}

fn run(name: &str, x: &[Tensor]) -> Tensor {
    let a = &x[0];
    match name {
        "unary.abs" => a.abs(),
        "unary.exp" => a.exp(),
        "unary.log" => a.log(),
        "unary.sqrt" => a.sqrt(),
        "unary.exp2" => a.exp2(),
        "unary.expm1" => a.expm1(),
        "unary.log1p" => a.log1p(),
        "unary.log2" => a.log2(),
        "unary.log10" => a.log10(),
        "unary.rsqrt" => a.rsqrt(),
        "unary.reciprocal" => a.reciprocal(),
        "unary.square" => a.square(),
        "unary.entr" => a.entr(),
        "unary.logit" => a.logit(),
        "unary.logit_eps" => a.logit_eps(0.25),
        "unary.tan" => a.tan(),
        "unary.asin" => a.asin(),
        "unary.acos" => a.acos(),
        "unary.atan" => a.atan(),
        "unary.sinh" => a.sinh(),
        "unary.cosh" => a.cosh(),
        "unary.asinh" => a.asinh(),
        "unary.acosh" => a.acosh(),
        "unary.atanh" => a.atanh(),
        "unary.sinc" => a.sinc(),
        "unary.deg2rad" => a.deg2rad(),
        "unary.rad2deg" => a.rad2deg(),
        "unary.erf" => a.erf(),
        "unary.erfc" => a.erfc(),
        "unary.erfinv" => a.erfinv(),
        "unary.lgamma" => a.lgamma(),
        "unary.digamma" => a.digamma(),
        "unary.polygamma1" => a.polygamma(1),
        "unary.polygamma3" => a.polygamma(3),
        "unary.i0" => a.i0(),
        "unary.i0e" => a.i0e(),
        "unary.i1" => a.i1(),
        "unary.i1e" => a.i1e(),
        "unary.ndtri" => a.ndtri(),
        "unary.ndtr" => a.ndtr(),
        "unary.log_ndtr" => a.log_ndtr(),
        "unary.erfcx" => a.erfcx(),
        "unary.ceil" => a.ceil(),
        "unary.floor" => a.floor(),
        "unary.trunc" => a.trunc(),
        "unary.round" => a.round(),
        "unary.round1" => a.round_decimals(1),
        "unary.frac" => a.frac(),
        "unary.sign" => a.sign(),
        "unary.isnan" => a.isnan(),
        "unary.isinf" => a.isinf(),
        "unary.isfinite" => a.isfinite(),
        "unary.isposinf" => a.isposinf(),
        "unary.isneginf" => a.isneginf(),
        "unary.signbit" => a.signbit(),
        "unary.relu" => a.relu(),
        "unary.sigmoid" => a.sigmoid(),
        "unary.tanh" => a.tanh(),
        "unary.silu" => a.silu(),
        "unary.mish" => a.mish(),
        "unary.softplus" => a.softplus(),
        "unary.softplus_with" => a.softplus_with(2.0, 4.0),
        "unary.logsigmoid" => a.logsigmoid(),
        "unary.softsign" => a.softsign(),
        "unary.tanhshrink" => a.tanhshrink(),
        "unary.elu" => a.elu(0.75),
        "unary.selu" => a.selu(),
        "unary.celu" => a.celu(0.5),
        "unary.gelu" => a.gelu(),
        "unary.leaky_relu" => a.leaky_relu(0.2),
        "unary.relu6" => a.relu6(),
        "unary.hardtanh" => a.hardtanh(),
        "unary.hardsigmoid" => a.hardsigmoid(),
        "unary.hardswish" => a.hardswish(),
        "unary.threshold" => a.threshold(0.5, -2.0),
        "unary.softshrink" => a.softshrink(0.5),
        "unary.hardshrink" => a.hardshrink(0.5),
        "unary.clamp" => a.clamp(-1.0, 2.5),
        "unary.clamp_min" => a.clamp(0.5, None),
        "unary.clamp_max" => a.clamp(None, 0.5),
        "unary.nan_to_num" => a.nan_to_num(Some(0.5), Some(4.0), Some(-4.0)),
        "unary.pow0" => a.powf(0.0),
        "unary.pow2" => a.powf(2.0),
        "unary.pow3" => a.powf(3.0),
        "unary.pow_half" => a.powf(0.5),
        "unary.pow_minus1" => a.powf(-1.0),
        "unary.pow1_5" => a.powf(1.5),
        "unary.base0" => number(0.0).pow(a),
        "unary.base2" => number(2.0).pow(a),
        "binary.add" => a + &x[1],
        "binary.mul" => a * &x[1],
        "binary.div" => a / &x[1],
        "binary.pow" => a.pow(&x[1]),
        "binary.maximum" => a.maximum(&x[1]),
        "binary.minimum" => a.minimum(&x[1]),
        "binary.fmax" => a.fmax(&x[1]),
        "binary.fmin" => a.fmin(&x[1]),
        "binary.atan2" => a.atan2(&x[1]),
        "binary.hypot" => a.hypot(&x[1]),
        "binary.logaddexp" => a.logaddexp(&x[1]),
        "binary.logaddexp2" => a.logaddexp2(&x[1]),
        "binary.xlogy" => a.xlogy(&x[1]),
        "binary.xlog1py" => a.xlog1py(&x[1]),
        "binary.fmod" => a.fmod(&x[1]),
        "binary.remainder" => a.remainder(&x[1]),
        "binary.copysign" => a.copysign(&x[1]),
        "binary.floor_divide" => a.div_mode(&x[1], RoundingMode::Floor),
        "binary.trunc_divide" => a.div_mode(&x[1], RoundingMode::Trunc),
        "binary.clamp_min_tensor" => a.clamp_tensor(Some(&x[1]), None),
        "binary.clamp_max_tensor" => a.clamp_tensor(None, Some(&x[1])),
        "binary.clamp_tensor" => a.clamp_tensor(Some(&x[1]), Some(&(&x[1] + 1.0))),
        "binary.isclose" => a.isclose(&(&x[1] + 1e-7), 1e-5, 1e-8, false),
        "binary.isclose_nan" => a.isclose(&x[1], 1e-5, 1e-8, true),
        "binary.lerp" => a.lerp(&x[1], 0.25),
        "binary.prelu" => a.prelu_each(&x[1]),
        "binary.where" => where_(&a.gt(0.0), a, &x[1]),
        "binary.addcmul" => a.addcmul(a, &x[1], 2.0),
        "binary.addcdiv" => a.addcdiv(a, &x[1], 2.0),
        "binary.heaviside" => a.detach().heaviside(&x[1].detach()),
        "rows.prod" => a.prod_dim(1, false),
        "rows.cumsum" => a.cumsum(1),
        "rows.cumprod" => a.cumprod(1),
        "rows.logsumexp" => a.logsumexp(1, false),
        "rows.logcumsumexp" => a.narrow(0, 0, 8).logcumsumexp(1),
        "rows.var" => a.var_dim(1, 1.0, false),
        "rows.var0" => a.var_dim(1, 0.0, false),
        "rows.std" => a.std_dim(1, 1.0, false),
        "rows.var_of_one" => a.narrow(1, 0, 1).var_dim(1, 1.0, false),
        "rows.std_of_one" => a.narrow(1, 0, 1).std_dim(1, 1.0, false),
        "rows.norm2" => a.norm_dim(2.0, 1, false),
        "rows.norm1" => a.norm_dim(1.0, 1, false),
        "rows.norm0" => a.norm_dim(0.0, 1, false),
        "rows.norm3" => a.norm_dim(3.0, 1, false),
        "rows.norm1_5" => a.norm_dim(1.5, 1, false),
        "rows.norm_half" => a.norm_dim(0.5, 1, false),
        "rows.norm_inf" => a.norm_dim(f64::INFINITY, 1, false),
        "rows.norm_minus_inf" => a.norm_dim(f64::NEG_INFINITY, 1, false),
        "rows.amax" => a.amax(1, false),
        "rows.amin" => a.amin(1, false),
        "rows.max" => a.max_dim(1, false).0,
        "rows.min" => a.min_dim(1, false).0,
        "rows.max_index" => a.max_dim(1, false).1,
        "rows.cummax_index" => a.cummax(1).1,
        "rows.cummax" => a.cummax(1).0,
        "rows.cummin" => a.cummin(1).0,
        "rows.median" => a.median_dim(1, false).0,
        "rows.nanmedian" => a.nanmedian_dim(1, false).0,
        "rows.nansum" => a.nansum(1, false),
        "rows.nanmean" => a.nanmean(1, false),
        "rows.mean" => a.mean_dim(1, false),
        "rows.count_nonzero" => a.count_nonzero(1),
        "rows.all" => a.all_dim(1, false),
        "rows.any" => a.any_dim(1, false),
        "rows.softmax" => a.softmax(1),
        "rows.log_softmax" => a.log_softmax(1),
        "rows.diff" => a.diff(1, 1),
        "rows.trapezoid" => a.trapezoid(0.5, 1),
        "rows.cumulative_trapezoid" => a.cumulative_trapezoid(0.5, 1),
        "rows.glu" => a.glu(1),
        "rows.renorm" => a.renorm(2.0, 0, 1.5),
        name => panic!("nobody wrote down what `{name}` is here"),
    }
}

/// What differs by more than a few roundings, with where it is.
fn differences(name: &str, got: &[f64], want: &[f64]) -> Vec<String> {
    assert_eq!(got.len(), want.len());
    let (better, rough) = (BETTER.contains(&name), ROUGH.contains(&name));
    let tolerance = if rough { 1e-7 } else { 2e-14 };
    let same = |g: f64, w: f64| {
        g == w
            || (g.is_nan() && w.is_nan())
            || (better && w.is_nan())
            || (rough && g == f64::INFINITY && w > 1e25)
            || (g - w).abs() <= tolerance * w.abs().max(1.0)
    };
    (0..got.len())
        .filter(|&i| !same(got[i], want[i]))
        .map(|i| format!("at {i} {:e}, not {:e}", got[i], want[i]))
        .collect()
}

#[test]
fn awkward_numbers_come_out_as_pytorchs() {
    let mut wrong = Vec::new();
    each("elementwise.safetensors", 160, |case| {
        // Integers and truths are read as the numbers that they are.
        let of = |part: &str| case.get(part).map(|t| t.to(DType::F64));
        let x: Vec<Tensor> = (0..)
            .map_while(|i| of(&format!("x{i}")))
            .map(|x| x.requires_grad_(true))
            .collect();
        let (name, y, want) = (case.name, run(case.name, &x), of("y").unwrap());
        assert_eq!(y.shape(), want.shape(), "{name}");
        let mut found = vec![("y".to_string(), differences(name, &y.to_vec(), &want.to_vec()))];
        if let Some(dy) = of("dy") {
            y.backward_with(&dy);
            for (i, x) in x.iter().enumerate() {
                let (got, want) = (x.grad().unwrap(), case.part(&format!("g{i}")));
                found.push((format!("g{i}"), differences(name, &got.to_vec(), &want.to_vec())));
            }
        }
        for (part, differences) in found.iter().filter(|(_, d)| !d.is_empty()) {
            wrong.push(format!("{name}.{part}: {}", differences.join("; ")));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
