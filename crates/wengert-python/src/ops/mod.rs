//! The operations, in files by family. `crate`'s documentation says how to add one.

mod activation;
mod arrange;
mod complex;
pub(crate) mod elementwise;
mod functional;
mod functions;
pub(crate) mod index;
mod linalg;
mod neural;
mod random;
mod reduce;
mod shape;
mod sort;
mod statistics;
mod window;

use pyo3::prelude::*;

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    elementwise::register(m)?;
    functions::register(m)?;
    activation::register(m)?;
    statistics::register(m)?;
    reduce::register(m)?;
    shape::register(m)?;
    arrange::register(m)?;
    complex::register(m)?;
    index::register(m)?;
    sort::register(m)?;
    window::register(m)?;
    neural::register(m)?;
    functional::register(m)?;
    linalg::register(m)?;
    random::register(m)
}
