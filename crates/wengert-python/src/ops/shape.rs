//! Shapes and views; joining.

use crate::args::{SizeArg, TensorLike, TensorList, shape_of, varargs};
use crate::give::Give;
use crate::guard::guard;
use crate::macros::{functions, ops};
use crate::methods::{Given, calm, finish, method, sized, sized_methods};
use crate::state::{Made, object};
use crate::tensor::PyTensor;
use pyo3::exceptions::PyValueError;
use pyo3::ffi::{self, PyObject};
use pyo3::impl_::pyfunction::{PyFunctionDef, WrapPyFunctionArg};
use pyo3::impl_::pymethods::PyMethodDef;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use wengert::ops::{
    Sections,
    join::{Quick, cat_many},
};
use wengert::{DType, Shape, Tensor};

/// A number of elements, or a list of sizes.
fn split_of(x: &Tensor, sizes: &Bound<'_, PyAny>, dim: isize) -> PyResult<Py<PyAny>> {
    let sections = match sizes.extract::<isize>() {
        Ok(n) => match usize::try_from(n) {
            Ok(n) => Sections::Number(n),
            Err(_) => {
                return Err(PyValueError::new_err(format!(
                    "split: a size cannot be negative, as {n} is"
                )));
            }
        },
        Err(_) => Sections::List(sizes.extract::<Vec<isize>>()?),
    };
    guard(sizes.py(), 0, || x.split(sections, dim))?.give(sizes.py())
}

/// The same, in memory of our own where another library could write to it.
pub(crate) fn own(t: Tensor) -> Tensor {
    let array = t.array();
    if !array.is_foreign() {
        return t;
    }
    // Of a leaf with another value there is no history: a result has one.
    let t = if t.is_leaf() { t.reshape(t.shape()) } else { t };
    t.with_value(wengert::kernels::copy(&array))
}

ops! {
    /// The same elements in another shape of equal count; one size may be −1.
    fn flatten(input, start_dim: isize = 0, end_dim: isize = (-1)) => input.flatten(start_dim, end_dim);
    /// Dimensions `dim0` and `dim1` exchanged.
    fn transpose(input, dim0: isize, dim1: isize) => input.transpose(dim0, dim1);
    /// Dimensions `dim0` and `dim1` exchanged.
    fn swapaxes(input, axis0: isize, axis1: isize) => input.transpose(axis0, axis1);
    /// Dimensions `dim0` and `dim1` exchanged.
    fn swapdims(input, dim0: isize, dim1: isize) => input.transpose(dim0, dim1);
    /// A matrix with rows and columns exchanged.
    fn t(input) => input.t();
    /// Without the dimensions of size one, or without `dim` where its size is one.
    fn squeeze(input, dim: crate::args::Dims = None) => input.squeeze(crate::args::dims(dim));
    /// With a dimension of size one put in at `dim`.
    fn unsqueeze(input, dim: isize) => input.unsqueeze(dim);
    /// `length` elements from `start` on along `dim`.
    fn narrow(input, dim: isize, start: isize, length: usize) => {
        let start = if start < 0 { start + input.size(dim) as isize } else { start };
        input.narrow(dim, start.max(0) as usize, length)
    };
    /// The part at `index` along `dim`.
    fn select(input, dim: isize, index: isize) => input.select(dim, index);
    /// A copy with the same history.
    fn clone(input; memory_format: Option<MemoryFormat> = None) => {
        let _ = memory_format;
        own(input.reshape(input.shape()))
    };
    /// About equal parts, `chunks` of them at most, along `dim`.
    fn chunk(input, chunks: usize, dim: isize = 0) => input.chunk(chunks, dim);
    /// The parts along `dim`, one for each index.
    fn unbind(input, dim: isize = 0) => input.unbind(dim);
}

/// Methods that give the object itself another shape.
macro_rules! reshaping {
    ($($name:ident($x:ident $(, $arg:ident: $ty:ty $(= $default:tt)?)*) => $body:expr;)*) => {
        #[pymethods]
        impl PyTensor {
            $(
                /// The operation of the same name, in place.
                #[pyo3(signature = ($($arg $(= $default)?),*))]
                fn $name<'py>(slf: &Bound<'py, Self>, $($arg: $ty),*) -> PyResult<Bound<'py, Self>> {
                    slf.get().reshape_in_place(slf.py(), stringify!($name), move |$x: &Tensor| $body)?;
                    Ok(slf.clone())
                }
            )*
        }
    };
}

