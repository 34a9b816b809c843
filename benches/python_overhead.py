"""What one operation costs from Python beside PyTorch, on four elements: forward, with a record, and backward.

Both are timed in turn in one run, and the least of many short repeats counts, so that a busy machine disturbs both
alike. What calling an empty function takes, which is the interpreter's own, is taken off. Run it in an environment that
has both: `python benches/python_overhead.py`. It should be the wheel's build: see `profile.wheel` in Cargo.toml.
"""

import subprocess
import sys
import time


def least(f, n=200, repeats=60):
    """The least time of one call, in nanoseconds."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter_ns()
        for _ in range(n):
            f()
        best = min(best, (time.perf_counter_ns() - start) / n)
    return best


def cases(t):
    a, b = t.ones(4), t.ones(4)
    w = t.ones(4, requires_grad=True)
    m, v = t.ones(2, 2), t.ones(2, 2, requires_grad=True)
    one, x = t.tensor(1.5), t.ones(4, 4)
    linear = t.nn.Linear(4, 4)
    net = t.nn.Sequential(t.nn.Linear(4, 8), t.nn.Tanh(), t.nn.Linear(8, 1))
    sgd = t.optim.SGD(net.parameters(), lr=1e-3)
    net(x).sum().backward()

    def step():
        (w * a + b).sum().backward()
        w.grad = None

    def deep():
        y = w
        for _ in range(20):
            y = y * a
        y.sum().backward()
        w.grad = None

    yield "a + b", lambda: a + b
    yield "a * 2.0", lambda: a * 2.0
    yield "a.relu()", lambda: a.relu()
    yield "a.sum()", lambda: a.sum()
    yield "m @ m", lambda: m @ m
    yield "a.shape", lambda: a.shape
    yield "a[1:3]", lambda: a[1:3]
    yield "a[1]", lambda: a[1]
    yield "a + 1", lambda: a + 1
    yield "1 - a", lambda: 1 - a
    yield "a == b", lambda: a == b
    yield "a.view(2, 2)", lambda: a.view(2, 2)
    yield "m.T", lambda: m.T
    yield "w.detach()", lambda: w.detach()
    yield "cat([a, b])", lambda: t.cat([a, b])
    yield "s.item()", lambda: one.item()
    yield "float(s)", lambda: float(one)
    yield "len(a)", lambda: len(a)
    yield "w + b, recorded", lambda: w + b
    yield "w.tanh(), recorded", lambda: w.tanh()
    yield "m @ v, recorded", lambda: m @ v
    yield "Linear(4, 4), recorded", lambda: linear(x)
    yield "SGD.step, two layers", lambda: sgd.step()
    yield "(w * a + b).sum().backward()", step
    yield "20 products and backward", deep


def import_time(name):
    code = f"import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"
    runs = [float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) for _ in range(5)]
    return min(runs)


def main():
    import torch

    import wengert

    torch.set_num_threads(1)
    call = least(lambda: None)
    print(f"{'':32}{'wengert':>10}{'PyTorch':>10}{'ratio':>8}      (an empty call, {call:.0f} ns, is taken off)")
    for (name, ours), (_, theirs) in zip(cases(wengert), cases(torch)):
        a = b = float("inf")
        for _ in range(3):
            a, b = min(a, least(ours, repeats=20)), min(b, least(theirs, repeats=20))
        a, b = a - call, b - call
        print(f"{name:32}{a:8.0f}ns{b:8.0f}ns{b / a:8.1f}")
    a, b = import_time("wengert"), import_time("torch")
    print(f"{'import':32}{a * 1e3:8.1f}ms{b * 1e3:8.1f}ms{b / a:8.1f}")


if __name__ == "__main__":
    main()
