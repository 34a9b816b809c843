//! The variable: an array and its history.

mod gradient;

pub use gradient::HookHandle;

use crate::autograd::{NodeRef, Source, lock};
use crate::ops::{axis, ok};
use gradient::{Slot, requires};
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use wengert_array::{
    Array, DType, Device, Element, Error, ErrorKind, Handle, Layout, Result, Shape, print, raise,
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
        shape[ok(axis("size", dim, shape.rank()))]
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

    /// Shape, strides and offset, for those who hand the memory on.
    pub fn layout(&self) -> Layout {
        self.with_array(|a| a.layout().clone())
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
        ok(self.try_item())
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
