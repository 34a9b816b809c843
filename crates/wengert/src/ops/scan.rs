//! Running totals along a dimension, and products, whose gradients are made of them.

use super::scatter::scattered;
use super::shape::block;
use super::{axis, cat, contract, ok};
use crate::autograd::{Ctx, Precision, is_recording};
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use std::sync::{Arc, OnceLock};
use wengert_array::kernels::{self, Reduce, Scan};
use wengert_array::{Array, DType, Meta, Result};

/// The dimension a scan runs along; that of a 0-d tensor is its only element.
fn along(op: &str, dim: isize, rank: usize) -> Result<usize> {
    axis(op, dim, rank.max(1))
}

fn checked(dim: isize, rank: usize) -> usize {
    along("", dim, rank).expect("infer has checked it")
}

fn as_row(x: &Array) -> Array {
    if x.rank() == 0 { x.unsqueeze(0) } else { x.clone() }
}

fn infer_scan(op: &str, dim: isize, x: In<'_>, dtype: DType) -> Result<Meta> {
    along(op, dim, x.shape.rank())?;
    Ok(Meta {
        shape: x.shape.clone(),
        dtype,
        device: x.device,
    })
}

/// Totals of integers are counted in i64, as in PyTorch.
fn total(dtype: DType) -> DType {
    if dtype.is_differentiable() {
        dtype
    } else {
        DType::I64
    }
}

/// As [`block`], with zeros of which a row has none, one and two.
fn zeros() -> Array {
    Array::from_slice(
        &[0.5, -1.5, 2.0, 0.0, -0.25, 1.5, 0.0, 1.25, 0.0, 3.0, 1.0, 0.5],
        [4, 3],
    )
}

/// y_i = Σ x_j over j ≤ i (or ≥ i, if reversed); dx is the scan of dy the other way.
#[derive(Clone, Debug)]
pub struct CumSum {
    /// Along which dimension.
    pub dim: isize,
    /// From the end.
    pub reverse: bool,
}

impl Op for CumSum {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "cumsum";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        infer_scan("cumsum", self.dim, x, total(x.dtype))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let d = checked(self.dim, x.rank());
        kernels::scan(&as_row(&x), d, Scan::Sum, self.reverse, y.dtype).reshape(&y.shape)
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let back = CumSum {
            dim: self.dim,
            reverse: !self.reverse,
        };
        [Some(back.apply_owned([dy]))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Parts(1)
    }
    fn samples() -> Vec<Sample<Self>> {
        let cumsum = |dim, reverse| CumSum { dim, reverse };
        vec![
            Sample::new(cumsum(0, false), [Array::from_slice(&[1.0, 2.0, 3.0], [3])]).gives([1.0, 3.0, 6.0]),
            Sample::new(cumsum(1, false), [block()]),
            Sample::new(cumsum(-1, true), [block()]),
            Sample::new(cumsum(0, false), [Array::scalar(2.0)]).gives([2.0]),
            Sample::new(cumsum(0, false), [Array::full([0, 2], 0.0, DType::F64)]).gives([]),
        ]
    }
}

/// y_i = Π x_j over j ≤ i; dx_k = Σ dy_i y_i / x_k over i ≥ k, and where there are zeros the same without dividing.
#[derive(Clone, Debug)]
pub struct CumProd(pub isize);

impl Op for CumProd {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "cumprod";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y)];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        infer_scan("cumprod", self.0, x, total(x.dtype))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let d = checked(self.0, x.rank());
        kernels::scan(&as_row(&x), d, Scan::Prod, false, y.dtype).reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let (x, y) = (cx.x(0), cx.y());
        let dx = if x.dim() == 0 {
            dy
        } else if x.eq(0.0).any() {
            cumprod_gradient(&x, &dy, self.0)
        } else {
            (dy * y).cumsum_reverse(self.0) / x
        };
        [Some(dx)]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, [x]: [Tensor; 1]| {
            Some(if x.dim() == 0 { x } else { running_product(x, op.0) })
        })
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(CumProd(0), [Array::from_slice(&[1.0, 2.0, 3.0], [3])]).gives([1.0, 2.0, 6.0]),
            Sample::new(CumProd(1), [block()]),
            Sample::new(CumProd(0), [zeros()]),
            Sample::new(CumProd(-1), [zeros()]),
            Sample::new(CumProd(0), [Array::scalar(0.0)]).gives([0.0]),
            Sample::new(CumProd(1), [Array::full([2, 0], 0.0, DType::F64)]).gives([]),
        ]
    }
}

