"""The namespace of the Python array API standard, 2024.12.

`x.__array_namespace__()` gives it, so that code written for any array library finds its names here. Everything is
recorded and differentiated as always. What the standard has and this has not: unsigned
integers of more than 8 bits, and the attribute `size`, which is PyTorch's method (take `math.prod(x.shape)`).

>>> import wengert
>>> x = wengert.tensor([[1.0, 2.0], [3.0, 4.0]])
>>> xp = x.__array_namespace__()
>>> xp.sum(xp.permute_dims(x, (1, 0)), axis=0, keepdims=True)
tensor([[3., 7.]])
"""

from .. import _C, fft  # noqa: F401
from .._C import (  # noqa: F401
    Tensor,
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    bool,
    ceil,
    complex64,
    complex128,
    conj,
    copysign,
    cos,
    cosh,
    exp,
    expm1,
    float32,
    float64,
    floor,
    floor_divide,
    from_dlpack,
    greater,
    greater_equal,
    hypot,
    imag,
    int8,
    int16,
    int32,
    int64,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    negative,
    nextafter,
    not_equal,
    positive,
    pow,
    real,
    reciprocal,
    remainder,
    round,
    sign,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    trunc,
    uint8,
)
from .._C import add, matmul, tensor  # noqa: F401
from .._C import bitwise_not as bitwise_invert  # noqa: F401
from .._C import eq as equal  # noqa: F401
from .._C import true_divide as divide  # noqa: F401
from . import linalg  # noqa: F401
from ._create import (  # noqa: F401
    arange,
    asarray,
    empty,
    empty_like,
    eye,
    full,
    full_like,
    linspace,
    meshgrid,
    ones,
    ones_like,
    tril,
    triu,
    zeros,
    zeros_like,
)
from ._dtypes import (  # noqa: F401
    __array_namespace_info__,
    astype,
    can_cast,
    finfo,
    iinfo,
    isdtype,
    result_type,
)
from ._shape import (  # noqa: F401
    broadcast_arrays,
    broadcast_shapes,
    broadcast_to,
    concat,
    expand_dims,
    flip,
    moveaxis,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    tile,
    unstack,
)
from ._reduce import (  # noqa: F401
    all,
    any,
    argmax,
    argmin,
    argsort,
    clip,
    count_nonzero,
    cumulative_prod,
    cumulative_sum,
    diff,
    max,
    mean,
    min,
    nonzero,
    prod,
    isin,
    searchsorted,
    sort,
    std,
    sum,
    take,
    take_along_axis,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
    var,
    where,
)
from .linalg import matrix_transpose, tensordot, vecdot  # noqa: F401

__array_api_version__ = "2024.12"

e = 2.718281828459045
inf = float("inf")
nan = float("nan")
newaxis = None
pi = 3.141592653589793


def __dir__():
    return sorted(n for n in globals() if n == "__array_namespace_info__" or n == "__array_api_version__" or not n.startswith("_"))
