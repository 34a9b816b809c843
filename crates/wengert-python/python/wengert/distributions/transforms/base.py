"""Maps, and how they are put together."""

from __future__ import annotations

import copy
import math
from typing import Any

from wengert import _C
from wengert._C import Tensor
from wengert._size import Size

from .. import constraints
from ..constraints import Constraint, dependent_property, independent
from ..distribution import summed


class Transform:
    """A map y = f(x) from `domain` to `codomain`, its inverse, and log |det ∂y/∂x|.

    Subclasses give `_call`, `_inverse` and, where they are `bijective`, `log_abs_det_jacobian`. With a `cache_size` of 1 the last
    pair is kept, so that the inverse of a y just computed is its x.

    >>> import wengert
    >>> exp = wengert.distributions.ExpTransform()
    >>> exp(wengert.tensor(0.0)), exp.inv(wengert.tensor(1.0))
    (tensor(1.), tensor(0.))
    """

    bijective: Any = False
    domain: Any
    codomain: Any

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._inv: Transform | None = None
        self._last: tuple = (None, None)

    @property
    def event_dim(self) -> int:
        """How many dimensions the map mixes, where it takes as many as it gives."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueError("Please use either .domain.event_dim or .codomain.event_dim")
        return self.domain.event_dim

    @property
    def inv(self) -> "Transform":
        """The inverse map."""
        if self._inv is None:
            self._inv = _InverseTransform(self)
        return self._inv

    @property
    def sign(self) -> Any:
        """1 where the map rises, −1 where it falls."""
        raise NotImplementedError(f"{type(self).__name__} neither rises nor falls everywhere")

    def with_cache(self, cache_size: int = 1) -> "Transform":
        """The same map, with a cache."""
        if self._cache_size == cache_size:
            return self
        new = copy.copy(self)
        Transform.__init__(new, cache_size)
        return new

    def __call__(self, x: Tensor) -> Tensor:
        if self._cache_size == 0:
            return self._call(x)
        if self._last[0] is not x:
            self._last = x, self._call(x)
        return self._last[1]

    def _inv_call(self, y: Tensor) -> Tensor:
        if self._cache_size == 0:
            return self._inverse(y)
        if self._last[1] is not y:
            self._last = self._inverse(y), y
        return self._last[0]

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no _call")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no _inverse")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |det ∂y/∂x| at x, of which y is the image."""
        raise NotImplementedError(f"{type(self).__name__} has no log_abs_det_jacobian")

    def forward_shape(self, shape: Any) -> Size:
        """The shape of y, by that of x."""
        return Size(shape)

    def inverse_shape(self, shape: Any) -> Size:
        """The shape of x, by that of y."""
        return Size(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _InverseTransform(Transform):
    """Another transform, the other way round."""

    _inv: Transform

    def __init__(self, transform: Transform) -> None:
        super().__init__(transform._cache_size)
        self._inv = transform

    domain = dependent_property(lambda self: self._inv.codomain)
    codomain = dependent_property(lambda self: self._inv.domain)
    bijective = property(lambda self: self._inv.bijective)
    sign = property(lambda self: self._inv.sign)  # type: ignore[assignment]

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self._inv.with_cache(cache_size).inv

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, _InverseTransform) and self._inv == other._inv

    def __hash__(self) -> int:
        return hash((_InverseTransform, self._inv))

    def __call__(self, x: Tensor) -> Tensor:
        return self._inv._inv_call(x)

    def _inv_call(self, y: Tensor) -> Tensor:
        return self._inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Size:
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Size:
        return self._inv.forward_shape(shape)

    def __repr__(self) -> str:
        return f"_InverseTransform({self._inv!r})"


def _widened(constraint: Constraint, steps: list) -> Constraint:
    """For the dimensions that a chain of maps mixes: each step leads from `of` dimensions `to` others."""
    dims = steps[0][1]
    for to, of in steps:
        dims = max(dims + to - of, to)
    return independent(constraint, dims - constraint.event_dim) if dims > constraint.event_dim else constraint


