"""Optimizers and schedules beside PyTorch's."""

import copy
import warnings

import numpy as np
import pytest
import wengert
from beside import needs_torch, numbers, ours, same, torch
from wengert import nn, optim

OPTIMIZERS = [
    ("SGD", dict(lr=0.01)),
    ("SGD", dict(lr=0.005, momentum=0.9, dampening=0.1, weight_decay=0.01)),
    ("SGD", dict(lr=0.005, momentum=0.9, nesterov=True)),
    ("SGD", dict(lr=1e-5, momentum=0.9, maximize=True)),
    ("Adam", dict(lr=0.05)),
    ("Adam", dict(lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1, amsgrad=True)),
    ("Adam", dict(lr=0.05, weight_decay=0.1, decoupled_weight_decay=True)),
    ("AdamW", dict(lr=0.05, weight_decay=0.1)),
    ("AdamW", dict(lr=1e-4, amsgrad=True, maximize=True)),
    ("NAdam", dict(lr=0.05, weight_decay=0.1)),
    ("NAdam", dict(lr=0.05, weight_decay=0.1, decoupled_weight_decay=True)),
    ("RAdam", dict(lr=0.05, weight_decay=0.1)),
    ("RAdam", dict(lr=0.05, betas=(0.9, 0.9), weight_decay=0.1, decoupled_weight_decay=True)),
    ("Adamax", dict(lr=0.05, weight_decay=0.1)),
    ("RMSprop", dict(lr=0.05)),
    ("RMSprop", dict(lr=0.05, momentum=0.9, centered=True, weight_decay=0.1)),
    ("Adagrad", dict(lr=0.05, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.2)),
    ("Adadelta", dict(lr=1.0, weight_decay=0.1)),
    ("ASGD", dict(lr=0.005, t0=3, weight_decay=0.1)),
    ("Rprop", dict(lr=0.05)),
    ("Adafactor", dict(lr=0.05, weight_decay=0.1)),
]


def pair():
    """The same two parameters for both, in float64."""
    rng = np.random.default_rng(3)
    values = [rng.normal(size=(3, 4)), rng.normal(size=4)]
    theirs = [torch.tensor(v, requires_grad=True) for v in values]
    return [nn.Parameter(wengert.from_numpy(v.copy())) for v in values], theirs


def loss(params, target=0.5):
    w, b = params
    return ((w * w - target) ** 2).sum() + (w @ b).tanh().sum()


def train(optimizer, params, steps):
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(params)
        value.backward()
        optimizer.step()
        losses.append(float(value))
    return losses


@needs_torch
@pytest.mark.parametrize("name,options", OPTIMIZERS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(OPTIMIZERS)])
def test_steps_are_pytorchs_and_state_goes_both_ways(name, options):
    # PyTorch keeps ASGD's step size and NAdam's product in float32.
    rtol = {"ASGD": 1e-5, "NAdam": 1e-6}.get(name, 1e-7)
    mine, theirs = pair()
    a, b = getattr(optim, name)(mine, **options), getattr(torch.optim, name)(theirs, **options)
    assert repr(a) == repr(b)
    np.testing.assert_allclose(train(a, mine, 50), train(b, theirs, 50), rtol=rtol)
    same(mine, theirs, rtol=rtol)
    # Each goes on from the state of the other.
    ours_, theirs_ = a.state_dict(), b.state_dict()
    assert ours_["state"].keys() == theirs_["state"].keys()
    assert all(ours_["state"][k].keys() == theirs_["state"][k].keys() for k in ours_["state"])
    assert ours_["param_groups"] == theirs_["param_groups"]
    a.load_state_dict(copy.deepcopy(theirs_))
    np.testing.assert_allclose(train(a, mine, 10), train(b, theirs, 10), rtol=rtol)


@pytest.mark.parametrize("name", sorted(n for n in optim.__all__ if n[0].isupper() and n != "Optimizer"))
def test_a_saved_state_goes_on_to_the_bit(name, tmp_path):
    rng = np.random.default_rng(3)
    x = wengert.from_numpy(rng.normal(size=(6, 4)).astype(np.float32))

    def make():
        model = nn.Linear(4, 3, bias=False)
        return model, getattr(optim, name)(model.parameters(), lr=0.05)

    def steps(model, optimizer, n):
        def closure():
            optimizer.zero_grad()
            value = (model(x).tanh() ** 2).sum()
            value.backward()
            return value

        for _ in range(n):
            optimizer.step(closure)

    whole, first = make()
    steps(whole, first, 4)
    wengert.save([whole.state_dict(), first.state_dict()], tmp_path / "c.pt")
    steps(whole, first, 4)
    model, optimizer = make()
    for part, state in zip((model, optimizer), wengert.load(tmp_path / "c.pt")):
        part.load_state_dict(state)
    steps(model, optimizer, 4)
    assert model.weight.tolist() == whole.weight.tolist()


