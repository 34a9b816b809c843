"""Files of events that TensorBoard shows: the part of PyTorch's `torch.utils.tensorboard` that concerns numbers."""

from __future__ import annotations

import datetime
import os
import pathlib
import socket
from typing import Any

from wengert import _C

__all__ = ["SummaryWriter"]


class SummaryWriter:
    """Writes numbers for TensorBoard: `tensorboard --logdir` on the directory shows them.

    >>> import tempfile
    >>> from wengert.utils.tensorboard import SummaryWriter
    >>> with tempfile.TemporaryDirectory() as directory, SummaryWriter(directory) as writer:
    ...     writer.add_scalar("loss", 0.5, 1)
    """

    def __init__(self, log_dir: str | os.PathLike | None = None, comment: str = "") -> None:
        if log_dir is None:
            now = datetime.datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = pathlib.Path("runs") / f"{now}_{socket.gethostname()}{comment}"
        self.log_dir = str(log_dir)
        self._log: Any = _C.TensorBoard(self.log_dir)
        self._others: dict = {}

    def _file(self) -> Any:
        if self._log is None:
            raise ValueError("SummaryWriter: it is closed")
        return self._log

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int | None = None) -> None:
        """Writes one number of a step."""
        self._file().write(global_step or 0, [(tag, float(scalar_value))])

    def add_scalars(self, main_tag: str, tag_scalar_dict: dict, global_step: int | None = None) -> None:
        """Writes several numbers of a step that are shown in one picture: each in a directory of its own."""
        self._file()
        for tag, value in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            if folder not in self._others:
                self._others[folder] = _C.TensorBoard(folder)
            self._others[folder].write(global_step or 0, [(main_tag, float(value))])

    def flush(self) -> None:
        """What was written is in the file already."""

    def close(self) -> None:
        """From now on nothing can be written."""
        self._log, self._others = None, {}

    def __enter__(self) -> "SummaryWriter":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
