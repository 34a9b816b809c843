"""Maps of each element."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C, broadcast_shapes, finfo
from wengert._C import Tensor
from wengert._size import Size
from wengert.nn import functional as F

from .. import constraints
from ..constraints import Constraint, dependent_property, independent
from ..distribution import Distribution, summed, together
from .base import Fixed, Transform


class _Rising(Fixed):
    bijective, sign = True, 1  # type: ignore[assignment]


class ExpTransform(_Rising):
    """y = exp(x).

    >>> import wengert
    >>> wengert.distributions.ExpTransform()(wengert.tensor(0.0))
    tensor(1.)
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """x."""
        return x


def inside(y: Tensor) -> Tensor:
    """Away from 0 and 1, where the inverse ends."""
    kind = finfo(y.dtype)
    return y.clamp(min=kind.tiny, max=1 - kind.eps)


class SigmoidTransform(_Rising):
    """y = 1 / (1 + exp(−x)).

    >>> import wengert
    >>> wengert.distributions.SigmoidTransform().inv(wengert.tensor(0.5))
    tensor(0.)
    """

    codomain = constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        return inside(x.sigmoid())

    def _inverse(self, y: Tensor) -> Tensor:
        y = inside(y)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log y (1 − y)."""
        return -F.softplus(-x) - F.softplus(x)


class SoftplusTransform(_Rising):
    """y = log(1 + exp(x)).

    >>> import wengert
    >>> wengert.distributions.SoftplusTransform()(wengert.tensor(0.0))
    tensor(0.6931)
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return F.softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """−log(1 + exp(−x))."""
        return -F.softplus(-x)


class TanhTransform(_Rising):
    """y = tanh(x). Near ±1 the inverse is inaccurate: a cache avoids it.

    >>> import wengert
    >>> wengert.distributions.TanhTransform()(wengert.tensor(0.0))
    tensor(0.)
    """

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log(1 − y²), in a form that is accurate for large x."""
        return 2 * (math.log(2) - x - F.softplus(-2 * x))


class AbsTransform(Fixed):
    """y = |x|, whose inverse gives the positive x.

    >>> import wengert
    >>> wengert.distributions.AbsTransform()(wengert.tensor(-2.0))
    tensor(2.)
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class PowerTransform(Transform):
    """y = x ** exponent, of positive x.

    >>> import wengert
    >>> wengert.distributions.PowerTransform(2.0)(wengert.tensor(3.0))
    tensor(9.)
    """

    domain = codomain = constraints.positive
    bijective = True

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        (self.exponent,) = together(exponent)

    @property
    def sign(self) -> Tensor:
        """That of the exponent."""
        return self.exponent.sign()

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, PowerTransform) and bool((self.exponent == other.exponent).all())

    __hash__ = None  # type: ignore[assignment]

    def _call(self, x: Tensor) -> Tensor:
        return x.pow(self.exponent)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |exponent y / x|."""
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Any) -> Size:
        """That of x and the exponent together."""
        return broadcast_shapes(shape, self.exponent.shape)

    inverse_shape = forward_shape


class AffineTransform(Transform):
    """y = loc + scale · x, where `event_dim` dimensions make one event.

    >>> import wengert
    >>> wengert.distributions.AffineTransform(1.0, 2.0)(wengert.tensor(3.0))
    tensor(7.)
    """

    bijective = True

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    @dependent_property
    def domain(self) -> Constraint:
        """Real numbers."""
        return independent(constraints.real, self._event_dim) if self._event_dim else constraints.real

    codomain = domain

    @property
    def sign(self) -> Any:
        """That of the scale."""
        return self.scale.sign() if isinstance(self.scale, Tensor) else (self.scale > 0) - (self.scale < 0)

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, AffineTransform):
            return False
        same = ((a == b) for a, b in ((self.loc, other.loc), (self.scale, other.scale)))
        return all(bool(s.all()) if isinstance(s, Tensor) else s for s in same)

    __hash__ = None  # type: ignore[assignment]

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |scale|, summed over the event."""
        scale = self.scale if isinstance(self.scale, Tensor) else _C.tensor(float(self.scale), dtype=x.dtype)
        return summed(scale.abs().log().expand(tuple(x.shape)), self._event_dim)

    def forward_shape(self, shape: Any) -> Size:
        """That of x and the parameters together."""
        return broadcast_shapes(shape, getattr(self.loc, "shape", ()), getattr(self.scale, "shape", ()))

    inverse_shape = forward_shape


class CumulativeDistributionTransform(Transform):
    """y = F(x), the `cdf` of a distribution: what is distributed so becomes uniform.

    >>> import wengert
    >>> from wengert.distributions import CumulativeDistributionTransform, Normal
    >>> CumulativeDistributionTransform(Normal(0.0, 1.0))(wengert.tensor(0.0))
    tensor(0.5000)
    """

    bijective, sign = True, 1  # type: ignore[assignment]
    codomain = constraints.unit_interval

    def __init__(self, distribution: Distribution, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    domain = dependent_property(lambda self: self.distribution.support)

    def _call(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The logarithm of the density at x."""
        return self.distribution.log_prob(x)
