"""What the interpreter expects of objects: cycles are collected, objects keep their identity, views of bytes, hooks."""

import gc
import subprocess
import sys
import weakref

import pytest

import wengert


def gone(make):
    """Whether what `make` gives a weak reference to is collected once nothing else holds it."""
    ref = make()
    gc.collect()
    return ref() is None


def test_a_cycle_through_an_attribute_is_collected():
    def make():
        x = wengert.ones(2)
        x.me = [x]
        return weakref.ref(x)

    assert gone(make)


def test_a_cycle_through_a_parameter_is_collected():
    def make():
        model = wengert.nn.Linear(2, 2)
        model.weight.owner = model
        return weakref.ref(model)

    assert gone(make)


@pytest.mark.parametrize("kind", ["register_hook", "register_post_accumulate_grad_hook"])
def test_a_cycle_through_a_hook_is_collected(kind):
    def make():
        x = wengert.ones(2, requires_grad=True)
        getattr(x, kind)(lambda _: None if x is None else None)
        return weakref.ref(x)

    assert gone(make)


def test_a_hook_that_a_graph_needs_stays():
    calls = []

    def loss():
        x = wengert.ones(2, requires_grad=True)
        x.register_hook(lambda g: calls.append((x.shape, g)) or None)
        return (x * 2).sum()

    y = loss()
    gc.collect()
    y.backward()
    assert calls[0][1].tolist() == [2, 2]


def test_a_removed_hook_is_let_go():
    class Hook:
        def __call__(self, grad):
            return None

    hook = Hook()
    ref = weakref.ref(hook)
    x = wengert.ones(2, requires_grad=True)
    handle = x.register_hook(hook)
    del hook
    assert ref() is not None
    handle.remove()
    gc.collect()
    assert ref() is None
    (x * 2).sum().backward()


def test_the_hook_after_accumulation_gets_the_object():
    w = wengert.tensor([1.0, 2.0], requires_grad=True)
    seen = []

    def step(p):
        seen.append((p is w, p.grad.tolist()))
        with wengert.no_grad():
            p -= 0.5 * p.grad
        p.grad = None

    handle = w.register_post_accumulate_grad_hook(step)
    (w * w).sum().backward()
    assert seen == [(True, [2.0, 4.0])] and w.tolist() == [0, 0] and w.grad is None
    handle.remove()
    (w * w).sum().backward()
    assert len(seen) == 1
    with pytest.raises(RuntimeError, match="no leaf"):
        (w * 2).register_post_accumulate_grad_hook(step)


def test_many_objects_and_a_collection_in_between():
    kept = []
    for i in range(3000):
        x = wengert.full((2,), float(i), requires_grad=i % 3 == 0)
        x.tag = i
        if i % 2:
            x.me = x
        if i % 3 == 0:
            x.register_hook(lambda g, x=x: None)
        kept.append(x)
        if i % 500 == 0:
            gc.collect()
            kept = kept[-10:]
    assert [x.tag for x in kept[-10:]] == list(range(2990, 3000))


def test_the_gradient_is_one_object():
    x = wengert.ones(2, requires_grad=True)
    (x * x).sum().backward()
    assert x.grad is x.grad
    g = x.grad
    (x * x).sum().backward()
    assert x.grad is g and g.tolist() == [4, 4]
    x.grad = h = wengert.zeros(2)
    assert x.grad is h


def test_shapes_are_sizes():
    for shape in [(), (0,), (3,), (2, 3), (3, 2), (1, 2, 3, 4, 5, 6, 7), (2**20,)]:
        for _ in range(2):
            got = wengert.empty(shape).shape if 2**20 not in shape else wengert.zeros(1).expand(shape).shape
            assert got == shape and type(got) is wengert.Size
    # Different shapes at equal places of the cache.
    for n in range(2000):
        assert wengert.empty(n, 1).shape == (n, 1)
        assert wengert.empty(1, n).size() == (1, n)


