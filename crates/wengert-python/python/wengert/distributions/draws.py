"""Draws that several distributions are made of."""

from __future__ import annotations

from wengert import _C
from wengert._C import Tensor



def standard_gamma(a: Tensor) -> Tensor:
    """Gamma variables of rate 1.

    Source: Marsaglia and Tsang, A Simple Method for Generating Gamma Variables, 2000; below a shape of 1 by a power of a
    uniform variable, as they say.
    """
    small = a < 1
    d = _C.where(small, a + 1, a) - 1 / 3
    c = 1 / (9 * d).sqrt()
    found, todo = _C.zeros_like(a), _C.ones_like(a).to(_C.bool)
    while bool(todo.any()):
        x, u = _C.randn_like(a), _C.rand_like(a)
        v = (1 + c * x) ** 3
        fits = (v > 0) & (u.log() < 0.5 * x * x + d * (1 - v + v.clamp(min=1e-300 if a.dtype is _C.float64 else 1e-37).log()))
        found = _C.where(todo & fits, d * v, found)
        todo = todo & fits.logical_not()
    u = 1 - _C.rand_like(a)
    found = _C.where(small, found * u ** (1 / a), found)
    return found.clamp(min=2.0**-1022 if a.dtype is _C.float64 else 2.0**-126)
