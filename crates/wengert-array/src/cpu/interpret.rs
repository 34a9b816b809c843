//! A traced rule run step by step.
//!
//! A rule that is compiled gets a loop of its own for every type and instruction level, and costs as much to build. One
//! that is interpreted costs nothing to build: each of its steps runs over a tile of elements, in loops that all rules
//! share, and hands its result on in the first-level cache. That takes a few times as long as a compiled rule where
//! the elements are in the cache, and no longer where memory is what takes the time.

mod loops;
mod narrow;

use super::isa::Lane;
use super::pointwise::{Line, Registers, Rule, TILE, run};
use crate::array::Array;
use crate::dtype::DType;
use crate::layout::Shape;
use crate::real::{Expr, ExprGraph, ExprNode, IntOp, Special};
use loops::{Binary, Choice, Unary, binary, choice, integer, limit, mul_add, rem, select, turn, unary};
pub(super) use narrow::narrow;
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
    let x = match outputs {
        _ if O > 1 || compute.compute() != DType::I64 => x,
        _ => match narrow(rule, outputs[0], compute, x, shape, out[0]) {
            Ok(y) => return std::array::from_fn(|_| y.clone()),
            Err(x) => x,
        },
    };
    let program = Program::new(rule, &outputs);
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
    /// The sine, or the cosine.
    Turn {
        cosine: bool,
    },
    Binary(Binary),
    Rem,
    Integer(IntOp),
    Select,
    /// One of two by a comparison, which nobody else has to see.
    Choose(Choice),
    /// A product and a sum.
    MulAdd,
    /// The larger one of two, and the smaller one of that and a third.
    Between,
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

/// What is brought between limits, and those, of the smaller one of a limit and the larger one of two.
fn between(rule: &ExprGraph, [p, high]: [Expr; 2]) -> Option<[Expr; 3]> {
    match (p, high) {
        (Expr::Node(k), Expr::Const(_)) => match rule.nodes[k as usize] {
            ExprNode::Binary("max", a, low @ Expr::Const(_)) if low != high => Some([a, low, high]),
            _ => None,
        },
        _ => None,
    }
}

/// Has one step read in place of another.
fn replace(rule: &mut ExprGraph, at: usize, by: Expr) {
    let new = |e: Expr| match e {
        Expr::Node(k) if k as usize == at => by,
        e => e,
    };
    for node in rule.nodes.iter_mut() {
        *node = node.map(new);
    }
    rule.outputs.iter_mut().for_each(|e| *e = new(*e));
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
        ExprNode::Binary("/", Expr::Const(1.0), a) => [Some(a), None, None, None],
        ExprNode::Binary("min", p, q) if between(rule, [p, q]).is_some() => {
            let [a, b, c] = between(rule, [p, q]).expect("just seen");
            [Some(a), Some(b), Some(c), None]
        }
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
        // A mask is these numbers already.
        let mut rule = std::borrow::Cow::Borrowed(rule);
        for i in 0..rule.nodes.len() {
            if let ExprNode::Select(mask, Expr::Const(1.0), Expr::Const(0.0)) = rule.nodes[i] {
                replace(rule.to_mut(), i, mask);
            }
        }
        let rule = &*rule;
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
                        _ if f == "sin" || f == "cos" => Function::Turn { cosine: f == "cos" },
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
                ExprNode::Binary("/", Expr::Const(1.0), a) => (Function::Unary(Unary::Inverse), [find(a); 4]),
                ExprNode::Binary("min", p, q) if between(rule, [p, q]).is_some() => {
                    let [a, b, c] = between(rule, [p, q]).expect("just seen");
                    let (a, b, c) = (find(a), find(b), find(c));
                    (Function::Between, [a, b, c, c])
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

    /// Elements that steps take at once where nothing is converted: so many that registers, what is read and what is written stay
    /// in the first-level cache together, since starting a step costs time; but at least a few kilobytes of them.
    fn stretch<C>(&self) -> usize {
        let n = (32 << 10) / (self.constants.len() + self.registers + 2);
        n.max(4096) / size_of::<C>() / TILE * TILE
    }

    fn rule<C: Lane, const I: usize, const O: usize>(&self) -> Rule<'_, C, I, 0, O> {
        Rule {
            body: (&raw const *self).cast(),
            tile: |body, x, _, out, n, registers| {
                // SAFETY: `body` is the program above, still borrowed; the caller vouches for the rest.
                unsafe { (*body.cast::<Program>()).tile::<C, I, O>(x, out, n, registers) }
            },
            cost: 2 * self.steps.len().max(1),
            // A single step that reads inputs needs no register.
            longest: match (self.steps.len(), self.constants.len()) {
                (1, 0) => usize::MAX,
                _ => self.stretch::<C>(),
            },
            lifetime: PhantomData,
        }
    }

    /// # Safety
    /// Each input that is read has `n` elements, which are no more than [`rule`](Program::rule) says, or `TILE` of several outputs.
    unsafe fn tile<C: Lane, const I: usize, const O: usize>(
        &self,
        x: &[*const C; I],
        out: &mut [MaybeUninit<C>],
        n: usize,
        registers: &mut Registers<C>,
    ) {
        let stretch = self.stretch::<C>();
        if registers.is_empty() {
            let lines = stretch / TILE;
            for c in &self.constants {
                let line = || Line([MaybeUninit::new(C::from_f64(*c)); TILE]);
                registers.extend(std::iter::repeat_with(line).take(lines));
            }
            registers.resize_with((self.constants.len() + self.registers) * lines, || {
                Line([const { MaybeUninit::uninit() }; TILE])
            });
        }
        let lone = self.steps.len() == 1 && self.constants.is_empty();
        assert!(
            n <= if O > 1 {
                TILE
            } else if lone {
                out.len()
            } else {
                stretch
            }
        );
        let base = registers.as_mut_ptr().cast::<MaybeUninit<C>>();
        // SAFETY: there are as many.
        let register = |r: usize| unsafe { base.add(r * stretch) };
        for (i, step) in self.steps.iter().enumerate() {
            // The last step's result is the only one's: it goes there at once.
            let last = O == 1 && i + 1 == self.steps.len() && self.outputs[0] == Slot::Register(step.to);
            let to = match last {
                true => out[..n].as_mut_ptr(),
                false => register(step.to),
            };
            // SAFETY: n numbers: of an input by the caller's promise; of a register that a step before has written, or that
            // holds a constant. None of them is the step's own.
            let [a, b, c, d] = step.reads.map(|slot| unsafe {
                let from = match slot {
                    Slot::Input(k) => x[k],
                    Slot::Register(r) => register(r).cast::<C>().cast_const(),
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
                    Function::Turn { cosine } => turn(cosine, a, y),
                    Function::Rem => rem(a, b, y),
                    Function::Select => select(a, b, c, y),
                    Function::MulAdd => mul_add(a, b, c, y),
                    Function::Between => limit(a, b, c, y),
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
        for (o, slot) in self.outputs.iter().enumerate() {
            let out = &mut out[o * TILE..][..n];
            let from = match *slot {
                Slot::Input(k) => x[k],
                Slot::Register(r) => register(r).cast::<C>().cast_const(),
            };
            // SAFETY: n elements there, by the caller's promise or the register's length.
            unsafe { std::ptr::copy_nonoverlapping(from, out.as_mut_ptr().cast::<C>(), n) };
        }
    }
}

#[cfg(test)]
mod tests;
