//! Making tensors: from Python's numbers and lists, from arrays, of one value, of ranges.

use crate::args::{Dtype, Number, Operand, SizeArg, TensorLike, as_tensor, shape_of, varargs};
use crate::dtype::{DTypeArg, DeviceArg};
use crate::errors::{exception, value_error};
use crate::give::Give;
use crate::guard::guard;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyMapping, PyString, PyTuple};
use wengert::num_complex::Complex64;
use wengert::{Array, DType, Error, ErrorKind, Shape, Tensor, get_default_dtype};

/// The numbers of nested lists, in row-major order.
#[derive(Default)]
struct Flat {
    dims: Vec<usize>,
    numbers: Vec<Number>,
    /// Their imaginary parts, once one of them has one.
    imag: Vec<f64>,
    /// The widest dtype of a tensor among the numbers.
    dtype: Option<DType>,
}

impl Flat {
    fn read(&mut self, obj: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
        if let Some(t) = as_tensor(obj) {
            return self.array(&t.array(), depth);
        }
        let list = obj.cast::<PyList>().is_ok() || obj.cast::<PyTuple>().is_ok();
        if list {
            let n = obj.len()?;
            self.size(depth, n, obj.py())?;
            for item in obj.try_iter()? {
                self.read(&item?, depth + 1)?;
            }
            return Ok(());
        }
        if obj.cast::<PyString>().is_err() {
            if let Ok(number) = obj.extract::<Number>() {
                if self.dims.len() > depth {
                    return Err(ragged(obj.py(), depth));
                }
                self.numbers.push(number);
                if !self.imag.is_empty() {
                    self.imag.push(0.0);
                }
                return Ok(());
            }
            if let Some(z) = crate::args::complex(obj) {
                if self.dims.len() > depth {
                    return Err(ragged(obj.py(), depth));
                }
                self.complex(&[z]);
                return Ok(());
            }
            if let Ok(array) = crate::interop::array_of(obj) {
                return self.array(&array, depth);
            }
            // Ranges and other sequences; a mapping's keys have no order that numbers could mean.
            if obj.hasattr("__len__")? && obj.hasattr("__getitem__")? && obj.cast::<PyMapping>().is_err() {
                let items = PyList::new(obj.py(), obj.try_iter()?.collect::<PyResult<Vec<_>>>()?)?;
                return self.read(&items.into_any(), depth);
            }
        }
        Err(PyTypeError::new_err(format!(
            "cannot make a tensor of a {}",
            obj.get_type().name()?
        )))
    }

    fn size(&mut self, depth: usize, n: usize, py: Python<'_>) -> PyResult<()> {
        match self.dims.get(depth) {
            None if self.numbers.is_empty() => self.dims.push(n),
            Some(&first) if first == n => {}
            Some(&first) => {
                return Err(value_error(
                    py,
                    "tensor",
                    format!(
                        "rows of different lengths: one at depth {depth} has {n} elements, the first has {first}"
                    ),
                ));
            }
            None => return Err(ragged(py, depth)),
        }
        Ok(())
    }

    fn array(&mut self, a: &Array, depth: usize) -> PyResult<()> {
        Python::attach(|py| {
            for (i, n) in a.shape().iter().enumerate() {
                self.size(depth + i, *n, py)?;
            }
            if self.dims.len() > depth + a.rank() {
                return Err(ragged(py, depth));
            }
            self.dtype = Some(self.dtype.map_or(a.dtype(), |d| d.promote(a.dtype())));
            if a.dtype().is_complex() {
                self.complex(&a.to_vec::<Complex64>());
                return Ok(());
            }
            if !self.imag.is_empty() {
                self.imag.resize(self.imag.len() + a.numel(), 0.0);
            }
            match a.dtype() {
                DType::Bool => self
                    .numbers
                    .extend(a.to_vec::<bool>().into_iter().map(Number::Bool)),
                d if d.is_integer() => self
                    .numbers
                    .extend(a.to_vec::<i64>().into_iter().map(Number::Int)),
                _ => self
                    .numbers
                    .extend(a.to_vec::<f64>().into_iter().map(Number::Float)),
            }
            Ok(())
        })
    }

    fn complex(&mut self, numbers: &[Complex64]) {
        self.imag.resize(self.numbers.len(), 0.0);
        self.numbers.extend(numbers.iter().map(|z| Number::Float(z.re)));
        self.imag.extend(numbers.iter().map(|z| z.im));
    }

