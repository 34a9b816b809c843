//! Spread, norms, and other summaries over dimensions.

use super::pointwise::{Kind, Map, Pointwise};
use super::reduce::{Dims, Over, over};
use super::rule::{Rule, contract_rules, is_finite, positive, rules};
use super::shape::block;
use super::{axis, checked_axis, contract, ok};
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use wengert_array::kernels::{self, Reduce};
use wengert_array::real::{Expr, Real, trace};
use wengert_array::{Array, DType, Error, ErrorKind, Meta, Result, Shape};

/// A formula at every element, computed in `dtype`.
fn each<const N: usize>(x: [&Array; N], shape: &Shape, dtype: DType, f: impl Fn([Expr; N]) -> Expr) -> Array {
    // Room for four, as the rules of operations have: one interpreter serves both.
    let mut x = x.into_iter().cloned();
    let x: [Option<Array>; 4] = std::array::from_fn(|_| x.next());
    let rule = trace(|x: [Expr; N]| [f(x)]);
    let [y] = kernels::interpret(&rule, [0], dtype, x, shape, [dtype]);
    y
}

/// Half precision is reduced in f32, and rounded once.
fn wide(x: &Array) -> Meta {
    Meta::new([], x.dtype().compute())
}

fn need_float(op: &str, dtype: DType) -> Result<()> {
    if dtype.is_differentiable() {
        return Ok(());
    }
    let message = format!("needs floating-point numbers, and got {dtype}");
    Err(Error::new(ErrorKind::DType, op, message).help("convert first: `.to(DType::F32)`"))
}

/// y = Σ (x − mean)² / (n − correction) over dimensions of n elements; dx = 2 dy (x − mean) / (n − correction).
///
/// With n no larger than the correction it is NaN, or ∞ where the numbers are spread, and so is the gradient.
#[derive(Clone, Debug)]
pub struct Var {
    /// Over which dimensions.
    pub over: Over,
    /// By how much the divisor is less than the count.
    pub correction: f64,
}

impl Var {
    fn divisor(&self, x: &Shape) -> f64 {
        (self.over.count(x) as f64 - self.correction).max(0.0)
    }
}

impl Op for Var {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "var";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        need_float("var", x.dtype)?;
        self.over.infer("var", x, x.dtype)
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let (axes, dtype) = (self.over.axes(x.rank()), wide(&x).dtype);
        let (n, divisor) = (self.over.count(x.shape()) as f64, self.divisor(x.shape()));
        let sum = kernels::reduce(&x, &axes, Reduce::Sum, dtype);
        let mean = each([&sum], sum.shape(), dtype, |[s]| s / Expr::lit(n));
        let squares = each([&x, &mean], x.shape(), dtype, |[x, m]| (x - m) * (x - m));
        let total = kernels::reduce(&squares, &axes, Reduce::Sum, dtype);
        each([&total], total.shape(), dtype, |[t]| t / Expr::lit(divisor))
            .cast(y.dtype)
            .reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let x = cx.x(0);
        let apart = &x - x.mean_dim(self.over.dims.clone(), true);
        let scale = 2.0 / self.divisor(&x.shape());
        [Some(self.over.put_back(&dy, cx.meta(0)) * scale * apart)]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, [x]: [Tensor; 1]| {
            Some(op.clone().apply([&x.real()]) + op.clone().apply([&x.imag()]))
        })
    }
    fn samples() -> Vec<Sample<Self>> {
        let var = |over, correction| Var { over, correction };
        vec![
            Sample::new(
                var(over((), false), 1.0),
                [Array::from_slice(&[1.0, 2.0, 3.0, 4.0], [4])],
            )
            .gives([5.0 / 3.0]),
            Sample::new(var(over([0, 2], true), 0.0), [block()]),
            Sample::new(var(over(-2, false), 1.5), [block()]),
        ]
    }
}

rules! {
    /// The root of a variance; dx = dy / 2y, and 0 where y is 0: what does not vary has no direction in which it would.
    root_of_variance RootOfVariance: Float on positive();
    |x| x.sqrt();
    |dy, _, y| {
        let none = y.eq(S::ZERO);
        S::select(none, S::ZERO, dy / (S::lit(2.0) * S::select(none, S::ONE, y)))
    };
}

/// y = the sum over dimensions of what is not NaN; dx = dy, repeated, and 0 where x is NaN.
#[derive(Clone, Debug)]
pub struct NanSum(pub Over);

