"""What of `torch.fft` needs no complex numbers: the frequencies of a transform and their order."""

from .. import _C


def fftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of a transform of `n` samples `d` apart: 0, 1, …, −2, −1 over n d."""
    first = _C.arange((n - 1) // 2 + 1)
    y = _C.cat([first, _C.arange(-(n // 2), 0)]).to(_C.float32 if dtype is None else dtype) / (n * d)
    return y.requires_grad_(requires_grad)


def rfftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of a transform of `n` real samples `d` apart: 0, 1, …, n/2 over n d."""
    y = _C.arange(n // 2 + 1).to(_C.float32 if dtype is None else dtype) / (n * d)
    return y.requires_grad_(requires_grad)


def _rolled(input, dim, shift):
    dims = range(input.dim()) if dim is None else [dim] if isinstance(dim, int) else dim
    for d in dims:
        input = _C.roll(input, shift(input.shape[d]), d)
    return input


def fftshift(input, dim=None):
    """With the frequency 0 in the middle."""
    return _rolled(input, dim, lambda n: n // 2)


def ifftshift(input, dim=None):
    """What undoes `fftshift`."""
    return _rolled(input, dim, lambda n: -(n // 2))
