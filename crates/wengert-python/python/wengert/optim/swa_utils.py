"""Averages of models."""

from __future__ import annotations

import copy
import math
from typing import Any, Callable, Iterable

from wengert import _C
from wengert._modes import no_grad

from ..nn.modules.module import Module
from .lr_scheduler import LRScheduler


def get_swa_avg_fn() -> Callable:
    """The plain mean of all models seen."""
    return lambda mean, new, seen: mean + (new - mean) / (float(seen) + 1)


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """The running mean: decay · mean + (1 − decay) · new."""
    return lambda mean, new, seen: mean * decay + new * (1 - decay)


def _each(avg_fn: Callable) -> Callable:
    """The form for lists of tensors, whose means are changed in place."""

    @no_grad()
    def update(means: list, news: list, seen: Any) -> None:
        for mean, new in zip(means, news):
            mean.copy_(avg_fn(mean.detach(), new.detach(), seen))

    return update


def get_swa_multi_avg_fn() -> Callable:
    """As `get_swa_avg_fn`, for lists of tensors at once."""
    return _each(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """As `get_ema_avg_fn`, for lists of tensors at once."""
    return _each(get_ema_avg_fn(decay))


class AveragedModel(Module):
    """A copy of a model whose parameters are means over the training.

    >>> import wengert
    >>> model = wengert.nn.Linear(1, 1)
    >>> average = wengert.optim.swa_utils.AveragedModel(model)
    >>> average.update_parameters(model)
    >>> wengert.equal(average.module.weight, model.weight)
    True
    """

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable | None = None,
        multi_avg_fn: Callable | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", _C.tensor(0))
        self.avg_fn = avg_fn if avg_fn is not None else get_swa_avg_fn()
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model gives."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Takes one more model into the mean."""

        def values(m: Module) -> list:
            return [*m.parameters(), *(m.buffers() if self.use_buffers else ())]

        seen = int(self.n_averaged)
        with no_grad():
            pairs = list(zip(values(self.module), values(model)))
            if seen > 0 and self.multi_avg_fn is not None:
                self.multi_avg_fn([mean for mean, _ in pairs], [new for _, new in pairs], self.n_averaged)
            else:
                for mean, new in pairs:
                    if seen == 0 or not new.is_floating_point():
                        mean.copy_(new.detach())
                    else:
                        mean.copy_(self.avg_fn(mean.detach(), new.detach(), seen))
            if not self.use_buffers:
                for mean, new in zip(self.module.buffers(), model.buffers()):
                    mean.copy_(new.detach())
            self.n_averaged.add_(1)


def update_bn(loader: Iterable, model: Module, device: Any = None) -> None:
    """Computes the running means of batch norms anew, from all batches."""
    norms = [m for m in model.modules() if hasattr(m, "reset_running_stats") and hasattr(m, "num_batches_tracked")]
    norms = [m for m in norms if m.num_batches_tracked is not None]
    momenta = {m: m.momentum for m in norms}
    if not norms:
        return
    was_training = model.training
    model.train()
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    for batch in loader:
        model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    for m in norms:
        m.momentum = momenta[m]
    model.train(was_training)


class SWALR(LRScheduler):
    """Brings the learning rate to `swa_lr` over some epochs, and keeps it there.

    >>> import wengert
    >>> opt = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=1.0)
    >>> schedule = wengert.optim.swa_utils.SWALR(opt, swa_lr=0.05, anneal_epochs=1)
    >>> opt.step()
    >>> schedule.step()
    >>> round(opt.param_groups[0]['lr'], 4)
    0.05
    """

    def __init__(
        self,
        optimizer: Any,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must by one of 'cos' or 'linear', instead got {anneal_strategy}")
        rates = swa_lr if isinstance(swa_lr, (list, tuple)) else [swa_lr] * len(optimizer.param_groups)
        for group, rate in zip(optimizer.param_groups, rates):
            group["swa_lr"] = rate
        self.anneal_epochs = anneal_epochs
        self._strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _share(self, t: float) -> float:
        t = max(0.0, min(1.0, t))
        return (1 - math.cos(math.pi * t)) / 2 if self._strategy == "cos" else t

    def get_lr(self) -> list:
        """The rates of this epoch."""
        step = self._step_count - 1
        length = max(1, self.anneal_epochs)
        before = self._share(max(0, min(1, (step - 1) / length)))
        now = self._share(max(0, min(1, step / length)))
        rates = []
        for group in self.optimizer.param_groups:
            first = group["swa_lr"] if before == 1 else (group["lr"] - before * group["swa_lr"]) / (1 - before)
            rates.append(group["swa_lr"] * now + first * (1 - now))
        return rates
