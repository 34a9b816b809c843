"""The default dtype, beside PyTorch's."""

import threading

import pytest

import wengert
from beside import needs_torch, torch


@pytest.fixture(autouse=True)
def single_again():
    yield
    wengert.set_default_dtype(wengert.float32)
    if torch is not None:
        torch.set_default_dtype(torch.float32)


# What is made or computed, by a module.
MADE = {
    "tensor": lambda m: m.tensor([1.0, 2.0]),
    "tensor of numbers of both kinds": lambda m: m.tensor([1, 2.0]),
    "integers": lambda m: m.tensor([1, 2]),
    "empty list": lambda m: m.tensor([]),
    "Tensor": lambda m: m.Tensor([1, 2]),
    "as_tensor": lambda m: m.as_tensor(0.5),
    "asarray": lambda m: m.asarray([0.5]),
    "complex": lambda m: m.tensor([1j]),
    "zeros": lambda m: m.zeros(2),
    "ones": lambda m: m.ones(2),
    "empty": lambda m: m.empty(2),
    "full": lambda m: m.full((2,), 1.5),
    "full of integers": lambda m: m.full((2,), 1),
    "full of complex numbers": lambda m: m.full((2,), 1j),
    "eye": lambda m: m.eye(2),
    "arange": lambda m: m.arange(0.0, 2.0),
    "arange of integers": lambda m: m.arange(3),
    "linspace": lambda m: m.linspace(0, 1, 3),
    "logspace": lambda m: m.logspace(0, 1, 3),
    "rand": lambda m: m.rand(2),
    "randn": lambda m: m.randn(2),
    "normal": lambda m: m.normal(0.0, 1.0, (2,)),
    "normal around float32": lambda m: m.normal(m.zeros(2, dtype=m.float32), 1.0),
    "normal of spread float32": lambda m: m.normal(0.0, m.ones(2, dtype=m.float32)),
    "hann_window": lambda m: m.hann_window(4),
    "kaiser_window": lambda m: m.kaiser_window(4),
    "windows.cosine": lambda m: m.signal.windows.cosine(4),
    "scalar_tensor": lambda m: m.scalar_tensor(1),
    "fftfreq": lambda m: m.fft.fftfreq(4),
    "true division": lambda m: m.tensor([1, 2]) / 2,
    "true division of tensors": lambda m: m.tensor([1, 2]) / m.tensor([2, 2]),
    "a float and integers": lambda m: m.tensor([1, 2]) * 0.5,
    "a float and booleans": lambda m: m.tensor([True]) + 0.5,
    "a complex number and integers": lambda m: m.tensor([1, 2]) * 1j,
    "a complex number and float32": lambda m: m.ones(2, dtype=m.float32) * 1j,
    "a float and float32": lambda m: m.ones(2, dtype=m.float32) * 0.5,
    "a float and float16": lambda m: m.ones(2, dtype=m.float16) * 0.5,
    "sqrt of integers": lambda m: m.tensor([4]).sqrt(),
    "sigmoid of booleans": lambda m: m.tensor([True]).sigmoid(),
    "power": lambda m: m.tensor([4]) ** 0.5,
    "power of a float": lambda m: 2.5 ** m.tensor([4]),
    "logsumexp of integers": lambda m: m.logsumexp(m.tensor([1, 2]), 0),
    "where": lambda m: m.where(m.tensor([True]), 1.0, 2.0),
    "where of integers": lambda m: m.where(m.tensor([True]), m.tensor([1]), 2.0),
    "clamp": lambda m: m.clamp(m.tensor([1, 2]), 1.5),
    "cov": lambda m: m.cov(m.tensor([[1, 2, 4], [2, 0, 1]])),
    "fft of integers": lambda m: m.fft.fft(m.tensor([1, 2])),
    "rfft of booleans": lambda m: m.fft.rfft(m.tensor([True, False])),
    "angle": lambda m: m.tensor([-1]).angle(),
    "mean": lambda m: m.tensor([1, 2]).to(m.get_default_dtype()).mean(),
    "new_zeros": lambda m: m.tensor([1, 2]).new_zeros(2),
    "new_tensor": lambda m: m.tensor([1, 2]).new_tensor([0.5]),
    "float()": lambda m: m.tensor([1, 2]).float(),
    "to(float)": lambda m: m.tensor([1, 2]).to(float),
    "to(complex)": lambda m: m.tensor([1, 2]).to(complex),
    "Linear": lambda m: m.nn.Linear(2, 3).weight,
    "Linear in float32": lambda m: m.nn.Linear(2, 3, dtype=m.float32).bias,
    "Conv2d": lambda m: m.nn.Conv2d(1, 2, 3).weight,
    "LSTM": lambda m: m.nn.LSTM(2, 3).weight_hh_l0,
    "BatchNorm1d": lambda m: m.nn.BatchNorm1d(2).running_var,
    "LayerNorm": lambda m: m.nn.LayerNorm(2).weight,
    "Embedding": lambda m: m.nn.Embedding(3, 2).weight,
    "MultiheadAttention": lambda m: m.nn.MultiheadAttention(4, 2).in_proj_weight,
    "PReLU": lambda m: m.nn.PReLU().weight,
    "of a loss": lambda m: m.nn.functional.mse_loss(m.ones(2), m.zeros(2)),
    "clip_grad_norm_ of nothing": lambda m: m.nn.utils.clip_grad_norm_([], 1.0),
    "Normal": lambda m: m.distributions.Normal(0.0, 1.0).sample(),
    "Categorical": lambda m: m.distributions.Categorical(m.tensor([0.5, 0.5])).probs,
    "reciprocal of integers": lambda m: m.tensor([1, 2]).reciprocal(),
}


