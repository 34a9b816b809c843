"""Define-by-run automatic differentiation of tensors.

>>> import wengert
>>> x = wengert.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from . import _C
from ._size import Size

_C._set_size_class(Size)

from ._modes import enable_grad, inference_mode, no_grad, set_grad_enabled  # noqa: E402

for _mode in (enable_grad, inference_mode, no_grad, set_grad_enabled):
    setattr(_C, _mode.__name__, _mode)

from ._C import *  # noqa: F403
from ._C import Tensor, __version__  # noqa: F401

from . import autograd, cuda, func, linalg, nn, special  # noqa: E402
from ._linear import cdist, tensordot  # noqa: E402, F401
from .func import vmap  # noqa: E402, F401

bool = _C.bool

_lazy = {
    "optim": "optim",
    "signal": "signal",
    "utils": "utils",
}
_layers = ("Linear", "MSELoss", "Module", "Sequential", "ReLU", "CrossEntropyLoss", "Parameter")


def __getattr__(name):
    if name in _lazy:
        import importlib

        return importlib.import_module("." + name, __name__)
    if name in _layers:
        return getattr(nn, name)
    raise AttributeError(f"module 'wengert' has no attribute {name!r}")


def is_tensor(obj):
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)


def numel(input):
    """How many elements `input` has."""
    return input.numel()


def is_floating_point(input):
    """Whether the elements of `input` are floating-point numbers."""
    return input.is_floating_point()


def get_default_dtype():
    """The dtype of new floating-point tensors."""
    return _C.float32
