"""Helpers: data sets and loaders, checkpoints that recompute."""

from . import checkpoint, data

__all__ = ["checkpoint", "data"]
