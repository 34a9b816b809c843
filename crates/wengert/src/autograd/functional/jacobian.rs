//! Whole Jacobians and Hessians, a row or a column at a time.

use super::reverse::Transposed;
use super::{Level, Tree, grad};
use crate::autograd::Backward;
use crate::ops::stack;
use crate::tensor::Tensor;
use std::panic::Location;
use wengert_array::{Array, Shape};

/// The Jacobian of `f` by reverse mode: for each result y and input x the derivatives ∂y/∂x, of y's shape followed
/// by x's, in the structure of the result with the structure of the input in each place.
///
/// One run of `f` and a backward pass for each element of the result: the better choice where there are fewer
/// elements in the result than in the input.
///
/// ```
/// use wengert::{Tensor, func::jacrev};
///
/// let x = Tensor::new([1.0, 2.0]);
/// let j = jacrev(|x: &Tensor| x * x.sum())(&x);
/// assert_eq!(j.to_vec::<f32>(), [4.0, 1.0, 2.0, 5.0]);
/// ```
///
/// # Panics
/// The function it makes panics if an input has no floating-point dtype.
#[track_caller]
pub fn jacrev<X: Tree, Y: Tree>(f: impl Fn(&X) -> Y) -> impl Fn(&X) -> Y::Of<X> {
    let at = Location::caller();
    move |x| {
        let level = Level::enter("jacrev", at, x, &f);
        let how = Backward::new().create_graph(level.outer).retain_graph(true);
        let mut which = 0;
        level.y.map(&mut |y| {
            let mut rows: Vec<Vec<Tensor>> = vec![Vec::new(); level.leaves.len()];
            let mut weights: Vec<Tensor> = level.results.iter().map(nothing).collect();
            for dy in directions(y) {
                weights[which] = dy;
                let grads = level.pull(&weights, how).into_iter().zip(&level.leaves);
                let grads = grads.map(|(g, x)| g.unwrap_or_else(|| x.zeros_like()));
                rows.iter_mut().zip(grads).for_each(|(rows, g)| rows.push(g));
            }
            which += 1;
            let whole = rows.into_iter().zip(&level.leaves).map(|(rows, x)| {
                let shape: Shape = y.shape().iter().chain(x.shape().iter()).copied().collect();
                side_by_side(&rows, 0, shape, x)
            });
            level.x.rebuild(&mut whole.collect::<Vec<_>>().into_iter())
        })
    }
}

/// The Jacobian of `f` as [`jacrev`] gives it, by forward mode: a column for each element of the input.
///
/// One run of `f`, one recorded backward pass, and a backward pass through that for each element of the input
/// (see [`jvp`](super::jvp)): the better choice where the input has few elements and the result has many.
///
/// # Panics
/// As the function that [`jacrev`] makes.
#[track_caller]
pub fn jacfwd<X: Tree, Y: Tree>(f: impl Fn(&X) -> Y) -> impl Fn(&X) -> Y::Of<X> {
    let at = Location::caller();
    move |x| {
        let level = Level::enter("jacfwd", at, x, &f);
        let how = Backward::new().create_graph(level.outer).retain_graph(true);
        let map = Transposed::new(&level);
        // Of each result and input, the columns.
        let mut columns: Vec<Vec<Vec<Tensor>>> =
            vec![vec![Vec::new(); level.leaves.len()]; level.results.len()];
        for (i, x) in level.leaves.iter().enumerate() {
            let mut v: Vec<Tensor> = level.leaves.iter().map(nothing).collect();
            for direction in directions(x) {
                v[i] = direction;
                let slopes = map.push(&v, how).into_iter();
                columns
                    .iter_mut()
                    .zip(slopes)
                    .for_each(|(of_y, slope)| of_y[i].push(slope));
            }
        }
        let mut columns = columns.into_iter();
        level.y.map(&mut |y| {
            let of_y = columns.next().expect("some for each result").into_iter();
            let whole = of_y.zip(&level.leaves).map(|(columns, x)| {
                let shape: Shape = y.shape().iter().chain(x.shape().iter()).copied().collect();
                side_by_side(&columns, -1, shape, y)
            });
            level.x.rebuild(&mut whole.collect::<Vec<_>>().into_iter())
        })
    }
}

/// The Jacobian of `f` at `x`: [`jacrev`] applied at once, as `torch.autograd.functional.jacobian`.
#[track_caller]
pub fn jacobian<X: Tree, Y: Tree>(f: impl Fn(&X) -> Y, x: &X) -> Y::Of<X> {
    jacrev(f)(x)
}

/// The second derivatives of `f`: for each pair of inputs a and b the ∂²f/∂a∂b, of a's shape followed by b's.
///
/// The Jacobian of the gradient by reverse mode twice: one recorded gradient and a backward pass through it for
/// each element of the input.
///
/// ```
/// use wengert::{Tensor, func::hessian};
///
/// let (xx, xy) = (|v: &(Tensor, Tensor)| (&v.0 * &v.0 * &v.1).sum(), (Tensor::new(2.0), Tensor::new(3.0)));
/// let ((aa, ab), (ba, bb)) = hessian(xx)(&xy);
/// assert_eq!([aa, ab, ba, bb].map(|t| t.item()), [6.0, 4.0, 4.0, 0.0]);
/// ```
///
/// # Panics
/// As the function that [`grad`] makes.
#[track_caller]
pub fn hessian<X: Tree>(f: impl Fn(&X) -> Tensor) -> impl Fn(&X) -> X::Of<X> {
    jacrev(grad(f))
}

/// Zeros like this, in no memory.
fn nothing(t: &Tensor) -> Tensor {
    Tensor::constant(Array::fill(t.shape(), 0.0, t.dtype()))
}

/// A one at each element in turn, in a tensor like this.
fn directions(like: &Tensor) -> impl Iterator<Item = Tensor> {
    let (shape, dtype, n) = (like.shape(), like.dtype(), like.numel());
    (0..n).map(move |k| {
        let mut one = vec![0.0; n];
        one[k] = 1.0;
        Tensor::constant(Array::from_slice(&one, &shape).cast(dtype))
    })
}

/// The parts stacked along `dim` and seen in this shape; zeros where there are none.
fn side_by_side(parts: &[Tensor], dim: isize, shape: Shape, like: &Tensor) -> Tensor {
    match parts.is_empty() {
        true => Tensor::full_as(shape, 0.0, like.dtype()),
        false => stack(&parts.iter().collect::<Vec<_>>(), dim).reshape(shape),
    }
}
