"""Modules: attributes, hooks, state, and what PyTorch's users expect of them."""

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import wengert
from beside import needs_torch, numbers, ours, same, torch
from wengert import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 1)
        self.scale = nn.Parameter(wengert.tensor([2.0]))
        self.register_buffer("shift", wengert.tensor([1.0]))
        self.register_buffer("scratch", wengert.zeros(1), persistent=False)

    def forward(self, x):
        return self.head(self.norm(self.hidden(x)).relu()) * self.scale + self.shift


def test_the_missions_example_runs_as_written():
    from wengert import Linear, MSELoss, Tensor

    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    y_true = Tensor([[1.0, 1.0], [1.0, 1.0]])
    W = Tensor([[0.1, 0.2], [0.3, 0.4]])
    b = Tensor([0.5, 0.6])
    linear = Linear(2, 2)
    linear.W = W
    linear.b = b
    y_pred = linear(x)
    loss = MSELoss()(y_pred, y_true)
    loss.backward()
    for grad in (W.grad, linear.W.grad):
        np.testing.assert_allclose(numbers(grad), [[1.6, 3.0], [2.2, 4.2]], rtol=1e-5)
    for grad in (b.grad, linear.b.grad, linear.bias.grad):
        np.testing.assert_allclose(numbers(grad), [0.6, 1.2], rtol=1e-5)
    np.testing.assert_allclose(numbers(linear.weight.grad), [[1.6, 2.2], [3.0, 4.2]], rtol=1e-5)


@pytest.mark.parametrize("from_W", [False, True])
def test_a_weight_has_two_sides(from_W):
    layer = nn.Linear(2, 3)
    if from_W:
        layer.W = wengert.rand(2, 3)
    kept = layer.W
    for side, shape in ((layer.weight, (3, 2)), (layer.W, (2, 3)), (kept, (2, 3))):
        assert tuple(side.shape) == shape
        assert side.is_leaf and side.requires_grad
    assert [tuple(p.shape) for p in layer.parameters()] == [(3, 2), (3,)]
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert tuple(layer.state_dict()["weight"].shape) == (3, 2)

    # In-place changes of either side show in the other.
    nn.init.constant_(layer.weight, 3.0)
    assert (kept == 3.0).all()
    with wengert.no_grad():
        layer.W.copy_(wengert.arange(6).reshape(2, 3).float())
    np.testing.assert_array_equal(numbers(layer.weight), np.arange(6).reshape(2, 3).T)
    nn.init.xavier_uniform_(layer.W)
    np.testing.assert_array_equal(numbers(layer.weight), numbers(layer.W).T)
    layer.weight.data.fill_(0.5)
    assert (layer.W == 0.5).all() and (kept == 0.5).all()
    layer.W.data = wengert.ones(2, 3) * 0.25
    assert (layer.weight == 0.25).all()

    # So do gradients, from whichever side they come, and through the formula as through the layer.
    x = wengert.tensor([[1.0, 2.0]])
    layer(x).sum().backward()
    np.testing.assert_allclose(numbers(layer.weight.grad), [[1, 2]] * 3)
    np.testing.assert_allclose(numbers(layer.W.grad), [[1] * 3, [2] * 3])
    (x @ layer.W).sum().backward()
    np.testing.assert_allclose(numbers(layer.weight.grad), [[2, 4]] * 3)
    np.testing.assert_allclose(numbers(kept.grad), [[2] * 3, [4] * 3])
    layer.W.grad = wengert.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_allclose(numbers(layer.weight.grad), [[1, 4], [2, 5], [3, 6]])
    optimizer = wengert.optim.SGD(layer.parameters(), lr=1.0)
    optimizer.step()
    np.testing.assert_allclose(numbers(layer.W), 0.25 - np.array([[1, 2, 3], [4, 5, 6]]))
    layer.zero_grad()
    assert layer.W.grad is None and layer.weight.grad is None and kept.grad is None

    # Assignment.
    layer.weight = nn.Parameter(wengert.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    np.testing.assert_array_equal(numbers(layer.W), [[1, 3, 5], [2, 4, 6]])
    layer.W = nn.Parameter(wengert.zeros(2, 3))
    assert tuple(layer.weight.shape) == (3, 2) and isinstance(layer.weight, nn.Parameter)
    layer.load_state_dict({"weight": np.ones((3, 2), np.float32), "bias": np.zeros(3, np.float32)})
    assert (layer.W == 1).all()
    with pytest.raises(TypeError, match="cannot assign 'wengert.Tensor' as parameter 'weight'"):
        layer.weight = wengert.zeros(3, 2)
    with pytest.raises(TypeError, match="W must be a Tensor"):
        layer.W = 3.0


def test_a_layer_whose_W_was_assigned_is_copied_and_pickled():
    layer = nn.Linear(2, 3)
    layer.W = wengert.rand(2, 3)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert isinstance(twin.weight, nn.Parameter) and twin.weight.requires_grad
        np.testing.assert_array_equal(numbers(twin.W), numbers(layer.W))
        nn.init.zeros_(twin.weight)
        assert (twin.W == 0).all() and not (layer.W == 0).all()


def test_parts_have_names():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "scale",
        "hidden.weight",
        "hidden.bias",
        "norm.weight",
        "norm.bias",
        "head.weight",
        "head.bias",
    ]
    assert [n for n, _ in net.named_buffers()] == [
        "shift",
        "scratch",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    ]
    assert [n for n, _ in net.named_modules()] == ["", "hidden", "norm", "head"]
    assert [n for n, _ in net.named_children()] == ["hidden", "norm", "head"]
    assert [n for n, _ in net.named_parameters(prefix="net", recurse=False)] == ["net.scale"]
    assert net.get_parameter("hidden.weight") is net.hidden.weight
    assert net.get_submodule("norm") is net.norm
    assert net.get_buffer("norm.running_mean") is net.norm.running_mean
    assert "hidden" in dir(net) and "scale" in dir(net)
    with pytest.raises(AttributeError, match="has no attribute `nothing`"):
        net.get_submodule("nothing.at.all")
    assert "scratch" not in net.state_dict()
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    assert len(list(tied.parameters())) == 3
    assert len(list(tied.named_parameters(remove_duplicate=False))) == 4


