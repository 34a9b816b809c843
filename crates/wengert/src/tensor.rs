//! The variable: an array and its history.

use crate::autograd::node::{Hook, Hooks, next_id};
use crate::autograd::{Backward, NodeRef, Source, lock};
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use wengert_array::{
    Array, DType, Device, Element, Error, ErrorKind, Handle, Layout, Meta, Result, Shape, print, raise,
};

/// An n-dimensional array of numbers that remembers the operation that made it.
///
/// A `Tensor` is a handle: cloning it gives another handle on the same variable. Operations read tensors
/// and make new ones. Where an input requires a gradient, so does the result, and
/// [`backward`](Tensor::backward) follows the history back to the leaves.
///
/// ```
/// # use wengert::Tensor;
/// let w = Tensor::new([1.0, 2.0]).requires_grad_(true);
/// let loss = (&w * &w).sum();
/// loss.backward();
/// assert_eq!(w.grad().unwrap().to_vec::<f32>(), [2.0, 4.0]);
/// ```
#[derive(Clone)]
pub struct Tensor(Handle<Inner>);

struct Inner {
    kind: Kind,
    /// Gradient and hooks, for the few tensors that ever have them.
    slot: OnceLock<Arc<Slot>>,
}

enum Kind {
    /// A result with a history; its value never changes.
    Made { value: Array, source: Source },
    /// A variable without history. The lock is held for as long as it takes to clone a handle, or to update
    /// the value in place by one kernel (see [`Tensor::update`]).
    Leaf {
        value: Mutex<Option<Array>>,
        requires: AtomicU8,
        id: AtomicU64,
        /// How many elements and dimensions: asked of so many operands that a lock each time would cost too much.
        numel: AtomicUsize,
        rank: AtomicUsize,
    },
}

#[derive(Default)]
struct Slot {
    grad: Mutex<Option<Tensor>>,
    hooks: Hooks,
    /// What is called once a gradient has been added.
    after: Hooks,
}

impl Slot {
    fn accumulate(&self, mut grad: Tensor) {
        loop {
            let mut held = lock(&self.grad);
            match held.take() {
                None => {
                    *held = Some(grad);
                    return;
                }
                Some(other) => {
                    // Nothing is computed under the lock; what another thread brings meanwhile is added in the next round.
                    drop(held);
                    grad = if other.is_only_handle() || !other.is_leaf() || crate::is_recording() {
                        other + grad
                    } else {
                        // Whoever holds the gradient sees it grow, as in PyTorch.
                        other.set_data(&(other.detach() + grad));
                        other
                    };
                }
            }
        }
    }
}

/// A leaf's answer to "do you require a gradient?". Until someone says so, a layer that uses the leaf as
/// its parameter may decide: that is how `linear.W = W` makes a plain tensor a parameter.
mod requires {
    pub(super) const UNSAID: u8 = 0;
    pub(super) const NO: u8 = 1;
    pub(super) const YES: u8 = 2;
}

impl Tensor {
    /// A variable with this value, no history, and no gradient required.
    #[inline]
    pub fn constant(value: Array) -> Tensor {
        let kind = Kind::Leaf {
            numel: AtomicUsize::new(value.numel()),
            rank: AtomicUsize::new(value.rank()),
            value: Mutex::new(Some(value)),
            requires: AtomicU8::new(requires::UNSAID),
            id: AtomicU64::new(0),
        };
        Tensor(Handle::new(Inner {
            kind,
            slot: OnceLock::new(),
        }))
    }

    #[inline]
    pub(crate) fn made(value: Array, source: Source) -> Tensor {
        Tensor(Handle::new(Inner {
            kind: Kind::Made { value, source },
            slot: OnceLock::new(),
        }))
    }

    /// The value, as it is now.
    #[inline]
    pub fn array(&self) -> Array {
        match &self.0.kind {
            Kind::Made { value, .. } => value.clone(),
            Kind::Leaf { value, .. } => present(&lock(value)).clone(),
        }
    }

    /// The value, given up by this handle: if it was the last, nobody else holds the array.
    #[inline]
    pub(crate) fn into_array(self) -> Array {
        match self.0.try_unwrap() {
            Ok(Inner {
                kind: Kind::Made { value, .. },
                ..
            }) => value,
            Ok(Inner {
                kind: Kind::Leaf { value, .. },
                ..
            }) => {
                let value = value
                    .into_inner()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                value.unwrap_or_else(lost)
            }
            Err(shared) => Tensor(shared).array(),
        }
    }

