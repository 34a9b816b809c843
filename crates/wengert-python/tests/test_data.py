"""Data sets, samplers and loaders."""

import threading

import numpy as np
import pytest
import wengert
from beside import needs_torch, numbers, torch
from wengert.utils import data


class Squares(data.Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if not -self.n <= i < self.n:
            raise IndexError(i)
        return i, float(i * i)


class Count(data.IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = data.get_worker_info()
        return iter(range(self.n) if info is None else range(info.id, self.n, info.num_workers))


def lists(batches):
    return [[t.tolist() for t in b] if isinstance(b, (list, tuple)) else b.tolist() for b in batches]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_come_in_order(workers):
    loader = data.DataLoader(Squares(7), batch_size=3, num_workers=workers)
    assert len(loader) == 3
    for _ in range(2):
        assert lists(loader) == [[[0, 1, 2], [0.0, 1.0, 4.0]], [[3, 4, 5], [9.0, 16.0, 25.0]], [[6], [36.0]]]
    loader = data.DataLoader(Squares(7), batch_size=3, drop_last=True, num_workers=workers)
    assert len(loader) == len(list(loader)) == 2


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_data_set_reaches_the_loop(workers):
    class Bad(Squares):
        def __getitem__(self, i):
            if i == 4:
                raise RuntimeError("sample 4 is bad")
            return i

    with pytest.raises(RuntimeError, match="sample 4 is bad"):
        list(data.DataLoader(Bad(6), batch_size=2, num_workers=workers))


def test_workers_end_with_the_loop():
    before = threading.active_count()
    for batch in data.DataLoader(Squares(1000), batch_size=2, num_workers=2):
        break
    del batch
    for _ in range(50):
        if threading.active_count() <= before:
            break
        threading.Event().wait(0.1)
    assert threading.active_count() <= before


@pytest.mark.parametrize("workers", [0, 2])
def test_iterable_data_sets(workers):
    loader = data.DataLoader(Count(7), batch_size=2, num_workers=workers)
    assert sorted(i for b in loader for i in b.tolist()) == list(range(7))
    assert [int(x) for x in data.DataLoader(Count(3), batch_size=None)] == [0, 1, 2]
    with pytest.raises(ValueError, match="shuffle"):
        data.DataLoader(Count(3), shuffle=True)


def test_shuffling_takes_each_sample_once_and_follows_its_generator():
    sets = data.TensorDataset(wengert.arange(20), wengert.arange(20) * 2)
    wengert.manual_seed(1)
    first = lists(data.DataLoader(sets, batch_size=4, shuffle=True))
    second = lists(data.DataLoader(sets, batch_size=4, shuffle=True))
    assert first != second
    assert sorted(i for b in first for i in b[0]) == list(range(20))
    assert all(y == 2 * x for b in first for x, y in zip(*b))
    wengert.manual_seed(1)
    assert lists(data.DataLoader(sets, batch_size=4, shuffle=True)) == first


def test_tensor_data_sets_give_the_batches_that_stacking_gives():
    sets = data.TensorDataset(wengert.arange(6).reshape(3, 2), wengert.tensor([1.0, 2.0, 3.0]))
    whole = list(data.DataLoader(sets, batch_size=2))
    stacked = list(data.DataLoader(sets, batch_size=2, collate_fn=data.default_collate))
    assert lists(whole) == lists(stacked) == [[[[0, 1], [2, 3]], [1.0, 2.0]], [[[4, 5]], [3.0]]]
    assert type(whole[0]) is type(stacked[0]) is list
    with pytest.raises(AssertionError, match="Size mismatch"):
        data.TensorDataset(wengert.arange(3), wengert.arange(4))


def test_samplers():
    assert list(data.SequentialSampler(range(3))) == [0, 1, 2]
    assert sorted(data.RandomSampler(range(5))) == [0, 1, 2, 3, 4]
    drawn = list(data.RandomSampler(range(5), num_samples=12))
    assert len(drawn) == 12 and sorted(drawn[:5]) == sorted(drawn[5:10]) == [0, 1, 2, 3, 4]
    assert len(list(data.RandomSampler(range(5), replacement=True, num_samples=40))) == 40
    assert sorted(data.SubsetRandomSampler([7, 3, 5])) == [3, 5, 7]
    assert set(data.WeightedRandomSampler([0.0, 1.0, 0.0, 2.0], 50)) == {1, 3}
    assert list(data.BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(data.BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="positive integer"):
        data.BatchSampler(range(5), 0, False)
    batches = data.DataLoader(Squares(6), batch_sampler=[[0, 5], [2]])
    assert [b[0].tolist() for b in batches] == [[0, 5], [2]]
    with pytest.raises(ValueError, match="mutually exclusive"):
        data.DataLoader(Squares(6), sampler=range(3), shuffle=True)


def test_splits_and_sums_of_data_sets():
    a, b = data.random_split(Squares(10), [7, 3])
    assert (len(a), len(b)) == (7, 3)
    assert sorted(i for part in (a, b) for i, _ in part) == list(range(10))
    assert [len(p) for p in data.random_split(Squares(10), [0.55, 0.25, 0.2])] == [6, 2, 2]
    with pytest.raises(ValueError, match="does not equal"):
        data.random_split(Squares(10), [7, 4])
    both = Squares(3) + Squares(2)
    assert len(both) == 5 and [i for i, _ in (both[k] for k in range(5))] == [0, 1, 2, 0, 1]
    assert both[-1] == (1, 1.0)
    assert list(Count(2) + Count(3)) == [0, 1, 0, 1, 2]
    assert data.Subset(Squares(10), [4, 2])[1] == (2, 4.0)
    stacked = data.StackDataset(x=Squares(3), y=Squares(3))
    assert stacked[2] == {"x": (2, 4.0), "y": (2, 4.0)}


@needs_torch
def test_collating_is_pytorchs():
    from torch.utils.data import default_collate

    point = np.array([1.5, 2.5], dtype=np.float32)
    batch = [
        {"a": 1, "b": (2.0, [True, 4]), "c": "x", "d": point},
        {"a": 3, "b": (5.0, [False, 6]), "c": "y", "d": point + 1},
    ]
    mine, theirs = data.default_collate(batch), default_collate(batch)

    def compare(m, t):
        if isinstance(t, torch.Tensor):
            assert str(m.dtype).split(".")[-1] == str(t.dtype).split(".")[-1]
            np.testing.assert_array_equal(numbers(m), numbers(t))
        elif isinstance(t, dict):
            assert m.keys() == t.keys()
            for k in t:
                compare(m[k], t[k])
        elif isinstance(t, (list, tuple)):
            assert type(m) is type(t) and len(m) == len(t)
            for x, y in zip(m, t):
                compare(x, y)
        else:
            assert m == t

    compare(mine, theirs)


def test_what_cannot_be_collated_is_named():
    with pytest.raises(TypeError, match="default_collate: batch must contain"):
        data.default_collate([object(), object()])
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([[1, 2], [3]])


class Drawn(data.Dataset):
    """Each sample draws random numbers."""

    def __len__(self):
        return 23

    def __getitem__(self, i):
        return i + wengert.rand(2)


@pytest.mark.parametrize("own", [False, True])
def test_what_is_drawn_does_not_depend_on_the_number_of_workers(own):
    seen = []
    for workers in [0, 1, 3]:
        wengert.manual_seed(4)
        generator = wengert.Generator().manual_seed(9) if own else None
        loader = data.DataLoader(Drawn(), batch_size=5, shuffle=True, num_workers=workers, generator=generator)
        # Two passes differ.
        passes = [[b.tolist() for b in loader] for _ in range(2)]
        assert passes[0] != passes[1] and len(passes[0]) == 5
        seen.append((passes, wengert.rand(1).tolist()))
    assert seen[0] == seen[1] == seen[2]


def test_workers_of_a_stream_draw_numbers_of_their_own():
    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter([wengert.rand(1) for _ in range(3)])

    seen = []
    for _ in range(2):
        wengert.manual_seed(2)
        seen.append([b.tolist() for b in data.DataLoader(Stream(), batch_size=3, num_workers=2)])
    assert seen[0] == seen[1] and seen[0][0] != seen[0][1]
