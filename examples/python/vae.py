"""A variational autoencoder of handwritten digits, as one writes it for PyTorch: only the imports differ.

    python vae.py [--epochs N] [--pictures N]
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import wengert as torch
from wengert import nn
from wengert.nn import functional as F
from wengert.utils.data import DataLoader, TensorDataset

DIGITS = Path(__file__).resolve().parent.parent / "data" / "mnist-images.idx3.gz"


class VAE(nn.Module):
    def __init__(self, hidden=256, latent=10):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, 784))

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        drawn = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return self.decoder(drawn), mean, log_variance


def bound(model, x):
    """The negative evidence lower bound, in nats a picture."""
    logits, mean, log_variance = model(x)
    pixels = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    far = 0.5 * torch.sum(mean.pow(2) + log_variance.exp() - 1 - log_variance)
    return (pixels + far) / len(x)


def main(args=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--pictures", type=int, default=9000)
    options = parser.parse_args(args)
    torch.manual_seed(0)
    raw = np.frombuffer(gzip.decompress(DIGITS.read_bytes()), np.uint8, offset=16)
    pixels = torch.from_numpy(raw.reshape(-1, 784).astype(np.float32) / 255)
    train, test = pixels[: options.pictures], pixels[9000:]
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(train), batch_size=100, shuffle=True)
    for epoch in range(options.epochs):
        for (x,) in loader:
            optimizer.zero_grad()
            loss = bound(model, x)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            nats = bound(model, test).item()
        print(f"epoch {epoch + 1}: {nats:.1f} nats a picture on pictures held out")
    with torch.no_grad():
        picture = torch.sigmoid(model.decoder(torch.randn(1, 10))).reshape(28, 28)[::2]
    print("\n".join("".join(" .:oO@"[int(v * 5.99)] for v in row) for row in picture.tolist()))
    return nats


if __name__ == "__main__":
    main()
