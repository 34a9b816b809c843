"""Methods of tensors that are written in Python: each is the function of the same name, loaded when first called."""

from ._C import Tensor

_DERIVED = {
    "lu": "L and U of P A = L U in one matrix, and the exchanges of rows: see `wengert.lu`.",
    "lu_solve": "X of A X = b from what `wengert.lu` gives for A.",
    "triangular_solve": "X of A X = b for triangular A, and A.",
    "unsafe_chunk": "As `chunk`.",
    "unsafe_split": "As `split`.",
    "unsafe_split_with_sizes": "As `split_with_sizes`.",
    "nonzero_static": "The indices of elements that are not zero, cut or filled up to a given number of them.",
}
_FUNCTIONAL = {
    "hardshrink": "x where |x| > `lambd`, else 0.",
    "prelu": "x where it is positive, else `weight · x`.",
}


def _method(module, name, doc):
    def method(self, *args, **kwargs):
        import importlib

        return getattr(importlib.import_module(module, __package__), name)(self, *args, **kwargs)

    method.__name__, method.__qualname__, method.__doc__ = name, f"Tensor.{name}", doc
    method.__module__ = "wengert"
    return method


for _name, _doc in _DERIVED.items():
    setattr(Tensor, _name, _method("._derived", _name, _doc))
for _name, _doc in _FUNCTIONAL.items():
    setattr(Tensor, _name, _method(".nn.functional", _name, _doc))
