"""The examples in docstrings do what they say."""

import doctest
import importlib
import pkgutil

import pytest

import wengert

NAMES = ["wengert", *(m.name for m in pkgutil.walk_packages(wengert.__path__, "wengert.") if not m.name.endswith("_C"))]


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    module = importlib.import_module(name)
    wengert.manual_seed(0)
    failed, _ = doctest.testmod(module)
    assert failed == 0


def test_there_are_examples():
    count = sum(len(t.examples) for n in NAMES for t in doctest.DocTestFinder().find(importlib.import_module(n)))
    assert count > 50


FUNCTIONS = sorted(n for n, f in vars(wengert._C).items() if not n.startswith("_") and callable(f) and not isinstance(f, type))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_an_example(name):
    doc = getattr(wengert._C, name).__doc__
    test = doctest.DocTestParser().get_doctest(doc, {"wengert": wengert}, name, None, None)
    assert test.examples, f"write one for {name} into src/examples.txt"
    if "import numpy" in doc:
        pytest.importorskip("numpy")
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test)
    assert runner.failures == 0


MODULES = ("nn", "nn.functional", "nn.init", "optim", "optim.lr_scheduler", "linalg", "special", "func", "autograd", "autograd.functional", "utils.data", "distributions", "array_api")


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name):
    module = importlib.import_module(f"wengert.{name}")
    silent = [
        n for n, value in vars(module).items()
        if not n.startswith("_") and callable(value) and getattr(value, "__module__", "").startswith("wengert") and not (value.__doc__ or "").strip()
    ]
    assert not silent
