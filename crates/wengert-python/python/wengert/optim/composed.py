"""Optimizers whose steps are made of tensor operations."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C
from wengert._C import Tensor

from .optimizer import Optimizer


def _decayed(p: Tensor, grad: Tensor, group: dict) -> Tensor:
    """The gradient with that of ½ λ ‖p‖²."""
    decay = group["weight_decay"]
    return grad + p.detach() * float(decay) if decay != 0 else grad


def _shrink(p: Tensor, group: dict) -> None:
    """Weight decay that does not pass through the gradient: p ← (1 − η λ) p."""
    if group["weight_decay"] != 0:
        p.copy_(p.detach() * (1 - float(group["lr"]) * group["weight_decay"]))


def _mean(old: Tensor, new: Tensor, beta: float) -> Tensor:
    """The running mean β old + (1 − β) new."""
    return old * beta + new * (1 - beta)


def _zeros(p: Tensor) -> Tensor:
    return _C.zeros_like(p.detach())


class ASGD(Optimizer):
    """SGD that keeps the mean of the parameters it passed, as `ax` in its state.

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.ASGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.8000, -1.6000])
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        self._begin(locals())

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        lr = float(group["lr"])
        if not state:
            state.update(step=0, eta=lr, mu=1.0, ax=_zeros(p))
        state["step"] += 1
        grad = _decayed(p, grad, group)
        p.copy_(p.detach() * (1 - group["lambd"] * state["eta"]) - grad * state["eta"])
        value = p.detach().clone()
        state["ax"] = value if state["mu"] == 1 else state["ax"] + (value - state["ax"]) * state["mu"]
        state["eta"] = lr / (1 + group["lambd"] * lr * state["step"]) ** group["alpha"]
        state["mu"] = 1 / max(1, state["step"] - group["t0"])


class Rprop(Optimizer):
    """Steps of a size that grows while the gradient keeps its sign, and shrinks when that changes.

    Source: Riedmiller and Braun, A direct adaptive method for faster backpropagation learning, 1993.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.Rprop([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.9000, -1.9000])
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        etas: tuple = (0.5, 1.2),
        step_sizes: tuple = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        self._begin(locals())

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if not state:
            state.update(step=0, prev=_zeros(p), step_size=_zeros(p) + float(group["lr"]))
        state["step"] += 1
        less, more = group["etas"]
        agrees = (grad * state["prev"]).sign()
        factor = _C.where(agrees > 0, _zeros(p) + more, _C.where(agrees < 0, _zeros(p) + less, _zeros(p) + 1))
        state["step_size"] = size = (state["step_size"] * factor).clamp(*group["step_sizes"])
        state["prev"] = grad = _C.where(agrees < 0, _zeros(p), grad)
        p.copy_(p.detach() - grad.sign() * size)


class Adafactor(Optimizer):
    """`Adam`-like steps whose second moments of matrices are kept as a row and a column.

    Source: Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.Adafactor([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.8419, -1.8419])
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if beta2_decay > 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if d < 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        self._begin(locals())

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        matrix = grad.dim() > 1
        if not state:
            state["step"] = 0
            if matrix:
                state["row_var"] = _C.zeros((*grad.shape[:-1], 1), dtype=grad.dtype)
                state["col_var"] = _C.zeros((*grad.shape[:-2], 1, grad.shape[-1]), dtype=grad.dtype)
            else:
                state["variance"] = _zeros(p)
        state["step"] += 1
        t, lr = state["step"], float(group["lr"])
        eps1, eps2 = group["eps"]
        if eps1 is None:
            eps1 = 2.0**-52 if grad.dtype == _C.float64 else 2.0**-23
        keep = 1 - t ** group["beta2_decay"]
        value = p.detach()
        size = math.sqrt(p.numel())
        alpha = max(eps2, float((value * value).sum().sqrt()) / size) * min(lr, 1 / math.sqrt(t))
        _shrink(p, group)
        square = grad * grad
        if matrix:
            state["row_var"] = rows = _mean(state["row_var"], square.mean(-1, keepdim=True), keep)
            state["col_var"] = columns = _mean(state["col_var"], square.mean(-2, keepdim=True), keep)
            v = rows.matmul(columns) / rows.mean(-2, keepdim=True).clamp(min=eps1)
        else:
            state["variance"] = v = _mean(state["variance"], square, keep)
        move = grad / v.clamp(min=eps1 * eps1).sqrt()
        clip = max(1.0, float((move * move).sum().sqrt()) / (size * group["d"]))
        p.copy_(p.detach() - move * (alpha / clip))
