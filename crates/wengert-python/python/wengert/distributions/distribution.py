"""What all distributions share."""

from __future__ import annotations

from typing import Any

from wengert import _C
from wengert._C import Tensor
from wengert._modes import no_grad
from wengert._size import Size

from .constraints import Constraint, dependent_property, independent, is_dependent

EULER = 0.57721566490153286061


def together(*values: Any) -> tuple:
    """Numbers and tensors as tensors of one shape."""
    like = next((v for v in values if isinstance(v, Tensor) and v.is_floating_point()), None)
    dtype = _C.get_default_dtype() if like is None else like.dtype
    tensors = [v if isinstance(v, Tensor) else _C.tensor(v, dtype=dtype) for v in values]
    return tuple(_C.broadcast_tensors(*tensors))


def summed(x: Tensor, count: int) -> Tensor:
    """The sum over the last `count` dimensions."""
    return x if count == 0 else x.sum(tuple(range(-count, 0)))


def expect(owner: Any, name: str, constraint: Constraint, value: Tensor) -> None:
    """An error where a parameter is not what it must be."""
    if not bool(constraint.check(value.detach()).all()):
        raise ValueError(
            f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
            f"{type(owner).__name__} to satisfy the constraint {constraint}, but found invalid values:\n{value}"
        )


class Distribution:
    """A random variable: a batch of `batch_shape`, each of whose samples has `event_shape`.

    Subclasses name their parameters in `arg_constraints`, and keep each as an attribute.
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: dict = {}
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check parameters and values."""
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                if name in self.__dict__ and not is_dependent(constraint):
                    expect(self, name, constraint, self.__dict__[name])

    @property
    def batch_shape(self) -> Size:
        """The shape of the batch."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one sample."""
        return self._event_shape

    @property
    def support(self) -> Constraint:
        """What samples can be."""
        raise NotImplementedError(f"{type(self).__name__} has no support")

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError(f"{type(self).__name__} has no mean")

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        raise NotImplementedError(f"{type(self).__name__} has no mode")

    @property
    def variance(self) -> Tensor:
        """The expected square of the distance from the mean."""
        raise NotImplementedError(f"{type(self).__name__} has no variance")

    @property
    def stddev(self) -> Tensor:
        """The root of the variance."""
        return self.variance.sqrt()

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution for a larger batch."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        shape = Size(batch_shape)
        for name, constraint in self.arg_constraints.items():
            if name in self.__dict__:
                value = getattr(self, name)
                event = tuple(value.shape)[value.dim() - constraint.event_dim :]
                setattr(new, name, value.expand((*shape, *event)))
        new._batch_shape = shape
        return new

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws without a gradient: `sample_shape` times the batch."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no rsample: gradients do not pass through its samples")

    def sample_n(self, n: int) -> Tensor:
        """`sample((n,))`."""
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability, or of its density, at a value."""
        raise NotImplementedError(f"{type(self).__name__} has no log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value not above this one."""
        raise NotImplementedError(f"{type(self).__name__} has no cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """Where the `cdf` has this value."""
        raise NotImplementedError(f"{type(self).__name__} has no icdf")

    def entropy(self) -> Tensor:
        """The expected −log p, in nats."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy")

    def perplexity(self) -> Tensor:
        """exp of the entropy."""
        return self.entropy().exp()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values there are, along the first dimension."""
        raise NotImplementedError(f"{type(self).__name__} has no finite support")

    def _enumerated(self, values: Tensor, expand: bool) -> Tensor:
        values = values.reshape((-1, *(1,) * len(self._batch_shape)))
        return values.expand((-1, *self._batch_shape)) if expand else values

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _checked(self, value: Any) -> Tensor:
        """A value for `log_prob`, as a tensor."""
        if not isinstance(value, Tensor):
            raise ValueError(f"The value argument to log_prob must be a Tensor, and is {type(value).__name__}")
        if self._validate_args:
            events = len(self._event_shape)
            if tuple(value.shape)[value.dim() - events :] != tuple(self._event_shape):
                raise ValueError(
                    f"The right-most size of value must match event_shape: {tuple(value.shape)} vs {tuple(self._event_shape)}."
                )
            batch = tuple(value.shape)[: value.dim() - events]
            for n, m in zip(reversed(batch), reversed(self._batch_shape)):
                if n != m and n != 1 and m != 1:
                    raise ValueError(
                        f"Value is not broadcastable with batch_shape+event_shape: {tuple(value.shape)} vs "
                        f"{tuple(self._extended_shape())}."
                    )
            if not bool(self.support.check(value.detach()).all()):
                raise ValueError(
                    f"Expected value argument (Tensor of shape {tuple(value.shape)}) to be within the support "
                    f"({self.support}) of the distribution {self!r}, but found invalid values:\n{value}"
                )
        return value

    def __repr__(self) -> str:
        values = {name: self.__dict__[name] for name in self.arg_constraints if name in self.__dict__}
        shown = ", ".join(f"{k}: {v.item() if v.numel() == 1 else tuple(v.shape)}" for k, v in values.items())
        return f"{type(self).__name__}({shown})"


class Independent(Distribution):
    """A distribution the last dimensions of whose batch are taken for those of one event.

    >>> import wengert
    >>> d = wengert.distributions.Independent(wengert.distributions.Normal(wengert.zeros(2), 1.0), 1)
    >>> d.log_prob(wengert.zeros(2))
    tensor(-1.8379)
    """

    arg_constraints: dict = {}

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        batch = tuple(base_distribution.batch_shape)
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError(
                f"Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual {reinterpreted_batch_ndims} vs "
                f"{len(batch)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        cut = len(batch) - reinterpreted_batch_ndims
        super().__init__(batch[:cut], (*batch[cut:], *base_distribution.event_shape), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Independent":
        """The same distribution for a larger batch."""
        events = tuple(self.event_shape)[: self.reinterpreted_batch_ndims]
        return Independent(self.base_dist.expand((*batch_shape, *events)), self.reinterpreted_batch_ndims, self._validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """As the base distribution."""
        return self.base_dist.has_rsample

    @dependent_property
    def support(self) -> Constraint:
        """What samples can be."""
        base, count = self.base_dist.support, self.reinterpreted_batch_ndims
        return independent(base, count) if count else base

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        """Of each part."""
        return self.base_dist.variance

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws without a gradient."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws such that gradients pass to the parameters."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The sum over the event's parts."""
        return summed(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        """The sum over the event's parts."""
        return summed(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist!r}, {self.reinterpreted_batch_ndims})"
