//! Sums, products and powers.

use super::complex::ComplexProduct;
use super::contract;
use super::pair::Pair;
use super::pointwise::{Kind, Map, Pointwise, alike, broadcast, promote};
use super::rule::{Rule, contract_rules, rules};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Body};
use wengert_array::real::Real;
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result};

/// Two f64 inputs that broadcast, away from zero.
pub(crate) fn pair() -> [Array; 2] {
    let a = Array::from_slice(&[1.5, -2.0, 0.5, 3.0, -0.75, 2.5], [2, 3]);
    [a, Array::from_slice(&[-1.25, 0.5, 2.0], [3])]
}

// Sums pass the gradient on as it is: no kernel runs, so these do without a rule for `Map`.

/// y = a + b; da = dy, db = dy.
#[derive(Debug, Clone)]
pub struct Add;

struct AddBody;
impl Body<2, 0, 1> for AddBody {
    #[inline(always)]
    fn eval<S: Real>(&self, [a, b]: [S; 2], []: [S; 0]) -> [S; 1] {
        [a + b]
    }
}

/// A sum or difference; of complex numbers, of all their parts.
#[inline]
fn sum<B: Body<2, 0, 1>>(body: &B, x: [Array; 2], y: &Meta) -> Array {
    if y.dtype.is_complex() {
        let parts = x.map(|x| Some(x.cast(y.dtype).view_as_real()));
        let (shape, dtype) = (y.shape.insert(y.shape.rank(), 2), y.dtype.real());
        let [y] = kernels::map(body, dtype, parts, [], &shape, [dtype]);
        return y.view_as_complex();
    }
    let [y] = kernels::map(body, y.dtype, x.map(Some), [], &y.shape, [y.dtype]);
    y
}

fn infer_sum(op: &str, x: [In<'_>; 2]) -> Result<Meta> {
    if alike(&x) && x[0].dtype != DType::Bool {
        return Ok(x[0].with_shape(x[0].shape));
    }
    let dtype = promote(x.iter().map(|x| (x.dtype, x.shape.rank())));
    if op == "sub" && dtype == DType::Bool {
        return Err(
            Error::new(ErrorKind::DType, op, "bool tensors cannot be subtracted")
                .help("`logical_xor` and `ne` say where two differ"),
        );
    }
    Ok(Meta {
        shape: broadcast(&x)?,
        dtype,
        device: x[0].device,
    })
}

impl Op for Add {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "add";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, x: [In<'_>; 2]) -> Result<Meta> {
        infer_sum("add", x)
    }
    fn forward(&self, x: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        sum(&AddBody, x, y)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        [Some(dy.clone()), Some(dy)]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Add, pair()).gives([0.25, -1.5, 2.5, 1.75, -0.25, 4.5]),
            Sample::new(Add, [Array::scalar(1.0), Array::scalar(2.0)]).gives([3.0]),
            Sample::new(
                Add,
                [
                    Array::full([0, 3], 0.0, DType::F64),
                    Array::full([3], 1.0, DType::F64),
                ],
            )
            .gives([]),
        ]
    }
}

/// y = a − b; da = dy, db = −dy.
#[derive(Debug, Clone)]
pub struct Sub;

struct SubBody;
impl Body<2, 0, 1> for SubBody {
    #[inline(always)]
    fn eval<S: Real>(&self, [a, b]: [S; 2], []: [S; 0]) -> [S; 1] {
        [a - b]
    }
}

impl Op for Sub {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "sub";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, x: [In<'_>; 2]) -> Result<Meta> {
        infer_sum("sub", x)
    }
    fn forward(&self, x: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        sum(&SubBody, x, y)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let db = cx.grad(1, || -&dy);
        [Some(dy), db]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Sub, pair()).gives([2.75, -2.5, -1.5, 4.25, -1.25, 0.5]),
            Sample::new(Sub, [Array::scalar(1.0), Array::scalar(2.0)]).gives([-1.0]),
        ]
    }
}

/// y = a b; da = dy b, db = dy a.
#[derive(Debug, Clone)]
pub struct Mul;

impl Pointwise<2> for Mul {
    const NAME: &'static str = "mul";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::x(0)];
    #[inline(always)]
    fn value<S: Real>(&self, [a, b]: [S; 2]) -> S {
        a * b
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [a, b]: [S; 2], _: S) -> [S; 2] {
        [dy * b, dy * a]
    }
    fn complex(&self, [a, b]: [Pair; 2]) -> Option<Pair> {
        Some(a * b)
    }
    fn whole(&self, [a, b]: &[Tensor; 2]) -> Option<Tensor> {
        (a.dtype() == b.dtype()).then(|| ComplexProduct { conjugate: false }.apply([a, b]))
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        vec![Sample::new(Map(Mul), pair())]
    }
}

