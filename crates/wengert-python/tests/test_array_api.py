"""The namespace of the array API standard: its names, its values beside NumPy's, and generic code that uses it."""

import inspect
import math

import pytest

import wengert

np = pytest.importorskip("numpy")
xp = wengert.ones(1).__array_namespace__()

# The standard's functions, 2024.12, without complex numbers.
FUNCTIONS = """
abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or bitwise_right_shift
bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide greater greater_equal hypot isfinite isinf
isnan less less_equal log log1p log2 log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum multiply
negative nextafter not_equal positive pow real reciprocal remainder round sign signbit sin sinh square sqrt subtract tan tanh
trunc cumulative_prod cumulative_sum max mean min prod std sum var arange asarray empty empty_like eye from_dlpack full full_like
linspace meshgrid ones ones_like tril triu zeros zeros_like astype can_cast finfo iinfo isdtype result_type take take_along_axis
matmul matrix_transpose tensordot vecdot broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat
reshape roll squeeze stack tile unstack argmax argmin count_nonzero nonzero searchsorted where unique_all unique_counts
unique_inverse unique_values argsort sort all any diff __array_namespace_info__
""".split()
LINALG = """
cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose outer pinv qr slogdet
solve svd svdvals tensordot trace vecdot vector_norm
""".split()


def test_names():
    assert not [n for n in FUNCTIONS if not hasattr(xp, n)]
    assert not [n for n in LINALG if not hasattr(xp.linalg, n)]
    assert xp.__array_api_version__ == "2024.12"
    assert wengert.ones(1).__array_namespace__(api_version="2023.12") is xp
    with pytest.raises(ValueError):
        wengert.ones(1).__array_namespace__(api_version="1999.01")
    assert (xp.pi, xp.e, xp.inf) == (math.pi, math.e, math.inf) and math.isnan(xp.nan) and xp.newaxis is None
    for name in ("bool", "int8", "int16", "int32", "int64", "uint8", "float32", "float64", "complex64", "complex128"):
        assert getattr(xp, name) is getattr(wengert, name)
    for name in "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift".split():
        assert hasattr(xp.fft, name)
    z = xp.asarray([1 + 2j, 3.0])
    assert z.dtype is xp.complex64 and xp.isdtype(z.dtype, "complex floating") and xp.real(z).dtype is xp.float32
    assert xp.result_type(xp.float64, 1j) is xp.complex128


def test_names_of_the_strict_reference():
    strict = pytest.importorskip("array_api_strict")
    with strict.ArrayAPIStrictFlags(api_version="2024.12"):
        assert not [n for n in FUNCTIONS if not hasattr(strict, n)]


def test_what_is_missing():
    """All that the strict reference has of the newest standard, but for what docs/python.md says."""
    strict = pytest.importorskip("array_api_strict")
    names = {n for n in dir(strict) if not n.startswith("_") and "flags" not in n.lower()} - {"Device", "ModuleType", "fft", "linalg"}
    assert names - set(dir(xp)) <= {"uint16", "uint32", "uint64"}
    names = {n for n in vars(strict.linalg)["__all__"]}
    assert names - set(dir(xp.linalg)) <= {"eig", "eigvals"}


def close(ours, theirs):
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            close(a, b)
        return
    theirs = np.asarray(theirs)
    assert tuple(ours.shape) == theirs.shape, (ours.shape, theirs.shape)
    assert np.allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-6, equal_nan=True), (ours, theirs)


A = np.random.default_rng(0).normal(size=(3, 4))
B = np.abs(np.random.default_rng(1).normal(size=(3, 4))) + 0.1
I = np.random.default_rng(2).integers(-5, 6, (3, 4))
S = A @ A.T + np.eye(3)

