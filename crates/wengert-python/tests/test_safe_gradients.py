"""The places where a gradient is easily infinite or NaN: as PyTorch's, or better. docs/safe-gradients.md says more."""

import math

import numpy as np
import pytest
from beside import by_torch

import wengert

inf, nan = math.inf, math.nan

# What is done, and where: value and gradients are PyTorch's.
SAME = {
    "a branch not chosen: 1/x": (lambda L, x: L.where(x > 0, 1 / x, x * 0), [0.0, 2.0]),
    "a branch not chosen: log": (lambda L, x: L.where(x > 0, L.log(x), L.zeros_like(x)), [0.0, 2.0]),
    "a branch not chosen: sqrt": (lambda L, x: L.where(x > 0, L.sqrt(x), L.zeros_like(x)), [0.0, 4.0]),
    "a masked logarithm": (lambda L, x: L.log(x).masked_fill(x <= 0, 0.0), [0.0, 2.0]),
    "a length of zero": (lambda L, x: L.linalg.vector_norm(x), [0.0, 0.0]),
    "a length of order 3 of zero": (lambda L, x: L.linalg.vector_norm(x, 3), [0.0, 0.0]),
    "a length of order 1 with a zero": (lambda L, x: L.linalg.vector_norm(x, 1), [0.0, 1.0]),
    "a length of order 1/2 with a zero": (lambda L, x: L.linalg.vector_norm(x, 0.5), [0.0, 1.0]),
    "a length of order ∞ with equals": (lambda L, x: L.linalg.vector_norm(x, inf), [2.0, -2.0, 1.0]),
    "the length by its other name": (lambda L, x: x.norm(), [0.0, 0.0]),
    "distances of equals": (lambda L, x, y: L.cdist(x, y), [[1.0, 2.0]], [[1.0, 2.0]]),
    "distances within equals": (lambda L, x: L.pdist(x), [[1.0, 2.0], [1.0, 2.0]]),
    "distances of pairs of equals": (lambda L, x, y: L.nn.functional.pairwise_distance(x, y, eps=0.0), [[1.0, 2.0]], [[1.0, 2.0]]),
    "the cosine of nothing": (lambda L, x, y: L.nn.functional.cosine_similarity(x, y), [[0.0, 0.0]], [[1.0, 2.0]]),
    "the direction of nothing": (lambda L, x: L.nn.functional.normalize(x), [[0.0, 0.0]]),
    "the root of zero": (lambda L, x: L.sqrt(x), [0.0]),
    "the root of zero times zero": (lambda L, x: L.sqrt(x) * 0, [0.0]),
    "0²": (lambda L, x: x**2, [0.0]),
    "0⁰": (lambda L, x: x**0, [0.0]),
    "0 to the half": (lambda L, x: x**0.5, [0.0]),
    "0 to a tensor": (lambda L, x, p: L.pow(x, p), [0.0, 0.0, 0.0], [2.0, 0.0, 1.0]),
    "a negative base": (lambda L, x, p: L.pow(x, p), [-2.0], [2.0]),
    "0 as the base": (lambda L, x: L.pow(0.0, x), [0.0, 2.0]),
    "0 log 0 by hand": (lambda L, x: x * L.log(x), [0.0]),
    "entropy at 0": (lambda L, x: L.special.entr(x), [0.0]),
    "binary cross-entropy of certainty": (
        lambda L, p: L.nn.functional.binary_cross_entropy(p, L.tensor([0.0, 1.0], dtype=L.float64)),
        [0.0, 1.0],
    ),
    "the deviation of one": (lambda L, x: L.std(x), [3.0]),
    "the deviation of one without correction": (lambda L, x: L.std(x, correction=0), [3.0]),
    "the deviation of equals": (lambda L, x: L.std(x), [3.0, 3.0]),
    "the variance of one": (lambda L, x: L.var(x), [3.0]),
    "softmax of −∞": (lambda L, x: L.softmax(x, -1), [[-inf, -inf], [0.0, -inf]]),
    "safe softmax of −∞": (lambda L, x: L._safe_softmax(x, -1) ** 2, [[-inf, -inf], [0.0, -inf], [1.0, 2.0]]),
    "log-softmax of −∞": (lambda L, x: L.log_softmax(x, -1), [[-inf, -inf]]),
    "log-softmax beside −∞": (lambda L, x: L.log_softmax(x, -1)[..., 0], [[0.0, -inf]]),
    "logsumexp of ∞": (lambda L, x: L.logsumexp(x, -1), [[inf, 0.0]]),
    "the angle of the origin": (lambda L, x, y: L.atan2(x, y), [0.0], [0.0]),
    "|0|": (lambda L, x: L.abs(x), [0.0]),
    "the largest of equals": (lambda L, x: x.max(), [1.0, 1.0]),
    "the largest of equals along a dimension": (lambda L, x: L.amax(x, 0), [1.0, 1.0]),
    "the larger of equals": (lambda L, x, y: L.maximum(x, y), [1.0], [1.0]),
    "the median of equals": (lambda L, x: x.median(), [1.0, 1.0, 2.0]),
    "the edges of a clamp": (lambda L, x: x.clamp(0.0, 1.0), [0.0, 1.0]),
    "relu at 0": (lambda L, x: L.relu(x), [0.0]),
    "a product with a zero": (lambda L, x: x.prod(), [0.0, 2.0, 3.0]),
    "a product with zeros": (lambda L, x: x.prod(), [0.0, 2.0, 0.0]),
    "running products with zeros": (lambda L, x: L.cumprod(x, 0), [0.0, 2.0, 0.0]),
    "0/0": (lambda L, x, y: x / y, [0.0], [0.0]),
    "the ends of the arc cosine": (lambda L, x: L.acos(x), [1.0]),
    "the middle of sinc": (lambda L, x: L.sinc(x), [0.0]),
    "equal eigenvalues": (lambda L, x: L.linalg.eigvalsh(x), [[1.0, 0.0], [0.0, 1.0]]),
    "singular values of zero": (lambda L, x: L.linalg.svdvals(x), [[0.0, 0.0], [0.0, 0.0]]),
    "the determinant of zero": (lambda L, x: L.linalg.det(x), [[0.0, 0.0], [0.0, 0.0]]),
    "attention to nothing": (
        lambda L, q: L.nn.functional.scaled_dot_product_attention(q, q, q, attn_mask=L.tensor([[False, False], [True, False]])),
        [[[1.0, 2.0], [3.0, 4.0]]],
    ),
    "cross-entropy beside −∞": (lambda L, x: L.nn.functional.cross_entropy(x, L.tensor([0])), [[0.0, -inf]]),
    "softplus far out": (lambda L, x: L.nn.functional.softplus(x), [1000.0, -1000.0]),
    "sigmoid far out": (lambda L, x: L.sigmoid(x), [1000.0, -1000.0]),
    "numbers for NaN": (lambda L, x: L.nan_to_num(x), [nan, inf, 1.0]),
    "the mean of nothing": (lambda L, x: x.mean(), []),
}

