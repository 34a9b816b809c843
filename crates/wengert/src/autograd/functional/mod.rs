//! Functions that make functions: derivatives of functions of tensors, as in PyTorch's `torch.func`.
//!
//! They take a function of a [`Tree`] of tensors and call it on variables of their own, so they compose: the
//! gradient of a gradient, the gradient of a model that is mapped over a batch, the Jacobian of a checkpoint.
//! Tensors that the function captures are constants to the transform, and stay variables to what is around it.
//!
//! ```
//! use wengert::{Tensor, func};
//!
//! let f = |x: &Tensor| (x * x * x).sum();
//! let x = Tensor::new([1.0, 2.0]);
//! assert_eq!(func::grad(f)(&x).to_vec::<f32>(), [3.0, 12.0]);
//! assert_eq!(func::hessian(f)(&x).to_vec::<f32>(), [6.0, 0.0, 0.0, 12.0]);
//! ```
//!
//! An operation of your own, of several inputs, takes part like any other:
//!
//! ```
//! use wengert::autograd::check_op;
//! use wengert::{Array, Ctx, Error, ErrorKind, Extra, Fixed, Meta, Op, Result, Sample, Saves, Tensor, func, op::In};
//!
//! /// y = a² b; da = 2 a b dy, db = a² dy.
//! #[derive(Debug)]
//! struct SquareTimes;
//!
//! impl Op for SquareTimes {
//!     type Inputs = Fixed<2>;
//!     const NAME: &'static str = "square_times";
//!     const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::x(1)), Saves::x(0)];
//!     fn infer(&self, [a, b]: [In<'_>; 2]) -> Result<Meta> {
//!         match a.shape == b.shape && a.dtype == b.dtype {
//!             true => Ok(a.with_shape(a.shape)),
//!             false => Err(Error::new(ErrorKind::Shape, "", format!("{} and {} differ", a.shape, b.shape))),
//!         }
//!     }
//!     fn forward(&self, [a, b]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
//!         let (a, b) = (a.to_vec::<f64>(), b.to_vec::<f64>());
//!         let values: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a * a * b).collect();
//!         Array::from_slice(&values, &y.shape).cast(y.dtype)
//!     }
//!     fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
//!         let da = cx.grad(0, || &dy * cx.x(0) * cx.x(1) * 2.0);
//!         let db = cx.grad(1, || &dy * cx.x(0).square());
//!         [da, db]
//!     }
//!     fn samples() -> Vec<Sample<Self>> {
//!         let (a, b) = (Array::from_slice(&[1.0, -2.0], [2]), Array::from_slice(&[3.0, 0.5], [2]));
//!         vec![Sample::new(SquareTimes, [a, b]).gives([3.0, 2.0])]
//!     }
//! }
//!
//! check_op::<SquareTimes>().unwrap();
//! let f = |(a, b): &(Tensor, Tensor)| SquareTimes.apply([a, b]).sum();
//! let ((aa, ab), (_, bb)) = func::hessian(f)(&(Tensor::new([2.0]), Tensor::new([3.0])));
//! assert_eq!([aa, ab, bb].map(|t| t.item()), [6.0, 4.0, 0.0]);
//! ```

mod checkpoint;
mod jacobian;
mod reverse;
#[cfg(test)]
mod tests;
mod tree;
mod vmap;

pub use checkpoint::{checkpoint, checkpoint_drawing_anew};
pub use jacobian::{hessian, jacfwd, jacobian, jacrev};
pub use reverse::{grad, hvp, jvp, value_and_grad, vhp, vjp};
pub use tree::Tree;
pub use vmap::{vmap, vmap_dims};

use super::node::Source;
use super::{Backward, enable_grad, is_recording};
use crate::op::Op;
use crate::ops::ok;
use crate::ops::shape::Reshape;
use crate::tensor::Tensor;
use std::collections::HashSet;
use std::panic::Location;
use wengert_array::{Error, ErrorKind, raise};

/// One level of differentiation: a function's inputs as variables of this level alone, and its result.
struct Level<X, Y> {
    x: X,
    leaves: Vec<Tensor>,
    y: Y,
    results: Vec<Tensor>,
    /// Whether someone outside may differentiate what this level computes.
    outer: bool,
    op: &'static str,
    at: &'static Location<'static>,
}

impl<X: Tree, Y: Tree> Level<X, Y> {
    fn enter(op: &'static str, at: &'static Location<'static>, x: &X, f: &impl Fn(&X) -> Y) -> Level<X, Y> {
        let outer = is_recording();
        let leaves: Vec<Tensor> = x.leaves().iter().map(|t| variable(op, at, t)).collect();
        let x = x.rebuild(&mut leaves.iter().cloned());
        let y = enable_grad(|| f(&x));
        let results = y.leaves();
        let mut level = Level {
            x,
            leaves,
            y,
            results,
            outer: false,
            op,
            at,
        };
        level.outer = outer && depends_on_others(&level.results, &level.leaves);
        level
    }

    /// The result, without this level's history where nobody outside could use it.
    fn result(&self) -> Y {
        let leave = |t: &Tensor| if self.outer { t.clone() } else { t.detach() };
        self.y.rebuild(&mut self.results.iter().map(leave))
    }