class ComposeTransform(Transform):
    """One map after the other.

    >>> import wengert
    >>> from wengert.distributions import AffineTransform, ComposeTransform, ExpTransform
    >>> ComposeTransform([AffineTransform(1.0, 2.0), ExpTransform()])(wengert.tensor(-0.5))
    tensor(1.)
    """

    def __init__(self, parts: list, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [p.with_cache(cache_size) for p in parts] if cache_size else list(parts)

    @dependent_property
    def domain(self) -> Constraint:
        """What the first takes."""
        if not self.parts:
            return constraints.real
        return _widened(self.parts[0].domain, [(p.domain.event_dim, p.codomain.event_dim) for p in reversed(self.parts)])

    @dependent_property
    def codomain(self) -> Constraint:
        """What the last gives."""
        if not self.parts:
            return constraints.real
        return _widened(self.parts[-1].codomain, [(p.codomain.event_dim, p.domain.event_dim) for p in self.parts])

    @property
    def bijective(self) -> bool:  # type: ignore[override]
        """Where all are."""
        return all(p.bijective for p in self.parts)

    @property
    def sign(self) -> Any:
        """The product of theirs."""
        return math.prod(p.sign for p in self.parts)

    @property
    def inv(self) -> Transform:
        """The inverses, from the last to the first."""
        if self._inv is None:
            self._inv = ComposeTransform([p.inv for p in reversed(self.parts)])
            self._inv._inv = self
        return self._inv

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same maps, each with a cache."""
        return self if self._cache_size == cache_size else ComposeTransform(self.parts, cache_size)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(tuple(self.parts))

    def __call__(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum of theirs."""
        total: Any = None if self.parts else _C.zeros_like(x)
        dims = self.domain.event_dim
        for n, part in enumerate(self.parts):
            z = y if n + 1 == len(self.parts) else part(x)
            term = summed(part.log_abs_det_jacobian(x, z), dims - part.domain.event_dim)
            total = term if total is None else total + term
            x, dims = z, dims + part.codomain.event_dim - part.domain.event_dim
        return total

    def forward_shape(self, shape: Any) -> Size:
        """The shape of y, by that of x."""
        for part in self.parts:
            shape = part.forward_shape(shape)
        return Size(shape)

    def inverse_shape(self, shape: Any) -> Size:
        """The shape of x, by that of y."""
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return Size(shape)

    def __repr__(self) -> str:
        return "ComposeTransform(\n    " + ",\n    ".join(map(repr, self.parts)) + "\n)"


identity_transform = ComposeTransform([])


def at_least(shape: Any, dims: int) -> Size:
    if len(shape) < dims:
        raise ValueError(f"Too few dimensions on input: {tuple(shape)} has {len(shape)}, and {dims} are mixed")
    return Size(shape)


class IndependentTransform(Transform):
    """Another map, with the last dimensions of its batch taken for those of one event.

    >>> import wengert
    >>> t = wengert.distributions.IndependentTransform(wengert.distributions.ExpTransform(), 1)
    >>> t.log_abs_det_jacobian(wengert.ones(3), wengert.ones(3).exp())
    tensor(3.)
    """

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same map, with a cache."""
        if self._cache_size == cache_size:
            return self
        return IndependentTransform(self.base_transform, self.reinterpreted_batch_ndims, cache_size)

    domain = dependent_property(lambda self: independent(self.base_transform.domain, self.reinterpreted_batch_ndims))
    codomain = dependent_property(lambda self: independent(self.base_transform.codomain, self.reinterpreted_batch_ndims))
    bijective = property(lambda self: self.base_transform.bijective)
    sign = property(lambda self: self.base_transform.sign)  # type: ignore[assignment]

    def _call(self, x: Tensor) -> Tensor:
        at_least(x.shape, self.domain.event_dim)
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        at_least(y.shape, self.codomain.event_dim)
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum over the event."""
        return summed(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Any) -> Size:
        """The shape of y, by that of x."""
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Size:
        """The shape of x, by that of y."""
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


class ReshapeTransform(Transform):
    """The same numbers in another shape: events of `in_shape` become ones of `out_shape`.

    >>> import wengert
    >>> wengert.distributions.ReshapeTransform((4,), (2, 2))(wengert.zeros(3, 4)).shape
    wengert.Size([3, 2, 2])
    """

    bijective = True

    def __init__(self, in_shape: Any, out_shape: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = Size(in_shape), Size(out_shape)
        if math.prod(self.in_shape) != math.prod(self.out_shape):
            raise ValueError(
                f"in_shape, out_shape have different numbers of elements: {tuple(self.in_shape)}, {tuple(self.out_shape)}"
            )

    domain = dependent_property(lambda self: independent(constraints.real, len(self.in_shape)))
    codomain = dependent_property(lambda self: independent(constraints.real, len(self.out_shape)))

    def _call(self, x: Tensor) -> Tensor:
        return x.reshape(self.forward_shape(x.shape))

    def _inverse(self, y: Tensor) -> Tensor:
        return y.reshape(self.inverse_shape(y.shape))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """0."""
        return _C.zeros(tuple(x.shape)[: x.dim() - len(self.in_shape)], dtype=x.dtype)

    def _replaced(self, shape: Any, old: Size, new: Size) -> Size:
        cut = len(at_least(shape, len(old))) - len(old)
        if tuple(shape[cut:]) != tuple(old):
            raise ValueError(f"Shape mismatch: expected {tuple(old)} but got {tuple(shape[cut:])}")
        return Size((*shape[:cut], *new))

    def forward_shape(self, shape: Any) -> Size:
        """The shape of y, by that of x."""
        return self._replaced(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape: Any) -> Size:
        """The shape of x, by that of y."""
        return self._replaced(shape, self.out_shape, self.in_shape)


class Fixed(Transform):
    """A map without parameters: two of a kind are equal."""

    domain: Any = constraints.real

    def __eq__(self, other: Any) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))
