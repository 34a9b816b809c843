"""Distributions of positive numbers."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C, finfo, special
from wengert._C import Tensor

from . import constraints
from .distribution import EULER, Distribution, together
from .draws import standard_gamma
from .exp_family import ExponentialFamily
from .real_line import Cauchy, Normal
from .transformed_distribution import TransformedDistribution
from .transforms import AbsTransform, AffineTransform, ExpTransform, PowerTransform


class LogNormal(TransformedDistribution):
    """exp of a `Normal` variable.

    >>> import wengert
    >>> wengert.distributions.LogNormal(0.0, 1.0).log_prob(wengert.tensor(1.0))
    tensor(-0.9189)
    """

    arg_constraints = Normal.arg_constraints
    support = constraints.positive  # type: ignore[assignment]

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = together(loc, scale)
        super().__init__(Normal(self.loc, self.scale, False), ExpTransform(), validate_args)

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

    def entropy(self) -> Tensor:
        """That of the normal variable, and μ."""
        return self.base_dist.entropy() + self.loc


class _Half(TransformedDistribution):
    """|x| of a variable that is symmetric around 0."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative  # type: ignore[assignment]
    _whole: type

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        (self.scale,) = together(scale)
        super().__init__(self._whole(_C.zeros_like(self.scale.detach()), self.scale, False), AbsTransform(), validate_args)

    @property
    def mode(self) -> Tensor:
        """0."""
        return _C.zeros_like(self.scale)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        log = self.base_dist.log_prob(self._checked(value)) + math.log(2)
        return _C.where(value >= 0, log, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return 2 * self.base_dist.cdf(self._checked(value)) - 1

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        """That of the whole variable, less log 2."""
        return self.base_dist.entropy() - math.log(2)


class HalfNormal(_Half):
    """|x| of a `Normal` variable around 0.

    >>> import wengert
    >>> wengert.distributions.HalfNormal(1.0).log_prob(wengert.tensor(0.0))
    tensor(-0.2258)
    """

    _whole = Normal

    @property
    def mean(self) -> Tensor:
        """σ √(2 / π)."""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        """σ² (1 − 2 / π)."""
        return self.scale**2 * (1 - 2 / math.pi)


class HalfCauchy(_Half):
    """|x| of a `Cauchy` variable around 0: p(x) = 2 / (π γ (1 + (x / γ)²)).

    >>> import wengert
    >>> wengert.distributions.HalfCauchy(1.0).log_prob(wengert.tensor(0.0))
    tensor(-0.4516)
    """

    _whole = Cauchy

    @property
    def mean(self) -> Tensor:
        """Infinite."""
        return _C.full_like(self.scale.detach(), math.inf)

    @property
    def variance(self) -> Tensor:
        """Infinite."""
        return self.base_dist.variance


class Exponential(ExponentialFamily):
    """p(x) = λ exp(−λ x).

    >>> import wengert
    >>> wengert.distributions.Exponential(2.0).log_prob(wengert.tensor(1.0))
    tensor(-1.3069)
    """

    arg_constraints = {"rate": constraints.positive}
    has_rsample = True
    _mean_carrier_measure = 0
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

    @property
    def _natural_params(self) -> tuple:
        return (-self.rate,)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        return -(-natural_params[0]).log()


class Gamma(ExponentialFamily):
    """p(x) = βᵅ xᵅ⁻¹ exp(−β x) / Γ(α).

    >>> import wengert
    >>> wengert.distributions.Gamma(2.0, 1.0).log_prob(wengert.tensor(1.0))
    tensor(-1.)
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    has_rsample = True
    _mean_carrier_measure = 0
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

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        tiny = finfo(self.rate.dtype).tiny
        return (standard_gamma(self.concentration.expand(self._extended_shape(sample_shape))) / self.rate).clamp(min=tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        a, value = self.concentration, self._checked(value)
        return special.xlogy(a, self.rate) + special.xlogy(a - 1, value) - self.rate * value - a.lgamma()

    def entropy(self) -> Tensor:
        """α − log β + log Γ(α) + (1 − α) ψ(α)."""
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()

    @property
    def _natural_params(self) -> tuple:
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        a, b = natural_params[0] + 1, -natural_params[1]
        return a.lgamma() - a * b.log()


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


class InverseGamma(TransformedDistribution):
    """1 / x of a `Gamma` variable: p(x) = βᵅ x^(−α − 1) exp(−β / x) / Γ(α).

    >>> import wengert
    >>> wengert.distributions.InverseGamma(2.0, 1.0).log_prob(wengert.tensor(1.0))
    tensor(-1.)
    """

    arg_constraints = Gamma.arg_constraints
    support = constraints.positive  # type: ignore[assignment]

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = together(concentration, rate)
        turned = PowerTransform(_C.full((), -1.0, dtype=self.rate.dtype))
        super().__init__(Gamma(self.concentration, self.rate, False), turned, validate_args)

    @property
    def mean(self) -> Tensor:
        """β / (α − 1), where α > 1; else infinite."""
        return _C.where(self.concentration > 1, self.rate / (self.concentration - 1), math.inf)

    @property
    def mode(self) -> Tensor:
        """β / (α + 1)."""
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        """β² / ((α − 1)² (α − 2)), where α > 2; else infinite."""
        a = self.concentration
        return _C.where(a > 2, self.rate**2 / ((a - 1) ** 2 * (a - 2)), math.inf)

    def entropy(self) -> Tensor:
        """α + log β + log Γ(α) − (1 + α) ψ(α)."""
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()


class FisherSnedecor(Distribution):
    """(x₁ / d₁) / (x₂ / d₂) of two `Chi2` variables with d₁ and d₂ degrees of freedom.

    >>> import wengert
    >>> wengert.distributions.FisherSnedecor(2.0, 2.0).log_prob(wengert.tensor(1.0))
    tensor(-1.3863)
    """

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    has_rsample = True
    support = constraints.positive  # type: ignore[assignment]

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = together(df1, df2)
        super().__init__(self.df1.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """d₂ / (d₂ − 2), where d₂ > 2."""
        return _C.where(self.df2 > 2, self.df2 / (self.df2 - 2), math.nan)

    @property
    def mode(self) -> Tensor:
        """(d₁ − 2) / d₁ · d₂ / (d₂ + 2), where d₁ > 2."""
        return _C.where(self.df1 > 2, (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2), math.nan)

    @property
    def variance(self) -> Tensor:
        """2 d₂² (d₁ + d₂ − 2) / (d₁ (d₂ − 2)² (d₂ − 4)), where d₂ > 4."""
        n, m = self.df1, self.df2
        return _C.where(m > 4, 2 * m**2 * (n + m - 2) / (n * (m - 2) ** 2 * (m - 4)), math.nan)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        shape = self._extended_shape(sample_shape)
        above, below = (standard_gamma((0.5 * d).expand(shape)) / d for d in (self.df1, self.df2))
        tiny = finfo(above.dtype).tiny
        return (above / below.clamp(min=tiny)).clamp(min=tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        n, m, ratio, value = self.df1 / 2, self.df2 / 2, self.df1 / self.df2, self._checked(value)
        log_beta = n.lgamma() + m.lgamma() - (n + m).lgamma()
        return n * ratio.log() + (n - 1) * value.log() - (n + m) * (ratio * value).log1p() - log_beta


class Weibull(TransformedDistribution):
    """p(x) = k / λ (x / λ)ᵏ⁻¹ exp(−(x / λ)ᵏ), with the scale λ and the concentration k.

    >>> import wengert
    >>> wengert.distributions.Weibull(1.0, 1.0).log_prob(wengert.tensor(1.0))
    tensor(-1.)
    """

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive  # type: ignore[assignment]

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = together(scale, concentration)
        steps = [PowerTransform(1 / self.concentration), AffineTransform(0.0, self.scale)]
        super().__init__(Exponential(_C.ones_like(self.scale.detach()), False), steps, validate_args)

    def _moment(self, n: int) -> Tensor:
        return self.scale**n * (1 + n / self.concentration).lgamma().exp()

    @property
    def mean(self) -> Tensor:
        """λ Γ(1 + 1 / k)."""
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        """λ (1 − 1 / k)^(1 / k), and 0 where k < 1."""
        k = self.concentration
        return self.scale * (1 - 1 / k).clamp(min=0) ** (1 / k)

    @property
    def variance(self) -> Tensor:
        """λ² (Γ(1 + 2 / k) − Γ(1 + 1 / k)²)."""
        return self._moment(2) - self._moment(1) ** 2

    def entropy(self) -> Tensor:
        """γ (1 − 1 / k) + log λ / k + 1."""
        return EULER * (1 - 1 / self.concentration) + (self.scale / self.concentration).log() + 1


class Pareto(TransformedDistribution):
    """p(x) = α mᵅ / xᵅ⁺¹ for x not below the scale m.

    >>> import wengert
    >>> wengert.distributions.Pareto(1.0, 2.0).log_prob(wengert.tensor(1.0))
    tensor(0.6931)
    """

    arg_constraints = {"scale": constraints.positive, "alpha": constraints.positive}

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = together(scale, alpha)
        steps = [ExpTransform(), AffineTransform(0.0, self.scale)]
        super().__init__(Exponential(self.alpha, False), steps, validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """From m on."""
        return constraints.greater_than_eq(self.scale)

    @property
    def mean(self) -> Tensor:
        """α m / (α − 1), where α > 1; else infinite."""
        return _C.where(self.alpha > 1, self.alpha * self.scale / (self.alpha - 1), math.inf)

    @property
    def mode(self) -> Tensor:
        """m."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """α m² / ((α − 1)² (α − 2)), where α > 2; else infinite."""
        a = self.alpha
        return _C.where(a > 2, self.scale**2 * a / ((a - 1) ** 2 * (a - 2)), math.inf)

    def entropy(self) -> Tensor:
        """log m / α + 1 + 1 / α."""
        return (self.scale / self.alpha).log() + 1 + 1 / self.alpha


class GeneralizedPareto(Distribution):
    """p(x) = (1 + ξ z)^(−1 / ξ − 1) / σ with z = (x − μ) / σ, and exp(−z) / σ where the concentration ξ is 0.

    >>> import wengert
    >>> wengert.distributions.GeneralizedPareto(0.0, 1.0, 0.5).log_prob(wengert.tensor(1.0))
    tensor(-1.2164)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = together(loc, scale, concentration)
        super().__init__(self.loc.shape, (), validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """From μ on, to μ − σ / ξ where ξ < 0."""
        upper = self.loc - self.scale / self.concentration
        return constraints.interval(self.loc, _C.where(self.concentration < 0, upper, math.inf))

    def _split(self) -> tuple:
        """Where ξ is near 0 and two terms of a series are taken, and ξ with 1 there."""
        zero = self.concentration.abs() <= 1e-8
        return zero, _C.where(zero, 1.0, self.concentration)

    @property
    def mean(self) -> Tensor:
        """μ + σ / (1 − ξ), where ξ < 1."""
        return _C.where(self.concentration < 1, self.loc + self.scale / (1 - self.concentration), math.nan)

    @property
    def mode(self) -> Tensor:
        """μ."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """σ² / ((1 − ξ)² (1 − 2 ξ)), where ξ < ½."""
        c = self.concentration
        return _C.where(c < 0.5, self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c)), math.nan)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        return self.icdf(_C.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_survival_function(self, value: Tensor) -> Tensor:
        """log P(x > value): −log(1 + ξ z) / ξ."""
        z = (self._checked(value) - self.loc) / self.scale
        zero, c = self._split()
        return -_C.where(zero, z - 0.5 * self.concentration * z**2, (c * z).log1p() / c)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        return (1 + self.concentration) * self.log_survival_function(value) - self.scale.log()

    def log_cdf(self, value: Tensor) -> Tensor:
        """The logarithm of the `cdf`."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return -self.log_survival_function(value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        zero, c = self._split()
        log = (-value).log1p()
        return self.loc + self.scale * _C.where(zero, 0.5 * self.concentration * log**2 - log, (-c * log).expm1() / c)

    def entropy(self) -> Tensor:
        """log σ + ξ + 1."""
        return self.scale.log() + self.concentration + 1
