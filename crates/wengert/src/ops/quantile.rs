//! Quantiles.

use super::{axis, ok};
use crate::autograd::Precision;
use crate::autograd::autocast::bring;
use crate::tensor::Tensor;
use wengert_array::{Error, ErrorKind, kernels, raise};

/// What a quantile is where it falls between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// On the line between them.
    Linear,
    /// The lower.
    Lower,
    /// The higher.
    Higher,
    /// The nearer, halfway the one of even rank.
    Nearest,
    /// Their mean.
    Midpoint,
}

impl Tensor {
    /// The quantiles `q` of all elements, or along `dim`, which stays with size one if `keepdim`; one after the other in a
    /// new first dimension. NaN among the elements makes NaN. The gradient goes to the elements on either side.
    ///
    /// # Panics
    /// If the dtype is not a floating-point one, there are no elements, or a quantile is not in [0, 1].
    #[track_caller]
    pub fn quantile(&self, q: &[f64], dim: Option<isize>, keepdim: bool, how: Interpolation) -> Tensor {
        self.quantiles("quantile", q, dim, keepdim, how)
    }

    /// As [`quantile`](Tensor::quantile), of what is not NaN.
    #[track_caller]
    pub fn nanquantile(&self, q: &[f64], dim: Option<isize>, keepdim: bool, how: Interpolation) -> Tensor {
        self.quantiles("nanquantile", q, dim, keepdim, how)
    }

    #[track_caller]
    fn quantiles(
        &self,
        op: &str,
        q: &[f64],
        dim: Option<isize>,
        keepdim: bool,
        how: Interpolation,
    ) -> Tensor {
        let refuse = |kind, message: String| raise(Error::new(kind, op, message));
        if !self.dtype().is_float() {
            refuse(
                ErrorKind::DType,
                format!("needs floating-point numbers, and got {}", self.dtype()),
            );
        }
        if let Some(bad) = q.iter().find(|q| !(0.0..=1.0).contains(*q)) {
            refuse(
                ErrorKind::Value,
                format!("a quantile is between 0 and 1, and {bad} is not"),
            );
        }
        let x = bring(self, Precision::Full);
        let (x, d) = match dim {
            Some(dim) if x.dim() > 0 => {
                let d = ok(axis(op, dim, x.dim()));
                (x, d)
            }
            _ => (x.reshape([x.numel()]), 0),
        };
        let rows = x.transpose(d as isize, -1);
        let shape = rows.shape();
        let (last, n) = (shape.rank() - 1, shape[shape.rank() - 1]);
        if n == 0 {
            refuse(
                ErrorKind::Value,
                format!(
                    "there is no quantile of no numbers: the input has shape {}",
                    self.shape()
                ),
            );
        }
        let order = Tensor::constant(kernels::order(&rows.array(), last, false, 0, n));
        let sorted = rows.gather(-1, &order);
        let numbers = rows
            .detach()
            .isnan()
            .logical_not()
            .sum_dim(-1, false)
            .to_vec::<i64>();
        let (mut low, mut high, mut weight) = (Vec::new(), Vec::new(), Vec::new());
        for count in numbers {
            for q in q {
                // NaN stands behind all numbers.
                let rank = match (op, count as usize) {
                    ("nanquantile", 0) => 0.0,
                    ("nanquantile", count) => q * (count - 1) as f64,
                    (_, count) if count < n => (n - 1) as f64,
                    _ => q * (n - 1) as f64,
                };
                let (below, above) = match how {
                    Interpolation::Lower => (rank.floor(), rank.floor()),
                    Interpolation::Higher => (rank.ceil(), rank.ceil()),
                    Interpolation::Nearest => (rank.round_ties_even(), rank.round_ties_even()),
                    Interpolation::Linear | Interpolation::Midpoint => (rank.floor(), rank.ceil()),
                };
                low.push(below as i64);
                high.push(above as i64);
                weight.push(if how == Interpolation::Midpoint {
                    0.5
                } else {
                    rank - below
                });
            }
        }
        let picks = shape.with(last, q.len());
        let [low, high] = [low, high].map(|i| sorted.gather(-1, &Tensor::from_vec(i, &picks)));
        let y = match how {
            Interpolation::Linear | Interpolation::Midpoint => {
                low.lerp(&high, &Tensor::from_vec(weight, &picks).to(low.dtype()))
            }
            _ => low,
        };
        // The quantiles go first; where they stood, one element is left.
        let y = y
            .transpose(d as isize, -1)
            .unsqueeze(0)
            .transpose(0, d as isize + 1);
        match (dim, keepdim) {
            (None, true) => {
                let mut shape = vec![1; self.dim() + 1];
                shape[0] = q.len();
                y.reshape(shape)
            }
            (Some(_), true) if self.dim() > 0 => y,
            _ => y.squeeze(d as isize + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let x = Tensor::from_slice(&[3.0f64, 1.0, 2.0, 4.0, 8.0, 5.0, 7.0, 6.0], [2, 4]).requires_grad_(true);
        let y = x.quantile(&[0.5, 0.0], Some(1), false, Interpolation::Linear);
        assert_eq!(y.shape().dims(), [2, 2]);
        assert_eq!(y.to_vec::<f64>(), [2.5, 6.5, 1.0, 5.0]);
        y.sum().backward();
        assert_eq!(
            x.grad().unwrap().to_vec::<f64>(),
            [0.5, 1.0, 0.5, 0.0, 0.0, 1.0, 0.5, 0.5]
        );
        let at = |how| x.quantile(&[0.3], None, false, how).to_vec::<f64>()[0];
        assert_eq!(at(Interpolation::Lower), 3.0);
        assert_eq!(at(Interpolation::Higher), 4.0);
        assert_eq!(at(Interpolation::Nearest), 3.0);
        assert_eq!(at(Interpolation::Midpoint), 3.5);
        let kept = x.quantile(&[0.25], Some(0), true, Interpolation::Linear);
        assert_eq!(kept.shape().dims(), [1, 1, 4]);
        let holes = Tensor::from_slice(&[1.0f64, f64::NAN, 3.0], [3]);
        assert!(
            holes
                .quantile(&[0.5], None, false, Interpolation::Linear)
                .item()
                .is_nan()
        );
        assert_eq!(
            holes
                .nanquantile(&[0.5], None, false, Interpolation::Linear)
                .item(),
            2.0
        );
    }
}
