use super::*;
use crate::kernels::{Body, map};
use crate::real::trace;

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
        [z, S::lit(0.5), b, inner + (-z).floor() + chosen.ceil()]
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
