//! DLPack 1.0: tensors to other libraries and from them, in capsules.

use super::{shared, without_history};
use crate::args::as_tensor;
use crate::dtype::DeviceArg;
use crate::give::Give;
use crate::tensor::PyTensor;
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};
use std::ffi::{CStr, c_void};
use wengert::{Array, DType, Shape};

const CPU: i32 = 1;

#[repr(C)]
#[derive(Clone, Copy)]
struct Device {
    kind: i32,
    id: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct DataType {
    code: u8,
    bits: u8,
    lanes: u16,
}

#[repr(C)]
struct View {
    data: *mut c_void,
    device: Device,
    ndim: i32,
    dtype: DataType,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

#[repr(C)]
struct Managed {
    view: View,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Managed)>,
}

#[repr(C)]
struct Versioned {
    version: (u32, u32),
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Versioned)>,
    flags: u64,
    view: View,
}

const READ_ONLY: u64 = 1;
const COPIED: u64 = 2;
const OLD: &CStr = c"dltensor";
const OLD_USED: &CStr = c"used_dltensor";
const NEW: &CStr = c"dltensor_versioned";
const NEW_USED: &CStr = c"used_dltensor_versioned";

/// What an exported view points to.
struct Export {
    array: Array,
    shape: Vec<i64>,
    strides: Vec<i64>,
}

fn code(dtype: DType) -> DataType {
    let code = match dtype {
        DType::Bool => 6,
        DType::U8 => 1,
        DType::BF16 => 4,
        d if d.is_complex() => 5,
        d if d.is_float() => 2,
        _ => 0,
    };
    DataType {
        code,
        bits: 8 * dtype.size() as u8,
        lanes: 1,
    }
}

fn dtype_of(t: DataType) -> Option<DType> {
    Some(match (t.code, t.bits, t.lanes) {
        (6, 8, 1) => DType::Bool,
        (1, 8, 1) => DType::U8,
        (0, 8, 1) => DType::I8,
        (0, 16, 1) => DType::I16,
        (0, 32, 1) => DType::I32,
        (0, 64, 1) => DType::I64,
        (2, 16, 1) => DType::F16,
        (2, 32, 1) => DType::F32,
        (2, 64, 1) => DType::F64,
        (4, 16, 1) => DType::BF16,
        (5, 64, 1) => DType::C64,
        (5, 128, 1) => DType::C128,
        _ => return None,
    })
}

unsafe extern "C" fn drop_old(m: *mut Managed) {
    // SAFETY: both were leaked by `export`, and a consumer calls this once.
    unsafe {
        let m = Box::from_raw(m);
        drop(Box::from_raw(m.context.cast::<Export>()));
    }
}

unsafe extern "C" fn drop_new(m: *mut Versioned) {
    // SAFETY: as for `drop_old`.
    unsafe {
        let m = Box::from_raw(m);
        drop(Box::from_raw(m.context.cast::<Export>()));
    }
}

/// A capsule that nobody took: what it holds goes with it.
unsafe extern "C" fn drop_capsule(capsule: *mut ffi::PyObject) {
    // SAFETY: the interpreter passes the capsule; a name that is still ours means nobody took the pointer.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, OLD.as_ptr()) == 1 {
            drop_old(ffi::PyCapsule_GetPointer(capsule, OLD.as_ptr()).cast());
        } else if ffi::PyCapsule_IsValid(capsule, NEW.as_ptr()) == 1 {
            drop_new(ffi::PyCapsule_GetPointer(capsule, NEW.as_ptr()).cast());
        }
    }
}

fn export(py: Python<'_>, array: Array, versioned: bool, copied: bool) -> PyResult<Bound<'_, PyCapsule>> {
    let mut export = Box::new(Export {
        shape: array.shape().iter().map(|d| *d as i64).collect(),
        strides: array.layout().strides().iter().map(|s| *s as i64).collect(),
        array,
    });
    let view = View {
        data: export.array.as_bytes_ptr().cast_mut().cast(),
        device: Device { kind: CPU, id: 0 },
        ndim: export.array.rank() as i32,
        dtype: code(export.array.dtype()),
        shape: export.shape.as_mut_ptr(),
        strides: export.strides.as_mut_ptr(),
        byte_offset: 0,
    };
    let context = Box::into_raw(export).cast::<c_void>();
    let (pointer, name) = if versioned {
        let m = Box::new(Versioned {
            version: (1, 0),
            context,
            deleter: Some(drop_new),
            flags: if copied { COPIED } else { READ_ONLY },
            view,
        });
        (Box::into_raw(m).cast::<c_void>(), NEW)
    } else {
        let m = Box::new(Managed {
            view,
            context,
            deleter: Some(drop_old),
        });
        (Box::into_raw(m).cast::<c_void>(), OLD)
    };
    // SAFETY: the pointer is not null, the name lives forever, and the destructor fits both.
    unsafe {
        let capsule = ffi::PyCapsule_New(pointer, name.as_ptr(), Some(drop_capsule));
        Ok(Bound::from_owned_ptr_or_err(py, capsule)?.cast_into_unchecked())
    }
}

/// Another library's tensor: dropped, it tells its owner.
enum Owner {
    Old(*mut Managed),
    New(*mut Versioned),
}
// SAFETY: DLPack's deleters may be called from any thread, and nothing else of it is used here.
unsafe impl Send for Owner {}
// SAFETY: as for Send; a shared reference gives nothing to call.
unsafe impl Sync for Owner {}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: the pointer was taken out of its capsule, so this is its only deletion.
        unsafe {
            match *self {
                Owner::Old(m) => {
                    if let Some(f) = (*m).deleter {
                        f(m);
                    }
                }
                Owner::New(m) => {
                    if let Some(f) = (*m).deleter {
                        f(m);
                    }
                }
            }
        }
    }
}

