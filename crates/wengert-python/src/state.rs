//! What a `wengert.Tensor` object stands for.

mod class;

pub(crate) use class::{Made, at, object, of, register};

use crate::errors;
use crate::guard::guard;
use crate::held::Held;
use crate::methods::calm;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;
use wengert::{DType, Tensor};

/// An n-dimensional array of numbers that remembers the operation that made it.
#[pyclass(frozen, subclass, weakref, dict, name = "Tensor", module = "wengert")]
pub(crate) struct PyTensor(Held<State>);

struct State {
    now: Stands,
    /// How many calls the tensor that it stands for is lent to.
    lent: usize,
    more: Option<Box<More>>,
}

/// What a Python object stands for. In-place operations may change it: see [`PyTensor::assign`].
#[derive(Clone)]
pub(crate) enum Stands {
    For(Tensor),
    /// A leaf seen from another side: values, gradients and changes go through to it.
    Side {
        of: Tensor,
        /// Rows and columns exchanged.
        turned: bool,
        /// Without history, as `x.data`.
        detached: bool,
    },
}

/// What few objects have.
#[derive(Default)]
struct More {
    /// The object that stood for the gradient when it was last asked for, as long as someone holds it.
    grad: Option<Py<PyWeakrefReference>>,
    /// The variable whose gradient this is.
    grad_of: Option<Tensor>,
    /// The hooks of this leaf, which Python's garbage collector asks for.
    hooks: Vec<Arc<Callback>>,
    /// What it stood for when that was lent.
    before: Vec<Stands>,
}

/// A Python function that a graph calls, until it is taken away.
pub(crate) struct Callback(Held<Option<Py<PyAny>>>);

impl Callback {
    pub(crate) fn new(function: Py<PyAny>) -> Arc<Callback> {
        Arc::new(Callback(Held::new(Some(function))))
    }
    pub(crate) fn get(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.0.with(|function| function.as_ref().map(|f| f.clone_ref(py)))
    }
    /// Takes it away. The function goes only here: what it drops may run Python code.
    pub(crate) fn clear(&self) {
        drop(self.0.with(Option::take));
    }
}

#[pymethods]
impl PyTensor {
    /// A hook may know its own tensor. Where nothing else has a handle on the variable, the hook hangs on this object
    /// alone.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.with(|state| {
            let (Stands::For(t), Some(more)) = (&state.now, &state.more) else {
                return Ok(());
            };
            if !more.hooks.is_empty() && t.is_only_handle() {
                for hook in &more.hooks {
                    hook.0
                        .with(|function| function.as_ref().map_or(Ok(()), |f| visit.call(f)))?;
                }
            }
            Ok(())
        })
    }
    fn __clear__(&self) {
        let hooks = self
            .0
            .with(|state| state.more.as_mut().map(|more| std::mem::take(&mut more.hooks)));
        for hook in hooks.iter().flatten() {
            hook.clear();
        }
    }
}

impl PyTensor {
    #[inline]
    pub(crate) fn new(t: Tensor) -> PyTensor {
        PyTensor::standing(Stands::For(t))
    }

    pub(crate) fn side(of: Tensor, turned: bool, detached: bool) -> PyTensor {
        PyTensor::standing(Stands::Side { of, turned, detached })
    }

    #[inline]
    pub(crate) fn standing(now: Stands) -> PyTensor {
        let state = State {
            now,
            lent: 0,
            more: None,
        };
        PyTensor(Held::new(state))
    }

    /// What it stands for now.
    pub(crate) fn stands(&self) -> Stands {
        self.0.with(|state| state.now.clone())
    }

    /// What it stands for, of an object that nobody else has yet.
    pub(crate) fn into_stands(self) -> Stands {
        self.0.into_inner().now
    }

