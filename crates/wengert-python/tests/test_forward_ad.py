"""Dual numbers: tangents are Jacobians times vectors."""

import pytest

import wengert
import wengert.autograd.forward_ad as fwAD
from beside import needs_torch, torch


def test_tangents():
    x, v = wengert.tensor([1.0, 2.0]), wengert.tensor([1.0, 10.0])
    with fwAD.dual_level():
        dual = fwAD.make_dual(x, v)
        assert fwAD.unpack_dual(dual).tangent is v and fwAD.unpack_dual(dual).primal is x
        y = fwAD.unpack_dual((dual * dual).sum())
        assert y.primal.item() == 5 and not y.primal.requires_grad and y.tangent.item() == 42 and not y.tangent.requires_grad
        assert fwAD.unpack_dual(x * 2).tangent is None and fwAD.unpack_dual(wengert.arange(2)).tangent is None
        both = dual + fwAD.make_dual(wengert.ones(2), wengert.tensor([5.0, 5.0]))
        assert fwAD.unpack_dual(both).tangent.tolist() == [6, 15]
        assert fwAD.unpack_dual(dual * 0 + 1).tangent.tolist() == [0, 0]
    assert x.grad is None and not x.requires_grad
    with pytest.raises(RuntimeError, match="dual level"):
        fwAD.make_dual(x, v)


def test_what_does_not_fit():
    with fwAD.dual_level() as level:
        assert level == 0
        for wrong in (wengert.ones(3), wengert.ones(2, dtype=wengert.float64)):
            with pytest.raises(RuntimeError, match="does not fit"):
                fwAD.make_dual(wengert.ones(2), wrong)
        with pytest.raises(ValueError, match="floating"):
            fwAD.make_dual(wengert.arange(2), wengert.arange(2))
        with pytest.raises(RuntimeError, match="nest"):
            fwAD.enter_dual_level()
        with pytest.raises(RuntimeError, match="no level 3"):
            fwAD.unpack_dual(wengert.ones(2), level=3)


def test_gradients_of_tangents():
    w = wengert.tensor([2.0, 3.0], requires_grad=True)
    with fwAD.dual_level():
        dual = fwAD.make_dual(w, wengert.ones(2))
        y = fwAD.unpack_dual((dual**3).sum())
    # The tangent is 3 Σ w²: its gradient 6 w.
    y.tangent.backward()
    assert w.grad.tolist() == [12, 18]
    w.grad = None
    with fwAD.dual_level():
        x = fwAD.make_dual(wengert.ones(2), wengert.tensor([1.0, 2.0]))
        y = fwAD.unpack_dual((w * x).sum())
        assert y.primal.requires_grad
        (y.primal + y.tangent).backward()
    assert w.grad.tolist() == [2, 3]


@needs_torch
def test_a_network_beside_pytorch():
    def run(t, module):
        t.manual_seed(0)
        w = t.tensor([[0.5, -1.0], [2.0, 0.25], [1.0, 1.0]])
        with module.dual_level():
            x = module.make_dual(t.tensor([[1.0, 2.0], [3.0, -1.0]]), t.tensor([[1.0, 0.0], [0.5, 2.0]]))
            y = module.unpack_dual((x @ w.T).tanh().softmax(-1))
            return y.primal.tolist(), y.tangent.tolist()

    (a, da), (b, db) = run(wengert, fwAD), run(torch, torch.autograd.forward_ad)
    for ours, theirs in zip(a + da, b + db, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)
