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
