"""A small trainer."""

from __future__ import annotations

import math
import os
import pathlib
import re
import signal
import threading
from dataclasses import dataclass, field
from typing import Any, Callable, Protocol, Sequence

from wengert import _C
from wengert._modes import no_grad
from wengert.nn.utils import clip_grad_norm_
from wengert.serialization import load, save

from .progress import Progress


class Log(Protocol):
    """Something that keeps numbers: `Console`, `CsvLog`, `TensorBoard`, `Plot`, or a class of your own."""

    def write(self, step: int, values: list[tuple[str, float]]) -> None:
        """Keeps these numbers of a step."""

    def resumed(self, steps: int, losses: list[float], measures: list[float]) -> None:
        """A run that was interrupted goes on after so many steps; what was written of later ones will come again."""


@dataclass
class Report:
    """What a run came to."""

    losses: list[float] = field(default_factory=list)
    """The mean loss of each epoch."""
    measures: list[float] = field(default_factory=list)
    """The validation's measure after each epoch."""
    best: tuple[float, int] | None = None
    """The best measure and its epoch."""
    steps: int = 0
    """How many times the parameters were changed."""
    stopped_early: bool = False
    """Whether it ended before the last epoch."""


@dataclass
class _State:
    """How far a run is."""

    epoch: int = 0
    # Of the epoch under way: the sum of losses, the number of batches, the random state before its first one.
    sum: float = 0.0
    batches: int = 0
    start: Any = None
    over: bool = False
    report: Report = field(default_factory=Report)


