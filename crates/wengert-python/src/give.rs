//! What operations return, as Python objects.

use crate::errors;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyTuple};
use std::collections::HashMap;
use std::sync::Mutex;
use wengert::{Array, Tensor};

/// A result on its way to Python.
pub(crate) trait Give {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>>;
}

impl Give for Tensor {
    #[inline]
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(crate::state::object(py, self)?.into_any().unbind())
    }
}
impl Give for Array {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Tensor::constant(self).give(py)
    }
}
impl<T: Give> Give for wengert::Result<T> {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Ok(value) => value.give(py),
            Err(error) => Err(errors::exception(py, &error)),
        }
    }
}
impl<T: Give> Give for Option<T> {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Some(value) => value.give(py),
            None => Ok(py.None()),
        }
    }
}
macro_rules! plain {
    ($($t:ty),*) => {$(
        impl Give for $t {
            fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                self.into_py_any(py)
            }
        }
    )*};
}
plain!(bool, i64, f64, usize, String, Py<PyAny>);

macro_rules! tuples {
    ($(($($T:ident $i:tt),*)),*) => {$(
        impl<$($T: Give),*> Give for ($($T,)*) {
            fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                Ok(PyTuple::new(py, [$(self.$i.give(py)?),*])?.into_any().unbind())
            }
        }
    )*};
}
tuples!((A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3));

/// A list of results; PyTorch gives tuples.
impl<T: Give> Give for Vec<T> {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let items: Vec<Py<PyAny>> = self.into_iter().map(|v| v.give(py)).collect::<PyResult<_>>()?;
        Ok(PyTuple::new(py, items)?.into_any().unbind())
    }
}

/// As a Python list.
#[allow(dead_code)]
pub(crate) struct AsList<T>(pub(crate) Vec<T>);
impl<T: Give> Give for AsList<T> {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let items: Vec<Py<PyAny>> = self.0.into_iter().map(|v| v.give(py)).collect::<PyResult<_>>()?;
        Ok(PyList::new(py, items)?.into_any().unbind())
    }
}

/// Several results with names: `Named("max", ["values", "indices"], [v, i])` is PyTorch's
/// `torch.return_types.max`, a tuple whose parts are attributes too.
pub(crate) struct Named<const N: usize>(
    pub(crate) &'static str,
    pub(crate) [&'static str; N],
    pub(crate) [Tensor; N],
);

impl<const N: usize> Give for Named<N> {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        static CLASSES: PyOnceLock<Mutex<HashMap<&'static str, Py<PyAny>>>> = PyOnceLock::new();
        let classes = CLASSES.get_or_init(py, Mutex::default);
        let known = classes
            .lock()
            .ok()
            .and_then(|c| c.get(self.0).map(|c| c.clone_ref(py)));
        let class = match known {
            Some(class) => class,
            None => {
                let namedtuple = py.import("collections")?.getattr("namedtuple")?;
                let class = namedtuple.call1((self.0, PyTuple::new(py, self.1)?))?;
                class.setattr("__module__", "wengert.return_types")?;
                let class = class.unbind();
                if let Ok(mut c) = classes.lock() {
                    c.insert(self.0, class.clone_ref(py));
                }
                class
            }
        };
        let parts = self.2.map(|t| t.give(py));
        let parts: Vec<Py<PyAny>> = parts.into_iter().collect::<PyResult<_>>()?;
        class.call1(py, PyTuple::new(py, parts)?)
    }
}
