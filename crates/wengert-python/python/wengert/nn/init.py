"""Filling parameters with first values, in place; every function returns the tensor it filled."""

from __future__ import annotations

import math
from typing import Any

from wengert import _C
from wengert._C import Tensor
from wengert._modes import no_grad

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much weights should be larger because of the nonlinearity that follows.

    >>> import wengert
    >>> round(wengert.nn.init.calculate_gain('relu'), 4)
    1.4142
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return _GAINS[nonlinearity]


def _generator(generator: Any) -> dict:
    return {} if generator is None else {"generator": generator}


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform in [a, b).

    >>> import wengert
    >>> x = wengert.nn.init.uniform_(wengert.empty(100), 0.0, 1.0)
    >>> bool(((x >= 0) & (x < 1)).all())
    True
    """
    with no_grad():
        return tensor.uniform_(a, b, **_generator(generator))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normally distributed.

    >>> import wengert
    >>> x = wengert.nn.init.normal_(wengert.empty(2, 3), 0.0, 1.0)
    >>> x.shape
    wengert.Size([2, 3])
    """
    with no_grad():
        return tensor.normal_(mean, std, **_generator(generator))


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Tensor:
    """Normally distributed, but only within [a, b]: x = μ + σ √2 erf⁻¹(u) for u between the bounds' own values.

    >>> import wengert
    >>> x = wengert.nn.init.trunc_normal_(wengert.empty(1000))
    >>> bool((x.abs() <= 2).all())
    True
    """
    low, high = (math.erf((end - mean) / (std * math.sqrt(2))) for end in (a, b))
    with no_grad():
        tensor.uniform_(low, high, **_generator(generator))
        tensor.copy_((tensor.erfinv() * (std * math.sqrt(2)) + mean).clamp(a, b))
    return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """All the same number.

    >>> import wengert
    >>> x = wengert.nn.init.constant_(wengert.empty(2), 0.5)
    >>> x
    tensor([0.5000, 0.5000])
    """
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """All ones.

    >>> import wengert
    >>> x = wengert.nn.init.ones_(wengert.empty(2))
    >>> x
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """All zeros.

    >>> import wengert
    >>> x = wengert.nn.init.zeros_(wengert.empty(2))
    >>> x
    tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix.

    >>> import wengert
    >>> x = wengert.nn.init.eye_(wengert.empty(2, 2))
    >>> x
    tensor([[1., 0.],
            [0., 1.]])
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with no_grad():
        return tensor.copy_(_C.eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution's weight that passes as many channels on as it can.

    >>> import wengert
    >>> x = wengert.nn.init.dirac_(wengert.empty(2, 2, 1))
    >>> x.squeeze(-1)
    tensor([[1., 0.],
            [0., 1.]])
    """
    if tensor.dim() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    out, per_group = tensor.shape[0], tensor.shape[1]
    if out % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    out //= groups
    size = tensor.shape[2:]
    volume = math.prod(size)
    middle = 0
    for n in size:
        middle = middle * n + n // 2
    values = [0.0] * tensor.numel()
    for g in range(groups):
        for d in range(min(out, per_group)):
            values[((g * out + d) * per_group + d) * volume + middle] = 1.0
    with no_grad():
        return tensor.copy_(_C.tensor(values).reshape(tensor.shape))


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = ("fan_in", "fan_out")
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode.lower()} not supported, please use one of {list(modes)}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform in ±gain √(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.

    >>> import wengert
    >>> x = wengert.nn.init.xavier_uniform_(wengert.empty(10, 14))
    >>> bool((x.abs() <= 0.5).all())
    True
    """
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with σ = gain √(2 / (fan_in + fan_out)).

    >>> import wengert
    >>> x = wengert.nn.init.xavier_normal_(wengert.empty(2, 3))
    >>> x.shape
    wengert.Size([2, 3])
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))), generator)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Uniform in ±gain √(3 / fan).

    Source: He et al., Delving Deep into Rectifiers, 2015.

    >>> import wengert
    >>> x = wengert.nn.init.kaiming_uniform_(wengert.empty(10, 6))
    >>> bool((x.abs() <= 1).all())
    True
    """
    if 0 in tensor.shape:
        return tensor
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _calculate_correct_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Normal with σ = gain / √fan.

    >>> import wengert
    >>> x = wengert.nn.init.kaiming_normal_(wengert.empty(2, 3))
    >>> x.shape
    wengert.Size([2, 3])
    """
    if 0 in tensor.shape:
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """Rows, or columns if they are fewer, that are orthonormal, times `gain`.

    Source: Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear networks, 2013.

    >>> import wengert
    >>> x = wengert.nn.init.orthogonal_(wengert.empty(3, 3))
    >>> wengert.allclose(x @ x.mT, wengert.eye(3), atol=1e-5)
    True
    """
    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    with no_grad():
        noise = _C.empty((max(rows, columns), min(rows, columns))).normal_(0, 1, **_generator(generator))
        from wengert import linalg

        q, r = linalg.qr(noise)
        # With these signs the distribution is uniform.
        q = q * r.diagonal().sign()
        q = q.t() if rows < columns else q
        return tensor.copy_(q.reshape(tensor.shape) * gain)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normally distributed, with this part of each column zero.

    >>> import wengert
    >>> x = wengert.nn.init.sparse_(wengert.empty(4, 3), 0.5)
    >>> (x == 0).sum(0)
    tensor([2, 2, 2])
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        normal_(tensor, 0.0, std, generator)
        order = _C.rand((rows, columns)).argsort(0)
        return tensor.copy_(_C.where(order < zeros, _C.zeros(()), tensor))


def _old_name(function: Any) -> Any:
    def old(*args: Any, **kwargs: Any) -> Tensor:
        return function(*args, **kwargs)

    old.__name__ = function.__name__[:-1]
    old.__doc__ = f"The old name of `{function.__name__}`."
    return old


uniform = _old_name(uniform_)
normal = _old_name(normal_)
constant = _old_name(constant_)
eye = _old_name(eye_)
dirac = _old_name(dirac_)
xavier_uniform = _old_name(xavier_uniform_)
xavier_normal = _old_name(xavier_normal_)
kaiming_uniform = _old_name(kaiming_uniform_)
kaiming_normal = _old_name(kaiming_normal_)
orthogonal = _old_name(orthogonal_)
sparse = _old_name(sparse_)
