"""Functions of linear algebra that take more than tensors first."""

from . import _C


def tensordot(a, b, dims=2, out=None):
    """The product over `dims` dimensions: a number of them, or a list for each side."""
    if out is not None:
        raise NotImplementedError("out= is not supported: a result is a new tensor")
    if isinstance(dims, _C.Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise _C.ArgumentError(f"tensordot: dims must not be negative, and is {dims}")
        return _C._tensordot_count(a, b, dims)
    of_a, of_b = dims
    return _C._tensordot(a, b, of_a, of_b)


def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The distances between the rows of `x1` and those of `x2`. All are computed from the differences."""
    return _C._cdist(x1, x2, p)
