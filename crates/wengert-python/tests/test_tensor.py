"""Tensors: making, looking at, indexing, operators, in-place changes."""

import copy
import pickle

import pytest

import wengert
from wengert import Tensor


def same(a, b):
    assert a.tolist() == b, f"{a} and {b}"


def test_mission_example():
    from wengert import Linear, MSELoss

    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    W = Tensor([[0.1, 0.2], [0.3, 0.4]])
    b = Tensor([0.5, 0.6])
    linear = Linear(2, 2)
    linear.W, linear.b = W, b
    loss = MSELoss()(linear(x), Tensor([[1.0, 1.0], [1.0, 1.0]]))
    loss.backward()
    close = lambda a, b: (a - Tensor(b)).abs().max().item() < 1e-6  # noqa: E731
    assert close(linear.W.grad, [[1.6, 3.0], [2.2, 4.2]]) and close(linear.b.grad, [0.6, 1.2])
    assert close(W.grad, [[1.6, 3.0], [2.2, 4.2]]) and close(linear.weight.grad, [[1.6, 2.2], [3.0, 4.2]])


def test_literals_are_what_they_look_like():
    assert wengert.tensor([1.0, 2]).dtype is wengert.float32
    assert wengert.tensor([1, 2]).dtype is wengert.int64
    assert wengert.tensor([True, False]).dtype is wengert.bool
    assert Tensor([[1, 2]]).dtype is wengert.float32
    assert wengert.tensor(3).shape == ()
    assert wengert.tensor([]).shape == (0,)
    assert wengert.tensor([[], []]).shape == (2, 0)
    assert wengert.tensor([1, 2], dtype=wengert.float64).dtype is wengert.float64
    assert wengert.tensor(2**53 + 1).item() == 2**53 + 1
    assert wengert.tensor([wengert.tensor(1.0), wengert.tensor(2.0)]).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="different lengths"):
        wengert.tensor([[1, 2], [3]])
    with pytest.raises(TypeError):
        wengert.tensor("text")


def test_shapes_are_tuples():
    x = wengert.zeros(2, 3)
    assert x.shape == (2, 3) and x.size() == (2, 3) and x.size(-1) == 3
    assert isinstance(x.shape, wengert.Size) and x.shape.numel() == 6
    assert repr(x.shape) == "wengert.Size([2, 3])"
    assert isinstance(x.shape[1:], wengert.Size)
    assert x.stride() == (3, 1) and x.T.stride() == (1, 3) and x.stride(0) == 3
    assert wengert.zeros((2, 3)).shape == wengert.zeros(size=(2, 3)).shape == x.shape


def test_numbers_out():
    assert wengert.tensor(2.5).item() == 2.5 and isinstance(wengert.tensor(2).item(), int)
    assert wengert.tensor(True).item() is True
    assert float(wengert.tensor([2.5])) == 2.5 and int(wengert.tensor(2.9)) == 2
    assert [10, 20, 30][wengert.tensor(1)] == 20
    assert f"{wengert.tensor(1.23456):.2f}" == "1.23"
    assert bool(wengert.tensor(0.0)) is False
    assert len(wengert.zeros(4, 2)) == 4 and 3 in wengert.tensor([1, 3])
    assert [r.tolist() for r in wengert.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="ambiguous"):
        bool(wengert.zeros(2))
    with pytest.raises(ValueError, match="one element"):
        wengert.zeros(2).item()
    with pytest.raises(TypeError):
        len(wengert.tensor(1.0))
    with pytest.raises(TypeError):
        [1, 2][wengert.tensor(1.0)]


def test_hash_is_identity():
    a, b = wengert.ones(2), wengert.ones(2)
    assert len({a, b, a}) == 2 and a in {a: 1}


