"""Ten small scripts written for PyTorch run here with only their import lines changed, and print the same.

PyTorch's and this package's random streams differ, so both get their random numbers from NumPy while a script runs,
and parameters that an optimizer is given begin with the values that they had in PyTorch.
"""

import contextlib
import io
import pathlib
import re

import numpy as np
import pytest
import wengert
from beside import torch
from wengert import _C, optim

SCRIPTS = sorted(pathlib.Path(__file__).parent.joinpath("scripts").glob("*.py"))
# How far printed numbers may be apart: training multiplies differences in the last digit of a float32.
BOUNDS = {"gan": 2e-3, "cnn": 5e-3, "char_lstm": 2e-3, "transformer": 2e-3, "polynomial": 1e-4}
BOUND = 1e-3


def translate(source):
    """The script with its import lines changed, as a user would."""
    source = re.sub(r"^import torch$", "import wengert as torch", source, flags=re.M)
    source = re.sub(r"^import torch\.", "import wengert.", source, flags=re.M)
    return re.sub(r"^from torch\b", "from wengert", source, flags=re.M)


@contextlib.contextmanager
def numpys_random_numbers(*modules):
    """The random functions of these modules, from one seeded NumPy generator."""
    rng = np.random.default_rng(7)
    make = modules[0]

    def size_of(size):
        return tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size

    def floats(draw):
        return lambda *size, **_: make.from_numpy(np.asarray(draw(size_of(size)), dtype=np.float32))

    def randint(*args, **_):
        low, high, size = args if len(args) == 3 else (0, *args)
        return make.from_numpy(rng.integers(low, high, tuple(size)))

    new = {
        "randn": floats(rng.standard_normal),
        "rand": floats(rng.random),
        "randn_like": lambda x, **_: make.from_numpy(rng.standard_normal(tuple(x.shape)).astype(np.float32)),
        "rand_like": lambda x, **_: make.from_numpy(rng.random(tuple(x.shape)).astype(np.float32)),
        "randint": randint,
        # Always the same: how often a loader asks for one is its own affair.
        "randperm": lambda n, **_: make.from_numpy(np.random.default_rng(n).permutation(n)),
    }
    old = [(m, name, getattr(m, name)) for m in modules for name in new if hasattr(m, name)]
    try:
        for m, name, _ in old:
            setattr(m, name, new[name])
        yield
    finally:
        for m, name, function in old:
            setattr(m, name, function)


@contextlib.contextmanager
def at_optimizers(base, see):
    """Calls `see` with the parameters of each optimizer that is made."""
    init = base.__init__

    def wrapped(self, params, defaults):
        init(self, params, defaults)
        see([p for group in self.param_groups for p in group["params"]])

    base.__init__ = wrapped
    try:
        yield
    finally:
        base.__init__ = init


def run(source, name):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, name, "exec"), {"__name__": "__main__"})  # noqa: S102
    return out.getvalue()


def run_theirs(path):
    """What the script prints under PyTorch, and the parameters that optimizers began with."""
    begun = []
    keep = lambda ps: begun.append([p.detach().numpy().copy() for p in ps])  # noqa: E731
    with numpys_random_numbers(torch), at_optimizers(torch.optim.Optimizer, keep):
        return run(path.read_text(), path.name), begun


def run_mine(path, begun=None):
    begun = None if begun is None else iter(begun)

    def put(ps):
        if begun is not None:
            for p, value in zip(ps, next(begun), strict=True):
                p.data = wengert.from_numpy(value.copy())

    with numpys_random_numbers(wengert, _C), at_optimizers(optim.Optimizer, put):
        return run(translate(path.read_text()), path.name)


NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")


@pytest.mark.parametrize("path", SCRIPTS, ids=[p.stem for p in SCRIPTS])
def test_script(path):
    wengert.manual_seed(0)
    if torch is None:
        numbers = [float(n) for n in NUMBER.findall(run_mine(path))]
        assert numbers and np.isfinite(numbers).all()
        return
    theirs, begun = run_theirs(path)
    mine = run_mine(path, begun)
    assert NUMBER.sub("#", mine) == NUMBER.sub("#", theirs)
    bound = BOUNDS.get(path.stem, BOUND)
    a, b = ([float(n) for n in NUMBER.findall(text)] for text in (mine, theirs))
    np.testing.assert_allclose(a, b, rtol=bound, atol=bound)


