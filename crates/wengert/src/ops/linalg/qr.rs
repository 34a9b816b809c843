//! The QR decomposition.

use super::*;
use crate::autograd::{Ctx, is_recording};
use crate::op::{Extra, Fixed, Sample, Saves};
use crate::ops::cat;
use wengert_array::Meta;

/// Q with orthonormal columns and the upper triangular R of A = Q R, end to end.
///
/// For A [.., m, n] with m ≥ n: dA = (dQ + Q copyltu(M)) R⁻ᵀ with M = R dRᵀ − dQᵀ Q, where copyltu takes the lower triangle for the
/// upper one as well. A wide A = [X Y] has R = [U V] with V = Qᵀ Y, and so dY = Q dV, and dX is that of X = Q U with
/// dQ + Y dVᵀ for dQ. (Walter & Lehmann 2010, *Algorithmic differentiation of linear algebra functions*; Roberts &
/// Roberts 2020, *QR and LQ decomposition matrix backpropagation algorithms*.)
#[derive(Clone, Debug)]
pub struct Qr;

impl Op for Qr {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "qr";
    const SAVES: &'static [Saves] = &[Saves::Y];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        let [m, n] = matrix("qr", &x)?;
        let k = m.min(n);
        Ok(x.with_shape(with_last(x.shape, &[m * k + k * n])))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let (q, r) = kernels::qr(&x, false);
        pack(&batch(x.shape()), &[q, r])
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let shape = &cx.meta(0).shape;
        let [m, n] = [shape[shape.rank() - 2], shape[shape.rank() - 1]];
        let k = m.min(n);
        let sizes: [&[usize]; 2] = [&[m, k], &[k, n]];
        let ([q, r], [dq, dr]) = (unpack(&cx.y(), sizes), unpack(&dy, sizes));
        if m >= n {
            return [Some(tall(&q, &r, &dq, &dr))];
        }
        let split = |t: &Tensor| (t.narrow(-1, 0, m), t.narrow(-1, m, n - m));
        let ((u, v), (du, dv)) = (split(&r), split(&dr));
        // Y = Q V, so that A need not be kept.
        let dq = dq + q.matmul(&v).matmul(&mt(&dv));
        let dx = tall(&q, &u, &dq, &du);
        [Some(cat(&[&dx, &q.matmul(&dv)], -1))]
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Qr, [Array::from_slice(&[3.0, 1.0, 4.0, 2.0], [2, 2])])
                .gives([-0.6, -0.8, -0.8, 0.6, -5.0, -2.2, 0.0, 0.4]),
            Sample::new(Qr, [sample(4, 2)]),
            Sample::new(Qr, [sample(4, 4).reshape([2, 2, 4])]),
        ]
    }
}

fn tall(q: &Tensor, r: &Tensor, dq: &Tensor, dr: &Tensor) -> Tensor {
    let m = r.matmul(&mt(dr)) - mt(dq).matmul(q);
    let copied = triangle(&m, 0, false) + mt(&triangle(&m, -1, false));
    let right = dq + q.matmul(&copied);
    // Z R⁻ᵀ is the transpose of R⁻¹ Zᵀ.
    let up = SolveTriangular {
        upper: true,
        unit: false,
    };
    mt(&up.apply([r, &mt(&right)]))
}

/// Which parts of a QR decomposition are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Q [.., m, k] and R [.., k, n], where k is the smaller of m and n.
    #[default]
    Reduced,
    /// Q [.., m, m] and R [.., m, n].
    Complete,
    /// R alone, as with `Reduced`; Q is empty.
    R,
}

/// Q with orthonormal columns and the upper triangular R of A = Q R. Signs are LAPACK's, so R's diagonal may be negative.
///
/// ```
/// use wengert::{Tensor, linalg::{Mode, qr}};
///
/// let (q, r) = qr(&Tensor::new([[3.0, 1.0], [4.0, 2.0]]), Mode::Reduced);
/// assert!(r.allclose(&Tensor::new([[-5.0, -2.2], [0.0, 0.4]]), 1e-6, 1e-6));
/// assert!(q.matmul(&q.t()).allclose(&Tensor::eye(2), 1e-6, 1e-6));
/// ```
///
/// # Panics
/// If it has less than two dimensions; if the complete decomposition of a tall matrix is to be differentiated: the
/// columns that it adds to Q are not determined by the matrix.
#[track_caller]
pub fn qr(x: &Tensor, mode: Mode) -> (Tensor, Tensor) {
    let value = x.array();
    if mode == Mode::Complete && matches!(value.shape().dims(), [.., m, n] if m > n) {
        if x.requires_grad() && is_recording() {
            let message = format!(
                "the complete decomposition of tall matrices, {}, has no gradient",
                x.shape()
            );
            raise(
                Error::new(ErrorKind::Graph, "qr", message)
                    .note("the columns that it adds to Q are not determined by the matrix")
                    .help("ask for `Mode::Reduced`, or for `x.detach()`"),
            );
        }
        if let Err(error) = matrix("qr", &In::from(&value)) {
            raise(error);
        }
        let (q, r) = kernels::qr(&value, true);
        return (Tensor::constant(q), Tensor::constant(r));
    }
    let y = Qr.apply([x]);
    let (m, n) = (x.size(-2), x.size(-1));
    let k = m.min(n);
    let [q, r] = unpack(&y, [&[m, k], &[k, n]]);
    match mode {
        Mode::R => (Tensor::full_as([0], 0.0, x.dtype()), r),
        _ => (q, r),
    }
}

contract! { qr: Qr }