def test_operators():
    x = wengert.tensor([1.0, 2.0, 3.0])
    same(x + 1, [2, 3, 4])
    same(1 + x, [2, 3, 4])
    same(x - 1, [0, 1, 2])
    same(1 - x, [0, -1, -2])
    same(2 * x, [2, 4, 6])
    same(x / 2, [0.5, 1, 1.5])
    same(6 / x, [6, 3, 2])
    same(x**2, [1, 4, 9])
    same(2**x, [2, 4, 8])
    same(-x, [-1, -2, -3])
    same(+x, [1, 2, 3])
    same(abs(-x), [1, 2, 3])
    same(x // 2, [0, 1, 1])
    same(x % 2, [1, 0, 1])
    same(x > 1, [False, True, True])
    same(x == 2, [False, True, False])
    same(~(x == 2), [True, False, True])
    same((x > 1) & (x < 3), [False, True, False])
    same(x @ x, 14)
    same(x + [1, 2, 3], [2, 4, 6])
    assert (x == None) is False  # noqa: E711
    with pytest.raises(TypeError):
        x + "text"


def test_scalars_do_not_widen():
    i = wengert.tensor([1, 2])
    assert (i + 1).dtype is wengert.int64
    assert (i + 1.0).dtype is wengert.float32
    assert (i / 2).dtype is wengert.float32
    assert (wengert.tensor([1.0], dtype=wengert.float64) * 2).dtype is wengert.float64
    assert (wengert.tensor([True]) + 1).dtype is wengert.int64
    assert (wengert.tensor([1.0], dtype=wengert.float16) * 2.5).dtype is wengert.float16


def test_in_place():
    x = wengert.ones(3)
    before = x
    x += 1
    x.mul_(3).sub_(1).div_(5)
    assert x is before
    same(x, [1, 1, 1])
    same(x.fill_(2), [2, 2, 2])
    same(x.zero_(), [0, 0, 0])
    same(x.copy_(wengert.tensor([1, 2, 3])), [1, 2, 3])
    with pytest.raises(RuntimeError, match="cannot hold"):
        wengert.tensor([1, 2]).add_(0.5)
    with pytest.raises(RuntimeError, match="shape"):
        wengert.ones(3).add_(wengert.ones(2, 3))


def test_in_place_on_results_is_recorded():
    w = wengert.tensor([2.0, 3.0], requires_grad=True)
    y = wengert.zeros(2)
    y += w
    y *= w
    y[0] = y[1] * 2
    y.sum().backward()
    same(w.grad, [0, 18])
    with pytest.raises(RuntimeError, match="leaf"):
        w += 1
    with wengert.no_grad():
        w += 1
    same(w, [3, 4])


def test_changes_do_not_reach_recorded_graphs():
    w = wengert.tensor([2.0], requires_grad=True)
    y = (w * w).sum()
    with wengert.no_grad():
        w.fill_(100)
    y.backward()
    same(w.grad, [4])


def test_data_writes_through():
    w = wengert.tensor([1.0, 2.0], requires_grad=True)
    w.data.mul_(2)
    w.data[0] = 7
    same(w, [7, 4])
    assert w.data.requires_grad is False and w.data.grad is None
    w.data = wengert.tensor([5.0])
    same(w, [5])


INDICES = [
    0,
    -1,
    slice(1, 3),
    slice(None, None, 2),
    slice(3, None),
    (0, 1),
    (Ellipsis, -1),
    (slice(None), None, 0),
    (slice(None), [2, 0]),
    ([0, 1], [1, 2]),
    ([[0, 1]], [[1], [2]]),
    ([0, 2], slice(None), [1, 0]),
    (slice(None), [0, 1], [1, 0]),
    (Ellipsis, [1]),
    None,
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indexing_is_numpys(index):
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(60, dtype="float32").reshape(3, 4, 5)
    x = wengert.tensor(array)
    assert numpy.array_equal(x[index].numpy(), array[index])
    value = -numpy.arange(array[index].size, dtype="float32").reshape(array[index].shape)
    array[index] = value
    x[index] = wengert.tensor(value)
    assert numpy.array_equal(x.numpy(), array)


def test_indexing_by_masks():
    x = wengert.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    same(x[x > 1], [2, 3, 4])
    same(x[wengert.tensor([True, False])], [[1, 2]])
    x[x > 2].sum().backward()
    same(x.grad, [[0, 0], [1, 1]])
    y = wengert.zeros(2, 2)
    y[wengert.tensor([[True, False], [False, True]])] = 5
    same(y, [[5, 0], [0, 5]])


def test_indexing_errors():
    x = wengert.zeros(2, 3)
    with pytest.raises(IndexError):
        x[2]
    with pytest.raises(IndexError):
        x[0, 0, 0]
    with pytest.raises(IndexError):
        x[wengert.tensor([0.5])]
    with pytest.raises(IndexError):
        x[[5]]
    with pytest.raises(ValueError):
        x[0] = wengert.zeros(2)
    with pytest.raises(TypeError):
        x["a"]


def test_shape_methods():
    x = wengert.arange(6)
    assert x.view(2, 3).shape == x.view((2, -1)).shape == x.reshape([2, 3]).shape == (2, 3)
    y = x.view(1, 2, 3)
    assert y.permute(2, 0, 1).shape == y.permute((2, 0, 1)).shape == (3, 1, 2)
    assert y.squeeze().shape == (2, 3) and y.squeeze(1).shape == (1, 2, 3) and y.unsqueeze(-1).shape == (1, 2, 3, 1)
    assert y.expand(4, -1, 3).shape == (4, 2, 3) and y.flatten().shape == (6,) and y.T.shape == (3, 2, 1)
    assert [t.tolist() for t in x.split(4)] == [[0, 1, 2, 3], [4, 5]]
    assert [t.tolist() for t in x.split([1, 5])] == [[0], [1, 2, 3, 4, 5]]
    assert [t.tolist() for t in x.chunk(4)] == [[0, 1], [2, 3], [4, 5]]
    same(wengert.cat([x[:2], x[4:]]), [0, 1, 4, 5])
    assert wengert.stack([x, x], dim=1).shape == (6, 2)
    same(x.flip(0), [5, 4, 3, 2, 1, 0])
    with pytest.raises(RuntimeError, match="view"):
        x.view(4, -1)


def test_reductions():
    x = wengert.tensor([[1.0, 5.0], [7.0, 3.0]])
    assert x.sum().item() == 16 and x.mean().item() == 4
    same(x.sum(0), [8, 8])
    same(x.sum(dim=(0, 1), keepdim=True), [[16]])
    values, indices = x.max(1)
    same(values, [5, 7])
    same(indices, [1, 0])
    assert x.max(dim=0).indices.tolist() == [1, 0] and x.max().item() == 7 and x.argmax().item() == 2
    same(wengert.max(x, wengert.tensor(4.0)), [[4, 5], [7, 4]])
    assert wengert.tensor([True, True]).sum().item() == 2
    assert x.all().item() is True and (x > 6).any(dim=1).tolist() == [False, True]


def test_conversions():
    x = wengert.tensor([1.5, -2.5])
    assert x.long().tolist() == [1, -2] and x.bool().tolist() == [True, True]
    for name in ("float16", "bfloat16", "float32", "float64", "int32", "int64", "int16", "uint8", "bool"):
        dtype = getattr(wengert, name)
        assert x.abs().to(dtype).dtype is dtype
    assert x.to("cpu") is x and x.to(wengert.float32) is x and x.to(x) is x
    assert x.to("cpu", wengert.float64).dtype is wengert.float64
    assert x.type() == "wengert.FloatTensor" and x.double().type_as(x).dtype is wengert.float32
    with pytest.raises(RuntimeError, match="not available"):
        x.to("cuda")
    assert str(x.device) == "cpu" and x.device == wengert.device("cpu") and x.device.type == "cpu"


def test_random():
    wengert.manual_seed(1)
    a = wengert.randn(3, 4)
    wengert.manual_seed(1)
    assert wengert.equal(a, wengert.randn(3, 4))
    g = wengert.Generator().manual_seed(5)
    b = wengert.rand(4, generator=g)
    assert wengert.equal(b, wengert.rand(4, generator=wengert.Generator().manual_seed(5)))
    assert 0 <= b.min().item() and b.max().item() < 1
    assert sorted(wengert.randperm(5).tolist()) == [0, 1, 2, 3, 4]
    assert set(wengert.randint(3, (50,)).tolist()) <= {0, 1, 2}
    w = wengert.empty(1000)
    assert abs(w.normal_(2, 0.1).mean().item() - 2) < 0.05 and abs(w.uniform_(0, 4).mean().item() - 2) < 0.3


def test_copies():
    x = wengert.tensor([[1.0, 2.0]], requires_grad=True)
    x.grad = wengert.ones(1, 2)
    y = copy.deepcopy(x)
    assert y.requires_grad and y.grad.tolist() == [[1, 1]] and not y._same_variable(x)
    assert copy.copy(x)._same_variable(x)
    z = pickle.loads(pickle.dumps({"x": x, "half": x.detach().half(), "b": wengert.tensor([True])}))
    same(z["x"], [[1, 2]])
    assert z["x"].requires_grad and z["half"].dtype is wengert.float16 and z["b"].tolist() == [True]
    assert pickle.loads(pickle.dumps(wengert.float64)) is wengert.float64
    assert pickle.loads(pickle.dumps(x.shape)) == (1, 2)
    with pytest.raises(RuntimeError, match="leaves"):
        pickle.dumps(x * 2)
    with pytest.raises(RuntimeError, match="leaves"):
        copy.deepcopy(x * 2)


def test_other_side():
    w = wengert.tensor([[1.0, 2.0, 3.0]])._as_parameter()
    side = w._other_side()
    assert side.shape == (3, 1) and side.is_leaf and side.requires_grad
    (side * wengert.tensor([[1.0], [2.0], [3.0]])).sum().backward()
    same(w.grad, [[1, 2, 3]])
    same(side.grad, [[1], [2], [3]])
    with wengert.no_grad():
        side.zero_()
    same(w, [[0, 0, 0]])
    side.grad = wengert.ones(3, 1)
    same(w.grad, [[1, 1, 1]])
    side.grad.zero_()
    same(w.grad, [[0, 0, 0]])
    side.requires_grad = False
    assert not w.requires_grad


def test_repr():
    assert repr(wengert.tensor([1.0, 2.5])) == "tensor([1.0000, 2.5000])"
    assert repr(wengert.tensor(1, dtype=wengert.int32)) == "tensor(1, dtype=int32)"
    assert "requires_grad=True" in repr(wengert.ones(1, requires_grad=True))
    assert "grad_fn" in repr(wengert.ones(1, requires_grad=True) * 2)
    html = (wengert.ones(2, 2, requires_grad=True) * 2)._repr_html_()
    assert "float32 2 × 2" in html and "&lt;" not in html


def test_out_is_refused_by_name():
    with pytest.raises(NotImplementedError, match="out= is not supported"):
        wengert.sin(wengert.ones(2), out=wengert.ones(2))


def test_a_value_that_an_interrupted_update_lost_is_an_error_wherever_it_is_read():
    # A weight that takes no memory, and a step for whose result there is none.
    layer = wengert.nn.Linear(1, 1)
    layer.W = wengert.zeros(1, 1).expand(1 << 29, 1 << 29).detach()
    layer.W.grad = layer.W.detach()
    with pytest.raises(wengert.OutOfMemoryError):
        wengert.optim.SGD([layer.weight], lr=1.0).step()
    x, y = layer.W, layer.weight
    reads = [
        lambda: x + 1, lambda: 1 - y, lambda: y == y, lambda: x @ y, lambda: y.sin(), lambda: y.view(-1), lambda: y[0],
        lambda: x.T, lambda: x.item(), lambda: float(y), lambda: x.detach(), lambda: x.sum(0), lambda: wengert.cat([x]),
        lambda: x.shape, lambda: y.dtype, lambda: len(y), lambda: x.stride(), lambda: x.is_contiguous(), lambda: y.tolist(),
    ]  # fmt: skip
    for read in reads:
        with pytest.raises(wengert.ArgumentError, match="was lost"):
            read()
    layer.W.data = wengert.ones(2, 2)
    assert (y + 1).tolist() == [[2.0, 2.0], [2.0, 2.0]]