/// y = a / b; da = dy / b, db = −dy y / b.
#[derive(Debug, Clone)]
pub struct Div;

impl Pointwise<2> for Div {
    const NAME: &'static str = "div";
    const SAVES: &'static [Saves] = &[Saves::x(1), Saves::x(1).and(Saves::Y)];
    #[inline(always)]
    fn value<S: Real>(&self, [a, b]: [S; 2]) -> S {
        a / b
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [_, b]: [S; 2], y: S) -> [S; 2] {
        let da = dy / b;
        [da, -(da * y)]
    }
    fn complex(&self, [a, b]: [Pair; 2]) -> Option<Pair> {
        Some(a / b)
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        vec![Sample::new(Map(Div), pair())]
    }
}

/// y = −x; dx = −dy.
#[derive(Debug, Clone)]
pub struct Neg;

impl Pointwise<1> for Neg {
    const NAME: &'static str = "neg";
    const KIND: Kind = Kind::Numeric;
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        -x
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 1], _: S) -> [S; 1] {
        [-dy]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(-&z)
    }
    fn whole(&self, [z]: &[Tensor; 1]) -> Option<Tensor> {
        Some(Map(self.clone()).apply([&z.view_as_real()]).view_as_complex())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Neg), [pair()[0].clone()])]
    }
}

/// y = a^b; da = dy b a^(b−1), db = dy y ln a. Where the base is 0 and the exponent not negative, db is 0; where
/// the exponent is 0, da is 0.
#[derive(Debug, Clone)]
pub struct Pow;

impl Pointwise<2> for Pow {
    const NAME: &'static str = "pow";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[
        Saves::x(0).and(Saves::x(1)),
        Saves::x(0).and(Saves::x(1)).and(Saves::Y),
    ];
    const COST: usize = 20;
    #[inline(always)]
    fn value<S: Real>(&self, [a, b]: [S; 2]) -> S {
        a.pow(b)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [a, b]: [S; 2], y: S) -> [S; 2] {
        let da = S::select(b.eq(S::ZERO), S::ZERO, dy * b * a.pow(b - S::ONE));
        // ln of one in place of zero: its own gradient must stay finite where it is not chosen.
        let dead = S::and(a.eq(S::ZERO), b.ge(S::ZERO));
        let db = S::select(dead, S::ZERO, dy * y * S::select(dead, S::ONE, a).ln());
        [da, db]
    }
    fn complex(&self, [a, b]: [Pair; 2]) -> Option<Pair> {
        Some(a.pow(&b))
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        let base = Array::from_slice(&[0.5, 1.5, 2.0, 3.0, 0.25, 1.0], [2, 3]);
        vec![Sample::new(Map(Pow), [base, pair()[1].clone()])]
    }
}

/// y = x + c; dx = dy.
#[derive(Debug, Clone)]
pub struct AddScalar(pub f64);

impl Pointwise<1> for AddScalar {
    const NAME: &'static str = "add_scalar";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x + S::lit(self.0)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 1], _: S) -> [S; 1] {
        [dy]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.shift(self.0))
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(AddScalar(1.5)), [pair()[0].clone()])]
    }
}

/// y = c x; dx = c dy.
#[derive(Debug, Clone)]
pub struct MulScalar(pub f64);

impl Pointwise<1> for MulScalar {
    const NAME: &'static str = "mul_scalar";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x * S::lit(self.0)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 1], _: S) -> [S; 1] {
        [dy * S::lit(self.0)]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.scale(self.0))
    }
    fn whole(&self, [z]: &[Tensor; 1]) -> Option<Tensor> {
        Some(Map(self.clone()).apply([&z.view_as_real()]).view_as_complex())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(MulScalar(-2.5)), [pair()[0].clone()])]
    }
}

/// y = x / c; dx = dy / c.
#[derive(Debug, Clone)]
pub struct DivScalar(pub f64);

impl Pointwise<1> for DivScalar {
    const NAME: &'static str = "div_scalar";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x / S::lit(self.0)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 1], _: S) -> [S; 1] {
        [dy / S::lit(self.0)]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.over(self.0))
    }
    fn whole(&self, [z]: &[Tensor; 1]) -> Option<Tensor> {
        Some(Map(self.clone()).apply([&z.view_as_real()]).view_as_complex())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(DivScalar(3.0)), [pair()[0].clone()])]
    }
}

