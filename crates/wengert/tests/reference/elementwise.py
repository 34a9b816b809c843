#!/usr/bin/env python3
"""Make elementwise.safetensors: values and gradients at awkward numbers, by PyTorch in float64.

Needs: pip install torch numpy safetensors. Run: python elementwise.py

Zeros of both signs, ties, infinities, NaN, the ends of domains: what elementwise operations,
reductions and scans make of them. Each case has NAME.x0, NAME.x1, ..., NAME.y, and where y is a
float NAME.dy and the gradients NAME.g0, NAME.g1, ... of sum(y * dy). bool is stored as u8.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

inf, nan = float("inf"), float("nan")
LINE = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.5, -2.5, 1.5, -1.5, 3.0, -3.0, 0.3, -0.7, 7.3, -7.3,
        1e-10, -1e-5, 25.0, -25.0, 300.0, -300.0, inf, -inf, nan]
EDGE = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 7.5, inf, -inf, nan]
A, B = (np.array(v) for v in zip(*[(a, b) for a in EDGE for b in EDGE]))
LINE = np.array(LINE)


def rows():
    """Rows with zeros, ties, infinities and NaN."""
    return np.array([[1.0, 2.0, 3.0, -4.0], [0.0, 2.0, 0.5, 2.0], [0.0, -1.5, 0.0, 1.0],
                     [2.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0], [-inf, -inf, -inf, -inf],
                     [inf, 1.0, -inf, 0.0], [nan, 1.0, 2.0, -1.0], [1e-200, 1e200, -1.0, 1.0]])


UNARY = {
    "abs": torch.abs, "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt,
    "exp2": torch.exp2, "expm1": torch.expm1, "log1p": torch.log1p, "log2": torch.log2,
    "log10": torch.log10, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal,
    "square": torch.square, "entr": torch.special.entr, "logit": torch.logit,
    "logit_eps": lambda x: torch.logit(x, 0.25),
    "tan": torch.tan, "asin": torch.asin, "acos": torch.acos, "atan": torch.atan,
    "sinh": torch.sinh, "cosh": torch.cosh, "asinh": torch.asinh, "acosh": torch.acosh,
    "atanh": torch.atanh, "sinc": torch.sinc, "deg2rad": torch.deg2rad, "rad2deg": torch.rad2deg,
    "erf": torch.erf, "erfc": torch.erfc, "erfinv": torch.erfinv, "lgamma": torch.lgamma,
    "digamma": torch.digamma, "polygamma1": lambda x: torch.polygamma(1, x),
    "polygamma3": lambda x: torch.polygamma(3, x),
    "i0": torch.special.i0, "i0e": torch.special.i0e, "i1": torch.special.i1,
    "i1e": torch.special.i1e, "ndtri": torch.special.ndtri, "ndtr": torch.special.ndtr,
    "log_ndtr": torch.special.log_ndtr, "erfcx": torch.special.erfcx,
    "ceil": torch.ceil, "floor": torch.floor, "trunc": torch.trunc, "round": torch.round,
    "round1": lambda x: torch.round(x, decimals=1), "frac": torch.frac, "sign": torch.sign,
    "isnan": torch.isnan, "isinf": torch.isinf, "isfinite": torch.isfinite,
    "isposinf": torch.isposinf, "isneginf": torch.isneginf, "signbit": torch.signbit,
    "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "silu": F.silu,
    "mish": F.mish, "softplus": F.softplus, "softplus_with": lambda x: F.softplus(x, 2.0, 4.0),
    "logsigmoid": F.logsigmoid, "softsign": F.softsign, "tanhshrink": F.tanhshrink,
    "elu": lambda x: F.elu(x, 0.75), "selu": F.selu, "celu": lambda x: F.celu(x, 0.5),
    "gelu": F.gelu, "leaky_relu": lambda x: F.leaky_relu(x, 0.2), "relu6": F.relu6,
    "hardtanh": F.hardtanh, "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish,
    "threshold": lambda x: F.threshold(x, 0.5, -2.0), "softshrink": F.softshrink,
    "hardshrink": F.hardshrink, "clamp": lambda x: torch.clamp(x, -1.0, 2.5),
    "clamp_min": lambda x: torch.clamp(x, min=0.5), "clamp_max": lambda x: torch.clamp(x, max=0.5),
    "nan_to_num": lambda x: torch.nan_to_num(x, 0.5, 4.0, -4.0),
    "pow0": lambda x: x ** 0.0, "pow2": lambda x: x ** 2.0, "pow3": lambda x: x ** 3.0,
    "pow_half": lambda x: x ** 0.5, "pow_minus1": lambda x: x ** -1.0, "pow1_5": lambda x: x ** 1.5,
    "base0": lambda x: 0.0 ** x, "base2": lambda x: 2.0 ** x,
}
BINARY = {
    "add": torch.add, "mul": torch.mul, "div": torch.div, "pow": torch.pow,
    "maximum": torch.maximum, "minimum": torch.minimum, "fmax": torch.fmax, "fmin": torch.fmin,
    "atan2": torch.atan2, "hypot": torch.hypot, "logaddexp": torch.logaddexp,
    "logaddexp2": torch.logaddexp2, "xlogy": torch.xlogy, "xlog1py": torch.special.xlog1py,
    "fmod": torch.fmod, "remainder": torch.remainder, "copysign": torch.copysign,
    "floor_divide": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "trunc_divide": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "clamp_min_tensor": lambda a, b: torch.clamp(a, min=b),
    "clamp_max_tensor": lambda a, b: torch.clamp(a, max=b),
    "clamp_tensor": lambda a, b: torch.clamp(a, b, b + 1.0),
    "isclose": lambda a, b: torch.isclose(a, b + 1e-7, 1e-5, 1e-8),
    "isclose_nan": lambda a, b: torch.isclose(a, b, 1e-5, 1e-8, equal_nan=True),
    "lerp": lambda a, b: torch.lerp(a, b, 0.25), "prelu": lambda a, b: F.prelu(a[None], b)[0],
    "where": lambda a, b: torch.where(a > 0, a, b), "addcmul": lambda a, b: torch.addcmul(a, a, b, value=2.0),
    "addcdiv": lambda a, b: torch.addcdiv(a, a, b, value=2.0),
    "heaviside": lambda a, b: torch.heaviside(a.detach(), b.detach()),
}
ROWS = {
    "prod": lambda x: x.prod(1), "cumsum": lambda x: x.cumsum(1), "cumprod": lambda x: x.cumprod(1),
    "logsumexp": lambda x: x.logsumexp(1), "logcumsumexp": lambda x: x[:8].logcumsumexp(1),
    "var": lambda x: x.var(1), "var0": lambda x: x.var(1, correction=0), "std": lambda x: x.std(1),
    "var_of_one": lambda x: x.narrow(1, 0, 1).var(1), "std_of_one": lambda x: x.narrow(1, 0, 1).std(1),
    "norm2": lambda x: torch.linalg.vector_norm(x, 2, 1), "norm1": lambda x: torch.linalg.vector_norm(x, 1, 1),
    "norm0": lambda x: torch.linalg.vector_norm(x, 0, 1), "norm3": lambda x: torch.linalg.vector_norm(x, 3, 1),
    "norm1_5": lambda x: torch.linalg.vector_norm(x, 1.5, 1), "norm_half": lambda x: torch.linalg.vector_norm(x, 0.5, 1),
    "norm_inf": lambda x: torch.linalg.vector_norm(x, inf, 1),
    "norm_minus_inf": lambda x: torch.linalg.vector_norm(x, -inf, 1),
    "amax": lambda x: x.amax(1), "amin": lambda x: x.amin(1),
    "max": lambda x: x.max(1).values, "min": lambda x: x.min(1).values,
    "max_index": lambda x: x.max(1).indices, "cummax_index": lambda x: x.cummax(1).indices,
    "cummax": lambda x: x.cummax(1).values, "cummin": lambda x: x.cummin(1).values,
    "median": lambda x: x.median(1).values, "nanmedian": lambda x: x.nanmedian(1).values,
    "nansum": lambda x: x.nansum(1), "nanmean": lambda x: x.nanmean(1), "mean": lambda x: x.mean(1),
    "count_nonzero": lambda x: x.count_nonzero(1), "all": lambda x: x.all(1), "any": lambda x: x.any(1),
    "softmax": lambda x: x.softmax(1), "log_softmax": lambda x: x.log_softmax(1),
    "diff": lambda x: x.diff(dim=1), "trapezoid": lambda x: torch.trapezoid(x, dx=0.5, dim=1),
    "cumulative_trapezoid": lambda x: torch.cumulative_trapezoid(x, dx=0.5, dim=1),
    "glu": lambda x: F.glu(x, 1), "renorm": lambda x: x.renorm(2, 0, 1.5),
}


def main():
    cases = [("unary." + name, f, [LINE]) for name, f in UNARY.items()]
    cases += [("binary." + name, f, [A, B]) for name, f in BINARY.items()]
    cases += [("rows." + name, f, [rows()]) for name, f in ROWS.items()]
    out = {}
    for name, function, arrays in cases:
        inputs = [torch.from_numpy(a.copy()).requires_grad_() for a in arrays]
        y = function(*inputs)
        for i, x in enumerate(inputs):
            out[f"{name}.x{i}"] = x
        out[f"{name}.y"] = y.to(torch.uint8) if y.dtype == torch.bool else y
        if y.requires_grad:
            dy = torch.arange(1, y.numel() + 1, dtype=torch.float64).reshape(y.shape) / 8
            gradients = torch.autograd.grad(y, inputs, dy, allow_unused=True)
            out[f"{name}.dy"] = dy
            for i, g in enumerate(gradients):
                out[f"{name}.g{i}"] = torch.zeros_like(inputs[i]) if g is None else g
    out = {key: value.detach().clone(memory_format=torch.contiguous_format)
           for key, value in out.items()}
    path = Path(__file__).resolve().parent / "elementwise.safetensors"
    save_file(out, path, metadata={"torch": torch.__version__})
    print(f"torch {torch.__version__}: {len(cases)} cases, {len(out)} tensors, "
          f"{path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
