"""Distributions beside PyTorch's, and their samples beside their own moments."""

import math

import numpy as np
import pytest

import wengert
from beside import needs_torch, numbers, ours, torch
from wengert import distributions as D

# Parameters for a batch of three, and those of a second distribution for the divergence.
CASES = {
    "Normal": (dict(loc=[0.5, -1.0, 2.0], scale=[1.0, 0.5, 3.0]), dict(loc=[0.0, 1.0, 2.5], scale=[2.0, 0.7, 1.0])),
    "LogNormal": (dict(loc=[0.5, -1.0, 0.2], scale=[0.3, 0.5, 0.7]), dict(loc=[0.0, 1.0, 0.5], scale=[0.2, 0.7, 1.0])),
    "HalfNormal": (dict(scale=[1.0, 0.5, 3.0]), None),
    "Laplace": (dict(loc=[0.5, -1.0, 2.0], scale=[1.0, 0.5, 3.0]), dict(loc=[0.0, 1.0, 2.5], scale=[2.0, 0.7, 1.0])),
    "Cauchy": (dict(loc=[0.5, -1.0, 2.0], scale=[1.0, 0.5, 3.0]), dict(loc=[0.0, 1.0, 2.5], scale=[2.0, 0.7, 1.0])),
    "Gumbel": (dict(loc=[0.5, -1.0, 2.0], scale=[1.0, 0.5, 3.0]), dict(loc=[0.0, 1.0, 2.5], scale=[2.0, 0.7, 1.0])),
    "Uniform": (dict(low=[0.5, -1.0, 2.0], high=[1.0, 0.5, 3.0]), dict(low=[0.0, -2.0, 2.5], high=[2.0, 0.7, 4.0])),
    "Exponential": (dict(rate=[1.0, 0.5, 3.0]), dict(rate=[2.0, 0.7, 1.0])),
    "Gamma": (
        dict(concentration=[1.5, 0.5, 3.0], rate=[1.0, 2.0, 0.5]),
        dict(concentration=[1.0, 2.5, 2.0], rate=[2.0, 1.0, 0.7]),
    ),
    "Chi2": (dict(df=[1.5, 3.0, 8.0]), dict(df=[2.0, 1.0, 7.0])),
    "Beta": (
        dict(concentration1=[1.5, 0.5, 3.0], concentration0=[1.0, 2.0, 0.5]),
        dict(concentration1=[1.0, 2.5, 2.0], concentration0=[2.0, 1.0, 0.7]),
    ),
    "Dirichlet": (dict(concentration=[[1.5, 0.5, 3.0], [1.0, 2.0, 4.0]]), dict(concentration=[[1.0, 2.0, 0.5], [2.0, 2.0, 2.0]])),
    "StudentT": (dict(df=[3.0, 5.0, 9.0], loc=[0.5, -1.0, 2.0], scale=[1.0, 0.5, 3.0]), None),
    "MultivariateNormal": (
        dict(loc=[0.5, -1.0], covariance_matrix=[[2.0, 0.5], [0.5, 1.0]]),
        dict(loc=[0.0, 1.0], covariance_matrix=[[1.0, -0.2], [-0.2, 3.0]]),
    ),
    "Bernoulli": (dict(probs=[0.2, 0.5, 0.9]), dict(logits=[0.2, -0.5, 0.9])),
    "Geometric": (dict(probs=[0.2, 0.5, 0.9]), dict(probs=[0.3, 0.4, 0.6])),
    "Binomial": (dict(total_count=5, probs=[0.2, 0.4, 0.9]), dict(total_count=5, probs=[0.3, 0.4, 0.6])),
    "Poisson": (dict(rate=[1.0, 0.5, 6.0]), dict(rate=[2.0, 0.7, 1.0])),
    "Categorical": (dict(probs=[[0.2, 0.5, 0.3], [1.0, 2.0, 1.0]]), dict(logits=[[0.2, 0.5, 0.3], [1.0, -2.0, 1.0]])),
    "OneHotCategorical": (dict(logits=[[0.2, 0.5, 0.3], [1.0, 2.0, 1.0]]), dict(probs=[[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])),
    "Multinomial": (dict(total_count=4, probs=[[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]]), None),
}


def made(module, name, params, grad=False):
    tensors = {
        k: v if isinstance(v, int) else module.tensor(v, dtype=module.float64, requires_grad=grad) for k, v in params.items()
    }
    return getattr(module.distributions, name)(**tensors), [t for t in tensors.values() if not isinstance(t, int)]


def close(a, b, rtol=1e-6):
    assert tuple(a.shape) == tuple(b.shape)
    np.testing.assert_allclose(numbers(a), numbers(b), rtol=rtol, atol=1e-8)


def either(f):
    try:
        return f()
    except NotImplementedError:
        return None


@needs_torch
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_pytorchs(name):
    import torch.distributions  # noqa: F401

    params = CASES[name][0]
    (a, mine), (b, theirs) = made(wengert, name, params, True), made(torch, name, params, True)
    assert tuple(a.batch_shape) == tuple(b.batch_shape) and tuple(a.event_shape) == tuple(b.event_shape)
    for what in ("mean", "variance", "stddev", "mode"):
        x, y = (either(lambda d=d: getattr(d, what)) for d in (a, b))
        if x is not None and y is not None:
            close(x, y)
    torch.manual_seed(0)
    value = b.sample((4,)).detach()
    for what in ("log_prob", "cdf"):
        x, y = either(lambda: getattr(a, what)(ours(value))), either(lambda: getattr(b, what)(value))
        if x is None or y is None:
            continue
        close(x, y, 1e-5)
        for t in (*mine, *theirs):
            t.grad = None
        x.sum().backward(), y.sum().backward()
        for m, t in zip(mine, theirs):
            if t.grad is not None:
                close(m.grad, t.grad, 1e-5)
    x, y = either(a.entropy), either(b.entropy)
    if x is not None and y is not None:
        close(x, y, 1e-5)
    p = np.array([[0.1], [0.5], [0.8]])
    if not a.event_shape:
        x, y = either(lambda: a.icdf(wengert.tensor(p))), either(lambda: b.icdf(torch.tensor(p)))
        if x is not None and y is not None:
            close(x, y, 1e-5)
    if a.has_enumerate_support:
        assert a.enumerate_support().tolist() == b.enumerate_support().tolist()
    wide, theirs_ = a.expand((2, *a.batch_shape)), b.expand((2, *b.batch_shape))
    close(wide.log_prob(ours(value[:2])), theirs_.log_prob(value[:2]), 1e-5)


@needs_torch
@pytest.mark.parametrize("name", [n for n in CASES if CASES[n][1]])
def test_divergences_are_pytorchs(name):
    results = []
    for module in (wengert, torch):
        (p, ps), (q, qs) = made(module, name, CASES[name][0], True), made(module, name, CASES[name][1], True)
        kl = module.distributions.kl_divergence(p, q)
        kl.sum().backward()
        results.append((kl, [t.grad for t in (*ps, *qs)]))
    close(results[0][0], results[1][0], 1e-5)
    for m, t in zip(results[0][1], results[1][1]):
        if t is not None and name != "Uniform":
            close(m, t, 1e-5)


@pytest.mark.parametrize("name", CASES)
def test_samples_have_the_moments(name):
    wengert.manual_seed(1)
    d, params = made(wengert, name, CASES[name][0], True)
    x = d.sample((20_000,))
    assert tuple(x.shape) == (20_000, *d.batch_shape, *d.event_shape) and not x.requires_grad
    assert np.isfinite(numbers(d.log_prob(x[:100]))).all()
    if name == "Cauchy":
        assert np.allclose(np.median(numbers(x), 0), numbers(d.loc), atol=0.1)
    elif name == "Categorical":
        counts = [[float((x[:, row] == k).to(wengert.float64).mean()) for k in range(3)] for row in range(2)]
        np.testing.assert_allclose(counts, numbers(d.probs), atol=0.02)
    else:
        spread = numbers(d.variance) ** 0.5
        np.testing.assert_allclose(numbers(x.to(wengert.float64).mean(0)), numbers(d.mean), atol=5 * spread.max() / 141)
        np.testing.assert_allclose(numbers(x.to(wengert.float64).var(0)), numbers(d.variance), rtol=0.25 if name in ("StudentT", "LogNormal") else 0.1, atol=0.02)
    assert tuple(d.sample().shape) == (*d.batch_shape, *d.event_shape)
    if d.has_rsample:
        d.rsample((5,)).sum().backward()
        assert all(p.grad is not None for p in params)
    elif name != "StudentT":
        with pytest.raises(NotImplementedError, match="no rsample"):
            d.rsample()


def test_gradients_pass_through_samples():
    loc, scale = (wengert.tensor(v, requires_grad=True) for v in (1.0, 2.0))
    x = D.Normal(loc, scale).rsample((1000,))
    x.mean().backward()
    assert loc.grad.item() == pytest.approx(1.0, rel=1e-5)
    assert scale.grad.item() == pytest.approx((x.mean().item() - 1.0) / 2.0, rel=1e-3)


def test_independent_sums_over_the_event():
    base = D.Normal(wengert.zeros(4, 3), 1.0)
    d = D.Independent(base, 1)
    assert tuple(d.batch_shape) == (4,) and tuple(d.event_shape) == (3,) and d.has_rsample
    x = d.rsample((2,))
    assert wengert.allclose(d.log_prob(x), base.log_prob(x).sum(-1))
    assert wengert.allclose(d.entropy(), base.entropy().sum(-1))
    q = D.Independent(D.Normal(wengert.ones(4, 3), 2.0), 1)
    assert wengert.allclose(D.kl_divergence(d, q), D.kl_divergence(base, q.base_dist).sum(-1))
    assert tuple(d.expand((5, 4)).sample().shape) == (5, 4, 3)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"parameter scale .* of distribution Normal to satisfy the constraint GreaterThan"):
        D.Normal(0.0, -1.0)
    with pytest.raises(ValueError, match="low >= high"):
        D.Uniform(1.0, 0.0)
    with pytest.raises(ValueError, match="not both"):
        D.Bernoulli(probs=0.5, logits=0.0)
    with pytest.raises(ValueError, match="within the support"):
        D.Bernoulli(0.5).log_prob(wengert.tensor(2.0))
    with pytest.raises(ValueError, match="not broadcastable"):
        D.Normal(wengert.zeros(3), 1.0).log_prob(wengert.zeros(2))
    with pytest.raises(ValueError, match="must be a Tensor"):
        D.Normal(0.0, 1.0).log_prob(1.0)
    with pytest.raises(NotImplementedError, match="KL"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Exponential(1.0))
    assert math.isnan(D.Normal(0.0, math.nan, validate_args=False).variance.item())
    assert repr(D.Normal(0.0, 1.0)) == "Normal(loc: 0.0, scale: 1.0)"
