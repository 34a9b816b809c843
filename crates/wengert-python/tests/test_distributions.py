"""Distributions beside PyTorch's, and their samples beside their own moments."""

import importlib
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
    "HalfNormal": (dict(scale=[1.0, 0.5, 3.0]), dict(scale=[2.0, 0.7, 1.0])),
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
    "ContinuousBernoulli": (dict(probs=[0.2, 0.4995, 0.9]), dict(logits=[0.2, -0.5, 0.0])),
    "FisherSnedecor": (dict(df1=[1.5, 3.0, 8.0], df2=[9.0, 12.0, 15.0]), None),
    "GeneralizedPareto": (dict(loc=[0.5, -1.0, 2.0], scale=[1.0, 0.5, 3.0], concentration=[0.1, 0.3, -0.5]), None),
    "HalfCauchy": (dict(scale=[1.0, 0.5, 3.0]), dict(scale=[2.0, 0.7, 1.0])),
    "InverseGamma": (
        dict(concentration=[5.5, 6.5, 8.0], rate=[1.0, 2.0, 0.5]),
        dict(concentration=[1.0, 2.5, 2.0], rate=[2.0, 1.0, 0.7]),
    ),
    "Kumaraswamy": (dict(concentration1=[1.5, 0.5, 3.0], concentration0=[1.0, 2.0, 0.5]), None),
    "LKJCholesky": (dict(dim=3, concentration=[0.7, 1.0, 4.0]), None),
    "LogisticNormal": (dict(loc=[[0.5, -1.0], [0.0, 0.3]], scale=[[0.4, 0.5], [1.0, 0.1]]), None),
    "LowRankMultivariateNormal": (
        dict(loc=[0.5, -1.0, 0.0], cov_factor=[[0.5], [-0.4], [1.0]], cov_diag=[1.0, 0.5, 2.0]),
        dict(loc=[0.0, 1.0, 0.3], cov_factor=[[0.2], [0.1], [-1.0]], cov_diag=[0.7, 1.5, 1.0]),
    ),
    "NegativeBinomial": (dict(total_count=[1.5, 3.0, 7.0], probs=[0.2, 0.5, 0.7]), None),
    "OneHotCategoricalStraightThrough": (dict(probs=[[0.2, 0.5, 0.3], [1.0, 2.0, 1.0]]), dict(logits=[[0.2, 0.5, 0.3], [1.0, -2.0, 1.0]])),
    "Pareto": (dict(scale=[1.0, 2.0, 0.5], alpha=[5.5, 8.0, 9.0]), dict(scale=[0.5, 3.0, 0.4], alpha=[1.0, 2.0, 3.0])),
    "RelaxedBernoulli": (dict(temperature=0.7, logits=[0.2, -0.5, 0.9]), None),
    "RelaxedOneHotCategorical": (dict(temperature=0.7, probs=[[0.2, 0.5, 0.3], [1.0, 2.0, 1.0]]), None),
    "VonMises": (dict(loc=[0.5, -1.0, 2.0], concentration=[1.0, 0.3, 8.0]), None),
    "Weibull": (dict(scale=[1.0, 2.0, 0.5], concentration=[1.5, 1.0, 3.0]), None),
    "Wishart": (
        dict(df=[4.0, 5.5], covariance_matrix=[[2.0, 0.5], [0.5, 1.0]]),
        None,
    ),
}
# PyTorch's mode is NaN where concentration0 is above 1, and its Wishart's divergence adds up over the batch.
APART = {("Kumaraswamy", "mode")}
# PyTorch takes no others here.
SINGLE = {"GeneralizedPareto"}


def made(module, name, params, grad=False):
    dtype = module.float32 if name in SINGLE else module.float64
    tensors = {k: v if isinstance(v, int) else module.tensor(v, dtype=dtype, requires_grad=grad) for k, v in params.items()}
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
        if x is not None and y is not None and (name, what) not in APART:
            close(x, y)
    torch.manual_seed(0)
    value = b.sample((4,)).detach()
    for what in ("log_prob", "cdf"):
        # Anew, since some distributions keep what they computed of their parameters.
        (c, mine), (d, theirs) = made(wengert, name, params, True), made(torch, name, params, True)
        x, y = either(lambda: getattr(c, what)(ours(value))), either(lambda: getattr(d, what)(value))
        if x is None or y is None:
            continue
        close(x, y, 1e-5)
        x.sum().backward(), y.sum().backward()
        for m, t in zip(mine, theirs):
            if t.grad is not None:
                close(m.grad, t.grad, 1e-5)
    x, y = either(a.entropy), either(b.entropy)
    if x is not None and y is not None:
        close(x, y, 1e-5)
    p = np.array([[0.1], [0.5], [0.8]], dtype=np.float32 if name in SINGLE else None)
    if not a.event_shape:
        x, y = either(lambda: a.icdf(wengert.tensor(p))), either(lambda: b.icdf(torch.tensor(p)))
        if x is not None and y is not None:
            close(x, y, 1e-5)
    if a.has_enumerate_support:
        assert a.enumerate_support().tolist() == b.enumerate_support().tolist()
        x, y = (d.enumerate_support(expand=False) for d in (a, b))
        assert x.tolist() == y.tolist()
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


