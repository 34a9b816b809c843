"""Whether operations are recorded for gradients."""

import functools

from ._C import _set_detect_anomaly, _set_grad_enabled


class _Mode:
    """A context manager and decorator that sets whether this thread records."""

    _on = True

    def __enter__(self):
        self._before = getattr(self, "_before", [])
        self._before.append(_set_grad_enabled(self._on))
        return self

    def __exit__(self, *_):
        _set_grad_enabled(self._before.pop())

    def __call__(self, function):
        if isinstance(function, type):
            raise TypeError("decorate the methods of a class, not the class")

        @functools.wraps(function)
        def decorated(*args, **kwargs):
            before = _set_grad_enabled(self._on)
            try:
                return function(*args, **kwargs)
            finally:
                _set_grad_enabled(before)

        return decorated


class _Decorates(_Mode):
    def __new__(cls, function=None):
        mode = object.__new__(cls)
        # `@no_grad` without parentheses decorates too.
        return mode if function is None else mode(function)


class no_grad(_Decorates):
    """Nothing inside is recorded: results have no history.

    >>> import wengert
    >>> x = wengert.ones(2, requires_grad=True)
    >>> with wengert.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    _on = False


class inference_mode(_Decorates):
    """As `no_grad`.

    >>> import wengert
    >>> x = wengert.ones(2, requires_grad=True)
    >>> with wengert.inference_mode():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    _on = False

    def __new__(cls, mode=True):
        if callable(mode):
            return object.__new__(cls)(mode)
        made = object.__new__(cls)
        made._on = not mode
        return made


class enable_grad(_Decorates):
    """Everything inside is recorded, also within `no_grad`.

    >>> import wengert
    >>> x = wengert.ones(2, requires_grad=True)
    >>> with wengert.no_grad(), wengert.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """


class set_grad_enabled(_Mode):
    """Sets whether operations are recorded: at once, and until the end of a `with` block.

    >>> import wengert
    >>> x = wengert.ones(2, requires_grad=True)
    >>> with wengert.set_grad_enabled(False):
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self, mode):
        self._on = bool(mode)
        self._before = [_set_grad_enabled(self._on)]

    def __enter__(self):
        return self


class set_detect_anomaly:
    """Sets whether backward passes look for NaN: at once, and until the end of a `with` block.

    An operation whose gradient has a NaN ends the pass with an error that names it and its line. With
    `check_nan=False` nothing is looked for: errors name the line of the operation in any case.

    >>> import wengert
    >>> x = wengert.tensor([0.0], requires_grad=True)
    >>> with wengert.autograd.set_detect_anomaly(True):  # doctest: +ELLIPSIS
    ...     (x.sqrt() * 0).sum().backward()
    Traceback (most recent call last):
    ...
    wengert.CheckError: sqrt: the gradient of its input has a NaN, the first at element 0
    ...
    """

    def __init__(self, mode, check_nan=True):
        self._before = _set_detect_anomaly(bool(mode) and bool(check_nan))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _set_detect_anomaly(self._before)


class detect_anomaly:
    """Backward passes inside look for NaN, and end with an error that names the operation whose gradient is the first to
    have one, and its line.

    >>> import wengert
    >>> x = wengert.tensor(-1.0, requires_grad=True)
    >>> with wengert.autograd.detect_anomaly():
    ...     try:
    ...         x.sqrt().backward()
    ...     except RuntimeError as error:
    ...         print('NaN' in str(error))
    True
    """

    def __init__(self, check_nan=True):
        self._on = bool(check_nan)

    def __enter__(self):
        self._before = _set_detect_anomaly(self._on)
        return self

    def __exit__(self, *_):
        _set_detect_anomaly(self._before)
