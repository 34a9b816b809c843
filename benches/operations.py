#!/usr/bin/env python3
"""Many operations from Python beside PyTorch, on inputs of about a million numbers: where are we slow?

    python3 benches/operations.py [--threads 1] [--only SUBSTRING] [--behind]

Both packages run in one process, in turn; each line is PyTorch's median time over Wengert's, so above 1 is faster, of the
operation alone and with its gradient. `--behind` shows what is slower than PyTorch alone. It tests the installed wheel, whose
code is optimised otherwise than the benchmark's: a loop that is fine there may be slow here. Pin it: `taskset -c 1 python3 …`.
"""

import argparse
import statistics
import time

import numpy as np
import torch
import wengert

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape, dtype=np.float32)


A, B = normal(1024, 1024), normal(1024, 1024)
POSITIVE = np.abs(A) + 0.1
SMALL = np.clip(A / 5, -0.9, 0.9)
MASK = rng.integers(0, 2, (1024, 1024)).astype(bool)
INDEX = rng.integers(0, 1024, (1024, 1024))
ROWS = rng.integers(0, 1024, (4096,))
INTEGERS = rng.integers(-1000, 1000, (1024, 1024))
IMAGES = normal(16, 32, 56, 56)
LATE = normal(4, 512, 7, 7)
PICTURES = normal(16, 16, 32, 32)
SEQUENCES = normal(16, 128, 256)
VOLUMES = normal(8, 8, 8, 16, 16)
SQUARE = normal(256, 256)

# A name, what to compute given the package and its `nn.functional`, and the inputs. Floats get gradients.
CASES = {}


def case(name, f, *inputs):
    CASES[name] = (f, inputs)


def functions(names, *inputs):
    for name in names.split():
        case(name, lambda m, F, *x, name=name: getattr(m, name)(*x), *inputs)


functions("abs neg exp sin cos tanh sigmoid erf floor ceil round trunc frac sign square expm1 exp2 atan sinh cosh", A)
functions("log log1p log2 sqrt rsqrt reciprocal lgamma digamma", POSITIVE)
functions("asin erfinv", SMALL)
functions("add sub mul maximum atan2 hypot", A, B)
functions("div fmod remainder", A, POSITIVE)
functions("gt eq", A, B)
functions("logical_and bitwise_xor", MASK, MASK)
for name in ("relu gelu silu elu leaky_relu softplus hardswish hardtanh hardsigmoid relu6 mish selu celu logsigmoid "
             "softsign tanhshrink").split():
    case(f"F.{name}", lambda m, F, x, name=name: getattr(F, name)(x), A)
for power in (2, 3, 2.5, -1):
    case(f"x**{power}", lambda m, F, x, power=power: x**power, POSITIVE)
case("where", lambda m, F, c, x, y: m.where(c, x, y), MASK, A, B)
case("masked_fill", lambda m, F, c, x: x.masked_fill(c, 0.0), MASK, A)
case("clamp", lambda m, F, x: x.clamp(-1, 1), A)
case("lerp", lambda m, F, x, y: m.lerp(x, y, 0.3), A, B)
case("addcmul", lambda m, F, x, y: m.addcmul(x, x, y), A, B)
case("x + row", lambda m, F, x, y: x + y[0], A, B)
case("x + column", lambda m, F, x, y: x + y[:, :1], A, B)
case("outer", lambda m, F, x, y: m.outer(x[0], y[0]), A, B)
for name in ("sum mean prod amax amin var std norm nansum logsumexp argmax argmin cumsum cumprod cummax softmax log_softmax "
             "median sort argsort any count_nonzero").split():
    for dim in (0, 1):
        def along(m, F, x, name=name, dim=dim):
            y = getattr(x, name)(dim=dim)
            return y[0] if isinstance(y, tuple) else y
        case(f"{name}({dim})", along, A)
