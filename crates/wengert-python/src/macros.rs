//! `ops!`: a function of the module and a method of `Tensor` from one line.

/// Binds operations, each as function and as method.
///
/// ```text
/// ops! {
///     /// The sine of each element.
///     fn sin(input) / sin_ => input.sin();
///     /// The sum over `dim`.
///     fn sum(input, dim: Dims = None, keepdim: bool = false; dtype: Dtype = None) => sum(input, dim, keepdim, dtype);
/// }
/// ```
///
/// The first argument is the tensor (as a function it also takes a number, a list or an array); the body sees
/// a `&Tensor`. Arguments after `;` are keyword-only. A default is one token: `None`, `true`, `1`, `"mean"`,
/// `(-1)`. `/ sin_` adds the in-place method. Arguments must be `Send`, since the body runs without the
/// interpreter's lock: see `args` for types. The body's value may be anything that is
/// [`Give`](crate::give::Give): a `Tensor`, a tuple or list of them, numbers, a `Result` of these.
macro_rules! ops {
    ($( $(#[doc = $doc:literal])* fn $name:ident $sig:tt $(/ $in_place:ident)? => $body:expr; )*) => {
        $(
            $crate::macros::both! { [$(#[doc = $doc])*] $name $sig => $body }
            $($crate::macros::in_place! { $in_place $sig => $body })?
        )*

        pub(crate) fn register_ops(m: &Bound<'_, PyModule>) -> PyResult<()> {
            $(m.add_function(wrap_pyfunction!($name, m)?)?;)*
            let _ = m;
            Ok(())
        }
    };
}
pub(crate) use ops;

/// A function and a method: see [`ops!`].
macro_rules! both {
    ([$(#[doc = $doc:literal])*] $name:ident ($x:ident) => $body:expr) => {
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = ($x, *, out = None))]
        fn $name(
            py: Python<'_>,
            $x: $crate::args::TensorLike,
            out: Option<$crate::args::NoOut>,
        ) -> PyResult<Py<PyAny>> {
            let _ = out;
            let $x = $x.0;
            let work = $x.numel();
            let y = $crate::guard::guard(py, work, move || {
                let $x = &$x;
                $body
            })?;
            $crate::give::Give::give(y, py)
        }

        const _: () = {
            unsafe extern "C" fn function(
                slf: *mut pyo3::ffi::PyObject,
                _: *mut pyo3::ffi::PyObject,
            ) -> *mut pyo3::ffi::PyObject {
                // SAFETY: the interpreter calls methods with its lock held and a tensor to be called on.
                unsafe { $crate::methods::alone(slf, |$x: &wengert::Tensor| $body) }
            }
            $crate::methods::method! { $name ["($self)"] [$($doc)*] noargs function }
        };
    };
    ([$(#[doc = $doc:literal])*] $name:ident (
        $x:ident $(, $arg:ident : $ty:ty $(= $default:tt)?)*
        $(; $($kw:ident : $kty:ty $(= $kdefault:tt)?),+)?
    ) => $body:expr) => {
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = ($x, $($arg $(= $default)?,)* *, $($($kw $(= $kdefault)?,)+)? out = None))]
        #[allow(clippy::too_many_arguments)]
        fn $name(
            py: Python<'_>,
            $x: $crate::args::TensorLike,
            $($arg: $ty,)*
            $($($kw: $kty,)+)?
            out: Option<$crate::args::NoOut>,
        ) -> PyResult<Py<PyAny>> {
            let _ = out;
            let $x = $x.0;
            let work = $x.numel();
            let y = $crate::guard::guard(py, work, move || {
                let $x = &$x;
                $body
            })?;
            $crate::give::Give::give(y, py)
        }

        #[pymethods]
        impl $crate::tensor::PyTensor {
            $(#[doc = $doc])*
            #[pyo3(signature = ($($arg $(= $default)?,)* $(*, $($kw $(= $kdefault)?,)+)?))]
            fn $name(&self, py: Python<'_>, $($arg: $ty,)* $($($kw: $kty,)+)?) -> PyResult<Py<PyAny>> {
                // The handle is dropped here, where the interpreter's lock is held.
                let lent = self.lend(py)?;
                let $x: &wengert::Tensor = &lent;
                let y = $crate::guard::guard(py, $x.numel(), move || $body)?;
                $crate::give::Give::give(y, py)
            }
        }
    };
}
pub(crate) use both;

/// The in-place method: see [`ops!`].
macro_rules! in_place {
    ($name:ident (
        $x:ident $(, $arg:ident : $ty:ty $(= $default:tt)?)*
        $(; $($kw:ident : $kty:ty $(= $kdefault:tt)?),+)?
    ) => $body:expr) => {
        #[pymethods]
        impl $crate::tensor::PyTensor {
            /// The operation of the same name, in place.
            #[pyo3(signature = ($($arg $(= $default)?,)* $(*, $($kw $(= $kdefault)?,)+)?))]
            fn $name<'py>(
                slf: &Bound<'py, Self>, $($arg: $ty,)* $($($kw: $kty,)+)?
            ) -> PyResult<Bound<'py, Self>> {
                slf.get().assign(slf.py(), stringify!($name), move |$x: &wengert::Tensor| {
                    $crate::macros::Settle::settle($body)
                })?;
                Ok(slf.clone())
            }
        }
    };
}
pub(crate) use in_place;

/// A body's value as the tensor that an in-place operation needs.
pub(crate) trait Settle {
    fn settle(self) -> wengert::Tensor;
}
impl Settle for wengert::Tensor {
    fn settle(self) -> wengert::Tensor {
        self
    }
}
impl Settle for wengert::Result<wengert::Tensor> {
    fn settle(self) -> wengert::Tensor {
        match self {
            Ok(t) => t,
            Err(e) => wengert_array::raise(e),
        }
    }
}

/// Adds functions to the module: `functions!(m, zeros, ones)`.
macro_rules! functions {
    ($m:expr, $($name:ident),* $(,)?) => {{
        $($m.add_function(wrap_pyfunction!($name, $m)?)?;)*
    }};
}
pub(crate) use functions;
