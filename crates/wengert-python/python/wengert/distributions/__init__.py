"""Probability distributions: PyTorch's `torch.distributions`.

Each has `sample`, `log_prob`, `mean` and `variance`, and where there is a closed form `entropy`, `cdf` and `icdf`. Where
`has_rsample` is true, gradients pass through `rsample` to the parameters.

>>> import wengert
>>> from wengert.distributions import Normal, kl_divergence
>>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
tensor(0.5000)
"""

import sys
import types

from . import constraints
from .constraint_registry import biject_to, transform_to
from .discrete import (
    Bernoulli,
    Binomial,
    Categorical,
    Geometric,
    Multinomial,
    NegativeBinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    Poisson,
)
from .distribution import Distribution, Independent
from .exp_family import ExponentialFamily
from .interval import Beta, ContinuousBernoulli, Kumaraswamy, Uniform
from .kl import kl_divergence, register_kl
from .matrices import LKJCholesky, Wishart
from .mixture import MixtureSameFamily
from .positive import (
    Chi2,
    Exponential,
    FisherSnedecor,
    Gamma,
    GeneralizedPareto,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    LogNormal,
    Pareto,
    Weibull,
)
from .real_line import Cauchy, Gumbel, Laplace, Normal, StudentT, VonMises
from .relaxed import ExpRelaxedCategorical, LogitRelaxedBernoulli, RelaxedBernoulli, RelaxedOneHotCategorical
from .transformed_distribution import TransformedDistribution
from .transforms import (
    AbsTransform,
    AffineTransform,
    CatTransform,
    ComposeTransform,
    CorrCholeskyTransform,
    CumulativeDistributionTransform,
    ExpTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    PowerTransform,
    ReshapeTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    StackTransform,
    StickBreakingTransform,
    TanhTransform,
    Transform,
    identity_transform,
)
from .vectors import Dirichlet, LogisticNormal, LowRankMultivariateNormal, MultivariateNormal

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "Bernoulli",
    "Beta",
    "Binomial",
    "CatTransform",
    "Categorical",
    "Cauchy",
    "Chi2",
    "ComposeTransform",
    "ContinuousBernoulli",
    "CorrCholeskyTransform",
    "CumulativeDistributionTransform",
    "Dirichlet",
    "Distribution",
    "ExpTransform",
    "Exponential",
    "ExponentialFamily",
    "FisherSnedecor",
    "Gamma",
    "GeneralizedPareto",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "Independent",
    "IndependentTransform",
    "InverseGamma",
    "Kumaraswamy",
    "LKJCholesky",
    "Laplace",
    "LogNormal",
    "LogisticNormal",
    "LowRankMultivariateNormal",
    "LowerCholeskyTransform",
    "MixtureSameFamily",
    "Multinomial",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Pareto",
    "Poisson",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StackTransform",
    "StickBreakingTransform",
    "StudentT",
    "TanhTransform",
    "Transform",
    "TransformedDistribution",
    "Uniform",
    "VonMises",
    "Weibull",
    "Wishart",
    "biject_to",
    "constraints",
    "identity_transform",
    "kl_divergence",
    "register_kl",
    "transform_to",
]

# PyTorch has a module for each: `from wengert.distributions.normal import Normal`.
for _path in """
    bernoulli.Bernoulli beta.Beta binomial.Binomial categorical.Categorical cauchy.Cauchy chi2.Chi2 dirichlet.Dirichlet
    continuous_bernoulli.ContinuousBernoulli exponential.Exponential fishersnedecor.FisherSnedecor gamma.Gamma
    generalized_pareto.GeneralizedPareto geometric.Geometric gumbel.Gumbel half_cauchy.HalfCauchy half_normal.HalfNormal
    independent.Independent inverse_gamma.InverseGamma kumaraswamy.Kumaraswamy laplace.Laplace lkj_cholesky.LKJCholesky
    log_normal.LogNormal logistic_normal.LogisticNormal lowrank_multivariate_normal.LowRankMultivariateNormal
    mixture_same_family.MixtureSameFamily multinomial.Multinomial multivariate_normal.MultivariateNormal
    negative_binomial.NegativeBinomial normal.Normal one_hot_categorical.OneHotCategorical
    one_hot_categorical.OneHotCategoricalStraightThrough pareto.Pareto poisson.Poisson relaxed_bernoulli.LogitRelaxedBernoulli
    relaxed_bernoulli.RelaxedBernoulli relaxed_categorical.ExpRelaxedCategorical relaxed_categorical.RelaxedOneHotCategorical
    studentT.StudentT uniform.Uniform von_mises.VonMises weibull.Weibull wishart.Wishart
""".split():
    _name, _, _class = _path.partition(".")
    _module = sys.modules.setdefault(f"{__name__}.{_name}", types.ModuleType(f"{__name__}.{_name}", f"Has `{_class}`."))
    setattr(_module, _class, globals()[_class])
    globals()[_name] = _module