    fn finish(self, dtype: Option<DType>) -> Array {
        if !self.imag.is_empty() {
            let re: Vec<f64> = self.numbers.iter().map(|n| n.f64()).collect();
            let [re, im] = [re, self.imag].map(|part| Array::from_slice(&part, &self.dims[..]));
            let kind = self
                .dtype
                .unwrap_or(DType::I64)
                .promote(get_default_dtype().complex());
            return Array::join(&re, &im).cast(dtype.unwrap_or(kind));
        }
        let mut kind = self.dtype.unwrap_or(DType::Bool);
        for n in &self.numbers {
            if self.dtype.is_none_or(|d| !d.is_differentiable()) {
                kind = kind.promote(n.dtype());
            }
        }
        if self.numbers.is_empty() && self.dtype.is_none() {
            kind = get_default_dtype();
        }
        let dtype = dtype.unwrap_or(kind);
        let shape = Shape::new(&self.dims);
        let floats = || self.numbers.iter().map(|n| n.f64());
        match (kind.is_float(), dtype) {
            (true, DType::F32) => Array::from_slice(&floats().map(|v| v as f32).collect::<Vec<_>>(), shape),
            (true, _) => Array::from_slice(&floats().collect::<Vec<_>>(), shape).cast(dtype),
            (false, _) => {
                let ints = self.numbers.iter().map(|n| match n {
                    Number::Int(i) => *i,
                    n => n.f64() as i64,
                });
                Array::from_slice(&ints.collect::<Vec<_>>(), shape).cast(dtype)
            }
        }
    }
}

fn ragged(py: Python<'_>, depth: usize) -> PyErr {
    value_error(
        py,
        "tensor",
        format!("numbers and rows side by side at depth {depth}"),
    )
}

/// A tensor of what Python has: numbers, nested lists, arrays. Floats become f32 and integers i64 where
/// `dtype` does not say otherwise; arrays keep their dtype.
pub(crate) fn from_python(obj: &Bound<'_, PyAny>, dtype: Option<DType>) -> PyResult<Tensor> {
    if let Ok(array) = crate::interop::array_of(obj) {
        return Ok(Tensor::constant(match dtype {
            Some(d) => array.cast(d),
            None => array,
        }));
    }
    let mut flat = Flat::default();
    flat.read(obj, 0)?;
    guard(obj.py(), 0, || Tensor::constant(flat.finish(dtype)))
}

fn finish(py: Python<'_>, t: Tensor, requires_grad: bool) -> PyResult<Py<PyAny>> {
    if requires_grad {
        guard(py, 0, || t.requires_grad_(true))?;
    }
    t.give(py)
}

/// A tensor of this data, copied: a number, nested lists, an array or another tensor.
#[pyfunction]
#[pyo3(signature = (data, *, dtype = None, device = None, requires_grad = false, pin_memory = false))]
fn tensor(
    data: &Bound<'_, PyAny>,
    dtype: Dtype,
    device: Option<DeviceArg>,
    requires_grad: bool,
    pin_memory: bool,
) -> PyResult<Py<PyAny>> {
    let (_, _) = (device, pin_memory);
    let t = match as_tensor(data) {
        Some(t) => crate::args::cast(&t.detach(), dtype),
        None => {
            // A copy, so that later writes to an array do not show.
            let t = from_python(data, dtype.map(|d| d.0))?;
            if crate::interop::is_foreign(data) {
                Tensor::constant(wengert::kernels::copy(&t.array()))
            } else {
                t
            }
        }
    };
    finish(data.py(), t, requires_grad)
}

/// A tensor of this data, without a copy where there is one to share.
#[pyfunction]
#[pyo3(name = "as_tensor", signature = (data, dtype = None, device = None))]
fn as_tensor_(data: &Bound<'_, PyAny>, dtype: Dtype, device: Option<DeviceArg>) -> PyResult<Py<PyAny>> {
    let _ = device;
    if let (Ok(t), None) = (data.cast::<crate::tensor::PyTensor>(), dtype) {
        return Ok(t.clone().into_any().unbind());
    }
    let t = match as_tensor(data) {
        Some(t) => crate::args::cast(&t, dtype),
        None => from_python(data, dtype.map(|d| d.0))?,
    };
    t.give(data.py())
}

