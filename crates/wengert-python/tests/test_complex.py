"""Complex numbers from Python: in and out, scalars, dtypes, gradients, transforms, and what is refused."""

import copy
import pickle

import numpy as np
import pytest
import wengert

Z = [1 + 2j, -3.5 + 0.25j, 0.5 - 1j]


def test_numbers_come_and_go():
    z = wengert.tensor(Z)
    assert z.dtype is wengert.complex64 and z.is_complex() and not z.is_floating_point() and z.dtype.is_complex
    assert z.tolist() == Z and z[0].item() == 1 + 2j and complex(z[1]) == -3.5 + 0.25j
    assert wengert.tensor([[1, 2.5], [3j, True]]).tolist() == [[1 + 0j, 2.5 + 0j], [3j, 1 + 0j]]
    assert wengert.tensor([wengert.tensor(1j), 2.0]).tolist() == [1j, 2 + 0j]
    assert wengert.tensor(Z, dtype=wengert.complex128).dtype is wengert.complex128
    assert wengert.tensor([1.0], dtype=complex).dtype is wengert.complex128
    assert wengert.full((2,), 1j).tolist() == [1j, 1j] and wengert.zeros(1, dtype=wengert.cdouble).tolist() == [0j]
    assert bool(wengert.tensor(1j)) and not bool(wengert.tensor(0j)) and float(wengert.tensor(2 + 0j)) == 2.0
    with pytest.raises(ValueError, match="no real number"):
        float(wengert.tensor(1j))
    assert wengert.complex64.to_real() is wengert.float32 and wengert.float64.to_complex() is wengert.complex128
    assert str(wengert.tensor([1 + 2j, -3.5])) == "tensor([ 1.0000+2.j, -3.5000+0.j])"


def test_memory_is_shared_with_numpy_and_kept_by_copies():
    for dtype in ("complex64", "complex128"):
        a = np.array(Z, dtype)
        z = wengert.from_numpy(a)
        assert str(z.dtype) == f"wengert.{dtype}" and z.numpy().dtype == dtype
        a[0] = 7j
        assert z[0].item() == 7j
        assert np.array_equal(z.numpy(), a) and z.real.numpy().base is not None
        assert wengert.from_numpy(a[::-1]).tolist() == a[::-1].tolist()
        assert wengert.from_numpy(np.zeros((0, 2), dtype)).shape == (0, 2)
        assert wengert.from_numpy(np.array(1j, dtype)).item() == 1j
        assert np.array_equal(np.from_dlpack(z), a) and wengert.from_dlpack(z).tolist() == a.tolist()
        for other in (pickle.loads(pickle.dumps(z)), copy.deepcopy(z)):
            assert other.tolist() == z.tolist() and other.dtype is z.dtype
    assert wengert.tensor(np.complex64(2j)).item() == 2j and (wengert.ones(1) * np.complex64(2j)).tolist() == [2j]


def test_files(tmp_path):
    torch = pytest.importorskip("torch")
    single, double = wengert.tensor(Z), wengert.tensor(Z, dtype=wengert.complex128)
    wengert.save({"single": single, "double": double}, tmp_path / "z.pt")
    theirs = torch.load(tmp_path / "z.pt")
    assert theirs["single"].dtype is torch.complex64 and theirs["double"].tolist() == Z
    torch.save(theirs, tmp_path / "t.pt")
    assert wengert.load(tmp_path / "t.pt")["double"].tolist() == Z
    np.save(tmp_path / "z.npy", np.array(Z))
    assert wengert._C.load_npy(str(tmp_path / "z.npy")).tolist() == Z
    wengert._C.save_safetensors({"z": single}, str(tmp_path / "z.safetensors"))
    assert wengert._C.load_safetensors(str(tmp_path / "z.safetensors"))["z"].tolist() == Z


def test_scalars_take_the_precision_of_what_they_meet():
    for dtype, result in (("float32", "complex64"), ("float64", "complex128"), ("int64", "complex64"), ("complex128", "complex128")):
        x = wengert.ones(2, dtype=getattr(wengert, dtype))
        for y in (x * 1j, 1j * x, x + 1j, 1j - x, x - 1j, x / 1j, 1j / x, x**1j):
            assert str(y.dtype) == f"wengert.{result}", (dtype, y)
    third = wengert.ones(1, dtype=wengert.float64) * (1j / 3)
    assert third.item() == 1j / 3
    assert (wengert.tensor([1j]) == 1j).tolist() == [True] and (wengert.tensor([1j]) != 1).tolist() == [True]
    x = wengert.zeros(2, dtype=wengert.complex64)
    x[0] = 1 + 1j
    assert x.tolist() == [1 + 1j, 0j]
    assert wengert.where(wengert.tensor([True, False]), 1j, 2.0).tolist() == [1j, 2 + 0j]


