//! The objects of the class `wengert.Tensor`: how one is made and let go, and where a tensor lies in it.

use super::PyTensor;
use crate::held::Held;
use pyo3::PyTypeInfo;
use pyo3::exceptions::PySystemError;
use pyo3::ffi;
use pyo3::impl_::pyclass::{PyClassImpl, PyClassItems};
use pyo3::prelude::*;
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, Ordering};
use wengert::{DType, Tensor};

/// A new tensor on its way to Python.
pub(crate) struct Made(pub(crate) Tensor);

impl<'py> IntoPyObject<'py> for Made {
    type Target = PyTensor;
    type Output = Bound<'py, PyTensor>;
    type Error = PyErr;
    #[inline]
    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyTensor>> {
        object(py, self.0)
    }
}

/// Where a `PyTensor` lies in its Python object: behind the object's head. [`register`] compares.
const WITHIN: usize = size_of::<ffi::PyObject>();

/// The class `wengert.Tensor`, once it is there.
static CLASS: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(std::ptr::null_mut());

/// The tensor at an address.
///
/// # Safety
/// The object is a tensor, and alive for as long as the result is used.
#[inline]
pub(crate) unsafe fn at<'a>(object: *mut ffi::PyObject) -> &'a PyTensor {
    // SAFETY: as the caller promises; `register` has compared where the value lies.
    unsafe { &*object.byte_add(WITHIN).cast::<PyTensor>() }
}

/// The tensor that `obj` is, if it is one.
#[inline]
pub(crate) fn of<'a, 'py>(obj: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyTensor>> {
    // Mostly of the class itself, of which one comparison assures; subclasses are asked about.
    if std::ptr::eq(obj.get_type_ptr(), CLASS.load(Ordering::Relaxed)) {
        // SAFETY: an object of the class is what the cast says.
        return Some(unsafe { obj.cast_unchecked() });
    }
    obj.cast().ok()
}

/// A new object for `t`.
///
/// PyO3 makes objects by way of `object.__new__`, which in Python 3.11 and 3.12 gives each a dictionary at once. This
/// way it comes when someone asks for it, which hardly anyone does.
#[inline]
pub(crate) fn object(py: Python<'_>, t: Tensor) -> PyResult<Bound<'_, PyTensor>> {
    let class = CLASS.load(Ordering::Relaxed);
    // SAFETY: the class is ready and its instances have a fixed size. Behind the head stand no dictionary and no weak
    // references: new memory is zeroed, and `tp_free` gets objects that have lost them. The value is written before
    // anyone sees the object.
    unsafe {
        let spare = SPARE.with(Spare::pop);
        let object = if spare.is_null() {
            ffi::PyType_GenericAlloc(class, 0)
        } else {
            ffi::PyObject_Init(spare, class)
        };
        if object.is_null() {
            return Err(PyErr::fetch(py));
        }
        object.byte_add(WITHIN).cast::<PyTensor>().write(PyTensor::new(t));
        if !spare.is_null() {
            ffi::PyObject_GC_Track(object.cast());
        }
        Ok(Bound::from_owned_ptr(py, object).cast_into_unchecked())
    }
}

/// The memory of objects that are gone, for the next ones. The interpreter does the same for tuples and floats.
struct Spare {
    objects: [*mut ffi::PyObject; 128],
    len: usize,
}

// SAFETY: nobody uses what the pointers point to.
unsafe impl Send for Spare {}

static SPARE: Held<Spare> = Held::new(Spare {
    objects: [std::ptr::null_mut(); 128],
    len: 0,
});

impl Spare {
    /// One of them, or null.
    #[inline]
    fn pop(&mut self) -> *mut ffi::PyObject {
        let Some(len) = self.len.checked_sub(1) else {
            return std::ptr::null_mut();
        };
        self.len = len;
        self.objects[len]
    }

    /// Whether there was room.
    #[inline]
    fn push(&mut self, object: *mut ffi::PyObject) -> bool {
        match self.objects.get_mut(self.len) {
            Some(place) => {
                *place = object;
                self.len += 1;
                true
            }
            None => false,
        }
    }
}

/// Takes back the memory of an object of the class itself, of which the collector no longer knows.
unsafe extern "C" fn tp_free(object: *mut c_void) {
    // SAFETY: the interpreter frees objects with its lock held; nobody uses this one any more, and its head still says
    // of which class it was. What is not kept goes where `PyType_GenericAlloc` had it from.
    unsafe {
        let ours = std::ptr::eq(ffi::Py_TYPE(object.cast()), CLASS.load(Ordering::Relaxed));
        if !(ours && SPARE.with(|spare| spare.push(object.cast()))) {
            ffi::PyObject_GC_Del(object);
        }
    }
}

pyo3::inventory::submit! {
    type Inventory = <PyTensor as PyClassImpl>::Inventory;
    Inventory::new(PyClassItems {
        methods: &[],
        slots: &[ffi::PyType_Slot { slot: ffi::Py_tp_free, pfunc: tp_free as *mut _ }],
    })
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyTensor>()?;
    CLASS.store(PyTensor::type_object_raw(m.py()), Ordering::Relaxed);
    let t = Tensor::constant(wengert::Array::full([], 0.0, DType::F32));
    let object = Bound::new(m.py(), PyTensor::new(t))?;
    let (value, head) = (std::ptr::from_ref(object.get()).addr(), object.as_ptr().addr());
    if value - head != WITHIN {
        return Err(PySystemError::new_err("tensors lie elsewhere in their objects"));
    }
    Ok(())
}
