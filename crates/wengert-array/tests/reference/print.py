"""Writes print.txt: arrays and the text that PyTorch prints for them.

Run as `python print.py > print.txt`. One case a line, six fields with tabs between:

    prefix  dtype  shape  suffixes  elements  text

The shape is sizes joined by `,` (empty for 0-d); suffixes, which follow the text of the elements, are joined
by `;`; the text has its line ends written `\\n`. The elements are either their bits in hexadecimal, as many
digits as the dtype has, joined by `,`, or `range START STEP`: START + i * STEP, computed in float64 and then
converted. PyTorch's `torch.float64` is written `float64`, before lines are broken.
"""

import math
import sys

import torch
from torch import _tensor_str

add_suffixes = _tensor_str._add_suffixes


def without_torch(text, suffixes, *args, **kwargs):
    return add_suffixes(text, [s.replace("torch.", "") for s in suffixes], *args, **kwargs)


_tensor_str._add_suffixes = without_torch


class array(torch.Tensor):
    """Prints as `array(...)`."""


BITS = {
    "bool": torch.uint8, "uint8": torch.uint8, "int8": torch.uint8, "int16": torch.int16,
    "float16": torch.int16, "bfloat16": torch.int16, "int32": torch.int32, "float32": torch.int32,
    "int64": torch.int64, "float64": torch.int64,
}


def emit(x, elements, grad=None):
    dtype = str(x.dtype).replace("torch.", "")
    prefix = type(x).__name__.lower() + "("
    suffixes = []
    if grad == "leaf":
        x.requires_grad_()
        suffixes = ["requires_grad=True"]
    elif grad == "node":
        x = x.requires_grad_() * 1
        suffixes = [f"grad_fn=<{x.grad_fn.name()}>"]
    shape = ",".join(map(str, x.shape))
    text = repr(x).replace("\n", "\\n")
    print(prefix, dtype, shape, ";".join(suffixes), elements, text, sep="\t")


def case(values, dtype="float32", shape=None, grad=None, cls=None):
    x = torch.tensor(values, dtype=getattr(torch, dtype))
    if shape is not None:
        x = x.reshape(shape)
    size = x.element_size()
    bits = x.detach().reshape(-1).view(BITS[dtype]).tolist()
    elements = ",".join(f"{b & (1 << 8 * size) - 1:0{2 * size}x}" for b in bits)
    emit(x.as_subclass(cls) if cls else x, elements, grad)


def span(shape, start=0.0, step=1.0, dtype="float32", grad=None, cls=None):
    x = torch.arange(math.prod(shape), dtype=torch.float64) * step + start
    x = x.to(getattr(torch, dtype)).reshape(shape)
    emit(x.as_subclass(cls) if cls else x, f"range {start!r} {step!r}", grad)


inf, nan = math.inf, math.nan

# 0-d.
for v in [1.16, 0.0, -0.0, 3.0, -2.5, 1e-5, 1e9, 123456.789, 1e8, 100000001.0, inf, -inf, nan, 1e-45, 3.4e38]:
    case(v)
for v in [math.pi, 1e300, -1e-300, 5e-324, 1e100, 0.1]:
    case(v, "float64")
for v in [0.1, 65504.0, 6e-8, -1.0]:
    case(v, "float16")
case(0.1, "bfloat16")
case(3e38, "bfloat16")
for v, d in [(7, "int64"), (-7, "int32"), (255, "uint8"), (-128, "int8"), (-32768, "int16"), (True, "bool")]:
    case(v, d)
case(False, "bool")
case(-(2**63), "int64")
case(1.5, grad="leaf")
case(1.5, "float64", grad="node")

# Empty.
for d in ["float32", "int64", "bool", "float64"]:
    case([], d)
    case([], d, [0, 3])
case([], "float32", [2, 0, 4])
case([], "float16", [1, 1, 1, 0], grad="leaf")

