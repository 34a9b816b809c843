"""PyTorch's older and rarer names: the same numbers and errors."""

import math

import pytest

import wengert
from beside import needs_torch, torch


def test_settings():
    wengert.use_deterministic_algorithms(True)
    assert wengert.are_deterministic_algorithms_enabled() and wengert.get_float32_matmul_precision() == "highest"
    wengert.set_float32_matmul_precision("high")
    with pytest.raises(RuntimeError):
        wengert.set_float32_matmul_precision("low")
    wengert.set_default_device("cpu")
    with pytest.raises(RuntimeError):
        wengert.set_default_device("cuda")
    assert wengert.get_default_device() == wengert.device("cpu") and wengert.ones(2).layout is wengert.strided
    x = wengert.ones(1, 2, 3, 3).to(memory_format=wengert.channels_last)
    assert x.is_contiguous() and repr(wengert.channels_last) == "wengert.channels_last"
    assert not wengert.is_inference_mode_enabled()
    with wengert.inference_mode():
        assert wengert.is_inference_mode_enabled()


def test_sizes_change_in_place():
    x = wengert.arange(6)
    y = x.resize_(2, 2)
    assert y is x and x.tolist() == [[0, 1], [2, 3]]
    assert x.resize_((3, 2)).shape == (3, 2) and x[:2].tolist() == [[0, 1], [2, 3]]
    assert x.resize_as_(wengert.ones(1)).tolist() == [0]
    with pytest.raises(RuntimeError):
        wengert.ones(2, requires_grad=True).resize_(1)


def test_small_methods():
    x = wengert.tensor([[1.0, -2.0], [3.0, 4.0]])
    assert (x.output_nr, x.is_cpu, x.get_device(), x.is_pinned(), x.is_neg(), x.is_inference()) == (0, True, -1, False, False, False)
    assert x.to_dense() is x and x.pin_memory() is x and x.is_same_size(x + 1) and not x.is_same_size(x[0])
    assert x.new(2, 3).shape == (2, 3) and x.new([1, 2]).tolist() == [1, 2] and x.new().shape == (0,)
    assert x.new(x.shape).shape == (2, 2) and x.new_empty_strided((2, 3), (1, 2)).shape == (2, 3)
    assert reversed(x).tolist() == [[3, 4], [1, -2]] and x.divide(2, rounding_mode="floor").tolist() == [[0, -1], [1, 2]]
    assert x.clone().apply_(abs).tolist() == [[1, 2], [3, 4]]
    assert x.clone().map_(wengert.tensor([10.0, 20.0]), max).tolist() == [[10, 20], [10, 20]]
    assert x.clone().map2_(x, x, lambda a, b, c: a + b + c).tolist() == [[3, -6], [9, 12]]
    with pytest.raises(RuntimeError):
        x.clone().requires_grad_().apply_(abs)
    assert wengert.is_nonzero(wengert.tensor([2])) and wengert.is_signed(x)
    with pytest.raises(RuntimeError):
        x.is_nonzero()
    at = x.numpy()
    assert x.data_ptr() == at.__array_interface__["data"][0] and x[1].data_ptr() == x.data_ptr() + 8


def test_sizes_by_keyword():
    x = wengert.arange(6)
    assert x.reshape(shape=(2, 3)).shape == x.view(size=(2, 3)).shape == x.view(2, 3).shape == (2, 3)
    assert x.flip(dims=(0,)).tolist() == x.flip(0).tolist() == [5, 4, 3, 2, 1, 0]
    assert x.view(2, 3).permute(dims=(1, 0)).shape == (3, 2) and x.expand(size=(2, 6)).shape == (2, 6)
    assert x.view(dtype=wengert.float64).dtype is x.view(wengert.float64).dtype is wengert.float64
    for wrong in (lambda: x.reshape(sizes=(2, 3)), lambda: x.reshape(2, shape=(3,)), lambda: x.view("a"), lambda: x.view(2.5)):
        with pytest.raises(TypeError):
            wrong()


def test_what_pytorch_refuses():
    i, b = wengert.tensor([1, 2, 3]), wengert.tensor([True, False])
    for x in (i, b, i.int()):
        for f in (wengert.softmax, wengert.log_softmax):
            with pytest.raises(NotImplementedError):
                f(x, 0)
    assert wengert.allclose(wengert.softmax(i, 0, dtype=wengert.float32), i.float().softmax(0))
    for f in (lambda: i**-1, lambda: b**-1, lambda: wengert.pow(i, -2), lambda: i.clone().pow_(-1)):
        with pytest.raises(RuntimeError, match="power"):
            f()
    assert (i**-1.0).tolist() == pytest.approx([1, 1 / 2, 1 / 3]) and (i ** wengert.tensor(-1)).tolist() == [1, 0, 0]
    for f in (lambda: {} * i, lambda: i * {}, lambda: i + {1: 2}, lambda: i * set(), lambda: i @ {}):
        with pytest.raises(TypeError):
            f()
    assert (i == {}) is False
    with pytest.raises((TypeError, RuntimeError)):
        wengert.tensor({})


