#!/usr/bin/env python3
"""Whole models from Python beside PyTorch, a step of training and an evaluation each: where are we slow?

    python3 benches/models.py [--threads 1] [--only SUBSTRING]

The same words build each model with both packages, which run in one process, in turn; a line is PyTorch's median time over
Wengert's, so above 1 is faster. Pin it to as many cores as it has threads: `taskset -c 1 python3 …`.
"""

import argparse
import statistics
import time

import numpy as np
import torch
import wengert

rng = np.random.default_rng(0)
MODELS = {}


def model(f):
    """`f(m, nn)` gives a module, its loss, an optimizer's class, and its inputs."""
    MODELS[f.__name__.replace("_", " ")] = f


def normal(*shape):
    return rng.standard_normal(shape, dtype=np.float32)


def whole(high, *shape):
    return rng.integers(0, high, shape)


def residual(m, nn):
    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            same = stride == 1 and inputs == outputs
            self.short = nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = m.relu(self.bn1(self.conv1(x)))
            return m.relu(self.bn2(self.conv2(y)) + self.short(x))

    return Block


@model
def ResNet_18_of_32x32(m, nn):
    Block = residual(m, nn)
    widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    blocks = [Block(i, o, 2 if o > i else 1) for i, o in zip(widths, widths[1:])]
    net = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    return net, nn.CrossEntropyLoss(), lambda p: m.optim.SGD(p, lr=0.01, momentum=0.9), normal(8, 3, 32, 32), whole(10, 8)


@model
def LeNet_with_batch_norm(m, nn):
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Dropout(0.5), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    return net, nn.CrossEntropyLoss(), lambda p: m.optim.Adam(p, lr=1e-3), normal(64, 1, 28, 28), whole(10, 64)


@model
def VGG_of_32x32(m, nn):
    layers, inputs = [], 3
    for outputs in (64, 64, 0, 128, 128, 0, 256, 256, 0):
        if outputs:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        else:
            layers.append(nn.MaxPool2d(2))
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4096, 256), nn.ReLU(), nn.Linear(256, 10))
    return net, nn.CrossEntropyLoss(), lambda p: m.optim.SGD(p, lr=0.01, momentum=0.9), normal(16, 3, 32, 32), whole(10, 16)


@model
def MobileNet_blocks(m, nn):
    def block(i, o, stride):
        return [nn.Conv2d(i, i, 3, stride, 1, groups=i, bias=False), nn.BatchNorm2d(i), nn.ReLU6(), nn.Conv2d(i, o, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU6()]

    net = nn.Sequential(
        nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6(),
        *block(32, 64, 1), *block(64, 128, 2), *block(128, 128, 1), *block(128, 256, 2), *block(256, 256, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))
    return net, nn.CrossEntropyLoss(), lambda p: m.optim.RMSprop(p, lr=1e-3), normal(8, 3, 96, 96), whole(10, 8)


@model
def UNet_of_64x64(m, nn):
    def pair(i, o):
        return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU())

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.d1, self.d2, self.d3 = pair(1, 16), pair(16, 32), pair(32, 64)
            self.u2, self.u1 = nn.ConvTranspose2d(64, 32, 2, 2), nn.ConvTranspose2d(32, 16, 2, 2)
            self.e2, self.e1, self.out = pair(64, 32), pair(32, 16), nn.Conv2d(16, 1, 1)
            self.pool = nn.MaxPool2d(2)

        def forward(self, x):
            a = self.d1(x)
            b = self.d2(self.pool(a))
            c = self.d3(self.pool(b))
            b = self.e2(m.cat([self.u2(c), b], 1))
            return self.out(self.e1(m.cat([self.u1(b), a], 1)))

    return UNet(), nn.BCEWithLogitsLoss(), lambda p: m.optim.Adam(p, lr=1e-3), normal(8, 1, 64, 64), whole(2, 8, 1, 64, 64).astype(np.float32)


