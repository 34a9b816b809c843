"""Memory shared with JAX, where it is installed."""

import pytest

import wengert

numpy = pytest.importorskip("numpy")
jax = pytest.importorskip("jax")
jnp = jax.numpy

# JAX computes in 32 bits unless it is told otherwise.
BOTH = ["bool", "uint8", "int8", "int16", "int32", "float16", "bfloat16", "float32"]


@pytest.mark.parametrize("dtype", BOTH)
def test_dtypes_both_ways(dtype):
    x = wengert.arange(6).reshape(2, 3).to(getattr(wengert, dtype))
    there = jnp.from_dlpack(x)
    assert there.dtype == dtype and there.tolist() == x.tolist()
    back = wengert.from_dlpack(there)
    assert back.dtype is x.dtype and wengert.equal(back, x)


def test_shapes_both_ways():
    x = wengert.arange(24.0).reshape(2, 3, 4)
    for view in (x.permute(2, 0, 1), x[1], x.mT, x[:0], wengert.tensor(2.0)):
        there = jnp.from_dlpack(view)
        assert there.shape == tuple(view.shape) and there.tolist() == view.tolist()
        assert wengert.equal(wengert.from_dlpack(there), view)
    # JAX takes no memory with gaps: as it says, or by way of NumPy.
    with pytest.raises(Exception, match="strid"):
        jnp.from_dlpack(x[:, 1:])
    assert jnp.asarray(x[:, 1:]).tolist() == jnp.from_dlpack(x[:, 1:].contiguous()).tolist() == x[:, 1:].tolist()


def test_writes_stay_on_their_side():
    x = wengert.zeros(3)
    there = jnp.from_dlpack(x)
    x += 1
    assert there.tolist() == [0, 0, 0] and x.tolist() == [1, 1, 1]
    array = jnp.zeros(3)
    mine = wengert.from_dlpack(array)
    mine += 1
    assert array.tolist() == [0, 0, 0] and mine.tolist() == [1, 1, 1]


def test_memory_outlives_its_maker():
    there = jnp.from_dlpack(wengert.arange(1000.0) * 2)
    mine = wengert.from_dlpack(jnp.arange(1000.0) * 3)
    del_me = [wengert.ones(1000) for _ in range(8)]
    assert there.tolist() == list(range(0, 2000, 2)) and mine.tolist() == list(range(0, 3000, 3)) and len(del_me) == 8


def test_arrays_where_tensors_are_taken():
    array = jnp.array([1.0, 2.0])
    assert wengert.tensor(array).tolist() == wengert.as_tensor(array).tolist() == [1, 2]
    x = wengert.tensor([3.0, 4.0])
    assert (x + array).tolist() == [4, 6] and jnp.asarray(x).tolist() == [3, 4] and jnp.dot(jnp.asarray(x), array) == 11


def test_what_cannot_go():
    with pytest.raises(BufferError, match="dtype"):
        wengert.from_dlpack(jnp.ones(2, dtype="uint32"))
    with pytest.raises(BufferError, match="gradient"):
        jnp.from_dlpack(wengert.ones(2, requires_grad=True))


def test_gradients_by_either():
    x = wengert.tensor([0.5, -1.0], requires_grad=True)
    (x.sin() * x).sum().backward()
    theirs = jax.grad(lambda v: (jnp.sin(v) * v).sum())(jnp.from_dlpack(x.detach()))
    assert wengert.allclose(x.grad, wengert.from_dlpack(theirs), atol=1e-6)