fn import(capsule: &Bound<'_, PyAny>) -> PyResult<Array> {
    let raw = capsule.as_ptr();
    // SAFETY: names are checked before pointers are taken, and renaming the capsule makes the pointer ours.
    let (owner, view) = unsafe {
        if ffi::PyCapsule_IsValid(raw, NEW.as_ptr()) == 1 {
            let m = ffi::PyCapsule_GetPointer(raw, NEW.as_ptr()).cast::<Versioned>();
            if (*m).version.0 != 1 {
                return Err(PyBufferError::new_err(format!(
                    "DLPack {}.{} is newer than this build, which knows 1.x",
                    (*m).version.0,
                    (*m).version.1
                )));
            }
            ffi::PyCapsule_SetName(raw, NEW_USED.as_ptr());
            (Owner::New(m), &(*m).view)
        } else if ffi::PyCapsule_IsValid(raw, OLD.as_ptr()) == 1 {
            let m = ffi::PyCapsule_GetPointer(raw, OLD.as_ptr()).cast::<Managed>();
            ffi::PyCapsule_SetName(raw, OLD_USED.as_ptr());
            (Owner::Old(m), &(*m).view)
        } else {
            return Err(PyBufferError::new_err(
                "not a DLPack capsule, or one that was used already",
            ));
        }
    };
    if view.device.kind != CPU {
        return Err(PyBufferError::new_err(
            "the elements are on another device: move them to the CPU first",
        ));
    }
    let Some(dtype) = dtype_of(view.dtype) else {
        return Err(PyBufferError::new_err("there is no dtype for these elements"));
    };
    let rank = view.ndim as usize;
    // SAFETY: `shape` and, unless null, `strides` have `ndim` entries.
    let (dims, strides) = unsafe {
        let dims: Shape = (0..rank).map(|i| *view.shape.add(i) as usize).collect();
        let strides: Vec<isize> = if view.strides.is_null() {
            dims.strides().to_vec()
        } else {
            (0..rank).map(|i| *view.strides.add(i) as isize).collect()
        };
        (dims, strides)
    };
    let strides: Vec<isize> = strides.iter().map(|s| s * dtype.size() as isize).collect();
    // SAFETY: the elements lie there, and stay until the owner is told.
    unsafe {
        let first = view
            .data
            .cast::<u8>()
            .cast_const()
            .wrapping_add(view.byte_offset as usize);
        Ok(shared(first, dims, &strides, dtype, Box::new(owner)))
    }
}

#[pymethods]
impl PyTensor {
    /// As a DLPack capsule on the same memory, which is read-only.
    #[pyo3(signature = (*, stream = None, max_version = None, dl_device = None, copy = None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<&Bound<'py, PyAny>>,
        max_version: Option<(u32, u32)>,
        dl_device: Option<(i32, i32)>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        if stream.is_some() {
            return Err(PyBufferError::new_err("a CPU has no streams"));
        }
        if dl_device.is_some_and(|(kind, _)| kind != CPU) {
            return Err(PyBufferError::new_err("the elements are on the CPU"));
        }
        let array = without_history(self, "__dlpack__", ".detach()").map_err(PyBufferError::new_err)?;
        let array = if copy == Some(true) {
            wengert::kernels::copy(&array)
        } else {
            array
        };
        export(
            py,
            array,
            max_version.is_some_and(|(major, _)| major >= 1),
            copy == Some(true),
        )
    }

    /// Where the elements are, as DLPack counts devices.
    fn __dlpack_device__(&self) -> (i32, i32) {
        (CPU, 0)
    }
}

/// A tensor that shares the memory of another library's tensor, by DLPack.
#[pyfunction]
#[pyo3(signature = (ext_tensor, *, device = None, copy = None))]
pub(super) fn from_dlpack(
    ext_tensor: &Bound<'_, PyAny>,
    device: Option<DeviceArg>,
    copy: Option<bool>,
) -> PyResult<Py<PyAny>> {
    let _ = device;
    let py = ext_tensor.py();
    if let Some(t) = as_tensor(ext_tensor) {
        return t.detach().give(py);
    }
    let array = if ext_tensor.cast::<PyCapsule>().is_ok() {
        import(ext_tensor)?
    } else {
        let options = PyDict::new(py);
        options.set_item("max_version", (1u32, 0u32))?;
        let capsule = match ext_tensor.call_method("__dlpack__", (), Some(&options)) {
            // Exporters older than DLPack 1.0 do not know the argument.
            Err(e) if e.is_instance_of::<PyTypeError>(py) => ext_tensor.call_method0("__dlpack__")?,
            capsule => capsule?,
        };
        import(&capsule)?
    };
    let array = if copy == Some(true) {
        wengert::kernels::copy(&array)
    } else {
        array
    };
    array.give(py)
}
