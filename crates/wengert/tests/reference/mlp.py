#!/usr/bin/env python3
"""Make mlp.safetensors: one small MLP trained by PyTorch, to compare our training with.

Needs: pip install torch numpy safetensors. Run: python mlp.py

The network is Linear(64, 32), ReLU, Linear(32, 10), trained for 200 steps with
mean cross entropy on the first 1,500 of the 8x8 digits, pixels divided by 16.
Step s uses the 64 rows (s * 64 + i) % 1500. Each run starts from the same weights:

    sgd    SGD(lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True)
    adam   Adam(lr=1e-3)
    adamw  AdamW(lr=1e-3, weight_decay=1e-2)

and is made twice, in f32 and in f64. How far PyTorch's own two results lie
apart shows what rounding alone does; that is printed at the end.

Tensors written (0 and 2 are the places of the two Linear layers, weights are [out, in]):
    init.{0,2}.{weight,bias}               f32, where every run starts
    {run}.{f32,f64}.losses                 [200], before each step's update
    {run}.{f32,f64}.{0,2}.{weight,bias}    after step 200
"""

import copy
import gzip
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[3] / "examples" / "data"
STEPS, BATCH, ROWS = 200, 64, 1500

RUNS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=1e-2),
}


def read_idx(name):
    """A gzipped IDX file of u8: four bytes (the last is the rank), big-endian sizes, data."""
    raw = gzip.decompress((DATA / name).read_bytes())
    assert raw[:3] == b"\0\0\x08"
    end = 4 + 4 * raw[3]
    return np.frombuffer(raw, np.uint8, offset=end).reshape(np.frombuffer(raw[4:end], ">u4"))


def train(model, optimizer, images, labels):
    losses = []
    for step in range(STEPS):
        rows = (step * BATCH + torch.arange(BATCH)) % ROWS
        loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def main():
    # One thread, so that sums are always taken in the same order.
    torch.set_num_threads(1)
    torch.manual_seed(0)
    start = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    # Sixteenths are exact in f32, so both precisions see the very same data.
    images = torch.from_numpy(read_idx("digits-images.idx3.gz").reshape(-1, 64) / np.float32(16))
    labels = torch.from_numpy(read_idx("digits-labels.idx1.gz").astype(np.int64))

    out = {f"init.{name}": value.clone() for name, value in start.state_dict().items()}
    for run, make in RUNS.items():
        for name, dtype in [("f32", torch.float32), ("f64", torch.float64)]:
            model = copy.deepcopy(start).to(dtype)
            optimizer = make(model.parameters())
            out[f"{run}.{name}.losses"] = train(model, optimizer, images.to(dtype), labels)
            for key, value in model.state_dict().items():
                out[f"{run}.{name}.{key}"] = value.clone()

    save_file(out, HERE / "mlp.safetensors", metadata={"torch": torch.__version__})

    print(f"torch {torch.__version__}; largest |f32 - f64|, and the loss (f64) first and last:")
    for run in RUNS:
        gap = {
            key: (out[f"{run}.f32.{key}"].double() - out[f"{run}.f64.{key}"]).abs().max().item()
            for key in ["losses", *start.state_dict()]
        }
        losses = out[f"{run}.f64.losses"]
        weights = max(value for key, value in gap.items() if key != "losses")
        print(f"{run:6} losses {gap['losses']:.2e}  weights {weights:.2e}  "
              f"loss {losses[0].item():.4f} -> {losses[-1].item():.4f}")


if __name__ == "__main__":
    main()
