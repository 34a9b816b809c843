//! Distances, covariances and correlations.

use super::*;
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, Sample, Saves};
use wengert_array::Meta;

/// The distance of each row of a [.., p, m] from each row of b [.., r, m], in the norm of order `p`: [.., p, r]. Where two rows are
/// equal the gradient is 0.
///
/// # Panics
/// If the numbers of columns differ, the leading dimensions do not broadcast, or `p` is negative.
#[track_caller]
pub fn cdist(a: &Tensor, b: &Tensor, p: f64) -> Tensor {
    if a.dim() < 2 || b.dim() < 2 || a.size(-1) != b.size(-1) {
        let message = format!(
            "cannot measure between the rows of {} and {}",
            a.shape(),
            b.shape()
        );
        raise(
            Error::new(ErrorKind::Shape, "cdist", message)
                .note("both must be matrices or stacks of them, with as many columns"),
        );
    }
    if p.is_nan() || p < 0.0 {
        raise(Error::new(
            ErrorKind::Value,
            "cdist",
            format!("p must not be negative, and is {p}"),
        ));
    }
    let (a, b) = (bring(a, Precision::Full), bring(b, Precision::Full));
    if p == 2.0
        && a.dtype().is_float()
        && b.dtype().is_float()
        && let Some(stack) = batch(&a.shape()).broadcast(&batch(&b.shape()))
    {
        let dtype = a.dtype().promote(b.dtype());
        let [a, b] = [a, b].map(|x| x.to(dtype).expand(with_stack(&stack, &x.shape())));
        return Distances.apply([&a, &b]);
    }
    let differences = a.unsqueeze(-2) - b.unsqueeze(-3);
    match a.size(-1) {
        0 => differences.sum_dim(-1, false),
        _ => vector_norm(&differences, p, -1, false),
    }
}

/// The shape of a stack of so many matrices like this one.
fn with_stack(stack: &Shape, matrix: &Shape) -> Shape {
    stack
        .iter()
        .chain(&matrix[matrix.rank() - 2..])
        .copied()
        .collect()
}

/// y = ‖aᵢ − bⱼ‖ for the rows of matrices, or of stacks of as many; daᵢ = Σⱼ dyᵢⱼ (aᵢ − bⱼ) / yᵢⱼ, dbⱼ = −Σᵢ of the same. Where y is 0,
/// the slope is 0.
#[derive(Clone, Debug)]
pub struct Distances;

impl Op for Distances {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "cdist";
    const SAVES: &'static [Saves] = &[
        Saves::x(0).and(Saves::x(1)).and(Saves::Y),
        Saves::x(0).and(Saves::x(1)).and(Saves::Y),
    ];
    fn infer(&self, [a, b]: [In<'_>; 2]) -> Result<Meta> {
        if !a.dtype.is_float() {
            let message = format!("needs floating-point numbers, and got {}", a.dtype);
            return Err(Error::new(ErrorKind::DType, "cdist", message));
        }
        let last = a.shape.rank() - 1;
        Ok(a.with_shape(a.shape.with(last, b.shape[last - 1])))
    }
    fn forward(&self, [a, b]: [Array; 2], _: &Meta, _: &mut Extra) -> Array {
        kernels::distances(&a, &b)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let (a, b, y) = (cx.x(0), cx.x(1), cx.y());
        // The rows nearer to zero, so that less is lost where many lie far away and beside each other.
        let middle = match b.numel() {
            0 => b.detach().sum_dim(-2, true),
            _ => b.detach().mean_dim(-2, true),
        };
        let (a, b) = (a - &middle, b - &middle);
        let (some, zero) = (y.ne(0.0), Tensor::full_as([], 0.0, y.dtype()));
        let one = Tensor::full_as([], 1.0, y.dtype());
        let pull = (dy / y.where_(&some, &one)).where_(&some, &zero);
        [
            cx.grad(0, || &a * pull.sum_dim(-1, true) - pull.matmul(&b)),
            cx.grad(1, || &b * mt(&pull.sum_dim(-2, true)) - mt(&pull).matmul(&a)),
        ]
    }
    fn samples() -> Vec<Sample<Self>> {
        let line = |x: [f64; 4]| Array::from_slice(&x, [2, 2]);
        vec![
            Sample::new(
                Distances,
                [line([0.0, 0.0, 1.0, 2.0]), line([3.0, 4.0, 1.0, -1.0])],
            )
            .gives([5.0, 2f64.sqrt(), 8f64.sqrt(), 3.0]),
            Sample::new(Distances, [sample(3, 4), sample(5, 4).slice(1, 3, 4, -1)]),
        ]
    }
}

