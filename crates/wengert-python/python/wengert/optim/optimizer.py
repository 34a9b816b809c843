"""What all optimizers share."""

from __future__ import annotations

import copy
import functools
from collections import OrderedDict, defaultdict
from typing import Any, Callable, Iterable

from wengert import _C
from wengert._C import Tensor
from wengert._modes import enable_grad, no_grad

from ..nn.modules.hooks import RemovableHandle, _add_hook

# Numbers of the state that PyTorch keeps as tensors.
_NUMBERS = ("step", "mu_product", "eta", "mu")


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def _counted(step: Callable) -> Callable:
    """A `step` between its hooks, which leaves a note for schedulers that it was called."""

    @functools.wraps(step)
    def wrapped(self: "Optimizer", *args: Any, **kwargs: Any) -> Any:
        for hook in self._optimizer_step_pre_hooks.values():
            new = hook(self, args, kwargs)
            if new is not None:
                args, kwargs = new
        loss = step(self, *args, **kwargs)
        self._opt_called = True
        for hook in self._optimizer_step_post_hooks.values():
            hook(self, args, kwargs)
        return loss

    return wrapped


class Optimizer:
    """Changes parameters by their gradients.

    Subclasses give the defaults of their options to `__init__`, and define `_update`, which changes one
    parameter, or `step` itself.
    """

    _opt_called = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _counted(cls.step)  # type: ignore[method-assign]

    def __init__(self, params: Any, defaults: dict) -> None:
        name = type(self).__name__
        if isinstance(params, Tensor):
            raise TypeError(
                f"params argument given to the optimizer should be an iterable of Tensors or dicts, but got {type(params).__name__}"
            )
        self.defaults = defaults
        self._optimizer_step_pre_hooks: OrderedDict = OrderedDict()
        self._optimizer_step_post_hooks: OrderedDict = OrderedDict()
        self.state: defaultdict = defaultdict(dict)
        self.param_groups: list = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            if not isinstance(group, dict):
                raise TypeError(f"{name}: parameter groups must all be dicts, and one is {type(group).__name__}")
            self.add_param_group(group)

    def add_param_group(self, param_group: dict) -> None:
        """Adds parameters with options of their own."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        params = list(params)
        if params and all(isinstance(p, tuple) for p in params):
            group["param_names"] = [name for name, _ in params]
            params = [p for _, p in params]
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        group["params"] = params
        for key, default in self.defaults.items():
            if default is required and key not in group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {key}")
            group.setdefault(key, default)
        if len({id(p) for p in params}) != len(params):
            raise ValueError("optimizer contains a parameter group with duplicate parameters")
        others = {id(p) for g in self.param_groups for p in g["params"]}
        if any(id(p) in others for p in params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad = None if set_to_none else _C.zeros_like(p.grad.detach())

    def _evaluate(self, closure: Callable | None) -> Any:
        if closure is None:
            return None
        with enable_grad():
            return closure()

    def _begin(self, local: dict) -> None:
        """Starts with the arguments of a subclass's `__init__`, checked: they are the parameters and the options."""
        options = {k: v for k, v in local.items() if k not in ("self", "params", "__class__")}
        _check(**options)
        Optimizer.__init__(self, local["params"], options)

    def _update(self, p: Tensor, grad: Tensor, state: dict, group: dict) -> None:
        """Changes one parameter."""
        raise NotImplementedError(f"{type(self).__name__} defines neither step nor _update")

    def _step_group(self, group: dict) -> None:
        """Changes the parameters of a group that have a gradient."""
        maximize = group.get("maximize", False)
        with no_grad():
            for p in group["params"]:
                grad = p.grad
                if grad is not None:
                    self._update(p, -grad if maximize else grad.detach(), self.state[p], group)

    def step(self, closure: Callable | None = None) -> Any:
        """Changes all parameters that have a gradient; gives what `closure`, which is called first, returns."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            self._step_group(group)
        return loss

    step = _counted(step)

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` before each step."""
        return _add_hook(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` after each step."""
        return _add_hook(self._optimizer_step_post_hooks, hook)

    def state_dict(self) -> dict:
        """State and options, with parameters as numbers, laid out as PyTorch's."""
        numbers: dict = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)

        def pack(key: str, value: Any) -> Any:
            if key not in _NUMBERS or not isinstance(value, (int, float)):
                return value
            # PyTorch's float32 holds any number of steps, but a run that goes on from less than float64 would be another.
            return _C.tensor(float(value), dtype=_C.float32 if key == "step" else _C.float64)

        state = {
            numbers[id(p)] if isinstance(p, Tensor) else p: {k: pack(k, v) for k, v in values.items()}
            for p, values in self.state.items()
            if values
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict) -> None:
        """Takes what `state_dict` gave, here or in PyTorch."""
        from ..nn.modules.state import _as_tensor

        groups, saved = self.param_groups, state_dict["param_groups"]
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved)):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's group")
        by_number = {n: p for g, s in zip(groups, saved) for n, p in zip(s["params"], g["params"])}

        def unpack(key: Any, value: Any, p: Tensor) -> Any:
            if key in _NUMBERS and hasattr(value, "item"):
                return value.item()
            if isinstance(value, dict):
                return {k: unpack(k, v, p) for k, v in value.items()}
            if isinstance(value, (list, tuple)):
                return type(value)(unpack(None, v, p) for v in value)
            if hasattr(value, "detach"):
                value = _as_tensor(value).detach().clone()
                return value.to(p.dtype) if value.is_floating_point() and p.is_floating_point() else value
            return copy.deepcopy(value)

        state: defaultdict = defaultdict(dict)
        for n, values in state_dict["state"].items():
            if n in by_number:
                state[by_number[n]] = {k: unpack(k, v, by_number[n]) for k, v in values.items()}
            else:
                state[n] = values
        self.state = state
        self.param_groups = [
            # Options that an older version did not save keep their values.
            {**{k: v for k, v in g.items() if k not in s}, **s, "params": g["params"]}
            for g, s in zip(groups, saved)
        ]

    def __getstate__(self) -> dict:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._optimizer_step_pre_hooks = OrderedDict()
        self._optimizer_step_post_hooks = OrderedDict()

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for key in sorted(group):
                if key != "params":
                    text += f"    {key}: {group[key]}\n"
        return text + ")"


_NOT_NEGATIVE = (
    "lr",
    "momentum",
    "weight_decay",
    "eps",
    "alpha",
    "lr_decay",
    "momentum_decay",
    "initial_accumulator_value",
)


def _check(*, betas: tuple = (), differentiable: bool = False, **options: Any) -> None:
    """Options that must not be negative, and betas in [0, 1)."""
    for key in _NOT_NEGATIVE:
        value = options.get(key, 0.0)
        if not isinstance(value, tuple) and not float(value) >= 0.0:
            words = {"lr": "learning rate", "eps": "epsilon value"}.get(key, f"{key} value")
            raise ValueError(f"Invalid {words}: {value}")
    for i, beta in enumerate(betas):
        if not 0.0 <= float(beta) < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
    if differentiable:
        raise NotImplementedError(
            "steps of optimizers are not recorded: differentiable=True is not supported\n"
            "  help: write the update in tensor operations, with wengert.func.grad for the gradient"
        )