def test_the_divergence_of_two_wisharts():
    n, zero = 2, wengert.zeros(2, dtype=wengert.float64)
    p = D.Wishart(wengert.tensor([4.0, 5.5], dtype=wengert.float64), wengert.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=wengert.float64))
    q = D.Wishart(zero + 3.5, scale_tril=wengert.tensor([[1.0, 0.0], [0.3, 0.7]], dtype=wengert.float64))
    mixed = q.precision_matrix.matmul(p.covariance_matrix)
    psi = (0.5 * p.df).digamma() + (0.5 * p.df - 0.5).digamma()
    expected = (
        0.5 * (p.df * (mixed.diagonal(0, -2, -1).sum(-1) - n) - q.df * mixed.det().log() + (p.df - q.df) * psi)
        + (0.5 * q.df).mvlgamma(n) - (0.5 * p.df).mvlgamma(n)
    )
    close(D.kl_divergence(p, q), expected)


# One of each kind of continuous variable, of a batch of two.
KINDS = {
    "Beta": dict(concentration1=[1.5, 0.5], concentration0=[1.0, 2.0]),
    "ContinuousBernoulli": dict(probs=[0.3, 0.8]),
    "Exponential": dict(rate=[1.5, 0.7]),
    "Gamma": dict(concentration=[1.5, 2.5], rate=[1.0, 2.0]),
    "Gumbel": dict(loc=[0.5, -1.0], scale=[1.0, 3.0]),
    "Laplace": dict(loc=[0.5, -1.0], scale=[1.0, 3.0]),
    "Normal": dict(loc=[0.5, -1.0], scale=[1.0, 3.0]),
    "Pareto": dict(scale=[0.3, 0.5], alpha=[2.5, 3.5]),
    "Uniform": dict(low=[0.4, 0.1], high=[0.6, 0.7]),
    "Bernoulli": dict(probs=[0.3, 0.8]),
    "Poisson": dict(rate=[1.5, 0.7]),
}


@needs_torch
@pytest.mark.parametrize("name", KINDS)
def test_divergences_between_kinds_are_pytorchs(name):
    seen = 0
    for other in KINDS:
        results = []
        for module in (wengert, torch):
            (p, ps), (q, qs) = made(module, name, KINDS[name], True), made(module, other, KINDS[other], True)
            kl = either(lambda: module.distributions.kl_divergence(p, q))
            if kl is not None and kl.requires_grad and np.isfinite(numbers(kl)).all():
                kl.sum().backward()
            results.append((kl, [t.grad for t in (*ps, *qs)]))
        (kl, grads), (expected, theirs) = results
        if expected is None:
            continue
        assert kl is not None, (name, other)
        seen += 1
        close(kl, expected, 1e-5)
        # PyTorch's own pass no gradients to p where they go through the Bregman divergence.
        if name != other:
            for m, t in zip(grads, theirs):
                if t is not None:
                    close(m, t, 1e-5)
    assert seen >= 2


@pytest.mark.parametrize("name", [n for n in CASES if issubclass(getattr(D, n), D.ExponentialFamily) and n != "Poisson"])
def test_entropies_of_families_are_the_closed_forms(name):
    (a, mine), (b, closed) = (made(wengert, name, CASES[name][0], True) for _ in range(2))
    x, y = D.ExponentialFamily.entropy(a), b.entropy()
    close(x, y)
    x.sum().backward(), y.sum().backward()
    for m, c in zip(mine, closed):
        close(m.grad, c.grad if c.grad is not None else wengert.zeros_like(c), 1e-5)


@pytest.mark.parametrize("a", [0.01, 0.5, 1.0, 3.0, 40.0, 900.0])
def test_gradients_of_gamma_samples_keep_the_quantile(a):
    wengert.manual_seed(0)
    shape = wengert.full((50,), a, dtype=wengert.float64).requires_grad_()
    x = D.Gamma(shape, 1.0).rsample()
    x.sum().backward()
    h, x = 1e-5 * a, x.detach()
    moved = (wengert.special.gammainc(shape + h, x) - wengert.special.gammainc(shape - h, x)).detach() / (2 * h)
    expected = -moved / D.Gamma(shape, 1.0).log_prob(x).exp()
    # Where the quantile is within rounding of 0 or 1, the difference says nothing.
    p = wengert.special.gammainc(shape, x).detach()
    kept = numbers((p > 1e-3) & (p < 0.999))
    assert kept.sum() > 20
    np.testing.assert_allclose(numbers(shape.grad)[kept], numbers(expected)[kept], rtol=1e-4)


