//! The one door between Python and the engine.

use crate::errors;
use crate::origin::{self, Place};
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// From how many elements on the interpreter's lock is given up while a kernel runs. Below, giving it up
/// and taking it again costs more than others could do meanwhile.
const BIG: usize = 1 << 14;

/// Runs `f`, which computes with tensors of `work` elements, and turns what it raises into a Python exception.
///
/// Every call into the engine goes through here: other Python threads run during long ones, an [`Error`]
/// becomes the fitting exception, an exception that Python code raised inside (a hook, a user's operation)
/// goes on as it is, and no panic gets past.
///
/// [`Error`]: wengert::Error
#[inline]
pub(crate) fn guard<T: Send>(py: Python<'_>, work: usize, f: impl FnOnce() -> T + Send) -> PyResult<T> {
    let run = || catch_unwind(AssertUnwindSafe(f));
    let outcome = if work >= BIG {
        // While the lock is given up nobody can ask Python for the place.
        let before = origin::enter(origin::here(py));
        let outcome = py.detach(run);
        origin::enter(before);
        outcome
    } else {
        // That stays: this thread comes back to the engine by this door, or by `python`'s end, which sets what was before.
        origin::enter(Place::Ask);
        run()
    };
    outcome.map_err(|panic| errors::from_panic(py, panic))
}

/// As [`guard`], for what always is worth giving up the lock.
pub(crate) fn guard_long<T: Send>(py: Python<'_>, f: impl FnOnce() -> T + Send) -> PyResult<T> {
    guard(py, usize::MAX, f)
}

/// As [`guard_long`], for what may give an error: reading and writing files.
pub(crate) fn run<T: Send>(py: Python<'_>, f: impl FnOnce() -> wengert::Result<T> + Send) -> PyResult<T> {
    guard_long(py, || match f() {
        Ok(value) => value,
        Err(error) => wengert_array::raise(error),
    })
}

/// Runs Python code from inside the engine: what it raises unwinds through the engine to [`guard`].
pub(crate) fn python<T>(f: impl FnOnce(Python<'_>) -> PyResult<T>) -> T {
    let result = Python::attach(|py| {
        // Calls back into the engine say for themselves where they come from.
        let before = origin::enter(Place::None);
        let result = f(py);
        origin::enter(before);
        result
    });
    match result {
        Ok(value) => value,
        Err(error) => throw(error),
    }
}

/// Raises a Python exception through the engine: [`guard`] hands it on.
pub(crate) fn throw(error: PyErr) -> ! {
    std::panic::resume_unwind(Box::new(error))
}
