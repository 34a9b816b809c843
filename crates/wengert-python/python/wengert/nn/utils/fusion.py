"""Layers that are one when a model is no longer trained."""

from __future__ import annotations

import copy
from typing import Any

from wengert import _C
from wengert._C import Tensor

from ..parameter import Parameter


def _fused(
    w: Tensor, b: Tensor | None, mean: Tensor, var: Tensor, eps: float, scale: Tensor | None, shift: Tensor | None, outputs: int
) -> tuple:
    b = _C.zeros_like(mean) if b is None else b
    factor = (var + eps).rsqrt() * (1 if scale is None else scale)
    shape = [1] * w.dim()
    shape[outputs] = -1
    weight = w * factor.reshape(shape)
    bias = (b - mean) * factor + (0 if shift is None else shift)
    return Parameter(weight.detach(), w.requires_grad), Parameter(bias.detach(), b.requires_grad)


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple:
    """Weight and bias of a convolution that does what a convolution and a batch norm do."""
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 1 if transpose else 0)


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor, bn_b: Tensor
) -> tuple:
    """Weight and bias of a linear layer that does what a linear layer and a batch norm do."""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _fuse(layer: Any, bn: Any, outputs: int) -> Any:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    fused = copy.deepcopy(layer)
    weight, bias = _fused(
        layer.weight, layer.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, outputs
    )
    fused.weight, fused.bias = weight, bias
    return fused


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that does what a convolution and a batch norm do; both must be in `eval` mode.

    >>> import wengert
    >>> conv, norm = wengert.nn.Conv2d(1, 2, 3).eval(), wengert.nn.BatchNorm2d(2).eval()
    >>> x = wengert.randn(1, 1, 4, 4)
    >>> wengert.allclose(wengert.nn.utils.fuse_conv_bn_eval(conv, norm)(x), norm(conv(x)), atol=1e-5)
    True
    """
    return _fuse(conv, bn, 1 if transpose else 0)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that does what a linear layer and a batch norm do; both must be in `eval` mode.

    >>> import wengert
    >>> linear, norm = wengert.nn.Linear(3, 2).eval(), wengert.nn.BatchNorm1d(2).eval()
    >>> x = wengert.randn(4, 3)
    >>> wengert.allclose(wengert.nn.utils.fuse_linear_bn_eval(linear, norm)(x), norm(linear(x)), atol=1e-5)
    True
    """
    return _fuse(linear, bn, 0)
