"""Saving and loading: PyTorch's `torch.save` and `torch.load`, which run no code from a file.

`save` writes the format that PyTorch reads, or safetensors, NPZ or NPY where the name's ending asks for them; `load`
tells all of them apart by itself. Other objects are pickled only where `pickle=True` asks for it, both when they are
saved and when they are loaded.
"""

import io
import os
import pickle as _pickle

from . import _C

__all__ = ["load", "save"]


def save(obj, f, pickle=False, **_):
    """Writes tensors, and dicts, lists and tuples of tensors, numbers and texts, to a file or file object.

    `torch.load` reads it, too. A name that ends in `.safetensors`, `.npz` or `.npy` gets that format. A file is
    replaced only when the new one is whole.

    >>> import io, wengert
    >>> file = io.BytesIO()
    >>> wengert.save({"weight": wengert.tensor([1.0, 2.0])}, file)
    >>> _ = file.seek(0)
    >>> wengert.load(file)
    {'weight': tensor([1., 2.])}
    """
    if pickle:
        data = _pickle.dumps(obj)
        if hasattr(f, "write"):
            f.write(data)
        else:
            _C._write_file(data, f)
    elif hasattr(f, "write"):
        f.write(_C._save_bytes(obj))
    else:
        _C._save(obj, f)


def _is_pickle(start, size):
    """Whether a file of so many bytes that starts so is a pickle; a safetensors file begins with its header's length,
    which can begin as a pickle does.
    """
    header = start[8:] == b"{" and int.from_bytes(start[:8], "little") + 8 <= size
    return start[:1] == b"\x80" and not header


def load(f, map_location=None, pickle_module=None, *, weights_only=True, mmap=None, pickle=False, **_):
    """Reads what `save` or `torch.save` wrote, or a safetensors, NPZ or NPY file.

    Runs no code from the file, unless `pickle=True` (or `weights_only=False`) asks for it. `map_location` is PyTorch's,
    and changes nothing.

    With `mmap=True` the file is mapped into memory rather than read: floating-point tensors of safetensors and PyTorch's
    files use their elements where they lie, which takes no time and shares them with other processes. What is
    written to a tensor stays with the tensor. Nobody may change the file in place meanwhile: one that is shortened ends the
    program (SIGBUS). Replacing it, as `save` does, is no change: the tensors keep the old file.
    """
    if hasattr(f, "read"):
        data = f.read()
        pickled = _is_pickle(bytes(data[:9]), len(data))
    else:
        # Python's own exception where there is no such file.
        with open(f, "rb") as file:
            pickled = _is_pickle(file.read(9), os.fstat(file.fileno()).st_size)
        data = None
    if pickled:
        if not pickle and weights_only:
            raise _pickle.UnpicklingError(
                "load: the file is a pickle, which can run any code when loaded\n"
                "  help: pass pickle=True if you trust it; a PyTorch file from before version 1.6 must be saved again by a newer one"
            )
        with io.BytesIO(data) if data is not None else open(f, "rb") as file:
            return _pickle.load(file)
    if data is not None:
        if mmap:
            raise ValueError("load: a file object cannot be mapped\n  help: pass its name")
        return _C._load(bytes(data))
    return _C._load(os.fspath(f), bool(mmap))
