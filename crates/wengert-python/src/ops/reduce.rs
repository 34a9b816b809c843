//! Many numbers to one.

use crate::args::{Dims, Dtype, TensorLike, as_tensor, cast, dims};
use crate::give::{Give, Named};
use crate::guard::guard;
use crate::macros::ops;
use crate::tensor::PyTensor;
use pyo3::prelude::*;
use wengert::{DType, Tensor};

fn sum_of(x: &Tensor, d: Dims, keepdim: bool, dtype: Dtype) -> Tensor {
    let sum = |x: &Tensor| match d {
        None if !keepdim => x.sum(),
        d => x.sum_dim(dims(d), keepdim),
    };
    match dtype {
        Some(_) => cast(&sum(&cast(x, dtype)), dtype),
        // Integers and truths are counted in i64.
        None => sum(x),
    }
}

/// Truth as `all` and `any` give it: bool, but of uint8 in uint8.
fn truth(x: &Tensor, y: Tensor) -> Tensor {
    if x.dtype() == DType::U8 {
        y.to(DType::U8)
    } else {
        y
    }
}

fn mean_of(x: &Tensor, d: Dims, keepdim: bool, dtype: Dtype) -> Tensor {
    let x = cast(x, dtype);
    match d {
        None if !keepdim => x.mean(),
        d => x.mean_dim(dims(d), keepdim),
    }
}

ops! {
    /// The sum of all elements, or over `dim`.
    fn sum(input, dim: Dims = None, keepdim: bool = false; dtype: Dtype = None) => sum_of(input, dim, keepdim, dtype);
    /// The mean of all elements, or over `dim`.
    fn mean(input, dim: Dims = None, keepdim: bool = false; dtype: Dtype = None) => mean_of(input, dim, keepdim, dtype);
    /// The largest elements over `dim`.
    fn amax(input, dim: Dims = None, keepdim: bool = false) => input.amax(dims(dim), keepdim);
    /// The smallest elements over `dim`.
    fn amin(input, dim: Dims = None, keepdim: bool = false) => input.amin(dims(dim), keepdim);
    /// Where the largest element is, counted in row-major order or along `dim`.
    fn argmax(input, dim: Option<isize> = None, keepdim: bool = false) => match dim {
        None => input.argmax(),
        Some(d) => input.argmax_dim(d, keepdim),
    };
    /// Where the smallest element is, counted in row-major order or along `dim`.
    fn argmin(input, dim: Option<isize> = None, keepdim: bool = false) => match dim {
        None => input.argmin(),
        Some(d) => input.argmin_dim(d, keepdim),
    };
    /// Whether all elements are not zero.
    fn all(input, dim: Dims = None, keepdim: bool = false) => match dim {
        None => truth(input, input.all_dim((), keepdim)),
        d => truth(input, input.all_dim(dims(d), keepdim)),
    };
    /// Whether any element is not zero.
    fn any(input, dim: Dims = None, keepdim: bool = false) => match dim {
        None => truth(input, input.any_dim((), keepdim)),
        d => truth(input, input.any_dim(dims(d), keepdim)),
    };
    /// Whether all elements are close: `|a − b| ≤ atol + rtol · |b|`.
    fn allclose(input, other: TensorLike, rtol: f64 = 1e-5, atol: f64 = 1e-8, equal_nan: bool = false) => {
        input.isclose(&other.0, rtol, atol, equal_nan).all()
    };
    /// Whether shapes and all elements are equal.
    fn equal(input, other: TensorLike) => input.shape() == other.0.shape() && input.eq(&other.0).all();
}

/// `max` and `min`: of all elements, along a dimension (values and where they are), or of two tensors.
macro_rules! extreme {
    ($name:ident, $all:ident, $along:ident, $two:ident) => {
        /// The extreme element; along `dim`, values and indices; or elementwise with another tensor.
        #[pyfunction]
        #[pyo3(signature = (input, dim = None, keepdim = false, *, other = None, out = None))]
        fn $name(
            py: Python<'_>,
            input: TensorLike,
            dim: Option<&Bound<'_, PyAny>>,
            keepdim: bool,
            other: Option<TensorLike>,
            out: Option<crate::args::NoOut>,
        ) -> PyResult<Py<PyAny>> {
            let _ = out;
            let x = input.0;
            let other = other
                .map(|o| o.0)
                .or_else(|| dim.and_then(|d| as_tensor(d)));
            if let Some(other) = other {
                return guard(py, x.numel(), || x.$two(&other))?.give(py);
            }
            match dim {
                None => guard(py, x.numel(), || x.$all())?.give(py),
                Some(d) => {
                    let d: isize = d.extract()?;
                    let (values, indices) = guard(py, x.numel(), || x.$along(d, keepdim))?;
                    Named(stringify!($name), ["values", "indices"], [values, indices]).give(py)
                }
            }
        }
        #[pymethods]
        impl PyTensor {
            /// The extreme element; along `dim`, values and indices; or elementwise with another tensor.
            #[pyo3(signature = (dim = None, keepdim = false, *, other = None))]
            fn $name(
                &self,
                py: Python<'_>,
                dim: Option<&Bound<'_, PyAny>>,
                keepdim: bool,
                other: Option<TensorLike>,
            ) -> PyResult<Py<PyAny>> {
                $name(py, TensorLike(self.get()), dim, keepdim, other, None)
            }
        }
    };
}
extreme!(max, max, max_dim, maximum);
extreme!(min, min, min_dim, minimum);

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    crate::macros::functions!(m, max, min);
    Ok(())
}
