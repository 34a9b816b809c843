"""Counting floating-point operations: PyTorch's `torch.utils.flop_counter`."""

from __future__ import annotations

from typing import Any

from wengert import _C

__all__ = ["FlopCounterMode"]


class FlopCounterMode:
    """A `with` block in which floating-point operations are counted, those of backward passes too.

    Products, convolutions and attention count, and a multiplication with an addition as two.

    >>> import wengert
    >>> from wengert.utils.flop_counter import FlopCounterMode
    >>> with FlopCounterMode(display=False) as counter:
    ...     _ = wengert.ones(4, 8) @ wengert.ones(8, 16)
    >>> counter.get_total_flops(), counter.get_flop_counts()
    (1024, {'Global': {'matmul': 1024}})
    """

    def __init__(self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: Any = None) -> None:
        self.depth, self.display = depth, display
        self._counts: dict = {}
        self._watch: Any = None

    def __enter__(self) -> "FlopCounterMode":
        self._counts = {}
        self._watch = _C._Watch()
        return self

    def __exit__(self, *_: Any) -> None:
        self._counts = self._so_far()
        self._watch.stop()
        self._watch = None
        if self.display:
            print(self.get_table())

    def _so_far(self) -> dict:
        if self._watch is None:
            return self._counts
        counts: dict = {}
        for name, _, flops in self._watch.operations():
            if flops:
                counts[name] = counts.get(name, 0) + flops
        return counts

    def get_flop_counts(self) -> dict:
        """The counts by the names of operations."""
        return {"Global": dict(self._so_far())}

    def get_total_flops(self) -> int:
        """All of them."""
        return sum(self._so_far().values())

    def get_table(self, depth: int | None = None) -> str:
        """The counts as lines of text."""
        counts = self._so_far()
        rows = [*sorted(counts.items(), key=lambda row: -row[1]), ("in all", sum(counts.values()))]
        return "\n".join(f"{name:<40}  {flops:>20,}" for name, flops in rows)
