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
    const PRECISION: Precision = Precision::Full;
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
    let (l, info) = cholesky_ex(x);
    let (shape, orders) = (l.shape(), info.to_vec::<i64>());
    if let Some(at) = orders.iter().position(|k| *k > 0) {
        let minor = orders[at];
        let message = format!("{} is not positive-definite", which(&shape, at));
        raise(
            Error::new(ErrorKind::Linalg, "cholesky", message)
                .note(format!("its leading minor of order {minor} is not positive")),
        );
    }
    l
}

/// As [`cholesky`], with no error: for each matrix the order of its first leading minor that is not positive, 0 where all
/// are, i32. The factor of a matrix that is not positive-definite is NaN from there on.
///
/// # Panics
/// If the matrices are not square.
#[track_caller]
pub fn cholesky_ex(x: &Tensor) -> (Tensor, Tensor) {
    let l = Cholesky.apply([&symmetric(x, false)]);
    let n = l.size(-1);
    let roots = diagonal(&l.detach()).to_vec::<f64>();
    let lead = batch(&l.shape());
    let first = |k: usize| {
        let nan = roots[k * n..(k + 1) * n].iter().position(|x| x.is_nan());
        nan.map_or(0, |i| i as i32 + 1)
    };
    let info: Vec<i32> = (0..lead.numel()).map(first).collect();
    (l, Tensor::from_vec(info, lead))
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
    // The operation says what is wrong with other dtypes, too.
    if !matches!(value.dtype(), DType::F32 | DType::F64) || kernels::is_symmetric(&value) {
        return x.clone();
    }
    Mirror { upper }.apply([x])
}

/// The symmetric matrix whose lower triangle (`upper`: upper) x has; dx = dy.
///
/// What follows gives a symmetric dy. It is passed on as it is, as in PyTorch, to both triangles of a matrix that is
/// symmetric but for rounding, rather than doubled to the one that is read.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Whether the upper triangle is read, or the lower.
    pub upper: bool,
}

impl Op for Mirror {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "symmetric";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        square("symmetric", &x)?;
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let n = x.shape()[x.rank() - 1];
        let mut data = x.to_vec::<f64>();
        for matrix in data.chunks_exact_mut((n * n).max(1)) {
            for i in 0..n {
                for j in 0..i {
                    let (low, high) = (i * n + j, j * n + i);
                    let (from, to) = if self.upper { (high, low) } else { (low, high) };
                    matrix[to] = matrix[from];
                }
            }
        }
        Array::from_slice(&data, x.shape()).cast(x.dtype())
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(dy)]
    }
    // That the gradient is shared is not what differences of one element see: no contract test.
    fn samples() -> Vec<Sample<Self>> {
        Vec::new()
    }
}

/// X of A X = B, given the Cholesky factor of A (`upper`: A = Uᵀ U).
///
/// # Panics
/// If the shapes do not fit, or the dtypes differ.
#[track_caller]
pub fn cholesky_solve(b: &Tensor, l: &Tensor, upper: bool) -> Tensor {
    let (first, second) = if upper {
        (mt(l).conj(), l.clone())
    } else {
        (l.clone(), mt(l).conj())
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
