"""Forward mode with dual numbers: a tensor that carries a tangent, and results that carry theirs.

    >>> import wengert
    >>> import wengert.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     x = fwAD.make_dual(wengert.tensor([1.0, 2.0]), wengert.tensor([1.0, 10.0]))
    ...     fwAD.unpack_dual(x * x).tangent
    tensor([ 2., 40.])

The tangent of a result is worked out when it is asked for: J v is the gradient, with respect to u, of vᵀJᵀu (as in
`wengert.func.jvp`, which is shorter where one function is meant). So what lies between must have been recorded: under
`no_grad` results have no tangent.
"""

from collections import namedtuple
from contextlib import contextmanager

from .._modes import enable_grad
from . import grad

UnpackedDualTensor = namedtuple("UnpackedDualTensor", ["primal", "tangent"])
UnpackedDualTensor.__doc__ = "The value of a dual tensor, and its tangent or `None`."

_levels = []


class _Level:
    """The dual tensors made so far: each with what it was made of and its tangent."""

    def __init__(self):
        self.duals = []


def enter_dual_level():
    """Begins a level, and gives its number. There is one at a time, as in PyTorch."""
    if _levels:
        raise RuntimeError("enter_dual_level: there is a dual level already, and levels do not nest\n  help: `func.jvp` does")
    _levels.append(_Level())
    return 0


def exit_dual_level(*, level=None):
    """Ends the level: what was dual is so no longer."""
    _current("exit_dual_level", level)
    _levels.pop()


@contextmanager
def dual_level():
    """Inside this block tensors can be dual.

    >>> import wengert, wengert.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     x = fwAD.make_dual(wengert.tensor(3.0), wengert.tensor(1.0))
    ...     fwAD.unpack_dual(x.exp().log()).tangent
    tensor(1.)
    """
    level = enter_dual_level()
    try:
        yield level
    finally:
        exit_dual_level()


def _current(op, level):
    if not _levels:
        raise RuntimeError(f"{op}: there is no dual level\n  help: `with wengert.autograd.forward_ad.dual_level():`")
    if level not in (None, 0):
        raise RuntimeError(f"{op}: there is no level {level}: the only one is 0")
    return _levels[-1]


def make_dual(tensor, tangent, *, level=None):
    """`tensor` with `tangent`, of the same shape and dtype: the derivative of each element along some direction.

    >>> import wengert, wengert.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     fwAD.unpack_dual(fwAD.make_dual(wengert.ones(2), wengert.tensor([3.0, 4.0])))
    UnpackedDualTensor(primal=tensor([1., 1.]), tangent=tensor([3., 4.]))
    """
    level = _current("make_dual", level)
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise ValueError(f"make_dual: only floating-point tensors have tangents, and this one is {tensor.dtype}")
    if tensor.shape != tangent.shape or tensor.dtype != tangent.dtype:
        raise RuntimeError(
            f"make_dual: a tangent of shape {list(tangent.shape)} and dtype {tangent.dtype} does not fit "
            f"a tensor of shape {list(tensor.shape)} and dtype {tensor.dtype}"
        )
    with enable_grad():
        dual = tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()
    level.duals.append((dual, tensor, tangent))
    return dual


def unpack_dual(tensor, *, level=None):
    """The value and the tangent of a result: `(primal, tangent)`. The tangent is `None` where it depends on no dual tensor.

    >>> import wengert, wengert.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     x = fwAD.make_dual(wengert.tensor([0.0, 1.0]), wengert.tensor([1.0, 1.0]))
    ...     fwAD.unpack_dual(x.sin().sum()).tangent
    tensor(1.5403)
    """
    level = _current("unpack_dual", level)
    for dual, primal, tangent in level.duals:
        if tensor is dual:
            return UnpackedDualTensor(primal, tangent)
    if not (tensor.requires_grad and level.duals):
        return UnpackedDualTensor(tensor, None)
    outer = _has_other_leaves(tensor, level) or any(v.requires_grad for _, _, v in level.duals)
    with enable_grad():
        u = tensor.detach().clone().zero_().requires_grad_()
        duals = [dual for dual, _, _ in level.duals]
        pulled = grad([tensor], duals, [u], retain_graph=True, create_graph=True, allow_unused=True)
        pairs = [(g, v) for g, (_, _, v) in zip(pulled, level.duals, strict=True) if g is not None]
        if not pairs:
            return UnpackedDualTensor(tensor, None)
        moved = [pair for pair in pairs if pair[0].requires_grad]
        tangent = None
        if moved:
            gs, vs = zip(*moved, strict=True)
            (tangent,) = grad(gs, [u], vs, create_graph=outer, allow_unused=True)
    if tangent is None:
        tangent = u.detach().clone()
    return UnpackedDualTensor(tensor if outer else tensor.detach(), tangent)


def _has_other_leaves(tensor, level):
    """Whether the gradient of `tensor` would reach a leaf that is no dual tensor of ours."""
    hidden = [dual for dual, primal, _ in level.duals if not primal.requires_grad]
    seen, todo = set(), [tensor.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None and not any(leaf._same_variable(dual) for dual in hidden):
            return True
        todo += [next for next, _ in node.next_functions]
    return False
