"""The examples of regression, of a differential equation, of an autoencoder, of a sentence encoder and of a killed
training, in short form.
"""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import wengert

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


REFERENCE = json.loads((FOLDER.parent / "reference" / "minilm.json").read_text())


def test_a_tiny_sentence_encoder_is_the_references():
    example, theirs = load("minilm"), REFERENCE["tiny"]
    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = example.Bert({**sizes, "intermediate_size": 32, "max_position_embeddings": 12, "layer_norm_eps": 1e-12})
    # The weights are a formula, as in examples/reference/minilm.py.
    for p, (name, weight) in enumerate(sorted(model.named_parameters())):
        start = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        values = [start + 0.4 * math.sin(1 + 0.37 * i + 1.7 * p) for i in range(weight.numel())]
        weight.data = wengert.tensor(values).reshape(weight.shape)
    lengths = [7, 3, 5, 1]
    ids = wengert.tensor([[(5 * i * i + 7 * j) % 49 + 1 if j < n else 0 for j in range(7)] for i, n in enumerate(lengths)])
    mask = wengert.tensor([[int(j < n) for j in range(7)] for n in lengths])
    with wengert.no_grad():
        np.testing.assert_allclose(model(ids, mask).tolist(), theirs["embeddings"], atol=2e-6)
    _, losses = example.fine_tune(model, 16, 3, [(ids, mask, wengert.tensor([0, 1, 2, 1]))], 1e-2, 25)
    np.testing.assert_allclose(losses, theirs["losses"], atol=1e-3)
    np.testing.assert_allclose(losses[:5], theirs["losses"][:5], atol=1e-5)


def test_a_real_sentence_encoder_is_the_references():
    """With the model that `examples/data/fetch_minilm.py` fetches, and the package `tokenizers`; `WENGERT_TEST_MINILM` says
    that both must be there."""
    example, theirs = load("minilm"), REFERENCE["real"]
    if "WENGERT_TEST_MINILM" not in os.environ:
        pytest.importorskip("tokenizers")
        if not (example.DATA / "minilm" / "model.safetensors").exists():
            pytest.skip("the sentence encoder is not fetched: examples/data/fetch_minilm.py")
    vectors, similarities, losses, right = example.main(["--steps", "30", *theirs["sentences"]])
    np.testing.assert_allclose(vectors[:, :8].tolist(), theirs["embeddings"], atol=1e-6)
    np.testing.assert_allclose(similarities.tolist(), theirs["similarities"], atol=2e-6)
    np.testing.assert_allclose(losses, theirs["losses"], atol=1e-3)
    assert right == theirs["right"]


def test_a_killed_training_comes_to_the_same_bytes(tmp_path):
    package = str(Path(wengert.__file__).parent.parent)
    command = [sys.executable, str(FOLDER / "resume.py"), "--kills", "6", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same bytes" in done.stdout
