"""How much one distribution differs from another."""

from __future__ import annotations

import math
from typing import Any, Callable

from wengert import _C, broadcast_shapes, linalg, special
from wengert._C import Tensor
from wengert.nn import functional as F

from .discrete import Bernoulli, Binomial, Categorical, Geometric, OneHotCategorical, Poisson
from .distribution import EULER, Distribution, Independent, summed
from .exp_family import ExponentialFamily
from .interval import Beta, ContinuousBernoulli, Uniform
from .positive import Exponential, Gamma, Pareto
from .real_line import Cauchy, Gumbel, Laplace, Normal
from .transformed_distribution import TransformedDistribution
from .vectors import Dirichlet, LowRankMultivariateNormal, MultivariateNormal

_RULES: dict = {}


def register_kl(type_p: type, type_q: type) -> Callable:
    """A decorator: the function gives the divergence of these two types, and of what is derived from them."""

    def decorator(rule: Callable) -> Callable:
        _RULES[type_p, type_q] = rule
        return rule

    return decorator


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """∫ p log(p / q): the expected number of nats lost where q is taken for p.

    >>> from wengert.distributions import Bernoulli, kl_divergence
    >>> kl_divergence(Bernoulli(0.5), Bernoulli(0.5))
    tensor(0.)
    """
    for a in type(p).__mro__:
        for b in type(q).__mro__:
            if (a, b) in _RULES:
                return _RULES[a, b](p, q)
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}: register_kl can give one"
    )


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Tensor:
    ratio, apart = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + apart / q.scale + ratio * (-apart / p.scale).exp() - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Any, q: Any) -> Tensor:
    return (((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2).log()) - (4 * p.scale * q.scale).log()


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Any, q: Any) -> Tensor:
    ratio, of_q, of_p = p.scale / q.scale, q.loc / q.scale, p.loc / q.scale
    return -ratio.log() - of_q + of_p + ratio * EULER + (of_q + (1 + ratio).lgamma() - of_p).exp() - (1 + EULER)


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Tensor:
    inside = (q.low <= p.low) & (q.high >= p.high)
    return _C.where(inside, ((q.high - q.low) / (p.high - p.low)).log(), math.inf)


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Tensor:
    a, b = p.concentration, q.concentration
    return b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma() + (a - b) * a.digamma() + (q.rate - p.rate) * (a / p.rate)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Tensor:
    a, b = p.concentration, q.concentration
    whole = a.sum(-1)
    constant = whole.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return constant + ((a - b) * (a.digamma() - whole.digamma().unsqueeze(-1))).sum(-1)


@register_kl(Beta, Beta)
def _beta(p: Any, q: Any) -> Tensor:
    return _dirichlet(p._dirichlet(), q._dirichlet())


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _multivariate(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(f"KL-divergence between two Multivariate Normals with different event shapes: {p.event_shape}, {q.event_shape}")
    batch = broadcast_shapes(tuple(p.batch_shape), tuple(q.batch_shape))
    n = p.event_shape[0]
    factor = q.scale_tril.expand((*batch, n, n))
    mixed = linalg.solve_triangular(factor, p.scale_tril.expand((*batch, n, n)), upper=False)
    apart = linalg.solve_triangular(factor, (q.loc - p.loc).expand((*batch, n)).unsqueeze(-1), upper=False)
    return q._log_det() - p._log_det() + 0.5 * ((mixed**2).sum((-2, -1)) + (apart**2).sum((-2, -1)) - n)


def _two(p: Tensor, q: Tensor) -> Tensor:
    """p log(p / q), which is 0 where p is 0 and infinite where only q is."""
    t = p * (p.log() - q.log())
    t = _C.where(q == 0, math.inf, t)
    return _C.where(p == 0, 0.0, t)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Tensor:
    return _two(p.probs, q.probs) + _two(1 - p.probs, 1 - q.probs)


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Tensor:
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return _C.where(p.total_count > q.total_count, math.inf, kl)


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Tensor:
    t = p.probs * (p.logits - q.logits)
    t = _C.where(q.probs == 0, math.inf, t)
    return _C.where(p.probs == 0, 0.0, t).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: Any, q: Any) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("KL(p || q) of Independents needs the same number of reinterpreted dimensions")
    return summed(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("KL(p || q) of transformed distributions needs the same transforms and event_shape")
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(ExponentialFamily, ExponentialFamily)
def _family(p: Any, q: Any) -> Tensor:
    if type(p) is not type(q):
        raise NotImplementedError(f"No KL(p || q) is implemented for the families {type(p).__name__} and {type(q).__name__}")
    params, log, means = p._expected()
    result = q._log_normalizer(*q._natural_params) - log
    for mine, other, mean in zip(params, q._natural_params, means):
        result = result - summed((other - mine) * mean, mine.dim() - len(p.batch_shape))
    return result


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: Any) -> Tensor:
    return _cross(p, q) - p.entropy()


@register_kl(Pareto, Pareto)
def _pareto(p: Any, q: Any) -> Tensor:
    ratio = q.alpha / p.alpha
    kl = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return _C.where(p.scale < q.scale, math.inf, kl)


