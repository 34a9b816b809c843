//! `wengert.autograd.Function`: operations that a user writes in Python.

use crate::args::TensorLike;
use crate::errors::value_error;
use crate::give::Give;
use crate::guard::{guard, python};
use crate::state::object;
use crate::tensor::PyTensor;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wengert::op::In;
use wengert::{
    Array, Complex, Ctx, DType, Each, Extra, Meta, Op, Recording, Result, Sample, Saves, Shape, Tensor,
    Variadic,
};

/// What a user's operation keeps between forward and backward.
#[pyclass(frozen, dict, name = "FunctionCtx", module = "wengert.autograd")]
pub(crate) struct PyCtx(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    needs: Vec<bool>,
    /// What `save_for_backward` got, until forward has returned.
    given: Vec<Py<PyAny>>,
    saved: Vec<Saved>,
    /// The results, packed, where one of them was saved.
    packed: Option<Array>,
    /// The saved tensors as the running backward sees them.
    now: Option<Vec<Option<Tensor>>>,
    constant: Vec<Py<PyAny>>,
}

/// A saved tensor: of inputs and results only values are kept, so that it keeps no graph alive.
enum Saved {
    Nothing,
    Input(usize, Array),
    /// Which of the differentiable results.
    Output(usize),
    Other(Tensor),
}

fn lock(m: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pymethods]
impl PyCtx {
    #[new]
    fn new() -> PyCtx {
        PyCtx(Mutex::default())
    }
    /// Keeps tensors for `backward`, which finds them in `saved_tensors`.
    #[pyo3(signature = (*tensors))]
    fn save_for_backward(&self, tensors: &Bound<'_, PyTuple>) -> PyResult<()> {
        for t in tensors {
            if !t.is_none() && t.cast::<PyTensor>().is_err() {
                return Err(PyTypeError::new_err(format!(
                    "save_for_backward keeps tensors, and not a {}: other values may be attributes of ctx",
                    t.get_type().name()?
                )));
            }
        }
        lock(&self.0).given = tensors.iter().map(Bound::unbind).collect();
        Ok(())
    }
    /// The tensors that `save_for_backward` kept.
    #[getter]
    fn saved_tensors(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let kept = lock(&self.0);
        if let Some(now) = &kept.now {
            let now = now.clone();
            drop(kept);
            return now.give(py);
        }
        let given: Vec<Py<PyAny>> = kept.given.iter().map(|g| g.clone_ref(py)).collect();
        drop(kept);
        given.give(py)
    }
    /// For each argument of `forward`, whether its gradient is asked for.
    #[getter]
    fn needs_input_grad(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let needs = lock(&self.0).needs.clone();
        needs.give(py)
    }
    /// These results have no gradient.
    #[pyo3(signature = (*tensors))]
    fn mark_non_differentiable(&self, tensors: &Bound<'_, PyTuple>) {
        lock(&self.0).constant = tensors.iter().map(Bound::unbind).collect();
    }
    /// These inputs were changed in place; a change is never seen by others, so there is nothing to do.
    #[pyo3(signature = (*tensors))]
    fn mark_dirty(&self, tensors: &Bound<'_, PyTuple>) {
        let _ = tensors;
    }
    /// Whether gradients of unused results are zeros; they are.
    fn set_materialize_grads(&self, value: bool) {
        let _ = value;
    }
}

/// A user's operation in the graph.
struct Custom {
    name: &'static str,
    class: Py<PyType>,
    ctx: Py<PyCtx>,
    /// For each argument of `forward`, whether it is a tensor.
    tensors: Vec<bool>,
    /// The results' shapes and dtypes, in the order in which they are packed.
    parts: Vec<(Shape, DType)>,
    meta: Meta,
    packed: Mutex<Option<Array>>,
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// One result is itself; several are one row of numbers.
fn pack(parts: &[Array]) -> Array {
    if let [one] = parts {
        return one.clone();
    }
    let dtype = parts
        .iter()
        .map(Array::dtype)
        .reduce(DType::promote)
        .unwrap_or(DType::F32);
    let flat: Vec<Tensor> = parts
        .iter()
        .map(|p| Tensor::constant(p.cast(dtype).reshape([p.numel()])))
        .collect();
    wengert::cat(&flat.iter().collect::<Vec<_>>(), 0).array()
}

/// The parts of what [`pack`] made, or of its gradient.
fn unpack(packed: &Tensor, parts: &[(Shape, DType)]) -> Vec<Tensor> {
    if parts.len() == 1 {
        return vec![packed.clone()];
    }
    let mut start = 0;
    let part = |(shape, dtype): &(Shape, DType)| {
        let n = shape.numel();
        start += n;
        packed.narrow(0, start - n, n).reshape(shape.clone()).to(*dtype)
    };
    parts.iter().map(part).collect()
}

impl Op for Custom {
    type Inputs = Variadic;
    const NAME: &'static str = "Function";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];

