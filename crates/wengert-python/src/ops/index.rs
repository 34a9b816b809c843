//! `x[…]` and `x[…] = v`; gathering and scattering by tensors of indices; masks.

use crate::args::{Number, Operand, TensorLike, as_tensor};
use crate::give::Give;
use crate::guard::guard;
use crate::macros::{Settle, functions, ops};
use crate::tensor::PyTensor;
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyEllipsis, PyInt, PyList, PySlice, PyTuple};
use wengert::ops::ScatterMode;
use wengert::ops::index::Parts;
use wengert::{DType, Index, Result, Tensor};

fn part(obj: &Bound<'_, PyAny>) -> PyResult<Index> {
    if obj.is_exact_instance_of::<PyInt>() {
        return obj.extract().map(Index::At);
    }
    if obj.is_none() {
        return Ok(Index::New);
    }
    if obj.cast::<PyEllipsis>().is_ok() {
        return Ok(Index::Ellipsis);
    }
    if let Ok(b) = obj.cast::<PyBool>() {
        return Ok(Index::Whether(b.is_true()));
    }
    if let Ok(slice) = obj.cast::<PySlice>() {
        return range(slice);
    }
    if let Some(t) = as_tensor(obj) {
        return list(t);
    }
    if let Ok(i) = obj.extract::<isize>() {
        return Ok(Index::At(i));
    }
    match crate::create::from_python(obj, None) {
        // An empty list picks nothing; its dtype is not that of an index only because it has no elements.
        Ok(t) if t.numel() == 0 => list(t.to(DType::I64)),
        Ok(t) => list(t),
        Err(_) => Err(PyTypeError::new_err(format!(
            "an index is an integer, a slice, None, ..., a list or a tensor, and not a {}",
            obj.get_type().name()?
        ))),
    }
}

fn range(slice: &Bound<'_, PySlice>) -> PyResult<Index> {
    let (mut start, mut stop, mut step) = (0, 0, 0);
    // SAFETY: it is a slice, and the three numbers are there to be written.
    let done = unsafe { ffi::PySlice_Unpack(slice.as_ptr(), &mut start, &mut stop, &mut step) };
    if done < 0 {
        return Err(PyErr::fetch(slice.py()));
    }
    // What was left out comes as the farthest there is.
    let given = |end: &isize| !matches!(*end, isize::MIN | isize::MAX);
    Ok(Index::Range(
        Some(start).filter(|s| given(s) && (step < 0 || *s != 0)),
        Some(stop).filter(given),
        step,
    ))
}

fn list(t: Tensor) -> PyResult<Index> {
    match t.dtype() {
        d if d.is_float() => Err(PyIndexError::new_err(format!(
            "tensors used as indices hold integers or bools, and not {d}"
        ))),
        _ => Ok(Index::List(t.detach())),
    }
}

fn parts(index: &Bound<'_, PyAny>) -> PyResult<Parts> {
    match index.cast::<PyTuple>() {
        Ok(tuple) => tuple.iter().map(|i| part(&i)).collect(),
        Err(_) => Ok(Parts::from_iter([part(index)?])),
    }
}

/// `x[index]`.
pub(crate) fn part_of(x: &PyTensor, index: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    let parts = parts(index)?;
    let x = x.lend(index.py())?;
    guard(index.py(), 0, || x.index(parts))
}

/// A value that is written into `x`: a number takes its dtype.
fn value_for(value: &Operand, x: &Tensor) -> Tensor {
    match value {
        Operand::Tensor(t) => t.clone(),
        Operand::Number(n) => n.tensor(x.dtype()),
        Operand::Complex(_) => value.tensor(x),
    }
}

#[pymethods]
impl PyTensor {
    fn __setitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>, value: Operand) -> PyResult<()> {
        let parts = parts(index)?;
        let value = value_for(&value, &self.get());
        if let Some(leaf) = self.plain_leaf(&value) {
            return guard(py, value.numel(), || drop(leaf.index_put_(parts, &value, false)));
        }
        self.assign(py, "setitem", move |x| x.index_put(parts, &value, false))
    }
}

/// The indices of `index_put`: tensors, or `None` for a whole dimension.
struct Lists(Vec<Index>);

