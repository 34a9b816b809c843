"""Layers, losses, and what holds them together."""

from . import functional
