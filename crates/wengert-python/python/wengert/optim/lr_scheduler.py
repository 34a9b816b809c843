"""Learning-rate schedules: each `step()` sets the rates of the optimizer's groups for the next epoch.

Most compute a rate from the one before, so that several schedules can act on one optimizer.
"""

from __future__ import annotations

import math
import types
import warnings
from bisect import bisect_right
from collections import Counter
from typing import Any, Callable

from .optimizer import Optimizer


class LRScheduler:
    """What all schedules share. Subclasses define `get_lr`."""

    _initialising = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch >= 0"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._last_lr: list = []
        self._initialising = True
        self.step()
        self._initialising = False

    def state_dict(self) -> dict:
        """All of it but the optimizer."""
        return {k: v for k, v in self.__dict__.items() if k not in ("optimizer", "_initialising")}

    def load_state_dict(self, state_dict: dict) -> None:
        """Takes what `state_dict` gave."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list:
        """The rates that were set last."""
        return self._last_lr

    def get_lr(self) -> list:
        """The rates for this epoch."""
        raise NotImplementedError

    def step(self, epoch: int | None = None) -> None:
        """Sets the rates for the next epoch, or for this one."""
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them in the opposite order: "
                "`optimizer.step()` before `lr_scheduler.step()`; otherwise the first rate of the schedule is skipped.",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        if epoch is None:
            self.last_epoch += 1
            rates = self.get_lr()
        else:
            self.last_epoch = epoch
            closed = getattr(self, "_get_closed_form_lr", None)
            rates = closed() if closed is not None else self.get_lr()
        self._set(rates)

    def _set(self, rates: list) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates):
            group["lr"] = rate
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _rates(self) -> list:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _times(self, factor: float) -> list:
        return [rate * factor for rate in self._rates()]


_LRScheduler = LRScheduler


def _as_list(value: Any, optimizer: Optimizer, name: str) -> list:
    """One value for each group."""
    n = len(optimizer.param_groups)
    if isinstance(value, (list, tuple)):
        if len(value) != n:
            raise ValueError(f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, param_groups has {n}.")
        return list(value)
    return [value] * n


class _WithFunctions(LRScheduler):
    """Functions are left out of the state; objects that can be called keep theirs."""

    lr_lambdas: list

    def state_dict(self) -> dict:
        """All of it but the optimizer and functions."""
        state = {k: v for k, v in super().state_dict().items() if k != "lr_lambdas"}
        state["lr_lambdas"] = [
            None if isinstance(f, types.FunctionType) else f.__dict__.copy() for f in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Takes what `state_dict` gave."""
        state = dict(state_dict)
        for f, kept in zip(self.lr_lambdas, state.pop("lr_lambdas")):
            if kept is not None:
                f.__dict__.update(kept)
        self.__dict__.update(state)


class LambdaLR(_WithFunctions):
    """The first rate times a function of the epoch.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.LambdaLR(opt, lambda epoch: 1 / (epoch + 1))
    >>> rates = []
    >>> for _ in range(4):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [1.0, 0.5, 0.3333, 0.25]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        self.lr_lambdas = _as_list(lr_lambda, optimizer, "lr_lambda")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rates for this epoch."""
        return [rate * f(self.last_epoch) for f, rate in zip(self.lr_lambdas, self.base_lrs)]


class MultiplicativeLR(_WithFunctions):
    """The rate before times a function of the epoch.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.MultiplicativeLR(opt, lambda epoch: 0.5)
    >>> rates = []
    >>> for _ in range(4):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        self.lr_lambdas = _as_list(lr_lambda, optimizer, "lr_lambda")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rates for this epoch."""
        if self._initialising:
            return self._rates()
        return [rate * f(self.last_epoch) for f, rate in zip(self.lr_lambdas, self._rates())]