@needs_torch
@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_is_pytorchs(search):
    mine, theirs = pair()
    made = [
        (optim.LBFGS(mine, lr=0.5, max_iter=6, history_size=4, line_search_fn=search), mine),
        (torch.optim.LBFGS(theirs, lr=0.5, max_iter=6, history_size=4, line_search_fn=search), theirs),
    ]
    all_losses = []
    for optimizer, params in made:

        def closure():
            optimizer.zero_grad()
            value = loss(params)
            value.backward()
            return value

        all_losses.append([float(optimizer.step(closure)) for _ in range(4)])
    np.testing.assert_allclose(*all_losses, rtol=1e-5)
    same(mine, theirs, rtol=1e-4)


@needs_torch
def test_muon_is_pytorchs_but_for_its_bfloat16():
    mine, theirs = pair()
    a, b = optim.Muon(mine[:1], lr=0.05), torch.optim.Muon(theirs[:1], lr=0.05)
    train(a, mine, 5), train(b, theirs, 5)
    np.testing.assert_allclose(numbers(mine[0]), numbers(theirs[0]), atol=0.02)


def test_lion_moves_by_the_sign():
    p = nn.Parameter(wengert.tensor([1.0, -2.0]))
    optimizer = optim.Lion([p], lr=0.1, weight_decay=0.5)
    p.grad = wengert.tensor([3.0, -0.1])
    optimizer.step()
    np.testing.assert_allclose(numbers(p), [1.0 * 0.95 - 0.1, -2.0 * 0.95 + 0.1], rtol=1e-6)
    p.grad = wengert.tensor([-0.1, 0.0])
    before = numbers(p).copy()
    optimizer.step()  # the momentum still points the old way
    np.testing.assert_allclose(numbers(p), before * 0.95 + [-0.1, 0.1], rtol=1e-6)


@pytest.mark.parametrize("name", sorted(n for n in optim.__all__ if n[0].isupper() and n not in ("Optimizer", "LBFGS", "Muon")))
def test_every_optimizer_finds_a_minimum(name):
    wengert.manual_seed(0)
    p = nn.Parameter(wengert.tensor([3.0, -2.0]))
    rate = {"SGD": 0.1, "ASGD": 0.1, "Adadelta": 20.0}.get(name, 0.05)
    optimizer = getattr(optim, name)([p], lr=rate)
    first = None
    for _ in range(150):
        optimizer.zero_grad()
        value = ((p - wengert.tensor([2.0, -1.0])) ** 2).sum()
        value.backward()
        optimizer.step()
        first = float(value) if first is None else first
    assert float(value) < 0.1 * first


def test_lbfgs_solves_rosenbrock():
    p = nn.Parameter(wengert.tensor([-1.5, 2.0], dtype=wengert.float64))
    optimizer = optim.LBFGS([p], line_search_fn="strong_wolfe", max_iter=100)

    def closure():
        optimizer.zero_grad()
        value = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        value.backward()
        return value

    optimizer.step(closure)
    np.testing.assert_allclose(numbers(p), [1.0, 1.0], atol=1e-5)


def test_groups_have_options_of_their_own():
    a, b = nn.Parameter(wengert.ones(2)), nn.Parameter(wengert.ones(2))
    optimizer = optim.SGD([{"params": [a]}, {"params": [b], "lr": 1.0}], lr=0.1)
    (a.sum() + b.sum()).backward()
    optimizer.step()
    np.testing.assert_allclose(numbers(a), [0.9, 0.9], rtol=1e-6)
    np.testing.assert_allclose(numbers(b), [0.0, 0.0], atol=1e-6)
    c = nn.Parameter(wengert.ones(1))
    optimizer.add_param_group({"params": c, "lr": 2.0})
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 1.0, 2.0]
    assert optimizer.param_groups[2]["momentum"] == 0


def test_bad_arguments_are_named():
    p = nn.Parameter(wengert.ones(2))
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        optim.SGD([p], lr=-1)
    with pytest.raises(ValueError, match="Invalid beta parameter at index 1: 1.5"):
        optim.Adam([p], betas=(0.9, 1.5))
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.SGD([], lr=0.1)
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        optim.SGD([p * 2], lr=0.1)
    with pytest.raises(TypeError, match="iterable of Tensors"):
        optim.SGD(p, lr=0.1)
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1)
    with pytest.raises(ValueError, match="Nesterov"):
        optim.SGD([p], lr=0.1, nesterov=True)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optim.SGD([p], lr=0.1).load_state_dict({"state": {}, "param_groups": []})


