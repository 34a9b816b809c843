//! Matrices. What `torch.linalg` has beside is bound as `_linalg_…`, for `wengert/linalg` to give it its signatures.

use crate::args::{DimList, Dims, Number, TensorLike, TensorList, dims};
use crate::give::{Give, Named};
use crate::guard::guard;
use crate::macros::{functions, ops};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use wengert::linalg::{self, Mode, Ord};
use wengert::{DType, Error, ErrorKind, Op, Tensor};

/// The dimension that `torch.cross` takes without one: the first of size 3.
fn cross_dim(x: &Tensor, dim: Option<isize>) -> wengert::Result<isize> {
    let found = || x.shape().iter().position(|n| *n == 3).map(|d| d as isize);
    dim.or_else(found).ok_or_else(|| {
        let message = format!("no dimension of {} has three elements", x.shape());
        Error::new(ErrorKind::Shape, "cross", message)
    })
}

fn cross_of(x: &Tensor, other: &Tensor, dim: Option<isize>) -> wengert::Result<Tensor> {
    Ok(x.cross(other, cross_dim(x, dim)?))
}

/// A factor and, with `upper`, its transpose.
fn cholesky_of(x: &Tensor, upper: bool) -> Tensor {
    if !upper {
        return linalg::cholesky(x);
    }
    linalg::cholesky(&x.transpose(-2, -1)).transpose(-2, -1)
}

fn mode(name: &str) -> wengert::Result<Mode> {
    match name {
        "reduced" => Ok(Mode::Reduced),
        "complete" => Ok(Mode::Complete),
        "r" => Ok(Mode::R),
        name => Err(
            Error::new(ErrorKind::Value, "qr", format!("there is no mode {name:?}"))
                .note("there are 'reduced', 'complete' and 'r'"),
        ),
    }
}

/// U, S and V (not its transpose), as `torch.svd` gives them.
fn svd_of(x: &Tensor, some: bool, compute_uv: bool) -> Named<3> {
    let (u, s, vt) = linalg::svd(x, !some);
    let v = vt.transpose(-2, -1);
    match compute_uv {
        true => Named("svd", ["U", "S", "V"], [u, s, v]),
        false => Named("svd", ["U", "S", "V"], [u.zeros_like(), s, v.zeros_like()]),
    }
}

fn slogdet_of(x: &Tensor) -> Named<2> {
    let (sign, log) = linalg::slogdet(x);
    Named("slogdet", ["sign", "logabsdet"], [sign, log])
}

