"""The benchmarks' rows, what each costs at least, and how they are printed."""

SQUARES = (64, 128, 256, 512, 1024, 2048)
MLP = [(784, 512), (512, 512), (512, 10)]


def rows():
    """All workloads: name, group, how many times faster than PyTorch they should be, and whether only plots need them."""
    found = []

    def add(group, name, target=None, plot=False):
        found.append({"group": group, "name": name, "target": target, "plot": plot})

    for name in ("chain_forward", "chain_train", "tiny_mlp:sgd", "tiny_mlp:adam"):
        add("small", name, 5.0)
    for batch in (64, 256):
        for how in ("sgd", "adam", "adam_fused"):
            add("training", f"mlp:{batch},{how}", 1.0)
    add("training", "cnn:64,sgd", 1.1)
    add("training", "gpt:adamw", 1.3)
    add("training", "gpt:adamw_fused", 1.3)
    for n in SQUARES:
        add("products", f"matmul:{n},{n},{n}", 1.0)
    for m in (64, 256):
        for k, n in MLP:
            # Forward, and back to the weight (k rows) and to the input (n deep).
            add("products", f"matmul:{m},{k},{n}", 1.5 if n == 10 else 1.0)
            add("products", f"matmul:{k},{m},{n},tn", 1.5 if n == 10 else 1.0)
            add("products", f"matmul:{m},{n},{k},nt", 1.5 if n == 10 else 1.0)
    for batch, n in ((1024, 4), (256, 16), (64, 64)):
        add("products", f"bmm:{batch},{n}", 1.0)
    add("products", "matmul:10,1024,1024", 1.5)
    for n in (1 << 20, 1 << 24):
        for op in ("relu", "add", "exp", "gelu", "sum", "softmax", "layer_norm"):
            for how in ("", ",train"):
                add("elements", f"elementwise:{op},{n}{how}", 1.2 if n < 1 << 22 else 3.0)
    for how in ("", ",train"):
        add("kernels", f"conv:16,64,64,56,3,1,1{how}")
        add("kernels", f"conv:16,128,128,28,3,1,128{how}")
        add("kernels", f"conv:16,64,128,56,3,2,1{how}")
        add("kernels", f"conv:16,64,256,28,1,1,1{how}")
        add("kernels", f"attention:4,8,256,64{how}")
        add("kernels", f"grid_sample:8,16,64{how}")
        add("kernels", f"rfft:64,4096{how}")
        add("kernels", f"rfft:8,100000{how}")
        add("kernels", f"fft:64,4096{how}")
        add("kernels", f"complex_mul:256,1024{how}")
    for bits in range(10, 25, 2):
        if bits not in (20, 24):
            add("elements", f"elementwise:relu,{1 << bits}", plot=True)
    for batch in (1, 4, 16, 1024):
        add("training", f"mlp:{batch},sgd", plot=True)
    return found


