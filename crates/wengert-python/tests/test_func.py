"""`wengert.func`, `wengert.autograd.functional` and checkpoints, beside `torch`."""

import numpy as np
import pytest
import wengert
from wengert.utils.checkpoint import checkpoint, checkpoint_sequential

torch = pytest.importorskip("torch")

rng = np.random.default_rng(1)
W = rng.standard_normal((3, 3))
X = rng.standard_normal((4, 3))
V = rng.standard_normal((4, 3))


def make(t, a):
    return t.tensor(np.array(a))


def numbers(t):
    return np.array(t.detach().tolist())


def tensors(value):
    if hasattr(value, "detach"):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    return [t for v in value for t in tensors(v)]


def structure(value):
    if hasattr(value, "detach"):
        return tuple(value.shape)
    if isinstance(value, dict):
        return {k: structure(v) for k, v in value.items()}
    return type(value)(structure(v) for v in value)


def same(f):
    """`f` of the module and its inputs, with ours and with PyTorch."""
    mine = f(wengert, make(wengert, X), make(wengert, W), make(wengert, V))
    theirs = f(torch, make(torch, X), make(torch, W), make(torch, V))
    assert structure(mine) == structure(theirs)
    for m, t in zip(tensors(mine), tensors(theirs)):
        np.testing.assert_allclose(numbers(m), numbers(t), rtol=1e-10, atol=1e-10)


def loss(x, w):
    return ((x @ w).tanh() ** 2).sum()


def layer(x, w):
    return (x @ w).tanh()


CASES = {
    "grad": lambda t, x, w, v: t.func.grad(loss)(x, w),
    "grad_argnums": lambda t, x, w, v: t.func.grad(loss, argnums=(1, 0))(x, w),
    "grad_negative": lambda t, x, w, v: t.func.grad(loss, argnums=-1)(x, w),
    "grad_aux": lambda t, x, w, v: t.func.grad(lambda x: (loss(x, w), {"y": layer(x, w)}), has_aux=True)(x),
    "grad_and_value": lambda t, x, w, v: t.func.grad_and_value(loss)(x, w),
    "grad_and_value_aux": lambda t, x, w, v: t.func.grad_and_value(lambda x: (loss(x, w), x * 2), has_aux=True)(x),
    "grad_dict": lambda t, x, w, v: t.func.grad(lambda p: loss(p["x"], p["w"][0]))({"x": x, "w": [w]}),
    "grad_grad": lambda t, x, w, v: t.func.grad(lambda x: t.func.grad(loss)(x, w).sin().sum())(x),
    "vjp": lambda t, x, w, v: t.func.vjp(layer, x, w)[1](v),
    "vjp_one": lambda t, x, w, v: (lambda y, f: (y, f(v), f(v * 2)))(*t.func.vjp(lambda x: layer(x, w), x)),
    "vjp_tree": lambda t, x, w, v: t.func.vjp(lambda x: {"a": x * 2, "b": (x.sum(),)}, x)[1]({"a": v, "b": (v.sum(),)}),
    "jvp": lambda t, x, w, v: t.func.jvp(layer, (x, w), (v, w)),
    "jvp_of_grad": lambda t, x, w, v: t.func.jvp(t.func.grad(lambda x: loss(x, w)), (x,), (v,)),
    "grad_of_jvp": lambda t, x, w, v: t.func.grad(lambda x: t.func.jvp(lambda x: layer(x, w), (x,), (v,))[1].sum())(x),
    "jacrev": lambda t, x, w, v: t.func.jacrev(layer)(x, w),
    "jacrev_argnums": lambda t, x, w, v: t.func.jacrev(layer, argnums=(0, 1))(x, w),
    "jacrev_tree": lambda t, x, w, v: t.func.jacrev(lambda p: {"y": layer(p["x"], w), "z": p["x"].sum()})({"x": x}),
    "jacfwd": lambda t, x, w, v: t.func.jacfwd(layer, argnums=1)(x, w),
    "hessian": lambda t, x, w, v: t.func.hessian(loss)(x[0], w),
    "hessian_argnums": lambda t, x, w, v: t.func.hessian(loss, argnums=(0, 1))(x[0], w),
    "hessian_vector_output": lambda t, x, w, v: t.func.hessian(lambda a: layer(a, w))(x[0]),
    "vmap": lambda t, x, w, v: t.func.vmap(lambda a: (a @ w).sin())(x),
    "vmap_dims": lambda t, x, w, v: t.vmap(lambda a, b: a * b, in_dims=(0, None), out_dims=1)(x, v[0]),
    "vmap_inner_dim": lambda t, x, w, v: t.vmap(lambda a: a * 2, in_dims=1)(x),
    "vmap_grad": lambda t, x, w, v: t.func.vmap(t.func.grad(loss, argnums=1), in_dims=(0, None))(x, w),
    "vmap_tree": lambda t, x, w, v: t.func.vmap(lambda p: {"s": p["a"].sum(), "t": (p["b"],)})({"a": x, "b": v}),
    "vmap_vmap": lambda t, x, w, v: t.func.vmap(lambda a: t.func.vmap(lambda b: (a * b).sum())(w))(x),
    "functional_jacobian": lambda t, x, w, v: t.autograd.functional.jacobian(layer, (x, w)),
    "functional_jacobian_one": lambda t, x, w, v: t.autograd.functional.jacobian(lambda x: (x.exp(), x.sum()), x[0]),
    "functional_hessian": lambda t, x, w, v: t.autograd.functional.hessian(loss, (x[0], w)),
    "functional_hessian_one": lambda t, x, w, v: t.autograd.functional.hessian(lambda a: loss(a, w), x[0]),
    "functional_vjp": lambda t, x, w, v: t.autograd.functional.vjp(layer, (x, w), v),
    "functional_vjp_scalar": lambda t, x, w, v: t.autograd.functional.vjp(loss, (x, w)),
    "functional_jvp": lambda t, x, w, v: t.autograd.functional.jvp(layer, (x, w), (v, w)),
    "functional_hvp": lambda t, x, w, v: t.autograd.functional.hvp(loss, (x, w), (v, w)),
    "functional_vhp": lambda t, x, w, v: t.autograd.functional.vhp(lambda x: loss(x, w), x, v),
}


