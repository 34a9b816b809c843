"""Distributions of what a transform makes of another distribution's samples."""

from __future__ import annotations

from typing import Any

from wengert._C import Tensor
from wengert._modes import no_grad

from .constraints import Constraint, dependent_property, independent
from .distribution import Distribution, Independent, summed
from .transforms import ComposeTransform, Transform


class TransformedDistribution(Distribution):
    """y = f(x), where x is drawn from another distribution: log p(y) = log p(x) − log |det ∂y/∂x|.

    >>> import wengert
    >>> from wengert.distributions import ExpTransform, Normal, TransformedDistribution
    >>> TransformedDistribution(Normal(0.0, 1.0), [ExpTransform()]).log_prob(wengert.tensor(1.0))
    tensor(-0.9189)
    """

    def __init__(self, base_distribution: Distribution, transforms: Any, validate_args: bool | None = None) -> None:
        self.transforms = [transforms] if isinstance(transforms, Transform) else transforms
        if not isinstance(self.transforms, list) or not all(isinstance(t, Transform) for t in self.transforms):
            raise ValueError(f"transforms must be a Transform or a list of Transforms, but was {transforms}")
        whole, events = ComposeTransform(self.transforms), len(base_distribution.event_shape)
        taken, given = whole.domain.event_dim, whole.codomain.event_dim
        shape = (*base_distribution.batch_shape, *base_distribution.event_shape)
        if len(shape) < taken:
            raise ValueError(f"base_distribution needs to have shape with size at least {taken}, but got {shape}.")
        result = whole.forward_shape(shape)
        # Parameters of the transforms can make the batch larger.
        needed = tuple(whole.inverse_shape(result))
        if needed != shape:
            base_distribution = base_distribution.expand(needed[: len(needed) - events])
        self.base_dist = Independent(base_distribution, taken - events) if taken > events else base_distribution
        cut = len(result) - max(given, events + given - taken)
        super().__init__(result[:cut], result[cut:], validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "TransformedDistribution":
        """The same distribution for a larger batch."""
        new = super().expand(batch_shape)
        shape = tuple(ComposeTransform(self.transforms).inverse_shape((*batch_shape, *self.event_shape)))
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        return new

    @dependent_property
    def support(self) -> Constraint:
        """What samples can be."""
        if not self.transforms:
            return self.base_dist.support
        last = self.transforms[-1].codomain
        more = len(self.event_shape) - last.event_dim
        return independent(last, more) if more > 0 else last

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """As the base distribution."""
        return self.base_dist.has_rsample

    def _forward(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws without a gradient."""
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        return self._forward(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        log: Any = 0.0
        y, events = self._checked(value), len(self.event_shape)
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            events += transform.domain.event_dim - transform.codomain.event_dim
            log = log - summed(transform.log_abs_det_jacobian(x, y), events - transform.domain.event_dim)
            y = x
        return log + summed(self.base_dist.log_prob(y), events - len(self.base_dist.event_shape))

    def _rising(self, p: Tensor) -> Tensor:
        """1 − p where the transforms fall."""
        sign = ComposeTransform(self.transforms).sign
        return p if isinstance(sign, int) and sign == 1 else sign * (p - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return self._rising(self.base_dist.cdf(ComposeTransform(self.transforms).inv(value)))

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        return self._forward(self.base_dist.icdf(self._rising(value)))
