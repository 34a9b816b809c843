//! Products, spread, norms, running totals and other summaries.

use crate::args::{DimList, Dims, Dtype, NoOut, Operand, TensorLike, cast, dims};
use crate::give::{Give, Named};
use crate::guard::guard;
use crate::macros::{functions, ops};
use crate::tensor::PyTensor;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};
use wengert::linalg::Ord;
use wengert::ops::Interpolation;
use wengert::{Error, ErrorKind, Result, Tensor, cat};

/// `dim=`, or in its place the flag `unbiased=`, as in `x.var(False)`.
enum DimOrFlag {
    Dim(DimList),
    Unbiased(bool),
}

impl<'py> FromPyObject<'_, 'py> for DimOrFlag {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match obj.cast::<PyBool>() {
            Ok(flag) => Ok(DimOrFlag::Unbiased(flag.is_true())),
            Err(_) => obj.extract::<DimList>().map(DimOrFlag::Dim),
        }
    }
}

/// The dimensions and the correction that the arguments of `var` and its like come to.
fn spread(dim: Option<DimOrFlag>, unbiased: Option<bool>, correction: Option<f64>) -> (Dims, f64) {
    let (d, flag) = match dim {
        Some(DimOrFlag::Unbiased(flag)) => (None, Some(flag)),
        Some(DimOrFlag::Dim(d)) => (Some(d), unbiased),
        None => (None, unbiased),
    };
    let by_flag = flag.map_or(1.0, |f| f64::from(u8::from(f)));
    (d, correction.unwrap_or(by_flag))
}

/// The order of a norm: a number, `"fro"`, or of matrices `"nuc"`.
enum Order {
    P(f64),
    Nuclear,
}

impl<'py> FromPyObject<'_, 'py> for Order {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(name) = obj.cast::<PyString>() {
            return match name.to_cow()?.as_ref() {
                "fro" => Ok(Order::P(2.0)),
                "nuc" => Ok(Order::Nuclear),
                "inf" => Ok(Order::P(f64::INFINITY)),
                "-inf" => Ok(Order::P(f64::NEG_INFINITY)),
                other => Err(pyo3::exceptions::PyValueError::new_err(format!(
                    "norm: there is no order {other:?} here: there are numbers, 'fro' and 'nuc'"
                ))),
            };
        }
        obj.extract::<f64>().map(Order::P)
    }
}

fn norm_of(x: &Tensor, p: Option<Order>, dim: Dims, keepdim: bool) -> Result<Tensor> {
    match p.unwrap_or(Order::P(2.0)) {
        Order::P(p) => Ok(x.norm_dim(p, dims(dim), keepdim)),
        Order::Nuclear => {
            let over = dim.map_or_else(|| (0..x.dim() as isize).collect(), |d| d.0);
            match over[..] {
                [a, b] => Ok(wengert::linalg::matrix_norm(x, Ord::Nuclear, [a, b], keepdim)),
                _ => {
                    let message = format!(
                        "the nuclear norm is one of matrices, and goes over {} dimensions",
                        over.len()
                    );
                    Err(Error::new(ErrorKind::Shape, "norm", message)
                        .help("`dim=(-2, -1)` names the two of a stack of matrices"))
                }
            }
        }
    }
}

/// Integers are totalled in int64 unless a dtype is asked for.
fn total_of(x: &Tensor, dtype: Dtype) -> Tensor {
    cast(x, dtype)
}

fn prod_of(x: &Tensor, dim: Option<isize>, keepdim: bool, dtype: Dtype) -> Tensor {
    let x = cast(x, dtype);
    let y = match dim {
        None => x.prod(),
        Some(d) => x.prod_dim(d, keepdim),
    };
    cast(&y, dtype)
}

fn pair(name: &'static str, (values, indices): (Tensor, Tensor)) -> Named<2> {
    Named(name, ["values", "indices"], [values, indices])
}

/// With what is to stand before and after along `dim`.
fn joined(x: &Tensor, dim: isize, before: Option<TensorLike>, after: Option<TensorLike>) -> Tensor {
    let parts: Vec<Tensor> = [before.map(|t| t.0), Some(x.clone()), after.map(|t| t.0)]
        .into_iter()
        .flatten()
        .collect();
    match parts.as_slice() {
        [only] => only.clone(),
        parts => cat(&parts.iter().collect::<Vec<_>>(), dim),
    }
}

/// One dimension or none, where PyTorch lets no more be given.
fn median_of(x: &Tensor, dim: Option<isize>, keepdim: bool, skip_nan: bool) -> Middle {
    match (dim, skip_nan) {
        (None, false) => Middle::All(x.median()),
        (None, true) => Middle::All(x.nanmedian()),
        (Some(d), false) => Middle::Along(pair("median", x.median_dim(d, keepdim))),
        (Some(d), true) => Middle::Along(pair("nanmedian", x.nanmedian_dim(d, keepdim))),
    }
}

