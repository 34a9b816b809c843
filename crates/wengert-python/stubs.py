"""Writes the type stubs of the native module: `python crates/wengert-python/stubs.py` after binding something.

Names, parameters and defaults come from the module itself; types from the tables below, by the names of parameters
and functions. `--check` only says whether the stubs are as they would be written.
"""

import inspect
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
STUBS = HERE / "python" / "wengert" / "_C.pyi"

HEAD = '''# Written by crates/wengert-python/stubs.py: change that, and run it.
from builtins import bool as _bool, complex as _complex, float as _float, int as _int, str as _str
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeAlias, final

from ._modes import (
    enable_grad as enable_grad,
    inference_mode as inference_mode,
    no_grad as no_grad,
    set_grad_enabled as set_grad_enabled,
)
from ._size import Size

_Number: TypeAlias = _bool | _int | _float | _complex
_TensorLike: TypeAlias = Any
_Dims: TypeAlias = _int | Sequence[_int]
_DType: TypeAlias = dtype
_Place: TypeAlias = device
_Device: TypeAlias = device | _str

'''

# Types of parameters by their names, for every function.
PARAMETERS = {
    "input": "_TensorLike",
    "other": "_TensorLike",
    "target": "_TensorLike",
    "condition": "_TensorLike",
    "index": "_TensorLike",
    "src": "_TensorLike",
    "mat2": "_TensorLike",
    "vec": "_TensorLike",
    "exponent": "_TensorLike",
    "weight": "Tensor",
    "bias": "Tensor",
    "gradient": "Tensor",
    "tensors": "Sequence[Tensor]",
    "n_fft": "_int",
    "hop_length": "_int",
    "win_length": "_int",
    "window": "Tensor",
    "center": "_bool",
    "normalized": "_bool",
    "onesided": "_bool",
    "return_complex": "_bool",
    "pad_mode": "_str",
    "length": "_int",
    "alpha": "_Number",
    "fill_value": "_Number",
    "keepdim": "_bool",
    "requires_grad": "_bool",
    "pin_memory": "_bool",
    "non_blocking": "_bool",
    "retain_graph": "_bool",
    "create_graph": "_bool",
    "equal_nan": "_bool",
    "force": "_bool",
    "dim0": "_int",
    "dim1": "_int",
    "axis0": "_int",
    "axis1": "_int",
    "type1": "_DType",
    "type2": "_DType",
    "named": "dict[_str, Tensor]",
    "tensor": "Tensor",
    "name": "_str",
    "text": "_str",
    "separator": "_str",
    "column": "_str",
    "start_dim": "_int",
    "end_dim": "_int",
    "chunks": "_int",
    "rtol": "_float",
    "atol": "_float",
    "dtype": "_DType",
    "device": "_Device",
    "size": "_Dims",
    "out": "None",
    "generator": "Generator",
    "reduction": "_str",
    "approximate": "_str",
    "seed": "_int",
}
# `dim` is one dimension in some functions and several in others.
DIMS = {"sum", "mean", "amax", "amin", "all", "any", "squeeze", "var", "std", "logsumexp", "norm", "prod"}

# What functions and methods return, where it is not a tensor.
RETURNS = {
    "numel": "_int", "nelement": "_int", "dim": "_int", "ndimension": "_int", "element_size": "_int",
    "is_contiguous": "_bool", "is_floating_point": "_bool", "is_complex": "_bool", "is_signed": "_bool",
    "item": "_Number", "tolist": "Any", "numpy": "Any", "stride": "Any", "size": "Any", "type": "Any",
    "allclose": "_bool", "equal": "_bool", "is_grad_enabled": "_bool", "backward": "None", "retain_grad": "None",
    "register_hook": "RemovableHandle", "remove": "None", "manual_seed": "Any", "initial_seed": "_int", "get_num_threads": "_int",
    "set_num_threads": "None",
    "get_rng_state": "Any", "set_rng_state": "None", "get_state": "Any", "set_state": "None",
    "promote_types": "_DType", "get_default_dtype": "_DType", "set_default_dtype": "None", "grad": "tuple[Any, ...]", "graph": "Graph", "max": "Any", "min": "Any",
    "split": "tuple[Tensor, ...]", "chunk": "tuple[Tensor, ...]", "lstm_layer": "tuple[Tensor, Tensor, Tensor]", "unbind": "tuple[Tensor, ...]",
    "name": "_str", "to_svg": "_str", "to_dot": "_str", "save_for_backward": "None",
    "mark_non_differentiable": "None", "mark_dirty": "None", "set_materialize_grads": "None",
    "copy_": "Self", "detach_": "Self", "requires_grad_": "Self",
    "_load": "Any", "_save": "None", "_save_bytes": "bytes", "_write_file": "None", "_safetensors_bytes": "bytes",
    "load_safetensors": "dict[_str, Tensor]", "save_safetensors": "None", "load_npz": "dict[_str, Tensor]",
    "save_npz": "None", "save_npy": "None", "keys": "list[_str]", "metadata": "dict[_str, _str] | None", "shape": "Size",
    "dtype": "_DType", "close": "None", "_optimizer_step": "None", "classes": "tuple[Tensor, list[_str]]",
    "load_csv": "Table", "read_csv": "Table", "decode": "_str", "update": "None", "total": "_int", "accuracy": "_float",
    "precision": "_float", "recall": "_float", "f1": "_float", "macro_f1": "_float", "top_k_accuracy": "_float",
    "r2_score": "_float", "mean_absolute_error": "_float", "perplexity": "_float",
    "to_real": "_DType", "to_complex": "_DType",
    "save_image": "None", "write": "None", "resumed": "None", "count": "_int", "operations": "list[Any]", "stop": "None",
}  # fmt: skip

