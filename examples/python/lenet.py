"""A convolutional network that reads handwritten digits, as one writes it for PyTorch: only the imports differ.

    python lenet.py [--epochs N] [--most N]
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import wengert as torch
from wengert import nn
from wengert.nn import functional as F
from wengert.utils.data import DataLoader, TensorDataset

DATA = Path(__file__).resolve().parent.parent / "data"


def read_idx(name):
    """A gzipped IDX file of bytes: four bytes (the last is the rank), big-endian sizes, elements."""
    raw = gzip.decompress((DATA / name).read_bytes())
    end = 4 + 4 * raw[3]
    return np.frombuffer(raw, np.uint8, offset=end).reshape(np.frombuffer(raw[4:end], ">u4"))


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def shifted(x, most=2):
    """The pictures of a batch, shifted alike by up to two pixels: a shifted digit is the same digit."""
    down, right = (int(torch.randint(0, 2 * most + 1, (1,))) for _ in range(2))
    return F.pad(x, (most, most, most, most))[:, :, down : down + 28, right : right + 28]


@torch.no_grad()
def evaluate(model, x, y):
    model.eval()
    scores = model(x)
    model.train()
    read = scores.argmax(1)
    confusion = torch.zeros(10, 10, dtype=torch.int64)
    confusion.index_put_((y, read), torch.ones_like(y), accumulate=True)
    return F.cross_entropy(scores, y).item(), (read == y).float().mean().item(), confusion


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--most", type=int, default=10_000, help="use so many digits only")
    asked = parser.parse_args()

    torch.manual_seed(0)
    x = torch.from_numpy(read_idx("mnist-images.idx3.gz")[: asked.most].astype(np.float32) / 255).unsqueeze(1)
    y = torch.from_numpy(read_idx("mnist-labels.idx1.gz")[: asked.most].astype(np.int64))
    n = len(x) * 4 // 5
    loader = DataLoader(TensorDataset(x[:n], y[:n]), batch_size=32, shuffle=True)
    model = LeNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.02)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=asked.epochs * len(loader))
    started = time.perf_counter()
    for epoch in range(asked.epochs):
        total = 0.0
        for pictures, labels in loader:
            loss = F.cross_entropy(model(shifted(pictures)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item() * len(labels)
        held_out, accuracy, confusion = evaluate(model, x[n:], y[n:])
        print(f"epoch {epoch}: loss {total / n:.4f}, held out {held_out:.4f}, accuracy {100 * accuracy:.2f} %")
    print("what they are (rows) and what they were taken for (columns):")
    for row in confusion.tolist():
        print(" ".join(f"{count:4}" for count in row))
    print(f"held-out accuracy {100 * accuracy:.2f} % in {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
