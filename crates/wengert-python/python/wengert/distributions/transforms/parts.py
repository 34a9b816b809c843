"""A map for each part of a tensor."""

from __future__ import annotations

from typing import Any, Sequence

from wengert import _C
from wengert._C import Tensor

from .. import constraints
from ..constraints import dependent_property
from ..distribution import summed
from .base import Transform


class _Several(Transform):
    """Maps for the parts of a tensor along a dimension."""

    def __init__(self, tseq: Sequence[Transform], dim: int, cache_size: int) -> None:
        if not all(isinstance(t, Transform) for t in tseq):
            raise ValueError(f"All elements of tseq must be Transform instances, and are {[type(t).__name__ for t in tseq]}")
        super().__init__(cache_size)
        self.transforms, self.dim = [t.with_cache(cache_size) if cache_size else t for t in tseq], dim

    bijective = property(lambda self: all(t.bijective for t in self.transforms))

    def _size(self) -> int:
        raise NotImplementedError

    def _checked(self, x: Tensor) -> Tensor:
        if not -x.dim() <= self.dim < x.dim():
            raise ValueError(f"{type(self).__name__}: dim {self.dim} is out of range for {x.dim()} dimensions")
        if x.shape[self.dim] != self._size():
            raise ValueError(
                f"{type(self).__name__}: dimension {self.dim} has {x.shape[self.dim]} elements, and the transforms are for {self._size()}"
            )
        return x


class CatTransform(_Several):
    """For each of the parts that `cat` puts together a map of its own: the n-th is for `lengths[n]` elements of `dim`.

    >>> import wengert
    >>> from wengert.distributions import CatTransform, ExpTransform, identity_transform
    >>> CatTransform([ExpTransform(), identity_transform])(wengert.zeros(2))
    tensor([1., 0.])
    """

    def __init__(
        self, tseq: Sequence[Transform], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0
    ) -> None:
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise ValueError(f"CatTransform: there are {len(self.lengths)} lengths for {len(self.transforms)} transforms")

    domain = dependent_property(lambda self: constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths))
    codomain = dependent_property(lambda self: constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths))
    event_dim = property(lambda self: max(t.event_dim for t in self.transforms))  # type: ignore[assignment]
    length = property(lambda self: sum(self.lengths))

    def _size(self) -> int:
        return self.length

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same maps, each with a cache."""
        return self if self._cache_size == cache_size else CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def _parts(self, x: Tensor) -> Any:
        return self._checked(x).split(self.lengths, self.dim)

    def _call(self, x: Tensor) -> Tensor:
        return _C.cat([t(part) for t, part in zip(self.transforms, self._parts(x))], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return _C.cat([t.inv(part) for t, part in zip(self.transforms, self._parts(y))], self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Those of the parts: put together, or added up where `dim` belongs to the event."""
        dims = self.event_dim
        terms = [
            summed(t.log_abs_det_jacobian(a, b), dims - t.event_dim)
            for t, a, b in zip(self.transforms, self._parts(x), self._parts(y))
        ]
        dim = (self.dim if self.dim < 0 else self.dim - x.dim()) + dims
        return _C.cat(terms, dim) if dim < 0 else sum(terms[1:], terms[0])


class StackTransform(_Several):
    """For each of the parts that `stack` puts together a map of its own.

    >>> import wengert
    >>> from wengert.distributions import ExpTransform, StackTransform, identity_transform
    >>> StackTransform([ExpTransform(), identity_transform], dim=1)(wengert.zeros(1, 2))
    tensor([[1., 0.]])
    """

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, cache_size)

    domain = dependent_property(lambda self: constraints.stack([t.domain for t in self.transforms], self.dim))
    codomain = dependent_property(lambda self: constraints.stack([t.codomain for t in self.transforms], self.dim))

    def _size(self) -> int:
        return len(self.transforms)

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same maps, each with a cache."""
        return self if self._cache_size == cache_size else StackTransform(self.transforms, self.dim, cache_size)

    def _parts(self, x: Tensor) -> Any:
        return self._checked(x).unbind(self.dim)

    def _call(self, x: Tensor) -> Tensor:
        return _C.stack([t(part) for t, part in zip(self.transforms, self._parts(x))], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        return _C.stack([t.inv(part) for t, part in zip(self.transforms, self._parts(y))], self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Those of the parts, put together."""
        parts = zip(self.transforms, self._parts(x), self._parts(y))
        return _C.stack([t.log_abs_det_jacobian(a, b) for t, a, b in parts], self.dim)