DUNDERS = {
    "__len__": "_int", "__bool__": "_bool", "__float__": "_float", "__complex__": "_complex", "__int__": "_int", "__index__": "_int",
    "__repr__": "_str", "__str__": "_str", "__format__": "_str", "__hash__": "_int", "__contains__": "_bool",
    "__iter__": "Iterator[Tensor]", "__setitem__": "None", "__dlpack_device__": "tuple[_int, _int]",
    "__array__": "Any", "__array_namespace__": "Any", "__dlpack__": "Any", "__buffer__": "memoryview",
    "__release_buffer__": "None", "__call__": "Any", "__reduce__": "Any", "__reduce_ex__": "Any", "__enter__": "Any", "__exit__": "None",
}  # fmt: skip

PROPERTIES = {
    "shape": "Size", "dtype": "_DType", "device": "_Place", "ndim": "_int", "itemsize": "_int", "nbytes": "_int",
    "is_cuda": "_bool", "is_sparse": "_bool", "requires_grad": "_bool", "is_leaf": "_bool", "grad_fn": "Node | None",
    "grad": "Tensor | None", "data": "Tensor", "T": "Tensor", "mT": "Tensor", "real": "Tensor", "imag": "Tensor", "is_floating_point": "_bool",
    "columns": "list[_str]", "rows": "list[list[_str]]",
    "is_complex": "_bool", "is_signed": "_bool", "type": "_str", "index": "_int | None", "origin": "_str | None",
    "saved_bytes": "_int", "operations": "tuple[_str, ...]", "next_functions": "Any",
    "saved_tensors": "tuple[Tensor, ...]", "needs_input_grad": "tuple[_bool, ...]",
}  # fmt: skip
SETTABLE = {"data", "grad", "requires_grad"}

# Inherited by every class, or of no interest to a type checker.
SKIP = {
    "__doc__", "__module__", "__dict__", "__weakref__", "__new__", "__getattribute__", "__setattr__", "__delattr__",
    "__dictoffset__", "__weakrefoffset__", "__init__", "__class__", "__buffer__", "__release_buffer__",
}  # fmt: skip


def typed(parameter, function):
    name, default = parameter.name, parameter.default
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return "Any"
    kind = PARAMETERS.get(name, "Any")
    if name == "dim":
        kind = "_Dims" if function in DIMS else "_int"
    if default is None and kind not in ("Any", "None", "_TensorLike"):
        kind += " | None"
    return kind


def parameters(signature, function, method):
    out, slash, star = [], False, False
    for p in signature.parameters.values():
        if slash and p.kind is not p.POSITIONAL_ONLY:
            out.append("/")
            slash = False
        if p.kind is p.POSITIONAL_ONLY:
            slash = True
        if p.kind is p.KEYWORD_ONLY and not star:
            out.append("*")
            star = True
        if p.name == "self" or (method and not out):
            out.append(p.name if p.name in ("self", "cls") else f"{p.name}: {typed(p, function)}")
            continue
        name = p.name
        if p.kind is p.VAR_POSITIONAL:
            name, star = "*" + name, True
        if p.kind is p.VAR_KEYWORD:
            name = "**" + name
        default = ""
        if p.default is not p.empty:
            plain = p.default is None or isinstance(p.default, (bool, int, float, str))
            default = f" = {p.default!r}" if plain else " = ..."
        out.append(f"{name}: {typed(p, function)}{default}")
    if slash:
        out.append("/")
    return ", ".join(out)