class StepLR(LRScheduler):
    """Times γ every `step_size` epochs.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.1)
    >>> rates = []
    >>> for _ in range(5):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [1.0, 1.0, 0.1, 0.1, 0.01]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rates for this epoch."""
        now = self.last_epoch == 0 or self.last_epoch % self.step_size != 0
        return self._rates() if now else self._times(self.gamma)

    def _get_closed_form_lr(self) -> list:
        return [rate * self.gamma ** (self.last_epoch // self.step_size) for rate in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Times γ at each of the milestones.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.MultiStepLR(opt, milestones=[1, 3], gamma=0.1)
    >>> rates = []
    >>> for _ in range(4):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [1.0, 0.1, 0.1, 0.01]
    """

    def __init__(self, optimizer: Optimizer, milestones: Any, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rates for this epoch."""
        return self._times(self.gamma ** self.milestones[self.last_epoch])

    def _get_closed_form_lr(self) -> list:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [rate * self.gamma**passed for rate in self.base_lrs]


class ConstantLR(LRScheduler):
    """A part of the rate for the first epochs, then all of it.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.ConstantLR(opt, factor=0.5, total_iters=2)
    >>> rates = []
    >>> for _ in range(4):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if factor > 1.0 or factor < 0:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rates for this epoch."""
        if self.last_epoch == 0:
            return self._times(self.factor)
        return self._times(1 / self.factor) if self.last_epoch == self.total_iters else self._rates()

    def _get_closed_form_lr(self) -> list:
        factor = self.factor if self.last_epoch < self.total_iters else 1.0
        return [rate * factor for rate in self.base_lrs]


class LinearLR(LRScheduler):
    """A part of the rate that changes evenly over the first epochs.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.LinearLR(opt, start_factor=0.25, total_iters=3)
    >>> rates = []
    >>> for _ in range(4):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [0.25, 0.5, 0.75, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if start_factor > 1.0 or start_factor <= 0:
            raise ValueError("Starting multiplicative factor expected to be greater than 0 and less or equal to 1.")
        if end_factor > 1.0 or end_factor < 0:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return self.start_factor + (self.end_factor - self.start_factor) * min(epoch, self.total_iters) / self.total_iters

    def get_lr(self) -> list:
        """The rates for this epoch."""
        if self.last_epoch == 0:
            return self._times(self.start_factor)
        if self.last_epoch > self.total_iters:
            return self._rates()
        return self._times(self._factor(self.last_epoch) / self._factor(self.last_epoch - 1))

    def _get_closed_form_lr(self) -> list:
        return [rate * self._factor(self.last_epoch) for rate in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Times γ every epoch.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
    >>> rates = []
    >>> for _ in range(4):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rates for this epoch."""
        return self._rates() if self._initialising else self._times(self.gamma)

    def _get_closed_form_lr(self) -> list:
        return [rate * self.gamma**self.last_epoch for rate in self.base_lrs]


class PolynomialLR(LRScheduler):
    """(1 − t / T)ᵖ times the rate.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.PolynomialLR(opt, total_iters=4)
    >>> rates = []
    >>> for _ in range(4):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [1.0, 0.75, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rates for this epoch."""
        if self._initialising or self.last_epoch > self.total_iters:
            return self._rates()
        left = (1.0 - self.last_epoch / self.total_iters) / (1.0 - (self.last_epoch - 1) / self.total_iters)
        return self._times(left**self.power)

    def _get_closed_form_lr(self) -> list:
        left = 1.0 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [rate * left**self.power for rate in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """η_min + ½ (η − η_min) (1 + cos(π t / T)).

    Source: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=4)
    >>> rates = []
    >>> for _ in range(5):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rates for this epoch."""
        t, least = self.last_epoch, self.eta_min
        if self._initialising:
            return self._rates()
        if self._step_count == 1 and t > 0:
            return [least + (base - least) * (1 + math.cos(t * math.pi / self.T_max)) / 2 for base in self.base_lrs]
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:
            step = (1 - math.cos(math.pi / self.T_max)) / 2
            return [rate + (base - least) * step for base, rate in zip(self.base_lrs, self._rates())]
        ratio = (1 + math.cos(math.pi * t / self.T_max)) / (1 + math.cos(math.pi * (t - 1) / self.T_max))
        return [ratio * (rate - least) + least for rate in self._rates()]

    def _get_closed_form_lr(self) -> list:
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Cosine annealing that begins anew after T₀ epochs, then after T₀ · T_mult, …

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=2)
    >>> rates = []
    >>> for _ in range(4):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [1.0, 0.5, 1.0, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list:
        """The rates for this epoch."""
        share = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Sets the rates for the next epoch, or for this one, which may be a fraction."""
        self._step_count += 1
        if epoch is None:
            self.last_epoch += 1
            epoch = self.last_epoch
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            if epoch < 0:
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            start, length = 0, self.T_0
            while epoch >= start + length:
                start, length = start + length, length * self.T_mult
            self.T_cur, self.T_i = epoch - start, length
            self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())


class CyclicLR(LRScheduler):
    """Between two rates, up and down. Source: Smith, Cyclical Learning Rates for Training Neural Networks, 2017.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.CyclicLR(opt, base_lr=0.1, max_lr=0.3, step_size_up=2)
    >>> rates = []
    >>> for _ in range(5):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [0.1, 0.2, 0.3, 0.2, 0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Any,
        max_lr: Any,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.8,
        max_momentum: Any = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        rates = _as_list(base_lr, optimizer, "base_lr")
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, rates):
                group["lr"] = rate
        self.max_lrs = _as_list(max_lr, optimizer, "max_lr")
        up = float(step_size_up)
        down = up if step_size_down is None else float(step_size_down)
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale = scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
                raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
            self.base_momentums = _as_list(base_momentum, optimizer, "base_momentum")
            self.max_momentums = _as_list(max_momentum, optimizer, "max_momentum")
            if last_epoch == -1:
                for group, momentum in zip(optimizer.param_groups, self.max_momentums):
                    _set_momentum(group, momentum)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = rates

    def scale_fn(self, x: float) -> float:
        """By how much this cycle, or iteration, is smaller than the first."""
        if self._scale is not None:
            return self._scale(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def state_dict(self) -> dict:
        """All of it but the optimizer and functions."""
        return {k: v for k, v in super().state_dict().items() if k != "_scale"}

    def get_lr(self) -> list:
        """The rates for this iteration."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                _set_momentum(group, high - (high - low) * height * scale)
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs)]


def _set_momentum(group: dict, momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


class OneCycleLR(LRScheduler):
    """Up to a largest rate and down to nearly nothing, once.

    Source: Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks, 2018.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.OneCycleLR(opt, max_lr=1.0, total_steps=5)
    >>> rates = []
    >>> for _ in range(5):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [0.04, 0.9505, 0.6113, 0.1883, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is not None:
            if total_steps <= 0 or not isinstance(total_steps, int):
                raise ValueError(f"Expected positive integer total_steps, but got {total_steps}")
            self.total_steps = total_steps
        elif epochs is not None and steps_per_epoch is not None:
            for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
                if not isinstance(value, int) or value <= 0:
                    raise ValueError(f"Expected positive integer {name}, but got {value}")
            self.total_steps = epochs * steps_per_epoch
        else:
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_func_type = anneal_strategy
        up = float(pct_start * self.total_steps) - 1
        last = self.total_steps - 1
        if three_phase:
            ends = [up, float(2 * pct_start * self.total_steps) - 2, last]
            rates = ["initial_lr", "max_lr", "initial_lr", "min_lr"]
            momenta = ["max_momentum", "base_momentum", "max_momentum", "max_momentum"]
        else:
            ends = [up, last]
            rates = ["initial_lr", "max_lr", "min_lr"]
            momenta = ["max_momentum", "base_momentum", "max_momentum"]
        self._schedule_phases = list(zip(ends, rates, rates[1:], momenta, momenta[1:]))
        groups = optimizer.param_groups
        if last_epoch == -1:
            for group, highest in zip(groups, _as_list(max_lr, optimizer, "max_lr")):
                group["initial_lr"] = highest / div_factor
                group["max_lr"] = highest
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
                raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
            if last_epoch == -1:
                high = _as_list(max_momentum, optimizer, "max_momentum")
                low = _as_list(base_momentum, optimizer, "base_momentum")
                for group, most, least in zip(groups, high, low):
                    _set_momentum(group, most)
                    group["max_momentum"] = most
                    group["base_momentum"] = least
        super().__init__(optimizer, last_epoch)

    def _between(self, start: float, end: float, share: float) -> float:
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)
        return (end - start) * share + start

    def get_lr(self) -> list:
        """The rates for this step."""
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The specified number of total steps is {self.total_steps}"
            )
        begin = 0.0
        for number, (end, rate, next_rate, momentum, next_momentum) in enumerate(self._schedule_phases):
            if step <= end or number == len(self._schedule_phases) - 1:
                break
            begin = end
        share = (step - begin) / (end - begin)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[rate], group[next_rate], share))
            if self.cycle_momentum:
                _set_momentum(group, self._between(group[momentum], group[next_momentum], share))
        return rates


class _WithParts(LRScheduler):
    """Schedules that are made of schedules."""

    _schedulers: list

    def state_dict(self) -> dict:
        """All of it but the optimizer."""
        state = {k: v for k, v in super().state_dict().items() if k != "_schedulers"}
        state["_schedulers"] = [s.state_dict() for s in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Takes what `state_dict` gave."""
        state = dict(state_dict)
        for scheduler, kept in zip(self._schedulers, state.pop("_schedulers")):
            scheduler.load_state_dict(kept)
        self.__dict__.update(state)


class SequentialLR(_WithParts):
    """One schedule after another, changing at the milestones.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> warm = wengert.optim.lr_scheduler.LinearLR(opt, 0.5, total_iters=2)
    >>> down = wengert.optim.lr_scheduler.ExponentialLR(opt, 0.9)
    >>> schedule = wengert.optim.lr_scheduler.SequentialLR(opt, [warm, down], milestones=[2])
    >>> rates = []
    >>> for _ in range(4):
    ...     opt.step()
    ...     rates.append(round(opt.param_groups[0]['lr'], 4))
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.9]
    """

    def __init__(self, optimizer: Optimizer, schedulers: list, milestones: list, last_epoch: int = -1) -> None:
        if len(schedulers) < 1:
            raise ValueError(f"{type(self).__name__} expects at least one scheduler to be chained, but got no scheduler.")
        for i, scheduler in enumerate(schedulers):
            if scheduler is None or not hasattr(scheduler, "optimizer"):
                raise TypeError(f"{type(self).__name__} at index {i} should have `optimizer` as its attribute.")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"{type(self).__name__} does not support `ReduceLROnPlateau` scheduler, which needs metrics")
            if optimizer is not scheduler.optimizer:
                raise ValueError(f"{type(self).__name__} expects all schedulers to belong to the same optimizer")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone "
                f"points, but got number of schedulers {len(schedulers)} and the number of milestones to be equal to {len(milestones)}"
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # Each has set the first rate of its own schedule when it was made: back to the beginning of the first.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for scheduler in schedulers:
            scheduler.last_epoch -= 1
        schedulers[0]._initialising = True
        schedulers[0].step()
        schedulers[0]._initialising = False
        self._last_lr = schedulers[0].get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Sets the rates for the next epoch."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            scheduler.step(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_WithParts):
    """Several schedules at once.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> half = wengert.optim.lr_scheduler.ConstantLR(opt, 0.5, total_iters=2)
    >>> down = wengert.optim.lr_scheduler.ExponentialLR(opt, 0.9)
    >>> schedule = wengert.optim.lr_scheduler.ChainedScheduler([half, down], optimizer=opt)
    >>> opt.step()
    >>> schedule.step()
    >>> round(opt.param_groups[0]['lr'], 4)
    0.45
    """

    def __init__(self, schedulers: Any, optimizer: Optimizer | None = None) -> None:
        schedulers = list(schedulers)
        if len(schedulers) < 1:
            raise ValueError(f"{type(self).__name__} expects at least one scheduler to be chained, but got no scheduler.")
        optimizer = optimizer or schedulers[0].optimizer
        for i, scheduler in enumerate(schedulers):
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"{type(self).__name__} does not support `ReduceLROnPlateau` scheduler, which needs metrics")
            if optimizer is not scheduler.optimizer:
                raise ValueError(
                    f"{type(self).__name__} expects all schedulers to belong to the same optimizer, and that at index {i} does not"
                )
        self._schedulers = schedulers
        self.optimizer = optimizer
        self._last_lr = self._rates()

    def step(self, epoch: int | None = None) -> None:
        """Sets the rates for the next epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._rates()


class ReduceLROnPlateau(LRScheduler):
    """Makes the rate smaller when a measure has not improved for some epochs.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.lr_scheduler.ReduceLROnPlateau(opt, factor=0.1, patience=1)
    >>> for loss in (1.0, 1.0, 1.0):
    ...     schedule.step(loss)
    >>> round(opt.param_groups[0]['lr'], 4)
    0.1
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: Any = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ValueError("Factor should be < 1.0.")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        if mode not in ("min", "max"):
            raise ValueError("mode " + mode + " is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError("threshold mode " + threshold_mode + " is unknown!")
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = _as_list(min_lr, optimizer, "min_lr")
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = self._rates()
        self._reset()

    def _reset(self) -> None:
        self.best = math.inf if self.mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs are not counted because the rate was just made smaller."""
        return self.cooldown_counter > 0

    def is_better(self, a: float, best: float) -> bool:
        """Whether a measure is enough better than the best."""
        sign = 1.0 if self.mode == "min" else -1.0
        if self.threshold_mode == "abs":
            return sign * a < sign * best - self.threshold
        return sign * a < sign * best * (1.0 - sign * self.threshold)

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Takes in the measure of one epoch."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self.is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs):
                new = max(float(group["lr"]) * self.factor, least)
                if float(group["lr"]) - new > self.eps:
                    group["lr"] = new
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._rates()
