"""The softmax over very many classes."""

from __future__ import annotations

from collections import namedtuple
from typing import Any, Sequence

from wengert import _C
from wengert._C import Tensor

from .container import ModuleList, Sequential
from .linear import Linear, _like
from .module import Module
from .options import _functional

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of classes in clusters by falling frequency: rare ones are looked at only when needed.

    Source: Grave et al., Efficient softmax approximation for GPUs, 2017.

    >>> import wengert
    >>> layer = wengert.nn.AdaptiveLogSoftmaxWithLoss(4, 10, cutoffs=[5])
    >>> layer(wengert.randn(3, 4), wengert.tensor([0, 4, 9])).output.shape
    wengert.Size([3])
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if cutoffs != sorted(set(cutoffs)) or cutoffs[0] <= 0 or cutoffs[-1] > n_classes - 1:
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, "
                "where each value is between 1 and n_classes-1"
            )
        like = _like(device, dtype)
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **like)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            width = int(in_features // (div_value ** (i + 1)))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(Linear(in_features, width, bias=False, **like), Linear(width, size, bias=False, **like))
            )

    def reset_parameters(self) -> None:
        """Draws all parameters anew."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes."""
        f = _functional()
        head = f.log_softmax(self.head(input), dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail):
            column = self.shortlist_size + i
            parts.append(f.log_softmax(tail(input), dim=1) + head[:, column : column + 1])
        return _C.cat(parts, 1)

    def forward(self, input: Tensor, target: Tensor) -> _ASMoutput:
        """The log-probability of each target, and the mean of their negatives."""
        f = _functional()
        alone = target.dim() == 0
        if alone:
            input, target = input.unsqueeze(0), target.unsqueeze(0)
        if input.dim() != 2 or target.dim() != 1:
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input.shape[0] != target.shape[0]:
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        lowest, highest = int(target.min()), int(target.max())
        if lowest < 0 or highest >= self.n_classes:
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range [{lowest}, {highest}] were found. "
            )
        head = f.log_softmax(self.head(input), dim=1)
        column = target.clamp(max=self.shortlist_size - 1)
        result = _C.zeros(target.shape[0], dtype=input.dtype)
        for i, tail in enumerate(self.tail):
            low, high = self.cutoffs[i], self.cutoffs[i + 1]
            here = (target >= low) & (target < high)
            if not bool(here.any()):
                continue
            rows = here.nonzero().squeeze(1)
            within = f.log_softmax(tail(input.index_select(0, rows)), dim=1)
            own = within.gather(1, (target.index_select(0, rows) - low).unsqueeze(1)).squeeze(1)
            result = result.index_add(0, rows, own)
            column = _C.where(here, _C.tensor(self.shortlist_size + i), column)
        result = result + head.gather(1, column.unsqueeze(1)).squeeze(1)
        loss = (-result).mean()
        return _ASMoutput(result.squeeze(0) if alone else result, loss)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each row."""
        return self.log_prob(input).argmax(1)
