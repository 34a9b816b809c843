"""An LSTM that learns to make up names, letter by letter, as one writes it for PyTorch: only the imports differ.

    python lstm.py [--steps N] [--short]
"""

from gpt import SHORT, run
from wengert import nn


class LSTM(nn.Module):
    def __init__(self, kinds, width, hidden):
        super().__init__()
        self.letter = nn.Embedding(kinds, width)
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.head = nn.Linear(hidden, kinds)

    def forward(self, x):
        y, _ = self.lstm(self.letter(x))
        return self.head(y)


def models(kinds):
    """The model and its plan, long and short."""
    return {
        "long": (LSTM(kinds, 64, 256), {"steps": 800, "batch": 16, "context": 64, "learning_rate": 5e-3}),
        "short": (LSTM(kinds, 16, 32), SHORT),
    }


if __name__ == "__main__":
    run("lstm", models)
