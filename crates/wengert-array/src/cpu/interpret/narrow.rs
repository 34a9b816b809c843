//! Integers computed in their own width.
//!
//! Sums, products and operations on bits have the same low bits in any width. What compares, or moves bits down, asks for whole
//! numbers. So a program is followed from its inputs on, to see what is known of each number that it makes.

use super::{Binary, Choice, Function, Program, Slot, Unary, replace};
use crate::array::Array;
use crate::cpu::pointwise::run;
use crate::dtype::DType;
use crate::layout::Shape;
use crate::real::{Expr, ExprGraph, ExprNode, IntOp};

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Known {
    /// The low bits.
    Low,
    /// All of it.
    Whole,
    /// All of it, and that it is 0 or 1.
    Truth,
}

/// One result of a traced rule, as [`interpret`](super::interpret), for integers of less than 64 bits and truths whose own
/// width gives the same. The inputs, if not so.
pub(in crate::cpu) fn narrow<const I: usize>(
    rule: &ExprGraph,
    output: usize,
    compute: DType,
    x: [Option<Array>; I],
    shape: &Shape,
    out: DType,
) -> Result<Array, [Option<Array>; I]> {
    assert!(I <= INPUTS, "rules have at most so many");
    let done = match compute {
        DType::Bool | DType::U8 => of::<u8>(rule, output, compute, &x, shape, out),
        DType::I8 => of::<i8>(rule, output, compute, &x, shape, out),
        DType::I16 => of::<i16>(rule, output, compute, &x, shape, out),
        DType::I32 => of::<i32>(rule, output, compute, &x, shape, out),
        _ => None,
    };
    done.ok_or(x)
}

/// What gradients have: dy, y and four more.
const INPUTS: usize = 6;

/// A type of integers, and which those are.
trait Narrow: crate::cpu::isa::Lane {
    const RANGE: [i64; 2];
}

macro_rules! narrow {
    ($($T:ident)*) => {$(
        impl Narrow for $T {
            const RANGE: [i64; 2] = [$T::MIN as i64, $T::MAX as i64];
        }
    )*};
}
narrow!(u8 i8 i16 i32);

fn of<C: Narrow>(
    rule: &ExprGraph,
    output: usize,
    compute: DType,
    x: &[Option<Array>],
    shape: &Shape,
    out: DType,
) -> Option<Array> {
    let mut rule = rule.clone();
    let mut arrays = [const { None }; INPUTS];
    let mut known = [Known::Low; INPUTS];
    for (k, a) in x.iter().enumerate() {
        let Some(a) = a else { continue };
        if let (Some(v), true) = (a.element::<i64>(), shape.numel() > 1) {
            // No constant holds it.
            if v.unsigned_abs() > 1 << 53 {
                return None;
            }
            bind(&mut rule, k, v as f64);
            continue;
        }
        // A lone element of a wider type has no say in what is computed in.
        if a.dtype() != compute && a.dtype().promote(compute) != compute {
            return None;
        }
        let truth = a.dtype() == DType::Bool;
        known[k] = if truth { Known::Truth } else { Known::Whole };
        arrays[k] = Some(match truth && C::DTYPE == DType::U8 {
            true => a.view_as(a.layout().clone(), DType::U8),
            false => a.clone(),
        });
    }
    let mut program = Program::new(&rule, &[output]);
    let result = program.fit(C::RANGE, &known)?;
    if out == DType::Bool && C::DTYPE == DType::U8 && result == Known::Truth {
        let [y] = run(program.rule::<C, INPUTS, 1>(), arrays, [], shape, [C::DTYPE]);
        return Some(y.view_as(y.layout().clone(), out));
    }
    if out == compute && out != DType::Bool || out == DType::Bool && result >= Known::Whole {
        let [y] = run(program.rule::<C, INPUTS, 1>(), arrays, [], shape, [out]);
        return Some(y);
    }
    None
}

/// Makes a constant of an input.
fn bind(rule: &mut ExprGraph, input: usize, value: f64) {
    let Some(at) = rule.nodes.iter().position(|n| *n == ExprNode::Input(input)) else {
        return;
    };
    replace(rule, at, Expr::Const(value));
}

