"""The functions of `torch.fft` that need no complex numbers: frequencies, and where they stand."""

from . import _C
from .linalg import _none


def fftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of the n elements of a discrete Fourier transform of samples `d` apart: `[0, 1, …, −2, −1] / (d n)`."""
    first = _C.arange(0, (n + 1) // 2)
    return _frequencies(_C.cat([first, _C.arange(-(n // 2), 0)]), n, d, out, dtype, requires_grad)


def rfftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """Those of the first half, which is all that real samples have: `[0, 1, …, n // 2] / (d n)`."""
    return _frequencies(_C.arange(0, n // 2 + 1), n, d, out, dtype, requires_grad)


def _frequencies(whole, n, d, out, dtype, requires_grad):
    _none(out)
    return (whole.to(dtype or _C.float32) * (1.0 / (n * d))).requires_grad_(requires_grad)


def fftshift(input, dim=None):
    """Rolls the frequency 0 to the middle of the dimensions, by default of all."""
    dims = _dims(input, dim)
    return _C.roll(input, [input.shape[d] // 2 for d in dims], dims) if dims else input


def ifftshift(input, dim=None):
    """Undoes `fftshift`."""
    dims = _dims(input, dim)
    return _C.roll(input, [(input.shape[d] + 1) // 2 for d in dims], dims) if dims else input


def _dims(input, dim):
    if dim is None:
        return list(range(input.dim()))
    return [dim] if isinstance(dim, int) else list(dim)


def __getattr__(name):
    why = "" if name.startswith("_") else ": transforms need complex numbers, and tensors hold none"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{why}")
