"""Elementwise functions, reductions and scans beside PyTorch's, in every dtype: dtypes, shapes, values, gradients."""

import itertools
import operator

import numpy as np
import pytest
import wengert

torch = pytest.importorskip("torch")

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
FLOATS = DTYPES[6:]
TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 3e-5, "float64": 1e-9}
A, B = [0.5, -1.3, 2.2, 3.0, 0.0, -2.0], [2.0, 3.0, -1.5, 1.0, 2.0, -3.0]


def make(values, dtype, shape=None):
    t = torch.tensor(values, dtype=torch.float64)
    t = t > 0 if dtype == "bool" else t.to(getattr(torch, dtype))
    return t if shape is None else t.reshape(shape)


def ours(t, grad=False):
    name = str(t.dtype)[6:]
    flat = (t.double() if t.dtype.is_floating_point else t).flatten().tolist()
    w = wengert.tensor(flat, dtype=getattr(wengert, name)).reshape(tuple(t.shape))
    return w.requires_grad_(True) if grad and t.dtype.is_floating_point else w


def agree(got, want, dtype, what):
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    tolerance = TOLERANCE.get(dtype, 0.0)
    with np.errstate(all="ignore"):
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        same |= np.abs(got - want) <= tolerance * np.maximum(1, np.abs(want))
    assert got.shape == want.shape and same.all(), f"{what}: {got.tolist()}, not {want.tolist()}"


def check(theirs, mine, args, kw=None, my_kw=None):
    """Both functions on the same inputs. What PyTorch has no kernel for is not compared."""
    kw = kw or {}
    my_kw = kw if my_kw is None else my_kw
    xs = [a.clone().requires_grad_(True) if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in args]
    try:
        ys = theirs(*xs, **kw)
    except (RuntimeError, TypeError, IndexError):
        return
    ws = [ours(a, grad=True) if isinstance(a, torch.Tensor) else a for a in args]
    zs = mine(*ws, **my_kw)
    what = f"{getattr(theirs, '__name__', theirs)}({', '.join(map(str, args))}, {kw})"
    ys, zs = [list(v) if isinstance(v, (tuple, list)) else [v] for v in (ys, zs)]
    for y, z in zip(ys, zs, strict=True):
        name = str(y.dtype)[6:]
        assert str(z.dtype).split(".")[-1] == name, f"{what}: {z.dtype}, not {name}"
        agree(z.to(wengert.float64).detach().tolist(), y.double().detach().tolist(), name, what)
        if not y.requires_grad:
            continue
        dy = torch.arange(1, y.numel() + 1).reshape(y.shape).to(y.dtype) / 4
        leaves = [x for x in xs if isinstance(x, torch.Tensor) and x.requires_grad]
        try:
            grads = torch.autograd.grad(y, leaves, dy, allow_unused=True, retain_graph=True)
        except RuntimeError:
            continue
        mine_leaves = [w for w in ws if isinstance(w, wengert.Tensor) and w.requires_grad]
        for w in mine_leaves:
            w.grad = None
        z.backward(ours(dy), retain_graph=True)
        for x, g, w in zip(leaves, grads, mine_leaves, strict=True):
            zero = torch.zeros_like(x)
            want = zero if g is None else g + zero
            got = zero.tolist() if w.grad is None else w.grad.to(wengert.float64).tolist()
            # What is computed in one dtype and kept in another is as exact as the shorter.
            loosest = max(name, str(x.dtype)[6:], key=lambda d: TOLERANCE.get(d, 0.0))
            agree(got, want.double().tolist(), loosest, f"gradient of {what}")


UNARY = """abs absolute neg negative square exp log sqrt erf sin cos tanh sigmoid relu floor exp2 expm1 log1p log2
log10 rsqrt reciprocal logit tan asin arcsin acos arccos atan arctan sinh cosh asinh acosh atanh sinc deg2rad rad2deg
erfc erfinv lgamma i0 ceil trunc fix round frac sign sgn signbit isnan isinf isfinite isposinf isneginf nan_to_num
bitwise_not logical_not prod sum mean var std nansum nanmean count_nonzero all any aminmax norm diff std_mean
var_mean""".split()


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_tensor(name):
    for dtype in DTYPES:
        for x in (make(A, dtype), make(A, dtype, (2, 3)), make(0.5, dtype), make([], dtype)):
            check(getattr(torch, name), getattr(wengert, name), [x])
    assert not hasattr(torch.Tensor, name) or hasattr(wengert.Tensor, name)