/// The covariances of the rows of x [variables, observations], whose sums are divided by the number of observations less
/// `correction`. `fweights` says how often each observation occurred, `aweights` how much it weighs. Of a single variable it is
/// a number.
///
/// # Panics
/// If x has more than two dimensions, or the weights do not fit the observations.
#[track_caller]
pub fn cov(x: &Tensor, correction: f64, fweights: Option<&Tensor>, aweights: Option<&Tensor>) -> Tensor {
    if x.dim() > 2 {
        let message = format!("needs at most two dimensions, and got shape {}", x.shape());
        raise(Error::new(ErrorKind::Shape, "cov", message));
    }
    let rows = match x.dim() {
        2 => x.clone(),
        _ => x.reshape([1, x.numel()]),
    };
    let rows = rows.to(rows.dtype().or_default());
    let n = rows.size(1);
    for (name, w) in [("fweights", fweights), ("aweights", aweights)] {
        if let Some(w) = w
            && w.shape()[..] != [n]
        {
            let message = format!("`{name}` has shape {}, and there are {n} observations", w.shape());
            raise(Error::new(ErrorKind::Shape, "cov", message));
        }
    }
    let like = |w: &Tensor| w.to(rows.dtype().real());
    let weights = match (fweights.map(like), aweights.map(like)) {
        (Some(f), Some(a)) => Some(f * a),
        (f, a) => f.or(a),
    };
    let (mean, total) = match &weights {
        Some(w) => {
            let total = w.sum();
            (((&rows * w).sum_dim(1, true)) / &total, total)
        }
        None => (
            rows.mean_dim(1, true),
            Tensor::full_as([], n as f64, rows.dtype().real()),
        ),
    };
    let divisor = match (&weights, aweights) {
        (Some(w), Some(a)) if correction != 0.0 => &total - (w * like(a)).sum() / &total * correction,
        _ => total - correction,
    };
    // As in PyTorch, nothing is left to divide by rather than something negative.
    let zero = Tensor::full_as([], 0.0, rows.dtype().real());
    let divisor = divisor.maximum(&zero);
    let centred = &rows - mean;
    let weighted = match &weights {
        Some(w) => &centred * w,
        None => centred.clone(),
    };
    let c = weighted.matmul(&centred.t().conj()) / divisor;
    // As in PyTorch, the covariance of a single variable is a number.
    match rows.size(0) {
        1 => c.reshape(Shape::new(&[])),
        _ => c,
    }
}

/// The correlations of the rows of x [variables, observations], between −1 and 1; of a single variable a number.
///
/// # Panics
/// If x has more than two dimensions.
#[track_caller]
pub fn corrcoef(x: &Tensor) -> Tensor {
    if x.dim() > 2 {
        let message = format!("needs at most two dimensions, and got shape {}", x.shape());
        raise(Error::new(ErrorKind::Shape, "corrcoef", message));
    }
    let c = cov(x, 1.0, None, None);
    if c.dim() == 0 {
        let variance = c.clone();
        return c / variance;
    }
    let d = diagonal(&c).real().sqrt();
    let r = c / d.unsqueeze(1) / d.unsqueeze(0);
    // Rounding must not lead beyond ±1.
    match r.dtype().is_complex() {
        true => Tensor::complex(&r.real().clamp(-1.0, 1.0), &r.imag().clamp(-1.0, 1.0)),
        false => r.clamp(-1.0, 1.0),
    }
}

contract! {
    distances: Distances,
}
