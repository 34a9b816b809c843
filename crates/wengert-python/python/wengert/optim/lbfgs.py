"""Limited-memory BFGS."""

from __future__ import annotations

import math
from typing import Any, Callable

from wengert import _C
from wengert._C import Tensor
from wengert._modes import no_grad

from .optimizer import Optimizer, _check


def _cubic_minimum(x1: float, f1: float, g1: float, x2: float, f2: float, g2: float, bounds: tuple | None = None) -> float:
    """Where the cubic with these values and slopes at two points is least, within bounds.

    Source: Nocedal and Wright, Numerical Optimization, equation 3.59.
    """
    low, high = bounds if bounds is not None else (min(x1, x2), max(x1, x2))
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1 * d1 - g1 * g2
    if square < 0 or math.isnan(square):
        return (low + high) / 2
    d2 = math.sqrt(square)
    if x1 <= x2:
        at = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        at = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(at, low), high)


def _strong_wolfe(
    evaluate: Callable,
    t: float,
    d: Tensor,
    f: float,
    g: Tensor,
    slope: float,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance: float = 1e-9,
    most: int = 25,
) -> tuple:
    """A step along `d` that meets the strong Wolfe conditions: value, gradient, step, evaluations.

    Source: Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6.
    """
    size = float(d.abs().amax())
    previous = (0.0, f, g, slope)
    f_new, g_new = evaluate(t)
    evaluations = 1
    slope_new = float(g_new.dot(d))
    bracket: list = []
    found = False
    for step in range(most):
        point = (t, f_new, g_new, slope_new)
        if f_new > f + c1 * t * slope or (step > 1 and f_new >= previous[1]) or math.isnan(f_new):
            bracket = [previous, point]
            break
        if abs(slope_new) <= -c2 * slope:
            bracket, found = [point], True
            break
        if slope_new >= 0:
            bracket = [previous, point]
            break
        least, largest = t + 0.01 * (t - previous[0]), t * 10
        t = _cubic_minimum(previous[0], previous[1], previous[3], t, f_new, slope_new, (least, largest))
        previous = point
        f_new, g_new = evaluate(t)
        evaluations += 1
        slope_new = float(g_new.dot(d))
    else:
        step = most
        bracket = [(0.0, f, g, slope), (t, f_new, g_new, slope_new)]
    stuck = False
    low, high = (0, 0) if len(bracket) == 1 else (0, 1) if bracket[0][1] <= bracket[-1][1] else (1, 0)
    while not found and step < most:
        width = abs(bracket[1][0] - bracket[0][0])
        if width * size < tolerance:
            break
        (x1, f1, _, s1), (x2, f2, _, s2) = bracket
        t = _cubic_minimum(x1, f1, s1, x2, f2, s2)
        first, last = min(x1, x2), max(x1, x2)
        # Too near an end of the bracket, twice or at the very end: a tenth of its width away from it.
        margin = 0.1 * (last - first)
        if min(last - t, t - first) < margin:
            if stuck or t >= last or t <= first:
                t = last - margin if abs(t - last) < abs(t - first) else first + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        f_new, g_new = evaluate(t)
        evaluations += 1
        slope_new = float(g_new.dot(d))
        step += 1
        point = (t, f_new, g_new, slope_new)
        if f_new > f + c1 * t * slope or f_new >= bracket[low][1]:
            bracket[high] = point
            low, high = (0, 1) if bracket[0][1] <= bracket[1][1] else (1, 0)
        else:
            if abs(slope_new) <= -c2 * slope:
                found = True
            elif slope_new * (bracket[high][0] - bracket[low][0]) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = point
    t, f_new, g_new, _ = bracket[low]
    return f_new, g_new, t, evaluations


