"""Trading time for memory: what is computed again when its gradient is asked for."""

from .. import _C
from .._tree import flatten, unflatten

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(
    function,
    *args,
    use_reentrant=None,
    context_fn=None,
    determinism_check="default",
    debug=False,
    preserve_rng_state=True,
    **kwargs,
):
    """`function(*args, **kwargs)`, of whose graph only the inputs are kept: backward runs `function` again.

    There is one implementation: parameters that the function uses get their gradients, arguments may be nested,
    and gradients of gradients work, whatever `use_reentrant` says. `determinism_check` and `debug` change nothing: a
    function that gives other shapes when it runs again is an error in any case.
    """
    if context_fn is not None:
        raise NotImplementedError("checkpoint: context_fn is not supported")
    leaves, spec = flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, _C.Tensor)]
    first = []

    def run(tensors):
        full = list(leaves_without)
        for i, t in zip(places, tensors):
            full[i] = t
        new_args, new_kwargs = unflatten(full, spec)
        results, out_spec = flatten(function(*new_args, **new_kwargs))
        if not first:
            first.append((results, out_spec))
        return [t for t in results if isinstance(t, _C.Tensor)]

    # What is kept for later must not hold the tensors themselves.
    leaves_without = [None if isinstance(leaf, _C.Tensor) else leaf for leaf in leaves]
    tensors = [leaves[i] for i in places]
    del leaves
    outputs = iter(_C._checkpoint(run, tensors, preserve_rng_state))
    results, out_spec = first[0]
    # From now on the first run's results, and the graph behind them, are not needed.
    first[0] = None
    return unflatten([next(outputs) if isinstance(t, _C.Tensor) else t for t in results], out_spec)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """`functions` one after another, in `segments` parts of which all but the last keep their inputs only."""
    functions = list(functions)
    size = len(functions) // segments

    def part(start, end):
        def run(x):
            for f in functions[start:end]:
                x = f(x)
            return x

        return run

    start = 0
    for start in range(0, size * (segments - 1), size):
        input = checkpoint(part(start, start + size), input, use_reentrant=use_reentrant, **kwargs)
    last = size * (segments - 1)
    return part(last, len(functions))(input)