    /// The gradients of the results, weighted by `dy`, for each of the variables. What does not depend on one has
    /// `None`.
    fn pull(&self, dy: &[Tensor], how: Backward) -> Vec<Option<Tensor>> {
        pull(&self.results, dy, &self.leaves, how)
    }

    /// Gradients as the inputs are: zeros for what has none.
    fn like_inputs(&self, grads: Vec<Option<Tensor>>) -> X {
        let each = grads.into_iter().zip(&self.leaves);
        self.x
            .rebuild(&mut each.map(|(g, x)| g.unwrap_or_else(|| x.zeros_like())))
    }

    /// The result, which must be one number: the gradient of several is a Jacobian.
    fn scalar(&self) -> &Tensor {
        let [y] = &self.results[..] else {
            let message = format!("needs a function with one result, and got {}", self.results.len());
            raise(Error::new(ErrorKind::Value, self.op, message).at(self.at));
        };
        if y.dim() != 0 || !y.dtype().is_float() {
            let message = format!(
                "needs a function whose result is one floating-point number, and got {} {}",
                y.dtype(),
                y.shape()
            );
            raise(
                Error::new(ErrorKind::Shape, self.op, message)
                    .help("reduce it with `.sum()`, or ask for the Jacobian with `jacrev`")
                    .at(self.at),
            );
        }
        y
    }
}

/// Variables with the values of these tensors, for a transform of your own: each is part of its tensor's history, where
/// it has one, and yet distinct from it, so that derivatives for it are those of the function that is called on it.
///
/// # Panics
/// If a dtype is not a floating-point one.
#[track_caller]
pub fn variables(tensors: &[Tensor]) -> Vec<Tensor> {
    let at = Location::caller();
    tensors.iter().map(|t| variable("variables", at, t)).collect()
}

/// Whether the history of `results` leads anywhere but to `variables`, which [`variables`] made: to what a function has
/// captured, or what the variables were made from. If not, nobody else can differentiate the results.
pub fn depends_on_others(results: &[Tensor], variables: &[Tensor]) -> bool {
    let own: Vec<u64> = variables
        .iter()
        .filter_map(Tensor::source)
        .map(|s| s.id())
        .collect();
    let oldest = own.iter().min().copied().unwrap_or(u64::MAX);
    let mut stack: Vec<Source> = results.iter().filter_map(Tensor::source).collect();
    let mut seen = HashSet::new();
    while let Some(source) = stack.pop() {
        let id = source.id();
        match source {
            Source::Leaf(_) if own.contains(&id) => {}
            Source::Leaf(_) => return true,
            // A variable that is itself an operation is one that was made of something outside.
            Source::Node(_) if id < oldest || own.contains(&id) => return true,
            Source::Node(node) => {
                if seen.insert(id) {
                    stack.extend(node.edges().iter().filter_map(|e| e.source.clone()));
                }
            }
        }
    }
    false
}

/// A variable with this value: part of its history, if it has one, and yet distinct from it.
fn variable(op: &'static str, at: &'static Location<'static>, t: &Tensor) -> Tensor {
    if !t.dtype().is_differentiable() {
        let message = format!(
            "cannot differentiate with respect to a tensor of dtype {}",
            t.dtype()
        );
        raise(
            Error::new(ErrorKind::DType, op, message)
                .note("only floating-point numbers have gradients")
                .help("capture it in the function instead of passing it")
                .at(at),
        );
    }
    match t.requires_grad() && is_recording() {
        true => Reshape(t.shape()).apply([t]),
        false => t.detach().requires_grad_(true),
    }
}

/// The gradients of `ys`, weighted by `dys`, for each of `xs`. Results without history are constants.
fn pull(ys: &[Tensor], dys: &[Tensor], xs: &[Tensor], how: Backward) -> Vec<Option<Tensor>> {
    let roots = ys
        .iter()
        .zip(dys)
        .filter_map(|(y, dy)| Some((y.source()?, dy.clone())));
    let ids: Vec<u64> = xs.iter().map(|x| x.source().expect("a variable").id()).collect();
    ok(how.reach(roots.collect(), &ids))
}

/// Refuses `given` where it does not fit what it is to be paired with, as a tangent with its primal.
fn check_pairs(
    level: (&'static str, &'static Location<'static>),
    given: &[Tensor],
    of: &[Tensor],
    what: [&str; 2],
) {
    let (op, at) = level;
    let fail = |message: String| {
        raise(
            Error::new(ErrorKind::Shape, op, message)
                .note(format!(
                    "each {} must have the shape and dtype of its {}",
                    what[0], what[1]
                ))
                .at(at),
        )
    };
    if given.len() != of.len() {
        fail(format!(
            "got {} {}s for {} {}s",
            given.len(),
            what[0],
            of.len(),
            what[1]
        ));
    }
    for (i, (g, t)) in given.iter().zip(of).enumerate() {
        if g.shape() != t.shape() || g.dtype() != t.dtype() {
            fail(format!(
                "{} {i} is {} {}, and its {} {} {}",
                what[0],
                g.dtype(),
                g.shape(),
                what[1],
                t.dtype(),
                t.shape()
            ));
        }
    }
}
