//! What the optimizers share: parameters in groups, and their state.

use super::options::{at_least_zero, number};
use crate::io::Value;
use crate::ops::ok;
use crate::tensor::Tensor;
use std::fmt::Debug;
use std::ops::Range;
use wengert_array::{Array, DType, Error, ErrorKind, Result, kernels, raise};

/// An optimizer's options, of which each group has its own, and its rule.
pub trait Method: Clone + Debug + Send + Sync {
    /// The optimizer's name.
    const NAME: &'static str;
    /// What PyTorch calls the arrays of state, in the order of their slots.
    const ARRAYS: &'static [&'static str];
    /// Whether the state counts steps.
    const COUNTS: bool = true;
    /// Whether options make sense together.
    fn check(&self) -> Result<()>;
    /// The options by PyTorch's names.
    fn options(&self) -> Vec<(&'static str, Value)>;
    /// Sets an option by its name; false where there is none of that name.
    fn set(&mut self, name: &str, value: &Value) -> Result<bool>;
    /// Changes one parameter, which has this gradient.
    fn step(&self, learning_rate: f64, p: &Tensor, gradient: Array, state: &mut State);
    /// Whether it can train this parameter.
    fn takes(&self, _p: &Tensor) -> Result<()> {
        Ok(())
    }
}

/// What an optimizer remembers of one parameter.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// How many steps it has taken.
    pub steps: i32,
    /// A running product that NAdam keeps.
    pub product: f64,
    /// One array of the parameter's shape in each slot that is in use.
    pub arrays: [Option<Array>; 3],
}

impl State {
    /// Whether there is an array in a slot that fits the parameter.
    pub fn has(&self, slot: usize, p: &Tensor) -> bool {
        let array = self.arrays[slot].as_ref();
        array.is_some_and(|a| *a.shape() == p.shape() && a.dtype() == p.dtype())
    }

    /// Takes the array out of a slot; `fill` everywhere at first, and where the parameter has become another.
    pub fn take(&mut self, slot: usize, p: &Array, fill: f64) -> Array {
        let old = self.arrays[slot].take().filter(|a| a.meta() == p.meta());
        old.unwrap_or_else(|| match p.dtype().is_complex() {
            true => Array::full(p.shape().insert(p.rank(), 2), fill, p.dtype().real()).view_as_complex(),
            false => Array::full(p.shape(), fill, p.dtype()),
        })
    }
}

/// Parameters that share options.
#[derive(Clone, Debug)]
pub struct Group<M> {
    range: Range<usize>,
    pub learning_rate: f64,
    /// What the learning rate was before schedules changed it.
    pub initial: Option<f64>,
    pub method: M,
}

/// Parameters in groups, and their state.
#[derive(Clone, Debug)]
pub struct Core<M> {
    parameters: Vec<Tensor>,
    states: Vec<State>,
    groups: Vec<Group<M>>,
}

impl<M: Method> Core<M> {
    #[track_caller]
    pub fn new(parameters: impl IntoIterator<Item = Tensor>, learning_rate: f64, method: M) -> Core<M> {
        let mut core = Core {
            parameters: Vec::new(),
            states: Vec::new(),
            groups: Vec::new(),
        };
        core.add(parameters, learning_rate, method);
        core
    }

    #[track_caller]
    fn add(&mut self, parameters: impl IntoIterator<Item = Tensor>, learning_rate: f64, method: M) {
        let start = self.parameters.len();
        trainable(M::NAME, &mut self.parameters, parameters);
        let takes = |p: &Tensor| method.takes(p);
        if let Err(error) = self.parameters[start..].iter().try_for_each(takes) {
            raise(error);
        }
        self.states.resize(self.parameters.len(), State::default());
        self.groups.push(Group {
            range: start..self.parameters.len(),
            learning_rate: ok(at_least_zero(M::NAME, "learning rate", learning_rate)),
            initial: None,
            method,
        });
    }

    /// Adds a group with the options of the first, which `change` may change.
    #[track_caller]
    pub fn group(
        &mut self,
        parameters: impl IntoIterator<Item = Tensor>,
        change: impl FnOnce(&mut f64, &mut M),
    ) {
        let first = &self.groups[0];
        let (mut learning_rate, mut method) = (first.learning_rate, first.method.clone());
        change(&mut learning_rate, &mut method);
        ok(method.check());
        self.add(parameters, learning_rate, method);
    }

