"""Layers that learn the size of their input from the first one they see."""

from __future__ import annotations

from typing import Any

from wengert import _C
from wengert._modes import no_grad

from ..parameter import UninitializedParameter, is_lazy
from .conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    _ConvNd,
)
from .linear import Linear
from .norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d


class LazyModuleMixin:
    """A layer some of whose parameters get their shape at the first call, or from a state dict.

    Subclasses define `initialize_parameters(input)`; afterwards the layer is of class `cls_to_become`.
    """

    cls_to_become: type | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy_hook = self.register_forward_pre_hook(type(self)._first_call, with_kwargs=True)  # type: ignore[attr-defined]

    def has_uninitialized_params(self) -> bool:
        """Whether the shape of some parameter is not known yet."""
        return any(is_lazy(p) for p in self._parameters.values())  # type: ignore[attr-defined]

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Gives the parameters their shapes and first values."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def _first_call(self, args: tuple, kwargs: dict) -> None:
        self.initialize_parameters(*args, **kwargs)
        self._become()

    def _become(self) -> None:
        self._lazy_hook.remove()
        del self.__dict__["_lazy_hook"]
        if self.cls_to_become is not None:
            self.__class__ = self.cls_to_become  # type: ignore[assignment]

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *rest: Any) -> None:
        for name, p in self._parameters.items():  # type: ignore[attr-defined]
            if is_lazy(p) and prefix + name in state_dict:
                p.materialize(tuple(state_dict[prefix + name].shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)  # type: ignore[misc]


class LazyLinear(LazyModuleMixin, Linear):
    """A `Linear` whose `in_features` is the last size of its first input.

    >>> import wengert
    >>> layer = wengert.nn.LazyLinear(4)
    >>> layer(wengert.ones(2, 3)).shape
    wengert.Size([2, 4])
    >>> layer.in_features
    3
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, 0, False)
        self.out_features = out_features
        self.weight = UninitializedParameter(dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(dtype=dtype)

    def reset_parameters(self) -> None:
        """Draws the parameters once their shapes are known."""
        if self.in_features != 0 and not self.has_uninitialized_params():
            super().reset_parameters()

    def initialize_parameters(self, input: Any) -> None:  # type: ignore[override]
        """Gives the parameters their shapes and first values."""
        if self.has_uninitialized_params():
            with no_grad():
                self.in_features = input.shape[-1]
                self.weight.materialize((self.out_features, self.in_features))
                if self.bias is not None:
                    self.bias.materialize((self.out_features,))
                self.reset_parameters()
        self.in_features = self.weight.shape[-1]


class _LazyConv(LazyModuleMixin):
    def _set(self, in_channels: int, out_channels: int, *rest: Any) -> None:
        like = rest[-1]
        bias, groups = rest[5], rest[4]
        if groups > 0 and out_channels % groups != 0:
            raise ValueError(f"{type(self).__name__}: out_channels must be divisible by groups")
        _ConvNd._set(self, groups, groups, *rest)  # type: ignore[arg-type]
        self.in_channels, self.out_channels = 0, out_channels
        dtype = like.get("dtype")
        self.weight = UninitializedParameter(dtype=dtype)
        if bias:
            self.bias: Any = UninitializedParameter(dtype=dtype)

    def initialize_parameters(self, input: Any, *_: Any) -> None:  # type: ignore[override]
        """Gives the parameters their shapes and first values."""
        rank = self._rank  # type: ignore[attr-defined]
        if input.dim() not in (rank + 1, rank + 2):
            raise RuntimeError(f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input, but got {input.dim()}D")
        channels = input.shape[-rank - 1]
        self.in_channels = channels
        groups, out = self.groups, self.out_channels  # type: ignore[attr-defined]
        if channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if self.has_uninitialized_params():
            pair = (channels, out // groups) if self._transposed else (out, channels // groups)  # type: ignore[attr-defined]
            with no_grad():
                if is_lazy(self.weight):
                    self.weight.materialize((*pair, *self.kernel_size))  # type: ignore[attr-defined]
                if self.bias is not None and is_lazy(self.bias):
                    self.bias.materialize((out,))
                self.reset_parameters()  # type: ignore[attr-defined]


def _lazy_conv(base: type) -> type:
    def __init__(self: Any, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        super(made, self).__init__(1, out_channels, kernel_size, *args, **kwargs)

    name = base.__name__
    doc = f"""A `{name}` whose `in_channels` is that of its first input.

    >>> import wengert
    >>> layer = wengert.nn.Lazy{name}(8, 3)
    >>> y = layer(wengert.ones(2, 4{", 5" * int(name[-2])}))
    >>> layer.in_channels, y.shape[1]
    (4, 8)
    """
    body = {"__init__": __init__, "__doc__": doc, "__module__": __name__, "cls_to_become": base}
    made = type("Lazy" + base.__name__, (_LazyConv, base), body)
    return made


LazyConv1d, LazyConv2d, LazyConv3d = map(_lazy_conv, (Conv1d, Conv2d, Conv3d))
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = map(
    _lazy_conv, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
)


class _LazyNorm(LazyModuleMixin):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(0, *args, **kwargs)
        for name, p in self._parameters.items():  # type: ignore[attr-defined]
            if p is not None:
                self._parameters[name] = UninitializedParameter(dtype=p.dtype)  # type: ignore[attr-defined]

    def initialize_parameters(self, input: Any) -> None:  # type: ignore[override]
        """Gives parameters and buffers their shapes and first values."""
        if self.num_features == 0:
            alone = isinstance(self, (InstanceNorm1d, InstanceNorm2d, InstanceNorm3d)) and input.dim() == min(self._ranks)
            self.num_features = input.shape[0 if alone else 1]
            for p in self._parameters.values():  # type: ignore[attr-defined]
                if p is not None:
                    p.materialize((self.num_features,))
            for name, make in (("running_mean", _C.zeros), ("running_var", _C.ones)):
                if getattr(self, name) is not None:
                    setattr(self, name, make(self.num_features, dtype=getattr(self, name).dtype))
            self.reset_parameters()  # type: ignore[attr-defined]


def _lazy_norm(base: type) -> type:
    name = base.__name__
    doc = f"""A `{name}` whose `num_features` is that of its first input.

    >>> import wengert
    >>> layer = wengert.nn.Lazy{name}(affine=True)
    >>> y = layer(wengert.randn(2, 4{", 5" * int(name[-2])}))
    >>> layer.num_features
    4
    """
    return type("Lazy" + base.__name__, (_LazyNorm, base), {"__doc__": doc, "__module__": __name__, "cls_to_become": base})


LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d = map(_lazy_norm, (BatchNorm1d, BatchNorm2d, BatchNorm3d))
LazyInstanceNorm1d, LazyInstanceNorm2d, LazyInstanceNorm3d = map(
    _lazy_norm, (InstanceNorm1d, InstanceNorm2d, InstanceNorm3d)
)
