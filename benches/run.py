#!/usr/bin/env python3
"""Wengert beside PyTorch, interleaved in one run: medians, ratios, instructions and allocations.

    python3 benches/run.py --all            # the whole table, with one and with two threads; some minutes
    python3 benches/run.py --write-docs     # puts what was measured last into docs/benchmarks.md
    python3 benches/run.py [--threads 1] [--only SUBSTRING] [--peers candle,burn,dfdx,jax] [--compile]
                            [--python PYTHON_WITH_TORCH]

Builds the release binary, starts it and a Python process with PyTorch, each pinned to as many cores as it has threads,
and asks both for the same workloads in turn. The time of a workload is the median over all runs of all rounds; the ratio
is PyTorch's time over Wengert's. The machine's own limits (multiply-adds and bytes a second) are measured between, since
they change with what its neighbours do, and `of limit` says how much of them a workload reached. Instructions are counted by valgrind where it is installed, on
Wengert only: they do not depend on what else the machine is doing. What else it was doing is said at the end.
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
import time

import page
import table

HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))


class Worker:
    """A process that runs workloads by name."""

    def __init__(self, command, threads, env):
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
        pin = ["taskset", "-c", cores] if shutil.which("taskset") else []
        self.process = subprocess.Popen(pin + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **env})

    def ask(self, name, n):
        """Nanoseconds of each run for each unit, and the whole answer; nothing if it does not know the workload."""
        self.process.stdin.write(f"{name} {n}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} died over {name}")
        answer = json.loads(line)
        return answer and ([t / answer["units"] for t in answer["ns"]], answer)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds():
    """CPU time that all processes of the machine have had."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, pathlib.Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def instructions(binary, name):
    """Instructions of one unit of work: what forty runs take more than twenty."""
    def total(n):
        run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary, name, str(n)],
                             capture_output=True, text=True, env={**os.environ, "WENGERT_NUM_THREADS": "1"})
        return int(re.search(r"Collected : (\d+)", run.stderr).group(1))
    return (total(40) - total(20)) / 20


def spread(times):
    """Half of the middle half's width, over the median."""
    if len(times) < 4:
        return 0.0
    low, middle, high = statistics.quantiles(times, n=4)
    return (high - low) / 2 / middle


def measure(row, workers, seconds, rounds, machine, threads):
    """Medians for each worker that knows the row, asked in turn until the time is up, but in three rounds at least; and the
    machine's limits meanwhile."""
    times, answers, count = {}, {}, {}
    best = {kind: [] for kind, need in zip(KINDS, table.least(row["name"])) if need}
    names = {key: row["name"] + ("@compile" if key == "torch.compile" else "") for key in workers}
    for key, worker in workers.items():
        first = worker.ask(names[key], 1)
        if first:
            times[key] = []
            # So many runs that a round takes some milliseconds of each.
            count[key] = max(1, min(200, int(2e7 / (first[0][0] * first[1]["units"]))))
    start = time.monotonic()
    for r in range(rounds):
        if r >= 3 and time.monotonic() - start > seconds:
            break
        for key in times:
            # Threads of OpenMP keep a core for some milliseconds after their work, waiting for more.
            time.sleep(0.01)
            ns, answers[key] = workers[key].ask(names[key], count[key])
            times[key] += ns
        for kind, found in best.items():
            found.append(limit(machine, kind, threads))
    result = {key: {"ns": statistics.median(ns), "best": min(ns), "spread": spread(ns)} for key, ns in times.items()}
    return result, {kind: max(found) for kind, found in best.items()}, answers.get("wengert")


# What a machine has limits of, and how often a short look asks.
KINDS = {"flops": 30, "bytes": 5}


def limit(worker, kind, threads, times=1):
    """What so many cores can do just now: multiply-adds' operations a second, or bytes."""
    ns, _ = worker.ask(f"machine:{kind},{threads}", times * KINDS[kind])
    worker.ask("nothing", 1)  # for its threads wait for more without sleeping
    return 1e15 / min(ns)


def process_rows(binary, python, threads):
    """Whole processes: time to the first gradient, and the most memory that twenty steps take."""
    def run(command):
        start = time.monotonic()
        process = subprocess.Popen(command, env={**os.environ, "WENGERT_NUM_THREADS": str(threads)})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        return (time.monotonic() - start, usage.ru_maxrss * 1024) if status == 0 else None

    worker = str(HERE / "torch_worker.py")
    gradient = "import {0} as t; x = t.ones(3, requires_grad=True); (x * x).sum().backward()"
    commands = {
        "start: MLP's first gradient": ([binary, "mlp:64,sgd", "1"], [python, worker, str(threads), "mlp:64,sgd", "1"]),
        "start: from Python": ([python, "-c", gradient.format("wengert")], [python, "-c", gradient.format("torch")]),
        "memory: 20 steps of the MLP": ([binary, "mlp:64,sgd", "20"], [python, worker, str(threads), "mlp:64,sgd", "20"]),
    }
    rows = []
    for name, pair in commands.items():
        if run(pair[0]) is None:
            print(f"({name}: not here, since `import wengert` fails in {python})", file=sys.stderr)
            continue
        runs = [[run(c) for c in pair] for _ in range(5)]
        i = 1 if name.startswith("memory") else 0
        ours, theirs = (statistics.median(r[side][i] for r in runs) for side in (0, 1))
        rows.append({"name": name, "ours": ours, "theirs": theirs, "unit": "bytes" if i else "s",
                     "target": 5.0 if i else 20.0})
    rows.append({"name": "size of the benchmarks' release binary, stripped", "ours": stripped(binary), "theirs": None,
                 "unit": "bytes", "target": None})
    return rows


