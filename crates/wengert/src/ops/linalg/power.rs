//! Products of many matrices.

use super::*;
use crate::ops::common::tied;

/// The n-th power of square matrices, by repeated squaring; of their inverses where n is negative.
///
/// # Panics
/// If the matrices are not square, or n is negative and one is singular.
#[track_caller]
pub fn matrix_power(x: &Tensor, n: i64) -> Tensor {
    let value = x.array();
    if let Err(error) = any_square("matrix_power", &In::from(&value)) {
        raise(error);
    }
    let base = if n < 0 { inv(x) } else { x.clone() };
    let mut left = n.unsigned_abs();
    let mut square = base;
    let mut power: Option<Tensor> = None;
    while left > 0 {
        if left & 1 == 1 {
            power = Some(match power {
                Some(p) => p.matmul(&square),
                None => square.clone(),
            });
        }
        left >>= 1;
        if left > 0 {
            square = square.matmul(&square);
        }
    }
    // x⁰ is a constant, which can be differentiated all the same.
    power.unwrap_or_else(|| tied(eye(x.size(-1), x).expand(x.shape()).contiguous(), x))
}

/// The product of matrices, in the order of multiplication that takes the fewest steps. The first and the last may be
/// vectors.
///
/// # Panics
/// If there are fewer than two, one is no matrix, or neighbours do not fit.
#[track_caller]
pub fn multi_dot(tensors: &[&Tensor]) -> Tensor {
    let n = tensors.len();
    if n < 2 {
        let message = format!("needs at least two tensors, and got {n}");
        raise(Error::new(ErrorKind::Value, "multi_dot", message));
    }
    let end = |i: usize| i == 0 || i == n - 1;
    if let Some(i) = (0..n).find(|&i| !(tensors[i].dim() == 2 || (tensors[i].dim() == 1 && end(i)))) {
        let message = format!("tensor {i} has shape {}", tensors[i].shape());
        raise(
            Error::new(ErrorKind::Shape, "multi_dot", message)
                .note("all must be matrices; the first and the last may be vectors"),
        );
    }
    let (row, column) = (tensors[0].dim() == 1, tensors[n - 1].dim() == 1);
    let matrices: Vec<Tensor> = (0..n)
        .map(|i| match i {
            0 if row => tensors[0].unsqueeze(0),
            _ if i == n - 1 && column => tensors[i].unsqueeze(1),
            _ => tensors[i].clone(),
        })
        .collect();
    // The cheapest way to multiply i to j, and where it cuts (Cormen et al., *Introduction to Algorithms*, 15.2).
    let size = |i: usize| if i < n { matrices[i].size(0) } else { matrices[n - 1].size(1) } as u128;
    let mut cost = vec![vec![0u128; n]; n];
    let mut cut = vec![vec![0; n]; n];
    for length in 1..n {
        for i in 0..n - length {
            let j = i + length;
            let ways = (i..j).map(|k| {
                (
                    cost[i][k] + cost[k + 1][j] + size(i) * size(k + 1) * size(j + 1),
                    k,
                )
            });
            (cost[i][j], cut[i][j]) = ways.min().expect("at least one");
        }
    }
    let y = product(&matrices, &cut, 0, n - 1);
    let y = if column { y.squeeze(-1) } else { y };
    if row { y.squeeze(0) } else { y }
}

#[track_caller]
fn product(matrices: &[Tensor], cut: &[Vec<usize>], i: usize, j: usize) -> Tensor {
    if i == j {
        return matrices[i].clone();
    }
    let k = cut[i][j];
    product(matrices, cut, i, k).matmul(&product(matrices, cut, k + 1, j))
}

impl Tensor {
    /// The n-th power of a square matrix; see [`linalg::matrix_power`](matrix_power).
    #[track_caller]
    pub fn matrix_power(&self, n: i64) -> Tensor {
        matrix_power(self, n)
    }
}
