//! Numbers in and out without copying: the buffer protocol, NumPy, DLPack; and pickling.
//!
//! Tensors that come from outside share the memory of what they came from: writes there show here. A write here
//! copies first, as to any shared memory, and what tensors hand out is read-only: a recorded graph must not change
//! under a reader.

mod dlpack;

use self::dlpack::from_dlpack;
use crate::dtype::{self, PyDType};
use crate::give::Give;
use crate::guard::guard;
use crate::state::object;
use crate::tensor::PyTensor;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyBufferError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyMemoryView};
use std::ffi::{CStr, c_int, c_void};
use wengert::num_complex::{Complex32, Complex64};
use wengert::{Array, DType, Element, Error, ErrorKind, Shape, Tensor};
use wengert_array::with_element;

// ---- in: the buffer protocol ----

/// The dtype of a buffer's elements.
fn dtype_of(format: &[u8], width: usize) -> Option<DType> {
    // Two letters say that a number is complex.
    let format = match format {
        [b'<' | b'=' | b'@', rest @ ..] if rest.len() == 2 => rest,
        whole => whole,
    };
    let code = match format {
        b"Zf" => return Some(DType::C64),
        b"Zd" => return Some(DType::C128),
        [b'<' | b'=' | b'@', code] | [code] => *code,
        _ => return None,
    };
    Some(match (code, width) {
        (b'?', 1) => DType::Bool,
        (b'B' | b'c', 1) => DType::U8,
        (b'b', 1) => DType::I8,
        (b'h', 2) => DType::I16,
        (b'i' | b'l', 4) => DType::I32,
        (b'l' | b'q' | b'n', 8) => DType::I64,
        (b'e', 2) => DType::F16,
        (b'f', 4) => DType::F32,
        (b'd', 8) => DType::F64,
        _ => return None,
    })
}

/// Whether a tensor made of `obj` may share its memory.
pub(crate) fn is_foreign(obj: &Bound<'_, PyAny>) -> bool {
    // SAFETY: `obj` is an object; the call only looks at its type.
    unsafe { ffi::PyObject_CheckBuffer(obj.as_ptr()) == 1 }
}

/// The array that `obj`, a NumPy array or another exporter of the buffer protocol, holds, sharing its memory
/// where its elements lie as ours do.
pub(crate) fn array_of(obj: &Bound<'_, PyAny>) -> PyResult<Array> {
    if !is_foreign(obj) {
        return Err(PyTypeError::new_err("not an exporter of the buffer protocol"));
    }
    // The view keeps the memory, and can be let go by a thread that does not hold the interpreter's lock.
    let view = PyMemoryView::from(obj)?;
    let format: String = view.getattr("format")?.extract()?;
    let Some(dtype) = dtype_of(format.as_bytes(), view.getattr("itemsize")?.extract()?) else {
        return Err(PyTypeError::new_err(format!(
            "there is no dtype for elements of format {format:?}"
        )));
    };
    // A buffer without dimensions has no list of sizes, which the typed view asks for.
    if view.getattr("ndim")?.extract::<usize>()? == 0 {
        let bytes = view.call_method0("tobytes")?.cast_into::<PyBytes>()?;
        let first = bytes.as_bytes().as_ptr();
        // SAFETY: one element lies there, and `bytes` keeps it.
        return Ok(unsafe {
            shared(
                first,
                Shape::new(&[]),
                &[],
                dtype,
                Box::new(bytes.clone().unbind()),
            )
        });
    }
    let buffer = PyUntypedBuffer::get(&view)?;
    let dims: Shape = buffer.shape().iter().copied().collect();
    let strides: Vec<isize> = buffer.strides().to_vec();
    let first = buffer.buf_ptr().cast::<u8>().cast_const();
    buffer.release(obj.py());
    // SAFETY: `view` exports the memory that this describes for as long as it lives.
    Ok(unsafe { shared(first, dims, &strides, dtype, Box::new(view.unbind())) })
}

