"""The trainer, its logs, and that a run which is killed ends bit for bit where it would have."""

import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import textwrap
import time

import pytest
import wengert
from wengert import nn, optim, train
from wengert.utils.data import DataLoader, TensorDataset

LIFE = textwrap.dedent("""
    import sys, wengert
    from wengert import nn, optim, train
    from wengert.utils.data import DataLoader, Dataset

    class Noisy(Dataset):
        def __init__(self):
            self.x = wengert.randn(60, 4)
        def __len__(self):
            return 60
        def __getitem__(self, i):
            return self.x[i] + 0.1 * wengert.randn(4), self.x[i].square().sum()

    wengert.manual_seed(3)
    loader = DataLoader(Noisy(), batch_size=6, shuffle=True, num_workers=int(sys.argv[2]))
    model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    steps = 12 * 4
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=steps)
    average = optim.swa_utils.AveragedModel(model, avg_fn=optim.swa_utils.get_ema_avg_fn(0.9))
    test = wengert.randn(8, 4)

    def loss(batch):
        print("batch", flush=True)
        return nn.functional.mse_loss(model(batch[0])[:, 0], batch[1])

    trainer = train.Trainer(
        12, accumulate=3, clip_grad_norm=5.0, schedule_steps=schedule, average=average, checkpoints=sys.argv[1],
        checkpoint_every=1, logs=[train.CsvLog(sys.argv[1] + "/log.csv")], stop_on_ctrl_c=True,
        validate=lambda: model(test + 0 * wengert.randn(8, 4)).square().mean(),
    )
    report = trainer.fit(model, optimizer, loader, loss)
    print("done" if not report.stopped_early else "stopped", report.steps, flush=True)
""")


