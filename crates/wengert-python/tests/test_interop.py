"""NumPy, the buffer protocol, DLPack."""

import array
import gc

import pytest

import wengert

numpy = pytest.importorskip("numpy")

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip(dtype):
    a = numpy.arange(12).reshape(3, 4).astype(dtype)
    for view in (a, a.T, a[::2], a[:, ::-1], a[1:, 1:], a[:0], a[1, 2:3].reshape(())):
        t = wengert.as_tensor(view)
        assert repr(t.dtype) == f"wengert.{dtype}" and t.shape == view.shape
        assert numpy.array_equal(t.numpy(), view)
        assert numpy.array_equal(numpy.asarray(t), view)
        assert numpy.array_equal(numpy.from_dlpack(t), view)
        assert numpy.array_equal(wengert.from_dlpack(view.copy()).numpy(), view)
        assert numpy.array_equal((t + 0).numpy() if dtype != "bool" else t.numpy(), view)


def test_in_shares_memory_until_someone_writes():
    a = numpy.zeros((2, 3), dtype="float32")
    t = wengert.from_numpy(a)
    a[0, 0] = 7
    assert t[0, 0].item() == 7
    t += 1
    assert a[0, 0] == 7 and t[0, 0].item() == 8
    copied = wengert.tensor(a)
    a[0, 0] = 9
    assert copied[0, 0].item() == 7


def test_out_shares_memory_and_is_read_only():
    t = wengert.ones(1000)
    a = t.numpy()
    assert not a.flags.writeable and a.base is not None
    t.fill_(5)
    assert a[0] == 1 and t[0].item() == 5
    b = wengert.ones(3).numpy()
    gc.collect()
    assert b.tolist() == [1, 1, 1]
    assert numpy.array(t).flags.writeable and numpy.asarray(t, dtype="float64").dtype == "float64"


def test_gradients_are_not_lost_silently():
    x = wengert.ones(2, requires_grad=True)
    for out in (lambda: x.numpy(), lambda: (x * 2).numpy()):
        with pytest.raises(RuntimeError, match="detach"):
            out()
    with pytest.raises(BufferError, match="__dlpack__: .* gradient"):
        x.__dlpack__()
    assert x.numpy(force=True).tolist() == [1, 1] and x.detach().numpy().tolist() == [1, 1]


def test_other_buffers():
    assert wengert.tensor(array.array("d", [1.0, 2.0])).tolist() == [1, 2]
    assert wengert.frombuffer(b"\x01\x00\x02\x00", dtype=wengert.int16).tolist() == [1, 2]
    assert wengert.frombuffer(bytearray(8), dtype=wengert.float32, count=1, offset=4).tolist() == [0]
    with pytest.raises(ValueError):
        wengert.frombuffer(b"123", dtype=wengert.int16)
    assert memoryview(wengert.ones(2, 2)).tolist() == [[1, 1], [1, 1]]
    with pytest.raises(TypeError):
        wengert.tensor(numpy.array(["a"]))


def test_numpy_on_the_left():
    t = wengert.ones(2)
    assert isinstance(numpy.float32(2) * t, wengert.Tensor)
    assert isinstance(numpy.ones(2, dtype="float32") * t, wengert.Tensor)
    assert (t * numpy.float32(2)).dtype is wengert.float32
    assert wengert.tensor([numpy.float32(1), 2]).tolist() == [1, 2]
    assert t[numpy.int64(1)].item() == 1


def test_unaligned_memory_is_copied():
    raw = numpy.zeros(9, dtype="uint8")
    odd = raw[1:].view("float32")
    assert wengert.as_tensor(odd).tolist() == [0, 0]


def test_dlpack_with_pytorch():
    torch = pytest.importorskip("torch")
    t = wengert.arange(6).reshape(2, 3).float()
    for x in (t, t.T, t[:, 1:]):
        assert torch.from_dlpack(x).tolist() == x.tolist()
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool):
        p = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(dtype)
        for x in (p, p.t(), p[:, 1:]):
            assert wengert.from_dlpack(x).tolist() == x.tolist()
    shared = torch.zeros(3)
    mine = wengert.from_dlpack(shared)
    shared[0] = 5
    assert mine.tolist() == [5, 0, 0]
    del shared
    gc.collect()
    assert mine.tolist() == [5, 0, 0]


def test_a_capsule_is_used_once():
    capsule = wengert.ones(2).__dlpack__()
    assert wengert.from_dlpack(capsule).tolist() == [1, 1]
    with pytest.raises(BufferError):
        wengert.from_dlpack(capsule)
    wengert.ones(2).__dlpack__(max_version=(1, 0))
    gc.collect()


def test_a_copy_does_not_follow_numpys_writes():
    a = numpy.ones(3, dtype="float32")
    t = wengert.from_numpy(a)
    p = wengert.zeros(3)
    p.copy_(t)
    c = t.clone()
    a[0] = 7
    assert t.tolist() == [7, 1, 1] and p.tolist() == [1, 1, 1] and c.tolist() == [1, 1, 1]
    x = wengert.from_numpy(numpy.ones(2, dtype="float32")).requires_grad_()
    y = wengert.zeros(2)
    y.copy_(x)
    (y * 3 + x.clone()).sum().backward()
    assert x.grad.tolist() == [4, 4]
