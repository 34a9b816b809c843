"""Names to learn from, and what is alike in the models that make up names letter by letter.

Data order and first weights come from a formula and not from random numbers, so that the programs in Rust, in Python and
with PyTorch all train alike.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "data"
WEIGHTS, PLACES = 1 << 40, 2 << 40


def numbers_from(start, count):
    """64-bit numbers that look random: those of the generator splitmix64 from number `start` on."""
    z = (np.arange(start, start + count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def first_weights(shapes):
    """First weights by name: matrices spread evenly in ±1/√(length of a row); vectors 0, scales of a norm 1."""
    place = WEIGHTS
    for name, shape in shapes.items():
        if len(shape) < 2:
            value = 1.0 if name.endswith("weight") else 0.0
            yield name, np.full(shape, value, np.float32)
            continue
        count = int(np.prod(shape))
        unit = (numbers_from(place, count) >> np.uint64(40)).astype(np.float64) / (1 << 24)
        place += count
        bound = 1.0 / np.sqrt(float(np.prod(shape[1:])))
        yield name, ((2.0 * unit - 1.0) * bound).astype(np.float32).reshape(shape)


class Names:
    """The names, one a line, in a mixed order. The last tenth is held out."""

    def __init__(self):
        text = gzip.decompress((DATA / "names.txt.gz").read_bytes()).decode()
        self.letters = sorted(set(text))
        lines = text.splitlines()
        mixed = [lines[i] for i in np.argsort(numbers_from(0, len(lines)))]
        split = len(mixed) * 9 // 10
        self.train, self.held_out = self.encode(mixed[:split]), self.encode(mixed[split:])

    def encode(self, names):
        number = {letter: i for i, letter in enumerate(self.letters)}
        return np.array([number[letter] for name in names for letter in "\n" + name])

    def batch(self, step, batch, context):
        """The pieces of the text that a step sees, and the letters that come next, both [batch, context]."""
        starts = numbers_from(PLACES + step * batch, batch) % np.uint64(len(self.train) - context)
        return pieces(self.train, starts.astype(np.int64), context)

    def all_held_out(self, context):
        return pieces(self.held_out, np.arange(0, len(self.held_out) - context, context), context)


def pieces(text, starts, context):
    places = starts[:, None] + np.arange(context)
    return text[places], text[places + 1]


def reference(example):
    """What PyTorch comes to; `reference/letters.py` made it."""
    return json.loads((DATA.parent / "reference" / "letters.json").read_text())[example]


def options(steps):
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--short", action="store_true", help="a small model and few steps")
    return parser.parse_args()


class Clock:
    """Milliseconds of the median step."""

    def __init__(self):
        self.times, self.now = [], time.perf_counter()

    def step(self):
        now = time.perf_counter()
        self.times.append(now - self.now)
        self.now = now

    def milliseconds(self):
        return 1e3 * float(np.median(self.times))
