"""Methods of tensors that are written in Python: each is the function of the same name, loaded when first called."""

from ._C import Tensor

_DERIVED = {
    "lu": "L and U of P A = L U in one matrix, and the exchanges of rows: see `wengert.lu`.",
    "lu_solve": "X of A X = b from what `wengert.lu` gives for A.",
    "triangular_solve": "X of A X = b for triangular A, and A.",
    "unsafe_chunk": "As `chunk`.",
    "unsafe_split": "As `split`.",
    "unsafe_split_with_sizes": "As `split_with_sizes`.",
    "nonzero_static": "The indices of elements that are not zero, cut or filled up to a given number of them.",
}
_LEGACY = {
    "is_nonzero": "Whether the only element is not zero.",
    "is_inference": "Whether it was made under `inference_mode`: no tensor remembers that.",
    "is_neg": "Whether it is a negative view of another: no view is.",
    "is_same_size": "Whether both have the same shape.",
    "get_device": "The number of its device: −1, the CPU's.",
    "orgqr": "The columns of Q that reflections make: see `linalg.householder_product`.",
}
_FUNCTIONAL = {
    "hardshrink": "x where |x| > `lambd`, else 0.",
    "prelu": "x where it is positive, else `weight · x`.",
}


def _method(module, name, doc):
    def method(self, *args, **kwargs):
        import importlib

        return getattr(importlib.import_module(module, __package__), name)(self, *args, **kwargs)

    method.__name__, method.__qualname__, method.__doc__ = name, f"Tensor.{name}", doc
    method.__module__ = "wengert"
    return method


for _name, _doc in _LEGACY.items():
    setattr(Tensor, _name, _method("._legacy", _name, _doc))
for _name, _doc in _DERIVED.items():
    setattr(Tensor, _name, _method("._derived", _name, _doc))
for _name, _doc in _FUNCTIONAL.items():
    setattr(Tensor, _name, _method(".nn.functional", _name, _doc))


def _added(function):
    function.__qualname__, function.__module__ = f"Tensor.{function.__name__}", "wengert"
    setattr(Tensor, function.__name__, function)
    return function


def _strided():
    from ._settings import strided

    return strided


def _resized(x, op, size):
    from . import _C

    if x.requires_grad:
        raise RuntimeError(f"{op}: a tensor that requires a gradient cannot change its size in place")
    count = 1
    for n in size:
        count *= n
    flat = x.data.reshape(-1)[:count]
    if flat.numel() < count:
        flat = _C.cat([flat, _C.zeros(count - flat.numel(), dtype=x.dtype)])
    x.data = flat.reshape(size)
    return x


@_added
def resize_(self, *sizes, memory_format=None):
    """In another size: the same elements in row-major order, as many as there are room for; new ones are zero."""
    size = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    return _resized(self, "resize_", size)


@_added
def resize_as_(self, the_template, *, memory_format=None):
    """In the size of another: see `resize_`."""
    return _resized(self, "resize_as_", tuple(the_template.shape))


@_added
def new(self, *args, device=None):
    """A tensor of the same dtype: of this data, or, given sizes, with no particular elements."""
    from ._size import Size

    if len(args) == 1 and not isinstance(args[0], (int, Size)):
        return self.new_tensor(args[0])
    return self.new_empty(*args) if args else self.new_empty(0)


@_added
def new_empty_strided(self, size, stride, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False):
    """No particular elements, in the tensor's dtype; the layout is row-major, whatever `stride` says."""
    return self.new_empty(size, dtype=dtype, requires_grad=requires_grad)


@_added
def to_dense(self, dtype=None, *, masked_grad=True):
    """Itself, in `dtype` if given: all tensors are dense."""
    return self if dtype is None else self.to(dtype)


@_added
def pin_memory(self, device=None):
    """Itself: there is no device that memory would be pinned for."""
    return self


@_added
def is_pinned(self, device=None):
    """Whether its memory is pinned: never."""
    return False


@_added
def narrow_copy(self, dim, start, length):
    """A copy of what `narrow` shows."""
    return self.narrow(dim, start, length).clone()


def _each(op, callable, tensors):
    x = tensors[0]
    if any(t.requires_grad for t in tensors):
        raise RuntimeError(f"{op}: Python functions have no gradient\n  help: tensor operations, or `.detach()`")
    rows = [t.expand(x.shape).reshape(-1).tolist() for t in tensors]
    return x.copy_(x.new_tensor([callable(*row) for row in zip(*rows)]).reshape(x.shape))


@_added
def apply_(self, callable):
    """`callable(x)` in place of each element; slow, since Python is asked for each."""
    return _each("apply_", callable, (self,))


@_added
def map_(self, other, callable):
    """`callable(x, y)` in place of each element, for elements y of `other`, which broadcasts; slow."""
    return _each("map_", callable, (self, other))


@_added
def map2_(self, x, y, callable):
    """`callable(self, x, y)` in place of each element, for those of `x` and `y`, which broadcast; slow."""
    return _each("map2_", callable, (self, x, y))


@_added
def divide(self, other, *, rounding_mode=None):
    """As `div`."""
    return self.div(other, rounding_mode=rounding_mode)


@_added
def divide_(self, other, *, rounding_mode=None):
    """As `div_`."""
    return self.div_(other, rounding_mode=rounding_mode)


@_added
def __reversed__(self):
    """In the reverse order along the first dimension."""
    return self.flip(0) if self.dim() else self


Tensor.__rdiv__ = Tensor.__rtruediv__
Tensor.__div__ = Tensor.__truediv__
Tensor.__idiv__ = Tensor.__itruediv__
Tensor.output_nr = property(lambda self: 0, doc="Which of an operation's results it is: operations have one.")
Tensor.is_cpu = property(lambda self: True, doc="Whether the elements are on the CPU: always.")
Tensor.layout = property(lambda self: _strided(), doc="How the elements are stored: densely, `wengert.strided`.")