reshaping! {
    unsqueeze_(x, dim: isize) => x.unsqueeze(dim);
    squeeze_(x, dim: crate::args::Dims = None) => x.squeeze(crate::args::dims(dim));
    transpose_(x, dim0: isize, dim1: isize) => x.transpose(dim0, dim1);
    swapaxes_(x, axis0: isize, axis1: isize) => x.transpose(axis0, axis1);
    swapdims_(x, dim0: isize, dim1: isize) => x.transpose(dim0, dim1);
    t_(x) => x.t();
}

/// `memory_format=`, of which there is one.
pub(crate) struct MemoryFormat;
impl<'py> FromPyObject<'_, 'py> for MemoryFormat {
    type Error = PyErr;
    fn extract(_: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(MemoryFormat)
    }
}

/// The same elements in another shape of equal count; one size may be −1.
#[pyfunction]
fn reshape(py: Python<'_>, input: TensorLike, shape: crate::args::DimList) -> PyResult<Py<PyAny>> {
    guard(py, 0, || input.0.reshape(&shape.0))?.give(py)
}

/// The dimensions in a new order.
#[pyfunction]
fn permute(py: Python<'_>, input: TensorLike, dims: crate::args::DimList) -> PyResult<Py<PyAny>> {
    guard(py, 0, || input.0.permute(&dims.0))?.give(py)
}

/// In the reverse order along `dims`.
#[pyfunction]
fn flip(py: Python<'_>, input: TensorLike, dims: crate::args::DimList) -> PyResult<Py<PyAny>> {
    guard(py, 0, || input.0.flip(dims.0))?.give(py)
}

/// `cat`, however it is called.
#[pyfunction]
#[pyo3(name = "cat", signature = (tensors, dim = 0, *, out = None))]
fn any_cat(
    py: Python<'_>,
    tensors: &Bound<'_, PyAny>,
    dim: isize,
    out: Option<crate::args::NoOut>,
) -> PyResult<Py<PyAny>> {
    let _ = out;
    cat_of(py, tensors, dim)
}

/// `cat` as programs call it: to read arguments of any kind takes as long as to join two short tensors.
static CAT: PyFunctionDef = {
    unsafe extern "C" fn cat(
        _: *mut PyObject,
        args: *const *mut PyObject,
        n: isize,
        names: *mut PyObject,
    ) -> *mut PyObject {
        // SAFETY: the interpreter calls functions with its lock held.
        let (py, given) = unsafe {
            let py = Python::assume_attached();
            (py, Given::new(py, args, n, names))
        };
        let plain = match given.args {
            [tensors] if n == 1 => Some((tensors, 0)),
            [tensors, dim] if n == 2 || given.last_is("dim") => dim.extract().ok().map(|dim| (tensors, dim)),
            _ => None,
        };
        let made = match plain {
            Some((tensors, dim)) => calm(py, || cat_of(py, tensors, dim)),
            None => calm(py, || {
                let (args, kwargs) = given.split()?;
                Ok(wrap_pyfunction!(any_cat, py)?.call(args, Some(&kwargs))?.unbind())
            }),
        };
        finish(py, made)
    }
    PyFunctionDef::from_method_def(PyMethodDef::fastcall_cfunction_with_keywords(
        c"cat",
        cat,
        c"cat(tensors, dim=0, *, out=None)\n--\n\nThe tensors end to end along `dim`.",
    ))
};

fn cat_of(py: Python<'_>, tensors: &Bound<'_, PyAny>, dim: isize) -> PyResult<Py<PyAny>> {
    if dim == 0
        && let Some(joined) = quickly(tensors)
    {
        return joined.give(py);
    }
    let tensors: TensorList = tensors.extract()?;
    let work = tensors.0.iter().map(Tensor::numel).sum();
    guard(py, work, || cat_many(tensors.refs(), dim))?.give(py)
}

/// The tensors of a list or tuple end to end along the first dimension, where they are few, short and not recorded.
fn quickly(tensors: &Bound<'_, PyAny>) -> Option<Tensor> {
    type Item = unsafe extern "C" fn(*mut PyObject, isize) -> *mut PyObject;
    let (len, item): (_, Item) = if let Ok(list) = tensors.cast_exact::<PyList>() {
        (list.len(), ffi::PyList_GetItem)
    } else if let Ok(tuple) = tensors.cast_exact::<PyTuple>() {
        (tuple.len(), ffi::PyTuple_GetItem)
    } else {
        return None;
    };
    let mut all = Quick::new()?;
    for i in 0..len {
        // SAFETY: `tensors` is what `item` is for, has so many items, and keeps them while the lock is held and no Python
        // code runs, as none does in here.
        let item = unsafe { Borrowed::from_ptr_or_opt(tensors.py(), item(tensors.as_ptr(), i as isize))? };
        if !crate::state::of(&item)?
            .get()
            .look(tensors.py(), |t| all.add(t))
            .ok()?
        {
            return None;
        }
    }
    all.tensor()
}

