//! Checkpoints and arrays in files.

use crate::args::as_tensor;
use crate::dtype::{self, PyDType};
use crate::guard::{guard, run};
use crate::tensor::PyTensor;
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use wengert::io::{self, SafeTensors, Value};
use wengert::nn::StateDict;
use wengert::{Result, Tensor};

/// How deep lists and dictionaries may lie within each other: Python's may contain themselves.
const DEEPEST: usize = 100;

/// The tensor as a file keeps it: a leaf that requires a gradient if the object is such a leaf.
fn kept(t: &Bound<'_, PyAny>, known: &mut Vec<(Py<PyAny>, Tensor)>) -> PyResult<Option<Tensor>> {
    let Ok(object) = t.cast::<PyTensor>() else {
        return Ok(None);
    };
    if let Some((_, kept)) = known.iter().find(|(o, _)| o.is(t)) {
        return Ok(Some(kept.clone()));
    }
    let (variable, _) = object.get().variable();
    let kept = object.get().get().detach();
    if variable.is_leaf() && variable.requires_grad() {
        guard(t.py(), 0, || kept.requires_grad_(true))?;
    }
    known.push((t.clone().unbind(), kept.clone()));
    Ok(Some(kept))
}

/// A Python object as a value that files can hold.
pub(crate) fn value_of(obj: &Bound<'_, PyAny>) -> PyResult<Value> {
    value(obj, 0, &mut Vec::new())
}

fn value(obj: &Bound<'_, PyAny>, depth: usize, known: &mut Vec<(Py<PyAny>, Tensor)>) -> PyResult<Value> {
    if depth > DEEPEST {
        return Err(PyTypeError::new_err(
            "save: lists and dictionaries lie too deep within each other, or within themselves",
        ));
    }
    if let Some(t) = kept(obj, known)? {
        return Ok(Value::Tensor(t));
    }
    let mut items = |items: &Bound<'_, PyAny>| -> PyResult<Vec<Value>> {
        let items = items.try_iter()?;
        items.map(|v| value(&v?, depth + 1, known)).collect()
    };
    if obj.is_none() {
        Ok(Value::None)
    } else if let Ok(v) = obj.cast::<PyBool>() {
        Ok(Value::Bool(v.is_true()))
    } else if obj.is_instance_of::<PyInt>() {
        let v = obj.extract::<i64>();
        Ok(Value::Int(v.map_err(|_| {
            PyOverflowError::new_err("save: an integer needs more than 64 bits")
        })?))
    } else if let Ok(v) = obj.cast::<PyFloat>() {
        Ok(Value::Float(v.value()))
    } else if let Ok(v) = obj.cast::<PyString>() {
        Ok(Value::Str(v.to_str()?.to_string()))
    } else if let Ok(v) = obj.cast::<PyBytes>() {
        Ok(Value::Bytes(v.as_bytes().to_vec()))
    } else if let Ok(v) = obj.cast::<PyDType>() {
        Ok(Value::DType(v.get().0))
    } else if obj.is_instance_of::<PyList>() {
        Ok(Value::List(items(obj)?))
    } else if obj.is_instance_of::<PyTuple>() {
        Ok(Value::Tuple(items(obj)?))
    } else if obj.is_instance_of::<PySet>() || obj.is_instance_of::<PyFrozenSet>() {
        Ok(Value::Set(items(obj)?))
    } else if let Ok(v) = obj.cast::<PyDict>() {
        let mut entries = Vec::with_capacity(v.len());
        for (k, v) in v.iter() {
            entries.push((value(&k, depth + 1, known)?, value(&v, depth + 1, known)?));
        }
        Ok(Value::Dict(entries))
    } else {
        let kind = obj.get_type().name()?;
        Err(PyTypeError::new_err(format!(
            "save: a {kind} is neither a tensor nor made of such, of numbers and of texts\n  help: save its state_dict(), or pass pickle=True if you will trust the file"
        )))
    }
}

/// A value as a Python object; one tensor is one object, wherever it stands.
struct Give<'py> {
    py: Python<'py>,
    known: Vec<(Tensor, Py<PyAny>)>,
}

