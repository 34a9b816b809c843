"""Ways to compute weights: PyTorch's `torch.nn.utils.parametrizations`."""

from __future__ import annotations

from typing import Any

from wengert import _C, linalg
from wengert._C import Tensor
from wengert._modes import no_grad

from ..modules.module import Module
from .parametrize import register_parametrization
from .weight_norm import _norm_except

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / _norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple:
        return _norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """A weight g v / ‖v‖, whose length g and direction v are trained.

    Source: Salimans and Kingma, Weight Normalization, 2016.
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")
        self.dim, self.eps, self.n_power_iterations = dim % weight.dim(), eps, n_power_iterations
        if weight.dim() > 1:
            with no_grad():
                matrix = self._matrix(weight.detach())
                rows, columns = matrix.shape
                self.register_buffer("_u", self._unit(_C.randn(rows, dtype=weight.dtype)))
                self.register_buffer("_v", self._unit(_C.randn(columns, dtype=weight.dtype)))
                self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).flatten(1)

    def _unit(self, x: Tensor) -> Tensor:
        return x / (x * x).sum().sqrt().clamp(min=self.eps)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        for _ in range(times):
            self._u = self._unit(matrix.mv(self._v))
            self._v = self._unit(matrix.t().mv(self._u))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() == 1:
            return self._unit(weight)
        matrix = self._matrix(weight)
        if self.training:
            with no_grad():
                self._iterate(matrix.detach(), self.n_power_iterations)
        return weight / self._u.dot(matrix.mv(self._v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """A weight over its largest singular value, which power iterations follow while the model is trained.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018.
    """
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{type(module).__name__}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


class _Orthogonal(Module):
    """A matrix whose columns (or rows, where there are fewer) are orthonormal, from one that is any.

    Q = B f(X), where f gives the product of the reflections that the columns of X below the diagonal are ("householder"), the
    exponential of the skew-symmetric part eᴬ, A = L − Lᵀ ("matrix_exp"), or (1 + A/2)(1 − A/2)⁻¹ ("cayley"), and B is fixed.
    """

    def __init__(self, weight: Tensor, way: str, use_trivialization: bool) -> None:
        super().__init__()
        self.way, self.shape = way, tuple(weight.shape)
        if use_trivialization:
            self.register_buffer("base", None)

    def _map(self, x: Tensor) -> Tensor:
        n, k = x.shape[-2:]
        if self.way == "householder":
            below = x.tril(-1)
            tau = 2.0 / (1.0 + (below * below).sum(-2))
            signs = x.detach().diagonal(dim1=-2, dim2=-1).sign()
            return linalg.householder_product(below, tau) * signs.unsqueeze(-2)
        x = x.tril()
        if n != k:
            x = _C.cat([x, x.new_zeros((*x.shape[:-2], n, n - k))], -1)
        skew = x - x.mT
        if self.way == "matrix_exp":
            q = _C.matrix_exp(skew)
        else:
            one = _C.eye(n, dtype=x.dtype)
            q = linalg.solve(one - 0.5 * skew, one + 0.5 * skew)
        return q if n == k else q[..., :k]

    def forward(self, weight: Tensor) -> Tensor:
        wide = weight.shape[-2] < weight.shape[-1]
        q = self._map(weight.mT if wide else weight)
        base = getattr(self, "base", None)
        if base is not None:
            q = base @ q
        return q.mT if wide else q

    def right_inverse(self, value: Tensor) -> Tensor:
        if tuple(value.shape) != self.shape:
            raise ValueError(f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {tuple(value.shape)}.")
        wide = value.shape[-2] < value.shape[-1]
        q = value.mT if wide else value
        n, k = q.shape[-2:]
        if not hasattr(self, "base"):
            if self.way != "householder":
                raise NotImplementedError(
                    "the exponential and Cayley's map cannot be inverted here: keep use_trivialization=True to assign to this parametrization"
                )
            a, tau = _C.geqrf(q)
            signs = a.diagonal(dim1=-2, dim2=-1).sign()
            # A reflection that is none (tau = 0) is made one by `_map`.
            signs = _C.where(tau == 0, -signs, signs)
            a = _C.where(_C.eye(n, k) != 0, signs.unsqueeze(-2), a)
            return a.mT if wide else a
        if n != k:
            q = _C.cat([q, _C.randn(*q.shape[:-1], n - k).to(q.dtype)], -1)
        if n != k or not self._is_orthogonal(q):
            q, r = linalg.qr(q)
            q = q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
        self.base = q.clone()
        # What `_map` makes the first columns of the unit matrix: so that B itself is the value.
        return _C.eye(*self.shape[-2:], dtype=value.dtype).neg().expand(*self.shape).clone()

    @staticmethod
    def _is_orthogonal(q: Tensor) -> bool:
        error = q.mT @ q - _C.eye(q.shape[-1], dtype=q.dtype)
        eps = 10.0 * q.shape[-1] * (2.0**-52 if q.dtype is _C.float64 else 2.0**-23)
        return bool((error.abs() <= eps).all())


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """A weight with orthonormal columns, or rows where there are fewer: QᵀQ = 1 whatever the optimizer does.

    `orthogonal_map` says how it is made of any matrix: "matrix_exp" (for square ones), "cayley", or "householder" (for
    others). With `use_trivialization` it is a product with a fixed base, so that any value can be assigned.

    >>> import wengert
    >>> layer = wengert.nn.utils.parametrizations.orthogonal(wengert.nn.Linear(3, 2))
    >>> wengert.allclose(layer.weight @ layer.weight.T, wengert.eye(2), atol=1e-6)
    True

    Source: Lezcano-Casado, Trivializations for Gradient-Based Optimization on Manifolds, 2019.
    """
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{type(module).__name__}' has no parameter or buffer with name '{name}'")
    if weight.dim() < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}')
    return register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)