def test_operators_with_other_things():
    x = wengert.tensor([1.0, 2.0])

    class Other:
        def __radd__(self, other):
            return "radd"

        def __rmatmul__(self, other):
            return "rmatmul"

        def __eq__(self, other):
            return "eq"

    assert x + Other() == "radd" and x @ Other() == "rmatmul" and (x == Other()) == "eq"
    for f in (lambda: x + "a", lambda: x - None, lambda: object() * x, lambda: x @ object(), lambda: x < "a"):
        with pytest.raises(TypeError):
            f()
    assert (x == "a") is False and (x != None) is True  # noqa: E711
    assert (True + x).tolist() == [2, 3] and (x - [1, 1]).tolist() == [0, 1] and (2 - x).tolist() == [1, 0]
    assert (10**30 * x).tolist() == pytest.approx([1e30, 2e30])
    with pytest.raises(RuntimeError, match="add"):
        x + wengert.ones(3)
    with pytest.raises(IndexError):
        x[5]
    with pytest.raises(TypeError):
        x["a"]

    class Child(wengert.Tensor):
        pass

    c = Child([1.0])
    assert (c + x).tolist() == [2, 3] and (x + c).tolist() == [2, 3] and wengert.cat([c, x]).tolist() == [1, 1, 2]


def test_views_of_bytes():
    torch = pytest.importorskip("torch")
    for data, dtype, to in [
        ([1.0, -2.0], "float32", "int32"),
        ([1.0, -2.0], "float32", "uint8"),
        ([[1, 2, 3, 4]], "int32", "int64"),
        ([[1, 2, 3, 4]], "int16", "float64"),
        ([1.5], "float64", "float32"),
        ([True, False], "bool", "uint8"),
    ]:
        ours = wengert.tensor(data, dtype=getattr(wengert, dtype)).view(getattr(wengert, to))
        theirs = torch.tensor(data, dtype=getattr(torch, dtype)).view(getattr(torch, to))
        assert repr(ours.tolist()) == repr(theirs.tolist()) and ours.shape == tuple(theirs.shape)
        assert repr(ours.dtype) == f"wengert.{to}"
    x = wengert.arange(6, dtype=wengert.int32)
    with pytest.raises(RuntimeError, match="view"):
        x[:3].view(wengert.int64)
    with pytest.raises(RuntimeError, match="view"):
        wengert.ones(4, 4).t().view(wengert.uint8)
    with pytest.raises(RuntimeError, match="view"):
        x.view(wengert.bool)
    assert x.view(dtype=wengert.uint8).shape == (24,)


def test_anomalies_name_the_operation_and_its_line():
    x = wengert.tensor([0.0, 4.0], requires_grad=True)
    assert not wengert.is_anomaly_enabled()
    with wengert.autograd.detect_anomaly():
        assert wengert.is_anomaly_enabled()
        root = x.sqrt()  # the line
        y = (root * 0).sum()
        with pytest.raises(RuntimeError, match="sqrt: the gradient of its input has a NaN, the first at element 0") as error:
            y.backward()
    assert "test_interpreter.py" in str(error.value) and "test_anomalies_name" in str(error.value)
    assert not wengert.is_anomaly_enabled()
    (x.sqrt() * 0).sum().backward()
    assert x.grad[0].isnan()
    with wengert.autograd.set_detect_anomaly(True):
        assert wengert.is_anomaly_enabled()
        (x[1:].sqrt() * 2).sum().backward()
        with wengert.autograd.detect_anomaly(check_nan=False):
            (x.sqrt() * 0).sum().backward()
    assert not wengert.is_anomaly_enabled()
    wengert.autograd.set_detect_anomaly(True)
    assert wengert.is_anomaly_enabled()
    wengert.autograd.set_detect_anomaly(False)
    assert not wengert.is_anomaly_enabled()


