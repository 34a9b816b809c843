"""Settings of PyTorch that have nothing to set here: asking gives what holds, and what cannot be had is refused."""

from . import _C


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Does nothing: the same program gives the same bits on every run, with any number of threads.

    >>> import wengert
    >>> wengert.use_deterministic_algorithms(True)
    """


def are_deterministic_algorithms_enabled():
    """Whether the same program gives the same bits on every run: always."""
    return True


def is_deterministic_algorithms_warn_only_enabled():
    """Whether something else than the same bits would only be warned of: never."""
    return False


def get_float32_matmul_precision():
    """How precisely float32 matrices are multiplied: as precisely as float32 can.

    >>> import wengert
    >>> wengert.get_float32_matmul_precision()
    'highest'
    """
    return "highest"


def set_float32_matmul_precision(precision):
    """Does nothing: products of float32 are never computed in less, whatever is allowed."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"set_float32_matmul_precision: {precision!r} is none of 'highest', 'high', 'medium'")


def get_default_device():
    """Where new tensors are: on the CPU.

    >>> import wengert
    >>> wengert.get_default_device()
    device(type='cpu')
    """
    return _C.device("cpu")


def set_default_device(device):
    """New tensors are on the CPU; any other device is refused."""
    if device is not None:
        _C.device(device)


def get_num_interop_threads():
    """How many operations run side by side: one."""
    return 1


def set_num_interop_threads(num):
    """Does nothing: operations run one after the other, each on `get_num_threads()` threads."""


def is_inference_mode_enabled():
    """Whether results leave no record, as under `no_grad`, of which `inference_mode` is another name here."""
    return not _C.is_grad_enabled()


def set_flush_denormal(mode):
    """Whether numbers smaller than the normal ones can be made zero: no.

    >>> import wengert
    >>> wengert.set_flush_denormal(True)
    False
    """
    return False


class layout:
    """How elements are stored. There is one way: `strided`."""

    def __repr__(self):
        return "wengert.strided"


class memory_format:
    """The order of dimensions in memory. It is taken where PyTorch takes it, and changes nothing: results are row-major."""

    def __init__(self, name):
        self._name = name

    def __repr__(self):
        return f"wengert.{self._name}"


strided = layout()
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
