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

    >>> import wengert
    >>> layer = wengert.nn.Dropout(0.5)
    >>> kept = layer(wengert.ones(1000))
    >>> sorted(set(kept.tolist()))
    [0.0, 2.0]
    >>> layer.eval()(wengert.ones(3))
    tensor([1., 1., 1.])
    """


class Dropout1d(_Dropout, fn="dropout1d", options=_P):
    """Leaves out whole channels of [N, C, L].

    >>> import wengert
    >>> wengert.nn.Dropout1d(0.5).eval()(wengert.ones(1, 2, 1)).flatten()
    tensor([1., 1.])
    """


class Dropout2d(_Dropout, fn="dropout2d", options=_P):
    """Leaves out whole channels of [N, C, H, W].

    >>> import wengert
    >>> wengert.nn.Dropout2d(0.5).eval()(wengert.ones(1, 2, 1, 1)).flatten()
    tensor([1., 1.])
    """


class Dropout3d(_Dropout, fn="dropout3d", options=_P):
    """Leaves out whole channels of [N, C, D, H, W].

    >>> import wengert
    >>> wengert.nn.Dropout3d(0.5).eval()(wengert.ones(1, 2, 1, 1, 1)).flatten()
    tensor([1., 1.])
    """


class AlphaDropout(_Dropout, fn="alpha_dropout", options=_P):
    """Dropout that keeps mean and variance after SELU.

    >>> import wengert
    >>> wengert.nn.AlphaDropout(0.5).eval()(wengert.ones(3))
    tensor([1., 1., 1.])
    """


class FeatureAlphaDropout(_Dropout, fn="feature_alpha_dropout", options=_P):
    """Alpha dropout of whole channels.

    >>> import wengert
    >>> wengert.nn.FeatureAlphaDropout(0.5).eval()(wengert.ones(1, 2, 1)).flatten()
    tensor([1., 1.])
    """
