//! Gradients, and products with Jacobians and Hessians.

use super::{Level, Tree, check_pairs, pull};
use crate::autograd::{Backward, is_recording};
use crate::tensor::Tensor;
use std::panic::Location;
use wengert_array::Array;

/// The gradient of `f`, as a function: f: X → ℝ becomes ∇f: X → X.
///
/// One run of `f` and one backward pass. Where an input requires a gradient, or `f` captures something that
/// does, the gradient has a history in turn.
///
/// ```
/// use wengert::{Tensor, func::grad};
///
/// let third = grad(grad(grad(|x: &Tensor| x.sin())));
/// let x = Tensor::new(0.5);
/// assert!((third(&x).item() + 0.5f64.cos()).abs() < 1e-6);
/// ```
///
/// # Panics
/// The function it makes panics if the result of `f` is not a 0-d floating-point tensor, or an input has no
/// floating-point dtype.
#[track_caller]
pub fn grad<X: Tree>(f: impl Fn(&X) -> Tensor) -> impl Fn(&X) -> X {
    let f = differentiate("grad", Location::caller(), f);
    move |x| f(x).1
}

/// As [`grad`], with the value of `f` as well. (PyTorch's `grad_and_value` gives the two the other way round.)
///
/// ```
/// use wengert::{Tensor, func::value_and_grad};
///
/// let (value, slope) = value_and_grad(|x: &Tensor| (x * x).sum())(&Tensor::new([3.0, 4.0]));
/// assert_eq!((value.item(), slope.to_vec::<f32>()), (25.0, vec![6.0, 8.0]));
/// ```
#[track_caller]
pub fn value_and_grad<X: Tree>(f: impl Fn(&X) -> Tensor) -> impl Fn(&X) -> (Tensor, X) {
    differentiate("value_and_grad", Location::caller(), f)
}

fn differentiate<X: Tree>(
    op: &'static str,
    at: &'static Location<'static>,
    f: impl Fn(&X) -> Tensor,
) -> impl Fn(&X) -> (Tensor, X) {
    move |x| {
        let level = Level::enter(op, at, x, &f);
        let one = level.scalar().ones_like();
        let grads = level.pull(&[one], Backward::new().create_graph(level.outer));
        (level.result(), level.like_inputs(grads))
    }
}

/// The value of `f` at `x`, and the function that multiplies a vector, in the structure of the result, by the
/// Jacobian from the left: dy ↦ Jᵀ dy. It can be called any number of times, at the cost of a backward pass each.
///
/// ```
/// use wengert::{Tensor, func::vjp};
///
/// let (y, pull) = vjp(|x: &Tensor| x * x, &Tensor::new([1.0, 2.0]));
/// assert_eq!(y.to_vec::<f32>(), [1.0, 4.0]);
/// assert_eq!(pull(&Tensor::new([1.0, 10.0])).to_vec::<f32>(), [2.0, 40.0]);
/// ```
///
/// # Panics
/// If an input has no floating-point dtype; the function it makes, if the vector does not fit the result.
#[track_caller]
pub fn vjp<X: Tree, Y: Tree, F: Fn(&X) -> Y>(f: F, x: &X) -> (Y, impl Fn(&Y) -> X + use<X, Y, F>) {
    let at = Location::caller();
    let level = Level::enter("vjp", at, x, &f);
    let y = level.result();
    (y, move |dy| {
        let dy = dy.leaves();
        check_pairs(("vjp", at), &dy, &level.results, ["cotangent", "result"]);
        let outer = level.outer || (is_recording() && dy.iter().any(Tensor::requires_grad));
        let how = Backward::new().create_graph(outer).retain_graph(true);
        level.like_inputs(level.pull(&dy, how))
    })
}

/// The value of `f` at `x`, and the Jacobian times the tangent `v`: the derivative of `f` along `v`.
///
/// Forward mode by reverse mode twice: u ↦ Jᵀu is linear, and its own transpose is J. It works for every
/// operation that has a second derivative, and costs one run of `f`, one recorded backward pass and one backward
/// pass through that: about twice a gradient, in time and in memory.
///
/// ```
/// use wengert::{Tensor, func::jvp};
///
/// let (y, slope) = jvp(|x: &Tensor| x * x, &Tensor::new([1.0, 2.0]), &Tensor::new([1.0, 10.0]));
/// assert_eq!((y.to_vec::<f32>(), slope.to_vec::<f32>()), (vec![1.0, 4.0], vec![2.0, 40.0]));
/// ```
///
/// # Panics
/// If an input has no floating-point dtype, or the tangent does not fit the input.
#[track_caller]
pub fn jvp<X: Tree, Y: Tree>(f: impl Fn(&X) -> Y, x: &X, v: &X) -> (Y, Y) {
    let at = Location::caller();
    let v = v.leaves();
    check_pairs(("jvp", at), &v, &x.leaves(), ["tangent", "input"]);
    let level = Level::enter("jvp", at, x, &f);
    let outer = level.outer || (is_recording() && v.iter().any(Tensor::requires_grad));
    let slopes = Transposed::new(&level).push(&v, Backward::new().create_graph(outer));
    let slopes = level.y.rebuild(&mut slopes.into_iter());
    (level.result(), slopes)
}