def test_parts_and_their_gradients():
    z = wengert.tensor(Z, requires_grad=True)
    (z.real * z.imag + z.abs()).sum().backward()
    want = [complex(z.imag, z.real) + z / abs(z) for z in Z]
    assert np.allclose(z.grad.numpy(), want, atol=1e-6)
    real = wengert.ones(2)
    assert real.real is real and wengert.real(real) is real
    assert z.detach().conj().tolist() == [v.conjugate() for v in Z]
    assert wengert.view_as_complex(wengert.view_as_real(z)).tolist() == Z
    assert np.allclose(wengert.polar(z.detach().abs(), z.detach().angle()).numpy(), Z, atol=1e-6)
    assert wengert.complex(wengert.ones(1), wengert.ones(1)).tolist() == [1 + 1j]
    with pytest.raises(wengert.GraphError, match="needs a real result"):
        z.sum().backward()


def test_a_network_on_spectra_learns():
    wengert.manual_seed(0)
    t = wengert.arange(0, 32) / 32
    target = wengert.sin(2 * wengert.pi * 3 * t)
    # The spectrum of the wave is found by descent on the wave.
    z = wengert.zeros(17, dtype=wengert.complex64, requires_grad=True)
    for _ in range(60):
        loss = ((wengert.fft.irfft(z, norm="ortho") - target) ** 2).sum()
        (grad,) = wengert.autograd.grad(loss, [z])
        with wengert.no_grad():
            z -= 0.25 * grad
    assert loss.item() < 1e-6
    assert int(z.abs().argmax()) == 3


def test_what_has_no_meaning_is_refused():
    z = wengert.tensor(Z)
    for call, words in [
        (lambda: z.relu(), "relu: takes no complex numbers"),
        (lambda: z < z, "lt: takes no complex"),
        (lambda: z.max(), "takes no complex"),
        (lambda: z.floor(), "floor: takes no complex"),
        (lambda: wengert.ceil(z), "ceil: takes no complex"),
        (lambda: wengert.sort(z), "they have no order"),
        (lambda: wengert.fft.rfft(z), "rfft: needs float32 or float64, and got complex64"),
        (lambda: wengert.complex(wengert.ones(1), wengert.ones(1).double()), "the parts are float32 and float64"),
        (lambda: wengert.ones(2).imag, "imag: needs complex numbers"),
        (lambda: wengert.view_as_complex(wengert.ones(3)), "does not have size 2"),
        (lambda: wengert.clamp(z, 0, 1), "complex"),
        (lambda: wengert.ones(3)[wengert.tensor(1j)], "indices must be integers"),
    ]:
        with pytest.raises((wengert.DTypeError, wengert.ShapeError), match=words):
            call()
    with pytest.raises(ValueError, match="there is no norm"):
        wengert.fft.fft(z, norm="none")
    with pytest.raises(TypeError, match="real number|got complex"):
        wengert.linspace(0, 1j, 3)


TRANSFORMS = "fft ifft rfft irfft hfft ihfft fft2 ifft2 rfft2 irfft2 hfft2 ihfft2 fftn ifftn rfftn irfftn hfftn ihfftn".split()


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("norm", ["backward", "forward", "ortho"])
def test_transforms_are_pytorchs(name, norm):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4, 6))
    if not name.startswith(("rfft", "ihfft")):
        x = x + 1j * rng.standard_normal(x.shape)
    several = name[-1] in "2n"
    for arguments in [{}, {"s": (5, 4)} if several else {"n": 5}, {"dim": (0, 2)} if several else {"dim": 1}]:
        results = []
        for library in (wengert, torch):
            leaf = library.from_numpy(x.copy()).requires_grad_()
            y = getattr(library.fft, name)(leaf, norm=norm, **arguments)
            weights = library.from_numpy(np.linspace(0.5, 1.5, y.numel()).reshape(tuple(y.shape)))
            (library.abs(y) ** 2 * weights).sum().backward()
            results.append((y.detach().resolve_conj().numpy(), leaf.grad.resolve_conj().numpy()))
        (ours, our_grad), (theirs, their_grad) = results
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        assert np.allclose(ours, theirs) and np.allclose(our_grad, their_grad), (name, arguments)