case("topk", lambda m, F, x: m.topk(x, 10, 1)[0], A)
case("unique", lambda m, F, x: m.unique(x), INDEX)
case("bincount", lambda m, F, x: m.bincount(x.reshape(-1)), INDEX)
case("histc", lambda m, F, x: m.histc(x, 100), A)
case("x[i]", lambda m, F, x, i: x[i], A, ROWS)
case("x[mask]", lambda m, F, x, c: x[c], A, MASK)
case("gather", lambda m, F, x, i: x.gather(1, i), A, INDEX)
case("scatter_add", lambda m, F, x, i: m.zeros(1024, 1024).scatter_add(1, i, x), A, INDEX)
case("index_add", lambda m, F, x, i: m.zeros(1024, 1024).index_add(0, i[:1024], x), A, ROWS)
case("nonzero", lambda m, F, c: m.nonzero(c), MASK)
case("embedding", lambda m, F, i, w: F.embedding(i, w), ROWS, A)
case("cat", lambda m, F, x, y: m.cat([x, y], 1), A, B)
case("stack", lambda m, F, x, y: m.stack([x, y], 1), A, B)
case("x.T copied", lambda m, F, x: x.T.contiguous(), A)
case("x + x.T", lambda m, F, x: x + x.T, A)
case("channels last", lambda m, F, x: x.permute(0, 2, 3, 1).contiguous(), IMAGES)
case("heads", lambda m, F, x: x.reshape(16, 128, 4, 64).transpose(1, 2).contiguous(), SEQUENCES)
case("roll", lambda m, F, x: m.roll(x, 100, 1), A)
case("repeat", lambda m, F, x: x.repeat(2, 1), A)
case("repeat_interleave", lambda m, F, x: x.repeat_interleave(2, 1), A)
case("tril", lambda m, F, x: m.tril(x), A)
case("pad", lambda m, F, x: F.pad(x, (1, 1, 1, 1)), A)
case("pad reflect", lambda m, F, x: F.pad(x, (1, 1, 1, 1), mode="reflect"), IMAGES)
case("unfold", lambda m, F, x: F.unfold(x, 3, padding=1), IMAGES[:4])
case("fold", lambda m, F, x: F.fold(x, 56, 3, padding=1), normal(4, 288, 3136))
case("ReflectionPad2d", lambda m, F, x: F.pad(x, (2, 2, 2, 2), mode="reflect"), PICTURES)
case("ZeroPad2d", lambda m, F, x: F.pad(x, (2, 2, 2, 2)), PICTURES)
case("max_pool1d", lambda m, F, x: F.max_pool1d(x, 2), PICTURES.reshape(16, 16, 1024))
case("prelu", lambda m, F, x, w: F.prelu(x, w), normal(256, 512), normal(1))
case("glu", lambda m, F, x: F.glu(x), normal(256, 512))
case("randperm", lambda m, F: m.randperm(1000000))
case("multinomial", lambda m, F, x: m.multinomial(x, 100), POSITIVE)
case("stft", lambda m, F, x: m.stft(x.reshape(-1)[:65536], 512, window=m.hann_window(512), return_complex=True).abs(), SQUARE)
case("layer_norm", lambda m, F, x: F.layer_norm(x, (256,)), SEQUENCES)
case("rms_norm", lambda m, F, x: F.rms_norm(x, (256,)), SEQUENCES)
case("group_norm", lambda m, F, x: F.group_norm(x, 8), IMAGES)
case("batch_norm", lambda m, F, x: F.batch_norm(x, None, None, training=True), IMAGES)
case("instance_norm", lambda m, F, x: F.instance_norm(x), IMAGES)
case("normalize", lambda m, F, x: F.normalize(x), A)
case("max_pool2d", lambda m, F, x: F.max_pool2d(x, 2), IMAGES)
case("avg_pool2d", lambda m, F, x: F.avg_pool2d(x, 2), IMAGES)
case("adaptive_avg_pool2d", lambda m, F, x: F.adaptive_avg_pool2d(x, 7), IMAGES)
case("bilinear", lambda m, F, x: F.interpolate(x, scale_factor=2, mode="bilinear"), IMAGES)
case("pixel_shuffle", lambda m, F, x: F.pixel_shuffle(x, 2), IMAGES)
case("dropout", lambda m, F, x: F.dropout(x, 0.5), A)
case("mse_loss", lambda m, F, x, y: F.mse_loss(x, y), A, B)
case("huber_loss", lambda m, F, x, y: F.huber_loss(x, y), A, B)
case("bce_with_logits", lambda m, F, x, y: F.binary_cross_entropy_with_logits(x, m.sigmoid(y).detach()), A, B)
case("cross_entropy", lambda m, F, x, i: F.cross_entropy(x, i[:1024]), A, ROWS)
case("cosine_similarity", lambda m, F, x, y: F.cosine_similarity(x, y), A, B)
case("cdist", lambda m, F, x, y: m.cdist(x[:, :64], y[:, :64]), A, B)
case("einsum", lambda m, F, x, y: m.einsum("bij,bkj->bik", x, y), SEQUENCES, SEQUENCES)
case("attention", lambda m, F, x: F.scaled_dot_product_attention(*[x.reshape(16, 128, 4, 64).transpose(1, 2)] * 3), SEQUENCES)
case("linear", lambda m, F, x, w: F.linear(x, w), SEQUENCES, normal(1024, 256))
case("lstm", lambda m, F, x, *w: m.lstm(x, (m.zeros(1, 16, 128),) * 2, list(w), True, 1, 0.0, False, False, True)[0],
     SEQUENCES, normal(512, 256) / 16, normal(512, 128) / 16, normal(512), normal(512))