impl Op for NanSum {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "nansum";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        self.0.infer("nansum", x, x.dtype)
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        self.0.reduce(&x, y, Reduce::Known)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let (x, dy) = (cx.x(0).detach(), self.0.put_back(&dy, cx.meta(0)));
        let zero = Tensor::full_as([], 0.0, dy.dtype());
        [Some(zero.where_(&x.isnan(), &dy.expand(x.shape())))]
    }
    fn samples() -> Vec<Sample<Self>> {
        let sum = |dims: Dims, keepdim| NanSum(over(dims, keepdim));
        vec![
            Sample::new(sum(().into(), false), [block()]).gives([6.625]),
            Sample::new(sum([0, 2].into(), true), [block()]).gives([-1.75, 10.0, -1.625]),
            Sample::new(sum((-2).into(), false), [block()]),
        ]
    }
}

/// y = (Σ |x|^p)^(1/p) over dimensions; for p = ∞ the largest |x|, −∞ the smallest, 0 the count of what is not 0.
///
/// dx = dy sign x (|x|/y)^(p−1); of p = ±∞ it is shared by equals; it is 0 where y is.
#[derive(Clone, Debug)]
pub struct Norm {
    /// Over which dimensions.
    pub over: Over,
    /// The order.
    pub p: f64,
}

impl Op for Norm {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "norm";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y)];
    fn saves(&self, _: usize) -> Saves {
        match self.p {
            0.0 => Saves::NOTHING,
            1.0 => Saves::x(0),
            _ => Saves::x(0).and(Saves::Y),
        }
    }
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        need_float("norm", x.dtype)?;
        let y = self.over.infer("norm", x, x.dtype)?;
        if y.shape.numel() > 0 && self.over.count(x.shape) == 0 && (self.p < 0.0 || self.p == f64::INFINITY) {
            let message = format!("of no numbers has no order {}", self.p);
            return Err(Error::new(ErrorKind::Value, "norm", message)
                .note(format!("the input has shape {}", x.shape)));
        }
        Ok(y)
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let (axes, dtype, p) = (self.over.axes(x.rank()), wide(&x).dtype, self.p);
        let how = match p {
            f64::INFINITY => Reduce::Max,
            f64::NEG_INFINITY => Reduce::Min,
            2.0 => Reduce::Squares,
            _ => Reduce::Sum,
        };
        let terms = || {
            each([&x], x.shape(), dtype, |[x]| match p {
                0.0 => Expr::select(x.ne(Expr::ZERO), Expr::ONE, Expr::ZERO),
                p if p == 1.0 || p.is_infinite() => x.abs(),
                p => x.abs().pow(Expr::lit(p)),
            })
        };
        let terms = if p == 2.0 { x } else { terms() };
        let total = kernels::reduce(&terms, &axes, how, dtype);
        let norm = match p {
            2.0 => each([&total], total.shape(), dtype, |[t]| t.sqrt()),
            p if p == 0.0 || p == 1.0 || p.is_infinite() => total,
            p => each([&total], total.shape(), dtype, |[t]| t.pow(Expr::lit(1.0 / p))),
        };
        norm.cast(y.dtype).reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let (meta, p) = (cx.meta(0), self.p);
        if p == 0.0 {
            return [Some(Tensor::full_as(&meta.shape, 0.0, meta.dtype))];
        }
        let (x, dy) = (cx.x(0), self.over.put_back(&dy, meta));
        if p == 1.0 {
            return [Some(x.sign() * dy)];
        }
        let y = self.over.put_back(&cx.y(), meta);
        if p.is_infinite() {
            let hit = x.abs().eq(&y).logical_or(&x.isnan().logical_and(&y.isnan()));
            let hit = hit.to(dy.dtype());
            let hits = hit.sum_dim(self.over.dims.clone(), true);
            return [Some(x.sign() * hit * (dy / hits))];
        }
        // What is not chosen stays finite, so that gradients of this gradient do, too.
        let zero = Tensor::full_as([], 0.0, x.dtype());
        let one = Tensor::full_as([], 1.0, x.dtype());
        let (no_norm, no_x) = (y.eq(0.0), x.eq(0.0));
        let safe_y = one.where_(&no_norm, &y);
        let dx = if p == 2.0 {
            x * zero.where_(&no_norm, &(dy / safe_y))
        } else if p < 2.0 {
            let size = one.where_(&no_x, &x.abs());
            let part = zero.where_(&no_x, &(x.sign() * size.powf(p - 1.0)));
            part * zero.where_(&no_norm, &(dy * safe_y.powf(1.0 - p)))
        } else {
            let part = &x * x.abs().powf(p - 2.0);
            part * zero.where_(&no_norm, &(dy * safe_y.powf(1.0 - p)))
        };
        [Some(dx)]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, [x]: [Tensor; 1]| Some(op.clone().apply([&x.abs()])))
    }
    fn samples() -> Vec<Sample<Self>> {
        let norm = |over, p| Norm { over, p };
        let mut samples = vec![
            Sample::new(norm(over((), false), 2.0), [Array::from_slice(&[3.0, -4.0], [2])]).gives([5.0]),
            Sample::new(
                norm(over((), false), 0.0),
                [Array::from_slice(&[3.0, 0.5, -4.0], [3])],
            )
            .gives([3.0]),
            Sample::new(
                norm(over(0, false), f64::NEG_INFINITY),
                [Array::from_slice(&[3.0, -4.0], [2])],
            )
            .gives([3.0]),
        ];
        for p in [1.0, 2.0, 0.5, 1.5, 3.0, -2.0, f64::INFINITY] {
            samples.push(Sample::new(norm(over([0, 2], true), p), [block()]));
        }
        samples
    }
}

