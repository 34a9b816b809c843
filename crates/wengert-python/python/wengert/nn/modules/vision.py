"""Layers that rearrange or resize images, and distances."""

from __future__ import annotations

from typing import Any

from wengert._C import Tensor

from .module import Module
from .options import _functional, _Options


class PixelShuffle(_Options, fn="pixel_shuffle", options={"upscale_factor": ...}):
    """Makes channels pixels: [.., C r², H, W] becomes [.., C, H r, W r]."""


class PixelUnshuffle(_Options, fn="pixel_unshuffle", options={"downscale_factor": ...}):
    """Makes pixels channels: undoes `PixelShuffle`."""


class ChannelShuffle(_Options, fn="channel_shuffle", options={"groups": ...}):
    """Deals the channels of each group out to all."""


class Upsample(Module):
    """Makes sequences, images or volumes larger."""

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        if isinstance(scale_factor, tuple):
            scale_factor = tuple(float(s) for s in scale_factor)
        self.scale_factor = float(scale_factor) if isinstance(scale_factor, (int, float)) else scale_factor
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The larger tensor."""
        return _functional().interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            recompute_scale_factor=self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        """The factor or size, and how."""
        what = f"scale_factor={self.scale_factor!r}" if self.scale_factor is not None else f"size={self.size!r}"
        return f"{what}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` to the nearest pixel."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` between four pixels, corners kept."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


_UNFOLD = {"kernel_size": ..., "dilation": 1, "padding": 0, "stride": 1}


class Unfold(_Options, fn="unfold", options=_UNFOLD):
    """The windows of images as columns."""


class Fold(_Options, fn="fold", options={"output_size": ..., **_UNFOLD}):
    """Columns put back as windows, and summed where they overlap."""


class CosineSimilarity(_Options, fn="cosine_similarity", options={"dim": 1, "eps": 1e-8}):
    """x₁ · x₂ / (‖x₁‖ ‖x₂‖) along a dimension."""

    _hidden = ("dim", "eps")

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class PairwiseDistance(_Options, fn="pairwise_distance", options={"p": 2.0, "eps": 1e-6, "keepdim": False}):
    """‖x₁ − x₂ + ε‖ₚ along the last dimension."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.norm = self.p

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""
