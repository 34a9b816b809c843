"""Jacobians, Hessians and products with them, with the signatures of `torch.autograd.functional`."""

from .. import _C, func as _func
from .._tree import tree_map

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def _tuple(x):
    return (True, tuple(x)) if isinstance(x, (tuple, list)) else (False, (x,))


def _done(result, create_graph):
    return result if create_graph else tree_map(lambda t: t.detach(), result)


def _strict(name, func, inputs, strict):
    """Refuses inputs that the outputs do not depend on, where that is asked for."""
    if not strict:
        return
    _, inputs = _tuple(inputs)
    variables = _C._func_variables(list(inputs))
    _, outputs = _tuple(func(*variables))
    for y in outputs:
        grads = (None,) * len(variables)
        if y.requires_grad:
            grads = _C.grad(y, variables, _C.ones_like(y), allow_unused=True)
        for i, g in enumerate(grads):
            if g is None:
                raise RuntimeError(f"{name}: an output does not depend on input {i}, which strict=True forbids")


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """The Jacobian of `func`: for tuples of outputs and inputs, tuples of tuples.

    >>> import wengert
    >>> wengert.autograd.functional.jacobian(lambda x: x ** 2, wengert.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    _strict("jacobian", func, inputs, strict)
    several, xs = _tuple(inputs)
    make = _func.jacfwd if strategy == "forward-mode" else _func.jacrev
    rows = make(func, argnums=tuple(range(len(xs))) if several else 0)(*xs)
    return _done(rows, create_graph)


def hessian(
    func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"
):
    """The second derivatives of `func`, whose result has one element.

    >>> import wengert
    >>> wengert.autograd.functional.hessian(lambda x: (x ** 3).sum(), wengert.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    _strict("hessian", func, inputs, strict)
    several, xs = _tuple(inputs)
    return _done(
        _func.hessian(_scalar("hessian", func), argnums=tuple(range(len(xs))) if several else 0)(*xs), create_graph
    )


def _scalar(name, func):
    """`func`, whose result of one element becomes 0-d."""

    def call(*args):
        y = func(*args)
        if not isinstance(y, _C.Tensor) or y.numel() != 1:
            raise RuntimeError(f"{name}: needs a function whose result is one tensor with one element")
        return y.reshape(())

    return call


def _vector(name, v, like):
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"{name}: v can be left out only where it has one element")
        return (_C.ones_like(like[0]),)
    return _tuple(v)[1]


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """The outputs, and `v` times the Jacobian.

    >>> import wengert
    >>> wengert.autograd.functional.vjp(lambda x: x ** 2, wengert.tensor([1.0, 2.0]), wengert.ones(2))[1]
    tensor([2., 4.])
    """
    _strict("vjp", func, inputs, strict)
    several, xs = _tuple(inputs)
    outputs, pull = _func.vjp(func, *xs)
    many, ys = _tuple(outputs)
    v = _vector("vjp", v, ys)
    grads = pull(v if many else v[0])
    return _done((outputs, grads if several else grads[0]), create_graph)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """The outputs, and the Jacobian times `v`.

    >>> import wengert
    >>> wengert.autograd.functional.jvp(lambda x: x ** 2, wengert.tensor([1.0, 2.0]), wengert.ones(2))[1]
    tensor([2., 4.])
    """
    _strict("jvp", func, inputs, strict)
    _, xs = _tuple(inputs)
    return _done(_func.jvp(func, xs, _vector("jvp", v, xs)), create_graph)


def _hessian_times(name, func, inputs, v, create_graph, strict):
    _strict(name, func, inputs, strict)
    several, xs = _tuple(inputs)
    func = _scalar(name, func)
    v = _vector(name, v, xs)
    slopes = _func.grad(func, argnums=tuple(range(len(xs))))
    # The gradient along v; a Hessian is symmetric, so its product is the same from either side.
    _, pull = _func.vjp(slopes, *xs)
    products = pull(tuple(v))
    return _done((func(*xs), products if several else products[0]), create_graph)


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """The output, which has one element, and `v` times the Hessian.

    >>> import wengert
    >>> wengert.autograd.functional.vhp(lambda x: (x ** 3).sum(), wengert.tensor([1.0, 2.0]), wengert.ones(2))[1]
    tensor([ 6., 12.])
    """
    return _hessian_times("vhp", func, inputs, v, create_graph, strict)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """The output, which has one element, and the Hessian times `v`.

    >>> import wengert
    >>> wengert.autograd.functional.hvp(lambda x: (x ** 3).sum(), wengert.tensor([1.0, 2.0]), wengert.ones(2))[1]
    tensor([ 6., 12.])
    """
    return _hessian_times("hvp", func, inputs, v, create_graph, strict)
