//! `torch.nn.functional`: functions that are no methods.

// A default is one token, if need be in parentheses.
#![allow(unused_parens)]

mod convolution;
mod distance;
mod loss;
mod norm;
mod pool;
mod resize;

use crate::args::{DimList, TensorLike};
use crate::errors;
use pyo3::prelude::*;
use wengert::nn::functional::{Reduction, Sizes};
use wengert::{Error, ErrorKind, Tensor};

/// Binds functions: the signature in Rust with defaults of one token, and what follows `;` keyword-only.
macro_rules! functions_of {
    ($( $(#[doc = $doc:literal])* fn $name:ident(
        $($arg:ident : $ty:ty $(= $default:tt)?),* $(,)? $(; $($kw:ident : $kty:ty $(= $kdefault:tt)?),+)?
    ) => $body:expr; )*) => {
        $(
            $(#[doc = $doc])*
            #[pyfunction]
            #[pyo3(signature = ($($arg $(= $default)?,)* $(*, $($kw $(= $kdefault)?,)+)?))]
            #[allow(clippy::too_many_arguments)]
            fn $name(py: Python<'_>, $($arg: $ty,)* $($($kw: $kty,)+)?) -> PyResult<Py<PyAny>> {
                let y = crate::guard::guard_long(py, move || $body)?;
                crate::give::Give::give(y, py)
            }
        )*

        pub(super) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
            $(m.add_function(wrap_pyfunction!($name, m)?)?;)*
            Ok(())
        }
    };
}
pub(crate) use functions_of;

/// A tensor that may be missing.
pub(crate) type Maybe = Option<TensorLike>;

/// As the engine takes it.
pub(crate) fn maybe(t: &Maybe) -> Option<&Tensor> {
    t.as_ref().map(|t| &t.0)
}

fn wrong(py: Python<'_>, message: String) -> PyErr {
    errors::exception(py, &Error::new(ErrorKind::Value, "", message))
}

/// A size, a stride and the like: one number or one for each dimension.
#[derive(Clone)]
pub(crate) struct SizesArg(pub(crate) Vec<usize>);

impl<'py> FromPyObject<'_, 'py> for SizesArg {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let all = obj.extract::<DimList>()?.0;
        let each = all.iter().map(|n| usize::try_from(*n));
        let each = each.collect::<Result<Vec<_>, _>>();
        each.map(SizesArg)
            .map_err(|_| wrong(obj.py(), format!("negative sizes make no sense here: {all:?}")))
    }
}

impl From<SizesArg> for Sizes {
    fn from(s: SizesArg) -> Sizes {
        s.0.into()
    }
}

/// `n` for all dimensions.
pub(crate) fn same(n: usize) -> SizesArg {
    SizesArg(vec![n])
}

/// A stride as pooling takes it: `None`, and PyTorch's empty tuple, are the kernel's size.
pub(crate) fn stride(s: Option<SizesArg>) -> Option<Sizes> {
    s.filter(|s| !s.0.is_empty()).map(Into::into)
}

/// How losses are reduced. `size_average` and `reduce` are the old way to say it.
pub(crate) fn reduction(average: Option<bool>, reduce: Option<bool>, name: &str) -> Reduction {
    match (average, reduce, name) {
        (None, None, "mean") => Reduction::Mean,
        (None, None, "sum") => Reduction::Sum,
        (None, None, "none") => Reduction::None,
        (None, None, other) => {
            let message = format!("{other:?} is not a valid value for reduction");
            wengert_array::raise(
                Error::new(ErrorKind::Value, "", message).note("there are 'mean', 'sum' and 'none'"),
            )
        }
        (_, Some(false), _) => Reduction::None,
        (Some(false), _, _) => Reduction::Sum,
        _ => Reduction::Mean,
    }
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    convolution::register(m)?;
    pool::register(m)?;
    resize::register(m)?;
    norm::register(m)?;
    distance::register(m)?;
    loss::register(m)
}
