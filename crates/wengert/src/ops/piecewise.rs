//! Activations that are straight on either side of a kink, and limits.

use super::compare::Operand;
use super::contract;
use super::pointwise::{Kind, Map, Pointwise};
use super::rule::{Rule, between, contract_rules, not_finite, real, rules, rules2};
use crate::op::{Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::real::Real;
use wengert_array::{Array, DType, Error, ErrorKind, get_default_dtype, raise};

/// y = x above 0, else a x; dx = dy or a dy (Maas, Hannun and Ng, 2013).
#[derive(Debug, Clone)]
pub struct LeakyRelu(pub f64);

impl Pointwise<1> for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        S::select(x.gt(S::ZERO), x, x * S::lit(self.0))
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        [S::select(x.gt(S::ZERO), dy, dy * S::lit(self.0))]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(LeakyRelu(0.1)), [real()])]
    }
}

/// y = x brought into [low, high]; dx = dy where it was strictly there. NaN stays, and a NaN limit makes NaN.
#[derive(Debug, Clone)]
pub struct Clamp {
    /// The lower limit, −∞ for none.
    pub low: f64,
    /// The upper limit, ∞ for none. It wins where it is below the lower.
    pub high: f64,
}

impl Pointwise<1> for Clamp {
    const NAME: &'static str = "clamp";
    const KIND: Kind = Kind::Arithmetic;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.max(S::lit(self.low)).min(S::lit(self.high))
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        // A limit that is not there cannot be met. (They are the same for all elements.)
        let above = S::select(x.gt(S::lit(self.low)), dy, S::ZERO);
        let below = S::select(x.lt(S::lit(self.high)), dy, S::ZERO);
        [
            match (self.low == f64::NEG_INFINITY, self.high == f64::INFINITY) {
                (true, true) => dy,
                (false, true) => above,
                (true, false) => below,
                (false, false) => S::select(x.gt(S::lit(self.low)), below, S::ZERO),
            },
        ]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(
            Map(Clamp {
                low: -1.25,
                high: 1.75,
            }),
            [real()],
        )]
    }
}

/// y = x brought into [low, high], NaN staying; dx = dy but where x is at a limit or outside.
#[derive(Debug, Clone)]
pub struct Hardtanh {
    /// The lower limit.
    pub low: f64,
    /// The upper limit.
    pub high: f64,
}

impl Pointwise<1> for Hardtanh {
    const NAME: &'static str = "hardtanh";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        within(x, S::lit(self.low), S::lit(self.high))
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        let outside = S::or(x.le(S::lit(self.low)), x.ge(S::lit(self.high)));
        [S::select(outside, S::ZERO, dy)]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        let (low, high) = (-1.25, 1.75);
        vec![Sample::new(Map(Hardtanh { low, high }), [real()])]
    }
}

/// x between two limits that are numbers; NaN stays.
#[inline(always)]
fn within<S: Real>(x: S, low: S, high: S) -> S {
    let x = S::select(x.lt(low), low, x);
    S::select(x.gt(high), high, x)
}

/// y = (x + 3) / 6 brought into [0, 1]; dx = dy/6 strictly within (Howard et al., 2019).
#[derive(Debug, Clone)]
pub struct Hardsigmoid;

impl Pointwise<1> for Hardsigmoid {
    const NAME: &'static str = "hardsigmoid";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        within(x + S::lit(3.0), S::ZERO, S::lit(6.0)) / S::lit(6.0)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        let inside = S::and(x.gt(S::lit(-3.0)), x.lt(S::lit(3.0)));
        [S::select(inside, dy / S::lit(6.0), S::ZERO)]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Hardsigmoid), [between()])]
    }
}

/// y = x (x + 3) / 6, the quotient brought into [0, 1]; dx = dy (x/3 + 1/2) between −3 and 3, dy above (Howard et al., 2019).
#[derive(Debug, Clone)]
pub struct Hardswish;

