//! Where in the Python program an operation was applied, and Ctrl-C.
//!
//! Every recorded operation remembers the code object and the instruction that applied it, as one number. The
//! line is looked up only when an error asks for it. Frames of this package itself are passed over: the reader's
//! own line is what helps.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::c_int;
#[cfg(unix)]
use std::ffi::{c_char, c_void};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use wengert::autograd::host::{Host, set_host};

/// What is known of the place that this thread's running call came from.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// There is no call from Python.
    None,
    /// The interpreter's lock is held; nobody has asked yet.
    Ask,
    Known(u64),
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::None) };
    /// Code objects looked up lately, each at a place that its address chooses, its number, and whether it is passed over.
    static LAST: [Cell<(usize, u32, bool)>; 16] = const { [const { Cell::new((0, 0, false)) }; 16] };
}

/// Code objects that applied recorded operations. They are kept for good, so that their addresses stay theirs;
/// there are only as many as there is code.
#[derive(Default)]
struct Codes {
    numbers: HashMap<usize, (u32, bool)>,
    list: Vec<Py<PyAny>>,
    package: Option<String>,
}

static CODES: Mutex<Option<Codes>> = Mutex::new(None);

/// How many code objects are remembered; code beyond them, made by a program that makes code, has no place.
const MOST: usize = 1 << 16;

fn codes() -> MutexGuard<'static, Option<Codes>> {
    CODES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets what is known, and gives what was before.
#[inline]
pub(crate) fn enter(place: Place) -> Place {
    PLACE.replace(place)
}

/// The present place, asked for now.
pub(crate) fn here(py: Python<'_>) -> Place {
    Place::Known(look(py))
}

fn place() -> u64 {
    match PLACE.get() {
        Place::None => 0,
        Place::Known(p) => p,
        Place::Ask => {
            // SAFETY: `guard` says `Ask` where this thread holds the interpreter's lock, and something else where it lets go
            // of it.
            let p = look(unsafe { Python::assume_attached() });
            PLACE.set(Place::Known(p));
            p
        }
    }
}

/// The number of the innermost place outside this package.
fn look(py: Python<'_>) -> u64 {
    // SAFETY: attached; the reference is borrowed from the thread's state, which outlives this call.
    let frame = unsafe { ffi::PyEval_GetFrame() };
    if frame.is_null() {
        return 0;
    }
    // SAFETY: a frame object is an object, alive while it is the innermost one.
    let mut frame = unsafe { Bound::<PyAny>::from_borrowed_ptr(py, frame.cast()) };
    for _ in 0..32 {
        // SAFETY: `frame` is a frame object; the result is a new reference.
        let code =
            unsafe { Bound::<PyAny>::from_owned_ptr(py, ffi::PyFrame_GetCode(frame.as_ptr().cast()).cast()) };
        let (number, internal) = number_of(&code);
        if internal {
            match frame.getattr(pyo3::intern!(py, "f_back")) {
                Ok(back) if !back.is_none() => {
                    frame = back;
                    continue;
                }
                _ => return 0,
            }
        }
        if number == 0 {
            return 0;
        }
        return at(&frame).map_or(0, |at| u64::from(number) << 32 | u64::from(at));
    }
    0
}

/// The instruction that a frame is at.
#[inline]
fn at(frame: &Bound<'_, PyAny>) -> Option<u32> {
    if let Some(lasti) = LASTI.get().copied().flatten() {
        // SAFETY: attached, and `frame` is a frame object.
        return u32::try_from(unsafe { lasti(frame.as_ptr()) }).ok();
    }
    let at = frame.getattr(pyo3::intern!(frame.py(), "f_lasti"));
    at.and_then(|i| i.extract()).ok()
}

/// The interpreter's `PyFrame_GetLasti`: public, but outside the stable ABI, so looked up when the module is loaded
/// rather than linked.
static LASTI: OnceLock<Option<unsafe extern "C" fn(*mut ffi::PyObject) -> c_int>> = OnceLock::new();

