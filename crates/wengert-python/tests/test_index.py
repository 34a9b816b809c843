"""Shapes, indices, order and chance beside PyTorch: values, dtypes, gradients, and what is refused."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import wengert  # noqa: E402

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


def ties(*shape):
    return rng.integers(-2, 3, shape).astype(float)


def leaves(y):
    return [z for part in y for z in leaves(part)] if isinstance(y, (tuple, list)) else [y]


def run(m, function, arrays, grad):
    kinds = {"f": "float64", "i": "int64", "b": "bool"}
    x = [m.tensor(a.tolist(), dtype=getattr(m, kinds[a.dtype.kind])).reshape(a.shape) for a in arrays]
    wanted = [t for t in x if grad and t.is_floating_point()]
    for t in wanted:
        t.requires_grad_(True)
    y = leaves(function(m, *x))
    total = 0
    for k, part in enumerate(y):
        if part.requires_grad:
            weight = np.cos(np.arange(part.numel()) + k).reshape(tuple(part.shape))
            total = total + (part * m.tensor(weight.tolist(), dtype=m.float64).reshape(tuple(part.shape))).sum()
    if not isinstance(total, int):
        total.backward()

    def numbers(t):
        return np.asarray(t.detach().to(m.float64).tolist())

    results = [(tuple(t.shape), str(t.dtype).split(".")[-1], numbers(t)) for t in y]
    return results, [numbers(t.grad) if t.grad is not None else np.zeros(tuple(t.shape)) for t in wanted]


def agree(function, *arrays, grad=True):
    """The function gives the same with both modules: values of the same shape and dtype, and gradients."""
    arrays = [np.asarray(a) for a in arrays]
    try:
        want = run(torch, function, arrays, grad)
    except (RuntimeError, IndexError, TypeError, ValueError) as refused:
        with pytest.raises((RuntimeError, ValueError) if isinstance(refused, RuntimeError) else type(refused)):
            run(wengert, function, arrays, grad)
        return
    got = run(wengert, function, arrays, grad)
    assert len(got[0]) == len(want[0])
    for (a_shape, a_dtype, a), (b_shape, b_dtype, b) in zip(got[0], want[0]):
        assert (a_shape, a_dtype) == (b_shape, b_dtype)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    for a, b in zip(got[1], want[1]):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


PARTS = {
    "1": lambda m: 1,
    "-1": lambda m: -1,
    "0:2": lambda m: slice(0, 2),
    "::2": lambda m: slice(None, None, 2),
    "...": lambda m: Ellipsis,
    "None": lambda m: None,
    "[1, 0, 1]": lambda m: [1, 0, 1],
    "list": lambda m: m.tensor([0, 1]),
    "column": lambda m: m.tensor([[0], [1]]),
    "0-d": lambda m: m.tensor(1),
    "True": lambda m: True,
    "False": lambda m: False,
    "-100:100": lambda m: slice(-100, 100),
    "2:1": lambda m: slice(2, 1),
}
# PyTorch takes a second ellipsis for nothing; here it is refused, as by NumPy.
SEVERAL = [c for k in (1, 2, 3) for c in itertools.product(PARTS, repeat=k) if c.count("...") < 2]
CHOSEN = [SEVERAL[i] for i in sorted(rng.choice(len(SEVERAL), 300, replace=False))]


@pytest.mark.parametrize("names", CHOSEN, ids=", ".join)
def test_any_index_reads_and_writes(names):
    x = normal(2, 3, 4)

    def read(m, x):
        return x[tuple(PARTS[n](m) for n in names)]

    def write(m, x):
        y = x * 1
        y[tuple(PARTS[n](m) for n in names)] = 7.0
        return y

    agree(read, x)
    agree(write, x)


MEET = [[0, 1, 2, 0], [0, 0, 0, 1]]
CASES = {
    "masks": (lambda m, x: (x[x > 0], x[x[:, :, 0] > 0], x[:, x[0, :, 0] > 0, 1:]), normal(2, 3, 4)),
    "a mask that does not fit": (lambda m, x: x[m.tensor([True, False, True])], normal(2, 3)),
    "out of range": (lambda m, x: x[:, m.tensor([3])], normal(2, 3)),
    "floats as indices": (lambda m, x: x[m.tensor([1.0])], normal(2, 3)),
    "reshape": (lambda m, x: (x.reshape(-1, 2), x.view(4, -1), x.flatten(1), x.unflatten(2, (2, -1))), normal(2, 3, 4)),
    "reshape to what does not fit": (lambda m, x: x.reshape(5, -1), normal(2, 3)),
    "squeeze": (lambda m, x: (x.squeeze(), x.squeeze(0), x.squeeze((0, 2)), x.squeeze(1)), normal(1, 3, 1)),
    "expand": (lambda m, x: (x.expand(2, 3, 4), x.expand(-1, 4), m.broadcast_to(x, (3, 2))), normal(3, 1)),
    "movedim": (lambda m, x: (x.movedim(0, 2), m.movedim(x, (0, 1), (1, 2)), x.mT), normal(2, 3, 4)),
    "repeat": (lambda m, x: (x.repeat(2, 1, 3), x.tile(2), x.repeat_interleave(2, 1)), normal(2, 3)),
    "split": (lambda m, x: (x.split(2), x.split([1, 4]), x.chunk(3), x.tensor_split(3), x.unbind(1)), normal(5, 2)),
    "join": (lambda m, x, y: (m.cat([x, y]), m.stack([x, y], -1), m.hstack([x, y]), m.dstack([x, y])), normal(2, 3), normal(2, 3)),
    "grids": (lambda m, x, y: (m.meshgrid(x, y, indexing="xy"), m.cartesian_prod(x, y), m.block_diag(x, y)), normal(3), normal(2)),
    "choices": (lambda m, x: (m.combinations(x, 3), m.combinations(x, 2, True)), normal(4)),
    "order": (lambda m, x: (x.flip(0, 2), x.roll((1, -2), (0, 2)), x.rot90(-1, (0, 2))), normal(2, 3, 4)),
    "diagonals": (lambda m, x: (x.diagonal(1, 0, 2), m.diag_embed(x, -1), x.tril(-1), x.triu(1), x[0, 0].diag()), normal(2, 3, 4)),
    "constant": (lambda m, x: m.nn.functional.pad(x, (1, -1, 2, 0), value=2.5), normal(2, 3, 4)),
    "reflect": (lambda m, x: m.nn.functional.pad(x, (1, 2, 2, -1), mode="reflect"), normal(1, 2, 3, 4)),
    "replicate": (lambda m, x: m.nn.functional.pad(x, (3, 0, -1, 2), mode="replicate"), normal(1, 2, 3, 4)),
    "circular": (lambda m, x: m.nn.functional.pad(x, (3, -1, 1, 2), mode="circular"), normal(1, 2, 3, 4)),
    "columns": (lambda m, x: m.nn.functional.unfold(x, (2, 3), padding=1, stride=(2, 1)), normal(2, 3, 5, 6)),
    "images": (lambda m, x: m.nn.functional.fold(x, (4, 5), 2), normal(2, 12, 12)),
    "windows": (lambda m, x: (x.unfold(1, 2, 1), x.unfold(2, 3, 2)), normal(2, 3, 4)),
    "gather": (lambda m, x: (x.gather(1, m.tensor([[0, 3], [1, 1]])), x.take(m.tensor([5, -1]))), normal(2, 4)),
    "scatter": (lambda m, x, v: (x.scatter(0, m.tensor([[0, 1, 2, 0]]), v), x.scatter(1, m.tensor([[0], [1]]), 2.5)), normal(3, 4), normal(1, 4)),
    "index_put": (lambda m, x, v: x.index_put((m.tensor([0, 0]),), v, accumulate=True), normal(2, 3), normal(2, 3)),
    "rows": (lambda m, x, v: (x.index_add(1, m.tensor([0, 2]), v, alpha=2), x.index_copy(1, m.tensor([2, 0]), v), x.index_fill(1, m.tensor([1]), 4)), normal(2, 3), normal(2, 2)),
    "masked": (lambda m, x, v: (x.masked_fill(x > 0, v), x.masked_select(x > 0), x.masked_scatter(x > 0, x * 2)), normal(2, 3), normal()),
    "where": (lambda m, x, y: (m.where(x > 0, x, y), m.where(x > 0)), normal(3, 1), normal(4)),
    "nonzero": (lambda m, x: (m.nonzero(x), m.nonzero(x, as_tuple=True), m.argwhere(x)), ties(3, 4)),
    "sort": (lambda m, x: (m.sort(x, dim=0, stable=True), m.sort(x, dim=1, descending=True, stable=True)), ties(5, 6)),
    "topk": (lambda m, x: (x.topk(3), x.topk(2, dim=0, largest=False), x.kthvalue(2)), normal(5, 6)),
    "too many": (lambda m, x: x.topk(7), normal(5, 6)),
    "unique": (lambda m, x: (m.unique(x, return_inverse=True, return_counts=True), m.unique_consecutive(x)), ties(20)),
    "search": (lambda m, x, v: (m.searchsorted(x, v), m.searchsorted(x, v, right=True), m.bucketize(v, x)), np.sort(ties(6)), ties(2, 3)),
    "counts": (lambda m, x: (m.bincount(x), m.bincount(x, minlength=9)), rng.integers(0, 5, 9)),
    "histc": (lambda m, x: (m.histc(x, 5, -1, 1), m.histogram(x, 4, range=(-1.0, 1.0))), normal(40)),
    "isin": (lambda m, x, y: (m.isin(x, y), m.isin(x, y, invert=True)), ties(3, 4), ties(2)),
}
UNDIFFERENTIATED = {"unique", "histc", "isin", "search"}


@pytest.mark.parametrize("name", CASES)
def test_operations(name):
    function, *arrays = CASES[name]
    agree(function, *arrays, grad=name not in UNDIFFERENTIATED)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("how", ["sum", "prod", "mean", "amax", "amin"])
def test_scatter_reduce(how, own):
    def function(m, x, v):
        return x.scatter_reduce(0, m.tensor(MEET), v, how, include_self=own)

    agree(function, normal(3, 4), normal(2, 4))
    agree(function, rng.integers(-4, 4, (3, 4)), rng.integers(-4, 4, (2, 4)))


def test_nan_and_infinity_are_ordered_as_in_pytorch():
    x = np.array([3.0, np.nan, -0.0, 0.0, np.inf, -np.inf, np.nan])
    agree(lambda m, x: (m.sort(x, stable=True), m.sort(x, descending=True, stable=True), x.topk(3)[0]), x, grad=False)


CREATIONS = {
    "arange": lambda m: (m.arange(5), m.arange(1, 6, 2), m.arange(0, 1, 0.25), m.arange(5, 0, -1), m.arange(3.7)),
    "arange of integers": lambda m: (m.arange(-0.9, 2.1, 2, dtype=m.int64), m.arange(5, 0, -0.5, dtype=m.int64)),
    "arange the wrong way": lambda m: m.arange(0, -3),
    "linspace": lambda m: (m.linspace(-1, 2, 7, dtype=m.float64), m.linspace(4.3, 50, 5, dtype=m.int64)),
    "logspace": lambda m: (m.logspace(0, 2, 5, dtype=m.float64), m.logspace(0, 1.2, 2, dtype=m.int64)),
    "eye": lambda m: (m.eye(3), m.eye(2, 3), m.eye(3, 2, dtype=m.int64)),
    "full": lambda m: (m.full((2, 3), 1.5), m.full((2,), 3), m.full_like(m.ones(2), 3.0)),
    "triangles": lambda m: (m.tril_indices(3, 4, 1), m.triu_indices(4, 3, -1)),
    "windows": lambda m: (m.hann_window(6, dtype=m.float64), m.kaiser_window(5, False, 5.0, dtype=m.float64)),
    "symmetric windows": lambda m: [getattr(m.signal.windows, n)(7, dtype=m.float64) for n in WINDOWS],
}
WINDOWS = ["hann", "hamming", "blackman", "nuttall", "bartlett", "kaiser", "gaussian", "exponential", "cosine"]


@pytest.mark.parametrize("name", CREATIONS)
def test_creation(name):
    agree(CREATIONS[name])


def test_draws_have_pytorchs_shapes_and_dtypes():
    def draws(m):
        m.manual_seed(1)
        half = m.full((3,), 0.5)
        drawn = [
            m.rand(2, 3), m.randn(3, dtype=m.float64), m.randint(1, 5, (2, 2)), m.randperm(5), m.rand_like(half),
            m.randint_like(half, 5), m.bernoulli(half), m.multinomial(m.ones(2, 4), 5, replacement=True),
            m.normal(0.0, 1.0, (2, 3)), m.normal(m.zeros(3), half), m.poisson(half), half.bernoulli(0.3),
            m.zeros(3).exponential_(2.0), m.zeros(3).uniform_(1, 2), m.zeros(3).log_normal_(),
            m.zeros(3).geometric_(0.5), m.zeros(3, dtype=m.int64).random_(3), m.zeros(3).random_(1, 4),
        ]
        return [d * 0 for d in drawn]

    agree(draws)
    agree(lambda m: m.bernoulli(m.tensor([2.0])))
    agree(lambda m: m.multinomial(m.ones(3), 4))


def test_a_generator_draws_the_same_again():
    g = wengert.Generator().manual_seed(7)
    first = wengert.multinomial(wengert.ones(9), 5, generator=g), wengert.zeros(4).exponential_(generator=g)
    g.manual_seed(7)
    again = wengert.multinomial(wengert.ones(9), 5, generator=g), wengert.zeros(4).exponential_(generator=g)
    assert all(a.tolist() == b.tolist() for a, b in zip(first, again))
    common = wengert.get_rng_state()
    wengert.zeros(3).cauchy_(generator=g)
    assert wengert.get_rng_state() == common


def test_writing_into_a_leaf():
    x = wengert.zeros(3)
    y = x
    x[1] = 5
    assert y.tolist() == [0.0, 5.0, 0.0]
    kept = x * 1
    x[...] = wengert.tensor([1.0, 2.0, 3.0])
    assert (x.tolist(), kept.tolist()) == ([1.0, 2.0, 3.0], [0.0, 5.0, 0.0])
    w = wengert.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError):
        w[0] = 2.0
    with wengert.no_grad():
        w[0] = 2.0
    assert w.tolist() == [2.0, 1.0, 1.0]
    v = wengert.tensor(4.0, requires_grad=True)
    z = wengert.zeros(3)
    z[2] = v
    (z * 3).sum().backward()
    assert v.grad.item() == 3.0


def test_elements_by_strides():
    x = wengert.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    s = wengert.tensor([9.0, 8.0], requires_grad=True)
    y = wengert.as_strided_scatter(x, s, [2], [2], 0)
    assert y.tolist() == [9.0, 2.0, 8.0, 4.0]
    (y * wengert.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert (x.grad.tolist(), s.grad.tolist()) == ([0.0, 2.0, 0.0, 4.0], [1.0, 3.0])
    assert wengert.as_strided(x, (2, 3), (1, 1)).tolist() == [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]
    with pytest.raises(IndexError, match="reach element 4"):
        wengert.as_strided(x, (3,), (2,))


@pytest.mark.parametrize(
    "call",
    [
        lambda lib, x: lib.cat([x, x]),
        lambda lib, x: lib.cat((x, x), 1),
        lambda lib, x: lib.cat([x, x], dim=-1),
        lambda lib, x: lib.cat(tensors=[x, x], dim=1),
        lambda lib, x: lib.cat(dim=1, tensors=[x, x]),
        lambda lib, x: lib.cat([x], out=None),
        lambda lib, x: lib.concat([x, x], 0),
        lambda lib, x: lib.cat(),
        lambda lib, x: lib.cat(x),
        lambda lib, x: lib.cat([x, x], 5),
        lambda lib, x: lib.cat([x], 0, 0),
        lambda lib, x: lib.cat([x], 0, dim=0),
        lambda lib, x: lib.cat([x], dim="rows"),
        lambda lib, x: lib.cat([x], other=0),
    ],
)
def test_cat_however_it_is_called(call):
    ours, theirs = (capture(lambda: call(lib, lib.tensor([[1.0, 2.0], [3.0, 4.0]]))) for lib in (wengert, torch))
    assert ours == theirs


def capture(call):
    """The elements, or the kind of error."""
    try:
        return call().tolist()
    except TypeError:
        return TypeError
    except IndexError:
        return IndexError


def test_short_tensors_are_joined_as_long_ones():
    parts = [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]]
    for kinds in (("float32", "float32"), ("float32", "float64"), ("int64", "bool")):
        for join in (list, tuple):
            ours, theirs = (
                lib.cat(join(lib.tensor(p).to(getattr(lib, kind)) for p, kind in zip(parts, kinds)))
                for lib in (wengert, torch)
            )
            assert ours.tolist() == theirs.tolist() and str(ours.dtype)[8:] == str(theirs.dtype)[6:]
    w = wengert.tensor([1.0], requires_grad=True)
    y = wengert.cat([w, wengert.tensor([2.0])])
    (y * y).sum().backward()
    assert w.grad.tolist() == [2.0]
    with wengert.no_grad():
        assert not wengert.cat([w, w]).requires_grad
    assert wengert.cat([wengert.ones(2, 3).T, wengert.zeros(1, 2)]).tolist() == [[1.0, 1.0]] * 3 + [[0.0, 0.0]]
    with pytest.raises(ValueError, match="cannot join"):
        wengert.cat([wengert.ones(2, 2), wengert.ones(1, 3)])