def test_attributes_follow_pytorchs_rules():
    net = Net()
    with pytest.raises(TypeError, match="cannot assign 'wengert.Tensor' as parameter 'scale'"):
        net.scale = wengert.ones(1)
    with pytest.raises(TypeError, match="cannot assign 'int' as child module 'head'"):
        net.head = 3
    with pytest.raises(TypeError, match="cannot assign 'int' as buffer 'shift'"):
        net.shift = 3
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'other'"):
        net.other  # noqa: B018
    with pytest.raises(KeyError, match="already exists"):
        net.register_buffer("hidden", wengert.ones(1))
    with pytest.raises(KeyError, match="got: a.b"):
        net.register_parameter("a.b", nn.Parameter(wengert.ones(1)))
    with pytest.raises(ValueError, match="parameters must be leaves"):
        net.register_parameter("grown", made_by_an_operation())
    net.shift = wengert.tensor([5.0])
    assert "shift" in net._buffers
    net.scale = None
    assert net.scale is None and "scale" not in net.state_dict()
    net.head = nn.Linear(3, 2)  # a module for a module
    net.hidden = None
    assert list(n for n, _ in net.named_children()) == ["norm", "head"]
    net.note = "plain"
    assert net.__dict__["note"] == "plain"
    net.note = nn.Parameter(wengert.ones(1))
    assert "note" in net._parameters and "note" not in net.__dict__
    del net.note
    assert not hasattr(net, "note")

    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Early()
    with pytest.raises(NotImplementedError, match='missing the required "forward"'):
        nn.Module()(1)
    net.buffered = nn.Buffer(wengert.ones(2), persistent=False)
    assert "buffered" in dict(net.named_buffers()) and "buffered" not in net.state_dict()


