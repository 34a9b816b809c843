"""Safetensors files: the functions of the package `safetensors`, for tensors of this one.

>>> import os, tempfile, wengert
>>> from wengert.safetensors import load_file, save_file
>>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
>>> save_file({"weight": wengert.ones(2)}, path)
>>> load_file(path)
{'weight': tensor([1., 1.])}
"""

import os

from . import _C

__all__ = ["load", "load_file", "load_model", "safe_open", "save", "save_file", "save_model"]


def load_file(filename, device="cpu", mmap=False):
    """The tensors of a file, by name; with `mmap=True` mapped rather than read, as `wengert.load` describes it."""
    if mmap:
        with safe_open(filename, mmap=True) as file:
            return {name: file.get_tensor(name) for name in file.offset_keys()}
    with open(filename, "rb"):
        # Python's own exception where there is no such file.
        pass
    return _C.load_safetensors(os.fspath(filename))


def save_file(tensors, filename, metadata=None):
    """Writes tensors by name, all or nothing; `metadata` is a dict of texts."""
    _C.save_safetensors(dict(tensors), os.fspath(filename), _pairs(metadata))


def load(data):
    """The tensors of a file whose bytes are given, by name."""
    return _C._load(bytes(data))


def save(tensors, metadata=None):
    """The bytes that `save_file` writes."""
    return _C._safetensors_bytes(dict(tensors), _pairs(metadata))


def save_model(model, filename, metadata=None):
    """Writes the `state_dict` of a module; what several names share is written under each."""
    save_file(model.state_dict(), filename, metadata)


def load_model(model, filename, strict=True, device="cpu"):
    """Loads a file into a module; what is missing and unexpected, as two lists."""
    found = model.load_state_dict(load_file(filename), strict=strict)
    return found.missing_keys, found.unexpected_keys


class safe_open:
    """A file whose tensors are read when they are asked for, as the package `safetensors` has it.

    With `mmap=True` floating-point tensors are mapped rather than read, as `wengert.load` describes it.

    >>> with safe_open("model.safetensors", framework="wengert") as f:  # doctest: +SKIP
    ...     first = f.get_tensor(f.keys()[0])
    """

    def __init__(self, filename, framework="wengert", device="cpu", mmap=False):
        with open(filename, "rb"):
            pass
        self._file = _C.SafeTensors(os.fspath(filename), mmap)

    def keys(self):
        """The names of the tensors, in alphabetical order."""
        return sorted(self._file.keys())

    def offset_keys(self):
        """The names of the tensors, in the order in which they lie."""
        return self._file.keys()

    def metadata(self):
        """The texts that go with the tensors, or `None`."""
        return self._file.metadata()

    def get_tensor(self, name):
        """Reads a tensor."""
        return self._file.get_tensor(name)

    def get_slice(self, name):
        """A tensor of which a part will be taken: `f.get_slice(name)[:, 2:4]`."""
        return _Slice(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


class _Slice:
    def __init__(self, file, name):
        self._file, self._name = file, name
        self._shape, self._dtype = file.shape(name), file.dtype(name)

    def get_shape(self):
        """The sizes of its dimensions."""
        return list(self._shape)

    def get_dtype(self):
        """Its dtype, by the format's name for it."""
        name = repr(self._dtype).rpartition(".")[2]
        digits = "".join(filter(str.isdigit, name))
        return {"bool": "BOOL", "bfloat16": "BF16"}.get(name, name[0].upper() + digits)

    def __getitem__(self, index):
        return self._file.get_tensor(self._name)[index]


def _pairs(metadata):
    if metadata is None:
        return None
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"save: metadata are texts by name, and {key!r} has {value!r}")
    return list(metadata.items())
