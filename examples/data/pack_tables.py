#!/usr/bin/env python3
"""Make `diabetes.csv.gz` and `intents.tsv` beside this script.

Needs:
    pip install scikit-learn pyyaml                      (the table is inside the scikit-learn wheel)
    pip download --no-deps rasa==3.6.20                  (the sentences are inside the rasa wheel)

Use:
    python pack_tables.py rasa-3.6.20-py3-none-any.whl
"""

import gzip
import hashlib
import importlib.resources
import sys
import zipfile
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
COLUMNS = "age,sex,bmi,bp,s1,s2,s3,s4,s5,s6,target"


def diabetes():
    """The ten measurements as they were taken, and the target, a row for each patient."""
    folder = importlib.resources.files("sklearn.datasets.data")
    read = lambda name: gzip.decompress((folder / name).read_bytes()).decode().split("\n")
    data, target = read("diabetes_data_raw.csv.gz"), read("diabetes_target.csv.gz")
    rows = [[*map(float, x.split()), float(y)] for x, y in zip(data, target) if x.strip()]
    assert len(rows) == 442 and all(len(row) == 11 for row in rows)
    lines = [",".join(f"{v:g}" for v in row) for row in rows]
    assert [[float(v) for v in line.split(",")] for line in lines] == rows
    return "\n".join([COLUMNS, *lines, ""]).encode()


def intents(wheel):
    """Intent and sentence, separated by a tab."""
    with zipfile.ZipFile(wheel) as z:
        nlu = yaml.safe_load(z.read("rasa/cli/initial_project/data/nlu.yml"))["nlu"]
    lines = [
        f"{part['intent']}\t{line.removeprefix('- ').strip()}\n"
        for part in nlu
        for line in part["examples"].strip().split("\n")
    ]
    assert len(lines) == len(set(lines)) and all(line.count("\t") == 1 for line in lines)
    return "".join(lines).encode()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    table, sentences = diabetes(), intents(sys.argv[1])
    with open(HERE / "diabetes.csv.gz", "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
        out.write(table)
    (HERE / "intents.tsv").write_bytes(sentences)
    for name, raw in [("diabetes.csv.gz", table), ("intents.tsv", sentences)]:
        size = (HERE / name).stat().st_size
        print(f"{name:16} {size:6} bytes, {raw.count(bytes([10]))} lines, {hashlib.sha256(raw).hexdigest()}")


if __name__ == "__main__":
    main()
