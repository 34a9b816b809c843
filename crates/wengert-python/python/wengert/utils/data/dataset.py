"""Data sets."""

from __future__ import annotations

import bisect
import math
from itertools import accumulate
from typing import Any, Generic, Iterable, Iterator, TypeVar

from wengert import _C
from wengert._C import Tensor

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples that are found by a key. Subclasses define `__getitem__`, and `__len__` where they know it.

    >>> import wengert
    >>> class Squares(wengert.utils.data.Dataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, i):
    ...         return i * i
    >>> [batch.tolist() for batch in wengert.utils.data.DataLoader(Squares(), batch_size=2)]
    [[0, 1], [4, 9]]
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: "Dataset") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Samples that come one after the other. Subclasses define `__iter__`.

    >>> import wengert
    >>> class Count(wengert.utils.data.IterableDataset):
    ...     def __iter__(self):
    ...         yield from (1, 2, 3)
    >>> [batch.tolist() for batch in wengert.utils.data.DataLoader(Count(), batch_size=2)]
    [[1, 2], [3]]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")

    def __add__(self, other: Any) -> "ChainDataset":
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Tensors whose first dimension counts the samples.

    >>> import wengert
    >>> data = wengert.utils.data.TensorDataset(wengert.arange(4), wengert.arange(4) * 10)
    >>> len(data), data[1]
    (4, (tensor(1), tensor(10)))
    """

    def __init__(self, *tensors: Tensor) -> None:
        if any(t.shape[0] != tensors[0].shape[0] for t in tensors):
            raise AssertionError(f"Size mismatch between tensors: first dimensions are {[t.shape[0] for t in tensors]}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class StackDataset(Dataset):
    """Data sets side by side: samples are tuples, or dicts, of theirs.

    >>> import wengert
    >>> wengert.utils.data.StackDataset(image=[1, 2], label=[0, 1])[1]
    {'image': 2, 'label': 1}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset takes either positional data sets, for tuples, or named ones, for dicts")
        self.datasets: Any = args or kwargs
        sizes = {len(d) for d in (args or kwargs.values())}
        if len(sizes) != 1:
            raise ValueError("Size mismatch between datasets")
        (self._length,) = sizes

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {k: d[index] for k, d in self.datasets.items()}
        return tuple(d[index] for d in self.datasets)

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset):
    """Data sets one after the other.

    >>> import wengert
    >>> data = wengert.utils.data.TensorDataset(wengert.arange(4), wengert.arange(4) * 10)
    >>> both = wengert.utils.data.ConcatDataset([data, data])
    >>> len(both), both[5]
    (8, (tensor(1), tensor(10)))
    """

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if index < 0:
            if -index > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            index += len(self)
        number = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[number][index - (self.cumulative_sizes[number - 1] if number else 0)]


class ChainDataset(IterableDataset):
    """Iterable data sets one after the other.

    >>> import wengert
    >>> class Count(wengert.utils.data.IterableDataset):
    ...     def __iter__(self):
    ...         yield from (1, 2)
    >>> list(wengert.utils.data.ChainDataset([Count(), Count()]))
    [1, 2, 1, 2]
    """

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator:
        for d in self.datasets:
            yield from d  # type: ignore[misc]

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)  # type: ignore[arg-type]


class Subset(Dataset):
    """Some samples of a data set, by their indices.

    >>> import wengert
    >>> data = wengert.utils.data.TensorDataset(wengert.arange(4), wengert.arange(4) * 10)
    >>> wengert.utils.data.Subset(data, [3, 0])[0]
    (tensor(3), tensor(30))
    """

    def __init__(self, dataset: Dataset, indices: Any) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Dataset, lengths: Any, generator: Any = None) -> list:
    """Deals the samples out at random into subsets of these lengths, or of these parts of the whole.

    >>> import wengert
    >>> data = wengert.utils.data.TensorDataset(wengert.arange(4), wengert.arange(4) * 10)
    >>> [len(part) for part in wengert.utils.data.random_split(data, [3, 1])]
    [3, 1]
    """
    total = len(dataset)  # type: ignore[arg-type]
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1 + 1e-9 and any(n < 1 or isinstance(n, float) for n in lengths):
        for i, part in enumerate(lengths):
            if part < 0 or part > 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1")
        sizes = [math.floor(total * part) for part in lengths]
        for i in range(total - sum(sizes)):
            sizes[i % len(sizes)] += 1
        lengths = sizes
    if sum(lengths) != total:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = _C.randperm(total, **({} if generator is None else {"generator": generator})).tolist()
    return [Subset(dataset, order[end - n : end]) for end, n in zip(accumulate(lengths), lengths)]