    /// Where it came from, if it requires a gradient.
    #[inline]
    pub fn source(&self) -> Option<Source> {
        match &self.0.kind {
            Kind::Made { source, .. } => Some(source.clone()),
            Kind::Leaf { .. } => self.requires_grad().then(|| Source::Leaf(self.clone())),
        }
    }

    /// The recorded operation that made it, if any.
    pub fn grad_fn(&self) -> Option<NodeRef> {
        match &self.0.kind {
            Kind::Made {
                source: Source::Node(node),
                ..
            } => Some(node.clone()),
            _ => None,
        }
    }

    /// Whether this is the only handle on its variable: no other tensor and no graph has one. For bindings, whose
    /// garbage collectors ask.
    #[doc(hidden)]
    pub fn is_only_handle(&self) -> bool {
        self.0.is_unique()
    }

    fn slot(&self) -> &Arc<Slot> {
        self.0.slot.get_or_init(Arc::default)
    }
}

#[inline]
fn present<'a>(value: &'a MutexGuard<'_, Option<Array>>) -> &'a Array {
    value.as_ref().unwrap_or_else(lost)
}

#[cold]
fn lost<T>() -> T {
    let message = "the value of this tensor was lost when an error interrupted an update of it";
    raise(Error::new(ErrorKind::Value, "", message).help("`set_data` gives it another"))
}

/// Looking at a tensor.
impl Tensor {
    /// The sizes of the dimensions.
    pub fn shape(&self) -> Shape {
        self.with_array(|a| a.shape().clone())
    }

    /// What `f` makes of the sizes, without a copy of them.
    #[doc(hidden)]
    #[inline]
    pub fn with_shape<T>(&self, f: impl FnOnce(&Shape) -> T) -> T {
        self.with_array(|a| f(a.shape()))
    }

    /// How many dimensions.
    #[inline]
    pub fn dim(&self) -> usize {
        match &self.0.kind {
            Kind::Made { value, .. } => value.rank(),
            Kind::Leaf { rank, .. } => rank.load(Ordering::Relaxed),
        }
    }

    /// The size of dimension `dim`, which may count from the end.
    ///
    /// # Panics
    /// If there is no such dimension.
    #[track_caller]
    pub fn size(&self, dim: isize) -> usize {
        let shape = self.shape();
        match crate::ops::axis("size", dim, shape.rank()) {
            Ok(d) => shape[d],
            Err(error) => raise(error),
        }
    }

    /// How many elements.
    #[inline]
    pub fn numel(&self) -> usize {
        match &self.0.kind {
            Kind::Made { value, .. } => value.numel(),
            Kind::Leaf { numel, .. } => numel.load(Ordering::Relaxed),
        }
    }

    /// The type of the elements.
    #[inline]
    pub fn dtype(&self) -> DType {
        self.with_array(Array::dtype)
    }

    /// Where the elements are.
    pub fn device(&self) -> Device {
        self.with_array(Array::device)
    }

    /// Whether the elements lie row-major without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.with_array(Array::is_contiguous)
    }

    /// The strides, in elements.
    pub fn stride(&self) -> Vec<isize> {
        self.with_array(|a| a.layout().strides().to_vec())
    }

    /// What `f` makes of the value, without a handle on it. A leaf's is locked meanwhile: `f` computes nothing long and
    /// touches no tensor.
    #[doc(hidden)]
    #[inline]
    pub fn with_array<T>(&self, f: impl FnOnce(&Array) -> T) -> T {
        match &self.0.kind {
            Kind::Made { value, .. } => f(value),
            Kind::Leaf { value, .. } => f(present(&lock(value))),
        }
    }

    /// The elements in row-major order, converted to `T`.
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        self.array().to_vec()
    }

    /// The only element.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[track_caller]
    pub fn item(&self) -> f64 {
        match self.try_item() {
            Ok(v) => v,
            Err(error) => raise(error),
        }
    }

    /// The only element, or an error where there is not exactly one.
    #[track_caller]
    pub fn try_item(&self) -> Result<f64> {
        let at = Location::caller();
        if self.dtype().is_complex() {
            let message = format!("the element is {}, and no real number", self.dtype());
            let error = Error::new(ErrorKind::DType, "item", message).at(at);
            return Err(error.help("`item_complex` gives it; `.real()` its real part"));
        }
        self.array().item().ok_or_else(|| {
            let message = format!("needs a tensor with one element, and got shape {}", self.shape());
            Error::new(ErrorKind::Value, "item", message)
                .help("`to_vec` gives them all")
                .at(at)
        })
    }
}

