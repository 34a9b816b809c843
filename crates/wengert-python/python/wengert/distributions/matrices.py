"""Distributions of matrices."""

from __future__ import annotations

import math
import warnings
from typing import Any

from wengert import _C, broadcast_shapes, finfo, linalg
from wengert._C import Tensor
from wengert._modes import no_grad

from . import constraints
from .distribution import Distribution, together
from .draws import standard_gamma
from .exp_family import ExponentialFamily
from .interval import Beta
from .vectors import OfFactor


class LKJCholesky(Distribution):
    """The lower Cholesky factor L of a correlation matrix of `dim` rows: the matrix M = L Lᵀ has p(M) ∝ (det M)^(η − 1), with
    the concentration η; at 1 all are as probable.

    Source: Lewandowski, Kurowicka and Joe, Generating Random Correlation Matrices Based on Vines and Extended Onion Method,
    2009; samples are made by their onion method.

    >>> import wengert
    >>> wengert.distributions.LKJCholesky(2, 1.0).log_prob(wengert.eye(2))
    tensor(-0.6931)
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky  # type: ignore[assignment]

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = together(concentration)
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws factors: row i has a direction, and a square length before the diagonal that is a `Beta` variable."""
        with no_grad():
            n, dtype = self.dim, self.concentration.dtype
            before = _C.arange(n - 1, dtype=dtype)
            rest = self.concentration.detach().unsqueeze(-1) + 0.5 * (n - 2) - 0.5 * before
            length = Beta(0.5 * before + 0.5, rest, False).sample(sample_shape)
            towards = _C.randn((*length.shape, n), dtype=dtype).tril()
            rows = towards / (towards**2).sum(-1, keepdim=True).sqrt() * length.sqrt().unsqueeze(-1)
            below = _C.cat([_C.zeros((*tuple(length.shape)[:-1], 1, n), dtype=dtype), rows], -2)
            last = (1 - (below**2).sum(-1)).clamp(min=finfo(dtype).tiny).sqrt()
            return below + last.diag_embed()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density: Σ (2 (η − 1) + n − i) log Lᵢᵢ, i from 1, less a constant."""
        diagonal = self._checked(value).diagonal(0, -2, -1)[..., 1:]
        n, m = self.dim, self.dim - 1
        order = 2 * (self.concentration - 1).unsqueeze(-1) + n - _C.arange(2, n + 1, dtype=self.concentration.dtype)
        half = self.concentration + 0.5 * m
        constant = 0.5 * m * math.log(math.pi) + (half - 0.5).mvlgamma(m) - m * half.lgamma()
        return (order * diagonal.log()).sum(-1) - constant


class Wishart(OfFactor, ExponentialFamily):
    """Σ xᵢ xᵢᵀ of ν normal vectors xᵢ of covariance Σ, for any ν > n − 1: the degrees of freedom `df`.

    >>> import wengert
    >>> wengert.distributions.Wishart(2.0, wengert.eye(2)).log_prob(wengert.eye(2))
    tensor(-3.5310)
    """

    has_rsample = True
    _mean_carrier_measure = 0
    support = constraints.positive_definite  # type: ignore[assignment]

    def __init__(
        self,
        df: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        factor = self._factor(validate_args, covariance_matrix, precision_matrix, scale_tril)
        df = df if isinstance(df, Tensor) else _C.tensor(float(df), dtype=factor.dtype)
        batch = broadcast_shapes(tuple(factor.shape)[:-2], tuple(df.shape))
        n = factor.shape[-1]
        self.df, self.scale_tril = df.expand(tuple(batch)), factor.expand((*batch, n, n))
        if bool((self.df <= n - 1).any()):
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {n - 1}.")
        if bool((self.df < n).any()):
            warnings.warn("Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.", stacklevel=2)
        super().__init__(batch, (n, n), validate_args)

    @property
    def arg_constraints(self) -> dict:  # type: ignore[override]
        """What parameters must be."""
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def _each(self, x: Tensor) -> Tensor:
        """A number for each matrix of the batch."""
        return x.unsqueeze(-1).unsqueeze(-1)

    @property
    def mean(self) -> Tensor:
        """ν Σ."""
        return self._each(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        """(ν − n − 1) Σ, where ν > n + 1."""
        factor = self.df - self.event_shape[-1] - 1
        return self._each(_C.where(factor > 0, factor, math.nan)) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        """ν (Σᵢⱼ² + Σᵢᵢ Σⱼⱼ)."""
        cov = self.covariance_matrix
        diagonal = cov.diagonal(0, -2, -1)
        return self._each(self.df) * (cov**2 + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters: by Bartlett's decomposition."""
        shape, n, dtype = self._extended_shape(sample_shape), self.event_shape[-1], self.scale_tril.dtype
        half = 0.5 * (self.df.unsqueeze(-1) - _C.arange(n, dtype=dtype))
        lengths = (2 * standard_gamma(half.expand(shape[:-1]))).sqrt().clamp(min=finfo(dtype).eps)
        factor = self.scale_tril.matmul(lengths.diag_embed() + _C.randn(shape, dtype=dtype).tril(-1))
        return factor.matmul(factor.mT)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        nu, n, value = self.df, self.event_shape[-1], self._checked(value)
        factor = self.scale_tril.expand(tuple(value.shape)) if value.dim() > self.scale_tril.dim() else self.scale_tril
        trace = _C.cholesky_solve(value, factor).diagonal(0, -2, -1).sum(-1)
        log_det = linalg.slogdet(value)[1]
        return 0.5 * ((nu - n - 1) * log_det - trace) - nu * (0.5 * n * math.log(2) + self._log_det()) - (nu / 2).mvlgamma(n)

    def entropy(self) -> Tensor:
        """(n + 1) (½ n log 2 + ½ log det Σ) + log Γₙ(ν / 2) − ½ (ν − n − 1) ψₙ(ν / 2) + ½ ν n."""
        nu, n = self.df, self.event_shape[-1]
        psi = (0.5 * (nu.unsqueeze(-1) - _C.arange(n, dtype=nu.dtype))).digamma().sum(-1)
        log = 0.5 * n * math.log(2) + self._log_det()
        return (n + 1) * log + (nu / 2).mvlgamma(n) - 0.5 * (nu - n - 1) * psi + 0.5 * nu * n

    @property
    def _natural_params(self) -> tuple:
        return -0.5 * self.precision_matrix, 0.5 * (self.df - self.event_shape[-1] - 1)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        first, second = natural_params
        n = self.event_shape[-1]
        half = second + 0.5 * (n + 1)
        return half.mvlgamma(n) - half * linalg.slogdet(-first)[1]