/// The gradient of a running product by halves, with nothing divided: the second half's products all have that of the
/// first as a factor.
fn cumprod_gradient(x: &Tensor, dy: &Tensor, dim: isize) -> Tensor {
    let n = x.size(dim);
    if n == 1 {
        return dy.clone();
    }
    let half = n / 2;
    let [(x1, dy1), (x2, dy2)] = [(0, half), (half, n - half)]
        .map(|(start, len)| (x.narrow(dim, start, len), dy.narrow(dim, start, len)));
    let before = x1.prod_dim(dim, true);
    let from_second = (&dy2 * x2.cumprod(dim)).sum_dim(dim, true);
    let dx1 = cumprod_gradient(&x1, &dy1, dim) + from_second * others(&x1, dim);
    let dx2 = cumprod_gradient(&x2, &(dy2 * before), dim);
    cat(&[&dx1, &dx2], dim)
}

/// The product along `dim`, which stays: of the halves, for numbers that have no kernel for it.
fn product(x: &Tensor, dim: isize) -> Tensor {
    match x.size(dim) {
        0 => x.sum_dim(dim, true) + 1.0,
        1 => x.clone(),
        n => {
            let (a, b) = (x.narrow(dim, 0, n / 2), x.narrow(dim, n / 2, n - n / 2));
            product(&a, dim) * product(&b, dim)
        }
    }
}

/// Running products along `dim`, from those of 1, 2, 4, … elements.
fn running_product(mut x: Tensor, dim: isize) -> Tensor {
    let (n, mut step) = (x.size(dim), 1);
    while step < n {
        let later = x.narrow(dim, step, n - step) * x.narrow(dim, 0, n - step);
        x = cat(&[&x.narrow(dim, 0, step), &later], dim);
        step *= 2;
    }
    x
}

/// For each element the product of all others along `dim`, with nothing divided.
fn others(x: &Tensor, dim: isize) -> Tensor {
    let n = x.size(dim);
    if n <= 1 {
        return x.ones_like();
    }
    let half = n / 2;
    let (a, b) = (x.narrow(dim, 0, half), x.narrow(dim, half, n - half));
    let of_a = others(&a, dim) * b.prod_dim(dim, true);
    let of_b = others(&b, dim) * a.prod_dim(dim, true);
    cat(&[&of_a, &of_b], dim)
}

/// y = Π x along a dimension; dx = dy y / x, and where there are zeros dy times the product of all others.
#[derive(Clone, Debug)]
pub struct Prod {
    /// Along which dimension.
    pub dim: isize,
    /// Whether it stays, with size one.
    pub keepdim: bool,
}

impl Op for Prod {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "prod";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y)];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let d = along("prod", self.dim, x.shape.rank())?;
        let shape = match (x.shape.rank(), self.keepdim) {
            (0, _) => x.shape.clone(),
            (_, true) => x.shape.with(d, 1),
            (_, false) => x.shape.remove(d),
        };
        Ok(Meta {
            shape,
            dtype: total(x.dtype),
            device: x.device,
        })
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let d = checked(self.dim, x.rank());
        kernels::reduce(&as_row(&x), &[d], Reduce::Prod, y.dtype).reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let (x, y) = (cx.x(0), cx.y());
        if x.dim() == 0 {
            return [Some(dy)];
        }
        let back = |t: Tensor| if self.keepdim { t } else { t.unsqueeze(self.dim) };
        let dx = if x.eq(0.0).any() {
            back(dy) * others(&x, self.dim)
        } else {
            back(dy * y) / x
        };
        [Some(dx)]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, [x]: [Tensor; 1]| {
            let d = if x.dim() == 0 { return Some(x) } else { op.dim };
            let y = product(&x, d);
            Some(if op.keepdim { y } else { y.squeeze(d) })
        })
    }
    fn samples() -> Vec<Sample<Self>> {
        let prod = |dim, keepdim| Prod { dim, keepdim };
        vec![
            Sample::new(prod(0, false), [Array::from_slice(&[2.0, 3.0, -1.5], [3])]).gives([-9.0]),
            Sample::new(prod(1, true), [block()]),
            Sample::new(prod(-1, false), [zeros()]),
            Sample::new(prod(0, false), [zeros()]),
            Sample::new(prod(0, false), [Array::scalar(0.0)]).gives([0.0]),
            Sample::new(prod(0, false), [Array::full([0, 2], 0.0, DType::F64)]).gives([1.0, 1.0]),
        ]
    }
}