@needs_torch
def test_functions_beside_pytorch():
    rows = [[1.0, -2.0, 0.5], [3.0, 4.0, -1.0], [0.25, 2.0, 5.0]]

    def all_of(t):
        x = t.tensor(rows)
        yield t.range(1, 4), t.range(0, 1, 0.25), t.range(3, 1, -1)
        yield t.nuclear_norm(x), t.frobenius_norm(x, 1), t.frobenius_norm(x, (0, 1)), t.norm_except_dim(x, 2, 1), t.norm_except_dim(x, 2, -1)
        yield t.native_layer_norm(x, (3,), None, None, 1e-5)
        yield t.native_group_norm(x.reshape(1, 3, 3), None, None, 1, 3, 3, 3, 1e-5)
        yield t.native_batch_norm(x, None, None, t.zeros(3), t.ones(3), True, 0.1, 1e-5)
        yield t.native_batch_norm(x, None, None, t.zeros(3), t.ones(3), False, 0.1, 1e-5)
        yield t.permute_copy(x, (1, 0)), t.narrow_copy(x, 0, 1, 2), t.slice_copy(x, 1, 0, 3, 2), t.expand_copy(x[0], (2, 3))
        yield t.unbind_copy(x) + t.split_copy(x, 2)
        yield t.orgqr(*t.geqrf(x)) @ t.geqrf(x)[0].triu()

    for ours, theirs in zip(all_of(wengert), all_of(torch), strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert tuple(a.shape) == tuple(b.shape)
            assert a.reshape(-1).tolist() == pytest.approx(b.reshape(-1).tolist(), abs=1e-5)


@needs_torch
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_recurrent_functions(name, bias):
    kind = {"lstm": "LSTM", "gru": "GRU"}.get(name, "RNN")
    layer = getattr(torch.nn, kind)(3, 2, num_layers=2, bias=bias, bidirectional=True, **({"nonlinearity": name[4:]} if kind == "RNN" else {}))
    x, h = torch.randn(4, 2, 3), torch.randn(4, 2, 2)
    weights = [p.detach() for p in layer.parameters()]

    def run(t, move):
        hx = (move(h), move(h)) if name == "lstm" else move(h)
        flat = [move(w).requires_grad_() for w in weights]
        y = getattr(t, name)(move(x), hx, flat, bias, 2, 0.0, False, True, False)
        sum(part.sum() for part in y).backward()
        first = (move(h)[0], move(h)[1]) if name == "lstm" else move(h)[0]
        biases = flat[2:4] if bias else []
        cell = getattr(t, name + "_cell")(move(x)[0], first, flat[0], flat[1], *biases)
        return [*y, *(cell if name == "lstm" else [cell]), flat[0].grad]

    ours = run(wengert, lambda a: wengert.tensor(a.numpy()))
    theirs = run(torch, torch.clone)
    for a, b in zip(ours, theirs, strict=True):
        assert a.reshape(-1).tolist() == pytest.approx(b.reshape(-1).tolist(), abs=1e-5)
    with pytest.raises(RuntimeError):
        wengert.gru(wengert.ones(1, 1, 3), wengert.zeros(1, 1, 2), [wengert.ones(2)], True, 1, 0.0, False, False, False)


def test_binomial_and_dropout_draw():
    wengert.manual_seed(0)
    drawn = wengert.binomial(wengert.full((2000,), 10.0), wengert.full((2000,), 0.3))
    assert drawn.min() >= 0 and drawn.max() <= 10 and abs(drawn.mean().item() - 3) < 6 * math.sqrt(2.1 / 2000)
    y, mask = wengert.native_dropout(wengert.ones(2000), 0.25, True)
    assert mask.dtype is wengert.bool and wengert.equal(y, mask / 0.75) and abs(mask.float().mean().item() - 0.75) < 0.06


@needs_torch
@pytest.mark.parametrize(
    "options",
    [
        {"precision": 2},
        {"precision": 0},
        {"threshold": 5, "edgeitems": 1},
        {"edgeitems": 2, "threshold": 10, "linewidth": 40},
        {"sci_mode": True},
        {"sci_mode": False},
        {"profile": "short"},
        {"profile": "full", "linewidth": 120},
    ],
)
def test_printing_beside_pytorch(options):
    rows = [[0.5 * i - 3, 1e-6 * i, 1234.5] for i in range(8)]
    for data in (rows, [1.0, 2.0, 30.0], list(range(40)), [True, False], 0.125, [float("nan"), float("inf"), 1e9]):
        with wengert.printoptions(**options):
            ours = repr(wengert.tensor(data))
        torch.set_printoptions(profile="default")
        torch.set_printoptions(**options)
        theirs = repr(torch.tensor(data))
        torch.set_printoptions(profile="default", sci_mode=None)
        assert ours == theirs
    assert wengert.get_printoptions() == {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
    with pytest.raises(ValueError):
        wengert.set_printoptions(profile="long")
    with pytest.raises(ValueError):
        wengert.set_printoptions(precision=-1)