CASES = {
    "clip": lambda m, t: m.clip(t(A), -0.5, 0.5),
    "sum": lambda m, t: m.sum(t(A), axis=(0, 1), keepdims=True),
    "sum of integers": lambda m, t: m.sum(t(I), axis=0),
    "prod": lambda m, t: m.prod(t(A), axis=1),
    "mean": lambda m, t: m.mean(t(A), axis=0, keepdims=True),
    "max of all": lambda m, t: m.max(t(A)),
    "min": lambda m, t: m.min(t(A), axis=1),
    "all": lambda m, t: m.all(t(A) > -1, axis=0),
    "any": lambda m, t: m.any(t(A) > 1, axis=1, keepdims=True),
    "argmax": lambda m, t: m.argmax(t(A), axis=1, keepdims=True),
    "argmin of all": lambda m, t: m.argmin(t(A)),
    "count_nonzero": lambda m, t: m.count_nonzero(t(I), axis=1),
    "diff": lambda m, t: m.diff(t(A), axis=0, n=2),
    "where": lambda m, t: m.where(t(A) > 0, t(A), t(B)),
    "nonzero": lambda m, t: m.nonzero(t(I)),
    "searchsorted": lambda m, t: m.searchsorted(t(np.sort(A[0])), t(A[1]), side="right"),
    "sort": lambda m, t: m.sort(t(A), axis=0),
    "argsort": lambda m, t: m.argsort(t(A), axis=1),
    "take": lambda m, t: m.take(t(A), t(np.array([2, 0])), axis=1),
    "take from the end": lambda m, t: m.take(t(A), t(np.array([-1, 0])), axis=1),
    "take_along_axis": lambda m, t: m.take_along_axis(t(A), t(np.argsort(A, 1)), axis=1),
    "concat": lambda m, t: m.concat([t(A), t(B)], axis=1),
    "concat all": lambda m, t: m.concat([t(A), t(B)], axis=None),
    "stack": lambda m, t: m.stack([t(A), t(B)], axis=-1),
    "flip": lambda m, t: m.flip(t(A)),
    "flip one": lambda m, t: m.flip(t(A), axis=1),
    "roll": lambda m, t: m.roll(t(A), 2, axis=1),
    "roll all": lambda m, t: m.roll(t(A), 5),
    "expand_dims": lambda m, t: m.expand_dims(t(A), axis=-1),
    "squeeze": lambda m, t: m.squeeze(t(A[:, :1]), axis=1),
    "repeat": lambda m, t: m.repeat(t(A), 2, axis=0),
    "tile": lambda m, t: m.tile(t(A), (2, 1)),
    "moveaxis": lambda m, t: m.moveaxis(t(A), 0, 1),
    "permute_dims": lambda m, t: m.permute_dims(t(A), (1, 0)),
    "broadcast_to": lambda m, t: m.broadcast_to(t(A[0]), (2, 4)),
    "unstack": lambda m, t: m.unstack(t(A), axis=1),
    "cumulative_sum": lambda m, t: m.cumulative_sum(t(A), axis=1, include_initial=True),
    "meshgrid": lambda m, t: m.meshgrid(t(A[0]), t(A[1])),
    "meshgrid ij": lambda m, t: m.meshgrid(t(A[0]), t(A[1]), indexing="ij"),
    "linspace": lambda m, t: m.linspace(0.0, 1.0, 5, endpoint=False),
    "arange": lambda m, t: m.arange(5, 1, -2),
    "empty arange": lambda m, t: m.arange(5, 1),
    "eye": lambda m, t: m.eye(3, 4, k=-1),
    "tril": lambda m, t: m.tril(t(A), k=-1),
    "full": lambda m, t: m.full((2, 2), 3),
    "unique_values": lambda m, t: m.sort(m.unique_values(t(I))),
    "unique_all": lambda m, t: tuple(m.unique_all(t(I))),
    "unique_counts": lambda m, t: tuple(m.unique_counts(t(I))),
    "unique_inverse": lambda m, t: tuple(m.unique_inverse(t(I))),
    "vecdot": lambda m, t: m.vecdot(t(A), t(B)),
    "tensordot": lambda m, t: m.tensordot(t(A), t(B), axes=((1,), (1,))),
    "matrix_transpose": lambda m, t: m.matrix_transpose(t(A)),
    "remainder": lambda m, t: m.remainder(t(I), t(np.where(I == 0, 1, -I) + 20)),
    "floor_divide": lambda m, t: m.floor_divide(t(I), t(np.full((3, 4), 3))),
    "bitwise_invert": lambda m, t: m.bitwise_invert(t(I)),
    "hypot": lambda m, t: m.hypot(t(A), t(B)),
    "round": lambda m, t: m.round(t(np.array([0.5, 1.5, -0.5, 2.4]))),
    "cholesky": lambda m, t: m.linalg.cholesky(t(S)),
    "cholesky upper": lambda m, t: m.linalg.cholesky(t(S), upper=True),
    "solve": lambda m, t: m.linalg.solve(t(S), t(A)),
    "solve vector": lambda m, t: m.linalg.solve(t(S), t(A[:, 0])),
    "inv": lambda m, t: m.linalg.inv(t(S)),
    "det": lambda m, t: m.linalg.det(t(S)),
    "eigvalsh": lambda m, t: m.linalg.eigvalsh(t(S)),
    "svdvals": lambda m, t: m.linalg.svdvals(t(A)),
    "matrix_norm": lambda m, t: m.linalg.matrix_norm(t(A), keepdims=True),
    "vector_norm": lambda m, t: m.linalg.vector_norm(t(A), axis=1, ord=1),
    "matrix_rank": lambda m, t: m.linalg.matrix_rank(t(S)),
    "pinv": lambda m, t: m.linalg.pinv(t(A)),
    "trace": lambda m, t: m.linalg.trace(t(A), offset=1),
    "cross": lambda m, t: m.linalg.cross(t(A[:, :3]), t(B[:, :3])),
    "outer": lambda m, t: m.linalg.outer(t(A[0]), t(B[0])),
    "diagonal": lambda m, t: m.linalg.diagonal(t(A), offset=1),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_numpys(name):
    close(CASES[name](xp, wengert.tensor), CASES[name](np, np.asarray))


def test_signatures_have_the_standards_parameters():
    """Names of parameters that code in the wild passes by keyword."""
    for name, wanted in {
        "sum": "axis dtype keepdims", "std": "axis correction keepdims", "sort": "axis descending stable", "asarray": "dtype device copy",
        "astype": "copy device", "concat": "axis", "linspace": "num dtype device endpoint", "searchsorted": "side sorter",
        "cumulative_sum": "axis dtype include_initial", "eye": "k dtype device", "reshape": "copy", "repeat": "axis",
    }.items():  # fmt: skip
        assert set(wanted.split()) <= set(inspect.signature(getattr(xp, name)).parameters), name


def test_dtypes():
    assert xp.isdtype(xp.float32, "real floating") and not xp.isdtype(xp.float32, "integral")
    assert xp.isdtype(xp.uint8, ("bool", "unsigned integer")) and xp.isdtype(xp.bool, xp.bool)
    with pytest.raises(ValueError, match="no kind"):
        xp.isdtype(xp.float32, "fractional")
    assert xp.result_type(xp.int8, xp.uint8) is xp.int16
    assert xp.result_type(xp.float32, xp.float64, 1.0) is xp.float64
    assert xp.result_type(wengert.ones(1, dtype=xp.int32), 2) is xp.int32
    assert xp.can_cast(xp.float32, xp.float64) and not xp.can_cast(xp.float64, xp.float32)
    assert xp.finfo(xp.float64).eps == np.finfo("float64").eps and xp.finfo(wengert.ones(1)).dtype is xp.float32
    assert xp.iinfo(xp.int16).max == 32767
    info = xp.__array_namespace_info__()
    assert info.default_dtypes()["indexing"] is xp.int64 and info.default_device() in info.devices()
    assert set(info.dtypes(kind="integral")) == {"int8", "int16", "int32", "int64", "uint8"}
    assert set(info.dtypes()) >= {"bool", "float32", "float64"}


def test_finfo_and_iinfo_are_numpys():
    for name in ("float16", "float32", "float64"):
        ours, theirs = wengert.finfo(getattr(wengert, name)), np.finfo(name)
        for field in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution"):
            assert math.isclose(getattr(ours, field), float(getattr(theirs, field)), rel_tol=1e-3), (name, field)
        assert ours.dtype == name
    assert wengert.finfo().dtype == "float32" and wengert.finfo(wengert.bfloat16).eps == 2**-7
    for name in ("uint8", "int8", "int16", "int32", "int64"):
        ours, theirs = wengert.iinfo(getattr(wengert, name)), np.iinfo(name)
        assert (ours.bits, ours.min, ours.max) == (theirs.bits, theirs.min, theirs.max)
    with pytest.raises(TypeError):
        wengert.finfo(wengert.int32)
    with pytest.raises(TypeError):
        wengert.iinfo(wengert.float32)
    with pytest.raises(TypeError):
        wengert.iinfo("int8")


def test_asarray_copies_as_told():
    x = wengert.ones(2)
    assert xp.asarray(x) is x or xp.asarray(x).numpy().ctypes.data == x.numpy().ctypes.data
    y = xp.asarray(x, copy=True)
    x += 1
    assert y.tolist() == [1, 1]
    with pytest.raises(ValueError):
        xp.asarray([1.0, 2.0], copy=False)
    assert xp.asarray([1, 2], dtype=xp.float64).dtype is xp.float64
    assert x.to_device("cpu") is x and x.to_device(x.device) is x


def test_everything_is_differentiated():
    x = wengert.tensor(A, requires_grad=True)
    y = xp.sum(xp.linalg.matrix_norm(xp.permute_dims(x, (1, 0))) * xp.var(x, axis=None))
    y.backward()
    assert x.grad is not None and bool(xp.all(xp.isfinite(x.grad)))


def softmax_regression(xp, x, y):
    """Code that knows no library."""
    w = xp.zeros((x.shape[1], 2), dtype=x.dtype)
    one = xp.astype(xp.stack([y == 0, y == 1], axis=1), x.dtype)
    for _ in range(30):
        z = x @ w
        p = xp.exp(z - xp.max(z, axis=1, keepdims=True))
        p = p / xp.sum(p, axis=1, keepdims=True)
        w = w - 0.5 * (xp.matrix_transpose(x) @ (p - one)) / x.shape[0]
    return w


def test_generic_code():
    y = (A[:, 0] > 0).astype("int64")
    ours = softmax_regression(xp, wengert.tensor(A), wengert.tensor(y))
    close(ours, softmax_regression(np, A, y))


def test_array_api_compat_finds_it():
    compat = pytest.importorskip("array_api_compat")
    x = wengert.tensor(A)
    assert compat.is_array_api_obj(x) and compat.array_namespace(x) is xp
    assert compat.array_namespace(x, wengert.ones(2)) is xp
    assert compat.size(x) == 12 and compat.device(x) == x.device and compat.to_device(x, x.device) is x


@pytest.mark.parametrize("metric", ["mean_squared_error", "mean_absolute_error", "r2_score"])
def test_scikit_learns_metrics(metric):
    sklearn = pytest.importorskip("sklearn")
    pytest.importorskip("scipy")
    import os

    if os.environ.get("SCIPY_ARRAY_API") != "1":
        pytest.skip("scikit-learn asks for SCIPY_ARRAY_API=1 to be set before SciPy is imported")
    from sklearn import metrics

    with sklearn.config_context(array_api_dispatch=True):
        ours = getattr(metrics, metric)(wengert.tensor(A), wengert.tensor(B))
    assert math.isclose(float(ours), getattr(metrics, metric)(A, B), rel_tol=1e-6)