def test_short_transforms_are_pytorchs():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 40)).astype("float32")
    window = np.hanning(8).astype("float32") + 0.1
    for arguments in [{}, {"hop_length": 3, "win_length": 8}, {"center": False}, {"normalized": True, "onesided": False}, {"pad_mode": "constant"}]:
        both = []
        for library in (wengert, torch):
            w = library.from_numpy(window) if arguments.get("win_length") else None
            z = library.stft(library.from_numpy(x), 16, window=w, return_complex=True, **arguments)
            inverse = {k: v for k, v in arguments.items() if k != "pad_mode"}
            options = dict(inverse, window=w if w is not None else library.ones(16))
            both.append((z.numpy(), library.istft(z, 16, **options).numpy() if arguments.get("center", True) else None))
        assert np.allclose(both[0][0], both[1][0], atol=1e-5)
        assert both[0][1] is None or np.allclose(both[0][1], both[1][1], atol=1e-5)


@pytest.mark.parametrize("name", "SGD Adam AdamW NAdam RAdam Adamax RMSprop Adagrad Adadelta ASGD".split())
def test_optimizers_train_complex_parameters_as_pytorchs_do(name):
    torch = pytest.importorskip("torch")
    options = {"momentum": 0.9, "weight_decay": 0.01} if name == "SGD" else {}
    ends = []
    for library in (wengert, torch):
        p = library.tensor([[1 + 1j, -2.0], [0.5j, 3 - 1j]], dtype=library.complex128, requires_grad=True)
        optimizer = getattr(library.optim, name)([p], lr=0.05, **options)
        for _ in range(5):
            optimizer.zero_grad()
            (p.abs() ** 2 * 0.5 + (p * (0.3 + 0.7j)).real).sum().backward()
            optimizer.step()
        ends.append(p.detach().numpy())
    assert np.allclose(*ends, atol=1e-12), name


def test_what_cannot_train_complex_parameters_says_so_and_loses_nothing():
    for name, error in (("Muon", wengert.DTypeError), ("LBFGS", TypeError), ("Rprop", wengert.DTypeError)):
        p = wengert.tensor([[1 + 1j, 2.0]], requires_grad=True)
        with pytest.raises(error, match="complex"):
            optimizer = getattr(wengert.optim, name)([p])
            p.abs().sum().backward()
            optimizer.step()
        assert p.tolist() == [[1 + 1j, 2 + 0j]]


def test_gradients_are_clipped_by_their_sizes():
    p = wengert.tensor([3 + 4j], requires_grad=True)
    (p.abs() ** 2 / 2).sum().backward()
    assert abs(wengert.nn.utils.clip_grad_norm_([p], 1.0).item() - 5) < 1e-5
    assert np.allclose(p.grad.numpy(), [0.6 + 0.8j], atol=1e-5)


def test_a_real_tensor_holds_no_complex_result():
    x = wengert.ones(2)
    with pytest.raises(wengert.DTypeError, match="complex64, which float32 cannot hold"):
        x.mul_(1j)
    assert x.tolist() == [1.0, 1.0]


def test_transforms_of_functions_and_functions_of_ones_own():
    z = wengert.tensor([1 + 1j, 2 - 1j])
    assert wengert.allclose(wengert.func.grad(lambda z: (z.abs() ** 2).sum())(z), 2 * z)
    value, slope = wengert.func.jvp(lambda z: z * z, (z,), (wengert.tensor([1 + 0j, 1j]),))
    assert wengert.allclose(value, z * z) and wengert.allclose(slope, 2 * z * wengert.tensor([1 + 0j, 1j]))
    leaf = z.clone().requires_grad_()
    wengert.utils.checkpoint.checkpoint(lambda z: (z * z).abs(), leaf).sum().backward()
    other = z.clone().requires_grad_()
    (other * other).abs().sum().backward()
    assert wengert.allclose(leaf.grad, other.grad)

    class Twice(wengert.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z * 2

        @staticmethod
        def backward(ctx, dy):
            return dy * 2

    leaf = z.clone().requires_grad_()
    Twice.apply(leaf).real.sum().backward()
    assert leaf.grad.tolist() == [2 + 0j, 2 + 0j]
