"""Gradients compared with finite differences."""

from .. import _C


def _run(func, inputs, eps, atol, rtol, raise_exception, fast_mode, second_order):
    inputs = (inputs,) if isinstance(inputs, _C.Tensor) else tuple(inputs)
    tensors = [i for i, x in enumerate(inputs) if isinstance(x, _C.Tensor)]
    wanted = [i for i in tensors if inputs[i].requires_grad]
    if not wanted:
        raise ValueError("gradcheck: none of the inputs is a tensor that requires a gradient")
    given = [x.detach() if isinstance(x, _C.Tensor) else x for x in inputs]

    def call(k):
        def f(*xs):
            args = list(given)
            for i, x in zip(wanted, xs):
                args[i] = x
            result = func(*args)
            return result[k] if k is not None else result

        return f

    result = func(*inputs)
    results = [None] if isinstance(result, _C.Tensor) else range(len(result))
    try:
        for k in results:
            y = result if k is None else result[k]
            if isinstance(y, _C.Tensor) and y.requires_grad:
                _C._gradcheck(call(k), [given[i] for i in wanted], eps, atol, rtol, not fast_mode, second_order)
    except _C.CheckError:
        if raise_exception:
            raise
        return False
    return True


def gradcheck(func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, fast_mode=False, **_):
    """Whether the gradients of `func` at `inputs` agree with finite differences.

    Computed in float64. `fast_mode` looks along a few random directions instead of at every element.

    >>> import wengert
    >>> x = wengert.tensor([0.3, 1.2], dtype=wengert.float64, requires_grad=True)
    >>> wengert.autograd.gradcheck(lambda x: x.sin() * x, x)
    True
    """
    return _run(func, inputs, eps, atol, rtol, raise_exception, fast_mode, False)


def gradgradcheck(
    func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, fast_mode=False, **_
):
    """Whether second derivatives of `func` agree with finite differences of its gradients.

    >>> import wengert
    >>> x = wengert.tensor([1.0, 2.0], dtype=wengert.float64, requires_grad=True)
    >>> wengert.autograd.gradgradcheck(lambda x: (x ** 3).sum(), (x,))
    True
    """
    return _run(func, inputs, eps, atol, rtol, raise_exception, fast_mode, True)
