"""Operations that a user writes in Python."""

import functools

from .. import _C
from .._C import FunctionCtx
from .._modes import no_grad


class Function:
    """A differentiable operation of your own: `forward` and `backward`, as static methods.

    `backward` gets a gradient for each result and returns one for each argument of `forward`, or None. It is
    written in tensor operations, so gradients of gradients come for free.

    >>> import wengert
    >>> class Cube(wengert.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, dy):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x * x * dy
    >>> x = wengert.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args, **kwargs):
        """The results. The first argument is the context, unless there is a `setup_context`."""
        raise NotImplementedError("a Function needs a forward")

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Keeps in `ctx` what `backward` needs, where `forward` does not take the context itself."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx, *grad_outputs):
        """The gradients of the arguments."""
        raise NotImplementedError("this Function has no backward")

    # PyTorch knows it by this name too.
    vjp = backward

    @classmethod
    def apply(cls, *args):
        """The results of `forward`, with this operation as their history."""
        setup = None if cls.setup_context is Function.setup_context else cls.setup_context
        if cls.backward is Function.backward and cls.vjp is not Function.vjp:
            cls.backward = cls.vjp
        return _C._apply_function(cls, FunctionCtx(), args, setup)


class _Once(Function):
    """The identity; its gradient is refused."""

    @staticmethod
    def forward(ctx, name, x):
        ctx.name = name
        return x.clone()

    @staticmethod
    def backward(ctx, dy):
        raise RuntimeError(f"{ctx.name} is marked with @once_differentiable: its gradient has no gradient")


def once_differentiable(function):
    """For a `backward` that is not written in tensor operations: asking for its gradient is an error."""

    @functools.wraps(function)
    def backward(ctx, *grads):
        with no_grad():
            result = function(ctx, *grads)
        if not _C.is_grad_enabled():
            return result
        several = isinstance(result, tuple)
        name = function.__qualname__
        # A leaf that asks for a gradient, so that the identity is recorded.
        marked = tuple(
            _Once.apply(name, g.detach().requires_grad_()) if isinstance(g, _C.Tensor) else g
            for g in (result if several else (result,))
        )
        return marked if several else marked[0]

    return backward


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Adds the gradients of `tensors` to those of the leaves they were made from, in one walk.

    >>> import wengert
    >>> x = wengert.tensor(3.0, requires_grad=True)
    >>> wengert.autograd.backward([x * x, 2 * x])
    >>> x.grad
    tensor(8.)
    """
    tensors = list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
    if not isinstance(grad_tensors, (list, tuple)):
        grad_tensors = [grad_tensors] * len(tensors)
    if len(grad_tensors) != len(tensors):
        raise ValueError(f"backward: {len(tensors)} tensors and {len(grad_tensors)} grad_tensors")
    if inputs is None:
        _C._backward_many(tensors, list(grad_tensors), retain_graph, create_graph)
        return
    inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    grads = _C.grad(tensors, inputs, list(grad_tensors), retain_graph, create_graph, allow_unused=True)
    for x, g in zip(inputs, grads):
        if g is not None:
            x.grad = g if x.grad is None else x.grad + g
