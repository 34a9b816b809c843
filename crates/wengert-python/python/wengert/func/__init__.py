"""Functions that make functions: derivatives and maps, with the signatures of `torch.func`.

They compose with each other and with the ordinary `backward`. `vmap` runs the function once for each entry of
the batch, on views, and stacks the results: any function can be mapped, at the cost of a loop. Forward mode
(`jvp`, `jacfwd`) is reverse mode twice, which works for every operation that has a second derivative.
"""

from .. import _C
from .._modes import enable_grad
from .._tree import flatten, spread, tensors_of, tree_map, unflatten

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "value_and_grad",
    "vjp",
    "vmap",
]


class _Level:
    """One level of differentiation: a function run on variables of this level alone."""

    def __init__(self, name, func, primals, has_aux=False):
        self.name = name
        recording = _C.is_grad_enabled()
        leaves, self.spec = tensors_of(primals, name, "the inputs")
        self.variables = list(_C._func_variables(leaves))
        with enable_grad():
            out = func(*unflatten(self.variables, self.spec))
        self.aux = None
        if has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise RuntimeError(f"{name}: with has_aux, the function must give a pair (output, aux)")
            out, self.aux = out
        self.results, self.out_spec = tensors_of(out, name, "the output")
        aux, _ = flatten(self.aux)
        seen = self.results + [t for t in aux if isinstance(t, _C.Tensor)]
        #: Whether someone outside may differentiate what this level computes.
        self.outer = recording and _C._func_depends_on_others(seen, self.variables)

    def leave(self, t):
        """A result without this level's history, where nobody outside could use it."""
        return t if self.outer or not isinstance(t, _C.Tensor) else t.detach()

    def output(self):
        return tree_map(self.leave, unflatten(self.results, self.out_spec))

    def auxiliary(self):
        return tree_map(self.leave, self.aux)

    def pull(self, cotangents, create_graph, retain_graph=None):
        return _pull(self.results, cotangents, self.variables, create_graph, retain_graph)

    def scalar(self):
        if len(self.results) != 1 or self.results[0].dim() != 0:
            shapes = ", ".join(str(tuple(t.shape)) for t in self.results)
            raise _C.ShapeError(f"{self.name}: needs a function whose result is one 0-d tensor, and got {shapes}")
        return self.results[0]


def _pull(results, cotangents, variables, create_graph, retain_graph=None):
    """The gradients for `variables` of the results, weighted; zeros for what does not depend on one."""
    pairs = [(y, dy) for y, dy in zip(results, cotangents) if y.requires_grad]
    if not pairs or not variables:
        return [_C.zeros_like(v) for v in variables]
    ys, dys = zip(*pairs)
    return list(
        _C.grad(ys, variables, dys, retain_graph=retain_graph, create_graph=create_graph, materialize_grads=True)
    )


def _selected(argnums, args, name):
    """The arguments to differentiate by, and a function that puts others in their places."""
    single = isinstance(argnums, int)
    places = [argnums] if single else list(argnums)
    for i in places:
        if not -len(args) <= i < len(args):
            raise RuntimeError(f"{name}: there is no argument {i} among {len(args)}")
    places = [i % len(args) for i in places]

    def put(func, kwargs):
        def call(*chosen):
            full = list(args)
            for i, value in zip(places, chosen):
                full[i] = value
            return func(*full, **kwargs)

        return call

    return single, tuple(args[i] for i in places), put


def _differentiate(name, func, argnums, has_aux):
    def run(*args, **kwargs):
        single, primals, put = _selected(argnums, args, name)
        level = _Level(name, put(func, kwargs), primals, has_aux)
        y = level.scalar()
        grads = unflatten(level.pull([_C.ones_like(y)], level.outer), level.spec)
        return grads[0] if single else grads, level

    return run


def grad(func, argnums=0, has_aux=False):
    """The gradient of `func`, whose result is a 0-d tensor, with respect to the arguments `argnums`.

    >>> import wengert
    >>> wengert.func.grad(lambda x: (x ** 3).sum())(wengert.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    """
    run = _differentiate("grad", func, argnums, has_aux)

    def gradient(*args, **kwargs):
        grads, level = run(*args, **kwargs)
        return (grads, level.auxiliary()) if has_aux else grads

    return gradient


