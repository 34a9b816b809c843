"""PyTorch's half of the benchmarks: the same dialogue and workloads as src/main.rs and src/workloads.rs.

`torch_worker.py THREADS` answers questions; `torch_worker.py THREADS NAME N` runs one workload without a dialogue. A
name that ends in `@compile` is run through `torch.compile`, where there is something to fuse: what is compiled is the
computation with its way back; the optimizer's step stays PyTorch's.
"""

import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


def chain(x):
    y = x * 0.9
    for _ in range(33):
        y = torch.tanh(y + 0.1) * 0.9
    return y


def mlp(sizes):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = heads

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = (part.view(n, t, self.heads, c // self.heads).transpose(1, 2)
                   for part in self.qkv(self.norm1(x)).split(c, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(n, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary=65, length=64, width=128, heads=4, layers=4):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, x):
        h = self.tokens(x) + self.places(torch.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h)).flatten(0, 1)


def optimizer(name, parameters):
    kind, _, fused = name.partition("_")
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=0.01)
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
    return make(parameters, lr=1e-3, fused=True if fused else None)


def kernel(train, f, *inputs):
    """f forward without a record, or with one and back to all inputs."""
    if not train:
        def run():
            with torch.no_grad():
                f(*inputs)
        return run, 1
    dy = torch.ones_like(f(*inputs))
    for x in inputs:
        x.requires_grad_()

    def run():
        for x in inputs:
            x.grad = None
        f(*inputs).backward(dy)
    return run, 1


def find(name):
    torch.manual_seed(0)
    name, _, how = name.partition("@")
    compiled = torch.compile if how == "compile" else lambda f: f
    kind, _, rest = name.partition(":")
    if how:
        torch.compiler.reset()  # or else it compiles for sizes that vary, and in the end nothing
        if kind in ("matmul", "bmm", "conv", "grid_sample", "attention", "rfft", "fft", "complex_mul"):
            return None
    parts = rest.split(",")
    train = parts[-1] == "train"
    size = [int(p) for p in parts if p.isdigit()]
    if kind == "chain_forward":
        x, f = torch.rand(4), compiled(chain)

        def run():
            with torch.no_grad():
                f(x)
        return run, 100
    if kind == "chain_train":
        x, f = torch.rand(4, requires_grad=True), compiled(chain)

        def run():
            x.grad = None
            f(x).sum().backward()
        return run, 100
    if kind == "matmul":
        m, k, n = size
        a = torch.randn(k, m).t() if parts[-1] == "tn" else torch.randn(m, k)
        b = torch.randn(n, k).t() if parts[-1] == "nt" else torch.randn(k, n)
        return kernel(False, torch.matmul, a, b)
    if kind == "bmm":
        batch, n = size
        return kernel(False, torch.matmul, torch.randn(batch, n, n), torch.randn(batch, n, n))
    if kind == "elementwise":
        x, other = torch.randn(size[0] // 1024, 1024), torch.randn(size[0] // 1024, 1024)
        if parts[0] == "add":
            return kernel(train, compiled(lambda x: x + other), x)
        if parts[0] == "layer_norm":
            f = compiled(lambda x, w, b: F.layer_norm(x, (1024,), w, b))
            return kernel(train, f, x, torch.rand(1024), torch.rand(1024))
        f = {"relu": F.relu, "exp": torch.exp, "gelu": F.gelu, "sum": torch.sum,
             "softmax": lambda x: x.softmax(-1)}[parts[0]]
        return kernel(train, compiled(f), x)
    if kind == "conv":
        images, inputs, outputs, side, k, stride, groups = size
        x, w = torch.randn(images, inputs, side, side), torch.randn(outputs, inputs // groups, k, k) * 0.1
        return kernel(train, lambda x, w: F.conv2d(x, w, None, stride, k // 2, 1, groups), x, w)
    if kind == "grid_sample":
        images, channels, side = size
        x, grid = torch.randn(images, channels, side, side), torch.rand(images, side, side, 2) * 2.2 - 1.1
        return kernel(train, lambda x, g: F.grid_sample(x, g, align_corners=False), x, grid)
    if kind == "attention":
        q, k, v = (torch.randn(size) for _ in range(3))
        return kernel(train, lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), q, k, v)
    if kind == "rfft":
        return kernel(train, torch.fft.rfft, torch.randn(size))
    if kind in ("fft", "complex_mul"):
        x, y = (torch.randn(size, dtype=torch.complex64) for _ in range(2))
        return kernel(train, torch.fft.fft, x) if kind == "fft" else kernel(train, torch.mul, x, y)
    if kind == "tiny_mlp":
        x, y = torch.randn(32, 2), torch.randn(32, 1)
        model, loss = mlp([2, 16, 16, 1]), F.mse_loss
    elif kind == "mlp":
        x, y = torch.randn(size[0], 784), torch.randint(0, 10, size[:1])
        model, loss = mlp([784, 512, 512, 10]), F.cross_entropy
    elif kind == "cnn":
        x, y = torch.randn(size[0], 1, 28, 28), torch.randint(0, 10, size[:1])
        model, loss = cnn(), F.cross_entropy
    elif kind == "gpt":
        x, y = torch.randint(0, 65, (16, 64)), torch.randint(0, 65, (16 * 64,))
        model, loss = GPT(), F.cross_entropy
    else:
        return None
    opt, forward = optimizer(parts[-1], model.parameters()), compiled(lambda x, y: loss(model(x), y))

    def run():
        opt.zero_grad()
        forward(x, y).backward()
        opt.step()
    return run, 1


def main():
    torch.set_num_threads(int(sys.argv[1]))
    if len(sys.argv) > 2:
        run, _ = find(sys.argv[2])
        for _ in range(int(sys.argv[3])):
            run()
        return
    last, found = None, None
    for line in sys.stdin:
        name, _, n = line.rpartition(" ")
        if name != last:
            last, found = name, None  # its memory may be needed
            try:
                found = find(name)
                for _ in range(2 if found else 0):
                    found[0]()
            except Exception as e:  # torch.compile does not work everywhere
                print(f"{name}: {e}", file=sys.stderr)
                found = None
        if found is None:
            print("null", flush=True)
            continue
        run, units = found
        times = []
        for _ in range(int(n)):
            start = time.perf_counter_ns()
            run()
            times.append(time.perf_counter_ns() - start)
        print(json.dumps({"ns": times, "units": units}), flush=True)


if __name__ == "__main__":
    main()
