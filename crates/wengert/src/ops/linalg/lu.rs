//! LU decompositions, of matrices of any shape, and what they solve.

use super::*;
use crate::autograd::Ctx;
use crate::op::{Extra, Fixed, Sample, Saves};
use crate::ops::{cat, ok};
use std::sync::{Arc, OnceLock};
use wengert_array::Meta;

/// L and U of P A = L U in one, L without its diagonal of ones; the order P is kept beside it.
///
/// For square A, dA = Pᵀ L⁻ᵀ (tril(Lᵀ dL, −1) + triu(dU Uᵀ)) U⁻ᵀ (Giles 2008). A wide A = [A₁ A₂] has U = [U₁ U₂] with U₂ = L⁻¹ P A₂:
/// dA₂ = Pᵀ L⁻ᵀ dU₂, and dU₂ U₂ᵀ is taken from Lᵀ dL. A tall one has L = [L₁; L₂] with L₂ = (P A)₂ U⁻¹: d(P A)₂ = dL₂ U⁻ᵀ, and
/// L₂ᵀ dL₂ is taken from dU Uᵀ.
#[derive(Clone, Debug, Default)]
pub struct Lu {
    /// Row i of P A is row `order[i]` of A, for each matrix of a stack; there once it has run.
    order: Arc<OnceLock<Array>>,
}

/// The orders of rows that undo these.
fn inverted(order: &Array) -> Array {
    let n = order.shape().last().copied().unwrap_or(0);
    let mut orders = order.to_vec::<i64>();
    for rows in orders.chunks_exact_mut(n.max(1)) {
        let there = rows.to_vec();
        there
            .iter()
            .enumerate()
            .for_each(|(i, &k)| rows[k as usize] = i as i64);
    }
    Array::from_slice(&orders, order.shape())
}

/// The rows of x in this order, one for each matrix of the stack or for all.
fn reordered(x: &Tensor, order: &Array) -> Tensor {
    let shape = x.shape();
    let index = order.unsqueeze(order.rank()).broadcast_to(&shape).contiguous();
    x.gather(-2, &Tensor::constant(index))
}

impl Op for Lu {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "lu_factor";
    const SAVES: &'static [Saves] = &[Saves::Y];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        matrix("lu_factor", &x)?;
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        let (factors, order) = kernels::lu(&x);
        self.order.get_or_init(|| order);
        factors
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let (y, m, n) = (cx.y(), dy.size(-2), dy.size(-1));
        let k = m.min(n);
        // The square part, and the rows or columns beside it.
        let side = if m < n { -1 } else { -2 };
        let split = |t: &Tensor| (t.narrow(side, 0, k), t.narrow(side, k, m.max(n) - k));
        let ((y1, y2), (d1, d2)) = (split(&y), split(&dy));
        let unit = triangle(&y1, -1, false) + eye(k, &y);
        let mut below = mt(&unit).matmul(&triangle(&d1, -1, false));
        let mut above = triangle(&d1, 0, true).matmul(&mt(&triangle(&y1, 0, true)));
        if m < n {
            below -= d2.matmul(&mt(&y2));
        } else if m > n {
            above -= mt(&y2).matmul(&d2);
        }
        let inner = triangle(&below, -1, false) + triangle(&above, 0, true);
        let (lower, upper) = (mt(&y1), &y1);
        let by_l = |x: &Tensor| {
            SolveTriangular {
                upper: true,
                unit: true,
            }
            .apply([&lower, x])
        };
        // Z = X U⁻ᵀ, so U Zᵀ = Xᵀ.
        let by_u = |x: &Tensor| {
            mt(&SolveTriangular {
                upper: true,
                unit: false,
            }
            .apply([upper, &mt(x)]))
        };
        let d = by_u(&by_l(&inner));
        let d = match () {
            () if m < n => cat(&[&d, &by_l(&d2)], -1),
            () if m > n => cat(&[&d, &by_u(&d2)], -2),
            () => d,
        };
        [Some(reordered(
            &d,
            &inverted(self.order.get().expect("it has run")),
        ))]
    }
    fn samples() -> Vec<Sample<Self>> {
        let of = |x: Array| Sample::new(Lu::default(), [x]);
        // Well away from the places where the order of rows changes, in any layout.
        let a = [9.0, 1.0, 2.0, 1.5, 8.0, -1.0, 2.0, 0.5, 7.0];
        let b = Array::from_slice(&[9.0, 3.0, 3.0, 8.0], [2, 2]);
        vec![
            of(Array::from_slice(&a, [3, 3])),
            of(b).gives([9.0, 3.0, 1.0 / 3.0, 7.0]),
            of(Array::from_slice(&a[..6], [2, 3])),
            of(Array::from_slice(&[9.0, 1.0, 1.5, 8.0, 2.0, 0.5], [3, 2])),
        ]
    }
}