/// y_i = ln Σ e^(x_j) over j ≤ i; dx_j = Σ dy_i e^(x_j − y_i) over i ≥ j.
#[derive(Clone, Debug)]
pub struct LogCumSumExp(pub isize);

impl Op for LogCumSumExp {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "logcumsumexp";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y)];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        infer_scan("logcumsumexp", self.0, x, x.dtype.or_default())
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        let d = checked(self.0, x.rank());
        kernels::scan(&as_row(&x), d, Scan::LogSumExp, false, y.dtype).reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let (x, y) = (cx.x(0), cx.y());
        if x.dim() == 0 {
            return [Some(dy)];
        }
        if !is_recording() {
            let d = checked(self.0, x.dim());
            let dx = kernels::log_sum_exp_backward(&x.array(), &y.array(), &dy.array(), d, false);
            return [Some(Tensor::constant(dx))];
        }
        // All pairs at once: only a gradient of a gradient comes here.
        let n = x.size(self.0);
        let last = |t: &Tensor| t.transpose(self.0, -1);
        let later = Tensor::arange(0, n as i64)
            .unsqueeze(0)
            .ge(&Tensor::arange(0, n as i64).unsqueeze(1));
        let gap = last(&x).unsqueeze(-1) - last(&y).unsqueeze(-2);
        let gap = gap.where_(&later, &Tensor::full_as([], f64::NEG_INFINITY, x.dtype()));
        let dx = (gap.exp() * last(&dy).unsqueeze(-2)).sum_dim(-1, false);
        [Some(last(&dx))]
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(LogCumSumExp(0), [Array::from_slice(&[0.0, 0.0, 2f64.ln()], [3])]).gives([
                0.0,
                2f64.ln(),
                4f64.ln(),
            ]),
            Sample::new(LogCumSumExp(1), [block()]),
            Sample::new(LogCumSumExp(-1), [block()]),
            Sample::new(LogCumSumExp(0), [Array::scalar(2.0)]).gives([2.0]),
        ]
    }
}

/// For each element the largest (or smallest) up to it along a dimension, of equals the last; dx = dy added up at those.
#[derive(Clone, Debug)]
pub struct CumExtreme {
    /// Along which dimension.
    pub dim: isize,
    /// The largest rather than the smallest.
    pub largest: bool,
    /// Where their indices are left.
    pub seen: Arc<OnceLock<Array>>,
}

impl Op for CumExtreme {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "cummax";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn name(&self) -> &'static str {
        if self.largest { "cummax" } else { "cummin" }
    }
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        infer_scan(self.name(), self.dim, x, x.dtype)
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, extra: &mut Extra) -> Array {
        let [values, index] = kernels::scan_extreme(&as_row(&x), checked(self.dim, x.rank()), self.largest);
        let index = index.reshape(&y.shape);
        extra.keep(index.clone());
        let _ = self.seen.set(index);
        values.reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let shape = &cx.meta(0).shape;
        [Some(match shape.rank() {
            0 => dy,
            _ => scattered(shape, self.dim, &Tensor::constant(cx.extra(0)), &dy),
        })]
    }
    fn samples() -> Vec<Sample<Self>> {
        let x = || Array::from_slice(&[1.0, 3.0, 2.0, 3.5], [4]);
        let op = |dim, largest| CumExtreme {
            dim,
            largest,
            seen: Arc::default(),
        };
        vec![
            Sample::new(op(0, true), [x()]).gives([1.0, 3.0, 3.0, 3.5]),
            Sample::new(op(0, false), [x()]).gives([1.0; 4]),
            Sample::new(op(1, true), [block()]),
            Sample::new(op(0, true), [Array::scalar(2.0)]).gives([2.0]),
        ]
    }
}

impl Tensor {
    /// The sums of the elements up to each along `dim`. Integers are summed in i64.
    #[track_caller]
    pub fn cumsum(&self, dim: isize) -> Tensor {
        CumSum { dim, reverse: false }.apply([self])
    }

    #[track_caller]
    fn cumsum_reverse(&self, dim: isize) -> Tensor {
        CumSum { dim, reverse: true }.apply([self])
    }

