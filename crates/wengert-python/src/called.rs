//! How layers are called.

use crate::methods::{Given, calm, finish, text};
use pyo3::exceptions::PySystemError;
use pyo3::ffi::{self, PyMethodDef, PyMethodDefPointer, PyObject};
use pyo3::intern;
use pyo3::prelude::*;
use std::ptr::{addr_of_mut, null_mut};

/// `Module.__call__`: `layer(x)` is `layer.forward(x)`, or goes by the layer's hooks where there are any. Written in Python it
/// would be one more frame for each layer of each forward pass.
unsafe extern "C" fn call(
    layer: *mut PyObject,
    args: *const *mut PyObject,
    n: isize,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter calls with its lock held, an object, and the arguments of a call.
    let (py, slf, given) = unsafe {
        let py = Python::assume_attached();
        (py, Borrowed::from_ptr(py, layer), Given::new(py, args, n, names))
    };
    let result = calm(py, || {
        let hooked = slf.getattr(intern!(py, "_hooked"))?.is_truthy()?;
        let forward = intern!(py, "forward");
        if let ([x], true, false) = (given.args, names.is_null(), hooked) {
            // Mostly there is one argument, for which no tuple is needed.
            // SAFETY: three objects, and the null that ends the list; the result is a new reference or null.
            return unsafe {
                let y = ffi::PyObject_CallMethodObjArgs(
                    layer,
                    forward.as_ptr(),
                    x.as_ptr(),
                    null_mut::<PyObject>(),
                );
                Bound::from_owned_ptr_or_err(py, y)
            };
        }
        let (args, kwargs) = given.split()?;
        match hooked {
            true => slf.call_method1(intern!(py, "_call_with_hooks"), (args, kwargs)),
            false => slf.getattr(forward)?.call(args, Some(&kwargs)),
        }
    });
    finish(py, result.map(Bound::unbind))
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    static mut METHOD: PyMethodDef = PyMethodDef {
        ml_name: c"__call__".as_ptr(),
        ml_meth: PyMethodDefPointer {
            PyCFunctionFastWithKeywords: call,
        },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: text("__call__($self, /, *args, **kwargs)\n--\n\nThe result of `forward`, with what hooks make of it.\0").as_ptr(),
    };
    // SAFETY: the definition stays where it is and nobody changes it; any object will do for the method.
    let method = unsafe {
        let object = &raw mut ffi::PyBaseObject_Type;
        Bound::from_owned_ptr_or_opt(m.py(), ffi::PyDescr_NewMethod(object, addr_of_mut!(METHOD)))
    };
    let none = || PySystemError::new_err("no method could be made");
    m.add("_call_layer", method.ok_or_else(none)?)
}
