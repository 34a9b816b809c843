//! A rule as data: run on [`Expr`], it writes down what it computes.

use super::{IntOp, Real, Special};
use std::cell::RefCell;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A handle on one step of the rule being traced, or a constant.
///
/// Handles point into the trace that is open on this thread (see [`trace`]), which is what keeps them
/// `Copy` and rules free of `.clone()`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expr {
    /// A constant of the rule.
    Const(f64),
    /// Step number `i` of the trace.
    Node(u32),
}

/// One step of a traced rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ExprNode {
    /// Input number `i` of the rule.
    Input(usize),
    /// A function of one number, by its name in [`Real`] (`"neg"`, `"exp"`, …).
    Unary(&'static str, Expr),
    /// An operator or function of two numbers (`"+"`, `"pow"`, `"lt"`, …); comparisons give a mask.
    Binary(&'static str, Expr, Expr),
    /// `select(mask, yes, no)`.
    Select(Expr, Expr, Expr),
}

/// A traced rule: its steps in order, each reading only earlier ones, and its results.
#[derive(Clone, Debug, PartialEq)]
pub struct ExprGraph {
    /// How many inputs the rule takes.
    pub inputs: usize,
    /// The steps. Steps that no result needs are left out.
    pub nodes: Vec<ExprNode>,
    /// The results.
    pub outputs: Vec<Expr>,
}

thread_local! {
    static TRACE: RefCell<Vec<ExprNode>> = const { RefCell::new(Vec::new()) };
}

fn push(node: ExprNode) -> Expr {
    TRACE.with_borrow_mut(|nodes| {
        // Equal steps are one step: rules repeat `y * y` freely, and the trace is short.
        let at = nodes.iter().position(|n| *n == node).unwrap_or_else(|| {
            nodes.push(node);
            nodes.len() - 1
        });
        Expr::Node(at as u32)
    })
}

/// Runs `rule` on symbols and returns what it computes.
pub fn trace<const I: usize, const O: usize>(rule: impl FnOnce([Expr; I]) -> [Expr; O]) -> ExprGraph {
    let outer = TRACE.take();
    let inputs = std::array::from_fn(|i| push(ExprNode::Input(i)));
    let outputs = rule(inputs);
    let nodes = TRACE.replace(outer);
    prune(I, nodes, outputs.to_vec())
}

/// Drops the steps that no output needs.
fn prune(inputs: usize, nodes: Vec<ExprNode>, outputs: Vec<Expr>) -> ExprGraph {
    let mut needed = vec![false; nodes.len()];
    let mark = |needed: &mut Vec<bool>, e: Expr| {
        if let Expr::Node(i) = e {
            needed[i as usize] = true;
        }
    };
    outputs.iter().for_each(|&e| mark(&mut needed, e));
    for i in (0..nodes.len()).rev() {
        if needed[i] {
            nodes[i]
                .reads()
                .into_iter()
                .flatten()
                .for_each(|e| mark(&mut needed, e));
        }
    }
    let mut renumber = vec![0u32; nodes.len()];
    let mut kept = Vec::new();
    let map = |renumber: &[u32], e: Expr| match e {
        Expr::Node(i) => Expr::Node(renumber[i as usize]),
        constant => constant,
    };
    for (i, node) in nodes.into_iter().enumerate().filter(|(i, _)| needed[*i]) {
        renumber[i] = kept.len() as u32;
        kept.push(node.map(|e| map(&renumber, e)));
    }
    let outputs = outputs.into_iter().map(|e| map(&renumber, e)).collect();
    ExprGraph {
        inputs,
        nodes: kept,
        outputs,
    }
}

impl ExprNode {
    /// The same step with `f` of what it reads in place of that.
    pub(crate) fn map(self, f: impl Fn(Expr) -> Expr) -> ExprNode {
        match self {
            ExprNode::Input(i) => ExprNode::Input(i),
            ExprNode::Unary(name, a) => ExprNode::Unary(name, f(a)),
            ExprNode::Binary(name, a, b) => ExprNode::Binary(name, f(a), f(b)),
            ExprNode::Select(m, a, b) => ExprNode::Select(f(m), f(a), f(b)),
        }
    }

    /// The steps and constants that this step reads.
    pub fn reads(&self) -> [Option<Expr>; 3] {
        match *self {
            ExprNode::Input(_) => [None, None, None],
            ExprNode::Unary(_, a) => [Some(a), None, None],
            ExprNode::Binary(_, a, b) => [Some(a), Some(b), None],
            ExprNode::Select(m, a, b) => [Some(m), Some(a), Some(b)],
        }
    }
}

impl ExprGraph {
    /// Which inputs output number `output` depends on.
    pub fn inputs_of(&self, output: usize) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        let mut read = vec![false; self.inputs];
        if let Expr::Node(i) = self.outputs[output] {
            needed[i as usize] = true;
        }
        for i in (0..self.nodes.len()).rev() {
            if !needed[i] {
                continue;
            }
            if let ExprNode::Input(k) = self.nodes[i] {
                read[k] = true;
            }
            for e in self.nodes[i].reads().into_iter().flatten() {
                if let Expr::Node(j) = e {
                    needed[j as usize] = true;
                }
            }
        }
        read
    }

    /// Output number `output` as a formula, with the inputs called by `names`.
    pub fn formula(&self, output: usize, names: &[&str]) -> String {
        self.write(self.outputs[output], names, 0)
    }

    fn write(&self, e: Expr, names: &[&str], outer: u8) -> String {
        let node = match e {
            Expr::Const(c) if c < 0.0 && outer > 0 => return format!("({})", constant(c)),
            Expr::Const(c) => return constant(c),
            Expr::Node(i) => self.nodes[i as usize],
        };
        let (text, level) = match node {
            ExprNode::Input(i) => (names[i].to_string(), 9),
            ExprNode::Unary("neg", a) => (format!("−{}", self.write(a, names, 3)), 1),
            ExprNode::Unary("abs", a) => (format!("|{}|", self.write(a, names, 0)), 9),
            ExprNode::Unary("sqrt", a) => (format!("√{}", self.write(a, names, 9)), 4),
            ExprNode::Unary(f, a) => (format!("{f}({})", self.write(a, names, 0)), 9),
            ExprNode::Binary("*", a, b) if a == b => (format!("{}²", self.write(a, names, 4)), 4),
            ExprNode::Binary("pow", a, b) => (
                format!("{}^{}", self.write(a, names, 9), self.write(b, names, 9)),
                4,
            ),
            ExprNode::Binary(op, a, b) => {
                let (symbol, left, right, level) = match op {
                    "+" => ("+", 1, 1, 1),
                    "-" => ("−", 1, 2, 1),
                    "*" => ("·", 2, 2, 2),
                    "/" => ("/", 2, 3, 2),
                    "lt" => ("<", 1, 1, 0),
                    "le" => ("≤", 1, 1, 0),
                    "eq" => ("=", 1, 1, 0),
                    "ne" => ("≠", 1, 1, 0),
                    "and" => ("and", 0, 1, 0),
                    "or" => ("or", 0, 1, 0),
                    f => {
                        let (a, b) = (self.write(a, names, 0), self.write(b, names, 0));
                        return format!("{f}({a}, {b})");
                    }
                };
                (
                    format!(
                        "{} {symbol} {}",
                        self.write(a, names, left),
                        self.write(b, names, right)
                    ),
                    level,
                )
            }
            ExprNode::Select(m, a, b) => {
                let (m, a, b) = (
                    self.write(m, names, 0),
                    self.write(a, names, 0),
                    self.write(b, names, 0),
                );
                (format!("({a} if {m} else {b})"), 9)
            }
        };
        if level < outer { format!("({text})") } else { text }
    }
}

