"""Parameters as one vector."""

from __future__ import annotations

from typing import Iterable

from wengert import _C
from wengert._C import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All numbers of the parameters, one parameter after the other.

    >>> import wengert
    >>> wengert.nn.utils.parameters_to_vector([wengert.ones(2), wengert.zeros(1, 2)])
    tensor([1., 1., 0., 0.])
    """
    return _C.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Writes the numbers of a vector back into the parameters.

    >>> import wengert
    >>> w = wengert.zeros(2)
    >>> wengert.nn.utils.vector_to_parameters(wengert.tensor([1.0, 2.0]), [w])
    >>> w
    tensor([1., 2.])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}".replace("torch", "wengert"))
    at = 0
    for p in parameters:
        n = p.numel()
        p.data = vec[at : at + n].reshape(p.shape).detach()
        at += n
