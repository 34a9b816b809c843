"""Maps that mix the elements of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C, finfo, linalg
from wengert._C import Tensor
from wengert._size import Size
from wengert.nn import functional as F

from .. import constraints
from ..constraints import independent
from .base import Fixed, at_least
from .scalar import inside


class SoftmaxTransform(Fixed):
    """y = exp(x) / Σ exp(x), onto the simplex. All x that differ by a constant give the same y.

    >>> import wengert
    >>> wengert.distributions.SoftmaxTransform()(wengert.zeros(2))
    tensor([0.5000, 0.5000])
    """

    domain, codomain = constraints.real_vector, constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def forward_shape(self, shape: Any) -> Size:
        """The same."""
        return at_least(shape, 1)

    inverse_shape = forward_shape


class StickBreakingTransform(Fixed):
    """n numbers onto the simplex of n + 1: yᵢ = zᵢ ∏ⱼ﹤ᵢ (1 − zⱼ) with zᵢ = sigmoid(xᵢ − log(n − i)), i from 0.

    >>> import wengert
    >>> wengert.distributions.StickBreakingTransform()(wengert.zeros(1))
    tensor([0.5000, 0.5000])
    """

    domain, codomain, bijective = constraints.real_vector, constraints.simplex, True

    def _shifted(self, x: Tensor) -> Tensor:
        return x - _C.arange(x.shape[-1], 0, -1, dtype=x.dtype).log()

    def _call(self, x: Tensor) -> Tensor:
        z = inside(self._shifted(x).sigmoid())
        return F.pad(z, (0, 1), value=1) * F.pad((1 - z).cumprod(-1), (1, 0), value=1)

    def _inverse(self, y: Tensor) -> Tensor:
        first = y[..., :-1]
        rest = (1 - first.cumsum(-1)).clamp(min=finfo(y.dtype).tiny)
        return first.log() - rest.log() + _C.arange(first.shape[-1], 0, -1, dtype=y.dtype).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Σ log yᵢ (1 − zᵢ)."""
        return (y[..., :-1].log() - F.softplus(self._shifted(x))).sum(-1)

    def forward_shape(self, shape: Any) -> Size:
        """One more."""
        return Size((*at_least(shape, 1)[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Any) -> Size:
        """One less."""
        return Size((*at_least(shape, 1)[:-1], shape[-1] - 1))


class LowerCholeskyTransform(Fixed):
    """Square matrices onto lower triangular ones with a positive diagonal: exp of the diagonal, 0 above it.

    >>> import wengert
    >>> wengert.distributions.LowerCholeskyTransform()(wengert.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """

    domain, codomain = independent(constraints.real, 2), constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + x.diagonal(0, -2, -1).exp().diag_embed()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + y.diagonal(0, -2, -1).log().diag_embed()


class PositiveDefiniteTransform(Fixed):
    """Square matrices onto positive definite ones: L Lᵀ, where L is what `LowerCholeskyTransform` gives.

    >>> import wengert
    >>> wengert.distributions.PositiveDefiniteTransform()(wengert.zeros(1, 1))
    tensor([[1.]])
    """

    domain, codomain = independent(constraints.real, 2), constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        factor = LowerCholeskyTransform()(x)
        return factor.matmul(factor.mT)

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform().inv(linalg.cholesky(y))


def _below(matrix: Tensor, diagonal: int) -> Tensor:
    """What is not above a diagonal, row after row, as a vector."""
    n = matrix.shape[-1]
    kept = [i * n + j for i in range(n) for j in range(i + diagonal + 1)]
    return matrix.flatten(-2).index_select(-1, _C.tensor(kept, dtype=_C.int64))


class CorrCholeskyTransform(Fixed):
    """n (n − 1) / 2 numbers onto the lower Cholesky factors of correlation matrices, whose rows have length 1.

    Row i is made of rⱼ = tanh xⱼ, j < i, by breaking a stick: yⱼ = rⱼ √∏ₖ﹤ⱼ (1 − rₖ²), and √∏ₖ (1 − rₖ²) on the diagonal.

    >>> import wengert
    >>> wengert.distributions.CorrCholeskyTransform()(wengert.zeros(1))
    tensor([[1., 0.],
            [0., 1.]])
    """

    domain, codomain, bijective = constraints.real_vector, constraints.corr_cholesky, True

    def _call(self, x: Tensor) -> Tensor:
        eps, n = finfo(x.dtype).eps, self.forward_shape(x.shape)[-1]
        r = F.pad(x.tanh().clamp(min=-1 + eps, max=1 - eps), (1, 0))
        places = [i * (i - 1) // 2 + j + 1 if j < i else 0 for i in range(n) for j in range(n)]
        r = r.index_select(-1, _C.tensor(places, dtype=_C.int64)).reshape((*tuple(x.shape)[:-1], n, n))
        left = F.pad((1 - r**2).sqrt().cumprod(-1)[..., :-1], (1, 0), value=1)
        return (r + _C.eye(n, dtype=x.dtype)) * left

    def _inverse(self, y: Tensor) -> Tensor:
        left = F.pad((1 - (y * y).cumsum(-1))[..., :-1], (1, 0), value=1)
        return (_below(y, -1) / _below(left, -1).sqrt()).atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Of the part of y below the diagonal."""
        left = _below(1 - (y * y).cumsum(-1), -2)
        return 0.5 * left.log().sum(-1) - 2 * (x + F.softplus(-2 * x) - math.log(2)).sum(-1)

    def forward_shape(self, shape: Any) -> Size:
        """(…, n (n − 1) / 2) to (…, n, n)."""
        count = at_least(shape, 1)[-1]
        n = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != count:
            raise ValueError(f"Input is not a flattened lower-diagonal number: {count} is not n (n - 1) / 2")
        return Size((*shape[:-1], n, n))

    def inverse_shape(self, shape: Any) -> Size:
        """(…, n, n) to (…, n (n − 1) / 2)."""
        n = at_least(shape, 2)[-1]
        if shape[-2] != n:
            raise ValueError(f"Input is not square: {tuple(shape)}")
        return Size((*shape[:-2], n * (n - 1) // 2))