def stripped(binary):
    """Bytes of a binary without its symbols."""
    if not shutil.which("strip"):
        return os.path.getsize(binary)
    out = TARGET / "stripped"
    subprocess.run(["strip", "-o", out, binary], check=True)
    return os.path.getsize(out)


def run_all(binary, counts, python, threads, args, rows):
    env = {"WENGERT_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)}
    torch = [python, str(HERE / "torch_worker.py"), str(threads)]
    workers = {"wengert": Worker([binary], threads, env), "torch": Worker(torch, threads, env)}
    if args.compile:
        workers["torch.compile"] = Worker(torch, threads, env)
    for peer in filter(None, args.peers.split(",")):
        workers[peer] = Worker(peer_command(peer, args.jax or python, threads), threads, env)
    counting = Worker([counts], threads, env)
    for worker in workers.values():
        worker.ask("nothing", 1)  # which it answers once it has started, so that nobody's imports are measured
    began, busy, load = time.monotonic(), busy_seconds(), os.getloadavg()[0]
    machine = Worker([binary], threads, env)
    found = {"threads": threads, "limits": {kind: limit(machine, kind, threads, 5) for kind in KINDS}, "rows": []}
    print(table.heading(found, list(workers)), flush=True)
    for row in rows:
        times, limits, answer = measure(row, workers, args.seconds, args.rounds, machine, threads)
        result = {**row, "times": times, "limits": limits, "allocations": counting.ask(row["name"], 1)[1]["allocations"]}
        small = times["wengert"]["ns"] * answer["units"] < 1e6 and row["group"] == "small"
        if small and threads == 1 and shutil.which("valgrind"):
            result["instructions"] = instructions(binary, row["name"]) / answer["units"]
        found["rows"].append(result)
        print(table.line(result, found, list(workers)), flush=True)
    took = time.monotonic() - began
    others = busy_seconds() - busy - sum(w.cpu_seconds() for w in [*workers.values(), machine])
    found["quiet"] = {"load": load, "others": max(0.0, others / took / os.cpu_count()),
                      "spread": statistics.median(r["times"]["wengert"]["spread"] for r in found["rows"])}
    print(table.quiet(found["quiet"]), flush=True)
    for worker in [*workers.values(), counting, machine]:
        worker.process.stdin.close()
        worker.process.wait()
    return found


def build(feature=None):
    """The worker, which with the feature `count` counts allocations, and is slower for it."""
    more = ["--features", feature] if feature else []
    subprocess.run(["cargo", "build", "--release", "-q", "-p", "wengert-benches", *more], cwd=HERE, check=True)
    binary = TARGET / "release" / "wengert-benches"
    return str(shutil.copy(binary, f"{binary}-{feature or 'time'}"))


def peer_command(peer, python, threads):
    """Another library's part in the benchmarks: a Python program, or a project of its own, built when it is asked for."""
    if peer == "jax":
        return [python, str(HERE / "peers" / "jax_worker.py"), str(threads)]
    subprocess.run(["cargo", "build", "--release", "-q", "--target-dir", "target"], cwd=HERE / "peers" / peer, check=True)
    return [str(HERE / "peers" / peer / "target" / "release" / f"wengert-benches-{peer}")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the whole table, for one thread and for two")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to measure a workload, about")
    parser.add_argument("--only", default="")
    parser.add_argument("--peers", default="", help="also ask these: candle, burn, dfdx, jax")
    parser.add_argument("--compile", action="store_true", help="also ask torch.compile, where it works")
    parser.add_argument("--binary", help="time this binary and not one built now")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--jax", help="the Python that has JAX, where it is another")
    args = parser.parse_args()
    saved = TARGET / "benchmarks.json"
    if args.all or not args.write_docs:
        binary, counts = args.binary or build(), build("count")
        rows = [r for r in table.rows() if args.only in r["name"] and (args.all or args.only or not r["plot"])]
        runs = [run_all(binary, counts, args.python, t, args, rows) for t in ([1, 2] if args.all else [args.threads])]
        result = {"runs": runs, "processes": [], "machine": page.machine(args.python)}
        if args.all or not args.only:
            result["processes"] = process_rows(binary, args.python, 1)
            print(table.processes(result["processes"]))
        if args.all:
            saved.write_text(json.dumps(result, indent=1))
    if args.write_docs:
        page.write(json.loads(saved.read_text()), HERE.parent / "docs")


if __name__ == "__main__":
    main()