ops! {
    /// The matrix product.
    fn matmul(input, other: TensorLike) => input.matmul(&other.0);
    /// The matrix product of two matrices.
    fn mm(input, mat2: TensorLike) => input.mm(&mat2.0);
    /// The matrix products of two stacks of matrices.
    fn bmm(input, mat2: TensorLike) => input.bmm(&mat2.0);
    /// The product of a matrix and a vector.
    fn mv(input, vec: TensorLike) => input.mv(&vec.0);
    /// The inner product of two vectors.
    fn dot(input, tensor: TensorLike) => input.dot(&tensor.0);
    /// The inner product of two vectors.
    fn vdot(input, other: TensorLike) => input.vdot(&other.0);
    /// The dot products along the last dimensions.
    fn inner(input, other: TensorLike) => input.inner(&other.0);
    /// The products of all pairs of elements of two vectors.
    fn outer(input, vec2: TensorLike) => input.outer(&vec2.0);
    /// The products of all pairs of elements of two vectors.
    fn ger(input, vec2: TensorLike) => input.ger(&vec2.0);
    /// `beta · input + alpha · mat1 @ mat2`.
    fn addmm(input, mat1: TensorLike, mat2: TensorLike; beta: Number = (Number::Int(1)), alpha: Number = (Number::Int(1))) / addmm_
        => input.addmm(&mat1.0, &mat2.0, beta.f64(), alpha.f64());
    /// `beta · input + alpha · mat @ vec`.
    fn addmv(input, mat: TensorLike, vec: TensorLike; beta: Number = (Number::Int(1)), alpha: Number = (Number::Int(1))) / addmv_
        => input.addmv(&mat.0, &vec.0, beta.f64(), alpha.f64());
    /// `beta · input + alpha · outer(vec1, vec2)`.
    fn addr(input, vec1: TensorLike, vec2: TensorLike; beta: Number = (Number::Int(1)), alpha: Number = (Number::Int(1))) / addr_
        => input.addr(&vec1.0, &vec2.0, beta.f64(), alpha.f64());
    /// `beta · input + alpha · batch1 @ batch2`, pair by pair.
    fn baddbmm(input, batch1: TensorLike, batch2: TensorLike; beta: Number = (Number::Int(1)), alpha: Number = (Number::Int(1))) / baddbmm_
        => input.baddbmm(&batch1.0, &batch2.0, beta.f64(), alpha.f64());
    /// `beta · input + alpha · Σ batch1 @ batch2` over the pairs.
    fn addbmm(input, batch1: TensorLike, batch2: TensorLike; beta: Number = (Number::Int(1)), alpha: Number = (Number::Int(1))) / addbmm_
        => input.addbmm(&batch1.0, &batch2.0, beta.f64(), alpha.f64());
    /// The sum of the diagonal of a matrix.
    fn trace(input) => input.trace();
    /// The Kronecker product.
    fn kron(input, other: TensorLike) => input.kron(&other.0);
    /// The cross product of vectors of three elements along `dim`; by default the first such dimension.
    fn cross(input, other: TensorLike, dim: Option<isize> = None) => cross_of(input, &other.0, dim);
    /// The determinant.
    fn det(input) => input.det();
    /// The logarithm of the determinant.
    fn logdet(input) => input.logdet();
    /// The sign of the determinant and the logarithm of its absolute value.
    fn slogdet(input) => slogdet_of(input);
    /// The inverse.
    fn inverse(input) => input.inverse();
    /// The pseudo-inverse.
    fn pinverse(input, rcond: f64 = 1e-15) => linalg::pinv_tol(input, None, Some(rcond));
    /// The n-th power of a square matrix.
    fn matrix_power(input, n: i64) => input.matrix_power(n);
    /// The matrix exponential.
    fn matrix_exp(input) => input.matrix_exp();
    /// The Cholesky factor of a symmetric positive-definite matrix.
    fn cholesky(input, upper: bool = false) => cholesky_of(input, upper);
    /// X of A X = input, given the Cholesky factor of A.
    fn cholesky_solve(input, L: TensorLike, upper: bool = false) => linalg::cholesky_solve(input, &L.0, upper);
    /// The inverse of A, given its Cholesky factor.
    fn cholesky_inverse(input, upper: bool = false) => linalg::cholesky_inverse(input, upper);
    /// The singular value decomposition input = U diag(S) Vᵀ.
    fn svd(input, some: bool = true, compute_uv: bool = true) => svd_of(input, some, compute_uv);
    /// The QR decomposition as reflections and their factors, for `ormqr` and `linalg.householder_product`.
    fn geqrf(input) => {
        let (a, tau) = linalg::geqrf(input);
        Named("geqrf", ["a", "tau"], [a, tau])
    };
    /// `Q @ input3` for the Q that `geqrf` gives as reflections `input` and their factors `input2`.
    fn ormqr(input, input2: TensorLike, input3: TensorLike, left: bool = true, transpose: bool = false)
        => linalg::ormqr(input, &input2.0, &input3.0, left, transpose);
    /// The correlations of the rows.
    fn corrcoef(input) => linalg::corrcoef(input);
    /// The covariances of the rows.
    fn cov(input; correction: Number = (Number::Int(1)), fweights: Option<TensorLike> = None, aweights: Option<TensorLike> = None)
        => linalg::cov(input, correction.f64(), fweights.as_ref().map(|w| &w.0), aweights.as_ref().map(|w| &w.0));
}

