"""Mixtures."""

from __future__ import annotations

from typing import Any

from wengert._C import Tensor
from wengert._modes import no_grad

from .constraints import Constraint, MixtureSameFamilyConstraint, dependent_property
from .discrete import Categorical
from .distribution import Distribution


class MixtureSameFamily(Distribution):
    """p(x) = Σₖ wₖ pₖ(x): the last dimension of the components' batch tells them apart, and a `Categorical` gives the weights w.

    >>> import wengert
    >>> from wengert.distributions import Categorical, MixtureSameFamily, Normal
    >>> MixtureSameFamily(Categorical(wengert.ones(2)), Normal(wengert.tensor([0.0, 0.0]), 1.0)).log_prob(wengert.tensor(0.0))
    tensor(-0.9189)
    """

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: bool | None = None
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(f"The Mixture distribution needs to be a Categorical, and is {type(mixture_distribution).__name__}")
        if not isinstance(component_distribution, Distribution):
            raise ValueError(f"The Component distribution needs to be a Distribution, and is {type(component_distribution).__name__}")
        weights, batch = tuple(mixture_distribution.batch_shape), tuple(component_distribution.batch_shape)
        if not batch:
            raise ValueError("The Component distribution needs a batch, whose last dimension tells the components apart")
        if any(n != m and 1 not in (n, m) for n, m in zip(reversed(weights), reversed(batch[:-1]))):
            raise ValueError(
                f"`mixture_distribution.batch_shape` ({weights}) is not compatible with `component_distribution.batch_shape`({batch[:-1]})"
            )
        if mixture_distribution.logits.shape[-1] != batch[-1]:
            raise ValueError(
                f"`mixture_distribution component` ({mixture_distribution.logits.shape[-1]}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({batch[-1]})"
            )
        self.mixture_distribution, self.component_distribution = mixture_distribution, component_distribution
        super().__init__(batch[:-1], component_distribution.event_shape, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "MixtureSameFamily":
        """The same distribution for a larger batch."""
        count = self.component_distribution.batch_shape[-1]
        components = self.component_distribution.expand((*batch_shape, count))
        return MixtureSameFamily(self.mixture_distribution.expand(batch_shape), components, self._validate_args)

    @dependent_property
    def support(self) -> Constraint:
        """What the components allow."""
        return MixtureSameFamilyConstraint(self.component_distribution.support)

    def _averaged(self, x: Tensor) -> Tensor:
        """The mean over the components, of something of each with the shape of an event."""
        events = len(self.event_shape)
        weights = self.mixture_distribution.probs
        return (weights.reshape((*weights.shape, *(1,) * events)) * x).sum(-1 - events)

    @property
    def mean(self) -> Tensor:
        """Σ w m, with the components' means m."""
        return self._averaged(self.component_distribution.mean)

    @property
    def variance(self) -> Tensor:
        """Σ w (v + (m − mean)²), with the components' variances v."""
        each = self.component_distribution
        return self._averaged(each.variance + (each.mean - self.mean.unsqueeze(-1 - len(self.event_shape))) ** 2)

    def cdf(self, x: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        return (self.component_distribution.cdf(x.unsqueeze(-1 - len(self.event_shape))) * self.mixture_distribution.probs).sum(-1)

    def log_prob(self, x: Tensor) -> Tensor:
        """The logarithm of the probability, or of its density."""
        each = self.component_distribution.log_prob(self._checked(x).unsqueeze(-1 - len(self.event_shape)))
        return (each + self.mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws from each component, and keeps that of one."""
        with no_grad():
            each = self.component_distribution.sample(sample_shape)
            weights = self.mixture_distribution.expand(self.batch_shape)
            events = len(self.event_shape)
            kept = weights.sample(sample_shape)
            shape = list(each.shape)
            shape[each.dim() - events - 1] = 1
            kept = kept.reshape((*kept.shape, *(1,) * (events + 1))).expand(shape)
            return each.gather(-1 - events, kept).squeeze(-1 - events)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