/// Tensors of one shape, side by side along a new dimension `dim`.
#[pyfunction]
#[pyo3(signature = (tensors, dim = 0, *, out = None))]
fn stack(
    py: Python<'_>,
    tensors: TensorList,
    dim: isize,
    out: Option<crate::args::NoOut>,
) -> PyResult<Py<PyAny>> {
    let _ = out;
    let work = tensors.0.iter().map(Tensor::numel).sum();
    guard(py, work, || wengert::stack(&tensors.refs(), dim))?.give(py)
}

/// Parts along `dim`: of a given size (the last may be smaller), or of given sizes.
#[pyfunction]
#[pyo3(signature = (tensor, split_size_or_sections, dim = 0))]
fn split(tensor: TensorLike, split_size_or_sections: &Bound<'_, PyAny>, dim: isize) -> PyResult<Py<PyAny>> {
    split_of(&tensor.0, split_size_or_sections, dim)
}

sized_methods! {
    /// The same elements in another shape of equal count; one size may be −1.
    reshape(shape) => |x, sizes| x.reshape(sizes);
    /// The dimensions in a new order.
    permute(dims) => |x, dims| x.permute(dims);
    /// Repeated along dimensions of size one and new leading ones, without taking memory.
    expand(size) => |x, sizes| x.expand(sizes);
    /// In the reverse order along `dims`.
    flip(dims) => |x, dims| x.flip(dims.into_vec());
}

const _: () = {
    unsafe extern "C" fn view(
        slf: *mut PyObject,
        args: *const *mut PyObject,
        n: isize,
        names: *mut PyObject,
    ) -> *mut PyObject {
        // SAFETY: the interpreter calls methods with its lock held and a tensor to be called on.
        let (py, x, given) = unsafe {
            let py = Python::assume_attached();
            (py, crate::state::at(slf), Given::new(py, args, n, names))
        };
        let dtype = match given.args {
            [one] if n == 1 => one.cast::<crate::dtype::PyDType>().ok().map(|d| Ok(d.get().0)),
            _ => given
                .named("dtype")
                .map(|d| d.extract::<crate::dtype::DTypeArg>().map(|d| d.0)),
        };
        match dtype {
            Some(dtype) => finish(py, dtype.and_then(|dtype| reread(py, &x.get(), dtype))),
            // SAFETY: as above.
            None => unsafe { sized(slf, args, n, names, "size", |x, sizes| x.view(sizes)) },
        }
    }
    method! {
        view ["($self, *size, dtype=None)"] [
            " The same elements in another shape of equal count; one size may be −1. Given a dtype, the same bytes read as"
            " elements of that."
        ] fastcall_cfunction_with_keywords view
    }
};

/// The bytes of `x` as elements of `dtype`.
fn reread(py: Python<'_>, x: &Tensor, dtype: DType) -> PyResult<Py<PyAny>> {
    let array = x.array();
    if dtype.size() == array.dtype().size() || dtype == DType::Bool {
        return guard(py, 0, || x.view_dtype(dtype))?.give(py);
    }
    crate::interop::reread(py, &array, dtype)?.give(py)
}

