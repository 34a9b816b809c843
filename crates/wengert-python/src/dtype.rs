//! `wengert.float32` and its like; `wengert.device`.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;
use wengert::DType;

/// The type of a tensor's elements, such as `wengert.float32`.
#[pyclass(frozen, name = "dtype", module = "wengert")]
pub(crate) struct PyDType(pub(crate) DType);

static OBJECTS: PyOnceLock<[Py<PyDType>; 12]> = PyOnceLock::new();

/// There is one object for each dtype, so `is` compares them.
pub(crate) fn object(py: Python<'_>, dtype: DType) -> PyResult<&Py<PyDType>> {
    let all = OBJECTS.get_or_try_init(py, || {
        let objects: PyResult<Vec<_>> = DType::ALL.iter().map(|d| Py::new(py, PyDType(*d))).collect();
        objects?
            .try_into()
            .map_err(|_| PyRuntimeError::new_err("as many objects as dtypes"))
    })?;
    let at = DType::ALL
        .iter()
        .position(|d| *d == dtype)
        .expect("every dtype is listed");
    Ok(&all[at])
}

#[pymethods]
impl PyDType {
    fn __repr__(&self) -> String {
        format!("wengert.{}", self.0.name())
    }
    /// Pickled by name: the copy is the same object.
    fn __reduce__(&self) -> &'static str {
        self.0.name()
    }
    /// Whether elements are floating-point numbers.
    #[getter]
    fn is_floating_point(&self) -> bool {
        self.0.is_float()
    }
    /// Whether elements are complex numbers.
    #[getter]
    fn is_complex(&self) -> bool {
        self.0.is_complex()
    }
    /// The dtype of the parts of a complex one; any other itself.
    fn to_real(&self, py: Python<'_>) -> PyResult<Py<PyDType>> {
        Ok(object(py, self.0.real())?.clone_ref(py))
    }
    /// The complex dtype whose parts hold these elements.
    fn to_complex(&self, py: Python<'_>) -> PyResult<Py<PyDType>> {
        Ok(object(py, self.0.complex())?.clone_ref(py))
    }
    /// Whether elements may be negative.
    #[getter]
    fn is_signed(&self) -> bool {
        !matches!(self.0, DType::U8 | DType::Bool)
    }
    /// Bytes per element.
    #[getter]
    fn itemsize(&self) -> usize {
        self.0.size()
    }
}

/// A dtype as argument: a `wengert.dtype`, one of Python's `float`, `complex`, `int`, `bool`, or a name.
#[derive(Clone, Copy)]
pub(crate) struct DTypeArg(pub(crate) DType);

impl<'py> FromPyObject<'_, 'py> for DTypeArg {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(dtype) = obj.cast::<PyDType>() {
            return Ok(DTypeArg(dtype.get().0));
        }
        let py = obj.py();
        if obj.is(py.get_type::<pyo3::types::PyFloat>()) {
            return Ok(DTypeArg(DType::F64));
        }
        if obj.is(py.get_type::<pyo3::types::PyBool>()) {
            return Ok(DTypeArg(DType::Bool));
        }
        if obj.is(py.get_type::<pyo3::types::PyComplex>()) {
            return Ok(DTypeArg(DType::C128));
        }
        if obj.is(py.get_type::<pyo3::types::PyInt>()) {
            return Ok(DTypeArg(DType::I64));
        }
        let name = match obj.cast::<PyString>() {
            Ok(name) => name.to_cow()?.into_owned(),
            // NumPy's scalar types and dtypes have names too.
            Err(_) => match obj.getattr("name").or_else(|_| obj.getattr("__name__")) {
                Ok(name) => name.to_string(),
                Err(_) => return Err(not_a_dtype(&obj)),
            },
        };
        DType::ALL
            .iter()
            .find(|d| d.name() == name)
            .map(|d| DTypeArg(*d))
            .ok_or_else(|| not_a_dtype(&obj))
    }
}

fn not_a_dtype(obj: &Bound<'_, PyAny>) -> PyErr {
    let names: Vec<&str> = DType::ALL.iter().map(|d| d.name()).collect();
    PyTypeError::new_err(format!(
        "{} is not a dtype; there are {}",
        obj.str().map(|s| s.to_string()).unwrap_or_default(),
        names.join(", ")
    ))
}

/// Where a tensor's elements are.
#[pyclass(frozen, eq, hash, name = "device", module = "wengert")]
#[derive(PartialEq, Eq, Hash, Clone)]
pub(crate) struct PyDevice;

#[pymethods]
impl PyDevice {
    #[new]
    #[pyo3(signature = (r#type, index = None))]
    fn new(r#type: DeviceArg, index: Option<usize>) -> PyDevice {
        let (_, _) = (r#type, index);
        PyDevice
    }
    /// `cpu`.
    #[getter(r#type)]
    fn kind(&self) -> &'static str {
        "cpu"
    }
    /// Which of several devices; there is one CPU.
    #[getter]
    fn index(&self) -> Option<usize> {
        None
    }
    fn __repr__(&self) -> &'static str {
        "device(type='cpu')"
    }
    fn __str__(&self) -> &'static str {
        "cpu"
    }
    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, pyo3::types::PyType>, (&'static str,)) {
        (py.get_type::<PyDevice>(), ("cpu",))
    }
}

/// A device as argument: `"cpu"` or a `wengert.device`.
#[derive(Clone, Copy)]
pub(crate) struct DeviceArg;

impl<'py> FromPyObject<'_, 'py> for DeviceArg {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if obj.cast::<PyDevice>().is_ok() {
            return Ok(DeviceArg);
        }
        match obj.cast::<PyString>() {
            Ok(name) if matches!(name.to_cow()?.as_ref(), "cpu" | "cpu:0") => Ok(DeviceArg),
            Ok(name) => Err(PyRuntimeError::new_err(format!(
                "device {} is not available; this build has: cpu",
                name.to_cow()?
            ))),
            Err(_) => Err(PyTypeError::new_err(format!("{} is not a device", obj.str()?))),
        }
    }
}

/// The dtype of new floating-point tensors where no other is given, and of what integers become where they cannot stay such.
#[pyfunction]
fn get_default_dtype(py: Python<'_>) -> PyResult<Py<PyDType>> {
    Ok(object(py, wengert::get_default_dtype())?.clone_ref(py))
}

/// Makes new floating-point tensors of this dtype, in all threads; complex ones have parts of it.
#[pyfunction]
fn set_default_dtype(d: &Bound<'_, PyAny>) -> PyResult<()> {
    let dtype = d.cast::<PyDType>().map_err(|_| not_a_dtype(&d.as_borrowed()))?;
    wengert::set_default_dtype(dtype.get().0).map_err(|e| PyTypeError::new_err(e.to_string()))
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    crate::macros::functions!(m, get_default_dtype, set_default_dtype);
    m.add_class::<PyDType>()?;
    m.add_class::<PyDevice>()?;
    let py = m.py();
    for dtype in DType::ALL {
        m.add(dtype.name(), object(py, dtype)?)?;
    }
    for (other, dtype) in [
        ("float", DType::F32),
        ("double", DType::F64),
        ("half", DType::F16),
        ("long", DType::I64),
        ("int", DType::I32),
        ("short", DType::I16),
        ("cfloat", DType::C64),
        ("cdouble", DType::C128),
    ] {
        m.add(other, object(py, dtype)?)?;
    }
    Ok(())
}
