//! What functions take: tensors or what can become one, numbers, dimensions, sizes, dtypes.

use crate::dtype::DTypeArg;
use pyo3::exceptions::{PyNotImplementedError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyComplex, PyComplexMethods, PyFloat, PyInt, PyList, PyTuple};
use smallvec::SmallVec;
use wengert::num_complex::Complex64;
pub(crate) use wengert::ops::shape::Few;
use wengert::{Array, DType, Many, Shape, Tensor, get_default_dtype};

/// The tensor behind a Python object, if it is one.
#[inline]
pub(crate) fn as_tensor(obj: &Bound<'_, PyAny>) -> Option<Tensor> {
    Some(crate::state::of(obj)?.get().get())
}

/// A tensor, number, nested list or NumPy array, as a tensor.
pub(crate) struct TensorLike(pub(crate) Tensor);

impl<'py> FromPyObject<'_, 'py> for TensorLike {
    type Error = PyErr;
    #[inline]
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match as_tensor(&obj) {
            Some(t) => Ok(TensorLike(t)),
            None => crate::create::from_python(&obj, None).map(TensorLike),
        }
    }
}

/// A list or tuple of tensors.
pub(crate) struct TensorList(pub(crate) SmallVec<[Tensor; 4]>);

impl TensorList {
    pub(crate) fn refs(&self) -> Many<&Tensor> {
        self.0.iter().collect()
    }
}

impl<'py> FromPyObject<'_, 'py> for TensorList {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if as_tensor(&obj).is_some() {
            return Err(PyTypeError::new_err(
                "expected a list or tuple of tensors, and got a tensor",
            ));
        }
        let one = |item: Bound<'py, PyAny>| match as_tensor(&item) {
            Some(t) => Ok(t),
            None => Ok(item.extract::<TensorLike>()?.0),
        };
        let items = if let Ok(list) = obj.cast::<PyList>() {
            list.iter().map(one).collect::<PyResult<SmallVec<_>>>()
        } else if let Ok(tuple) = obj.cast::<PyTuple>() {
            tuple.iter().map(one).collect()
        } else {
            obj.try_iter()?.map(|item| one(item?)).collect()
        };
        items.map(TensorList)
    }
}

/// A Python number, with its kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Bool(bool),
    Int(i64),
    Float(f64),
}

