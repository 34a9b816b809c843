//! Ranges by powers, windows, triangles of indices.

use crate::args::{Dtype, NoOut};
use crate::dtype::DeviceArg;
use crate::give::Give;
use crate::guard::guard;
use crate::macros::functions;
use pyo3::prelude::*;
use wengert::ops::window as w;
use wengert::{DType, Tensor};

fn made(
    py: Python<'_>,
    dtype: Dtype,
    requires_grad: bool,
    f: impl FnOnce() -> Tensor + Send,
) -> PyResult<Py<PyAny>> {
    let dtype = dtype.map_or_else(wengert::get_default_dtype, |d| d.0);
    guard(py, 0, || {
        let t = f().to(dtype);
        if requires_grad { t.requires_grad_(true) } else { t }
    })?
    .give(py)
}

/// `steps` powers of `base`, whose exponents are evenly spaced from `start` to `end`.
#[pyfunction]
#[pyo3(signature = (start, end, steps, base = 10.0, *, dtype = None, device = None, requires_grad = false, out = None))]
fn logspace(
    py: Python<'_>,
    start: f64,
    end: f64,
    steps: usize,
    base: f64,
    dtype: Dtype,
    device: Option<DeviceArg>,
    requires_grad: bool,
    out: Option<NoOut>,
) -> PyResult<Py<PyAny>> {
    let (_, _) = (device, out);
    let whole = dtype.as_ref().is_some_and(|d| !d.0.is_differentiable());
    let exponents = if whole { DType::I64 } else { DType::F64 };
    made(py, dtype, requires_grad, move || {
        Tensor::logspace_as(start, end, steps, base, exponents)
    })
}

macro_rules! windows {
    ($($(#[doc = $doc:literal])* $name:ident ($($arg:ident: $ty:ty = $default:literal),*) |$n:ident, $periodic:ident| $body:expr;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (window_length, periodic = true $(, $arg = $default)*, *, dtype = None, layout = None, device = None, requires_grad = false))]
        fn $name(
            py: Python<'_>, window_length: usize, periodic: bool $(, $arg: $ty)*, dtype: Dtype,
            layout: Option<Py<PyAny>>, device: Option<DeviceArg>, requires_grad: bool,
        ) -> PyResult<Py<PyAny>> {
            let (_, _) = (layout, device);
            let ($n, $periodic) = (window_length, periodic);
            made(py, dtype, requires_grad, move || $body)
        }
    )*};
}
windows! {
    /// ½ − ½ cos(2πx).
    hann_window() |n, periodic| w::hann_window(n, periodic);
    /// α − β cos(2πx).
    hamming_window(alpha: f64 = 0.54, beta: f64 = 0.46) |n, periodic| w::hamming_window(n, periodic, alpha, beta);
    /// 0.42 − 0.5 cos(2πx) + 0.08 cos(4πx).
    blackman_window() |n, periodic| w::blackman_window(n, periodic);
    /// 1 − |2x − 1|.
    bartlett_window() |n, periodic| w::bartlett_window(n, periodic);
    /// Kaiser's window, of Bessel functions.
    kaiser_window(beta: f64 = 12.0) |n, periodic| w::kaiser_window(n, periodic, beta);
}

windows! {
    /// exp(−½ (i / σ)²), `i` counted from the middle.
    _gaussian_window(std: f64 = 1.0) |n, periodic| w::gaussian_window(n, std, periodic);
    /// exp(−|i| / τ), `i` counted from the middle.
    _exponential_window(tau: f64 = 1.0) |n, periodic| w::exponential_window(n, tau, periodic);
    /// Half a period of the sine.
    _cosine_window() |n, periodic| w::cosine_window(n, periodic);
}

/// A sum of cosines with coefficients `a`, of alternating signs.
#[pyfunction]
#[pyo3(signature = (window_length, a, periodic = true, *, dtype = None, requires_grad = false))]
fn _general_cosine(
    py: Python<'_>,
    window_length: usize,
    a: Vec<f64>,
    periodic: bool,
    dtype: Dtype,
    requires_grad: bool,
) -> PyResult<Py<PyAny>> {
    made(py, dtype, requires_grad, move || {
        w::general_cosine(window_length, &a, periodic)
    })
}

macro_rules! triangles {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (row, col, offset = 0, *, dtype = None, device = None))]
        fn $name(
            py: Python<'_>, row: usize, col: usize, offset: isize, dtype: Dtype, device: Option<DeviceArg>,
        ) -> PyResult<Py<PyAny>> {
            let _ = device;
            let dtype = dtype.map_or(DType::I64, |d| d.0);
            guard(py, 0, || Tensor::$name(row, col, offset).to(dtype))?.give(py)
        }
    )*};
}
triangles! {
    /// Rows and columns of the elements on and below a diagonal.
    tril_indices;
    /// Rows and columns of the elements on and above a diagonal.
    triu_indices;
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    functions!(
        m,
        logspace,
        hann_window,
        hamming_window,
        blackman_window,
        bartlett_window,
        kaiser_window,
        tril_indices,
        triu_indices,
        _gaussian_window,
        _exponential_window,
        _cosine_window,
        _general_cosine,
    );
    Ok(())
}
