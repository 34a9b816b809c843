use super::*;
use crate::kernels::{Body, map};
use crate::real::{Real, trace};

/// Every kind of step, a constant result, a result that is an input, registers that are reused.
struct Everything;
impl Body<3, 0, 4> for Everything {
    #[inline(always)]
    fn eval<S: Real>(&self, [a, b, c]: [S; 3], []: [S; 0]) -> [S; 4] {
        let inner = (a * b).tanh() - c.abs().sqrt() * S::lit(0.5);
        let mask = S::or(S::and(a.lt(b), b.le(c)), inner.ne(inner));
        let y = S::select(mask, inner.exp_m1(), a.copysign(c).rem(b + S::lit(3.0)));
        let z = y + y * inner + c.special(Special::Erfc) + a.atan().max(b).min(S::ONE);
        let chosen = S::select(
            b.le(c),
            a.round(),
            S::select(a.ne(c), inner.trunc(), (a * c).exp2()),
        );
        [
            z,
            S::lit(0.5),
            b,
            inner
                + (-z).floor()
                + chosen.ceil()
                + (S::ONE / (S::lit(3.0) + a * a)).max(S::lit(0.2)).min(S::lit(0.3)),
        ]
    }
}

#[test]
fn an_interpreted_rule_gives_what_the_compiled_one_gives() {
    let graph = trace(|x: [Expr; 3]| Everything.eval(x, []));
    for (dtype, n) in [(DType::F32, 1300), (DType::F64, 700), (DType::F32, 0)] {
        let data = |k: usize| {
            let data: Vec<f64> = (0..n).map(|i| ((i * k + 7) % 41) as f64 / 8.0 - 2.0).collect();
            Array::from_slice(&data, [n]).cast(dtype)
        };
        let x = [data(3), data(11), data(29)];
        let back = x[0]
            .reshape([n / 2, 2])
            .transpose(0, 1)
            .contiguous()
            .transpose(0, 1);
        let shape = Shape::new(&[n / 2, 2]);
        let x = [back, x[1].reshape([n / 2, 2]), x[2].reshape([n / 2, 2])];
        let want = map(&Everything, dtype, x.clone().map(Some), [], &shape, [dtype; 4]);
        let got = interpret(
            &graph,
            [0, 1, 2, 3],
            dtype,
            x.clone().map(Some),
            &shape,
            [dtype; 4],
        );
        for (want, got) in want.iter().zip(&got) {
            let (want, got) = (want.to_vec::<f64>(), got.to_vec::<f64>());
            let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * (1.0 + b.abs());
            assert!(got.iter().zip(&want).all(close));
        }
        let [last] = interpret(&graph, [3], dtype, x.map(Some), &shape, [dtype]);
        assert_eq!(last.to_vec::<f64>(), got[3].to_vec::<f64>());
    }
}

#[test]
fn integers_keep_all_their_bits() {
    let graph = trace(|[a, b]: [Expr; 2]| {
        let shifted = a.integer(IntOp::Shl, Expr::Const(3.0));
        [shifted.integer(IntOp::Xor, b), a.rem(b), a.integer(IntOp::Gcd, b)]
    });
    let (a, b) = (i64::MAX / 8 - 1, 1_000_003);
    let x = [Array::scalar(a), Array::scalar(b)];
    let y = interpret(
        &graph,
        [0, 1, 2],
        DType::I64,
        x.map(Some),
        &Shape::new(&[]),
        [DType::I64; 3],
    );
    let y = y.map(|y| y.to_vec::<i64>()[0]);
    assert_eq!(y, [(a << 3) ^ b, a % b, 1]);
}

