//! Elementwise operations whose rules are interpreted rather than compiled.

use super::pair::{self, Pair};
use super::pointwise::{Kind, Pointwise, compute, evaluate, infer, trace_grad, trace_value};
#[cfg(test)]
use super::pointwise::{Map, with_edges};
use crate::autograd::{Ctx, is_recording};
use crate::op::{Complex, Extra, Fixed, In, Op, Sample, Saves};
use crate::tensor::Tensor;
use std::fmt;
use std::sync::Arc;
use wengert_array::kernels::{self, Quotient};
use wengert_array::real::{ExprGraph, Real};
use wengert_array::{Array, Meta, Result};

/// The operation that applies a rule at every element, one step of the rule after the other.
///
/// [`Map`](super::Map) compiles a loop for its rule, which is fastest, and which takes seconds to build for each rule. Here all
/// rules share their steps' loops (see [`kernels::interpret`]): right for functions that a program spends little of
/// its time in, of which there are many.
#[derive(Clone)]
pub struct Rule<const N: usize>(Arc<dyn Erased<N>>);

/// A rule without its type.
trait Erased<const N: usize>: fmt::Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn kind(&self) -> Kind;
    /// What it is for integers, if a quotient.
    fn quotient(&self) -> Option<Quotient>;
    /// The rule over its inputs, of which there is room for four.
    fn value(&self) -> ExprGraph;
    /// The rule for complex numbers.
    fn complex(&self, z: [Pair; N]) -> Option<Pair>;
    /// Its gradients over dy, y and the inputs.
    fn grad(&self) -> ExprGraph;
    /// The value at one element.
    #[cfg(test)]
    fn at(&self, x: [f64; N]) -> f64;
}

impl<R: Pointwise<N>, const N: usize> Erased<N> for R {
    fn name(&self) -> &'static str {
        Pointwise::name(self)
    }
    fn kind(&self) -> Kind {
        R::KIND
    }
    fn quotient(&self) -> Option<Quotient> {
        R::QUOTIENT
    }
    fn value(&self) -> ExprGraph {
        trace_value(self)
    }
    fn complex(&self, z: [Pair; N]) -> Option<Pair> {
        Pointwise::complex(self, z)
    }
    fn grad(&self) -> ExprGraph {
        trace_grad(self)
    }
    #[cfg(test)]
    fn at(&self, x: [f64; N]) -> f64 {
        Pointwise::value(self, x)
    }
}

impl<const N: usize> fmt::Debug for Rule<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const N: usize> Rule<N> {
    /// The operation that applies this rule.
    pub fn new<R: Pointwise<N>>(rule: R) -> Rule<N> {
        Rule(Arc::new(rule))
    }

    /// The rule as a formula over its inputs.
    pub fn trace_value(&self) -> ExprGraph {
        self.0.value()
    }

    /// The samples of one rule.
    #[cfg(test)]
    pub(crate) fn samples_of<R: Pointwise<N>>() -> Vec<Sample<Rule<N>>> {
        let erase = |s: Sample<Map<R, N>>| Sample {
            op: Rule::new(s.op.0),
            inputs: s.inputs,
            expected: s.expected,
        };
        let samples = R::samples().into_iter().map(erase).collect();
        with_edges(samples, |rule: &Rule<N>, x| rule.0.at(x))
    }
}