@model
def DCGAN_generator(m, nn):
    net = nn.Sequential(
        nn.ConvTranspose2d(64, 128, 4, 1, 0, bias=False), nn.BatchNorm2d(128), nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 3, 4, 2, 1, bias=False), nn.Tanh())
    return net, nn.MSELoss(), lambda p: m.optim.Adam(p, lr=2e-4, betas=(0.5, 0.999)), normal(32, 64, 1, 1), normal(32, 3, 32, 32)


@model
def DCGAN_critic(m, nn):
    net = nn.Sequential(
        nn.Conv2d(3, 32, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2),
        nn.Conv2d(128, 1, 4, 1, 0, bias=False), nn.Flatten())
    return net, nn.BCEWithLogitsLoss(), lambda p: m.optim.Adam(p, lr=2e-4, betas=(0.5, 0.999)), normal(32, 3, 32, 32), whole(2, 32, 1).astype(np.float32)


@model
def convolutions_of_sequences(m, nn):
    layers = [nn.Conv1d(16, 64, 3, padding=1), nn.ReLU()]
    for dilation in (1, 2, 4, 8):
        layers += [nn.Conv1d(64, 64, 3, padding=dilation, dilation=dilation), nn.ReLU(), nn.Dropout(0.1)]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 5))
    return net, nn.CrossEntropyLoss(), lambda p: m.optim.Adam(p, lr=1e-3), normal(16, 16, 256), whole(5, 16)


@model
def vision_transformer(m, nn):
    class ViT(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = nn.Conv2d(3, 192, 8, 8)
            self.place = nn.Parameter(m.zeros(1, 64, 192))
            layer = nn.TransformerEncoderLayer(192, 3, 768, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
            self.body = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
            self.head = nn.Linear(192, 10)

        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2) + self.place
            return self.head(self.body(x).mean(1))

    return ViT(), nn.CrossEntropyLoss(), lambda p: m.optim.AdamW(p, lr=1e-3), normal(8, 3, 64, 64), whole(10, 8)


@model
def transformer_encoder_of_text(m, nn):
    class Text(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(5000, 128)
            layer = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.1, batch_first=True)
            self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(128, 2)

        def forward(self, x):
            return self.head(self.body(self.words(x)).mean(1))

    return Text(), nn.CrossEntropyLoss(), lambda p: m.optim.Adam(p, lr=1e-3), whole(5000, 16, 64), whole(2, 16)


def recurrent(kind, **options):
    def build(m, nn):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.words = nn.Embedding(1000, 64)
                self.rnn = getattr(nn, kind)(64, 128, num_layers=2, batch_first=True, **options)
                self.head = nn.Linear(128 * (2 if options else 1), 1000)

            def forward(self, x):
                return self.head(self.rnn(self.words(x))[0]).flatten(0, 1)

        return Net(), nn.CrossEntropyLoss(), lambda p: m.optim.Adam(p, lr=1e-3), whole(1000, 16, 32), whole(1000, 16 * 32)

    return build


MODELS["LSTM of words"] = recurrent("LSTM")
MODELS["GRU of words"] = recurrent("GRU")
MODELS["RNN of words"] = recurrent("RNN")
MODELS["LSTM of words, both ways"] = recurrent("LSTM", bidirectional=True)


@model
def recommendation(m, nn):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.tables = nn.ModuleList([nn.Embedding(10000, 16) for _ in range(8)])
            self.mlp = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))

        def forward(self, x):
            return self.mlp(m.cat([t(x[:, i]) for i, t in enumerate(self.tables)], 1))

    return Net(), nn.BCEWithLogitsLoss(), lambda p: m.optim.Adagrad(p, lr=1e-2), whole(10000, 256, 8), whole(2, 256, 1).astype(np.float32)


@model
def table_with_batch_norm_and_dropout(m, nn):
    layers = []
    for i, o in ((32, 256), (256, 256), (256, 256)):
        layers += [nn.Linear(i, o), nn.BatchNorm1d(o), nn.SiLU(), nn.Dropout(0.1)]
    net = nn.Sequential(*layers, nn.Linear(256, 1))
    return net, nn.HuberLoss(), lambda p: m.optim.AdamW(p, lr=1e-3), normal(256, 32), normal(256, 1)


