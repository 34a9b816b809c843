"""Comparing with PyTorch where it is installed."""

import numpy as np
import pytest
import wengert

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


def ours(t):
    """A tensor of PyTorch as one of ours; anything else stays."""
    if torch is not None and isinstance(t, torch.Tensor):
        x = wengert.from_numpy(t.detach().cpu().numpy().copy())
        return x.requires_grad_() if t.requires_grad else x
    if isinstance(t, (list, tuple)):
        return type(t)(ours(v) for v in t)
    if isinstance(t, dict):
        return {k: ours(v) for k, v in t.items()}
    return t


def numbers(t):
    """A tensor's numbers, whoever's it is."""
    return np.asarray(t.detach().numpy() if hasattr(t, "detach") else t)


def tensors_in(value):
    """The tensors in a result, in order."""
    if hasattr(value, "detach"):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in tensors_in(v)]
    if isinstance(value, dict):
        return [t for v in value.values() for t in tensors_in(v)]
    return []


def same(mine, theirs, rtol=1e-5, atol=1e-6):
    """Asserts that all tensors of two results agree in shape and value."""
    mine, theirs = tensors_in(mine), tensors_in(theirs)
    assert len(mine) == len(theirs)
    for m, t in zip(mine, theirs):
        assert tuple(m.shape) == tuple(t.shape)
        np.testing.assert_allclose(numbers(m), numbers(t), rtol=rtol, atol=atol)


def by_torch():
    """PyTorch, or a skip."""
    return pytest.importorskip("torch")
