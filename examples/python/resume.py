"""A training that is killed again and again, and comes to the same bytes as one that is left alone.

    python resume.py [--kills N] [--out FOLDER]
"""

import argparse
import gzip
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import wengert as torch
from wengert import nn
from wengert.nn import functional as F
from wengert.train import CsvLog, Trainer, accuracy
from wengert.utils.data import DataLoader, TensorDataset

DATA = Path(__file__).resolve().parent.parent / "data"
FILES = ["last.safetensors", "best.safetensors", "log.csv"]
EPOCHS, STEPS = 20, 20 * 15


def digits():
    """Pictures `[1797, 64]` from 0 to 1, and the digits that they show."""
    pixels = np.frombuffer(gzip.decompress((DATA / "digits-images.idx3.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((DATA / "digits-labels.idx1.gz").read_bytes()), np.uint8, offset=8)
    return torch.tensor(pixels.reshape(-1, 64) / np.float32(16)), torch.tensor(labels.astype(np.int64))


def train(folder):
    """Trains with all that has a state, and goes on with what is in the folder. Says when it begins a batch."""
    torch.manual_seed(17)
    pixels, labels = digits()
    loader = DataLoader(TensorDataset(pixels[:600], labels[:600]), batch_size=20, shuffle=True)
    model = nn.Sequential(nn.Linear(64, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(0.25), nn.Linear(48, 10))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=STEPS)

    def loss(batch):
        print("batch", flush=True)
        x, y = batch
        return F.cross_entropy(model(x), y)

    trainer = Trainer(
        EPOCHS,
        accumulate=2,
        clip_grad_norm=1.0,
        schedule_steps=schedule,
        validate=lambda: accuracy(model(pixels[1600:]), labels[1600:]),
        mode="max",
        checkpoints=folder,
        checkpoint_every=2,
        logs=[CsvLog(folder / "log.csv")],
        stop_on_ctrl_c=True,
    )
    return trainer.fit(model, optimizer, loader, loss)


def main(args=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("resume-out"))
    parser.add_argument("--life", type=Path, help="what this program starts itself with")
    options = parser.parse_args(args)
    if options.life is not None:
        train(options.life)
        return
    whole, killed = options.out / "undisturbed", options.out / "killed"
    for folder in (whole, killed):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    start = lambda folder: subprocess.Popen([sys.executable, __file__, "--life", str(folder)], stdout=subprocess.PIPE)
    lost = -2 * STEPS

    def to_the_end(folder):
        out, _ = (life := start(folder)).communicate()
        if life.returncode != 0:
            sys.exit(f"the training failed: {life.returncode}")
        return out.count(b"batch")

    to_the_end(whole)
    chance = random.Random(options.seed)
    for _ in range(options.kills):
        life = start(killed)
        for _ in range(chance.randrange(0, 14)):
            lost += life.stdout.readline() == b"batch\n"
        time.sleep(chance.random() * 0.003)
        life.kill()
        lost += life.communicate()[0].count(b"batch")
    lost += to_the_end(killed)
    different = [name for name in FILES if (whole / name).read_bytes() != (killed / name).read_bytes()]
    print(f"{STEPS} steps, killed {options.kills} times; {lost} batches were computed for nothing")
    if different:
        sys.exit(f"different: {', '.join(different)}")
    print(f"{', '.join(FILES)}: the same bytes as those of the run that was left alone")


if __name__ == "__main__":
    main()
