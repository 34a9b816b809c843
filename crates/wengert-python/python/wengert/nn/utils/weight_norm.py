"""Weights that are computed from other parameters before each call."""

from __future__ import annotations

from typing import Any

from wengert import _C
from wengert._C import Tensor
from wengert._modes import no_grad

from ..parameter import Parameter


def _norm_except(v: Tensor, dim: int | None) -> Tensor:
    """The norm over all dimensions but one, which stays."""
    if dim is None:
        return (v * v).sum().sqrt()
    others = [d for d in range(v.dim()) if d != dim % v.dim()]
    return (v * v).sum(others, keepdim=True).sqrt() if others else v.abs()


class _Computed:
    """A forward pre-hook that sets an attribute to a function of parameters."""

    def __init__(self, name: str) -> None:
        self.name = name

    def compute(self, module: Any) -> Tensor:
        raise NotImplementedError

    def __call__(self, module: Any, _args: Any) -> None:
        module.__dict__[self.name] = self.compute(module)

    @classmethod
    def find(cls, module: Any, name: str) -> int:
        for number, hook in module._forward_pre_hooks.items():
            if isinstance(hook, cls) and hook.name == name:
                return number
        kind = cls.__name__.lstrip("_")
        raise ValueError(f"{kind} of '{name}' not found in {module}")

    def put(self, module: Any) -> None:
        if any(isinstance(h, _Computed) and h.name == self.name for h in module._forward_pre_hooks.values()):
            raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {self.name}")
        module.register_forward_pre_hook(self)
        self(module, ())


class _weight_norm(_Computed):
    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = dim

    def compute(self, module: Any) -> Tensor:
        g, v = module._parameters[self.name + "_g"], module._parameters[self.name + "_v"]
        return v * (g / _norm_except(v, self.dim))


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Makes a weight g v / ‖v‖, with its length `weight_g` and direction `weight_v` as parameters.

    Source: Salimans and Kingma, Weight Normalization, 2016.

    >>> import wengert
    >>> layer = wengert.nn.utils.weight_norm(wengert.nn.Linear(2, 3))
    >>> layer(wengert.ones(1, 2)).shape
    wengert.Size([1, 3])
    """
    weight = module._parameters[name]
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(_norm_except(weight.detach(), dim)))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    _weight_norm(name, dim).put(module)
    return module


def _remove(kind: Any, module: Any, name: str, parts: tuple) -> Any:
    number = kind.find(module, name)
    hook = module._forward_pre_hooks.pop(number)
    with no_grad():
        weight = hook.compute(module)
    del module.__dict__[name]
    for part in parts:
        delattr(module, name + part)
    module.register_parameter(name, Parameter(weight.detach()))
    return module


def remove_weight_norm(module: Any, name: str = "weight") -> Any:
    """Makes the weight a plain parameter again."""
    return _remove(_weight_norm, module, name, ("_g", "_v"))


class _spectral_norm(_Computed):
    def __init__(self, name: str, iterations: int, eps: float, dim: int) -> None:
        super().__init__(name)
        self.iterations, self.eps, self.dim = iterations, eps, dim

    def matrix(self, weight: Tensor) -> Tensor:
        if self.dim != 0:
            weight = weight.transpose(0, self.dim) if weight.dim() == 2 else weight.movedim(self.dim, 0)
        return weight.reshape(weight.shape[0], -1)

    def unit(self, x: Tensor) -> Tensor:
        return x / float((x * x).sum().sqrt().clamp(min=self.eps))

    def compute(self, module: Any) -> Tensor:
        weight = getattr(module, self.name + "_orig")
        u, v = module._buffers[self.name + "_u"], module._buffers[self.name + "_v"]
        matrix = self.matrix(weight)
        if module.training:
            with no_grad():
                m = matrix.detach()
                for _ in range(self.iterations):
                    v = self.unit(m.t().matmul(u))
                    u = self.unit(m.matmul(v))
            module._buffers[self.name + "_u"], module._buffers[self.name + "_v"] = u, v
        return weight / u.dot(matrix.matmul(v))


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Divides a weight by its largest singular value, estimated by power iteration.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018.

    >>> import wengert
    >>> layer = wengert.nn.utils.spectral_norm(wengert.nn.Linear(2, 3))
    >>> layer(wengert.ones(1, 2)).shape
    wengert.Size([1, 3])
    """
    if n_power_iterations <= 0:
        raise ValueError(
            f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
        )
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    weight = module._parameters[name]
    hook = _spectral_norm(name, n_power_iterations, eps, dim)
    with no_grad():
        rows, columns = hook.matrix(weight.detach()).shape
        u, v = hook.unit(_C.randn(rows)), hook.unit(_C.randn(columns))
    del module._parameters[name]
    module.register_parameter(name + "_orig", weight)
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    hook.put(module)
    return module


def remove_spectral_norm(module: Any, name: str = "weight") -> Any:
    """Makes the weight a plain parameter again."""
    return _remove(_spectral_norm, module, name, ("_orig", "_u", "_v"))
