//! Whether this thread records what it computes.

use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations on this thread leave a record for gradients.
#[inline]
pub fn is_recording() -> bool {
    RECORDING.get()
}

/// Runs `f` without recording, as PyTorch's `torch.no_grad()`.
///
/// ```
/// # use wengert::{Tensor, no_grad};
/// let x = Tensor::new([1.0, 2.0]).requires_grad_(true);
/// let y = no_grad(|| &x * 2.0);
/// assert!(!y.requires_grad());
/// ```
pub fn no_grad<T>(f: impl FnOnce() -> T) -> T {
    let _guard = Recording::set(false);
    f()
}

/// Runs `f` with recording, also inside [`no_grad`].
pub fn enable_grad<T>(f: impl FnOnce() -> T) -> T {
    let _guard = Recording::set(true);
    f()
}

/// Sets whether this thread records until it is dropped; then what held before holds again.
#[derive(Debug)]
pub struct Recording {
    before: bool,
    /// The guard must be dropped by the thread that made it.
    _not_send: PhantomData<*const ()>,
}

impl Recording {
    /// From now until the guard is dropped.
    #[must_use = "the mode ends when the guard is dropped"]
    pub fn set(on: bool) -> Recording {
        Recording {
            before: RECORDING.replace(on),
            _not_send: PhantomData,
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        RECORDING.set(self.before);
    }
}