impl<const N: usize> Op for Rule<N> {
    type Inputs = Fixed<N>;
    const NAME: &'static str = "rule";
    /// Each rule reads what its gradient's formula mentions: see [`Op::saves`].
    const SAVES: &'static [Saves] = &[];

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, x: [In<'_>; N]) -> Result<Meta> {
        infer(self.name(), self.0.kind(), &x)
    }

    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op, x| pair::apply(op.0.kind(), x, |z| op.0.complex(z)))
    }

    fn forward(&self, x: [Array; N], y: &Meta, _: &mut Extra) -> Array {
        let compute = compute(self.0.kind(), x.iter().map(|x| (x.dtype(), x.rank())));
        if let (Some(how), false, [a, b]) = (self.0.quotient(), compute.is_float(), &x[..]) {
            return kernels::quotient(how, a, b, &y.shape, y.dtype);
        }
        let mut x = x.into_iter();
        let x: [Option<Array>; 4] = std::array::from_fn(|_| x.next());
        let [y] = kernels::interpret(&self.0.value(), [0], compute, x, &y.shape, [y.dtype]);
        y
    }

    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; N] {
        let graph = self.0.grad();
        let reads = |i: usize| (0..N).any(|g| cx.wants(g) && graph.inputs_of(g)[i]);
        let mut inputs = vec![Some(dy), reads(1).then(|| cx.y())];
        inputs.extend((0..N).map(|i| reads(2 + i).then(|| cx.x(i))));
        if is_recording() {
            let wants: Vec<bool> = (0..N).map(|i| cx.wants(i)).collect();
            let mut grads = evaluate(&graph, &inputs, &wants).into_iter();
            return std::array::from_fn(|_| grads.next().flatten());
        }
        let mut inputs = inputs.into_iter().map(|t| t.map(Tensor::into_array));
        let x: [Option<Array>; 6] = std::array::from_fn(|_| inputs.next().flatten());
        let (shape, dtype) = (&cx.output().shape, cx.output().dtype);
        std::array::from_fn(|i| {
            cx.grad(i, || {
                let [dx] = kernels::interpret(&graph, [i], dtype, x.clone(), shape, [dtype]);
                Tensor::constant(dx)
            })
        })
    }

    fn saves(&self, i: usize) -> Saves {
        let read = self.0.grad().inputs_of(i);
        let inputs = (0..N).filter(|k| read[2 + k]).map(Saves::x);
        let y = if read[1] { Saves::Y } else { Saves::NOTHING };
        inputs.fold(y, Saves::and)
    }

    /// None: each rule has its own.
    fn samples() -> Vec<Sample<Self>> {
        Vec::new()
    }
}

/// Whether x is finite, as all integers are: ∞ − ∞ is NaN.
#[inline(always)]
#[allow(clippy::eq_op)]
pub(crate) fn is_finite<S: Real>(x: S) -> S::Mask {
    (x - x).eq(S::ZERO)
}

/// Whether x is infinite or NaN.
#[inline(always)]
#[allow(clippy::eq_op)]
pub(crate) fn not_finite<S: Real>(x: S) -> S::Mask {
    (x - x).ne(S::ZERO)
}

/// Numbers away from zero on either side.
pub(crate) fn real() -> Array {
    Array::from_slice(&[0.5, -1.5, 2.0, -0.25, 3.0, -1.0], [2, 3])
}

/// Numbers away from integers and their halves, where roundings jump.
pub(crate) fn between() -> Array {
    Array::from_slice(&[0.4, -1.3, 2.2, -0.45, 2.7, -1.6], [2, 3])
}

/// Numbers above zero.
pub(crate) fn positive() -> Array {
    Array::from_slice(&[0.5, 1.5, 2.0, 0.25, 3.0, 1.25], [2, 3])
}

/// Numbers above one.
pub(crate) fn above_one() -> Array {
    Array::from_slice(&[1.5, 2.5, 2.0, 1.25, 3.0, 1.75], [2, 3])
}

/// Numbers between −1 and 1.
pub(crate) fn within_one() -> Array {
    Array::from_slice(&[0.5, -0.75, 0.2, -0.25, 0.8, -0.1], [2, 3])
}

/// Numbers between 0 and 1.
pub(crate) fn probability() -> Array {
    Array::from_slice(&[0.5, 0.75, 0.2, 0.25, 0.8, 0.1], [2, 3])
}