def signature_of(function):
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):
        return None


def define(name, function, indent="", method=False, owner=None):
    signature = signature_of(function)
    if name.startswith("__") and name.endswith("__"):
        result = DUNDERS.get(name, owner or "Any")
    else:
        result = RETURNS.get(name)
        if result is None:
            result = "Self" if method and name.endswith("_") and not name.startswith("_") else "Tensor"
        if name.startswith("_"):
            result = "Any"
    if name in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
        note = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
        other = "object" if owner != "Tensor" else "Any"
        result = "Tensor" if owner == "Tensor" else "_bool"
        return f"{indent}def {name}(self, value: {other}, /) -> {result}: ...{note}"
    if name == "__ipow__":
        return f"{indent}def {name}(self, value: Any, /) -> {result}: ...  # type: ignore[misc]"
    inside = "*args: Any, **kwargs: Any" if signature is None else parameters(signature, name, method)
    if signature is None and method:
        inside = "self, " + inside
    return f"{indent}def {name}({inside}) -> {result}: ..."


def define_class(name, cls, module):
    bases = [b for b in cls.__bases__ if b is not object]
    heads = [b.__name__ for b in bases]
    lines = [f"class {name}({', '.join(heads)}):" if heads else f"class {name}:"]
    if issubclass(cls, BaseException):
        return [lines[0] + " ..."]
    if not cls.__flags__ & 1 << 10:  # may not be a base
        lines.insert(0, "@final")
    new = cls.__dict__.get("__new__")
    if new is not None and cls.__text_signature__ is not None:
        inside = parameters(inspect.signature(cls), "__new__", False)
        lines.append(f"    def __new__(cls{', ' + inside if inside else ''}) -> Self: ...")
    # Properties first: a method may be called as a type is (`int`, `bool`), and would hide it.
    for key, value in sorted(cls.__dict__.items()):
        if key in SKIP or key.startswith("__pyo3"):
            continue
        if inspect.isgetsetdescriptor(value) or isinstance(value, property):
            kind = PROPERTIES.get(key, "Any")
            lines += [f"    @property", f"    def {key}(self) -> {kind}: ..."]
            if key in SETTABLE:
                given = kind
                lines += [f"    @{key}.setter", f"    def {key}(self, value: {given}, /) -> None: ..."]
        elif isinstance(value, staticmethod):
            lines += ["    @staticmethod", define(key, value.__func__, "    ", False, name)]
        elif key == "__hash__" and value is None:
            lines.append("    __hash__: None  # type: ignore[assignment]")
        elif callable(value):
            lines.append(define(key, value, "    ", True, name))
        else:
            lines.append(f"    {key}: {type(value).__name__ if type(value).__name__ not in ('int', 'str', 'bool', 'float') else '_' + type(value).__name__}")
    if lines[-1].startswith("class "):
        lines[-1] += " ..."
    return lines


def write(module):
    lines = []
    modes = {"enable_grad", "inference_mode", "no_grad", "set_grad_enabled"}
    names = [n for n in sorted(vars(module)) if not n.startswith("__") and n not in modes]
    classes = [n for n in names if isinstance(getattr(module, n), type)]
    # Bases before what derives from them.
    classes.sort(key=lambda n: (len(getattr(module, n).__mro__), n))
    for name in classes:
        lines += [*define_class(name, getattr(module, name), module), ""]
    for name in names:
        value = getattr(module, name)
        if isinstance(value, type):
            continue
        if isinstance(value, module.dtype):
            lines.append(f"{name}: dtype")
        elif callable(value):
            lines.append(define(name, value))
        else:
            lines.append(f"{name}: Any")
    text = "\n".join(lines)
    everything = ", ".join(f'"{n}"' for n in module.__all__)
    return f"{HEAD}__version__: _str\n__all__ = [{everything}]\n\n{text}\n"


def main():
    import wengert

    text = write(wengert._C)
    if "--check" in sys.argv:
        if not STUBS.exists() or STUBS.read_text() != text:
            sys.exit("the stubs are old: run python crates/wengert-python/stubs.py")
        return
    STUBS.write_text(text)


if __name__ == "__main__":
    main()
