//! Whether this thread records what it computes, whether somebody watches it, and in which precision it multiplies.

use std::cell::Cell;
use std::marker::PhantomData;
use wengert_array::DType;

const RECORDING: u8 = 1;
const WATCHED: u8 = 2;
/// Products are computed in bfloat16, or in float16: see [`autocast`](super::autocast).
const BF16: u8 = 4;
const F16: u8 = 8;

thread_local! {
    /// One byte, so that an operation looks only once.
    static MODE: Cell<u8> = const { Cell::new(RECORDING) };
}

/// What an operation has to do besides computing its result.
#[derive(Clone, Copy)]
pub(crate) struct Duties(u8);

impl Duties {
    #[inline]
    pub fn now() -> Duties {
        Duties(MODE.get())
    }
    #[inline]
    pub fn record(self) -> bool {
        self.0 & RECORDING != 0
    }
    #[inline]
    pub fn tell(self) -> bool {
        self.0 & WATCHED != 0
    }
    /// The dtype of products, where `autocast` is on.
    #[inline]
    pub fn half(self) -> Option<DType> {
        match self.0 & (BF16 | F16) {
            0 => None,
            BF16 => Some(DType::BF16),
            _ => Some(DType::F16),
        }
    }
}

/// Sets the dtype of products; [`Autocast`](super::Autocast) says which there are.
pub(super) fn set_half(dtype: Option<DType>) {
    let bit = match dtype {
        None => 0,
        Some(DType::F16) => F16,
        Some(_) => BF16,
    };
    MODE.set(MODE.get() & !(BF16 | F16) | bit);
}

/// Sets whether operations on this thread tell [`inspect::performed`](crate::inspect::performed) of themselves.
pub(crate) fn watch(on: bool) {
    MODE.set(MODE.get() & !WATCHED | if on { WATCHED } else { 0 });
}

/// Whether operations on this thread leave a record for gradients.
#[inline]
pub fn is_recording() -> bool {
    MODE.get() & RECORDING != 0
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
        let before = is_recording();
        MODE.set(MODE.get() & !RECORDING | u8::from(on));
        Recording {
            before,
            _not_send: PhantomData,
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        MODE.set(MODE.get() & !RECORDING | u8::from(self.before));
    }
}
