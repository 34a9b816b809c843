#!/usr/bin/env python3
"""Make training.json: small models trained by PyTorch with each of its optimizers, to compare our training with.

Needs: pip install torch numpy. Run: python training.py

Models, and what they learn:
    mlp          two linear layers                          the 8x8 digits of examples/data
    cnn          two convolutions with batch normalisation  the same
    lstm         an LSTM over letters                       the next letter in the names of examples/data
    transformer  two encoder layers with a causal mask      the same

First weights and the places of the text come from a formula, `numbers_from`, so that they need no file. Each run has 50
steps (200 of the mlp) of 16 digits or of 8 pieces of 8 letters, and L-BFGS 4 steps of up to 4 iterations on the first batch. Lion, which
PyTorch lacks, is written out from its paper; Muon iterates in the parameters' own precision, where PyTorch would go
through bfloat16, and leaves vectors, convolutions and tables to AdamW. The biases within attention stay as they are: that of
the keys has no gradient but rounding, of which Adam and its kin would make steps.

For each model and optimizer:
    losses    before each step, in f64
    weights   for each parameter at the end the sum of its numbers, each times a number of the formula, in f64
    rounding  how far the same run in f32 is from these, relative to the largest: of the losses, of the weights
"""

import gzip
import json
from pathlib import Path

import numpy as np
import torch
from optimizers import Lion
from torch import nn, optim

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[3] / "examples" / "data"
STEPS = {"mlp": 200, "cnn": 50, "lstm": 50, "transformer": 50}
FULL_STEPS, DIGITS, PIECES, CONTEXT, ROWS = 4, 16, 8, 8, 1500
WEIGHTS, PLACES, FACTORS = 1 << 40, 2 << 40, 3 << 40


