"""The extension `linalg` of the array API standard."""

from .. import _C, _linear
from .. import linalg as _linalg
from .._C import det, matmul, matrix_power, outer, slogdet  # noqa: F401


def cholesky(x, /, *, upper=False):
    """The factor L of x = L Lᵀ, or U of x = Uᵀ U."""
    return _linalg.cholesky(x, upper=upper)


def cross(x1, x2, /, *, axis=-1):
    """The cross product of vectors of three elements along `axis`."""
    return _linalg.cross(x1, x2, dim=axis)


def diagonal(x, /, *, offset=0):
    """The diagonals of matrices."""
    return x.diagonal(offset, -2, -1)


def eigh(x, /):
    """Eigenvalues and eigenvectors of symmetric matrices."""
    return _linalg.eigh(x)


def eigvalsh(x, /):
    """Eigenvalues of symmetric matrices."""
    return _linalg.eigvalsh(x)


def inv(x, /):
    """The inverse."""
    return _linalg.inv(x)


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """The norm of matrices."""
    return _linalg.matrix_norm(x, ord, (-2, -1), keepdims)


def matrix_rank(x, /, *, rtol=None):
    """How many singular values are larger than `rtol` times the largest."""
    return _linalg.matrix_rank(x, rtol=rtol)


def matrix_transpose(x, /):
    """Matrices with rows and columns exchanged."""
    return x.mT


def pinv(x, /, *, rtol=None):
    """The pseudo-inverse."""
    return _linalg.pinv(x, rtol=rtol)


def qr(x, /, *, mode="reduced"):
    """Q with orthonormal columns and upper triangular R of x = Q R."""
    return _linalg.qr(x, mode)


def solve(x1, x2, /):
    """X of x1 X = x2; `x2` is a vector only where it has one dimension."""
    if x2.ndim == 1:
        return _linalg.solve(x1, x2.unsqueeze(-1)).squeeze(-1)
    batch = _C.broadcast_tensors(x1[..., :1, :1], x2[..., :1, :1])[0].shape[:-2]
    return _linalg.solve(x1.expand((*batch, *x1.shape[-2:])), x2.expand((*batch, *x2.shape[-2:])))


def svd(x, /, *, full_matrices=True):
    """U, the singular values, and Vᵀ."""
    return _linalg.svd(x, full_matrices)


def svdvals(x, /):
    """The singular values."""
    return _linalg.svdvals(x)


def tensordot(x1, x2, /, *, axes=2):
    """The product over `axes` dimensions: a number of them, or a list for each side."""
    return _linear.tensordot(x1, x2, axes)


def trace(x, /, *, offset=0, dtype=None):
    """The sum of the diagonals of matrices.

    >>> import wengert
    >>> wengert.array_api.linalg.trace(wengert.ones(2, 3, 3))
    tensor([3., 3.])
    """
    return _C.sum(x.diagonal(offset, -2, -1), -1, dtype=dtype)


def vecdot(x1, x2, /, *, axis=-1):
    """The dot products of vectors along `axis`."""
    return _linalg.vecdot(x1, x2, dim=axis)


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """The norm of vectors: (Σ |x|ᵖ)^(1/p); without an axis, of all elements."""
    if axis is None and keepdims:
        return _linalg.vector_norm(x.reshape(-1), ord).reshape((1,) * x.ndim)
    return _linalg.vector_norm(x, ord, axis, keepdims)
