#!/usr/bin/env python3
"""Make index.safetensors: values and gradients of shape and index operations, by PyTorch in float64.

Needs: pip install torch numpy safetensors. Run: python index.py

For each case NAME: the inputs NAME.x0, NAME.x1, ...; the output NAME.y; a random
upstream gradient NAME.dy of the output's shape; and the gradients NAME.g0, NAME.g1, ...
of sum(y * dy).
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


def ties(*shape):
    """Small whole numbers, so that equal values meet and zero turns up."""
    return rng.integers(-2, 3, shape).astype(np.float64)


def i(*rows):
    return torch.tensor(rows[0] if len(rows) == 1 else rows)


MASK = torch.tensor([[True, False, False, True], [False, True, False, False], [True, True, False, False]])
# Indices that meet, for a source of shape (3, 4) and a target of (4, 4).
MEET = i([0, 1, 3, 3], [0, 0, 3, 1], [2, 1, 3, 0])


def reduce(how, own):
    return lambda x, v: x.scatter_reduce(0, MEET, v, how, include_self=own)


# Name, function, inputs. Inputs are drawn in this order: put new cases last.
CASES = [
    ("index_list", lambda x: x[:, i([2, 0, 2]), 1:3], [normal(2, 3, 4)]),
    ("index_pair", lambda x: x[i([0], [1]), :, i([3, 0])], [normal(2, 3, 4)]),
    ("index_neighbours", lambda x: x[:, i([0, 2]), i([3, -1])], [normal(2, 3, 4)]),
    ("index_mask", lambda x: x[MASK], [normal(3, 4, 2)]),
    ("index_mask_and_list", lambda x: x[MASK, i([1])], [normal(3, 4, 2)]),
    ("index_steps", lambda x: x[1, ..., None, 1::2], [normal(2, 3, 4)]),
    ("index_put", lambda x, v: x.index_put((i([0, 2]), i([1, 1])), v), [normal(3, 4), normal(2)]),
    ("index_put_meeting", lambda x, v: x.index_put((i([0, 0, -1]),), v, accumulate=True),
     [normal(3, 4), normal(3, 1)]),
    ("index_put_mask", lambda x, v: x.index_put((MASK,), v), [normal(3, 4), normal(5)]),
    ("gather", lambda x: x.gather(1, i([0, 2, 2], [1, 1, 0])), [normal(3, 4)]),
    ("take_along_dim", lambda x: x.take_along_dim(i([[3]], [[0]]), 2), [normal(2, 3, 4)]),
    ("scatter", lambda x, v: x.scatter(1, i([0, 2], [1, 3]), v), [normal(3, 4), normal(2, 2)]),
    ("scatter_add", lambda x, v: x.scatter_add(0, MEET, v), [normal(4, 4), normal(3, 4)]),
    ("scatter_sum", reduce("sum", False), [normal(4, 4), normal(3, 4)]),
    ("scatter_mean", reduce("mean", True), [normal(4, 4), normal(3, 4)]),
    ("scatter_mean_alone", reduce("mean", False), [normal(4, 4), normal(3, 4)]),
    ("scatter_prod", reduce("prod", True), [ties(4, 4), ties(3, 4)]),
    ("scatter_prod_alone", reduce("prod", False), [ties(4, 4), ties(3, 4)]),
    ("scatter_amax", reduce("amax", True), [ties(4, 4), ties(3, 4)]),
    ("scatter_amin_alone", reduce("amin", False), [normal(4, 4), ties(3, 4)]),
    ("index_select", lambda x: x.index_select(1, i([3, 0, 3])), [normal(3, 4)]),
    ("index_add", lambda x, v: x.index_add(0, i([2, 0, 2]), v, alpha=-1.5), [normal(3, 4), normal(3, 4)]),
    ("index_copy", lambda x, v: x.index_copy(1, i([3, 1]), v), [normal(3, 4), normal(3, 2)]),
    ("index_fill", lambda x, v: x.index_fill(1, i([3, 1]), v), [normal(3, 4), normal()]),
    ("take", lambda x: x.take(i([0, 11], [5, 5])), [normal(3, 4)]),
    ("put", lambda x, v: x.put(i([0, 5, 5]), v, accumulate=True), [normal(3, 4), normal(3)]),
    ("masked_fill", lambda x, v: x.masked_fill(MASK, v), [normal(3, 4), normal()]),
    ("masked_select", lambda x: x.masked_select(MASK), [normal(2, 3, 4)]),
    ("masked_scatter", lambda x, v: x.masked_scatter(MASK, v), [normal(3, 4), normal(7)]),
    ("pad_constant", lambda x: F.pad(x, (1, -1, 2, 0), value=1.5), [normal(2, 3, 4)]),
    ("pad_reflect", lambda x: F.pad(x, (1, 2, 2, 0), mode="reflect"), [normal(2, 3, 4)]),
    ("pad_replicate", lambda x: F.pad(x, (3, 2, -1, 2), mode="replicate"), [normal(2, 3, 4)]),
    ("pad_circular", lambda x: F.pad(x, (4, 2, 1, 1, 0, 1), mode="circular"), [normal(1, 2, 2, 3, 4)]),
    ("unfold", lambda x: x.unfold(1, 3, 2), [normal(2, 7, 3)]),
    ("im2col", lambda x: F.unfold(x, (2, 3), (1, 2), (1, 2), (2, 1)), [normal(2, 2, 4, 5)]),
    ("col2im", lambda x: F.fold(x, (4, 5), (2, 3), (1, 2), (1, 2), (2, 1)), [normal(2, 12, 15)]),
    ("roll", lambda x: x.roll((1, -5), (0, 2)), [normal(2, 3, 4)]),
    ("rot90", lambda x: x.rot90(-1, (0, 2)), [normal(2, 3, 4)]),
    ("flip", lambda x: x.flip(0, -1), [normal(2, 3, 4)]),
    ("repeat", lambda x: x.repeat(2, 1, 3), [normal(3, 4)]),
    ("tile", lambda x: x.tile((2,)), [normal(3, 4)]),
    ("repeat_interleave", lambda x: x.repeat_interleave(2, 1), [normal(3, 4)]),
    ("repeat_interleave_each", lambda x: x.repeat_interleave(i([2, 0, 3]), 0), [normal(3, 4)]),
    ("movedim", lambda x: x.movedim((0, 2), (2, 1)), [normal(2, 3, 4)]),
    ("unflatten", lambda x: x.unflatten(1, (2, -1)), [normal(3, 4)]),
    ("diagonal", lambda x: x.diagonal(1, 0, 2), [normal(2, 3, 4)]),
    ("diag_embed", lambda x: x.diag_embed(-1, 0, 2), [normal(2, 3)]),
    ("diagonal_scatter", lambda x, v: x.diagonal_scatter(v, 1, 0, 2), [normal(2, 3, 4), normal(3, 2)]),
    ("select_scatter", lambda x, v: x.select_scatter(v, 1, -1), [normal(2, 3, 4), normal(2, 4)]),
    ("slice_scatter", lambda x, v: x.slice_scatter(v, 2, -3, None, 2), [normal(2, 3, 4), normal(2, 3, 2)]),
    ("tril", lambda x: x.tril(-1), [normal(2, 3, 4)]),
    ("triu", lambda x: x.triu(1), [normal(2, 3, 4)]),
    ("sort", lambda x: x.sort(dim=1, descending=True, stable=True)[0], [ties(3, 5)]),
    ("topk", lambda x: x.topk(2, 0)[0], [normal(5, 3)]),
    ("kthvalue", lambda x: x.kthvalue(2, 1, True)[0], [normal(3, 5)]),
    ("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), [normal(2, 8, 2, 3)]),
    ("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), [normal(2, 2, 4, 2)]),
    ("channel_shuffle", lambda x: F.channel_shuffle(x, 3), [normal(2, 6, 2)]),
    ("block_diag", torch.block_diag, [normal(2, 3), normal(2), normal()]),
    ("cartesian_prod", torch.cartesian_prod, [normal(2), normal(3)]),
    ("combinations", lambda x: torch.combinations(x, 3, True), [normal(4)]),
    ("column_stack", lambda a, b: torch.column_stack((a, b)), [normal(3), normal(3, 2)]),
    ("dstack", lambda a, b: torch.dstack((a, b)), [normal(3, 2), normal(3, 2)]),
    ("meshgrid", lambda a, b: torch.meshgrid(a, b, indexing="xy")[0], [normal(3), normal(2)]),
    ("tensor_split", lambda x: x.tensor_split((1, -1), 1)[1], [normal(2, 5)]),
]


def main():
    out = {}
    for name, function, arrays in CASES:
        inputs = [torch.from_numpy(np.asarray(a)).requires_grad_() for a in arrays]
        y = function(*inputs)
        dy = torch.from_numpy(np.asarray(rng.standard_normal(tuple(y.shape))))
        gradients = torch.autograd.grad(y, inputs, dy, allow_unused=True)
        for k, (x, g) in enumerate(zip(inputs, gradients)):
            out[f"{name}.x{k}"], out[f"{name}.g{k}"] = x, torch.zeros_like(x) if g is None else g
        out[f"{name}.y"], out[f"{name}.dy"] = y, dy
    # The file wants plain tensors with memory of their own.
    out = {key: value.detach().clone(memory_format=torch.contiguous_format) for key, value in out.items()}
    path = Path(__file__).resolve().parent / "index.safetensors"
    save_file(out, path, metadata={"torch": torch.__version__})
    print(f"torch {torch.__version__}: {len(CASES)} cases, {len(out)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