/// Rules of integers: what has the same low bits in any width, what does not, limits that no number reaches, and sums that are compared.
fn rules() -> Vec<ExprGraph> {
    let c = Expr::Const;
    let mut rules = Vec::new();
    for k in [
        0.0, 1.0, -1.0, 3.0, 7.0, 8.0, 31.0, 100.0, -128.0, 200.0, 255.0, 256.0, 70000.0, -3e9, 1e19,
    ] {
        rules.push(trace(|[a, b]: [Expr; 2]| {
            [
                a + c(k),
                c(k) - a * b,
                a * c(k) + b,
                a.max(c(k)),
                a.min(c(k)),
                a.max(c(-1e300)).min(c(k)),
                a.max(c(k)).min(c(k)),
                a.max(c(-5.0)).min(c(k)),
                a.max(c(k)).min(c(90.0)),
                Expr::select(a.lt(c(k)), a, b),
                Expr::select(Expr::or(a.le(c(k)), b.eq(c(k))), Expr::ONE, Expr::ZERO),
                a.integer(IntOp::Xor, c(k)),
                a.integer(IntOp::Shl, c(k)),
                a.integer(IntOp::Shr, c(k)),
                (a + c(k)).max(c(k)),
            ]
        }));
    }
    rules.push(trace(|[a, b]: [Expr; 2]| {
        [
            a + b,
            -a,
            a.abs(),
            a - b.floor(),
            a.max(b),
            Expr::select(a.lt(b), Expr::ONE, Expr::ZERO),
            Expr::select((a + b).lt(a), Expr::ONE, Expr::ZERO),
            Expr::select(a.ne(Expr::ZERO), b, a),
            a.integer(IntOp::And, b),
            a.integer(IntOp::Or, b),
            a.integer(IntOp::Shr, b),
            a.integer(IntOp::Shl, b),
            a.rem(b),
            (a * b).integer(IntOp::Xor, a),
        ]
    }));
    rules
}

#[test]
fn integers_of_any_width_are_those_of_64_bits() {
    let shape = Shape::new(&[3, 250]);
    let n = shape.numel();
    let dtypes = [DType::Bool, DType::U8, DType::I8, DType::I16, DType::I32];
    for (dtype, rule) in dtypes
        .into_iter()
        .flat_map(|d| rules().into_iter().map(move |r| (d, r)))
    {
        let of = |k: i64| {
            let data: Vec<i64> = (0..n as i64)
                .map(|i| (i * k % 65521 - 300) * (i % 7) * (i % 5))
                .collect();
            Array::from_slice(&data, &shape).cast(dtype)
        };
        let a = of(31);
        let turned = of(57).reshape([250, 3]).transpose(0, 1);
        let row = of(101).slice(0, 0, 1, 1);
        let one = Array::full([], -3.0, DType::I64);
        for b in [&turned, &row, &one] {
            for (k, out) in (0..rule.outputs.len()).flat_map(|k| [(k, dtype), (k, DType::Bool)]) {
                let x = [Some(a.clone()), Some(b.clone())];
                let program = Program::new(&rule, &[k]);
                let [want] = run(program.rule::<i64, 2, 1>(), x.clone(), [], &shape, [out]);
                let [got] = interpret(&rule, [k], dtype, x, &shape, [out]);
                assert_eq!(got.dtype(), out);
                assert_eq!(
                    got.to_vec::<i64>(),
                    want.to_vec::<i64>(),
                    "{} of {dtype} as {out}",
                    rule.formula(k, &["a", "b"])
                );
            }
        }
    }
}

#[test]
fn common_rules_of_integers_are_computed_in_their_width() {
    let x = Array::from_slice(&[3i64, 100, 77, 9], [4]);
    let rules = trace(|[a, b]: [Expr; 2]| {
        let below = Expr::select(a.lt(b), Expr::ONE, Expr::ZERO);
        [
            a + Expr::Const(-1.0),
            a * b,
            below,
            a.integer(IntOp::And, b),
            a.max(Expr::Const(f64::NEG_INFINITY)),
        ]
    });
    for dtype in [DType::Bool, DType::U8, DType::I8, DType::I16, DType::I32] {
        let x = [Some(x.cast(dtype)), Some(x.cast(dtype))];
        for k in 0..5 {
            let out = if k == 2 { DType::Bool } else { dtype };
            if dtype != DType::Bool || k > 1 {
                assert!(
                    narrow(&rules, k, dtype, x.clone(), &Shape::new(&[4]), out).is_ok(),
                    "{k} {dtype}"
                );
            }
        }
    }
}
