//! A traced rule run step by step.
//!
//! A rule that is compiled gets a loop of its own for every type and instruction level, and costs as much to build. One
//! that is interpreted costs nothing to build: each of its steps runs over a tile of elements, in loops that all rules
//! share, and hands its result on in the first-level cache. That takes a few times as long as a compiled rule where
//! the elements are in the cache, and no longer where memory is what takes the time.

use super::bits;
use super::isa::{Lane, dispatch};
use super::pointwise::{Line, Registers, Rule, TILE, run};
use crate::array::Array;
use crate::dtype::DType;
use crate::layout::Shape;
use crate::real::{Expr, ExprGraph, ExprNode, IntOp, Real, Special};
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Results `outputs` of a traced rule at every element of inputs that broadcast to `shape`; otherwise as
/// [`map`](crate::kernels::map).
pub fn interpret<const I: usize, const O: usize>(
    rule: &ExprGraph,
    outputs: [usize; O],
    compute: DType,
    x: [Option<Array>; I],
    shape: &Shape,
    out: [DType; O],
) -> [Array; O] {
    let program = Program::new(rule, &outputs);
    if let (Some((op, a, b)), [dtype]) = (program.bits(), &out[..]) {
        let side = |slot| match slot {
            Slot::Input(k) => x[k].clone().expect("it is read"),
            Slot::Register(c) => Array::full([], program.constants[c], *dtype),
        };
        let y = bits::combine(op, &side(a), &side(b), shape, *dtype);
        return std::array::from_fn(|_| y.clone());
    }
    match compute.compute() {
        DType::F32 => run(program.rule::<f32, I, O>(), x, [], shape, out),
        DType::F64 => run(program.rule::<f64, I, O>(), x, [], shape, out),
        _ => run(program.rule::<i64, I, O>(), x, [], shape, out),
    }
}

/// Where a step finds a number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slot {
    Input(usize),
    Register(usize),
}

#[derive(Clone, Copy, Debug)]
enum Function {
    Unary(Unary),
    Special(Special),
    Binary(Binary),
    Rem,
    Integer(IntOp),
    Select,
    /// One of two by a comparison, which nobody else has to see.
    Choose(Choice),
    /// A product and a sum.
    MulAdd,
}

struct Step {
    function: Function,
    reads: [Slot; 4],
    to: usize,
}

/// A choice's comparison, if it is one by a comparison.
fn compared(rule: &ExprGraph, mask: Expr) -> Option<(Choice, Expr, Expr)> {
    match mask {
        Expr::Node(k) => match rule.nodes[k as usize] {
            ExprNode::Binary(f, a, b) => Choice::named(f).map(|f| (f, a, b)),
            _ => None,
        },
        Expr::Const(_) => None,
    }
}

/// The factors and the other term, of a sum of which one term is a product.
fn product(rule: &ExprGraph, sum: [Expr; 2]) -> Option<[Expr; 3]> {
    let factors = |e: Expr| match e {
        Expr::Node(k) => match rule.nodes[k as usize] {
            ExprNode::Binary("*", a, b) => Some((a, b)),
            _ => None,
        },
        Expr::Const(_) => None,
    };
    let [p, q] = sum;
    match (factors(p), factors(q)) {
        (Some((a, b)), _) => Some([a, b, q]),
        (_, Some((a, b))) => Some([a, b, p]),
        _ => None,
    }
}

/// The steps and constants that step `i` reads, those of a comparison or product in place of what it gives where the step does
/// it on the way.
fn reads(rule: &ExprGraph, i: usize) -> impl Iterator<Item = Expr> {
    let node = &rule.nodes[i];
    let reads = match *node {
        ExprNode::Select(mask, yes, no) => match compared(rule, mask) {
            Some((_, a, b)) => [Some(a), Some(b), Some(yes), Some(no)],
            None => [Some(mask), Some(yes), Some(no), None],
        },
        ExprNode::Binary("+", p, q) => match product(rule, [p, q]) {
            Some([a, b, c]) => [Some(a), Some(b), Some(c), None],
            None => [Some(p), Some(q), None, None],
        },
        _ => {
            let [a, b, c] = node.reads();
            [a, b, c, None]
        }
    };
    reads.into_iter().flatten()
}