impl Give<'_> {
    fn all(&mut self, items: Vec<Value>) -> PyResult<Vec<Py<PyAny>>> {
        items.into_iter().map(|v| self.give(v)).collect()
    }

    fn give(&mut self, value: Value) -> PyResult<Py<PyAny>> {
        let py = self.py;
        Ok(match value {
            Value::None => py.None(),
            Value::Bool(v) => PyBool::new(py, v).to_owned().into_any().unbind(),
            Value::Int(v) => v.into_pyobject(py)?.into_any().unbind(),
            Value::Float(v) => PyFloat::new(py, v).into_any().unbind(),
            Value::Str(v) => PyString::new(py, &v).into_any().unbind(),
            Value::Bytes(v) => PyBytes::new(py, &v).into_any().unbind(),
            Value::DType(v) => dtype::object(py, v)?.clone_ref(py).into_any(),
            Value::Tensor(t) => match self.known.iter().find(|(known, _)| known.is(&t)) {
                Some((_, object)) => object.clone_ref(py),
                None => {
                    let object = Py::new(py, PyTensor::new(t.clone()))?.into_any();
                    self.known.push((t, object.clone_ref(py)));
                    object
                }
            },
            Value::List(items) => PyList::new(py, self.all(items)?)?.into_any().unbind(),
            Value::Tuple(items) => PyTuple::new(py, self.all(items)?)?.into_any().unbind(),
            Value::Set(items) => PySet::new(py, self.all(items)?)?.into_any().unbind(),
            Value::Dict(entries) => {
                let dict = PyDict::new(py);
                for (k, v) in entries {
                    dict.set_item(self.give(k)?, self.give(v)?)?;
                }
                dict.into_any().unbind()
            }
        })
    }
}

fn give(py: Python<'_>, value: Value) -> PyResult<Py<PyAny>> {
    let known = Vec::new();
    Give { py, known }.give(value)
}

/// A dictionary of tensors by name.
fn tensors_of(tensors: &Bound<'_, PyDict>) -> PyResult<StateDict> {
    let one =
        |(name, t): (Bound<'_, PyAny>, Bound<'_, PyAny>)| match (name.extract::<String>(), as_tensor(&t)) {
            (Ok(name), Some(t)) => Ok((name, t.detach())),
            _ => Err(PyTypeError::new_err(
                "save: the dictionary must have text for keys and tensors for values",
            )),
        };
    tensors.iter().map(one).collect()
}

/// Reads a file: a path, which may be mapped into memory, or the bytes of one.
#[pyfunction]
#[pyo3(signature = (f, mmap = false))]
fn _load(py: Python<'_>, f: &Bound<'_, PyAny>, mmap: bool) -> PyResult<Py<PyAny>> {
    let value = match f.cast::<PyBytes>() {
        Ok(bytes) => {
            let bytes = bytes.as_bytes();
            run(py, || io::load_bytes(bytes))?
        }
        Err(_) => {
            let path: PathBuf = f.extract()?;
            run(py, || match mmap {
                true => io::load_mapped(&path),
                false => io::load(&path),
            })?
        }
    };
    give(py, value)
}

/// Writes a file in the format that its name's ending asks for; PyTorch's, where it asks for none.
#[pyfunction]
fn _save(py: Python<'_>, obj: &Bound<'_, PyAny>, path: PathBuf) -> PyResult<()> {
    let value = value_of(obj)?;
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let own = matches!(ending.as_deref(), Some("safetensors" | "npz" | "npy"));
    run(py, || {
        if own {
            io::save(&path, &value)
        } else {
            io::save_pt(&path, &value)
        }
    })
}

/// What `_save` writes for a name such as `x.pt`, in memory.
#[pyfunction]
fn _save_bytes(py: Python<'_>, obj: &Bound<'_, PyAny>) -> PyResult<Py<PyBytes>> {
    let value = value_of(obj)?;
    let bytes = run(py, || io::pt_bytes(&value))?;
    Ok(PyBytes::new(py, &bytes).unbind())
}

/// Writes bytes to a file, all or nothing.
#[pyfunction]
fn _write_file(py: Python<'_>, data: &[u8], path: PathBuf) -> PyResult<()> {
    run(py, || io::write_atomically(&path, |file| file.write_all(data)))
}

/// Reads the tensors of a safetensors file, by name.
#[pyfunction]
fn load_safetensors(py: Python<'_>, path: PathBuf) -> PyResult<Py<PyAny>> {
    let state = run(py, || io::load_safetensors(&path))?;
    give(py, state.into())
}

/// Writes a dictionary of tensors as a safetensors file, all or nothing; `metadata` is a dictionary of texts.
#[pyfunction]
#[pyo3(signature = (named, path, metadata = None))]
fn save_safetensors(
    py: Python<'_>,
    named: &Bound<'_, PyDict>,
    path: PathBuf,
    metadata: Option<Vec<(String, String)>>,
) -> PyResult<()> {
    let tensors = tensors_of(named)?;
    let metadata = metadata.unwrap_or_default();
    run(py, || io::save_safetensors_with(&path, &tensors, &metadata))
}