    /// The products of the elements up to each along `dim`.
    #[track_caller]
    pub fn cumprod(&self, dim: isize) -> Tensor {
        CumProd(dim).apply([self])
    }

    /// The logarithms of the sums of exponentials of the elements up to each along `dim`.
    #[track_caller]
    pub fn logcumsumexp(&self, dim: isize) -> Tensor {
        LogCumSumExp(dim).apply([self])
    }

    /// The largest of the elements up to each along `dim`, and their indices: of equals the last.
    #[track_caller]
    pub fn cummax(&self, dim: isize) -> (Tensor, Tensor) {
        self.running_extreme(dim, true)
    }

    /// The smallest of the elements up to each along `dim`, and their indices: of equals the last.
    #[track_caller]
    pub fn cummin(&self, dim: isize) -> (Tensor, Tensor) {
        self.running_extreme(dim, false)
    }

    #[track_caller]
    fn running_extreme(&self, dim: isize, largest: bool) -> (Tensor, Tensor) {
        let seen = Arc::default();
        let op = CumExtreme {
            dim,
            largest,
            seen: Arc::clone(&seen),
        };
        let values = op.apply([self]);
        let index = seen.get().expect("it was left there").clone();
        (values, Tensor::constant(index))
    }

    /// The product of all elements. Integers are multiplied in i64.
    #[track_caller]
    pub fn prod(&self) -> Tensor {
        Prod {
            dim: 0,
            keepdim: false,
        }
        .apply([&self.reshape([self.numel()])])
    }

    /// The products along `dim`, which stays with size one if `keepdim`.
    #[track_caller]
    pub fn prod_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        Prod { dim, keepdim }.apply([self])
    }

    /// The differences between neighbours along `dim`, taken `n` times; of bool whether they differ.
    #[track_caller]
    pub fn diff(&self, n: usize, dim: isize) -> Tensor {
        let d = ok(axis("diff", dim, self.dim())) as isize;
        let mut x = self.clone();
        for _ in 0..n.min(self.size(d)) {
            let len = x.size(d).saturating_sub(1);
            let start = x.size(d).min(1);
            let (low, high) = (x.narrow(d, 0, len), x.narrow(d, start, len));
            x = if x.dtype() == DType::Bool {
                high.ne(&low)
            } else {
                high - low
            };
        }
        x
    }

    /// The integral along `dim` by the trapezoidal rule, of values `dx` apart.
    #[track_caller]
    pub fn trapezoid(&self, dx: f64, dim: isize) -> Tensor {
        self.panels(dim).sum_dim(dim, false) * dx
    }

    /// The integral along `dim` by the trapezoidal rule, of values at `x`, which has their shape or is one row.
    #[track_caller]
    pub fn trapezoid_at(&self, x: &Tensor, dim: isize) -> Tensor {
        (self.panels(dim) * self.widths(x, dim)).sum_dim(dim, false)
    }

    /// The integrals up to each value by the trapezoidal rule, of values `dx` apart; without the first, which is 0.
    #[track_caller]
    pub fn cumulative_trapezoid(&self, dx: f64, dim: isize) -> Tensor {
        self.panels(dim).cumsum(dim) * dx
    }

    /// As [`cumulative_trapezoid`](Tensor::cumulative_trapezoid), of values at `x`.
    #[track_caller]
    pub fn cumulative_trapezoid_at(&self, x: &Tensor, dim: isize) -> Tensor {
        (self.panels(dim) * self.widths(x, dim)).cumsum(dim)
    }

    /// The means of neighbours.
    #[track_caller]
    fn panels(&self, dim: isize) -> Tensor {
        let n = self.size(dim);
        let len = n.saturating_sub(1);
        (self.narrow(dim, 0, len) + self.narrow(dim, n.min(1), len)) / 2.0
    }

    #[track_caller]
    fn widths(&self, x: &Tensor, dim: isize) -> Tensor {
        if x.dim() != 1 {
            return x.diff(1, dim);
        }
        let d = ok(axis("trapezoid", dim, self.dim()));
        let mut shape = vec![1; self.dim()];
        shape[d] = x.numel().saturating_sub(1);
        x.diff(1, 0).reshape(shape)
    }
}

contract! {
    cumsum: CumSum,
    cumprod: CumProd,
    prod: Prod,
    logcumsumexp: LogCumSumExp,
    cum_extreme: CumExtreme,
}
