"""What is made of other functions, beside PyTorch's: dtypes, gradients of samples, more of linalg, fused layers, amp."""

import numpy as np
import pytest

import wengert
from beside import needs_torch, numbers, ours, same, torch
from wengert import amp, nn, optim

DTYPES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64".split()
RNG = np.random.default_rng(0)


def both(*arrays):
    return [wengert.tensor(a.tolist(), dtype=wengert.float64) for a in arrays], [torch.tensor(a) for a in arrays]


@needs_torch
def test_dtypes():
    for a in DTYPES:
        for b in DTYPES:
            one, two = (getattr(wengert, d) for d in (a, b))
            assert wengert.can_cast(one, two) == torch.can_cast(getattr(torch, a), getattr(torch, b)), (a, b)
            for shapes in (((2,), (2,)), ((), (2,)), ((2,), ())):
                said = [
                    str(m.result_type(m.ones(shapes[0], dtype=getattr(m, a)), m.ones(shapes[1], dtype=getattr(m, b)))).split(".")[1]
                    for m in (wengert, torch)
                ]
                assert said[0] == said[1], (a, b, shapes)
        for number in (True, 2, 2.5):
            said = [str(m.result_type(m.ones(2, dtype=getattr(m, a)), number)).split(".")[1] for m in (wengert, torch)]
            assert said[0] == said[1], (a, number)
    assert wengert.scalar_tensor(3).dtype is wengert.float32
    assert wengert.functional.einsum is wengert.einsum
    assert wengert.broadcast_shapes((3, 1), 4, ()) == (3, 4)
    with pytest.raises(ValueError, match="broadcast"):
        wengert.broadcast_shapes((3,), (4,))


@needs_torch
@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradients_of_samples(edge_order):
    x = RNG.normal(size=(4, 5))
    (mine,), (theirs,) = both(x)
    places = np.array([0.0, 0.5, 2.0, 2.5, 4.0])
    for options in ({}, dict(spacing=0.5), dict(dim=1), dict(dim=(1, 0), spacing=(2.0, 3.0))):
        same(wengert.gradient(mine, edge_order=edge_order, **options), torch.gradient(theirs, edge_order=edge_order, **options))
    a = wengert.gradient(mine, spacing=(wengert.tensor(places.tolist(), dtype=wengert.float64),), dim=1, edge_order=edge_order)
    same(a, torch.gradient(theirs, spacing=(torch.tensor(places),), dim=1, edge_order=edge_order))
    with pytest.raises(RuntimeError, match="at least edge_order"):
        wengert.gradient(wengert.ones(1))


@needs_torch
def test_more_of_linalg():
    a, b, v = RNG.normal(size=(2, 4, 4)) + 3 * np.eye(4), RNG.normal(size=(2, 4, 3)), RNG.normal(size=(2, 3))
    (x, y, w), (p, q, r) = both(a, b, v)
    same(wengert.linalg.diagonal(x, offset=1), torch.linalg.diagonal(p, offset=1))
    same(wengert.linalg.vander(w), torch.linalg.vander(r))
    same(wengert.linalg.vander(w, N=5), torch.linalg.vander(r, N=5))
    mine, theirs = wengert.linalg.lu_factor(x), torch.linalg.lu_factor(p)
    for left in (True, False):
        for adjoint in (True, False):
            one, two = (y, q) if left else (y.mT, q.mT)
            same(
                wengert.linalg.lu_solve(*mine, one, left=left, adjoint=adjoint),
                torch.linalg.lu_solve(*theirs, two, left=left, adjoint=adjoint),
            )
    t = RNG.normal(size=(2, 3, 6))
    (x,), (p,) = both(t)
    same(wengert.linalg.tensorinv(x), torch.linalg.tensorinv(p))
    (y,), (q,) = both(RNG.normal(size=(2, 3)))
    same(wengert.linalg.tensorsolve(x, y), torch.linalg.tensorsolve(p, q))
    same(wengert.linalg.tensorsolve(x.reshape(2, 6, 3).contiguous(), y, dims=(1,)), torch.linalg.tensorsolve(p.reshape(2, 6, 3), q, dims=(1,)))


@needs_torch
@pytest.mark.parametrize("name", "relu celu elu hardtanh leaky_relu selu".split())
def test_functions_in_place(name):
    x = RNG.normal(size=6).astype(np.float32)
    mine, theirs = wengert.tensor(x.tolist()), torch.tensor(x)
    F, TF = nn.functional, torch.nn.functional
    kept = mine
    same(getattr(F, name + "_")(mine), getattr(TF, name + "_")(theirs))
    same(kept, theirs)
    assert F.relu(kept, inplace=True) is kept and F.threshold_(kept, 0.5, 9.0) is kept
    w = wengert.ones(2, requires_grad=True)
    F.elu_(w * -1).sum().backward()
    np.testing.assert_allclose(numbers(w.grad), -np.exp([-1.0, -1.0]), rtol=1e-6)


