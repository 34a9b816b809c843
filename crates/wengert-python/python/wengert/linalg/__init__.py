"""Linear algebra, with the functions and signatures of `torch.linalg`."""

from .. import _C
from .._C import LinAlgError, matrix_exp, matrix_power  # noqa: F401
from .._C import det, matmul, slogdet  # noqa: F401

_inf = float("inf")


def cholesky(input, *, upper=False, out=None):
    """The factor L of A = L Lᵀ (`upper`: U of A = Uᵀ U) of symmetric positive-definite matrices."""
    return _C.cholesky(input, upper, out=out)


def inv(A, *, out=None):
    """The inverse."""
    _none(out)
    return _C._linalg_inv(A)


def solve(A, B, *, left=True, out=None):
    """X of A X = B (`left=False`: of X A = B)."""
    _none(out)
    return _C._linalg_solve(A, B, left)


def solve_triangular(A, B, *, upper, left=True, unitriangular=False, out=None):
    """X of A X = B (`left=False`: of X A = B) for triangular A, of which only the triangle is read."""
    _none(out)
    return _C._linalg_solve_triangular(A, B, upper, left, unitriangular)


def qr(A, mode="reduced", *, out=None):
    """Q with orthonormal columns and upper triangular R of A = Q R."""
    _none(out)
    return _C._linalg_qr(A, mode)


def lu(A, *, pivot=True, out=None):
    """P, L and U of A = P L U, for square A."""
    _none(out)
    _pivoted(pivot)
    return _C._linalg_lu(A)


def lu_factor(A, *, pivot=True, out=None):
    """L and U of P A = L U in one matrix, for square A, and the exchanges of rows that are P."""
    _none(out)
    _pivoted(pivot)
    return _C._linalg_lu_factor(A)


def eigh(A, UPLO="L", *, out=None):
    """Eigenvalues, ascending, and orthonormal eigenvectors of symmetric matrices."""
    _none(out)
    return _C._linalg_eigh(A, _upper(UPLO))


def eigvalsh(A, UPLO="L", *, out=None):
    """Eigenvalues, ascending, of symmetric matrices."""
    _none(out)
    return _C._linalg_eigvalsh(A, _upper(UPLO))


def svd(A, full_matrices=True, *, driver=None, out=None):
    """U, the singular values, descending, and Vᵀ of A = U diag(S) Vᵀ."""
    _none(out)
    return _C._linalg_svd(A, full_matrices)


def svdvals(A, *, driver=None, out=None):
    """The singular values, descending."""
    _none(out)
    return _C._linalg_svdvals(A)


def pinv(A, rcond=None, *, atol=None, rtol=None, hermitian=False, out=None):
    """The pseudo-inverse. `hermitian` only promises symmetry, and changes nothing."""
    _none(out)
    return _C._linalg_pinv(A, _float(atol), _float(rtol if rtol is not None else rcond))


def lstsq(A, B, rcond=None, *, driver=None):
    """X that makes ‖A X − B‖ smallest, the residuals, the rank and the singular values of A.

    By the pseudo-inverse, whatever `driver` says: so matrices of any rank are served.
    """
    return _C._linalg_lstsq(A, B, _float(rcond))


def matrix_rank(A, tol=None, *, atol=None, rtol=None, hermitian=False, out=None):
    """The number of singular values that are not as good as zero."""
    _none(out)
    if tol is not None:
        return _C._linalg_matrix_rank(A, _float(tol), 0.0)
    return _C._linalg_matrix_rank(A, _float(atol), _float(rtol))


def cond(A, p=None, *, out=None):
    """The condition number."""
    _none(out)
    return _C._linalg_cond(A, 2.0 if p is None else p)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None):
    """The norm of vectors: (Σ |x|ᵖ)^(1/p)."""
    _none(out)
    return _C._linalg_vector_norm(_as(x, dtype), ord, dim, keepdim)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None, out=None):
    """The norm of matrices."""
    _none(out)
    return _C._linalg_matrix_norm(_as(A, dtype), ord, dim, keepdim)


