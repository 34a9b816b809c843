"""Dropout: numbers left out at random while training."""

from __future__ import annotations

from typing import Any

from wengert._C import Tensor

from .options import _functional, _Options

_P = {"p": 0.5, "inplace": False}


class _Dropout(_Options):
    _hidden = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.p < 0 or self.p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {self.p}")

    def forward(self, input: Tensor) -> Tensor:
        """While training, the input with numbers left out and the others made larger; otherwise the input."""
        return getattr(_functional(), self._fn)(input, self.p, self.training)


class Dropout(_Dropout, fn="dropout", options=_P):
    """Leaves out each number with probability p.

    Source: Hinton et al., Improving neural networks by preventing co-adaptation of feature detectors, 2012.
    """


class Dropout1d(_Dropout, fn="dropout1d", options=_P):
    """Leaves out whole channels of [N, C, L]."""


class Dropout2d(_Dropout, fn="dropout2d", options=_P):
    """Leaves out whole channels of [N, C, H, W]."""


class Dropout3d(_Dropout, fn="dropout3d", options=_P):
    """Leaves out whole channels of [N, C, D, H, W]."""


class AlphaDropout(_Dropout, fn="alpha_dropout", options=_P):
    """Dropout that keeps mean and variance after SELU."""


class FeatureAlphaDropout(_Dropout, fn="feature_alpha_dropout", options=_P):
    """Alpha dropout of whole channels."""
