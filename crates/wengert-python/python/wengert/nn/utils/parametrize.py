"""Parameters that are computed from others whenever they are read: PyTorch's `torch.nn.utils.parametrize`."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

from wengert._C import Tensor
from wengert._modes import no_grad

from ..modules.container import ModuleDict, ModuleList
from ..modules.module import Module
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
]

_cache: dict | None = None


class ParametrizationList(ModuleList):
    """The functions a tensor goes through, the first one's arguments being `original`, or `original0`, `original1` and so on."""

    def __init__(self, modules: Any, original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        parts = self._inverse(original)
        self.is_tensor = isinstance(parts, Tensor)
        self.ntensors = 1 if self.is_tensor else len(parts)
        for name, part in zip(self._originals(), [parts] if self.is_tensor else parts):
            if isinstance(original, Parameter):
                part = Parameter(part.detach().clone(), original.requires_grad)
                self.register_parameter(name, part)
            else:
                self.register_buffer(name, part)

    def _originals(self) -> list:
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def _inverse(self, value: Any) -> Any:
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    value = module.right_inverse(value)
        return value

    def right_inverse(self, value: Tensor) -> None:
        """Sets the originals to what makes this value."""
        parts = self._inverse(value)
        with no_grad():
            for name, part in zip(self._originals(), [parts] if self.is_tensor else parts):
                getattr(self, name).data = part.detach().clone()

    def forward(self) -> Tensor:
        """The tensor."""
        first, *rest = self
        x = first(*(getattr(self, name) for name in self._originals()))
        for module in rest:
            x = module(x)
        return x


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """In the `with` block each tensor is computed once."""
    global _cache
    before, _cache = _cache, {} if _cache is None else _cache
    try:
        yield
    finally:
        _cache = before


class _Parametrized:
    """What a module's class gets when the first of its tensors is parametrized."""

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__.get("_modules", {}).get("parametrizations")
        if own is not None and name in own:
            own[name].right_inverse(value)
        else:
            super().__setattr__(name, value)

    def __deepcopy__(self, memo: dict) -> Any:
        import copy

        new = object.__new__(type(self))
        memo[id(self)] = new
        new.__dict__.update({k: copy.deepcopy(v, memo) for k, v in self.__dict__.items()})
        new.__class__ = type(type(self).__name__, type(self).__bases__, dict(_bare(type(self))))
        return new


def _bare(cls: type) -> dict:
    return {k: v for k, v in vars(cls).items() if k not in ("__dict__", "__weakref__")}


def _reader(name: str) -> property:
    def read(self: Any) -> Tensor:
        made = self.parametrizations[name]
        if _cache is None:
            return made()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = made()
        return _cache[key]

    return property(read)


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Whether any tensor of the module, or this one, is computed from others."""
    own = module._modules.get("parametrizations")
    if not isinstance(own, ModuleDict):
        return False
    return len(own) > 0 if tensor_name is None else tensor_name in own


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> Module:
    """From now on the tensor is `parametrization(original)`, where `original` is trained in its place.

    A parametrization that has `right_inverse` says which original makes a given value; one that has not keeps the value as
    the original. `unsafe` allows another shape or dtype.

    >>> from wengert import nn
    >>> class Symmetric(nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).mT
    >>> layer = nn.Linear(3, 3)
    >>> _ = nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.t()).all())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        chain = module.parametrizations[tensor_name]
        value = getattr(module, tensor_name)
        new = parametrization(value)
        _check(value, new, tensor_name, unsafe)
        if hasattr(parametrization, "right_inverse"):
            with no_grad():
                chain.right_inverse(parametrization.right_inverse(value))
        chain.append(parametrization)
        return module
    original = module._parameters.get(tensor_name, module._buffers.get(tensor_name))
    if original is None:
        raise ValueError(
            f"Module '{type(module).__name__}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    chain = ParametrizationList([parametrization], original, unsafe)
    _check(original, chain(), tensor_name, unsafe)
    if not is_parametrized(module):
        cls = type(module)
        module.__class__ = type(f"Parametrized{cls.__name__}", (_Parametrized, cls), {"__module__": cls.__module__})
        module.parametrizations = ModuleDict()
    delattr(module, tensor_name)
    setattr(type(module), tensor_name, _reader(tensor_name))
    module.parametrizations[tensor_name] = chain
    return module


def _check(old: Tensor, new: Tensor, name: str, unsafe: bool) -> None:
    if not isinstance(new, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(new).__name__}")
    if not unsafe and (new.dtype != old.dtype or new.shape != old.shape):
        raise ValueError(
            f"Registering a parametrization may not change the shape or dtype of the tensor '{name}', unless `unsafe` flag is "
            f"enabled: {tuple(old.shape)} {old.dtype} became {tuple(new.shape)} {new.dtype}"
        )


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """The tensor is a plain one again: as it is now, or the original with `leave_parametrized=False`."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    chain = module.parametrizations[tensor_name]
    if not leave_parametrized and not chain.is_tensor:
        raise ValueError("Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence of tensors.")
    first = getattr(chain, chain._originals()[0])
    with no_grad():
        value = (getattr(module, tensor_name) if leave_parametrized else first).detach().clone()
    del module.parametrizations[tensor_name]
    delattr(type(module), tensor_name)
    if len(module.parametrizations) == 0:
        del module._modules["parametrizations"]
        module.__class__ = type(module).__bases__[1]
    if isinstance(first, Parameter):
        module.register_parameter(tensor_name, Parameter(value, first.requires_grad))
    else:
        module.register_buffer(tensor_name, value)
    return module


def type_before_parametrizations(module: Module) -> type:
    """The module's class, as it was."""
    return type(module).__bases__[1] if is_parametrized(module) else type(module)
