"""A line that says how far a training is."""

from __future__ import annotations

import sys
import time


class Progress:
    """Writes the line over and over on a terminal; elsewhere once an epoch."""

    def __init__(self, epochs: int, batches: int, done: int) -> None:
        self.epochs, self.batches, self.before = epochs, batches, done
        self.started = time.monotonic()
        self.shown = 0.0
        self.terminal = sys.stderr.isatty()

    def _line(self, epoch: int, batch: int, loss: float, rate: float, measure: float | None) -> str:
        done = epoch * self.batches + batch
        seconds = time.monotonic() - self.started
        speed = (done - self.before) / seconds if seconds > 0 else 0.0
        part = done / max(1, self.epochs * self.batches)
        left = (self.epochs * self.batches - done) / speed if speed > 0 else float("inf")
        seconds_left = f"{left:.0f} s left" if left < 600 else f"{left / 60:.0f} min left"
        bar = "#" * round(20 * part)
        text = f"epoch {epoch + 1}/{self.epochs} [{bar:<20}] loss {loss:.4f}  lr {rate:.2e}"
        if measure is not None:
            text += f"  measure {measure:.4f}"
        return f"{text}  {speed:.1f} batches/s  {seconds_left}"

    def batch(self, epoch: int, batch: int, loss: float, rate: float, measure: float | None) -> None:
        """After a batch; ten times a second is as often as one can read it."""
        now = time.monotonic()
        if self.terminal and now - self.shown >= 0.1:
            self.shown = now
            sys.stderr.write(f"\r{self._line(epoch, batch, loss, rate, measure)}\x1b[K")
            sys.stderr.flush()

    def epoch(self, epoch: int, loss: float, rate: float, measure: float | None) -> None:
        """After an epoch."""
        line = self._line(epoch, self.batches, loss, rate, measure)
        sys.stderr.write(f"\r{line}\x1b[K\n" if self.terminal else f"{line}\n")
        sys.stderr.flush()
