//! How many threads large operations use.

use crate::guard::guard;
use crate::macros::functions;
use pyo3::prelude::*;

/// From now on large operations use `n` threads, the caller's among them. Results do not depend on it.
#[pyfunction]
fn set_num_threads(py: Python<'_>, num: i64) -> PyResult<()> {
    guard(py, 0, || {
        wengert::set_num_threads(usize::try_from(num).unwrap_or(0))
    })
}

/// How many threads large operations use, the caller's among them.
#[pyfunction]
fn get_num_threads() -> usize {
    wengert::get_num_threads()
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    functions!(m, set_num_threads, get_num_threads);
    Ok(())
}
