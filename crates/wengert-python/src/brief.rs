//! A lock for the few instructions that it takes to clone a handle, or to put another in its place.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// A value that is looked at or exchanged, and never held for long: whoever finds it taken waits by trying again.
///
/// It costs half of what a mutex does, and every operand of every operation pays for it.
pub(crate) struct Brief<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `with` lets one thread at a time at the value.
unsafe impl<T: Send> Sync for Brief<T> {}

impl<T> Brief<T> {
    pub(crate) const fn new(value: T) -> Brief<T> {
        Brief {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// What `f` makes of the value. `f` must not run Python code, nor drop what might: another look at the same
    /// value from there would wait forever.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        struct Release<'a>(&'a AtomicBool);
        impl Drop for Release<'_> {
            #[inline]
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        while self.taken.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        let _release = Release(&self.taken);
        // SAFETY: it was not taken, and is ours until `_release` is dropped.
        f(unsafe { &mut *self.value.get() })
    }

    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }
}
