"""Sequences of different lengths."""

from __future__ import annotations

from collections import namedtuple
from typing import Any, Iterable

from wengert import _C
from wengert._C import Tensor

_Packed = namedtuple("PackedSequence", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"])


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another.

    >>> import wengert
    >>> wengert.nn.utils.rnn.invert_permutation(wengert.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort()


class PackedSequence(_Packed):
    """Sequences of different lengths, time by time: `data` holds the first elements of all, then the second, …

    `batch_sizes` says how many sequences there are at each time; the sequences are sorted by falling length.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> "PackedSequence":
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """With the data converted or moved."""
        return type(self)(self.data.to(*args, **kwargs), *self[1:])

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a CUDA device."""
        return False


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Packs padded sequences [L, N, ·] (or [N, L, ·] with `batch_first`) of these lengths.

    >>> import wengert
    >>> wengert.nn.utils.rnn.pack_padded_sequence(wengert.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True).batch_sizes
    tensor([2, 1])
    """
    lengths = lengths if isinstance(lengths, Tensor) else _C.tensor(list(lengths))
    order = None
    if not enforce_sorted:
        order = lengths.argsort(descending=True, stable=True)
        lengths = lengths[order]
        input = input.index_select(0 if batch_first else 1, order)
    counts = [int(n) for n in lengths.tolist()]
    if batch_first:
        input = input.transpose(0, 1)
    if len(counts) != input.shape[1]:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(counts)} (batch_size={input.shape[1]})"
        )
    if any(n <= 0 for n in counts):
        raise RuntimeError("Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0")
    if any(a < b for a, b in zip(counts, counts[1:])):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence"
        )
    if counts[0] > input.shape[0]:
        raise RuntimeError(f"Expected lengths of at most {input.shape[0]}, but got {counts[0]}")
    sizes = [sum(n > t for n in counts) for t in range(counts[0])]
    data = _C.cat([input[t, :n] for t, n in enumerate(sizes)])
    return PackedSequence(data, _C.tensor(sizes), order)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The padded sequences and their lengths again.

    >>> import wengert
    >>> packed = wengert.nn.utils.rnn.pack_sequence([wengert.tensor([1, 2]), wengert.tensor([3])])
    >>> wengert.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    sizes = [int(n) for n in sequence.batch_sizes.tolist()]
    if total_length is not None and total_length < len(sizes):
        raise ValueError(
            f"Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {len(sizes)}"
        )
    data, n = sequence.data, sizes[0]
    rows = []
    for part in data.split(sizes):
        missing = n - part.shape[0]
        if missing:
            pad = _C.full((missing, *part.shape[1:]), padding_value, dtype=data.dtype)
            part = _C.cat([part, pad])
        rows.append(part)
    while len(rows) < (total_length or 0):
        rows.append(_C.full((n, *data.shape[1:]), padding_value, dtype=data.dtype))
    padded = _C.stack(rows, 1 if batch_first else 0)
    lengths = _C.tensor([sum(s > i for s in sizes) for i in range(n)])
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(0 if batch_first else 1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return padded, lengths


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences of different lengths, padded to the longest: [L, N, ·] (or [N, L, ·] with `batch_first`).

    >>> import wengert
    >>> wengert.nn.utils.rnn.pad_sequence([wengert.tensor([1, 2]), wengert.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    if padding_side not in ("left", "right"):
        raise ValueError(f"padding_side should be 'left' or 'right', and is {padding_side!r}")
    if not isinstance(sequences, (list, tuple, Tensor)):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = list(sequences.unbind(0) if isinstance(sequences, Tensor) else sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    longest = max(s.shape[0] for s in sequences)
    rows = []
    for s in sequences:
        if s.shape[0] < longest:
            pad = _C.full((longest - s.shape[0], *s.shape[1:]), padding_value, dtype=s.dtype)
            s = _C.cat([s, pad] if padding_side == "right" else [pad, s])
        rows.append(s)
    return _C.stack(rows, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list:
    """The sequences without their padding.

    >>> import wengert
    >>> wengert.nn.utils.rnn.unpad_sequence(wengert.tensor([[1, 2], [3, 0]]), wengert.tensor([2, 1]), batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [row[: int(n)] for row, n in zip(padded_sequences.unbind(0), lengths.tolist())]


def pack_sequence(sequences: list, enforce_sorted: bool = True) -> PackedSequence:
    """Packs sequences of different lengths.

    >>> import wengert
    >>> wengert.nn.utils.rnn.pack_sequence([wengert.tensor([1, 2]), wengert.tensor([3])]).data
    tensor([1, 3, 2])
    """
    lengths = _C.tensor([s.shape[0] for s in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list:
    """The sequences again.

    >>> import wengert
    >>> packed = wengert.nn.utils.rnn.pack_sequence([wengert.tensor([1, 2]), wengert.tensor([3])])
    >>> wengert.nn.utils.rnn.unpack_sequence(packed)
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