impl Pointwise<1> for Hardswish {
    const NAME: &'static str = "hardswish";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x * within(x + S::lit(3.0), S::ZERO, S::lit(6.0)) / S::lit(6.0)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        let inside = S::select(x.lt(S::lit(3.0)), dy * (x / S::lit(3.0) + S::lit(0.5)), dy);
        [S::select(x.le(S::lit(-3.0)), S::ZERO, inside)]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Hardswish), [between()])]
    }
}

rules! {
    /// x above `threshold`, else `value`; dx = dy there.
    threshold Threshold { threshold: f64 = 0.75, value: f64 = -2.0 }: Arithmetic on real();
    |x| S::select(x.le(S::lit(threshold)), S::lit(value), x);
    |dy, x, _| S::select(x.le(S::lit(threshold)), S::ZERO, dy);

    /// x moved toward zero by `lambda`, and 0 nearer than that; dx = dy outside.
    softshrink Softshrink { lambda: f64 = 0.75 }: Float on real();
    |x| {
        let low = S::select(x.lt(S::lit(-lambda)), x + S::lit(lambda), x * S::ZERO);
        S::select(x.gt(S::lit(lambda)), x - S::lit(lambda), low)
    };
    |dy, x, _| {
        let inside = S::and(x.ge(S::lit(-lambda)), x.le(S::lit(lambda)));
        S::select(inside, S::ZERO, dy)
    };

    /// x, and 0 where it is within `lambda` of zero; dx = dy outside.
    hardshrink Hardshrink { lambda: f64 = 0.75 }: Float on real();
    |x| {
        let inside = S::and(x.ge(S::lit(-lambda)), x.le(S::lit(lambda)));
        S::select(inside, S::ZERO, x)
    };
    |dy, x, _| {
        let inside = S::and(x.ge(S::lit(-lambda)), x.le(S::lit(lambda)));
        S::select(inside, S::ZERO, dy)
    };

    /// `nan` for NaN, `high` for ∞ and `low` for −∞; dx = dy where x is finite.
    nan_to_num_with NanToNum { nan: f64 = 0.5, high: f64 = 4.0, low: f64 = -4.0 }: Arithmetic on
        Array::from_slice(&[0.5, -1.5, 2.0, -0.25], [4]);
    |x| {
        // Without infinity at hand: integers have none, and are none.
        let broken = not_finite(x);
        let end = S::select(x.lt(S::ZERO), S::lit(low), S::lit(high));
        S::select(x.ne(x), S::lit(nan), S::select(broken, end, x))
    };
    |dy, x, _| S::select(not_finite(x), S::ZERO, dy);
}

rules2! {
    /// The larger of the two; the other where one is NaN. The gradient goes to the chosen, half to each of equals.
    fmax Fmax: Arithmetic on super::arithmetic::pair();
    |a, b| S::select(b.ne(b), a, S::select(a.ne(a), b, a.max(b)));
    |dy, a, b, _| {
        let (tie, even) = (dy * S::lit(0.5), a.eq(b));
        let first = S::or(a.gt(b), b.ne(b));
        let da = S::select(first, dy, S::select(even, tie, S::ZERO));
        [da, S::select(first, S::ZERO, S::select(even, tie, dy))]
    };

    /// The smaller of the two; the other where one is NaN. The gradient goes to the chosen, half to each of equals.
    fmin Fmin: Arithmetic on super::arithmetic::pair();
    |a, b| S::select(b.ne(b), a, S::select(a.ne(a), b, a.min(b)));
    |dy, a, b, _| {
        let (tie, even) = (dy * S::lit(0.5), a.eq(b));
        let first = S::or(a.lt(b), b.ne(b));
        let da = S::select(first, dy, S::select(even, tie, S::ZERO));
        [da, S::select(first, S::ZERO, S::select(even, tie, dy))]
    };
}

/// y = x above 0, else a x; dx = dy or a dy, da = dy x where x ≤ 0 (He et al., 2015).
#[derive(Debug, Clone)]
pub struct Prelu;