/// u ↦ Jᵀu, recorded.
pub(super) struct Transposed {
    u: Vec<Tensor>,
    pulled: Vec<Option<Tensor>>,
}

impl Transposed {
    pub(super) fn new<X: Tree, Y: Tree>(level: &Level<X, Y>) -> Transposed {
        // Any u would do. Zeros in one element take no memory.
        let zeros = |y: &Tensor| {
            let zeros = Tensor::constant(Array::fill(y.shape(), 0.0, y.dtype()));
            if y.dtype().is_differentiable() {
                zeros.requires_grad_(true)
            } else {
                zeros
            }
        };
        let u: Vec<Tensor> = level.results.iter().map(zeros).collect();
        let pulled = level.pull(&u, Backward::new().create_graph(true));
        Transposed { u, pulled }
    }

    /// J v: the gradient of vᵀJᵀu with respect to u.
    pub(super) fn push(&self, v: &[Tensor], how: Backward) -> Vec<Tensor> {
        let moved = self.pulled.iter().zip(v);
        let (ys, dys): (Vec<Tensor>, Vec<Tensor>) =
            moved.filter_map(|(g, v)| Some((g.clone()?, v.clone()))).unzip();
        let wrt: Vec<Tensor> = self.u.iter().filter(|u| u.requires_grad()).cloned().collect();
        let mut slopes = pull(&ys, &dys, &wrt, how).into_iter();
        let slope = |u: &Tensor| match u.requires_grad() {
            true => slopes.next().flatten().unwrap_or_else(|| u.zeros_like()),
            false => u.zeros_like(),
        };
        self.u.iter().map(slope).collect()
    }
}

/// The value of `f` at `x`, and the Hessian times `v`, without the Hessian: the gradient of ∇f · v.
///
/// Two backward passes, whatever the number of inputs (Pearlmutter 1994, *Fast exact multiplication by the
/// Hessian*, computes the same in forward mode).
///
/// ```
/// use wengert::{Tensor, func::hvp};
///
/// let f = |x: &Tensor| (x * x * x).sum();
/// let (_, hv) = hvp(f, &Tensor::new([1.0, 2.0]), &Tensor::new([1.0, 10.0]));
/// assert_eq!(hv.to_vec::<f32>(), [6.0, 120.0]);
/// ```
///
/// # Panics
/// As the function that [`grad`] makes, and if `v` does not fit `x`.
#[track_caller]
pub fn hvp<X: Tree>(f: impl Fn(&X) -> Tensor, x: &X, v: &X) -> (Tensor, X) {
    hessian_times("hvp", Location::caller(), f, x, v)
}

/// The value of `f` at `x`, and `v` times the Hessian. Hessians are symmetric, so this is [`hvp`] under the name
/// that `torch.autograd.functional` has for the product from the left.
#[track_caller]
pub fn vhp<X: Tree>(f: impl Fn(&X) -> Tensor, x: &X, v: &X) -> (Tensor, X) {
    hessian_times("vhp", Location::caller(), f, x, v)
}

fn hessian_times<X: Tree>(
    op: &'static str,
    at: &'static Location<'static>,
    f: impl Fn(&X) -> Tensor,
    x: &X,
    v: &X,
) -> (Tensor, X) {
    let v = v.leaves();
    check_pairs((op, at), &v, &x.leaves(), ["vector", "input"]);
    let level = Level::enter(op, at, x, &f);
    let one = level.scalar().ones_like();
    let outer = level.outer || (is_recording() && v.iter().any(Tensor::requires_grad));
    let slopes = level.pull(&[one], Backward::new().create_graph(true));
    let (ys, dys): (Vec<Tensor>, Vec<Tensor>) = slopes
        .into_iter()
        .zip(v)
        .filter_map(|(g, v)| Some((g?, v)))
        .unzip();
    let products = pull(&ys, &dys, &level.leaves, Backward::new().create_graph(outer));
    (level.result(), level.like_inputs(products))
}
