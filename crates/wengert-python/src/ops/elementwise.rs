//! Element by element: arithmetic, functions, comparisons.

use crate::args::{Dtype, Number, Operand, TensorLike, cast, shape_of, varargs};
use crate::dtype::DTypeArg;
use crate::give::Give;
use crate::guard::guard;
use crate::macros::{functions, ops};
use crate::state::{Made, object};
use crate::tensor::PyTensor;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::PyTuple;
use wengert::ops::RoundingMode;
use wengert::{DType, Error, ErrorKind, Tensor, get_default_dtype};

pub(crate) fn add_(x: &Tensor, other: &Operand, alpha: Number) -> Tensor {
    let scaled;
    let other = match (alpha, other) {
        (Number::Int(1), other) => other,
        (alpha, Operand::Number(Number::Int(i))) if matches!(alpha, Number::Int(_)) => {
            scaled = Operand::Number(Number::Int(alpha.f64() as i64 * i));
            &scaled
        }
        (alpha, Operand::Number(n)) => {
            scaled = Operand::Number(Number::Float(alpha.f64() * n.f64()));
            &scaled
        }
        (alpha, Operand::Complex(z)) => {
            scaled = Operand::Complex(z * alpha.f64());
            &scaled
        }
        (alpha, Operand::Tensor(t)) => {
            scaled = Operand::Tensor(alpha.ready(t) * alpha.f64());
            &scaled
        }
    };
    match other {
        Operand::Tensor(t) => x + t,
        Operand::Number(n @ Number::Bool(_)) => x + n.tensor(x.dtype()),
        Operand::Number(n) => n.ready(x) + n.f64(),
        Operand::Complex(_) => x + other.tensor(x),
    }
}

pub(crate) fn sub_(x: &Tensor, other: &Operand, alpha: Number) -> Tensor {
    match (alpha, other) {
        (Number::Int(1), Operand::Tensor(t)) => x - t,
        (Number::Int(1), Operand::Number(n)) => n.ready(x) - n.f64(),
        (Number::Int(1), other) => x - other.tensor(x),
        (Number::Int(a), other) => add_(x, other, Number::Int(-a)),
        (a, other) => add_(x, other, Number::Float(-a.f64())),
    }
}

pub(crate) fn mul_(x: &Tensor, other: &Operand) -> Tensor {
    match other {
        Operand::Tensor(t) => x * t,
        Operand::Number(n @ Number::Bool(_)) => x * n.tensor(x.dtype()),
        Operand::Number(n) => n.ready(x) * n.f64(),
        Operand::Complex(_) => x * other.tensor(x),
    }
}

pub(crate) fn div_(x: &Tensor, other: &Operand) -> Tensor {
    match other {
        Operand::Tensor(t) => x / t,
        Operand::Number(n) => n.ready(x) / n.f64(),
        Operand::Complex(_) => x / other.tensor(x),
    }
}

fn rounded_div(x: &Tensor, other: &Operand, mode: Option<String>) -> wengert::Result<Tensor> {
    match mode.as_deref() {
        None => Ok(div_(x, other)),
        Some("floor") => Ok(x.div_mode(&other.tensor(x), RoundingMode::Floor)),
        Some("trunc") => Ok(x.div_mode(&other.tensor(x), RoundingMode::Trunc)),
        Some(mode) => Err(Error::new(
            ErrorKind::Value,
            "div",
            format!("there is no rounding_mode {mode:?}"),
        )
        .note("there are None, 'trunc' and 'floor'")),
    }
}

fn floor_div(x: &Tensor, other: &Operand) -> Tensor {
    x.floor_divide(&other.tensor(x))
}

fn remainder_(x: &Tensor, other: &Operand) -> Tensor {
    x.remainder(&other.tensor(x))
}

fn pow_(x: &Tensor, p: &Operand) -> Tensor {
    match p {
        Operand::Number(Number::Int(n)) if *n < 0 && (x.dtype().is_integer() || x.dtype() == DType::Bool) => {
            let message = format!(
                "integers to the power {n} are fractions, which {} cannot hold",
                x.dtype()
            );
            wengert_array::raise(
                Error::new(ErrorKind::DType, "pow", message)
                    .help(format!("a float exponent gives floats: `x ** {n}.0`")),
            )
        }
        Operand::Number(n) => n.ready(x).powf(n.f64()),
        other => x.pow(&other.tensor(x)),
    }
}

