"""Reductions, searching, sorting, sets, with the array API standard's signatures."""

from collections import namedtuple

from .. import _C

_all, _any = all, any


def _over(x, axis):
    return tuple(range(x.ndim)) if axis is None else axis


def sum(x, /, *, axis=None, dtype=None, keepdims=False):
    """The sum over dimensions, or over all.

    >>> import wengert
    >>> wengert.array_api.sum(wengert.tensor([[1, 2], [3, 4]]), axis=1)
    tensor([3, 7])
    """
    return _C.sum(x, _over(x, axis), keepdims, dtype=dtype)


def prod(x, /, *, axis=None, dtype=None, keepdims=False):
    """The product over dimensions, or over all."""
    return _C.prod(x, _over(x, axis), keepdims, dtype=dtype)


def mean(x, /, *, axis=None, keepdims=False):
    """The mean over dimensions, or over all."""
    return _C.mean(x, _over(x, axis), keepdims)


def var(x, /, *, axis=None, correction=0.0, keepdims=False):
    """The variance: the sum of squares over n less `correction`."""
    return _C.var(x, _over(x, axis), correction=correction, keepdim=keepdims)


def std(x, /, *, axis=None, correction=0.0, keepdims=False):
    """The standard deviation: the root of `var`."""
    return _C.std(x, _over(x, axis), correction=correction, keepdim=keepdims)


def max(x, /, *, axis=None, keepdims=False):
    """The largest element."""
    return _C.amax(x, _over(x, axis), keepdims)


def min(x, /, *, axis=None, keepdims=False):
    """The smallest element."""
    return _C.amin(x, _over(x, axis), keepdims)


def all(x, /, *, axis=None, keepdims=False):
    """Whether all elements are true."""
    return _C.all(x, _over(x, axis), keepdims)


def any(x, /, *, axis=None, keepdims=False):
    """Whether any element is true."""
    return _C.any(x, _over(x, axis), keepdims)


def count_nonzero(x, /, *, axis=None, keepdims=False):
    """How many elements are not zero."""
    return _C.sum(x != 0, _over(x, axis), keepdims, dtype=_C.int64)


def _scan(x, axis, f, first, include_initial):
    if axis is None:
        if x.ndim > 1:
            raise ValueError("of more than one dimension, say the axis")
        x, axis = x.reshape(-1), 0
    y = f(x, axis)
    if include_initial:
        shape = list(y.shape)
        shape[axis] = 1
        y = _C.cat([_C.full(tuple(shape), first, dtype=y.dtype), y], axis)
    return y


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """The sums of the first elements: one, two, and so on; with `include_initial` of none before.

    >>> import wengert
    >>> wengert.array_api.cumulative_sum(wengert.tensor([1, 2, 3]), include_initial=True)
    tensor([0, 1, 3, 6])
    """
    return _scan(x, axis, lambda x, axis: _C.cumsum(x, axis, dtype=dtype), 0, include_initial)


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """The products of the first elements."""
    return _scan(x, axis, lambda x, axis: _C.cumprod(x, axis, dtype=dtype), 1, include_initial)


def clip(x, /, min=None, max=None):
    """Brought into limits, in the dtype that it has."""
    return _C.clamp(x, min, max).to(x.dtype)


def diff(x, /, *, axis=-1, n=1, prepend=None, append=None):
    """The differences of neighbours, `n` times."""
    return _C.diff(x, n, axis, prepend, append)


def argmax(x, /, *, axis=None, keepdims=False):
    """The index of the largest element."""
    return _place(_C.argmax, x, axis, keepdims)


def argmin(x, /, *, axis=None, keepdims=False):
    """The index of the smallest element."""
    return _place(_C.argmin, x, axis, keepdims)


def _place(f, x, axis, keepdims):
    if axis is None and keepdims:
        return f(x).reshape((1,) * x.ndim)
    return f(x, axis, keepdims) if axis is not None else f(x)


def nonzero(x, /):
    """The indices of elements that are not zero, one list for each dimension."""
    return _C.nonzero(x, as_tuple=True)


def isin(x1, x2, /, *, invert=False):
    """Whether each element of `x1` is among those of `x2`; of the standard that comes after 2024.12.

    >>> import wengert
    >>> wengert.array_api.isin(wengert.tensor([1, 2, 3]), wengert.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    return _C.isin(x1, x2, invert=invert)


def searchsorted(x1, x2, /, *, side="left", sorter=None):
    """Where the elements of `x2` would go into the sorted `x1`."""
    return _C.searchsorted(x1, x2, side=side, sorter=sorter)


def where(condition, x1, x2, /):
    """`x1` where the condition holds, else `x2`."""
    return _C.where(condition, x1, x2)


def sort(x, /, *, axis=-1, descending=False, stable=True):
    """In order."""
    return _C.sort(x, axis, descending, stable)[0]


def argsort(x, /, *, axis=-1, descending=False, stable=True):
    """The indices that put it in order."""
    return _C.argsort(x, axis, descending, stable)


def take(x, indices, /, *, axis=None):
    """The parts at `indices` along `axis`."""
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: of {x.ndim} dimensions, say the axis")
        axis = 0
    n = x.shape[axis]
    return x.index_select(axis, _C.where(indices < 0, indices + n, indices))


def take_along_axis(x, indices, /, *, axis=-1):
    """Of each row along `axis`, the elements at the indices in the same row."""
    n = x.shape[axis]
    return _C.take_along_dim(x, _C.where(indices < 0, indices + n, indices), axis)


_UniqueAll = namedtuple("unique_all_result", ("values", "indices", "inverse_indices", "counts"))
_UniqueCounts = namedtuple("unique_counts_result", ("values", "counts"))
_UniqueInverse = namedtuple("unique_inverse_result", ("values", "inverse_indices"))


def unique_all(x, /):
    """The distinct elements, where each is first, where each element of `x` is among them, and how often each is there.

    >>> import wengert
    >>> wengert.array_api.unique_all(wengert.tensor([3, 1, 3])).indices
    tensor([1, 0])
    """
    values, inverse, counts = _C.unique(x, return_inverse=True, return_counts=True)
    order = _C.argsort(inverse.reshape(-1), stable=True)
    first = order[_C.cumsum(counts, 0) - counts] if values.numel() else order
    return _UniqueAll(values, first, inverse, counts)


def unique_counts(x, /):
    """The distinct elements, and how often each is there."""
    return _UniqueCounts(*_C.unique(x, return_counts=True))


def unique_inverse(x, /):
    """The distinct elements, and where each element of `x` is among them."""
    return _UniqueInverse(*_C.unique(x, return_inverse=True))


def unique_values(x, /):
    """The distinct elements."""
    return _C.unique(x)