class Trainer:
    """Trains a model: epochs, steps, accumulation, clipping, schedule, validation, early stopping, checkpoints, logs.

    With a directory for checkpoints, a run that was killed goes on from its last checkpoint and ends, bit for bit, where
    it would have ended: the checkpoint holds model, optimizer, schedule, random state and the place in the data.

    epochs: how often to go through the data.
    accumulate: so many batches' gradients are added up for a step.
    clip_grad_norm: bounds the norm of the gradients.
    schedule, schedule_steps: a scheduler of `optim.lr_scheduler`, stepped after each epoch, or after each step.
    validate: measures after each epoch, in evaluation mode and without recording; `mode` says whether "min" or "max" is
        good. Random numbers drawn meanwhile do not change the training. A `ReduceLROnPlateau` is given the measure.
    patience: ends when the measure has not become better for so many epochs.
    scaler: an `amp.GradScaler`, which scales losses, so that small gradients survive half precision; the loss is to be computed
        inside `autocast`. A step whose gradients overflow is left out, and counts.
    average: an `optim.swa_utils.AveragedModel`, which takes in the model after each step.
    checkpoints: a directory for `last.safetensors`, from which a later run goes on, and `best.safetensors`, the model at
        the best measure; `checkpoint_every` so many steps, and not only after each epoch.
    logs: where the numbers of each epoch go.
    progress: a line on standard error with loss, rate, measure, speed and the time left.
    stop_on_ctrl_c: Ctrl-C or SIGTERM ends the run after the current step, with a checkpoint; the second one at once.
    """

    def __init__(
        self,
        epochs: int,
        *,
        accumulate: int = 1,
        clip_grad_norm: float | None = None,
        schedule: Any = None,
        schedule_steps: Any = None,
        validate: Callable[[], Any] | None = None,
        mode: str = "min",
        patience: int | None = None,
        scaler: Any = None,
        average: Any = None,
        checkpoints: str | os.PathLike | None = None,
        checkpoint_every: int | None = None,
        logs: Sequence[Log] = (),
        progress: bool = False,
        stop_on_ctrl_c: bool = False,
    ) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"Trainer: mode is {mode!r}, and must be 'min' or 'max'")
        if schedule is not None and schedule_steps is not None:
            raise ValueError("Trainer: a schedule is stepped after each epoch or after each step; give one of the two")
        if accumulate < 1:
            raise ValueError(f"Trainer: accumulate is {accumulate}, and must be at least 1")
        self.epochs = epochs
        self.accumulate = accumulate
        self.clip_grad_norm = clip_grad_norm
        self.schedule, self.schedule_steps = schedule, schedule_steps
        self.validate, self.mode, self.patience = validate, mode, patience
        self.scaler, self.average = scaler, average
        self.directory = None if checkpoints is None else pathlib.Path(checkpoints)
        self.checkpoint_every = checkpoint_every
        self.logs = list(logs)
        self.progress = progress
        self.stop_on_ctrl_c = stop_on_ctrl_c
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ends the run after the current step, with a checkpoint. May be called from anywhere."""
        self._stop.set()

    def fit(self, model: Any, optimizer: Any, loader: Any, loss: Callable[[Any], Any]) -> Report:
        """Trains: `loss` gives the mean loss of a batch. An infinite loss or NaN is an error, before the step."""
        state = _State()
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._remove_leftovers()
            if (self.directory / "last.safetensors").exists():
                state = self._resume(load(self.directory / "last.safetensors"), model, optimizer, loader)
        before = self._listen() if self.stop_on_ctrl_c else {}
        try:
            self._run(state, model, optimizer, loader, loss)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return state.report

    def _run(self, state: _State, model: Any, optimizer: Any, loader: Any, loss: Callable) -> None:
        count = len(loader)
        shown = Progress(self.epochs, count, state.epoch * count + state.batches) if self.progress else None
        model.train()
        while not state.over and state.epoch < self.epochs:
            batches = self._begin(state, loader)
            waiting = 0
            for batch in batches:
                if waiting == 0:
                    optimizer.zero_grad()
                # What is left at the end of an epoch is a step of its own, of the mean of its batches.
                parts = min(self.accumulate, waiting + count - state.batches)
                value = loss(batch)
                number = float(value)
                if not math.isfinite(number):
                    raise ValueError(
                        f"fit: the loss is {number} in step {state.report.steps + 1} of epoch {state.epoch}\n"
                        "  note: the step was not taken; the last checkpoint is as it was"
                    )
                value = value / parts if parts > 1 else value
                (value if self.scaler is None else self.scaler.scale(value)).backward()
                state.sum += number
                state.batches += 1
                waiting += 1
                if shown is not None:
                    shown.batch(state.epoch, state.batches, state.sum / state.batches, _rate(optimizer), self._last(state))
                if waiting < parts:
                    continue
                waiting = 0
                self._step(state, model, optimizer)
                stop = self._stop.is_set()
                due = self.checkpoint_every is not None and state.report.steps % self.checkpoint_every == 0
                # The end of an epoch has a checkpoint of its own.
                if (due or stop) and state.batches < count:
                    self._save(state, model, optimizer, loader)
                    if stop:
                        state.report.stopped_early = True
                        return
            self._end(state, model, optimizer, shown)
            self._save(state, model, optimizer, loader)
            if self._stop.is_set() and state.epoch < self.epochs:
                state.report.stopped_early = True
                return

    def _begin(self, state: _State, loader: Any) -> Any:
        """The batches of the epoch that are not done yet."""
        done = state.batches
        now = _random(loader)
        if done:
            _set_random(loader, state.start)
        else:
            state.start = now
        batches = iter(loader)
        for _ in range(done):
            next(batches)
        if done:
            # The model's draws since the epoch began come between the loader's and what follows.
            _set_random(loader, now)
        return batches

    def _step(self, state: _State, model: Any, optimizer: Any) -> None:
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)
        if self.clip_grad_norm is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            clip_grad_norm_(parameters, self.clip_grad_norm)
        if self.scaler is not None:
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()
        state.report.steps += 1
        if self.schedule_steps is not None:
            self.schedule_steps.step()
        if self.average is not None:
            self.average.update_parameters(model)

    def _last(self, state: _State) -> float | None:
        return state.report.measures[-1] if state.report.measures else None

    def _end(self, state: _State, model: Any, optimizer: Any, shown: Progress | None) -> None:
        report = state.report
        mean = state.sum / state.batches if state.batches else math.nan
        report.losses.append(mean)
        state.sum, state.batches, state.start = 0.0, 0, None
        values = [("loss", mean), ("lr", _rate(optimizer))]
        measure = None
        if self.validate is not None:
            measure = self._measure(model)
            report.measures.append(measure)
            values.append(("measure", measure))
            if report.best is None or (measure < report.best[0] if self.mode == "min" else measure > report.best[0]):
                report.best = (measure, state.epoch)
                if self.directory is not None:
                    save(model.state_dict(), self.directory / "best.safetensors")
            if self.patience is not None and state.epoch - report.best[1] >= self.patience:
                state.over = report.stopped_early = True
        if self.schedule is not None:
            # A schedule that watches the measure is given it.
            arguments = (measure,) if hasattr(self.schedule, "num_bad_epochs") else ()
            self.schedule.step(*arguments)
        if shown is not None:
            shown.epoch(state.epoch, mean, values[1][1], measure)
        for log in self.logs:
            log.write(report.steps, values)
        state.epoch += 1

    def _measure(self, model: Any) -> float:
        before = _C.get_rng_state()
        model.eval()
        try:
            with no_grad():
                return float(self.validate())  # type: ignore[misc]
        finally:
            model.train()
            _C.set_rng_state(before)

    def _parts(self, model: Any, optimizer: Any) -> dict:
        """What has a state besides the run itself."""
        schedule = self.schedule if self.schedule is not None else self.schedule_steps
        parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "scaler": self.scaler, "average": self.average}
        return {name: part for name, part in parts.items() if part is not None}

    def _save(self, state: _State, model: Any, optimizer: Any, loader: Any) -> None:
        if self.directory is None:
            return
        report = state.report
        saved = {name: part.state_dict() for name, part in self._parts(model, optimizer).items()}
        saved["random"] = _random(loader)
        saved["trainer"] = {
            "epoch": state.epoch,
            "sum": state.sum,
            "batches": state.batches,
            "start": state.start,
            "over": state.over,
            "losses": report.losses,
            "measures": report.measures,
            "best": None if report.best is None else list(report.best),
            "steps": report.steps,
        }
        save(saved, self.directory / "last.safetensors")

    def _resume(self, saved: dict, model: Any, optimizer: Any, loader: Any) -> _State:
        parts = self._parts(model, optimizer)
        if missing := sorted(set(parts) - set(saved)):
            raise ValueError(f"fit: the checkpoint in {self.directory} has no {' and no '.join(missing)}")
        if needless := sorted(set(saved) - set(parts) - {"random", "trainer"}):
            raise ValueError(f"fit: the checkpoint in {self.directory} has a {needless[0]}, and this run has none")
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        _set_random(loader, saved["random"])
        t = saved["trainer"]
        best = None if t["best"] is None else (t["best"][0], t["best"][1])
        report = Report(list(t["losses"]), list(t["measures"]), best, t["steps"], t["over"])
        for log in self.logs:
            log.resumed(report.steps, report.losses, report.measures)
        return _State(t["epoch"], t["sum"], t["batches"], t["start"], t["over"], report)

    def _remove_leftovers(self) -> None:
        """What processes that were killed while they wrote a checkpoint have left beside it."""
        for file in self.directory.iterdir():  # type: ignore[union-attr]
            if re.fullmatch(r"\.(last|best)\.safetensors\.[\d-]+\.tmp", file.name):
                file.unlink(missing_ok=True)

    def _listen(self) -> dict:
        """From now on the first request to end is noted, and the second is followed at once."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def noted(number: int, _: Any) -> None:
            self._stop.set()
            signal.signal(number, before[number])

        for number in before:
            signal.signal(number, noted)
        return before


def _rate(optimizer: Any) -> float:
    return float(optimizer.param_groups[0]["lr"])


def _generator(loader: Any) -> Any:
    """The loader's own generator of random numbers, if it has one."""
    return getattr(loader, "generator", None)


def _random(loader: Any) -> list:
    """The state of the common generator, and of the loader's own."""
    own = _generator(loader)
    return [_signed(_C.get_rng_state()), None if own is None else _signed(own.get_state())]


def _set_random(loader: Any, state: list) -> None:
    _C.set_rng_state(_unsigned(state[0]))
    own = _generator(loader)
    if own is not None and state[1] is not None:
        own.set_state(_unsigned(state[1]))


def _signed(state: Any) -> list:
    """As numbers that a checkpoint can hold."""
    return [v - 2**64 if v >= 2**63 else v for v in state]


def _unsigned(state: Any) -> list:
    return [v % 2**64 for v in state]
