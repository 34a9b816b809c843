"""Settings of PyTorch that have nothing to set here: asking gives what holds, and what cannot be had is refused."""

from contextlib import contextmanager

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


_PROFILES = {"default": (4, 1000, 3, 80), "short": (2, 1000, 2, 80), "full": (4, float("inf"), 3, 80)}
_NAMES = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """How tensors are printed: digits after the point, the number of elements from which on only `edgeitems` at either end of
    a dimension are shown, the length of a line, and whether numbers have exponents (`None`: where they need them). A
    `profile`, `"default"`, `"short"` or `"full"`, sets the first four.

    >>> import wengert
    >>> wengert.set_printoptions(precision=2)
    >>> wengert.tensor([1.2345])
    tensor([1.23])
    >>> wengert.set_printoptions(profile="default")
    """
    now = list(_C._print_options()[:4])
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"set_printoptions: {profile!r} is none of {', '.join(map(repr, _PROFILES))}")
        now = list(_PROFILES[profile])
    for i, value in enumerate((precision, threshold, edgeitems, linewidth)):
        if value is not None:
            if value < 0:
                raise ValueError(f"set_printoptions: {_NAMES[i]} must not be negative, as {value} is")
            now[i] = value
    most = 2**63 - 1
    _C._set_print_options((*(most if n > most else int(n) for n in now), sci_mode))


def get_printoptions():
    """How tensors are printed: see `set_printoptions`.

    >>> import wengert
    >>> wengert.get_printoptions()["precision"]
    4
    """
    return dict(zip(_NAMES, _C._print_options()))


@contextmanager
def printoptions(**options):
    """Prints so inside the block: see `set_printoptions`.

    >>> import wengert
    >>> with wengert.printoptions(sci_mode=True):
    ...     print(wengert.tensor([0.5]))
    tensor([5.0000e-01])
    """
    before = _C._print_options()
    set_printoptions(**options)
    try:
        yield
    finally:
        _C._set_print_options(before)
