//! A function of one example, mapped over a batch.

use super::Tree;
use crate::autograd::no_grad;
use crate::ops::axis;
use crate::ops::stack;
use crate::tensor::Tensor;
use std::panic::Location;
use wengert_array::{Array, Error, ErrorKind, raise};

/// `f`, mapped over the leading dimension of every input; results are stacked along a new leading dimension.
///
/// By mapping: `f` runs once for each entry of the batch, on views of the inputs. So it works for any function,
/// also one that branches on values or draws random numbers (different ones for each entry), and it costs what
/// a loop costs. Where `f` is made of a few operations on small tensors, writing it for a batch runs faster.
///
/// ```
/// use wengert::{Tensor, func::{grad, vmap}};
///
/// let per_example = vmap(grad(|x: &Tensor| (x * x).sum()));
/// let x = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(per_example(&x).to_vec::<f32>(), [2.0, 4.0, 6.0, 8.0]);
/// ```
///
/// # Panics
/// The function it makes panics if an input is 0-d, or if the inputs differ in the size of the dimension.
#[track_caller]
pub fn vmap<X: Tree, Y: Tree>(f: impl Fn(&X) -> Y) -> impl Fn(&X) -> Y {
    vmap_dims(f, &[Some(0)], &[0])
}

/// As [`vmap`] over other dimensions: `in_dims` has one for each input, `None` where the input is to be the same
/// for all, and `out_dims` says where the new dimension of each result is to be. One entry stands for all.
///
/// ```
/// use wengert::{Tensor, func::vmap_dims};
///
/// let f = |(x, w): &(Tensor, Tensor)| x * w;
/// let columns = vmap_dims(f, &[Some(1), None], &[1]);
/// let (x, w) = (Tensor::new([[1.0, 2.0], [3.0, 4.0]]), Tensor::new([1.0, 10.0]));
/// assert_eq!(columns(&(x, w)).to_vec::<f32>(), [1.0, 2.0, 30.0, 40.0]);
/// ```
///
/// # Panics
/// As the function that [`vmap`] makes; if no input is mapped, or the numbers of dimensions do not fit.
#[track_caller]
pub fn vmap_dims<X: Tree, Y: Tree>(
    f: impl Fn(&X) -> Y,
    in_dims: &[Option<isize>],
    out_dims: &[isize],
) -> impl Fn(&X) -> Y {
    let at = Location::caller();
    let (in_dims, out_dims) = (in_dims.to_vec(), out_dims.to_vec());
    move |x| {
        let fail = |error: Error| -> ! { raise(error.at(at)) };
        let inputs = x.leaves();
        let dims = spread(&in_dims, inputs.len(), "in_dims").unwrap_or_else(|e| fail(e));
        let (dims, size) = batch(&inputs, &dims).unwrap_or_else(|e| fail(e));
        let entry = |k: usize| {
            let parts = inputs.iter().zip(&dims).map(|(t, d)| match d {
                Some(d) => t.select(*d as isize, k as isize),
                None => t.clone(),
            });
            x.rebuild(&mut parts.collect::<Vec<_>>().into_iter())
        };
        if size == 0 {
            // Nothing to run it on; one run on zeros tells the results' shapes.
            let zeros = inputs.iter().zip(&dims).map(|(t, d)| match d {
                Some(d) => Tensor::constant(Array::full(t.shape().remove(*d), 0.0, t.dtype())),
                None => t.detach(),
            });
            let y = no_grad(|| f(&x.rebuild(&mut zeros.collect::<Vec<_>>().into_iter())));
            let results = y.leaves();
            let places = spread(&out_dims, results.len(), "out_dims").unwrap_or_else(|e| fail(e));
            let empty = results.iter().zip(places).map(|(t, d)| {
                let d = axis("vmap", d, t.dim() + 1).unwrap_or_else(|e| fail(e));
                Tensor::full_as(t.shape().insert(d, 0), 0.0, t.dtype())
            });
            return y.rebuild(&mut empty.collect::<Vec<_>>().into_iter());
        }
        let first = f(&entry(0));
        let mut parts: Vec<Vec<Tensor>> = first.leaves().into_iter().map(|t| vec![t]).collect();
        for k in 1..size {
            let results = f(&entry(k)).leaves();
            if results.len() != parts.len() {
                let message = format!(
                    "the function gave {} results, then {}",
                    parts.len(),
                    results.len()
                );
                fail(Error::new(ErrorKind::Value, "vmap", message));
            }
            parts.iter_mut().zip(results).for_each(|(parts, t)| parts.push(t));
        }
        let places = spread(&out_dims, parts.len(), "out_dims").unwrap_or_else(|e| fail(e));
        let whole = parts.iter().zip(places).map(|(parts, d)| {
            let d = axis("vmap", d, parts[0].dim() + 1).unwrap_or_else(|e| fail(e));
            if let Some(other) = parts.iter().find(|t| t.shape() != parts[0].shape()) {
                let message = format!(
                    "the function gave results of shapes {} and {}",
                    parts[0].shape(),
                    other.shape()
                );
                let note = "they are stacked, so all must have the same shape";
                fail(Error::new(ErrorKind::Shape, "vmap", message).note(note));
            }
            stack(&parts.iter().collect::<Vec<_>>(), d as isize)
        });
        first.rebuild(&mut whole.collect::<Vec<_>>().into_iter())
    }
}

/// One dimension for each of `n` tensors.
fn spread<D: Clone>(dims: &[D], n: usize, name: &str) -> Result<Vec<D>, Error> {
    match dims {
        [all] => Ok(vec![all.clone(); n]),
        _ if dims.len() == n => Ok(dims.to_vec()),
        _ => {
            let message = format!("`{name}` has {} entries for {n} tensors", dims.len());
            Err(Error::new(ErrorKind::Value, "vmap", message).note("give one for each, or one for all"))
        }
    }
}

/// The dimensions to map over, counted from the front, and their size.
fn batch(inputs: &[Tensor], dims: &[Option<isize>]) -> Result<(Vec<Option<usize>>, usize), Error> {
    let mut size: Option<(usize, usize)> = None;
    let mut axes = Vec::with_capacity(dims.len());
    for (i, (t, dim)) in inputs.iter().zip(dims).enumerate() {
        let Some(dim) = dim else {
            axes.push(None);
            continue;
        };
        let shape = t.shape();
        let d = axis("vmap", *dim, shape.rank()).map_err(|e| e.note(format!("asked for in input {i}")))?;
        match size {
            Some((first, n)) if n != shape[d] => {
                let message = format!(
                    "cannot map over inputs {first} and {i} together: {n} entries and {}",
                    shape[d]
                );
                return Err(Error::new(ErrorKind::Shape, "vmap", message)
                    .note("the dimension that is mapped over must have one size in all inputs"));
            }
            Some(_) => {}
            None => size = Some((i, shape[d])),
        }
        axes.push(Some(d));
    }
    match size {
        Some((_, n)) => Ok((axes, n)),
        None => Err(Error::new(
            ErrorKind::Value,
            "vmap",
            "no input has a dimension to map over",
        )),
    }
}