class LBFGS(Optimizer):
    """Limited-memory BFGS: steps along −H g, with H estimated from the last changes of position and gradient.

    `step` needs a closure that computes the loss and its gradients, which is called several times.
    Source: Nocedal, Updating quasi-Newton matrices with limited storage, 1980.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.LBFGS([w])
    >>> def closure():
    ...     opt.zero_grad()
    ...     loss = ((w - 3) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> _ = opt.step(closure)
    >>> w.detach().round(decimals=3)
    tensor([3., 3.])
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
        *,
        maximize: bool = False,
    ) -> None:
        _check(lr=lr)
        if line_search_fn not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
            "maximize": maximize,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        if any(p.is_complex() for p in self.param_groups[0]["params"]):
            raise TypeError("LBFGS: trains real parameters only, and got a complex one; train the parts: `view_as_real`")
        self._params = self.param_groups[0]["params"]

    def _gradient(self) -> Tensor:
        sign = -1.0 if self.param_groups[0]["maximize"] else 1.0
        parts = [_C.zeros_like(p.detach()) if p.grad is None else p.grad.detach() for p in self._params]
        flat = _C.cat([g.reshape(-1) for g in parts])
        return flat * sign

    def _go(self, start: list, t: float, d: Tensor) -> None:
        at = 0
        for p, value in zip(self._params, start):
            n = p.numel()
            p.copy_(value + d[at : at + n].reshape(p.shape) * t)
            at += n

    def step(self, closure: Callable) -> Any:  # type: ignore[override]
        """Some iterations; gives the first loss."""
        group = self.param_groups[0]
        lr, history, tolerance = float(group["lr"]), group["history_size"], group["tolerance_change"]
        sign = -1.0 if group["maximize"] else 1.0
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with no_grad():
            first = self._evaluate(closure)
            loss = float(first) * sign
            evaluations = 1
            state["func_evals"] += 1
            g = self._gradient()
            if float(g.abs().amax()) <= group["tolerance_grad"]:
                return first
            d, t = state.get("d"), state.get("t")
            dirs, steps, ro = state.get("old_dirs", []), state.get("old_stps", []), state.get("ro", [])
            scale, g_before = state.get("H_diag", 1.0), state.get("prev_flat_grad")
            iterations = 0
            while iterations < group["max_iter"]:
                iterations += 1
                state["n_iter"] += 1
                if state["n_iter"] == 1:
                    d, dirs, steps, ro, scale = -g, [], [], [], 1.0
                else:
                    y, s = g - g_before, d * t
                    ys = float(y.dot(s))
                    if ys > 1e-10:
                        if len(dirs) == history:
                            dirs.pop(0), steps.pop(0), ro.pop(0)
                        dirs.append(y)
                        steps.append(s)
                        ro.append(1.0 / ys)
                        scale = ys / float(y.dot(y))
                    q = -g
                    alphas = []
                    for y, s, r in zip(reversed(dirs), reversed(steps), reversed(ro)):
                        alphas.append(float(s.dot(q)) * r)
                        q = q - y * alphas[-1]
                    d = q * scale
                    for y, s, r, a in zip(dirs, steps, ro, reversed(alphas)):
                        d = d + s * (a - float(y.dot(d)) * r)
                g_before, loss_before = g, loss
                t = min(1.0, 1.0 / float(g.abs().sum())) * lr if state["n_iter"] == 1 else lr
                slope = float(g.dot(d))
                if slope > -tolerance:
                    break
                used = 0
                start = [p.detach().clone() for p in self._params]
                if group["line_search_fn"] == "strong_wolfe":

                    def evaluate(t: float, start: list = start, d: Tensor = d) -> tuple:
                        self._go(start, t, d)
                        value = float(self._evaluate(closure)) * sign
                        return value, self._gradient()

                    loss, g, t, used = _strong_wolfe(evaluate, t, d, loss, g, slope)
                    self._go(start, t, d)
                else:
                    self._go(start, t, d)
                    if iterations != group["max_iter"]:
                        loss = float(self._evaluate(closure)) * sign
                        g = self._gradient()
                        used = 1
                evaluations += used
                state["func_evals"] += used
                if iterations == group["max_iter"] or evaluations >= group["max_eval"]:
                    break
                if float(g.abs().amax()) <= group["tolerance_grad"]:
                    break
                if float((d * t).abs().amax()) <= tolerance or abs(loss - loss_before) < tolerance:
                    break
            state.update(
                d=d, t=t, old_dirs=dirs, old_stps=steps, ro=ro, H_diag=scale, prev_flat_grad=g_before, prev_loss=loss_before
            )
        return first