@register_kl(Bernoulli, Poisson)
def _counted(p: Any, q: Any) -> Tensor:
    return q.rate - p.probs * q.rate.log() - p.entropy()


@register_kl(Poisson, Bernoulli)
@register_kl(Poisson, Binomial)
def _uncounted(p: Any, q: Any) -> Tensor:
    return _C.full_like((p.rate + q.probs).detach(), math.inf)


# Between different kinds of continuous variables the divergence is −E log q(x) less the entropy of p. What is expected:
# log x, log(1 − x), and exp(t x).
_LOG = {
    Beta: lambda p: p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma(),
    Gamma: lambda p: p.concentration.digamma() - p.rate.log(),
    Exponential: lambda p: -EULER - p.rate.log(),
    Uniform: lambda p: (special.xlogy(p.high, p.high) - special.xlogy(p.low, p.low)) / (p.high - p.low) - 1,
    Pareto: lambda p: p.scale.log() + 1 / p.alpha,
}
_LOG_OF_REST = {
    Beta: lambda p: p.concentration0.digamma() - (p.concentration1 + p.concentration0).digamma(),
    Uniform: lambda p: _LOG[Uniform](Uniform(1 - p.high, 1 - p.low, False)),
}
_EXP = {
    Normal: lambda p, t: (p.loc * t + 0.5 * (p.scale * t) ** 2).exp(),
    Exponential: lambda p, t: p.rate / (p.rate - t),
    Gamma: lambda p, t: (p.rate / (p.rate - t)) ** p.concentration,
    Uniform: lambda p, t: ((p.high * t).exp() - (p.low * t).exp()) / (t * (p.high - p.low)),
}


def _about(table: dict, p: Any, *args: Any) -> Tensor:
    for kind, f in table.items():
        if isinstance(p, kind):
            return f(p, *args)
    raise NotImplementedError(f"No KL(p || q) is implemented for p type {type(p).__name__} and this q")


def _laplace_of_normal(p: Any, q: Any) -> Tensor:
    if not isinstance(p, Normal):
        raise NotImplementedError(f"No KL(p || q) is implemented for p type {type(p).__name__} and q type Laplace")
    z = (p.loc - q.loc) / p.scale
    apart = p.scale * math.sqrt(2 / math.pi) * (-0.5 * z**2).exp() + (p.loc - q.loc) * (z / math.sqrt(2)).erf()
    return (2 * q.scale).log() + apart / q.scale


# −E log q(x), x drawn from p.
_CROSS = {
    Beta: lambda p, q: (
        q._log_normalizer(*q._natural_params)
        - (q.concentration1 - 1) * _about(_LOG, p)
        - (q.concentration0 - 1) * _about(_LOG_OF_REST, p)
    ),
    ContinuousBernoulli: lambda p, q: F.softplus(q.logits) - q._log_norm() - p.mean * q.logits,
    Exponential: lambda p, q: q.rate * p.mean - q.rate.log(),
    Gamma: lambda p, q: (
        q.rate * p.mean
        - q.concentration * q.rate.log()
        + q.concentration.lgamma()
        - (q.concentration - 1) * _about(_LOG, p)
    ),
    Gumbel: lambda p, q: (
        q.scale.log() + (p.mean - q.loc) / q.scale + (q.loc / q.scale).exp() * _about(_EXP, p, -1 / q.scale)
    ),
    Laplace: _laplace_of_normal,
    Normal: lambda p, q: (
        0.5 * math.log(2 * math.pi) + q.scale.log() + 0.5 * (p.variance + (p.mean - q.loc) ** 2) / q.scale**2
    ),
    Pareto: lambda p, q: (q.alpha + 1) * _about(_LOG, p) - q.alpha.log() - q.alpha * q.scale.log(),
    Uniform: lambda p, q: (q.high - q.low).log() + 0 * p.mean,
}


def _cross(p: Any, q: Any) -> Tensor:
    return next(f for kind, f in _CROSS.items() if isinstance(q, kind))(p, q)


def _bounds(d: Any) -> tuple:
    """Between which numbers samples are."""
    if isinstance(d, Uniform):
        return d.low, d.high
    low = d.scale if isinstance(d, Pareto) else 0.0 if isinstance(d, (Beta, ContinuousBernoulli, Exponential, Gamma)) else -math.inf
    return low, 1.0 if isinstance(d, (Beta, ContinuousBernoulli)) else math.inf


def _mixed(p: Any, q: Any) -> Tensor:
    outside: Any = False
    for mine, other, sign in zip(_bounds(p), _bounds(q), (1, -1)):
        outside = outside | (sign * mine < sign * other)
    if bool(outside.all()) if isinstance(outside, Tensor) else outside:
        return _C.full_like((p.mean + q.mean).detach(), math.inf)
    kl = _cross(p, q) - p.entropy()
    return kl if outside is False else _C.where(outside, math.inf, kl)


for _p in (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Normal, Pareto, Uniform):
    for _q in _CROSS:
        if _p is not _q:
            register_kl(_p, _q)(_mixed)
