//! Formulas evaluated on tensors: how a gradient rule is differentiated again.

use crate::tensor::Tensor;
use wengert_array::DType;
use wengert_array::real::{Expr, ExprGraph, ExprNode, Real, Special};

/// A number or a tensor, while a formula is evaluated.
#[derive(Clone)]
enum Value {
    Number(f64),
    Tensor(Tensor),
}

/// A traced rule evaluated on tensors, each step an operation that is recorded in turn. Results that are
/// not wanted are not computed; inputs may be missing where no wanted result reads them.
pub(crate) fn evaluate(graph: &ExprGraph, inputs: &[Option<Tensor>], wants: &[bool]) -> Vec<Option<Tensor>> {
    let mut needed = vec![false; graph.nodes.len()];
    let mark = |needed: &mut [bool], e: Expr| {
        if let Expr::Node(i) = e {
            needed[i as usize] = true;
        }
    };
    for (output, _) in graph.outputs.iter().zip(wants).filter(|(_, wanted)| **wanted) {
        mark(&mut needed, *output);
    }
    for i in (0..graph.nodes.len()).rev() {
        if needed[i] {
            graph.nodes[i]
                .reads()
                .into_iter()
                .flatten()
                .for_each(|e| mark(&mut needed, e));
        }
    }
    let mut values: Vec<Option<Value>> = vec![None; graph.nodes.len()];
    let get = |values: &[Option<Value>], e: Expr| match e {
        Expr::Const(c) => Value::Number(c),
        Expr::Node(i) => values[i as usize].clone().expect("steps come in order"),
    };
    for i in (0..graph.nodes.len()).filter(|i| needed[*i]) {
        values[i] = Some(match graph.nodes[i] {
            ExprNode::Input(k) => {
                Value::Tensor(inputs[k].clone().expect("SAVES lists what a gradient reads"))
            }
            ExprNode::Unary(f, a) => unary(f, get(&values, a)),
            ExprNode::Binary(f, a, b) => binary(f, get(&values, a), get(&values, b)),
            ExprNode::Select(m, a, b) => {
                let (yes, no) = (get(&values, a), get(&values, b));
                select(get(&values, m), yes, no)
            }
        });
    }
    let dy = inputs[0].as_ref().expect("the upstream gradient is always there");
    let mut grads = Vec::with_capacity(wants.len());
    for (output, wanted) in graph.outputs.iter().zip(wants) {
        grads.push(wanted.then(|| match get(&values, *output) {
            Value::Tensor(t) => t,
            Value::Number(c) => Tensor::full_as(dy.shape(), c, dy.dtype()),
        }));
    }
    grads
}

fn unary(f: &str, a: Value) -> Value {
    use Value::{Number, Tensor};
    match a {
        Number(x) => Number(match f {
            "neg" => -x,
            "exp" => x.exp(),
            "exp2" => x.exp2(),
            "ln" => x.ln(),
            "sqrt" => x.sqrt(),
            "sin" => x.sin(),
            "cos" => x.cos(),
            "tanh" => x.tanh(),
            "erf" => Real::erf(x),
            "floor" => x.floor(),
            "ceil" => x.ceil(),
            "trunc" => x.trunc(),
            "round" => x.round_ties_even(),
            "abs" => x.abs(),
            "exp_m1" => x.exp_m1(),
            "ln_1p" => x.ln_1p(),
            "log2" => x.log2(),
            "log10" => x.log10(),
            "atan" => x.atan(),
            _ => x.special(special(f)),
        }),
        Tensor(x) => Tensor(match f {
            "neg" => -x,
            "exp" => x.exp(),
            "exp2" => x.exp2(),
            "ln" => x.ln(),
            "sqrt" => x.sqrt(),
            "sin" => x.sin(),
            "cos" => x.cos(),
            "tanh" => x.tanh(),
            "erf" => x.erf(),
            "floor" => x.floor(),
            "ceil" => x.ceil(),
            "trunc" => x.trunc(),
            "round" => x.round(),
            "abs" => x.abs(),
            "exp_m1" => x.expm1(),
            "ln_1p" => x.log1p(),
            "log2" => x.log2(),
            "log10" => x.log10(),
            "atan" => x.atan(),
            _ => x.special(special(f)),
        }),
    }
}

