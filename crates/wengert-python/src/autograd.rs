//! Gradients: modes, backward, the graph's nodes.

use crate::args::{TensorLike, TensorList};
use crate::dtype::{self, DTypeArg, PyDType};
use crate::errors::value_error;
use crate::give::Give;
use crate::guard::{guard, guard_long, python};
use crate::state::{Callback, object};
use crate::tensor::PyTensor;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use std::sync::{Arc, Mutex, PoisonError};
use wengert::autograd::{Edge, NodeRef, Source};
use wengert::{Backward, Tensor};

/// A recorded operation.
#[pyclass(frozen, name = "Node", module = "wengert.autograd")]
pub(crate) struct PyNode(pub(crate) NodeRef);

#[pymethods]
impl PyNode {
    /// The operation's name.
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn __repr__(&self) -> String {
        format!("<{}>", self.0.describe())
    }
    /// Where in the program the operation was applied, or `None`.
    #[getter]
    fn origin(&self, py: Python<'_>) -> Option<String> {
        crate::origin::text(py, self.0.place())
    }
    /// What made its inputs, each with 0, since operations have one result: an operation, for a leaf the adding up of its
    /// gradient, and `None` for what requires no gradient.
    #[getter]
    fn next_functions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let source = |e: &Edge| match &e.source {
            Some(Source::Node(node)) => PyNode(node.clone()).into_py_any(py),
            Some(Source::Leaf(leaf)) => PyAccumulate(leaf.clone()).into_py_any(py),
            None => Ok(py.None()),
        };
        let edges = self.0.edges().iter().map(|e| Ok((source(e)?, 0)));
        PyTuple::new(py, edges.collect::<PyResult<Vec<_>>>()?)
    }
    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other
            .cast::<PyNode>()
            .is_ok_and(|o| o.get().0.id() == self.0.id())
    }
    fn __hash__(&self) -> u64 {
        self.0.id()
    }
}

/// Where a gradient ends: the adding up in a leaf.
#[pyclass(frozen, name = "AccumulateGrad", module = "wengert.autograd")]
pub(crate) struct PyAccumulate(Tensor);

#[pymethods]
impl PyAccumulate {
    /// The leaf.
    #[getter]
    fn variable<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTensor>> {
        object(py, self.0.clone())
    }
    /// The name of what is no operation.
    fn name(&self) -> &'static str {
        "accumulate_grad"
    }
    fn __repr__(&self) -> &'static str {
        "<accumulate_grad>"
    }
    /// Nothing.
    #[getter]
    fn next_functions<'py>(&self, py: Python<'py>) -> Bound<'py, PyTuple> {
        PyTuple::empty(py)
    }
    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<PyAccumulate>().is_ok_and(|o| o.get().0.is(&self.0))
    }
    fn __hash__(&self) -> u64 {
        Source::Leaf(self.0.clone()).id()
    }
}

/// Sets whether this thread records, and says what held before.
#[pyfunction]
fn _set_grad_enabled(on: bool) -> bool {
    let before = wengert::is_recording();
    // The mode lasts until the next call, not until a guard is dropped.
    std::mem::forget(wengert::Recording::set(on));
    before
}

/// Sets the dtype of this thread's products, or none in particular, and says what held before.
#[pyfunction]
fn _set_autocast(py: Python<'_>, dtype: Option<DTypeArg>) -> PyResult<Option<Py<PyDType>>> {
    let before = _autocast_dtype(py)?;
    guard(py, 0, || {
        std::mem::forget(wengert::Autocast::set(dtype.map(|d| d.0)));
    })?;
    Ok(before)
}

/// The dtype of this thread's products inside `autocast`.
#[pyfunction]
fn _autocast_dtype(py: Python<'_>) -> PyResult<Option<Py<PyDType>>> {
    let object = |d| dtype::object(py, d).map(|o| o.clone_ref(py));
    wengert::autocast_dtype().map(object).transpose()
}

/// Sets whether this thread's backward passes look for NaN, and says what held before.
#[pyfunction]
fn _set_detect_anomaly(on: bool) -> bool {
    let before = wengert::is_detecting_anomaly();
    std::mem::forget(wengert::DetectAnomaly::set(on));
    before
}

/// Whether backward passes of this thread look for NaN.
#[pyfunction]
fn is_anomaly_enabled() -> bool {
    wengert::is_detecting_anomaly()
}

/// Whether operations on this thread leave a record for gradients.
#[pyfunction]
fn is_grad_enabled() -> bool {
    wengert::is_recording()
}

#[pymethods]
impl PyTensor {
    /// Adds the gradients of this tensor to those of the leaves it was made from.
    #[pyo3(signature = (gradient = None, retain_graph = None, create_graph = false, inputs = None))]
    fn backward(
        &self,
        py: Python<'_>,
        gradient: Option<TensorLike>,
        retain_graph: Option<bool>,
        create_graph: bool,
        inputs: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let y = self.get();
        let how = how(retain_graph, create_graph);
        if let Some(inputs) = inputs {
            let inputs = variables(inputs)?;
            let dy = gradient.map(|g| g.0);
            let done = guard_long(py, || {
                let xs: Vec<&Tensor> = inputs.iter().map(|(x, _)| x).collect();
                how.try_run_into(&[(&y, dy.as_ref())], &xs)
            })?;
            return done.map_err(|e| crate::errors::exception(py, &e));
        }
        guard_long(py, move || match gradient {
            Some(dy) => how.run_with(&y, &dy.0),
            None => how.run(&y),
        })
    }

