"""Gradients."""

from .._C import grad, graph, is_anomaly_enabled, is_grad_enabled
from .._modes import detect_anomaly, enable_grad, inference_mode, no_grad, set_detect_anomaly, set_grad_enabled
from . import forward_ad, functional
from .function import Function, FunctionCtx, backward, once_differentiable
from .gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function",
    "FunctionCtx",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def Variable(data, requires_grad=False):
    """A tensor: variables and tensors are one.

    >>> import wengert
    >>> wengert.autograd.Variable(wengert.ones(1), requires_grad=True)
    tensor([1.], requires_grad=True)
    """
    return data.detach().requires_grad_(requires_grad)
