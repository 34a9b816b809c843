//! What went wrong, where, and what might help.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// The kind of mistake; bindings choose their exception by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Shapes that do not fit each other or the operation.
    Shape,
    /// A dtype that the operation does not take.
    DType,
    /// An index or a dimension out of range.
    Index,
    /// A value that makes no sense as this argument.
    Value,
    /// A matrix that has no such decomposition or inverse.
    Linalg,
    /// The graph cannot do what was asked: freed, or nothing to differentiate.
    Graph,
    /// A file or its contents.
    Io,
    /// A result that is wrong: a gradient check that failed.
    Check,
    /// No memory for the result.
    Memory,
}

/// The result of what may fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error: one pointer wide, so that detail costs nothing on the way that succeeds.
///
/// It prints as `operation: what was wrong`, then indented lines with the rule that was broken, a hint
/// where one was checked to help, and the line of the program that asked.
#[derive(Clone, PartialEq)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq)]
struct Inner {
    kind: ErrorKind,
    op: String,
    message: String,
    notes: Vec<String>,
    help: Option<String>,
    location: Option<&'static Location<'static>>,
}

impl Error {
    /// An error of operation `op`.
    #[cold]
    pub fn new(kind: ErrorKind, op: impl Into<String>, message: impl Into<String>) -> Error {
        let (op, message) = (op.into(), message.into());
        Error(Box::new(Inner {
            kind,
            op,
            message,
            notes: Vec::new(),
            help: None,
            location: None,
        }))
    }

    /// Adds a line that states the rule which was broken, or the values involved.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Error {
        self.0.notes.push(note.into());
        self
    }

    /// Adds a hint. Only hints that were checked to work belong here.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.0.help = Some(help.into());
        self
    }

    /// Says which line of the program asked, unless that is known already.
    #[must_use]
    pub fn at(mut self, location: &'static Location<'static>) -> Error {
        self.0.location.get_or_insert(location);
        self
    }

    /// Names the operation, where the error came from a part that did not know it.
    #[must_use]
    pub fn of(mut self, op: &str) -> Error {
        if self.0.op.is_empty() {
            self.0.op = op.to_string();
        }
        self
    }

    /// The kind of mistake.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation's name.
    pub fn op(&self) -> &str {
        &self.0.op
    }

    /// What was wrong, without the operation's name, notes and place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The line of the program that asked, where known.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.0.location
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            op,
            message,
            notes,
            help,
            location,
            ..
        } = &*self.0;
        if !op.is_empty() {
            write!(f, "{op}: ")?;
        }
        f.write_str(message)?;
        for note in notes {
            write!(f, "\n  {note}")?;
        }
        if let Some(help) = help {
            write!(f, "\n  help: {help}")?;
        }
        if let Some(at) = location {
            write!(f, "\n  at {}:{}:{}", at.file(), at.line(), at.column())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

thread_local! {
    /// How many `catch` calls this thread is inside of.
    static CATCHING: Cell<usize> = const { Cell::new(0) };
}

/// Whether every error is on its way to someone who handles it.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on [`raise`] prints nothing in this process: a host language catches all that unwinds, and shows it.
#[doc(hidden)]
pub fn raise_quietly() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Panics with `error` at the caller's line; inside [`catch`], goes there quietly instead.
#[cold]
#[track_caller]
pub fn raise(error: Error) -> ! {
    let error = error.at(Location::caller());
    if CATCHING.get() > 0 || QUIET.load(Ordering::Relaxed) {
        // Not `panic!`: the error is on its way to someone who handles it, so nothing is printed.
        resume_unwind(Box::new(error));
    }
    panic!("{error}");
}

/// Runs `f` and returns, as an [`Error`], what an operation in it raised.
///
/// Any other panic goes on its way.
///
/// ```
/// # use wengert_array::{catch, raise, Error, ErrorKind};
/// let caught = catch(|| raise(Error::new(ErrorKind::Shape, "matmul", "cannot multiply [2, 3] by [2, 3]")));
/// assert_eq!(caught.unwrap_err().kind(), ErrorKind::Shape);
/// ```
pub fn catch<T>(f: impl FnOnce() -> T) -> Result<T> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            CATCHING.set(CATCHING.get() - 1);
        }
    }
    CATCHING.set(CATCHING.get() + 1);
    let leave = Leave;
    // A caught operation has changed nothing: results are new values, and updates check first.
    let result = catch_unwind(AssertUnwindSafe(f));
    drop(leave);
    result.map_err(|panic: Box<dyn Any + Send>| match panic.downcast::<Error>() {
        Ok(error) => *error,
        Err(other) => resume_unwind(other),
    })
}
