"""Optimizers that need nothing but the gradient of each step.

In the formulas g is the gradient, η the learning rate, λ the weight decay, t the number of the step.
"""

from __future__ import annotations

import math
from typing import Any

from wengert import _C
from wengert._C import Tensor

from .optimizer import Optimizer, _check, _options


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


class SGD(Optimizer):
    """g ← g + λ p;  v ← μ v + (1 − τ) g, at first v ← g;  p ← p − η v, with Nesterov p ← p − η (g + μ v).

    Source: Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        _check("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        names = "lr momentum dampening weight_decay nesterov maximize foreach differentiable fused"
        super().__init__(params, _options(locals(), *names.split()))

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        grad = _decayed(p, grad, group)
        momentum = group["momentum"]
        if momentum != 0:
            v = state.get("momentum_buffer")
            v = grad.clone() if v is None else v * momentum + grad * (1 - group["dampening"])
            state["momentum_buffer"] = v
            grad = grad + v * momentum if group["nesterov"] else v
        p.copy_(p.detach() - grad * float(group["lr"]))


class Adam(Optimizer):
    """m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  p ← p − η m̂ / (√v̂ + ε), m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ).

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        _check("Adam", lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        names = "lr betas eps weight_decay amsgrad maximize foreach capturable differentiable fused decoupled_weight_decay"
        super().__init__(params, _options(locals(), *names.split()))

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if not state:
            state.update(step=0, exp_avg=_zeros(p), exp_avg_sq=_zeros(p))
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = _zeros(p)
        state["step"] += 1
        t = state["step"]
        if group.get("decoupled_weight_decay", False):
            _shrink(p, group)
        else:
            grad = _decayed(p, grad, group)
        beta1, beta2 = (float(b) for b in group["betas"])
        state["exp_avg"] = m = _mean(state["exp_avg"], grad, beta1)
        state["exp_avg_sq"] = v = _mean(state["exp_avg_sq"], grad * grad, beta2)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = v = _C.maximum(state["max_exp_avg_sq"], v)
        root = v.sqrt() * (1 / math.sqrt(1 - beta2**t)) + group["eps"]
        p.copy_(p.detach() - m / root * (float(group["lr"]) / (1 - beta1**t)))


class AdamW(Adam):
    """`Adam` whose weight decay does not pass through the running means.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )


class NAdam(Optimizer):
    """`Adam` with Nesterov momentum.

    Source: Dozat, Incorporating Nesterov Momentum into Adam, 2016.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check("NAdam", lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        names = "lr betas eps weight_decay momentum_decay decoupled_weight_decay maximize foreach capturable differentiable"
        super().__init__(params, _options(locals(), *names.split()))

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if not state:
            state.update(step=0, mu_product=1.0, exp_avg=_zeros(p), exp_avg_sq=_zeros(p))
        state["step"] += 1
        t, lr, decay = state["step"], float(group["lr"]), group["momentum_decay"]
        beta1, beta2 = group["betas"]
        if group["decoupled_weight_decay"]:
            _shrink(p, group)
        else:
            grad = _decayed(p, grad, group)
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * decay))
        state["mu_product"] *= mu
        product = state["mu_product"]
        state["exp_avg"] = m = _mean(state["exp_avg"], grad, beta1)
        state["exp_avg_sq"] = v = _mean(state["exp_avg_sq"], grad * grad, beta2)
        root = (v / (1 - beta2**t)).sqrt() + group["eps"]
        ahead = grad * ((1 - mu) / (1 - product)) + m * (mu_next / (1 - product * mu_next))
        p.copy_(p.detach() - ahead / root * lr)


