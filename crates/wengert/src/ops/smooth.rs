//! Smooth activations beside those of [`activation`](super::activation).

use super::pair::Pair;
use super::pointwise::{Kind, Map, Pointwise};
use super::rule::{Rule, contract_rules, real, rules};
use super::{axis, contract, ok};
use crate::op::{Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::real::Real;
use wengert_array::{Error, ErrorKind, raise};

/// `1 / (1 + e^−x)`.
#[inline(always)]
fn sigmoid<S: Real>(x: S) -> S {
    S::ONE / (S::ONE + (-x).exp())
}

/// `ln(1 + e^x)` without overflow.
#[inline(always)]
fn softplus<S: Real>(x: S) -> S {
    x.max(S::ZERO) + (-x.abs()).exp().ln_1p()
}

/// y = x σ(x), σ the sigmoid (Elfwing, Uchibe and Doya, 2017); dx = dy σ (1 + x (1 − σ)).
#[derive(Debug, Clone)]
pub struct Silu;

impl Pointwise<1> for Silu {
    const NAME: &'static str = "silu";
    const COST: usize = 6;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x / (S::ONE + (-x).exp())
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        let s = sigmoid(x);
        [dy * (s * (S::ONE + x * (S::ONE - s)))]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(&z * &z.sigmoid())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Silu), [real()])]
    }
}

/// y = a σ(b) (Dauphin et al., 2017); da = dy σ, db = dy a σ (1 − σ).
#[derive(Debug, Clone)]
pub struct Glu;

impl Pointwise<2> for Glu {
    const NAME: &'static str = "glu";
    const COST: usize = 6;
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::ALL_X];
    #[inline(always)]
    fn value<S: Real>(&self, [a, b]: [S; 2]) -> S {
        a / (S::ONE + (-b).exp())
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [a, b]: [S; 2], _: S) -> [S; 2] {
        let s = sigmoid(b);
        let da = dy * s;
        [da, da * a * (S::ONE - s)]
    }
    fn complex(&self, [a, b]: [Pair; 2]) -> Option<Pair> {
        Some(a * b.sigmoid())
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        vec![Sample::new(Map(Glu), super::arithmetic::pair())]
    }
}

rules! {
    /// `ln(1 + e^(beta x)) / beta`, and x where beta x is above `threshold`; dx = dy σ(beta x), or dy.
    softplus_with Softplus { beta: f64 = 1.5, threshold: f64 = 4.0 }: Float on real();
    |x| {
        let z = x * S::lit(beta);
        S::select(z.gt(S::lit(threshold)), x, softplus(z) / S::lit(beta))
    };
    |dy, x, _| {
        let z = x * S::lit(beta);
        S::select(z.gt(S::lit(threshold)), dy, dy * sigmoid(z))
    };

    /// `x tanh(ln(1 + e^x))` (Misra, 2019); dx = dy (t + x σ(x) (1 − t²)), t the tanh.
    mish Mish: Float on real();
    |x| x * softplus(x).tanh();
    |dy, x, _| {
        let t = softplus(x).tanh();
        dy * (t + x * sigmoid(x) * (S::ONE - t * t))
    };

    /// `ln σ(x)` without underflow; dx = dy σ(−x).
    logsigmoid LogSigmoid: Float on real();
    |x| -softplus(-x);
    |dy, x, _| dy * sigmoid(-x);

    /// `x / (1 + |x|)`; dx = dy / (1 + |x|)².
    softsign Softsign: Float on real();
    |x| x / (S::ONE + x.abs());
    |dy, x, _| {
        let d = S::ONE + x.abs();
        dy / (d * d)
    };
    => complex |z| {
        let below = z.abs() + 1.0;
        z.each(|x| x / &below)
    };

    /// `x − tanh x`; dx = dy tanh² x.
    tanhshrink Tanhshrink: Float on real();
    |x| x - x.tanh();
    |dy, x, _| {
        let t = x.tanh();
        dy * (t * t)
    };
    => complex |z| &z - &z.tanh();

    /// `scale x` above 0, else `scale alpha (e^(input_scale x) − 1)`; dx = dy times the slope.
    elu_with Elu { alpha: f64 = 0.7, scale: f64 = 1.25, input_scale: f64 = 1.5 }: Float on real();
    |x| {
        let low = (x * S::lit(input_scale)).exp_m1() * S::lit(alpha * scale);
        S::select(x.le(S::ZERO), low, x * S::lit(scale))
    };
    |dy, x, _| {
        let low = (x * S::lit(input_scale)).exp() * S::lit(alpha * scale * input_scale);
        S::select(x.le(S::ZERO), dy * low, dy * S::lit(scale))
    };
}

impl Tensor {
    /// `x σ(x)`, also called swish.
    #[track_caller]
    pub fn silu(&self) -> Tensor {
        Map(Silu).apply([self])
    }

    /// `ln(1 + e^x)`, and x where that is above 20.
    #[track_caller]
    pub fn softplus(&self) -> Tensor {
        self.softplus_with(1.0, 20.0)
    }

    /// x above 0, else `alpha (e^x − 1)` (Clevert, Unterthiner and Hochreiter, 2015).
    #[track_caller]
    pub fn elu(&self, alpha: f64) -> Tensor {
        self.elu_with(alpha, 1.0, 1.0)
    }

    /// Self-normalising [`elu`](Tensor::elu) (Klambauer et al., 2017).
    #[track_caller]
    pub fn selu(&self) -> Tensor {
        self.elu_with(1.673_263_242_354_377_2, 1.050_700_987_355_480_5, 1.0)
    }

    /// x above 0, else `alpha (e^(x/alpha) − 1)`, whose slope is continuous for every alpha (Barron, 2017).
    ///
    /// # Panics
    /// If `alpha` is 0.
    #[track_caller]
    pub fn celu(&self, alpha: f64) -> Tensor {
        if alpha == 0.0 {
            raise(Error::new(ErrorKind::Value, "celu", "alpha must not be 0"));
        }
        self.elu_with(alpha, 1.0, 1.0 / alpha)
    }

    /// The first half along `dim` times the sigmoid of the second (Dauphin et al., 2016).
    ///
    /// # Panics
    /// If there is no such dimension, or its size is odd.
    #[track_caller]
    pub fn glu(&self, dim: isize) -> Tensor {
        let shape = self.shape();
        let d = ok(axis("glu", dim, shape.rank()));
        if shape[d] % 2 == 1 {
            let message = format!("dimension {d} of {shape} has odd size {}", shape[d]);
            raise(Error::new(ErrorKind::Shape, "glu", message).note("it is to be cut into halves"));
        }
        let half = shape[d] / 2;
        Map(Glu).apply([&self.narrow(dim, 0, half), &self.narrow(dim, half, half)])
    }
}

contract! {
    silu: Map<Silu, 1>,
    glu: Map<Glu, 2>,
}

contract_rules! {
    softplus: Softplus, 1,
    mish: Mish, 1,
    logsigmoid: LogSigmoid, 1,
    softsign: Softsign, 1,
    tanhshrink: Tanhshrink, 1,
    elu: Elu, 1,
}
