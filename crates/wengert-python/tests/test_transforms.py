"""Transforms of distributions, and from constraints to transforms, beside PyTorch's."""

import numpy as np
import pytest

import wengert
from beside import needs_torch, numbers, torch
from wengert import distributions as D
from wengert.distributions import constraints

# How each is made of a module of distributions, and what it is applied to.
TRANSFORMS = {
    "Exp": (lambda d, t: d.ExpTransform(), (2, 3)),
    "Sigmoid": (lambda d, t: d.SigmoidTransform(), (2, 3)),
    "Softplus": (lambda d, t: d.SoftplusTransform(), (2, 3)),
    "Tanh": (lambda d, t: d.TanhTransform(), (2, 3)),
    "Abs": (lambda d, t: d.AbsTransform(), (2, 3)),
    "Power": (lambda d, t: d.ComposeTransform([d.ExpTransform(), d.PowerTransform(t([2.0, -1.0, 0.5]))]), (2, 3)),
    "Affine": (lambda d, t: d.AffineTransform(t([1.0, 2.0, 3.0]), -2.0), (2, 3)),
    "Affine of vectors": (lambda d, t: d.AffineTransform(1.0, t([1.0, -2.0, 3.0]), event_dim=1), (2, 3)),
    "Softmax": (lambda d, t: d.SoftmaxTransform(), (2, 3)),
    "StickBreaking": (lambda d, t: d.StickBreakingTransform(), (2, 3)),
    "StickBreaking inverse": (lambda d, t: d.ComposeTransform([d.StickBreakingTransform(), d.StickBreakingTransform().inv]), (2, 3)),
    "LowerCholesky": (lambda d, t: d.LowerCholeskyTransform(), (2, 3, 3)),
    "PositiveDefinite": (lambda d, t: d.PositiveDefiniteTransform(), (2, 3, 3)),
    "CorrCholesky": (lambda d, t: d.CorrCholeskyTransform(), (2, 6)),
    "Compose": (lambda d, t: d.ComposeTransform([d.AffineTransform(0.5, 2.0), d.StickBreakingTransform()]), (2, 3)),
    "Identity": (lambda d, t: d.identity_transform, (2, 3)),
    "Independent": (lambda d, t: d.IndependentTransform(d.ExpTransform(), 1), (2, 3)),
    "Reshape": (lambda d, t: d.ReshapeTransform((6,), (3, 2)), (2, 6)),
    "Cat": (lambda d, t: d.CatTransform([d.ExpTransform(), d.identity_transform, d.SigmoidTransform()], 1, [1, 3, 2]), (2, 6)),
    "Cat of vectors": (lambda d, t: d.CatTransform([d.AffineTransform(0.0, 2.0, 1), d.AffineTransform(1.0, 3.0, 1)], 0, [1, 2]), (3, 4)),
    "Stack": (lambda d, t: d.StackTransform([d.ExpTransform(), d.AffineTransform(1.0, 2.0)], 1), (3, 2)),
    "Cdf": (lambda d, t: d.CumulativeDistributionTransform(d.Normal(t(0.5), t(2.0))), (2, 3)),
}


def both(name):
    make, shape = TRANSFORMS[name]
    x = np.random.default_rng(0).normal(size=shape)
    result = []
    for module in (wengert, torch):
        t = make(module.distributions, lambda v, module=module: module.tensor(v, dtype=module.float64))
        result.append((t, module.tensor(x.tolist(), dtype=module.float64, requires_grad=True)))
    return result


def close(a, b):
    assert tuple(a.shape) == tuple(b.shape)
    np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-6, atol=1e-9)


def either(f):
    try:
        return f()
    except NotImplementedError:
        return None


@needs_torch
@pytest.mark.parametrize("name", TRANSFORMS)
def test_values_inverses_and_volumes_are_pytorchs(name):
    import torch.distributions  # noqa: F401

    (mine, x), (theirs, y) = both(name)
    a, b = mine(x), theirs(y)
    close(a, b)
    close(mine.inv(a.detach()), theirs.inv(b.detach()))
    assert mine.bijective == theirs.bijective
    assert (mine.domain.event_dim, mine.codomain.event_dim) == (theirs.domain.event_dim, theirs.codomain.event_dim)
    if name not in ("Cat", "Cat of vectors", "Stack"):
        assert repr(mine.codomain).replace("wengert", "torch") == repr(theirs.codomain)
    assert bool(mine.codomain.check(a.detach()).all())
    assert tuple(mine.forward_shape(x.shape)) == tuple(theirs.forward_shape(y.shape))
    assert tuple(mine.inverse_shape(a.shape)) == tuple(theirs.inverse_shape(b.shape))
    u, v = either(lambda: mine.log_abs_det_jacobian(x, a)), either(lambda: theirs.log_abs_det_jacobian(y, b))
    assert (u is None) == (v is None)
    if u is not None:
        close(u, v)
        close(mine.inv.log_abs_det_jacobian(a, x), theirs.inv.log_abs_det_jacobian(b, y))
        a, b = a.sum() + u.sum(), b.sum() + v.sum()
    a.sum().backward(), b.sum().backward()
    close(x.grad, y.grad)