/// y = c − x; dx = −dy.
#[derive(Debug, Clone)]
pub struct ScalarSub(pub f64);

impl Pointwise<1> for ScalarSub {
    const NAME: &'static str = "scalar_sub";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        S::lit(self.0) - x
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, _: [S; 1], _: S) -> [S; 1] {
        [-dy]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some((-&z).shift(self.0))
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(ScalarSub(1.5)), [pair()[0].clone()])]
    }
}

/// y = c / x; dx = −dy y / x.
#[derive(Debug, Clone)]
pub struct ScalarDiv(pub f64);

impl Pointwise<1> for ScalarDiv {
    const NAME: &'static str = "scalar_div";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y)];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        S::lit(self.0) / x
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], y: S) -> [S; 1] {
        [-(dy * y / x)]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.reciprocal().scale(self.0))
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(ScalarDiv(1.5)), [pair()[0].clone()])]
    }
}

/// y = x^p; dx = dy p x^(p−1).
#[derive(Debug, Clone)]
pub struct PowScalar(pub f64);

impl Pointwise<1> for PowScalar {
    const NAME: &'static str = "pow_scalar";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    const COST: usize = 20;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.pow(S::lit(self.0))
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        // The zeroth power is flat everywhere, also where x^(−1) is infinite. (`self.0` is the same for all
        // elements: this is decided outside the loop.)
        if self.0 == 0.0 {
            return [S::ZERO];
        }
        [dy * (S::lit(self.0) * x.pow(S::lit(self.0 - 1.0)))]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.powf(self.0))
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        let x = || Array::from_slice(&[0.5, 1.5, 2.0, 0.25], [4]);
        [3.0, -2.0, 2.5]
            .map(|p| Sample::new(Map(PowScalar(p)), [x()]))
            .into()
    }
}

/// y = x²; dx = 2 dy x.
#[derive(Debug, Clone)]
pub struct Square;

impl Pointwise<1> for Square {
    const NAME: &'static str = "square";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x * x
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        [dy * (S::lit(2.0) * x)]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(z.square())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Square), [pair()[0].clone()])]
    }
}

/// y = x³; dx = 3 dy x².
#[derive(Debug, Clone)]
pub struct Cube;

impl Pointwise<1> for Cube {
    const NAME: &'static str = "cube";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x * x * x
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        [dy * (S::lit(3.0) * (x * x))]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(&z * &z.square())
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Cube), [pair()[0].clone()])]
    }
}

rules! {
    /// `x⁴`; dx = 4 dy x³.
    fourth_power FourthPower: Arithmetic on pair()[0].clone();
    |x| (x * x) * (x * x);
    |dy, x, _| dy * (S::lit(4.0) * (x * x * x));
    => complex |z| z.square().square();

    /// `1 / x²`; dx = −2 dy / x³.
    reciprocal_square ReciprocalSquare: Float on pair()[0].clone();
    |x| {
        let z = S::ONE / x;
        z * z
    };
    |dy, x, y| dy * (S::lit(-2.0) * (y / x));
    => complex |z| z.reciprocal().square();
}

/// y = the larger of a and b; equal ones share the gradient. NaN where either is NaN; then both get the gradient.
#[derive(Debug, Clone)]
pub struct Maximum;

impl Pointwise<2> for Maximum {
    const NAME: &'static str = "maximum";
    const KIND: Kind = Kind::Arithmetic;
    #[inline(always)]
    fn value<S: Real>(&self, [a, b]: [S; 2]) -> S {
        a.max(b)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [a, b]: [S; 2], _: S) -> [S; 2] {
        let tie = dy * S::lit(0.5);
        let shared = S::select(a.eq(b), tie, dy);
        let da = S::select(a.lt(b), S::ZERO, shared);
        let db = S::select(b.lt(a), S::ZERO, shared);
        [da, db]
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        vec![Sample::new(Map(Maximum), pair())]
    }
}

/// y = the smaller of a and b; equal ones share the gradient. NaN where either is NaN; then both get the gradient.
#[derive(Debug, Clone)]
pub struct Minimum;

impl Pointwise<2> for Minimum {
    const NAME: &'static str = "minimum";
    const KIND: Kind = Kind::Arithmetic;
    #[inline(always)]
    fn value<S: Real>(&self, [a, b]: [S; 2]) -> S {
        a.min(b)
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [a, b]: [S; 2], _: S) -> [S; 2] {
        let tie = dy * S::lit(0.5);
        let shared = S::select(a.eq(b), tie, dy);
        let da = S::select(a.gt(b), S::ZERO, shared);
        let db = S::select(b.gt(a), S::ZERO, shared);
        [da, db]
    }
    fn samples() -> Vec<Sample<Map<Self, 2>>> {
        vec![Sample::new(Map(Minimum), pair())]
    }
}

