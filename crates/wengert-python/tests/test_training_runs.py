"""Whole training runs of an MLP, a CNN, an LSTM and a transformer with each optimizer, beside PyTorch's.

The program is the one that made the reference with PyTorch, `crates/wengert/tests/reference/training.py`, with its import
lines changed; Rust's test, `crates/wengert/tests/training.rs`, compares with the same numbers.
"""

import json
import math
import pathlib

import pytest
import wengert

REFERENCE = pathlib.Path(__file__).resolve().parents[2] / "wengert" / "tests" / "reference"
RUNS = json.loads((REFERENCE / "training.json").read_text())


def program():
    path = REFERENCE / "training.py"
    source = path.read_text()
    for old, new in [
        ("import torch\n", "import wengert as torch\n"),
        ("from optimizers import Lion\n", "from wengert.optim import Lion\n"),
        ("from torch import nn, optim\n", "from wengert import nn, optim\n"),
    ]:
        assert source.count(old) == 1
        source = source.replace(old, new)
    names = {"__name__": "training", "__file__": str(path)}
    exec(compile(source, str(path), "exec"), names)  # noqa: S102
    return names


PROGRAM = program()


def bound(dtype, rounding):
    """As in Rust's test, which says why."""
    return max(30 * rounding / 2**29, 2e-13) if dtype is wengert.float64 else max(30 * rounding, 3e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", RUNS["mlp"])
@pytest.mark.parametrize("name", [name for name in RUNS if name != "torch"])
def test_trains_as_in_pytorch(name, optimizer, dtype):
    assert set(RUNS[name]) == set(PROGRAM["OPTIMIZERS"])
    theirs, dtype = RUNS[name][optimizer], getattr(wengert, dtype)
    model = PROGRAM["MODELS"][name]()
    PROGRAM["begin"](model)
    model.to(dtype)
    ours = PROGRAM["train"](model, PROGRAM["OPTIMIZERS"][optimizer](model), PROGRAM["STEPS"][name])
    for mine, what, rounding in zip(ours, ("losses", "weights"), theirs["rounding"]):
        assert len(mine) == len(theirs[what]) and all(map(math.isfinite, mine))
        assert PROGRAM["apart"](mine, theirs[what]) <= bound(dtype, rounding), what
