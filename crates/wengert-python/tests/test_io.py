"""Checkpoints: what is saved comes back, others read it, we read theirs, and nothing in a file is run."""

import collections
import io
import pathlib
import pickle
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

import wengert
from beside import needs_torch, torch
from wengert import nn, optim
from wengert.safetensors import load_file, safe_open, save_file

FILES = pathlib.Path(__file__).resolve().parents[2] / "wengert" / "tests" / "reference" / "io"
DTYPES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64".split()


def checkpoint():
    state = collections.OrderedDict(w=wengert.tensor([[1.0, 2.0]]), n=wengert.tensor([3]))
    return {
        "model": state,
        "epoch": 7,
        "large": 2**40,
        "lr": 0.1,
        "betas": (0.9, 0.999),
        "none": None,
        "ok": True,
        0: "zero",
        "nested": [1, (2, [3.5, "äö\0"]), {"k": ()}],
        "raw": b"\x00\xff",
        "dtype": wengert.float16,
        "set": {1, 2},
        "empty": wengert.zeros(0, 3),
        "scalar": wengert.tensor(2.5, dtype=wengert.float64),
    }


def same_checkpoint(back):
    saved = checkpoint()
    assert list(back) == list(saved)
    for key in set(saved) - {"model", "empty", "scalar"}:
        assert back[key] == saved[key] and type(back[key]) is type(saved[key]), key
    assert back["model"]["w"].tolist() == [[1.0, 2.0]] and back["model"]["n"].dtype == wengert.int64
    assert back["empty"].shape == (0, 3) and back["scalar"].item() == 2.5 and back["scalar"].dtype == wengert.float64


@pytest.mark.parametrize("name", ["c.pt", "c.ckpt", "c.safetensors"])
def test_a_checkpoint_comes_back(tmp_path, name):
    wengert.save(checkpoint(), tmp_path / name)
    same_checkpoint(wengert.load(tmp_path / name, map_location="cpu", weights_only=True))
    same_checkpoint(wengert.load(str(tmp_path / name)))
    with open(tmp_path / name, "rb") as file:
        same_checkpoint(wengert.load(file))
    wengert.save(checkpoint()["model"]["w"], str(tmp_path / name))
    assert wengert.load(str(tmp_path / name)).tolist() == [[1.0, 2.0]]


def test_through_a_file_object():
    file = io.BytesIO()
    wengert.save(checkpoint(), file)
    file.seek(0)
    same_checkpoint(wengert.load(file))


def test_one_tensor_in_two_places_is_one(tmp_path):
    w = wengert.ones(2, requires_grad=True)
    wengert.save({"a": w, "b": w, "c": w.detach()}, tmp_path / "x.pt")
    back = wengert.load(tmp_path / "x.pt")
    assert back["a"] is back["b"] and back["a"] is not back["c"]
    assert back["a"].requires_grad and not back["c"].requires_grad


@needs_torch
@pytest.mark.parametrize("dtype", DTYPES)
def test_pytorch_reads_ours_and_we_read_pytorchs(tmp_path, dtype):
    rng = np.random.default_rng(0)
    theirs = torch.tensor(rng.integers(0, 2 if dtype == "bool" else 100, (3, 4)).tolist()).to(getattr(torch, dtype))
    ours = wengert.tensor(theirs.tolist(), dtype=getattr(wengert, dtype))
    wengert.save({"x": ours, "turned": ours.t(), "part": ours[1:, ::2]}, tmp_path / "ours.pt")
    back = torch.load(tmp_path / "ours.pt", weights_only=True)
    assert back["x"].dtype == theirs.dtype and torch.equal(back["x"], theirs)
    assert torch.equal(back["turned"], theirs.t()) and torch.equal(back["part"], theirs[1:, ::2])
    torch.save({"x": theirs, "turned": theirs.t(), "part": theirs[1:, ::2]}, tmp_path / "theirs.pt")
    back = wengert.load(tmp_path / "theirs.pt")
    assert back["x"].dtype == ours.dtype
    assert back["x"].tolist() == theirs.tolist() and back["turned"].tolist() == theirs.t().tolist()
    assert back["part"].tolist() == theirs[1:, ::2].tolist()