/// A rule as steps over registers. Constants fill registers of their own, once.
struct Program {
    constants: Vec<f64>,
    registers: usize,
    steps: Vec<Step>,
    outputs: Vec<Slot>,
}

impl Program {
    fn new(rule: &ExprGraph, outputs: &[usize]) -> Program {
        // When each step's result is last read, 0 for never: outputs are read at the end.
        let mut last = vec![0; rule.nodes.len()];
        for &o in outputs {
            if let Expr::Node(k) = rule.outputs[o] {
                last[k as usize] = usize::MAX;
            }
        }
        for i in (0..rule.nodes.len()).rev() {
            if last[i] == 0 {
                continue;
            }
            for e in reads(rule, i) {
                if let Expr::Node(k) = e {
                    last[k as usize] = last[k as usize].max(i);
                }
            }
        }
        let mut constants: Vec<f64> = Vec::new();
        let mut constant = |c: f64| match constants.iter().position(|k| k.to_bits() == c.to_bits()) {
            Some(at) => at,
            None => {
                constants.push(c);
                constants.len() - 1
            }
        };
        // Constants are numbered from 0 and other registers after them, once it is known how many there are.
        #[derive(Clone, Copy)]
        enum Place {
            Input(usize),
            Constant(usize),
            Free(usize),
            Nowhere,
        }
        let mut places: Vec<Place> = Vec::new();
        let (mut free, mut registers) = (Vec::new(), 0);
        let mut steps = Vec::new();
        for (i, node) in rule.nodes.iter().enumerate() {
            if let ExprNode::Input(k) = node {
                places.push(Place::Input(*k));
                continue;
            }
            if last[i] == 0 {
                places.push(Place::Nowhere);
                continue;
            }
            let mut find = |e: Expr| match e {
                Expr::Const(c) => Place::Constant(constant(c)),
                Expr::Node(k) => places[k as usize],
            };
            let (function, read) = match *node {
                ExprNode::Unary(f, a) => {
                    let function = match (Unary::named(f), Special::named(f)) {
                        (Some(f), _) => Function::Unary(f),
                        (None, Some(f)) => Function::Special(f),
                        (None, None) => unreachable!("`Real` has no function `{f}`"),
                    };
                    (function, [find(a); 4])
                }
                ExprNode::Binary("polygamma", Expr::Const(n), a) => {
                    let function = match n as u32 {
                        0 => Function::Unary(Unary::Digamma),
                        1 => Function::Unary(Unary::Trigamma),
                        n => Function::Special(Special::Polygamma(n)),
                    };
                    (function, [find(a); 4])
                }
                ExprNode::Binary("+", p, q) if product(rule, [p, q]).is_some() => {
                    let [a, b, c] = product(rule, [p, q]).expect("just seen");
                    let (a, b, c) = (find(a), find(b), find(c));
                    (Function::MulAdd, [a, b, c, c])
                }
                ExprNode::Binary(f, a, b) => {
                    let integer = [
                        IntOp::And,
                        IntOp::Or,
                        IntOp::Xor,
                        IntOp::Shl,
                        IntOp::Shr,
                        IntOp::Gcd,
                    ];
                    let function = match (Binary::named(f), integer.into_iter().find(|op| op.name() == f)) {
                        (Some(f), _) => Function::Binary(f),
                        (None, Some(f)) => Function::Integer(f),
                        (None, None) if f == "rem" => Function::Rem,
                        (None, None) => unreachable!("`Real` has no operator `{f}`"),
                    };
                    let (a, b) = (find(a), find(b));
                    (function, [a, b, b, b])
                }
                ExprNode::Select(m, yes, no) => match compared(rule, m) {
                    Some((f, a, b)) => (Function::Choose(f), [find(a), find(b), find(yes), find(no)]),
                    None => {
                        let (m, yes, no) = (find(m), find(yes), find(no));
                        (Function::Select, [m, yes, no, no])
                    }
                },
                ExprNode::Input(_) => unreachable!("handled above"),
            };
            // Taken before what is read here is given back: a step never writes what it reads.
            let to = free.pop().unwrap_or_else(|| {
                registers += 1;
                registers - 1
            });
            places.push(Place::Free(to));
            let mut done: Vec<u32> = reads(rule, i)
                .filter_map(|e| match e {
                    Expr::Node(k) if last[k as usize] == i => Some(k),
                    _ => None,
                })
                .collect();
            done.sort_unstable();
            done.dedup();
            for k in done {
                if let Place::Free(r) = places[k as usize] {
                    free.push(r);
                }
            }
            steps.push((function, read, to));
        }
        let outputs: Vec<Place> = outputs
            .iter()
            .map(|o| match rule.outputs[*o] {
                Expr::Const(c) => Place::Constant(constant(c)),
                Expr::Node(k) => places[k as usize],
            })
            .collect();
        let n = constants.len();
        let slot = |p: Place| match p {
            Place::Input(k) => Slot::Input(k),
            Place::Constant(k) => Slot::Register(k),
            Place::Free(k) => Slot::Register(n + k),
            Place::Nowhere => unreachable!("nobody reads it"),
        };
        Program {
            registers,
            steps: steps
                .into_iter()
                .map(|(function, reads, to)| Step {
                    function,
                    reads: reads.map(slot),
                    to: n + to,
                })
                .collect(),
            outputs: outputs.into_iter().map(slot).collect(),
            constants,
        }
    }

