//! Ctrl-C.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_default};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wengert_array::{Error, ErrorKind, Result};

/// Sets a flag at Ctrl-C, and ends the process at the next, or once the training is over.
#[derive(Debug)]
pub(super) struct Interrupts {
    over: Arc<AtomicBool>,
}

impl Interrupts {
    pub fn new(stop: &Arc<AtomicBool>) -> Result<Interrupts> {
        let over = Arc::new(AtomicBool::new(false));
        let failed = |e: std::io::Error| {
            Error::new(
                ErrorKind::Io,
                "stop_on_ctrl_c",
                format!("cannot listen to signals: {e}"),
            )
        };
        for signal in [SIGINT, SIGTERM] {
            // In this order: what is asked for twice is done at once.
            register_conditional_default(signal, over.clone()).map_err(failed)?;
            register_conditional_default(signal, stop.clone()).map_err(failed)?;
            register(signal, stop.clone()).map_err(failed)?;
        }
        Ok(Interrupts { over })
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
