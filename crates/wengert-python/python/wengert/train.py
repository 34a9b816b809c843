"""Measures of how good a model is, as in Rust's `wengert::train`.

>>> import wengert
>>> from wengert.train import Confusion, accuracy
>>> accuracy(wengert.tensor([[0.1, 0.9], [0.8, 0.2]]), wengert.tensor([1, 1]))
0.5
"""

from ._C import Confusion, accuracy, mean_absolute_error, perplexity, r2_score, top_k_accuracy

__all__ = ["Confusion", "Mean", "accuracy", "mean_absolute_error", "perplexity", "r2_score", "top_k_accuracy"]


class Mean:
    """A running mean, such as that of the loss over an epoch.

    >>> mean = Mean()
    >>> mean.update(1.0, 3)
    >>> mean.update(5.0)
    >>> mean.value()
    2.0
    """

    def __init__(self):
        self._sum, self._count = 0.0, 0

    def update(self, value, weight=1):
        """Takes in a value that stands for `weight` examples."""
        self._sum += float(value) * weight
        self._count += weight

    def value(self):
        """The mean; NaN before the first value."""
        return self._sum / self._count if self._count else float("nan")