fn constant(c: f64) -> String {
    use std::f64::consts::*;
    let named = [
        (PI, "π"),
        (FRAC_2_SQRT_PI, "2/√π"),
        (FRAC_1_SQRT_2, "1/√2"),
        (LN_2, "ln 2"),
        (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2, "1/√2π"),
    ];
    match named.iter().find(|(v, _)| *v == c) {
        Some((_, name)) => name.to_string(),
        None => format!("{c}").replace('-', "−"),
    }
}

impl fmt::Display for ExprGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = (0..self.inputs).map(|i| format!("x{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let all: Vec<String> = (0..self.outputs.len()).map(|o| self.formula(o, &names)).collect();
        f.write_str(&all.join(", "))
    }
}

macro_rules! operator {
    ($($op:ident $f:ident $symbol:literal $fold:expr),*) => {$(
        impl $op for Expr {
            type Output = Expr;
            fn $f(self, o: Expr) -> Expr {
                let fold: fn(Expr, Expr) -> Option<Expr> = $fold;
                fold(self, o).unwrap_or_else(|| push(ExprNode::Binary($symbol, self, o)))
            }
        }
    )*};
}

// Folding is exact: only what IEEE arithmetic leaves unchanged in value and in sign is dropped.
operator!(
    Add add "+" |a, b| match (a, b) {
        (Expr::Const(x), Expr::Const(y)) => Some(Expr::Const(x + y)),
        _ => None,
    },
    Sub sub "-" |a, b| match (a, b) {
        (Expr::Const(x), Expr::Const(y)) => Some(Expr::Const(x - y)),
        (a, Expr::Const(0.0)) => Some(a),
        _ => None,
    },
    Mul mul "*" |a, b| match (a, b) {
        (Expr::Const(x), Expr::Const(y)) => Some(Expr::Const(x * y)),
        (a, Expr::Const(1.0)) | (Expr::Const(1.0), a) => Some(a),
        _ => None,
    },
    Div div "/" |a, b| match (a, b) {
        (Expr::Const(x), Expr::Const(y)) => Some(Expr::Const(x / y)),
        (a, Expr::Const(1.0)) => Some(a),
        _ => None,
    }
);

