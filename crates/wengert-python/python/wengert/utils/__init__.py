"""Helpers: data sets and loaders, checkpoints that recompute, counts of operations, files for TensorBoard."""

from . import checkpoint, data, flop_counter, tensorboard

__all__ = ["checkpoint", "data", "flop_counter", "tensorboard"]
