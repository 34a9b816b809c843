"""Puts what was measured into docs/benchmarks.md: its tables, between the page's marks, and its plots."""

import datetime
import math
import os
import pathlib
import platform
import re
import subprocess

import table

TITLES = {
    "small": "Small operations", "training": "Steps of training", "products": "Matrix products",
    "elements": "Elements and rows", "kernels": "Convolution, attention, sampling",
}
COLOURS = ("#2a78d6", "#b3541e", "#3a8f5c", "#8250a8", "#a08010", "#c03a6b")


def machine(python):
    """What was measured on, and with which PyTorch."""
    try:
        name = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)
    except (OSError, AttributeError):
        name = platform.processor() or platform.machine()
    torch = subprocess.run([python, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True)
    return {"cpu": name, "cores": os.cpu_count(), "torch": torch.stdout.strip(),
            "date": datetime.date.today().isoformat()}


def tables(result):
    """All tables, as Markdown."""
    m = result["machine"]
    out = [f"{m['cpu']}, {m['cores']} cores; PyTorch {m['torch']}; {m['date']}.\n"]
    for run in result["runs"]:
        workers = list(dict.fromkeys(w for r in run["rows"] for w in r["times"]))
        threads = f"{run['threads']} thread{'s' if run['threads'] > 1 else ''}"
        out.append(f"### With {threads}\n\n{table.heading(run, workers).split(chr(10))[0]}{table.quiet(run['quiet'])}")
        for group, title in TITLES.items():
            rows = [r for r in run["rows"] if r["group"] == group and not r["plot"]]
            if rows:
                head = table.heading(run, workers).split("\n\n")[1]
                out.append(f"**{title}**\n\n{head}\n" + "\n".join(table.line(r, run, workers) for r in rows) + "\n")
    if result["processes"]:
        out.append("### Whole processes\n\n" + table.processes(result["processes"]) + "\n")
    return "\n".join(out)


def behind(result):
    """Rows that miss their targets, as Markdown."""
    lines = []
    for run in result["runs"]:
        for r in run["rows"]:
            if r["target"] and "torch" in r["times"]:
                ratio = r["times"]["torch"]["ns"] / r["times"]["wengert"]["ns"]
                if ratio < r["target"]:
                    part = table.reached(r, run)
                    near = f"; {part:.0%} of the machine's limit" if part else ""
                    lines.append(f"- `{r['name']}` with {run['threads']}: {ratio:.2f}× of {r['target']:g}×{near}")
    return "\n".join(lines) or "Nothing."


def plot(title, x_name, y_name, lines, level=None):
    """An SVG with lines of (x, y) points on logarithmic axes, and perhaps a level that nothing can pass."""
    w, h, left, top, right, bottom = 560, 320, 62, 34, 120, 46
    points = [p for _, ps in lines for p in ps]
    xs, ys = ([math.log10(p[i]) for p in points] for i in (0, 1))
    if level:
        ys.append(math.log10(level))
    x0, x1, y0, y1 = min(xs), max(xs), math.floor(min(ys) * 2) / 2, math.ceil(max(ys) * 2) / 2
    at = lambda x, y: (left + (math.log10(x) - x0) / (x1 - x0) * (w - left - right),
                       h - bottom - (math.log10(y) - y0) / (y1 - y0) * (h - top - bottom))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" font-family="sans-serif" font-size="12">',
           f'<rect width="{w}" height="{h}" fill="#fff"/><text x="{left}" y="20" font-size="14">{title}</text>']
    for e in range(math.ceil(y0), math.floor(y1) + 1):
        _, y = at(10**x0, 10**e)
        out.append(f'<path d="M{left} {y:.1f}H{w - right}" stroke="#ddd"/>'
                   f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{10**e:g}</text>')
    for x, _ in lines[0][1]:
        px, _ = at(x, 10**y0)
        name = f"{x >> 20} M" if x >= 1 << 20 else f"{x >> 10} K" if x >= 1 << 12 else x
        out.append(f'<text x="{px:.1f}" y="{h - bottom + 16}" text-anchor="middle">{name}</text>')
    out.append(f'<text x="{(left + w - right) / 2}" y="{h - 10}" text-anchor="middle">{x_name}</text>'
               f'<text transform="translate(16 {(top + h - bottom) / 2}) rotate(-90)" text-anchor="middle">{y_name}</text>')
    if level:
        _, y = at(10**x0, level)
        out.append(f'<path d="M{left} {y:.1f}H{w - right}" stroke="#888" stroke-dasharray="5 4"/>'
                   f'<text x="{w - right + 6}" y="{y + 4:.1f}" fill="#666">the core\'s peak</text>')
    last = []
    for (name, ps), colour in zip(lines, COLOURS):
        path = "L".join("{:.1f} {:.1f}".format(*at(x, y)) for x, y in sorted(ps))
        x, y = at(*sorted(ps)[-1])
        while any(abs(y - other) < 14 for other in last):
            y += 14
        last.append(y)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
                   f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{colour}">{name}</text>')
    return "\n".join(out) + "\n</svg>\n"


def curves(run, pattern, value):
    """For each library the points (x, value(x, nanoseconds)) of the workloads that match; x is the pattern's number."""
    found = {}
    for r in run["rows"]:
        match = re.fullmatch(pattern, r["name"])
        if match:
            x = int(match.group(1))
            for key, t in r["times"].items():
                found.setdefault({"wengert": "Wengert", "torch": "PyTorch"}.get(key, key), {})[x] = value(x, t["ns"])
    return [(name, sorted(points.items())) for name, points in found.items()]


def plots(run):
    """File names and SVGs of how cost grows with size."""
    peak = run["limits"]["flops"] / 1e9
    yield "benchmark-products.svg", plot(
        "Products of two n × n matrices, one thread", "n", "GFLOP/s",
        curves(run, r"matmul:(\d+),\1,\1", lambda n, ns: 2 * n**3 / ns), peak)
    yield "benchmark-elements.svg", plot(
        "relu of n numbers, forward, one thread", "n", "ns an element",
        curves(run, r"elementwise:relu,(\d+)", lambda n, ns: ns / n))
    yield "benchmark-mlp.svg", plot(
        "A step of the MLP with SGD, one thread", "batch", "ms",
        curves(run, r"mlp:(\d+),sgd", lambda n, ns: ns / 1e6))


def write(result, docs):
    """Writes the tables into the page and the plots beside it."""
    page = docs / "benchmarks.md"
    text = page.read_text()
    for mark, new in (("tables", tables(result)), ("behind", behind(result))):
        begin, end = f"<!-- {mark}: written by benches/run.py -->", f"<!-- {mark}: end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n\n{new}\n\n{end}{rest.split(end)[1]}"
    page.write_text(text)
    for name, svg in plots(result["runs"][0]):
        (docs / "pictures" / name).write_text(svg)
    print(f"wrote {page}")
