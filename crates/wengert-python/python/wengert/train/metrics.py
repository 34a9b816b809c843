"""Measures that are no functions of tensors."""

from __future__ import annotations


class Mean:
    """A running mean, such as that of the loss over an epoch.

    >>> from wengert.train import Mean
    >>> mean = Mean()
    >>> mean.update(1.0, 3)
    >>> mean.update(5.0)
    >>> mean.value()
    2.0
    """

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0.0

    def update(self, value: float, weight: float = 1) -> None:
        """Takes in a value that stands for `weight` examples."""
        self._sum += float(value) * weight
        self._count += weight

    def value(self) -> float:
        """The mean; NaN before the first value."""
        return self._sum / self._count if self._count else float("nan")