impl Program {
    /// Makes the constants those of a type with this range and gives what is known of the result; nothing if a step would give
    /// something else than in 64 bits.
    fn fit(&mut self, range: [i64; 2], inputs: &[Known]) -> Option<Known> {
        let n = self.constants.len();
        let given: Vec<i64> = self.constants.iter().map(|c| *c as i64).collect();
        let mut known = vec![Known::Low; n + self.registers];
        for (k, v) in given.iter().enumerate() {
            known[k] = match v {
                0 | 1 => Known::Truth,
                v if (range[0]..=range[1]).contains(v) => Known::Whole,
                _ => Known::Low,
            };
            let (low, count) = (i128::from(range[0]), i128::from(range[1] - range[0] + 1));
            self.constants[k] = ((i128::from(*v) - low).rem_euclid(count) + low) as f64;
        }
        for i in 0..self.steps.len() {
            let step = &self.steps[i];
            // A limit that no number reaches is as good as the last one.
            let limits: &[(usize, Binary)] = match step.function {
                Function::Binary(Binary::Max) => &[(0, Binary::Max), (1, Binary::Max)],
                Function::Binary(Binary::Min) => &[(0, Binary::Min), (1, Binary::Min)],
                Function::Between => &[(1, Binary::Max), (2, Binary::Min)],
                _ => &[],
            };
            for (at, f) in limits {
                let slot = &step.reads[*at];
                let Slot::Register(c) = *slot else { continue };
                if c >= n || known[c] >= Known::Whole {
                    continue;
                }
                let v = given[c];
                let end = match f {
                    Binary::Max if v < range[0] => range[0],
                    Binary::Min if v > range[1] => range[1],
                    _ => return None,
                };
                if self.steps.iter().filter(|s| s.reads.contains(slot)).count() > 1 {
                    return None;
                }
                self.constants[c] = end as f64;
                known[c] = Known::Whole;
            }
            let of = |i: usize| match step.reads[i] {
                Slot::Input(k) => inputs[k],
                Slot::Register(r) => known[r],
            };
            let whole = |reads: &[usize]| reads.iter().all(|i| of(*i) >= Known::Whole);
            let least = |a: usize, b: usize| if of(a) < of(b) { of(a) } else { of(b) };
            let gives = |needs: &[usize], known: Known| whole(needs).then_some(known);
            known[step.to] = match step.function {
                Function::Unary(f) => match f {
                    Unary::Neg => Known::Low,
                    Unary::Abs => gives(&[0], Known::Low)?,
                    Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::Round => of(0),
                    _ => return None,
                },
                Function::Binary(f) => match f {
                    Binary::Add | Binary::Sub | Binary::Mul => Known::Low,
                    Binary::Max | Binary::Min | Binary::And | Binary::Or => gives(&[0, 1], least(0, 1))?,
                    Binary::Lt | Binary::Le | Binary::Eq | Binary::Ne => gives(&[0, 1], Known::Truth)?,
                    Binary::Div | Binary::Pow | Binary::Copysign => return None,
                },
                Function::Integer(f) => match f {
                    IntOp::And | IntOp::Or | IntOp::Xor => least(0, 1),
                    IntOp::Shl => gives(&[1], Known::Low)?,
                    IntOp::Shr => gives(&[0, 1], Known::Whole)?,
                    IntOp::Gcd => return None,
                },
                Function::Select => gives(&[0], least(1, 2))?,
                Function::Choose(Choice::Lt | Choice::Le | Choice::Eq | Choice::Ne) => {
                    gives(&[0, 1], least(2, 3))?
                }
                Function::MulAdd => Known::Low,
                Function::Between => gives(&[0, 1, 2], Known::Whole)?,
                Function::Rem | Function::Turn { .. } | Function::Special(_) => return None,
            };
        }
        match self.outputs[0] {
            Slot::Input(k) => Some(inputs[k]),
            Slot::Register(r) => Some(known[r]),
        }
    }
}
