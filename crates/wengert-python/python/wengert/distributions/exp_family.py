"""Exponential families."""

from __future__ import annotations

from typing import Any

from wengert import autograd
from wengert._C import Tensor
from wengert._modes import enable_grad

from .distribution import Distribution, summed


class ExponentialFamily(Distribution):
    """p(x) = exp(⟨t(x), θ⟩ − F(θ) + k(x)), where a subclass gives the natural parameters θ, F, and the expected k.

    The expected t(x) is F's gradient, which is all that `entropy` and `kl_divergence` need: see Nielsen and Nock, Entropies and
    Cross-entropies of Exponential Families, 2010.

    >>> import wengert
    >>> from wengert.distributions import ExponentialFamily, Normal
    >>> ExponentialFamily.entropy(Normal(0.0, 1.0)).item()  # doctest: +ELLIPSIS
    1.4189...
    """

    # The expected k(x); None where there is no closed form.
    _mean_carrier_measure: Any = None

    @property
    def _natural_params(self) -> tuple:
        raise NotImplementedError(f"{type(self).__name__} has no natural parameters")

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no log normalizer")

    def _expected(self) -> tuple:
        """θ, F(θ), and the expected t(x)."""
        with enable_grad():
            params = [p.clone() if p.requires_grad else p.detach().requires_grad_() for p in self._natural_params]
            log = self._log_normalizer(*params)
            return params, log, autograd.grad(log.sum(), params, create_graph=True)

    def entropy(self) -> Tensor:
        """F(θ) − ⟨θ, ∇F(θ)⟩ − E k(x)."""
        if self._mean_carrier_measure is None:
            raise NotImplementedError(f"{type(self).__name__} has no entropy in closed form")
        params, result, means = self._expected()
        for p, m in zip(params, means):
            result = result - summed(p * m, p.dim() - len(self.batch_shape))
        return result - self._mean_carrier_measure
