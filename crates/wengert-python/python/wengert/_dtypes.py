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
        return 0 if dtype is _C.bool else 3 if dtype.is_complex else 2 if dtype.is_floating_point else 1

    if to is _C.uint8 and from_ in (_C.int8, _C.int16, _C.int32, _C.int64):
        return True
    return rank(from_) <= rank(to)


def scalar_tensor(s, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False):
    """A tensor of no dimensions; of the default dtype, whatever the number is, unless another is given."""
    return _C.tensor(s, dtype=_C.get_default_dtype() if dtype is None else dtype, requires_grad=requires_grad)


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
    x = x if x.is_floating_point() or x.is_complex() else x.to(_C.get_default_dtype())
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


class finfo:
    """What a floating-point dtype can hold: `eps`, `max`, `min`, `tiny` (also `smallest_normal`), `resolution`, `bits`.

    `eps` is the distance from 1 to the next number: 2⁻ᵐ, of m bits of the mantissa.

    >>> import wengert
    >>> wengert.finfo(wengert.float32).eps
    1.1920928955078125e-07
    """

    # Bits, those of the mantissa, the largest exponent, decimal digits that survive.
    _KINDS = {"float16": (16, 10, 15, 3), "bfloat16": (16, 7, 127, 2), "float32": (32, 23, 127, 6), "float64": (64, 52, 1023, 15)}

    def __init__(self, type=None):
        name = _name(_C.get_default_dtype() if type is None else type)
        if name not in self._KINDS:
            raise TypeError(f"finfo: {name} holds no fractions; iinfo() is for integers")
        self.bits, mantissa, exponent, digits = self._KINDS[name]
        self.dtype = name
        self.eps = 2.0**-mantissa
        self.max = (2.0 - self.eps) * 2.0**exponent
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - exponent)
        self.resolution = 10.0**-digits

    def __repr__(self):
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )

    def __eq__(self, other):
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self):
        return hash(self.dtype)


class iinfo:
    """What an integer dtype can hold: from `min` to `max`, in `bits`.

    >>> import wengert
    >>> wengert.iinfo(wengert.int8).min, wengert.iinfo(wengert.uint8).max
    (-128, 255)
    """

    _BITS = {"uint8": 8, "int8": 8, "int16": 16, "int32": 32, "int64": 64}

    def __init__(self, type):
        name = _name(type)
        if name not in self._BITS:
            raise TypeError(f"iinfo: {name} holds no integers beyond 1; finfo() is for floating-point numbers")
        self.bits = self._BITS[name]
        self.dtype = name
        self.min = 0 if name == "uint8" else -(1 << self.bits - 1)
        self.max = 255 if name == "uint8" else (1 << self.bits - 1) - 1

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"

    def __eq__(self, other):
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self):
        return hash(self.dtype)


def _name(of):
    dtype = of.dtype if isinstance(of, _C.Tensor) else of
    if not isinstance(dtype, _C.dtype):
        raise TypeError(f"needs a dtype, and got {type(of).__name__}")
    return repr(dtype).removeprefix("wengert.")
