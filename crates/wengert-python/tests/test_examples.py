"""The programs of examples/python, in short form: they learn, and as PyTorch does from the same weights and data."""

import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import wengert

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"


def run(name, *options):
    """What a program prints. It runs on its own, as a user would start it."""
    # Where this process found the package, the other one finds it too.
    path = str(pathlib.Path(wengert.__file__).parent.parent)
    command = f"import sys, runpy; sys.path[:0] = [{str(EXAMPLES / 'python')!r}, {path!r}]; " \
              f"sys.argv = {[name, *options]!r}; runpy.run_path({str(EXAMPLES / 'python' / name)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["gpt", "lstm"])
def test_letters(name):
    printed = run(f"{name}.py", "--short")
    theirs = json.loads((EXAMPLES / "reference" / "letters.json").read_text())[name]["short"]
    losses = [float(loss) for loss in re.findall(r"^step \d+: loss (\S+)$", printed, flags=re.M)]
    # They are printed to four places.
    np.testing.assert_allclose(losses, theirs[::20], atol=1e-4)
    mean = float(re.search(r"^loss (\S+), ", printed, flags=re.M)[1])
    np.testing.assert_allclose(mean, np.mean(theirs), atol=1e-4)
    names = printed.splitlines()[-1].split(", ")
    assert len(names) == 20 and all(re.fullmatch(r"[A-Za-z-]*", name) for name in names)


def test_lenet_reads_most_digits_after_two_epochs():
    printed = run("lenet.py", "--epochs", "2", "--most", "4000")
    accuracy = float(re.search(r"^held-out accuracy (\S+) %", printed, flags=re.M)[1])
    assert accuracy > 85, printed
    rows = [[int(n) for n in line.split()] for line in printed.splitlines() if re.fullmatch(r"[\d ]+", line)]
    assert len(rows) == 10 and sum(map(sum, rows)) == 800
    assert abs(sum(rows[i][i] for i in range(10)) / 8 - accuracy) < 0.01
