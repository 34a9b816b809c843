"""What tests need: PyTorch's `torch.testing`."""

import collections.abc as _abc
import math as _math

from . import _C

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

# By the coarser of the two dtypes: relative and absolute.
_TOLERANCES = {
    _C.float16: (1e-3, 1e-5),
    _C.bfloat16: (1.6e-2, 1e-5),
    _C.float32: (1.3e-6, 1e-5),
    _C.float64: (1e-7, 1e-7),
}


def _tolerances(dtypes, rtol, atol):
    if (rtol is None) != (atol is None):
        raise ValueError(f"assert_close: rtol and atol must both be given, or neither, and are {rtol} and {atol}")
    if rtol is not None:
        return rtol, atol
    all_ = [_TOLERANCES.get(dtype, (0.0, 0.0)) for dtype in dtypes]
    return max(r for r, _ in all_), max(a for _, a in all_)


def assert_close(
    actual,
    expected,
    *,
    allow_subclasses=True,
    rtol=None,
    atol=None,
    equal_nan=False,
    check_device=True,
    check_dtype=True,
    check_layout=True,
    check_stride=False,
    msg=None,
):
    """Raises an `AssertionError` unless |actual − expected| ≤ atol + rtol |expected| everywhere.

    Tensors, numbers, what NumPy takes for arrays, and lists, tuples and dicts of them. Without tolerances those of the
    dtype are taken. `msg` is the message, or makes it of the usual one.

    >>> import wengert
    >>> wengert.testing.assert_close(wengert.ones(2) / 3, wengert.full((2,), 1 / 3))
    """

    def fail(text, where):
        text = f"{text}{where and f' (at {where})'}"
        if msg is not None:
            text = msg(text) if callable(msg) else msg
        raise AssertionError(text)

    def compare(a, b, where):
        if isinstance(a, _abc.Mapping) and isinstance(b, _abc.Mapping):
            if a.keys() != b.keys():
                fail(f"The keys of the mappings do not match: {sorted(map(str, a))} and {sorted(map(str, b))}", where)
            for key in b:
                compare(a[key], b[key], f"{where}[{key!r}]")
        elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
            if len(a) != len(b):
                fail(f"The length of the sequences mismatch: {len(a)} != {len(b)}", where)
            for i, (x, y) in enumerate(zip(a, b)):
                compare(x, y, f"{where}[{i}]")
        elif a is None or b is None or isinstance(a, str):
            if a != b or (a is None) != (b is None):
                fail(f"{a!r} is not {b!r}", where)
        else:
            numbers = not isinstance(a, _C.Tensor) and not isinstance(b, _C.Tensor)
            # Numbers are compared in Python's own precision.
            values(*(_C.tensor(x, dtype=_C.float64) if numbers and isinstance(x, float) else _C.as_tensor(x) for x in (a, b)), numbers, where)

    def values(a, b, numbers, where):
        what = "Scalars" if numbers and a.dim() == 0 else "Tensor-likes"
        if a.shape != b.shape:
            fail(f"The values for attribute 'shape' do not match: {a.shape} != {b.shape}.", where)
        if a.dtype != b.dtype and check_dtype and not numbers:
            fail(f"The values for attribute 'dtype' do not match: {a.dtype} != {b.dtype}.", where)
        if check_stride and a.stride() != b.stride():
            fail(f"The values for attribute 'stride()' do not match: {a.stride()} != {b.stride()}.", where)
        r, t = _tolerances((a.dtype, b.dtype), rtol, atol)
        x, y = a.detach(), b.detach()
        if not (x.is_floating_point() or y.is_floating_point()) and r == t == 0:
            bad = x != y
            apart = (x.to(_C.float64) - y.to(_C.float64)).abs()
        else:
            x, y = x.to(_C.float64), y.to(_C.float64)
            apart = (x - y).abs()
            # Equal infinities are close, and NaN only where that is asked for.
            close = (x == y) | ((apart <= t + r * y.abs()) & y.isfinite())
            if equal_nan:
                close = close | (x.isnan() & y.isnan())
            bad = close.logical_not()
        count = int(bad.sum())
        if count == 0:
            return
        rule = "equal" if r == t == 0 else "close"
        apart = _C.where(bad, apart.nan_to_num(_math.inf, _math.inf, _math.inf), _C.zeros_like(apart)).reshape(-1)
        share = (apart / y.to(_C.float64).abs().reshape(-1)).nan_to_num(_math.inf, _math.inf)
        if a.dim() == 0:
            text = f"{what} are not {rule}!\n\nExpected {b.item()} but got {a.item()}.\nAbsolute difference: {apart.item()} (up to {t} allowed)\nRelative difference: {share.item()} (up to {r} allowed)"
        else:

            def place(flat):
                at, index = int(flat), []
                for n in reversed(a.shape):
                    index.append(at % n)
                    at //= n
                return tuple(reversed(index))

            i = apart.argmax()
            share = _C.where(bad.reshape(-1), share, _C.zeros_like(share))
            j = share.argmax()
            text = (
                f"{what} are not {rule}!\n\nMismatched elements: {count} / {a.numel()} ({100 * count / a.numel():.1f}%)\n"
                f"Greatest absolute difference: {float(apart[i])} at index {place(i)} (up to {t} allowed)\n"
                f"Greatest relative difference: {float(share[j])} at index {place(j)} (up to {r} allowed)"
            )
        fail(text, where)

    compare(actual, expected, "")


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan=True, msg=""):
    """As `assert_close`, whatever the dtypes.

    >>> import wengert
    >>> wengert.testing.assert_allclose(wengert.ones(2), wengert.ones(2) + 1e-9)
    """
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


def make_tensor(
    *shape, dtype, device="cpu", low=None, high=None, requires_grad=False, noncontiguous=False, exclude_zero=False, memory_format=None
):
    """A tensor of random numbers in [low, high), by default from −9 to 9, for unsigned integers and bools from 0.

    `noncontiguous` puts gaps between the elements; with `exclude_zero` the least positive number stands for zero.

    >>> import wengert
    >>> wengert.testing.make_tensor((2, 3), dtype=wengert.float32, device='cpu').shape
    wengert.Size([2, 3])
    """
    if len(shape) == 1 and not isinstance(shape[0], int):
        shape = tuple(shape[0])
    if dtype is _C.bool:
        low, high = 0 if low is None else low, 2 if high is None else high
    else:
        low = (0 if dtype is _C.uint8 else -9) if low is None else low
        high = (10 if not dtype.is_floating_point else 9) if high is None else high
    if not low < high:
        raise ValueError(f"make_tensor: low must be below high, and they are {low} and {high}")
    drawn = (*shape[:-1], 2 * shape[-1]) if noncontiguous and shape and shape[-1] > 0 else shape
    if dtype.is_floating_point:
        t = (_C.rand(drawn, dtype=_C.float64) * (high - low) + low).to(dtype)
    else:
        t = _C.randint(_math.floor(low), _math.ceil(high), drawn).to(dtype)
    if drawn != shape:
        t = t[..., ::2]
    if exclude_zero:
        least = 2.0**-14 if dtype is _C.float16 else 2.0**-126 if dtype.is_floating_point else 1
        t = _C.where(t == 0, _C.full((), least, dtype=dtype), t)
    return t.requires_grad_() if requires_grad else t