impl Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        match self {
            Expr::Const(c) => Expr::Const(-c),
            node => push(ExprNode::Unary("neg", node)),
        }
    }
}

macro_rules! unary {
    ($($f:ident)*) => {$(
        fn $f(self) -> Expr {
            push(ExprNode::Unary(stringify!($f), self))
        }
    )*};
}

macro_rules! binary {
    ($($f:ident)*) => {$(
        fn $f(self, o: Expr) -> Expr {
            push(ExprNode::Binary(stringify!($f), self, o))
        }
    )*};
}

impl Real for Expr {
    type Mask = Expr;
    const ZERO: Expr = Expr::Const(0.0);
    const ONE: Expr = Expr::Const(1.0);

    fn lit(v: f64) -> Expr {
        Expr::Const(v)
    }
    fn mul_add(self, b: Expr, c: Expr) -> Expr {
        self * b + c
    }
    unary!(exp exp2 ln sqrt sin cos tanh erf floor ceil trunc round abs exp_m1 ln_1p log2 log10 atan);
    binary!(pow max min lt le eq ne copysign rem);
    fn special(self, f: Special) -> Expr {
        match f {
            Special::Polygamma(n) => push(ExprNode::Binary(f.name(), Expr::Const(f64::from(n)), self)),
            f => push(ExprNode::Unary(f.name(), self)),
        }
    }
    fn integer(self, f: IntOp, other: Expr) -> Expr {
        push(ExprNode::Binary(f.name(), self, other))
    }
    fn and(a: Expr, b: Expr) -> Expr {
        push(ExprNode::Binary("and", a, b))
    }
    fn or(a: Expr, b: Expr) -> Expr {
        push(ExprNode::Binary("or", a, b))
    }
    fn select(mask: Expr, yes: Expr, no: Expr) -> Expr {
        push(ExprNode::Select(mask, yes, no))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_prints_as_its_formula() {
        let g = trace(|[g, y]: [Expr; 2]| [g * (Expr::ONE - y * y)]);
        assert_eq!(g.formula(0, &["dy", "y"]), "dy · (1 − y²)");
        let g = trace(|[x]: [Expr; 1]| [Expr::ONE / (Expr::ONE + (-x).exp())]);
        assert_eq!(g.formula(0, &["x"]), "1 / (1 + exp(−x))");
        let g = trace(|[x]: [Expr; 1]| [Expr::select(x.gt(Expr::ZERO), x, Expr::ZERO)]);
        assert_eq!(g.formula(0, &["x"]), "(x if 0 < x else 0)");
    }

    #[test]
    fn only_needed_steps_stay_and_inputs_are_known() {
        let g = trace(|[a, b, c]: [Expr; 3]| {
            let _unused = c.exp();
            [a * b, a.sin()]
        });
        assert_eq!(g.nodes.len(), 4);
        assert_eq!(g.inputs_of(0), [true, true, false]);
        assert_eq!(g.inputs_of(1), [true, false, false]);
    }
}
