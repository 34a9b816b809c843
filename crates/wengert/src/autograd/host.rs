//! What a host language, such as Python, adds: where in its program an operation was applied, and a look at
//! whether the user wants to stop.

use std::cell::Cell;
use std::sync::OnceLock;

/// The functions of a host language.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// A number for the place in the host's program where an operation is being applied; 0 where unknown. Asked
    /// once for each recorded operation.
    pub place: fn() -> u64,
    /// Called now and then while a backward pass runs. It may unwind to end it.
    pub tick: fn(),
}

static HOST: OnceLock<Host> = OnceLock::new();

thread_local! {
    static RUNNING: Cell<u64> = const { Cell::new(0) };
}

/// Installs the functions of the host language, once for the process.
pub fn set_host(host: Host) {
    let _ = HOST.set(host);
}

#[inline]
pub(crate) fn place() -> u64 {
    HOST.get().map_or(0, |host| (host.place)())
}

#[cold]
pub(crate) fn tick() {
    if let Some(host) = HOST.get() {
        (host.tick)();
    }
}

/// Notes which operation's backward runs now.
#[inline]
pub(crate) fn running(place: u64) {
    RUNNING.set(place);
}

/// The place of the operation whose backward a failed backward pass was in, or 0. Asking forgets it.
pub fn failed_at() -> u64 {
    RUNNING.replace(0)
}
