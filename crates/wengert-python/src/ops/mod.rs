//! The operations, in files by family. `crate`'s documentation says how to add one.

mod elementwise;
mod functional;
mod index;
mod linalg;
mod neural;
mod random;
mod reduce;
mod shape;

use pyo3::prelude::*;

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    elementwise::register(m)?;
    reduce::register(m)?;
    shape::register(m)?;
    index::register(m)?;
    neural::register(m)?;
    functional::register(m)?;
    linalg::register(m)?;
    random::register(m)
}