/// An array on foreign memory, or a copy where elements are not aligned or may not be what their type says.
///
/// # Safety
/// Elements of `dtype` lie where `first`, `dims` and `strides` (in bytes) say, readable until `owner` is dropped.
unsafe fn shared(
    first: *const u8,
    dims: Shape,
    strides: &[isize],
    dtype: DType,
    owner: Box<dyn Send + Sync>,
) -> Array {
    let width = dtype.size() as isize;
    let aligned = (first as isize) % width == 0 && strides.iter().all(|s| s % width == 0);
    if dtype == DType::Bool {
        // Another library's bool may be any byte; ours are 0 or 1.
        let mut bytes: Vec<u8> = Vec::with_capacity(dims.numel());
        // SAFETY: as the caller promises; a byte is a byte.
        unsafe { read(first, &dims, strides, &mut bytes) };
        let flags: Vec<bool> = bytes.iter().map(|b| *b != 0).collect();
        return Array::from_slice(&flags, dims);
    }
    if !aligned || dims.numel() == 0 {
        // SAFETY: as the caller promises; bools were dealt with.
        return unsafe {
            match dtype {
                DType::C64 => copied::<Complex32>(first, dims, strides),
                DType::C128 => copied::<Complex64>(first, dims, strides),
                real => with_element!(real, T => copied::<T>(first, dims, strides)),
            }
        };
    }
    let strides: Vec<isize> = strides.iter().map(|s| s / width).collect();
    // SAFETY: as the caller promises, and aligned.
    unsafe { Array::from_foreign(first, dims, &strides, dtype, owner) }
}

/// The elements copied.
///
/// # Safety
/// As for [`read`], and all are values of `T`.
unsafe fn copied<T: Element>(first: *const u8, dims: Shape, strides: &[isize]) -> Array {
    let mut data: Vec<T> = Vec::with_capacity(dims.numel());
    // SAFETY: as the caller promises.
    unsafe { read(first, &dims, strides, &mut data) };
    Array::from_slice(&data, dims)
}

/// Appends the elements in row-major order.
///
/// # Safety
/// `at` points to the first of elements that `dims` and `strides` (in bytes) describe, all readable.
unsafe fn read<T: Copy>(at: *const u8, dims: &[usize], strides: &[isize], out: &mut Vec<T>) {
    let Some((&n, dims)) = dims.split_first() else {
        // SAFETY: `at` points to an element; it need not be aligned.
        return out.push(unsafe { at.cast::<T>().read_unaligned() });
    };
    for i in 0..n as isize {
        // SAFETY: the i-th part along the first dimension lies there.
        unsafe { read(at.offset(i * strides[0]), dims, &strides[1..], out) };
    }
}

/// The bytes of `array` read as elements of another size: the last dimension has as many more of them, or fewer.
pub(crate) fn reread(py: Python<'_>, array: &Array, dtype: DType) -> PyResult<Array> {
    let (from, to) = (array.dtype().size(), dtype.size());
    let mut dims = array.shape().clone();
    let strides = array.layout().strides();
    let fits = match (dims.last(), strides.last()) {
        (Some(n), Some(1)) => n * from % to == 0,
        _ => false,
    };
    let bytes: Vec<isize> = strides.iter().map(|s| s * from as isize).collect();
    let outer = bytes.len().saturating_sub(1);
    if !fits || bytes[..outer].iter().any(|s| s % to as isize != 0) {
        let message = format!(
            "cannot read {} of shape {} as {dtype}",
            array.dtype(),
            array.shape()
        );
        let error = Error::new(ErrorKind::DType, "view", message)
            .note("elements of the last dimension must follow each other, and their bytes make whole elements of the other dtype");
        return Err(crate::errors::exception(py, &error));
    }
    let n = dims[outer] * from / to;
    dims = dims.with(outer, n);
    let mut bytes = bytes;
    bytes[outer] = to as isize;
    // SAFETY: the same bytes, which `array` keeps; every pattern of bits is a number.
    Ok(unsafe { shared(array.as_bytes_ptr(), dims, &bytes, dtype, Box::new(array.clone())) })
}

/// A tensor that shares the memory of a NumPy array.
#[pyfunction]
fn from_numpy(ndarray: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    array_of(ndarray)?.give(ndarray.py())
}

/// A one-dimensional tensor that shares the memory of `buffer`.
#[pyfunction]
#[pyo3(signature = (buffer, *, dtype, count = -1, offset = 0, requires_grad = false))]
fn frombuffer(
    buffer: &Bound<'_, PyAny>,
    dtype: dtype::DTypeArg,
    count: isize,
    offset: usize,
    requires_grad: bool,
) -> PyResult<Py<PyAny>> {
    let py = buffer.py();
    let view = PyMemoryView::from(buffer)?;
    let raw = PyUntypedBuffer::get(&view)?;
    if !raw.is_c_contiguous() {
        return Err(PyBufferError::new_err("frombuffer: the buffer has gaps"));
    }
    let width = dtype.0.size();
    let bytes = raw.len_bytes().saturating_sub(offset);
    let n = usize::try_from(count).unwrap_or(bytes / width);
    if n * width > bytes || (count < 0 && bytes % width != 0) {
        return Err(crate::errors::value_error(
            py,
            "frombuffer",
            format!("{bytes} bytes are not {n} elements of {}", dtype.0),
        ));
    }
    // SAFETY: `offset` lies within the buffer, or at its end where there are no elements.
    let first = unsafe {
        raw.buf_ptr()
            .cast::<u8>()
            .cast_const()
            .add(offset.min(raw.len_bytes()))
    };
    raw.release(py);
    // SAFETY: n elements of `width` bytes lie from there on, and `view` keeps them.
    let array = unsafe {
        shared(
            first,
            Shape::new(&[n]),
            &[width as isize],
            dtype.0,
            Box::new(view.unbind()),
        )
    };
    let t = Tensor::constant(array);
    if requires_grad {
        guard(py, 0, || t.requires_grad_(true))?;
    }
    t.give(py)
}

