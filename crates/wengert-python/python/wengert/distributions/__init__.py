"""Probability distributions: PyTorch's `torch.distributions`.

Each has `sample`, `log_prob`, `mean` and `variance`, and where there is a closed form `entropy`, `cdf` and `icdf`. Where
`has_rsample` is true, gradients pass through `rsample` to the parameters.

>>> import wengert
>>> from wengert.distributions import Normal, kl_divergence
>>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
tensor(0.5000)
"""

from . import constraints
from .discrete import Bernoulli, Binomial, Categorical, Geometric, Multinomial, OneHotCategorical, Poisson
from .distribution import Distribution, Independent
from .interval import Beta, Uniform
from .kl import kl_divergence, register_kl
from .positive import Chi2, Exponential, Gamma, HalfNormal, LogNormal
from .real_line import Cauchy, Gumbel, Laplace, Normal, StudentT
from .vectors import Dirichlet, MultivariateNormal

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Gamma",
    "Geometric",
    "Gumbel",
    "HalfNormal",
    "Independent",
    "Laplace",
    "LogNormal",
    "Multinomial",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "Poisson",
    "StudentT",
    "Uniform",
    "constraints",
    "kl_divergence",
    "register_kl",
]
