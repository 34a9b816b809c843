"""Draws that several distributions are made of."""

from __future__ import annotations

import math

from wengert import _C, is_grad_enabled
from wengert._C import Tensor
from wengert._modes import no_grad


def _drawn(a: Tensor) -> Tensor:
    """Gamma variables of rate 1.

    Source: Marsaglia and Tsang, A Simple Method for Generating Gamma Variables, 2000; below a shape of 1 by a power of a
    uniform variable, as they say.
    """
    small = a < 1
    d = _C.where(small, a + 1, a) - 1 / 3
    c = 1 / (9 * d).sqrt()
    # What is not finite would be drawn for ever.
    found, todo = a * 0, (a > 0) & (a < math.inf)
    while bool(todo.any()):
        x, u = _C.randn_like(a), _C.rand_like(a)
        v = (1 + c * x) ** 3
        fits = (v > 0) & (u.log() < 0.5 * x * x + d * (1 - v + v.clamp(min=1e-300 if a.dtype is _C.float64 else 1e-37).log()))
        found = _C.where(todo & fits, d * v, found)
        todo = todo & fits.logical_not()
    u = 1 - _C.rand_like(a)
    found = _C.where(small, found * u ** (1 / a), found)
    return found.clamp(min=2.0**-1022 if a.dtype is _C.float64 else 2.0**-126)


def _slope(a: Tensor, x: Tensor) -> Tensor:
    """How a gamma variable x moves with its shape a while its quantile stays: −∂P(a, x)/∂a / p(x).

    P(a, x) = xᵃ e⁻ˣ Σ xⁿ / Γ(a + n + 1), whose derivative is summed term by term; for large a the cube root of x / a is as
    good as normal (Wilson and Hilferty, The Distribution of Chi-Square, 1931).
    """
    kind, a, x = x.dtype, a.to(_C.float64), x.to(_C.float64)
    large = a > 1e4
    root = (x / a) ** (1 / 3)
    normal = root**3 + 1.5 * root**2 * (1 - root + 1 / (9 * a))
    a, x = _C.where(large, 1.0, a), _C.where(large, 1.0, x)
    term, psi, total, n = _C.ones_like(a), a.digamma() + 1 / a, _C.zeros_like(a), 0
    while True:
        total = total + term * (x.log() - psi)
        n += 1
        psi, term = psi + 1 / (a + n), term * x / (a + n)
        if n % 16 == 0 and not bool((term * (1 + psi.abs()) > 1e-16 * total.abs()).any()):
            break
    return _C.where(large, normal, -x / a * total).to(kind)


def standard_gamma(a: Tensor) -> Tensor:
    """Gamma variables of rate 1 and shape a, whose gradients pass to a."""
    recorded = is_grad_enabled()
    with no_grad():
        x = _drawn(a.detach())
        slope = _slope(a.detach(), x) if a.requires_grad and recorded else None
    return x if slope is None else x + (a - a.detach()) * slope


def von_mises(concentration: Tensor) -> Tensor:
    """Angles around 0.

    Source: Best and Fisher, Efficient Simulation of the von Mises Distribution, 1979. In f64, since the proposal's parameter is
    lost to rounding where the concentration is small.
    """
    k = concentration.to(_C.float64)
    tau = 1 + (1 + 4 * k**2).sqrt()
    rho = (tau - (2 * tau).sqrt()) / (2 * k)
    r = _C.where(k < 1e-5, 1 / k + k, (1 + rho**2) / (2 * rho))
    # Beyond, it is as good as normal, and what is not finite would be drawn for ever.
    todo = k < 1e8
    found = _C.where(todo, 0.0, _C.randn_like(k) / k.sqrt())
    while bool(todo.any()):
        z, u, side = (math.pi * _C.rand_like(k)).cos(), _C.rand_like(k), (_C.rand_like(k) - 0.5).sign()
        f = (1 + r * z) / (r + z)
        c = k * (r - f)
        fits = (c * (2 - c) > u) | ((c / u).log() + 1 - c >= 0)
        found = _C.where(todo & fits, side * f.clamp(min=-1, max=1).acos(), found)
        todo = todo & fits.logical_not()
    return found.to(concentration.dtype)