// ---- out: the buffer protocol and NumPy ----

/// What a `Py_buffer` that we filled points to.
struct Export {
    _array: Array,
    shape: Vec<isize>,
    strides: Vec<isize>,
}

fn format_of(dtype: DType) -> Option<&'static CStr> {
    Some(match dtype {
        DType::Bool => c"?",
        DType::U8 => c"B",
        DType::I8 => c"b",
        DType::I16 => c"h",
        DType::I32 => c"i",
        DType::I64 => c"q",
        DType::F16 => c"e",
        DType::F32 => c"f",
        DType::F64 => c"d",
        DType::C64 => c"Zf",
        DType::C128 => c"Zd",
        _ => return None,
    })
}

/// The elements, for `how` to hand on; or why not.
fn without_history(t: &PyTensor, how: &str, help: &str) -> Result<Array, String> {
    let t = t.get();
    if t.requires_grad() {
        return Err(format!(
            "{how}: this tensor requires a gradient, which would be lost\n  help: `{help}`"
        ));
    }
    Ok(t.array())
}

static ASARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn asarray(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    let f = ASARRAY.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("numpy")?.getattr("asarray")?.unbind())
    })?;
    Ok(f.bind(py))
}

#[pymethods]
impl PyTensor {
    /// # Safety
    /// Called by the interpreter with a `Py_buffer` to fill.
    unsafe fn __getbuffer__(slf: &Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if flags & ffi::PyBUF_WRITABLE != 0 {
            return Err(PyBufferError::new_err(
                "the memory of a tensor is read-only to others\n  help: copy it: `numpy.array(x)`",
            ));
        }
        let array = without_history(slf.get(), "buffer", ".detach()").map_err(PyBufferError::new_err)?;
        let Some(format) = format_of(array.dtype()) else {
            return Err(PyBufferError::new_err(format!(
                "there is no buffer format for {}\n  help: convert it first: `.float()`",
                array.dtype()
            )));
        };
        let strided = flags & ffi::PyBUF_STRIDES == ffi::PyBUF_STRIDES;
        let array = if strided { array } else { array.contiguous() };
        let width = array.dtype().size() as isize;
        let export = Box::new(Export {
            shape: array.shape().iter().map(|d| *d as isize).collect(),
            strides: array.layout().strides().iter().map(|s| s * width).collect(),
            _array: array.clone(),
        });
        // SAFETY: the interpreter gives a buffer to fill; `export` stays until `__releasebuffer__`, and holds the
        // elements and the lists that the fields point to.
        unsafe {
            (*view).buf = array.as_bytes_ptr().cast_mut().cast::<c_void>();
            (*view).len = array.numel() as isize * width;
            (*view).readonly = 1;
            (*view).itemsize = width;
            (*view).format = if flags & ffi::PyBUF_FORMAT != 0 {
                format.as_ptr().cast_mut()
            } else {
                std::ptr::null_mut()
            };
            (*view).ndim = array.rank() as c_int;
            (*view).shape = if flags & ffi::PyBUF_ND != 0 {
                export.shape.as_ptr().cast_mut()
            } else {
                std::ptr::null_mut()
            };
            (*view).strides = if strided {
                export.strides.as_ptr().cast_mut()
            } else {
                std::ptr::null_mut()
            };
            (*view).suboffsets = std::ptr::null_mut();
            (*view).internal = Box::into_raw(export).cast();
            (*view).obj = slf.clone().into_any().into_ptr();
        }
        Ok(())
    }

