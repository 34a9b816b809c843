"""Layers that rearrange or resize images, and distances."""

from __future__ import annotations

from typing import Any

from wengert._C import Tensor

from .module import Module
from .options import _functional, _Options


class PixelShuffle(_Options, fn="pixel_shuffle", options={"upscale_factor": ...}):
    """Makes channels pixels: [.., C r², H, W] becomes [.., C, H r, W r].

    >>> import wengert
    >>> wengert.nn.PixelShuffle(2)(wengert.arange(4.0).reshape(1, 4, 1, 1))
    tensor([[[[0., 1.],
              [2., 3.]]]])
    """


class PixelUnshuffle(_Options, fn="pixel_unshuffle", options={"downscale_factor": ...}):
    """Makes pixels channels: undoes `PixelShuffle`.

    >>> import wengert
    >>> wengert.nn.PixelUnshuffle(2)(wengert.arange(4.0).reshape(1, 1, 2, 2)).shape
    wengert.Size([1, 4, 1, 1])
    """


class ChannelShuffle(_Options, fn="channel_shuffle", options={"groups": ...}):
    """Deals the channels of each group out to all.

    >>> import wengert
    >>> wengert.nn.ChannelShuffle(2)(wengert.arange(4.0).reshape(1, 4, 1, 1)).flatten()
    tensor([0., 2., 1., 3.])
    """


class Upsample(Module):
    """Makes sequences, images or volumes larger.

    >>> import wengert
    >>> wengert.nn.Upsample(scale_factor=2)(wengert.tensor([[[1.0, 2.0]]]))
    tensor([[[1., 1., 2., 2.]]])
    """

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
    """`Upsample` to the nearest pixel.

    >>> import wengert
    >>> wengert.nn.UpsamplingNearest2d(scale_factor=2)(wengert.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` between four pixels, corners kept.

    >>> import wengert
    >>> wengert.nn.UpsamplingBilinear2d(size=(1, 3))(wengert.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[1.0000, 1.5000, 2.0000]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


_UNFOLD = {"kernel_size": ..., "dilation": 1, "padding": 0, "stride": 1}


class Unfold(_Options, fn="unfold", options=_UNFOLD):
    """The windows of images as columns.

    >>> import wengert
    >>> wengert.nn.Unfold(kernel_size=2)(wengert.arange(9.0).reshape(1, 1, 3, 3))
    tensor([[[0., 1., 3., 4.],
             [1., 2., 4., 5.],
             [3., 4., 6., 7.],
             [4., 5., 7., 8.]]])
    """


class Fold(_Options, fn="fold", options={"output_size": ..., **_UNFOLD}):
    """Columns put back as windows, and summed where they overlap.

    >>> import wengert
    >>> wengert.nn.Fold((3, 3), kernel_size=2)(wengert.ones(1, 4, 4))
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """


class CosineSimilarity(_Options, fn="cosine_similarity", options={"dim": 1, "eps": 1e-8}):
    """x₁ · x₂ / (‖x₁‖ ‖x₂‖) along a dimension.

    >>> import wengert
    >>> wengert.nn.CosineSimilarity(dim=0)(wengert.tensor([1.0, 0.0]), wengert.tensor([1.0, 1.0]))
    tensor(0.7071)
    """

    _hidden = ("dim", "eps")

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class PairwiseDistance(_Options, fn="pairwise_distance", options={"p": 2.0, "eps": 1e-6, "keepdim": False}):
    """‖x₁ − x₂ + ε‖ₚ along the last dimension.

    >>> import wengert
    >>> wengert.nn.PairwiseDistance()(wengert.tensor([[0.0, 0.0]]), wengert.tensor([[3.0, 4.0]]))
    tensor([5.0000])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.norm = self.p

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""
