//! The matrix exponential.

use super::*;
use crate::autograd::Ctx;
use crate::op::{Complex, Extra, Fixed, Sample, Saves};
use crate::ops::cat;
use wengert_array::Meta;

/// y = eˣ of square matrices; dx is the upper right block of the exponential of [[xᵀ, dy], [0, xᵀ]] (Mathias 1996, *A chain
/// rule for matrix functions*; Al-Mohy & Higham 2009, *Computing the Fréchet derivative of the matrix exponential*).
#[derive(Clone, Debug)]
pub struct MatrixExp;

impl Op for MatrixExp {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "matrix_exp";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        any_square("matrix_exp", &x)?;
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        kernels::matrix_exp(&x)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let xt = mt(&cx.x(0));
        let n = dy.size(-1);
        let above = cat(&[&xt, &dy], -1);
        let below = cat(&[&xt.zeros_like(), &xt], -1);
        let e = MatrixExp.apply([&cat(&[&above, &below], -2)]);
        [Some(e.narrow(-2, 0, n).narrow(-1, n, n))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|_, [x]: [Tensor; 1]| Some(unembedded(&MatrixExp.apply([&embedded(&x)]), x.size(-1))))
    }
    fn samples() -> Vec<Sample<Self>> {
        let a = Array::from_slice(&[0.0, 1.0, 0.0, 0.0], [2, 2]);
        vec![
            Sample::new(MatrixExp, [a]).gives([1.0, 1.0, 0.0, 1.0]),
            Sample::new(MatrixExp, [sample(6, 3).reshape([2, 3, 3])]),
            Sample::new(MatrixExp, [Array::from_slice(&[2.0], [1, 1])]).gives([2f64.exp()]),
        ]
    }
}

/// The exponential of square matrices, by scaling and squaring with a Padé approximant, in f64.
///
/// # Panics
/// If the matrices are not square.
#[track_caller]
pub fn matrix_exp(x: &Tensor) -> Tensor {
    MatrixExp.apply([x])
}

impl Tensor {
    /// The matrix exponential; see [`linalg::matrix_exp`](matrix_exp).
    #[track_caller]
    pub fn matrix_exp(&self) -> Tensor {
        matrix_exp(self)
    }
}

contract! { matrix_exp: MatrixExp }