@pytest.mark.parametrize("name", [n for n in TRANSFORMS if n not in ("Softmax", "Abs", "LowerCholesky", "PositiveDefinite")])
def test_bijections_come_back(name):
    make, shape = TRANSFORMS[name]
    t = make(D, lambda v: wengert.tensor(v, dtype=wengert.float64))
    x = wengert.tensor(np.random.default_rng(1).normal(size=shape))
    assert t.bijective and t.inv.inv is t
    np.testing.assert_allclose(numbers(t.inv(t(x))), numbers(x), rtol=1e-6, atol=1e-8)
    cached = t.with_cache()
    assert cached.with_cache() is cached
    np.testing.assert_allclose(numbers(cached(x)), numbers(t(x)))
    if t is not D.identity_transform and name != "StickBreaking inverse":
        assert cached.inv(cached(x)) is x


def test_equality_and_names():
    assert D.ExpTransform() == D.ExpTransform() != D.SigmoidTransform()
    assert D.ExpTransform().inv == D.ExpTransform().inv and len({D.ExpTransform(), D.ExpTransform()}) == 1
    assert D.AffineTransform(1.0, 2.0) == D.AffineTransform(1.0, wengert.tensor(2.0)) != D.AffineTransform(1.0, 3.0)
    assert D.PowerTransform(2.0) == D.PowerTransform(2.0) != D.PowerTransform(3.0)
    assert D.ComposeTransform([D.ExpTransform()]) == D.ComposeTransform([D.ExpTransform()])
    assert repr(D.ExpTransform().inv) == "_InverseTransform(ExpTransform())"
    assert D.AffineTransform(0.0, -1.0).sign == -1 and D.ComposeTransform([D.ExpTransform(), D.AffineTransform(0.0, -1.0)]).sign == -1
    with pytest.raises(NotImplementedError, match="neither rises nor falls"):
        D.AbsTransform().sign


def test_mistakes_are_named():
    for wrong, text in (
        (lambda: D.ExpTransform(cache_size=2), "cache_size must be 0 or 1"),
        (lambda: D.ReshapeTransform((2,), (3,)), "different numbers of elements"),
        (lambda: D.ReshapeTransform((4,), (2, 2))(wengert.zeros(3)), r"Shape mismatch: expected \(4,\) but got \(3,\)"),
        (lambda: D.IndependentTransform(D.ExpTransform(), 2)(wengert.zeros(3)), "Too few dimensions"),
        (lambda: D.CorrCholeskyTransform()(wengert.zeros(4)), "not a flattened lower-diagonal number"),
        (lambda: D.CorrCholeskyTransform().inverse_shape((2, 3)), "not square"),
        (lambda: D.CatTransform([D.ExpTransform()], lengths=[1, 2]), "2 lengths for 1 transforms"),
        (lambda: D.CatTransform([D.ExpTransform()])(wengert.zeros(3)), "3 elements"),
        (lambda: D.StackTransform([D.ExpTransform()], 2)(wengert.zeros(3)), "out of range"),
        (lambda: D.StackTransform([3]), "must be Transform"),
        (lambda: D.StickBreakingTransform().event_dim + D.ReshapeTransform((4,), (2, 2)).event_dim, "use either"),
        (lambda: constraints.dependent.check(wengert.zeros(1)), "dependent constraint"),
        (lambda: constraints.independent(constraints.real, 2).check(wengert.zeros(1)), "Expected value.dim"),
    ):
        with pytest.raises(ValueError, match=text):
            wrong()


def every_constraint(module):
    c = module.distributions.constraints
    return {
        name: getattr(c, name)
        for name in (
            "boolean one_hot nonnegative_integer positive_integer real real_vector positive nonnegative unit_interval simplex"
            " lower_triangular lower_cholesky corr_cholesky square symmetric positive_semidefinite positive_definite"
        ).split()
    } | {
        "greater_than": c.greater_than(0.5),
        "greater_than_eq": c.greater_than_eq(0.5),
        "less_than": c.less_than(0.5),
        "multinomial": c.multinomial(3),
        "interval": c.interval(-1.0, 2.0),
        "half_open_interval": c.half_open_interval(-1.0, 1.0),
        "integer_interval": c.integer_interval(0, 2),
        "independent": c.independent(c.positive, 1),
        "mixture": c.MixtureSameFamilyConstraint(c.positive),
        "cat": c.cat([c.positive, c.real], -1, [2, 1]),
        "stack": c.stack([c.positive, c.real, c.nonnegative], -1),
    }