/// y = ln Σ e^x over dimensions; dx = dy e^(x − y). Nothing but −∞ gives −∞, with gradient 0 (where PyTorch has NaN).
#[derive(Clone, Debug)]
pub struct LogSumExp(pub Over);

impl Op for LogSumExp {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "logsumexp";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y)];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        self.0.infer("logsumexp", x, x.dtype.or_default())
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let x = x.cast(y.dtype);
        let (axes, dtype) = (self.0.axes(x.rank()), wide(&x).dtype);
        // The largest, by which all are shifted, unless it is infinite.
        let top = kernels::reduce(&x, &axes, Reduce::Max, dtype);
        let top = each([&top], top.shape(), dtype, |[t]| {
            Expr::select(is_finite(t), t, Expr::select(t.ne(t), t, Expr::ZERO))
        });
        let terms = each([&x, &top], x.shape(), dtype, |[x, t]| (x - t).exp());
        let total = kernels::reduce(&terms, &axes, Reduce::Sum, dtype);
        each([&total, &top], top.shape(), dtype, |[s, t]| s.ln() + t)
            .cast(y.dtype)
            .reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let (meta, y) = (cx.meta(0), cx.y());
        let zero = Tensor::full_as([], 0.0, y.dtype());
        let y = zero.where_(&y.eq(f64::NEG_INFINITY), &y);
        let weight = (cx.x(0) - self.0.put_back(&y, meta)).exp();
        [Some(self.0.put_back(&dy, meta) * weight)]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, [x]: [Tensor; 1]| {
            if x.numel() == 0 {
                return None;
            }
            // The largest size, by which all are shifted, unless it is infinite.
            let dims = op.0.dims.clone();
            let top = x.detach().real().amax(dims.clone(), true);
            let top = top.where_(&top.isfinite(), &top.zeros_like());
            let sum = (x - &top).exp().sum_dim(dims, op.0.keepdim).ln();
            Some(&sum + top.reshape(sum.shape()))
        })
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(
                LogSumExp(over((), false)),
                [Array::from_slice(&[0.0, 3f64.ln()], [2])],
            )
            .gives([4f64.ln()]),
            Sample::new(LogSumExp(over([0, 2], true)), [block()]),
            Sample::new(LogSumExp(over(1, false)), [block()]),
            Sample::new(LogSumExp(over((), false)), [Array::full([0], 0.0, DType::F64)])
                .gives([f64::NEG_INFINITY]),
        ]
    }
}

/// The index of the median along a dimension: of an even count the lower of the two in the middle. No gradient.
#[derive(Clone, Debug)]
pub struct MedianIndex {
    /// Along which dimension; it stays, with size one.
    pub dim: isize,
    /// Whether NaN is passed over rather than being the median.
    pub skip_nan: bool,
}

