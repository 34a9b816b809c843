"""Linear algebra, with the functions and signatures of `torch.linalg`."""

from .. import _C
from .._C import LinAlgError, matrix_exp, matrix_power  # noqa: F401
from .._C import det, matmul, slogdet  # noqa: F401

_inf = float("inf")


def cholesky(input, *, upper=False, out=None):
    """The factor L of A = L Lᵀ (`upper`: U of A = Uᵀ U) of symmetric positive-definite matrices.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.cholesky(a)
    tensor([[2.0000, 0.0000],
            [1.0000, 1.4142]])
    """
    return _C.cholesky(input, upper, out=out)


def inv(A, *, out=None):
    """The inverse.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.inv(a)
    tensor([[ 0.3750, -0.2500],
            [-0.2500,  0.5000]])
    """
    _none(out)
    return _C._linalg_inv(A)


def solve(A, B, *, left=True, out=None):
    """X of A X = B (`left=False`: of X A = B).

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.solve(a, wengert.tensor([6.0, 5.0]))
    tensor([1., 1.])
    """
    _none(out)
    return _C._linalg_solve(A, B, left)


def solve_triangular(A, B, *, upper, left=True, unitriangular=False, out=None):
    """X of A X = B (`left=False`: of X A = B) for triangular A, of which only the triangle is read.

    >>> import wengert
    >>> wengert.linalg.solve_triangular(wengert.tensor([[2.0, 0.0], [1.0, 1.0]]), wengert.tensor([[2.0], [3.0]]), upper=False)
    tensor([[1.],
            [2.]])
    """
    _none(out)
    return _C._linalg_solve_triangular(A, B, upper, left, unitriangular)


def qr(A, mode="reduced", *, out=None):
    """Q with orthonormal columns and upper triangular R of A = Q R.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> q, r = wengert.linalg.qr(a)
    >>> wengert.allclose(q @ r, a, atol=1e-5)
    True
    """
    _none(out)
    return _C._linalg_qr(A, mode)


def lu(A, *, pivot=True, out=None):
    """P, L and U of A = P L U.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> p, l, u = wengert.linalg.lu(a)
    >>> wengert.allclose(p @ l @ u, a)
    True
    """
    _none(out)
    _pivoted(pivot)
    return _C._linalg_lu(A)


def lu_factor(A, *, pivot=True, out=None):
    """L and U of P A = L U in one matrix, and the exchanges of rows that are P.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.lu_factor(a).LU
    tensor([[4.0000, 2.0000],
            [0.5000, 2.0000]])
    """
    _none(out)
    _pivoted(pivot)
    return _C._linalg_lu_factor(A)


def lu_factor_ex(A, *, pivot=True, check_errors=False, out=None):
    """As `lu_factor`, and for each matrix the number, from 1 on, of its first pivot that is 0, or 0.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.lu_factor_ex(a).info
    tensor(0, dtype=int32)
    """
    LU, pivots = lu_factor(A, pivot=pivot, out=out)
    zeros = LU.detach().diagonal(dim1=-2, dim2=-1).eq(0)
    k = zeros.shape[-1]
    first = (zeros * _C.arange(k, 0, -1)).amax(-1) if k else zeros.sum(-1)
    info = _C.where(first > 0, k + 1 - first, 0).to(_C.int32)
    return _checked("lu_factor", _named("linalg_lu_factor_ex", ("LU", "pivots", "info"), (LU, pivots, info)), check_errors)


def lu_solve(LU, pivots, B, *, left=True, adjoint=False, out=None):
    """X of A X = B (`left=False`: of X A = B; `adjoint`: with Aᵀ for A) from what `lu_factor` gives for A.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> lu, pivots = wengert.linalg.lu_factor(a)
    >>> wengert.linalg.lu_solve(lu, pivots, wengert.tensor([[6.0], [5.0]]))
    tensor([[1.],
            [1.]])
    """
    _none(out)
    return _C._linalg_lu_solve(LU, pivots, B, left, adjoint)


