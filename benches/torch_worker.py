"""PyTorch's half of the benchmarks: the same dialogue and workloads as src/main.rs and src/workloads.rs."""

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


def optimizer(name, parameters):
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=0.01)
    return torch.optim.Adam(parameters, lr=1e-3, fused=name == "adam_fused")


def find(name):
    torch.manual_seed(0)
    kind, _, rest = name.partition(":")
    parts = rest.split(",")
    if kind == "chain_forward":
        x = torch.rand(4)

        def run():
            with torch.no_grad():
                chain(x)
        return run, 100
    if kind == "chain_train":
        x = torch.rand(4, requires_grad=True)

        def run():
            x.grad = None
            chain(x).sum().backward()
        return run, 100
    if kind == "matmul":
        m, k, n = map(int, parts[:3])
        how = parts[3] if len(parts) > 3 else "nn"
        a = torch.randn(k, m).t() if how == "tn" else torch.randn(m, k)
        b = torch.randn(n, k).t() if how == "nt" else torch.randn(k, n)

        def run():
            with torch.no_grad():
                a @ b
        return run, 1
    if kind == "elementwise":
        op, n, train = parts[0], int(parts[1]), parts[2:] == ["train"]
        x, other = torch.randn(n // 1024, 1024), torch.randn(n // 1024, 1024)
        f = {"relu": lambda: F.relu(x), "add": lambda: x + other, "exp": lambda: x.exp(), "gelu": lambda: F.gelu(x),
             "sum": lambda: x.sum(), "softmax": lambda: x.softmax(-1)}[op]
        if not train:
            def run():
                with torch.no_grad():
                    f()
            return run, 1
        dy = torch.ones_like(f())
        x.requires_grad_()

        def run():
            x.grad = None
            f().backward(dy)
        return run, 1
    if kind == "tiny_mlp":
        x, y = torch.randn(32, 2), torch.randn(32, 1)
        model, loss = mlp([2, 16, 16, 1]), F.mse_loss
        opt = optimizer(parts[0], model.parameters())
    elif kind == "mlp":
        batch = int(parts[0])
        x, y = torch.randn(batch, 784), torch.randint(0, 10, (batch,))
        model, loss = mlp([784, 512, 512, 10]), F.cross_entropy
        opt = optimizer(parts[1], model.parameters())
    else:
        return None

    def run():
        opt.zero_grad()
        loss(model(x), y).backward()
        opt.step()
    return run, 1


def main():
    torch.set_num_threads(int(sys.argv[1]))
    for line in sys.stdin:
        name, _, n = line.rpartition(" ")
        found = find(name)
        if found is None:
            print("null", flush=True)
            continue
        run, units = found
        run()
        run()
        times = []
        for _ in range(int(n)):
            start = time.perf_counter_ns()
            run()
            times.append(time.perf_counter_ns() - start)
        print(json.dumps({"ns": times, "units": units}), flush=True)


if __name__ == "__main__":
    main()