def grad_and_value(func, argnums=0, has_aux=False):
    """As `grad`, with the value: `(grads, value)`, or `(grads, (value, aux))`.

    >>> import wengert
    >>> wengert.func.grad_and_value(lambda x: (x ** 2).sum())(wengert.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """
    run = _differentiate("grad_and_value", func, argnums, has_aux)

    def gradient(*args, **kwargs):
        grads, level = run(*args, **kwargs)
        value = level.output()
        return grads, ((value, level.auxiliary()) if has_aux else value)

    return gradient


def value_and_grad(func, argnums=0, has_aux=False):
    """As `grad_and_value`, in the order that its name says, which is JAX's: `(value, grads)`, or `((value, aux), grads)`.

    >>> import wengert
    >>> wengert.func.value_and_grad(lambda x: (x ** 2).sum())(wengert.tensor([1.0, 2.0]))
    (tensor(5.), tensor([2., 4.]))
    """
    run = grad_and_value(func, argnums, has_aux)

    def gradient(*args, **kwargs):
        grads, value = run(*args, **kwargs)
        return value, grads

    return gradient


def stack_module_state(models):
    """The parameters and the buffers of modules alike, each name's stacked along a new first dimension, as leaves: with
    `functional_call` and `vmap` an ensemble is one function.

    >>> import wengert
    >>> from wengert import nn
    >>> models = [nn.Linear(3, 2) for _ in range(4)]
    >>> params, buffers = wengert.func.stack_module_state(models)
    >>> params["weight"].shape
    wengert.Size([4, 2, 3])
    >>> call = lambda p, x: wengert.func.functional_call(models[0], p, (x,))
    >>> wengert.vmap(call, in_dims=(0, None))(params, wengert.ones(5, 3)).shape
    wengert.Size([4, 5, 2])
    """
    if not models:
        raise RuntimeError("stack_module_state: needs at least one model")
    kinds = {type(m) for m in models}
    if len(kinds) > 1:
        raise RuntimeError(f"stack_module_state: the models are of different classes: {', '.join(sorted(k.__name__ for k in kinds))}")
    if len({m.training for m in models}) > 1:
        raise RuntimeError("stack_module_state: all models must be in the same mode: train() or eval()")

    def stacked(named):
        all_of = [dict(named(m)) for m in models]
        if any(one.keys() != all_of[0].keys() for one in all_of):
            raise RuntimeError("stack_module_state: the models have different names")
        leaf = lambda name: _C.stack([one[name].detach() for one in all_of]).requires_grad_(all_of[0][name].requires_grad)  # noqa: E731
        return {name: leaf(name) for name in all_of[0]}

    return stacked(lambda m: m.named_parameters()), stacked(lambda m: m.named_buffers())


def _paired(name, what, given, of):
    """The leaves of `given`, each of the shape of its partner."""
    leaves, _ = tensors_of(given, name, what)
    if len(leaves) != len(of):
        raise RuntimeError(f"{name}: {what}: {len(leaves)} tensors for {len(of)}")
    for i, (t, partner) in enumerate(zip(leaves, of)):
        if t.shape != partner.shape:
            raise _C.ShapeError(
                f"{name}: {what}: tensor {i} has shape {list(t.shape)}, and its partner {list(partner.shape)}"
            )
    return [t if t.dtype == p.dtype else t.to(p.dtype) for t, p in zip(leaves, of)]


def vjp(func, *primals, has_aux=False):
    """The value of `func` and the function that multiplies by its Jacobian from the left: `(output, vjp_fn)`.

    `vjp_fn` takes cotangents in the structure of the output and gives a tuple, one entry for each of `primals`.

    >>> import wengert
    >>> y, pull = wengert.func.vjp(lambda x: x ** 2, wengert.tensor([1.0, 2.0]))
    >>> pull(wengert.ones(2))
    (tensor([2., 4.]),)
    """
    level = _Level("vjp", func, primals, has_aux)

    def pull(*cotangents):
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        dys = _paired("vjp", "the cotangents", given, level.results)
        outer = level.outer or (_C.is_grad_enabled() and any(dy.requires_grad for dy in dys))
        return unflatten(level.pull(dys, outer, retain_graph=True), level.spec)

    if has_aux:
        return level.output(), pull, level.auxiliary()
    return level.output(), pull


