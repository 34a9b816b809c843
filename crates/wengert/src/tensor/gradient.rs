//! What a tensor has of gradients: whether it requires one, the one it keeps, and the hooks that see it.

use super::{Kind, Tensor};
use crate::autograd::node::{Hook, Hooks, next_id};
use crate::autograd::{Backward, Source, lock};
use crate::ops::ok;
use std::panic::Location;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use wengert_array::{Error, ErrorKind, Meta, Result, raise};

#[derive(Default)]
pub(super) struct Slot {
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
pub(super) mod requires {
    pub(in crate::tensor) const UNSAID: u8 = 0;
    pub(in crate::tensor) const NO: u8 = 1;
    pub(in crate::tensor) const YES: u8 = 2;
}

/// Gradients.
impl Tensor {
    fn slot(&self) -> &Arc<Slot> {
        self.0.slot.get_or_init(Arc::default)
    }

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
        ok(self.try_requires_grad_(on))
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

    /// Brings a gradient to the shape and dtype of what it is the gradient of: what broadcasting repeated is
    /// summed up.
    #[inline]
    pub(crate) fn fit(self, to: &Meta) -> Tensor {
        let (shape, dtype) = self.with_array(|a| (*a.shape() == to.shape, a.dtype() == to.dtype));
        let fitted = if shape { self } else { self.sum_to(&to.shape) };
        if dtype { fitted } else { fitted.to(to.dtype) }
    }
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
