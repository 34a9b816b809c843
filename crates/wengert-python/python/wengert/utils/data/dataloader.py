"""Batches of samples."""

from __future__ import annotations

import collections.abc
import queue
import threading
from dataclasses import dataclass
from typing import Any, Callable, Iterator

from wengert import _C
from wengert._C import Tensor

from .dataset import IterableDataset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler


def _rebuild(like: Any, values: list) -> Any:
    """A sequence of the type of another."""
    if isinstance(like, tuple) and hasattr(like, "_fields"):
        return type(like)(*values)
    try:
        return type(like)(values)
    except TypeError:
        return values


def default_convert(data: Any) -> Any:
    """NumPy arrays as tensors, in whatever they are held.

    >>> import wengert
    >>> wengert.utils.data.default_convert({'x': 'text', 'y': [1]})
    {'x': 'text', 'y': [1]}
    """
    if isinstance(data, (Tensor, str, bytes)):
        return data
    if hasattr(data, "__array__"):
        return data if data.dtype.kind in "SUO" else _C.as_tensor(data)
    if isinstance(data, collections.abc.Mapping):
        return {k: default_convert(v) for k, v in data.items()}
    if isinstance(data, collections.abc.Sequence):
        return _rebuild(data, [default_convert(v) for v in data])
    return data


