//! Symmetric matrices that need not be positive-definite.

use super::reflections::no_gradient;
use super::*;
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, Sample, Saves};
use crate::ops::ok;
use wengert_array::Meta;

/// X of A X = B for a symmetric A, from what [`ldl_factor`] gives for it.
///
/// dB = A⁻¹ dX. The factors are constants.
#[derive(Clone, Debug)]
pub struct LdlSolve {
    /// L and D in one.
    pub factors: Array,
    /// LAPACK's list of exchanges, i64.
    pub pivots: Array,
}

impl Op for LdlSolve {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "ldl_solve";
    const SAVES: &'static [Saves] = &[Saves::NOTHING];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [b]: [In<'_>; 1]) -> Result<Meta> {
        let [rows, cols] = matrix("ldl_solve", &b)?;
        let shape = self.factors.shape();
        let n = shape[shape.rank() - 1];
        let lead = batch(shape).broadcast(&batch(b.shape));
        match lead {
            Some(lead) if rows == n => {
                Ok(b.with_shape(lead.iter().copied().chain([rows, cols]).collect::<Shape>()))
            }
            _ => {
                let message = format!("cannot solve {shape} X = {}", b.shape);
                Err(Error::new(ErrorKind::Shape, "ldl_solve", message).note(
                    "the right side must have as many rows as the matrices, and leading dimensions must broadcast",
                ))
            }
        }
    }
    fn forward(&self, [b]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        kernels::ldl_solve(&self.factors, &self.pivots, &b, &batch(&y.shape))
    }
    fn backward(&self, _: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        // What broadcasting repeated is summed up on the edge.
        [Some(self.clone().apply([&dy]))]
    }
    fn samples() -> Vec<Sample<Self>> {
        // The second has no pivot on its diagonal.
        let matrices = [
            [4.0, 1.0, -2.0, 1.0, 2.0, 0.5, -2.0, 0.5, -3.0],
            [0.0, 1.0, 2.0, 1.0, 0.0, 4.0, 2.0, 4.0, 1.0],
        ];
        let of = |matrix: &[f64], shape: &[usize], b: Array| {
            let (factors, pivots, _) = kernels::ldl(&Array::from_slice(matrix, Shape::new(shape)));
            Sample::new(LdlSolve { factors, pivots }, [b])
        };
        vec![
            of(&[4.0], &[1, 1], Array::from_slice(&[2.0], [1, 1])).gives([0.5]),
            of(
                &[0.0, 2.0, 2.0, 0.0],
                &[2, 2],
                Array::from_slice(&[2.0, 4.0], [2, 1]),
            )
            .gives([2.0, 1.0]),
            of(&matrices[0], &[3, 3], sample(3, 2)),
            of(&matrices.concat(), &[2, 3, 3], sample(3, 3)),
        ]
    }
}

/// L and D of A = P L D Lᵀ Pᵀ in one matrix, for symmetric A [.., n, n], of which the lower triangle is read, and LAPACK's list of
/// exchanges, i32 [.., n]: `p` > 0 where row and column `p − 1` came to this place; twice the same `p` < 0 where D has a
/// 2 × 2 block and `−p − 1` came to the second place of it. (Bunch & Kaufman 1977, *Some stable methods for calculating inertia
/// and solving symmetric linear systems*.)
///
/// ```
/// use wengert::{Tensor, linalg::{ldl_factor, ldl_solve}};
///
/// let a = Tensor::new([[0.0, 2.0], [2.0, 1.0]]);
/// let (ld, pivots) = ldl_factor(&a);
/// let x = ldl_solve(&ld, &pivots, &Tensor::new([[2.0], [3.0]]));
/// assert!(x.allclose(&Tensor::new([[1.0], [1.0]]), 1e-6, 1e-6));
/// ```
///
/// # Panics
/// If the matrices are not square, one is singular, or they are to be differentiated: [`solve`] can be.
#[track_caller]
pub fn ldl_factor(x: &Tensor) -> (Tensor, Tensor) {
    let (ld, pivots, info) = ldl_factor_ex(x);
    if let Some(at) = info.to_vec::<i64>().iter().position(|k| *k > 0) {
        let k = info.to_vec::<i64>()[at];
        let message = format!("{} is singular: element {k} of D is zero", which(&x.shape(), at));
        raise(Error::new(ErrorKind::Linalg, "ldl_factor", message));
    }
    (ld, pivots)
}

/// As [`ldl_factor`], with no error for singular matrices: for each matrix the number, from 1 on, of the first element of D that is
/// zero, 0 where none is, i32.
///
/// # Panics
/// If the matrices are not square, or to be differentiated.
#[track_caller]
pub fn ldl_factor_ex(x: &Tensor) -> (Tensor, Tensor, Tensor) {
    no_gradient("ldl_factor", x, "solve");
    let value = x.array();
    if let Err(error) = square("ldl_factor", &In::from(&value)) {
        raise(error);
    }
    let (ld, pivots, info) = kernels::ldl(&value);
    let [pivots, info] = [pivots, info].map(|x| Tensor::constant(x.cast(DType::I32)));
    (Tensor::constant(ld), pivots, info)
}

/// X of A X = B, from what [`ldl_factor`] gives for a symmetric A. Leading dimensions broadcast. Differentiable in B.
///
/// # Panics
/// If the shapes do not fit, the dtypes differ, or the pivots are not such.
#[track_caller]
pub fn ldl_solve(factors: &Tensor, pivots: &Tensor, b: &Tensor) -> Tensor {
    no_gradient("ldl_solve", factors, "solve");
    let value = factors.array();
    let n = ok(square("ldl_solve", &In::from(&value)));
    if b.dtype() != factors.dtype() {
        let message = format!(
            "factors are {}, and the right side is {}",
            factors.dtype(),
            b.dtype()
        );
        raise(Error::new(ErrorKind::DType, "ldl_solve", message).note("both must have one dtype"));
    }
    let shape = pivots.shape();
    let given = match pivots.dtype().is_integer() && shape[..] == value.shape()[..value.rank() - 1] {
        true => pivots.to_vec::<i64>(),
        false => Vec::new(),
    };
    let valid = |p: &[i64]| {
        let mut i = 0;
        while i < n {
            let ok = match p[i] {
                p if p > 0 => p as usize <= n,
                q => q < 0 && q.unsigned_abs() as usize <= n && p.get(i + 1) == Some(&q),
            };
            if !ok {
                return false;
            }
            i += if p[i] > 0 { 1 } else { 2 };
        }
        true
    };
    if given.len() != shape.numel() || !given.chunks(n.max(1)).all(valid) {
        let message = format!(
            "pivots of shape {shape} and dtype {} do not fit factors of shape {}",
            pivots.dtype(),
            value.shape()
        );
        raise(
            Error::new(ErrorKind::Value, "ldl_solve", message)
                .note("pivots are what `ldl_factor` gives: for each row a number between 1 and that of rows, or two equal negative ones"),
        );
    }
    let pivots = Array::from_slice(&given, shape);
    LdlSolve {
        factors: value,
        pivots,
    }
    .apply([b])
}

contract! { indefinite: LdlSolve }