def made_by_an_operation():
    x = wengert.ones(1).requires_grad_()
    grown = (x * 2)._other_side()._other_side(nn.Parameter)
    assert not grown.is_leaf
    return grown


def test_modes_dtypes_and_freezing():
    net = Net()
    assert net.training and net.norm.training
    assert net.eval() is net and not net.norm.training
    net.train()
    assert net.norm.training
    net.double()
    assert net.hidden.weight.dtype == net.shift.dtype == wengert.float64
    assert net.norm.num_batches_tracked.dtype == wengert.int64
    weight = net.hidden.weight
    assert net.to(wengert.float32) is net and net.hidden.weight is weight
    assert weight.dtype == wengert.float32
    net.to("cpu")
    net.to(wengert.zeros(1, dtype=wengert.float64))
    assert weight.dtype == wengert.float64
    with pytest.raises(TypeError, match="only accepts floating point"):
        net.to(wengert.int64)
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    seen = []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "BatchNorm1d", "Linear", "Net"]


def test_gradients_are_forgotten_and_converted():
    net = nn.Linear(2, 1)
    net(wengert.ones(1, 2)).sum().backward()
    net.double()
    assert net.weight.grad.dtype == wengert.float64
    net.zero_grad(set_to_none=False)
    assert (net.weight.grad == 0).all()
    net.zero_grad()
    assert net.weight.grad is None


def test_state_dicts_round_trip_and_report():
    a, b = Net(), Net()
    result = b.load_state_dict(a.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    for (_, x), (_, y) in zip(a.state_dict().items(), b.state_dict().items()):
        np.testing.assert_array_equal(numbers(x), numbers(y))
    state = a.state_dict()
    state["hiden.weight"] = state.pop("hidden.weight")
    with pytest.raises(RuntimeError) as error:
        b.load_state_dict(state)
    text = str(error.value)
    assert "Error(s) in loading state_dict for Net:" in text
    assert "Missing key(s) in state_dict: \"hidden.weight\" (near 'hiden.weight')" in text
    assert "Unexpected key(s) in state_dict: \"hiden.weight\" (near 'hidden.weight')" in text
    result = b.load_state_dict(state, strict=False)
    assert result.missing_keys == ["hidden.weight"] and result.unexpected_keys == ["hiden.weight"]
    wrong = a.state_dict()
    wrong["head.weight"] = wengert.zeros(5, 3)
    with pytest.raises(RuntimeError, match=r"size mismatch for head.weight: copying a param with shape \[5, 3\]"):
        b.load_state_dict(wrong)
    assert a.state_dict()._metadata["norm"] == {"version": 2}
    assigned = nn.Linear(2, 2)
    assigned.load_state_dict({"weight": wengert.ones(2, 2, dtype=wengert.float64), "bias": wengert.ones(2)}, assign=True)
    assert assigned.weight.dtype == wengert.float64 and isinstance(assigned.weight, nn.Parameter)


@needs_torch
def test_state_dicts_go_to_pytorch_and_back():
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    mine = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    mine.load_state_dict(theirs.state_dict())
    same(dict(mine.state_dict()), dict(theirs.state_dict()))
    nn.init.normal_(mine[0].weight)
    theirs.load_state_dict({k: torch.from_numpy(numbers(v).copy()) for k, v in mine.state_dict().items()})
    x = torch.randn(4, 2)
    same(mine(ours(x)), theirs(x))


def test_hooks_around_forward():
    layer = nn.Linear(2, 2)
    order = []
    before = layer.register_forward_pre_hook(lambda m, args: order.append("before") or (args[0] * 2,))
    after = layer.register_forward_hook(lambda m, args, y: order.append("after") or y + 1)
    x = wengert.ones(1, 2)
    with wengert.no_grad():
        plain = layer.forward(x * 2) + 1
        np.testing.assert_allclose(numbers(layer(x)), numbers(plain), rtol=1e-6)
    assert order == ["before", "after"]
    before.remove(), after.remove()
    with wengert.no_grad():
        np.testing.assert_allclose(numbers(layer(x)), numbers(layer.forward(x)))
    assert order == ["before", "after"]
    with layer.register_forward_hook(lambda m, a, k, y: order.append(sorted(k)), with_kwargs=True):
        layer(input=x)
    assert order[-1] == ["input"]
    layer.register_forward_hook(lambda *_: order.append("last"))
    layer.register_forward_hook(lambda *_: order.append("first"), prepend=True)
    layer(x)
    assert order[-2:] == ["first", "last"]


@needs_torch
def test_hooks_around_backward_are_pytorchs():
    def build(torch_, nn_, take):
        class Two(nn_.Module):
            def forward(self, a, b, k=2.0):
                return a * b * k, a + b

        seen = []
        two = Two()
        two.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)) or tuple(None if g is None else g * 3 for g in gi))
        two.register_full_backward_pre_hook(lambda m, go: seen.append(go))
        a = take(torch_.tensor([1.0, 2.0])).requires_grad_()
        b = take(torch_.tensor([3.0, 4.0])).requires_grad_()
        y, z = two(a, b)
        (y.sum() + (z * z).sum()).backward()
        single = nn_.Linear(2, 1)
        with torch_.no_grad():
            single.weight.fill_(0.5)
        single.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
        single(a.detach()).sum().backward()
        single(a).sum().backward()
        return seen, a.grad, b.grad, single.weight.grad

    mine, theirs = build(wengert, nn, lambda t: t), build(torch, torch.nn, lambda t: t)
    same(list(mine), list(theirs))
    assert len(mine[0]) == len(theirs[0])
    for m, t in zip(mine[0], theirs[0]):
        assert [x is None for x in flatten(m)] == [x is None for x in flatten(t)]


