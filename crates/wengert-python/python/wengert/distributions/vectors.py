"""Distributions of vectors."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C, broadcast_shapes, linalg, special
from wengert._C import Tensor
from wengert._modes import no_grad

from . import constraints
from .distribution import Distribution, together
from .draws import standard_gamma



class Dirichlet(Distribution):
    """Shares that sum to 1: p(x) ∝ ∏ xᵢ^(αᵢ − 1). Gradients do not pass through its samples.

    >>> import wengert
    >>> wengert.distributions.Dirichlet(wengert.ones(3)).log_prob(wengert.tensor([0.2, 0.3, 0.5]))
    tensor(0.6931)
    """

    arg_constraints = {"concentration": constraints.positive_vector}
    _event_dims = {"concentration": 1}
    support = constraints.simplex  # type: ignore[assignment]

    def __init__(self, concentration: Any, validate_args: bool | None = None) -> None:
        (self.concentration,) = together(concentration)
        if self.concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        shape = tuple(self.concentration.shape)
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self) -> Tensor:
        """αᵢ / Σ α."""
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def variance(self) -> Tensor:
        """m (1 − m) / (Σ α + 1), where m is the mean."""
        return self.mean * (1 - self.mean) / (self.concentration.sum(-1, keepdim=True) + 1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws without a gradient."""
        with no_grad():
            parts = standard_gamma(self.concentration.detach().expand(self._extended_shape(sample_shape)))
            return parts / parts.sum(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        a = self.concentration
        return special.xlogy(a - 1, self._checked(value)).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Tensor:
        """Σ log Γ(αᵢ) − log Γ(α₀) − (k − α₀) ψ(α₀) − Σ (αᵢ − 1) ψ(αᵢ)."""
        a = self.concentration
        whole = a.sum(-1)
        return (
            a.lgamma().sum(-1)
            - whole.lgamma()
            - (a.shape[-1] - whole) * whole.digamma()
            - ((a - 1) * a.digamma()).sum(-1)
        )


class MultivariateNormal(Distribution):
    """p(x) = exp(−½ (x − μ)ᵀ Σ⁻¹ (x − μ)) / √((2π)ⁿ det Σ), by Σ, its inverse, or its lower Cholesky factor.

    >>> import wengert
    >>> wengert.distributions.MultivariateNormal(wengert.zeros(2), wengert.eye(2)).log_prob(wengert.zeros(2))
    tensor(-1.8379)
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    _event_dims = {"loc": 1, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2}
    has_rsample = True
    support = constraints.real_vector  # type: ignore[assignment]

    def __init__(
        self,
        loc: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        given = [m for m in (covariance_matrix, precision_matrix, scale_tril) if m is not None]
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        if loc.dim() < 1 or given[0].dim() < 2:
            raise ValueError("loc must be at least one-dimensional, and the matrix at least two-dimensional")
        if precision_matrix is not None:
            covariance_matrix = precision_matrix.inverse()
        if scale_tril is None:
            scale_tril = covariance_matrix.cholesky()
        batch = broadcast_shapes(tuple(loc.shape)[:-1], tuple(scale_tril.shape)[:-2])
        n = loc.shape[-1]
        self.loc, self.scale_tril = loc.expand((*batch, n)), scale_tril.expand((*batch, n, n))
        super().__init__(batch, (n,), validate_args)

    @property
    def covariance_matrix(self) -> Tensor:
        """Σ."""
        return self.scale_tril.matmul(self.scale_tril.mT)

    @property
    def precision_matrix(self) -> Tensor:
        """Σ⁻¹."""
        return self.covariance_matrix.inverse()

    @property
    def mean(self) -> Tensor:
        """μ."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """μ."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The diagonal of Σ."""
        return (self.scale_tril**2).sum(-1)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        z = _C.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + self.scale_tril.matmul(z.unsqueeze(-1)).squeeze(-1)

    def _log_det(self) -> Tensor:
        return self.scale_tril.diagonal(0, -2, -1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        apart = (self._checked(value) - self.loc).unsqueeze(-1)
        factor = self.scale_tril.expand((*tuple(apart.shape)[:-2], *tuple(self.scale_tril.shape)[-2:]))
        z = linalg.solve_triangular(factor, apart, upper=False)
        return -0.5 * (self.event_shape[0] * math.log(2 * math.pi) + (z**2).sum((-2, -1))) - self._log_det()

    def entropy(self) -> Tensor:
        """½ n (1 + log 2π) + ½ log det Σ."""
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + self._log_det()