/// Gradients.
impl Tensor {
    /// Whether [`backward`](Tensor::backward) reaches it.
    #[inline]
    pub fn requires_grad(&self) -> bool {
        match &self.0.kind {
            Kind::Made { .. } => true,
            Kind::Leaf { requires, .. } => requires.load(Ordering::Acquire) == requires::YES,
        }
    }

    /// Whether it has no history: it was made by hand, or from tensors that require no gradient.
    pub fn is_leaf(&self) -> bool {
        matches!(self.0.kind, Kind::Leaf { .. })
    }

    /// Says whether gradients are to be kept for this leaf, and returns it.
    ///
    /// # Panics
    /// If its dtype is not a floating-point one, or if it is a result with a history (those always require a
    /// gradient; [`detach`](Tensor::detach) gives one without).
    #[track_caller]
    pub fn requires_grad_(&self, on: bool) -> Tensor {
        match self.try_requires_grad_(on) {
            Ok(t) => t,
            Err(error) => raise(error),
        }
    }

    /// As [`requires_grad_`](Tensor::requires_grad_), with an error for a panic.
    #[track_caller]
    pub fn try_requires_grad_(&self, on: bool) -> Result<Tensor> {
        let at = Location::caller();
        let Kind::Leaf { requires, .. } = &self.0.kind else {
            if on {
                return Ok(self.clone());
            }
            return Err(Error::new(
                ErrorKind::Graph,
                "requires_grad_",
                "a result with a history requires a gradient",
            )
            .note(format!(
                "this one was made by `{}`",
                self.grad_fn().map_or("nobody", |node| node.name())
            ))
            .help("`.detach()` gives the same value without history")
            .at(at));
        };
        if on && !self.dtype().is_differentiable() {
            let message = format!("a tensor of dtype {} cannot require a gradient", self.dtype());
            return Err(Error::new(ErrorKind::DType, "requires_grad_", message)
                .note("only floating-point numbers have gradients")
                .help("convert it first: `.to(DType::F32)`")
                .at(at));
        }
        self.leaf_id();
        requires.store(if on { requires::YES } else { requires::NO }, Ordering::Release);
        Ok(self.clone())
    }

    /// Itself as a layer's parameter: a leaf of which nobody said whether it requires a gradient now does.
    pub fn as_parameter(&self) -> &Tensor {
        if let Kind::Leaf { requires, .. } = &self.0.kind
            && requires.load(Ordering::Acquire) == requires::UNSAID
            && self.dtype().is_differentiable()
        {
            self.leaf_id();
            let (unsaid, yes) = (requires::UNSAID, requires::YES);
            // Another thread may have said something meanwhile: then that holds.
            let _ = requires.compare_exchange(unsaid, yes, Ordering::AcqRel, Ordering::Acquire);
        }
        self
    }