ops! {
    /// `input + alpha · other`, elementwise and broadcast.
    fn add(input, other: Operand; alpha: Number = (Number::Int(1))) / add_ => add_(input, &other, alpha);
    /// `input − alpha · other`, elementwise and broadcast.
    fn sub(input, other: Operand; alpha: Number = (Number::Int(1))) / sub_ => sub_(input, &other, alpha);
    /// `input − alpha · other`, elementwise and broadcast.
    fn subtract(input, other: Operand; alpha: Number = (Number::Int(1))) / subtract_ => sub_(input, &other, alpha);
    /// `input · other`, elementwise and broadcast.
    fn mul(input, other: Operand) / mul_ => mul_(input, &other);
    /// `input · other`, elementwise and broadcast.
    fn multiply(input, other: Operand) / multiply_ => mul_(input, &other);
    /// `input / other`, elementwise and broadcast; rounded with `rounding_mode="floor"` or `"trunc"`.
    fn div(input, other: Operand; rounding_mode: Option<String> = None) / div_ => rounded_div(input, &other, rounding_mode);
    /// `input / other`, elementwise and broadcast.
    fn true_divide(input, other: Operand) / true_divide_ => div_(input, &other);
    /// `⌊input / other⌋`, elementwise and broadcast.
    fn floor_divide(input, other: Operand) / floor_divide_ => floor_div(input, &other);
    /// What is left of `input` after whole multiples of `other`; has the sign of `other`.
    fn remainder(input, other: Operand) / remainder_ => remainder_(input, &other);
    /// `input` to the power `exponent`, elementwise and broadcast.
    fn pow(input, exponent: Operand) / pow_ => pow_(input, &exponent);
    /// `−input`.
    fn neg(input) / neg_ => -input;
    /// `−input`.
    fn negative(input) / negative_ => -input;
    /// `|input|`.
    fn abs(input) / abs_ => input.abs();
    /// `|input|`.
    fn absolute(input) / absolute_ => input.abs();
    /// `input²`.
    fn square(input) / square_ => if input.dtype() == DType::Bool { input.to(DType::I64).square() } else { input.square() };
    /// `eˣ`.
    fn exp(input) / exp_ => input.exp();
    /// The natural logarithm.
    fn log(input) / log_ => input.log();
    /// The square root.
    fn sqrt(input) / sqrt_ => input.sqrt();
    /// The error function.
    fn erf(input) / erf_ => input.erf();
    /// The sine.
    fn sin(input) / sin_ => input.sin();
    /// The cosine.
    fn cos(input) / cos_ => input.cos();
    /// The hyperbolic tangent.
    fn tanh(input) / tanh_ => input.tanh();
    /// `1 / (1 + e⁻ˣ)`.
    fn sigmoid(input) / sigmoid_ => input.sigmoid();
    /// `max(x, 0)`.
    fn relu(input) / relu_ => input.relu();
    /// The largest integer not above each element.
    fn floor(input) / floor_ => if input.dtype().is_differentiable() { input.floor() } else { input.clone() };
    /// The larger of the two, elementwise and broadcast.
    fn maximum(input, other: TensorLike) => input.maximum(&other.0);
    /// The smaller of the two, elementwise and broadcast.
    fn minimum(input, other: TensorLike) => input.minimum(&other.0);
    /// `a < b`, as bool.
    fn lt(input, other: Operand) / lt_ => input.lt(&other.tensor(input));
    /// `a ≤ b`, as bool.
    fn le(input, other: Operand) / le_ => input.le(&other.tensor(input));
    /// `a > b`, as bool.
    fn gt(input, other: Operand) / gt_ => input.gt(&other.tensor(input));
    /// `a ≥ b`, as bool.
    fn ge(input, other: Operand) / ge_ => input.ge(&other.tensor(input));
    /// `a = b`, as bool.
    fn eq(input, other: Operand) / eq_ => input.eq(&other.tensor(input));
    /// `a ≠ b`, as bool.
    fn ne(input, other: Operand) / ne_ => input.ne(&other.tensor(input));
    /// Both are not zero.
    fn logical_and(input, other: TensorLike) / logical_and_ => input.logical_and(&other.0);
    /// Either is not zero.
    fn logical_or(input, other: TensorLike) / logical_or_ => input.logical_or(&other.0);
    /// Exactly one is not zero.
    fn logical_xor(input, other: TensorLike) / logical_xor_ => input.logical_xor(&other.0);
    /// Whether the element is zero.
    fn logical_not(input) / logical_not_ => input.logical_not();
}