fn special(name: &str) -> Special {
    match Special::named(name) {
        Some(f) => f,
        None => unreachable!("`Real` has no function `{name}`"),
    }
}

fn binary(f: &str, a: Value, b: Value) -> Value {
    use Value::{Number, Tensor as T};
    let truth = |b: bool| Number(f64::from(u8::from(b)));
    let lift = |c: f64, like: &Tensor| Tensor::full_as([], c, like.dtype());
    match (f, a, b) {
        ("+", Number(x), Number(y)) => Number(x + y),
        ("-", Number(x), Number(y)) => Number(x - y),
        ("*", Number(x), Number(y)) => Number(x * y),
        ("/", Number(x), Number(y)) => Number(x / y),
        ("pow", Number(x), Number(y)) => Number(x.powf(y)),
        ("max", Number(x), Number(y)) => Number(Real::max(x, y)),
        ("min", Number(x), Number(y)) => Number(Real::min(x, y)),
        ("copysign", Number(x), Number(y)) => Number(x.copysign(y)),
        ("rem", Number(x), Number(y)) => Number(x % y),
        ("lt", Number(x), Number(y)) => truth(x < y),
        ("le", Number(x), Number(y)) => truth(x <= y),
        ("eq", Number(x), Number(y)) => truth(x == y),
        ("ne", Number(x), Number(y)) => truth(x != y),
        ("and", Number(x), Number(y)) => truth(x != 0.0 && y != 0.0),
        ("or", Number(x), Number(y)) => truth(x != 0.0 || y != 0.0),
        ("+", T(x), Number(c)) | ("+", Number(c), T(x)) => T(x + c),
        ("*", T(x), Number(c)) | ("*", Number(c), T(x)) => T(x * c),
        ("-", T(x), Number(c)) => T(x - c),
        ("-", Number(c), T(x)) => T(c - x),
        ("/", T(x), Number(c)) => T(x / c),
        ("/", Number(c), T(x)) => T(c / x),
        ("pow", T(x), Number(c)) => T(x.powf(c)),
        ("polygamma", Number(n), Number(x)) => Number(x.special(Special::Polygamma(n as u32))),
        ("polygamma", Number(n), T(x)) => T(x.special(Special::Polygamma(n as u32))),
        (f, T(x), Number(c)) => {
            let c = lift(c, &x);
            T(tensors(f, x, c))
        }
        (f, Number(c), T(y)) => T(tensors(f, lift(c, &y), y)),
        (f, T(x), T(y)) => T(tensors(f, x, y)),
        (f, Number(_), Number(_)) => unreachable!("`Real` has no operator `{f}`"),
    }
}

fn tensors(f: &str, x: Tensor, y: Tensor) -> Tensor {
    match f {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "/" => x / y,
        "pow" => x.pow(&y),
        "max" => x.maximum(&y),
        "min" => x.minimum(&y),
        "copysign" => x.copysign(&y),
        "rem" => x.fmod(&y),
        "lt" => x.lt(&y),
        "le" => x.le(&y),
        "eq" => x.eq(&y),
        "ne" => x.ne(&y),
        "and" => x.logical_and(&y),
        "or" => x.logical_or(&y),
        f => unreachable!("`Real` has no operator `{f}`"),
    }
}

fn select(mask: Value, yes: Value, no: Value) -> Value {
    use Value::{Number, Tensor as T};
    let mask = match mask {
        Number(m) => return if m != 0.0 { yes } else { no },
        T(mask) => mask,
    };
    let lift = |v: Value, like: Option<DType>| match v {
        T(t) => t,
        Number(c) => Tensor::full_as([], c, like.unwrap_or(DType::F64)),
    };
    let dtype = match (&yes, &no) {
        (T(t), _) | (_, T(t)) => Some(t.dtype()),
        _ => None,
    };
    T(lift(yes, dtype).where_(&mask, &lift(no, dtype)))
}