    /// Makes it stand for something else. Where it is a gradient, its variable hears of it.
    pub(crate) fn stand(&self, new: Stands) {
        let (old, variable, _unused) = self.0.with(|state| {
            let variable = state.more.as_ref().and_then(|more| more.grad_of.clone());
            let old = std::mem::replace(&mut state.now, new.clone());
            let unused = match state.lent {
                0 => state.more.as_mut().map(|more| std::mem::take(&mut more.before)),
                // The calls that it is lent to are still to read it.
                _ => {
                    state.more.get_or_insert_default().before.push(old.clone());
                    None
                }
            };
            (old, variable, unused)
        });
        if let (Stands::For(old), Stands::For(new), Some(variable)) = (old, new, variable)
            && variable.grad().is_some_and(|grad| grad.is(&old))
        {
            variable.set_grad(Some(new));
        }
    }

    /// The tensor that it stands for now.
    #[inline]
    pub(crate) fn get(&self) -> Tensor {
        let plain = self.0.with(|state| match &state.now {
            Stands::For(t) => Some(t.clone()),
            Stands::Side { .. } => None,
        });
        plain.unwrap_or_else(|| self.side_value())
    }

    /// The tensor that it stands for now, for a call that has this object as an argument: so the object lives as long as
    /// the call. The handle is not counted, which takes two exchanges with other processors less for each operand.
    #[inline]
    pub(crate) fn lend(&self, py: Python<'_>) -> PyResult<Lent<'_, Tensor>> {
        let lent = self.0.with(|state| match &state.now {
            Stands::For(t) => {
                state.lent += 1;
                // SAFETY: the copy of the handle is forgotten, not dropped, and the handle itself outlives it: `self` is borrowed
                // for as long, and `stand` keeps what is lent.
                Some(unsafe { std::ptr::from_ref(t).cast::<ManuallyDrop<Tensor>>().read() })
            }
            Stands::Side { .. } => None,
        });
        match lent {
            Some(value) => Ok(Lent {
                value,
                of: Some(self),
            }),
            None => guard(py, 0, || self.side_value()).map(Lent::own),
        }
    }

    /// What `f` makes of the tensor that it stands for now; where it panics, an exception. `f` must not run Python code.
    #[inline]
    pub(crate) fn look<T>(&self, py: Python<'_>, f: impl FnOnce(&Tensor) -> T) -> PyResult<T> {
        calm(py, || {
            let mut f = Some(f);
            let plain = self.0.with(|state| match &state.now {
                Stands::For(t) => f.take().map(|f| f(t)),
                Stands::Side { .. } => None,
            });
            match (plain, f) {
                (Some(seen), _) => Ok(seen),
                (None, Some(f)) => Ok(f(&self.side_value())),
                (None, None) => unreachable!("`f` was called, and gave something"),
            }
        })
    }

    #[cold]
    fn side_value(&self) -> Tensor {
        match self.stands() {
            Stands::For(t) => t,
            Stands::Side { of, turned, detached } => {
                let t = if detached { of.detach() } else { of };
                if turned { t.t() } else { t }
            }
        }
    }

    /// The variable whose gradient and flags are meant, and whether it is seen turned.
    pub(crate) fn variable(&self) -> (Tensor, bool) {
        match self.stands() {
            Stands::For(t) => (t, false),
            Stands::Side {
                of,
                turned,
                detached: false,
            } => (of, turned),
            Stands::Side { of, turned, .. } => {
                let t = of.detach();
                (if turned { t.t() } else { t }, false)
            }
        }
    }

    /// The leaf that this is the turned side of.
    pub(crate) fn turned_side_of(&self) -> Option<Tensor> {
        match self.stands() {
            Stands::Side {
                of,
                turned: true,
                detached: false,
            } => Some(of),
            _ => None,
        }
    }

    pub(crate) fn is_detached_side(&self) -> bool {
        self.0
            .with(|state| matches!(state.now, Stands::Side { detached: true, .. }))
    }

    /// Gives the object the value that `f` makes of its present one: the in-place operations.
    ///
    /// A leaf changes for every handle on it. While recording, a leaf that requires a gradient refuses, and a
    /// result that needs history is put into this Python object in place of what it stood for: recorded
    /// graphs never see a value change.
    pub(crate) fn assign(
        &self,
        py: Python<'_>,
        op: &str,
        f: impl FnOnce(&Tensor) -> Tensor + Send,
    ) -> PyResult<()> {
        let old = self.get();
        let (variable, _) = self.variable();
        if wengert::is_recording() && variable.is_leaf() && variable.requires_grad() {
            return Err(PyRuntimeError::new_err(format!(
                "{op}: a leaf that requires a gradient cannot change in place\n  its gradient would be that of a value it no longer has\n  help: put the update inside `with wengert.no_grad():`"
            )));
        }
        let new = guard(py, old.numel(), || {
            let new = f(&old);
            let (shape, dtype) = (old.shape(), old.dtype());
            if new.shape() != shape {
                let message = format!("the result has shape {}, and the tensor {shape}", new.shape());
                return Err(wengert::Error::new(wengert::ErrorKind::Shape, op, message)
                    .note("an in-place operation keeps the shape"));
            }
            if rank_of(new.dtype()) > rank_of(dtype) {
                let message = format!("the result is {}, which {dtype} cannot hold", new.dtype());
                return Err(wengert::Error::new(wengert::ErrorKind::DType, op, message));
            }
            let new = if new.dtype() == dtype { new } else { new.to(dtype) };
            // What was there before is forgotten, gradient and all, also where the new value has no history of its own.
            let forgotten = wengert::is_recording() && old.requires_grad() && !new.requires_grad();
            Ok(if forgotten { old.fill(0.0) + new } else { new })
        })?;
        let new = new.map_err(|e| errors::exception(py, &e))?;
        self.set_value(py, &new)
    }

    /// Gives the object another shape, in which it stands for the same elements: `unsqueeze_` and the like.
    pub(crate) fn reshape_in_place(
        &self,
        py: Python<'_>,
        op: &str,
        f: impl FnOnce(&Tensor) -> Tensor + Send,
    ) -> PyResult<()> {
        let old = self.get();
        if old.is_leaf() && old.requires_grad() {
            return Err(PyRuntimeError::new_err(format!(
                "{op}: a leaf that requires a gradient cannot change its shape in place\n  its gradient would have another shape than it"
            )));
        }
        let new = guard(py, 0, || f(&old))?;
        match self.stands() {
            Stands::For(t) if t.is_leaf() => guard(py, 0, || t.set_data(&new)),
            Stands::For(_) => guard(py, 0, || self.stand(Stands::For(new))),
            Stands::Side { .. } => Err(PyRuntimeError::new_err(format!(
                "{op}: a part of a layer's weights cannot change its shape in place"
            ))),
        }
    }

    /// Lets the garbage collector know of a hook.
    pub(crate) fn has_hook(&self, hook: &Arc<Callback>) {
        self.0.with(|state| {
            let hooks = &mut state.more.get_or_insert_default().hooks;
            hooks.retain(|hook| hook.0.with(|function| function.is_some()));
            hooks.push(hook.clone());
        });
    }

    /// The leaf that this object is, if `value` can be written straight into it: no graph hears of that.
    pub(crate) fn plain_leaf(&self, value: &Tensor) -> Option<Tensor> {
        match self.stands() {
            Stands::For(t)
                if t.is_leaf()
                    && !(wengert::is_recording() && (t.requires_grad() || value.requires_grad())) =>
            {
                Some(t)
            }
            _ => None,
        }
    }

    /// Makes this object stand for `new`, which has the same shape and dtype.
    pub(crate) fn set_value(&self, py: Python<'_>, new: &Tensor) -> PyResult<()> {
        match self.stands() {
            Stands::For(t) => {
                if new.requires_grad() && wengert::is_recording() {
                    guard(py, 0, || self.stand(Stands::For(new.clone())))
                } else if t.is_leaf() {
                    guard(py, 0, || t.set_data(new))
                } else {
                    guard(py, 0, || self.stand(Stands::For(t.with_value(new.array()))))
                }
            }
            Stands::Side { of, turned, .. } => {
                let new = new.detach();
                guard(py, 0, || of.set_data(&if turned { new.t() } else { new }))
            }
        }
    }
}

/// What a call reads: made of a tensor that an object lends, or a value of its own. It is dropped by a thread that holds the
/// interpreter's lock.
pub(crate) struct Lent<'a, T> {
    value: ManuallyDrop<T>,
    of: Option<&'a PyTensor>,
}

