"""Distributions of numbers between two bounds."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C
from wengert._C import Tensor
from wengert.nn import functional as F

from . import constraints
from .discrete import Chances, inside
from .distribution import EULER, Distribution, together
from .exp_family import ExponentialFamily
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, PowerTransform
from .vectors import Dirichlet


class Uniform(Distribution):
    """p(x) = 1 / (high − low) between the two.

    >>> import wengert
    >>> wengert.distributions.Uniform(0.0, 2.0).log_prob(wengert.tensor(1.0))
    tensor(-0.6931)
    """

    arg_constraints = {"low": constraints.real, "high": constraints.real}
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = together(low, high)
        super().__init__(self.low.shape, (), validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ValueError("Uniform is not defined when low >= high")

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        """Between low and high."""
        return constraints.interval(self.low, self.high)

    @property
    def mean(self) -> Tensor:
        """(high + low) / 2."""
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        """There is none: NaN."""
        return _C.full_like(self.high.detach(), math.nan)

    @property
    def variance(self) -> Tensor:
        """(high − low)² / 12."""
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        return self.low + _C.rand(self._extended_shape(sample_shape), dtype=self.low.dtype) * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        value = self._checked(value)
        inside = (self.low <= value) & (self.high > value)
        return _C.where(inside, -(self.high - self.low).log(), -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return ((self._checked(value) - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        """log(high − low)."""
        return (self.high - self.low).log()


class Beta(ExponentialFamily):
    """p(x) ∝ xᵅ⁻¹ (1 − x)ᵝ⁻¹ on [0, 1].

    >>> import wengert
    >>> wengert.distributions.Beta(2.0, 2.0).log_prob(wengert.tensor(0.5))
    tensor(0.4055)
    """

    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    has_rsample = True
    _mean_carrier_measure = 0
    support = constraints.unit_interval  # type: ignore[assignment]

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = together(concentration1, concentration0)
        super().__init__(self.concentration1.shape, (), validate_args)

    def _dirichlet(self) -> Dirichlet:
        return Dirichlet(_C.stack([self.concentration1, self.concentration0], -1), validate_args=False)

    @property
    def mean(self) -> Tensor:
        """α / (α + β)."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> Tensor:
        """α β / ((α + β)² (α + β + 1))."""
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total**2 * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        return self._dirichlet().rsample(sample_shape)[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        value = self._checked(value)
        return self._dirichlet().log_prob(_C.stack([value, 1 - value], -1))

    def entropy(self) -> Tensor:
        """That of the `Dirichlet` of two."""
        return self._dirichlet().entropy()

    @property
    def _natural_params(self) -> tuple:
        return self.concentration1 - 1, self.concentration0 - 1

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        a, b = (p + 1 for p in natural_params)
        return a.lgamma() + b.lgamma() - (a + b).lgamma()


class Kumaraswamy(TransformedDistribution):
    """p(x) = a b xᵃ⁻¹ (1 − xᵃ)ᵇ⁻¹ on [0, 1]: much like `Beta`, with a simple `cdf`.

    >>> import wengert
    >>> wengert.distributions.Kumaraswamy(2.0, 1.0).log_prob(wengert.tensor(0.5))
    tensor(0.)
    """

    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval  # type: ignore[assignment]

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = a, b = together(concentration1, concentration0)
        zero = _C.zeros_like(b.detach())
        steps = [PowerTransform(1 / b), AffineTransform(1.0, -1.0), PowerTransform(1 / a)]
        super().__init__(Uniform(zero, zero + 1, False), steps, validate_args)

    def _moment(self, n: int) -> Tensor:
        b, t = self.concentration0, 1 + n / self.concentration1
        return b * (t.lgamma() + b.lgamma() - (t + b).lgamma()).exp()

    @property
    def mean(self) -> Tensor:
        """b B(1 + 1 / a, b)."""
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        """((a − 1) / (a b − 1))^(1 / a), where neither is below 1."""
        a, b = self.concentration1, self.concentration0
        return _C.where((a >= 1) & (b >= 1) & (a * b > 1), ((a - 1) / (a * b - 1)) ** (1 / a), math.nan)

    @property
    def variance(self) -> Tensor:
        """b B(1 + 2 / a, b) less the square of the mean."""
        return self._moment(2) - self._moment(1) ** 2

    def entropy(self) -> Tensor:
        """(1 − 1 / b) + (1 − 1 / a) (ψ(b + 1) + γ) − log a b."""
        a, b = self.concentration1, self.concentration0
        return (1 - 1 / b) + (1 - 1 / a) * ((b + 1).digamma() + EULER) - a.log() - b.log()


class ContinuousBernoulli(Chances, ExponentialFamily):
    """p(x) = C λˣ (1 − λ)¹⁻ˣ on [0, 1], with C = 2 atanh(1 − 2λ) / (1 − 2λ). λ is not the mean.

    Between the two `lims`, where C is 0 / 0, its Taylor series is taken. Source: Loaiza-Ganem and Cunningham, The Continuous
    Bernoulli: Fixing a Pervasive Error in Variational Autoencoders, 2019.

    >>> import wengert
    >>> wengert.distributions.ContinuousBernoulli(0.5).log_prob(wengert.tensor(0.3))
    tensor(0.)
    """

    has_rsample = True
    _mean_carrier_measure = 0
    support = constraints.unit_interval  # type: ignore[assignment]

    def __init__(
        self, probs: Any = None, logits: Any = None, lims: tuple = (0.499, 0.501), validate_args: bool | None = None
    ) -> None:
        self._lims = lims
        super().__init__(probs, logits, validate_args)

    def _split(self) -> tuple:
        """Whether λ is away from ½, such a λ, and how far λ is from ½."""
        p = inside(self.probs)
        away = (p <= self._lims[0]) | (p > self._lims[1])
        return away, _C.where(away, p, self._lims[0]), p - 0.5

    def _log_norm(self) -> Tensor:
        away, p, t = self._split()
        exact = ((-p).log1p() - p.log()).abs().log() - (1 - 2 * p).abs().log()
        return _C.where(away, exact, math.log(2) + (4 / 3 + 104 / 45 * t**2) * t**2)

    @property
    def mean(self) -> Tensor:
        """λ / (2λ − 1) + 1 / (2 atanh(1 − 2λ))."""
        away, p, t = self._split()
        return _C.where(away, p / (2 * p - 1) + 1 / ((-p).log1p() - p.log()), 0.5 + (1 / 3 + 16 / 45 * t**2) * t)

    @property
    def variance(self) -> Tensor:
        """λ (λ − 1) / (1 − 2λ)² + 1 / (2 atanh(1 − 2λ))²."""
        away, p, t = self._split()
        exact = p * (p - 1) / (1 - 2 * p) ** 2 + 1 / ((-p).log1p() - p.log()) ** 2
        return _C.where(away, exact, 1 / 12 - (1 / 15 - 128 / 945 * t**2) * t**2)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        return self.icdf(_C.rand(self._extended_shape(sample_shape), dtype=self.logits.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        logits, value = _C.broadcast_tensors(self.logits, self._checked(value))
        return self._log_norm() - F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        value = self._checked(value)
        away, p, _ = self._split()
        exact = (p**value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1)
        return _C.where(away, exact, value).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        away, p, _ = self._split()
        other = (-p).log1p()
        return _C.where(away, ((-p + value * (2 * p - 1)).log1p() - other) / (p.log() - other), value)

    def entropy(self) -> Tensor:
        """−m log(λ / (1 − λ)) − log(1 − λ) − log C, with the mean m."""
        return F.softplus(self.logits) - self.mean * self.logits - self._log_norm()

    @property
    def _natural_params(self) -> tuple:
        return (self.logits,)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        x = natural_params[0]
        away = x.abs() > 0.004
        far = _C.where(away, x, 1.0)
        return _C.where(away, (far.expm1() / far).log(), x / 2 + x**2 / 24 - x**4 / 2880)