def ldl_factor(A, *, hermitian=False, out=None):
    """L and D of A = P L D Lᵀ Pᵀ in one matrix, for symmetric A, of which the lower triangle is read, and the exchanges P.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.ldl_factor(a).LD
    tensor([[4.0000, 0.0000],
            [0.5000, 2.0000]])
    """
    _none(out)
    return _C._linalg_ldl_factor(A)


def ldl_factor_ex(A, *, hermitian=False, check_errors=False, out=None):
    """As `ldl_factor`, and for each matrix the number, from 1 on, of the first element of D that is 0, or 0.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.ldl_factor_ex(a).info
    tensor(0, dtype=int32)
    """
    _none(out)
    return _checked("ldl_factor", _C._linalg_ldl_factor_ex(A), check_errors)


def ldl_solve(LD, pivots, B, *, hermitian=False, out=None):
    """X of A X = B from what `ldl_factor` gives for A.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> ld, pivots = wengert.linalg.ldl_factor(a)
    >>> wengert.linalg.ldl_solve(ld, pivots, wengert.tensor([[6.0], [5.0]]))
    tensor([[1.],
            [1.]])
    """
    _none(out)
    return _C._linalg_ldl_solve(LD, pivots, B)


def cholesky_ex(A, *, upper=False, check_errors=False, out=None):
    """As `cholesky`, with no error, and for each matrix the order of its first leading minor that is not positive, or 0.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.cholesky_ex(a).info
    tensor(0, dtype=int32)
    """
    _none(out)
    y = _C._linalg_cholesky_ex(A.mT if upper else A)
    y = _named("linalg_cholesky_ex", ("L", "info"), (y.L.mT if upper else y.L, y.info))
    return _checked("cholesky", y, check_errors)


def inv_ex(A, *, check_errors=False, out=None):
    """As `inv`, with no error, and for each matrix the number, from 1 on, of its first pivot that is 0, or 0.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.inv_ex(a).info
    tensor(0, dtype=int32)
    """
    _none(out)
    return _checked("inv", _C._linalg_inv_ex(A), check_errors)


def solve_ex(A, B, *, left=True, check_errors=False, out=None):
    """As `solve`, with no error, and for each matrix the number, from 1 on, of its first pivot that is 0, or 0.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.solve_ex(a, wengert.tensor([6.0, 5.0])).result
    tensor([1., 1.])
    """
    _none(out)
    return _checked("solve", _C._linalg_solve_ex(A, B, left), check_errors)


def tensorinv(A, ind=2, *, out=None):
    """The inverse of a tensor as a linear map from its last dimensions to its first `ind`.

    >>> import wengert
    >>> wengert.linalg.tensorinv(wengert.eye(4).reshape(2, 2, 2, 2)).shape
    wengert.Size([2, 2, 2, 2])
    """
    _none(out)
    return _C._linalg_tensorinv(A, ind)


def tensorsolve(A, B, dims=None, *, out=None):
    """The X of `tensordot(A, X, X.ndim) = B`, where `dims` of A are moved to its end first.

    >>> import wengert
    >>> wengert.linalg.tensorsolve(wengert.eye(4).reshape(2, 2, 2, 2), wengert.ones(2, 2))
    tensor([[1., 1.],
            [1., 1.]])
    """
    _none(out)
    return _C._linalg_tensorsolve(A, B, dims)


def vander(x, N=None, *, out=None):
    """The matrix of the powers 0 to N − 1 of each element.

    >>> import wengert
    >>> wengert.linalg.vander(wengert.tensor([2.0, 3.0]), N=3)
    tensor([[1., 2., 4.],
            [1., 3., 9.]])
    """
    _none(out)
    if N is not None and N <= 1:
        raise _C.ArgumentError(f"vander: N must be greater than 1, and is {N}")
    x = x.reshape(1) if x.dim() == 0 else x
    return _C._linalg_vander(x, x.shape[-1] if N is None else N)