/// The bytes of a safetensors file of these tensors.
#[pyfunction]
#[pyo3(signature = (named, metadata = None))]
fn _safetensors_bytes(
    py: Python<'_>,
    named: &Bound<'_, PyDict>,
    metadata: Option<Vec<(String, String)>>,
) -> PyResult<Py<PyBytes>> {
    let tensors = tensors_of(named)?;
    let metadata = metadata.unwrap_or_default();
    let bytes = run(py, || io::safetensors_bytes(&tensors, &metadata))?;
    Ok(PyBytes::new(py, &bytes).unbind())
}

/// Reads the arrays of an NPZ file, by name.
#[pyfunction]
fn load_npz(py: Python<'_>, path: PathBuf) -> PyResult<Py<PyAny>> {
    let state = run(py, || io::load_npz(&path))?;
    give(py, state.into())
}

/// Writes a dictionary of tensors as an NPZ file, as `numpy.savez` does, all or nothing.
#[pyfunction]
fn save_npz(py: Python<'_>, named: &Bound<'_, PyDict>, path: PathBuf) -> PyResult<()> {
    let tensors = tensors_of(named)?;
    run(py, || io::save_npz(&path, &tensors))
}

/// Reads an NPY file.
#[pyfunction]
fn load_npy(py: Python<'_>, path: PathBuf) -> PyResult<PyTensor> {
    run(py, || io::load_npy(&path)).map(PyTensor::new)
}

/// Writes an NPY file, as `numpy.save` does, all or nothing.
#[pyfunction]
fn save_npy(py: Python<'_>, tensor: &Bound<'_, PyTensor>, path: PathBuf) -> PyResult<()> {
    let tensor = tensor.get().get();
    run(py, || io::save_npy(&path, &tensor))
}

/// A safetensors file whose tensors are read when they are asked for.
#[pyclass(frozen, name = "SafeTensors", module = "wengert")]
pub(crate) struct PySafeTensors(Mutex<Option<SafeTensors>>);

impl PySafeTensors {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut SafeTensors) -> Result<T> + Send,
    ) -> PyResult<T> {
        run(py, || {
            let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            file.as_mut().map(f).transpose()
        })?
        .ok_or_else(|| PyRuntimeError::new_err("the file is closed"))
    }
}

#[pymethods]
impl PySafeTensors {
    #[new]
    #[pyo3(signature = (path, mmap = false))]
    fn py_new(py: Python<'_>, path: PathBuf, mmap: bool) -> PyResult<PySafeTensors> {
        let file = run(py, || match mmap {
            true => SafeTensors::open_mapped(&path),
            false => SafeTensors::open(&path),
        })?;
        Ok(PySafeTensors(Mutex::new(Some(file))))
    }
    /// The names of the tensors, in the order in which they lie in the file.
    fn keys(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.with(py, |f| Ok(f.names().map(str::to_string).collect()))
    }
    /// The texts that go with the tensors, by name; `None` where there are none.
    fn metadata(&self, py: Python<'_>) -> PyResult<Option<Py<PyDict>>> {
        let pairs = self.with(py, |f| Ok(f.metadata().to_vec()))?;
        if pairs.is_empty() {
            return Ok(None);
        }
        let dict = PyDict::new(py);
        pairs.iter().try_for_each(|(k, v)| dict.set_item(k, v))?;
        Ok(Some(dict.unbind()))
    }
    /// The shape of a tensor, without reading it.
    fn shape<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let (_, shape) = self.with(py, |f| f.try_meta(name))?;
        crate::tensor::size(py, &shape)
    }
    /// The dtype of a tensor, without reading it.
    fn dtype(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyDType>> {
        let (dtype, _) = self.with(py, |f| f.try_meta(name))?;
        Ok(dtype::object(py, dtype)?.clone_ref(py))
    }
    /// Reads a tensor, or maps it.
    fn get_tensor(&self, py: Python<'_>, name: &str) -> PyResult<PyTensor> {
        self.with(py, |f| f.tensor(name)).map(PyTensor::new)
    }
    /// Closes the file.
    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }
    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, _exc: &Bound<'_, PyTuple>) {
        self.close();
    }
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PySafeTensors>()?;
    crate::macros::functions!(
        m,
        _load,
        _save,
        _save_bytes,
        _write_file,
        _safetensors_bytes,
        load_safetensors,
        save_safetensors,
        load_npz,
        save_npz,
        load_npy,
        save_npy
    );
    Ok(())
}