impl Number {
    pub(crate) fn f64(self) -> f64 {
        match self {
            Number::Bool(b) => f64::from(u8::from(b)),
            Number::Int(i) => i as f64,
            Number::Float(f) => f,
        }
    }
    /// The dtype that a tensor of this number alone has.
    pub(crate) fn dtype(self) -> DType {
        match self {
            Number::Bool(_) => DType::Bool,
            Number::Int(_) => DType::I64,
            Number::Float(_) => get_default_dtype(),
        }
    }
    /// As a 0-d tensor of `dtype`.
    pub(crate) fn tensor(self, dtype: DType) -> Tensor {
        let array = match self {
            Number::Int(i) => Array::scalar(i).cast(dtype),
            _ => Array::full([], self.f64(), dtype),
        };
        Tensor::constant(array)
    }
    /// `t` made ready to be combined with this number: what holds integers cannot hold a fraction, and bools
    /// no number.
    pub(crate) fn ready(self, t: &Tensor) -> Tensor {
        match (self, t.dtype()) {
            (Number::Float(_), d) if !d.is_differentiable() => t.to(get_default_dtype()),
            (Number::Int(_), DType::Bool) => t.to(DType::I64),
            _ => t.clone(),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Number {
    type Error = PyErr;
    #[inline]
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(f) = obj.cast_exact::<PyFloat>() {
            return Ok(Number::Float(f.value()));
        }
        if let Ok(b) = obj.cast::<PyBool>() {
            return Ok(Number::Bool(b.is_true()));
        }
        if obj.cast::<PyInt>().is_ok() {
            return match obj.extract::<i64>() {
                Ok(i) => Ok(Number::Int(i)),
                Err(_) => obj.extract::<f64>().map(Number::Float),
            };
        }
        if let Some(t) = as_tensor(&obj) {
            if t.numel() == 1 && !t.dtype().is_complex() {
                return Ok(match t.dtype() {
                    DType::Bool => Number::Bool(t.item() != 0.0),
                    d if d.is_integer() => Number::Int(t.to_vec::<i64>()[0]),
                    _ => Number::Float(t.item()),
                });
            }
            return Err(PyTypeError::new_err(format!(
                "expected a real number, and got a {} tensor of shape {}",
                t.dtype(),
                t.shape()
            )));
        }
        // NumPy's scalars: integers have `__index__`, all have `__float__`; strings have neither.
        if !obj.hasattr("__len__")? {
            if let Ok(i) = obj.call_method0("__index__").and_then(|i| i.extract::<i64>()) {
                return Ok(Number::Int(i));
            }
            // A complex one would give its real part, with a warning.
            if (!obj.hasattr("imag")? || obj.getattr("imag")?.eq(0)?)
                && let Ok(f) = obj.extract::<f64>()
            {
                return Ok(Number::Float(f));
            }
        }
        Err(PyTypeError::new_err(format!(
            "expected a number, and got {}",
            obj.get_type().name()?
        )))
    }
}

/// The other side of an operation: a number or a tensor (or what can become one).
pub(crate) enum Operand {
    Number(Number),
    Complex(Complex64),
    Tensor(Tensor),
}

impl Operand {
    /// As a tensor to be combined with `with`, of which `made` keeps what had to be made.
    #[inline]
    pub(crate) fn seen<'a>(&'a self, with: &Tensor, made: &'a mut Option<Tensor>) -> &'a Tensor {
        match self {
            Operand::Tensor(t) => t,
            other => made.insert(other.tensor(with)),
        }
    }
    /// As a tensor to be combined with `with`: a number takes its dtype where that can hold it.
    pub(crate) fn tensor(&self, with: &Tensor) -> Tensor {
        match self {
            Operand::Tensor(t) => t.clone(),
            Operand::Complex(z) => Tensor::complex_scalar(*z, with.dtype().or_default().complex()),
            Operand::Number(n) => {
                let dtype = match (n, with.dtype()) {
                    (Number::Float(_), d) if !d.is_differentiable() => get_default_dtype(),
                    (Number::Int(_), DType::Bool) => DType::I64,
                    (_, d) => d,
                };
                n.tensor(dtype)
            }
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Operand {
    type Error = PyErr;
    #[inline]
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Some(t) = as_tensor(&obj) {
            return Ok(Operand::Tensor(t));
        }
        if let Ok(n) = obj.extract::<Number>() {
            return Ok(Operand::Number(n));
        }
        if let Some(z) = complex(&obj) {
            return Ok(Operand::Complex(z));
        }
        crate::create::from_python(&obj, None).map(Operand::Tensor)
    }
}

/// A Python complex number.
pub(crate) fn complex(obj: &Bound<'_, PyAny>) -> Option<Complex64> {
    let z = obj.cast::<PyComplex>().ok()?;
    Some(Complex64::new(z.real(), z.imag()))
}

/// One dimension or several.
#[derive(Clone, Debug)]
pub(crate) struct DimList(pub(crate) Vec<isize>);

/// `dim=` where `None` means all.
pub(crate) type Dims = Option<DimList>;

/// As the engine takes them.
pub(crate) fn dims(d: Dims) -> wengert::ops::Dims {
    match d {
        Some(d) => d.0.into(),
        None => ().into(),
    }
}

impl<'py> FromPyObject<'_, 'py> for DimList {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if obj.is_exact_instance_of::<PyInt>() {
            return Ok(DimList(vec![obj.extract()?]));
        }
        if let Ok(tuple) = obj.cast::<PyTuple>() {
            return numbers(&tuple).map(|d| DimList(d.into_vec()));
        }
        if let Ok(d) = obj.extract::<isize>() {
            return Ok(DimList(vec![d]));
        }
        obj.extract::<Vec<isize>>()
            .map(DimList)
            .map_err(|_| PyTypeError::new_err("expected a dimension or a sequence of dimensions"))
    }
}

/// The sizes or dimensions that a method got, each by itself or all in one sequence: `x.view(2, 3)` and
/// `x.view((2, 3))`.
pub(crate) fn varargs(args: &Bound<'_, PyTuple>) -> PyResult<Few> {
    match args.len() {
        1 => listed(&args.get_item(0)?),
        _ => numbers(args),
    }
}

/// The numbers of a sequence, or one by itself.
pub(crate) fn listed(obj: &Bound<'_, PyAny>) -> PyResult<Few> {
    if let Ok(tuple) = obj.cast::<PyTuple>() {
        return numbers(tuple);
    }
    if obj.cast::<PyList>().is_ok() {
        return obj.extract().map(Few::from_vec);
    }
    Ok(Few::from_iter([obj.extract::<isize>()?]))
}

fn numbers(tuple: &Bound<'_, PyTuple>) -> PyResult<Few> {
    tuple.iter_borrowed().map(|n| n.extract::<isize>()).collect()
}

/// Sizes that cannot be inferred, so not −1.
pub(crate) fn shape_of(sizes: &[isize], op: &str) -> PyResult<Shape> {
    let sizes = sizes.iter().map(|&d| {
        usize::try_from(d)
            .map_err(|_| PyValueError::new_err(format!("{op}: a size cannot be negative, as {d} is")))
    });
    sizes.collect()
}

/// A size given as one argument: a number or a sequence.
pub(crate) struct SizeArg(pub(crate) Shape);

impl<'py> FromPyObject<'_, 'py> for SizeArg {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        shape_of(&obj.extract::<DimList>()?.0, "size").map(SizeArg)
    }
}

/// `dtype=`, where `None` leaves it to the function.
pub(crate) type Dtype = Option<DTypeArg>;

/// `x` converted where a dtype was asked for.
pub(crate) fn cast(x: &Tensor, dtype: Dtype) -> Tensor {
    match dtype {
        Some(d) if d.0 != x.dtype() => x.to(d.0),
        _ => x.clone(),
    }
}

/// `out=`, which is refused.
pub(crate) struct NoOut;

impl<'py> FromPyObject<'_, 'py> for NoOut {
    type Error = PyErr;
    fn extract(_: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Err(PyNotImplementedError::new_err(
            "out= is not supported: a result is a new tensor, in memory that is reused anyway. `y.copy_(result)` puts it into an existing one",
        ))
    }
}