    /// A leaf's place in the order of making: taken when it first comes to require a gradient, so before any
    /// operation that uses it is recorded.
    pub(crate) fn leaf_id(&self) -> u64 {
        let Kind::Leaf { id, .. } = &self.0.kind else {
            return 0;
        };
        match id.load(Ordering::Acquire) {
            0 => match id.compare_exchange(0, next_id(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => id.load(Ordering::Acquire),
                Err(theirs) => theirs,
            },
            id => id,
        }
    }

    /// Adds the gradients of this scalar to those of the leaves it was made from.
    ///
    /// What the graph saved is freed on the way; [`Backward`] has the options to keep it and to record the
    /// backward pass itself.
    ///
    /// # Panics
    /// If it has more than one element or no history, or if its graph was freed by an earlier pass.
    #[track_caller]
    pub fn backward(&self) {
        Backward::new().run(self);
    }

    /// As [`backward`](Tensor::backward) for a result of any shape, given the gradient that comes from above.
    #[track_caller]
    pub fn backward_with(&self, dy: &Tensor) {
        Backward::new().run_with(self, dy);
    }

    /// As [`backward`](Tensor::backward), with an error for a panic.
    #[track_caller]
    pub fn try_backward(&self) -> Result<()> {
        Backward::new().try_run(self)
    }

    /// The gradient that backward passes have added up here.
    pub fn grad(&self) -> Option<Tensor> {
        lock(&self.0.slot.get()?.grad).clone()
    }

    /// Replaces the gradient.
    ///
    /// # Panics
    /// If its shape or dtype is not that of the tensor.
    #[track_caller]
    pub fn set_grad(&self, grad: Option<Tensor>) {
        if let Some(g) = &grad
            && (g.shape() != self.shape() || g.dtype() != self.dtype())
        {
            let message = format!(
                "a gradient of shape {} and dtype {} does not fit a tensor of shape {} and dtype {}",
                g.shape(),
                g.dtype(),
                self.shape(),
                self.dtype()
            );
            raise(Error::new(ErrorKind::Shape, "set_grad", message));
        }
        if grad.is_some() || self.0.slot.get().is_some() {
            *lock(&self.slot().grad) = grad;
        }
    }

    /// Forgets the gradient.
    pub fn zero_grad(&self) {
        self.set_grad(None);
    }

    /// Adds to the gradient. The sum is computed outside the lock, so another thread may have added
    /// meanwhile; then that is added too, and nothing is lost.
    pub(crate) fn accumulate(&self, grad: Tensor) {
        self.slot().accumulate(grad);
    }

    /// Calls `hook` with this tensor's gradient whenever a backward pass has computed it; what it returns, if
    /// anything, goes on in its place. Returns the number that removes it.
    ///
    /// # Panics
    /// If the tensor requires no gradient.
    #[track_caller]
    pub fn register_hook(
        &self,
        hook: impl Fn(&Tensor) -> Option<Tensor> + Send + Sync + 'static,
    ) -> HookHandle {
        let hook: Hook = Arc::new(hook);
        match self.source() {
            None => raise(
                Error::new(
                    ErrorKind::Graph,
                    "register_hook",
                    "this tensor requires no gradient",
                )
                .note("so the hook would never be called"),
            ),
            Some(Source::Leaf(leaf)) => HookHandle {
                id: leaf.slot().hooks.add(hook),
                of: Source::Leaf(leaf),
            },
            Some(Source::Node(node)) => HookHandle {
                id: node.hooks().add(hook),
                of: Source::Node(node),
            },
        }
    }

    /// Calls `hook` with this leaf whenever a backward pass has added to its gradient: an optimizer may take its step
    /// there and forget the gradient, so that no two are kept at a time.
    ///
    /// ```
    /// # use wengert::Tensor;
    /// let w = Tensor::new([1.0, 2.0]).requires_grad_(true);
    /// w.register_post_accumulate_grad_hook(|w| {
    ///     wengert::no_grad(|| w.set_data(&(w - w.grad().unwrap() * 0.5)));
    ///     w.zero_grad();
    /// });
    /// (&w * &w).sum().backward();
    /// assert_eq!(w.to_vec::<f32>(), [0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is no leaf that requires a gradient.
    #[track_caller]
    pub fn register_post_accumulate_grad_hook(
        &self,
        hook: impl Fn(&Tensor) + Send + Sync + 'static,
    ) -> HookHandle {
        let Some(Source::Leaf(leaf)) = self.source() else {
            let message = "this tensor is no leaf that requires a gradient";
            raise(
                Error::new(ErrorKind::Graph, "register_post_accumulate_grad_hook", message)
                    .note("so no gradient is added up in it"),
            )
        };
        let hook: Hook = Arc::new(move |leaf| {
            hook(leaf);
            None
        });
        HookHandle {
            id: leaf.slot().after.add(hook),
            of: Source::Leaf(leaf),
        }
    }

    pub(crate) fn run_hooks_after(&self) {
        if let Some(slot) = self.0.slot.get() {
            slot.after.run(self.clone());
        }
    }

    pub(crate) fn run_hooks(&self, grad: Tensor) -> Tensor {
        match self.0.slot.get() {
            Some(slot) => slot.hooks.run(grad),
            None => grad,
        }
    }

    /// Keeps the gradient of this result too, which otherwise only leaves do.
    #[track_caller]
    pub fn retain_grad(&self) {
        if self.is_leaf() {
            return;
        }
        // The hook belongs to the node that made this tensor and may outlive it, so it does not keep it alive.
        let slot = Arc::downgrade(self.slot());
        self.register_hook(move |grad| {
            if let Some(slot) = slot.upgrade() {
                slot.accumulate(grad.clone());
            }
            None
        });
    }

    /// The same value without history.
    pub fn detach(&self) -> Tensor {
        Tensor::constant(self.array())
    }

    /// Another value with the history of this tensor; of a leaf, a constant.
    pub fn with_value(&self, value: Array) -> Tensor {
        match &self.0.kind {
            Kind::Made { source, .. } => Tensor::made(value, source.clone()),
            Kind::Leaf { .. } => Tensor::constant(value),
        }
    }

    /// Whether both are handles on the same variable.
    pub fn is(&self, other: &Tensor) -> bool {
        self.0.same(&other.0)
    }

    /// Brings a gradient to the shape and dtype of what it is the gradient of: what broadcasting repeated is
    /// summed up.
    #[inline]
    pub(crate) fn fit(self, to: &Meta) -> Tensor {
        let (shape, dtype) = self.with_array(|a| (*a.shape() == to.shape, a.dtype() == to.dtype));
        let fitted = if shape { self } else { self.sum_to(&to.shape) };
        if dtype { fitted } else { fitted.to(to.dtype) }
    }
}

/// Changing a leaf's value.
impl Tensor {
    /// Replaces a leaf's value by what `f` makes of it. Every handle on this variable sees the new value;
    /// recorded graphs keep the old one.
    ///
    /// `f` gets the array itself, so where nobody else holds it, kernels work in place. Other threads that
    /// read this tensor wait meanwhile; `f` must not touch the tensor itself.
    ///
    /// # Panics
    /// If the tensor is a result with a history, or if shape or dtype change.
    #[track_caller]
    pub fn update(&self, f: impl FnOnce(Array) -> Array) {
        let Kind::Leaf { value, .. } = &self.0.kind else {
            raise(unchangeable("update"))
        };
        let mut value = lock(value);
        let old = value.take().unwrap_or_else(lost);
        let meta = old.meta();
        let new = f(old);
        assert_eq!(new.meta(), meta, "an update keeps shape, dtype and device");
        *value = Some(new);
    }

