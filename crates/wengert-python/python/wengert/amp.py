"""Mixed precision: PyTorch's `torch.amp`.

`autocast` changes nothing: operations run in the dtype of their inputs, on the CPU in float32 as fast as in any. To train
in half precision convert the model: `model.bfloat16()`.
"""

import contextlib as _contextlib
import math as _math

from ._modes import no_grad

__all__ = ["GradScaler", "autocast", "is_autocast_available"]


class autocast(_contextlib.ContextDecorator):
    """A `with` block, or a decorator, that changes nothing: see the module."""

    def __init__(self, device_type="cpu", dtype=None, enabled=True, cache_enabled=None):
        self.device, self.fast_dtype = device_type, dtype

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def is_autocast_available(device_type):
    """Whether `autocast` would change anything: no."""
    return False


class GradScaler:
    """Scales the loss up, so that small gradients survive half precision, and gradients down again before a step.

    A step whose gradients are not all finite is left out, and the scale shrinks; after `growth_interval` good steps it
    grows.

    >>> import wengert
    >>> from wengert import amp, nn, optim
    >>> p = nn.Parameter(wengert.ones(1))
    >>> optimizer, scaler = optim.SGD([p], lr=0.5), amp.GradScaler()
    >>> scaler.scale(p.sum()).backward()
    >>> _ = scaler.step(optimizer)
    >>> scaler.update()
    >>> p.tolist()
    [0.5]
    """

    def __init__(
        self, device="cpu", init_scale=2.0**16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True
    ):
        if enabled and growth_factor <= 1.0:
            raise ValueError("The growth factor must be > 1.0.")
        if enabled and not 0.0 < backoff_factor < 1.0:
            raise ValueError("The backoff factor must be < 1.0.")
        self._enabled, self._scale = enabled, float(init_scale)
        self._growth_factor, self._backoff_factor, self._growth_interval = growth_factor, backoff_factor, growth_interval
        self._good = 0
        # By optimizer: whether its gradients are infinite somewhere, once they are unscaled.
        self._found = {}
        self._stepped = set()

    def scale(self, outputs):
        """Outputs times the scale: a tensor, or lists and tuples of tensors."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(self.scale(x) for x in outputs)
        return outputs * self._scale

    def unscale_(self, optimizer):
        """Divides the gradients of an optimizer's parameters by the scale: before they are clipped."""
        if not self._enabled:
            return
        if id(optimizer) in self._stepped:
            raise RuntimeError("unscale_() is being called after step().")
        if id(optimizer) in self._found:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        found = False
        with no_grad():
            for group in optimizer.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.grad = p.grad.detach() / self._scale
                        found = found or not bool(p.grad.isfinite().all())
        self._found[id(optimizer)] = found

    def step(self, optimizer, *args, **kwargs):
        """Calls `optimizer.step` unless a gradient is not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if id(optimizer) in self._stepped:
            raise RuntimeError("step() has already been called since the last update().")
        if id(optimizer) not in self._found:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return None if self._found[id(optimizer)] else optimizer.step(*args, **kwargs)

    def update(self, new_scale=None):
        """Adapts the scale, or sets it: after each step."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._found:
            raise RuntimeError("No inf checks were recorded prior to update.")
        elif any(self._found.values()):
            self._scale, self._good = self._scale * self._backoff_factor, 0
        else:
            self._good += 1
            if self._good == self._growth_interval:
                grown = self._scale * self._growth_factor
                self._scale, self._good = grown if _math.isfinite(grown) else self._scale, 0
        self._found, self._stepped = {}, set()

    def get_scale(self):
        """The scale, or 1 where it is not enabled."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self):
        """Whether it scales at all."""
        return self._enabled

    def get_growth_factor(self):
        """By what the scale grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor):
        """By what the scale grows from now on."""
        self._growth_factor = new_factor

    def get_backoff_factor(self):
        """By what the scale shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor):
        """By what the scale shrinks from now on."""
        self._backoff_factor = new_factor

    def get_growth_interval(self):
        """After how many good steps it grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval):
        """After how many good steps it grows from now on."""
        self._growth_interval = new_interval

    def state_dict(self):
        """What `load_state_dict` takes, here and in PyTorch."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._good,
        }

    def load_state_dict(self, state_dict):
        """Takes what `state_dict` gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("The source state dict is empty, possibly because it was saved from a disabled GradScaler.")
        self._scale, self._good = float(state_dict["scale"]), int(state_dict["_growth_tracker"])
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
