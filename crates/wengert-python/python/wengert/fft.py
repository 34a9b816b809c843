"""Discrete Fourier transforms, with the functions and signatures of `torch.fft`.

`norm` says which direction divides: "backward" (the default) the inverse, by the number of elements; "forward" the other;
"ortho" each by the root of it. All are differentiable, any number of times.
"""

from . import _C
from .linalg import _none


def fft(input, n=None, dim=-1, norm=None, *, out=None):
    """The transform `y_k = Σ x_j e^(−2πi jk/n)` along `dim`, of the input cut off or filled up with zeros to `n` elements.

    >>> import wengert
    >>> wengert.fft.fft(wengert.tensor([1.0, 0.0, -1.0, 0.0])).real
    tensor([0., 2., 0., 2.])
    """
    _none(out)
    return _C._fft_fft(input, n, dim, norm)


def ifft(input, n=None, dim=-1, norm=None, *, out=None):
    """The inverse of `fft`: with + in the exponent, and divided by n.

    >>> import wengert
    >>> wengert.fft.ifft(wengert.tensor([0.0, 2.0, 0.0, 2.0])).real
    tensor([ 1.,  0., -1.,  0.])
    """
    _none(out)
    return _C._fft_ifft(input, n, dim, norm)


def rfft(input, n=None, dim=-1, norm=None, *, out=None):
    """The first n/2 + 1 results of `fft` of real numbers, of which the rest are the conjugates.

    >>> import wengert
    >>> wengert.fft.rfft(wengert.tensor([1.0, 0.0, -1.0, 0.0])).abs()
    tensor([0., 2., 0.])
    """
    _none(out)
    return _C._fft_rfft(input, n, dim, norm)


def irfft(input, n=None, dim=-1, norm=None, *, out=None):
    """The inverse of `rfft`: `n` real numbers, by default 2 (m − 1) of m.

    >>> import wengert
    >>> wengert.fft.irfft(wengert.tensor([0.0, 2.0, 0.0]))
    tensor([ 1.,  0., -1.,  0.])
    """
    _none(out)
    return _C._fft_irfft(input, n, dim, norm)


def hfft(input, n=None, dim=-1, norm=None, *, out=None):
    """The transform of numbers of which the later half are the conjugates of the first: `n` real numbers.

    >>> import wengert
    >>> wengert.fft.hfft(wengert.tensor([0.0, 0.5, 0.0]))
    tensor([ 1.,  0., -1.,  0.])
    """
    _none(out)
    return _C._fft_hfft(input, n, dim, norm)


def ihfft(input, n=None, dim=-1, norm=None, *, out=None):
    """The inverse of `hfft`.

    >>> import wengert
    >>> wengert.fft.ihfft(wengert.tensor([1.0, 0.0, -1.0, 0.0])).real
    tensor([0.0000, 0.5000, 0.0000])
    """
    _none(out)
    return _C._fft_ihfft(input, n, dim, norm)


def fftn(input, s=None, dim=None, norm=None, *, out=None):
    """`fft` over several dimensions, by default all; each cut off or filled up to its size in `s`, where that is given and not −1.

    >>> import wengert
    >>> wengert.fft.fftn(wengert.ones(2, 2)).real
    tensor([[4., 0.],
            [0., 0.]])
    """
    _none(out)
    return _C._fft_fftn(input, _list(s), _list(dim), norm)


def fft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """`fftn` over two dimensions, by default the last."""
    _none(out)
    return _C._fft_fftn(input, _list(s), _list(dim), norm)


def ifftn(input, s=None, dim=None, norm=None, *, out=None):
    """The inverse of `fftn`.

    >>> import wengert
    >>> wengert.fft.ifftn(wengert.ones(2, 2)).real
    tensor([[1., 0.],
            [0., 0.]])
    """
    _none(out)
    return _C._fft_ifftn(input, _list(s), _list(dim), norm)


def ifft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """`ifftn` over two dimensions, by default the last."""
    _none(out)
    return _C._fft_ifftn(input, _list(s), _list(dim), norm)


def rfftn(input, s=None, dim=None, norm=None, *, out=None):
    """`fftn` of real numbers: of the last dimension the first half.

    >>> import wengert
    >>> wengert.fft.rfftn(wengert.ones(4, 4)).shape
    wengert.Size([4, 3])
    """
    _none(out)
    return _C._fft_rfftn(input, _list(s), _list(dim), norm)


def rfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """`rfftn` over two dimensions, by default the last."""
    _none(out)
    return _C._fft_rfftn(input, _list(s), _list(dim), norm)


def irfftn(input, s=None, dim=None, norm=None, *, out=None):
    """The inverse of `rfftn`; `s` may say how long the last dimension is.

    >>> import wengert
    >>> wengert.fft.irfftn(wengert.ones(4, 3)).shape
    wengert.Size([4, 4])
    """
    _none(out)
    return _C._fft_irfftn(input, _list(s), _list(dim), norm)


def irfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """`irfftn` over two dimensions, by default the last."""
    _none(out)
    return _C._fft_irfftn(input, _list(s), _list(dim), norm)


def hfftn(input, s=None, dim=None, norm=None, *, out=None):
    """`hfft` over several dimensions: `fft` over all but the last.

    >>> import wengert
    >>> wengert.fft.hfftn(wengert.ones(4, 3)).shape
    wengert.Size([4, 4])
    """
    _none(out)
    return _C._fft_hfftn(input, _list(s), _list(dim), norm)


def hfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """`hfftn` over two dimensions, by default the last."""
    _none(out)
    return _C._fft_hfftn(input, _list(s), _list(dim), norm)


def ihfftn(input, s=None, dim=None, norm=None, *, out=None):
    """The inverse of `hfftn`.

    >>> import wengert
    >>> wengert.fft.ihfftn(wengert.ones(4, 4)).shape
    wengert.Size([4, 3])
    """
    _none(out)
    return _C._fft_ihfftn(input, _list(s), _list(dim), norm)


def ihfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """`ihfftn` over two dimensions, by default the last."""
    _none(out)
    return _C._fft_ihfftn(input, _list(s), _list(dim), norm)


def _list(numbers):
    if numbers is None or isinstance(numbers, (list, tuple)):
        return numbers
    return [numbers]


def fftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of the n elements of a discrete Fourier transform of samples `d` apart: `[0, 1, …, −2, −1] / (d n)`."""
    first = _C.arange(0, (n + 1) // 2)
    return _frequencies(_C.cat([first, _C.arange(-(n // 2), 0)]), n, d, out, dtype, requires_grad)


def rfftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """Those of the first half, which is all that real samples have: `[0, 1, …, n // 2] / (d n)`."""
    return _frequencies(_C.arange(0, n // 2 + 1), n, d, out, dtype, requires_grad)


def _frequencies(whole, n, d, out, dtype, requires_grad):
    _none(out)
    return (whole.to(dtype or _C.get_default_dtype()) * (1.0 / (n * d))).requires_grad_(requires_grad)


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