/// y = |x|; dx = dy sign x, and 0 at 0.
#[derive(Debug, Clone)]
pub struct Abs;

impl Pointwise<1> for Abs {
    const NAME: &'static str = "abs";
    const KIND: Kind = Kind::Arithmetic;
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.abs()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, [x]: [S; 1], _: S) -> [S; 1] {
        [S::select(
            x.gt(S::ZERO),
            dy,
            S::select(x.lt(S::ZERO), -dy, S::ZERO),
        )]
    }
    fn complex(&self, [z]: [Pair; 1]) -> Option<Pair> {
        Some(Pair::of_real(z.abs()))
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(Map(Abs), [pair()[0].clone()])]
    }
}

/// y = the largest integer not above x; dx = 0.
#[derive(Debug, Clone)]
pub struct Floor;

impl Pointwise<1> for Floor {
    const NAME: &'static str = "floor";
    const KIND: Kind = Kind::Arithmetic;
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    #[inline(always)]
    fn value<S: Real>(&self, [x]: [S; 1]) -> S {
        x.floor()
    }
    #[inline(always)]
    fn grad<S: Real>(&self, _: S, _: [S; 1], _: S) -> [S; 1] {
        [S::ZERO]
    }
    fn samples() -> Vec<Sample<Map<Self, 1>>> {
        vec![Sample::new(
            Map(Floor),
            [Array::from_slice(&[1.5, -2.25, 0.5], [3])],
        )]
    }
}

impl Tensor {
    /// `self` to the power `p`, elementwise. Of 2, 3, 4, ½ and −½, −1, −2 by products, roots and quotients.
    #[track_caller]
    pub fn powf(&self, p: f64) -> Tensor {
        let whole = p.fract() == 0.0 && p >= 0.0;
        let x = if whole {
            self.clone()
        } else {
            self.to(self.dtype().or_default())
        };
        match p {
            0.5 => x.sqrt(),
            1.0 => Map(MulScalar(1.0)).apply_owned([x]),
            2.0 => Map(Square).apply_owned([x]),
            3.0 => Map(Cube).apply_owned([x]),
            4.0 => x.fourth_power(),
            -0.5 => x.rsqrt(),
            -1.0 => x.reciprocal(),
            -2.0 => x.reciprocal_square(),
            _ => Map(PowScalar(p)).apply_owned([x]),
        }
    }

    /// `self` to the power `p`, elementwise and broadcast; gradients for base and exponent.
    #[track_caller]
    pub fn pow(&self, p: &Tensor) -> Tensor {
        Map(Pow).apply([self, p])
    }

    /// `x²`.
    #[track_caller]
    pub fn square(&self) -> Tensor {
        Map(Square).apply([self])
    }

    /// The larger of the two, elementwise and broadcast.
    #[track_caller]
    pub fn maximum(&self, other: &Tensor) -> Tensor {
        Map(Maximum).apply([self, other])
    }

    /// The smaller of the two, elementwise and broadcast.
    #[track_caller]
    pub fn minimum(&self, other: &Tensor) -> Tensor {
        Map(Minimum).apply([self, other])
    }

    /// `|x|`.
    #[track_caller]
    pub fn abs(&self) -> Tensor {
        Map(Abs).apply([self])
    }

    /// The largest integer not above each element.
    #[track_caller]
    pub fn floor(&self) -> Tensor {
        Map(Floor).apply([self])
    }
}

contract! {
    add: Add,
    sub: Sub,
    mul: Map<Mul, 2>,
    div: Map<Div, 2>,
    neg: Map<Neg, 1>,
    pow: Map<Pow, 2>,
    add_scalar: Map<AddScalar, 1>,
    mul_scalar: Map<MulScalar, 1>,
    div_scalar: Map<DivScalar, 1>,
    scalar_sub: Map<ScalarSub, 1>,
    scalar_div: Map<ScalarDiv, 1>,
    pow_scalar: Map<PowScalar, 1>,
    square: Map<Square, 1>,
    cube: Map<Cube, 1>,
    maximum: Map<Maximum, 2>,
    minimum: Map<Minimum, 2>,
    abs: Map<Abs, 1>,
    floor: Map<Floor, 1>,
}

contract_rules! {
    fourth_power: FourthPower, 1,
    reciprocal_square: ReciprocalSquare, 1,
}