#[pymethods]
impl PyTensor {
    /// In the shape of `other`.
    fn view_as(&self, py: Python<'_>, other: TensorLike) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, 0, || x.reshape(other.0.shape()))?.give(py)
    }
    /// In the shape of `other`.
    fn reshape_as(&self, py: Python<'_>, other: TensorLike) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, 0, || x.reshape(other.0.shape()))?.give(py)
    }
    /// Expanded to the shape of `other`.
    fn expand_as(&self, py: Python<'_>, other: TensorLike) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, 0, || x.expand(other.0.shape()))?.give(py)
    }
    /// Row-major without gaps: itself where it is so, else a copy.
    #[pyo3(signature = (memory_format = None))]
    fn contiguous<'py>(
        slf: &Bound<'py, Self>,
        memory_format: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = memory_format;
        let x = slf.get().get();
        if x.is_contiguous() {
            return Ok(slf.clone().into_any());
        }
        let y = guard(slf.py(), x.numel(), || x.contiguous())?;
        Ok(object(slf.py(), y)?.into_any())
    }
    /// Parts along `dim`: of a given size (the last may be smaller), or of given sizes.
    #[pyo3(signature = (split_size, dim = 0))]
    fn split(&self, split_size: &Bound<'_, PyAny>, dim: isize) -> PyResult<Py<PyAny>> {
        split_of(&self.get(), split_size, dim)
    }
    /// Zeros in the tensor's dtype.
    #[pyo3(signature = (*size, dtype = None, device = None, requires_grad = false))]
    fn new_zeros(
        &self,
        size: &Bound<'_, PyTuple>,
        dtype: crate::args::Dtype,
        device: Option<crate::dtype::DeviceArg>,
        requires_grad: bool,
    ) -> PyResult<Made> {
        let _ = device;
        self.new_full_of(
            size.py(),
            shape_of(&varargs(size)?, "new_zeros")?,
            0.0,
            dtype,
            requires_grad,
        )
    }
    /// Ones in the tensor's dtype.
    #[pyo3(signature = (*size, dtype = None, device = None, requires_grad = false))]
    fn new_ones(
        &self,
        size: &Bound<'_, PyTuple>,
        dtype: crate::args::Dtype,
        device: Option<crate::dtype::DeviceArg>,
        requires_grad: bool,
    ) -> PyResult<Made> {
        let _ = device;
        self.new_full_of(
            size.py(),
            shape_of(&varargs(size)?, "new_ones")?,
            1.0,
            dtype,
            requires_grad,
        )
    }
    /// Elements of no particular value, in the tensor's dtype.
    #[pyo3(signature = (*size, dtype = None, device = None, requires_grad = false))]
    fn new_empty(
        &self,
        size: &Bound<'_, PyTuple>,
        dtype: crate::args::Dtype,
        device: Option<crate::dtype::DeviceArg>,
        requires_grad: bool,
    ) -> PyResult<Made> {
        let _ = device;
        self.new_full_of(
            size.py(),
            shape_of(&varargs(size)?, "new_empty")?,
            0.0,
            dtype,
            requires_grad,
        )
    }
    /// `fill_value` everywhere, in the tensor's dtype.
    #[pyo3(signature = (size, fill_value, *, dtype = None, device = None, requires_grad = false))]
    fn new_full(
        &self,
        py: Python<'_>,
        size: SizeArg,
        fill_value: crate::args::Operand,
        dtype: crate::args::Dtype,
        device: Option<crate::dtype::DeviceArg>,
        requires_grad: bool,
    ) -> PyResult<Made> {
        let _ = device;
        let fill_value = match fill_value {
            crate::args::Operand::Number(n) => n.f64(),
            other => {
                let dtype = dtype.map_or(self.get().dtype(), |d| d.0);
                return Ok(Made(crate::create::filled_as(
                    py,
                    size.0,
                    &other,
                    dtype,
                    requires_grad,
                )?));
            }
        };
        self.new_full_of(py, size.0, fill_value, dtype, requires_grad)
    }
    /// This data in the tensor's dtype.
    #[pyo3(signature = (data, *, dtype = None, device = None, requires_grad = false))]
    fn new_tensor(
        &self,
        py: Python<'_>,
        data: TensorLike,
        dtype: crate::args::Dtype,
        device: Option<crate::dtype::DeviceArg>,
        requires_grad: bool,
    ) -> PyResult<Made> {
        let _ = device;
        let dtype = dtype.map_or(self.get().dtype(), |d| d.0);
        let t = guard(py, 0, || data.0.detach().to(dtype).requires_grad_(requires_grad))?;
        Ok(Made(t))
    }
}

impl PyTensor {
    fn new_full_of(
        &self,
        py: Python<'_>,
        shape: Shape,
        value: f64,
        dtype: crate::args::Dtype,
        requires_grad: bool,
    ) -> PyResult<Made> {
        let dtype = dtype.map_or(self.get().dtype(), |d| d.0);
        let t = guard(py, 0, || {
            Tensor::full_as(shape, value, dtype).requires_grad_(requires_grad)
        })?;
        Ok(Made(t))
    }
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    functions!(m, reshape, permute, flip, stack, split);
    let cat = m.wrap_pyfunction(&CAT)?;
    m.add("cat", &cat)?;
    m.add("concat", &cat)?;
    m.add("concatenate", cat)
}