#[track_caller]
fn decomposed(x: &Tensor) -> (Tensor, Array) {
    let lu = Lu::default();
    let factors = lu.clone().apply([x]);
    (factors, lu.order.get().expect("it has run").clone())
}

/// L and U of P A = L U in one matrix, for A [.., m, n], and LAPACK's list of exchanges, i64 [.., min(m, n)]: row i changed places
/// with row `pivots[i] − 1`, in turn.
///
/// # Panics
/// If it has less than two dimensions.
#[track_caller]
pub fn lu_factor(x: &Tensor) -> (Tensor, Tensor) {
    let (factors, order) = decomposed(x);
    let (m, k) = (x.size(-2), x.size(-2).min(x.size(-1)));
    let lead = batch(&x.shape());
    let mut pivots = Vec::with_capacity(lead.numel() * k);
    let mut rows = vec![0; m];
    for wanted in order.to_vec::<i64>().chunks_exact(m.max(1)) {
        (0..m).for_each(|i| rows[i] = i as i64);
        for i in 0..k {
            let at = (i..m)
                .find(|&k| rows[k] == wanted[i])
                .expect("an order of all rows");
            rows.swap(i, at);
            pivots.push(at as i64 + 1);
        }
    }
    (factors, Tensor::from_vec(pivots, with_last(&x.shape(), &[k])))
}

/// P [.., m, m], L [.., m, k] and U [.., k, n] of A = P L U, for A [.., m, n]; k is the smaller of m and n.
///
/// ```
/// use wengert::{Tensor, linalg::lu};
///
/// let a = Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// let (p, l, u) = lu(&a);
/// assert!(p.matmul(&l).matmul(&u).allclose(&a, 1e-6, 1e-6));
/// ```
///
/// # Panics
/// If it has less than two dimensions.
#[track_caller]
pub fn lu(x: &Tensor) -> (Tensor, Tensor, Tensor) {
    let (factors, order) = decomposed(x);
    parts(&factors, &order)
}

/// P, L and U from L and U in one and an order of rows.
fn parts(factors: &Tensor, order: &Array) -> (Tensor, Tensor, Tensor) {
    let (m, n) = (factors.size(-2), factors.size(-1));
    let k = m.min(n);
    let orders = order.to_vec::<i64>();
    let mut p = vec![0.0; m * orders.len()];
    for (i, &row) in orders.iter().enumerate() {
        p[i / m * m * m + row as usize * m + i % m] = 1.0;
    }
    let shape: Shape = order.shape().iter().copied().chain([m]).collect();
    let p = Tensor::constant(Array::from_slice(&p, shape).cast(factors.dtype()));
    let ones = Tensor::constant(identity(m, factors.dtype())).narrow(-1, 0, k);
    let l = triangle(&factors.narrow(-1, 0, k), -1, false) + ones;
    (p, l, triangle(&factors.narrow(-2, 0, k), 0, true))
}

#[track_caller]
fn no_pivots(op: &str, message: String) -> ! {
    let error = Error::new(ErrorKind::Value, op, message);
    raise(error.note(
        "pivots are what `lu_factor` gives: for each row the number, from 1 on, of the row it changed places with",
    ))
}