/// `input` where the condition holds, else `other`; all broadcast. Of a condition alone, the indices where it holds,
/// one list for each dimension.
#[pyfunction]
#[pyo3(signature = (condition, input = None, other = None))]
fn r#where(
    py: Python<'_>,
    condition: TensorLike,
    input: Option<Operand>,
    other: Option<Operand>,
) -> PyResult<Py<PyAny>> {
    let (input, other) = match (input, other) {
        (Some(input), Some(other)) => (input, other),
        (None, None) => return guard(py, condition.0.numel(), || condition.0.nonzero_lists())?.give(py),
        _ => {
            return Err(PyTypeError::new_err(
                "where: takes a condition alone, or with both input and other",
            ));
        }
    };
    guard(py, condition.0.numel(), move || {
        let (a, b) = match (&input, &other) {
            (Operand::Tensor(a), other) => (a.clone(), other.tensor(a)),
            (input, Operand::Tensor(b)) => (input.tensor(b), b.clone()),
            (Operand::Number(a), Operand::Number(b)) => {
                let d = a.dtype().promote(b.dtype());
                (a.tensor(d), b.tensor(d))
            }
            (a, b) => {
                let number = Tensor::full_as([], 0.0, get_default_dtype().complex());
                (a.tensor(&number), b.tensor(&number))
            }
        };
        wengert::where_(&condition.0, &a, &b)
    })?
    .give(py)
}

/// The comparison that Python asks for.
pub(crate) fn compared(x: &Tensor, y: &Operand, op: CompareOp) -> Tensor {
    let mut made = None;
    let y = y.seen(x, &mut made);
    match op {
        CompareOp::Lt => x.lt(y),
        CompareOp::Le => x.le(y),
        CompareOp::Eq => x.eq(y),
        CompareOp::Ne => x.ne(y),
        CompareOp::Gt => x.gt(y),
        CompareOp::Ge => x.ge(y),
    }
}

/// A Python operator with a tensor on the left; see `slots` for those that every program uses all the time.
#[inline]
fn operator(
    py: Python<'_>,
    x: &PyTensor,
    other: Operand,
    f: impl FnOnce(&Tensor, &Operand) -> Tensor + Send,
) -> PyResult<Made> {
    let x = x.get();
    Ok(Made(guard(py, x.numel(), move || f(&x, &other))?))
}

pub(crate) const ONE: Number = Number::Int(1);

#[pymethods]
impl PyTensor {
    fn __iadd__(&self, py: Python<'_>, other: Operand) -> PyResult<()> {
        self.assign(py, "+=", move |x| add_(x, &other, ONE))
    }
    fn __isub__(&self, py: Python<'_>, other: Operand) -> PyResult<()> {
        self.assign(py, "-=", move |x| sub_(x, &other, ONE))
    }
    fn __imul__(&self, py: Python<'_>, other: Operand) -> PyResult<()> {
        self.assign(py, "*=", move |x| mul_(x, &other))
    }
    fn __itruediv__(&self, py: Python<'_>, other: Operand) -> PyResult<()> {
        self.assign(py, "/=", move |x| div_(x, &other))
    }
    fn __floordiv__(&self, py: Python<'_>, other: Operand) -> PyResult<Made> {
        operator(py, self, other, floor_div)
    }
    fn __rfloordiv__(&self, py: Python<'_>, other: Operand) -> PyResult<Made> {
        operator(py, self, other, |x, y| {
            floor_div(&y.tensor(x), &Operand::Tensor(x.clone()))
        })
    }
    fn __ifloordiv__(&self, py: Python<'_>, other: Operand) -> PyResult<()> {
        self.assign(py, "//=", move |x| floor_div(x, &other))
    }
    fn __mod__(&self, py: Python<'_>, other: Operand) -> PyResult<Made> {
        operator(py, self, other, remainder_)
    }
    fn __rmod__(&self, py: Python<'_>, other: Operand) -> PyResult<Made> {
        operator(py, self, other, |x, y| {
            remainder_(&y.tensor(x), &Operand::Tensor(x.clone()))
        })
    }
    fn __imod__(&self, py: Python<'_>, other: Operand) -> PyResult<()> {
        self.assign(py, "%=", move |x| remainder_(x, &other))
    }
    fn __pow__(&self, py: Python<'_>, other: Operand, _mod: Option<Py<PyAny>>) -> PyResult<Made> {
        operator(py, self, other, pow_)
    }
    fn __rpow__(&self, py: Python<'_>, other: Operand, _mod: Option<Py<PyAny>>) -> PyResult<Made> {
        operator(py, self, other, |x, y| y.tensor(x).pow(x))
    }
    fn __ipow__(&self, py: Python<'_>, other: Operand, _mod: Option<Py<PyAny>>) -> PyResult<()> {
        self.assign(py, "**=", move |x| pow_(x, &other))
    }
    fn __neg__(&self, py: Python<'_>) -> PyResult<Made> {
        let x = self.get();
        Ok(Made(guard(py, x.numel(), || -&x)?))
    }
    fn __pos__(slf: Py<Self>) -> Py<Self> {
        slf
    }
    fn __abs__(&self, py: Python<'_>) -> PyResult<Made> {
        let x = self.get();
        Ok(Made(guard(py, x.numel(), || x.abs())?))
    }
    fn __invert__(&self, py: Python<'_>) -> PyResult<Made> {
        let x = self.get();
        Ok(Made(guard(py, x.numel(), || x.bitwise_not())?))
    }
    fn __and__(&self, py: Python<'_>, other: Operand) -> PyResult<Made> {
        operator(py, self, other, |x, y| x.bitwise_and(&y.tensor(x)))
    }
    fn __rand__(&self, py: Python<'_>, other: Operand) -> PyResult<Made> {
        operator(py, self, other, |x, y| x.bitwise_and(&y.tensor(x)))
    }
    fn __iand__(&self, py: Python<'_>, other: Operand) -> PyResult<()> {
        self.assign(py, "&=", move |x| x.bitwise_and(&other.tensor(x)))
    }
    fn __ior__(&self, py: Python<'_>, other: Operand) -> PyResult<()> {
        self.assign(py, "|=", move |x| x.bitwise_or(&other.tensor(x)))
    }
    fn __ixor__(&self, py: Python<'_>, other: Operand) -> PyResult<()> {
        self.assign(py, "^=", move |x| x.bitwise_xor(&other.tensor(x)))
    }
    fn __or__(&self, py: Python<'_>, other: Operand) -> PyResult<Made> {
        operator(py, self, other, |x, y| x.bitwise_or(&y.tensor(x)))
    }
    fn __ror__(&self, py: Python<'_>, other: Operand) -> PyResult<Made> {
        operator(py, self, other, |x, y| x.bitwise_or(&y.tensor(x)))
    }
    fn __rxor__(&self, py: Python<'_>, other: Operand) -> PyResult<Made> {
        operator(py, self, other, |x, y| x.bitwise_xor(&y.tensor(x)))
    }
    fn __xor__(&self, py: Python<'_>, other: Operand) -> PyResult<Made> {
        operator(py, self, other, |x, y| x.bitwise_xor(&y.tensor(x)))
    }