    /// # Safety
    /// Called by the interpreter with a `Py_buffer` that `__getbuffer__` filled.
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: `internal` is the box that `__getbuffer__` put there, and is released once.
        drop(unsafe { Box::from_raw((*view).internal.cast::<Export>()) });
    }

    /// As a NumPy array on the same memory, which is read-only; with `force`, also where a gradient is required.
    #[pyo3(signature = (*, force = false))]
    fn numpy<'py>(slf: &Bound<'py, Self>, force: bool) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if force {
            let plain = object(py, slf.get().get().detach())?;
            return asarray(py)?.call1((PyMemoryView::from(plain.as_any())?,));
        }
        without_history(slf.get(), "numpy", ".detach().numpy()").map_err(PyRuntimeError::new_err)?;
        asarray(py)?.call1((PyMemoryView::from(slf.as_any())?,))
    }

    #[pyo3(signature = (dtype = None, copy = None))]
    fn __array__<'py>(
        slf: &Bound<'py, Self>,
        dtype: Option<&Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let array = PyTensor::numpy(slf, false)?;
        let options = PyDict::new(py);
        if let Some(dtype) = dtype {
            options.set_item("dtype", dtype)?;
        }
        if copy == Some(true) {
            options.set_item("copy", true)?;
            return py
                .import("numpy")?
                .getattr("array")?
                .call((array,), Some(&options));
        }
        if let Some(copy) = copy {
            options.set_item("copy", copy)?;
        }
        asarray(py)?.call((array,), Some(&options))
    }

    /// Makes `numpy_array * tensor` a tensor.
    #[classattr]
    fn __array_priority__() -> i64 {
        1000
    }

    /// The functions of the Python array API standard, as far as they exist.
    #[pyo3(signature = (*, api_version = None))]
    fn __array_namespace__<'py>(
        slf: &Bound<'py, Self>,
        api_version: Option<&str>,
    ) -> PyResult<Bound<'py, PyModule>> {
        if let Some(version) = api_version
            && !["2021.12", "2022.12", "2023.12", "2024.12"].contains(&version)
        {
            return Err(PyValueError::new_err(format!(
                "there is no array API {version:?} here, but up to \"2024.12\""
            )));
        }
        slf.py().import("wengert.array_api")
    }

    /// On `device`: there is the CPU.
    #[pyo3(signature = (device, /, *, stream = None))]
    fn to_device(slf: Py<Self>, device: dtype::DeviceArg, stream: Option<Py<PyAny>>) -> Py<Self> {
        let (_, _) = (device, stream);
        slf
    }

    // ---- pickling ----

    fn __reduce_ex__<'py>(
        slf: &Bound<'py, Self>,
        protocol: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyAny>, Rebuild<'py>)> {
        let _ = protocol;
        let py = slf.py();
        let (t, turned) = slf.get().variable();
        if !t.is_leaf() {
            return Err(PyRuntimeError::new_err(
                "only leaves can be pickled: a copy of a result would have no history\n  help: pickle `x.detach()`",
            ));
        }
        let array = if turned {
            guard(py, 0, || t.detach().t())?.array()
        } else {
            t.array()
        };
        let array = array.contiguous();
        let n = array.numel() * array.dtype().size();
        // SAFETY: a contiguous array's elements follow each other from there on.
        let bytes = PyBytes::new(py, unsafe { std::slice::from_raw_parts(array.as_bytes_ptr(), n) });
        let rebuild = py.import("wengert._C")?.getattr("_rebuild_tensor")?;
        let dtype = dtype::object(py, array.dtype())?.clone_ref(py);
        Ok((rebuild, (bytes, array.shape().to_vec(), dtype, t.requires_grad())))
    }
}

type Rebuild<'py> = (Bound<'py, PyBytes>, Vec<usize>, Py<PyDType>, bool);

/// A tensor of these bytes.
#[pyfunction]
fn _rebuild_tensor(
    bytes: &Bound<'_, PyAny>,
    shape: Vec<usize>,
    dtype: &Bound<'_, PyDType>,
    requires_grad: bool,
) -> PyResult<Py<PyAny>> {
    let py = bytes.py();
    let flat = frombuffer(bytes, dtype::DTypeArg(dtype.get().0), -1, 0, false)?;
    let flat = flat.extract::<crate::args::TensorLike>(py)?.0;
    // A copy: the bytes belong to the pickle.
    let t = guard(py, flat.numel(), || {
        let array = wengert::kernels::copy(&flat.array());
        let t = Tensor::constant(array).reshape(Shape::new(&shape));
        if requires_grad { t.requires_grad_(true) } else { t }
    })?;
    t.give(py)
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    crate::macros::functions!(m, from_numpy, frombuffer, from_dlpack, _rebuild_tensor);
    Ok(())
}