@needs_torch
@pytest.mark.parametrize("default", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", MADE)
def test_dtypes_are_pytorchs(name, default):
    import torch.distributions  # noqa: F401

    if "complex" in name and default in ("float16", "bfloat16") or "fft of" in name and "float16" in default:
        pytest.skip("PyTorch's complex numbers of half precision are experimental")
    dtypes = []
    for module in (torch, wengert):
        module.set_default_dtype(getattr(module, default))
        assert module.get_default_dtype() is getattr(module, default)
        try:
            dtypes.append(str(MADE[name](module).dtype).rpartition(".")[2])
        except (RuntimeError, ValueError):
            if module is wengert:
                raise
            pytest.skip(f"PyTorch refuses {default}")
    assert dtypes[1] == dtypes[0]


def test_numbers_keep_their_digits():
    wengert.set_default_dtype(wengert.float64)
    assert wengert.tensor(0.1).item() == 0.1
    assert (wengert.tensor([1, 2]) * 0.1).tolist() == [0.1, 0.2]
    assert wengert.tensor([1, 3]).sqrt()[1].item() == 3**0.5
    assert wengert.tensor(0.1j).item() == 0.1j
    assert wengert.hann_window(5)[1].item() == wengert.hann_window(5, dtype=wengert.float64)[1].item()
    assert repr(wengert.tensor([0.5])) == "tensor([0.5000])"
    assert repr(wengert.tensor([0.5], dtype=wengert.float32)) == "tensor([0.5000], dtype=float32)"
    assert wengert.finfo().bits == 64


def test_a_model_trains_in_the_default_dtype():
    wengert.set_default_dtype(wengert.float64)
    wengert.manual_seed(0)
    model = wengert.nn.Sequential(wengert.nn.Linear(3, 8), wengert.nn.Tanh(), wengert.nn.Linear(8, 1))
    optimizer = wengert.optim.Adam(model.parameters(), lr=0.05)
    x = wengert.randn(32, 3)
    losses = []
    for _ in range(30):
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert loss.dtype is wengert.float64 and model[0].weight.grad.dtype is wengert.float64
    assert losses[-1] < 0.2 * losses[0]


def test_it_holds_in_all_threads():
    found = []
    wengert.set_default_dtype(wengert.float64)
    thread = threading.Thread(target=lambda: found.append(wengert.zeros(1).dtype))
    thread.start()
    thread.join()
    assert found == [wengert.float64]


@pytest.mark.parametrize("wrong", ["int32", "bool", "complex64"])
def test_other_dtypes_are_refused(wrong):
    with pytest.raises(TypeError, match=f"only floating-point types are supported as the default type, and {wrong} is none"):
        wengert.set_default_dtype(getattr(wengert, wrong))
    with pytest.raises(TypeError, match="is not a dtype"):
        wengert.set_default_dtype(wrong)
    assert wengert.get_default_dtype() is wengert.float32
