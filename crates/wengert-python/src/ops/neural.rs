//! What layers and losses are made of.

use crate::args::{Dtype, TensorLike, cast};
use crate::give::Give;
use crate::guard::guard;
use crate::macros::{functions, ops};
use crate::tensor::PyTensor;
use pyo3::prelude::*;
use wengert::ops::matmul::LinearOp;
use wengert::{Error, ErrorKind, Op, Result, Tensor};

fn gelu_of(x: &Tensor, approximate: &str) -> Result<Tensor> {
    match approximate {
        "none" => Ok(x.gelu()),
        "tanh" => Ok(x.gelu_tanh()),
        other => Err(Error::new(
            ErrorKind::Value,
            "gelu",
            format!("there is no approximation {other:?}"),
        )
        .note("there are 'none' and 'tanh'")),
    }
}

ops! {
    /// `eˣ / Σ eˣ` along `dim`.
    fn softmax(input, dim: isize = (-1); dtype: Dtype = None) => cast(input, dtype).softmax(dim);
    /// The logarithm of `softmax`, computed without overflow.
    fn log_softmax(input, dim: isize = (-1); dtype: Dtype = None) => cast(input, dtype).log_softmax(dim);
}

/// `x Φ(x)`, or its approximation by tanh.
#[pyfunction]
#[pyo3(signature = (input, *, approximate = "none"))]
fn gelu(py: Python<'_>, input: TensorLike, approximate: &str) -> PyResult<Py<PyAny>> {
    guard(py, input.0.numel(), || gelu_of(&input.0, approximate))?.give(py)
}

/// `input weightᵀ + bias`, with the weight as `[out, in]`.
#[pyfunction]
#[pyo3(signature = (input, weight, bias = None))]
fn linear(
    py: Python<'_>,
    input: TensorLike,
    weight: &Bound<'_, PyTensor>,
    bias: Option<TensorLike>,
) -> PyResult<Py<PyAny>> {
    let x = input.0;
    let work = x.numel();
    // The turned side of a leaf is turned back for nothing.
    if let Some(w) = weight.get().turned_side_of() {
        return guard(py, work, move || {
            wengert::linear(&x, &w, bias.as_ref().map(|b| &b.0))
        })?
        .give(py);
    }
    let w = weight.get().lend(py)?;
    guard(py, work, || match &bias {
        Some(b) if w.dim() == 2 => LinearOp { turned: true }.apply([&x, &w, &b.0]),
        b => wengert::linear(&x, &w.t(), b.as_ref().map(|b| &b.0)),
    })?
    .give(py)
}

/// `x w + b` as one operation, with the weight as `[in, out]`.
#[pyfunction]
#[pyo3(signature = (input, w, b = None))]
fn _affine(py: Python<'_>, input: TensorLike, w: TensorLike, b: Option<TensorLike>) -> PyResult<Py<PyAny>> {
    guard(py, input.0.numel(), move || {
        wengert::linear(&input.0, &w.0, b.as_ref().map(|b| &b.0))
    })?
    .give(py)
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    functions!(m, gelu, linear, _affine);
    Ok(())
}
