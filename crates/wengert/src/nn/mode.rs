//! Whether a layer trains.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// A layer's answer to "are we training?", for layers such as dropout that work otherwise then. A field of this type
/// follows [`Module::train`](super::Module::train) and [`Module::eval`](super::Module::eval).
pub struct Mode(AtomicBool);

impl Mode {
    /// Training, as layers begin.
    pub fn new() -> Mode {
        Mode(AtomicBool::new(true))
    }

    /// Whether we are training.
    pub fn is_training(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Says whether we are training.
    pub fn set(&self, training: bool) {
        self.0.store(training, Ordering::Relaxed);
    }
}

impl Default for Mode {
    fn default() -> Mode {
        Mode::new()
    }
}

impl Clone for Mode {
    fn clone(&self) -> Mode {
        Mode(AtomicBool::new(self.is_training()))
    }
}

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_training() {
            "training"
        } else {
            "evaluating"
        })
    }
}