def flatten(value):
    return [x for v in value for x in flatten(v)] if isinstance(value, tuple) else [value]


def test_modules_print_as_pytorchs():
    assert repr(nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])))) == (
        "Sequential(\n"
        "  (a): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (b): ModuleList(\n"
        "    (0-1): 2 x ReLU()\n"
        "    (2): Tanh()\n"
        "  )\n"
        ")"
    )
    assert repr(nn.ParameterList([wengert.ones(2, 3)])).startswith("ParameterList(")
    assert repr(nn.Parameter(wengert.ones(2))).startswith("Parameter containing:\ntensor([1., 1.], requires_grad=True)")


def test_copies_and_pickles_are_of_their_own():
    net = Net()
    net.register_forward_hook(print_shape)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert type(twin) is Net and twin is not net
        for (n, p), (m, q) in zip(net.named_parameters(), twin.named_parameters()):
            assert n == m and p is not q and isinstance(q, nn.Parameter) and q.requires_grad
            np.testing.assert_array_equal(numbers(p), numbers(q))
        nn.init.zeros_(twin.scale)
        assert float(net.scale) == 2.0
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    twin = copy.deepcopy(tied)
    assert twin[0].weight is twin[1].weight


def print_shape(module, args, result):
    print(tuple(result.shape))


def test_sequential_is_a_list():
    s = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 3))
    assert len(s) == 3 and s[-1] is list(s)[2]
    assert isinstance(s[:2], nn.Sequential) and len(s[:2]) == 2
    s.append(nn.Tanh())
    s.insert(1, nn.Sigmoid())
    assert [type(m).__name__ for m in s] == ["Linear", "Sigmoid", "ReLU", "Linear", "Tanh"]
    del s[1]
    assert list(s._modules) == ["0", "1", "2", "3"]
    s[1] = nn.GELU()
    assert type(s[1]) is nn.GELU
    assert type(s.pop(1)) is nn.GELU
    with pytest.raises(IndexError, match="index 9 is out of range"):
        s[9]
    both = s + nn.Sequential(nn.ReLU())
    assert len(both) == 4
    assert len(nn.Sequential(nn.ReLU()) * 3) == 3