    /// Changes the options of all groups.
    #[track_caller]
    pub fn options(mut self, change: impl Fn(&mut M)) -> Core<M> {
        for group in &mut self.groups {
            change(&mut group.method);
            ok(group.method.check());
        }
        self
    }

    pub fn step(&mut self) {
        for group in &self.groups {
            for i in group.range.clone() {
                let p = &self.parameters[i];
                let Some(gradient) = ok(gradient(p)) else {
                    continue;
                };
                let state = &mut self.states[i];
                state.steps += 1;
                group.method.step(group.learning_rate, p, gradient, state);
            }
        }
    }

    pub fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    pub fn groups(&self) -> &[Group<M>] {
        &self.groups
    }

    pub fn get(&self, group: usize, name: &str) -> Option<Value> {
        let group = self.groups.get(group)?;
        match name {
            "lr" => Some(group.learning_rate.into()),
            "initial_lr" => group.initial.map(Into::into),
            _ => group
                .method
                .options()
                .into_iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v),
        }
    }

    pub fn set(&mut self, group: usize, name: &str, value: &Value) -> Result<()> {
        let count = self.groups.len();
        let Some(group) = self.groups.get_mut(group) else {
            let message = format!("there is no group {group} among {count}");
            return Err(Error::new(ErrorKind::Index, M::NAME, message));
        };
        match name {
            "lr" => group.learning_rate = at_least_zero(M::NAME, "learning rate", number(name, value)?)?,
            "initial_lr" => group.initial = Some(number(name, value)?),
            _ => {
                let mut method = group.method.clone();
                if !method.set(name, value)? {
                    let known: Vec<&str> = group.method.options().iter().map(|(n, _)| *n).collect();
                    let message = format!("there is no option `{name}`");
                    let note = format!("there are lr, {}", known.join(", "));
                    return Err(Error::new(ErrorKind::Value, M::NAME, message).note(note));
                }
                method.check()?;
                group.method = method;
            }
        }
        Ok(())
    }

    pub fn state_dict(&self) -> Value {
        let groups = self.groups.iter().map(|group| {
            let mut options: Vec<(&str, Value)> = vec![("lr", group.learning_rate.into())];
            options.extend(group.method.options());
            options.extend(group.initial.map(|v| ("initial_lr", v.into())));
            let places = group.range.clone().map(Value::from).collect::<Vec<_>>();
            options.push(("params", places.into()));
            Value::dict(options)
        });
        let mut states = Vec::new();
        for (i, state) in self.states.iter().enumerate() {
            if state.steps == 0 {
                continue;
            }
            let mut entries: Vec<(&str, Value)> = Vec::new();
            if M::COUNTS {
                entries.push(("step", Tensor::full([], f64::from(state.steps)).into()));
            }
            if state.product != 0.0 {
                // f64, since PyTorch's f32 would not give the same run after loading.
                let product = Tensor::full_as([], state.product, DType::F64);
                entries.push(("mu_product", product.into()));
            }
            for (name, array) in M::ARRAYS.iter().zip(&state.arrays) {
                if let Some(array) = array {
                    entries.push((name, Tensor::constant(array.clone()).into()));
                }
            }
            states.push((Value::from(i), Value::dict(entries)));
        }
        Value::dict([
            ("state", Value::Dict(states)),
            ("param_groups", Value::List(groups.collect())),
        ])
    }

    pub fn load_state_dict(&mut self, saved: &Value) -> Result<()> {
        let wrong = |message: String| Error::new(ErrorKind::Value, "load_state_dict", message);
        let groups = saved
            .entry("param_groups")
            .map_err(|e| wrong(e.message().to_string()))?;
        let groups = groups
            .items()
            .ok_or_else(|| wrong(format!("`param_groups` must be a list, and is {groups}")))?;
        let list = |group: &Value| {
            let places = group.get("params").and_then(Value::items);
            places
                .map(|p| p.iter().map(Value::as_i64).collect::<Option<Vec<i64>>>())
                .ok_or_else(|| wrong("a group has no list `params`".to_string()))
        };
        // All is made anew and put in place at the end, so that an error changes nothing.
        let mut new = self.clone();
        let ours: Vec<usize> = self.groups.iter().map(|g| g.range.len()).collect();
        let mut places = Vec::new();
        let mut theirs = Vec::new();
        for group in groups {
            let group = list(group)?.ok_or_else(|| wrong("`params` must hold integers".to_string()))?;
            theirs.push(group.len());
            places.extend(group);
        }
        if ours != theirs {
            let message =
                format!("the groups have {ours:?} parameters here and {theirs:?} in the saved state");
            return Err(wrong(message));
        }
        for (i, group) in groups.iter().enumerate() {
            for (key, value) in group.entries().unwrap_or_default() {
                let Some(key) = key.as_str() else { continue };
                let known = matches!(key, "lr" | "initial_lr") || new.get(i, key).is_some();
                if known && !matches!(value, Value::None) {
                    new.set(i, key, value)?;
                }
            }
        }
        let states = saved.entry("state").map_err(|e| wrong(e.message().to_string()))?;
        for (i, place) in places.into_iter().enumerate() {
            new.states[i] = match states.get_number(place) {
                Some(state) => load_state::<M>(&self.parameters[i], state)
                    .map_err(|e| e.note(format!("in the state of parameter {i}")))?,
                None => State::default(),
            };
        }
        *self = new;
        Ok(())
    }
}

