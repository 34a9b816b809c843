//! Methods that every program uses all the time, filled into the class by hand as the operators in `slots` are: what takes
//! nothing but the tensor, and what takes sizes or dimensions, one by one.

use crate::args::{Few, listed};
use crate::errors;
use crate::give::Give;
use crate::guard::guard;
use crate::state;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert::Tensor;

/// What `f` makes of a tensor, as the interpreter wants it.
///
/// # Safety
/// The interpreter's lock is held, and `slf` is a tensor.
#[inline]
pub(crate) unsafe fn alone<T: Give + Send>(
    slf: *mut PyObject,
    f: impl FnOnce(&Tensor) -> T + Send,
) -> *mut PyObject {
    // SAFETY: as the caller promises.
    let (py, x) = unsafe { (Python::assume_attached(), state::at(slf)) };
    let made = x.lend(py).and_then(|x| guard(py, x.numel(), || f(&x)));
    finish(py, made.and_then(|y| y.give(py)))
}

/// What `f` makes of a tensor and the sizes that stand in the call, each by itself or all in one sequence, which `keyword`
/// may name: `x.reshape(2, 3)`, `x.reshape((2, 3))`, `x.reshape(shape=(2, 3))`.
///
/// # Safety
/// The interpreter's lock is held, `slf` is a tensor, and the rest are the arguments of a call, as `METH_FASTCALL` has
/// them.
#[inline]
pub(crate) unsafe fn sized(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    n: isize,
    names: *mut PyObject,
    keyword: &str,
    f: impl FnOnce(&Tensor, Few) -> Tensor + Send,
) -> *mut PyObject {
    // SAFETY: as the caller promises.
    let (py, x, given) = unsafe {
        let py = Python::assume_attached();
        (py, state::at(slf), Given::new(py, args, n, names))
    };
    let made = given.sizes(keyword).and_then(|sizes| {
        let x = x.lend(py)?;
        guard(py, 0, || f(&x, sizes))
    });
    finish(py, made.and_then(|y| y.give(py)))
}

/// The arguments of a call.
pub(crate) struct Given<'a, 'py> {
    py: Python<'py>,
    pub(crate) args: &'a [Borrowed<'a, 'py, PyAny>],
    names: Option<Borrowed<'a, 'py, PyTuple>>,
}

impl<'a, 'py> Given<'a, 'py> {
    /// # Safety
    /// As for [`sized`].
    #[inline]
    pub(crate) unsafe fn new(
        py: Python<'py>,
        args: *const *mut PyObject,
        n: isize,
        names: *mut PyObject,
    ) -> Given<'a, 'py> {
        // SAFETY: `names` is null or a tuple, and there are `n` values and one for each name; a borrowed reference is a
        // pointer, as PyO3 itself counts on. No call has as many arguments as would need the sign.
        unsafe {
            let names = (!names.is_null()).then(|| Borrowed::from_ptr(py, names).cast_unchecked::<PyTuple>());
            let n = n.unsigned_abs() + names.map_or(0, |names| names.len());
            let args = match n {
                0 => &[],
                _ => std::slice::from_raw_parts(args.cast(), n),
            };
            Given { py, args, names }
        }
    }

    /// The only argument, if it has this name.
    pub(crate) fn named(&self, name: &str) -> Option<Borrowed<'a, 'py, PyAny>> {
        match self.args {
            [only] if self.last_is(name) => Some(*only),
            _ => None,
        }
    }

    /// Whether the last argument has this name, and no other has one.
    pub(crate) fn last_is(&self, name: &str) -> bool {
        let same = |given: Borrowed<'_, '_, PyAny>| given.cast::<PyString>().is_ok_and(|s| *s == *name);
        self.names
            .is_some_and(|names| names.len() == 1 && names.get_borrowed_item(0).is_ok_and(same))
    }

    /// As a tuple and a dictionary.
    pub(crate) fn split(&self) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let names = self.names.map_or(0, |names| names.len());
        let (plain, named) = self.args.split_at(self.args.len() - names);
        let kwargs = PyDict::new(self.py);
        for (name, value) in self.names.iter().flat_map(|names| names.iter()).zip(named) {
            kwargs.set_item(name, value)?;
        }
        Ok((PyTuple::new(self.py, plain)?, kwargs))
    }

    fn sizes(&self, keyword: &str) -> PyResult<Few> {
        match (self.names, self.args) {
            (None, [one]) => listed(one),
            (None, several) => several.iter().map(|n| n.extract::<isize>()).collect(),
            (Some(names), _) => match self.named(keyword) {
                Some(one) => listed(&one),
                None => Err(PyTypeError::new_err(format!(
                    "takes sizes one by one or `{keyword}=`, and got {}",
                    names
                        .repr()
                        .map_or_else(|_| String::new(), |names| names.to_string())
                ))),
            },
        }
    }
}

/// What `f` gives; where it panics, an exception.
#[inline]
pub(crate) fn calm<T>(py: Python<'_>, f: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(done) => done,
        Err(panic) => Err(errors::from_panic(py, panic)),
    }
}

#[inline]
pub(crate) fn finish(py: Python<'_>, made: PyResult<Py<PyAny>>) -> *mut PyObject {
    match made {
        Ok(made) => made.into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

/// A text that ends with a zero byte.
pub(crate) const fn text(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("no zero byte at the end"),
    }
}

/// Adds a method to the class: `method! { name [signature] [docs] noargs function }`, where both are texts in pieces.
macro_rules! method {
    ($name:ident [$($signature:expr),*] [$($doc:literal)*] $kind:ident $function:ident) => {
        pyo3::inventory::submit! {
            type Inventory = <$crate::tensor::PyTensor as pyo3::impl_::pyclass::PyClassImpl>::Inventory;
            Inventory::new(pyo3::impl_::pyclass::PyClassItems {
                methods: &[pyo3::impl_::pymethods::PyMethodDefType::Method(
                    pyo3::impl_::pymethods::PyMethodDef::$kind(
                        const { $crate::methods::text(concat!(stringify!($name), "\0")) },
                        $function,
                        const {
                            $crate::methods::text(concat!(
                                stringify!($name), $($signature,)* "\n--\n\n", $($doc, "\n",)* "\0"
                            ))
                        },
                    ),
                )],
                slots: &[],
            })
        }
    };
}
pub(crate) use method;

/// Methods that take sizes or dimensions: `/// Text.` and then `name(keyword) => |x, sizes| x.name(sizes);`.
macro_rules! sized_methods {
    ($($(#[doc = $doc:literal])* $name:ident($keyword:ident) => $f:expr;)*) => {$(
        const _: () = {
            unsafe extern "C" fn function(
                slf: *mut pyo3::ffi::PyObject,
                args: *const *mut pyo3::ffi::PyObject,
                n: isize,
                names: *mut pyo3::ffi::PyObject,
            ) -> *mut pyo3::ffi::PyObject {
                // SAFETY: the interpreter calls methods with its lock held and a tensor to be called on.
                unsafe { $crate::methods::sized(slf, args, n, names, stringify!($keyword), $f) }
            }
            $crate::methods::method! { $name ["($self, *", stringify!($keyword), ")"] [$($doc)*] fastcall_cfunction_with_keywords function }
        };
    )*};
}
pub(crate) use sized_methods;