    /// `self` where the condition holds, else `other`.
    fn r#where(&self, py: Python<'_>, condition: TensorLike, other: Operand) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, x.numel(), move || {
            wengert::where_(&condition.0, &x, &other.tensor(&x))
        })?
        .give(py)
    }

    // ---- conversions ----

    /// Converted: `x.to(dtype)`, `x.to(device)`, `x.to(device, dtype)`, `x.to(other)`.
    #[pyo3(signature = (*args, dtype = None, device = None, copy = false, non_blocking = false, memory_format = None))]
    fn to<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        dtype: Dtype,
        device: Option<crate::dtype::DeviceArg>,
        copy: bool,
        non_blocking: bool,
        memory_format: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (_, _, _) = (device, non_blocking, memory_format);
        let mut dtype = dtype;
        for arg in args {
            if let Some(t) = crate::args::as_tensor(&arg) {
                dtype = Some(DTypeArg(t.dtype()));
            } else if arg.extract::<crate::dtype::DeviceArg>().is_err()
                && !arg.is_instance_of::<pyo3::types::PyBool>()
            {
                dtype = match arg.extract::<DTypeArg>() {
                    Ok(d) => Some(d),
                    // A name that is no dtype was meant as a device.
                    Err(e) if arg.is_instance_of::<pyo3::types::PyString>() => {
                        arg.extract::<crate::dtype::DeviceArg>()?;
                        return Err(e);
                    }
                    Err(e) => return Err(e),
                };
            }
        }
        converted(slf, dtype, copy)
    }
    /// As `dtype`; without one, the name of the tensor's type.
    #[pyo3(signature = (dtype = None))]
    fn r#type<'py>(slf: &Bound<'py, Self>, dtype: Dtype) -> PyResult<Bound<'py, PyAny>> {
        match dtype {
            Some(_) => converted(slf, dtype, false),
            None => Ok(pyo3::types::PyString::new(slf.py(), type_name(slf.get().get().dtype())).into_any()),
        }
    }
    /// In the dtype of `other`.
    fn type_as<'py>(slf: &Bound<'py, Self>, other: TensorLike) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(other.0.dtype())), false)
    }
    /// As float32.
    fn float<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::F32)), false)
    }
    /// As float64.
    fn double<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::F64)), false)
    }
    /// As float16.
    fn half<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::F16)), false)
    }
    /// As bfloat16.
    fn bfloat16<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::BF16)), false)
    }
    /// As int64.
    fn long<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::I64)), false)
    }
    /// As int32.
    fn int<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::I32)), false)
    }
    /// As int16.
    fn short<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::I16)), false)
    }
    /// As int8.
    fn char<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::I8)), false)
    }
    /// The real part; a real tensor itself.
    #[getter]
    fn real<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let x = slf.get().get();
        match x.dtype().is_complex() {
            true => Ok(guard(slf.py(), 0, || x.real())?
                .give(slf.py())?
                .into_bound(slf.py())),
            false => Ok(slf.clone().into_any()),
        }
    }
    /// The imaginary part of a complex tensor.
    #[getter]
    fn imag(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let x = self.get();
        guard(py, 0, || x.imag())?.give(py)
    }
    /// As complex64.
    fn cfloat<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::C64)), false)
    }
    /// As complex128.
    fn cdouble<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::C128)), false)
    }
    /// Summed to the sizes given, which must broadcast to the shape that it has.
    #[pyo3(signature = (*size))]
    fn sum_to_size(&self, py: Python<'_>, size: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let shape = shape_of(&varargs(size)?, "sum_to_size")?;
        let x = self.get();
        guard(py, x.numel(), move || x.sum_to(&shape))?.give(py)
    }
    /// As uint8.
    fn byte<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::U8)), false)
    }
    /// As bool: whether elements are not zero.
    fn bool<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        converted(slf, Some(DTypeArg(DType::Bool)), false)
    }
    /// On the CPU, where it is.
    #[pyo3(signature = (memory_format = None))]
    fn cpu(slf: Py<Self>, memory_format: Option<Py<PyAny>>) -> Py<Self> {
        let _ = memory_format;
        slf
    }

    // ---- values put in ----

    /// Copies the values of `src`, broadcast and converted.
    #[pyo3(signature = (src, non_blocking = false))]
    fn copy_<'py>(slf: &Bound<'py, Self>, src: TensorLike, non_blocking: bool) -> PyResult<Bound<'py, Self>> {
        let _ = non_blocking;
        let src = src.0;
        slf.get().assign(slf.py(), "copy_", move |x| {
            let src = if src.dtype() == x.dtype() {
                src
            } else {
                src.to(x.dtype())
            };
            let fits = src.shape().broadcast(&x.shape()).as_ref() == Some(&x.shape());
            if src.shape() != x.shape() && fits {
                src.expand(x.shape()) * 1.0
            } else {
                crate::ops::shape::own(src)
            }
        })?;
        Ok(slf.clone())
    }
    /// Sets every element to zero.
    fn zero_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().assign(slf.py(), "zero_", Tensor::zeros_like)?;
        Ok(slf.clone())
    }
    /// Sets every element to `value`.
    fn fill_<'py>(slf: &Bound<'py, Self>, value: Number) -> PyResult<Bound<'py, Self>> {
        slf.get().assign(slf.py(), "fill_", move |x| {
            Tensor::full_as(x.shape(), value.f64(), x.dtype())
        })?;
        Ok(slf.clone())
    }
}

