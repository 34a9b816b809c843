"""Optimizers whose steps are the engine's: one pass over each parameter, which changes it and its state in place.

In the formulas g is the gradient, η the learning rate, λ the weight decay, t the number of the step.
"""

from __future__ import annotations

from typing import Any

from wengert import _C

from .optimizer import Optimizer


class _Fused(Optimizer):
    """Subclasses name their options, by PyTorch's names, in `__init__`; the rules are the engine's."""

    _method = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__ == __name__:
            # A user's subclass keeps the rule of what it is derived from.
            cls._method = cls.__name__

    def _step_group(self, group: dict) -> None:
        _C._optimizer_step(self._method, group, self.state)


class SGD(_Fused):
    """g ← g + λ p;  v ← μ v + (1 − τ) g, at first v ← g;  p ← p − η v, with Nesterov p ← p − η (g + μ v).

    Source: Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.8000, -1.6000])
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
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        self._begin(locals())


class Adam(_Fused):
    """m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  p ← p − η m̂ / (√v̂ + ε), m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ).

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.9000, -1.9000])
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
        self._begin(locals())

    def _step_group(self, group: dict) -> None:
        decoupled = group.get("decoupled_weight_decay", self._method == "AdamW")
        _C._optimizer_step("AdamW" if decoupled else "Adam", group, self.state)


class AdamW(Adam):
    """`Adam` whose weight decay does not pass through the running means.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.AdamW([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.8990, -1.8980])
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


class NAdam(_Fused):
    """`Adam` with Nesterov momentum.

    Source: Dozat, Incorporating Nesterov Momentum into Adam, 2016.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.NAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.8944, -1.8944])
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
        self._begin(locals())


class RAdam(_Fused):
    """`Adam` that trusts its second moment only once that is known well enough.

    Source: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2020.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.8000, -1.6000])
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
        self._begin(locals())


class Adamax(_Fused):
    """m ← β₁ m + (1 − β₁) g;  u ← max(β₂ u, |g| + ε);  p ← p − η / (1 − β₁ᵗ) m / u.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.Adamax([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.9000, -1.9000])
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
        self._begin(locals())


class RMSprop(_Fused):
    """v ← α v + (1 − α) g²;  p ← p − η g / (√v + ε), centered √(v − ḡ²); with momentum, of the quotient.

    Source: Hinton, Neural Networks for Machine Learning, lecture 6, 2012.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.RMSprop([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 8.0466e-08, -1.0000e+00])
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
        self._begin(locals())


class Adagrad(_Fused):
    """s ← s + g²;  p ← p − η / (1 + (t − 1) decay) g / (√s + ε).

    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods, 2011.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.9000, -1.9000])
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
        self._begin(locals())
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = {"step": 0, "sum": _C.full_like(p.detach(), group["initial_accumulator_value"])}


class Adadelta(_Fused):
    """v ← ρ v + (1 − ρ) g²;  Δ = √(u + ε) / √(v + ε) g;  u ← ρ u + (1 − ρ) Δ²;  p ← p − η Δ.

    Source: Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.Adadelta([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.9997, -1.9997])
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
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        self._begin(locals())


class Lion(_Fused):
    """p ← p − η (sign(β₁ m + (1 − β₁) g) + λ p);  m ← β₂ m + (1 − β₂) g.

    Source: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023. PyTorch has none.

    >>> import wengert
    >>> w = wengert.tensor([1.0, -2.0], requires_grad=True)
    >>> opt = wengert.optim.Lion([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> opt.step()
    >>> w.detach()
    tensor([ 0.9000, -1.9000])
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
        self._begin(locals())


class Muon(_Fused):
    """Momentum whose matrix is made nearly orthogonal before each step, by Newton–Schulz iterations; for matrices only.

    The iterations run in the parameter's own precision (PyTorch's in bfloat16).
    Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024.

    >>> import wengert
    >>> w = wengert.ones(2, 2, requires_grad=True)
    >>> opt = wengert.optim.Muon([w], lr=0.1)
    >>> (w @ wengert.tensor([[1.0, 0.0], [0.0, 2.0]])).sum().backward()
    >>> opt.step()
    >>> w.shape, w.grad.tolist()
    (wengert.Size([2, 2]), [[1.0, 2.0], [1.0, 2.0]])
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
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        self._begin(locals())
        for group in self.param_groups:
            for p in group["params"]:
                if p.dim() != 2:
                    raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {tuple(p.shape)}")
