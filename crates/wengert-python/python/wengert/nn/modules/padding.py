"""Padding."""

from __future__ import annotations

from typing import Any

from wengert._C import Tensor

from .module import Module
from .options import _functional
from .utils import _ntuple


class _Pad(Module):
    _rank = 0
    _mode = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._rank, "padding")(padding)

    def forward(self, input: Tensor) -> Tensor:
        """The padded tensor."""
        return _functional().pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        """How far, last dimension first."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The padded tensor."""
        return _functional().pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """How far, and with what."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """How far, last dimension first."""
        return f"{self.padding}"


def _family(base: type, kind: str, what: str, mode: str) -> list:
    made = []
    for rank in (1, 2, 3):
        value, size = (", 0.5" if kind == "ConstantPad" else ""), ", 3" * rank
        doc = f"""Pads the last {rank} dimension{"s" if rank > 1 else ""} {what}.

        >>> import wengert
        >>> wengert.nn.{kind}{rank}d(1{value})(wengert.ones(1, 1{size})).shape
        wengert.Size([1, 1{", 5" * rank}])
        """
        body = {"_rank": rank, "_mode": mode, "__doc__": doc, "__module__": __name__}
        made.append(type(f"{kind}{rank}d", (base,), body))
    return made


ConstantPad1d, ConstantPad2d, ConstantPad3d = _family(_ConstantPad, "ConstantPad", "with a number", "constant")
ZeroPad1d, ZeroPad2d, ZeroPad3d = _family(_ZeroPad, "ZeroPad", "with zeros", "constant")
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = _family(
    _Pad, "ReflectionPad", "with its mirror image, without the edge", "reflect"
)
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = _family(
    _Pad, "ReplicationPad", "with copies of the edge", "replicate"
)
CircularPad1d, CircularPad2d, CircularPad3d = _family(
    _Pad, "CircularPad", "with what is at the other end", "circular"
)