def test_lists_and_dicts_of_modules_and_parameters():
    m = nn.ModuleList(nn.Linear(1, 1) for _ in range(3))
    assert len(list(m.parameters())) == 6 and isinstance(m[1:], nn.ModuleList)
    m.insert(0, nn.ReLU())
    m += [nn.Tanh()]
    assert len(m) == 5 and type(m[0]) is nn.ReLU and type(m[-1]) is nn.Tanh
    d = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Linear(1, 1)})
    d["c"] = nn.Tanh()
    assert list(d) == ["a", "b", "c"] and "b" in d and type(d.pop("a")) is nn.ReLU and len(d) == 2
    p = nn.ParameterList([wengert.ones(1), nn.Parameter(wengert.ones(2))])
    p.append(wengert.ones(3))
    assert [x.numel() for x in p] == [1, 2, 3] and len(list(p.parameters())) == 3
    p[0] = wengert.zeros(1)
    assert isinstance(p[0], nn.Parameter)
    e = nn.ParameterDict({"w": wengert.ones(1)})
    e["v"] = nn.Parameter(wengert.ones(2))
    assert list(e.keys()) == ["w", "v"] and "w" in e and len(list(e.parameters())) == 2
    assert e.get("x") is None and list(e.pop("w").shape) == [1]


@needs_torch
def test_initialisers_have_pytorchs_spread():
    wengert.manual_seed(1)
    calls = [
        ("uniform_", (-2.0, 3.0)),
        ("normal_", (1.0, 2.0)),
        ("trunc_normal_", (0.0, 1.0, -1.0, 0.5)),
        ("xavier_uniform_", (1.5,)),
        ("xavier_normal_", ()),
        ("kaiming_uniform_", (0.1, "fan_out", "leaky_relu")),
        ("kaiming_normal_", (0, "fan_in", "relu")),
    ]
    for name, args in calls:
        mine, theirs = wengert.empty(200, 100), torch.empty(200, 100)
        assert getattr(nn.init, name)(mine, *args) is mine
        getattr(torch.nn.init, name)(theirs, *args)
        for statistic in (np.mean, np.std, np.min, np.max):
            a, b = statistic(numbers(mine)), statistic(numbers(theirs))
            assert abs(a - b) < 0.03 * max(1.0, np.abs(numbers(theirs)).max()) or statistic in (np.min, np.max)
    for name, shape, args in [
        ("eye_", (3, 4), ()),
        ("dirac_", (4, 2, 3), ()),
        ("dirac_", (4, 2, 3, 3), (2,)),
        ("constant_", (2, 2), (1.5,)),
        ("ones_", (2,), ()),
        ("zeros_", (2,), ()),
    ]:
        mine, theirs = wengert.full(shape, 7.0), torch.full(shape, 7.0)
        getattr(nn.init, name)(mine, *args), getattr(torch.nn.init, name)(theirs, *args)
        same(mine, theirs)
    for kind in ("linear", "tanh", "relu", "leaky_relu", "selu"):
        assert nn.init.calculate_gain(kind) == torch.nn.init.calculate_gain(kind)


def test_orthogonal_and_sparse():
    pytest.importorskip("wengert.linalg")
    for shape in ((3, 5), (5, 3), (4, 2, 2)):
        w = wengert.empty(*shape)
        nn.init.orthogonal_(w, gain=2.0)
        m = numbers(w).reshape(shape[0], -1)
        m = m if m.shape[0] <= m.shape[1] else m.T
        np.testing.assert_allclose(m @ m.T, 4 * np.eye(len(m)), atol=1e-4)
    w = wengert.empty(10, 4)
    nn.init.sparse_(w, 0.3)
    assert ((numbers(w) == 0).sum(0) == 3).all()


