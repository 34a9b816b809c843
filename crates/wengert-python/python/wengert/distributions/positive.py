"""Distributions of positive numbers."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C, special
from wengert._C import Tensor
from wengert._modes import no_grad

from . import constraints
from .distribution import Distribution, together
from .draws import standard_gamma
from .real_line import Normal, _Located



class LogNormal(_Located):
    """exp of a `Normal` variable.

    >>> import wengert
    >>> wengert.distributions.LogNormal(0.0, 1.0).log_prob(wengert.tensor(1.0))
    tensor(-0.9189)
    """

    support = constraints.positive  # type: ignore[assignment]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        return self._normal().rsample(sample_shape).exp()

    def _normal(self) -> Normal:
        return Normal(self.loc, self.scale, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """exp(μ + σ² / 2)."""
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def mode(self) -> Tensor:
        """exp(μ − σ²)."""
        return (self.loc - self.scale**2).exp()

    @property
    def variance(self) -> Tensor:
        """(exp σ² − 1) exp(2μ + σ²)."""
        square = self.scale**2
        return square.expm1() * (2 * self.loc + square).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        value = self._checked(value).log()
        return self._normal().log_prob(value) - value

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return self._normal().cdf(self._checked(value).log())

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        return self._normal().icdf(value).exp()

    def entropy(self) -> Tensor:
        """That of the normal variable, and μ."""
        return self._normal().entropy() + self.loc


class HalfNormal(Distribution):
    """|x| of a `Normal` variable around 0.

    >>> import wengert
    >>> wengert.distributions.HalfNormal(1.0).log_prob(wengert.tensor(0.0))
    tensor(-0.2258)
    """

    arg_constraints = {"scale": constraints.positive}
    has_rsample = True
    support = constraints.nonnegative  # type: ignore[assignment]

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        (self.scale,) = together(scale)
        super().__init__(self.scale.shape, (), validate_args)

    def _normal(self) -> Normal:
        return Normal(_C.zeros_like(self.scale.detach()), self.scale, validate_args=False)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        return self._normal().rsample(sample_shape).abs()

    @property
    def mean(self) -> Tensor:
        """σ √(2 / π)."""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Tensor:
        """0."""
        return _C.zeros_like(self.scale)

    @property
    def variance(self) -> Tensor:
        """σ² (1 − 2 / π)."""
        return self.scale**2 * (1 - 2 / math.pi)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        log = self._normal().log_prob(self._checked(value)) + math.log(2)
        return _C.where(value >= 0, log, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return 2 * self._normal().cdf(self._checked(value)) - 1

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        return self._normal().icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        """That of the normal variable, less log 2."""
        return self._normal().entropy() - math.log(2)


class Exponential(Distribution):
    """p(x) = λ exp(−λ x).

    >>> import wengert
    >>> wengert.distributions.Exponential(2.0).log_prob(wengert.tensor(1.0))
    tensor(-1.3069)
    """

    arg_constraints = {"rate": constraints.positive}
    has_rsample = True
    support = constraints.nonnegative  # type: ignore[assignment]

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = together(rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """1 / λ."""
        return self.rate.reciprocal()

    @property
    def mode(self) -> Tensor:
        """0."""
        return _C.zeros_like(self.rate)

    @property
    def stddev(self) -> Tensor:
        """1 / λ."""
        return self.rate.reciprocal()

    @property
    def variance(self) -> Tensor:
        """1 / λ²."""
        return self.rate.pow(-2)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        return _C.empty(self._extended_shape(sample_shape), dtype=self.rate.dtype).exponential_() / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        return self.rate.log() - self.rate * self._checked(value)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return -(-self.rate * self._checked(value)).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        return -(-value).log1p() / self.rate

    def entropy(self) -> Tensor:
        """1 − log λ."""
        return 1 - self.rate.log()


class Gamma(Distribution):
    """p(x) = βᵅ xᵅ⁻¹ exp(−β x) / Γ(α). Gradients do not pass through its samples.

    >>> import wengert
    >>> wengert.distributions.Gamma(2.0, 1.0).log_prob(wengert.tensor(1.0))
    tensor(-1.)
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative  # type: ignore[assignment]

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = together(concentration, rate)
        super().__init__(self.concentration.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """α / β."""
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        """(α − 1) / β, at least 0."""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """α / β²."""
        return self.concentration / self.rate**2

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws without a gradient."""
        with no_grad():
            return standard_gamma(self.concentration.detach().expand(self._extended_shape(sample_shape))) / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        a, value = self.concentration, self._checked(value)
        return special.xlogy(a, self.rate) + special.xlogy(a - 1, value) - self.rate * value - a.lgamma()

    def entropy(self) -> Tensor:
        """α − log β + log Γ(α) + (1 − α) ψ(α)."""
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()


class Chi2(Gamma):
    """The sum of the squares of `df` standard normal variables.

    >>> import wengert
    >>> wengert.distributions.Chi2(2.0).log_prob(wengert.tensor(1.0))
    tensor(-1.1931)
    """

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        (self.df,) = together(df)
        super().__init__(0.5 * self.df, _C.full_like(self.df.detach(), 0.5), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Chi2":
        """The same distribution for a larger batch."""
        return Chi2(self.df.expand(tuple(batch_shape)), self._validate_args)
