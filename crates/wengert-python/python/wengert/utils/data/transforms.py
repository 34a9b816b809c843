"""Changes to pictures `[..., height, width]`, with the names of `torchvision.transforms`. Chance comes from the program's
random numbers, those that `wengert.manual_seed` seeds.

>>> import wengert
>>> from wengert.utils.data import transforms
>>> change = transforms.Compose([transforms.CenterCrop(2), transforms.Normalize([0.5], [0.5])])
>>> change(wengert.ones(1, 4, 4))
tensor([[[1., 1.],
         [1., 1.]]])
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

from wengert import _C
from wengert._C import Tensor, make_grid

__all__ = [
    "CenterCrop",
    "Compose",
    "Lambda",
    "Normalize",
    "Pad",
    "RandomApply",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomVerticalFlip",
    "Resize",
    "ToTensor",
    "make_grid",
]


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _chance(p: float) -> bool:
    return float(_C.rand(())) < p


def _below(n: int) -> int:
    """A number from 0 to n − 1."""
    return int(_C.randint(0, n, ()))


def _between(low: float, high: float) -> float:
    return low + (high - low) * float(_C.rand(()))


def _resized(x: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    options = {} if mode == "nearest" else {"align_corners": False, "antialias": True}
    flat = x.reshape(1, -1, x.shape[-2], x.shape[-1])
    return _C.interpolate(flat, size=list(size), mode=mode, **options).reshape(*x.shape[:-2], *size)


class Compose:
    """One change after the other.

    >>> import wengert
    >>> wengert.utils.data.transforms.Compose([wengert.utils.data.transforms.CenterCrop(2), wengert.utils.data.transforms.Lambda(lambda x: x * 2)])(wengert.ones(1, 4, 4))
    tensor([[[2., 2.],
             [2., 2.]]])
    """

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = list(transforms)

    def __call__(self, x: Any) -> Any:
        for change in self.transforms:
            x = change(x)
        return x


class Lambda:
    """Any function.

    >>> import wengert
    >>> wengert.utils.data.transforms.Lambda(lambda x: x + 1)(wengert.zeros(2))
    tensor([1., 1.])
    """

    def __init__(self, lambd: Callable) -> None:
        self.lambd = lambd

    def __call__(self, x: Any) -> Any:
        return self.lambd(x)


class ToTensor:
    """An array `[height, width, channels]` of bytes as float32 `[channels, height, width]`, from 0 to 1; of other numbers,
    only turned.

    >>> import wengert
    >>> import numpy
    >>> wengert.utils.data.transforms.ToTensor()(numpy.full((1, 1, 3), 255, dtype='uint8')).flatten()
    tensor([1., 1., 1.])
    """

    def __call__(self, x: Any) -> Tensor:
        x = _C.as_tensor(x)
        x = x.unsqueeze(-1) if x.ndim == 2 else x
        x = x.permute(2, 0, 1)
        return (x.to(_C.float32) / 255 if x.dtype == _C.uint8 else x).contiguous()


class Normalize:
    """(x − mean) / std for each channel.

    >>> import wengert
    >>> wengert.utils.data.transforms.Normalize([1.0], [2.0])(wengert.tensor([[[3.0]]]))
    tensor([[[1.]]])
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        if any(s == 0 for s in std):
            raise ValueError("Normalize: a standard deviation of 0 would divide by 0")
        self.mean, self.std = list(mean), list(std)

    def __call__(self, x: Tensor) -> Tensor:
        mean, std = (_C.tensor(v, dtype=x.dtype).reshape(-1, 1, 1) for v in (self.mean, self.std))
        return (x - mean) / std


class Pad:
    """A margin: one number, or left/right and top/bottom, or left, top, right, bottom.

    >>> import wengert
    >>> wengert.utils.data.transforms.Pad(1)(wengert.ones(1, 1, 1))
    tensor([[[0., 0., 0.],
             [0., 1., 0.],
             [0., 0., 0.]]])
    """

    def __init__(self, padding: int | Sequence[int], fill: float = 0, padding_mode: str = "constant") -> None:
        sides = [padding] if isinstance(padding, int) else list(padding)
        if len(sides) not in (1, 2, 4):
            raise ValueError(f"Pad: padding is 1, 2 or 4 numbers, and not {len(sides)}")
        left, top, right, bottom = (sides * 4)[:4]
        self.sides, self.fill, self.mode = [left, right, top, bottom], fill, padding_mode

    def __call__(self, x: Tensor) -> Tensor:
        value = self.fill if self.mode == "constant" else None
        return _C._pad(x, self.sides, self.mode, value)


