//! Linear systems: solutions, inverses, determinants.

use super::*;
use crate::autograd::{Ctx, is_recording};
use crate::op::{Complex, Extra, Fixed, Sample, Saves};
use wengert_array::Meta;

/// The leading dimensions of a system A X = B, if it is one.
fn system(op: &str, [a, b]: &[In<'_>; 2]) -> Result<Shape> {
    let n = any_square(op, a)?;
    let [rows, _] = any_matrix(op, b)?;
    if rows != n {
        let message = format!("cannot solve {} X = {}", a.shape, b.shape);
        let note = format!("the right side must have as many rows as the matrices, {n}, and has {rows}");
        return Err(Error::new(ErrorKind::Shape, op, message).note(note));
    }
    if a.dtype != b.dtype {
        let message = format!("cannot combine {} and {}", a.dtype, b.dtype);
        return Err(Error::new(ErrorKind::DType, op, message).note("both sides must have the same dtype"));
    }
    let (la, lb) = (batch(a.shape), batch(b.shape));
    la.broadcast(&lb).ok_or_else(|| {
        let message = format!("cannot solve {} X = {}", a.shape, b.shape);
        let note = format!("their leading dimensions {la} and {lb} do not broadcast together");
        Error::new(ErrorKind::Shape, op, message).note(note)
    })
}

fn solution([a, b]: [In<'_>; 2], lead: &Shape) -> Meta {
    let (n, r) = (a.shape[a.shape.rank() - 1], b.shape[b.shape.rank() - 1]);
    b.with_shape(lead.iter().copied().chain([n, r]).collect::<Shape>())
}

/// X of A X = B; dB = A⁻ᵀ dX, dA = −dB Xᵀ (Giles 2008, *An extended collection of matrix derivative results*).
/// NaN where A is singular.
#[derive(Clone, Debug)]
pub struct Solve;

impl Op for Solve {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "solve";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y), Saves::x(0)];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, x: [In<'_>; 2]) -> Result<Meta> {
        Ok(solution(x, &system("solve", &x)?))
    }
    fn forward(&self, [a, b]: [Array; 2], y: &Meta, extra: &mut Extra) -> Array {
        let (lu, order) = kernels::lu(&a);
        let x = kernels::lu_solve(&lu, &order, &b, &batch(&y.shape), false);
        extra.keep(lu);
        extra.keep(order);
        x
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let a = cx.x(0);
        let db = if is_recording() {
            Solve.apply([&mt(&a), &dy])
        } else {
            // The decomposition does for the transpose as well.
            let lead = batch(&cx.output().shape);
            Tensor::constant(kernels::lu_solve(
                &cx.extra(0),
                &cx.extra(1),
                &dy.array(),
                &lead,
                true,
            ))
        };
        let da = cx.grad(0, || -db.matmul(&mt(&cx.y())));
        [da, Some(db)]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|_, [a, b]: [Tensor; 2]| {
            let columns = cat(&[&b.real(), &b.to(b.dtype().complex()).imag()], -2);
            Some(unembedded(
                &Solve.apply([&embedded(&a.to(a.dtype().complex())), &columns]),
                b.size(-1),
            ))
        })
    }
    fn samples() -> Vec<Sample<Self>> {
        let a = Array::from_slice(&[2.0, 1.0, 1.0, 3.0], [2, 2]);
        let many = Array::from_slice(&[2.0, 1.0, 1.0, 3.0, 0.0, 1.0, -2.0, 0.5], [2, 1, 2, 2]);
        let b = Array::from_slice(&[3.0, 5.0, 1.0, 2.0, 0.5, -1.0], [1, 3, 2, 1]);
        vec![
            Sample::new(Solve, [a, Array::from_slice(&[3.0, 5.0], [2, 1])]).gives([0.8, 1.4]),
            Sample::new(Solve, [many, b]),
            Sample::new(Solve, [sample(4, 4), sample(4, 3)]),
            Sample::new(
                Solve,
                [
                    Array::full([0, 0], 0.0, DType::F64),
                    Array::full([0, 2], 0.0, DType::F64),
                ],
            )
            .gives([]),
        ]
    }
}

/// X of A X = B for a triangular A, of which only that triangle is read (with `unit`, without the diagonal, which
/// counts as ones); dB = A⁻ᵀ dX, dA = −dB Xᵀ in the triangle.
#[derive(Clone, Debug)]
pub struct SolveTriangular {
    /// Whether the upper triangle is read, or the lower.
    pub upper: bool,
    /// Whether the diagonal counts as ones.
    pub unit: bool,
}

