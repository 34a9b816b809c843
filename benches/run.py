#!/usr/bin/env python3
"""Wengert beside PyTorch, interleaved in one run: medians, ratios, instructions and allocations.

    python3 benches/run.py [--threads 1] [--rounds 9] [--only SUBSTRING] [--python PYTHON_WITH_TORCH]

Builds the release binary, starts it and a Python process with PyTorch, each pinned to as many cores as it has threads,
and asks both for the same workloads in turn. The time of a workload is the median over all runs of all rounds; the ratio
is PyTorch's time over Wengert's. Instructions are counted by valgrind where it is installed, on Wengert only: they do
not depend on what else the machine is doing.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

# Name, runs in a round, target: how many times faster than PyTorch.
WORKLOADS = [
    ("chain_forward", 200, 5.0),
    ("chain_train", 100, 5.0),
    ("tiny_mlp:sgd", 200, 5.0),
    ("tiny_mlp:adam", 200, 5.0),
    ("mlp:64,sgd", 10, 1.0),
    ("mlp:64,adam", 10, 1.0),
    ("mlp:256,sgd", 5, 1.0),
    ("mlp:256,adam", 5, 1.0),
    *[(f"matmul:{n},{n},{n}", max(2, 2_000_000 // n**2), 1.0) for n in (64, 128, 256, 512, 1024)],
    *[(f"matmul:{m},{k},{n}{t}", 40, 1.5 if n == 10 else 1.0)
      for m in (64, 256) for k, n in ((784, 512), (512, 512), (512, 10)) for t in ("", ",nt", ",tn")],
    *[(f"elementwise:{op},{n}{t}", 8 if n < 1 << 22 else 2, 1.2 if n < 1 << 22 else 3.0)
      for n in (1 << 20, 1 << 24) for op in ("relu", "add", "exp", "gelu", "sum", "softmax") for t in ("", ",train")],
]


class Worker:
    def __init__(self, command, threads, env):
        cores = ",".join(map(str, range(threads)))
        pin = ["taskset", "-c", cores] if shutil.which("taskset") else []
        self.process = subprocess.Popen(pin + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **env})

    def ask(self, name, n):
        self.process.stdin.write(f"{name} {n}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} died over {name}")
        return json.loads(line)


def instructions(binary, name):
    """Instructions of one unit of work: what forty runs take more than twenty."""
    def total(n):
        run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary, name, str(n)],
                             capture_output=True, text=True, env={**os.environ, "RAYON_NUM_THREADS": "1"})
        return int(re.search(r"Collected : (\d+)", run.stderr).group(1))
    return (total(40) - total(20)) / 20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="")
    parser.add_argument("--python", default=sys.executable)
    args = parser.parse_args()
    subprocess.run(["cargo", "build", "--release", "-q", "-p", "wengert-benches"], cwd=HERE, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")
    binary = str(pathlib.Path(target) / "release" / "wengert-benches")
    env = {"RAYON_NUM_THREADS": str(args.threads), "OMP_NUM_THREADS": str(args.threads)}
    ours = Worker([binary], args.threads, env)
    theirs = Worker([args.python, str(HERE / "torch_worker.py"), str(args.threads)], args.threads, env)
    load = os.getloadavg()[0]
    print(f"{args.threads} thread(s), {args.rounds} interleaved rounds; load before the start {load:.1f}"
          + (" (the machine was NOT quiet)" if load > 0.5 else ""))
    print(f"| {'workload':<34} | Wengert | PyTorch | ratio | target | allocations | instructions |")
    print(f"|{'-' * 36}|---:|---:|---:|---:|---:|---:|")
    for name, n, target in WORKLOADS:
        if args.only not in name:
            continue
        times = {"ours": [], "theirs": []}
        for _ in range(args.rounds):
            for key, worker in (("ours", ours), ("theirs", theirs)):
                answer = worker.ask(name, n)
                if answer is None:
                    raise SystemExit(f"{key} does not know {name}")
                times[key] += [t / answer["units"] for t in answer["ns"]]
                if key == "ours":
                    allocations, units = answer["allocations"], answer["units"]
        a, b = (statistics.median(times[k]) for k in ("ours", "theirs"))
        small = a * units < 1e6 and shutil.which("valgrind")
        count = f"{instructions(binary, name) / units:,.0f}" if small else ""
        scale, unit = (1, "ns") if a < 1e4 else (1e3, "µs") if a < 1e7 else (1e6, "ms")
        show = lambda t: f"{t / scale:,.{0 if scale == 1 else 1}f} {unit}"
        print(f"| {name:<34} | {show(a)} | {show(b)} | {b / a:.2f}× | {target}× | {allocations:.2f} | {count} |",
              flush=True)


if __name__ == "__main__":
    main()