@pytest.mark.parametrize("name", CASES)
def test_like_torch(name):
    same(CASES[name])


def test_captured_variables_get_gradients():
    def both(t, x, w, v):
        w = w.requires_grad_()
        t.func.grad(lambda x: loss(x, w))(x).pow(2).sum().backward()
        y = t.func.jacrev(lambda a: layer(a, w))(x[0])
        y.sum().backward()
        return w.grad

    same(both)


def test_results_have_no_history_of_their_own():
    x, w = make(wengert, X), make(wengert, W)
    assert not wengert.func.grad(loss)(x, w).requires_grad
    assert not wengert.func.vjp(layer, x, w)[0].requires_grad
    x.requires_grad_()
    assert wengert.func.grad(loss)(x, w).requires_grad
    with wengert.no_grad():
        assert not wengert.func.grad(loss)(x, w).requires_grad
    assert not wengert.autograd.functional.jacobian(layer, (x, w))[0].requires_grad
    assert wengert.autograd.functional.jacobian(layer, (x, w), create_graph=True)[0].requires_grad


def test_mistakes():
    x = make(wengert, X)
    with pytest.raises(ValueError, match="one 0-d tensor"):
        wengert.func.grad(lambda x: x * 2)(x)
    with pytest.raises(ValueError, match="the tangents: tensor 0 has shape"):
        wengert.func.jvp(lambda x: x, (x,), (x[0],))
    with pytest.raises(ValueError, match="one size"):
        wengert.vmap(lambda a, b: a)(x, x[0])
    with pytest.raises(ValueError, match="no input has a dimension"):
        wengert.vmap(lambda a: a, in_dims=None)(x)
    with pytest.raises(TypeError, match="made of tensors"):
        wengert.func.grad(lambda x: x)(3.0)
    with pytest.raises(RuntimeError, match="does not depend on input 1"):
        wengert.autograd.functional.jacobian(lambda a, b: a * 2, (x, x), strict=True)


def test_checkpoint_gives_the_same():
    x, w = make(wengert, X).requires_grad_(), make(wengert, W).requires_grad_()
    plain = wengert.autograd.grad(loss(x, w), (x, w))
    runs = []

    def inner(x, scale, *, more):
        runs.append(1)
        return {"y": layer(x, w) * scale, "n": 3, "z": [more["x"].sum()]}

    out = checkpoint(inner, x, 1.0, more={"x": x.detach()}, use_reentrant=False)
    assert out["n"] == 3 and len(runs) == 1 and not out["z"][0].requires_grad
    got = wengert.autograd.grad((out["y"] ** 2).sum(), (x, w))
    assert len(runs) == 2
    for a, b in zip(got, plain):
        np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-12)
    second = wengert.func.hessian(lambda a: checkpoint(loss, a, w, use_reentrant=False))(x.detach()[0])
    wanted = wengert.func.hessian(loss)(x.detach()[0], w.detach())
    np.testing.assert_allclose(numbers(second), numbers(wanted), rtol=1e-10)


def test_checkpoint_repeats_its_random_numbers():
    wengert.manual_seed(5)
    x = wengert.ones(100, requires_grad=True)
    y = checkpoint(lambda x: x * wengert.rand(100), x, use_reentrant=False)
    y.sum().backward()
    assert x.grad.tolist() == y.detach().tolist()
    x.grad = None
    y = checkpoint(lambda x: x * wengert.rand(100), x, use_reentrant=False, preserve_rng_state=False)
    y.sum().backward()
    assert x.grad.tolist() != y.detach().tolist()


def test_checkpoint_hands_on_exceptions():
    def fails(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        checkpoint(fails, wengert.ones(2, requires_grad=True))


def test_checkpoint_sequential():
    x = make(wengert, X).requires_grad_()
    steps = [lambda x: x.sin(), lambda x: x * 2, lambda x: x.exp(), lambda x: x.tanh(), lambda x: x + 1]
    checkpoint_sequential(steps, 2, x, use_reentrant=False).sum().backward()
    y = make(torch, X).requires_grad_()
    (y.sin() * 2).exp().tanh().sum().backward()
    np.testing.assert_allclose(numbers(x.grad), numbers(y.grad), rtol=1e-12)


def test_linearize():
    w = wengert.tensor([2.0, 3.0], requires_grad=True)
    f = lambda x, y: {"a": (x * y * w).sum(), "b": x.sin()}
    x, y = wengert.tensor([1.0, -1.0]), wengert.tensor([0.5, 4.0])
    value, push = wengert.func.linearize(f, x, y)
    assert value["a"].item() == pytest.approx(-11)
    for v in (wengert.ones(2), wengert.tensor([3.0, 0.0])):
        expected = wengert.func.jvp(f, (x, y), (v, v * 2))[1]
        got = push(v, v * 2)
        assert all(wengert.allclose(got[k], expected[k]) for k in ("a", "b"))
    # ∂/∂w of Σ (dx y + x dy) w.
    (g,) = wengert.autograd.grad(push(wengert.ones(2), wengert.ones(2))["a"], w)
    assert g.tolist() == [1.5, 3]
    with pytest.raises(ValueError, match="shape"):
        push(wengert.ones(3), wengert.ones(2))
