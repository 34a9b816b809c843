"""Functions of PyTorch's older interface, and those whose results say more than `nn.functional`'s do."""

from . import _C, linalg


def is_nonzero(input):
    """Whether the only element is not zero."""
    if input.numel() != 1:
        raise RuntimeError(f"is_nonzero: needs a tensor with one element, and got shape {list(input.shape)}")
    return input.item() != 0


def is_signed(input):
    """Whether elements may be negative."""
    return input.is_signed()


def is_inference(input):
    """Whether it was made under `inference_mode`: no tensor remembers that."""
    return False


def is_neg(input):
    """Whether it is a negative view of another: no view is."""
    return False


def is_same_size(input, other):
    """Whether both have the same shape.

    >>> import wengert
    >>> wengert.is_same_size(wengert.ones(2, 3), wengert.zeros(2, 3))
    True
    """
    return input.shape == other.shape


def get_device(input):
    """The number of its device: −1, the CPU's."""
    return -1


def typename(obj):
    """The name of an object's class with that of its module; of a tensor, of the class for its dtype.

    >>> import wengert
    >>> wengert.typename(wengert.ones(2))
    'wengert.FloatTensor'
    """
    if isinstance(obj, _C.Tensor):
        return obj.type()
    of = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(of, "__module__", None)
    return of.__qualname__ if module in (None, "builtins") else f"{module}.{of.__qualname__}"


def range(start=0, end=None, step=1, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The numbers from `start` to `end`, both included, by steps of `step`; `arange` leaves the end out.

    >>> import wengert
    >>> wengert.range(1, 4, 1.5)
    tensor([1.0000, 2.5000, 4.0000])
    """
    if end is None:
        start, end = 0, start
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"range: cannot count from {start} to {end} by steps of {step}")
    count = int((end - start) / step) + 1
    numbers = start + step * _C.arange(count, dtype=_C.float64)
    y = numbers.to(_C.get_default_dtype() if dtype is None else dtype)
    return y.requires_grad_() if requires_grad else y


def orgqr(input, input2):
    """The columns of Q that reflections make, whose scales `input2` holds: see `linalg.householder_product`."""
    return linalg.householder_product(input, input2)


def nuclear_norm(input, dim=None, keepdim=False, *, out=None):
    """The sum of a matrix's singular values.

    >>> import wengert
    >>> wengert.nuclear_norm(wengert.diag(wengert.tensor([3.0, 4.0])))
    tensor(7.)
    """
    return linalg.matrix_norm(input, "nuc", (-2, -1) if dim is None else tuple(dim), keepdim, out=out)


def frobenius_norm(input, dim=None, keepdim=False, *, out=None):
    """The root of the sum of squares, over `dim` or all dimensions.

    >>> import wengert
    >>> wengert.frobenius_norm(wengert.tensor([[3.0, 4.0]]))
    tensor(5.)
    """
    dim = None if dim is None or (isinstance(dim, (list, tuple)) and not dim) else dim
    return linalg.vector_norm(input, 2, dim, keepdim, out=out)


def norm_except_dim(v, pow=2, dim=0):
    """The norm of the slices along `dim`, as weight normalization takes it; with `dim=-1`, of everything.

    >>> import wengert
    >>> wengert.norm_except_dim(wengert.tensor([[3.0, 4.0], [0.0, 2.0]]))
    tensor([[5.],
            [2.]])
    """
    if dim == -1:
        return v.norm(pow)
    others = [d for d, _ in enumerate(v.shape) if d != dim % v.dim()]
    return v.norm(pow, others, keepdim=True)


def binomial(count, prob, generator=None):
    """How many of `count` trials succeed, each with chance `prob`.

    >>> import wengert
    >>> wengert.binomial(wengert.tensor([4.0, 9.0]), wengert.tensor([0.0, 1.0]))
    tensor([0., 9.])
    """
    from .distributions import Binomial

    if generator is not None:
        raise NotImplementedError("binomial: draws come from the default generator\n  help: `wengert.manual_seed(seed)`")
    return Binomial(count, prob).sample()


def affine_grid_generator(theta, size, align_corners):
    """As `nn.functional.affine_grid`."""
    return _C.affine_grid(theta, size, align_corners)


def _moments(x, dims, eps):
    """Mean and 1 / √(variance + ε), with the dimensions as size one."""
    mean = x.mean(dims, keepdim=True)
    return mean, ((x - mean).square().mean(dims, keepdim=True) + eps).rsqrt()


def native_layer_norm(input, normalized_shape, weight, bias, eps):
    """`nn.functional.layer_norm`, with the mean and 1 / √(variance + ε) that it divided by.

    >>> import wengert
    >>> y, mean, rstd = wengert.native_layer_norm(wengert.tensor([[1.0, 3.0]]), (2,), None, None, 0.0)
    >>> y, mean, rstd
    (tensor([[-1.,  1.]]), tensor([[2.]]), tensor([[1.]]))
    """
    y = _C.layer_norm(input, normalized_shape, weight, bias, eps)
    return (y, *_moments(input, tuple(d - len(normalized_shape) for d, _ in enumerate(normalized_shape)), eps))


def native_group_norm(input, weight, bias, N, C, HxW, group, eps):
    """`nn.functional.group_norm` of [N, C, *] with `HxW` elements in each channel, with the means and 1 / √(variance + ε) of
    the groups.

    >>> import wengert
    >>> y, mean, rstd = wengert.native_group_norm(wengert.tensor([[[1.0], [3.0]]]), None, None, 1, 2, 1, 1, 0.0)
    >>> mean, rstd
    (tensor([[2.]]), tensor([[1.]]))
    """
    y = _C.group_norm(input, group, weight, bias, eps)
    mean, rstd = _moments(input.reshape(N, group, -1), -1, eps)
    return y, mean.squeeze(-1), rstd.squeeze(-1)


def native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
    """`nn.functional.batch_norm`, with the batch's means and 1 / √(variance + ε); both empty where it does not train.

    >>> import wengert
    >>> y, mean, rstd = wengert.native_batch_norm(wengert.tensor([[1.0], [3.0]]), None, None, None, None, True, 0.1, 0.0)
    >>> mean, rstd
    (tensor([2.]), tensor([1.]))
    """
    y = _C.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    if not training:
        return y, _C.empty(0, dtype=input.dtype), _C.empty(0, dtype=input.dtype)
    mean, rstd = _moments(input.detach().transpose(0, 1).reshape(input.shape[1], -1), 1, eps)
    return y, mean.squeeze(1), rstd.squeeze(1)


def native_dropout(input, p, train):
    """`nn.functional.dropout`, with the mask of what stayed.

    >>> import wengert
    >>> wengert.native_dropout(wengert.ones(2), 0.5, False)
    (tensor([1., 1.]), tensor([True, True]))
    """
    mask = _C.ones(input.shape)
    if train:
        mask = mask.bernoulli_(1 - p)
    scale = 0.0 if p == 1 else 1 / (1 - p)
    return (input * mask * scale if train else input.clone()), mask.bool()


def to_dlpack(tensor):
    """The tensor as a DLPack capsule; `from_dlpack` takes tensors themselves."""
    return tensor.__dlpack__()
