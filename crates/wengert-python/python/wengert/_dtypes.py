"""Questions about dtypes, and functions made of others."""

from . import _C


def result_type(tensor1, tensor2):
    """The dtype of what combining two tensors, or a tensor and a number, gives.

    >>> import wengert
    >>> wengert.result_type(wengert.ones(1, dtype=wengert.int64), 1.0)
    wengert.float32
    """
    one, two = (x.detach().new_empty((0,) * x.dim() or ()) if isinstance(x, _C.Tensor) else x for x in (tensor1, tensor2))
    if not isinstance(one, _C.Tensor) and not isinstance(two, _C.Tensor):
        one = _C.tensor(one)
    return _C.add(one, two).dtype if isinstance(one, _C.Tensor) else _C.add(two, one).dtype


def can_cast(from_, to):
    """Whether a dtype's kind of numbers can become that of another: bools anything, integers floats, but not back.

    >>> import wengert
    >>> wengert.can_cast(wengert.float32, wengert.int64)
    False
    """

    def rank(dtype):
        return 0 if dtype is _C.bool else 2 if dtype.is_floating_point else 1

    if to is _C.uint8 and from_ in (_C.int8, _C.int16, _C.int32, _C.int64):
        return True
    return rank(from_) <= rank(to)


def scalar_tensor(s, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False):
    """A tensor of no dimensions; of float32, whatever the number is, unless a dtype is given."""
    return _C.tensor(s, dtype=_C.float32 if dtype is None else dtype, requires_grad=requires_grad)


def gradient(input, *, spacing=1, dim=None, edge_order=1):
    """The derivative of samples along dimensions, by differences to both sides; at the ends to one.

    `spacing` is the distance of samples: one number, one for each dimension, or tensors of places.

    >>> import wengert
    >>> wengert.gradient(wengert.tensor([1.0, 4.0, 9.0, 16.0]))
    (tensor([3., 4., 6., 7.]),)
    """
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    dims = range(input.dim()) if dim is None else (dim,) if not hasattr(dim, "__iter__") else dim
    dims = [d % input.dim() for d in dims]
    spacing = 1 if spacing is None else spacing
    alone = not isinstance(spacing, (list, tuple))
    spacings = [spacing] * len(dims) if alone else list(spacing)
    if len(spacings) != len(dims):
        raise RuntimeError(f"gradient: needs as many spacings as dimensions, and got {len(spacings)} and {len(dims)}")
    return tuple(_gradient(input, space, d, edge_order) for space, d in zip(spacings, dims))


def _gradient(x, space, dim, edge_order):
    n = x.shape[dim]
    if n <= edge_order:
        raise RuntimeError(f"gradient: expected each dimension size to be at least edge_order+1, and dimension {dim} has {n}")
    x = x if x.is_floating_point() else x.to(_C.float32)
    x = x.movedim(dim, -1)
    at = space.to(x.dtype) if isinstance(space, _C.Tensor) and space.dim() == 1 else _C.arange(n, dtype=x.dtype) * space
    step = at[1:] - at[:-1]
    slope = (x[..., 1:] - x[..., :-1]) / step
    # Inside, the two slopes weighted such that a parabola's derivative is exact.
    before, after = step[:-1], step[1:]
    inner = (after * slope[..., :-1] + before * slope[..., 1:]) / (before + after)
    first, last = slope[..., :1], slope[..., -1:]
    if edge_order == 2:
        first = first - step[0] * (slope[..., 1:2] - first) / (step[0] + step[1])
        last = last + step[-1] * (last - slope[..., -2:-1]) / (step[-1] + step[-2])
    return _C.cat([first, inner, last], -1).movedim(-1, dim)
