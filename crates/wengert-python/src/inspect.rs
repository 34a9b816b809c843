//! Looking at graphs and tensors.

use crate::give::Give;
use crate::tensor::PyTensor;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use wengert::Tensor;
use wengert::inspect::{Graph, Role};
use wengert::print;

/// The recorded history of a result, to look at: in a notebook it shows itself as a picture.
#[pyclass(frozen, name = "Graph", module = "wengert")]
pub(crate) struct PyGraph(Graph);

#[pymethods]
impl PyGraph {
    /// A picture, as text in the language SVG.
    fn to_svg(&self) -> String {
        self.0.to_svg()
    }
    /// The graph in Graphviz's language.
    fn to_dot(&self) -> String {
        self.0.to_dot()
    }
    /// How many bytes it keeps for its backward pass.
    #[getter]
    fn saved_bytes(&self) -> usize {
        self.0.saved_bytes()
    }
    /// The names of operations, oldest first.
    #[getter]
    fn operations(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let names = self.0.vertices.iter().filter(|v| v.role == Role::Operation);
        names.map(|v| v.label.clone()).collect::<Vec<_>>().give(py)
    }
    fn _repr_html_(&self) -> String {
        self.0.to_svg()
    }
    fn __repr__(&self) -> String {
        let n = self
            .0
            .vertices
            .iter()
            .filter(|v| v.role == Role::Operation)
            .count();
        format!("<graph of {n} operations, {} bytes saved>", self.0.saved_bytes())
    }
}

/// The recorded history of `y`. `params`, a dict of names and tensors or a module, names the leaves.
#[pyfunction]
#[pyo3(signature = (y, params = None))]
fn graph(y: &Bound<'_, PyTensor>, params: Option<&Bound<'_, PyAny>>) -> PyResult<PyGraph> {
    let py = y.py();
    let mut named: Vec<(String, Tensor)> = Vec::new();
    if let Some(params) = params {
        let pairs = match params.cast::<PyDict>() {
            Ok(dict) => dict.items().into_any(),
            Err(_) if params.hasattr("named_parameters")? => params.call_method0("named_parameters")?,
            Err(_) => params.clone(),
        };
        for pair in pairs.try_iter()? {
            let pair = pair?.cast_into::<PyTuple>()?;
            let (name, t): (String, Bound<'_, PyAny>) = pair.extract()?;
            named.push((name, t.cast::<PyTensor>()?.get().variable().0));
        }
    }
    let t = y.get().get();
    crate::guard::guard(py, 0, || PyGraph(Graph::of(&t).named(named)))
}

#[pymethods]
impl PyTensor {
    fn _repr_html_(&self) -> String {
        let t = self.get();
        let escape = |s: String| s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let dims: Vec<String> = t.shape().iter().map(usize::to_string).collect();
        let shape = if dims.is_empty() {
            "scalar".to_string()
        } else {
            dims.join(" × ")
        };
        let made = match t.grad_fn() {
            Some(node) => format!(" · made by {}", node.name()),
            None if t.requires_grad() => " · requires a gradient".to_string(),
            None => String::new(),
        };
        format!(
            "<div><div style=\"color:#777;font-size:85%\">{} {shape}{}</div><pre style=\"margin:0\">{}</pre></div>",
            t.dtype(),
            escape(made),
            escape(print::format(&t.array(), "tensor(", &[])),
        )
    }
}

type Printing = (usize, usize, usize, usize, Option<bool>);

/// How tensors are printed: digits, the size from which on they are summarised, elements at either end, the length of a
/// line, and whether numbers have exponents.
#[pyfunction]
fn _print_options() -> Printing {
    let o = print::options();
    (o.precision, o.threshold, o.edge, o.line, o.scientific)
}

/// Sets that.
#[pyfunction]
fn _set_print_options(options: Printing) {
    let (precision, threshold, edge, line, scientific) = options;
    print::set_options(print::Options {
        precision,
        threshold,
        edge,
        line,
        scientific,
    });
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyGraph>()?;
    crate::macros::functions!(m, graph, _print_options, _set_print_options);
    Ok(())
}
