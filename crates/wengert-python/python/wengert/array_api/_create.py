"""New tensors, with the array API standard's signatures."""

from .. import _C


def _size(shape):
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _default(value):
    if isinstance(value, bool):
        return _C.bool
    return _C.int64 if isinstance(value, int) else None


def asarray(obj, /, *, dtype=None, device=None, copy=None):
    """`obj`, numbers or another array, as a tensor; memory is shared where it can be, unless `copy` says otherwise.

    >>> import wengert
    >>> wengert.array_api.asarray([1, 2], dtype=wengert.float64)
    tensor([1., 2.], dtype=float64)
    """
    if copy is False:
        shares = isinstance(obj, _C.Tensor) or hasattr(obj, "__dlpack__") or hasattr(obj, "__array__")
        y = _C.asarray(obj, dtype=dtype)
        if not shares or (isinstance(obj, _C.Tensor) and y is not obj and y.dtype is not obj.dtype):
            raise ValueError("asarray: cannot do without a copy")
        return y
    if isinstance(obj, _C.Tensor):
        return obj.to(obj.dtype if dtype is None else dtype, copy=bool(copy))
    return _C.tensor(obj, dtype=dtype) if copy else _C.asarray(obj, dtype=dtype)


def arange(start, /, stop=None, step=1, *, dtype=None, device=None):
    """The numbers from `start` (or 0) to before `stop`, `step` apart."""
    if stop is None:
        start, stop = 0, start
    if (stop - start) * step <= 0:
        whole = all(isinstance(x, int) for x in (start, stop, step))
        return _C.empty((0,), dtype=(_C.int64 if whole else _C.float32) if dtype is None else dtype)
    return _C.arange(start, stop, step, dtype=dtype)


def linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True):
    """`num` numbers at equal distances from `start` to `stop`.

    >>> import wengert
    >>> wengert.array_api.linspace(0, 1, 4, endpoint=False)
    tensor([0.0000, 0.2500, 0.5000, 0.7500])
    """
    if endpoint:
        return _C.linspace(start, stop, num, dtype=dtype)
    return _C.linspace(start, stop, num + 1, dtype=dtype)[:-1]


def zeros(shape, *, dtype=None, device=None):
    """Zeros."""
    return _C.zeros(_size(shape), dtype=dtype)


def ones(shape, *, dtype=None, device=None):
    """Ones."""
    return _C.ones(_size(shape), dtype=dtype)


def empty(shape, *, dtype=None, device=None):
    """Elements of no particular value."""
    return _C.empty(_size(shape), dtype=dtype)


def full(shape, fill_value, *, dtype=None, device=None):
    """`fill_value` everywhere."""
    return _C.full(_size(shape), fill_value, dtype=_default(fill_value) if dtype is None else dtype)


def eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None):
    """Ones on diagonal `k`, zeros elsewhere.

    >>> import wengert
    >>> wengert.array_api.eye(2, 3, k=1)
    tensor([[0., 1., 0.],
            [0., 0., 1.]])
    """
    n_cols = n_rows if n_cols is None else n_cols
    on = _C.arange(n_cols).unsqueeze(0) - _C.arange(n_rows).unsqueeze(1) == k
    return on.to(_C.float32 if dtype is None else dtype)


def zeros_like(x, /, *, dtype=None, device=None):
    """Zeros in the shape of `x`."""
    return _C.zeros_like(x, dtype=dtype)


def ones_like(x, /, *, dtype=None, device=None):
    """Ones in the shape of `x`."""
    return _C.ones_like(x, dtype=dtype)


def empty_like(x, /, *, dtype=None, device=None):
    """Elements of no particular value in the shape of `x`."""
    return _C.empty_like(x, dtype=dtype)


def full_like(x, /, fill_value, *, dtype=None, device=None):
    """`fill_value` in the shape of `x`."""
    return _C.full_like(x, fill_value, dtype=dtype)


def tril(x, /, *, k=0):
    """Matrices with zeros above diagonal `k`."""
    return _C.tril(x, k)


def triu(x, /, *, k=0):
    """Matrices with zeros below diagonal `k`."""
    return _C.triu(x, k)


def meshgrid(*arrays, indexing="xy"):
    """The coordinates of all points of a grid, a tensor for each axis."""
    return list(_C.meshgrid(*arrays, indexing=indexing))
