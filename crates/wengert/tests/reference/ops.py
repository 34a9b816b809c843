#!/usr/bin/env python3
"""Make ops.safetensors: values and gradients of single operations, by PyTorch in float64.

Needs: pip install torch numpy safetensors. Run: python ops.py

For each case NAME: the inputs NAME.x0, NAME.x1, ...; the output NAME.y; a random
upstream gradient NAME.dy of the output's shape; and the gradients NAME.g0, NAME.g1, ...
of sum(y * dy). `where` also has NAME.cond (u8), cross_entropy NAME.target (i64).
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


def positive(*shape):
    return rng.uniform(0.2, 3.0, shape)


def ties(*shape):
    """Small whole numbers, so that equal values meet and zero turns up."""
    return rng.integers(-1, 2, shape).astype(np.float64)


def kinked(*shape):
    """Normal values with an exact zero first: PyTorch's choice of slope there is kept too."""
    x = normal(*shape)
    x.flat[0] = 0.0
    return x


COND = torch.from_numpy(rng.integers(0, 2, (3, 4)).astype(np.uint8))
TARGET = torch.from_numpy(rng.integers(0, 5, 6))
# Tensors a case needs besides the ones it is differentiated by.
EXTRA = {"where": ("cond", COND), "cross_entropy": ("target", TARGET)}

# Name, function, inputs. Inputs are drawn in this order: put new cases last.
CASES = [
    ("add", torch.add, [normal(3, 1, 4), normal(2, 1)]),
    ("sub", torch.sub, [normal(3, 1, 4), normal(2, 1)]),
    ("mul", torch.mul, [normal(3, 1, 4), normal(2, 1)]),
    ("div", torch.div, [normal(3, 1, 4), positive(2, 1)]),
    ("maximum", torch.maximum, [ties(3, 1, 4), ties(2, 1)]),
    ("minimum", torch.minimum, [ties(3, 1, 4), ties(2, 1)]),
    ("pow", torch.pow, [positive(3, 1, 4), normal(2, 1)]),
    ("exp", torch.exp, [normal(3, 4)]),
    ("log", torch.log, [positive(3, 4)]),
    ("sqrt", torch.sqrt, [positive(3, 4)]),
    ("tanh", torch.tanh, [normal(3, 4)]),
    ("sigmoid", torch.sigmoid, [normal(3, 4)]),
    ("relu", torch.relu, [kinked(3, 4)]),
    ("gelu", F.gelu, [normal(3, 4)]),
    ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), [normal(3, 4)]),
    ("sin", torch.sin, [normal(3, 4)]),
    ("cos", torch.cos, [normal(3, 4)]),
    ("abs", torch.abs, [kinked(3, 4)]),
    ("where", lambda a, b: torch.where(COND.bool(), a, b), [normal(3, 4), normal(4)]),
    ("sum", lambda x: x.sum((0, 2)), [normal(2, 3, 4)]),
    ("sum_keepdim", lambda x: x.sum((0, 2), keepdim=True), [normal(2, 3, 4)]),
    ("mean", lambda x: x.mean((0, 2)), [normal(2, 3, 4)]),
    ("mean_keepdim", lambda x: x.mean((0, 2), keepdim=True), [normal(2, 3, 4)]),
    ("amax", lambda x: x.amax(1), [ties(2, 5, 3)]),
    ("matmul_2d", torch.matmul, [normal(3, 4), normal(4, 5)]),
    ("matmul_batch", torch.matmul, [normal(2, 3, 4), normal(4, 5)]),
    ("matmul_broadcast", torch.matmul, [normal(2, 1, 3, 4), normal(5, 4, 2)]),
    ("matmul_vec_vec", torch.matmul, [normal(4), normal(4)]),
    ("matmul_mat_vec", torch.matmul, [normal(3, 4), normal(4)]),
    ("matmul_vec_mat", torch.matmul, [normal(4), normal(4, 3)]),
    ("softmax_last", lambda x: x.softmax(-1), [normal(2, 3, 4)]),
    ("softmax_first", lambda x: x.softmax(0), [normal(2, 3, 4)]),
    ("log_softmax", lambda x: x.log_softmax(1), [normal(2, 3, 4)]),
    ("cat", lambda a, b: torch.cat([a, b], 1), [normal(2, 3, 2), normal(2, 1, 2)]),
    ("stack", lambda a, b: torch.stack([a, b], 0), [normal(2, 3), normal(2, 3)]),
    ("mse_loss", F.mse_loss, [normal(3, 4), normal(3, 4)]),
    ("cross_entropy", lambda x: F.cross_entropy(x, TARGET), [normal(6, 5)]),
    ("linear", F.linear, [normal(5, 3), normal(4, 3), normal(4)]),
]


def main():
    out = {}
    for name, function, arrays in CASES:
        inputs = [torch.from_numpy(a).requires_grad_() for a in arrays]
        y = function(*inputs)
        dy = torch.from_numpy(np.asarray(rng.standard_normal(tuple(y.shape))))
        gradients = torch.autograd.grad(y, inputs, dy)
        for i, (x, g) in enumerate(zip(inputs, gradients)):
            out[f"{name}.x{i}"], out[f"{name}.g{i}"] = x, g
        out[f"{name}.y"], out[f"{name}.dy"] = y, dy
        if name in EXTRA:
            key, value = EXTRA[name]
            out[f"{name}.{key}"] = value
    # The file wants plain tensors with memory of their own.
    out = {key: value.detach().clone(memory_format=torch.contiguous_format)
           for key, value in out.items()}
    path = Path(__file__).resolve().parent / "ops.safetensors"
    save_file(out, path, metadata={"torch": torch.__version__})
    print(f"torch {torch.__version__}: {len(CASES)} cases, {len(out)} tensors, "
          f"{path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
