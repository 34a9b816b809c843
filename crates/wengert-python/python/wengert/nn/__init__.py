"""Layers, losses, and what holds them together: PyTorch's `torch.nn`."""

from . import functional, init, modules, parameter, utils  # noqa: F401
from ._summary import summary  # noqa: F401
from .modules import *  # noqa: F403
from .parameter import Buffer, Parameter, UninitializedParameter  # noqa: F401