# Notations.
case([[1.6, 3.0], [2.2, 4.2]])
case([1.0, 2.0, 3.0])
case([0.0, 0.0, -0.0])
case([1e-5, 1.0])
case([1e-4, 0.05])
case([1.0, 1000.0])
case([1.0, 1001.0])
case([0.5, 500.0])
case([0.5, 501.0])
case([1.0, 2.0e8])
case([1.0e8, 1.0e8, 5.0e7])
case([99999999.0, 0.0, 99999998.0], "float64")
case([1e10, 2e10])
case([1e-10, -2e-10, 0.0])
case([1e-5, -1e-5, inf, nan, 0.0, -0.0])
case([1e100, 1e-100, -1e-5], "float64")
case([5e-324, 1.7976931348623157e308], "float64")
case([1.0, nan, inf, -inf])
case([1.5, nan, inf, -inf])
case([1e-7, nan, inf, -inf])
case([nan, nan, inf, -inf, 0.0])
case([[inf, 0.0], [-0.0, nan]], "float64")
case([-0.0, 1.0, -1.0])
case([-0.0, 1.5, -100.25])
case([-1.0, 10.0, -100.0])
# Ties, which go to the even digit.
case([0.03125, 0.09375, 0.15625, -0.03125, 1.00005])
case([100005.0, 100015.0, 1.0, 100025.0])
case([0.00005, 0.00015, 0.00025], "float64")
case([0.99995, 0.99996, 9.99995, 9.99994], "float64")
case([999995.0, 1.0, 99999.5])
case([0.1, 0.2, 0.3], "float16")
case([65504.0, 1.0, 0.5], "float16")
case([1.0, 2.0, 4.0], "bfloat16")
case([0.1, 1000.0, inf], "bfloat16")
case([0.1, 0.2, 0.3], "float64")

# Integers and bools.
case([1, -20, 300])
case([1, -20, 300], "int64")
case([[1, 2], [30, -4]], "int32")
case([0, 255, 7], "uint8")
case([-128, 127], "int8")
case([-32768, 32767, 0], "int16")
case([2**63 - 1, -(2**63), 0], "int64")
case([True, False, True], "bool")
case([[True, True], [True, True]], "bool")

# Lines that wrap.
span([30], 0.0, 0.5)
span([100])
span([100], -50.0, 1.0, "int64")
span([27], 1000.0, 1.0, "int64")
span([60], 0.0, 1.0, "int32")
span([1000], 0.0, 1.0)
span([13], 1e-6, 3e-5)
span([8], 1e6, 1e7, "float64")
span([3, 30], 0.0, 0.125)
span([2, 40], -40.0, 1.0, "int64")
span([2, 2, 20], 0.0, 0.25, cls=array)
span([40], 0.0, 1.0, "bool")
case([i % 3 == 0 for i in range(45)], "bool", [3, 15])
case([nan if i % 4 == 0 else i * 1.0 for i in range(40)])
case([nan, inf] * 20)

# Dimensions.
span([2, 3, 4])
span([2, 1, 3, 2], 0.5, 0.25)
span([1, 1, 1, 1, 1])
span([2, 2, 2, 2, 2], 0.0, 1.0, "int64")
span([1, 0x3E8], 0.0, 1.0, "int64")
span([5, 1], 0.1, 0.2, "float64")
span([2, 3], cls=array)
span([12, 3], 0.0, 0.1, cls=array)

# Summaries.
span([1001])
span([1001], 0.0, 1.0, "int64")
span([1001], 0.0, 1.0, "bool")
span([2000], 0.0, 0.001)
span([5000], 1e-3, 1e-3, "float64")
span([40, 50], 0.0, 0.01)
span([6, 500], 0.0, 1.0, "int32")
span([7, 500], 0.0, 1.0)
span([500, 6], 0.0, 1.0)
span([300, 7], 0.0, 0.5, cls=array)
span([10, 10, 11], 0.0, 0.1)
span([7, 6, 5, 8], -100.0, 0.5)
span([2, 9, 2, 40], 0.0, 1.0, "int64")
span([1, 1, 2000], 0.0, 1e-6)
span([3, 1, 3, 1, 150], 1.0, 1.0)
span([1200, 1], 0.0, 1.0, "uint8")
span([2] * 10)

# Suffixes that do or do not fit on the last line.
for n in range(5, 14):
    span([n], 0.5, 1.0, "float64")
for n in range(8, 14):
    span([n], 0.5, 1.0, "float64", grad="leaf")
for n in range(6, 11):
    span([n], 0.5, 1.0, grad="node")
for n in [18, 19, 20, 21]:
    span([n], 0.0, 1.0, "int32")
    span([2, n], 0.0, 1.0, "int16")
span([2, 3], 0.5, 1.0, grad="leaf")
span([2, 3], 0.5, 1.0, "float64", grad="node")
span([2, 12], 0.5, 1.0, "float16", grad="node")
span([40, 40], 0.0, 1.0, "float64", grad="node")
span([1001], 0.0, 1.0, "float64", grad="leaf")

print("PyTorch", torch.__version__, file=sys.stderr)
