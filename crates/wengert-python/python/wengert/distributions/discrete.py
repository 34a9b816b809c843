"""Discrete distributions."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C, broadcast_shapes, finfo, special
from wengert._C import Tensor
from wengert._modes import no_grad
from wengert.nn import functional as F

from . import constraints
from .distribution import Distribution, together
from .draws import standard_gamma
from .exp_family import ExponentialFamily


def inside(p: Tensor) -> Tensor:
    """Kept away from 0 and 1, where logarithms end."""
    eps = finfo(p.dtype).eps
    return p.clamp(min=eps, max=1 - eps)


class Chances(Distribution):
    """Distributions of a probability, given as such or by its logit."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._set(probs, logits, validate_args)

    def _set(self, probs: Any, logits: Any, validate_args: bool | None, **beside: Any) -> None:
        """With other parameters `beside`."""
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        given, *rest = together(probs if probs is not None else logits, *beside.values())
        self.__dict__.update(zip(beside, rest), **{"probs" if probs is not None else "logits": given})
        Distribution.__init__(self, given.shape, (), validate_args)

    def __getattr__(self, name: str) -> Tensor:
        # The one of the two that was not given follows from the other.
        if name == "logits" and "probs" in self.__dict__:
            p = inside(self.probs)
            return p.log() - (-p).log1p()
        if name == "probs" and "logits" in self.__dict__:
            return self.logits.sigmoid()
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def param_shape(self) -> Any:
        """The shape of the probabilities."""
        return self.logits.shape

    def _entropy_of_one(self) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")


