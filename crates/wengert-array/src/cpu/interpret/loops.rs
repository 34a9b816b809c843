//! The loops that steps of rules run in: one for each function, which all rules share.

use crate::cpu::isa::{Lane, dispatch};
use crate::real::{IntOp, Real, Special};
use std::mem::MaybeUninit;

/// The functions of one kind: their names in a traced rule, and a loop for each.
macro_rules! functions {
    (enum $Kind:ident, fn $body:ident($($x:ident),*) $all:tt; $($f:ident $name:literal => $y:expr),* $(,)?) => {
        #[derive(Clone, Copy, Debug)]
        pub(super) enum $Kind { $($f),* }

        impl $Kind {
            pub(super) fn named(name: &str) -> Option<$Kind> {
                match name {
                    $($name => Some($Kind::$f),)*
                    _ => None,
                }
            }
        }

        /// # Safety
        /// `S` has the bits of `C`.
        #[inline(always)]
        unsafe fn $body<S: Real, C: Lane>(f: $Kind, $($x: &[C],)* out: &mut [MaybeUninit<C>]) {
            $(
                // SAFETY: the caller's promise.
                let $x = unsafe { view::<S, C>($x) };
            )*
            // SAFETY: likewise.
            let out = unsafe { view_mut::<S, C>(out) };
            match f {
                $($Kind::$f => each!(out, $all => $y),)*
            }
        }
    };
}

// Loops by name and not closures: a long closure would become a function of its own, which has none of the level's instructions.
macro_rules! each {
    ($out:ident, ($a:ident) => $y:expr) => {
        for (y, &$a) in $out.iter_mut().zip($a) {
            y.write($y);
        }
    };
    ($out:ident, ($a:ident, $b:ident) => $y:expr) => {
        for ((y, &$a), &$b) in $out.iter_mut().zip($a).zip($b) {
            y.write($y);
        }
    };
    ($out:ident, ($a:ident, $b:ident, $c:ident) => $y:expr) => {
        for (((y, &$a), &$b), &$c) in $out.iter_mut().zip($a).zip($b).zip($c) {
            y.write($y);
        }
    };
    ($out:ident, ($a:ident, $b:ident, $c:ident, $d:ident) => $y:expr) => {
        for ((((y, &$a), &$b), &$c), &$d) in $out.iter_mut().zip($a).zip($b).zip($c).zip($d) {
            y.write($y);
        }
    };
}

functions! {
    enum Unary, fn unary_body(a)(a);
    Neg "neg" => -a,
    Inverse "1 /" => S::ONE / a,
    Exp "exp" => a.exp(),
    Exp2 "exp2" => a.exp2(),
    Ln "ln" => a.ln(),
    Sqrt "sqrt" => a.sqrt(),
    Tanh "tanh" => a.tanh(),
    Erf "erf" => a.erf(),
    Floor "floor" => a.floor(),
    Ceil "ceil" => a.ceil(),
    Trunc "trunc" => a.trunc(),
    Round "round" => a.round(),
    Abs "abs" => a.abs(),
    ExpM1 "exp_m1" => a.exp_m1(),
    Ln1p "ln_1p" => a.ln_1p(),
    Log2 "log2" => a.log2(),
    Log10 "log10" => a.log10(),
    Atan "atan" => a.atan(),
    Erfinv "erfinv" => a.special(Special::Erfinv),
    Lgamma "lgamma" => a.special(Special::Lgamma),
    Digamma "digamma" => a.special(Special::Polygamma(0)),
    Trigamma "trigamma" => a.special(Special::Polygamma(1)),
}

// A mask is 1 or 0.
functions! {
    enum Binary, fn binary_body(a, b)(a, b);
    Add "+" => a + b,
    Sub "-" => a - b,
    Mul "*" => a * b,
    Div "/" => a / b,
    Pow "pow" => a.pow(b),
    Max "max" => a.max(b),
    Min "min" => a.min(b),
    Copysign "copysign" => a.copysign(b),
    Lt "lt" => truth(a.lt(b)),
    Le "le" => truth(a.le(b)),
    Eq "eq" => truth(a.eq(b)),
    Ne "ne" => truth(a.ne(b)),
    And "and" => a * b,
    Or "or" => a.max(b),
}

functions! {
    enum Choice, fn choice_body(a, b, c, d)(a, b, c, d);
    Lt "lt" => S::select(a.lt(b), c, d),
    Le "le" => S::select(a.le(b), c, d),
    Eq "eq" => S::select(a.eq(b), c, d),
    Ne "ne" => S::select(a.ne(b), c, d),
}

#[inline(always)]
fn truth<S: Real>(mask: S::Mask) -> S {
    S::select(mask, S::ONE, S::ZERO)
}

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn select_body<S: Real, C: Lane>(m: &[C], a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) {
    // SAFETY: the caller's promise.
    let (m, a, b) = unsafe { (view::<S, C>(m), view::<S, C>(a), view::<S, C>(b)) };
    // SAFETY: likewise.
    let out = unsafe { view_mut::<S, C>(out) };
    each!(out, (m, a, b) => S::select(m.ne(S::ZERO), a, b));
}

