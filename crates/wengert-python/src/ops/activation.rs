//! Activations, as `wengert.nn.functional` has them.

use crate::args::TensorLike;
use crate::give::Give;
use crate::guard::guard;
use crate::macros::functions;
use pyo3::prelude::*;
use wengert::Tensor;

/// Functions that take `inplace=`, which puts the result into the input.
macro_rules! activations {
    ($($(#[doc = $doc:literal])* fn $name:ident($x:ident $(, $arg:ident: $ty:ty = $default:literal)*) => $body:expr;)*) => {
        $(
            $(#[doc = $doc])*
            #[pyfunction]
            #[pyo3(signature = (input $(, $arg = $default)*, inplace = false))]
            fn $name<'py>(
                input: &Bound<'py, PyAny>, $($arg: $ty,)* inplace: bool
            ) -> PyResult<Bound<'py, PyAny>> {
                apply(input, inplace, stringify!($name), move |$x: &Tensor| $body)
            }
        )*
        fn register_activations(m: &Bound<'_, PyModule>) -> PyResult<()> {
            functions!(m, $($name),*);
            Ok(())
        }
    };
}

fn apply<'py>(
    input: &Bound<'py, PyAny>,
    inplace: bool,
    name: &'static str,
    f: impl FnOnce(&Tensor) -> Tensor + Send,
) -> PyResult<Bound<'py, PyAny>> {
    let py = input.py();
    if inplace {
        let t = input.cast::<crate::tensor::PyTensor>()?;
        t.get().assign(py, name, f)?;
        return Ok(input.clone());
    }
    let x = input.extract::<TensorLike>()?.0;
    let y = guard(py, x.numel(), move || f(&x))?;
    Ok(y.give(py)?.into_bound(py))
}

activations! {
    /// x above 0, else a slope times x.
    fn leaky_relu(x, negative_slope: f64 = 0.01) => x.leaky_relu(negative_slope);
    /// Brought into [0, 6].
    fn relu6(x) => x.relu6();
    /// Brought into limits.
    fn hardtanh(x, min_val: f64 = -1.0, max_val: f64 = 1.0) => x.hardtanh_between(min_val, max_val);
    /// `(x + 3) / 6` brought into [0, 1].
    fn hardsigmoid(x) => x.hardsigmoid();
    /// `x · hardsigmoid(x)`.
    fn hardswish(x) => x.hardswish();
    /// x above 0, else `alpha (eˣ − 1)`.
    fn elu(x, alpha: f64 = 1.0) => x.elu(alpha);
    /// Self-normalising elu.
    fn selu(x) => x.selu();
    /// x above 0, else `alpha (e^(x / alpha) − 1)`.
    fn celu(x, alpha: f64 = 1.0) => x.celu(alpha);
    /// `x · sigmoid(x)`.
    fn silu(x) => x.silu();
    /// `x · tanh(softplus(x))`.
    fn mish(x) => x.mish();
    /// x above 0, else a slope times x that is drawn at random in training, and the mean of the limits otherwise.
    fn rrelu(x, lower: f64 = 0.125, upper: f64 = 0.333_333_333_333_333_3, training: bool = false)
        => x.rrelu(lower, upper, training);
}

macro_rules! plain {
    ($($(#[doc = $doc:literal])* fn $name:ident($x:ident $(, $arg:ident: $ty:ty = $default:literal)*) => $body:expr;)*) => {
        $(
            $(#[doc = $doc])*
            #[pyfunction]
            #[pyo3(signature = (input $(, $arg = $default)*))]
            fn $name(py: Python<'_>, input: TensorLike, $($arg: $ty,)*) -> PyResult<Py<PyAny>> {
                let $x = input.0;
                guard(py, $x.numel(), move || $body)?.give(py)
            }
        )*
        fn register_plain(m: &Bound<'_, PyModule>) -> PyResult<()> {
            functions!(m, $($name),*);
            Ok(())
        }
    };
}

plain! {
    /// `ln(1 + e^(beta x)) / beta`, and x where beta x is above `threshold`.
    fn softplus(x, beta: f64 = 1.0, threshold: f64 = 20.0) => x.softplus_with(beta, threshold);
    /// The logarithm of the sigmoid.
    fn logsigmoid(x) => x.logsigmoid();
    /// `x / (1 + |x|)`.
    fn softsign(x) => x.softsign();
    /// `x − tanh x`.
    fn tanhshrink(x) => x.tanhshrink();
    /// Moved toward zero by `lambd`.
    fn softshrink(x, lambd: f64 = 0.5) => x.softshrink(lambd);
    /// 0 within `lambd` of zero.
    fn hardshrink(x, lambd: f64 = 0.5) => x.hardshrink(lambd);
    /// The first half along `dim` times the sigmoid of the second.
    fn glu(x, dim: isize = -1) => x.glu(dim);
}

/// x above `threshold`, else `value`.
#[pyfunction]
#[pyo3(signature = (input, threshold, value, inplace = false))]
fn threshold<'py>(
    input: &Bound<'py, PyAny>,
    threshold: f64,
    value: f64,
    inplace: bool,
) -> PyResult<Bound<'py, PyAny>> {
    apply(input, inplace, "threshold", move |x| {
        x.threshold(threshold, value)
    })
}

/// x above 0, else one learned weight times x, or one for each channel.
#[pyfunction]
fn prelu(py: Python<'_>, input: TensorLike, weight: TensorLike) -> PyResult<Py<PyAny>> {
    guard(py, input.0.numel(), move || input.0.prelu(&weight.0))?.give(py)
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_activations(m)?;
    register_plain(m)?;
    functions!(m, threshold, prelu);
    Ok(())
}
