//! Elementwise operations: one scalar rule, from which the kernel, the gradient and the formula come.

mod formula;

pub(crate) use formula::evaluate;

use super::pair::{self, Pair};
use crate::autograd::{Ctx, Precision, is_recording};
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use std::fmt::Debug;
use wengert_array::kernels::{self, Body, Quotient};
use wengert_array::real::{Dual, Expr, ExprGraph, Real, trace};
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape, get_default_dtype};

/// What becomes of the inputs' dtypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The promoted dtype, integers included: `+`, `abs`, `max`.
    Arithmetic,
    /// As `Arithmetic`, for what has no meaning for bool: `−x`.
    Numeric,
    /// Floating point: integers become f32 first, as in PyTorch: `exp`, `/`.
    Float,
    /// A comparison: compares in the promoted dtype and gives bool.
    Compare,
    /// The first input is a bool mask, the others are promoted: `where`.
    Choose,
    /// Integers and truths in the promoted dtype: `&`.
    Integral,
}

/// An elementwise rule of `N` numbers.
///
/// Only [`value`](Pointwise::value) is needed. The gradient then comes from running it on dual numbers; a
/// hand-written [`grad`](Pointwise::grad) may be faster, and may use the result `y`.
///
/// ```
/// use wengert::{Pointwise, Real, Tensor};
///
/// /// y = x / (1 + |x|)
/// #[derive(Debug, Clone)]
/// struct Softsign;
/// impl Pointwise<1> for Softsign {
///     const NAME: &'static str = "softsign";
///     fn value<S: Real>(&self, [x]: [S; 1]) -> S {
///         x / (S::ONE + x.abs())
///     }
/// }
///
/// let x = Tensor::new([-1.0, 3.0]).requires_grad_(true);
/// let y = x.map(Softsign);
/// assert_eq!(y.to_vec::<f32>(), [-0.5, 0.75]);
/// y.sum().backward();
/// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.25, 0.0625]);
/// ```
pub trait Pointwise<const N: usize>: Debug + Clone + Send + Sync + 'static {
    /// The name that errors and pictures use.
    const NAME: &'static str;
    /// What becomes of the inputs' dtypes.
    const KIND: Kind = Kind::Float;
    /// For each input, what its gradient reads; the last entry stands for all further inputs.
    const SAVES: &'static [Saves] = &[Saves::ALL_X];
    /// In which precision it computes inside [`autocast`](crate::autocast).
    const PRECISION: Precision = Precision::Given;
    /// Roughly how many simple instructions one element takes.
    const COST: usize = 1;
    /// What the rule is for integers, if it is a quotient or what that leaves: there is a kernel for those.
    #[doc(hidden)]
    const QUOTIENT: Option<Quotient> = None;

    /// The name of this very rule, where the type serves several.
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// The rule. `#[inline]` helps: it is the body of the kernel's loop.
    fn value<S: Real>(&self, x: [S; N]) -> S;

    /// For each input, its gradient, given that of the result.
    #[inline(always)]
    fn grad<S: Real>(&self, dy: S, x: [S; N], y: S) -> [S; N] {
        let _ = y;
        std::array::from_fn(|i| {
            let mut duals = x.map(Dual::constant);
            duals[i] = Dual::variable(x[i]);
            dy * self.value(duals).slope
        })
    }

    /// The rule for complex numbers, where there is one. What it is made of is differentiated, so that it needs no gradient.
    fn complex(&self, z: [Pair; N]) -> Option<Pair> {
        let _ = z;
        None
    }

    /// The result for complex inputs, where it can be had at once rather than from the parts.
    #[doc(hidden)]
    fn whole(&self, x: &[Tensor; N]) -> Option<Tensor> {
        let _ = x;
        None
    }

    /// Inputs on which the contract is tested, beside shapes that are derived from them.
    fn samples() -> Vec<Sample<Map<Self, N>>> {
        Vec::new()
    }
}

/// The operation that applies a rule at every element.
#[derive(Clone)]
pub struct Map<R, const N: usize>(pub R);

impl<R: Debug, const N: usize> Debug for Map<R, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<R: Pointwise<N>, const N: usize> Map<R, N> {
    /// The gradients as a formula over `dy`, the inputs, and the result.
    pub(crate) fn trace_grad(&self) -> ExprGraph {
        trace_grad(&self.0)
    }

    /// The rule as a formula over its inputs.
    pub fn trace_value(&self) -> ExprGraph {
        trace_value(&self.0)
    }
}