@needs_torch
@pytest.mark.parametrize("name", every_constraint(wengert))
def test_constraints_are_pytorchs(name):
    import torch.distributions  # noqa: F401

    mine, theirs = every_constraint(wengert)[name], every_constraint(torch)[name]
    assert (mine.event_dim, mine.is_discrete) == (theirs.event_dim, theirs.is_discrete)
    some = [
        np.eye(3), -np.eye(3), np.ones((3, 3)), np.zeros((3, 3)), np.full((3, 3), 0.5), np.array([[2.0, 1, 0], [1, 2, 0.5], [0, 0.5, 1]]),
        np.tril(np.full((3, 3), 1 / np.sqrt([[1.0], [2], [3]]))), np.array([[0.2, 0.3, 0.5], [3, 0, 0], [np.nan, 1, 2]]), np.full((3, 3), -1.0),
    ]  # fmt: skip
    for x in some:
        assert mine.check(wengert.tensor(x)).tolist() == theirs.check(torch.tensor(x)).tolist(), x
    for registry in ("biject_to", "transform_to"):
        t, u = either(lambda: getattr(D, registry)(mine)), either(lambda: getattr(torch.distributions, registry)(theirs))
        assert (t is None) == (u is None)
        if t is not None:
            x = np.random.default_rng(0).normal(size=(3, 3))
            y = t(wengert.tensor(x))
            close(y, u(torch.tensor(x)))
            assert bool(mine.check(y).all())


def test_a_constraint_of_ones_own_can_be_registered():
    class Large(constraints.Constraint):
        def check(self, value):
            return value > 100

    with pytest.raises(NotImplementedError, match="Cannot transform Large"):
        D.transform_to(Large())
    D.transform_to.register(Large, lambda c: D.ComposeTransform([D.ExpTransform(), D.AffineTransform(100.0, 1.0)]))
    assert bool(Large().check(D.transform_to(Large())(wengert.tensor([-1.0, 2.0]))).all())
    with pytest.raises(TypeError, match="Constraint subclass or instance"):
        D.biject_to.register(3, lambda c: None)


def test_supports_of_classes_are_dependent():
    assert constraints.is_dependent(D.Uniform.support) and not constraints.is_dependent(D.Uniform(0.0, 1.0).support)
    assert D.Pareto.support.event_dim == 0 and not D.Pareto.support.is_discrete
    with pytest.raises(NotImplementedError, match="cannot be determined"):
        constraints.dependent.event_dim


@needs_torch
def test_distributions_of_transforms_are_pytorchs():
    results = []
    for module in (wengert, torch):
        d, t = module.distributions, lambda v, module=module: module.tensor(v, dtype=module.float64, requires_grad=True)
        loc, scale = t([0.3, -0.5, 1.0]), t([1.0, 2.0, 0.7])
        logistic = d.TransformedDistribution(
            d.Uniform(t([0.0, 0.0, 0.0]), 1.0), [d.SigmoidTransform().inv, d.AffineTransform(loc, scale)]
        )
        falling = d.TransformedDistribution(d.Normal(loc, scale), [d.AffineTransform(0.0, -1.0), d.ExpTransform()])
        onto_simplex = d.TransformedDistribution(d.Normal(loc, scale), d.StickBreakingTransform())
        reshaped = d.TransformedDistribution(d.Normal(loc, scale), d.ReshapeTransform((3,), (1, 3)))
        wider = d.TransformedDistribution(d.Normal(t(0.0), t(1.0)), d.AffineTransform(loc, scale))
        x, p = t([[0.5, 1.5, 2.5], [0.1, 0.2, 0.3]]), t([0.2, 0.5, 0.9])
        shares = t([0.1, 0.2, 0.3, 0.4])
        values = [
            logistic.log_prob(x), logistic.cdf(x), logistic.icdf(p), falling.log_prob(x), falling.cdf(x), falling.icdf(p),
            onto_simplex.log_prob(shares), reshaped.log_prob(x.unsqueeze(-2)), wider.log_prob(x),
            onto_simplex.expand((2,)).log_prob(shares), logistic.expand((2, 3)).cdf(x),
        ]  # fmt: skip
        sum(v.sum() for v in values).backward()
        shapes = [tuple(s) for each in (logistic, falling, onto_simplex, reshaped, wider) for s in (each.batch_shape, each.event_shape)]
        results.append((values + [loc.grad, scale.grad, x.grad], shapes, repr(onto_simplex.support)))
    for a, b in zip(results[0][0], results[1][0]):
        close(a, b)
    assert results[0][1:] == results[1][1:]


def test_samples_of_a_transformed_distribution_pass_gradients():
    loc = wengert.zeros(3, requires_grad=True)
    d = D.TransformedDistribution(D.Normal(loc, 1.0), [D.ExpTransform(), D.AffineTransform(1.0, 2.0)])
    x = d.rsample((5,))
    x.sum().backward()
    np.testing.assert_allclose(numbers(loc.grad), numbers((x - 1).sum(0)), rtol=1e-5)
    assert tuple(d.sample((4,)).shape) == (4, 3) and not d.sample().requires_grad