impl Op for SolveTriangular {
    type Inputs = Fixed<2>;
    const NAME: &'static str = "solve_triangular";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y), Saves::x(0)];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, x: [In<'_>; 2]) -> Result<Meta> {
        Ok(solution(x, &system("solve_triangular", &x)?))
    }
    fn forward(&self, [a, b]: [Array; 2], y: &Meta, _: &mut Extra) -> Array {
        kernels::solve_triangular(&a, &b, &batch(&y.shape), self.upper, self.unit)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 2] {
        let adjoint = SolveTriangular {
            upper: !self.upper,
            unit: self.unit,
        };
        let db = adjoint.apply([&mt(&cx.x(0)), &dy]);
        let da = cx.grad(0, || {
            let k = isize::from(self.unit);
            triangle(
                &-db.matmul(&mt(&cx.y())),
                if self.upper { k } else { -k },
                self.upper,
            )
        });
        [da, Some(db)]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|op: &Self, [a, b]: [Tensor; 2]| {
            let strict = isize::from(op.unit);
            let part = if op.upper { a.triu(strict) } else { a.tril(-strict) };
            let a = if op.unit { part + eye(a.size(-1), &a) } else { part };
            Some(Solve.apply([&a, &b]))
        })
    }
    fn samples() -> Vec<Sample<Self>> {
        let op = |upper, unit| SolveTriangular { upper, unit };
        let a = || Array::from_slice(&[2.0, 1.0, 4.0, 4.0], [2, 2]);
        let b = || Array::from_slice(&[2.0, 6.0], [2, 1]);
        vec![
            Sample::new(op(false, false), [a(), b()]).gives([1.0, 0.5]),
            Sample::new(op(true, false), [a(), b()]).gives([0.25, 1.5]),
            Sample::new(op(false, true), [a(), b()]).gives([2.0, -2.0]),
            Sample::new(
                op(true, true),
                [a().unsqueeze(0), sample(6, 2).reshape([3, 2, 2])],
            ),
        ]
    }
}

/// y = x⁻¹; dx = −yᵀ dy yᵀ (Giles 2008). NaN where x is singular.
#[derive(Clone, Debug)]
pub struct Inverse;

impl Op for Inverse {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "inv";
    const SAVES: &'static [Saves] = &[Saves::Y];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        any_square("inv", &x)?;
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        kernels::inverse(&x)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let yt = mt(&cx.y());
        [Some(-yt.matmul(&dy).matmul(&yt))]
    }
    fn complex(&self) -> Complex<Self> {
        Complex::Made(|_, [x]: [Tensor; 1]| Some(unembedded(&Inverse.apply([&embedded(&x)]), x.size(-1))))
    }
    fn samples() -> Vec<Sample<Self>> {
        let a = Array::from_slice(&[2.0, 1.0, 1.0, 1.0], [2, 2]);
        vec![
            Sample::new(Inverse, [a]).gives([1.0, -1.0, -1.0, 2.0]),
            Sample::new(Inverse, [sample(6, 3).reshape([2, 3, 3])]),
        ]
    }
}

/// y = det x; dx = dy cof x, where cof x = det(x) x⁻ᵀ is the matrix of cofactors (Jacobi's formula).
#[derive(Clone, Debug)]
pub struct Det;

impl Op for Det {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "det";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        square("det", &x)?;
        Ok(x.with_shape(batch(x.shape)))
    }
    fn forward(&self, [x]: [Array; 1], y: &Meta, _: &mut Extra) -> Array {
        kernels::determinant(&x, true).reshape(&y.shape)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        [Some(as_matrix(&dy) * Cofactor.apply([&cx.x(0)]))]
    }
    fn samples() -> Vec<Sample<Self>> {
        vec![
            Sample::new(Det, [Array::from_slice(&[2.0, 1.0, 1.0, 3.0], [2, 2])]).gives([5.0]),
            Sample::new(Det, [sample(6, 3).reshape([2, 3, 3])]),
            Sample::new(Det, [Array::full([2, 0, 0], 0.0, DType::F64)]).gives([1.0, 1.0]),
        ]
    }
}

/// The matrix of cofactors, C = det(A) A⁻ᵀ, which singular matrices have as well;
/// dA = ⟨dC, A⁻ᵀ⟩ C − A⁻ᵀ dCᵀ C, which asks for an invertible A.
#[derive(Clone, Debug)]
pub struct Cofactor;