/// The gradients of a rule as a formula over `dy`, the result, and the inputs.
pub(crate) fn trace_grad<R: Pointwise<N>, const N: usize>(rule: &R) -> ExprGraph {
    // trace() wants the number of inputs as a constant; rules take at most four.
    trace(|[dy, y, a, b, c, d]: [Expr; 6]| {
        let all = [a, b, c, d];
        let grads = rule.grad(dy, std::array::from_fn(|i| all[i]), y);
        std::array::from_fn::<Expr, 4, _>(|i| grads.get(i).copied().unwrap_or(Expr::ZERO))
    })
}

/// A rule as a formula over its inputs.
pub(crate) fn trace_value<R: Pointwise<N>, const N: usize>(rule: &R) -> ExprGraph {
    trace(|[a, b, c, d]: [Expr; 4]| {
        let all = [a, b, c, d];
        [rule.value(std::array::from_fn(|i| all[i]))]
    })
}

/// The dtype in which a rule of this kind is computed.
#[inline]
pub(crate) fn compute(kind: Kind, x: impl Iterator<Item = (DType, usize)>) -> DType {
    let dtype = promote(x.skip(usize::from(kind == Kind::Choose)));
    if kind == Kind::Float {
        dtype.or_default()
    } else {
        dtype
    }
}

/// Whether all inputs have one shape and one dtype, as they mostly do: then there is little to be found out.
#[inline]
pub(crate) fn alike(x: &[In<'_>]) -> bool {
    x[1..]
        .iter()
        .all(|other| other.dtype == x[0].dtype && other.shape == x[0].shape)
}

/// What a rule of this kind makes of its inputs' shapes and dtypes.
pub(crate) fn infer(name: &str, kind: Kind, x: &[In<'_>]) -> Result<Meta> {
    if alike(x) {
        let dtype = match kind {
            Kind::Arithmetic => Some(x[0].dtype),
            Kind::Float => Some(x[0].dtype).filter(|d| d.is_float()),
            Kind::Compare => Some(DType::Bool),
            _ => None,
        };
        if let Some(dtype) = dtype {
            return Ok(Meta {
                dtype,
                ..x[0].with_shape(x[0].shape)
            });
        }
    }
    let shape = broadcast(x)?;
    if kind == Kind::Choose && x[0].dtype != DType::Bool {
        let message = format!("the condition must be bool, and is {}", x[0].dtype);
        return Err(Error::new(ErrorKind::DType, name, message)
            .help("compare, as in `x.gt(0.0)`, to get a condition"));
    }
    if kind == Kind::Numeric && x.iter().all(|x| x.dtype == DType::Bool) {
        let error = Error::new(ErrorKind::DType, name, "has no meaning for bool tensors");
        return Err(error.help("`logical_not` inverts a mask; `.to(DType::I64)` makes numbers of it"));
    }
    if kind == Kind::Integral
        && let Some(x) = x.iter().find(|x| x.dtype.is_differentiable())
    {
        let message = format!("takes integers and bool, and got {}", x.dtype);
        return Err(Error::new(ErrorKind::DType, name, message));
    }
    let dtype = match kind {
        Kind::Compare => DType::Bool,
        _ => compute(kind, x.iter().map(|x| (x.dtype, x.shape.rank()))),
    };
    Ok(Meta {
        shape,
        dtype,
        device: x[0].device,
    })
}

/// The dtype of a combination (PyTorch's rule): a 0-d tensor counts only where it is of a higher kind than all
/// others, so that a scalar does not change the precision of what it is combined with.
#[inline]
pub(crate) fn promote(x: impl Iterator<Item = (DType, usize)>) -> DType {
    let kind = |d: DType| match d {
        DType::Bool => 0,
        d if d.is_integer() => 1,
        d => 2 + u8::from(d.is_complex()),
    };
    let (mut arrays, mut scalars) = (None::<DType>, None::<DType>);
    for (dtype, rank) in x {
        let group = if rank > 0 { &mut arrays } else { &mut scalars };
        match group {
            Some(d) if *d == dtype => {}
            Some(d) => *d = d.promote(dtype),
            None => *group = Some(dtype),
        }
    }
    match (arrays, scalars) {
        (Some(a), Some(s)) if kind(s) > kind(a) => a.promote(s),
        (Some(a), _) => a,
        (None, s) => s.unwrap_or_else(get_default_dtype),
    }
}

/// The shape that all inputs broadcast to.
#[inline(always)]
pub(crate) fn broadcast(x: &[In<'_>]) -> Result<Shape> {
    let first = x[0].shape;
    let mut shape = first.clone();
    // Mostly all are equal.
    if x[1..].iter().all(|x| x.shape == first) {
        return Ok(shape);
    }
    for other in &x[1..] {
        shape = match shape.broadcast(other.shape) {
            Some(s) => s,
            None => return Err(unbroadcastable(x)),
        };
    }
    Ok(shape)
}

#[cold]
fn unbroadcastable(x: &[In<'_>]) -> Error {
    let shapes: Vec<String> = x.iter().map(|x| x.shape.to_string()).collect();
    let message = format!("cannot broadcast {} together", shapes.join(" and "));
    let rank = x.iter().map(|x| x.shape.rank()).max().unwrap_or(0);
    let mut error = Error::new(ErrorKind::Shape, "", message);
    for back in 1..=rank {
        let sizes = x
            .iter()
            .filter_map(|x| x.shape.rank().checked_sub(back).map(|d| x.shape[d]));
        let mut big: Vec<usize> = sizes.filter(|n| *n != 1).collect();
        big.dedup();
        if big.len() > 1 {
            let at = if back == 1 {
                "last".to_string()
            } else {
                format!("{}", -(back as isize))
            };
            error = error.note(format!(
                "in dimension {at}, {} and {} differ, and neither is 1",
                big[0], big[1]
            ));
            break;
        }
    }
    error
}

struct ValueBody<'a, R>(&'a R);

impl<R: Pointwise<N>, const N: usize> Body<N, 0, 1> for ValueBody<'_, R> {
    const INTEGERS: bool = !matches!(R::KIND, Kind::Float);
    #[inline(always)]
    fn eval<S: Real>(&self, x: [S; N], []: [S; 0]) -> [S; 1] {
        [self.0.value(x)]
    }
    fn cost(&self) -> usize {
        R::COST
    }
}

/// All gradients in one loop.
struct GradBody<'a, R>(&'a R);

impl<R: Pointwise<N>, const N: usize> Body<N, 2, N> for GradBody<'_, R> {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, x: [S; N], [dy, y]: [S; 2]) -> [S; N] {
        self.0.grad(dy, x, y)
    }
    fn cost(&self) -> usize {
        R::COST
    }
}