def numbers_from(start, count):
    """64-bit numbers that look random: those of the generator splitmix64 from number `start` on."""
    z = (np.arange(start, start + count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def spread(start, count):
    """Numbers in [-1, 1)."""
    return 2.0 * ((numbers_from(start, count) >> np.uint64(40)).astype(np.float64) / (1 << 24)) - 1.0


def begin(model):
    """Matrices spread evenly in ±1/√(length of a row), vectors 0, scales of a norm 1."""
    place = WEIGHTS
    for name, p in model.named_parameters():
        if p.ndim < 2:
            value = torch.full(p.shape, 1.0 if name.endswith("weight") else 0.0)
        else:
            bound = 1.0 / np.sqrt(float(np.prod(p.shape[1:])))
            value = torch.from_numpy((spread(place, p.numel()) * bound).astype(np.float32)).view(p.shape)
            place += p.numel()
        p.data = value


def weights(model):
    place, sums = FACTORS, []
    for p in model.parameters():
        sums.append(float(p.detach().double().numpy().ravel() @ spread(place, p.numel())))
        place += p.numel()
    return sums


def read_idx(name):
    """A gzipped IDX file of u8: four bytes (the last is the rank), big-endian sizes, data."""
    raw = gzip.decompress((DATA / name).read_bytes())
    end = 4 + 4 * raw[3]
    return np.frombuffer(raw, np.uint8, offset=end).reshape(np.frombuffer(raw[4:end], ">u4"))


# Sixteenths are exact in f32, so both precisions see the very same data.
images = torch.from_numpy(read_idx("digits-images.idx3.gz") / np.float32(16))
labels = torch.from_numpy(read_idx("digits-labels.idx1.gz").astype(np.int64))
text = gzip.decompress((DATA / "names.txt.gz").read_bytes()).decode()
kinds = sorted(set(text))
letters = torch.tensor([kinds.index(c) for c in text])


class Digits(nn.Sequential):
    def loss(self, step):
        rows = (step * DIGITS + torch.arange(DIGITS)) % ROWS
        x = images[rows].to(self[-1].weight.dtype)
        x = x.unsqueeze(1) if isinstance(self[0], nn.Conv2d) else x.flatten(1)
        return nn.functional.cross_entropy(self(x), labels[rows])


class Letters(nn.Module):
    def loss(self, step):
        starts = numbers_from(PLACES + step * PIECES, PIECES) % np.uint64(len(letters) - CONTEXT)
        places = torch.from_numpy(starts.astype(np.int64))[:, None] + torch.arange(CONTEXT)
        return nn.functional.cross_entropy(self(letters[places]).flatten(0, 1), letters[places + 1].flatten())


class Lstm(Letters):
    def __init__(self):
        super().__init__()
        self.letter = nn.Embedding(len(kinds), 8)
        self.lstm = nn.LSTM(8, 16, batch_first=True)
        self.head = nn.Linear(16, len(kinds))

    def forward(self, x):
        return self.head(self.lstm(self.letter(x))[0])


class Transformer(Letters):
    def __init__(self):
        super().__init__()
        self.letter = nn.Embedding(len(kinds), 16)
        self.place = nn.Embedding(CONTEXT, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, activation="gelu", batch_first=True,
                                           norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(16), enable_nested_tensor=False)
        self.head = nn.Linear(16, len(kinds))
        for layer in self.encoder.layers:
            layer.self_attn.in_proj_bias.requires_grad_(False)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(CONTEXT, dtype=self.head.weight.dtype)
        return self.head(self.encoder(self.letter(x) + self.place.weight, mask=mask, is_causal=True))


MODELS = {
    "mlp": lambda: Digits(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
    "cnn": lambda: Digits(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 10)),
    "lstm": Lstm,
    "transformer": Transformer,
}


def trained(model):
    return [p for p in model.parameters() if p.requires_grad]


def muon(model):
    tables = {id(p) for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    for_muon = [p for p in model.parameters() if p.ndim == 2 and id(p) not in tables]
    rest = [p for p in trained(model) if all(p is not q for q in for_muon)]
    return [optim.Muon(for_muon, lr=0.02), optim.AdamW(rest, lr=3e-3)]


def one(make):
    return lambda model: [make(trained(model))]


OPTIMIZERS = {
    "sgd": one(lambda p: optim.SGD(p, lr=0.1, momentum=0.9)),
    "nesterov": one(lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True)),
    "adam": one(lambda p: optim.Adam(p, lr=3e-3)),
    "adamw": one(lambda p: optim.AdamW(p, lr=3e-3, weight_decay=0.1)),
    "nadam": one(lambda p: optim.NAdam(p, lr=3e-3)),
    "radam": one(lambda p: optim.RAdam(p, lr=3e-3)),
    "adamax": one(lambda p: optim.Adamax(p, lr=3e-3)),
    "rmsprop": one(lambda p: optim.RMSprop(p, lr=2e-3, momentum=0.5)),
    "adagrad": one(lambda p: optim.Adagrad(p, lr=0.03)),
    "adadelta": one(lambda p: optim.Adadelta(p, lr=1.0)),
    "lion": one(lambda p: Lion(p, lr=1e-3, weight_decay=0.1)),
    "muon": muon,
    "lbfgs": one(lambda p: optim.LBFGS(p, lr=1.0, max_iter=4, line_search_fn="strong_wolfe")),
}


def train(model, optimizers, steps):
    losses = []
    full = isinstance(optimizers[0], optim.LBFGS)
    for step in range(FULL_STEPS if full else steps):

        def closure():
            model.zero_grad()
            loss = model.loss(0 if full else step)
            loss.backward()
            return loss

        if full:
            loss = optimizers[0].step(closure)
        else:
            loss = closure()
            for optimizer in optimizers:
                optimizer.step()
        losses.append(float(loss.detach()))
    return losses, weights(model)


def apart(a, b):
    return max(abs(x - y) for x, y in zip(a, b)) / max(abs(y) for y in b)


def main():
    # One thread, so that sums are always taken in the same order.
    torch.set_num_threads(1)
    out = {"torch": torch.__version__}
    for name, make in MODELS.items():
        out[name] = {}
        for run, optimizers in OPTIMIZERS.items():
            kept = {}
            for dtype in [torch.float32, torch.float64]:
                # NAdam keeps a product of momenta in the default dtype.
                torch.set_default_dtype(torch.float32)
                model = make()
                begin(model)
                torch.set_default_dtype(dtype)
                model.to(dtype)
                kept[dtype] = train(model, optimizers(model), STEPS[name])
            losses, sums = kept[torch.float64]
            rounding = [float(f"{apart(a, b):.2g}") for a, b in zip(kept[torch.float32], kept[torch.float64])]
            out[name][run] = {"losses": losses, "weights": sums, "rounding": rounding}
            print(f"{name:12} {run:9} {losses[0]:.4f} -> {losses[-1]:.4f}   f32 to f64: {rounding}")
    # A run a line.
    text = json.dumps(out).replace('}, "', '},\n"').replace(': {"', ':\n{"')
    (HERE / "training.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
