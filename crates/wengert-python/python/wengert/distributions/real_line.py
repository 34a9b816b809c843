"""Distributions of any real number."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C, special
from wengert._C import Tensor
from wengert._modes import no_grad

from . import constraints
from .distribution import EULER, Distribution, together
from .draws import standard_gamma, von_mises
from .exp_family import ExponentialFamily



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


class Normal(_Located, ExponentialFamily):
    """p(x) = exp(−(x − μ)² / 2σ²) / (σ √2π).

    >>> import wengert
    >>> d = wengert.distributions.Normal(0.0, 1.0)
    >>> d.log_prob(wengert.tensor(0.0)), d.sample((3,)).shape
    (tensor(-0.9189), wengert.Size([3]))
    """

    _mean_carrier_measure = 0

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

    @property
    def _natural_params(self) -> tuple:
        return self.loc / self.scale**2, -0.5 / self.scale**2

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        first, second = natural_params
        return -0.25 * first**2 / second + 0.5 * (-math.pi / second).log()


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
        return self.loc + self.scale * EULER

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
        return self.scale.log() + (1 + EULER)


class StudentT(Distribution):
    """p(x) ∝ (1 + z² / ν)^(−(ν + 1) / 2) with z = (x − μ) / σ.

    >>> import wengert
    >>> wengert.distributions.StudentT(3.0).log_prob(wengert.tensor(0.0))
    tensor(-1.0009)
    """

    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    has_rsample = True
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
        """Draws such that gradients pass to the parameters."""
        shape = self._extended_shape(sample_shape)
        z = 2 * standard_gamma((self.df / 2).expand(shape))
        return self.loc + self.scale * _C.randn(shape, dtype=self.df.dtype) * (self.df / z).sqrt()

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


class VonMises(Distribution):
    """p(x) = exp(κ cos(x − μ)) / (2π I₀(κ)): an angle around μ. `mean` and `variance` are those of directions.

    >>> import wengert
    >>> wengert.distributions.VonMises(0.0, 1.0).log_prob(wengert.tensor(0.0))
    tensor(-1.0738)
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real  # type: ignore[assignment]

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = together(loc, concentration)
        super().__init__(self.loc.shape, (), validate_args)

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
        """1 − I₁(κ) / I₀(κ)."""
        return 1 - special.i1e(self.concentration) / special.i0e(self.concentration)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws an angle in [−π, π)."""
        with no_grad():
            x = von_mises(self.concentration.detach().expand(self._extended_shape(sample_shape)))
            return (x + math.pi + self.loc) % (2 * math.pi) - math.pi

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        k = self.concentration
        return k * ((self._checked(value) - self.loc).cos() - 1) - math.log(2 * math.pi) - special.i0e(k).log()
