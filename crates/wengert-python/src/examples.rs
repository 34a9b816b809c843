//! Examples in the docstrings of functions.
//!
//! They stand in `examples.txt`: a name, lines as the interpreter shows them, and an empty line. A test runs each, and
//! asks for one of every function of the module.

use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::{CString, c_char};

static EXAMPLES: &str = include_str!("examples.txt");

/// Gives the module's functions their examples: each is put in place of one with the same body and a longer text.
pub(crate) fn attach(m: &Bound<'_, PyModule>) -> PyResult<()> {
    for block in EXAMPLES.split("\n\n") {
        let Some((name, example)) = block.split_once('\n') else {
            continue;
        };
        m.setattr(name, with_example(&m.getattr(name)?, example.trim_end())?)?;
    }
    Ok(())
}

fn with_example<'py>(function: &Bound<'py, PyAny>, example: &str) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    let text = |attribute| function.getattr(attribute)?.extract::<String>();
    let (name, doc) = (text("__name__")?, text("__doc__")?);
    // What stands before the dashes is the signature.
    let doc = format!(
        "{name}{}\n--\n\n{doc}\n\n{example}\n",
        text("__text_signature__")?
    );
    let raw = function.as_ptr();
    // SAFETY: the functions of this module are built-in ones, for whose parts these calls ask. The texts and the
    // definition live as long as the process, as those that PyO3 makes do; the new function holds the module.
    unsafe {
        let Some(body) = ffi::PyCFunction_GetFunction(raw) else {
            return Err(PyErr::fetch(py));
        };
        let definition = Box::new(ffi::PyMethodDef {
            ml_name: forever(name)?,
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: body },
            ml_flags: ffi::PyCFunction_GetFlags(raw),
            ml_doc: forever(doc)?,
        });
        let of = ffi::PyCFunction_GetSelf(raw);
        let module = function.getattr("__module__")?;
        let new = ffi::PyCFunction_NewEx(Box::into_raw(definition), of, module.as_ptr());
        Bound::from_owned_ptr_or_err(py, new)
    }
}

fn forever(text: String) -> PyResult<*const c_char> {
    Ok(CString::new(text)?.into_raw().cast_const())
}