fn load_state<M: Method>(p: &Tensor, saved: &Value) -> Result<State> {
    let wrong = |message: String| Error::new(ErrorKind::Value, "load_state_dict", message);
    let mut state = State {
        steps: 1,
        ..State::default()
    };
    if M::COUNTS {
        let steps = saved.get("step").and_then(Value::as_i64);
        let steps = steps.and_then(|s| i32::try_from(s).ok()).filter(|s| *s >= 0);
        state.steps = steps.ok_or_else(|| wrong("there is no number of steps `step`".to_string()))?;
    }
    if let Some(product) = saved.get("mu_product") {
        state.product = number("mu_product", product)?;
    }
    for (slot, name) in M::ARRAYS.iter().enumerate() {
        let array = match saved.get(name) {
            None | Some(Value::None) => continue,
            Some(Value::Tensor(t)) => t.array(),
            Some(other) => return Err(wrong(format!("`{name}` must be a tensor, and is {other}"))),
        };
        if *array.shape() != p.shape() {
            let (theirs, ours) = (array.shape(), p.shape());
            return Err(wrong(format!(
                "`{name}` is of shape {theirs}, the parameter of {ours}"
            )));
        }
        // A copy of its own, which steps may then write to in place.
        state.arrays[slot] = Some(kernels::copy(&array.cast(p.dtype())));
    }
    Ok(state)
}

/// Adds parameters to `list`, checked to be trainable, and each only once.
#[track_caller]
pub fn trainable(op: &str, list: &mut Vec<Tensor>, parameters: impl IntoIterator<Item = Tensor>) {
    let before = list.len();
    for p in parameters {
        let number = list.len();
        if !p.is_leaf() {
            let message = format!(
                "parameter {number}, of shape {}, is a result with a history",
                p.shape()
            );
            raise(
                Error::new(ErrorKind::Graph, op, message)
                    .note("only leaves can be trained")
                    .help("`.detach()` gives a leaf with the same value"),
            );
        }
        if let Some(first) = list.iter().position(|other| other.is(&p)) {
            let message = format!("parameter {number} is parameter {first} once more");
            raise(Error::new(ErrorKind::Value, op, message).note("it would be stepped twice"));
        }
        list.push(p);
    }
    if list.len() == before {
        raise(Error::new(
            ErrorKind::Value,
            op,
            "there are no parameters to train",
        ));
    }
}

/// The gradient of a parameter, if there is one.
pub fn gradient(p: &Tensor) -> Result<Option<Array>> {
    let Some(gradient) = p.grad() else { return Ok(None) };
    let (gradient, of_value) = (gradient.array(), p.array().meta());
    if gradient.meta() != of_value {
        let (g, p) = (gradient.meta(), of_value);
        let message = format!(
            "a parameter is {} {}, and its gradient {} {}",
            p.dtype, p.shape, g.dtype, g.shape
        );
        return Err(
            Error::new(ErrorKind::Shape, "step", message).help("call `zero_grad` after replacing the value")
        );
    }
    Ok(Some(gradient))
}