/// The order of `m` rows that exchanges in turn, as [`lu_factor`] lists them, make.
#[track_caller]
fn order_of(op: &str, pivots: &Tensor, m: usize) -> Array {
    let shape = pivots.shape();
    let k = shape.last().copied().unwrap_or(0);
    if !pivots.dtype().is_integer() || shape.rank() == 0 || k > m {
        no_pivots(
            op,
            format!(
                "pivots of shape {shape} and dtype {} do not fit {m} rows",
                pivots.dtype()
            ),
        );
    }
    let mut orders = Vec::with_capacity(pivots.numel() / k.max(1) * m);
    for exchanges in pivots.to_vec::<i64>().chunks_exact(k.max(1)) {
        let mut rows: Vec<i64> = (0..m as i64).collect();
        for (i, &p) in exchanges.iter().enumerate() {
            match usize::try_from(p - 1) {
                Ok(p) if p < m => rows.swap(i, p),
                _ => no_pivots(op, format!("pivot {i} is {p}, and there are {m} rows")),
            }
        }
        orders.extend(rows);
    }
    let lead = shape.iter().copied().take(shape.rank() - 1);
    let shape: Shape = lead.chain([m]).collect();
    if k == 0 {
        let rows: Vec<i64> = (0..m as i64).collect();
        return Array::from_slice(&rows, [m]).broadcast_to(&shape).contiguous();
    }
    Array::from_slice(&orders, shape)
}

/// P, L and U of A = P L U from what [`lu_factor`] gives for A.
///
/// # Panics
/// If the pivots are not such.
#[track_caller]
pub fn lu_unpack(factors: &Tensor, pivots: &Tensor) -> (Tensor, Tensor, Tensor) {
    if let Err(error) = matrix("lu_unpack", &In::from(&factors.array())) {
        raise(error);
    }
    parts(factors, &order_of("lu_unpack", pivots, factors.size(-2)))
}

/// X of A X = B (`left` false: of X A = B; `adjoint`: with Aᵀ for A) from what [`lu_factor`] gives for a square A. Leading
/// dimensions broadcast.
///
/// # Panics
/// If the shapes do not fit, the dtypes differ, or the pivots are not such.
#[track_caller]
pub fn lu_solve(factors: &Tensor, pivots: &Tensor, b: &Tensor, left: bool, adjoint: bool) -> Tensor {
    if !left {
        return mt(&lu_solve(factors, pivots, &mt(b), true, !adjoint));
    }
    let n = ok(square("lu_solve", &In::from(&factors.array())));
    let order = order_of("lu_solve", pivots, n);
    // All stacks of one shape, so that rows can be exchanged.
    let lead = Shape::new(&order.shape()[..order.rank() - 1]);
    let lead = match lead.broadcast(&batch(&factors.shape())) {
        Some(lead) if b.dim() >= 2 && b.size(-2) == n => lead.broadcast(&batch(&b.shape())),
        _ => None,
    };
    let Some(lead) = lead else {
        let message = format!(
            "cannot solve {} X = {} with pivots of shape {}",
            factors.shape(),
            b.shape(),
            pivots.shape()
        );
        raise(Error::new(ErrorKind::Shape, "lu_solve", message).note(
            "the right side must have as many rows as the matrices, and leading dimensions must broadcast",
        ));
    };
    let whole: Shape = lead.iter().copied().chain([n, b.size(-1)]).collect();
    let b = b.expand(whole);
    let (l, u) = (
        SolveTriangular {
            upper: adjoint,
            unit: true,
        },
        SolveTriangular {
            upper: !adjoint,
            unit: false,
        },
    );
    if adjoint {
        let t = mt(factors);
        return reordered(&l.apply([&t, &u.apply([&t, &b])]), &inverted(&order));
    }
    u.apply([factors, &l.apply([factors, &reordered(&b, &order)])])
}

contract! { lu: Lu }
