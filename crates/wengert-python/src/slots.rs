//! Operators that every program uses all the time, filled into the class by hand.
//!
//! What PyO3 makes of a `#[pymethods]` operator counts attachments, looks for the class twice and asks a list of
//! possible conversions: together half of what the binding costs. These do the same in the usual case, two tensors
//! or a tensor and a number, and hand what is not usual to the same conversions.

use crate::args::{Number, Operand};
use crate::guard::guard;
use crate::methods::calm;
use crate::ops::elementwise::{ONE, add_, compared, div_, mul_, sub_};
use crate::ops::index::part_of;
use crate::state::{self, Lent, object};
use crate::tensor::PyTensor;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject};
use pyo3::impl_::pyclass::{PyClassImpl, PyClassItems};
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::{PyFloat, PyInt};
use std::ffi::c_int;
use wengert::Tensor;

/// The other side of an operator, if it can be one.
#[inline]
fn operand<'a>(obj: &'a Bound<'_, PyAny>) -> Option<PyResult<Lent<'a, Operand>>> {
    if let Some(t) = state::of(obj) {
        return Some(t.get().lend(obj.py()).map(|t| t.map(Operand::Tensor)));
    }
    let number = if let Ok(f) = obj.cast_exact::<PyFloat>() {
        Operand::Number(Number::Float(f.value()))
    } else if obj.is_exact_instance_of::<PyInt>()
        && let Ok(i) = obj.extract::<i64>()
    {
        Operand::Number(Number::Int(i))
    } else {
        calm(obj.py(), || obj.extract::<Operand>()).ok()?
    };
    Some(Ok(Lent::own(number)))
}

/// `f` of the tensor and the other side, as the interpreter wants it.
#[inline]
fn finish(
    py: Python<'_>,
    x: &PyTensor,
    y: PyResult<Lent<'_, Operand>>,
    f: impl FnOnce(&Tensor, &Operand) -> Tensor + Send,
) -> *mut PyObject {
    let made = y.and_then(|y| {
        let x = x.lend(py)?;
        guard(py, x.numel(), || f(&x, &y))
    });
    raw(py, made.and_then(|y| object(py, y)))
}

#[inline]
fn raw(py: Python<'_>, made: PyResult<Bound<'_, PyTensor>>) -> *mut PyObject {
    match made {
        Ok(made) => made.into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

fn not_implemented(py: Python<'_>) -> *mut PyObject {
    py.NotImplemented().into_ptr()
}

/// An operator, of which the tensor may be either side.
///
/// # Safety
/// The interpreter's lock is held, and `a` and `b` are objects.
#[inline(always)]
unsafe fn binary(
    a: *mut PyObject,
    b: *mut PyObject,
    f: impl FnOnce(&Tensor, &Operand) -> Tensor + Send,
    reflected: impl FnOnce(&Tensor, &Operand) -> Tensor + Send,
) -> *mut PyObject {
    // SAFETY: as the caller promises.
    let (py, a, b) = unsafe {
        let py = Python::assume_attached();
        (py, Borrowed::from_ptr(py, a), Borrowed::from_ptr(py, b))
    };
    if let Some(x) = state::of(&a)
        && let Some(y) = operand(&b)
    {
        return finish(py, x.get(), y, f);
    }
    if let Some(x) = state::of(&b)
        && let Some(y) = operand(&a)
    {
        return finish(py, x.get(), y, reflected);
    }
    not_implemented(py)
}

macro_rules! binaries {
    ($($name:ident: $f:expr, $reflected:expr;)*) => {
        $(
            unsafe extern "C" fn $name(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
                // SAFETY: the interpreter calls a slot with its lock held and two objects.
                unsafe { binary(a, b, $f, $reflected) }
            }
        )*
    };
}

binaries! {
    nb_add: |x, y| add_(x, y, ONE), |x, y| add_(x, y, ONE);
    nb_subtract: |x, y| sub_(x, y, ONE), |x, y| match y {
        Operand::Number(n) => n.f64() - n.ready(x),
        y => y.tensor(x) - x,
    };
    nb_multiply: mul_, mul_;
    nb_true_divide: div_, |x, y| match y {
        Operand::Number(n) => n.f64() / n.ready(x),
        y => y.tensor(x) / x,
    };
    nb_matrix_multiply: |x, y| x.matmul(y.seen(x, &mut None)), |x, y| y.tensor(x).matmul(x);
}

unsafe extern "C" fn tp_richcompare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: the interpreter calls a slot with its lock held, and `a` is a tensor.
    let (py, a, b) = unsafe {
        let py = Python::assume_attached();
        (py, Borrowed::from_ptr(py, a), Borrowed::from_ptr(py, b))
    };
    let (Some(x), Some(y), Some(op)) = (state::of(&a), operand(&b), CompareOp::from_raw(op)) else {
        return not_implemented(py);
    };
    finish(py, x.get(), y, |x, y| compared(x, y, op))
}

unsafe extern "C" fn mp_subscript(x: *mut PyObject, index: *mut PyObject) -> *mut PyObject {
    // SAFETY: the interpreter calls a slot with its lock held, and `x` is a tensor.
    let (py, x, index) = unsafe {
        let py = Python::assume_attached();
        (py, Borrowed::from_ptr(py, x), Borrowed::from_ptr(py, index))
    };
    let made = calm(py, || match state::of(&x) {
        Some(x) => object(py, part_of(x.get(), &index)?),
        None => Err(PyTypeError::new_err("only a tensor has such parts")),
    });
    raw(py, made)
}

unsafe extern "C" fn nb_float(x: *mut PyObject) -> *mut PyObject {
    // SAFETY: the interpreter calls a slot with its lock held, and `x` is a tensor.
    let (py, x) = unsafe { (Python::assume_attached(), state::at(x)) };
    match calm(py, || x.real_number(py)) {
        Ok(value) => PyFloat::new(py, value).into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

pyo3::inventory::submit! {
    type Inventory = <PyTensor as PyClassImpl>::Inventory;
    Inventory::new(PyClassItems {
        methods: &[],
        slots: &[
            ffi::PyType_Slot { slot: ffi::Py_nb_add, pfunc: nb_add as *mut _ },
            ffi::PyType_Slot { slot: ffi::Py_nb_subtract, pfunc: nb_subtract as *mut _ },
            ffi::PyType_Slot { slot: ffi::Py_nb_multiply, pfunc: nb_multiply as *mut _ },
            ffi::PyType_Slot { slot: ffi::Py_nb_true_divide, pfunc: nb_true_divide as *mut _ },
            ffi::PyType_Slot { slot: ffi::Py_nb_matrix_multiply, pfunc: nb_matrix_multiply as *mut _ },
            ffi::PyType_Slot { slot: ffi::Py_nb_float, pfunc: nb_float as *mut _ },
            ffi::PyType_Slot { slot: ffi::Py_tp_richcompare, pfunc: tp_richcompare as *mut _ },
            ffi::PyType_Slot { slot: ffi::Py_mp_subscript, pfunc: mp_subscript as *mut _ },
        ],
    })
}