/// Functions with positional arguments; the Python side knows defaults and names.
macro_rules! linalg {
    ($( $(#[doc = $doc:literal])* fn $name:ident($x:ident $(, $arg:ident: $ty:ty)*) => $body:expr; )*) => {
        $(
            $(#[doc = $doc])*
            #[pyfunction]
            fn $name(py: Python<'_>, $x: TensorLike, $($arg: $ty),*) -> PyResult<Py<PyAny>> {
                let $x = $x.0;
                let y = guard(py, $x.numel(), move || {
                    let $x = &$x;
                    $body
                })?;
                y.give(py)
            }
        )*
        fn register_linalg(m: &Bound<'_, PyModule>) -> PyResult<()> {
            functions!(m, $($name),*);
            Ok(())
        }
    };
}

linalg! {
    /// `torch.linalg.solve`
    fn _linalg_solve(a, b: TensorLike, left: bool) => match left {
        true => linalg::solve(a, &b.0),
        false => linalg::solve_left(a, &b.0),
    };
    /// `torch.linalg.solve_triangular`
    fn _linalg_solve_triangular(a, b: TensorLike, upper: bool, left: bool, unitriangular: bool)
        => linalg::solve_triangular(a, &b.0, upper, left, unitriangular);
    /// `torch.linalg.inv`
    fn _linalg_inv(a) => linalg::inv(a);
    /// `torch.linalg.qr`
    fn _linalg_qr(a, kind: String) => mode(&kind).map(|mode| {
        let (q, r) = linalg::qr(a, mode);
        Named("linalg_qr", ["Q", "R"], [q, r])
    });
    /// `torch.linalg.lu`
    fn _linalg_lu(a) => {
        let (p, l, u) = linalg::lu(a);
        Named("linalg_lu", ["P", "L", "U"], [p, l, u])
    };
    /// `torch.linalg.lu_factor`
    fn _linalg_lu_factor(a) => {
        let (lu, pivots) = linalg::lu_factor(a);
        Named("linalg_lu_factor", ["LU", "pivots"], [lu, pivots.to(DType::I32)])
    };
    /// `torch.lu_unpack`
    fn _lu_unpack(a, pivots: TensorLike) => {
        let (p, l, u) = linalg::lu_unpack(a, &pivots.0);
        Named("lu_unpack", ["P", "L", "U"], [p, l, u])
    };
    /// `torch.linalg.lu_solve`
    fn _linalg_lu_solve(a, pivots: TensorLike, b: TensorLike, left: bool, adjoint: bool)
        => linalg::lu_solve(a, &pivots.0, &b.0, left, adjoint);
    /// `torch.linalg.cholesky_ex`
    fn _linalg_cholesky_ex(a) => {
        let (l, info) = linalg::cholesky_ex(a);
        Named("linalg_cholesky_ex", ["L", "info"], [l, info])
    };
    /// `torch.linalg.inv_ex`
    fn _linalg_inv_ex(a) => {
        let (y, info) = linalg::inv_ex(a);
        Named("linalg_inv_ex", ["inverse", "info"], [y, info])
    };
    /// `torch.linalg.solve_ex`
    fn _linalg_solve_ex(a, b: TensorLike, left: bool) => {
        let (x, info) = linalg::solve_ex(a, &b.0, left);
        Named("linalg_solve_ex", ["result", "info"], [x, info])
    };
    /// `torch.linalg.tensorinv`
    fn _linalg_tensorinv(a, ind: usize) => linalg::tensorinv(a, ind);
    /// `torch.linalg.tensorsolve`
    fn _linalg_tensorsolve(a, b: TensorLike, dims: Dims) => {
        let dims = dims.map(|d| d.0);
        linalg::tensorsolve(a, &b.0, dims.as_deref())
    };
    /// `torch.linalg.vander`
    fn _linalg_vander(x, n: usize) => linalg::vander(x, n);
    /// `torch.linalg.householder_product`
    fn _linalg_householder_product(v, tau: TensorLike) => linalg::householder_product(v, &tau.0);
    /// `torch.linalg.ldl_factor`
    fn _linalg_ldl_factor(a) => {
        let (ld, pivots) = linalg::ldl_factor(a);
        Named("linalg_ldl_factor", ["LD", "pivots"], [ld, pivots])
    };
    /// `torch.linalg.ldl_factor_ex`
    fn _linalg_ldl_factor_ex(a) => {
        let (ld, pivots, info) = linalg::ldl_factor_ex(a);
        Named("linalg_ldl_factor_ex", ["LD", "pivots", "info"], [ld, pivots, info])
    };
    /// `torch.linalg.ldl_solve`
    fn _linalg_ldl_solve(ld, pivots: TensorLike, b: TensorLike) => linalg::ldl_solve(ld, &pivots.0, &b.0);
    /// The symmetric matrix of a triangle
    fn _symmetric(a, upper: bool) => linalg::Mirror { upper }.apply([a]);
    /// `torch.linalg.eigh`
    fn _linalg_eigh(a, upper: bool) => {
        let (w, v) = linalg::eigh(a, upper);
        Named("linalg_eigh", ["eigenvalues", "eigenvectors"], [w, v])
    };
    /// `torch.linalg.eigvalsh`
    fn _linalg_eigvalsh(a, upper: bool) => linalg::eigvalsh(a, upper);
    /// `torch.linalg.svd`
    fn _linalg_svd(a, full_matrices: bool) => {
        let (u, s, vt) = linalg::svd(a, full_matrices);
        Named("linalg_svd", ["U", "S", "Vh"], [u, s, vt])
    };
    /// `torch.linalg.svdvals`
    fn _linalg_svdvals(a) => linalg::svdvals(a);
    /// `torch.linalg.pinv`
    fn _linalg_pinv(a, atol: Option<f64>, rtol: Option<f64>) => linalg::pinv_tol(a, atol, rtol);
    /// `torch.linalg.lstsq`
    fn _linalg_lstsq(a, b: TensorLike, rcond: Option<f64>, values: bool) => {
        let fit = linalg::lstsq(a, &b.0, rcond);
        let detached = a.detach();
        let values = if values { linalg::svdvals(&detached) } else { detached.reshape([detached.numel()]).narrow(0, 0, 0) };
        let parts = [fit.solution, fit.residuals, fit.rank, values];
        Named("linalg_lstsq", ["solution", "residuals", "rank", "singular_values"], parts)
    };
    /// `torch.linalg.matrix_rank`
    fn _linalg_matrix_rank(a, atol: Option<f64>, rtol: Option<f64>) => linalg::matrix_rank(a, atol, rtol);
    /// `torch.linalg.vector_norm`
    fn _linalg_vector_norm(x, p: f64, dim: Dims, keepdim: bool) => linalg::vector_norm(x, p, dims(dim), keepdim);
    /// `torch.linalg.matrix_norm`
    fn _linalg_matrix_norm(x, ord: OrdArg, dim: [isize; 2], keepdim: bool) => linalg::matrix_norm(x, ord.0, dim, keepdim);
    /// `torch.linalg.cond`
    fn _linalg_cond(x, ord: OrdArg) => linalg::cond_ord(x, ord.0);
    /// `torch.linalg.cross`
    fn _linalg_cross(x, other: TensorLike, dim: isize) => linalg::cross(x, &other.0, dim);
    /// `torch.linalg.vecdot`
    fn _linalg_vecdot(x, y: TensorLike, dim: isize) => linalg::vecdot(x, &y.0, dim);
    /// `torch.cdist`
    fn _cdist(x1, x2: TensorLike, p: f64) => linalg::cdist(x1, &x2.0, p);
    /// `torch.tensordot` over pairs of dimensions
    fn _tensordot(a, b: TensorLike, of_a: DimList, of_b: DimList) => linalg::tensordot_dims(a, &b.0, &of_a.0, &of_b.0);
    /// `torch.tensordot` over a number of dimensions
    fn _tensordot_count(a, b: TensorLike, n: usize) => linalg::tensordot(a, &b.0, n);
}

/// The order of a norm of matrices: a number, `"fro"` or `"nuc"`.
struct OrdArg(Ord);

impl<'py> FromPyObject<'_, 'py> for OrdArg {
    type Error = PyErr;
    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(name) = obj.extract::<String>() {
            return match name.as_str() {
                "fro" => Ok(OrdArg(Ord::Frobenius)),
                "nuc" => Ok(OrdArg(Ord::Nuclear)),
                _ => Err(crate::errors::value_error(
                    obj.py(),
                    "matrix_norm",
                    format!("there is no norm of matrices of order {name:?}"),
                )),
            };
        }
        Ok(OrdArg(Ord::P(obj.extract::<Number>()?.f64())))
    }
}

/// Sums of products of the operands, as an equation says.
#[pyfunction]
#[pyo3(signature = (equation, *operands))]
fn einsum(py: Python<'_>, equation: String, operands: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
    let one = (operands.len() == 1).then(|| operands.get_item(0)).transpose()?;
    // A list of operands is taken as well.
    let list = one.and_then(|one| one.extract::<TensorList>().ok());
    let operands = match list {
        Some(list) => list,
        None => operands.extract::<TensorList>()?,
    };
    let work = operands.0.iter().map(Tensor::numel).sum();
    guard(py, work, move || linalg::einsum(&equation, &operands.refs()))?.give(py)
}

/// The product of matrices in the order that takes the fewest steps.
#[pyfunction]
fn _linalg_multi_dot(py: Python<'_>, tensors: TensorList) -> PyResult<Py<PyAny>> {
    let work = tensors.0.iter().map(Tensor::numel).sum();
    guard(py, work, move || linalg::multi_dot(&tensors.refs()))?.give(py)
}

/// The product of matrices in the order that takes the fewest steps.
#[pyfunction]
#[pyo3(signature = (*matrices))]
fn chain_matmul(py: Python<'_>, matrices: TensorList) -> PyResult<Py<PyAny>> {
    if let [one] = &matrices.0[..] {
        return one.clone().give(py);
    }
    _linalg_multi_dot(py, matrices)
}

pub(crate) fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    functions!(m, einsum, chain_matmul, _linalg_multi_dot);
    register_linalg(m)?;
    register_ops(m)
}
