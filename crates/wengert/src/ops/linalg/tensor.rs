//! Systems between tensors seen as matrices, and matrices made of few numbers.

use super::*;
use crate::ops::common::tied;

/// The size of the square matrix that a tensor is where its dimensions before number `n` count as rows.
#[track_caller]
fn unfolded(op: &str, a: &Tensor, n: usize) -> usize {
    let shape = a.shape();
    let (rows, cols): (usize, usize) = (shape[..n].iter().product(), shape[n..].iter().product());
    if rows != cols {
        let message = format!("a tensor of shape {shape} is no square matrix: {rows} by {cols}");
        let note = format!("the product of its first {n} sizes must equal that of the others");
        raise(Error::new(ErrorKind::Shape, op, message).note(note));
    }
    rows
}

/// The inverse of a tensor as a linear map from its last dimensions to its first `ind`: `tensordot(tensorinv(a), b, ind)` undoes
/// a.
///
/// # Panics
/// If `ind` is 0 or more than there are dimensions, a is not square in this sense, or singular.
#[track_caller]
pub fn tensorinv(a: &Tensor, ind: usize) -> Tensor {
    if ind == 0 || ind > a.dim() {
        let message = format!("ind must be 1 or more and at most {}, and is {ind}", a.dim());
        raise(Error::new(ErrorKind::Value, "tensorinv", message));
    }
    let n = unfolded("tensorinv", a, ind);
    let shape = a.shape();
    let back: Shape = shape[ind..].iter().chain(&shape[..ind]).copied().collect();
    inv(&a.reshape([n, n])).reshape(back)
}

/// The x of `tensordot(a, x, x.dim()) = b`, where the `dims` of a are moved to its end first.
///
/// # Panics
/// If the shapes do not fit, or a is singular.
#[track_caller]
pub fn tensorsolve(a: &Tensor, b: &Tensor, dims: Option<&[isize]>) -> Tensor {
    let a = match dims {
        Some(dims) => {
            let to: Vec<isize> = (0..dims.len())
                .map(|i| i as isize - dims.len() as isize)
                .collect();
            a.movedim(dims.to_vec(), to)
        }
        None => a.clone(),
    };
    let (sa, sb) = (a.shape(), b.shape());
    if sb.rank() > sa.rank() || sa[..sb.rank()].iter().product::<usize>() != b.numel() {
        let message = format!("cannot solve a tensor of shape {sa} for {sb}");
        raise(
            Error::new(ErrorKind::Shape, "tensorsolve", message)
                .note("the first dimensions of the left side must have as many elements as the right side"),
        );
    }
    let n = unfolded("tensorsolve", &a, sb.rank());
    solve(&a.reshape([n, n]), &b.reshape([n])).reshape(Shape::new(&sa[sb.rank()..]))
}

/// The matrix of the powers 0 to n − 1 of each element of vectors x [.., m]: [.., m, n].
///
/// # Panics
/// If x has no dimension.
#[track_caller]
pub fn vander(x: &Tensor, n: usize) -> Tensor {
    if x.dim() == 0 {
        raise(Error::new(
            ErrorKind::Shape,
            "vander",
            "needs a vector, and got a number",
        ));
    }
    let shape: Shape = x.shape().iter().copied().chain([1]).collect();
    let ones = Tensor::full_as(shape.clone(), 1.0, x.dtype());
    match n {
        0 => ones.narrow(-1, 0, 0),
        1 => tied(ones, x),
        _ => {
            let repeated: Shape = x.shape().iter().copied().chain([n - 1]).collect();
            let powers = x.unsqueeze(-1).expand(repeated).cumprod(-1);
            cat(&[&ones, &powers], -1)
        }
    }
}