# Where PyTorch's gradient is NaN, or not the derivative: what it is here.
BETTER = {
    "0 log 0": (lambda L, x, y: L.xlogy(x, y), ([0.0], [0.0]), ([0.0], [0.0])),
    "logsumexp of −∞": (lambda L, x: L.logsumexp(x, -1), ([[-inf, -inf]],), ([[0.0, 0.0]],)),
    "logaddexp of infinities": (lambda L, x, y: L.logaddexp(x, y), ([inf, -inf], [inf, -inf]), ([0.5, 0.5], [0.5, 0.5])),
    "logcumsumexp from −∞ on": (lambda L, x: L.logcumsumexp(x, -1), ([-inf, 0.0],), ([0.0, 1.0],)),
    "the hypotenuse of nothing": (lambda L, x, y: L.hypot(x, y), ([0.0], [0.0]), ([0.0], [0.0])),
    "eigenvectors of equal eigenvalues": (
        lambda L, x: L.linalg.eigh(x)[1].abs(),
        ([[1.0, 0.0], [0.0, 1.0]],),
        ([[0.0, 0.0], [0.0, 0.0]],),
    ),
    "singular vectors of equal singular values": (
        lambda L, x: L.linalg.svd(x)[0].abs(),
        ([[1.0, 0.0], [0.0, 1.0]],),
        ([[0.0, 0.0], [0.0, 0.0]],),
    ),
    "the determinant of a singular matrix": (lambda L, x: L.linalg.det(x), ([[1.0, 2.0], [2.0, 4.0]],), ([[4.0, -2.0], [-2.0, 1.0]],)),
}


def run(lib, f, arrays):
    x = [lib.tensor(a, dtype=lib.float64).requires_grad_() for a in arrays]
    y = f(lib, *x)
    y.sum().backward()
    return [np.asarray(t.detach().numpy()) for t in (y, *(v.grad for v in x))]


@pytest.mark.parametrize("name", SAME)
def test_as_pytorchs(name):
    torch = by_torch()
    f, *arrays = SAME[name]
    for mine, theirs in zip(run(wengert, f, arrays), run(torch, f, arrays)):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


@pytest.mark.parametrize("name", BETTER)
def test_better_than_pytorchs(name):
    f, arrays, gradients = BETTER[name]
    _, *mine = run(wengert, f, arrays)
    for m, g in zip(mine, gradients):
        np.testing.assert_allclose(m, g, rtol=1e-12)


@pytest.mark.parametrize("name", BETTER)
def test_pytorch_is_as_the_docs_say(name):
    torch = by_torch()
    f, arrays, gradients = BETTER[name]
    _, *theirs = run(torch, f, arrays)
    assert not all(np.allclose(t, g) for t, g in zip(theirs, gradients)), "PyTorch does as well now: docs/safe-gradients.md"