impl Pointwise<2> for Prelu {
    const NAME: &'static str = "prelu";
    const SAVES: &'static [Saves] = &[Saves::ALL_X, Saves::x(0)];
    #[inline(always)]
    fn value<S: Real>(&self, [x, a]: [S; 2]) -> S {
        S::select(x.gt(S::ZERO), x, a * x)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x, a]: [S; 2], _: S) -> [S; 2] {
        let up = x.gt(S::ZERO);
        [S::select(up, dy, a * dy), S::select(up, S::ZERO, dy * x)]
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        vec![Sample::new(Map(Prelu), super::arithmetic::pair())]
    }
}

/// y = x brought between two tensors; the gradient goes to whichever was taken, half to each of equals.
#[derive(Debug, Clone)]
pub struct ClampBetween;

impl Pointwise<3> for ClampBetween {
    const NAME: &'static str = "clamp";
    const KIND: Kind = Kind::Arithmetic;
    fn value<S: Real>(&self, [x, low, high]: [S; 3]) -> S {
        x.max(low).min(high)
    }
    fn grad<S: Real>(&self, dy: S, [x, low, high]: [S; 3], _: S) -> [S; 3] {
        let half = dy * S::lit(0.5);
        let (below, above) = (x.lt(low), x.gt(high));
        let (open, crossed) = (low.lt(high), low.gt(high));
        let (at_low, at_high) = (S::and(open, x.eq(low)), S::and(open, x.eq(high)));
        let kept = S::select(S::or(at_low, at_high), half, dy);
        let dx = S::select(S::or(crossed, S::or(below, above)), S::ZERO, kept);
        let to_low = S::select(at_low, half, S::ZERO);
        let to_high = S::select(at_high, half, S::ZERO);
        let ordered = low.le(high);
        let dlow = S::select(S::and(ordered, below), dy, to_low);
        let dhigh = S::select(S::or(crossed, S::and(ordered, above)), dy, to_high);
        [dx, dlow, dhigh]
    }
    fn samples() -> Vec<Sample<Map<Self, 3>>> {
        let [x, low] = super::arithmetic::pair();
        let high = Array::from_slice(&[1.0, 2.25, 2.125], [3]);
        vec![Sample::new(Map(ClampBetween), [x, low, high])]
    }
}

impl Tensor {
    /// x above 0, else `slope` x.
    #[track_caller]
    pub fn leaky_relu(&self, slope: f64) -> Tensor {
        Map(LeakyRelu(slope)).apply([self])
    }

    /// x brought into the limits that are given. The upper wins where it is below the lower; NaN stays.
    #[track_caller]
    pub fn clamp(&self, low: impl Into<Option<f64>>, high: impl Into<Option<f64>>) -> Tensor {
        let (low, high) = (low.into(), high.into());
        if low.is_none() && high.is_none() {
            raise(Error::new(
                ErrorKind::Value,
                "clamp",
                "needs at least one of the limits",
            ));
        }
        let whole = |c: Option<f64>| c.is_none_or(|c| c.fract() == 0.0);
        let x = match self.dtype() {
            DType::Bool if whole(low) && whole(high) => self.to(DType::I64),
            d if !(d.is_float() || whole(low) && whole(high)) => self.to(get_default_dtype()),
            _ => self.clone(),
        };
        let (low, high) = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
        Map(Clamp { low, high }).apply([&x])
    }

    /// As [`clamp`](Tensor::clamp), between tensors; the limits get the gradient where they were taken.
    #[track_caller]
    pub fn clamp_tensor(&self, low: Option<&Tensor>, high: Option<&Tensor>) -> Tensor {
        match (low, high) {
            (Some(low), Some(high)) => Rule::new(ClampBetween).apply([self, low, high]),
            (Some(low), None) => self.maximum(low),
            (None, Some(high)) => self.minimum(high),
            (None, None) => raise(Error::new(
                ErrorKind::Value,
                "clamp",
                "needs at least one of the limits",
            )),
        }
    }

    /// x brought into [`low`, `high`]; dx = dy strictly within.
    #[track_caller]
    pub fn hardtanh_between(&self, low: f64, high: f64) -> Tensor {
        if low.is_nan() || high.is_nan() {
            return self.clamp(low, high);
        }
        Map(Hardtanh { low, high }).apply([self])
    }