impl<'py> FromPyObject<'_, 'py> for Lists {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let item = |i: Bound<'py, PyAny>| match i.is_none() {
            true => Ok(Index::Range(None, None, 1)),
            false => part(&i),
        };
        if obj.cast::<PyTuple>().is_err() && obj.cast::<PyList>().is_err() {
            return Err(PyTypeError::new_err("expected a tuple of tensors"));
        }
        obj.try_iter()?
            .map(|i| item(i?))
            .collect::<PyResult<_>>()
            .map(Lists)
    }
}

/// Numbers that are not negative.
struct Places(Vec<usize>);

impl<'py> FromPyObject<'_, 'py> for Places {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        obj.extract::<Vec<usize>>().map(Places)
    }
}

fn mode(reduce: &str) -> Result<ScatterMode> {
    reduce.parse()
}

fn scatter_of(x: &Tensor, dim: isize, index: &Tensor, src: &Operand, reduce: Option<&str>) -> Result<Tensor> {
    let src = match src {
        Operand::Tensor(t) => t.clone(),
        Operand::Number(n) => n.tensor(x.dtype()).expand(index.shape()),
        Operand::Complex(_) => src.tensor(x).expand(index.shape()),
    };
    Ok(match reduce {
        None => x.scatter(dim, index, &src),
        Some(reduce) => x.scatter_reduce(dim, index, &src, mode(reduce)?, true),
    })
}

/// Several results, or one.
enum Found {
    Rows(Tensor),
    Lists(Vec<Tensor>),
}

impl Give for Found {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Found::Rows(t) => t.give(py),
            Found::Lists(list) => list.give(py),
        }
    }
}

ops! {
    /// The parts at `index`, a list of integers, along `dim`.
    fn index_select(input, dim: isize, index: TensorLike) => input.index_select(dim, &index.0);
    /// Element by element, what lies at `index` along `dim`.
    fn gather(input, dim: isize, index: TensorLike; sparse_grad: bool = false) => {
        let _ = sparse_grad;
        input.gather(dim, &index.0)
    };
    /// With `alpha` times the rows of `source` added to the rows at `index` along `dim`.
    fn index_add(input, dim: isize, index: TensorLike, source: TensorLike; alpha: f64 = 1.0) / index_add_ =>
        input.index_add(dim, &index.0, &source.0, alpha);
    /// With the rows at `index` along `dim` replaced by those of `source`.
    fn index_copy(input, dim: isize, index: TensorLike, source: TensorLike) / index_copy_ =>
        input.index_copy(dim, &index.0, &source.0);
    /// With all elements of the rows at `index` along `dim` replaced by `value`.
    fn index_fill(input, dim: isize, index: TensorLike, value: Operand) / index_fill_ =>
        input.index_fill(dim, &index.0, &value_for(&value, input));
    /// With the elements that the indices name replaced by `values`, or with them added.
    fn index_put(input, indices: Lists, values: TensorLike, accumulate: bool = false) / index_put_ =>
        input.index_put(indices.0, &values.0, accumulate);
    /// The elements at the places in `index`, counted in row-major order.
    fn take(input, index: TensorLike) => input.take(&index.0);
    /// As `gather`, where sizes but that of `dim` broadcast.
    fn take_along_dim(input, indices: TensorLike, dim: Option<isize> = None) => input.take_along_dim(&indices.0, dim);
    /// With the elements at the places in `index` replaced by those of `source`, or with those added.
    fn put(input, index: TensorLike, source: TensorLike, accumulate: bool = false) / put_ =>
        input.put(&index.0, &source.0, accumulate);
    /// With `src` added to the elements at `index` along `dim`.
    fn scatter_add(input, dim: isize, index: TensorLike, src: TensorLike) / scatter_add_ =>
        input.scatter_add(dim, &index.0, &src.0);
    /// With the elements at `index` along `dim` combined with `src`.
    fn scatter_reduce(input, dim: isize, index: TensorLike, src: TensorLike, reduce: String; include_self: bool = true) / scatter_reduce_ =>
        mode(&reduce).map(|m| input.scatter_reduce(dim, &index.0, &src.0, m, include_self));
    /// With the slices at `index`, a list, along `dim` combined with those of `source`.
    fn index_reduce(input, dim: isize, index: TensorLike, source: TensorLike, reduce: String; include_self: bool = true) / index_reduce_ =>
        mode(&reduce).map(|m| input.index_reduce(dim, &index.0, &source.0, m, include_self));
    /// The elements that sizes, strides and an offset name, counted in row-major order; a copy.
    fn as_strided(input, size: Places, stride: Places, storage_offset: Option<usize> = None)
        => input.as_strided(&size.0, &stride.0, storage_offset.unwrap_or(0));
    /// With the elements that `as_strided` takes replaced by those of `src`.
    fn as_strided_scatter(input, src: TensorLike, size: Places, stride: Places, storage_offset: Option<usize> = None)
        => input.as_strided_scatter(&src.0, &size.0, &stride.0, storage_offset.unwrap_or(0));
    /// `value` where the mask holds.
    fn masked_fill(input, mask: TensorLike, value: Operand) / masked_fill_ =>
        input.masked_fill(&mask.0, &value_for(&value, input));
    /// The elements where the mask holds.
    fn masked_select(input, mask: TensorLike) => input.masked_select(&mask.0);
    /// The elements of `source` one after the other where the mask holds.
    fn masked_scatter(input, mask: TensorLike, source: TensorLike) / masked_scatter_ =>
        input.masked_scatter(&mask.0, &source.0);
    /// The indices of the elements that are not zero, as rows, or as one list for each dimension.
    fn nonzero(input; as_tuple: bool = false) => match as_tuple {
        true => Found::Lists(input.nonzero_lists()),
        false => Found::Rows(input.nonzero()),
    };
    /// The indices of the elements that are not zero, as rows.
    fn argwhere(input) => input.argwhere();
}