def norm(A, ord=None, dim=None, keepdim=False, *, out=None, dtype=None):
    """The norm of vectors or of matrices, by how many dimensions it goes over."""
    _none(out)
    A = _as(A, dtype)
    if dim is None and ord is not None:
        if A.dim() not in (1, 2):
            raise _C.ShapeError(f"norm: with ord but no dim, needs one or two dimensions, and got {A.dim()}")
        dim = tuple(range(A.dim()))
    over = (dim,) if isinstance(dim, int) else dim
    if over is not None and len(over) == 2 and ord is not None:
        return _C._linalg_matrix_norm(A, ord, over, keepdim)
    return _C._linalg_vector_norm(A, 2 if ord is None else ord, over, keepdim)


def cross(input, other, *, dim=-1, out=None):
    """The cross product of vectors of three elements along `dim`."""
    _none(out)
    return _C._linalg_cross(input, other, dim)


def vecdot(x, y, *, dim=-1, out=None):
    """The dot products of vectors along `dim`."""
    _none(out)
    return _C._linalg_vecdot(x, y, dim)


def multi_dot(tensors, *, out=None):
    """The product of matrices, in the order that takes the fewest steps."""
    _none(out)
    return _C._linalg_multi_dot(tensors)


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonal of matrices."""
    return A.diagonal(offset, dim1, dim2)


def vander(x, N=None):
    """The powers 0 to N − 1 of each number, along a new last dimension."""
    if N is not None and N <= 1:
        raise RuntimeError("N must be greater than 1.")
    powers = [_C.ones_like(x)]
    while len(powers) < (x.shape[-1] if N is None else N):
        powers.append(powers[-1] * x)
    return _C.stack(powers, -1)


def lu_solve(LU, pivots, B, *, left=True, adjoint=False, out=None):
    """X of A X = B (`left=False`: of X A = B, `adjoint`: of Aᵀ X = B), from what `lu_factor` gave of A."""
    _none(out)
    if left == adjoint:
        # X A = B is Aᵀ Xᵀ = Bᵀ.
        if not left:
            return lu_solve(LU, pivots, B.mT, adjoint=True).mT
        y = solve_triangular(LU.mT, B, upper=False)
        y = solve_triangular(LU.mT, y, upper=True, unitriangular=True)
        return _exchange(y, pivots, reversed)
    if not left:
        return lu_solve(LU, pivots, B.mT).mT
    y = solve_triangular(LU, _exchange(B, pivots, iter), upper=False, unitriangular=True)
    return solve_triangular(LU, y, upper=True)


def _exchange(x, pivots, order):
    """Rows exchanged as `pivots` say, one after the other."""
    n = x.shape[-2]
    rows = _C.arange(n).expand((*pivots.shape[:-1], n)).tolist()

    def run(rows, pivots):
        if isinstance(pivots[0], list):
            return [run(r, p) for r, p in zip(rows, pivots)]
        for i in order(range(len(pivots))):
            j = pivots[i] - 1
            rows[i], rows[j] = rows[j], rows[i]
        return rows

    index = _C.tensor(run(rows, pivots.tolist()))
    shape = _C.broadcast_tensors(x[..., 0], index)[1].shape
    return x.expand((*shape, x.shape[-1])).gather(-2, index.expand(shape).unsqueeze(-1).expand((*shape, x.shape[-1])))


def tensorinv(A, ind=2, *, out=None):
    """The inverse of a tensor whose first `ind` dimensions are taken for rows, and the others for columns."""
    _none(out)
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    rows, columns = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    return inv(A.flatten(0, ind - 1).flatten(1)).reshape((*columns, *rows))


def tensorsolve(A, B, dims=None, *, out=None):
    """X of `tensordot(A, X, X.dim()) = B`; `dims` of A are moved to its end first."""
    _none(out)
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(-len(dims), 0)))
    shape = tuple(A.shape[B.dim() :])
    return solve(A.reshape((B.numel(), -1)), B.reshape((-1,))).reshape(shape)


def _none(out):
    if out is not None:
        raise NotImplementedError("out= is not supported: a result is a new tensor")


def _pivoted(pivot):
    if not pivot:
        raise NotImplementedError("only pivot=True is supported: without pivots the decomposition need not exist")


def _upper(UPLO):
    if UPLO not in ("L", "U", "l", "u"):
        raise _C.ArgumentError(f"eigh: UPLO is 'L' or 'U', and not {UPLO!r}")
    return UPLO in "Uu"


def _float(x):
    return None if x is None else float(x)


def _as(x, dtype):
    return x if dtype is None else x.to(dtype)
