//! What the neural operations share: arguments that are one number or one for each dimension, checks, and
//! gradients of gradients for rules whose first gradient is a kernel.

use super::ok;
use crate::autograd::Backward;
use crate::op::{In, Many, Op};
use crate::tensor::Tensor;
use wengert_array::{Array, DType, Error, ErrorKind, Result, Shape};

/// Sizes, strides and the like: one number for all dimensions, or one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes(Vec<usize>);

impl Sizes {
    /// One for each of `n` dimensions.
    pub(crate) fn each(&self, op: &str, what: &str, n: usize) -> Result<Vec<usize>> {
        match self.0[..] {
            [one] => Ok(vec![one; n]),
            _ if self.0.len() == n => Ok(self.0.clone()),
            _ => {
                let message = format!("{what} {:?} is neither one number nor {n}", self.0);
                Err(Error::new(ErrorKind::Value, op, message))
            }
        }
    }

    /// As [`each`](Sizes::each), none of them zero.
    pub(crate) fn positive(&self, op: &str, what: &str, n: usize) -> Result<Vec<usize>> {
        let sizes = self.each(op, what, n)?;
        match sizes.contains(&0) {
            true => Err(Error::new(
                ErrorKind::Value,
                op,
                format!("{what} must not be zero, and is {sizes:?}"),
            )),
            false => Ok(sizes),
        }
    }
}

impl From<usize> for Sizes {
    fn from(n: usize) -> Sizes {
        Sizes(vec![n])
    }
}
impl<const N: usize> From<[usize; N]> for Sizes {
    fn from(n: [usize; N]) -> Sizes {
        Sizes(n.to_vec())
    }
}
impl From<&[usize]> for Sizes {
    fn from(n: &[usize]) -> Sizes {
        Sizes(n.to_vec())
    }
}
impl From<Vec<usize>> for Sizes {
    fn from(n: Vec<usize>) -> Sizes {
        Sizes(n)
    }
}

/// That two tensors together make floating-point numbers.
pub(crate) fn floats(op: &str, a: &Tensor, b: &Tensor) -> Result<()> {
    match a.dtype().promote(b.dtype()).is_differentiable() {
        true => Ok(()),
        false => {
            let message = format!(
                "needs floating-point numbers, and got {} and {}",
                a.dtype(),
                b.dtype()
            );
            Err(Error::new(ErrorKind::DType, op, message))
        }
    }
}

/// That all inputs are floating-point numbers of one dtype.
pub(crate) fn same_floats(op: &str, x: &[In<'_>]) -> Result<()> {
    let first = x[0].dtype;
    if first.is_differentiable() && x.iter().all(|x| x.dtype == first) {
        return Ok(());
    }
    let all: Vec<&str> = x.iter().map(|x| x.dtype.name()).collect();
    let error = Error::new(ErrorKind::DType, op, format!("the inputs are {}", all.join(", ")));
    Err(error
        .note("they must be floating-point numbers of one dtype")
        .help("`.to(DType::F32)` converts"))
}

/// The gradients at `x` of `f`, given that of its result, each step recorded: for rules whose fast path is a
/// kernel, when someone asks for gradients of the gradient. An input that is not wanted may be any stand-in.
pub(crate) fn recorded_grads(
    x: &[Tensor],
    wants: &[bool],
    dy: &Tensor,
    f: impl FnOnce(&[Tensor]) -> Tensor,
) -> Many<Option<Tensor>> {
    // Each input anew, as a node of its own: one input may be made from another, and what is asked for is how
    // the result changes with each alone.
    let inputs: Vec<Tensor> = x
        .iter()
        .zip(wants)
        .map(|(x, wanted)| match (wanted, x.requires_grad()) {
            (true, true) => super::shape::Reshape(x.shape()).apply([x]),
            (true, false) => x.detach().requires_grad_(true),
            (false, _) => x.detach(),
        })
        .collect();
    let y = f(&inputs);
    let wrt: Vec<&Tensor> = inputs
        .iter()
        .zip(wants)
        .filter(|(_, w)| **w)
        .map(|(x, _)| x)
        .collect();
    let mut grads = match y.requires_grad() {
        true => ok(Backward::new().create_graph(true).try_grad(&y, &wrt, Some(dy))),
        false => vec![None; wrt.len()],
    }
    .into_iter();
    let mut each = Many::with_capacity(x.len());
    for (x, wanted) in x.iter().zip(wants) {
        each.push(wanted.then(|| grads.next().flatten().unwrap_or_else(|| x.zeros_like())));
    }
    each
}

/// Numbers to test with: no two alike nearby, none zero.
pub(crate) fn numbers(shape: &[usize]) -> Array {
    let n: usize = shape.iter().product();
    let data: Vec<f64> = (0..n).map(|i| ((i * 37 + 5) % 41) as f64 / 16.0 - 1.27).collect();
    Array::from_slice(&data, shape)
}

/// The sizes of the last `n` dimensions.
pub(crate) fn last(shape: &Shape, n: usize) -> Vec<usize> {
    shape[shape.rank() - n..].to_vec()
}

/// A 0-d tensor of the dtype.
pub(crate) fn scalar(value: f64, dtype: DType) -> Tensor {
    Tensor::full_as([], value, dtype)
}

/// `y`, whatever it is made of, as a function of `x` as well, with slopes of zero: so that a result that does not change with
/// its input can be differentiated as others can.
pub(crate) fn tied(y: Tensor, x: &Tensor) -> Tensor {
    if !(x.requires_grad() && y.dtype().is_differentiable()) {
        return y;
    }
    // A sum of nothing.
    let nothing = x.reshape([x.numel()]).narrow(0, 0, 0).sum();
    y + nothing
}