def test_hooks_and_own_optimizers():
    p = nn.Parameter(wengert.ones(2))
    seen = []

    class Half(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.5})

        def step(self, closure=None):
            with wengert.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        p.copy_(p * group["lr"])

    optimizer = Half([p])
    optimizer.register_step_pre_hook(lambda o, a, k: seen.append("before"))
    handle = optimizer.register_step_post_hook(lambda o, a, k: seen.append("after"))
    optimizer.step()
    handle.remove()
    optimizer.step()
    assert seen == ["before", "after", "before"]
    np.testing.assert_allclose(numbers(p), [0.25, 0.25])


def test_steps_are_in_place_and_state_too():
    p = nn.Parameter(wengert.tensor([1.0, 2.0]))
    optimizer = optim.Adam([p], lr=0.1)
    p.grad = wengert.ones(2)
    optimizer.step()
    mean = optimizer.state[p]["exp_avg"]
    optimizer.step()
    assert optimizer.state[p]["exp_avg"] is mean and optimizer.state[p]["step"] == 2
    np.testing.assert_allclose(numbers(mean), [0.19, 0.19], rtol=1e-6)


@needs_torch
@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop", "Muon"])
def test_the_layer_that_keeps_its_weight_turned(name):
    options = {"SGD": dict(momentum=0.9), "Muon": dict(adjust_lr_fn="match_rms_adamw")}.get(name, {})
    theirs = torch.nn.Linear(3, 2, bias=False)
    mine = nn.Linear(3, 2, bias=False)
    mine.load_state_dict(theirs.state_dict())
    a = getattr(optim, name)([mine.weight], lr=0.05, **options)
    b = getattr(torch.optim, name)([theirs.weight], lr=0.05, **options)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for module, model, o in ((wengert, mine, a), (torch, theirs, b)):
        for _ in range(5):
            o.zero_grad()
            (model(module.from_numpy(x)) ** 2).sum().backward()
            o.step()
    same(mine.weight, theirs.weight, rtol=1e-4, atol=0.02 if name == "Muon" else 1e-6)
    states = [next(iter(o.state_dict()["state"].values())) for o in (a, b)]
    for key, value in states[1].items():
        assert tuple(states[0][key].shape) == tuple(value.shape)
    assert wengert.allclose(mine.W, mine.weight.t())


def test_what_a_step_cannot_do():
    p = nn.Parameter(wengert.ones(2))
    with pytest.raises(NotImplementedError, match="differentiable=True is not supported"):
        optim.SGD([p], differentiable=True)
    optimizer = optim.Adam([p])
    p.grad = wengert.ones(2)
    optimizer.step()
    optimizer.state[p]["exp_avg"] = wengert.ones(3)
    with pytest.raises(ValueError, match=r"a parameter is float32 \[2\], and its `exp_avg` float32 \[3\]"):
        optimizer.step()
    optimizer.param_groups[0]["betas"] = (0.9, 2.0)
    with pytest.raises(ValueError, match="β₂"):
        optimizer.step()


def test_a_subclass_of_an_optimizer_keeps_its_rule():
    class Mine(optim.SGD):
        pass

    p, q = nn.Parameter(wengert.ones(2)), nn.Parameter(wengert.ones(2))
    for o, t in ((Mine([p], lr=0.5, momentum=0.9), p), (optim.SGD([q], lr=0.5, momentum=0.9), q)):
        for _ in range(3):
            o.zero_grad()
            (t * t).sum().backward()
            o.step()
    assert p.tolist() == q.tolist()


def test_groups_that_an_older_version_saved_keep_what_they_lack():
    p = nn.Parameter(wengert.ones(2))
    old = optim.AdamW([p]).state_dict()
    del old["param_groups"][0]["decoupled_weight_decay"]
    optimizer = optim.AdamW([p], lr=0.3)
    optimizer.load_state_dict(old)
    assert optimizer.param_groups[0]["decoupled_weight_decay"] is True and optimizer.param_groups[0]["lr"] == 1e-3


