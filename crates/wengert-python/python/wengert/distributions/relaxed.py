"""Continuous distributions near discrete ones, through whose samples gradients pass.

Source: Maddison, Mnih and Teh, The Concrete Distribution, 2017; Jang, Gu and Poole, Categorical Reparameterization with
Gumbel-Softmax, 2017.
"""

from __future__ import annotations

import math
from typing import Any

from wengert import _C
from wengert._C import Tensor
from wengert.nn import functional as F

from . import constraints
from .discrete import Categorical, Chances, OfClasses, inside
from .distribution import together
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform, SigmoidTransform


def _uniform(shape: Any, like: Tensor) -> Tensor:
    return inside(_C.rand(shape, dtype=like.dtype))


class LogitRelaxedBernoulli(Chances):
    """The logit of a `RelaxedBernoulli` variable.

    >>> import wengert
    >>> wengert.distributions.relaxed.LogitRelaxedBernoulli(1.0, 0.5).log_prob(wengert.tensor(0.0))
    tensor(-1.3863)
    """

    has_rsample = True
    support = constraints.real  # type: ignore[assignment]

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits, validate_args)
        (self.temperature,) = together(temperature)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        u = _uniform(self._extended_shape(sample_shape), self.logits)
        return (u.log() - (-u).log1p() + self.logits) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        apart = self.logits - self._checked(value) * self.temperature
        return self.temperature.log() + apart - 2 * F.softplus(apart)


class RelaxedBernoulli(TransformedDistribution):
    """Near a `Bernoulli` variable the more, the lower the temperature T: sigmoid((logit p + logit u) / T), with uniform u.

    >>> import wengert
    >>> wengert.distributions.RelaxedBernoulli(1.0, 0.5).log_prob(wengert.tensor(0.5))
    tensor(0.)
    """

    arg_constraints = Chances.arg_constraints
    support = constraints.unit_interval  # type: ignore[assignment]

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(LogitRelaxedBernoulli(temperature, probs, logits, validate_args), SigmoidTransform(), validate_args)

    temperature = property(lambda self: self.base_dist.temperature)
    logits = property(lambda self: self.base_dist.logits)
    probs = property(lambda self: self.base_dist.probs)


class ExpRelaxedCategorical(OfClasses):
    """The logarithm of a `RelaxedOneHotCategorical` variable.

    >>> import wengert
    >>> d = wengert.distributions.relaxed.ExpRelaxedCategorical(1.0, wengert.tensor([0.5, 0.5]))
    >>> d.log_prob(wengert.tensor([0.5, 0.5]).log())
    tensor(-1.3863)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_rsample = True
    # In truth those whose exp sums to 1.
    support = constraints.real_vector  # type: ignore[assignment]

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        (self.temperature,) = together(temperature)
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "ExpRelaxedCategorical":
        """The same distribution for a larger batch."""
        return ExpRelaxedCategorical(self.temperature, logits=self._categorical.expand(batch_shape).logits)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        gumbel = -(-_uniform(self._extended_shape(sample_shape), self.logits).log()).log()
        return ((self.logits + gumbel) / self.temperature).log_softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        n = self.event_shape[0]
        score = (self.logits - self._checked(value) * self.temperature).log_softmax(-1).sum(-1)
        return score + math.lgamma(n) + (n - 1) * self.temperature.log()


class RelaxedOneHotCategorical(TransformedDistribution):
    """Near a `OneHotCategorical` variable the more, the lower the temperature T: softmax((log p + g) / T), with `Gumbel` g.

    >>> import wengert
    >>> half = wengert.tensor([0.5, 0.5])
    >>> wengert.distributions.RelaxedOneHotCategorical(1.0, half).log_prob(half)
    tensor(0.)
    """

    arg_constraints = ExpRelaxedCategorical.arg_constraints
    support = constraints.simplex  # type: ignore[assignment]

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(ExpRelaxedCategorical(temperature, probs, logits, validate_args), ExpTransform(), validate_args)

    temperature = property(lambda self: self.base_dist.temperature)
    logits = property(lambda self: self.base_dist.logits)
    probs = property(lambda self: self.base_dist.probs)