/// `value` everywhere, in the shape and dtype of `input`.
#[pyfunction]
fn fill(py: Python<'_>, input: TensorLike, value: Operand) -> PyResult<Py<PyAny>> {
    guard(py, input.0.numel(), || input.0.fill(&value_for(&value, &input.0)))?.give(py)
}

/// What is scattered: `src`, or by its other name `value`.
fn source(src: Option<Operand>, value: Option<Number>) -> PyResult<Operand> {
    match (src, value) {
        (Some(src), None) => Ok(src),
        (None, Some(n)) => Ok(Operand::Number(n)),
        _ => Err(PyTypeError::new_err("scatter: either src or value is needed")),
    }
}

/// With `src`, values or a number, written to the elements at `index` along `dim`.
#[pyfunction]
#[pyo3(signature = (input, dim, index, src = None, *, value = None, reduce = None, out = None))]
fn scatter(
    py: Python<'_>,
    input: TensorLike,
    dim: isize,
    index: TensorLike,
    src: Option<Operand>,
    value: Option<Number>,
    reduce: Option<&str>,
    out: Option<crate::args::NoOut>,
) -> PyResult<Py<PyAny>> {
    let _ = out;
    let src = source(src, value)?;
    guard(py, input.0.numel(), || {
        scatter_of(&input.0, dim, &index.0, &src, reduce)
    })?
    .give(py)
}

#[pymethods]
impl PyTensor {
    /// With `src`, values or a number, written to the elements at `index` along `dim`.
    #[pyo3(signature = (dim, index, src = None, *, value = None, reduce = None))]
    fn scatter(
        &self,
        py: Python<'_>,
        dim: isize,
        index: TensorLike,
        src: Option<Operand>,
        value: Option<Number>,
        reduce: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        scatter(py, TensorLike(self.get()), dim, index, src, value, reduce, None)
    }
    /// The operation of the same name, in place.
    #[pyo3(signature = (dim, index, src = None, *, value = None, reduce = None))]
    fn scatter_<'py>(
        slf: &Bound<'py, Self>,
        dim: isize,
        index: TensorLike,
        src: Option<Operand>,
        value: Option<Number>,
        reduce: Option<String>,
    ) -> PyResult<Bound<'py, Self>> {
        let src = source(src, value)?;
        slf.get().assign(slf.py(), "scatter_", move |x| {
            scatter_of(x, dim, &index.0, &src, reduce.as_deref()).settle()
        })?;
        Ok(slf.clone())
    }
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    functions!(m, scatter, fill);
    Ok(())
}
