//! Logs of trainings, and operations counted while they are performed.

use crate::guard::run;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use wengert::Result;
use wengert::inspect::Watch;
use wengert::train::{Console, CsvLog, Log, Plot, Report, TensorBoard};

/// Where the numbers of a training go: as Rust's logs, which the classes below are.
#[pyclass(frozen, subclass, name = "_Log", module = "wengert.train")]
pub(crate) struct PyLog(Mutex<Box<dyn Log + Send>>);

impl PyLog {
    fn with(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut (dyn Log + Send)) -> Result<()> + Send,
    ) -> PyResult<()> {
        run(py, || {
            f(self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
        })
    }
}

#[pymethods]
impl PyLog {
    /// Keeps these numbers, by their names, of a step.
    fn write(&self, py: Python<'_>, step: usize, values: Vec<(String, f64)>) -> PyResult<()> {
        let values: Vec<(&str, f64)> = values.iter().map(|(name, v)| (name.as_str(), *v)).collect();
        self.with(py, |log| log.log(step, &values))
    }
    /// A run that was interrupted goes on after so many steps, with these mean losses and measures of its epochs.
    fn resumed(&self, py: Python<'_>, steps: usize, losses: Vec<f64>, measures: Vec<f64>) -> PyResult<()> {
        let report = Report {
            losses,
            measures,
            steps,
            ..Report::default()
        };
        self.with(py, |log| log.resumed(&report))
    }
}

macro_rules! logs {
    ($($(#[doc = $doc:literal])* $name:literal $class:ident($($arg:ident: $type:ty)?) => $make:expr;)*) => {$(
        $(#[doc = $doc])*
        #[pyclass(frozen, extends = PyLog, name = $name, module = "wengert.train")]
        pub(crate) struct $class;

        #[pymethods]
        impl $class {
            #[new]
            fn py_new(py: Python<'_> $(, $arg: $type)?) -> PyResult<PyClassInitializer<Self>> {
                let made = run(py, || -> Result<Box<dyn Log + Send>> { $make })?;
                Ok(PyClassInitializer::from(PyLog(Mutex::new(made))).add_subclass($class))
            }
        }
    )*};
}

logs! {
    /// A line on standard error for each epoch.
    "Console" PyConsole() => Ok(Box::new(Console));
    /// A file of comma-separated values, whose columns are those of the first numbers. An existing file is continued.
    "CsvLog" PyCsvLog(path: PathBuf) => Ok(Box::new(CsvLog::new(path)));
    /// A file of events in this directory that TensorBoard shows.
    "TensorBoard" PyTensorBoard(directory: PathBuf) => Ok(Box::new(TensorBoard::new(directory)?));
    /// A picture in the language SVG, drawn anew whenever numbers come in.
    "Plot" PyPlot(path: PathBuf) => Ok(Box::new(Plot::new(path)));
}

/// Takes note of the operations of this thread until it is stopped.
#[pyclass(unsendable, name = "_Watch", module = "wengert")]
pub(crate) struct PyWatch(Option<Watch>);

#[pymethods]
impl PyWatch {
    #[new]
    fn py_new() -> PyWatch {
        PyWatch(Some(Watch::start()))
    }
    /// How many operations there were.
    fn count(&self) -> usize {
        self.0.as_ref().map_or(0, Watch::count)
    }
    /// Name, shape of the result, and floating-point operations of each but the first ones.
    #[pyo3(signature = (after = 0))]
    fn operations(&self, after: usize) -> Vec<(&'static str, Vec<usize>, u64)> {
        let all = self
            .0
            .as_ref()
            .map_or(Vec::new(), |watch| watch.operations(after));
        all.into_iter()
            .map(|p| (p.name, p.meta.shape.to_vec(), p.flops))
            .collect()
    }
    /// Ends it.
    fn stop(&mut self) {
        self.0 = None;
    }
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyLog>()?;
    m.add_class::<PyConsole>()?;
    m.add_class::<PyCsvLog>()?;
    m.add_class::<PyTensorBoard>()?;
    m.add_class::<PyPlot>()?;
    m.add_class::<PyWatch>()
}