    /// `(x + 3) / 6` brought into [0, 1]; dx = dy/6 strictly within.
    #[track_caller]
    pub fn hardsigmoid(&self) -> Tensor {
        Map(Hardsigmoid).apply([self])
    }

    /// x times [`hardsigmoid`](Tensor::hardsigmoid) of x; dx = dy (x/3 + 1/2) between −3 and 3, dy above.
    #[track_caller]
    pub fn hardswish(&self) -> Tensor {
        Map(Hardswish).apply([self])
    }

    /// x brought into [−1, 1]; dx = dy strictly within.
    #[track_caller]
    pub fn hardtanh(&self) -> Tensor {
        self.hardtanh_between(-1.0, 1.0)
    }

    /// x brought into [0, 6]; dx = dy strictly within.
    #[track_caller]
    pub fn relu6(&self) -> Tensor {
        self.hardtanh_between(0.0, 6.0)
    }

    /// x above 0, else a slope times x: in training one drawn for each element from between `lower` and `upper`, otherwise
    /// their mean (Xu et al., 2015).
    #[track_caller]
    pub fn rrelu(&self, lower: f64, upper: f64, training: bool) -> Tensor {
        if !training {
            return self.leaky_relu(0.5 * (lower + upper));
        }
        let slopes = Tensor::uniform(self.shape(), lower, upper).to(self.dtype());
        self.prelu_each(&slopes)
    }

    /// 0 for NaN, and the largest and smallest finite numbers for infinities, where nothing else is given.
    #[track_caller]
    pub fn nan_to_num(&self, nan: Option<f64>, high: Option<f64>, low: Option<f64>) -> Tensor {
        if self.dtype().is_complex() {
            let [re, im] = [self.real(), self.imag()].map(|part| part.nan_to_num(nan, high, low));
            return Tensor::complex(&re, &im);
        }
        let largest = match self.dtype() {
            DType::F16 => 65504.0,
            DType::BF16 => 3.3895313892515355e38,
            DType::F32 => f32::MAX.into(),
            _ => f64::MAX,
        };
        self.nan_to_num_with(
            nan.unwrap_or(0.0),
            high.unwrap_or(largest),
            low.unwrap_or(-largest),
        )
    }

    /// x above 0, else a x with one learned `weight` for all, or one for each channel (dimension 1).
    ///
    /// # Panics
    /// If there is neither one weight nor one for each channel.
    #[track_caller]
    pub fn prelu(&self, weight: &Tensor) -> Tensor {
        let (n, rank) = (weight.numel(), self.dim());
        let channels = if rank > 1 { self.shape()[1] } else { 1 };
        if n != 1 && n != channels {
            let message = format!("{n} weights do not fit {channels} channels");
            let error = Error::new(ErrorKind::Shape, "prelu", message);
            raise(error.note("there must be one weight, or one for each channel, which dimension 1 counts"));
        }
        let mut shape = vec![1; rank];
        if rank > 1 {
            shape[1] = n;
        }
        self.prelu_each(&weight.reshape(shape))
    }

    /// x above 0, else `slope` times x, elementwise.
    #[track_caller]
    pub fn prelu_each(&self, slope: &Tensor) -> Tensor {
        Map(Prelu).apply([self, slope])
    }
}

contract! {
    leaky_relu: Map<LeakyRelu, 1>,
    clamp: Map<Clamp, 1>,
    hardtanh: Map<Hardtanh, 1>,
    hardsigmoid: Map<Hardsigmoid, 1>,
    hardswish: Map<Hardswish, 1>,
    prelu: Map<Prelu, 2>,
}

contract_rules! {
    threshold: Threshold, 1,
    softshrink: Softshrink, 1,
    hardshrink: Hardshrink, 1,
    nan_to_num: NanToNum, 1,
    fmax: Fmax, 2,
    fmin: Fmin, 2,
    clamp_between: ClampBetween, 3,
}