@needs_torch
@pytest.mark.parametrize("kind", ["Conv2d(2, 3, 2)", "ConvTranspose2d(2, 3, 2)", "Linear(2, 3)"])
def test_fused_layers(kind):
    theirs, norm = eval("torch.nn." + kind), torch.nn.BatchNorm2d(3) if "Conv" in kind else torch.nn.BatchNorm1d(3)  # noqa: S307
    mine, mine_norm = eval("nn." + kind), nn.BatchNorm2d(3) if "Conv" in kind else nn.BatchNorm1d(3)  # noqa: S307
    x = torch.randn((4, 2, 5, 5) if "Conv" in kind else (4, 2))
    for _ in range(3):
        norm(theirs(x * 2 + 1))
    mine.load_state_dict(theirs.state_dict()), mine_norm.load_state_dict(norm.state_dict())
    with pytest.raises(AssertionError, match="eval"):
        nn.utils.fuse_conv_bn_eval(mine, mine_norm)
    for m in (theirs, norm, mine, mine_norm):
        m.eval()
    if "Linear" in kind:
        fused = nn.utils.fuse_linear_bn_eval(mine, mine_norm)
    else:
        fused = nn.utils.fuse_conv_bn_eval(mine, mine_norm, "Transpose" in kind)
    same(fused(ours(x)), norm(theirs(x)), rtol=1e-4, atol=1e-5)
    same(mine(ours(x)), theirs(x), rtol=1e-4, atol=1e-5)


@needs_torch
def test_loss_scaling_is_pytorchs():
    seen = []
    for module in (wengert, torch):
        scaler = module.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
        p = module.nn.Parameter(module.ones(2))
        optimizer = module.optim.SGD([p], lr=0.1)
        for factor in (1.0, 2.0, float("inf"), 1.0, 3.0):
            optimizer.zero_grad()
            with module.amp.autocast("cpu"):
                loss = (p * factor).sum()
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
            seen.append((p.tolist(), scaler.get_scale()))
        seen.append(scaler.state_dict())
    assert seen[:5] == [(pytest.approx(p), s) for p, s in seen[6:11]] and seen[5] == seen[11]


def test_loss_scaling_by_mistake():
    scaler, p = amp.GradScaler(), nn.Parameter(wengert.ones(1))
    optimizer = optim.SGD([p], lr=0.1)
    with pytest.raises(RuntimeError, match="No inf checks"):
        scaler.update()
    p.grad = wengert.ones(1)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.step(optimizer)
    off = amp.GradScaler(enabled=False)
    assert off.scale(p) is p and off.get_scale() == 1.0 and off.state_dict() == {}
    again = amp.GradScaler()
    again.load_state_dict(scaler.state_dict())
    assert again.get_scale() == scaler.get_scale()


def test_folds_and_readers(tmp_path):
    data = wengert.utils.data
    tested = []
    for train, test in data.KFold(10, 3).shuffle(1):
        assert sorted(train + test) == list(range(10))
        tested += test
    assert sorted(tested) == list(range(10)) and tested != list(range(10))
    assert [len(t) for _, t in data.KFold(10, 3)] == [4, 3, 3] and len(data.KFold(10, 3)) == 3
    with pytest.raises(ValueError, match="cannot divide"):
        data.KFold(3, 5)
    (tmp_path / "t.csv").write_text('x,y,kind\n1,2,"a, b"\n3,,c\n')
    table = data.load_csv(tmp_path / "t.csv")
    assert table.columns == ["x", "y", "kind"] and len(table) == 2 and table.rows[0][2] == "a, b"
    x = table.numbers(["x", "y"])
    assert x[:, 0].tolist() == [1.0, 3.0] and bool(x[1, 1].isnan())
    classes, names = table.classes("kind")
    assert classes.tolist() == [0, 1] and names == ["a, b", "c"]
    with pytest.raises(OSError, match="is no number"):
        table.numbers()
    with pytest.raises(OSError, match="there is no column `z`"):
        table.numbers(["z"])
    with pytest.raises(OSError, match="nowhere"):
        data.load_csv(tmp_path / "nowhere")
    assert data.read_csv("a;b\n1;2\n", ";").numbers().tolist() == [[1.0, 2.0]]
    idx = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])
    (tmp_path / "d.idx").write_bytes(idx)
    assert data.load_idx(tmp_path / "d.idx").tolist() == data.read_idx(idx).tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises((OSError, ValueError)):
        data.read_idx(idx[:-1])
    v = data.Vocabulary("hello")
    assert v.decode(v.encode("hole")) == "hole" and len(v) == 4
    with pytest.raises(ValueError, match="unknown"):
        v.encode("x")


def test_measures():
    train = wengert.train
    scores = wengert.tensor([[0.1, 0.7, 0.2], [0.8, 0.1, 0.1], [0.3, 0.3, 0.4], [0.2, 0.5, 0.3]])
    truth = wengert.tensor([1, 0, 0, 2])
    assert train.accuracy(scores, truth) == 0.5 and train.top_k_accuracy(scores, truth, 2) == 1.0
    table = train.Confusion(3)
    table.update(scores, truth)
    assert table.matrix().tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]] and table.total() == 4
    assert table.accuracy() == 0.5 and table.precision(1) == 0.5 and table.recall(0) == 0.5
    assert table.f1(0) == pytest.approx(2 / 3) and 0 < table.macro_f1() < 1 and len(repr(table)) > 10
    with pytest.raises(IndexError):
        table.update(wengert.tensor([5]), wengert.tensor([0]))
    y, t = wengert.tensor([1.0, 2.0, 4.0]), wengert.tensor([1.0, 2.0, 3.0])
    assert train.r2_score(y, t) == pytest.approx(0.5) and train.mean_absolute_error(y, t) == pytest.approx(1 / 3)
    assert train.perplexity(0.0) == 1.0
    mean = train.Mean()
    assert mean.value() != mean.value()
    mean.update(1.0, 3), mean.update(5.0)
    assert mean.value() == 2.0