for name, x, w, options in (
    ("conv 1×1", IMAGES, normal(64, 32, 1, 1), {}),
    ("conv 3×3", IMAGES, normal(32, 32, 3, 3), {"padding": 1}),
    ("conv 3×3, stride 2", IMAGES, normal(64, 32, 3, 3), {"padding": 1, "stride": 2}),
    ("conv 5×5", IMAGES, normal(32, 32, 5, 5), {"padding": 2}),
    ("conv 7×7, stride 2", normal(4, 3, 112, 112), normal(64, 3, 7, 7), {"padding": 3, "stride": 2}),
    ("conv of 7×7 places", LATE, normal(512, 512, 3, 3), {"padding": 1}),
    ("conv by channel", IMAGES, normal(32, 1, 3, 3), {"padding": 1, "groups": 32}),
):
    case(name, lambda m, F, x, w, options=options: F.conv2d(x, w, **options), x, w)
case("conv1d", lambda m, F, x, w: F.conv1d(x, w), SEQUENCES, normal(64, 128, 3))
case("conv3d", lambda m, F, x, w: F.conv3d(x, w, padding=1), VOLUMES, normal(16, 8, 3, 3, 3))
case("conv_transpose2d", lambda m, F, x, w: F.conv_transpose2d(x, w, stride=2), IMAGES, normal(32, 16, 4, 4))
for dtype in ("float16", "bfloat16", "float64", "int32"):
    case(f"add {dtype}", lambda m, F, x, dtype=dtype: x.to(getattr(m, dtype)) + 1, A)
    case(f"sum {dtype}", lambda m, F, x, dtype=dtype: x.to(getattr(m, dtype)).sum(1), A)
