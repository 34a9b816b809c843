"""Convolutions and their transposes."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C
from wengert._C import Tensor

from .. import init
from ..parameter import Parameter
from .linear import _like
from .module import Module
from .options import _functional
from .utils import _ntuple


class _ConvNd(Module):
    _rank = 0
    _transposed = False

    def _set(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        output_padding: Any,
        like: dict,
    ) -> None:
        name = type(self).__name__
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError(f"{name}: in_channels must be divisible by groups, and {in_channels} is not by {groups}")
        if out_channels % groups != 0:
            raise ValueError(f"{name}: out_channels must be divisible by groups, and {out_channels} is not by {groups}")
        modes = ("zeros", "reflect", "replicate", "circular")
        if padding_mode not in modes:
            raise ValueError(f"padding_mode must be one of {modes}, but got padding_mode={padding_mode!r}")
        if self._transposed and padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {name}')
        size = _ntuple(self._rank, "size")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = size(kernel_size)
        self.stride = size(stride)
        if isinstance(padding, str):
            if padding not in ("valid", "same"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}")
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
            self.padding: Any = padding
        else:
            self.padding = size(padding)
        self.dilation = size(dilation)
        self.output_padding = size(output_padding)
        self.groups = groups
        self.padding_mode = padding_mode
        channels = (
            (in_channels, out_channels // groups) if self._transposed else (out_channels, in_channels // groups)
        )
        self.weight = Parameter(_C.empty((*channels, *self.kernel_size), **like))
        if bias:
            self.bias = Parameter(_C.empty(out_channels, **like))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters uniformly from ±1/√fan_in."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def _around(self) -> list:
        """What `pad` takes to pad by this layer's padding: last dimension first."""
        if self.padding == "valid":
            return [0, 0] * self._rank
        both = []
        for i in reversed(range(self._rank)):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                both += [total // 2, total - total // 2]
            else:
                both += [self.padding[i], self.padding[i]]
        return both

    def extra_repr(self) -> str:
        """Channels and whatever is not the default."""
        s = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        zero, one = (0,) * self._rank, (1,) * self._rank
        if self.padding != zero:
            s += f", padding={self.padding}"
        if self.dilation != one:
            s += f", dilation={self.dilation}"
        if self.output_padding != zero:
            s += f", output_padding={self.output_padding}"
        if self.groups != 1:
            s += f", groups={self.groups}"
        if self.bias is None:
            s += ", bias=False"
        if self.padding_mode != "zeros":
            s += f", padding_mode={self.padding_mode}"
        return s


class _Conv(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        like = _like(device, dtype)
        self._set(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, 0, like
        )

    def forward(self, input: Tensor) -> Tensor:
        """The convolution."""
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        f = _functional()
        conv = getattr(f, f"conv{self._rank}d")
        if self.padding_mode == "zeros":
            return conv(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        input = f.pad(input, self._around(), mode=self.padding_mode)
        return conv(input, weight, bias, self.stride, 0, self.dilation, self.groups)


class Conv1d(_Conv):
    """A convolution over sequences [N, C, L].

    >>> import wengert
    >>> wengert.nn.Conv1d(3, 8, 3, padding=1)(wengert.ones(2, 3, 5)).shape
    wengert.Size([2, 8, 5])
    """

    _rank = 1


class Conv2d(_Conv):
    """A convolution over images [N, C, H, W].

    >>> from wengert import nn, rand
    >>> tuple(nn.Conv2d(3, 8, 3, padding=1)(rand(2, 3, 5, 5)).shape)
    (2, 8, 5, 5)
    """

    _rank = 2


class Conv3d(_Conv):
    """A convolution over volumes [N, C, D, H, W].

    >>> import wengert
    >>> wengert.nn.Conv3d(3, 8, 3, padding=1)(wengert.ones(2, 3, 5, 5, 5)).shape
    wengert.Size([2, 8, 5, 5, 5])
    """

    _rank = 3


class _ConvTranspose(_ConvNd):
    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        like = _like(device, dtype)
        self._set(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            output_padding,
            like,
        )

    def _output_padding(self, input: Tensor, output_size: Any) -> tuple:
        if output_size is None:
            return self.output_padding
        n, given = self._rank, list(output_size)
        if len(given) == input.dim():
            given = given[-n:]
        if len(given) != n:
            raise ValueError(
                f"{type(self).__name__}: for {input.dim()}D input, output_size must have {n} or {input.dim()} "
                f"elements (got {len(output_size)})"
            )
        extra = []
        for i, wanted in enumerate(given):
            least = (
                (input.shape[input.dim() - n + i] - 1) * self.stride[i]
                - 2 * self.padding[i]
                + self.dilation[i] * (self.kernel_size[i] - 1)
                + 1
            )
            if not least <= wanted < least + self.stride[i]:
                raise ValueError(
                    f"requested an output size of {given}, but in dimension {i} valid sizes range from "
                    f"{least} to {least + self.stride[i] - 1}"
                )
            extra.append(wanted - least)
        return tuple(extra)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """The transposed convolution; `output_size` chooses among the sizes that the stride leaves open."""
        conv = getattr(_functional(), f"conv_transpose{self._rank}d")
        extra = self._output_padding(input, output_size)
        return conv(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose1d(_ConvTranspose):
    """The transpose (gradient) of `Conv1d`.

    >>> import wengert
    >>> wengert.nn.ConvTranspose1d(3, 8, 2, stride=2)(wengert.ones(2, 3, 5)).shape
    wengert.Size([2, 8, 10])
    """

    _rank = 1


class ConvTranspose2d(_ConvTranspose):
    """The transpose (gradient) of `Conv2d`.

    >>> import wengert
    >>> wengert.nn.ConvTranspose2d(3, 8, 2, stride=2)(wengert.ones(2, 3, 5, 5)).shape
    wengert.Size([2, 8, 10, 10])
    """

    _rank = 2


class ConvTranspose3d(_ConvTranspose):
    """The transpose (gradient) of `Conv3d`.

    >>> import wengert
    >>> wengert.nn.ConvTranspose3d(3, 8, 2, stride=2)(wengert.ones(2, 3, 5, 5, 5)).shape
    wengert.Size([2, 8, 10, 10, 10])
    """

    _rank = 3

