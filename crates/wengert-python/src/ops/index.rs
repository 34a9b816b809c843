//! `x[…]` and `x[…] = v`, and picking by lists of indices.

use crate::args::{Operand, TensorLike, as_tensor};
use crate::errors::exception;
use crate::guard::guard;
use crate::macros::ops;
use crate::tensor::PyTensor;
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyEllipsis, PySlice, PyTuple};
use wengert::ops::shape::Permute;
use wengert::{Array, DType, Error, ErrorKind, Index, Op, Result, Shape, Tensor};

/// One part of an index as written in Python.
enum Part {
    Basic(Index),
    /// A mask: it takes as many dimensions as it has.
    Mask(Tensor),
}

fn part(obj: &Bound<'_, PyAny>) -> PyResult<Part> {
    if obj.is_none() {
        return Ok(Part::Basic(Index::New));
    }
    if obj.cast::<PyEllipsis>().is_ok() {
        return Ok(Part::Basic(Index::Ellipsis));
    }
    if obj.cast::<PySlice>().is_ok() {
        let end = |name: &str| -> PyResult<Option<isize>> {
            let v = obj.getattr(name)?;
            if v.is_none() {
                Ok(None)
            } else {
                Ok(Some(v.call_method0("__index__")?.extract()?))
            }
        };
        return Ok(Part::Basic(Index::Range(
            end("start")?,
            end("stop")?,
            end("step")?.unwrap_or(1),
        )));
    }
    if let Some(t) = as_tensor(obj) {
        return list(t);
    }
    if obj.cast::<PyBool>().is_err()
        && let Ok(i) = obj.extract::<isize>()
    {
        return Ok(Part::Basic(Index::At(i)));
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

fn list(t: Tensor) -> PyResult<Part> {
    match t.dtype() {
        DType::Bool => Ok(Part::Mask(t.detach())),
        d if d.is_integer() => Ok(Part::Basic(Index::List(t.detach()))),
        d => Err(PyIndexError::new_err(format!(
            "tensors used as indices hold integers or bools, and not {d}"
        ))),
    }
}

fn parts(index: &Bound<'_, PyAny>) -> PyResult<Vec<Part>> {
    match index.cast::<PyTuple>() {
        Ok(tuple) => tuple.iter().map(|i| part(&i)).collect(),
        Err(_) => Ok(vec![part(index)?]),
    }
}

/// The positions where a mask holds, as one list for each of its dimensions.
fn nonzero(mask: &Array) -> Vec<Tensor> {
    let rank = mask.rank();
    let shape = mask.shape().clone();
    let mut lists: Vec<Vec<i64>> = vec![Vec::new(); rank];
    for (at, _) in mask.to_vec::<bool>().iter().enumerate().filter(|(_, on)| **on) {
        let mut rest = at;
        for d in (0..rank).rev() {
            lists[d].push((rest % shape[d]) as i64);
            rest /= shape[d];
        }
    }
    lists
        .into_iter()
        .map(|l| Tensor::constant(Array::from_slice(&l, [l.len()])))
        .collect()
}

fn error(message: String) -> Error {
    Error::new(ErrorKind::Index, "index", message)
}

/// Masks replaced by lists, the ellipsis by whole dimensions.
fn resolve(parts: Vec<Part>, shape: &Shape) -> Result<Vec<Index>> {
    let taken: usize = parts
        .iter()
        .map(|p| match p {
            Part::Basic(Index::New | Index::Ellipsis) => 0,
            Part::Basic(_) => 1,
            Part::Mask(m) => m.dim(),
        })
        .sum();
    if taken > shape.rank() {
        return Err(error(format!("{taken} indices are too many for shape {shape}")));
    }
    let mut out = Vec::new();
    let mut d = 0;
    for p in parts {
        match p {
            Part::Basic(Index::Ellipsis) => {
                for _ in 0..shape.rank() - taken {
                    out.push(Index::Range(None, None, 1));
                    d += 1;
                }
            }
            Part::Basic(Index::New) => out.push(Index::New),
            Part::Basic(i) => {
                out.push(i);
                d += 1;
            }
            Part::Mask(m) => {
                let m_shape = m.shape();
                if m_shape.dims() != &shape[d..d + m_shape.rank()] {
                    return Err(error(format!(
                        "a mask of shape {m_shape} does not fit the dimensions from {d} on of shape {shape}"
                    )));
                }
                d += m_shape.rank();
                if m_shape.rank() == 0 {
                    // A number of a 0-d mask: a new dimension that holds the whole or nothing.
                    out.push(Index::New);
                    let n = i64::from(m.item() != 0.0);
                    out.push(Index::List(Tensor::constant(Array::full(
                        [n as usize],
                        0.0,
                        DType::I64,
                    ))));
                } else {
                    out.extend(nonzero(&m.array()).into_iter().map(Index::List));
                }
            }
        }
    }
    Ok(out)
}

/// The part that `parts` picks.
fn pick(x: &Tensor, parts: Vec<Part>) -> Result<Tensor> {
    let parts = resolve(parts, &x.shape())?;
    let lists = parts.iter().filter(|p| matches!(p, Index::List(_))).count();
    let zero_mask = parts
        .windows(2)
        .any(|w| matches!(w, [Index::New, Index::List(_)]));
    if lists == 0 || (lists == 1 && !zero_mask) {
        return Ok(x.index(parts));
    }
    // First what is not a list; a list stands for its whole dimension meanwhile.
    let mut basic = Vec::with_capacity(parts.len());
    let mut axes = Vec::new();
    let mut given: Vec<Tensor> = Vec::new();
    let mut d = 0;
    for p in parts {
        match p {
            Index::At(i) => basic.push(Index::At(i)),
            Index::List(l) => {
                // A list straight after a new dimension of a 0-d mask indexes that dimension.
                if matches!(basic.last(), Some(Index::New)) && zero_mask {
                    d -= 1;
                } else {
                    basic.push(Index::Range(None, None, 1));
                }
                axes.push(d);
                given.push(l);
                d += 1;
            }
            other => {
                basic.push(other);
                d += 1;
            }
        }
    }
    let x = x.index(basic);
    let shape = x.shape();
    // The lists broadcast to one shape.
    let mut common = given[0].shape();
    for l in &given[1..] {
        common = common.broadcast(&l.shape()).ok_or_else(|| {
            error(format!(
                "lists of shapes {common} and {} do not broadcast",
                l.shape()
            ))
        })?;
    }
    let count = common.numel();
    let mut flat = vec![0i64; count];
    for (l, &axis) in given.iter().zip(&axes) {
        let n = shape[axis] as i64;
        let l = l.array().cast(DType::I64).broadcast_to(&common).to_vec::<i64>();
        for (at, i) in flat.iter_mut().zip(l) {
            if i < -n || i >= n {
                return Err(error(format!(
                    "{i} is out of range for dimension {axis} of size {n}"
                )));
            }
            *at = *at * n + if i < 0 { i + n } else { i };
        }
    }
    // The indexed dimensions to the front and merged; then one list picks.
    let rest: Vec<usize> = (0..shape.rank()).filter(|d| !axes.contains(d)).collect();
    let order: Vec<isize> = axes.iter().chain(&rest).map(|d| *d as isize).collect();
    let merged: usize = axes.iter().map(|d| shape[*d]).product();
    let inner: Vec<usize> = rest.iter().map(|d| shape[*d]).collect();
    let dims: Shape = [merged].into_iter().chain(inner.iter().copied()).collect();
    let picked = Permute(order)
        .apply([&x])
        .reshape(dims)
        .index_select(0, &Tensor::constant(Array::from_slice(&flat, [count])));
    let dims: Shape = common.iter().chain(&inner).copied().collect();
    let picked = picked.reshape(dims);
    // Lists side by side stay in their place; others go to the front.
    let adjacent = axes.windows(2).all(|w| w[1] == w[0] + 1);
    if !adjacent || axes[0] == 0 {
        return Ok(picked);
    }
    let (before, width) = (axes[0], common.rank());
    let order: Vec<isize> = (width..width + before)
        .chain(0..width)
        .chain(width + before..picked.dim())
        .map(|d| d as isize)
        .collect();
    Ok(Permute(order).apply([&picked]))
}

/// `x` with `value` in the place that `parts` picks.
fn placed(x: &Tensor, parts: Vec<Part>, value: &Tensor) -> Result<Tensor> {
    let n = x.numel();
    let places = Tensor::constant(wengert::kernels::arange(0.0, 1.0, n, DType::I64)).reshape(x.shape());
    let places = pick(&places, parts)?;
    let shape = places.shape();
    let value = if value.dtype() == x.dtype() {
        value.clone()
    } else {
        value.to(x.dtype())
    };
    // Leading dimensions of size one may be too many, as in NumPy.
    let mut dims = value.shape();
    while dims.rank() > shape.rank() && dims[0] == 1 {
        dims = dims.remove(0);
    }
    if dims.broadcast(&shape).as_ref() != Some(&shape) {
        let message = format!(
            "a value of shape {} does not fit the place of shape {shape}",
            value.shape()
        );
        return Err(Error::new(ErrorKind::Shape, "setitem", message));
    }
    let value = value.reshape(dims).expand(shape.clone()).reshape([shape.numel()]);
    let mut from: Vec<i64> = (0..n as i64).collect();
    for (k, place) in places.to_vec::<i64>().into_iter().enumerate() {
        from[place as usize] = (n + k) as i64;
    }
    let both = wengert::cat(&[&x.reshape([n]), &value], 0);
    let from = Tensor::constant(Array::from_slice(&from, [n]));
    Ok(both.index_select(0, &from).reshape(x.shape()))
}

#[pymethods]
impl PyTensor {
    fn __getitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<PyTensor> {
        let x = self.get();
        let parts = parts(index)?;
        let y = guard(py, 0, || pick(&x, parts))?.map_err(|e| exception(py, &e))?;
        Ok(PyTensor::new(y))
    }
    fn __setitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>, value: Operand) -> PyResult<()> {
        let parts = parts(index)?;
        self.assign(py, "setitem", move |x| {
            let value = match &value {
                Operand::Tensor(t) => t.clone(),
                Operand::Number(n) => n.tensor(x.dtype()),
            };
            match placed(x, parts, &value) {
                Ok(y) => y,
                Err(e) => wengert_array::raise(e),
            }
        })
    }
}

ops! {
    /// The parts at `index`, a list of integers, along `dim`.
    fn index_select(input, dim: isize, index: TensorLike) => input.index_select(dim, &index.0);
    /// Element by element, what lies at `index` along `dim`.
    fn gather(input, dim: isize, index: TensorLike) => input.gather(dim, &index.0);
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)
}
