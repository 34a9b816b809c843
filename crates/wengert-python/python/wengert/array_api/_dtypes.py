"""Questions about dtypes, as the array API standard asks them."""

from .. import _C
from .._dtypes import finfo as _finfo
from .._dtypes import iinfo as _iinfo
from .._dtypes import result_type as _of_two

_INTEGERS = ("int8", "int16", "int32", "int64")
# The widest first of each kind: what a kind of several dtypes is made of.
_KINDS = {
    "bool": ("bool",),
    "signed integer": _INTEGERS,
    "unsigned integer": ("uint8",),
    "integral": (*_INTEGERS, "uint8"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
    "numeric": (*_INTEGERS, "uint8", "float32", "float64", "complex64", "complex128"),
}
_SCALARS = (bool, int, float, complex)


def astype(x, dtype, /, *, copy=True, device=None):
    """`x` in another dtype.

    >>> import wengert
    >>> xp = wengert.array_api
    >>> xp.astype(wengert.tensor([1.7, -1.7]), xp.int64)
    tensor([ 1, -1])
    """
    return x.to(dtype, copy=copy)


def isdtype(dtype, kind):
    """Whether `dtype` is of a kind: a dtype, "real floating", "integral" and so on, or any of several.

    >>> import wengert
    >>> wengert.array_api.isdtype(wengert.int32, ("bool", "integral"))
    True
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in _KINDS:
            raise ValueError(f"isdtype: there is no kind {kind!r}; there are {', '.join(_KINDS)}")
        return any(dtype is getattr(_C, name) for name in _KINDS[kind]) or (kind in ("real floating", "numeric") and dtype.is_floating_point)
    return dtype is kind


def result_type(*arrays_and_dtypes):
    """The dtype of what combining these tensors, dtypes and Python numbers gives; numbers take what the others have.

    >>> import wengert
    >>> wengert.array_api.result_type(wengert.int32, wengert.float32, 2.5)
    wengert.float32
    """
    known = [x.dtype if isinstance(x, _C.Tensor) else x for x in arrays_and_dtypes if not isinstance(x, _SCALARS)]
    numbers = [x for x in arrays_and_dtypes if isinstance(x, _SCALARS)]
    if not known:
        raise ValueError("result_type: needs a tensor or a dtype")
    dtype = known[0]
    for other in known[1:]:
        dtype = _C.promote_types(dtype, other)
    for number in numbers:
        dtype = _of_two(_C.empty((1,), dtype=dtype), number)
    return dtype


def can_cast(from_, to, /):
    """Whether promotion turns the one dtype (or that of a tensor) into the other.

    >>> import wengert
    >>> wengert.array_api.can_cast(wengert.int32, wengert.int64), wengert.array_api.can_cast(wengert.int64, wengert.int32)
    (True, False)
    """
    return result_type(from_, to) is to


def finfo(type, /):
    """What a floating-point dtype (or that of a tensor) can hold."""
    info = _finfo(type)
    info.dtype = getattr(_C, info.dtype)
    return info


def iinfo(type, /):
    """What an integer dtype (or that of a tensor) can hold."""
    info = _iinfo(type)
    info.dtype = getattr(_C, info.dtype)
    return info


class __array_namespace_info__:
    """What the namespace has: devices, dtypes, capabilities."""

    def capabilities(self):
        """Which optional parts there are."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": None}

    def default_device(self):
        """Where tensors are made."""
        return _C.device("cpu")

    def devices(self):
        """Where tensors may be."""
        return [_C.device("cpu")]

    def default_dtypes(self, *, device=None):
        """The dtypes of new tensors."""
        return {"real floating": _C.float32, "complex floating": _C.complex64, "integral": _C.int64, "indexing": _C.int64}

    def dtypes(self, *, device=None, kind=None):
        """The dtypes by name, all or those of a kind."""
        kinds = ("bool", "numeric") if kind is None else (kind,) if isinstance(kind, str) else kind
        return {name: getattr(_C, name) for k in kinds for name in _KINDS[k]}
