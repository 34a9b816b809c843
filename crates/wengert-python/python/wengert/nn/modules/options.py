"""Layers that are functions with options."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from .module import Module


class _Options(Module):
    """A layer that calls one function of `nn.functional` with the options it was made with.

    `fn` names the function; it is looked up when the layer is called. `options` are the constructor's
    arguments with their defaults, kept as attributes; those in `_unused` are not the function's, those in
    `_hidden` are printed only when they are not the default, those in `_silent` never, as in PyTorch.
    """

    _fn: str = ""
    _names: tuple = ()
    _hidden: tuple = ("inplace",)
    _silent: tuple = ()
    _unused: tuple = ("inplace",)

    def __init_subclass__(cls, fn: str | None = None, options: dict | None = None, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if fn is not None:
            cls._fn = fn
        if options is not None:
            cls._names = tuple(options)
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            cls.__signature__ = inspect.Signature(
                [
                    inspect.Parameter(name, kind, default=inspect.Parameter.empty if d is ... else d)
                    for name, d in options.items()
                ]
            )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        try:
            bound = self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}.__init__() {error}") from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            setattr(self, name, value)

    def _kwargs(self) -> dict:
        return {name: getattr(self, name) for name in self._names if name not in self._unused}

    def forward(self, *inputs: Any) -> Any:
        """Applies the function."""
        return getattr(_functional(), self._fn)(*inputs, **self._kwargs())

    def extra_repr(self) -> str:
        parameters = self.__signature__.parameters
        shown = []
        for name in self._names:
            value = getattr(self, name)
            if name in self._silent:
                continue
            if name not in self._hidden or value != parameters[name].default:
                shown.append(f"{name}={value!r}" if isinstance(value, str) else f"{name}={value}")
        return ", ".join(shown)


@functools.cache
def _functional() -> Any:
    from wengert.nn import functional

    return functional