fn filled(
    py: Python<'_>,
    shape: Shape,
    value: f64,
    dtype: DType,
    requires_grad: bool,
) -> PyResult<Py<PyAny>> {
    let work = shape.checked_numel().unwrap_or(0);
    let t = guard(py, work, || Tensor::full_as(shape, value, dtype))?;
    finish(py, t, requires_grad)
}

fn filled_with(
    py: Python<'_>,
    shape: Shape,
    value: &Operand,
    dtype: DType,
    requires_grad: bool,
) -> PyResult<Py<PyAny>> {
    if let Operand::Number(n) = value {
        return filled(py, shape, n.f64(), dtype, requires_grad);
    }
    filled_as(py, shape, value, dtype, requires_grad)?.give(py)
}

/// A tensor of one number, which may be complex or a 0-d tensor.
pub(crate) fn filled_as(
    py: Python<'_>,
    shape: Shape,
    value: &Operand,
    dtype: DType,
    requires_grad: bool,
) -> PyResult<Tensor> {
    let one = Tensor::full_as([], 0.0, dtype.complex());
    guard(py, shape.checked_numel().unwrap_or(0), || {
        let t = value.tensor(&one).detach().to(dtype).expand(shape).contiguous();
        if requires_grad { t.requires_grad_(true) } else { t }
    })
}

/// The shape of `zeros(2, 3)`, `zeros((2, 3))` or `zeros(size=(2, 3))`.
pub(crate) fn size_of(args: &Bound<'_, PyTuple>, size: Option<SizeArg>, op: &str) -> PyResult<Shape> {
    match size {
        Some(s) => Ok(s.0),
        None => shape_of(&varargs(args)?, op),
    }
}

