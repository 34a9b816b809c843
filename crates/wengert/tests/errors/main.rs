//! What bad input is told, word for word. `UPDATE_EXPECT=1 cargo test -p wengert --test errors` writes the texts anew.

use expect_test::Expect;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use wengert::{Error, ErrorKind, Tensor};

/// The text of a panic.
fn panic_text(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("this should fail");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(_) => panic!("the panic has no text"),
    }
}

#[track_caller]
fn check(error: &Error, kind: ErrorKind, line: u32, want: &Expect) {
    assert_eq!(error.kind(), kind);
    let at = error.location().expect("an error knows the line that asked");
    // The expression stands on the line of `fails!`, or a line or two below where it was too long for that.
    let near = (line..line + 3).contains(&at.line());
    assert!(
        at.file() == Location::caller().file() && near,
        "{}:{} is named, not line {line}",
        at.file(),
        at.line()
    );
    let text = error.to_string();
    let place = format!("\n  at {}:{}:{}", at.file(), at.line(), at.column());
    want.assert_eq(text.strip_suffix(&place).expect("the place comes last"));
}

/// The expression fails with this kind of error and this text, and then its place, at this line, caught or not.
macro_rules! fails {
    ($kind:ident, $expr:expr, $want:expr) => {{
        // Both on one line: an error names its line and column.
        let f = || {
            let _ = $expr;
        };
        let error = wengert::catch(f).expect_err("this should fail");
        crate::check(&error, wengert::ErrorKind::$kind, line!(), &$want);
        assert_eq!(crate::panic_text(f), error.to_string());
        error
    }};
}

/// The expression gives the error that `error` is, but for the place.
#[track_caller]
fn same(result: wengert::Result<impl std::fmt::Debug>, error: &Error) {
    let text = |e: &Error| e.to_string().split("\n  at ").next().unwrap().to_string();
    let got = result.expect_err("this should fail");
    assert_eq!((got.kind(), text(&got)), (error.kind(), text(error)));
    assert_eq!(got.location().unwrap().file(), Location::caller().file());
}

fn t(shape: &[usize]) -> Tensor {
    Tensor::ones(shape)
}

mod graphs;
mod parts;
mod shapes;