class Bernoulli(Chances, ExponentialFamily):
    """1 with probability p, else 0.

    >>> import wengert
    >>> wengert.distributions.Bernoulli(probs=0.25).log_prob(wengert.tensor(1.0))
    tensor(-1.3863)
    """

    support = constraints.boolean  # type: ignore[assignment]
    _mean_carrier_measure = 0
    has_enumerate_support = True

    @property
    def mean(self) -> Tensor:
        """p."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """1 where p is above ½; NaN at ½."""
        mode = (self.probs >= 0.5).to(self.probs.dtype)
        return _C.where(self.probs == 0.5, math.nan, mode)

    @property
    def variance(self) -> Tensor:
        """p (1 − p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws 0 or 1."""
        with no_grad():
            return _C.bernoulli(self.probs.detach().expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability."""
        logits, value = _C.broadcast_tensors(self.logits, self._checked(value))
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        """−p log p − (1 − p) log(1 − p)."""
        return self._entropy_of_one()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 and 1."""
        return self._enumerated(_C.arange(2, dtype=self.probs.dtype), expand)

    @property
    def _natural_params(self) -> tuple:
        return (self.logits,)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        return F.softplus(natural_params[0])


class Geometric(Chances):
    """How many trials of probability p fail before one succeeds.

    >>> import wengert
    >>> wengert.distributions.Geometric(0.5).log_prob(wengert.tensor(2.0))
    tensor(-2.0794)
    """

    support = constraints.nonnegative_integer  # type: ignore[assignment]

    @property
    def mean(self) -> Tensor:
        """1 / p − 1."""
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        """0."""
        return _C.zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        """(1 / p − 1) / p."""
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws a number of failures."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            u = _C.rand(shape, dtype=self.probs.dtype).clamp(min=2.0**-24)
            return (u.log() / (-self.probs.detach().expand(shape)).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability."""
        p = self.probs
        return special.xlog1py(self._checked(value), -p) + p.log()

    def entropy(self) -> Tensor:
        """That of one trial, over p."""
        return self._entropy_of_one() / self.probs


class Binomial(Chances):
    """How many of `total_count` trials of probability p succeed.

    >>> import wengert
    >>> wengert.distributions.Binomial(4, 0.5).log_prob(wengert.tensor(2.0))
    tensor(-0.9808)
    """

    arg_constraints = {**Chances.arg_constraints, "total_count": constraints.nonnegative_integer}

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self.total_count: Tensor
        self._set(probs, logits, validate_args, total_count=total_count)

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        """From 0 to `total_count`."""
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        """n p."""
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        """⌊(n + 1) p⌋, at most n."""
        return ((self.total_count + 1) * self.probs).floor().minimum(self.total_count)

    @property
    def variance(self) -> Tensor:
        """n p (1 − p)."""
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws a number of successes: trial by trial."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            p = self.probs.detach().expand(shape)
            most = int(self.total_count.max()) if self.total_count.numel() else 0
            found = _C.zeros_like(p)
            for trial in range(most):
                found = found + _C.bernoulli(p) * (self.total_count > trial).to(p.dtype)
            return found

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability."""
        value, n, logits = self._checked(value), self.total_count, self.logits
        normal = n * logits.clamp(min=0) + n * (-logits.abs()).exp().log1p() - (n + 1).lgamma()
        return value * logits - (value + 1).lgamma() - (n - value + 1).lgamma() - normal

    def entropy(self) -> Tensor:
        """The sum over all outcomes, where `total_count` is the same for all."""
        total = int(self.total_count.max())
        if int(self.total_count.min()) != total:
            raise NotImplementedError("Inhomogeneous total count not supported by `entropy`.")
        values = _C.arange(total + 1, dtype=self.probs.dtype).reshape((-1, *(1,) * len(self.batch_shape)))
        log = self.log_prob(values.expand((-1, *self.batch_shape)))
        return -(log.exp() * log).sum(0)


class NegativeBinomial(Chances):
    """How many trials of probability p succeed before `total_count` fail.

    >>> import wengert
    >>> wengert.distributions.NegativeBinomial(2.0, 0.5).log_prob(wengert.tensor(1.0))
    tensor(-1.3863)
    """

    arg_constraints = {
        "total_count": constraints.nonnegative,
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer  # type: ignore[assignment]

    def __init__(self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self.total_count: Tensor
        self._set(probs, logits, validate_args, total_count=total_count)
        self.total_count = self.total_count.to(self.logits.dtype)

    @property
    def mean(self) -> Tensor:
        """n p / (1 − p)."""
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        """⌊(n − 1) p / (1 − p)⌋, at least 0."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """n p / (1 − p)²."""
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws a number of successes: a `Poisson` variable whose rate is a `Gamma` variable."""
        with no_grad():
            rate = standard_gamma(self.total_count.detach().expand(self._extended_shape(sample_shape)))
            return _C.poisson(rate * self.logits.exp())

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability."""
        value, n = self._checked(value), self.total_count
        ways = (n + value).lgamma() - (1 + value).lgamma() - n.lgamma()
        # Of no failures nothing comes but 0, and Γ(0) is infinite.
        ways = _C.where(n + value == 0, 0.0, ways)
        return ways - n * F.softplus(self.logits) - value * F.softplus(-self.logits)


class Poisson(ExponentialFamily):
    """p(k) = λᵏ exp(−λ) / k!.

    >>> import wengert
    >>> wengert.distributions.Poisson(2.0).log_prob(wengert.tensor(1.0))
    tensor(-1.3069)
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer  # type: ignore[assignment]

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = together(rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """λ."""
        return self.rate

    @property
    def mode(self) -> Tensor:
        """⌊λ⌋."""
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        """λ."""
        return self.rate

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws a count."""
        with no_grad():
            return _C.poisson(self.rate.detach().expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability."""
        value = self._checked(value)
        return special.xlogy(value, self.rate) - self.rate - (value + 1).lgamma()

    @property
    def _natural_params(self) -> tuple:
        return (self.rate.log(),)

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        return natural_params[0].exp()


class Categorical(Distribution):
    """One of n classes, by probabilities of any sum or by their logarithms, along the last dimension.

    >>> import wengert
    >>> wengert.distributions.Categorical(wengert.tensor([0.5, 0.25, 0.25])).log_prob(wengert.tensor(1))
    tensor(-1.3863)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        (given,) = together(probs if probs is not None else logits)
        if given.dim() < 1:
            raise ValueError("`probs` or `logits` must be at least one-dimensional.")
        if probs is not None:
            self.probs = given / given.sum(-1, keepdim=True)
        else:
            self.logits = given - given.logsumexp(-1, keepdim=True)
        self._num_events = given.shape[-1]
        super().__init__(tuple(given.shape)[:-1], (), validate_args)

    def __getattr__(self, name: str) -> Tensor:
        if name == "logits" and "probs" in self.__dict__:
            return inside(self.probs).log()
        if name == "probs" and "logits" in self.__dict__:
            return self.logits.softmax(-1)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def param_shape(self) -> Any:
        """The shape of the probabilities."""
        return self.logits.shape

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        """From 0 to n − 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Tensor:
        """Classes have none: NaN."""
        return _C.full(tuple(self.batch_shape), math.nan, dtype=self.logits.dtype)

    @property
    def mode(self) -> Tensor:
        """The most probable class."""
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Tensor:
        """Classes have none: NaN."""
        return self.mean

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws classes."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            count = math.prod(sample_shape)
            rows = self.probs.detach().reshape(-1, self._num_events)
            return rows.multinomial(max(count, 1), True).t()[:count].reshape(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability."""
        value = self._checked(value).to(_C.int64)
        shape = broadcast_shapes(tuple(value.shape), tuple(self.batch_shape))
        logits = self.logits.expand((*shape, self._num_events))
        return logits.gather(-1, value.expand(shape).unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """−Σ p log p."""
        logits = self.logits.clamp(min=-3.4e38)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All classes."""
        return self._enumerated(_C.arange(self._num_events), expand)


class OfClasses(Distribution):
    """What is drawn by a `Categorical`, and told as a vector over the classes."""

    _categorical: Categorical

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """Their logarithms."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Any:
        """The shape of the probabilities."""
        return self._categorical.param_shape


class OneHotCategorical(OfClasses):
    """As `Categorical`, with samples that are 1 at their class and 0 elsewhere.

    >>> import wengert
    >>> wengert.distributions.OneHotCategorical(wengert.tensor([0.5, 0.5])).log_prob(wengert.tensor([1.0, 0.0]))
    tensor(-0.6931)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot  # type: ignore[assignment]
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "OneHotCategorical":
        """The same distribution for a larger batch."""
        return type(self)(logits=self._categorical.expand(batch_shape).logits)

    @property
    def mean(self) -> Tensor:
        """The probabilities."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """The most probable class."""
        return F.one_hot(self._categorical.mode, self.event_shape[0]).to(self.probs.dtype)

    @property
    def variance(self) -> Tensor:
        """p (1 − p)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws classes."""
        return F.one_hot(self._categorical.sample(sample_shape), self.event_shape[0]).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability."""
        return self._categorical.log_prob(self._checked(value).argmax(-1))

    def entropy(self) -> Tensor:
        """−Σ p log p."""
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All classes."""
        n, batch = self.event_shape[0], tuple(self.batch_shape)
        values = _C.eye(n, dtype=self.logits.dtype).reshape((n, *(1,) * len(batch), n))
        return values.expand((n, *batch, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """As `OneHotCategorical`, with gradients passed to the probabilities as if samples were these.

    Source: Bengio, Léonard and Courville, Estimating or Propagating Gradients Through Stochastic Neurons, 2013.

    >>> import wengert
    >>> p = wengert.tensor([0.5, 0.5], requires_grad=True)
    >>> wengert.distributions.OneHotCategoricalStraightThrough(p).rsample().sum()
    tensor(1., grad_fn=<sum>)
    """

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the probabilities."""
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Multinomial(OfClasses):
    """How often each of n classes comes up in `total_count` draws.

    >>> import wengert
    >>> wengert.distributions.Multinomial(2, wengert.tensor([0.5, 0.5])).log_prob(wengert.tensor([1.0, 1.0]))
    tensor(-0.6931)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.total_count, self._categorical = total_count, Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Multinomial":
        """The same distribution for a larger batch."""
        return Multinomial(self.total_count, logits=self._categorical.expand(batch_shape).logits)

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        """Counts whose sum is not above `total_count`."""
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        """n p."""
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        """n p (1 − p)."""
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws counts."""
        drawn = self._categorical.sample((self.total_count, *sample_shape))
        return F.one_hot(drawn, self.event_shape[0]).sum(0).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability."""
        value = self._checked(value)
        ways = (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1)
        return ways + _C.where(value == 0, 0.0, value * self.logits).sum(-1)
