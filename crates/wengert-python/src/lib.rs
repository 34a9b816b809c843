//! Wengert for Python: the native module `wengert._C`.
//!
//! # How to bind an operation
//! 1. In the file of its family under `src/ops/`, add a line to the block `ops! { … }`:
//!
//!    ```text
//!    /// The sine of each element.
//!    fn sin(input) / sin_ => input.sin();
//!    ```
//!
//!    That makes `wengert.sin(x)`, `x.sin()` and, by `/ sin_`, the in-place `x.sin_()`. Further arguments have a
//!    type from `args` and perhaps a default of one token; after `;` they are keyword-only:
//!
//!    ```text
//!    fn sum(input, dim: Dims = None, keepdim: bool = false; dtype: Dtype = None) => sum_of(input, dim, keepdim, dtype);
//!    ```
//!
//!    The body sees `input: &Tensor` and the arguments by value, may panic as the engine does (errors become
//!    exceptions), and gives a `Tensor`, a tuple or `Vec` of them, a number, a `bool`, a `Named` tuple, or a `Result`
//!    of these.
//! 2. Where that does not fit (several tensors first, varargs, Python callbacks): a `#[pyfunction]`, listed in the
//!    file's `register`, or a method in a `#[pymethods] impl PyTensor` block, whose engine part runs inside
//!    `guard(py, work, || …)`.
//! 3. Functions of `wengert.nn.functional`, `wengert.linalg`, … are the same functions: name them in the Python file.
//! 4. Write the signature into `python/wengert/_C.pyi`. The test of completeness fails until it is there.
//!
//! Arguments: `TensorLike` (tensor, number, list or array; `.0`), `Operand` (number or tensor; `.tensor(with)`), `Number`
//! (`.f64()`), `Dims` (none, one or several; `dims(d)` for the engine), `DimList`, `SizeArg` (a shape), `varargs` (for
//! `*sizes`), `Dtype` (`cast(x, dtype)`), `TensorList`, `GeneratorArg` with `draw`, `Option<NoOut>`
//! for `out=`.
#![allow(non_snake_case)]

mod args;
mod autograd;
mod called;
mod create;
mod data;
mod dtype;
mod errors;
mod examples;
mod function;
mod give;
mod guard;
mod held;
mod inspect;
mod interop;
mod io;
mod macros;
mod methods;
mod ops;
mod optim;
mod origin;
mod slots;
mod state;
mod tensor;
mod threads;
mod train;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

// An interpreter without a lock takes one again for this module: `held` counts on it.
#[pymodule(gil_used = true)]
fn _C(m: &Bound<'_, PyModule>) -> PyResult<()> {
    // Who turns the lock off whatever modules say turns it off for this one, too.
    if let Ok(enabled) = m.py().import("sys")?.getattr("_is_gil_enabled")
        && !enabled.call0()?.is_truthy()?
    {
        return Err(PyImportError::new_err(
            "wengert needs the interpreter's lock, which PYTHON_GIL=0 or -X gil=0 turns off",
        ));
    }
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    errors::register(m)?;
    dtype::register(m)?;
    tensor::register(m)?;
    create::register(m)?;
    origin::register(m)?;
    autograd::register(m)?;
    called::register(m)?;
    function::register(m)?;
    inspect::register(m)?;
    interop::register(m)?;
    io::register(m)?;
    data::register(m)?;
    train::register(m)?;
    optim::register(m)?;
    threads::register(m)?;
    ops::register(m)?;
    examples::attach(m)
}
