"""What PyTorch has under a second name, and what is a few lines of other functions."""

from . import _C, linalg


def empty_strided(size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor of this size with no particular elements; its layout is row-major, whatever `stride` says."""
    return _C.empty(*size, dtype=dtype, device=device, requires_grad=requires_grad)


def unsafe_chunk(input, chunks, dim=0):
    """As `chunk`: no view here aliases for writes."""
    return _C.chunk(input, chunks, dim)


def unsafe_split(tensor, split_size, dim=0):
    """As `split`: no view here aliases for writes."""
    return _C.split(tensor, split_size, dim)


def unsafe_split_with_sizes(input, split_sizes, dim=0):
    """As `split_with_sizes`: no view here aliases for writes."""
    return _C.split_with_sizes(input, split_sizes, dim)


def _safe_softmax(input, dim, dtype=None):
    """As `softmax`, with 0 along the dimension where all is −∞, as where attention is masked from everything.

    >>> import wengert
    >>> wengert._safe_softmax(wengert.tensor([float("-inf"), float("-inf")]), 0)
    tensor([0., 0.])
    """
    empty = (input == float("-inf")).all(dim, keepdim=True)
    # Replaced before, so that gradients are not 0 times NaN.
    return _C.where(empty, 0.0, _C.softmax(_C.where(empty, 0.0, input), dim, dtype=dtype))


def detach(input):
    """The same value without history."""
    return input.detach()


def spmm(input, mat2):
    """As `mm`: all tensors are dense."""
    return _C.mm(input, mat2)


def empty_permuted(size, physical_layout, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor of this size with no particular elements, whose dimensions lie in memory in the order `physical_layout`.

    >>> import wengert
    >>> wengert.empty_permuted((2, 3, 4), (0, 2, 1)).stride()
    (12, 1, 3)
    """
    if sorted(physical_layout) != list(range(len(size))):
        raise RuntimeError(f"empty_permuted: {tuple(physical_layout)} is no order of {len(size)} dimensions")
    inverse = sorted(range(len(size)), key=lambda d: physical_layout[d])
    x = _C.empty(*(size[d] for d in physical_layout), dtype=dtype, device=device).permute(inverse)
    return x.requires_grad_() if requires_grad else x


def nonzero_static(input, *, size, fill_value=-1):
    """The indices of elements that are not zero, as rows: the first `size` of them, filled up with `fill_value`.

    >>> import wengert
    >>> wengert.nonzero_static(wengert.tensor([0, 7, 0, 9]), size=3)
    tensor([[ 1],
            [ 3],
            [-1]])
    """
    if size < 0:
        raise RuntimeError(f"nonzero_static: size must not be negative, as {size} is")
    rows = _C.nonzero(input)[:size]
    rest = _C.full((size - rows.shape[0], input.dim()), fill_value, dtype=rows.dtype)
    return _C.cat([rows, rest], 0)


def constant_pad_nd(input, pad, value=0):
    """As `nn.functional.pad`, with a constant."""
    from .nn.functional import pad as padded

    return padded(input, pad, "constant", value)


def _grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    from .nn.functional import grid_sample

    modes, paddings = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    return grid_sample(input, grid, modes[interpolation_mode], paddings[padding_mode], align_corners)


def grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    """As `nn.functional.grid_sample`, with numbers for the names of the modes."""
    return _grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)




def tri(N, M=None, k=0, *, dtype=None, device=None, requires_grad=False):
    """Ones on and below diagonal `k` of an N × M matrix, as NumPy's `tri`; zeros above.

    >>> import wengert
    >>> wengert.tri(2, 3)
    tensor([[1., 0., 0.],
            [1., 1., 0.]])
    """
    ones = _C.ones(N, N if M is None else M, dtype=dtype or _C.get_default_dtype())
    return _C.tril(ones, k).requires_grad_(requires_grad)


def lu(A, pivot=True, get_infos=False, out=None):
    """L and U of P A = L U in one matrix, and the exchanges of rows that are P: see `linalg.lu_factor`."""
    y = linalg.lu_factor_ex(A, pivot=pivot, out=out)
    return tuple(y) if get_infos else tuple(y[:2])


def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True, *, out=None):
    """P, L and U from what `linalg.lu_factor` gives."""
    p, low, up = y = _C._lu_unpack(LU_data, LU_pivots)
    nothing = _C.empty(0, dtype=LU_data.dtype)
    return type(y)(p if unpack_pivots else nothing, low if unpack_data else nothing, up if unpack_data else nothing)


def lu_solve(b, LU_data, LU_pivots, *, out=None):
    """X of A X = b from what `linalg.lu_factor` gives for A."""
    return linalg.lu_solve(LU_data, LU_pivots, b, out=out)


def triangular_solve(b, A, upper=True, transpose=False, unitriangular=False, *, out=None):
    """X of A X = b for triangular A, and A: see `linalg.solve_triangular`."""
    t = A.mT if transpose else A
    x = linalg.solve_triangular(t, b, upper=upper != transpose, unitriangular=unitriangular, out=out)
    shape = (*x.shape[:-2], *A.shape[-2:])
    return linalg._named("triangular_solve", ("solution", "cloned_coefficient"), (x, A.expand(shape).clone()))




def svd_lowrank(A, q=6, niter=2, M=None):
    """U, S and V of an approximation A ≈ U diag(S) Vᵀ of rank `q`, for A less M where M is given.

    Halko, Martinsson & Tropp 2009, *Finding structure with randomness*: the decomposition of A within a random subspace that
    `niter` steps of iteration turn toward its largest singular vectors.
    """
    if q < 0 or q > min(A.shape[-2:]):
        raise _C.ArgumentError(f"svd_lowrank: a rank of {q} does not fit matrices of shape {list(A.shape[-2:])}")
    A = A if M is None else A - M
    wide = A.shape[-2] < A.shape[-1]
    A = A.mT if wide else A
    basis = lambda x: linalg.qr(x).Q  # noqa: E731
    q_of = basis(A @ _C.randn(A.shape[-1], q, dtype=A.dtype))
    for _ in range(niter):
        q_of = basis(A @ basis(A.mT @ q_of))
    u, s, vh = linalg.svd(q_of.mT @ A, False)
    u, v = q_of @ u, vh.mT
    return (v, s, u) if wide else (u, s, v)


def pca_lowrank(A, q=None, center=True, niter=2):
    """The principal components of the rows of A: as `svd_lowrank`, of A less the mean of its columns."""
    q = min(6, *A.shape[-2:]) if q is None else q
    return svd_lowrank(A - A.mean(-2, True) if center else A, q, niter)
