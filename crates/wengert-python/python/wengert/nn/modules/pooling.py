"""Pooling."""

from __future__ import annotations

from typing import Any

from wengert._C import Tensor

from .options import _functional, _Options
from .utils import _ntuple


class _Stride(_Options):
    """Where no stride is given, the kernel's size is it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.stride is None:
            self.stride = self.kernel_size


_MAX = {
    "kernel_size": ...,
    "stride": None,
    "padding": 0,
    "dilation": 1,
    "return_indices": False,
    "ceil_mode": False,
}


class _MaxPool(_Stride):
    _silent = ("return_indices",)


class MaxPool1d(_MaxPool, fn="max_pool1d", options=_MAX):
    """The largest number in each window of a sequence.

    >>> import wengert
    >>> wengert.nn.MaxPool1d(2)(wengert.arange(4.0).reshape(1, 1, 4)).shape
    wengert.Size([1, 1, 2])
    """


class MaxPool2d(_MaxPool, fn="max_pool2d", options=_MAX):
    """The largest number in each window of an image.

    >>> import wengert
    >>> wengert.nn.MaxPool2d(2)(wengert.arange(16.0).reshape(1, 1, 4, 4)).shape
    wengert.Size([1, 1, 2, 2])
    """


class MaxPool3d(_MaxPool, fn="max_pool3d", options=_MAX):
    """The largest number in each window of a volume.

    >>> import wengert
    >>> wengert.nn.MaxPool3d(2)(wengert.arange(64.0).reshape(1, 1, 4, 4, 4)).shape
    wengert.Size([1, 1, 2, 2, 2])
    """


class _MaxUnpool(_Stride):
    _rank = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        size = _ntuple(self._rank, "size")
        self.kernel_size = size(self.kernel_size)
        self.stride = size(self.stride)
        self.padding = size(self.padding)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """The numbers at the places they came from, zeros elsewhere."""
        return getattr(_functional(), self._fn)(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


_UNPOOL = {"kernel_size": ..., "stride": None, "padding": 0}


class MaxUnpool1d(_MaxUnpool, fn="max_unpool1d", options=_UNPOOL):
    """Undoes `MaxPool1d`, given its indices.

    >>> import wengert
    >>> x = wengert.arange(4.0).reshape(1, 1, 4)
    >>> y, places = wengert.nn.MaxPool1d(2, return_indices=True)(x)
    >>> wengert.nn.MaxUnpool1d(2)(y, places).shape
    wengert.Size([1, 1, 4])
    """

    _rank = 1


class MaxUnpool2d(_MaxUnpool, fn="max_unpool2d", options=_UNPOOL):
    """Undoes `MaxPool2d`, given its indices.

    >>> import wengert
    >>> x = wengert.arange(16.0).reshape(1, 1, 4, 4)
    >>> y, places = wengert.nn.MaxPool2d(2, return_indices=True)(x)
    >>> wengert.nn.MaxUnpool2d(2)(y, places).shape
    wengert.Size([1, 1, 4, 4])
    """

    _rank = 2


class MaxUnpool3d(_MaxUnpool, fn="max_unpool3d", options=_UNPOOL):
    """Undoes `MaxPool3d`, given its indices.

    >>> import wengert
    >>> x = wengert.arange(64.0).reshape(1, 1, 4, 4, 4)
    >>> y, places = wengert.nn.MaxPool3d(2, return_indices=True)(x)
    >>> wengert.nn.MaxUnpool3d(2)(y, places).shape
    wengert.Size([1, 1, 4, 4, 4])
    """

    _rank = 3


class AvgPool1d(
    _Stride,
    fn="avg_pool1d",
    options={"kernel_size": ..., "stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True},
):
    """The mean of each window of a sequence.

    >>> import wengert
    >>> wengert.nn.AvgPool1d(2)(wengert.arange(4.0).reshape(1, 1, 4)).shape
    wengert.Size([1, 1, 2])
    """

    _silent = ("ceil_mode", "count_include_pad")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        size = _ntuple(1, "size")
        self.kernel_size, self.stride, self.padding = map(size, (self.kernel_size, self.stride, self.padding))


_AVG = {
    "kernel_size": ...,
    "stride": None,
    "padding": 0,
    "ceil_mode": False,
    "count_include_pad": True,
    "divisor_override": None,
}


class _AvgPool(_Stride):
    _silent = ("ceil_mode", "count_include_pad", "divisor_override")


class AvgPool2d(_AvgPool, fn="avg_pool2d", options=_AVG):
    """The mean of each window of an image.

    >>> import wengert
    >>> wengert.nn.AvgPool2d(2)(wengert.arange(16.0).reshape(1, 1, 4, 4)).shape
    wengert.Size([1, 1, 2, 2])
    """


class AvgPool3d(_AvgPool, fn="avg_pool3d", options=_AVG):
    """The mean of each window of a volume.

    >>> import wengert
    >>> wengert.nn.AvgPool3d(2)(wengert.arange(64.0).reshape(1, 1, 4, 4, 4)).shape
    wengert.Size([1, 1, 2, 2, 2])
    """


_LP = {"norm_type": ..., "kernel_size": ..., "stride": None, "ceil_mode": False}


class LPPool1d(_Options, fn="lp_pool1d", options=_LP):
    """The p-norm of each window of a sequence.

    >>> import wengert
    >>> wengert.nn.LPPool1d(2.0, 2)(wengert.arange(4.0).reshape(1, 1, 4)).shape
    wengert.Size([1, 1, 2])
    """


class LPPool2d(_Options, fn="lp_pool2d", options=_LP):
    """The p-norm of each window of an image.

    >>> import wengert
    >>> wengert.nn.LPPool2d(2.0, 2)(wengert.arange(16.0).reshape(1, 1, 4, 4)).shape
    wengert.Size([1, 1, 2, 2])
    """


class LPPool3d(_Options, fn="lp_pool3d", options=_LP):
    """The p-norm of each window of a volume.

    >>> import wengert
    >>> wengert.nn.LPPool3d(2.0, 2)(wengert.arange(64.0).reshape(1, 1, 4, 4, 4)).shape
    wengert.Size([1, 1, 2, 2, 2])
    """


_ADAPTIVE_MAX = {"output_size": ..., "return_indices": False}
_ADAPTIVE = {"output_size": ...}


class _AdaptiveMax(_Options):
    _silent = ("return_indices",)


class AdaptiveMaxPool1d(_AdaptiveMax, fn="adaptive_max_pool1d", options=_ADAPTIVE_MAX):
    """The largest numbers of as many windows as wanted.

    >>> import wengert
    >>> wengert.nn.AdaptiveMaxPool1d(1)(wengert.arange(4.0).reshape(1, 1, 4)).flatten()
    tensor([3.])
    """


class AdaptiveMaxPool2d(_AdaptiveMax, fn="adaptive_max_pool2d", options=_ADAPTIVE_MAX):
    """The largest numbers of as many windows as wanted.

    >>> import wengert
    >>> wengert.nn.AdaptiveMaxPool2d(1)(wengert.arange(16.0).reshape(1, 1, 4, 4)).flatten()
    tensor([15.])
    """


class AdaptiveMaxPool3d(_AdaptiveMax, fn="adaptive_max_pool3d", options=_ADAPTIVE_MAX):
    """The largest numbers of as many windows as wanted.

    >>> import wengert
    >>> wengert.nn.AdaptiveMaxPool3d(1)(wengert.arange(64.0).reshape(1, 1, 4, 4, 4)).flatten()
    tensor([63.])
    """


class AdaptiveAvgPool1d(_Options, fn="adaptive_avg_pool1d", options=_ADAPTIVE):
    """The means of as many windows as wanted.

    >>> import wengert
    >>> wengert.nn.AdaptiveAvgPool1d(1)(wengert.arange(4.0).reshape(1, 1, 4)).flatten()
    tensor([1.5000])
    """


class AdaptiveAvgPool2d(_Options, fn="adaptive_avg_pool2d", options=_ADAPTIVE):
    """The means of as many windows as wanted.

    >>> import wengert
    >>> wengert.nn.AdaptiveAvgPool2d(1)(wengert.arange(16.0).reshape(1, 1, 4, 4)).flatten()
    tensor([7.5000])
    """


class AdaptiveAvgPool3d(_Options, fn="adaptive_avg_pool3d", options=_ADAPTIVE):
    """The means of as many windows as wanted.

    >>> import wengert
    >>> wengert.nn.AdaptiveAvgPool3d(1)(wengert.arange(64.0).reshape(1, 1, 4, 4, 4)).flatten()
    tensor([31.5000])
    """


_FRACTIONAL = {
    "kernel_size": ...,
    "output_size": None,
    "output_ratio": None,
    "return_indices": False,
    "_random_samples": None,
}


class FractionalMaxPool2d(_Options, fn="fractional_max_pool2d", options=_FRACTIONAL):
    """The largest numbers of windows at random places.

    >>> import wengert
    >>> wengert.nn.FractionalMaxPool2d(2, output_size=3)(wengert.ones(1, 1, 7, 7)).shape
    wengert.Size([1, 1, 3, 3])
    """


class FractionalMaxPool3d(_Options, fn="fractional_max_pool3d", options=_FRACTIONAL):
    """The largest numbers of windows at random places.

    >>> import wengert
    >>> wengert.nn.FractionalMaxPool3d(2, output_size=3)(wengert.ones(1, 1, 7, 7, 7)).shape
    wengert.Size([1, 1, 3, 3, 3])
    """