class CenterCrop:
    """The middle of the picture, with zeros around it where it is larger than the picture.

    >>> import wengert
    >>> wengert.utils.data.transforms.CenterCrop(2)(wengert.ones(3, 4, 4)).shape
    wengert.Size([3, 2, 2])
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = _pair(size)

    def __call__(self, x: Tensor) -> Tensor:
        (h, w), (height, width) = x.shape[-2:], self.size
        if height > h or width > w:
            across, down = max(0, width - w), max(0, height - h)
            x = Pad([across // 2, down // 2, (across + 1) // 2, (down + 1) // 2])(x)
            h, w = x.shape[-2:]
        top, left = round((h - height) / 2), round((w - width) / 2)
        return x[..., top : top + height, left : left + width]


class RandomCrop:
    """A part of this size from anywhere in the picture with `padding` around it.

    >>> import wengert
    >>> wengert.utils.data.transforms.RandomCrop(2)(wengert.ones(3, 4, 4)).shape
    wengert.Size([3, 2, 2])
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float = 0,
        padding_mode: str = "constant",
    ) -> None:
        self.size, self.pad_if_needed, self.fill, self.mode = _pair(size), pad_if_needed, fill, padding_mode
        self.pad = None if padding is None else Pad(padding, fill, padding_mode)

    def __call__(self, x: Tensor) -> Tensor:
        x = x if self.pad is None else self.pad(x)
        height, width = self.size
        if self.pad_if_needed:
            down, across = max(0, height - x.shape[-2]), max(0, width - x.shape[-1])
            x = Pad([across, down], self.fill, self.mode)(x) if down or across else x
        h, w = x.shape[-2:]
        if height > h or width > w:
            raise ValueError(f"RandomCrop: a part of {height} by {width} from a picture of {h} by {w}")
        top, left = _below(h - height + 1), _below(w - width + 1)
        return x[..., top : top + height, left : left + width]


class Resize:
    """Another size: height and width, or that of the smaller side; smoothed where it becomes smaller.

    >>> import wengert
    >>> wengert.utils.data.transforms.Resize((2, 2))(wengert.ones(3, 4, 4)).shape
    wengert.Size([3, 2, 2])
    """

    def __init__(self, size: int | Sequence[int], interpolation: str = "bilinear") -> None:
        self.size, self.mode = size, interpolation

    def __call__(self, x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        if isinstance(self.size, int):
            short, long = min(h, w), max(h, w)
            other = int(self.size * long / short)
            size = (self.size, other) if h <= w else (other, self.size)
        else:
            size = _pair(self.size)
        return _resized(x, size, self.mode)


class RandomResizedCrop:
    """A part with a share of the area and a ratio of width and height from these ranges, brought to `size`.

    >>> import wengert
    >>> wengert.utils.data.transforms.RandomResizedCrop(2)(wengert.ones(3, 4, 4)).shape
    wengert.Size([3, 2, 2])
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: str = "bilinear",
    ) -> None:
        self.size, self.scale, self.ratio, self.mode = _pair(size), scale, ratio, interpolation

    def __call__(self, x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        for _ in range(10):
            area = h * w * _between(*self.scale)
            # As often wide as high.
            ratio = self.ratio[0] * (self.ratio[1] / self.ratio[0]) ** float(_C.rand(()))
            height, width = round((area / ratio) ** 0.5), round((area * ratio) ** 0.5)
            if 0 < height <= h and 0 < width <= w:
                top, left = _below(h - height + 1), _below(w - width + 1)
                return _resized(x[..., top : top + height, left : left + width], self.size, self.mode)
        height, width = min(h, round(w / self.ratio[0])), min(w, round(h * self.ratio[1]))
        return _resized(CenterCrop((height, width))(x), self.size, self.mode)


class RandomHorizontalFlip:
    """Turned left to right with probability p.

    >>> import wengert
    >>> wengert.utils.data.transforms.RandomHorizontalFlip(p=1.0)(wengert.tensor([[[1.0, 2.0]]]))
    tensor([[[2., 1.]]])
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, x: Tensor) -> Tensor:
        return x.flip(-1) if _chance(self.p) else x


class RandomVerticalFlip:
    """Turned upside down with probability p.

    >>> import wengert
    >>> wengert.utils.data.transforms.RandomVerticalFlip(p=1.0)(wengert.tensor([[[1.0], [2.0]]]))
    tensor([[[2.],
             [1.]]])
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, x: Tensor) -> Tensor:
        return x.flip(-2) if _chance(self.p) else x


class RandomApply:
    """These changes with probability p.

    >>> import wengert
    >>> wengert.utils.data.transforms.RandomApply([wengert.utils.data.transforms.Lambda(lambda x: x + 1)], p=1.0)(wengert.zeros(2))
    tensor([1., 1.])
    """

    def __init__(self, transforms: Sequence[Callable], p: float = 0.5) -> None:
        self.change, self.p = Compose(transforms), p

    def __call__(self, x: Any) -> Any:
        return self.change(x) if _chance(self.p) else x


class RandomErasing:
    """With probability p, a rectangle with a share of the area and a ratio of height and width from these ranges becomes
    `value`, or random numbers where that is "random".

    Zhong et al., Random Erasing Data Augmentation, 2017.

    >>> import wengert
    >>> wengert.utils.data.transforms.RandomErasing(p=1.0)(wengert.ones(1, 8, 8)).min()
    tensor(0.)
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | str = 0,
        inplace: bool = False,
    ) -> None:
        self.p, self.scale, self.ratio, self.value = p, scale, ratio, value

    def __call__(self, x: Tensor) -> Tensor:
        if not _chance(self.p):
            return x
        h, w = x.shape[-2:]
        for _ in range(10):
            area = h * w * _between(*self.scale)
            ratio = self.ratio[0] * (self.ratio[1] / self.ratio[0]) ** float(_C.rand(()))
            height, width = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if height < h and width < w:
                top, left = _below(h - height + 1), _below(w - width + 1)
                x = x.clone()
                part = x[..., top : top + height, left : left + width]
                x[..., top : top + height, left : left + width] = (
                    _C.randn_like(part) if self.value == "random" else self.value
                )
                return x
        return x
