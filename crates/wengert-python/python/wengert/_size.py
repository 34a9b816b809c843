"""The class of shapes."""

from math import prod


class Size(tuple):
    """The sizes of a tensor's dimensions: a tuple."""

    __slots__ = ()

    def numel(self):
        """How many elements there are."""
        return prod(self)

    def __repr__(self):
        return f"wengert.Size({list(self)})"

    def __getitem__(self, index):
        part = tuple.__getitem__(self, index)
        return Size(part) if isinstance(index, slice) else part

    def __add__(self, other):
        return Size(tuple(self) + tuple(other))

    def __reduce__(self):
        return Size, (tuple(self),)


Size.__module__ = "wengert"
