//! The Cholesky decomposition and what it solves.

use super::*;
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, Sample, Saves};
use wengert_array::Meta;

/// L of A = L Lᵀ with L lower triangular, for the mean A of x and xᵀ.
///
/// dx = ½ (G + Gᵀ) with G = L⁻ᵀ Φ(Lᵀ dL) L⁻¹, where Φ keeps the lower triangle and halves the diagonal (Murray 2016,
/// *Differentiation of the Cholesky decomposition*). NaN from the first column on where A is not positive-definite.
#[derive(Clone, Debug)]
pub struct Cholesky;

impl Op for Cholesky {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "cholesky";
    const SAVES: &'static [Saves] = &[Saves::Y];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        square("cholesky", &x)?;
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        kernels::cholesky(&x)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let l = cx.y();
        let lt = mt(&l);
        let s = lt.matmul(&dy);
        let s = (triangle(&s, 0, false) + triangle(&s, -1, false)) * 0.5;
        let up = SolveTriangular {
            upper: true,
            unit: false,
        };
        let half = up.clone().apply([&lt, &s]);
        let g = up.apply([&lt, &mt(&half)]);
        [Some((&g + mt(&g)) * 0.5)]
    }
    fn samples() -> Vec<Sample<Self>> {
        let a = Array::from_slice(&[4.0, 2.0, 2.0, 2.0], [2, 2]);
        let b = [9.0, 1.5, -2.0, 1.5, 5.0, 0.5, -2.0, 0.5, 7.0];
        let c = [4.0, 0.5, 1.0, 0.5, 3.0, -1.0, 1.0, -1.0, 6.0];
        vec![
            Sample::new(Cholesky, [a]).gives([2.0, 0.0, 1.0, 1.0]),
            Sample::new(Cholesky, [Array::from_slice(&[b, c].concat(), [2, 1, 3, 3])]),
            Sample::new(Cholesky, [Array::from_slice(&[0.25], [1, 1])]).gives([0.5]),
            Sample::new(Cholesky, [Array::full([2, 0, 0], 0.0, DType::F64)]).gives([]),
        ]
    }
}

/// The lower triangular L of A = L Lᵀ, for symmetric positive-definite matrices. Only the lower triangle is read, as
/// in PyTorch. `.transpose(-2, -1)` of it is the upper factor.
///
/// ```
/// use wengert::{Tensor, linalg::cholesky};
///
/// let l = cholesky(&Tensor::new([[4.0, 2.0], [2.0, 2.0]]));
/// assert_eq!(l.to_vec::<f32>(), [2.0, 0.0, 1.0, 1.0]);
/// ```
///
/// # Panics
/// If the matrices are not square, or one is not positive-definite.
#[track_caller]
pub fn cholesky(x: &Tensor) -> Tensor {
    let l = Cholesky.apply([&symmetric(x, false)]);
    let shape = l.shape();
    let n = shape[shape.rank() - 1];
    let value = l.array().to_vec::<f64>();
    if let Some(k) = first_nan(&value, n) {
        let (at, minor) = (k / (n * n), k % (n * n) / (n + 1) + 1);
        let message = format!("{} is not positive-definite", which(&shape, at));
        raise(
            Error::new(ErrorKind::Linalg, "cholesky", message)
                .note(format!("its leading minor of order {minor} is not positive")),
        );
    }
    l
}

/// The first element on a diagonal that is NaN, by its place in the stack.
fn first_nan(value: &[f64], n: usize) -> Option<usize> {
    let starts = (0..value.len()).step_by((n * n).max(1));
    let mut diagonals = starts.flat_map(|start| (0..n).map(move |i| start + i * (n + 1)));
    diagonals.find(|&k| value[k].is_nan())
}

/// The symmetric matrix whose lower triangle (`upper`: upper) this is: itself where it is symmetric.
#[track_caller]
pub(super) fn symmetric(x: &Tensor, upper: bool) -> Tensor {
    let shape = x.shape();
    if shape.rank() < 2 || shape[shape.rank() - 1] != shape[shape.rank() - 2] {
        // The operation says what is wrong.
        return x.clone();
    }
    let value = x.array();
    let turned = value.transpose(shape.rank() - 2, shape.rank() - 1);
    let (a, b) = (value.to_vec::<f64>(), turned.to_vec::<f64>());
    if a.iter().zip(&b).all(|(a, b)| a == b || a.is_nan()) {
        return x.clone();
    }
    triangle(x, 0, upper) + mt(&triangle(x, if upper { 1 } else { -1 }, upper))
}

/// X of A X = B, given the Cholesky factor of A (`upper`: A = Uᵀ U).
///
/// # Panics
/// If the shapes do not fit, or the dtypes differ.
#[track_caller]
pub fn cholesky_solve(b: &Tensor, l: &Tensor, upper: bool) -> Tensor {
    let (first, second) = if upper {
        (mt(l), l.clone())
    } else {
        (l.clone(), mt(l))
    };
    let half = SolveTriangular {
        upper: false,
        unit: false,
    }
    .apply([&first, b]);
    SolveTriangular {
        upper: true,
        unit: false,
    }
    .apply([&second, &half])
}

/// A⁻¹, given the Cholesky factor of A (`upper`: A = Uᵀ U).
///
/// # Panics
/// If the matrices are not square.
#[track_caller]
pub fn cholesky_inverse(l: &Tensor, upper: bool) -> Tensor {
    let n = l.shape().last().copied().unwrap_or(0);
    cholesky_solve(&eye(n, l), l, upper)
}

contract! { cholesky: Cholesky }