def test_gradients_of_gamma_samples_for_large_shapes():
    from wengert.distributions.draws import _slope

    a = wengert.tensor([10_001.0, 1e6], dtype=wengert.float64)
    for z in (-3.0, 0.0, 2.0):
        x = a * (1 - 1 / (9 * a) + z / (3 * a.sqrt())) ** 3
        near = _slope(wengert.tensor([9_999.0], dtype=wengert.float64), x[:1] - 2)
        np.testing.assert_allclose(numbers(_slope(a, x))[:1], numbers(near), rtol=1e-4)
        np.testing.assert_allclose(numbers(_slope(a, x)), 1 + z / (2 * numbers(a) ** 0.5), rtol=1e-4)


def test_draws_of_what_is_not_finite_end():
    a = wengert.tensor([math.nan, math.inf, 2.0], requires_grad=True)
    x = D.Gamma(a, 1.0, validate_args=False).rsample()
    assert math.isnan(x[0].item()) and x[2].item() > 0
    x[2].backward()
    assert math.isfinite(a.grad[2].item())
    angles = D.VonMises(0.0, wengert.tensor([math.nan, math.inf, 1e20, 1e-7]), validate_args=False).sample()
    assert abs(angles[2].item()) < 1e-6 and math.isfinite(angles[3].item())


def test_what_pytorch_has_otherwise():
    # The mode is where the density is largest.
    d = D.Kumaraswamy(3.0, 2.0)
    x = wengert.linspace(0.01, 0.99, 999)
    assert abs(x[d.log_prob(x).argmax()].item() - d.mode.item()) < 2e-3
    # Towards a concentration of 0 there is no jump, nor in gradients.
    results = []
    for c in (0.0, 1e-4):
        c = wengert.tensor(c, dtype=wengert.float64, requires_grad=True)
        d = D.GeneralizedPareto(wengert.zeros((), dtype=wengert.float64), 2.0, c)
        v = d.log_prob(wengert.tensor(3.0, dtype=wengert.float64))
        v.backward()
        results.append((v.item(), c.grad.item(), d.icdf(wengert.tensor(0.7, dtype=wengert.float64)).item()))
    np.testing.assert_allclose(*results, rtol=1e-3)
    assert results[0][0] == pytest.approx(D.Exponential(0.5).log_prob(wengert.tensor(3.0)).item())


@needs_torch
@pytest.mark.parametrize("events", [0, 1])
def test_mixtures_are_pytorchs(events):
    results = []
    for module in (wengert, torch):
        tensors = [
            module.tensor(v, dtype=module.float64, requires_grad=True)
            for v in ([[0.2, 0.8, 1.0], [1.0, 1.0, 2.0]], [[0.0, 1.0, 2.0], [3.0, -1.0, 0.5]], [[1.0, 0.5, 2.0], [1.0, 2.0, 0.1]])
        ]
        weights, loc, scale = tensors
        d = module.distributions
        each = d.Normal(loc, scale)
        if events:
            each = d.Independent(d.Normal(loc.unsqueeze(-1) + module.zeros(2), scale.unsqueeze(-1)), 1)
        mixture = d.MixtureSameFamily(d.Categorical(weights), each)
        x = module.tensor([[0.3, -0.2], [2.0, 0.7]], dtype=module.float64)
        log = mixture.log_prob(x.unsqueeze(-1).expand(2, 2, 2) if events else x)
        log.sum().backward()
        values = [mixture.mean, mixture.variance, log, *(t.grad for t in tensors), mixture.expand((3, 2)).mean]
        results.append(values + ([] if events else [mixture.cdf(x)]))
    for m, t in zip(*results):
        close(m, t)
    wengert.manual_seed(0)
    mixture = D.MixtureSameFamily(D.Categorical(wengert.tensor([0.25, 0.75])), D.Normal(wengert.tensor([[-1.0, 3.0]]), 0.1))
    x = mixture.sample((4000,))
    assert tuple(x.shape) == (4000, 1)
    assert float((x > 1).to(wengert.float64).mean()) == pytest.approx(0.75, abs=0.04)


