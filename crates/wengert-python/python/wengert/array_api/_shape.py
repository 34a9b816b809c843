"""Shapes, with the array API standard's signatures."""

from .. import _C


def _each(axis):
    return axis if isinstance(axis, tuple) else (axis,)


def broadcast_arrays(*arrays):
    """All in the shape that they have together."""
    return list(_C.broadcast_tensors(*arrays))


def broadcast_shapes(*shapes):
    """The shape that arrays of these shapes have together; of the standard that comes after 2024.12.

    >>> import wengert
    >>> wengert.array_api.broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    one = _C.zeros(())
    return tuple(_C.broadcast_tensors(one, *(one.expand(tuple(shape)) for shape in shapes))[0].shape)


def broadcast_to(x, /, shape):
    """Repeated along dimensions of size one and new leading ones."""
    return x.expand(tuple(shape))


def concat(arrays, /, *, axis=0):
    """The tensors end to end along `axis`; with None, all their elements.

    >>> import wengert
    >>> wengert.array_api.concat([wengert.zeros(1, 2), wengert.ones(2, 1)], axis=None)
    tensor([0., 0., 1., 1.])
    """
    if axis is None:
        return _C.cat([x.reshape(-1) for x in arrays], 0)
    return _C.cat(list(arrays), axis)


def expand_dims(x, /, *, axis=0):
    """With dimensions of size one put in."""
    rank = x.ndim + len(_each(axis))
    for a in _each(axis):
        if not -rank <= a < rank:
            raise IndexError(f"expand_dims: there is no place {a} for a dimension in a result of {rank}")
    for a in sorted(a % rank for a in _each(axis)):
        x = x.unsqueeze(a)
    return x


def flip(x, /, *, axis=None):
    """In the reverse order along `axis`, or along all."""
    return x.flip(tuple(range(x.ndim)) if axis is None else _each(axis))


def moveaxis(x, source, destination, /):
    """Dimensions moved to other places."""
    return x.movedim(source, destination)


def permute_dims(x, /, axes):
    """The dimensions in a new order."""
    return x.permute(tuple(axes))


def repeat(x, repeats, /, *, axis=None):
    """Each element, or each part along `axis`, repeated."""
    return x.repeat_interleave(repeats, dim=axis)


def reshape(x, /, shape, *, copy=None):
    """The same elements in another shape."""
    y = x.reshape(tuple(shape))
    if copy is False and not x.is_contiguous():
        return x.view(tuple(shape))
    return y.clone() if copy else y


def roll(x, /, shift, *, axis=None):
    """Moved along dimensions; what leaves at the end comes in at the front."""
    return _C.roll(x, shift, axis)


def squeeze(x, /, axis):
    """Without these dimensions, which must be of size one."""
    for a in _each(axis):
        if x.shape[a] != 1:
            raise ValueError(f"squeeze: dimension {a} has size {x.shape[a]}, and not 1")
    return x.squeeze(_each(axis))


def stack(arrays, /, *, axis=0):
    """Side by side along a new dimension."""
    return _C.stack(list(arrays), axis)


def tile(x, repetitions, /):
    """The whole repeated along each dimension."""
    return x.tile(tuple(repetitions))


def unstack(x, /, *, axis=0):
    """The parts along a dimension, one for each index."""
    return tuple(x.unbind(axis))