def least(name):
    """Floating-point operations, and bytes between memory and caches, that a workload cannot do without.

    Arrays that the caches hold count no bytes; nor do models whose parameters do, but for the optimizer's sweep.
    """
    kind, _, rest = name.partition(":")
    parts = rest.split(",")
    size = [int(p) for p in parts if p.isdigit()]
    train = parts[-1] == "train"
    if kind == "matmul":
        m, k, n = size
        return 2 * m * k * n, 0
    if kind == "bmm":
        return 2 * size[0] * size[1] ** 3, 0
    if kind == "mlp":
        weights = sum(k * n for k, n in MLP)
        sweep = 12 if parts[-1] == "sgd" else 28
        return 2 * size[0] * (3 * weights - 784 * 512), sweep * weights
    if kind == "cnn":
        first, second = 26 * 26 * 32 * 9, 24 * 24 * 64 * 288
        linear = 9216 * 128 + 1280
        return 2 * size[0] * (3 * (first + second + linear) - first), 12 * linear
    if kind == "gpt":
        layer, seen, width = 12 * 128**2, 64 // 2, 128
        token = 4 * (layer + 2 * seen * width) + 128 * 65
        return 2 * 3 * 16 * 64 * token, 28 * 4 * layer
    if kind == "conv":
        images, inputs, outputs, side, k, stride, groups = size
        return (3 if train else 1) * 2 * images * outputs * (side // stride) ** 2 * inputs // groups * k * k, 0
    if kind == "attention":
        # Two products forward and five back, of which causality needs half.
        batch, heads, length, width = size
        return (7 if train else 2) * batch * heads * length**2 * width, 0
    if kind == "elementwise" and size[0] >= 1 << 24:
        forward = {"add": 12, "sum": 4}.get(parts[0], 8)
        # Back, dy is read and dx written, and something of the way forth is read; a sum hands on one number, an addition the array.
        back = {"add": 0, "sum": 0}.get(parts[0], 12)
        return 0, size[0] * (forward + (back if train else 0))
    return 0, 0


def reached(result, found):
    """How much of the machine's limit at that time a workload reached; nothing where none is known."""
    limits = {**found["limits"], **result["limits"]}
    flops, moved = least(result["name"])
    best = flops / limits["flops"] + moved / limits["bytes"]
    return best / (result["times"]["wengert"]["ns"] * 1e-9) if best else None


def show(ns):
    for limit, scale, unit in ((1e4, 1, "ns"), (1e7, 1e3, "µs"), (float("inf"), 1e6, "ms")):
        if ns < limit:
            return f"{ns / scale:,.{0 if scale == 1 else 1}f} {unit}"


def heading(found, workers):
    peers = [w for w in workers if w not in ("wengert", "torch")]
    peak = found["limits"]
    columns = ["workload", "Wengert", "PyTorch", "ratio", "target", "of limit", *(f"{p} / Wengert" for p in peers),
               "allocations", "instructions", "spread"]
    return (f"{found['threads']} thread(s): {peak['flops'] / 1e9:.0f} GFLOP/s of multiply-adds,"
            f" {peak['bytes'] / 1e9:.1f} GB/s to and from memory\n\n"
            f"| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}")


def line(result, found, workers):
    times = result["times"]
    ours = times["wengert"]["ns"]
    ratio = lambda key: f"{times[key]['ns'] / ours:.2f}×" if key in times else ""
    part = reached(result, found)
    target = result["target"]
    cells = [f"`{result['name']}`", show(ours), show(times["torch"]["ns"]) if "torch" in times else "", ratio("torch"),
             f"{target:g}×" if target else "", f"{part:.0%}" if part else "",
             *(ratio(w) for w in workers if w not in ("wengert", "torch")),
             f"{result['allocations']:.2f}".rstrip("0").rstrip("."),
             f"{result['instructions']:,.0f}" if "instructions" in result else "", f"{times['wengert']['spread']:.0%}"]
    return f"| {' | '.join(cells)} |"


def quiet(state):
    noisy = state["others"] > 0.03 or state["spread"] > 0.05
    return (f"\nThe machine was {'NOT quiet' if noisy else 'quiet'}: load {state['load']:.1f} before the start, other"
            f" processes took {state['others']:.0%} of its cores, median spread {state['spread']:.1%}.\n")


def processes(rows):
    def amount(x, unit):
        return "" if x is None else f"{x:.3f} s" if unit == "s" else f"{x / 2**20:.1f} MiB"
    lines = ["| whole processes | Wengert | PyTorch | ratio | target |", "|---|---:|---:|---:|---:|"]
    for r in rows:
        ratio = f"{r['theirs'] / r['ours']:.0f}×" if r["theirs"] else ""
        target = f"{r['target']:g}×" if r["target"] else ""
        lines.append(f"| {r['name']} | {amount(r['ours'], r['unit'])} | {amount(r['theirs'], r['unit'])} | {ratio} | {target} |")
    return "\n".join(lines)