    /// The operation on bits that is all there is to it, and its two sides.
    fn bits(&self) -> Option<(IntOp, Slot, Slot)> {
        match &self.steps[..] {
            [
                Step {
                    function: Function::Integer(op @ (IntOp::And | IntOp::Or | IntOp::Xor)),
                    reads: [a, b, ..],
                    ..
                },
            ] => Some((*op, *a, *b)),
            _ => None,
        }
    }

    fn rule<C: Lane, const I: usize, const O: usize>(&self) -> Rule<'_, C, I, 0, O> {
        Rule {
            body: (&raw const *self).cast(),
            tile: |body, x, _, out, n, registers| {
                // SAFETY: `body` is the program above, still borrowed; the caller vouches for the rest.
                unsafe { (*body.cast::<Program>()).tile::<C, I, O>(x, out, n, registers) }
            },
            cost: 2 * self.steps.len().max(1),
            any: false,
            lifetime: PhantomData,
        }
    }

    /// # Safety
    /// Each input that is read has `n ≤ TILE` elements.
    unsafe fn tile<C: Lane, const I: usize, const O: usize>(
        &self,
        x: &[*const C; I],
        out: &mut [MaybeUninit<C>],
        n: usize,
        registers: &mut Registers<C>,
    ) {
        if registers.is_empty() {
            let constants = self.constants.iter();
            registers.extend(constants.map(|c| Line([MaybeUninit::new(C::from_f64(*c)); TILE])));
            registers.resize_with(self.constants.len() + self.registers, || {
                Line([const { MaybeUninit::uninit() }; TILE])
            });
        }
        assert!(n <= TILE);
        for (i, step) in self.steps.iter().enumerate() {
            // The last step's result is the only one's: it goes there at once.
            let last = O == 1 && i + 1 == self.steps.len() && self.outputs[0] == Slot::Register(step.to);
            let to = match last {
                true => out[..n].as_mut_ptr(),
                false => registers[step.to].0.as_mut_ptr(),
            };
            // SAFETY: n ≤ TILE numbers: of an input by the caller's promise; of a register that a step before has written, or that
            // holds a constant. None of them is the step's own.
            let [a, b, c, d] = step.reads.map(|slot| unsafe {
                let from = match slot {
                    Slot::Input(k) => x[k],
                    Slot::Register(r) => registers[r].0.as_ptr().cast::<C>(),
                };
                std::slice::from_raw_parts(from, n)
            });
            // SAFETY: the functions are unsafe only because they are compiled for instructions, which the dispatch finds the
            // processor to have; there are n numbers to write, which overlap none of those that are read.
            unsafe {
                let y = std::slice::from_raw_parts_mut(to, n);
                match step.function {
                    Function::Unary(f) => unary(f, a, y),
                    Function::Binary(f) => binary(f, a, b, y),
                    Function::Rem => rem(a, b, y),
                    Function::Select => select(a, b, c, y),
                    Function::MulAdd => mul_add(a, b, c, y),
                    Function::Choose(f) => choice(f, a, b, c, d, y),
                    Function::Special(f) => {
                        for (y, x) in y.iter_mut().zip(a) {
                            y.write(C::from_f64(f.eval(x.to_f64())));
                        }
                    }
                    Function::Integer(f) => integer(f, a, b, y),
                }
            }
            if last {
                return;
            }
        }
        for (slot, out) in self.outputs.iter().zip(out.chunks_mut(TILE)) {
            let from = match *slot {
                Slot::Input(k) => x[k],
                Slot::Register(r) => registers[r].0.as_ptr().cast(),
            };
            // SAFETY: n ≤ TILE elements there, by the caller's promise or the register's length.
            unsafe { std::ptr::copy_nonoverlapping(from, out[..n].as_mut_ptr().cast::<C>(), n) };
        }
    }
}

