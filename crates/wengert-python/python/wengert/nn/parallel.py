"""Models on several devices: there is one."""

from __future__ import annotations

from typing import Any

from .modules.module import Module

__all__ = ["DataParallel"]


class DataParallel(Module):
    """A model whose batches are split over devices: all go to the one that there is, whose kernels use all cores.

    >>> import wengert
    >>> model = wengert.nn.DataParallel(wengert.nn.Linear(2, 3))
    >>> model(wengert.ones(4, 2)).shape
    wengert.Size([4, 3])
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module, self.dim = module, dim
        self.device_ids: list = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the model gives."""
        return self.module(*inputs, **kwargs)
