//! Steps of optimizers, fused: one kernel for each parameter, which changes it and its state in place.

use crate::args::Number;
use crate::errors;
use crate::guard::guard;
use crate::tensor::PyTensor;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString, PyTuple};
use wengert::io::Value;
use wengert::optim::{Kept, SingleStep};

/// An option as the engine takes it; none where it is nothing that the engine's options are.
fn option(value: &Bound<'_, PyAny>) -> Option<Value> {
    if value.is_none() {
        return None;
    }
    if let Ok(v) = value.cast::<PyBool>() {
        return Some(Value::Bool(v.is_true()));
    }
    if let Ok(v) = value.extract::<Number>() {
        return Some(match v {
            Number::Int(v) => Value::Int(v),
            v => Value::Float(v.f64()),
        });
    }
    if let Ok(v) = value.cast::<PyString>() {
        return Some(Value::Str(v.to_string()));
    }
    if let Ok(v) = value.cast::<PyTuple>() {
        return v
            .iter()
            .map(|v| option(&v))
            .collect::<Option<_>>()
            .map(Value::List);
    }
    let v = value.cast::<PyList>().ok()?;
    v.iter()
        .map(|v| option(&v))
        .collect::<Option<_>>()
        .map(Value::List)
}

/// One step of the parameters of `group`, a dict of options by PyTorch's names, whose state is in `states`, by parameter.
/// Parameters without a gradient stay as they are.
#[pyfunction]
fn _optimizer_step(
    py: Python<'_>,
    method: &str,
    group: &Bound<'_, PyDict>,
    states: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let engine = |e: wengert::Error| errors::exception(py, &e);
    let mut rule = SingleStep::new(method).map_err(engine)?;
    let (mut learning_rate, mut params) = (0.0, None);
    for (key, value) in group.iter() {
        let Ok(name) = key.cast::<PyString>() else {
            continue;
        };
        match name.to_str()? {
            "params" => params = Some(value),
            "lr" => learning_rate = value.extract::<Number>()?.f64(),
            name => {
                if let Some(value) = option(&value) {
                    rule.set(name, &value).map_err(engine)?;
                }
            }
        }
    }
    let Some(params) = params else { return Ok(()) };
    let (counts, names) = (rule.counts(), rule.arrays());
    let product = method == "NAdam";
    let (mut all, mut kept, mut work) = (Vec::new(), Vec::new(), 0);
    for p in params.try_iter()? {
        let p = p?;
        let (leaf, turned) = p.cast::<PyTensor>()?.get().variable();
        if leaf.grad().is_none() {
            continue;
        }
        work += leaf.numel();
        let state = states.get_item(&p)?.cast_into::<PyDict>()?;
        let number = |name: &str| -> PyResult<Option<f64>> {
            let value = state.get_item(name)?;
            value.map(|v| Ok(v.extract::<Number>()?.f64())).transpose()
        };
        let mut one = Kept::of(leaf);
        one.turned = turned;
        if counts {
            one.steps = number("step")?.unwrap_or(0.0) as i32;
        }
        if product {
            one.product = number("mu_product")?.unwrap_or(1.0);
        }
        for (array, name) in one.arrays.iter_mut().zip(names) {
            if let Some(value) = state.get_item(name)?
                && let Ok(t) = value.cast::<PyTensor>()
            {
                *array = Some(t.get().get());
            }
        }
        kept.push(one);
        all.push(state);
    }
    let before: Vec<_> = kept
        .iter()
        .map(|one| one.arrays.each_ref().map(Option::is_some))
        .collect();
    guard(py, work, || rule.run(learning_rate, &mut kept))?.map_err(engine)?;
    for ((state, one), before) in all.iter().zip(kept).zip(before) {
        if counts {
            state.set_item("step", one.steps)?;
        }
        if product {
            state.set_item("mu_product", one.product)?;
        }
        for ((array, name), before) in one.arrays.into_iter().zip(names).zip(before) {
            if let (Some(t), false) = (array, before) {
                state.set_item(name, PyTensor::new(t))?;
            }
        }
    }
    Ok(())
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    crate::macros::functions!(m, _optimizer_step);
    Ok(())
}
