"""Limits on gradients."""

from __future__ import annotations

import math
from typing import Any, Iterable

from wengert import _C
from wengert._C import Tensor
from wengert._modes import no_grad


def _grads(parameters: Any) -> list:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    return [p for p in parameters if p.grad is not None]


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The p-norm of all numbers in these tensors together.

    >>> import wengert
    >>> wengert.nn.utils.get_total_norm([wengert.tensor([3.0]), wengert.tensor([4.0])])
    tensor(5.)
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    p = float(norm_type)
    if not tensors:
        return _C.tensor(0.0)
    with no_grad():
        tensors = [t.abs() if t.is_complex() else t for t in tensors]
        if p == math.inf:
            norms = [t.abs().amax() for t in tensors]
            total = _C.stack(norms).amax()
        elif p == -math.inf:
            total = _C.stack([t.abs().amin() for t in tensors]).amin()
        elif p == 0.0:
            total = sum((t != 0).any().to(t.dtype) for t in tensors)
        elif p == 2.0:
            total = _C.stack([(t * t).sum() for t in tensors]).sum().sqrt()
        else:
            total = _C.stack([t.abs().pow(p).sum() for t in tensors]).sum().pow(1.0 / p)
        if error_if_nonfinite and not math.isfinite(float(total)):
            raise RuntimeError(
                f"The total norm of order {p} for gradients from `parameters` is non-finite, so it cannot be clipped. "
                "To disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
            )
    return total


def clip_grads_with_norm_(
    parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scales gradients, whose norm is known, down to `max_norm`.

    >>> import wengert
    >>> w = wengert.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> wengert.nn.utils.clip_grads_with_norm_([w], 5.0, wengert.tensor(10.0))
    >>> w.grad
    tensor([3.0000, 4.0000])
    """
    scale = min(float(max_norm) / (float(total_norm) + 1e-6), 1.0)
    total = float(total_norm)
    if math.isnan(total):
        scale = math.nan
    if scale == 1.0:
        return
    with no_grad():
        for p in _grads(parameters):
            p.grad = p.grad * scale


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales all gradients down so that their norm, taken together, is at most `max_norm`; returns what it was.

    >>> import wengert
    >>> w = wengert.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> wengert.nn.utils.clip_grad_norm_([w], 5.0), w.grad
    (tensor(10.), tensor([3.0000, 4.0000]))
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm([p.grad for p in _grads(parameters)], norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


clip_grad_norm = clip_grad_norm_


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float, foreach: bool | None = None) -> None:
    """Clamps every gradient to ±`clip_value`.

    >>> import wengert
    >>> w = wengert.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> wengert.nn.utils.clip_grad_value_([w], 7.0)
    >>> w.grad
    tensor([6., 7.])
    """
    clip_value = float(clip_value)
    with no_grad():
        for p in _grads(parameters):
            p.grad = p.grad.clamp(-clip_value, clip_value)