def start(directory, workers=0):
    directory.mkdir(exist_ok=True)
    path = str(pathlib.Path(wengert.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([path, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", LIFE, str(directory), str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_a_run_that_is_killed_ends_bit_for_bit_where_it_would_have(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    out, _ = start(whole).communicate()
    assert out.splitlines()[-1] == "done 48" and out.count("batch") == 120
    chance, kills, batches = random.Random(1), 0, 0
    while kills < 8:
        # What is drawn for the data does not depend on the number of workers.
        life = start(killed, workers=kills % 3)
        for _ in range(chance.randrange(1, 12)):
            batches += life.stdout.readline() == "batch\n"
        time.sleep(chance.random() * 0.004)
        life.kill()
        # What it printed after the last line read here and before it died counts as well.
        batches += life.communicate()[0].count("batch\n")
        kills += 1
    out, _ = start(killed).communicate()
    assert out.splitlines()[-1] == "done 48"
    # No batch was left out. (More than these where a kill lost work, which is done again: nearly always, but not surely.)
    assert batches + out.count("batch") >= 120
    for name in ["last.safetensors", "best.safetensors", "log.csv"]:
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name
    assert sorted(f.name for f in killed.iterdir()) == ["best.safetensors", "last.safetensors", "log.csv"]
    lines = (whole / "log.csv").read_text().splitlines()
    assert lines[0] == "step,loss,lr,measure" and [line.split(",")[0] for line in lines[1:]] == [str(4 * i) for i in range(1, 13)]


def test_ctrl_c_stops_it_after_saving(tmp_path):
    life = start(tmp_path / "run")
    for _ in range(20):
        assert life.stdout.readline() == "batch\n"
    life.send_signal(signal.SIGINT)
    out, _ = life.communicate()
    assert life.returncode == 0 and out.splitlines()[-1].startswith("stopped ")
    steps = wengert.load(tmp_path / "run" / "last.safetensors")["trainer"]["steps"]
    assert 6 <= steps == int(out.split()[-1]) < 48


def parts(n=64, **options):
    wengert.manual_seed(0)
    x = wengert.randn(n, 3)
    model = nn.Linear(3, 1)
    loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=16, **options)
    return model, loader, lambda batch: nn.functional.mse_loss(model(batch[0]), batch[1])


def test_it_stops_when_nothing_improves_and_keeps_the_best(tmp_path):
    model, loader, loss = parts()
    measures = iter([3.0, 1.0, 2.0, 1.5, 0.5])
    weights = []

    def validate():
        assert not model.training and not wengert.is_grad_enabled()
        weights.append(model.weight.tolist())
        return next(measures)

    optimizer = optim.SGD(model.parameters(), lr=0.01)
    trainer = train.Trainer(9, validate=validate, patience=2, checkpoints=tmp_path)
    report = trainer.fit(model, optimizer, loader, loss)
    assert report.measures == [3.0, 1.0, 2.0, 1.5] and report.best == (1.0, 1) and report.stopped_early
    assert model.training and report.steps == 16 and len(report.losses) == 4
    assert wengert.load(tmp_path / "best.safetensors")["weight"].tolist() == weights[1]
    # What is over is not begun again.
    again = train.Trainer(9, validate=validate, patience=2, checkpoints=tmp_path).fit(model, optimizer, loader, loss)
    assert again == report


def test_accumulated_batches_are_one_larger_batch():
    ends = []
    for size, accumulate in [(16, 1), (4, 4)]:
        model, loader, loss = parts()
        loader = DataLoader(loader.dataset, batch_size=size)
        report = train.Trainer(3, accumulate=accumulate).fit(model, optim.SGD(model.parameters(), lr=0.1), loader, loss)
        assert report.steps == 12
        ends.append(model.weight.tolist()[0])
    assert ends[0] == pytest.approx(ends[1], rel=1e-5)


def test_schedules_and_averages():
    model, loader, loss = parts()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    average = optim.swa_utils.AveragedModel(model)
    trainer = train.Trainer(3, schedule=plateau, validate=lambda: 1.0, average=average)
    trainer.fit(model, optimizer, loader, loss)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.001)
    assert int(average.n_averaged) == 12


def test_wrong_uses_say_so(tmp_path):
    model, loader, loss = parts()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="the loss is nan in step 1 of epoch 0\n.*was not taken"):
        train.Trainer(1).fit(model, optimizer, loader, lambda batch: loss(batch) * float("nan"))
    with pytest.raises(ValueError, match="mode is 'best'"):
        train.Trainer(1, mode="best")
    with pytest.raises(ValueError, match="give one of the two"):
        train.Trainer(1, schedule=1, schedule_steps=1)
    train.Trainer(1, checkpoints=tmp_path).fit(model, optimizer, loader, loss)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.raises(ValueError, match="has no schedule"):
        train.Trainer(2, checkpoints=tmp_path, schedule=schedule).fit(model, optimizer, loader, loss)


def test_progress_is_told_once_an_epoch_where_there_is_no_terminal(capsys):
    model, loader, loss = parts()
    train.Trainer(2, progress=True).fit(model, optim.SGD(model.parameters(), lr=0.1), loader, loss)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and lines[1].startswith("epoch 2/2 [####################] loss 0.")
    assert "lr 1.00e-01" in lines[0] and "batches/s" in lines[0] and lines[1].endswith(" s left")


def events(file):
    """The payloads of a file of events."""
    data, at, found = file.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        found.append(data[at + 12 : at + 12 + length])
        at += 12 + length + 4
    return found


def test_logs(tmp_path, capfd):
    model, loader, loss = parts()
    noted = []

    class Mine:
        def write(self, step, values):
            noted.append((step, dict(values)))

    logs = [Mine(), train.Console(), train.TensorBoard(tmp_path / "events"), train.Plot(tmp_path / "loss.svg")]
    report = train.Trainer(3, logs=logs).fit(model, optim.SGD(model.parameters(), lr=0.1), loader, loss)
    assert [(step, values["loss"]) for step, values in noted] == list(zip([4, 8, 12], report.losses))
    assert capfd.readouterr().err.count("loss ") == 3
    (file,) = (tmp_path / "events").iterdir()
    written = events(file)
    assert len(written) == 4 and b"brain.Event:2" in written[0]
    for event, value in zip(written[1:], report.losses):
        assert event.partition(b"loss\x15")[2][:4] == struct.pack("<f", value)
    picture = (tmp_path / "loss.svg").read_text()
    assert picture.startswith("<svg") and "loss" in picture and "lr" in picture
    with pytest.raises(OSError):
        train.CsvLog(tmp_path / "nowhere" / "x.csv").write(1, [("loss", 1.0)])


def test_numbers_for_tensorboard(tmp_path):
    from wengert.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path / "a") as writer:
        writer.add_scalar("one", wengert.tensor(1.5), 3)
        writer.add_scalars("two", {"x": 1.0, "y": 2.0}, 4)
    (file,) = [f for f in (tmp_path / "a").iterdir() if f.is_file()]
    assert b"one\x15" + struct.pack("<f", 1.5) in events(file)[1]
    assert sorted(f.name for f in (tmp_path / "a").iterdir() if f.is_dir()) == ["two_x", "two_y"]
    with pytest.raises(ValueError, match="closed"):
        writer.add_scalar("one", 1.0)
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    read = loader.EventAccumulator(str(tmp_path / "a"))
    read.Reload()
    assert [(e.step, e.value) for e in read.Scalars("one")] == [(3, 1.5)]
