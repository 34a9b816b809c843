"""Parameters that are computed from others, beside PyTorch's."""

import copy

import numpy as np
import pytest

import wengert
from beside import needs_torch, ours, same, torch
from wengert import nn, optim
from wengert.nn.utils import parametrizations, parametrize


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT

    def right_inverse(self, x):
        return x.triu()


class Double(nn.Module):
    def forward(self, x):
        return 2 * x

    def right_inverse(self, x):
        return x / 2


@needs_torch
@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize("kind", ["Linear(4, 3)", "Conv2d(2, 3, 2)", "ConvTranspose2d(2, 3, 2)"])
def test_norms_are_pytorchs(name, kind):
    theirs, mine = eval("torch.nn." + kind), eval("nn." + kind)  # noqa: S307
    getattr(torch.nn.utils.parametrizations, name)(theirs), getattr(parametrizations, name)(mine)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    mine.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 4) if "Linear" in kind else torch.randn(2, 2, 4, 4)
    for _ in range(3):
        a, b = mine(ours(x)), theirs(x)
        same(a, b, rtol=1e-4, atol=1e-5)
        (a**2).sum().backward(), (b**2).sum().backward()
    for (n, p), (m, q) in zip(mine.named_parameters(), theirs.named_parameters()):
        assert n == m
        same(p.grad, q.grad, rtol=1e-3, atol=1e-4)
    mine.eval(), theirs.eval()
    same(mine(ours(x)), theirs(x), rtol=1e-4, atol=1e-5)
    same(mine.weight, theirs.weight, rtol=1e-4, atol=1e-5)


def test_a_chain_of_functions():
    layer = nn.Linear(3, 3)
    before = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert parametrize.is_parametrized(layer, "weight") and type(layer).__name__ == "ParametrizedLinear"
    assert parametrize.type_before_parametrizations(layer) is nn.Linear and isinstance(layer, nn.Linear)
    assert [n for n, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]
    assert wengert.equal(layer.weight.triu(), before.triu()) and wengert.equal(layer.weight, layer.weight.t())
    parametrize.register_parametrization(layer, "weight", Double())
    assert wengert.allclose(layer.weight.triu(), before.triu())
    with wengert.no_grad():
        layer.weight = wengert.eye(3) * 4
    assert layer.parametrizations.weight.original.diagonal().tolist() == [2.0, 2.0, 2.0]
    layer(wengert.ones(1, 3)).sum().backward()
    assert layer.parametrizations.weight.original.grad is not None
    with parametrize.cached():
        assert layer.weight is layer.weight
    assert layer.weight is not layer.weight
    other = copy.deepcopy(layer)
    optim.SGD(other.parameters(), lr=0.1)
    with wengert.no_grad():
        other.weight = wengert.eye(3)
    assert layer.weight[0, 0].item() == 4.0 and other.weight[0, 0].item() == 1.0
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and isinstance(layer.weight, nn.Parameter) and not parametrize.is_parametrized(layer)
    np.testing.assert_allclose(layer.weight.tolist(), (np.eye(3) * 4).tolist())
    assert layer.weight is layer.weight and other.weight[0, 0].item() == 1.0


def test_mistakes_are_named():
    layer = nn.Linear(3, 2)
    with pytest.raises(ValueError, match="does not have a parameter"):
        parametrize.register_parametrization(layer, "nothing", Double())
    with pytest.raises(ValueError, match="may not change the shape"):
        parametrize.register_parametrization(layer, "weight", nn.Flatten(0))
    with pytest.raises(ValueError, match="does not have a parametrization"):
        parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and [n for n, _ in layer.named_parameters()] == ["weight", "bias"]
    parametrizations.weight_norm(layer)
    with pytest.raises(ValueError, match="leave_parametrized"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)


@pytest.mark.parametrize("way", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3)])
def test_orthogonal(way, shape):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Module()
    theirs.weight = torch.nn.Parameter(torch.randn(*shape, generator=torch.Generator().manual_seed(0)))
    torch.nn.utils.parametrizations.orthogonal(theirs, "weight", way)
    ours = nn.Module()
    ours.weight = nn.Parameter(wengert.tensor(theirs.parametrizations.weight.original.detach().numpy()))
    nn.utils.parametrizations.orthogonal(ours, "weight", way)

    def unit(w):
        w = w if w.shape[-2] >= w.shape[-1] else w.mT
        return wengert.allclose(w.mT @ w, wengert.eye(w.shape[-1]).expand(*w.shape[:-2], -1, -1), atol=1e-5)

    assert unit(ours.weight)
    # The base is drawn for what is not square: PyTorch's state goes in, and then all agrees, also after a step.
    ours.load_state_dict({k: wengert.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})
    # No gradient reaches the diagonal, whose signs say which reflections there are: it stays.
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(1)) * 0.1 * (1 - torch.eye(*shape[-2:]))
    with torch.no_grad():
        theirs.parametrizations.weight.original += noise
    with wengert.no_grad():
        ours.parametrizations.weight.original += wengert.tensor(noise.numpy())
    assert torch.allclose(torch.tensor(ours.weight.tolist()), theirs.weight, atol=1e-5)
    assert unit(ours.weight)
    goal = torch.randn(*shape, generator=torch.Generator().manual_seed(2))
    ((theirs.weight - goal) ** 2).sum().backward()
    ((ours.weight - wengert.tensor(goal.numpy())) ** 2).sum().backward()
    ours_grad, theirs_grad = ours.parametrizations.weight.original.grad, theirs.parametrizations.weight.original.grad
    assert torch.allclose(torch.tensor(ours_grad.tolist()), theirs_grad, atol=1e-4)


def test_orthogonal_takes_values():
    layer = nn.utils.parametrizations.orthogonal(nn.Linear(3, 3))
    q = wengert.linalg.qr(wengert.randn(3, 3))[0]
    layer.weight = q
    assert wengert.allclose(layer.weight, q, atol=1e-5)
    fixed = nn.utils.parametrizations.orthogonal(nn.Linear(3, 5), orthogonal_map="householder", use_trivialization=False)
    q = wengert.linalg.qr(wengert.randn(5, 3))[0]
    fixed.weight = q
    assert wengert.allclose(fixed.weight, q, atol=1e-5)
    with pytest.raises(NotImplementedError):
        layer = nn.utils.parametrizations.orthogonal(nn.Linear(3, 3), use_trivialization=False)
        layer.weight = q[:3]
    with pytest.raises(ValueError, match="orthogonal_map"):
        nn.utils.parametrizations.orthogonal(nn.Linear(3, 3), orthogonal_map="gram")
    with pytest.raises(ValueError, match="matrix"):
        nn.utils.parametrizations.orthogonal(nn.Linear(3, 3), "bias")
