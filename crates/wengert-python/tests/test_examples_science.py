"""The examples of regression, of a differential equation and of an autoencoder, in short form."""

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "python"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "args", "low", "high"),
    [
        # A linear function has R² 0.49.
        ("tabular", ["--folds", "3", "--epochs", "25"], 0.42, 0.6),
        ("pinn", ["--steps", "8"], 0.0, 5e-3),
        # 543 nats before it is trained.
        ("vae", ["--epochs", "3", "--pictures", "3000"], 100.0, 215.0),
    ],
)
def test_it_comes_to_what_it_is_there_to_show(name, args, low, high):
    assert low < load(name).main(args) < high
