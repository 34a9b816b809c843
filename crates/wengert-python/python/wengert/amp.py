"""Mixed precision: PyTorch's `torch.amp`, as on its CPU.

Inside `autocast` products, convolutions and attention round their float32 operands to bfloat16 (or float16) and give
results of that dtype; losses and decompositions compute in float32; what is left computes in the dtype of its operands.
Parameters and their gradients stay float32. It makes values half as large, not products faster: kernels compute in
float32 either way.
"""

import functools as _functools
import math as _math
import warnings as _warnings

from . import _C
from ._modes import no_grad
from ._tree import flatten as _flatten
from ._tree import unflatten as _unflatten

__all__ = [
    "GradScaler",
    "autocast",
    "custom_bwd",
    "custom_fwd",
    "get_autocast_dtype",
    "is_autocast_available",
    "is_autocast_enabled",
]


class autocast:
    """A `with` block, or a decorator, inside which products are computed in half precision.

    The mode is the thread's. A backward pass need not be inside: gradients have the dtypes of their values.
    `cache_enabled` changes nothing: weights are rounded anew each time.

    >>> import wengert
    >>> w = wengert.eye(2).requires_grad_()
    >>> with wengert.autocast("cpu"):
    ...     y = w @ w
    ...     loss = wengert.nn.functional.mse_loss(y, wengert.zeros(2, 2))
    >>> y.dtype, loss.dtype
    (wengert.bfloat16, wengert.float32)
    >>> loss.backward()
    >>> w.grad.dtype
    wengert.float32
    """

    def __init__(self, device_type="cpu", dtype=None, enabled=True, cache_enabled=None):
        if not isinstance(device_type, str):
            raise ValueError(f"autocast: the type of a device is a text, and {device_type!r} is none")
        dtype = _C.bfloat16 if dtype is None else dtype
        if enabled and not is_autocast_available(device_type):
            _warnings.warn(f"autocast changes nothing here: there is no device of type {device_type!r}", stacklevel=2)
            enabled = False
        elif enabled and dtype not in (_C.bfloat16, _C.float16):
            _warnings.warn(f"autocast changes nothing here: it computes in bfloat16 or float16, not {dtype}", stacklevel=2)
            enabled = False
        self.device, self.fast_dtype = device_type, dtype
        self._on = dtype if enabled else None
        self._before = []

    def __enter__(self):
        self._before.append(_C._set_autocast(self._on))
        return self

    def __exit__(self, *_):
        _C._set_autocast(self._before.pop())

    def __call__(self, function):
        @_functools.wraps(function)
        def decorated(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return decorated


def is_autocast_available(device_type):
    """Whether there is a device of this type: there is the CPU."""
    return device_type == "cpu"


def is_autocast_enabled(device_type="cpu"):
    """Whether this thread is inside `autocast`."""
    return device_type == "cpu" and _C._autocast_dtype() is not None


def get_autocast_dtype(device_type="cpu"):
    """The dtype of products inside `autocast`: bfloat16 unless another was asked for."""
    return _C._autocast_dtype() or _C.bfloat16


def custom_fwd(fwd=None, *, device_type, cast_inputs=None):
    """Decorates the `forward` of an `autograd.Function`, whose `backward` has `custom_bwd`.

    With `cast_inputs` the floating-point tensors it gets are brought to that dtype inside `autocast`, which is off
    for it then.
    """
    if fwd is None:
        return _functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @_functools.wraps(fwd)
    def decorated(ctx, *args, **kwargs):
        ctx._autocast = _C._autocast_dtype()
        if cast_inputs is None or ctx._autocast is None:
            return fwd(ctx, *args, **kwargs)
        ctx._autocast = None
        leaves, spec = _flatten((args, kwargs))
        for i, x in enumerate(leaves):
            if isinstance(x, _C.Tensor) and x.is_floating_point() and x.dtype is not _C.float64:
                leaves[i] = x.to(cast_inputs)
        args, kwargs = _unflatten(leaves, spec)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *args, **kwargs)

    return decorated


def custom_bwd(bwd=None, *, device_type):
    """Decorates the `backward` of an `autograd.Function`: it computes in the precision of its `forward`."""
    if bwd is None:
        return _functools.partial(custom_bwd, device_type=device_type)

    @_functools.wraps(bwd)
    def decorated(ctx, *args, **kwargs):
        with autocast(device_type, ctx._autocast, enabled=ctx._autocast is not None):
            return bwd(ctx, *args, **kwargs)

    return decorated


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