macro_rules! full_of {
    ($($(#[doc = $doc:literal])* $name:ident $like:ident $value:expr;)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (*args, size = None, dtype = None, layout = None, device = None, requires_grad = false, pin_memory = false, out = None))]
        fn $name(
            args: &Bound<'_, PyTuple>, size: Option<SizeArg>, dtype: Dtype, layout: Option<Py<PyAny>>,
            device: Option<DeviceArg>, requires_grad: bool, pin_memory: bool, out: Option<crate::args::NoOut>,
        ) -> PyResult<Py<PyAny>> {
            let (_, _, _, _) = (device, layout, pin_memory, out);
            let shape = size_of(args, size, stringify!($name))?;
            filled(args.py(), shape, $value, dtype.map_or(get_default_dtype(), |d| d.0), requires_grad)
        }
        $(#[doc = $doc])*
        #[pyfunction]
        #[pyo3(signature = (input, *, dtype = None, layout = None, device = None, requires_grad = false, memory_format = None))]
        fn $like(
            py: Python<'_>, input: TensorLike, dtype: Dtype, layout: Option<Py<PyAny>>, device: Option<DeviceArg>,
            requires_grad: bool, memory_format: Option<Py<PyAny>>,
        ) -> PyResult<Py<PyAny>> {
            let (_, _, _) = (device, layout, memory_format);
            let dtype = dtype.map_or(input.0.dtype(), |d| d.0);
            filled(py, input.0.shape(), $value, dtype, requires_grad)
        }
    )*};
}
full_of! {
    /// Zeros.
    zeros zeros_like 0.0;
    /// Ones.
    ones ones_like 1.0;
    /// Elements of no particular value; they are zeros.
    empty empty_like 0.0;
}

/// Elements that all are `fill_value`.
#[pyfunction]
#[pyo3(signature = (size, fill_value, *, dtype = None, device = None, requires_grad = false, out = None))]
fn full(
    py: Python<'_>,
    size: SizeArg,
    fill_value: Operand,
    dtype: Dtype,
    device: Option<DeviceArg>,
    requires_grad: bool,
    out: Option<crate::args::NoOut>,
) -> PyResult<Py<PyAny>> {
    let (_, _) = (device, out);
    let kind = match &fill_value {
        Operand::Number(n) => n.dtype(),
        Operand::Complex(_) => get_default_dtype().complex(),
        Operand::Tensor(t) => t.dtype(),
    };
    filled_with(
        py,
        size.0,
        &fill_value,
        dtype.map_or(kind, |d| d.0),
        requires_grad,
    )
}

/// Elements that all are `fill_value`, in the shape of `input`.
#[pyfunction]
#[pyo3(signature = (input, fill_value, *, dtype = None, device = None, requires_grad = false))]
fn full_like(
    py: Python<'_>,
    input: TensorLike,
    fill_value: Operand,
    dtype: Dtype,
    device: Option<DeviceArg>,
    requires_grad: bool,
) -> PyResult<Py<PyAny>> {
    let _ = device;
    let dtype = dtype.map_or(input.0.dtype(), |d| d.0);
    filled_with(py, input.0.shape(), &fill_value, dtype, requires_grad)
}

/// The numbers from `start` up to, and without, `end`, by steps of `step`.
#[pyfunction]
#[pyo3(signature = (start, end = None, step = Number::Int(1), *, dtype = None, device = None, requires_grad = false, out = None))]
fn arange(
    py: Python<'_>,
    start: Number,
    end: Option<Number>,
    step: Number,
    dtype: Dtype,
    device: Option<DeviceArg>,
    requires_grad: bool,
    out: Option<crate::args::NoOut>,
) -> PyResult<Py<PyAny>> {
    let (_, _) = (device, out);
    let (start, end) = match end {
        Some(end) => (start, end),
        None => (Number::Int(0), start),
    };
    let kind = [end, step]
        .iter()
        .fold(start.dtype(), |d, n| d.promote(n.dtype()));
    let dtype = dtype.map_or(kind, |d| d.0);
    let (a, b, s) = (start.f64(), end.f64(), step.f64());
    let n = ((b - a) / s).ceil().max(0.0);
    if s == 0.0 || !n.is_finite() || !a.is_finite() || ((b - a) * s < 0.0) {
        let message = format!("cannot count from {a} to {b} by steps of {s}");
        return Err(exception(py, &Error::new(ErrorKind::Value, "arange", message)));
    }
    let t = guard(py, n as usize, || {
        // As in PyTorch, numbers on their way to an integer dtype lose their fractions before they are added.
        let whole = |v: f64| if dtype.is_differentiable() { v } else { v.trunc() };
        let wide = if dtype.is_differentiable() {
            DType::F64
        } else {
            DType::I64
        };
        Tensor::constant(wengert::kernels::arange(whole(a), whole(s), n as usize, wide).cast(dtype))
    })?;
    finish(py, t, requires_grad)
}

/// `steps` numbers evenly spaced from `start` to `end`, both included.
#[pyfunction]
#[pyo3(signature = (start, end, steps, *, dtype = None, device = None, requires_grad = false, out = None))]
fn linspace(
    py: Python<'_>,
    start: f64,
    end: f64,
    steps: usize,
    dtype: Dtype,
    device: Option<DeviceArg>,
    requires_grad: bool,
    out: Option<crate::args::NoOut>,
) -> PyResult<Py<PyAny>> {
    let (_, _) = (device, out);
    let dtype = dtype.map_or(get_default_dtype(), |d| d.0);
    let t = guard(py, steps, || Tensor::linspace_as(start, end, steps, dtype))?;
    finish(py, t, requires_grad)
}

/// The identity matrix.
#[pyfunction]
#[pyo3(signature = (n, m = None, *, dtype = None, device = None, requires_grad = false, out = None))]
fn eye(
    py: Python<'_>,
    n: usize,
    m: Option<usize>,
    dtype: Dtype,
    device: Option<DeviceArg>,
    requires_grad: bool,
    out: Option<crate::args::NoOut>,
) -> PyResult<Py<PyAny>> {
    let (_, _) = (device, out);
    let m = m.unwrap_or(n);
    let dtype = dtype.map_or(get_default_dtype(), |d| d.0);
    let t = guard(py, 0, || {
        let mut a = Array::full([n, m], 0.0, DType::F32);
        let data = a.make_mut::<f32>();
        (0..n.min(m)).for_each(|i| data[i * m + i] = 1.0);
        Tensor::constant(a.cast(dtype))
    })?;
    finish(py, t, requires_grad)
}

/// The dtype of the result of combining these.
#[pyfunction]
fn promote_types(type1: DTypeArg, type2: DTypeArg, py: Python<'_>) -> PyResult<Py<crate::dtype::PyDType>> {
    Ok(crate::dtype::object(py, type1.0.promote(type2.0))?.clone_ref(py))
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    crate::macros::functions!(
        m,
        tensor,
        zeros,
        zeros_like,
        ones,
        ones_like,
        empty,
        empty_like,
        full,
        full_like,
        arange,
        linspace,
        eye,
        promote_types,
    );
    let as_tensor = wrap_pyfunction!(as_tensor_, m)?;
    m.add("as_tensor", &as_tensor)?;
    m.add("asarray", as_tensor)?;
    Ok(())
}