@model
def autoencoder(m, nn):
    net = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid())
    return net, nn.BCELoss(), lambda p: m.optim.Adam(p, lr=1e-3), normal(128, 784), rng.random((128, 784), dtype=np.float32)


@model
def graph_convolution(m, nn):
    source, target = whole(2000, 10000), whole(2000, 10000)

    class Layer(nn.Module):
        def __init__(self, i, o):
            super().__init__()
            self.own, self.others = nn.Linear(i, o), nn.Linear(i, o, bias=False)
            self.source, self.target = m.from_numpy(source), m.from_numpy(target)

        def forward(self, x):
            y = self.others(x)
            return self.own(x) + m.zeros_like(y).index_add(0, self.target, y[self.source])

    net = nn.Sequential(Layer(64, 64), nn.ReLU(), Layer(64, 64), nn.ReLU(), Layer(64, 7))
    return net, nn.CrossEntropyLoss(), lambda p: m.optim.Adam(p, lr=1e-2), normal(2000, 64), whole(7, 2000)


@model
def SIREN_in_float64(m, nn):
    class Sine(nn.Module):
        def forward(self, x):
            return m.sin(30 * x)

    net = nn.Sequential(nn.Linear(2, 64), Sine(), nn.Linear(64, 64), Sine(), nn.Linear(64, 1)).double()
    return net, nn.MSELoss(), lambda p: m.optim.Adam(p, lr=1e-4), rng.standard_normal((1024, 2)), rng.standard_normal((1024, 1))


@model
def Burgers_residual(m, nn):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.u = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))

        def forward(self, tx):
            with m.enable_grad():
                tx = tx.detach().requires_grad_(True)
                u = self.u(tx)
                (d,) = m.autograd.grad(u.sum(), tx, create_graph=True)
                (dd,) = m.autograd.grad(d[:, 1].sum(), tx, create_graph=True)
                return d[:, 0] + u[:, 0] * d[:, 1] - 0.01 * dd[:, 1]

    return Residual(), nn.MSELoss(), lambda p: m.optim.Adam(p, lr=1e-3), normal(512, 2), np.zeros(512, np.float32)


def seconds(f):
    time.sleep(0.02)  # OpenMP's threads keep their core for some milliseconds after the other package's work
    start = time.perf_counter()
    while time.perf_counter() - start < 0.02:
        f()
    times, start = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < 0.15:
        before = time.perf_counter()
        f()
        times.append(time.perf_counter() - before)
    return statistics.median(times)


def prepare(m, build):
    m.manual_seed(0)
    net, loss, optimizer, x, y = build(m, m.nn)
    optimizer = optimizer(net.parameters())
    x, y = m.from_numpy(x), m.from_numpy(y)

    def step():
        net.train()
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()

    def evaluate():
        net.eval()
        with m.no_grad():
            net(x)

    return step, evaluate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    wengert.set_num_threads(args.threads)
    ratios = []
    for name, build in MODELS.items():
        if args.only not in name:
            continue
        global rng
        pairs = []
        for m in (torch, wengert):
            rng = np.random.default_rng(0)
            pairs.append(prepare(m, build))
        for kind, theirs, ours in zip(("step", "evaluation"), *pairs):
            rounds = [(seconds(theirs), seconds(ours)) for _ in range(3)]
            theirs, ours = (statistics.median(times) for times in zip(*rounds))
            ratios.append(theirs / ours)
            print(f"{ratios[-1]:8.2f}×  {name + ', ' + kind:50} PyTorch {theirs * 1e3:9.3f} ms, Wengert {ours * 1e3:9.3f} ms", flush=True)
    print(f"{len(ratios)} rows, {sum(r < 1 for r in ratios)} slower than PyTorch; median {statistics.median(ratios):.2f}×")


if __name__ == "__main__":
    main()