impl Op for MedianIndex {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "median";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn name(&self) -> &'static str {
        if self.skip_nan { "nanmedian" } else { "median" }
    }
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let d = axis(self.name(), self.dim, x.shape.rank())?;
        if x.shape[d] == 0 {
            let message = format!(
                "there is no median among no numbers: the input has shape {}",
                x.shape
            );
            return Err(Error::new(ErrorKind::Index, self.name(), message));
        }
        Ok(Meta {
            shape: x.shape.with(d, 1),
            dtype: DType::I64,
            device: x.device,
        })
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let d = checked_axis(self.dim, x.rank());
        kernels::median_index(&x, d, self.skip_nan)
    }
    fn backward(&self, _: &Ctx<'_, Self>, _: Tensor) -> [Option<Tensor>; 1] {
        [None]
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = || Array::from_slice(&[1.0, 4.0, 2.0, 3.0, f64::NAN, 5.0], [2, 3]);
        let median = |skip_nan| MedianIndex { dim: 1, skip_nan };
        vec![
            Sample::new(median(false), [x()]).gives([2.0, 1.0]),
            Sample::new(median(true), [x()]).gives([2.0, 0.0]),
        ]
    }
}

/// Spread. The correction is what is taken off the count of elements: 1 for an estimate from samples.
impl Tensor {
    /// The variance of all elements, with correction 1.
    #[track_caller]
    pub fn var(&self) -> Tensor {
        self.var_dim((), 1.0, false)
    }

    /// The variances over dimensions, which stay with size one if `keepdim`.
    #[track_caller]
    pub fn var_dim(&self, dims: impl Into<Dims>, correction: f64, keepdim: bool) -> Tensor {
        let over = over(dims, keepdim);
        Var { over, correction }.apply([self])
    }

    /// The standard deviation of all elements, with correction 1. Its gradient is 0 where it is 0.
    #[track_caller]
    pub fn std(&self) -> Tensor {
        self.var().root_of_variance()
    }

    /// The standard deviations over dimensions, which stay with size one if `keepdim`.
    #[track_caller]
    pub fn std_dim(&self, dims: impl Into<Dims>, correction: f64, keepdim: bool) -> Tensor {
        self.var_dim(dims, correction, keepdim).root_of_variance()
    }

    /// Variances and means.
    #[track_caller]
    pub fn var_mean(&self, dims: impl Into<Dims>, correction: f64, keepdim: bool) -> (Tensor, Tensor) {
        let dims = dims.into();
        (
            self.var_dim(dims.clone(), correction, keepdim),
            self.mean_dim(dims, keepdim),
        )
    }

    /// Standard deviations and means.
    #[track_caller]
    pub fn std_mean(&self, dims: impl Into<Dims>, correction: f64, keepdim: bool) -> (Tensor, Tensor) {
        let dims = dims.into();
        (
            self.std_dim(dims.clone(), correction, keepdim),
            self.mean_dim(dims, keepdim),
        )
    }
}

/// Norms and sums.
impl Tensor {
    /// The norm of order `p` of all elements as one vector: 2 is Euclid's.
    #[track_caller]
    pub fn norm(&self, p: f64) -> Tensor {
        self.norm_dim(p, (), false)
    }

    /// The norms of order `p` over dimensions, which stay with size one if `keepdim`.
    #[track_caller]
    pub fn norm_dim(&self, p: f64, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        let over = over(dims, keepdim);
        Norm { over, p }.apply([self])
    }

    /// The norm of order `p` of the difference.
    #[track_caller]
    pub fn dist(&self, other: &Tensor, p: f64) -> Tensor {
        (self - other).norm(p)
    }

    /// Each part along `dim` scaled down where its norm of order `p` exceeds `most`.
    #[track_caller]
    pub fn renorm(&self, p: f64, dim: isize, most: f64) -> Tensor {
        let d = ok(axis("renorm", dim, self.dim()));
        let others: Vec<isize> = (0..self.dim()).filter(|k| *k != d).map(|k| k as isize).collect();
        let norm = |x: &Tensor| match others.is_empty() {
            true => x.abs(),
            false => x.norm_dim(p, others.clone(), true),
        };
        let long = norm(&self.detach()).gt(most);
        // What is not too long must not reach the quotient, which may be of NaN there.
        let [zero, one] = [0.0, 1.0].map(|c| Tensor::full_as([], c, self.dtype()));
        let scale = most / (norm(&self.where_(&long, &zero)) + 1e-7);
        self * scale.where_(&long, &one)
    }

