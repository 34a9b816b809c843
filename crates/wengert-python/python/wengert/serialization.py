"""Saving and loading: PyTorch's `torch.save` and `torch.load`, in a format that runs no code.

A file is a zip archive: `structure.json` says how containers hold numbers, texts and tensors, and each tensor's
elements are an entry of their own. Other objects are pickled only where `pickle=True` asks for it, both when they
are saved and when they are loaded.
"""

import json
import os
import pickle as _pickle
import zipfile

from . import _C
from ._size import Size

_FORMAT = 1


class _Writer:
    def __init__(self, archive, pickle):
        self.archive, self.pickle = archive, pickle
        self.entries, self.known = 0, {}

    def entry(self, data):
        name = f"data/{self.entries}"
        self.entries += 1
        self.archive.writestr(name, data)
        return name

    def value(self, x):
        if x is None or isinstance(x, (bool, str)) or type(x) is int:
            return x
        if type(x) is float:
            return {"float": x.hex()}
        if isinstance(x, _C.Tensor):
            return self.tensor(x)
        if isinstance(x, _C.dtype):
            return {"dtype": repr(x).rpartition(".")[2]}
        if isinstance(x, Size):
            return {"size": list(x)}
        if type(x) is tuple:
            return {"tuple": [self.value(v) for v in x]}
        if type(x) is list:
            return [self.value(v) for v in x]
        if type(x) in (set, frozenset):
            return {type(x).__name__: [self.value(v) for v in x]}
        if isinstance(x, dict):
            return {"dict": [[self.value(k), self.value(v)] for k, v in x.items()]}
        if type(x) is bytes:
            return {"bytes": self.entry(x)}
        if self.pickle:
            return {"pickle": self.entry(_pickle.dumps(x))}
        raise TypeError(
            f"save: a {type(x).__name__} is neither a tensor nor made of such, of numbers and of texts\n"
            "  help: save its state_dict(), or pass pickle=True if you will trust the file"
        )

    def tensor(self, t):
        if id(t) in self.known:
            return self.known[id(t)][0]
        _, (data, shape, dtype, requires_grad) = _C.Tensor.__reduce_ex__(t.detach(), 5)
        told = {
            "tensor": self.entry(data),
            "shape": list(shape),
            "dtype": repr(dtype).rpartition(".")[2],
            "requires_grad": t.requires_grad and t.is_leaf,
            "parameter": type(t).__name__ == "Parameter",
        }
        # The tensor is kept with it, so that its id stays its own.
        self.known[id(t)] = (told, t)
        return told


class _Reader:
    def __init__(self, archive, pickle):
        self.archive, self.pickle, self.known = archive, pickle, {}

    def value(self, x):
        if isinstance(x, list):
            return [self.value(v) for v in x]
        if not isinstance(x, dict):
            return x
        if "tensor" in x:
            return self.tensor(x)
        (kind, v), *_ = x.items()
        if kind == "float":
            return float.fromhex(v)
        if kind == "dtype":
            return getattr(_C, v)
        if kind == "size":
            return Size(v)
        if kind == "tuple":
            return tuple(self.value(i) for i in v)
        if kind == "set":
            return {self.value(i) for i in v}
        if kind == "frozenset":
            return frozenset(self.value(i) for i in v)
        if kind == "dict":
            return {self.value(k): self.value(i) for k, i in v}
        if kind == "bytes":
            return self.archive.read(v)
        if kind == "pickle":
            if not self.pickle:
                raise _pickle.UnpicklingError(
                    "load: the file holds pickled objects, which can run any code when loaded\n"
                    "  help: pass pickle=True if you trust it"
                )
            return _pickle.loads(self.archive.read(v))
        raise ValueError(f"load: the file holds something of a kind {kind!r} that this version does not know")

    def tensor(self, x):
        name = x["tensor"]
        if name not in self.known:
            dtype = getattr(_C, x["dtype"])
            if not isinstance(dtype, _C.dtype):
                raise ValueError(f"load: there is no dtype {x['dtype']!r}")
            t = _C._rebuild_tensor(self.archive.read(name), x["shape"], dtype, False)
            if x["parameter"]:
                from .nn import Parameter

                t = Parameter(t, x["requires_grad"])
            elif x["requires_grad"]:
                t.requires_grad_()
            self.known[name] = t
        return self.known[name]


def save(obj, f, pickle=False, **_):
    """Writes tensors, and dicts, lists and tuples of tensors, numbers and texts, to a file or file object.

    >>> import io, wengert
    >>> file = io.BytesIO()
    >>> wengert.save({"weight": wengert.tensor([1.0, 2.0])}, file)
    >>> _ = file.seek(0)
    >>> wengert.load(file)
    {'weight': tensor([1., 2.])}
    """
    with zipfile.ZipFile(f, "w", zipfile.ZIP_STORED) as archive:
        told = _Writer(archive, pickle).value(obj)
        archive.writestr("structure.json", json.dumps({"wengert": _FORMAT, "value": told}))


def load(f, map_location=None, weights_only=True, pickle=False, **_):
    """Reads what `save` wrote. Runs no code from the file, unless `pickle=True` asks for it."""
    with zipfile.ZipFile(f) as archive:
        if "structure.json" not in archive.namelist():
            raise ValueError(f"load: {f if isinstance(f, (str, os.PathLike)) else 'the file'} was not written by wengert.save")
        told = json.loads(archive.read("structure.json"))
        if told.get("wengert", 0) > _FORMAT:
            raise ValueError(f"load: the file has format {told['wengert']}, and this version reads up to {_FORMAT}")
        return _Reader(archive, pickle or not weights_only).value(told["value"])
