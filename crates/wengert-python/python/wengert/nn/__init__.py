"""Layers, losses, and what holds them together: PyTorch's `torch.nn`."""

from . import functional, init, modules, parallel, parameter, utils  # noqa: F401
from ._summary import summary  # noqa: F401
from .modules import *  # noqa: F403
from .parallel import DataParallel  # noqa: F401
from .parameter import Buffer, Parameter, UninitializedParameter  # noqa: F401