@needs_torch
def test_clipping_is_pytorchs():
    from wengert.nn import utils

    values = [np.array([3.0, -4.0], np.float32), np.array([[0.5]], np.float32)]
    for norm_type in (2.0, 1.0, float("inf"), 3.0):
        for limit in (1.0, 100.0):
            mine = [nn.Parameter(wengert.from_numpy(v.copy())) for v in values]
            theirs = [torch.nn.Parameter(torch.from_numpy(v.copy())) for v in values]
            for p, q, v in zip(mine, theirs, values):
                p.grad, q.grad = wengert.from_numpy(2 * v), torch.from_numpy(2 * v)
            same(utils.clip_grad_norm_(mine, limit, norm_type), torch.nn.utils.clip_grad_norm_(theirs, limit, norm_type))
            same([p.grad for p in mine], [q.grad for q in theirs])
    utils.clip_grad_value_(mine, 0.7), torch.nn.utils.clip_grad_value_(theirs, 0.7)
    same([p.grad for p in mine], [q.grad for q in theirs])
    mine[0].grad = wengert.tensor([float("nan"), 1.0])
    with pytest.raises(RuntimeError, match="non-finite"):
        utils.clip_grad_norm_(mine, 1.0, error_if_nonfinite=True)


def test_parameters_as_a_vector():
    from wengert.nn.utils import parameters_to_vector, vector_to_parameters

    net = nn.Linear(2, 3)
    vector = parameters_to_vector(net.parameters())
    assert vector.numel() == 9
    vector_to_parameters(vector * 0 + 1, net.parameters())
    assert (net.weight == 1).all() and (net.bias == 1).all() and net.weight.requires_grad


@needs_torch
def test_weight_norm_and_spectral_norm_are_pytorchs():
    import warnings

    theirs, mine = torch.nn.Linear(4, 3), nn.Linear(4, 3)
    mine.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.nn.utils.weight_norm(theirs)
    nn.utils.weight_norm(mine)
    assert sorted(mine.state_dict()) == sorted(theirs.state_dict())
    y, z = mine(ours(x)), theirs(x)
    same(y, z)
    y.sum().backward(), z.sum().backward()
    same([mine.weight_g.grad, mine.weight_v.grad], [theirs.weight_g.grad, theirs.weight_v.grad])
    nn.utils.remove_weight_norm(mine)
    assert isinstance(mine.weight, nn.Parameter)
    same(mine(ours(x)), z)

    theirs, mine = torch.nn.Linear(4, 3), nn.Linear(4, 3)
    mine.load_state_dict(theirs.state_dict())
    torch.nn.utils.spectral_norm(theirs), nn.utils.spectral_norm(mine)
    mine.load_state_dict(theirs.state_dict())
    for _ in range(3):
        y, z = mine(ours(x)), theirs(x)
        same(y, z, rtol=1e-4)
    y.sum().backward(), z.sum().backward()
    same(mine.weight_orig.grad, theirs.weight_orig.grad, rtol=1e-4)


def test_modules_as_functions_of_their_parameters():
    net = nn.Linear(2, 1)
    x = wengert.ones(1, 2)
    y = nn.utils.functional_call(net, {"weight": wengert.ones(1, 2) * 3, "bias": wengert.zeros(1)}, x)
    assert float(y) == 6.0
    assert isinstance(net.weight, nn.Parameter)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        nn.utils.functional_call(net, {"nothing": x}, x)


def test_hooks_on_all_modules():
    seen = []
    with nn.modules.module.register_module_forward_hook(lambda m, a, y: seen.append(type(m).__name__)):
        nn.Sequential(nn.Linear(1, 1), nn.ReLU())(wengert.ones(1, 1))
    assert seen == ["Linear", "ReLU", "Sequential"]
    nn.ReLU()(wengert.ones(1))
    assert len(seen) == 3
