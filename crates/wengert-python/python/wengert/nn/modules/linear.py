"""Linear layers."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C
from wengert._C import Tensor

from .. import init
from ..parameter import Parameter
from .module import Module
from .options import _functional


def _like(device: Any, dtype: Any) -> dict:
    """Where and as what a layer makes its parameters."""
    return {k: v for k, v in (("device", device), ("dtype", dtype)) if v is not None}


def _the_same(value: Tensor) -> Parameter:
    """A parameter that is the very variable `value`: the other side of its other side."""
    return value._as_parameter()._other_side()._other_side(Parameter)


class Identity(Module):
    """What goes in comes out; any arguments are taken and ignored.

    >>> import wengert
    >>> wengert.nn.Identity()(wengert.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input


class Linear(Module):
    """y = x Wᵀ + b with `weight` [out, in], or y = x W + b with `W` [in, out]: one parameter seen from two sides.

    `weight` and `W` share value and gradient; what is assigned to one, or done to it in place, shows in the
    other. `parameters()` and `state_dict` know it as `weight`, as PyTorch does. `b` is another name of `bias`.
    A plain tensor assigned to `W`, `b`, or, as `weight` or `bias` of `nn.Parameter`, becomes the parameter.

    >>> from wengert import nn, tensor
    >>> layer = nn.Linear(2, 1)
    >>> layer.W = tensor([[3.0], [4.0]])
    >>> layer.weight.tolist()
    [[3.0, 4.0]]
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        like = _like(device, dtype)
        self.weight = Parameter(_C.empty((out_features, in_features), **like))
        if bias:
            self.bias = Parameter(_C.empty(out_features, **like))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters uniformly from ±1/√in."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    @property
    def W(self) -> Tensor:
        """The weight as it stands in x W + b, [in, out]."""
        return self._parameters["weight"]._other_side()

    @W.setter
    def W(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Linear: W must be a Tensor [in, out], and is {type(value).__name__}")
        # The very tensor that was given is the parameter, seen from its other side: its gradient is W's.
        self._parameters["weight"] = value._as_parameter()._other_side(Parameter)

    @property
    def b(self) -> Tensor | None:
        """The bias, [out]."""
        return self._parameters["bias"]

    @b.setter
    def b(self, value: Tensor | None) -> None:
        self._parameters["bias"] = None if value is None else _the_same(value)

    def __setattr__(self, name: str, value: Any) -> None:
        # Properties come before the rules for parameters, so that `layer.W = nn.Parameter(w)` is `weight` too.
        if name == "W" or name == "b":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def forward(self, input: Tensor) -> Tensor:
        """x Wᵀ + b."""
        p = self._parameters
        # Weight norm and its like put a computed weight in the parameter's place.
        weight = p["weight"] if "weight" in p else self.weight
        return _C.linear(input, weight, p["bias"])

    def extra_repr(self) -> str:
        """The sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class NonDynamicallyQuantizableLinear(Linear):
    """A `Linear` under the name that PyTorch gives the output projection of attention."""


class Bilinear(Module):
    """y = x₁ᵀ A x₂ + b.

    >>> import wengert
    >>> wengert.nn.Bilinear(2, 3, 4)(wengert.ones(5, 2), wengert.ones(5, 3)).shape
    wengert.Size([5, 4])
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        like = _like(device, dtype)
        self.weight = Parameter(_C.empty((out_features, in1_features, in2_features), **like))
        if bias:
            self.bias = Parameter(_C.empty(out_features, **like))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters uniformly from ±1/√in1."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """x₁ᵀ A x₂ + b."""
        return _functional().bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Flatten(Module):
    """Makes the dimensions from `start_dim` to `end_dim` one.

    >>> import wengert
    >>> wengert.nn.Flatten()(wengert.ones(2, 3, 4)).shape
    wengert.Size([2, 12])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The flattened tensor."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Makes one dimension several.

    >>> import wengert
    >>> wengert.nn.Unflatten(1, (3, 4))(wengert.ones(2, 12)).shape
    wengert.Size([2, 3, 4])
    """

    def __init__(self, dim: Any, unflattened_size: Any) -> None:
        super().__init__()
        if isinstance(dim, str):
            raise TypeError("Unflatten: named dimensions are not supported; give the dimension's number")
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(f"unflattened_size must be a tuple of ints, but found type {type(unflattened_size).__name__}")
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """The unflattened tensor."""
        return input.unflatten(self.dim, tuple(self.unflattened_size))

    def extra_repr(self) -> str:
        """The dimension and its new sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