def householder_product(A, tau, *, out=None):
    """The first columns of the product of the reflections that the columns of A and `tau` are.

    >>> import wengert
    >>> h, tau = wengert.geqrf(wengert.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> q = wengert.linalg.householder_product(h, tau)
    >>> wengert.allclose(q.mT @ q, wengert.eye(2), atol=1e-6)
    True
    """
    _none(out)
    return _C._linalg_householder_product(A, tau)


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonals of matrices.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.diagonal(a)
    tensor([4., 3.])
    """
    return A.diagonal(offset, dim1, dim2)


def polar(A, *, out=None):
    """U with orthonormal columns and the symmetric H of A = U H.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> u, h = wengert.linalg.polar(a)
    >>> wengert.allclose(u @ h, a, atol=1e-5)
    True
    """
    _none(out)
    u, s, vh = svd(A, False)
    return _named("linalg_polar", ("U", "H"), (u @ vh, vh.mT @ (s.unsqueeze(-1) * vh)))


def matrix_sqrth(A, *, out=None):
    """The symmetric square root of symmetric positive-definite matrices.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> root = wengert.linalg.matrix_sqrth(a)
    >>> wengert.allclose(root @ root, a, atol=1e-5)
    True
    """
    _none(out)
    w, v = eigh(A)
    return (v * w.sqrt().unsqueeze(-2)) @ v.mT


def eigh(A, UPLO="L", *, out=None):
    """Eigenvalues, ascending, and orthonormal eigenvectors of symmetric matrices.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> values, vectors = wengert.linalg.eigh(a)
    >>> wengert.allclose(vectors * values @ vectors.mT, a, atol=1e-5)
    True
    """
    _none(out)
    return _C._linalg_eigh(A, _upper(UPLO))


def eigvalsh(A, UPLO="L", *, out=None):
    """Eigenvalues, ascending, of symmetric matrices.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.eigvalsh(a)
    tensor([1.4384, 5.5616])
    """
    _none(out)
    return _C._linalg_eigvalsh(A, _upper(UPLO))


def svd(A, full_matrices=True, *, driver=None, out=None):
    """U, the singular values, descending, and Vᵀ of A = U diag(S) Vᵀ.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> u, s, vh = wengert.linalg.svd(a)
    >>> wengert.allclose(u * s @ vh, a, atol=1e-5)
    True
    """
    _none(out)
    return _C._linalg_svd(A, full_matrices)


def svdvals(A, *, driver=None, out=None):
    """The singular values, descending.

    >>> import wengert
    >>> wengert.linalg.svdvals(wengert.diag(wengert.tensor([3.0, 4.0])))
    tensor([4., 3.])
    """
    _none(out)
    return _C._linalg_svdvals(A)


def pinv(A, rcond=None, *, atol=None, rtol=None, hermitian=False, out=None):
    """The pseudo-inverse. With `hermitian` only the lower triangle is read.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.pinv(a)
    tensor([[ 0.3750, -0.2500],
            [-0.2500,  0.5000]])
    """
    _none(out)
    A = _C._symmetric(A, False) if hermitian else A
    return _C._linalg_pinv(A, _float(atol), _float(rtol if rtol is not None else rcond))


def lstsq(A, B, rcond=None, *, driver=None):
    """X that makes ‖A X − B‖ smallest, the residuals, the rank and the singular values of A.

    By a QR decomposition or, where a matrix has not full rank, singular values, whatever `driver` says: so matrices of any rank are served. What LAPACK's driver of that name does not
    tell is empty, as in PyTorch: of "gelsy", the default, the residuals and the singular values; of "gels" the rank and the
    singular values.

    >>> import wengert
    >>> a = wengert.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> wengert.linalg.lstsq(a, wengert.tensor([[1.0], [3.0], [5.0]])).solution.round(decimals=4)
    tensor([[1.],
            [2.]])
    """
    driver = "gelsy" if driver is None else driver
    if driver not in ("gels", "gelsy", "gelsd", "gelss"):
        raise _C.ArgumentError(f"lstsq: driver is 'gels', 'gelsy', 'gelsd' or 'gelss', and not {driver!r}")
    y = _C._linalg_lstsq(A, B, _float(rcond), driver in ("gelsd", "gelss"))
    nothing = lambda t: t.reshape(-1)[:0]  # noqa: E731
    return type(y)(
        y.solution,
        nothing(y.residuals) if driver == "gelsy" else y.residuals,
        nothing(y.rank) if driver == "gels" else y.rank,
        y.singular_values,
    )


def matrix_rank(A, tol=None, *, atol=None, rtol=None, hermitian=False, out=None):
    """The number of singular values that are not as good as zero.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.matrix_rank(a)
    tensor(2)
    """
    _none(out)
    A = _C._symmetric(A, False) if hermitian else A
    if tol is not None:
        return _C._linalg_matrix_rank(A, _float(tol), 0.0)
    return _C._linalg_matrix_rank(A, _float(atol), _float(rtol))


def cond(A, p=None, *, out=None):
    """The condition number.

    >>> import wengert
    >>> wengert.linalg.cond(wengert.diag(wengert.tensor([4.0, 2.0])))
    tensor(2.)
    """
    _none(out)
    return _C._linalg_cond(A, 2.0 if p is None else p)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None):
    """The norm of vectors: (Σ |x|ᵖ)^(1/p).

    >>> import wengert
    >>> wengert.linalg.vector_norm(wengert.tensor([3.0, 4.0]))
    tensor(5.)
    """
    _none(out)
    return _C._linalg_vector_norm(_as(x, dtype), ord, dim, keepdim)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None, out=None):
    """The norm of matrices.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.matrix_norm(a)
    tensor(5.7446)
    """
    _none(out)
    return _C._linalg_matrix_norm(_as(A, dtype), ord, dim, keepdim)


def norm(A, ord=None, dim=None, keepdim=False, *, out=None, dtype=None):
    """The norm of vectors or of matrices, by how many dimensions it goes over.

    >>> import wengert
    >>> a = wengert.tensor([[4.0, 2.0], [2.0, 3.0]])
    >>> wengert.linalg.norm(a)
    tensor(5.7446)
    """
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
    """The cross product of vectors of three elements along `dim`.

    >>> import wengert
    >>> wengert.linalg.cross(wengert.tensor([1.0, 0.0, 0.0]), wengert.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    _none(out)
    return _C._linalg_cross(input, other, dim)


def vecdot(x, y, *, dim=-1, out=None):
    """The dot products of vectors along `dim`.

    >>> import wengert
    >>> wengert.linalg.vecdot(wengert.tensor([[1.0, 2.0]]), wengert.tensor([[3.0, 4.0]]))
    tensor([11.])
    """
    _none(out)
    return _C._linalg_vecdot(x, y, dim)


def multi_dot(tensors, *, out=None):
    """The product of matrices, in the order that takes the fewest steps.

    >>> import wengert
    >>> wengert.linalg.multi_dot([wengert.ones(2, 3), wengert.ones(3, 4), wengert.ones(4, 1)])
    tensor([[12.],
            [12.]])
    """
    _none(out)
    return _C._linalg_multi_dot(tensors)


_classes = {}


def _named(name, fields, values):
    """Several results with names."""
    if name not in _classes:
        import collections

        _classes[name] = collections.namedtuple(name, fields, module="wengert.return_types")
    return _classes[name](*values)


def _checked(op, y, check_errors):
    """What an operation without errors gave, or the error."""
    if check_errors and bool((y[-1] != 0).any()):
        raise LinAlgError(f"{op}: failed for a matrix, as info says: {y[-1].tolist()}")
    return y


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
