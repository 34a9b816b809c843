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
    import os, sys, wengert
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
        # It goes on when it is told to, or when nobody tells it anything any more.
        os.read(0, 1)
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
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def go_on(life, batches):
    life.stdin.write("." * batches)
    life.stdin.flush()


def test_a_run_that_is_killed_ends_bit_for_bit_where_it_would_have(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    out, _ = start(whole).communicate()
    assert out.splitlines()[-1] == "done 48" and out.count("batch") == 120
    chance, kills, batches = random.Random(1), 0, 0
    while kills < 8:
        # What is drawn for the data does not depend on the number of workers.
        life = start(killed, workers=kills % 3)
        # It may go on for a few batches more than are waited for, and does not come to its end before it is killed.
        awaited = chance.randrange(1, 12)
        go_on(life, awaited + 3)
        for _ in range(awaited):
            assert life.stdout.readline() == "batch\n"
        time.sleep(chance.random() * 0.004)
        life.kill()
        batches += awaited + life.communicate()[0].count("batch\n")
        kills += 1
    out, _ = start(killed).communicate()
    assert out.splitlines()[-1] == "done 48"
    # Work that a kill lost was done again.
    assert batches + out.count("batch") >= 120
    for name in ["last.safetensors", "best.safetensors", "log.csv"]:
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name
    assert sorted(f.name for f in killed.iterdir()) == ["best.safetensors", "last.safetensors", "log.csv"]
    lines = (whole / "log.csv").read_text().splitlines()
    assert lines[0] == "step,loss,lr,measure" and [line.split(",")[0] for line in lines[1:]] == [str(4 * i) for i in range(1, 13)]


def test_ctrl_c_stops_it_after_saving(tmp_path):
    life = start(tmp_path / "run")
    go_on(life, 20)
    for _ in range(20):
        assert life.stdout.readline() == "batch\n"
    # It waits before the next batch at the latest, and goes on with the signal.
    life.send_signal(signal.SIGINT)
    out, _ = life.communicate()
    assert life.returncode == 0 and out.splitlines()[-1].startswith("stopped ")
    steps = wengert.load(tmp_path / "run" / "last.safetensors")["trainer"]["steps"]
    # The twentieth batch ends the eighth step. If that was over when the signal came, it still takes the next.
    assert steps == int(out.split()[-1]) and steps in (8, 9)


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


def test_mixed_precision(tmp_path):
    def run(directory, stop_after=None):
        while True:
            model, loader, _ = parts()
            with wengert.no_grad():
                model.weight.fill_(0.25)
                model.bias.zero_()
            optimizer, scaler = optim.SGD(model.parameters(), lr=0.1), wengert.amp.GradScaler(init_scale=64.0, growth_interval=5)

            def loss(batch):
                nonlocal stop_after
                with wengert.autocast("cpu", wengert.float16):
                    y = model(batch[0])
                    assert y.dtype is wengert.float16
                    stop_after = None if stop_after is None else stop_after - 1
                    if stop_after == 0:
                        trainer.stop()
                    return nn.functional.mse_loss(y, batch[1])

            trainer = train.Trainer(4, scaler=scaler, clip_grad_norm=1.0, checkpoints=directory)
            report = trainer.fit(model, optimizer, loader, loss)
            if not report.stopped_early:
                assert report.steps == 16 and report.losses[-1] < report.losses[0]
                return model.weight.tolist(), scaler.state_dict()

    whole = run(tmp_path / "whole")
    assert whole[1]["scale"] == 64.0 * 8 and whole[1]["_growth_tracker"] == 1
    assert run(tmp_path / "stopped", stop_after=6) == whole
    model, loader, loss = parts()
    with pytest.raises(ValueError, match="has a scaler, and this run has none"):
        train.Trainer(5, checkpoints=tmp_path / "whole").fit(model, optim.SGD(model.parameters(), lr=0.1), loader, loss)


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


def checksum(data):
    """CRC-32C as TFRecord files have it, turned and offset."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def fields(message):
    """The fields of a message in Protocol Buffers' encoding: pairs of a number and a value."""

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    at, found = 0, []
    while at < len(message):
        key = varint()
        if key & 7 == 0:
            value = varint()
        elif key & 7 == 2:
            size = varint()
            value, at = message[at : at + size], at + size
            assert len(value) == size
        else:
            form = {1: "<d", 5: "<f"}[key & 7]
            (value,) = struct.unpack_from(form, message, at)
            at += struct.calcsize(form)
        found.append((key >> 3, value))
    return found


def events(file):
    """What TensorBoard reads from a file of events: pairs of a step and the numbers by name."""
    data, at, found = file.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        event = data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 8) == (checksum(data[at : at + 8]),)
        assert struct.unpack_from("<I", data, at + 12 + length) == (checksum(event),)
        at += 16 + length
        of = dict(fields(event))
        assert of.pop(1) > 1.7e9, "the time, in seconds"
        if not found:
            assert of == {3: b"brain.Event:2"}
            found.append(None)
            continue
        assert set(of) == {2, 5}
        values = [dict(fields(value)) for number, value in fields(of[5]) if number == 1]
        found.append((of[2], {value[1].decode(): value[2] for value in values}))
    return found[1:]


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
    assert [step for step, _ in written] == [4, 8, 12] and all(set(of) == {"loss", "lr"} for _, of in written)
    assert [of["loss"] for _, of in written] == pytest.approx(report.losses, rel=1e-7)
    assert [of["lr"] for _, of in written] == pytest.approx([0.1] * 3, rel=1e-7)
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
    assert events(file) == [(3, {"one": 1.5})]
    for name, value in [("two_x", 1.0), ("two_y", 2.0)]:
        (file,) = (tmp_path / "a" / name).iterdir()
        assert events(file) == [(4, {"two": value})]
    with pytest.raises(ValueError, match="closed"):
        writer.add_scalar("one", 1.0)


def test_events_are_those_that_protocol_buffers_describe():
    assert checksum(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert fields(b"\x08\xac\x02\x12\x02hi\x1d\0\0\xc0\x3f") == [(1, 300), (2, b"hi"), (3, 1.5)]