    fn complex(&self) -> Complex<Self> {
        Complex::Whole
    }

    fn name(&self) -> &'static str {
        self.name
    }
    fn infer(&self, _: Each<Self, In<'_>>) -> Result<Meta> {
        Ok(self.meta.clone())
    }
    fn forward(&self, _: Each<Self, Array>, y: &Meta, _: &mut Extra) -> Array {
        let packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Computed before the operation was made; only an audit asks again.
        packed.unwrap_or_else(|| Array::full(&y.shape, 0.0, y.dtype))
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> Each<Self, Option<Tensor>> {
        let now = {
            let kept = lock(&self.ctx.get().0);
            let see = |s: &Saved| match s {
                Saved::Nothing => None,
                Saved::Input(i, value) => Some(cx.as_x(*i, value.clone())),
                Saved::Output(k) => {
                    let packed = kept.packed.clone().map(|p| cx.as_y(p));
                    packed.map(|p| unpack(&p, &self.parts).swap_remove(*k))
                }
                Saved::Other(t) => Some(t.clone()),
            };
            kept.saved.iter().map(see).collect::<Vec<_>>()
        };
        let grads = unpack(&dy, &self.parts);
        python(|py| {
            let ctx = self.ctx.bind(py);
            lock(&ctx.get().0).now = Some(now);
            let mut args = vec![ctx.clone().into_any()];
            for g in grads {
                args.push(object(py, g)?.into_any());
            }
            let result = self
                .class
                .bind(py)
                .call_method1("backward", PyTuple::new(py, args)?);
            lock(&ctx.get().0).now = None;
            self.sort(py, result?, cx)
        })
    }
    fn samples() -> Vec<Sample<Self>> {
        Vec::new()
    }
}

impl Custom {
    /// What the user's `backward` returned, as a gradient for each input.
    fn sort(
        &self,
        py: Python<'_>,
        result: Bound<'_, PyAny>,
        cx: &Ctx<'_, Self>,
    ) -> PyResult<Each<Self, Option<Tensor>>> {
        let items: Vec<Bound<'_, PyAny>> = match result.cast::<PyTuple>() {
            Ok(tuple) => tuple.iter().collect(),
            Err(_) => vec![result],
        };
        let extra =
            items.len() > self.tensors.len() && items[self.tensors.len()..].iter().any(|g| !g.is_none());
        if items.len() < self.tensors.len() || extra {
            return Err(PyRuntimeError::new_err(format!(
                "{}: backward returned {} gradients, and forward takes {} arguments",
                self.name,
                items.len(),
                self.tensors.len()
            )));
        }
        let mut grads = Each::<Self, _>::new();
        for (g, _) in items
            .iter()
            .zip(&self.tensors)
            .filter(|(_, is_tensor)| **is_tensor)
        {
            let i = grads.len();
            if g.is_none() {
                grads.push(None);
                continue;
            }
            let g = g.extract::<TensorLike>()?.0;
            let shape = &cx.meta(i).shape;
            if cx.wants(i) && g.shape() != *shape && shape.broadcast(&g.shape()).as_ref() != Some(&g.shape())
            {
                return Err(value_error(
                    py,
                    self.name,
                    format!(
                        "backward returned a gradient of shape {} for input {i}, which has shape {shape}",
                        g.shape()
                    ),
                ));
            }
            grads.push(Some(g));
        }
        Ok(grads)
    }
}

/// Names of users' operations live as long as the program: there are as many as classes have names.
fn interned(name: String) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let new: &'static str = Box::leak(name.into_boxed_str());
    names.insert(new);
    new
}