def default_collate(batch: list) -> Any:
    """One batch of many samples: numbers and tensors are stacked, in whatever tuples or dicts they are held.

    >>> from wengert.utils.data import default_collate
    >>> default_collate([(1, 2.0), (3, 4.0)])
    [tensor([1, 3]), tensor([2., 4.], dtype=float64)]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return _C.stack(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, float):
        return _C.tensor(batch, dtype=_C.float64)
    if isinstance(first, (bool, int)):
        return _C.tensor(batch)
    if hasattr(first, "__array__"):
        if first.dtype.kind in "SUO":
            raise TypeError(f"default_collate: NumPy arrays of dtype {first.dtype} cannot be batched")
        return _C.stack([_C.as_tensor(b) for b in batch])
    if isinstance(first, collections.abc.Mapping):
        values = {k: default_collate([d[k] for d in batch]) for k in first}
        try:
            return type(first)(values)  # type: ignore[call-arg]
        except TypeError:
            return values
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(list(part)) for part in zip(*batch)))
    if isinstance(first, collections.abc.Sequence):
        if any(len(b) != len(first) for b in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        parts = [default_collate(list(part)) for part in zip(*batch)]
        return parts if isinstance(first, tuple) else _rebuild(first, parts)
    raise TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(first)}"
    )


@dataclass
class WorkerInfo:
    """What a worker knows of itself."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """In a worker of a `DataLoader`, which one it is; otherwise None.

    >>> import wengert
    >>> print(wengert.utils.data.get_worker_info())
    None
    """
    return getattr(_worker, "info", None)


class DataLoader:
    """Batches of a data set.

    `num_workers` threads load batches ahead; what comes, and in which order, is the same whatever their number: what a data
    set draws for a batch from the program's random numbers depends on the seed and the batch's number alone. Options that
    concern processes and pinned memory are taken and have no effect.

    >>> from wengert import arange
    >>> from wengert.utils.data import DataLoader, TensorDataset
    >>> [x.tolist() for x, in DataLoader(TensorDataset(arange(5)), batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to load in this thread.")
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError("prefetch_factor option could only be specified with num_workers > 0")
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            if shuffle:
                raise ValueError(f"DataLoader with IterableDataset: expected unspecified shuffle option, but got shuffle={shuffle}")
            if sampler is not None or batch_sampler is not None:
                raise ValueError("DataLoader with IterableDataset: expected unspecified sampler and batch_sampler options")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None and not self._iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None and not self._iterable:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        elif batch_size is not None and (not isinstance(batch_size, int) or batch_size <= 0):
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.generator = generator
        self.prefetch_factor = 2 if prefetch_factor is None and num_workers > 0 else prefetch_factor
        self.persistent_workers = persistent_workers
        self.pin_memory = pin_memory
        self._batched = batch_sampler is not None or (self._iterable and batch_size is not None)
        # A data set of tensors gives a batch at once where nothing is done with each sample.
        self._whole = self._batched and collate_fn is None and type(dataset) is TensorDataset
        self.collate_fn = collate_fn if collate_fn is not None else default_collate if self._batched else default_convert

    def __len__(self) -> int:
        if self._iterable:
            n = len(self.dataset)
            if self.batch_size is None:
                return n
            return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
        return len(self.batch_sampler if self._batched else self.sampler)

    def _seed(self) -> int:
        return int(_C.randint(0, 2**31, (1,), **({} if self.generator is None else {"generator": self.generator})))

    def _tasks(self) -> Iterator:
        """For each batch its key, the seed of this pass over the data, and the batch's number."""
        seed = 0
        for number, key in enumerate(self.batch_sampler if self._batched else self.sampler):
            if number == 0 and not self._whole:
                seed = self._seed()
            yield key, seed, number

    def _load(self, task: tuple) -> Any:
        key, seed, number = task
        if self._whole:
            rows = _C.tensor(key)
            return [t.index_select(0, rows) for t in self.dataset.tensors]
        return _C._with_generator(seed, number, lambda: self._collated(key))

    def _collated(self, key: Any) -> Any:
        if not self._batched:
            return self.collate_fn(self.dataset[key])
        fetch = getattr(self.dataset, "__getitems__", None)
        return self.collate_fn(fetch(key) if fetch is not None else [self.dataset[i] for i in key])

    def _stream(self) -> Iterator:
        """The batches of an iterable data set."""
        if self.batch_size is None:
            for sample in self.dataset:
                yield self.collate_fn(sample)
            return
        batch: list = []
        for sample in self.dataset:
            batch.append(sample)
            if len(batch) == self.batch_size:
                yield self.collate_fn(batch)
                batch = []
        if batch and not self.drop_last:
            yield self.collate_fn(batch)

    def __iter__(self) -> Iterator:
        if self.num_workers == 0:
            return self._stream() if self._iterable else map(self._load, self._tasks())
        return _Workers(self).batches()


class _Workers:
    """Threads that load batches ahead."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.stop = threading.Event()
        count = loader.num_workers
        ahead = loader.prefetch_factor or 2
        # One queue each way for each worker: batch number i comes from worker i modulo their number, so in order.
        self.tasks: list = [queue.SimpleQueue() for _ in range(count)]
        self.results: list = [queue.Queue(ahead) for _ in range(count)]

    def _begin(self, seed: int) -> None:
        count = self.loader.num_workers
        for i in range(count):
            info = WorkerInfo(i, count, seed + i, self.loader.dataset)
            thread = threading.Thread(target=self._work, args=(info,), daemon=True, name=f"DataLoader worker {i}")
            thread.start()

    def _give(self, number: int, item: tuple) -> bool:
        while not self.stop.is_set():
            try:
                self.results[number].put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _work(self, info: WorkerInfo) -> None:
        _worker.info = info
        loader = self.loader
        try:
            if loader.worker_init_fn is not None:
                loader.worker_init_fn(info.id)
            if loader._iterable:
                if not _C._with_generator(info.seed, 0, lambda: self._give_all(info.id)):
                    return
            else:
                while (key := self.tasks[info.id].get()) is not self:
                    if not self._give(info.id, ("batch", loader._load(key))):
                        return
        except BaseException as error:  # noqa: BLE001 - raised again where the batch is asked for
            self._give(info.id, ("error", error))
            return
        self._give(info.id, ("end", None))

    def _give_all(self, number: int) -> bool:
        return all(self._give(number, ("batch", batch)) for batch in self.loader._stream())

    def _get(self, number: int) -> tuple:
        timeout = self.loader.timeout or None
        try:
            return self.results[number].get(timeout=timeout)
        except queue.Empty:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds") from None

    def batches(self) -> Iterator:
        loader, count = self.loader, self.loader.num_workers
        try:
            if loader._iterable:
                self._begin(loader._seed())
                alive = list(range(count))
                while alive:
                    for number in list(alive):
                        kind, value = self._get(number)
                        if kind == "error":
                            raise value
                        if kind == "end":
                            alive.remove(number)
                        else:
                            yield value
                return
            tasks = loader._tasks()
            begun = False
            sent = received = 0
            ahead = count * (loader.prefetch_factor or 2)
            more = True
            while True:
                while more and sent - received < ahead:
                    try:
                        task = next(tasks)
                    except StopIteration:
                        more = False
                        break
                    if not begun:
                        begun = True
                        self._begin(task[1])
                    self.tasks[sent % count].put(task)
                    sent += 1
                if received == sent:
                    return
                kind, value = self._get(received % count)
                received += 1
                if kind == "error":
                    raise value
                yield value
        finally:
            self.stop.set()
            for tasks in self.tasks:
                tasks.put(self)
