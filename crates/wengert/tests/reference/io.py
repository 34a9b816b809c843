#!/usr/bin/env python3
"""Make the files in io/: checkpoints and arrays written by others, to read them in tests/io.

Needs: pip install torch numpy safetensors. Run: python io.py
"""

import collections
import os
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

OUT = Path(__file__).resolve().parent / "io"
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/wengert-was-here",)


def main():
    torch.manual_seed(0)
    base = torch.arange(12.0)
    everything = {
        "dtypes": {d: torch.tensor([0, 1, 2, 100]).to(getattr(torch, d)) for d in DTYPES},
        "turned": base.view(3, 4).t(),
        "middle": base.view(3, 4)[1:, 1:3],
        "spread": torch.tensor([7.0]).expand(3, 2),
        "zero_d": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": nn.Parameter(torch.tensor([1.0, -1.0])),
        "ordered": collections.OrderedDict(a=1, b=[1, 2.5, None, True, "text"]),
        "tuple": (1, (2, 3)),
        "large": 2**40,
        "negative": -3,
        5: "number key",
        "size": torch.Size([2, 3]),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "bytes": b"\x00\xff",
    }
    torch.save(everything, OUT / "everything.pt")
    torch.save({"x": Evil()}, OUT / "evil.pt")
    torch.save(nn.Linear(1, 1), OUT / "model.pt")
    torch.save({"x": torch.zeros(2)}, OUT / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"x": torch.zeros(2, dtype=torch.complex64)}, OUT / "complex.pt")

    # A model and its optimizer in the middle of training, the gradients of one more step, and what that gives.
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)

    def step():
        optimizer.zero_grad()
        loss = (model(torch.randn(5, 3)) ** 2).mean()
        loss.backward()
        optimizer.step()

    for _ in range(3):
        step()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    # A copy, since the optimizer's tensors go on changing.
    state = optimizer.state_dict()
    state["state"] = {i: {k: v.clone() for k, v in s.items()} for i, s in state["state"].items()}
    step()
    torch.save({"model": before, "optimizer": state, "grads": [p.grad for p in model.parameters()],
                "after": model.state_dict()}, OUT / "training.pt")

    grid = np.arange(6, dtype=np.float32).reshape(2, 3)
    arrays = {"grid": grid, "ints": np.array([-1, 2**40]), "flags": np.array([True, False]), "scalar": np.float64(0.5)}
    np.savez(OUT / "arrays.npz", **arrays)
    np.savez_compressed(OUT / "packed.npz", **arrays, zeros=np.zeros(4096, dtype=np.float32))
    np.save(OUT / "fortran.npy", np.asfortranarray(grid))
    np.save(OUT / "big_endian.npy", grid.astype(">f8"))
    np.save(OUT / "unsigned.npy", np.array([1, 65535], dtype=np.uint16))
    np.save(OUT / "objects.npy", np.array([None, 1], dtype=object))
    save_file({d: torch.tensor([[0, 1], [2, 100]]).to(getattr(torch, d)) for d in DTYPES}, OUT / "dtypes.safetensors",
              metadata={"format": "pt"})


if __name__ == "__main__":
    main()