/// A median of all, or medians and where they are.
enum Middle {
    All(Tensor),
    Along(Named<2>),
}

impl Give for Middle {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Middle::All(t) => t.give(py),
            Middle::Along(named) => named.give(py),
        }
    }
}

fn trapezoid_of(
    y: &Tensor,
    x: Option<TensorLike>,
    dx: Option<f64>,
    dim: isize,
    running: bool,
) -> Result<Tensor> {
    Ok(match (x, dx) {
        (Some(_), Some(_)) => {
            let message = "takes `x` or `dx`, not both";
            return Err(Error::new(ErrorKind::Value, "trapezoid", message));
        }
        (Some(x), None) if running => y.cumulative_trapezoid_at(&x.0, dim),
        (Some(x), None) => y.trapezoid_at(&x.0, dim),
        (None, dx) if running => y.cumulative_trapezoid(dx.unwrap_or(1.0), dim),
        (None, dx) => y.trapezoid(dx.unwrap_or(1.0), dim),
    })
}

ops! {
    /// The product of all elements, or along `dim`.
    fn prod(input, dim: Option<isize> = None, keepdim: bool = false; dtype: Dtype = None)
        => prod_of(input, dim, keepdim, dtype);
    /// The sums up to each element along `dim`.
    fn cumsum(input, dim: isize; dtype: Dtype = None) / cumsum_ => cast(&total_of(input, dtype).cumsum(dim), dtype);
    /// The products up to each element along `dim`.
    fn cumprod(input, dim: isize; dtype: Dtype = None) / cumprod_ => cast(&total_of(input, dtype).cumprod(dim), dtype);
    /// The logarithms of the sums of exponentials up to each element along `dim`.
    fn logcumsumexp(input, dim: isize) => input.logcumsumexp(dim);
    /// The largest up to each element along `dim`, and where they are.
    fn cummax(input, dim: isize) => pair("cummax", input.cummax(dim));
    /// The smallest up to each element along `dim`, and where they are.
    fn cummin(input, dim: isize) => pair("cummin", input.cummin(dim));
    /// The logarithm of the sum of exponentials over `dim`.
    fn logsumexp(input, dim: Dims, keepdim: bool = false) => input.logsumexp(dims(dim), keepdim);
    /// The variance of all elements, or over `dim`.
    fn var(input, dim: Option<DimOrFlag> = None, unbiased: Option<bool> = None, keepdim: bool = false;
           correction: Option<f64> = None) => {
        let (d, c) = spread(dim, unbiased, correction);
        input.var_dim(dims(d), c, keepdim)
    };
    /// Variances and means.
    fn var_mean(input, dim: Option<DimOrFlag> = None, unbiased: Option<bool> = None, keepdim: bool = false;
                correction: Option<f64> = None) => {
        let (d, c) = spread(dim, unbiased, correction);
        input.var_mean(dims(d), c, keepdim)
    };
    /// Standard deviations and means.
    fn std_mean(input, dim: Option<DimOrFlag> = None, unbiased: Option<bool> = None, keepdim: bool = false;
                correction: Option<f64> = None) => {
        let (d, c) = spread(dim, unbiased, correction);
        input.std_mean(dims(d), c, keepdim)
    };
    /// The norm of order `p` of all elements as one vector, or over `dim`.
    fn norm(input, p: Option<Order> = None, dim: Dims = None, keepdim: bool = false; dtype: Dtype = None)
        => norm_of(&cast(input, dtype), p, dim, keepdim);
    /// The norm of order `ord` of all elements as one vector, or over `dim`.
    fn vector_norm(input, ord: Option<Order> = None, dim: Dims = None, keepdim: bool = false; dtype: Dtype = None)
        => norm_of(&cast(input, dtype), ord, dim, keepdim);
    /// The norm of order `p` of the difference.
    fn dist(input, other: TensorLike, p: f64 = 2.0) => input.dist(&other.0, p);
    /// Each part along `dim` scaled down to a norm of `maxnorm`.
    fn renorm(input, p: f64, dim: isize, maxnorm: f64) / renorm_ => input.renorm(p, dim, maxnorm);
    /// The sum of what is not NaN.
    fn nansum(input, dim: Dims = None, keepdim: bool = false; dtype: Dtype = None)
        => cast(input, dtype).nansum(dims(dim), keepdim);
    /// The mean of what is not NaN.
    fn nanmean(input, dim: Dims = None, keepdim: bool = false; dtype: Dtype = None)
        => cast(input, dtype).nanmean(dims(dim), keepdim);
    /// How many elements are not zero.
    fn count_nonzero(input, dim: Dims = None) => input.count_nonzero(dims(dim));
    /// The smallest and the largest elements.
    fn aminmax(input; dim: Option<isize> = None, keepdim: bool = false) => {
        let over: wengert::ops::Dims = dim.map_or(().into(), Into::into);
        let (low, high) = input.aminmax(over, keepdim);
        Named("aminmax", ["min", "max"], [low, high])
    };
    /// The median of all elements, or along `dim` and where they are.
    fn median(input, dim: Option<isize> = None, keepdim: bool = false) => median_of(input, dim, keepdim, false);
    /// The median of what is not NaN, or along `dim` and where they are.
    fn nanmedian(input, dim: Option<isize> = None, keepdim: bool = false) => median_of(input, dim, keepdim, true);
    /// The quantiles `q` of all elements, or along `dim`.
    fn quantile(input, q: Operand, dim: Option<isize> = None, keepdim: bool = false;
                interpolation: String = (String::from("linear")))
        => quantiles(input, &q, dim, keepdim, &interpolation, false);
    /// The quantiles `q` of what is not NaN.
    fn nanquantile(input, q: Operand, dim: Option<isize> = None, keepdim: bool = false;
                   interpolation: String = (String::from("linear")))
        => quantiles(input, &q, dim, keepdim, &interpolation, true);
    /// The differences between neighbours along `dim`, taken `n` times.
    fn diff(input, n: usize = 1, dim: isize = (-1), prepend: Option<TensorLike> = None,
            append: Option<TensorLike> = None) => match n {
        // As in PyTorch, nothing is joined where nothing is subtracted.
        0 => input.clone(),
        n => joined(input, dim, prepend, append).diff(n, dim),
    };
    /// The integral along `dim` by the trapezoidal rule.
    fn trapezoid(input, x: Option<TensorLike> = None; dx: Option<f64> = None, dim: isize = (-1))
        => trapezoid_of(input, x, dx, dim, false);
    /// The integrals up to each element along `dim` by the trapezoidal rule.
    fn cumulative_trapezoid(input, x: Option<TensorLike> = None; dx: Option<f64> = None, dim: isize = (-1))
        => trapezoid_of(input, x, dx, dim, true);
}