class _Transposed:
    """u ↦ Jᵀu, recorded: its own transpose is J."""

    def __init__(self, level):
        self.u = [_C.zeros_like(y).requires_grad_(y.is_floating_point() or y.is_complex()) for y in level.results]
        self.pulled = level.pull(self.u, True)

    def push(self, tangents, create_graph, retain_graph=None):
        return _pull(self.pulled, tangents, self.u, create_graph, retain_graph)


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """The value of `func` and its derivative along `tangents`: `(output, jvp_out)`.

    >>> import wengert
    >>> wengert.func.jvp(lambda x: x ** 2, (wengert.tensor([1.0, 2.0]),), (wengert.tensor([1.0, 10.0]),))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError("jvp: primals and tangents must be tuples")
    level = _Level("jvp", func, primals, has_aux)
    given = _paired("jvp", "the tangents", tangents, level.variables)
    outer = level.outer or (_C.is_grad_enabled() and any(t.requires_grad for t in given))
    slopes = unflatten(_Transposed(level).push(given, outer), level.out_spec)
    if has_aux:
        return level.output(), slopes, level.auxiliary()
    return level.output(), slopes


def linearize(func, *primals):
    """The value of `func`, and its derivative there as a linear function of the tangents, one for each of `primals`: `func`
    runs once, however many tangents there are.

    >>> import wengert
    >>> y, push = wengert.func.linearize(lambda x: x ** 2, wengert.tensor([1.0, 2.0]))
    >>> push(wengert.tensor([1.0, 0.0])), push(wengert.tensor([0.0, 1.0]))
    (tensor([2., 0.]), tensor([0., 4.]))
    """
    level = _Level("linearize", func, primals)
    transposed = _Transposed(level)

    def push(*tangents):
        given = _paired("linearize", "the tangents", tangents, level.variables)
        outer = level.outer or (_C.is_grad_enabled() and any(t.requires_grad for t in given))
        return unflatten(transposed.push(given, outer, retain_graph=True), level.out_spec)

    return level.output(), push


def _directions(t):
    """A one at each element in turn."""
    n = t.numel()
    return [d.reshape(t.shape) for d in _C.eye(n, dtype=t.dtype).unbind(0)] if n else []


def _whole(rows, y, x, dim):
    """Rows or columns of a Jacobian, put together."""
    shape = list(y.shape) + list(x.shape)
    if not rows:
        return _C.zeros(shape, dtype=(x if dim == 0 else y).dtype)
    return _C.stack(rows, dim).reshape(shape)


def _jacobian(name, func, argnums, has_aux, blocks):
    def jacobian(*args, **kwargs):
        single, primals, put = _selected(argnums, args, name)
        level = _Level(name, put(func, kwargs), primals, has_aux)
        each = [unflatten(row, level.spec) for row in blocks(level)]
        whole = unflatten([row[0] if single else row for row in each], level.out_spec)
        return (whole, level.auxiliary()) if has_aux else whole

    return jacobian


def _by_rows(level):
    zeros = [_C.zeros_like(y) for y in level.results]
    for k, y in enumerate(level.results):
        rows = []
        for dy in _directions(y):
            cotangents = zeros[:k] + [dy] + zeros[k + 1 :]
            rows.append(level.pull(cotangents, level.outer, retain_graph=True))
        yield [_whole([row[i] for row in rows], y, x, 0) for i, x in enumerate(level.variables)]


def _by_columns(level):
    map_ = _Transposed(level)
    zeros = [_C.zeros_like(x) for x in level.variables]
    columns = []
    for i, x in enumerate(level.variables):
        pushed = [
            map_.push(zeros[:i] + [v] + zeros[i + 1 :], level.outer, retain_graph=True) for v in _directions(x)
        ]
        columns.append(pushed)
    for k, y in enumerate(level.results):
        yield [_whole([c[k] for c in columns[i]], y, x, -1) for i, x in enumerate(level.variables)]


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None):
    """The Jacobian of `func`, by a backward pass for each element of its output.

    >>> import wengert
    >>> wengert.func.jacrev(lambda x: x ** 2)(wengert.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return _jacobian("jacrev", func, argnums, has_aux, _by_rows)


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """The Jacobian of `func`, by a forward derivative for each element of its input.

    >>> import wengert
    >>> wengert.func.jacfwd(lambda x: x ** 2)(wengert.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return _jacobian("jacfwd", func, argnums, has_aux, _by_columns)


def hessian(func, argnums=0):
    """The second derivatives of `func`: the Jacobian of its Jacobian.

    >>> import wengert
    >>> wengert.func.hessian(lambda x: (x ** 3).sum())(wengert.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """`func` mapped over the dimensions `in_dims` of its arguments; results are stacked along `out_dims`.

    It runs once for each entry, so random numbers differ between entries, as with `randomness="different"`.

    >>> import wengert
    >>> wengert.func.vmap(wengert.dot)(wengert.ones(3, 2), wengert.ones(3, 2))
    tensor([2., 2., 2.])
    """

    def mapped(*args, **kwargs):
        leaves, spec = flatten(args)
        dims = spread(in_dims, spec, "vmap: in_dims")
        places = []
        size = None
        for i, (leaf, d) in enumerate(zip(leaves, dims)):
            if d is None:
                places.append(None)
                continue
            if not isinstance(leaf, _C.Tensor):
                raise ValueError(f"vmap: input {i} is a {type(leaf).__name__}: its in_dims must be None")
            if not -leaf.dim() <= d < leaf.dim():
                raise ValueError(f"vmap: in_dims asks for dimension {d} of an input with {leaf.dim()} dimensions")
            if size not in (None, leaf.shape[d]):
                raise ValueError(f"vmap: the mapped dimensions must have one size, and have {size} and {leaf.shape[d]}")
            size = leaf.shape[d]
            places.append(d % leaf.dim())
        if size is None:
            raise ValueError("vmap: no input has a dimension to map over")

        def entry(k):
            parts = [leaf if d is None else leaf.select(d, k) for leaf, d in zip(leaves, places)]
            return func(*unflatten(parts, spec), **kwargs)

        if size == 0:
            raise ValueError("vmap: the mapped dimension has no entries")
        outs = []
        for k in range(size):
            results, out_spec = tensors_of(entry(k), "vmap", "the output")
            outs.append(results)
        to = spread(out_dims, out_spec, "vmap: out_dims")
        stacked = []
        for i, d in enumerate(to):
            column = [results[i] for results in outs]
            stacked.append(column[0] if d is None else _C.stack(column, d))
        return unflatten(stacked, out_spec)

    return mapped


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """Calls `module` with other tensors in the places of its parameters and buffers, which gradients reach.

    >>> import wengert
    >>> layer = wengert.nn.Linear(2, 1, bias=False)
    >>> wengert.func.functional_call(layer, {'weight': wengert.ones(1, 2)}, (wengert.tensor([3.0, 4.0]),))
    tensor([7.])
    """
    given = {}
    dicts = parameter_and_buffer_dicts
    for d in [dicts] if isinstance(dicts, dict) else dicts:
        if given.keys() & d.keys():
            raise ValueError(f"{sorted(given.keys() & d.keys())} appeared in multiple dictionaries")
        given.update(d)
    places = {}
    for path, sub in module.named_modules(remove_duplicate=False):
        for registry in (sub._parameters, sub._buffers):
            for name, value in registry.items():
                places[(path + "." if path else "") + name] = (registry, name, value)
    unknown = [name for name in given if name not in places]
    missing = [name for name, (_, _, value) in places.items() if value is not None and name not in given]
    if unknown or (strict and missing):
        raise RuntimeError("functional_call: " + (f"Unexpected key(s): {unknown}" if unknown else f"Missing key(s): {missing}"))
    new = {}
    for name, tensor in given.items():
        places_of = [name]
        if tie_weights:
            same = places[name][2]
            places_of += [n for n, (_, _, v) in places.items() if v is same and same is not None and n not in given]
        for n in places_of:
            new[n] = tensor
    try:
        for name, tensor in new.items():
            registry, key, _ = places[name]
            registry[key] = tensor
        if args is None:
            args = ()
        elif not isinstance(args, tuple):
            args = (args,)
        return module(*args, **(kwargs or {}))
    finally:
        for name in new:
            registry, key, value = places[name]
            registry[key] = value