/// Writes interpreted rules of one number and their methods: name, parameters with those of the sample, the kind of
/// result, the sample's numbers, the value, the gradient, and the value for complex numbers where there is one.
macro_rules! rules {
    ($(
        $(#[$doc:meta])*
        $method:ident $Rule:ident $({ $($p:ident: $pt:ty = $pv:expr),+ })?: $kind:ident on $sample:expr;
        |$x:ident| $value:expr;
        |$dy:pat_param, $gx:pat_param, $y:pat_param| $grad:expr;
        $(=> complex |$z:ident| $complex:expr;)?
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone)]
            pub struct $Rule { $($(pub(crate) $p: $pt),+)? }

            impl Pointwise<1> for $Rule {
                const NAME: &'static str = stringify!($method);
                const KIND: Kind = Kind::$kind;
                fn value<S: Real>(&self, [$x]: [S; 1]) -> S {
                    $(let $Rule { $($p),+ } = *self;)?
                    $value
                }
                fn grad<S: Real>(&self, $dy: S, [$gx]: [S; 1], $y: S) -> [S; 1] {
                    $(#[allow(unused_variables)] let $Rule { $($p),+ } = *self;)?
                    [$grad]
                }
                $(fn complex(&self, [$z]: [crate::ops::pair::Pair; 1]) -> Option<crate::ops::pair::Pair> {
                    Some($complex)
                })?
                fn samples() -> Vec<Sample<Map<Self, 1>>> {
                    vec![Sample::new(Map($Rule { $($($p: $pv),+)? }), [$sample])]
                }
            }
        )*

        impl Tensor {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $method(&self $($(, $p: $pt)+)?) -> Tensor {
                    Rule::new($Rule { $($($p),+)? }).apply([self])
                }
            )*
        }
    };
}
pub(crate) use rules;

/// As [`rules`], for rules of two numbers, the other of which is a tensor or a number.
macro_rules! rules2 {
    ($(
        $(#[$doc:meta])*
        $method:ident $(= $name:literal)? $Rule:ident: $kind:ident $(with $quotient:ident of integers)? on $sample:expr;
        |$a:ident, $b:ident| $value:expr;
        |$dy:pat_param, $ga:pat_param, $gb:pat_param, $y:pat_param| $grad:expr;
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone)]
            pub struct $Rule;

            impl Pointwise<2> for $Rule {
                const NAME: &'static str = {
                    let name = stringify!($method);
                    $(let _ = name; let name = $name;)?
                    name
                };
                const KIND: Kind = Kind::$kind;
                $(const QUOTIENT: Option<Quotient> = Some(Quotient::$quotient);)?
                fn value<S: Real>(&self, [$a, $b]: [S; 2]) -> S {
                    $value
                }
                fn grad<S: Real>(&self, $dy: S, [$ga, $gb]: [S; 2], $y: S) -> [S; 2] {
                    $grad
                }
                fn samples() -> Vec<Sample<Map<Self, 2>>> {
                    let [a, b]: [Array; 2] = $sample;
                    vec![Sample::new(Map($Rule), [a, b])]
                }
            }
        )*

        impl Tensor {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $method(&self, other: impl Operand) -> Tensor {
                    Rule::new($Rule).apply([self, other.seen(self, &mut None)])
                }
            )*
        }
    };
}
pub(crate) use rules2;

/// Writes the contract tests of interpreted rules, as [`contract`](super::contract) does those of operations.
macro_rules! contract_rules {
    ($($name:ident: $rule:ty, $n:literal),* $(,)?) => {
        #[cfg(test)]
        mod contract_rules {
            $(mod $name {
                #[allow(unused_imports)]
                use super::super::*;
                crate::autograd::contract::contract_tests!(
                    crate::ops::rule::Rule<$n>,
                    &crate::ops::rule::Rule::<$n>::samples_of::<$rule>
                );
                inventory::submit! {
                    crate::ops::registry::Entry {
                        of: stringify!($rule),
                        file: file!(),
                        facts: || crate::ops::registry::facts(&crate::ops::rule::Rule::<$n>::samples_of::<$rule>),
                    }
                }
            })*
        }
    };
}
pub(crate) use contract_rules;
