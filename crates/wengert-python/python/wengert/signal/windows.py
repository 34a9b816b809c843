"""Windows that weigh a stretch of a signal. Symmetric by default, unlike `wengert.hann_window` and its like."""

from .. import _C


def general_cosine(M, *, a, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """A sum of cosines with coefficients `a`, of alternating signs."""
    return _C._general_cosine(M, list(a), not sym, dtype=dtype, requires_grad=requires_grad)


def general_hamming(M, *, alpha=0.54, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """`alpha - (1 - alpha) cos(2 pi x)`."""
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, dtype=dtype, requires_grad=requires_grad)


def hann(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """`0.5 - 0.5 cos(2 pi x)`."""
    return general_hamming(M, alpha=0.5, sym=sym, dtype=dtype, requires_grad=requires_grad)


def hamming(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """`0.54 - 0.46 cos(2 pi x)`."""
    return general_hamming(M, sym=sym, dtype=dtype, requires_grad=requires_grad)


def blackman(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """`0.42 - 0.5 cos(2 pi x) + 0.08 cos(4 pi x)`."""
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, dtype=dtype, requires_grad=requires_grad)


def nuttall(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """Nuttall's four cosines."""
    a = [0.3635819, 0.4891775, 0.1365995, 0.0106411]
    return general_cosine(M, a=a, sym=sym, dtype=dtype, requires_grad=requires_grad)


def bartlett(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """`1 - |2x - 1|`."""
    return _C.bartlett_window(M, not sym, dtype=dtype, requires_grad=requires_grad)


def kaiser(M, *, beta=12.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """Kaiser's window, of Bessel functions."""
    return _C.kaiser_window(M, not sym, beta, dtype=dtype, requires_grad=requires_grad)


def gaussian(M, *, std=1.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """`exp(-(i / std)^2 / 2)`, `i` counted from the middle."""
    return _C._gaussian_window(M, not sym, std, dtype=dtype, requires_grad=requires_grad)


def exponential(M, *, center=None, tau=1.0, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """`exp(-|i| / tau)`, `i` counted from the middle."""
    if center is not None:
        raise NotImplementedError("exponential: center= is not supported")
    return _C._exponential_window(M, not sym, tau, dtype=dtype, requires_grad=requires_grad)


def cosine(M, *, sym=True, dtype=None, layout=None, device=None, requires_grad=False):
    """Half a period of the sine."""
    return _C._cosine_window(M, not sym, dtype=dtype, requires_grad=requires_grad)
