"""From a constraint to a transform of all real numbers onto what it allows."""

from __future__ import annotations

from typing import Any, Callable

from . import constraints, transforms
from .constraints import Constraint
from .transforms import AffineTransform, ComposeTransform, ExpTransform, SigmoidTransform, Transform


class ConstraintRegistry:
    """A transform for each kind of constraint. `biject_to` has bijective ones; `transform_to` also others, which are
    better to optimise by.

    >>> import wengert
    >>> from wengert.distributions import Normal, transform_to
    >>> transform_to(Normal.arg_constraints["scale"])(wengert.zeros(2))
    tensor([1., 1.])
    """

    def __init__(self) -> None:
        self._registry: dict = {}

    def register(self, constraint: Any, factory: Callable | None = None) -> Callable:
        """`factory(constraint)` makes the transform, for constraints of this type; also as a decorator."""
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        kind = type(constraint) if isinstance(constraint, Constraint) else constraint
        if not (isinstance(kind, type) and issubclass(kind, Constraint)):
            raise TypeError(f"Expected constraint to be either a Constraint subclass or instance, but got {constraint}")
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Transform:
        factory = self._registry.get(type(constraint))
        if factory is None:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints")
        return factory(constraint)


biject_to, transform_to = ConstraintRegistry(), ConstraintRegistry()


def _between(c: Any) -> Transform:
    if isinstance(c.lower_bound, (int, float)) and c.lower_bound == 0 and isinstance(c.upper_bound, (int, float)) and c.upper_bound == 1:
        return SigmoidTransform()
    return ComposeTransform([SigmoidTransform(), AffineTransform(c.lower_bound, c.upper_bound - c.lower_bound)])


def _above(c: Any) -> Transform:
    if isinstance(c.lower_bound, (int, float)) and c.lower_bound == 0:
        return ExpTransform()
    return ComposeTransform([ExpTransform(), AffineTransform(c.lower_bound, 1)])


def _fill(registry: ConstraintRegistry) -> None:
    """What is the same for both, or refers to the registry itself."""
    for constraint, factory in (
        (constraints.real, lambda c: transforms.identity_transform),
        (constraints.greater_than, _above),
        (constraints.greater_than_eq, _above),
        (constraints.less_than, lambda c: ComposeTransform([ExpTransform(), AffineTransform(c.upper_bound, -1)])),
        (constraints.interval, _between),
        (constraints.half_open_interval, _between),
        (constraints.corr_cholesky, lambda c: transforms.CorrCholeskyTransform()),
        (
            constraints.independent,
            lambda c: transforms.IndependentTransform(registry(c.base_constraint), c.reinterpreted_batch_ndims),
        ),
        (constraints.cat, lambda c: transforms.CatTransform([registry(each) for each in c.cseq], c.dim, c.lengths)),
        (constraints.stack, lambda c: transforms.StackTransform([registry(each) for each in c.cseq], c.dim)),
    ):
        registry.register(constraint, factory)


_fill(biject_to)
_fill(transform_to)
biject_to.register(constraints.simplex, lambda c: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda c: transforms.SoftmaxTransform())
transform_to.register(constraints.lower_cholesky, lambda c: transforms.LowerCholeskyTransform())
transform_to.register(constraints.positive_definite, lambda c: transforms.PositiveDefiniteTransform())
transform_to.register(constraints.positive_semidefinite, lambda c: transforms.PositiveDefiniteTransform())