/// The standard deviation of all elements, or over `dim`. (A Rust function of this name would hide the standard library.)
#[pyfunction]
#[pyo3(name = "std", signature = (input, dim = None, unbiased = None, keepdim = false, *, correction = None, out = None))]
fn std_of(
    py: Python<'_>,
    input: TensorLike,
    dim: Option<DimOrFlag>,
    unbiased: Option<bool>,
    keepdim: bool,
    correction: Option<f64>,
    out: Option<NoOut>,
) -> PyResult<Py<PyAny>> {
    let _ = out;
    let (d, c) = spread(dim, unbiased, correction);
    guard(py, input.0.numel(), move || input.0.std_dim(dims(d), c, keepdim))?.give(py)
}

#[pymethods]
impl PyTensor {
    /// The standard deviation of all elements, or over `dim`.
    #[pyo3(name = "std", signature = (dim = None, unbiased = None, keepdim = false, *, correction = None))]
    fn std_method(
        &self,
        py: Python<'_>,
        dim: Option<DimOrFlag>,
        unbiased: Option<bool>,
        keepdim: bool,
        correction: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        std_of(
            py,
            TensorLike(self.get()),
            dim,
            unbiased,
            keepdim,
            correction,
            None,
        )
    }
}

/// How a quantile between two numbers is chosen, by PyTorch's name for it.
fn interpolation(op: &str, name: &str) -> Result<Interpolation> {
    Ok(match name {
        "linear" => Interpolation::Linear,
        "lower" => Interpolation::Lower,
        "higher" => Interpolation::Higher,
        "nearest" => Interpolation::Nearest,
        "midpoint" => Interpolation::Midpoint,
        other => {
            let message = format!("there is no interpolation {other:?}");
            let error = Error::new(ErrorKind::Value, op, message);
            return Err(error.note("there are 'linear', 'lower', 'higher', 'nearest' and 'midpoint'"));
        }
    })
}

fn quantiles(
    x: &Tensor,
    q: &Operand,
    dim: Option<isize>,
    keepdim: bool,
    how: &str,
    skip_nan: bool,
) -> Result<Tensor> {
    let op = if skip_nan { "nanquantile" } else { "quantile" };
    // A number is not rounded to float32 on its way.
    let (values, single) = match q {
        Operand::Number(n) => (vec![n.f64()], true),
        Operand::Complex(z) => {
            let message = format!("q must be a real number, and is {z}");
            return Err(Error::new(ErrorKind::DType, op, message));
        }
        Operand::Tensor(q) if q.dim() > 1 => {
            let message = format!(
                "q must be a number or one-dimensional, and has shape {}",
                q.shape()
            );
            return Err(Error::new(ErrorKind::Shape, op, message));
        }
        Operand::Tensor(q) => (q.to_vec::<f64>(), q.dim() == 0),
    };
    let how = interpolation(op, how)?;
    let y = match skip_nan {
        true => x.nanquantile(&values, dim, keepdim, how),
        false => x.quantile(&values, dim, keepdim, how),
    };
    Ok(if single { y.select(0, 0) } else { y })
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    functions!(m, std_of);
    m.add("trapz", m.getattr("trapezoid")?)
}
