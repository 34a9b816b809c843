"""Regression on the diabetes table, cross-validated, as one writes it for PyTorch: only the imports differ.

    python tabular.py [--epochs N] [--folds N]
"""

import argparse
import csv
import gzip
from pathlib import Path

import wengert as torch
from wengert import nn
from wengert.nn import functional as F
from wengert.utils.data import DataLoader, TensorDataset

TABLE = Path(__file__).resolve().parent.parent / "data" / "diabetes.csv.gz"


def read():
    with gzip.open(TABLE, "rt") as file:
        rows = [[float(cell) for cell in row] for row in list(csv.reader(file))[1:]]
    table = torch.tensor(rows)
    return table[:, :-1], table[:, -1:]


def r2_score(found, truth):
    return 1 - (((truth - found) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()).item()


def train(x, y, epochs):
    model = nn.Sequential(nn.Linear(x.shape[1], 32), nn.Tanh(), nn.Dropout(0.3), nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    for _ in range(epochs):
        for batch_x, batch_y in loader:
            optimizer.zero_grad()
            F.mse_loss(model(batch_x), batch_y).backward()
            optimizer.step()
    return model.eval()


def main(args=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args(args)
    torch.manual_seed(0)
    x, y = read()
    order = torch.randperm(len(x))
    found = torch.zeros(len(x), 1)
    for fold in range(options.folds):
        test, rest = order[fold :: options.folds], [order[i :: options.folds] for i in range(options.folds) if i != fold]
        rows = torch.cat(rest)
        mean, std = x[rows].mean(0), x[rows].std(0)
        middle, width = y[rows].mean(), y[rows].std()
        model = train((x[rows] - mean) / std, (y[rows] - middle) / width, options.epochs)
        with torch.no_grad():
            found[test] = model((x[test] - mean) / std) * width + middle
        print(f"part {fold + 1}: R² {r2_score(found[test], y[test]):.3f}")
    r2 = r2_score(found, y)
    print(f"of all predictions together: R² {r2:.3f}")
    return r2


if __name__ == "__main__":
    main()