    /// Calls `hook` with the gradient of this tensor whenever backward has computed it; a tensor that it returns
    /// goes on in its place. Returns a handle whose `remove()` ends it.
    fn register_hook(&self, py: Python<'_>, hook: Py<PyAny>) -> PyResult<PyHook> {
        let (t, turned) = self.variable();
        let hook = Callback::new(hook);
        let callback = hook.clone();
        let call = move |grad: &Tensor| -> Option<Tensor> {
            python(|py| {
                let Some(hook) = hook.get(py) else {
                    return Ok(None);
                };
                let grad = if turned { grad.t() } else { grad.clone() };
                let result = hook.call1(py, (object(py, grad)?,))?;
                if result.is_none(py) {
                    return Ok(None);
                }
                let new = result.extract::<TensorLike>(py)?.0;
                Ok(Some(if turned { new.t() } else { new }))
            })
        };
        let handle = guard(py, 0, move || t.register_hook(call))?;
        self.has_hook(&callback);
        Ok(PyHook(Mutex::new(Some((handle, callback)))))
    }

    /// Calls `hook` with this leaf whenever backward has added to its gradient. Returns a handle whose `remove()` ends
    /// it.
    fn register_post_accumulate_grad_hook(slf: &Bound<'_, Self>, hook: Py<PyAny>) -> PyResult<PyHook> {
        let py = slf.py();
        let (t, turned) = slf.get().variable();
        // The hook gets the object itself, by which programs know their parameters, without keeping it alive.
        let weak = PyWeakrefReference::new(slf.as_any())?.unbind();
        let hook = Callback::new(hook);
        let callback = hook.clone();
        let call = move |leaf: &Tensor| {
            python(|py| {
                let Some(hook) = hook.get(py) else {
                    return Ok(());
                };
                let this = match weak.bind(py).upgrade() {
                    Some(this) => this,
                    None => Bound::new(py, PyTensor::side(leaf.clone(), turned, false))?.into_any(),
                };
                hook.call1(py, (this,)).map(drop)
            });
        };
        let handle = guard(py, 0, move || t.register_post_accumulate_grad_hook(call))?;
        slf.get().has_hook(&callback);
        Ok(PyHook(Mutex::new(Some((handle, callback)))))
    }
}

/// A hook that can be removed.
#[pyclass(frozen, name = "RemovableHandle", module = "wengert.autograd")]
pub(crate) struct PyHook(Mutex<Option<(wengert::HookHandle, Arc<Callback>)>>);

#[pymethods]
impl PyHook {
    /// From now on the hook is no longer called.
    fn remove(&self) {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((handle, callback)) = taken {
            handle.remove();
            callback.clear();
        }
    }
    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }
    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, PyTuple>) {
        self.remove();
    }
}

fn how(retain: Option<bool>, create: bool) -> Backward {
    let how = Backward::new().create_graph(create);
    match retain {
        Some(on) => how.retain_graph(on),
        None => how,
    }
}

/// The variables behind Python tensors, with whether each is seen turned.
fn variables(inputs: &Bound<'_, PyAny>) -> PyResult<Vec<(Tensor, bool)>> {
    if let Ok(one) = inputs.cast::<PyTensor>() {
        return Ok(vec![one.get().variable()]);
    }
    let each = inputs
        .try_iter()?
        .map(|x| Ok(x?.cast::<PyTensor>()?.get().variable()));
    each.collect()
}

