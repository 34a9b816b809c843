//! The engine's errors as Python exceptions.

use pyo3::exceptions::{
    PyIndexError, PyMemoryError, PyNotImplementedError, PyOSError, PyRuntimeError, PyValueError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use std::any::Any;
use wengert::{Error, ErrorKind};

/// The exception classes. PyTorch raises `RuntimeError` for nearly everything, so each is one; where Python has
/// a more fitting class, each is that too.
pub(crate) struct Exceptions {
    base: Py<PyType>,
    shape: Py<PyType>,
    dtype: Py<PyType>,
    index: Py<PyType>,
    value: Py<PyType>,
    linalg: Py<PyType>,
    graph: Py<PyType>,
    io: Py<PyType>,
    check: Py<PyType>,
    memory: Py<PyType>,
    internal: Py<PyType>,
}

static EXCEPTIONS: PyOnceLock<Exceptions> = PyOnceLock::new();

fn make(py: Python<'_>, name: &str, doc: &str, bases: &[&Bound<'_, PyType>]) -> PyResult<Py<PyType>> {
    let dict = PyDict::new(py);
    dict.set_item("__module__", "wengert")?;
    dict.set_item("__doc__", doc)?;
    let class = py
        .get_type::<PyType>()
        .call1((name, PyTuple::new(py, bases)?, dict))?;
    Ok(class.cast_into::<PyType>()?.unbind())
}

fn exceptions(py: Python<'_>) -> PyResult<&Exceptions> {
    EXCEPTIONS.get_or_try_init(py, || {
        let base = make(
            py,
            "Error",
            "What the engine raises.",
            &[&py.get_type::<PyRuntimeError>()],
        )?;
        let b = base.bind(py);
        Ok(Exceptions {
            shape: make(
                py,
                "ShapeError",
                "Shapes that do not fit each other or the operation.",
                &[b, &py.get_type::<PyValueError>()],
            )?,
            dtype: make(
                py,
                "DTypeError",
                "A dtype that the operation does not take.",
                // PyTorch says now the one, now the other.
                &[
                    b,
                    &py.get_type::<PyValueError>(),
                    &py.get_type::<PyNotImplementedError>(),
                ],
            )?,
            index: make(
                py,
                "AxisError",
                "An index or a dimension out of range.",
                &[b, &py.get_type::<PyIndexError>()],
            )?,
            value: make(
                py,
                "ArgumentError",
                "A value that makes no sense as this argument.",
                &[b, &py.get_type::<PyValueError>()],
            )?,
            linalg: make(
                py,
                "LinAlgError",
                "A matrix that has no such decomposition or inverse.",
                &[b],
            )?,
            graph: make(
                py,
                "GraphError",
                "The recorded graph cannot do what was asked.",
                &[b],
            )?,
            io: make(
                py,
                "FileError",
                "A file or its contents.",
                &[b, &py.get_type::<PyOSError>()],
            )?,
            check: make(
                py,
                "CheckError",
                "A result that is wrong: a gradient check that failed.",
                &[b],
            )?,
            memory: make(
                py,
                "OutOfMemoryError",
                "No memory for the result.",
                &[b, &py.get_type::<PyMemoryError>()],
            )?,
            internal: make(
                py,
                "InternalError",
                "A mistake in Wengert itself: please report it.",
                &[b],
            )?,
            base,
        })
    })
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let e = exceptions(m.py())?;
    for class in [
        &e.base,
        &e.shape,
        &e.dtype,
        &e.index,
        &e.value,
        &e.linalg,
        &e.graph,
        &e.io,
        &e.check,
        &e.memory,
        &e.internal,
    ] {
        let class = class.bind(m.py());
        m.add(class.name()?.extract::<String>()?.as_str(), class)?;
    }
    Ok(())
}

/// The exception for an error of the engine.
#[cold]
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let classes = match exceptions(py) {
        Ok(classes) => classes,
        Err(e) => return e,
    };
    let class = match error.kind() {
        ErrorKind::Shape => &classes.shape,
        ErrorKind::DType => &classes.dtype,
        ErrorKind::Index => &classes.index,
        ErrorKind::Value => &classes.value,
        ErrorKind::Linalg => &classes.linalg,
        ErrorKind::Graph => &classes.graph,
        ErrorKind::Io => &classes.io,
        ErrorKind::Check => &classes.check,
        ErrorKind::Memory => &classes.memory,
        _ => &classes.base,
    };
    // The engine's own last line names a line of Rust, which says nothing to a reader of Python.
    let text = error.to_string();
    let text: String = match (error.location(), text.rfind("\n  at ")) {
        (Some(_), Some(end)) => text[..end].to_string(),
        _ => text,
    };
    PyErr::from_type(class.bind(py).clone(), text + &applied_at(py))
}

/// Where the operation was applied whose backward found the trouble, if a backward pass was under way.
fn applied_at(py: Python<'_>) -> String {
    match crate::origin::text(py, wengert::autograd::host::failed_at()) {
        Some(place) => format!("\n  found by the backward pass of the operation applied at {place}"),
        None => String::new(),
    }
}

/// The exception for a panic: that for an error of the engine, the Python exception that was on its way, or a report of
/// our mistake.
#[cold]
pub(crate) fn from_panic(py: Python<'_>, panic: Box<dyn Any + Send>) -> PyErr {
    let panic = match panic.downcast::<Error>() {
        Ok(error) => return exception(py, &error),
        Err(panic) => panic,
    };
    let panic = match panic.downcast::<PyErr>() {
        Ok(error) => {
            let place = applied_at(py);
            let error = *error;
            if !place.is_empty() {
                // The exception is the user's own: it keeps its text and gets a note.
                let _ = error.value(py).call_method1("add_note", (place.trim_start(),));
            }
            return error;
        }
        Err(panic) => panic,
    };
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_string(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a message".to_string(),
    };
    match exceptions(py) {
        Ok(classes) => PyErr::from_type(classes.internal.bind(py).clone(), text + &applied_at(py)),
        Err(e) => e,
    }
}

/// An exception of the class for bad values, where Python's side finds the mistake.
pub(crate) fn value_error(py: Python<'_>, op: &str, message: impl Into<String>) -> PyErr {
    exception(py, &Error::new(ErrorKind::Value, op, message))
}