    /// `ln Σ e^x` over dimensions, which stay with size one if `keepdim`; without overflow.
    #[track_caller]
    pub fn logsumexp(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        LogSumExp(over(dims, keepdim)).apply([self])
    }

    /// The sums over dimensions of what is not NaN.
    #[track_caller]
    pub fn nansum(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        match self.dtype().is_float() {
            true => NanSum(over(dims, keepdim)).apply([self]),
            false => self.sum_dim(dims, keepdim),
        }
    }

    /// The means over dimensions of what is not NaN.
    #[track_caller]
    pub fn nanmean(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        let dims = dims.into();
        let counts = self.detach().isnan().logical_not().sum_dim(dims.clone(), keepdim);
        self.nansum(dims, keepdim) / counts
    }

    /// How many elements over dimensions are not zero.
    #[track_caller]
    pub fn count_nonzero(&self, dims: impl Into<Dims>) -> Tensor {
        self.ne(0.0).sum_dim(dims, false)
    }

    /// Whether all elements over dimensions are not zero, as bool.
    #[track_caller]
    pub fn all_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        self.eq(0.0).sum_dim(dims, keepdim).eq(0.0)
    }

    /// Whether any element over dimensions is not zero, as bool.
    #[track_caller]
    pub fn any_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        self.ne(0.0).sum_dim(dims, keepdim).ne(0.0)
    }

    /// The smallest and the largest elements over dimensions.
    #[track_caller]
    pub fn aminmax(&self, dims: impl Into<Dims>, keepdim: bool) -> (Tensor, Tensor) {
        let dims = dims.into();
        (self.amin(dims.clone(), keepdim), self.amax(dims, keepdim))
    }
}

/// Medians: of an even count the lower of the two in the middle. The gradient goes to the element that is it; of the median of
/// all elements equals share it.
impl Tensor {
    /// The median of all elements.
    #[track_caller]
    pub fn median(&self) -> Tensor {
        self.middle_of_all(false)
    }

    /// The medians along `dim` and their indices.
    #[track_caller]
    pub fn median_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.middle(dim, keepdim, false)
    }

    /// The median of the elements that are not NaN.
    #[track_caller]
    pub fn nanmedian(&self) -> Tensor {
        self.middle_of_all(true)
    }

    /// The medians along `dim` of what is not NaN, and their indices.
    #[track_caller]
    pub fn nanmedian_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.middle(dim, keepdim, true)
    }

    #[track_caller]
    fn middle_of_all(&self, skip_nan: bool) -> Tensor {
        if self.numel() == 0 && self.dtype().is_float() {
            return Tensor::full_as([], f64::NAN, self.dtype());
        }
        let x = self.reshape([self.numel()]);
        let middle = x.middle(0, false, skip_nan).0;
        if !middle.requires_grad() || !middle.item().is_finite() {
            return middle;
        }
        // As in PyTorch, equals share the gradient: their mean, without what rounding would do to it.
        let middle = middle.detach();
        let [zero, equal] = [middle.zeros_like(), x.detach().eq(&middle)];
        let count = equal.to(self.dtype()).sum();
        &middle + (&x - &middle).where_(&equal, &zero).sum() / count
    }

    #[track_caller]
    fn middle(&self, dim: isize, keepdim: bool, skip_nan: bool) -> (Tensor, Tensor) {
        if self.dim() == 0 {
            let (value, index) = self.reshape([1]).middle(0, false, skip_nan);
            return (value, index);
        }
        let index = MedianIndex { dim, skip_nan }.apply([self]);
        self.picked(index, dim, keepdim)
    }
}

contract! {
    var: Var,
    nansum: NanSum,
    norm: Norm,
    logsumexp: LogSumExp,
    median: MedianIndex,
}

contract_rules! { root_of_variance: RootOfVariance, 1 }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_what_is_known() {
        let x = Tensor::new([[1.0, f64::NAN, 2.0], [f64::NAN, f64::NAN, f64::INFINITY]]).requires_grad_(true);
        assert_eq!(x.nansum(1, false).to_vec::<f32>(), [3.0, f32::INFINITY]);
        assert_eq!(x.nansum(0, false).to_vec::<f32>(), [1.0, 0.0, f32::INFINITY]);
        (x.nansum(1, true) * Tensor::new([[2.0], [3.0]])).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [2., 0., 2., 0., 0., 3.]);
        assert_eq!(Tensor::new([1, 2]).nansum((), false).item(), 3.0);
    }
}