SCHEDULES = [
    "LambdaLR(o, lambda e: 0.9 ** e)",
    "MultiplicativeLR(o, lambda e: 0.95)",
    "StepLR(o, 3, gamma=0.5)",
    "MultiStepLR(o, [2, 5, 5, 9], gamma=0.5)",
    "ConstantLR(o, factor=0.5, total_iters=4)",
    "LinearLR(o, start_factor=0.25, total_iters=6)",
    "ExponentialLR(o, 0.9)",
    "PolynomialLR(o, total_iters=7, power=2.0)",
    "CosineAnnealingLR(o, T_max=5, eta_min=0.01)",
    "CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2)",
    "CyclicLR(o, 0.01, 0.2, step_size_up=3, step_size_down=4)",
    "CyclicLR(o, 0.01, 0.2, step_size_up=3, mode='triangular2')",
    "CyclicLR(o, 0.01, 0.2, step_size_up=3, mode='exp_range', gamma=0.9, cycle_momentum=False)",
    "OneCycleLR(o, max_lr=0.5, total_steps=22)",
    "OneCycleLR(o, max_lr=[0.5, 0.2], epochs=11, steps_per_epoch=2, anneal_strategy='linear', three_phase=True)",
    "SequentialLR(o, [s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)], milestones=[4])",
    "SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=3), s.CosineAnnealingLR(o, 10), s.StepLR(o, 2)], milestones=[3, 9])",
    "ChainedScheduler([s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)])",
]


def rates(module, tensors, text, steps=20):
    o = module.SGD([{"params": tensors[:1]}, {"params": tensors[1:], "lr": 0.02}], lr=0.1, momentum=0.9)
    s = module.lr_scheduler
    schedule = eval("s." + text, {"s": s, "o": o})  # noqa: S307
    seen = []
    for _ in range(steps):
        seen.append([g["lr"] for g in o.param_groups] + [g["momentum"] for g in o.param_groups])
        o.step()
        schedule.step()
    return seen, schedule, o


@needs_torch
@pytest.mark.parametrize("text", SCHEDULES)
def test_schedules_are_pytorchs(text):
    mine, theirs = pair()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a, schedule, o = rates(optim, mine, text)
        b, theirs_, _ = rates(torch.optim, theirs, text)
    np.testing.assert_allclose(a, b, rtol=1e-9)
    np.testing.assert_allclose(schedule.get_last_lr(), theirs_.get_last_lr(), rtol=1e-9)
    # A schedule goes on from its state.
    _, again, o2 = rates(optim, pair()[0], text, steps=0)
    again.load_state_dict(schedule.state_dict())
    for g, h in zip(o2.param_groups, o.param_groups):
        g.update({k: v for k, v in h.items() if k != "params"})
    o2.step(), o.step()
    again.step(), schedule.step()
    assert again.get_last_lr() == schedule.get_last_lr()


@needs_torch
@pytest.mark.parametrize("mode,threshold_mode", [("min", "rel"), ("max", "abs")])
def test_plateaus_are_pytorchs(mode, threshold_mode):
    measures = [1, 0.9, 0.9, 0.91, 0.9, 0.9, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
    seen = []
    for module, tensors in zip((optim, torch.optim), pair()):
        o = module.SGD(tensors, lr=0.1)
        schedule = module.lr_scheduler.ReduceLROnPlateau(
            o, mode, factor=0.5, patience=2, threshold_mode=threshold_mode, cooldown=1, min_lr=0.02
        )
        seen.append([])
        for m in measures:
            schedule.step(m)
            seen[-1].append(o.param_groups[0]["lr"])
    assert seen[0] == seen[1]


def test_stepping_a_schedule_first_warns():
    o = optim.SGD([nn.Parameter(wengert.ones(1))], lr=0.1)
    schedule = optim.lr_scheduler.StepLR(o, 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        schedule.step()


@needs_torch
@pytest.mark.parametrize(
    ("option", "function", "arguments"),
    [
        ("avg_fn", "get_ema_avg_fn", (0.9,)),
        ("avg_fn", "get_swa_avg_fn", ()),
        ("multi_avg_fn", "get_ema_multi_avg_fn", (0.9,)),
        ("multi_avg_fn", "get_swa_multi_avg_fn", ()),
    ],
)
def test_averaged_models_are_pytorchs(option, function, arguments):
    theirs, mine = torch.nn.Linear(2, 2), nn.Linear(2, 2)
    mine.load_state_dict(theirs.state_dict())
    averaged = lambda utils, model: utils.AveragedModel(model, **{option: getattr(utils, function)(*arguments)})
    a, b = averaged(optim.swa_utils, mine), averaged(torch.optim.swa_utils, theirs)
    for step in range(3):
        with torch.no_grad():
            theirs.weight.add_(1.0 + step)
        mine.load_state_dict(theirs.state_dict())
        a.update_parameters(mine), b.update_parameters(theirs)
    same(a.module.weight, b.module.weight)
    assert int(a.n_averaged) == int(b.n_averaged) == 3
