"""`wengert.testing` and `wengert.random`."""

import pytest

import wengert
from beside import needs_torch, torch
from wengert.testing import assert_close, make_tensor

PAIRS = [
    ([1.0, 2.0], [1.0, 2.0]),
    ([1.0, 2.0], [1.0, 2.1]),
    ([1.0, 2.0], [1.0, 2.0 + 2e-6]),
    ([1.0, float("inf")], [1.0, float("inf")]),
    ([1.0, float("inf")], [1.0, -float("inf")]),
    ([1.0, float("nan")], [1.0, float("nan")]),
    ([1, 2], [1, 2]),
    ([1, 2], [1, 3]),
    ([[1.0]], [1.0]),
    ([True, False], [True, True]),
    ([1.0], [1]),
]


@needs_torch
@pytest.mark.parametrize("a,b", PAIRS)
@pytest.mark.parametrize("options", [{}, dict(rtol=0.1, atol=0.0), dict(equal_nan=True), dict(check_dtype=False)])
def test_it_accepts_and_refuses_what_pytorch_does(a, b, options):
    said = []
    for module in (wengert, torch):
        try:
            module.testing.assert_close(module.tensor(a), module.tensor(b), **options)
            said.append(None)
        except AssertionError as error:
            said.append(str(error).split("\n")[0])
    assert (said[0] is None) == (said[1] is None)
    if said[0] and "shape" not in said[0] and "dtype" not in said[0]:
        assert said[0] == said[1]


def test_containers_and_messages():
    assert_close({"a": [wengert.ones(2), 1.0]}, {"a": [wengert.ones(2), 1.0]})
    assert_close(1.0, 1.0 + 1e-9)
    with pytest.raises(AssertionError, match=r"Scalars are not close!(.|\n)*Expected 2.0 but got 1.0(.|\n)*at \['a'\]\[1\]"):
        assert_close({"a": [wengert.ones(2), 1.0]}, {"a": [wengert.ones(2), 2.0]})
    with pytest.raises(AssertionError, match=r"Mismatched elements: 1 / 4 \(25.0%\)\nGreatest absolute difference: 0.5 at index \(1, 0\)"):
        assert_close(wengert.tensor([[1.0, 2.0], [3.5, 4.0]]), wengert.tensor([[1.0, 2.0], [3.0, 4.0]]))
    with pytest.raises(AssertionError, match="mine: Tensor"):
        assert_close(wengert.ones(2), wengert.zeros(2), msg=lambda text: "mine: " + text)
    with pytest.raises(AssertionError, match="length"):
        assert_close([1, 2], [1])
    with pytest.raises(ValueError, match="both"):
        assert_close(1.0, 1.0, rtol=0.1)


@pytest.mark.parametrize("dtype", "bool uint8 int8 int64 float16 bfloat16 float32 float64".split())
def test_made_tensors(dtype):
    dtype = getattr(wengert, dtype)
    t = make_tensor(3, 4, dtype=dtype, noncontiguous=True)
    assert t.shape == (3, 4) and t.dtype is dtype and not t.is_contiguous()
    assert float(t.to(wengert.float64).abs().max()) <= 9
    t = make_tensor((1000,), dtype=dtype, low=0, high=2, exclude_zero=dtype is not wengert.bool)
    assert dtype is wengert.bool or float(t.to(wengert.float64).min()) > 0
    if dtype.is_floating_point:
        assert make_tensor((2,), dtype=dtype, requires_grad=True).requires_grad


def test_random_numbers_go_on_after_a_fork():
    wengert.random.manual_seed(3)
    before = wengert.rand(2).tolist()
    wengert.random.manual_seed(3)
    with wengert.random.fork_rng():
        wengert.rand(5)
    assert wengert.rand(2).tolist() == before
    assert wengert.random.seed() == wengert.random.initial_seed()


def test_what_is_absent_says_so():
    with pytest.raises(AttributeError, match="wengert.fft.* has no attribute 'rfft3'"):
        wengert.fft.rfft3
    with pytest.raises(AttributeError, match="has no attribute 'nothing'$"):
        wengert.nothing
