"""Define-by-run automatic differentiation of tensors.

>>> import wengert
>>> x = wengert.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

import os as _os

from . import _C
from ._size import Size

_C._set_size_class(Size)
_C._set_package(_os.path.dirname(__file__) + _os.sep)

from ._modes import enable_grad, inference_mode, no_grad, set_grad_enabled  # noqa: E402

for _mode in (enable_grad, inference_mode, no_grad, set_grad_enabled):
    setattr(_C, _mode.__name__, _mode)
del _mode

from . import _methods  # noqa: E402, F401
from ._C import *  # noqa: E402, F403
from ._C import Tensor, __version__  # noqa: E402, F401

e, inf, nan, newaxis, pi = 2.718281828459045, 1e999, 1e999 - 1e999, None, 3.141592653589793

# Loaded when first asked for, so that `import wengert` takes no longer than its native part.
_modules = frozenset(
    (
        "amp",
        "array_api",
        "autograd",
        "backends",
        "cuda",
        "distributions",
        "fft",
        "func",
        "functional",
        "linalg",
        "nn",
        "optim",
        "random",
        "safetensors",
        "serialization",
        "signal",
        "special",
        "testing",
        "train",
        "utils",
    )
)
_elsewhere = {
    "save": "serialization",
    "load": "serialization",
    "cdist": "_linear",
    "tensordot": "_linear",
    "vmap": "func",
    "autocast": "amp",
    "is_autocast_enabled": "amp",
    "get_autocast_dtype": "amp",
    "can_cast": "_dtypes",
    "finfo": "_dtypes",
    "gradient": "_dtypes",
    "iinfo": "_dtypes",
    "result_type": "_dtypes",
    "scalar_tensor": "_dtypes",
    "grid_sampler_2d": ("_derived", "grid_sampler"),
    "grid_sampler_3d": ("_derived", "grid_sampler"),
}
_elsewhere.update(
    (name, "_derived")
    for name in (
        "_safe_softmax",
        "empty_strided",
        "unsafe_chunk",
        "unsafe_split",
        "unsafe_split_with_sizes",
        "detach",
        "nonzero_static",
        "spmm",
        "empty_permuted",
        "constant_pad_nd",
        "grid_sampler",
        "lu",
        "lu_unpack",
        "lu_solve",
        "tri",
        "triangular_solve",
        "svd_lowrank",
        "pca_lowrank",
    )
)

_elsewhere.update((name, "_recurrent") for base in ("lstm", "gru", "rnn_tanh", "rnn_relu") for name in (base, base + "_cell"))
_elsewhere.update(
    (name, "_settings")
    for name in (
        "use_deterministic_algorithms",
        "are_deterministic_algorithms_enabled",
        "is_deterministic_algorithms_warn_only_enabled",
        "get_float32_matmul_precision",
        "set_float32_matmul_precision",
        "get_default_device",
        "set_default_device",
        "get_num_interop_threads",
        "set_num_interop_threads",
        "is_inference_mode_enabled",
        "set_flush_denormal",
        "set_printoptions",
        "get_printoptions",
        "printoptions",
        "layout",
        "memory_format",
        "strided",
        "contiguous_format",
        "preserve_format",
        "channels_last",
        "channels_last_3d",
    )
)
_elsewhere.update(
    (name, "_legacy")
    for name in (
        "is_nonzero",
        "is_signed",
        "is_inference",
        "is_neg",
        "is_same_size",
        "get_device",
        "typename",
        "range",
        "orgqr",
        "nuclear_norm",
        "frobenius_norm",
        "norm_except_dim",
        "binomial",
        "affine_grid_generator",
        "native_layer_norm",
        "native_group_norm",
        "native_batch_norm",
        "native_dropout",
        "to_dlpack",
    )
)
_elsewhere["seed"] = "random"


def __getattr__(name):
    import importlib

    if name in _modules:
        return importlib.import_module("." + name, __name__)
    elif name in _elsewhere:
        module = _elsewhere[name]
        module, attribute = module if isinstance(module, tuple) else (module, name)
        value = getattr(importlib.import_module("." + module, __name__), attribute)
        globals()[name] = value
        return value
    elif name.endswith("_copy") and hasattr(copies := importlib.import_module("._copies", __name__), name):
        return getattr(copies, name)
    elif name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name):
        # In-place methods are functions too: `wengert.relu_(x)`.
        return getattr(Tensor, name)
    elif name[:1].isupper():
        # Layers and losses are found here too: `from wengert import Linear, MSELoss`.
        layers = importlib.import_module(".nn", __name__)
        if hasattr(layers, name):
            return getattr(layers, name)
    raise AttributeError(f"module 'wengert' has no attribute {name!r}")


def is_tensor(obj):
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)


def numel(input):
    """How many elements `input` has."""
    return input.numel()


def broadcast_shapes(*shapes):
    """The shape that tensors of these shapes have together.

    >>> import wengert
    >>> wengert.broadcast_shapes((3, 1), (4,), ())
    wengert.Size([3, 4])
    """
    one = _C.zeros(())
    parts = [one.expand(tuple(s) if hasattr(s, "__iter__") else (s,)) for s in shapes]
    return _C.broadcast_tensors(one, *parts)[0].shape


def is_floating_point(input):
    """Whether the elements of `input` are floating-point numbers."""
    return input.is_floating_point()


def is_complex(input):
    """Whether the elements of `input` are complex numbers."""
    return input.is_complex()
