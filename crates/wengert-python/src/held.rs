//! A value that the interpreter's lock guards.

use std::cell::UnsafeCell;

/// A value that is looked at or exchanged for a few instructions, by threads that hold the interpreter's lock.
///
/// Every operand of every operation is read through one: a lock of its own would cost two exchanges with memory
/// each time. That there is a lock is certain: the module says that it needs it, an interpreter built without one
/// then takes one, and where that is forbidden the module does not load.
pub(crate) struct Held<T>(UnsafeCell<T>);

// SAFETY: `with` is called by threads that hold the interpreter's lock only, so by one at a time.
unsafe impl<T: Send> Sync for Held<T> {}

impl<T> Held<T> {
    pub(crate) const fn new(value: T) -> Held<T> {
        Held(UnsafeCell::new(value))
    }

    /// What `f` makes of the value. `f` must not run Python code nor drop what might, nor let go of the
    /// interpreter's lock, which every caller holds.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the lock is held, and `f` comes back before anyone else may look.
        f(unsafe { &mut *self.0.get() })
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}