/// Runs `forward` of the class `cls` and records it: see `wengert.autograd.Function.apply`.
#[pyfunction]
fn _apply_function<'py>(
    py: Python<'py>,
    cls: &Bound<'py, PyType>,
    ctx: &Bound<'py, PyCtx>,
    args: &Bound<'py, PyTuple>,
    setup: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let inputs: Vec<Option<Tensor>> = args.iter().map(|a| crate::args::as_tensor(&a)).collect();
    let recording = wengert::is_recording();
    let needs = |t: &Option<Tensor>| recording && t.as_ref().is_some_and(Tensor::requires_grad);
    let needs: Vec<bool> = inputs.iter().map(needs).collect();
    let any = needs.contains(&true);
    lock(&ctx.get().0).needs = needs;
    let result = {
        let _off = Recording::set(false);
        let forward = cls.getattr("forward")?;
        match setup {
            None => {
                let mut all = vec![ctx.clone().into_any()];
                all.extend(args.iter());
                forward.call1(PyTuple::new(py, all)?)?
            }
            Some(setup) => {
                let result = forward.call1(args)?;
                setup.call((ctx, args, &result), None::<&Bound<'_, PyDict>>)?;
                result
            }
        }
    };
    let several = result.cast::<PyTuple>().is_ok();
    let mut outputs: Vec<Bound<'py, PyAny>> = match result.cast::<PyTuple>() {
        Ok(tuple) => tuple.iter().collect(),
        Err(_) => vec![result],
    };
    let mut kept = lock(&ctx.get().0);
    let constant: Vec<Py<PyAny>> = std::mem::take(&mut kept.constant);
    let given: Vec<Py<PyAny>> = std::mem::take(&mut kept.given);
    drop(kept);
    // Which results are differentiable tensors.
    let differentiable: Vec<bool> = outputs
        .iter()
        .map(|y| {
            crate::args::as_tensor(y).is_some_and(|t| t.dtype().is_differentiable())
                && !constant.iter().any(|c| c.is(y))
        })
        .collect();
    let variables: Vec<&Tensor> = inputs.iter().flatten().collect();
    let mut saved = Vec::new();
    for g in &given {
        let g = g.bind(py);
        let Some(t) = crate::args::as_tensor(g) else {
            saved.push(Saved::Nothing);
            continue;
        };
        let results = outputs.iter().zip(&differentiable).filter(|(_, d)| **d);
        let output = results.map(|(y, _)| y).position(|y| y.is(g));
        let input = args
            .iter()
            .filter(|a| a.cast::<PyTensor>().is_ok())
            .position(|a| a.is(g));
        let input = input.or_else(|| variables.iter().position(|v| v.is(&t)));
        saved.push(match input {
            Some(i) => Saved::Input(i, t.array()),
            None => match output {
                Some(k) => Saved::Output(k),
                None => Saved::Other(t),
            },
        });
    }
    let keep_results = saved.iter().any(|s| matches!(s, Saved::Output(_)));
    lock(&ctx.get().0).saved = saved;
    if any && differentiable.contains(&true) {
        let arrays: Vec<Array> = outputs
            .iter()
            .zip(&differentiable)
            .filter(|(_, d)| **d)
            .filter_map(|(y, _)| crate::args::as_tensor(y))
            .map(|t| t.array())
            .collect();
        let parts: Vec<(Shape, DType)> = arrays.iter().map(|a| (a.shape().clone(), a.dtype())).collect();
        let op = Custom {
            name: interned(cls.name()?.extract()?),
            class: cls.clone().unbind(),
            ctx: ctx.clone().unbind(),
            tensors: inputs.iter().map(Option::is_some).collect(),
            meta: Meta::new([0], DType::F32),
            packed: Mutex::new(None),
            parts,
        };
        let kept = ctx.get();
        let made = guard(py, 0, move || {
            let packed = pack(&arrays);
            if keep_results {
                lock(&kept.0).packed = Some(packed.clone());
            }
            let mut op = op;
            op.meta = packed.meta();
            op.packed = Mutex::new(Some(packed));
            let parts = op.parts.clone();
            unpack(&op.apply(variables.into()), &parts)
        })?;
        let mut made = made.into_iter();
        for (y, _) in outputs.iter_mut().zip(&differentiable).filter(|(_, d)| **d) {
            if let Some(t) = made.next() {
                *y = object(py, t)?.into_any();
            }
        }
    }
    if several {
        return Ok(PyTuple::new(py, outputs)?.into_any());
    }
    outputs
        .pop()
        .ok_or_else(|| PyRuntimeError::new_err("forward returned nothing"))
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyCtx>()?;
    crate::macros::functions!(m, _apply_function);
    Ok(())
}
