"""Functions that PyTorch has beside its views, whose results are copies: `permute_copy` and the like."""

from . import _C


_VIEWS = (
    "as_strided diagonal expand narrow permute select squeeze t transpose unbind unsqueeze view detach alias slice unfold "
    "split split_with_sizes"
).split()

_SPECIAL = {
    "alias": lambda x: x,
    "detach": lambda x: x.detach(),
    "expand": lambda x, size, *, implicit=False: x.expand(size),
    "slice": lambda x, dim=0, start=None, end=None, step=1: x[(slice(None),) * (dim % x.dim()) + (slice(start, end, step),)],
    "split": _C.split,
    "unfold": lambda x, dimension, size, step: x.unfold(dimension, size, step),
    "view": lambda x, size: x.view(size),
}


def _copy(name):
    view = _SPECIAL.get(name) or getattr(_C, name)

    def function(*args, out=None, **kwargs):
        if out is not None:
            raise NotImplementedError(f"{name}_copy: out= is not supported")
        y = view(*args, **kwargs)
        return tuple(part.clone() for part in y) if isinstance(y, (tuple, list)) else y.clone()

    function.__name__ = function.__qualname__ = f"{name}_copy"
    function.__module__ = "wengert"
    function.__doc__ = f"A copy of what `{name}` shows."
    return function


for _name in _VIEWS:
    globals()[_name + "_copy"] = _copy(_name)