/// Rounded twice, as in two steps.
///
/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn mul_add_body<S: Real, C: Lane>(a: &[C], b: &[C], c: &[C], out: &mut [MaybeUninit<C>]) {
    // SAFETY: the caller's promise.
    let (a, b, c) = unsafe { (view::<S, C>(a), view::<S, C>(b), view::<S, C>(c)) };
    // SAFETY: likewise.
    let out = unsafe { view_mut::<S, C>(out) };
    each!(out, (a, b, c) => a * b + c);
}

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn limit_body<S: Real, C: Lane>(a: &[C], low: &[C], high: &[C], out: &mut [MaybeUninit<C>]) {
    // SAFETY: the caller's promise.
    let (a, low, high) = unsafe { (view::<S, C>(a), view::<S, C>(low), view::<S, C>(high)) };
    // SAFETY: likewise.
    let out = unsafe { view_mut::<S, C>(out) };
    each!(out, (a, low, high) => a.max(low).min(high));
}

/// A function a stretch at a time: as it is where it is right there, as it nearly always is, and else by a loop of its own.
// Over iterators: by index the compiler finds no vectors.
macro_rules! by_stretches {
    ($out:ident, ($a:ident) => $near:expr, $far:expr) => {
        for (out, $a) in $out.chunks_mut(STRETCH).zip($a.chunks(STRETCH)) {
            let mut near = true;
            for (y, &$a) in out.iter_mut().zip($a) {
                let (value, right) = $near;
                y.write(value);
                near &= right;
            }
            if !near {
                each!(out, ($a) => $far);
            }
        }
    };
    ($out:ident, ($a:ident, $b:ident) => $near:expr, $far:expr) => {
        for ((out, $a), $b) in $out.chunks_mut(STRETCH).zip($a.chunks(STRETCH)).zip($b.chunks(STRETCH)) {
            let mut near = true;
            for ((y, &$a), &$b) in out.iter_mut().zip($a).zip($b) {
                let (value, right) = $near;
                y.write(value);
                near &= right;
            }
            if !near {
                each!(out, ($a, $b) => $far);
            }
        }
    };
}

/// Elements of which one that is not near has all computed again.
const STRETCH: usize = 64;

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn rem_body<S: Real, C: Lane>(a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) {
    // SAFETY: the caller's promise.
    let (a, b) = unsafe { (view::<S, C>(a), view::<S, C>(b)) };
    // SAFETY: likewise.
    let out = unsafe { view_mut::<S, C>(out) };
    by_stretches!(out, (a, b) => a.rem_near(b), a.rem(b));
}

/// Sines, or cosines.
///
/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn turn_body<S: Real, C: Lane>(cosine: bool, a: &[C], out: &mut [MaybeUninit<C>]) {
    // SAFETY: the caller's promise.
    let a = unsafe { view::<S, C>(a) };
    // SAFETY: likewise.
    let out = unsafe { view_mut::<S, C>(out) };
    match cosine {
        true => by_stretches!(out, (a) => a.turn_near(true), a.cos()),
        false => by_stretches!(out, (a) => a.turn_near(false), a.sin()),
    }
}

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn integer_body<S: Real, C: Lane>(f: IntOp, a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) {
    // SAFETY: the caller's promise.
    let (a, b) = unsafe { (view::<S, C>(a), view::<S, C>(b)) };
    // SAFETY: likewise.
    let out = unsafe { view_mut::<S, C>(out) };
    each!(out, (a, b) => a.integer(f, b));
}

dispatch!(pub(super) unsafe fn unary<C: Lane>(f: Unary, a: &[C], out: &mut [MaybeUninit<C>]) => unary_body);
dispatch!(pub(super) unsafe fn binary<C: Lane>(f: Binary, a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) => binary_body);
dispatch!(pub(super) unsafe fn select<C: Lane>(m: &[C], a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) => select_body);
dispatch!(pub(super) unsafe fn mul_add<C: Lane>(a: &[C], b: &[C], c: &[C], out: &mut [MaybeUninit<C>]) => mul_add_body);
dispatch!(pub(super) unsafe fn limit<C: Lane>(a: &[C], low: &[C], high: &[C], out: &mut [MaybeUninit<C>]) => limit_body);
dispatch!(pub(super) unsafe fn rem<C: Lane>(a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) => rem_body);
dispatch!(pub(super) unsafe fn turn<C: Lane>(cosine: bool, a: &[C], out: &mut [MaybeUninit<C>]) => turn_body);
dispatch!(pub(super) unsafe fn choice<C: Lane>(f: Choice, a: &[C], b: &[C], c: &[C], d: &[C], out: &mut [MaybeUninit<C>]) => choice_body);
dispatch!(pub(super) unsafe fn integer<C: Lane>(f: IntOp, a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) => integer_body);

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn view<S, C>(x: &[C]) -> &[S] {
    const { assert!(size_of::<S>() == size_of::<C>() && align_of::<S>() == align_of::<C>()) };
    // SAFETY: same size and alignment, and by the caller's promise the same bits.
    unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), x.len()) }
}

/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn view_mut<S, C>(x: &mut [MaybeUninit<C>]) -> &mut [MaybeUninit<S>] {
    const { assert!(size_of::<S>() == size_of::<C>() && align_of::<S>() == align_of::<C>()) };
    // SAFETY: as in `view`.
    unsafe { std::slice::from_raw_parts_mut(x.as_mut_ptr().cast(), x.len()) }
}