#[cfg(unix)]
fn find_lasti() -> Option<unsafe extern "C" fn(*mut ffi::PyObject) -> c_int> {
    unsafe extern "C" {
        fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    }
    // SAFETY: a null handle asks in all that the process has loaded; glibc and musl define it so.
    #[cfg(target_os = "linux")]
    let found = unsafe { dlsym(std::ptr::null_mut(), c"PyFrame_GetLasti".as_ptr()) };
    // SAFETY: −2 does so where the others have their own numbers (macOS, the BSDs).
    #[cfg(not(target_os = "linux"))]
    let found = unsafe {
        dlsym(
            std::ptr::without_provenance_mut(-2isize as usize),
            c"PyFrame_GetLasti".as_ptr(),
        )
    };
    // SAFETY: it has had this signature since Python 3.11, which is the oldest that loads this module.
    (!found.is_null()).then(|| unsafe { std::mem::transmute(found) })
}

#[cfg(not(unix))]
fn find_lasti() -> Option<unsafe extern "C" fn(*mut ffi::PyObject) -> c_int> {
    None
}

fn number_of(code: &Bound<'_, PyAny>) -> (u32, bool) {
    let at = code.as_ptr() as usize;
    let lately = (at >> 6 ^ at >> 10) % 16;
    let (last, number, internal) = LAST.with(|last| last[lately].get());
    if last == at {
        return (number, internal);
    }
    let known = {
        let mut codes = codes();
        codes.get_or_insert_default().numbers.get(&at).copied()
    };
    let (number, internal) = match known {
        Some(known) => known,
        // Python runs here, so the lock is not held.
        None => {
            let name = code
                .getattr("co_filename")
                .and_then(|f| f.extract::<String>())
                .unwrap_or_default();
            let mut codes = codes();
            let codes = codes.get_or_insert_default();
            if codes.list.len() >= MOST {
                return (0, false);
            }
            let internal = codes
                .package
                .as_ref()
                .is_some_and(|p| name.starts_with(p.as_str()));
            codes.list.push(code.clone().unbind());
            let new = (codes.list.len() as u32, internal);
            codes.numbers.insert(at, new);
            new
        }
    };
    LAST.with(|last| last[lately].set((at, number, internal)));
    (number, internal)
}

/// The place as text: `train.py:12, in step`.
pub(crate) fn text(py: Python<'_>, place: u64) -> Option<String> {
    let (number, at) = ((place >> 32) as usize, (place & u64::from(u32::MAX)) as i64);
    let code = codes().as_ref()?.list.get(number.checked_sub(1)?)?.clone_ref(py);
    let code = code.bind(py);
    let mut line = code.getattr("co_firstlineno").ok()?.extract::<i64>().ok()?;
    for range in code.call_method0("co_lines").ok()?.try_iter().ok()? {
        let (from, to, l): (i64, i64, Option<i64>) = range.ok()?.extract().ok()?;
        if (from..to).contains(&at) {
            line = l.unwrap_or(line);
        }
    }
    let file: String = code.getattr("co_filename").ok()?.extract().ok()?;
    let name: String = code.getattr("co_name").ok()?.extract().ok()?;
    Some(if name == "<module>" {
        format!("{file}:{line}")
    } else {
        format!("{file}:{line}, in {name}")
    })
}

/// Lets Ctrl-C end a long backward pass: asked every so many operations, looks at the clock first.
fn tick() {
    thread_local! {
        static NEXT: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    if NEXT.get().is_some_and(|next| now < next) {
        return;
    }
    NEXT.set(Some(now + Duration::from_millis(50)));
    if let Err(error) = Python::attach(|py| py.check_signals()) {
        crate::guard::throw(error);
    }
}

/// Tells where this package's own files are.
#[pyfunction]
fn _set_package(path: &Bound<'_, PyString>) -> PyResult<()> {
    codes().get_or_insert_default().package = Some(path.to_cow()?.into_owned());
    Ok(())
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    LASTI.get_or_init(find_lasti);
    set_host(Host { place, tick });
    wengert_array::raise_quietly();
    crate::macros::functions!(m, _set_package);
    Ok(())
}
