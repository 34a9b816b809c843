"""The random numbers of the whole program: PyTorch's `torch.random`."""

import contextlib as _contextlib
import os as _os

from ._C import Generator, get_rng_state, initial_seed, manual_seed, set_rng_state

__all__ = ["Generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


def seed():
    """Starts the random numbers anew from a number that nobody knows, and gives that."""
    number = int.from_bytes(_os.urandom(8), "little") >> 1
    manual_seed(number)
    return number


@_contextlib.contextmanager
def fork_rng(devices=None, enabled=True, device_type="cpu"):
    """After the `with` block random numbers go on as if there had been none in it.

    >>> import wengert
    >>> with wengert.random.fork_rng():
    ...     x = wengert.rand(2)
    >>> wengert.equal(x, wengert.rand(2))
    True
    """
    before = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(before)