@needs_torch
def test_pytorch_reads_whole_checkpoints(tmp_path):
    saved = checkpoint()
    saved["weight"] = nn.Parameter(wengert.ones(2))
    wengert.save(saved, tmp_path / "c.pt")
    back = torch.load(tmp_path / "c.pt", weights_only=True)
    assert list(back) == list(saved) and back["weight"].requires_grad
    for key in ("epoch", "large", "lr", "betas", "none", "ok", 0, "nested", "raw", "set"):
        assert back[key] == saved[key], key
    assert back["dtype"] is torch.float16 and tuple(back["empty"].shape) == (0, 3)
    assert torch.load(tmp_path / "c.pt", weights_only=True, mmap=True)["model"]["w"].tolist() == [[1.0, 2.0]]
    assert torch.load(tmp_path / "c.pt", weights_only=False)["scalar"].item() == 2.5


def parts(module, n):
    model = module.nn.Sequential(module.nn.Linear(3, 4), module.nn.Tanh(), module.nn.Linear(4, 2))
    optimizer = module.optim.AdamW(model.parameters(), lr=0.05, amsgrad=True)
    schedule = module.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    return model, optimizer, schedule


def advance(module, state, steps):
    model, optimizer, schedule = state
    x = module.linspace(-1, 1, 12).reshape(4, 3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        schedule.step()
    return float(loss.detach())


def states(state):
    return dict(zip(("model", "optimizer", "schedule"), (part.state_dict() for part in state)))


def load_states(state, saved):
    for part, name in zip(state, ("model", "optimizer", "schedule")):
        part.load_state_dict(saved[name])


@needs_torch
def test_a_training_goes_on_in_either_library(tmp_path):
    theirs, ours = parts(torch, 0), parts(wengert, 0)
    advance(torch, theirs, 3)
    torch.save(states(theirs), tmp_path / "theirs.pt")
    load_states(ours, wengert.load(tmp_path / "theirs.pt"))
    np.testing.assert_allclose(advance(wengert, ours, 3), advance(torch, theirs, 3), rtol=1e-5)
    wengert.save(states(ours), tmp_path / "ours.pt")
    again = parts(torch, 1)
    load_states(again, torch.load(tmp_path / "ours.pt", weights_only=True))
    np.testing.assert_allclose(advance(torch, again, 3), advance(torch, theirs, 3), rtol=1e-5)


@pytest.mark.parametrize("name", ["c.pt", "c.safetensors"])
def test_a_resumed_training_is_the_same_to_the_bit(tmp_path, name):
    wengert.manual_seed(0)
    whole = parts(wengert, 0)
    advance(wengert, whole, 2)
    wengert.save(states(whole), tmp_path / name)
    advance(wengert, whole, 3)
    resumed = parts(wengert, 1)
    load_states(resumed, wengert.load(tmp_path / name))
    advance(wengert, resumed, 3)
    for a, b in zip(whole[0].parameters(), resumed[0].parameters()):
        assert a.tolist() == b.tolist()


def test_files_of_others():
    assert wengert.load(FILES / "everything.pt")["turned"].tolist()[0] == [0.0, 4.0, 8.0]
    assert wengert.load(FILES / "arrays.npz")["grid"].shape == (2, 3)
    assert wengert.load(FILES / "fortran.npy").tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert load_file(FILES / "dtypes.safetensors")["int16"].tolist() == [[0, 1], [2, 100]]


def test_numpys_files(tmp_path):
    tensors = {"a": wengert.tensor([[1.0, 2.0], [3.0, 4.0]]).t(), "b": wengert.tensor([True, False])}
    wengert.save(tensors, tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["a"].tolist() == [[1.0, 3.0], [2.0, 4.0]] and arrays["b"].dtype == bool
    wengert.save(tensors["a"], tmp_path / "x.npy")
    assert np.load(tmp_path / "x.npy").tolist() == [[1.0, 3.0], [2.0, 4.0]]
    np.save(tmp_path / "y.npy", np.arange(3))
    assert wengert.load(tmp_path / "y.npy").tolist() == wengert.load_npy(tmp_path / "y.npy").tolist() == [0, 1, 2]
    np.savez_compressed(tmp_path / "y.npz", v=np.ones(2, np.float32))
    assert wengert.load(tmp_path / "y.npz")["v"].tolist() == wengert.load_npz(tmp_path / "y.npz")["v"].tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="holds one tensor"):
        wengert.save(tensors, tmp_path / "z.npy")
    with pytest.raises(ValueError, match="tensors by name"):
        wengert.save({"a": 1}, tmp_path / "z.npz")
    with pytest.raises(ValueError, match="bfloat16"):
        wengert.save_npy(wengert.ones(1).bfloat16(), tmp_path / "z.npy")


def test_safetensors(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {d: wengert.arange(6).reshape(2, 3).to(getattr(wengert, d)) for d in DTYPES}
    save_file(tensors, path, metadata={"format": "pt", "by": "me"})
    back = load_file(path)
    assert back.keys() == tensors.keys() and all(back[k].dtype == tensors[k].dtype for k in back)
    with safe_open(path, framework="pt", device="cpu") as f:
        assert f.keys() == sorted(DTYPES) and f.metadata() == {"format": "pt", "by": "me"}
        part = f.get_slice("int32")
        assert part.get_shape() == [2, 3] and part.get_dtype() == "I32" and part[:, 1].tolist() == [1, 4]
        assert [f.get_slice(d).get_dtype() for d in DTYPES] == "BOOL U8 I8 I16 I32 I64 F16 BF16 F32 F64".split()
        assert f.get_tensor("float64").tolist() == [[0, 1, 2], [3, 4, 5]]
        with pytest.raises(ValueError, match="most similar name is `bfloat16`"):
            f.get_tensor("bfloat1")
    with pytest.raises(RuntimeError, match="closed"):
        f.keys()
    assert wengert.safetensors.load(wengert.safetensors.save(tensors))["int8"].tolist() == [[0, 1, 2], [3, 4, 5]]
    theirs = pytest.importorskip("safetensors.numpy")
    with pytest.importorskip("safetensors").safe_open(path, framework="np") as f:
        assert f.get_tensor("int64").tolist() == [[0, 1, 2], [3, 4, 5]] and f.metadata()["by"] == "me"
    theirs.save_file({"a": np.float32([[1, 2]])}, path, metadata={"k": "v"})
    assert load_file(path)["a"].tolist() == [[1.0, 2.0]] and safe_open(path).metadata() == {"k": "v"}


@needs_torch
def test_safetensors_with_pytorch(tmp_path):
    theirs = pytest.importorskip("safetensors.torch")
    path = tmp_path / "x.safetensors"
    save_file({"h": wengert.tensor([1.5, -2.0]).bfloat16()}, path)
    assert theirs.load_file(path)["h"].dtype == torch.bfloat16
    theirs.save_file({"h": torch.tensor([1.5, -2.0]).bfloat16(), "i": torch.arange(3)}, path)
    assert load_file(path)["h"].tolist() == [1.5, -2.0] and wengert.load(path)["i"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["x.safetensors", "x.pt"])
def test_mapped_files(tmp_path, name):
    path = tmp_path / name
    tensors = {"w": wengert.arange(6.0).reshape(2, 3), "n": wengert.arange(3), "h": wengert.ones(2).bfloat16()}
    wengert.save(tensors, path)
    before = path.read_bytes()
    for back in [wengert.load(path, mmap=True)] + ([load_file(path, mmap=True)] if name == "x.safetensors" else []):
        assert {k: v.tolist() for k, v in back.items()} == {k: v.tolist() for k, v in tensors.items()}
        # What is written stays with the tensor.
        twin = back["w"].detach()
        back["w"].add_(1)
        assert back["w"].tolist() == [[1, 2, 3], [4, 5, 6]] and back["h"].tolist() == [1, 1]
        assert twin.tolist() == tensors["w"].tolist() and path.read_bytes() == before
        # A file that is replaced lives on.
        kept = wengert.load(path, mmap=True)["w"]
        wengert.save({"w": wengert.zeros(2, 3)}, path)
        assert kept.tolist() == tensors["w"].tolist() and wengert.load(path, mmap=True)["w"].tolist() == [[0, 0, 0]] * 2
        wengert.save(tensors, path)
    for cut in (0, 1, 60, len(before) - 1):
        path.write_bytes(before[:cut])
        with pytest.raises(OSError):
            wengert.load(path, mmap=True)
    with pytest.raises(ValueError, match="a file object cannot be mapped"):
        wengert.load(io.BytesIO(before), mmap=True)
    with pytest.raises(FileNotFoundError):
        wengert.load(tmp_path / "nowhere", mmap=True)


@needs_torch
def test_pytorchs_files_are_mapped(tmp_path):
    torch.save({"w": torch.arange(1000.0)}, tmp_path / "x.pt")
    mapped = wengert.load(tmp_path / "x.pt", mmap=True)["w"]
    assert mapped.tolist() == list(range(1000))
    model = nn.Linear(10, 100, bias=False)
    model.load_state_dict({"weight": mapped.reshape(100, 10)}, assign=True)
    assert np.shares_memory(model.weight.detach().numpy(), mapped.numpy())
    model(wengert.ones(1, 10)).sum().backward()
    wengert.optim.SGD(model.parameters(), lr=1.0).step()
    assert model.weight.flatten().tolist() == list(range(-1, 999)) and mapped.tolist() == list(range(1000))


def test_models_as_safetensors(tmp_path):
    a, b = nn.Linear(3, 2), nn.Linear(3, 2)
    wengert.safetensors.save_model(a, tmp_path / "m.safetensors")
    assert wengert.safetensors.load_model(b, tmp_path / "m.safetensors") == ([], [])
    assert a.weight.tolist() == b.weight.tolist()


def test_a_header_whose_length_begins_as_a_pickle_is_a_header(tmp_path):
    path, starts = str(tmp_path / "x.safetensors"), set()
    for i in range(32):
        state = {"x" * (1 + 8 * i): wengert.ones(2)}
        wengert.save(state, path)
        data = (tmp_path / "x.safetensors").read_bytes()
        starts.add(data[0])
        for loaded in (wengert.load(path), wengert.load(io.BytesIO(data)), wengert.load(path, pickle=True)):
            assert list(loaded) == list(state)
    assert 0x80 in starts


def test_other_objects_need_pickle(tmp_path):
    path = tmp_path / "x.pt"
    with pytest.raises(TypeError, match="a complex is neither a tensor .*\n.*pickle=True"):
        wengert.save({"x": 1 + 2j}, path)
    assert not path.exists()
    wengert.save({"x": 1 + 2j, "w": wengert.ones(2)}, path, pickle=True)
    with pytest.raises(pickle.UnpicklingError, match="can run any code"):
        wengert.load(path)
    assert wengert.load(path, pickle=True)["x"] == wengert.load(path, weights_only=False)["x"] == 1 + 2j


def test_harmful_files(tmp_path):
    with pytest.raises(OSError, match="asks to call `posix.system`"):
        wengert.load(FILES / "evil.pt")
    with pytest.raises(OSError, match="asks to call `posix.system`"):
        wengert.load(FILES / "evil.pt", weights_only=False)
    loop = []
    loop.append(loop)
    with pytest.raises(TypeError, match="too deep"):
        wengert.save(loop, tmp_path / "c")
    with pytest.raises(OverflowError, match="64 bits"):
        wengert.save({"x": 2**64}, tmp_path / "c")
    with pytest.raises(TypeError, match="text for keys"):
        wengert.save_npz({"x": 1}, tmp_path / "c")
    with pytest.raises(FileNotFoundError):
        wengert.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        load_file(tmp_path / "nowhere")
    with pytest.raises(OSError, match="none of the formats"):
        wengert.load(io.BytesIO(b"not a checkpoint at all"))
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("name", ["c.pt", "c.safetensors", "c.npz", "c.npy"])
def test_damaged_files_are_errors(tmp_path, name):
    path = tmp_path / name
    tensors = {"a": wengert.arange(10.0), "b": wengert.ones(3, 2)}
    wengert.save(tensors["a"] if name == "c.npy" else tensors, path)
    whole = path.read_bytes()
    for cut in {0, 1, 7, 8, 50, len(whole) // 2, len(whole) - 30, len(whole) - 1}:
        with pytest.raises((OSError, ValueError, RuntimeError)) as error:
            wengert.load(io.BytesIO(whole[:cut]))
        assert not isinstance(error.value, wengert.InternalError)
    rng = np.random.default_rng(0)
    for _ in range(300):
        hurt = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            hurt[at] = rng.integers(256)
        try:
            wengert.load(io.BytesIO(bytes(hurt)))
        except (OSError, ValueError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
            assert not isinstance(error, wengert.InternalError), error


def test_a_bomb_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02]" + b"(" * 50_000_000)
    with pytest.raises(OSError, match="packed"):
        wengert.load(tmp_path / "x.pt")
    head = b'{"x":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'
    with pytest.raises(OSError, match="has .* bytes"):
        wengert.load(io.BytesIO(len(head).to_bytes(8, "little") + head))


def test_a_kill_leaves_the_old_file_or_the_new(tmp_path):
    path = tmp_path / "c.pt"
    code = (
        "import sys, wengert\n"
        "for i in range(10**6):\n"
        "    wengert.save({'i': i, 'x': wengert.full((200_000,), float(i))}, sys.argv[1])\n"
        "    print(i, flush=True)\n"
    )
    last = -1
    for wait in (0.0, 0.013, 0.029, 0.041):
        run = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        run.stdout.readline()
        time.sleep(wait)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        back = wengert.load(path)
        assert back["x"].eq(back["i"]).all() and back["i"] >= 0
        last = back["i"]
    assert last >= 0


def test_optimizers_state_by_itself(tmp_path):
    p = nn.Parameter(wengert.tensor([1.0, 2.0]))
    a = optim.Adam([p], lr=0.1)
    p.grad = wengert.ones(2)
    a.step()
    wengert.save(a.state_dict(), tmp_path / "o.pt")
    b = optim.Adam([p], lr=0.5)
    b.load_state_dict(wengert.load(tmp_path / "o.pt"))
    assert b.param_groups[0]["lr"] == 0.1 and b.param_groups[0]["betas"] == (0.9, 0.999)
    assert b.state[p]["step"] == 1 and b.state[p]["exp_avg"].tolist() == a.state[p]["exp_avg"].tolist()


def test_names_that_nearly_fit_are_suggested():
    model = nn.Sequential(collections.OrderedDict(encoder=nn.Linear(2, 3), head=nn.Linear(3, 1)))
    state = model.state_dict()
    state["encodr.weight"] = state.pop("encoder.weight")
    state["head.weight"] = wengert.ones(4, 1)
    with pytest.raises(RuntimeError) as error:
        model.load_state_dict(state)
    text = str(error.value)
    assert "\"encoder.weight\" (near 'encodr.weight')" in text and "\"encodr.weight\" (near 'encoder.weight')" in text
    assert "size mismatch for head.weight: copying a param with shape [4, 1] from checkpoint" in text
    found = nn.Linear(2, 2).load_state_dict({"weight": wengert.ones(2, 2), "extra": wengert.ones(1)}, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (["bias"], ["extra"])
