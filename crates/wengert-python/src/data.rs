//! Readers of data, and measures of how good a model is.

use crate::args::TensorLike;
use crate::guard::{guard, run};
use crate::tensor::PyTensor;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use wengert::Tensor;
use wengert::data::{self, Table, Vocabulary};
use wengert::train::{self, Confusion};

/// A table of text with named columns, as `load_csv` and `read_csv` give it.
#[pyclass(frozen, name = "Table", module = "wengert.utils.data")]
pub(crate) struct PyTable(Table);

#[pymethods]
impl PyTable {
    /// The names of the columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.0.columns.clone()
    }
    /// The rows, each a list of texts.
    #[getter]
    fn rows(&self) -> Vec<Vec<String>> {
        self.0.rows.clone()
    }
    /// These columns as float32 numbers `[rows, columns]`, all where none is named; empty cells are NaN.
    #[pyo3(signature = (columns = None))]
    fn numbers(&self, py: Python<'_>, columns: Option<Vec<String>>) -> PyResult<PyTensor> {
        let columns = columns.as_ref().unwrap_or(&self.0.columns);
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        run(py, || self.0.numbers(&names)).map(PyTensor::new)
    }
    /// A column as numbers of classes `[rows]`, and the classes' names in alphabetical order.
    fn classes(&self, py: Python<'_>, column: &str) -> PyResult<(PyTensor, Vec<String>)> {
        let (numbers, names) = run(py, || self.0.classes(column))?;
        Ok((PyTensor::new(numbers), names))
    }
    fn __len__(&self) -> usize {
        self.0.rows.len()
    }
    fn __repr__(&self) -> String {
        format!(
            "<table of {} rows: {}>",
            self.0.rows.len(),
            self.0.columns.join(", ")
        )
    }
}

/// Reads a file of comma-separated values, the first line of which names the columns.
#[pyfunction]
fn load_csv(py: Python<'_>, path: PathBuf) -> PyResult<PyTable> {
    run(py, || data::load_csv(&path)).map(PyTable)
}

/// Reads text as a table, the first line of which names the columns.
#[pyfunction]
#[pyo3(signature = (text, separator = ','))]
fn read_csv(py: Python<'_>, text: &str, separator: char) -> PyResult<PyTable> {
    run(py, || data::read_csv(text, separator)).map(PyTable)
}

/// Reads an IDX file, as MNIST comes in, packed by gzip or not.
#[pyfunction]
fn load_idx(py: Python<'_>, path: PathBuf) -> PyResult<PyTensor> {
    run(py, || data::load_idx(&path)).map(PyTensor::new)
}

/// As `load_idx`, from bytes.
#[pyfunction]
fn read_idx(py: Python<'_>, bytes: &[u8]) -> PyResult<PyTensor> {
    run(py, || data::read_idx(bytes)).map(PyTensor::new)
}

/// Reads a picture (PNG or JPEG) as float32 `[3, height, width]`, from 0 to 1.
#[pyfunction]
fn load_image(py: Python<'_>, path: PathBuf) -> PyResult<PyTensor> {
    run(py, || data::load_image(&path)).map(PyTensor::new)
}

/// Writes numbers from 0 to 1, `[3, height, width]` in colour, `[1, height, width]` or `[height, width]` in grey, as a
/// picture in the format that the name ends with.
#[pyfunction]
fn save_image(py: Python<'_>, tensor: TensorLike, path: PathBuf) -> PyResult<()> {
    run(py, || data::save_image(&path, &tensor.0))
}

/// Pictures `[n, channels, height, width]` side by side, at most `nrow` in a row, with `padding` zeros around and between
/// them.
#[pyfunction]
#[pyo3(signature = (tensor, nrow = 8, padding = 2))]
fn make_grid(py: Python<'_>, tensor: TensorLike, nrow: usize, padding: usize) -> PyResult<PyTensor> {
    let made = guard(py, tensor.0.numel(), || {
        data::transforms::make_grid(&tensor.0, nrow, padding)
    })?;
    Ok(PyTensor::new(made))
}

/// The characters of a text as numbers: for models that read character by character.
#[pyclass(frozen, name = "Vocabulary", module = "wengert.utils.data")]
pub(crate) struct PyVocabulary(Vocabulary);