ACTIVATIONS = [
    ("relu6", {}), ("elu", {"alpha": 0.75}), ("selu", {}), ("celu", {"alpha": 0.5}), ("silu", {}), ("mish", {}),
    ("softplus", {"beta": 2.0, "threshold": 3.0}), ("softplus", {}), ("softsign", {}), ("tanhshrink", {}),
    ("softshrink", {}), ("hardshrink", {"lambd": 0.3}), ("logsigmoid", {}), ("glu", {"dim": 0}), ("hardtanh", {}),
    ("hardtanh", {"min_val": -0.5, "max_val": 2.0}), ("hardswish", {}), ("leaky_relu", {"negative_slope": 0.25}),
    ("threshold", {"threshold": 0.5, "value": 3.0}), ("gelu", {}), ("rrelu", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kw"), ACTIVATIONS)
def test_activations(name, kw):
    theirs, mine = getattr(torch.nn.functional, name), getattr(wengert.nn.functional, name)
    for dtype in FLOATS:
        for x in (make(A, dtype, (2, 3)), make(A, dtype), make([], dtype)):
            check(theirs, mine, [x], kw)


BINARY = """add sub mul div true_divide floor_divide remainder fmod pow maximum minimum fmax fmin hypot logaddexp
logaddexp2 xlogy copysign heaviside float_power bitwise_and bitwise_or bitwise_xor bitwise_left_shift
bitwise_right_shift gcd lcm lt le gt ge eq ne logical_and logical_or logical_xor ldexp isclose clamp_min clamp_max
rsub""".split()


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_tensors_and_of_numbers(name):
    theirs, mine = getattr(torch, name), getattr(wengert, name)
    for a, b in itertools.product(DTYPES, DTYPES):
        check(theirs, mine, [make(A, a), make(B, b)])
        check(theirs, mine, [make(A, a), make(2.0, b)])
    for a in DTYPES:
        check(theirs, mine, [make(A, a, (2, 3)), make(B[:3], a)])
        for c in (2, -3, 2.0, 0.5, True):
            check(theirs, mine, [make(A, a), c])
            check(theirs, mine, [make(1.0, a), c])


def test_angles():
    # Of mixed dtypes PyTorch squares uint8 in uint8.
    for dtype in DTYPES:
        check(torch.atan2, wengert.atan2, [make(A, dtype), make(B, dtype)])


OPERATORS = "add sub mul truediv floordiv mod pow and_ or_ xor lshift rshift lt ge eq".split()


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_with_numbers_on_either_side(name):
    f = getattr(operator, name)
    for dtype, c in itertools.product(DTYPES, (2, -3, 2.0, 0.5, True)):
        check(f, f, [make(A, dtype), c])
        check(f, f, [c, make(B, dtype)])


OVER = """cumsum cumprod logcumsumexp cummax cummin prod var std median nanmedian max min logsumexp all any sum mean
amax amin nansum nanmean count_nonzero std_mean var_mean argmax argmin""".split()


@pytest.mark.parametrize("name", OVER)
def test_along_dimensions(name):
    theirs, mine = getattr(torch, name), getattr(wengert, name)
    for dtype in DTYPES:
        for x in (make(A, dtype, (2, 3)), make([], dtype, (0, 3))):
            for dim in (0, 1, -1):
                check(theirs, mine, [x, dim])
        check(theirs, mine, [make(2.0, dtype), 0])
        if not name.startswith(("cum", "logcum", "count")):
            check(theirs, mine, [make(A, dtype, (2, 3))], {"dim": 1, "keepdim": True})
        if name in ("sum", "prod", "cumsum", "cumprod"):
            for out in ("float64", "int32", "float16"):
                check(
                    theirs, mine, [make(A, dtype, (2, 3)), 1],
                    {"dtype": getattr(torch, out)}, {"dtype": getattr(wengert, out)},
                )  # fmt: skip
        if name in ("var", "std", "var_mean", "std_mean"):
            for kw in ({"unbiased": False}, {"correction": 0}, {"dim": 1, "correction": 2, "keepdim": True}):
                check(theirs, mine, [make(A, dtype, (2, 3))], kw)


@pytest.mark.parametrize("p", [0, 1, 2, 3, 0.5, float("inf"), float("-inf"), "fro"])
def test_norms(p):
    for dtype in FLOATS:
        check(torch.norm, wengert.norm, [make(A, dtype, (2, 3))], {"p": p})
        check(torch.norm, wengert.norm, [make(A, dtype, (2, 3))], {"p": p, "dim": 1})


def test_several_tensors_and_options():
    for dtype in DTYPES:
        x, y = make(A, dtype, (2, 3)), make(B, dtype, (2, 3))
        for limits in ((0, None), (None, 2), (-1, 1), (-0.5, 1.5), (0.0, 1)):
            check(torch.clamp, wengert.clamp, [x, *limits])
        check(torch.clamp, wengert.clamp, [x, make([0.0, 1.0, -1.0], dtype), make([1.0, 2.0, 2.0], dtype)])
        for weight in (0.25, 1, 0.75):
            check(torch.lerp, wengert.lerp, [x, y, weight])
        for value in (1, 2):
            check(torch.addcmul, wengert.addcmul, [x, x, y], {"value": value})
            check(torch.addcdiv, wengert.addcdiv, [x, x, y], {"value": value})
        check(torch.round, wengert.round, [x], {"decimals": 1})
        check(torch.renorm, wengert.renorm, [x, 2, 0, 1.5])
        check(torch.where, wengert.where, [x > 0, x, 2.5])
    for dtype in FLOATS:
        x = make(A, dtype, (2, 3))
        check(torch.trapezoid, wengert.trapezoid, [x, make([1.0, 2.0, 4.0], dtype)])
        check(torch.cumulative_trapezoid, wengert.cumulative_trapezoid, [x], {"dx": 0.5})
        check(torch.nn.functional.prelu, wengert.nn.functional.prelu, [x, make([0.25, 0.5, 0.125], dtype)])
        check(torch.logit, wengert.logit, [x], {"eps": 0.125})
        check(torch.mvlgamma, wengert.mvlgamma, [x.abs() + 3, 2])
    for dtype, how in itertools.product(("float32", "float64"), "linear lower higher nearest midpoint".split()):
        x = make(A, dtype, (2, 3))
        for q, kw in ((0.3, {}), (0.5, {"dim": 1}), (0.75, {"dim": 0, "keepdim": True})):
            for name in ("quantile", "nanquantile"):
                check(getattr(torch, name), getattr(wengert, name), [x, q], {**kw, "interpolation": how})
        q = make([0.0, 0.25, 1.0], dtype)
        check(lambda x: torch.quantile(x, q, dim=1), lambda x: wengert.quantile(x, ours(q), dim=1), [x])


SPECIAL = """entr erf erfc erfcx erfinv i0 i0e i1 i1e ndtr ndtri log_ndtr bessel_j0 bessel_j1 expit exp2 expm1 log1p
sinc round gammaln""".split()


@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions(name):
    for dtype in DTYPES:
        check(getattr(torch.special, name), getattr(wengert.special, name), [make(A, dtype)])


def test_integers_divided_by_zero_are_refused():
    x = wengert.tensor([1, 2])
    for f in (operator.floordiv, operator.mod, wengert.fmod):
        with pytest.raises(RuntimeError, match="divided by zero"):
            f(x, 0)
    assert (wengert.tensor([1.0]) // 0).item() == float("inf")


def test_bad_arguments_say_what_was_wrong():
    x = wengert.tensor([1.5, 2.0])
    with pytest.raises(RuntimeError, match="bitwise_and: takes integers and bool"):
        x & x
    with pytest.raises(RuntimeError, match="at least one of the limits"):
        x.clamp()
    with pytest.raises(RuntimeError, match="odd size"):
        wengert.nn.functional.glu(wengert.tensor([1.0, 2.0, 3.0]))
    with pytest.raises(RuntimeError, match="rounding_mode"):
        wengert.div(x, x, rounding_mode="up")