/// The gradients of `outputs` with respect to `inputs`.
#[pyfunction]
#[pyo3(signature = (outputs, inputs, grad_outputs = None, retain_graph = None, create_graph = false, allow_unused = None, materialize_grads = false))]
fn grad(
    py: Python<'_>,
    outputs: &Bound<'_, PyAny>,
    inputs: &Bound<'_, PyAny>,
    grad_outputs: Option<&Bound<'_, PyAny>>,
    retain_graph: Option<bool>,
    create_graph: bool,
    allow_unused: Option<bool>,
    materialize_grads: bool,
) -> PyResult<Py<PyAny>> {
    let ys: Vec<Tensor> = variables(outputs)?.into_iter().map(|(t, _)| t).collect();
    let xs = variables(inputs)?;
    let dys: Vec<Option<Tensor>> = match grad_outputs {
        None => vec![None; ys.len()],
        Some(g) => match g.cast::<PyTensor>() {
            Ok(one) => vec![Some(one.get().get())],
            Err(_) => g
                .try_iter()?
                .map(|g| {
                    let g = g?;
                    Ok(if g.is_none() {
                        None
                    } else {
                        Some(g.extract::<TensorLike>()?.0)
                    })
                })
                .collect::<PyResult<_>>()?,
        },
    };
    if dys.len() != ys.len() {
        return Err(value_error(
            py,
            "grad",
            format!("{} outputs and {} grad_outputs", ys.len(), dys.len()),
        ));
    }
    let how = how(retain_graph, create_graph);
    let sums = guard_long(py, || {
        let roots: Vec<_> = ys.iter().zip(&dys).map(|(y, dy)| (y, dy.as_ref())).collect();
        how.try_grad_many(&roots, &xs.iter().map(|(x, _)| x).collect::<Vec<_>>())
    })?;
    let sums = sums.map_err(|e| crate::errors::exception(py, &e))?;
    let allow = allow_unused.unwrap_or(materialize_grads);
    let mut grads = Vec::with_capacity(xs.len());
    for (i, ((x, turned), g)) in xs.iter().zip(sums).enumerate() {
        let g = match g {
            None if materialize_grads => Some(guard(py, 0, || x.zeros_like())?),
            None if !allow => {
                let message = format!("the result does not depend on input {i}, of shape {}", x.shape());
                let error = wengert::Error::new(wengert::ErrorKind::Graph, "grad", message)
                    .note("so it has no gradient there")
                    .help("`allow_unused=True` gives None for it");
                return Err(crate::errors::exception(py, &error));
            }
            g => g,
        };
        grads.push(match g {
            Some(g) if *turned => Some(guard(py, 0, || g.t())?),
            g => g,
        });
    }
    grads.give(py)
}

/// Variables with the values of these tensors: see `func::variables`.
#[pyfunction]
fn _func_variables(py: Python<'_>, tensors: TensorList) -> PyResult<Py<PyAny>> {
    guard(py, 0, || wengert::func::variables(&tensors.0))?.give(py)
}

/// Whether others than these variables could differentiate the results: see `func::depends_on_others`.
#[pyfunction]
fn _func_depends_on_others(py: Python<'_>, results: TensorList, variables: TensorList) -> PyResult<bool> {
    guard(py, 0, || {
        wengert::func::depends_on_others(&results.0, &variables.0)
    })
}

/// `function` of a list of tensors, which gives one, recomputed when its gradient is asked for.
#[pyfunction]
fn _checkpoint(py: Python<'_>, function: Py<PyAny>, tensors: TensorList, again: bool) -> PyResult<Py<PyAny>> {
    let call = move |x: &Vec<Tensor>| -> Vec<Tensor> {
        python(|py| {
            let x = x.iter().map(|x| object(py, x.clone()));
            let x = PyList::new(py, x.collect::<PyResult<Vec<_>>>()?)?;
            Ok(function.call1(py, (x,))?.extract::<TensorList>(py)?.0.into_vec())
        })
    };
    guard(py, 0, move || match again {
        true => wengert::func::checkpoint(call, &tensors.0.into_vec()),
        false => wengert::func::checkpoint_drawing_anew(call, &tensors.0.into_vec()),
    })?
    .give(py)
}

/// Adds the gradients of several results to the leaves they were made from, in one walk.
#[pyfunction]
fn _backward_many(
    py: Python<'_>,
    tensors: TensorList,
    grads: Vec<Option<TensorLike>>,
    retain_graph: Option<bool>,
    create_graph: bool,
) -> PyResult<()> {
    let how = how(retain_graph, create_graph);
    guard_long(py, || {
        let roots: Vec<_> = tensors
            .0
            .iter()
            .zip(&grads)
            .map(|(y, dy)| (y, dy.as_ref().map(|g| &g.0)))
            .collect();
        how.run_many(&roots);
    })
}

/// Compares the gradients of `func` with finite differences: see `wengert.autograd.gradcheck`.
#[pyfunction]
fn _gradcheck(
    py: Python<'_>,
    func: &Bound<'_, PyAny>,
    inputs: TensorList,
    eps: f64,
    atol: f64,
    rtol: f64,
    full: bool,
    second_order: bool,
) -> PyResult<usize> {
    let check = wengert::autograd::check::GradCheck::new()
        .step(eps)
        .tolerance(rtol, atol);
    let check = if full { check.full() } else { check };
    let func = func.clone().unbind();
    let f = move |x: &[Tensor]| -> Tensor {
        python(|py| {
            let args = x.iter().map(|t| object(py, t.clone()));
            let args = PyTuple::new(py, args.collect::<PyResult<Vec<_>>>()?)?;
            Ok(func.call1(py, args)?.extract::<TensorLike>(py)?.0)
        })
    };
    let report = guard(py, 0, || {
        if second_order {
            check.run_second_order(f, &inputs.refs())
        } else {
            check.run(f, &inputs.refs())
        }
    })?;
    Ok(report.map_err(|e| crate::errors::exception(py, &e))?.compared)
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyNode>()?;
    m.add_class::<PyAccumulate>()?;
    m.add_class::<PyHook>()?;
    crate::macros::functions!(
        m,
        _set_grad_enabled,
        _set_autocast,
        _autocast_dtype,
        _set_detect_anomaly,
        is_anomaly_enabled,
        is_grad_enabled,
        grad,
        _func_variables,
        _func_depends_on_others,
        _checkpoint,
        _backward_many,
        _gradcheck
    );
    Ok(())
}