/// The functions of one kind: their names in a traced rule, and a loop for each.
macro_rules! functions {
    (enum $Kind:ident, fn $body:ident($($x:ident),*) $all:tt; $($f:ident $name:literal => $y:expr),* $(,)?) => {
        #[derive(Clone, Copy, Debug)]
        enum $Kind { $($f),* }

        impl $Kind {
            fn named(name: &str) -> Option<$Kind> {
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
    Exp "exp" => a.exp(),
    Exp2 "exp2" => a.exp2(),
    Ln "ln" => a.ln(),
    Sqrt "sqrt" => a.sqrt(),
    Sin "sin" => a.sin(),
    Cos "cos" => a.cos(),
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

/// Remainders a stretch at a time: where quotients are small, which is nearly always, they need no loop of their own.
///
/// # Safety
/// `S` has the bits of `C`.
#[inline(always)]
unsafe fn rem_body<S: Real, C: Lane>(a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) {
    const STRETCH: usize = 64;
    // SAFETY: the caller's promise.
    let (a, b) = unsafe { (view::<S, C>(a), view::<S, C>(b)) };
    // SAFETY: likewise.
    let out = unsafe { view_mut::<S, C>(out) };
    for ((out, a), b) in out
        .chunks_mut(STRETCH)
        .zip(a.chunks(STRETCH))
        .zip(b.chunks(STRETCH))
    {
        let mut near = true;
        for ((y, a), b) in out.iter_mut().zip(a).zip(b) {
            let (rest, right) = a.rem_near(*b);
            y.write(rest);
            near &= right;
        }
        if !near {
            each!(out, (a, b) => a.rem(b));
        }
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

dispatch!(unsafe fn unary<C: Lane>(f: Unary, a: &[C], out: &mut [MaybeUninit<C>]) => unary_body);
dispatch!(unsafe fn binary<C: Lane>(f: Binary, a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) => binary_body);
dispatch!(unsafe fn select<C: Lane>(m: &[C], a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) => select_body);
dispatch!(unsafe fn mul_add<C: Lane>(a: &[C], b: &[C], c: &[C], out: &mut [MaybeUninit<C>]) => mul_add_body);
dispatch!(unsafe fn rem<C: Lane>(a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) => rem_body);
dispatch!(unsafe fn choice<C: Lane>(f: Choice, a: &[C], b: &[C], c: &[C], d: &[C], out: &mut [MaybeUninit<C>]) => choice_body);
dispatch!(unsafe fn integer<C: Lane>(f: IntOp, a: &[C], b: &[C], out: &mut [MaybeUninit<C>]) => integer_body);

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

#[cfg(test)]
mod tests;
