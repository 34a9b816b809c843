"""JAX's part in the benchmarks, `jax.jit` around whole steps: the same dialogue as torch_worker.py, for models."""

import json
import os
import sys
import time

if sys.argv[1] == "1":
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false " + os.environ.get("XLA_FLAGS", "")

import jax
import jax.numpy as jnp


def dense(key, a, b):
    bound = a**-0.5
    w, v = jax.random.split(key)
    return [jax.random.uniform(w, (a, b), minval=-bound, maxval=bound),
            jax.random.uniform(v, (b,), minval=-bound, maxval=bound)]


def mlp(sizes):
    keys = jax.random.split(jax.random.key(0), len(sizes))
    parameters = [dense(k, a, b) for k, a, b in zip(keys, sizes, sizes[1:])]

    def forward(parameters, x):
        for w, b in parameters[:-1]:
            x = jax.nn.relu(x @ w + b)
        w, b = parameters[-1]
        return x @ w + b
    return parameters, forward


def convolution(x, w):
    return jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))


def cnn():
    k = jax.random.split(jax.random.key(0), 4)
    kernels = [jax.random.normal(k[0], (32, 1, 3, 3)) * 0.3, jax.random.normal(k[1], (64, 32, 3, 3)) * 0.05]
    parameters = [kernels, [jnp.zeros(32), jnp.zeros(64)], dense(k[2], 9216, 128), dense(k[3], 128, 10)]

    def forward(parameters, x):
        kernels, biases, (w1, b1), (w2, b2) = parameters
        for w, b in zip(kernels, biases):
            x = jax.nn.relu(convolution(x, w) + b[:, None, None])
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        return jax.nn.relu(x.reshape(len(x), -1) @ w1 + b1) @ w2 + b2
    return parameters, forward


def entropy(y, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(y), labels[:, None], 1).mean()


def squares(y, wanted):
    return ((y - wanted) ** 2).mean()


def find(name):
    """What runs one step, if the workload is known here."""
    kind, _, rest = name.partition(":")
    parts = rest.split(",")
    how, key = parts[-1].removesuffix("_fused"), jax.random.key(1)
    if how not in ("sgd", "adam"):
        return None
    if kind == "tiny_mlp":
        x, y, loss = jax.random.normal(key, (32, 2)), jax.random.normal(key, (32, 1)), squares
        parameters, forward = mlp([2, 16, 16, 1])
    elif kind == "mlp":
        x, y = jax.random.normal(key, (int(parts[0]), 784)), jax.random.randint(key, (int(parts[0]),), 0, 10)
        (parameters, forward), loss = mlp([784, 512, 512, 10]), entropy
    elif kind == "cnn":
        x, y = jax.random.normal(key, (int(parts[0]), 1, 28, 28)), jax.random.randint(key, (int(parts[0]),), 0, 10)
        (parameters, forward), loss = cnn(), entropy
    else:
        return None
    tree = jax.tree.map

    def step(state, x, y):
        p, m, v, t = state
        g = jax.grad(lambda p: loss(forward(p, x), y))(p)
        if how == "sgd":
            return tree(lambda p, g: p - 0.01 * g, p, g), m, v, t
        t = t + 1
        m = tree(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        a, b = 1e-3 / (1 - 0.9**t), (1 - 0.999**t) ** 0.5
        return tree(lambda p, m, v: p - a * m / (jnp.sqrt(v) / b + 1e-8), p, m, v), m, v, t

    zeros = tree(jnp.zeros_like, parameters) if how == "adam" else None
    state = [(parameters, zeros, tree(jnp.copy, zeros), jnp.float32(0))]
    jitted = jax.jit(step, donate_argnums=0)

    def run():
        state[0] = jax.block_until_ready(jitted(state[0], x, y))
    return run


def main():
    last, run = None, None
    for line in sys.stdin:
        name, _, n = line.rpartition(" ")
        if name != last:
            last, run = name, find(name)
            if run:
                run()
                run()
        times = []
        for _ in range(int(n) if run else 0):
            start = time.perf_counter_ns()
            run()
            times.append(time.perf_counter_ns() - start)
        print(json.dumps({"ns": times, "units": 1}) if run else "null", flush=True)


if __name__ == "__main__":
    main()