#[pymethods]
impl PyVocabulary {
    #[new]
    fn py_new(text: &str) -> PyVocabulary {
        PyVocabulary(Vocabulary::new(text))
    }
    fn __len__(&self) -> usize {
        self.0.len()
    }
    /// The numbers of a text's characters.
    fn encode(&self, py: Python<'_>, text: &str) -> PyResult<PyTensor> {
        run(py, || self.0.encode(text)).map(PyTensor::new)
    }
    /// The text of these numbers.
    fn decode(&self, py: Python<'_>, numbers: TensorLike) -> PyResult<String> {
        guard(py, 0, || self.0.decode(&numbers.0.to(wengert::DType::I64)))
    }
}

macro_rules! measures {
    ($($(#[doc = $doc:literal])* $name:ident($a:ident, $b:ident $(, $extra:ident: $type:ty)?);)*) => {$(
        $(#[doc = $doc])*
        #[pyfunction]
        fn $name(py: Python<'_>, $a: TensorLike, $b: TensorLike $(, $extra: $type)?) -> PyResult<f64> {
            guard(py, $a.0.numel(), || train::$name(&$a.0, &$b.0 $(, $extra)?))
        }
    )*};
}

measures! {
    /// The share of examples whose highest score `[n, classes]` is that of the true class `[n]`.
    accuracy(scores, targets);
    /// The share of examples whose true class is among the `k` of the highest scores.
    top_k_accuracy(scores, targets, k: usize);
    /// 1 − Σ (target − prediction)² / Σ (target − mean)²: 1 is perfect, 0 no better than the mean.
    r2_score(predictions, targets);
    /// The mean of |prediction − target|.
    mean_absolute_error(predictions, targets);
}

/// exp of the mean cross entropy: among how many classes a model as unsure would choose.
#[pyfunction]
fn perplexity(mean_cross_entropy: f64) -> f64 {
    train::perplexity(mean_cross_entropy)
}

/// How often each class was taken for which.
#[pyclass(frozen, name = "Confusion", module = "wengert.train")]
pub(crate) struct PyConfusion(Mutex<Confusion>, usize);

impl PyConfusion {
    fn with<T: Send>(&self, py: Python<'_>, f: impl FnOnce(&mut Confusion) -> T + Send) -> PyResult<T> {
        guard(py, 0, || {
            f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

#[pymethods]
impl PyConfusion {
    #[new]
    fn py_new(py: Python<'_>, classes: usize) -> PyResult<PyConfusion> {
        let made = guard(py, 0, || Confusion::new(classes))?;
        Ok(PyConfusion(Mutex::new(made), classes))
    }
    /// Counts examples: scores `[n, classes]` or numbers of classes `[n]`, and the true classes `[n]`.
    fn update(&self, py: Python<'_>, predictions: TensorLike, targets: TensorLike) -> PyResult<()> {
        self.with(py, |c| c.update(&predictions.0, &targets.0))
    }
    /// The counts `[truth, prediction]`.
    fn matrix(&self, py: Python<'_>) -> PyResult<PyTensor> {
        let n = self.1;
        let counts = self.with(py, |c| {
            let pairs = (0..n * n).map(|i| c.count(i / n, i % n) as i64);
            pairs.collect::<Vec<i64>>()
        })?;
        Ok(PyTensor::new(Tensor::from_slice(&counts, [n, n])))
    }
    /// How many examples there were.
    fn total(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |c| c.total())
    }
    /// The share of examples whose class was found.
    fn accuracy(&self, py: Python<'_>) -> PyResult<f64> {
        self.with(py, |c| c.accuracy())
    }
    /// Of those taken for this class, the share that are of it.
    fn precision(&self, py: Python<'_>, cls: usize) -> PyResult<f64> {
        self.with(py, |c| c.precision(cls))
    }
    /// Of those of this class, the share that were taken for it.
    fn recall(&self, py: Python<'_>, cls: usize) -> PyResult<f64> {
        self.with(py, |c| c.recall(cls))
    }
    /// The harmonic mean of precision and recall.
    fn f1(&self, py: Python<'_>, cls: usize) -> PyResult<f64> {
        self.with(py, |c| c.f1(cls))
    }
    /// The mean of `f1` over the classes.
    fn macro_f1(&self, py: Python<'_>) -> PyResult<f64> {
        self.with(py, |c| c.macro_f1())
    }
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, |c| c.to_string())
    }
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyTable>()?;
    m.add_class::<PyVocabulary>()?;
    m.add_class::<PyConfusion>()?;
    crate::macros::functions!(
        m,
        load_csv,
        read_csv,
        load_idx,
        read_idx,
        load_image,
        save_image,
        make_grid,
        accuracy,
        top_k_accuracy,
        r2_score,
        mean_absolute_error,
        perplexity
    );
    Ok(())
}