case("i // 3", lambda m, F, i: i // 3, INTEGERS)
case("i % 7", lambda m, F, i: i % 7, INTEGERS)
case("i // i", lambda m, F, i, j: i // (j + 1), INTEGERS, INDEX)
case("i cumsum", lambda m, F, i: i.cumsum(1), INTEGERS)
for dtype in ("uint8", "int16", "int32", "int64"):
    whole = INTEGERS.astype(dtype)
    case(f"{dtype} add", lambda m, F, i, j: i + j, whole, whole)
    case(f"{dtype} gt", lambda m, F, i, j: i > j, whole, whole[::-1])
    case(f"{dtype} clamp", lambda m, F, i: i.clamp(3, 99), whole)
    case(f"{dtype} to float", lambda m, F, i: i.float(), whole)
for name in "sin expm1 log1p log2 log10 atan erfinv".split():
    case(f"{name} float64", lambda m, F, x, name=name: getattr(m, name)(x), np.abs(SMALL).astype(np.float64))
case("pow float64", lambda m, F, x, y: x**y, POSITIVE.astype(np.float64), A.astype(np.float64))
case("remainder float64", lambda m, F, x, y: m.remainder(x, y), A.astype(np.float64), POSITIVE.astype(np.float64))
for name in ("inv", "cholesky", "svdvals", "eigvalsh", "det"):
    case(f"linalg.{name}", lambda m, F, x, name=name: getattr(m.linalg, name)(x @ x.T + 300 * m.eye(256)), SQUARE)
for name, f in {
    "lstsq": lambda m, x: m.linalg.lstsq(x, x[:, :4]).solution,
    "pinv": lambda m, x: m.linalg.pinv(x),
    "svd": lambda m, x: m.linalg.svd(x)[1],
    "eigh": lambda m, x: m.linalg.eigh(x + x.T)[0],
    "qr": lambda m, x: m.linalg.qr(x)[0],
    "solve": lambda m, x: m.linalg.solve(x, x[:, :4]),
    "slogdet": lambda m, x: m.linalg.slogdet(x)[1],
}.items():
    case(f"linalg.{name}", lambda m, F, x, f=f: f(m, x), SQUARE)
# Stacks of small matrices.
for count, n in ((1000, 4), (256, 16)):
    regular = normal(count, n, n) + 4 * np.eye(n, dtype=np.float32)
    positive = regular @ regular.transpose(0, 2, 1)
    for name in "inv det cholesky lu_factor eigvalsh svdvals".split():
        def first(m, F, x, name=name):
            y = getattr(m.linalg, name)(x)
            return y[0] if isinstance(y, tuple) else y
        case(f"linalg.{name} of {count} × {n} × {n}", first, positive)
    for name, f in {
        "qr": lambda m, x: m.linalg.qr(x)[0],
        "slogdet": lambda m, x: m.linalg.slogdet(x)[1],
        "solve": lambda m, x: m.linalg.solve(x, x[..., :3]),
        "solve_triangular": lambda m, x: m.linalg.solve_triangular(x, x[..., :3], upper=False),
    }.items():
        case(f"linalg.{name} of {count} × {n} × {n}", lambda m, F, x, f=f: f(m, x), regular)
for name, stride, padding, inputs, outputs, size in (
    ("conv 4×4, stride 2, of 8×8", 2, 1, 64, 128, 8),
    ("conv 4×4, stride 2, of 16×16", 2, 1, 32, 64, 16),
    ("conv 4×4 of 4×4", 1, 0, 128, 128, 4),
    ("conv 4×4 of 4×4 to one", 1, 0, 128, 1, 4),
):
    case(
        name,
        lambda m, F, x, w, stride=stride, padding=padding: F.conv2d(x, w, stride=stride, padding=padding),
        normal(32, inputs, size, size),
        normal(outputs, inputs, 4, 4),
    )
case("conv_transpose2d 4×4, stride 2, of 4×4", lambda m, F, x, w: F.conv_transpose2d(x, w, stride=2, padding=1), normal(32, 128, 4, 4), normal(128, 64, 4, 4))
case("conv_transpose2d 4×4 of one", lambda m, F, x, w: F.conv_transpose2d(x, w), normal(32, 64, 1, 1), normal(64, 128, 4, 4))
case("conv 5×5 of 14×14", lambda m, F, x, w: F.conv2d(x, w, padding=2), normal(64, 16, 14, 14), normal(32, 16, 5, 5))
case("rfft", lambda m, F, x: m.fft.rfft(x).abs(), A)


def seconds(f):
    time.sleep(0.02)  # OpenMP's threads keep their core for some milliseconds after the other package's work
    start = time.perf_counter()
    while time.perf_counter() - start < 0.01:  # threads find their cores
        f()
    times, start = [], time.perf_counter()
    while len(times) < 5 or (time.perf_counter() - start < 0.06 and len(times) < 100):
        before = time.perf_counter()
        f()
        times.append(time.perf_counter() - before)
    return statistics.median(times)


def measure(m, f, inputs, train):
    """Seconds of an operation, or with its gradient; nothing where there is none."""
    inputs = [m.from_numpy(np.ascontiguousarray(x)) for x in inputs]
    if not train:
        with m.no_grad():
            return seconds(lambda: f(m, m.nn.functional, *inputs))
    floats = [x.requires_grad_(True) for x in inputs if x.dtype == m.float32]
    y = f(m, m.nn.functional, *inputs)
    if not y.requires_grad:
        return None
    up = m.ones_like(y)

    def step():
        for x in floats:
            x.grad = None
        f(m, m.nn.functional, *inputs).backward(up)

    return seconds(step)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--behind", action="store_true", help="only what is slower than PyTorch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    wengert.set_num_threads(args.threads)
    rows = []
    for name, (f, inputs) in CASES.items():
        for train in (False, True):
            if args.only in name:
                times = [measure(m, f, inputs, train) for m in (torch, wengert)]
                if all(times):
                    rows.append((times[0] / times[1], name + (", gradient" if train else ""), *times))
    for ratio, name, theirs, ours in sorted(rows):
        if ratio < 1 or not args.behind:
            print(f"{ratio:8.2f}×  {name:30} PyTorch {theirs * 1e6:9.0f} µs, Wengert {ours * 1e6:9.0f} µs")
    ratios = [row[0] for row in rows]
    print(f"{len(rows)} rows, {sum(r < 1 for r in ratios)} slower than PyTorch; median {statistics.median(ratios):.2f}×")


if __name__ == "__main__":
    main()