impl<'a, T> Lent<'a, T> {
    #[inline]
    pub(crate) fn own(value: T) -> Lent<'a, T> {
        Lent {
            value: ManuallyDrop::new(value),
            of: None,
        }
    }

    /// The same as part of another value.
    #[inline]
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Lent<'a, U> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used nor dropped from here on.
        let value = unsafe { ManuallyDrop::take(&mut this.value) };
        Lent {
            value: ManuallyDrop::new(f(value)),
            of: this.of,
        }
    }
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for Lent<'_, T> {
    #[inline]
    fn drop(&mut self) {
        match self.of {
            Some(object) => object.0.with(|state| state.lent -= 1),
            // SAFETY: a value of its own, and it is not used again.
            None => unsafe { ManuallyDrop::drop(&mut self.value) },
        }
    }
}

/// bool, integers, floats: a result goes into a tensor of its own rank or a higher one.
fn rank_of(d: DType) -> u8 {
    match d {
        DType::Bool => 0,
        d if d.is_integer() => 1,
        d if d.is_complex() => 3,
        _ => 2,
    }
}

// ---- gradients as objects ----

/// The object that stands for the gradient of `slf`: the same one for as long as someone holds it.
pub(crate) fn grad_object<'py>(slf: &Bound<'py, PyTensor>) -> PyResult<Option<Bound<'py, PyTensor>>> {
    let (py, this) = (slf.py(), slf.get());
    if this.is_detached_side() {
        return Ok(None);
    }
    let (variable, turned) = this.variable();
    let Some(grad) = variable.grad() else {
        return Ok(None);
    };
    let known = this.0.with(|state| {
        let known = state.more.as_ref()?.grad.as_ref()?;
        Some(known.clone_ref(py))
    });
    if let Some(known) = known.and_then(|known| known.bind(py).upgrade_as::<PyTensor>().ok().flatten())
        && known.get().variable().0.is(&grad)
    {
        return Ok(Some(known));
    }
    let new = match (turned, grad.is_leaf()) {
        (false, _) => object(py, grad.clone())?,
        // In-place changes of the gradient go through to the one that the leaf has.
        (true, true) => Bound::new(py, PyTensor::side(grad.clone(), true, false))?,
        (true, false) => object(py, guard(py, 0, || grad.t())?)?,
    };
    if !turned && (!grad.is_leaf() || wengert::is_recording()) {
        new.get().0.with(|state| {
            state.more.get_or_insert_default().grad_of = Some(variable);
        });
    }
    remember(slf, &new)?;
    Ok(Some(new))
}

/// Sets the gradient of `slf`, or forgets it.
pub(crate) fn set_grad_object(slf: &Bound<'_, PyTensor>, grad: Option<&Bound<'_, PyTensor>>) -> PyResult<()> {
    let py = slf.py();
    let (variable, turned) = slf.get().variable();
    let new = grad.map(|g| g.get().get());
    guard(py, 0, || {
        variable.set_grad(new.map(|g| if turned { g.t() } else { g }))
    })?;
    match grad {
        Some(grad) if !turned => remember(slf, grad),
        _ => Ok(()),
    }
}

/// Remembers which object stands for the gradient of `slf`.
fn remember(slf: &Bound<'_, PyTensor>, grad: &Bound<'_, PyTensor>) -> PyResult<()> {
    let weak = PyWeakrefReference::new(grad.as_any())?.unbind();
    let old = slf
        .get()
        .0
        .with(|state| state.more.get_or_insert_default().grad.replace(weak));
    drop(old);
    Ok(())
}