def test_methods_written_in_python():
    torch = pytest.importorskip("torch")
    x = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a = wengert.tensor(x.numpy())
    for name, args in [("hardshrink", (0.3,)), ("unsafe_chunk", (2,)), ("unsafe_split", (2,)), ("unsafe_split_with_sizes", ([1, 2],))]:
        ours, theirs = getattr(a, name)(*args), getattr(x, name)(*args)
        for o, t in zip(ours, theirs):
            assert o.flatten().tolist() == pytest.approx(t.flatten().tolist())
    assert a.prelu(wengert.tensor([0.2], dtype=wengert.float64)).flatten().tolist() == pytest.approx(x.prelu(torch.tensor([0.2]).double()).flatten().tolist())
    lu, pivots = a.lu()
    b = wengert.ones(3, 1, dtype=wengert.float64)
    assert wengert.allclose(a @ b.lu_solve(lu, pivots), b)
    assert wengert.allclose(a.triu() @ b.triangular_solve(a)[0], b)
    v = torch.tensor([0, 7, 0, 9])
    for n in (1, 3):
        assert wengert.tensor(v.numpy()).nonzero_static(size=n).tolist() == torch.nonzero_static(v, size=n).tolist()
    assert wengert.empty_permuted((2, 3, 4), (0, 2, 1)).stride() == torch.empty_permuted((2, 3, 4), (0, 2, 1)).stride()
    assert wengert.detach(wengert.ones(1, requires_grad=True)).requires_grad is False
    assert wengert.spmm(a, a).tolist() == wengert.mm(a, a).tolist()


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 5), (2, 4, 3)])
def test_geqrf(shape):
    torch = pytest.importorskip("torch")
    x = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours, theirs = wengert.geqrf(wengert.tensor(x.numpy())), torch.geqrf(x)
    for o, t in zip(ours, theirs):
        assert torch.allclose(torch.from_numpy(o.numpy().copy()), t)


def test_one_device_for_parallel_models():
    torch = pytest.importorskip("torch")
    from beside import same

    nn = wengert.nn
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    model.load_state_dict({k: wengert.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert isinstance(model[1], nn.SyncBatchNorm) and list(model.state_dict()) == list(theirs.state_dict())
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    wrapped = nn.DataParallel(model)
    same(wrapped(wengert.tensor(x.numpy())), theirs(x))
    same(model[1].running_mean, theirs[1].running_mean)
    assert list(wrapped.state_dict())[0] == "module.0.weight"
    with pytest.raises(ValueError, match="2D"):
        nn.SyncBatchNorm(3)(wengert.ones(3))


def test_the_lock_cannot_be_turned_off():
    """What counts on the interpreter's lock does not load where there is none."""
    code = "import sys; sys._is_gil_enabled = lambda: {}\ntry:\n    import wengert\nexcept ImportError as error:\n    print(error)\nelse:\n    print('loaded')"
    run = lambda on: subprocess.run([sys.executable, "-c", code.format(on)], capture_output=True, text=True, check=True).stdout
    assert run(True) == "loaded\n" and "PYTHON_GIL" in run(False)


def test_memory_of_objects_is_used_again_clean():
    class Child(wengert.Tensor):
        pass

    gone = []
    for _ in range(3):
        old = [Child([1.0]) if i % 3 == 0 else wengert.ones(2) + i for i in range(300)]
        for i, x in enumerate(old):
            x.tag = i
            if i % 2:
                x.me = x
        refs = [weakref.ref(x, gone.append) for x in old]
        del x, old
        gc.collect()
        assert all(r() is None for r in refs)
        new = [wengert.ones(2) * i for i in range(400)]
        assert not any(x.__dict__ or weakref.getweakrefcount(x) or type(x) is not wengert.Tensor for x in new)
        assert [x[0].item() for x in new] == list(range(400)) and gc.is_tracked(new[0])
    assert len(gone) == 900
