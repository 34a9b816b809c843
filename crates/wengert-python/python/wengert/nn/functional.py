"""Layers and losses as functions."""

from .._C import (  # noqa: F401
    cross_entropy,
    gelu,
    linear,
    log_softmax,
    mse_loss,
    relu,
    sigmoid,
    softmax,
    tanh,
)
