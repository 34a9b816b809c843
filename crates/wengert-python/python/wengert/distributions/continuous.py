"""Continuous distributions."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C, broadcast_shapes, linalg, special
from wengert._C import Tensor
from wengert._modes import no_grad

from . import constraints
from .distribution import Distribution, together

_EULER = 0.57721566490153286061


def _standard_gamma(a: Tensor) -> Tensor:
    """Gamma variables of rate 1.

    Source: Marsaglia and Tsang, A Simple Method for Generating Gamma Variables, 2000; below a shape of 1 by a power of a
    uniform variable, as they say.
    """
    small = a < 1
    d = _C.where(small, a + 1, a) - 1 / 3
    c = 1 / (9 * d).sqrt()
    found, todo = _C.zeros_like(a), _C.ones_like(a).to(_C.bool)
    while bool(todo.any()):
        x, u = _C.randn_like(a), _C.rand_like(a)
        v = (1 + c * x) ** 3
        fits = (v > 0) & (u.log() < 0.5 * x * x + d * (1 - v + v.clamp(min=1e-300 if a.dtype is _C.float64 else 1e-37).log()))
        found = _C.where(todo & fits, d * v, found)
        todo = todo & fits.logical_not()
    u = 1 - _C.rand_like(a)
    found = _C.where(small, found * u ** (1 / a), found)
    return found.clamp(min=2.0**-1022 if a.dtype is _C.float64 else 2.0**-126)


class _Located(Distribution):
    """Distributions of a place and a scale."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    has_rsample = True
    support = constraints.real  # type: ignore[assignment]

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = together(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    def _standard(self, shape: Any) -> Tensor:
        """Draws for place 0 and scale 1."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        return self.loc

    def _z(self, value: Tensor) -> Tensor:
        return (value - self.loc) / self.scale

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        return self.loc + self._standard(self._extended_shape(sample_shape)) * self.scale

    def _uniform(self, shape: Any) -> Tensor:
        """In (0, 1), without the ends."""
        return _C.rand(shape, dtype=self.loc.dtype).clamp(min=2.0**-24 if self.loc.dtype is not _C.float64 else 2.0**-53)


class Normal(_Located):
    """p(x) = exp(−(x − μ)² / 2σ²) / (σ √2π).

    >>> import wengert
    >>> d = wengert.distributions.Normal(0.0, 1.0)
    >>> d.log_prob(wengert.tensor(0.0)), d.sample((3,)).shape
    (tensor(-0.9189), wengert.Size([3]))
    """

    def _standard(self, shape: Any) -> Tensor:
        return _C.randn(shape, dtype=self.loc.dtype)

    @property
    def stddev(self) -> Tensor:
        """σ."""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """σ²."""
        return self.scale**2

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        return -0.5 * self._z(self._checked(value)) ** 2 - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return 0.5 * (1 + (self._z(self._checked(value)) / math.sqrt(2)).erf())

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        return self.loc + self.scale * (2 * value - 1).erfinv() * math.sqrt(2)

    def entropy(self) -> Tensor:
        """½ + ½ log 2π + log σ."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()


class Laplace(_Located):
    """p(x) = exp(−|x − μ| / b) / 2b.

    >>> import wengert
    >>> wengert.distributions.Laplace(0.0, 1.0).log_prob(wengert.tensor(0.0))
    tensor(-0.6931)
    """

    def _standard(self, shape: Any) -> Tensor:
        u = self._uniform(shape) - 0.5
        return -u.sign() * (-2 * u.abs()).log1p()

    @property
    def variance(self) -> Tensor:
        """2 b²."""
        return 2 * self.scale**2

    @property
    def stddev(self) -> Tensor:
        """√2 b."""
        return math.sqrt(2) * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        return -(2 * self.scale).log() - self._z(self._checked(value)).abs()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        z = self._z(self._checked(value))
        return 0.5 - 0.5 * z.sign() * (-z.abs()).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        u = value - 0.5
        return self.loc - self.scale * u.sign() * (-2 * u.abs()).log1p()

    def entropy(self) -> Tensor:
        """1 + log 2b."""
        return 1 + (2 * self.scale).log()


class Cauchy(_Located):
    """p(x) = 1 / (π γ (1 + ((x − x₀) / γ)²)). It has neither mean nor variance.

    >>> import wengert
    >>> wengert.distributions.Cauchy(0.0, 1.0).log_prob(wengert.tensor(0.0))
    tensor(-1.1447)
    """

    def _standard(self, shape: Any) -> Tensor:
        return (math.pi * (self._uniform(shape) - 0.5)).tan()

    @property
    def mean(self) -> Tensor:
        """There is none: NaN."""
        return _C.full_like(self.loc.detach(), math.nan)

    @property
    def variance(self) -> Tensor:
        """Infinite."""
        return _C.full_like(self.loc.detach(), math.inf)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        return -math.log(math.pi) - self.scale.log() - (self._z(self._checked(value)) ** 2).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return self._z(self._checked(value)).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        return (math.pi * (value - 0.5)).tan() * self.scale + self.loc

    def entropy(self) -> Tensor:
        """log 4π + log γ."""
        return math.log(4 * math.pi) + self.scale.log()


class Gumbel(_Located):
    """p(x) = exp(−z − exp(−z)) / β with z = (x − μ) / β.

    >>> import wengert
    >>> wengert.distributions.Gumbel(0.0, 1.0).log_prob(wengert.tensor(0.0))
    tensor(-1.)
    """

    def _standard(self, shape: Any) -> Tensor:
        return -(-self._uniform(shape).log()).log()

    @property
    def mean(self) -> Tensor:
        """μ + γ β."""
        return self.loc + self.scale * _EULER

    @property
    def variance(self) -> Tensor:
        """π² β² / 6."""
        return self.stddev**2

    @property
    def stddev(self) -> Tensor:
        """π β / √6."""
        return (math.pi / math.sqrt(6)) * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        z = -self._z(self._checked(value))
        return z - z.exp() - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return (-(-self._z(self._checked(value))).exp()).exp()

    def entropy(self) -> Tensor:
        """log β + 1 + γ."""
        return self.scale.log() + (1 + _EULER)


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

    @property
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
            return _standard_gamma(self.concentration.detach().expand(self._extended_shape(sample_shape))) / self.rate

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
            parts = _standard_gamma(self.concentration.detach().expand(self._extended_shape(sample_shape)))
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


class Beta(Distribution):
    """p(x) ∝ xᵅ⁻¹ (1 − x)ᵝ⁻¹ on [0, 1]. Gradients do not pass through its samples.

    >>> import wengert
    >>> wengert.distributions.Beta(2.0, 2.0).log_prob(wengert.tensor(0.5))
    tensor(0.4055)
    """

    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
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

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws without a gradient."""
        return self._dirichlet().sample(sample_shape)[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        value = self._checked(value)
        return self._dirichlet().log_prob(_C.stack([value, 1 - value], -1))

    def entropy(self) -> Tensor:
        """That of the `Dirichlet` of two."""
        return self._dirichlet().entropy()


class StudentT(Distribution):
    """p(x) ∝ (1 + z² / ν)^(−(ν + 1) / 2) with z = (x − μ) / σ. Gradients pass through samples to μ and σ only.

    >>> import wengert
    >>> wengert.distributions.StudentT(3.0).log_prob(wengert.tensor(0.0))
    tensor(-1.0009)
    """

    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real  # type: ignore[assignment]

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = together(df, loc, scale)
        super().__init__(self.df.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """μ, where ν > 1."""
        return _C.where(self.df > 1, self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        """μ."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """σ² ν / (ν − 2), where ν > 2; infinite where ν > 1."""
        finite = self.scale**2 * self.df / (self.df - 2)
        return _C.where(self.df > 2, finite, _C.where(self.df > 1, _C.full_like(finite.detach(), math.inf), math.nan))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to μ and σ."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            x = _C.randn(shape, dtype=self.df.dtype)
            z = 2 * _standard_gamma((self.df / 2).detach().expand(shape))
            y = x * (self.df / z).sqrt()
        return self.loc + self.scale * y

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        z = (self._checked(value) - self.loc) / self.scale
        scale = self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi)
        scale = scale + (0.5 * self.df).lgamma() - (0.5 * (self.df + 1)).lgamma()
        return -0.5 * (self.df + 1) * (z**2 / self.df).log1p() - scale

    def entropy(self) -> Tensor:
        """½ (ν + 1) (ψ(½ (ν + 1)) − ψ(½ ν)) + log √ν B(½ ν, ½), and log σ."""
        half = 0.5 * self.df
        log_beta = half.lgamma() + math.lgamma(0.5) - (half + 0.5).lgamma()
        return self.scale.log() + (half + 0.5) * ((half + 0.5).digamma() - half.digamma()) + 0.5 * self.df.log() + log_beta


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