    /// Gives this leaf the value of `other`, of whatever shape and dtype. A gradient it has is not touched.
    ///
    /// # Panics
    /// If this is a result with a history, or if it requires a gradient and the new value cannot have one.
    #[track_caller]
    pub fn set_data(&self, other: &Tensor) {
        let Kind::Leaf {
            value, numel, rank, ..
        } = &self.0.kind
        else {
            raise(unchangeable("set_data"))
        };
        let new = other.array();
        if self.requires_grad() && !new.dtype().is_differentiable() {
            let message = format!("a tensor of dtype {} cannot require a gradient", new.dtype());
            raise(Error::new(ErrorKind::DType, "set_data", message));
        }
        let mut value = lock(value);
        numel.store(new.numel(), Ordering::Relaxed);
        rank.store(new.rank(), Ordering::Relaxed);
        *value = Some(new);
    }

    /// Copies the value of `other`, broadcast and converted, into this leaf.
    ///
    /// # Panics
    /// If the shapes do not fit, or if this is a result with a history.
    #[track_caller]
    pub fn copy_(&self, other: &Tensor) {
        let (from, to) = (other.shape(), self.shape());
        if from.broadcast(&to).as_ref() != Some(&to) {
            let message = format!("cannot copy shape {from} into shape {to}");
            raise(
                Error::new(ErrorKind::Shape, "copy_", message)
                    .note("it must broadcast to the target's shape"),
            );
        }
        let new = other.array().cast(self.dtype()).broadcast_to(&to).contiguous();
        self.update(|_| new);
    }
}

#[cold]
fn unchangeable(op: &str) -> Error {
    Error::new(ErrorKind::Graph, op, "a result with a history cannot be changed")
        .help("`.detach()` gives a variable with the same value")
}

/// Removes the hook that [`Tensor::register_hook`] added.
#[derive(Debug)]
pub struct HookHandle {
    id: u64,
    of: Source,
}

impl HookHandle {
    /// From now on the hook is no longer called.
    pub fn remove(self) {
        match &self.of {
            Source::Leaf(leaf) => {
                leaf.slot().hooks.remove(self.id);
                leaf.slot().after.remove(self.id);
            }
            Source::Node(node) => node.hooks().remove(self.id),
        }
    }
}

impl AsRef<Tensor> for Tensor {
    fn as_ref(&self) -> &Tensor {
        self
    }
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let history = match (self.grad_fn(), self.requires_grad()) {
            (Some(node), _) => vec![format!("grad_fn=<{}>", node.name())],
            (None, true) => vec!["requires_grad=True".to_string()],
            (None, false) => vec![],
        };
        f.write_str(&print::format(&self.array(), "tensor(", &history))
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The strides and offset of a tensor's view of its buffer, for those who hand the memory on.
impl Tensor {
    /// Shape, strides and offset.
    pub fn layout(&self) -> Layout {
        self.with_array(|a| a.layout().clone())
    }
}