fn converted<'py>(slf: &Bound<'py, PyTensor>, dtype: Dtype, copy: bool) -> PyResult<Bound<'py, PyAny>> {
    let x = slf.get().get();
    let same = dtype.is_none_or(|d| d.0 == x.dtype());
    if same && !copy {
        return Ok(slf.clone().into_any());
    }
    let y = guard(
        slf.py(),
        x.numel(),
        || if same { &x * 1.0 } else { cast(&x, dtype) },
    )?;
    Ok(object(slf.py(), y)?.into_any())
}

fn type_name(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "wengert.BoolTensor",
        DType::U8 => "wengert.ByteTensor",
        DType::I8 => "wengert.CharTensor",
        DType::I16 => "wengert.ShortTensor",
        DType::I32 => "wengert.IntTensor",
        DType::I64 => "wengert.LongTensor",
        DType::F16 => "wengert.HalfTensor",
        DType::BF16 => "wengert.BFloat16Tensor",
        DType::F64 => "wengert.DoubleTensor",
        DType::C64 => "wengert.ComplexFloatTensor",
        DType::C128 => "wengert.ComplexDoubleTensor",
        _ => "wengert.FloatTensor",
    }
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    register_ops(m)?;
    functions!(m, r#where);
    m.add("divide", m.getattr("div")?)
}