class RAdam(Optimizer):
    """`Adam` that trusts its second moment only once that is known well enough.

    Source: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2020.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check("RAdam", lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        names = "lr betas eps weight_decay maximize foreach capturable decoupled_weight_decay differentiable"
        super().__init__(params, _options(locals(), *names.split()))

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if not state:
            state.update(step=0, exp_avg=_zeros(p), exp_avg_sq=_zeros(p))
        state["step"] += 1
        t = state["step"]
        beta1, beta2 = group["betas"]
        if group["decoupled_weight_decay"]:
            _shrink(p, group)
        else:
            grad = _decayed(p, grad, group)
        state["exp_avg"] = m = _mean(state["exp_avg"], grad, beta1)
        state["exp_avg_sq"] = v = _mean(state["exp_avg_sq"], grad * grad, beta2)
        left = 1 - beta2**t
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / left
        move = m / (1 - beta1**t)
        if length > 5:
            trust = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            move = move * (math.sqrt(left) * math.sqrt(trust)) / (v.sqrt() + group["eps"])
        p.copy_(p.detach() - move * float(group["lr"]))


class Adamax(Optimizer):
    """m ← β₁ m + (1 − β₁) g;  u ← max(β₂ u, |g| + ε);  p ← p − η / (1 − β₁ᵗ) m / u.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        _check("Adamax", lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        names = "lr betas eps weight_decay foreach maximize differentiable capturable"
        super().__init__(params, _options(locals(), *names.split()))

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if not state:
            state.update(step=0, exp_avg=_zeros(p), exp_inf=_zeros(p))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        grad = _decayed(p, grad, group)
        state["exp_avg"] = m = _mean(state["exp_avg"], grad, beta1)
        state["exp_inf"] = u = _C.maximum(state["exp_inf"] * beta2, grad.abs() + group["eps"])
        p.copy_(p.detach() - m / u * (float(group["lr"]) / (1 - beta1 ** state["step"])))


class RMSprop(Optimizer):
    """v ← α v + (1 − α) g²;  p ← p − η g / (√v + ε), centered √(v − ḡ²); with momentum, of the quotient.

    Source: Hinton, Neural Networks for Machine Learning, lecture 6, 2012.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check("RMSprop", lr=lr, eps=eps, weight_decay=weight_decay, momentum=momentum, alpha=alpha)
        names = "lr momentum alpha eps centered weight_decay capturable foreach maximize differentiable"
        super().__init__(params, _options(locals(), *names.split()))

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if not state:
            state.update(step=0, square_avg=_zeros(p))
            if group["momentum"] > 0:
                state["momentum_buffer"] = _zeros(p)
            if group["centered"]:
                state["grad_avg"] = _zeros(p)
        state["step"] += 1
        grad = _decayed(p, grad, group)
        alpha = group["alpha"]
        state["square_avg"] = v = _mean(state["square_avg"], grad * grad, alpha)
        if group["centered"]:
            state["grad_avg"] = mean = _mean(state["grad_avg"], grad, alpha)
            v = v - mean * mean
        move = grad / (v.sqrt() + group["eps"])
        if group["momentum"] > 0:
            state["momentum_buffer"] = move = state["momentum_buffer"] * group["momentum"] + move
        p.copy_(p.detach() - move * float(group["lr"]))


class Adagrad(Optimizer):
    """s ← s + g²;  p ← p − η / (1 + (t − 1) decay) g / (√s + ε).

    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods, 2011.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        _check(
            "Adagrad",
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        names = "lr lr_decay eps weight_decay initial_accumulator_value foreach maximize differentiable fused"
        super().__init__(params, _options(locals(), *names.split()))
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = {"step": 0, "sum": _zeros(p) + group["initial_accumulator_value"]}

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if not state:
            state.update(step=0, sum=_zeros(p) + group["initial_accumulator_value"])
        state["step"] += 1
        grad = _decayed(p, grad, group)
        state["sum"] = s = state["sum"] + grad * grad
        rate = float(group["lr"]) / (1 + (state["step"] - 1) * group["lr_decay"])
        p.copy_(p.detach() - grad / (s.sqrt() + group["eps"]) * rate)


class Adadelta(Optimizer):
    """v ← ρ v + (1 − ρ) g²;  Δ = √(u + ε) / √(v + ε) g;  u ← ρ u + (1 − ρ) Δ²;  p ← p − η Δ.

    Source: Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check("Adadelta", lr=lr, eps=eps, weight_decay=weight_decay)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        names = "lr rho eps weight_decay maximize capturable foreach differentiable"
        super().__init__(params, _options(locals(), *names.split()))

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if not state:
            state.update(step=0, square_avg=_zeros(p), acc_delta=_zeros(p))
        state["step"] += 1
        rho, eps = group["rho"], group["eps"]
        grad = _decayed(p, grad, group)
        state["square_avg"] = v = _mean(state["square_avg"], grad * grad, rho)
        move = (state["acc_delta"] + eps).sqrt() / (v + eps).sqrt() * grad
        state["acc_delta"] = _mean(state["acc_delta"], move * move, rho)
        p.copy_(p.detach() - move * float(group["lr"]))


class ASGD(Optimizer):
    """SGD that keeps the mean of the parameters it passed, as `ax` in its state.

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992.
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
        _check("ASGD", lr=lr, weight_decay=weight_decay)
        names = "lr lambd alpha t0 weight_decay foreach maximize differentiable capturable"
        super().__init__(params, _options(locals(), *names.split()))

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
        _check("Rprop", lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        names = "lr etas step_sizes foreach maximize differentiable capturable"
        super().__init__(params, _options(locals(), *names.split()))

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
        _check("Adafactor", lr=lr, weight_decay=weight_decay)
        if beta2_decay > 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if d < 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        names = "lr beta2_decay eps d weight_decay foreach maximize"
        super().__init__(params, _options(locals(), *names.split()))

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


class Lion(Optimizer):
    """p ← p − η (sign(β₁ m + (1 − β₁) g) + λ p);  m ← β₂ m + (1 − β₂) g.

    Source: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023. PyTorch has none.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-4,
        betas: tuple = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        _check("Lion", lr=lr, betas=betas, weight_decay=weight_decay)
        super().__init__(params, _options(locals(), "lr", "betas", "weight_decay", "maximize"))

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        if not state:
            state["exp_avg"] = _zeros(p)
        beta1, beta2 = group["betas"]
        _shrink(p, group)
        p.copy_(p.detach() - _mean(state["exp_avg"], grad, beta1).sign() * float(group["lr"]))
        state["exp_avg"] = _mean(state["exp_avg"], grad, beta2)


class Muon(Optimizer):
    """Momentum whose matrix is made nearly orthogonal before each step, by Newton–Schulz iterations; for matrices only.

    The iterations run in the parameter's own precision (PyTorch's in bfloat16).
    Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        _check("Muon", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        names = "lr weight_decay momentum nesterov ns_coefficients eps ns_steps adjust_lr_fn"
        super().__init__(params, _options(locals(), *names.split()))
        for group in self.param_groups:
            for p in group["params"]:
                if p.dim() != 2:
                    raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {tuple(p.shape)}")

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        momentum, (a, b, c) = group["momentum"], group["ns_coefficients"]
        if not state:
            state["momentum_buffer"] = _zeros(p)
        state["momentum_buffer"] = v = _mean(state["momentum_buffer"], grad, momentum)
        x = _mean(v, grad, momentum) if group["nesterov"] else v
        rows, columns = p.shape
        x = x.t() if rows > columns else x
        x = x / (x * x).sum().sqrt().clamp(min=group["eps"])
        for _ in range(group["ns_steps"]):
            gram = x.matmul(x.t())
            x = x * a + (gram * b + gram.matmul(gram) * c).matmul(x)
        x = x.t() if rows > columns else x
        if group["adjust_lr_fn"] == "match_rms_adamw":
            ratio = 0.2 * math.sqrt(max(rows, columns))
        else:
            ratio = math.sqrt(max(1, rows / columns))
        _shrink(p, group)
        p.copy_(p.detach() - x * (float(group["lr"]) * ratio))