impl Op for Cofactor {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "cofactor";
    const SAVES: &'static [Saves] = &[Saves::x(0).and(Saves::Y)];
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        square("cofactor", &x)?;
        Ok(x.with_shape(x.shape))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        kernels::cofactor(&x)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let (c, b) = (cx.y(), mt(&Inverse.apply([&cx.x(0)])));
        let along = (&dy * &b).sum_dim([-2, -1], true);
        [Some(along * &c - b.matmul(&mt(&dy)).matmul(&c))]
    }
    fn samples() -> Vec<Sample<Self>> {
        let a = Array::from_slice(&[2.0, 1.0, -1.0, 3.0], [2, 2]);
        vec![
            Sample::new(Cofactor, [a]).gives([3.0, 1.0, -1.0, 2.0]),
            Sample::new(Cofactor, [sample(6, 3).reshape([2, 3, 3])]),
        ]
    }
}

/// The sign of det x, which has no gradient, and ln |det x|, end to end; dx = d ln|det x| · x⁻ᵀ.
#[derive(Clone, Debug)]
pub struct SLogDet;

impl Op for SLogDet {
    type Inputs = Fixed<1>;
    const NAME: &'static str = "slogdet";
    const SAVES: &'static [Saves] = &[Saves::x(0)];
    const PRECISION: Precision = Precision::Full;
    fn infer(&self, [x]: [In<'_>; 1]) -> Result<Meta> {
        square("slogdet", &x)?;
        Ok(x.with_shape(with_last(x.shape, &[2])))
    }
    fn forward(&self, [x]: [Array; 1], _: &Meta, _: &mut Extra) -> Array {
        kernels::determinant(&x, false)
    }
    fn backward(&self, cx: &Ctx<'_, Self>, dy: Tensor) -> [Option<Tensor>; 1] {
        let [_, d] = unpack(&dy, [&[], &[]]);
        [Some(as_matrix(&d) * mt(&Inverse.apply([&cx.x(0)])))]
    }
    fn samples() -> Vec<Sample<Self>> {
        let a = Array::from_slice(&[1.0, 2.0, 3.0, 4.0], [2, 2]);
        vec![
            Sample::new(SLogDet, [a]).gives([-1.0, 2f64.ln()]),
            Sample::new(SLogDet, [sample(6, 3).reshape([2, 3, 3])]),
        ]
    }
}

/// For each of some matrices the number, from 1 on, of its first pivot that is 0, and 0 where none is; i32.
fn zero_pivots(a: &Tensor) -> Tensor {
    let n = a.size(-1);
    let pivots = diagonal(&Tensor::constant(kernels::lu(&a.array()).0)).to_vec::<f64>();
    let lead = batch(&a.shape());
    let first = |k: usize| {
        let zero = pivots[k * n..(k + 1) * n].iter().position(|p| *p == 0.0);
        zero.map_or(0, |i| i as i32 + 1)
    };
    Tensor::from_vec((0..lead.numel()).map(first).collect::<Vec<i32>>(), lead)
}

/// Raises the error of the first matrix of `a` that is singular, if one is.
#[track_caller]
fn refuse_singular(op: &str, a: &Tensor, y: &Tensor) {
    if !has_nan(&y.array()) {
        return;
    }
    let zeros = zero_pivots(a).to_vec::<i64>();
    if let Some(k) = zeros.iter().position(|p| *p > 0) {
        let message = format!("{} is singular", which(&a.shape(), k));
        raise(Error::new(ErrorKind::Linalg, op, message).note(format!(
            "pivot {} of its LU decomposition is exactly 0",
            zeros[k] - 1
        )));
    }
}

/// X of A X = B. B may be a vector, or a stack of vectors where it has one dimension less than A and the sizes of A
/// without its last.
///
/// ```
/// use wengert::{Tensor, linalg::solve};
///
/// let x = solve(&Tensor::new([[2.0, 0.0], [0.0, 4.0]]), &Tensor::new([1.0, 1.0]));
/// assert_eq!(x.to_vec::<f32>(), [0.5, 0.25]);
/// ```
///
/// # Panics
/// If the shapes do not fit, the dtypes differ, or a matrix is singular.
#[track_caller]
pub fn solve(a: &Tensor, b: &Tensor) -> Tensor {
    let x = solved(a, b);
    refuse_singular("solve", a, &x);
    x
}

#[track_caller]
fn solved(a: &Tensor, b: &Tensor) -> Tensor {
    let (sa, sb) = (a.shape(), b.shape());
    let vector = sb.rank() == 1 || (sa.rank() == sb.rank() + 1 && sa[..sa.rank() - 1] == sb[..]);
    match vector {
        true => Solve.apply([a, &b.unsqueeze(-1)]).squeeze(-1),
        false => Solve.apply([a, b]),
    }
}

/// X of X A = B: [`solve`] from the left, for matrices.
///
/// # Panics
/// As [`solve`].
#[track_caller]
pub fn solve_left(a: &Tensor, b: &Tensor) -> Tensor {
    let x = mt(&Solve.apply([&mt(a), &mt(b)]));
    refuse_singular("solve", a, &x);
    x
}

/// X of A X = B (`left` false: of X A = B) for triangular A, of which only the triangle is read; with `unitriangular`
/// its diagonal counts as ones. As in PyTorch, a zero on the diagonal gives infinities and NaN, not an error.
///
/// # Panics
/// If the shapes do not fit, or the dtypes differ.
#[track_caller]
pub fn solve_triangular(a: &Tensor, b: &Tensor, upper: bool, left: bool, unitriangular: bool) -> Tensor {
    let op = SolveTriangular {
        upper: upper == left,
        unit: unitriangular,
    };
    match left {
        true => op.apply([a, b]),
        false => mt(&op.apply([&mt(a), &mt(b)])),
    }
}

/// The inverse.
///
/// # Panics
/// If the matrices are not square, or one is singular.
#[track_caller]
pub fn inv(x: &Tensor) -> Tensor {
    let y = Inverse.apply([x]);
    refuse_singular("inv", x, &y);
    y
}

/// As [`inv`], with no error: the inverse, NaN where there is none, and for each matrix the number, from 1 on, of its first
/// pivot that is 0, and 0 where none is; i32.
///
/// # Panics
/// If the matrices are not square.
#[track_caller]
pub fn inv_ex(x: &Tensor) -> (Tensor, Tensor) {
    (Inverse.apply([x]), zero_pivots(x))
}

/// As [`solve`] or, with `left` false, [`solve_left`], with no error: NaN where a matrix is singular, and what [`inv_ex`] tells of
/// the matrices.
///
/// # Panics
/// If the shapes do not fit, or the dtypes differ.
#[track_caller]
pub fn solve_ex(a: &Tensor, b: &Tensor, left: bool) -> (Tensor, Tensor) {
    let x = match left {
        true => solved(a, b),
        false => mt(&Solve.apply([&mt(a), &mt(b)])),
    };
    (x, zero_pivots(a))
}

/// The determinant. Singular matrices have a gradient, too; a second derivative asks for an invertible one.
///
/// # Panics
/// If the matrices are not square.
#[track_caller]
pub fn det(x: &Tensor) -> Tensor {
    Det.apply([x])
}

/// The sign of the determinant and the logarithm of its absolute value: (0, −∞) for singular matrices.
///
/// # Panics
/// If the matrices are not square.
#[track_caller]
pub fn slogdet(x: &Tensor) -> (Tensor, Tensor) {
    let [sign, log] = unpack(&SLogDet.apply([x]), [&[], &[]]);
    (sign, log)
}

/// The logarithm of the determinant: −∞ where it is 0, NaN where it is negative.
///
/// # Panics
/// If the matrices are not square.
#[track_caller]
pub fn logdet(x: &Tensor) -> Tensor {
    let (sign, log) = slogdet(x);
    log.where_(&sign.ge(0.0), &Tensor::full_as([], f64::NAN, x.dtype()))
}

/// Methods of the names that `torch.Tensor` has.
impl Tensor {
    /// The determinant; see [`linalg::det`](det).
    #[track_caller]
    pub fn det(&self) -> Tensor {
        det(self)
    }

    /// The logarithm of the determinant; see [`linalg::logdet`](logdet).
    #[track_caller]
    pub fn logdet(&self) -> Tensor {
        logdet(self)
    }

    /// The sign of the determinant and the logarithm of its absolute value; see [`linalg::slogdet`](slogdet).
    #[track_caller]
    pub fn slogdet(&self) -> (Tensor, Tensor) {
        slogdet(self)
    }

    /// The inverse of a matrix; see [`linalg::inv`](inv).
    #[track_caller]
    pub fn inverse(&self) -> Tensor {
        inv(self)
    }
}

contract! {
    solve: Solve,
    solve_triangular: SolveTriangular,
    inverse: Inverse,
    det: Det,
    cofactor: Cofactor,
    slogdet: SLogDet,
}