@pytest.mark.parametrize("name", CASES)
def test_samples_have_the_moments(name):
    wengert.manual_seed(1)
    d, params = made(wengert, name, CASES[name][0], True)
    x = d.sample((20_000,))
    assert tuple(x.shape) == (20_000, *d.batch_shape, *d.event_shape) and not x.requires_grad
    assert np.isfinite(numbers(d.log_prob(x[:100]))).all()
    if name.endswith("Cauchy"):
        assert np.allclose(np.median(numbers(x), 0), numbers(d.loc if name == "Cauchy" else d.scale), rtol=0.1, atol=0.1)
    elif name == "VonMises":
        np.testing.assert_allclose(numbers((x - d.loc).cos().mean(0)), 1 - numbers(d.variance), atol=0.03)
        np.testing.assert_allclose(numbers((x - d.loc).sin().mean(0)), 0, atol=0.03)
    elif name == "LKJCholesky":
        correlations = x.matmul(x.mT)
        np.testing.assert_allclose(numbers(correlations.mean(0)), np.eye(3)[None].repeat(3, 0), atol=0.03)
        np.testing.assert_allclose(numbers(correlations.var(0)[:, 2, :2]), numbers(1 / (2 * d.concentration + 2))[:, None].repeat(2, 1), rtol=0.1)
    elif either(lambda: d.variance) is None:
        if torch is not None:
            torch.manual_seed(1)
            np.testing.assert_allclose(numbers(x.mean(0)), numbers(made(torch, name, CASES[name][0])[0].sample((20_000,)).mean(0)), atol=0.02)
    elif name == "Categorical":
        counts = [[float((x[:, row] == k).to(wengert.float64).mean()) for k in range(3)] for row in range(2)]
        np.testing.assert_allclose(counts, numbers(d.probs), atol=0.02)
    else:
        spread = numbers(d.variance) ** 0.5
        np.testing.assert_allclose(numbers(x.to(wengert.float64).mean(0)), numbers(d.mean), atol=5 * spread.max() / 141)
        heavy = ("StudentT", "LogNormal", "FisherSnedecor", "InverseGamma", "Pareto")
        np.testing.assert_allclose(numbers(x.to(wengert.float64).var(0)), numbers(d.variance), rtol=0.3 if name in heavy else 0.1, atol=0.02)
    assert tuple(d.sample().shape) == (*d.batch_shape, *d.event_shape)
    if d.has_rsample:
        d.rsample((5,)).sum().backward()
        assert all(p.grad is not None for p in params)
    else:
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
        D.kl_divergence(D.Normal(0.0, 1.0), D.Bernoulli(0.5))
    with pytest.raises(NotImplementedError, match="KL"):
        D.kl_divergence(D.LKJCholesky(2), D.LKJCholesky(2))
    for wrong, text in (
        (lambda: D.LKJCholesky(1), "dim to be an integer greater than or equal to 2"),
        (lambda: D.Wishart(1.0, wengert.eye(3)), "greater than ndim - 1 = 2"),
        (lambda: D.Wishart(3.0), "Exactly one of"),
        (lambda: D.MultivariateNormal(wengert.zeros(2), -wengert.eye(2)), "covariance_matrix .* PositiveDefinite"),
        (lambda: D.LowRankMultivariateNormal(wengert.zeros(2), wengert.zeros(3, 1), wengert.ones(2)), "shape 2 x m"),
        (lambda: D.LowRankMultivariateNormal(wengert.zeros(2, 2), wengert.zeros(3, 2, 1), wengert.ones(2)), "Incompatible batch shapes"),
        (lambda: D.MixtureSameFamily(D.Normal(0.0, 1.0), D.Normal(0.0, 1.0)), "needs to be a Categorical"),
        (lambda: D.MixtureSameFamily(D.Categorical(wengert.ones(2)), D.Normal(wengert.zeros(3), 1.0)), r"component` \(2\) does not equal"),
        (lambda: D.NegativeBinomial(-1.0, 0.5), "total_count .* GreaterThanEq"),
        (lambda: D.RelaxedBernoulli(1.0), "not both"),
        (lambda: D.Pareto(1.0, 2.0).log_prob(wengert.tensor(0.5)), "within the support"),
        (lambda: D.Weibull(-1.0, 2.0), "parameter scale .* of distribution Weibull"),
        (lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), 3), "must be a Transform or a list"),
        (lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), D.StickBreakingTransform()), "shape with size at least 1"),
    ):
        with pytest.raises(ValueError, match=text):
            wrong()
    assert math.isnan(D.Normal(0.0, math.nan, validate_args=False).variance.item())
    assert repr(D.Normal(0.0, 1.0)) == "Normal(loc: 0.0, scale: 1.0)"


@needs_torch
def test_modules_have_pytorchs_names():
    import pkgutil

    import torch.distributions

    for found in pkgutil.iter_modules(torch.distributions.__path__):
        if found.name != "utils":
            mine = importlib.import_module(f"wengert.distributions.{found.name}")
            theirs = importlib.import_module(f"torch.distributions.{found.name}")
            assert not [n for n in theirs.__all__ if not hasattr(mine, n)], found.name
            assert getattr(D, found.name) is mine
