"""The loop, logs, and measures of how good a model is, as in Rust's `wengert::train`.

>>> import wengert
>>> from wengert import nn, optim
>>> from wengert.train import Trainer
>>> from wengert.utils.data import DataLoader, TensorDataset
>>> _ = wengert.manual_seed(0)
>>> x = wengert.randn(64, 3)
>>> loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=16, shuffle=True)
>>> model = nn.Linear(3, 1)
>>> report = Trainer(30).fit(model, optim.Adam(model.parameters(), lr=0.05), loader,
...                          lambda batch: nn.functional.mse_loss(model(batch[0]), batch[1]))
>>> report.losses[-1] < 0.1 * report.losses[0], report.steps
(True, 120)
"""

from wengert._C import (
    Confusion,
    Console,
    CsvLog,
    Plot,
    TensorBoard,
    accuracy,
    mean_absolute_error,
    perplexity,
    r2_score,
    top_k_accuracy,
)

from .loop import Log, Report, Trainer
from .metrics import Mean

__all__ = [
    "Confusion",
    "Console",
    "CsvLog",
    "Log",
    "Mean",
    "Plot",
    "Report",
    "TensorBoard",
    "Trainer",
    "accuracy",
    "mean_absolute_error",
    "perplexity",
    "r2_score",
    "top_k_accuracy",
]