/// The gradient of input `K` alone.
struct OneGradBody<'a, R, const K: usize>(&'a R);

impl<R: Pointwise<N>, const N: usize, const K: usize> Body<N, 2, 1> for OneGradBody<'_, R, K> {
    const INTEGERS: bool = false;
    #[inline(always)]
    fn eval<S: Real>(&self, x: [S; N], [dy, y]: [S; 2]) -> [S; 1] {
        [self.0.grad(dy, x, y)[K]]
    }
    fn cost(&self) -> usize {
        R::COST
    }
}

impl<R: Pointwise<N>, const N: usize> Op for Map<R, N> {
    type Inputs = Fixed<N>;
    const NAME: &'static str = R::NAME;
    const SAVES: &'static [Saves] = R::SAVES;
    const PRECISION: Precision = R::PRECISION;

    fn infer(&self, x: [In<'_>; N]) -> Result<Meta> {
        infer(R::NAME, R::KIND, &x)
    }

    fn forward(&self, x: [Array; N], y: &Meta, _: &mut Extra) -> Array {
        let compute = compute(R::KIND, x.iter().map(|x| (x.dtype(), x.rank())));
        let [y] = kernels::map(&ValueBody(&self.0), compute, x.map(Some), [], &y.shape, [y.dtype]);
        y
    }

    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; N] {
        let saves = (0..N).filter(|i| cx.wants(*i)).map(|i| Saves::of(R::SAVES, i));
        let saves = saves.fold(Saves::NOTHING, Saves::and);
        if is_recording() {
            let x: Vec<Option<Tensor>> = (0..N).map(|i| saves.has_x(i).then(|| cx.x(i))).collect();
            let y = saves.has_y().then(|| cx.y());
            let wants: Vec<bool> = (0..N).map(|i| cx.wants(i)).collect();
            let mut inputs = vec![Some(dy), y];
            inputs.extend(x);
            let mut grads = evaluate(&self.trace_grad(), &inputs, &wants).into_iter();
            return std::array::from_fn(|_| grads.next().flatten());
        }
        let x: [Option<Array>; N] = std::array::from_fn(|i| saves.has_x(i).then(|| cx.x_array(i)));
        let (dtype, shape) = (dy.dtype(), cx.output().shape.clone());
        let more = [Some(dy.into_array()), saves.has_y().then(|| cx.y_array())];
        if const { N > 1 } && (0..N).all(|i| cx.wants(i)) {
            let grads = kernels::map(&GradBody(&self.0), dtype, x, more, &shape, [dtype; N]);
            return grads.map(|g| Some(Tensor::constant(g)));
        }
        // The last gradient gets the arrays themselves and may take over their memory.
        let last = (0..N).rev().find(|i| cx.wants(*i));
        let mut held = Some((x, more));
        std::array::from_fn(|i| {
            cx.grad(i, || {
                let given = if Some(i) == last {
                    held.take()
                } else {
                    held.clone()
                };
                let (r, (x, more)) = (&self.0, given.expect("the last one takes them"));
                // The comparisons of constants keep kernels that a rule cannot have from being compiled.
                let [g] = match i {
                    0 => kernels::map(&OneGradBody::<R, 0>(r), dtype, x, more, &shape, [dtype]),
                    1 if const { N > 1 } => {
                        kernels::map(&OneGradBody::<R, 1>(r), dtype, x, more, &shape, [dtype])
                    }
                    2 if const { N > 2 } => {
                        kernels::map(&OneGradBody::<R, 2>(r), dtype, x, more, &shape, [dtype])
                    }
                    3 if const { N > 3 } => {
                        kernels::map(&OneGradBody::<R, 3>(r), dtype, x, more, &shape, [dtype])
                    }
                    _ => unreachable!("rules take one to four numbers"),
                };
                Tensor::constant(g)
            })
        })
    }

    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, x: [Tensor; N]| match op.0.whole(&x) {
            Some(y) => Some(y),
            None => pair::apply(R::KIND, x, |z| op.0.complex(z)),
        })
    }

    fn reads(&self, i: usize) -> Option<Saves> {
        // The traced rule takes dy, y, and then the inputs.
        let read = self.trace_grad().inputs_of(i);
        let inputs = (0..N)
            .filter(|k| read[2 + k])
            .fold(Saves::NOTHING, |s, k| s.and(Saves::x(k)));
        Some(if read[1] { inputs.and(Saves::Y) } else { inputs })
    }

    /// The rule's samples; the first of them also 0-d and empty; each with the result that the rule gives one
    /// element at a time in f64.
    fn samples() -> Vec<Sample<Self>> {
        with_edges(R::samples(), |rule, x| rule.0.value(x))
    }
}

