"""Distributions of vectors."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C, broadcast_shapes, linalg, special
from wengert._C import Tensor
from wengert.nn import functional as F

from . import constraints
from .distribution import Distribution, expect, together
from .draws import standard_gamma
from .exp_family import ExponentialFamily
from .real_line import Normal
from .transformed_distribution import TransformedDistribution
from .transforms import StickBreakingTransform


class Dirichlet(ExponentialFamily):
    """Shares that sum to 1: p(x) ∝ ∏ xᵢ^(αᵢ − 1).

    >>> import wengert
    >>> wengert.distributions.Dirichlet(wengert.ones(3)).log_prob(wengert.tensor([0.2, 0.3, 0.5]))
    tensor(0.6931)
    """

    arg_constraints = {"concentration": constraints.positive_vector}
    has_rsample = True
    _mean_carrier_measure = 0
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

    @property
    def mode(self) -> Tensor:
        """(αᵢ − 1) / Σ (α − 1), with αᵢ at least 1; where all are below, 1 at the largest."""
        above = (self.concentration - 1).clamp(min=0)
        most = F.one_hot(self.concentration.argmax(-1), self.event_shape[0]).to(above.dtype)
        total = above.sum(-1, keepdim=True)
        return _C.where((self.concentration < 1).all(-1).unsqueeze(-1), most, above / total)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        parts = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))
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

    @property
    def _natural_params(self) -> tuple:
        return (self.concentration - 1,)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        a = natural_params[0] + 1
        return a.lgamma().sum(-1) - a.sum(-1).lgamma()


class OfFactor(Distribution):
    """Distributions of a positive definite matrix Σ, kept as its lower Cholesky factor."""

    scale_tril: Tensor

    def _factor(self, validate_args: bool | None, covariance_matrix: Any, precision_matrix: Any, scale_tril: Any) -> Tensor:
        """The factor, by the one of the three matrices that is given."""
        matrices = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
        given = {name: matrix for name, matrix in matrices.items() if matrix is not None}
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        if self._validate_args if validate_args is None else validate_args:
            expect(self, name, constraints.lower_cholesky if name == "scale_tril" else constraints.positive_definite, matrix)
        if name == "scale_tril":
            return matrix
        return (matrix.inverse() if name == "precision_matrix" else matrix).cholesky()

    @property
    def covariance_matrix(self) -> Tensor:
        """Σ."""
        return self.scale_tril.matmul(self.scale_tril.mT)

    @property
    def precision_matrix(self) -> Tensor:
        """Σ⁻¹."""
        return self.covariance_matrix.inverse()

    def _log_det(self) -> Tensor:
        """½ log det Σ."""
        return self.scale_tril.diagonal(0, -2, -1).log().sum(-1)


class MultivariateNormal(OfFactor):
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
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        scale_tril = self._factor(validate_args, covariance_matrix, precision_matrix, scale_tril)
        batch = broadcast_shapes(tuple(loc.shape)[:-1], tuple(scale_tril.shape)[:-2])
        n = loc.shape[-1]
        self.loc, self.scale_tril = loc.expand((*batch, n)), scale_tril.expand((*batch, n, n))
        super().__init__(batch, (n,), validate_args)

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

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        apart = (self._checked(value) - self.loc).unsqueeze(-1)
        factor = self.scale_tril.expand((*tuple(apart.shape)[:-2], *tuple(self.scale_tril.shape)[-2:]))
        z = linalg.solve_triangular(factor, apart, upper=False)
        return -0.5 * (self.event_shape[0] * math.log(2 * math.pi) + (z**2).sum((-2, -1))) - self._log_det()

    def entropy(self) -> Tensor:
        """½ n (1 + log 2π) + ½ log det Σ."""
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + self._log_det()


class LowRankMultivariateNormal(Distribution):
    """As `MultivariateNormal` with Σ = W Wᵀ + D, by the factor W and the diagonal of D.

    Determinant and inverse are those of the small matrix C = I + Wᵀ D⁻¹ W: det Σ = det C det D, and
    Σ⁻¹ = D⁻¹ − D⁻¹ W C⁻¹ Wᵀ D⁻¹.

    >>> import wengert
    >>> zeros, ones = wengert.zeros(2), wengert.ones(2)
    >>> wengert.distributions.LowRankMultivariateNormal(zeros, wengert.zeros(2, 1), ones).log_prob(zeros)
    tensor(-1.8379)
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.positive_vector,
    }
    has_rsample = True
    support = constraints.real_vector  # type: ignore[assignment]

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        if cov_factor.dim() < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        n = loc.shape[-1]
        if cov_factor.shape[-2] != n:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {n} x m, and is {tuple(cov_factor.shape)}")
        if tuple(cov_diag.shape)[-1:] != (n,):
            raise ValueError(f"cov_diag must be a batch of vectors with shape {(n,)}, and is {tuple(cov_diag.shape)}")
        shapes = tuple(loc.shape), tuple(cov_factor.shape), tuple(cov_diag.shape)
        try:
            batch = tuple(broadcast_shapes(shapes[0][:-1], shapes[1][:-2], shapes[2][:-1]))
        except RuntimeError as e:
            raise ValueError("Incompatible batch shapes: loc {}, cov_factor {}, cov_diag {}".format(*shapes)) from e
        self.loc, self.cov_diag = loc.expand((*batch, n)), cov_diag.expand((*batch, n))
        self.cov_factor = cov_factor.expand((*batch, *shapes[1][-2:]))
        super().__init__(batch, (n,), validate_args)

    def _scaled(self) -> tuple:
        """D^(−½) W, and the Cholesky factor of C."""
        w = self.cov_factor / self.cov_diag.sqrt().unsqueeze(-1)
        return w, (w.mT.matmul(w) + _C.eye(w.shape[-1], dtype=w.dtype)).cholesky()

    @property
    def covariance_matrix(self) -> Tensor:
        """Σ."""
        return self.cov_factor.matmul(self.cov_factor.mT) + self.cov_diag.diag_embed()

    @property
    def precision_matrix(self) -> Tensor:
        """Σ⁻¹."""
        w, factor = self._scaled()
        root = self.cov_diag.rsqrt()
        part = linalg.solve_triangular(factor, (w * root.unsqueeze(-1)).mT, upper=False)
        return self.cov_diag.reciprocal().diag_embed() - part.mT.matmul(part)

    @property
    def scale_tril(self) -> Tensor:
        """The lower Cholesky factor of Σ."""
        w, _ = self._scaled()
        return self.cov_diag.sqrt().unsqueeze(-1) * (w.matmul(w.mT) + _C.eye(w.shape[-2], dtype=w.dtype)).cholesky()

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
        return (self.cov_factor**2).sum(-1) + self.cov_diag

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        shape = self._extended_shape(sample_shape)
        few = _C.randn((*shape[:-1], self.cov_factor.shape[-1], 1), dtype=self.loc.dtype)
        each = _C.randn(shape, dtype=self.loc.dtype)
        return self.loc + self.cov_factor.matmul(few).squeeze(-1) + self.cov_diag.sqrt() * each

    def _log_det(self) -> Tensor:
        """½ log det Σ."""
        return self._scaled()[1].diagonal(0, -2, -1).log().sum(-1) + 0.5 * self.cov_diag.log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        w, factor = self._scaled()
        z = (self._checked(value) - self.loc) / self.cov_diag.sqrt()
        shared = w.mT.matmul(z.unsqueeze(-1))
        factor = factor.expand((*tuple(shared.shape)[:-2], *tuple(factor.shape)[-2:]))
        part = linalg.solve_triangular(factor, shared, upper=False)
        square = (z**2).sum(-1) - (part**2).sum((-2, -1))
        return -0.5 * (self.event_shape[0] * math.log(2 * math.pi) + square) - self._log_det()

    def entropy(self) -> Tensor:
        """½ n (1 + log 2π) + ½ log det Σ."""
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + self._log_det()


class LogisticNormal(TransformedDistribution):
    """What `StickBreakingTransform` makes of n `Normal` variables: n + 1 shares that sum to 1.

    >>> import wengert
    >>> wengert.distributions.LogisticNormal(wengert.zeros(1), 1.0).log_prob(wengert.tensor([0.5, 0.5]))
    tensor(0.4674)
    """

    arg_constraints = {"loc": constraints.real_vector, "scale": constraints.positive_vector}
    support = constraints.simplex  # type: ignore[assignment]

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        loc, scale = together(loc, scale)
        self.loc, self.scale = (p.expand((1,)) if p.dim() == 0 else p for p in (loc, scale))
        super().__init__(Normal(self.loc, self.scale, False), StickBreakingTransform(), validate_args)
