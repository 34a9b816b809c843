//! Numbers in and out: the buffer protocol, NumPy, DLPack.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use wengert::{Array, DType, Shape};
use wengert_array::with_element;

/// The dtype of a buffer's elements.
fn dtype_of(buffer: &PyUntypedBuffer) -> Option<DType> {
    let format = buffer.format().to_bytes();
    let code = match format {
        [b'<' | b'=' | b'@', code] | [code] => *code,
        _ => return None,
    };
    Some(match (code, buffer.item_size()) {
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

/// Whether tensors made of `obj` may share its memory.
pub(crate) fn is_foreign(_obj: &Bound<'_, PyAny>) -> bool {
    false
}

/// The array that `obj`, a NumPy array or another exporter of the buffer protocol, holds.
pub(crate) fn array_of(obj: &Bound<'_, PyAny>) -> PyResult<Array> {
    let buffer = PyUntypedBuffer::get(obj)?;
    let Some(dtype) = dtype_of(&buffer) else {
        return Err(PyTypeError::new_err(format!(
            "there is no dtype for elements of format {:?}",
            buffer.format()
        )));
    };
    let dims: Shape = buffer.shape().iter().copied().collect();
    let strides: Vec<isize> = buffer.strides().to_vec();
    let start = buffer.buf_ptr().cast::<u8>().cast_const();
    let array = with_element!(dtype, T => {
        let mut data: Vec<T> = Vec::with_capacity(dims.numel());
        // SAFETY: the buffer is held until it is released below, its elements are of `T`'s size and kind, and
        // shape and strides say where they lie.
        unsafe { read(start, &dims, &strides, &mut data) };
        Array::from_slice(&data, dims)
    });
    buffer.release(obj.py());
    Ok(array)
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

pub(crate) fn register(_m: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