/// The first sample also 0-d and empty, and to each the result that `at` gives one element at a time.
pub(crate) fn with_edges<O: Op<Inputs = Fixed<N>> + Clone, const N: usize>(
    mut samples: Vec<Sample<O>>,
    at: impl Fn(&O, [f64; N]) -> f64,
) -> Vec<Sample<O>> {
    if let Some(first) = samples.first() {
        let flat = |x: &Array| x.reshape([x.numel()]);
        let scalar = first
            .inputs
            .each_ref()
            .map(|x| flat(x).slice(0, 0, 1, 1).squeeze(0));
        let empty = first.inputs.each_ref().map(|x| flat(x).slice(0, 0, 0, 1));
        let op = first.op.clone();
        samples.push(Sample::new(op.clone(), scalar));
        samples.push(Sample::new(op, empty));
    }
    for s in samples.iter_mut().filter(|s| s.expected.is_none()) {
        let shape = broadcast(&s.inputs.each_ref().map(In::from)).expect("samples fit each other");
        let x = s
            .inputs
            .each_ref()
            .map(|x| x.broadcast_to(&shape).to_vec::<f64>());
        let at = |k: usize| at(&s.op, x.each_ref().map(|x| x[k]));
        s.expected = Some((0..shape.numel()).map(at).collect());
    }
    samples
}

impl Tensor {
    /// `rule` at every element: your own operation, fused into one kernel and differentiated. See [`Pointwise`].
    #[track_caller]
    pub fn map<R: Pointwise<1>>(&self, rule: R) -> Tensor {
        Map(rule).apply([self])
    }

    /// `rule` at every pair of elements. See [`Pointwise`].
    #[track_caller]
    pub fn map2<R: Pointwise<2>>(&self, other: &Tensor, rule: R) -> Tensor {
        Map(rule).apply([self, other])
    }
}
