"""Tensors that a module owns: parameters, and buffers."""

from __future__ import annotations

from typing import Any

from wengert import _C
from wengert._C import Tensor


class Parameter(Tensor):
    """A tensor that a module lists among its parameters when it becomes an attribute of it.

    >>> from wengert import nn, tensor
    >>> nn.Parameter(tensor([1.0, 2.0]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> "Parameter":
        if data is None:
            data = _C.empty(0)
        elif not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data must be a Tensor, and is {type(data).__name__}")
        return Tensor._make_subclass(cls, data, requires_grad)

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        pass

    def __repr__(self, *_: Any, **__: Any) -> str:
        return "Parameter containing:\n" + Tensor.__repr__(self)

    def __deepcopy__(self, memo: dict) -> "Parameter":
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, _protocol: int) -> tuple:
        return _rebuild, (type(self), self.detach(), self.requires_grad)


def _rebuild(cls: type, data: Tensor, requires_grad: bool) -> Parameter:
    return cls(data, requires_grad)


class Buffer(Tensor):
    """A tensor that becomes a buffer of the module it is assigned to.

    `persistent` says whether the module's `state_dict` holds it.

    >>> import wengert
    >>> layer = wengert.nn.Module()
    >>> layer.mean = wengert.nn.Buffer(wengert.zeros(2))
    >>> list(layer.state_dict()), len(list(layer.parameters()))
    (['mean'], 0)
    """

    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> "Buffer":
        data = _C.empty(0) if data is None else data
        buffer = Tensor._make_subclass(cls, data, data.requires_grad)
        buffer.persistent = persistent
        return buffer

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        pass


class UninitializedParameter(Parameter):
    """A parameter whose shape is not known yet; `materialize` gives it one, and it becomes a plain parameter."""

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> "UninitializedParameter":
        data = _C.empty(0) if dtype is None else _C.empty(0, dtype=dtype)
        return Tensor._make_subclass(cls, data, requires_grad)

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        pass

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Makes it a parameter of this shape."""
        self.data = _C.empty(tuple(shape), dtype=self.dtype if dtype is None else dtype)
        self.__class__ = Parameter

    def __repr__(self, *_: Any, **__: Any) -> str:
        return "<UninitializedParameter>"

    def __deepcopy__(self, memo: dict) -> "UninitializedParameter":
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, dtype=self.dtype)
        return memo[id(self)]

    def __reduce_ex__(self, _protocol: int) -> tuple:
        return UninitializedParameter, (self.requires_grad,)


def is_lazy(param: Any) -> bool:
    """Whether a parameter's shape is not known yet."""
    return isinstance(param, UninitializedParameter)
