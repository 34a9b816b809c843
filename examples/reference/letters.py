#!/usr/bin/env python3
"""Make letters.json: what the models that make up names come to with PyTorch, from the same weights and data.

Needs: pip install torch numpy. Run: python letters.py

The models are those of ../python/gpt.py and ../python/lstm.py, whose imports are changed to PyTorch's. For each:

    short      the losses of the short run's 40 steps, in f32
    rounding   the largest difference of that run's losses between f32 and f64
    last       the mean loss of the long run's last 50 steps
    held_out   the long run's loss on the names that are held out
"""

import json
import re
import sys
import types
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE.parent / "python"
sys.path.insert(0, str(PROGRAMS))


def with_pytorch(name):
    """A program of this name as a module that uses PyTorch."""
    source = (PROGRAMS / f"{name}.py").read_text()
    source = re.sub(r"^import wengert as torch$", "import torch", source, flags=re.M)
    source = re.sub(r"^from wengert\b", "from torch", source, flags=re.M)
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102
    return module


def main():
    torch.set_num_threads(1)
    import letters

    names = letters.Names()
    gpt = with_pytorch("gpt")
    out = {"torch": torch.__version__}
    for name in ["gpt", "lstm"]:
        models = with_pytorch(name).models

        def train(size, dtype):
            model, plan = models(len(names.letters))[size]
            gpt.begin(model).to(dtype)
            clock = letters.Clock()
            losses = gpt.train(model, names, **plan, see=lambda step, loss: clock.step())
            with torch.no_grad():
                held_out = gpt.loss_of(model, names.all_held_out(plan["context"])).item()
            print(f"{name} {size} {dtype}: {losses[0]:.4f} -> {losses[-1]:.4f}, held out {held_out:.4f}, "
                  f"{clock.milliseconds():.1f} ms a step")
            return losses, held_out

        short, exact = train("short", torch.float32)[0], train("short", torch.float64)[0]
        long, held_out = train("long", torch.float32)
        out[name] = {
            "last": round(sum(long[-50:]) / 50, 6),
            "held_out": round(held_out, 6),
            "rounding": float(f"{max(abs(a - b) for a, b in zip(short, exact)):.2g}"),
            "short": [round(loss, 8) for loss in short],
        }
    (HERE / "letters.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
