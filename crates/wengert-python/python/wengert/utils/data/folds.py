"""Cross-validation."""

from __future__ import annotations

from typing import Iterator

from wengert import _C


class KFold:
    """`k` pairs of lists of numbers of examples: to train on, and to test on; each example is tested on once.

    >>> for train, test in KFold(10, 5):
    ...     assert (len(train), len(test)) == (8, 2)
    """

    def __init__(self, n: int, k: int) -> None:
        if not 2 <= k <= n:
            raise ValueError(f"KFold: cannot divide {n} examples into {k} parts")
        self._order, self._k = list(range(n)), k

    def shuffle(self, seed: int) -> "KFold":
        """In random order, which the seed alone decides."""
        new = KFold(len(self._order), self._k)
        new._order = _C.randperm(len(self._order), generator=_C.Generator().manual_seed(seed)).tolist()
        return new

    def __len__(self) -> int:
        return self._k

    def __iter__(self) -> Iterator[tuple]:
        size, more = divmod(len(self._order), self._k)
        # The first parts are one larger where k does not divide n, as scikit-learn has it.
        ends = [i * size + min(i, more) for i in range(self._k + 1)]
        for start, end in zip(ends, ends[1:]):
            yield self._order[:start] + self._order[end:], self._order[start:end]
