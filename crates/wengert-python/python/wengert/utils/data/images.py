"""Pictures."""

from __future__ import annotations

import os
import pathlib
from typing import Any, Callable

from wengert import _C

from .dataset import Dataset


class ImageFolder(Dataset):
    """Pictures in directories that are named for their classes: `root/cat/1.png`. A sample is a picture
    `[3, height, width]`, from 0 to 1, and the number of its class.

    root: the directory.
    transform, target_transform: change pictures, and numbers of classes.
    loader: reads a picture; `load_image` unless another is given.
    is_valid_file: says of a path whether it is a picture; by default what ends in .png, .jpg or .jpeg is one.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        loader: Callable = _C.load_image,
        is_valid_file: Callable | None = None,
    ) -> None:
        self.root = pathlib.Path(root)
        self.transform, self.target_transform, self.loader = transform, target_transform, loader
        valid = is_valid_file or (lambda path: path.lower().endswith((".png", ".jpg", ".jpeg")))
        self.classes = sorted(entry.name for entry in os.scandir(self.root) if entry.is_dir())
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.samples = [
            (str(path), self.class_to_idx[name])
            for name in self.classes
            for path in sorted((self.root / name).rglob("*"))
            if path.is_file() and valid(str(path))
        ]
        self.imgs = self.samples
        self.targets = [target for _, target in self.samples]
        if not self.samples:
            raise FileNotFoundError(f"ImageFolder: there are no pictures in directories of {self.root}")

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        picture: Any = self.loader(path)
        if self.transform is not None:
            picture = self.transform(picture)
        return picture, target if self.target_transform is None else self.target_transform(target)
