"""`wengert.linalg` and its relatives, beside `torch`: values and gradients."""

import numpy as np
import pytest
import wengert

torch = pytest.importorskip("torch")

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


def square(n):
    return normal(n, n) + 3 * np.eye(n)


def positive(n):
    a = normal(n, n)
    return a @ a.T + np.eye(n)


def leaves(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def number(t):
    return np.array(t.detach().tolist())


CASES = [
    ("mm", lambda t, a, b: t.mm(a, b), [normal(3, 4), normal(4, 2)]),
    ("inner", lambda t, a, b: t.inner(a, b), [normal(2, 4), normal(3, 4)]),
    ("outer", lambda t, a, b: t.outer(a, b), [normal(3), normal(4)]),
    ("dot", lambda t, a, b: a.dot(b) + t.vdot(a, b), [normal(3), normal(3)]),
    ("addmm", lambda t, c, a, b: t.addmm(c, a, b, beta=0.5, alpha=2), [normal(2), normal(3, 4), normal(4, 2)]),
    ("addmv", lambda t, c, a, b: c.addmv(a, b), [normal(3), normal(3, 4), normal(4)]),
    ("addr", lambda t, c, a, b: t.addr(c, a, b, alpha=3), [normal(3, 4), normal(3), normal(4)]),
    ("baddbmm", lambda t, c, a, b: t.baddbmm(c, a, b), [normal(1), normal(2, 3, 4), normal(2, 4, 5)]),
    ("addbmm", lambda t, c, a, b: t.addbmm(c, a, b), [normal(5), normal(2, 3, 4), normal(2, 4, 5)]),
    ("chain_matmul", lambda t, a, b, c: t.chain_matmul(a, b, c), [normal(2, 9), normal(9, 3), normal(3, 4)]),
    ("multi_dot", lambda t, a, b, c: t.linalg.multi_dot([a, b, c]), [normal(2, 9), normal(9, 3), normal(3)]),
    ("einsum", lambda t, a, b: t.einsum("...ij,kj->...ik", a, b), [normal(2, 3, 4), normal(5, 4)]),
    ("einsum_list", lambda t, a, b: t.einsum("ij,jk", [a, b]), [normal(3, 4), normal(4, 2)]),
    ("tensordot", lambda t, a, b: t.tensordot(a, b), [normal(2, 3, 4), normal(3, 4, 5)]),
    ("tensordot_dims", lambda t, a, b: t.tensordot(a, b, dims=([2, 0], [0, 2])), [normal(2, 3, 4), normal(4, 5, 2)]),
    ("kron", lambda t, a, b: t.kron(a, b), [normal(2, 3), normal(3)]),
    ("cross", lambda t, a, b: t.cross(a, b, dim=0), [normal(3, 2), normal(3, 2)]),
    ("linalg_cross", lambda t, a, b: t.linalg.cross(a, b), [normal(2, 3), normal(1, 3)]),
    ("vecdot", lambda t, a, b: t.linalg.vecdot(a, b), [normal(2, 3), normal(3)]),
    ("trace", lambda t, a: a.trace(), [normal(3, 4)]),
    ("det", lambda t, a: t.det(a) + t.linalg.det(a), [square(3)]),
    ("logdet", lambda t, a: t.logdet(a), [positive(3)]),
    ("slogdet", lambda t, a: t.linalg.slogdet(a).logabsdet, [square(3)]),
    ("inv", lambda t, a: t.inverse(a) + t.linalg.inv(a), [square(3)]),
    ("solve", lambda t, a, b: t.linalg.solve(a, b), [square(3), normal(3, 2)]),
    ("solve_left", lambda t, a, b: t.linalg.solve(a, b, left=False), [square(3), normal(2, 3)]),
    ("triangular", lambda t, a, b: t.linalg.solve_triangular(a, b, upper=True), [square(3), normal(3, 2)]),
    ("cholesky", lambda t, a: t.linalg.cholesky(a @ a.mT), [square(3)]),
    ("cholesky_upper", lambda t, a: t.linalg.cholesky(a @ a.mT, upper=True), [square(3)]),
    ("cholesky_solve", lambda t, b, l: t.cholesky_solve(b, l * t.tensor(np.tri(3))), [normal(3, 2), square(3)]),
    ("qr", lambda t, a: t.linalg.qr(a), [normal(4, 3)]),
    ("qr_wide", lambda t, a: t.linalg.qr(a), [normal(3, 4)]),
    ("lu", lambda t, a: t.linalg.lu(a)[1:], [normal(3, 3)]),
    ("eigvalsh", lambda t, a: t.linalg.eigvalsh(a + a.mT), [normal(3, 3)]),
    ("eigh", lambda t, a: t.linalg.eigh(a + a.mT).eigenvectors ** 2, [normal(3, 3)]),
    ("eigh_upper", lambda t, a: t.linalg.eigh((a + a.mT).detach(), UPLO="U")[0] * a.sum(), [normal(3, 3)]),
    ("svd", lambda t, a: (lambda r: (r.U**2, r.S, r.Vh**2))(t.linalg.svd(a, full_matrices=False)), [normal(4, 3)]),
    ("svd_old", lambda t, a: (lambda r: (r.U**2, r.S, r.V**2))(t.svd(a)), [normal(3, 4)]),
    ("svdvals", lambda t, a: t.linalg.svdvals(a), [normal(2, 3, 4)]),
    ("pinv", lambda t, a: t.linalg.pinv(a) + t.pinverse(a), [normal(3, 4)]),
    ("lstsq", lambda t, a, b: t.linalg.lstsq(a, b).solution, [normal(5, 3), normal(5, 2)]),
    ("matrix_power", lambda t, a: t.matrix_power(a, 3) + t.linalg.matrix_power(a, -2), [square(3)]),
    ("matrix_exp", lambda t, a: t.matrix_exp(a) + a.matrix_exp(), [normal(3, 3)]),
    ("cond", lambda t, a: t.linalg.cond(a), [square(3)]),
    ("norm", lambda t, a: t.linalg.norm(a), [normal(3, 4)]),
    ("norm_ord", lambda t, a: t.linalg.norm(a, ord="nuc") + t.linalg.norm(a, ord=1), [normal(3, 4)]),
    ("norm_dim", lambda t, a: t.linalg.norm(a, ord=3, dim=1, keepdim=True), [normal(3, 4)]),
    ("norm_two_dims", lambda t, a: t.linalg.norm(a, dim=(0, 2)), [normal(3, 2, 4)]),
    ("vector_norm", lambda t, a: t.linalg.vector_norm(a, float("inf"), dim=(0, 1)), [normal(3, 4, 2)]),
    ("matrix_norm", lambda t, a: t.linalg.matrix_norm(a, -2), [normal(2, 3, 4)]),
    ("cdist", lambda t, a, b: t.cdist(a, b), [normal(3, 4), normal(5, 4)]),
    ("cov", lambda t, a: t.cov(a, correction=0), [normal(3, 5)]),
    ("corrcoef", lambda t, a: t.corrcoef(a), [normal(3, 5)]),
]


@pytest.mark.parametrize("name, f, arrays", CASES, ids=[c[0] for c in CASES])
def test_like_torch(name, f, arrays):
    mine = [wengert.tensor(a).requires_grad_() for a in arrays]
    theirs = [torch.tensor(a).requires_grad_() for a in arrays]
    ours, wanted = leaves(f(wengert, *mine)), leaves(f(torch, *theirs))
    assert len(ours) == len(wanted)
    for o, w in zip(ours, wanted):
        assert tuple(o.shape) == tuple(w.shape)
        np.testing.assert_allclose(number(o), number(w), rtol=1e-9, atol=1e-9)
    sum((o * o * 0.5 + o).sum() for o in ours).backward()
    sum((w * w * 0.5 + w).sum() for w in wanted).backward()
    for o, w in zip(mine, theirs):
        np.testing.assert_allclose(number(o.grad), number(w.grad), rtol=1e-8, atol=1e-8)


def test_without_gradients():
    a = normal(4, 3)
    x, y = wengert.tensor(a), torch.tensor(a)
    assert wengert.linalg.matrix_rank(x).item() == 3
    assert wengert.linalg.matrix_rank(wengert.ones(3, 3), tol=5.0).item() == 0
    q, r = wengert.linalg.qr(x, mode="complete")
    np.testing.assert_allclose(number(q @ r), a, atol=1e-12)
    assert wengert.linalg.qr(x, "r").Q.shape == torch.linalg.qr(y, "r").Q.shape
    u, s, vh = wengert.linalg.svd(x)
    assert [tuple(t.shape) for t in (u, s, vh)] == [tuple(t.shape) for t in torch.linalg.svd(y)]
    lu, pivots = wengert.linalg.lu_factor(x @ x.mT + wengert.eye(4, dtype=wengert.float64))
    wanted = torch.linalg.lu_factor(y @ y.mT + torch.eye(4, dtype=torch.float64))
    np.testing.assert_allclose(number(lu), number(wanted.LU), atol=1e-12)
    assert pivots.tolist() == wanted.pivots.tolist()
    fit, wanted = wengert.linalg.lstsq(x, x[:, :1]), torch.linalg.lstsq(y, y[:, :1], driver="gelsd")
    np.testing.assert_allclose(number(fit.solution), number(wanted.solution), atol=1e-12)
    assert fit.rank.item() == wanted.rank.item()


def test_errors():
    singular = wengert.tensor([[1.0, 2.0], [2.0, 4.0]])
    with pytest.raises(wengert.linalg.LinAlgError, match="inv: the matrix is singular"):
        wengert.linalg.inv(singular)
    with pytest.raises(RuntimeError, match="not positive-definite"):
        wengert.linalg.cholesky(-singular)
    with pytest.raises(ValueError, match=r"det: needs square matrices, and got shape \[2, 3\]"):
        wengert.det(wengert.zeros(2, 3))
    with pytest.raises(ValueError, match="there is no mode \"full\""):
        wengert.linalg.qr(singular, "full")
    with pytest.raises(ValueError, match="UPLO"):
        wengert.linalg.eigh(singular, UPLO="X")
    with pytest.raises(ValueError, match="`j` has size 2 in one operand and 3"):
        wengert.einsum("ij,jk", singular, wengert.zeros(3, 2))
    with pytest.raises(ValueError, match="there is no norm of matrices"):
        wengert.linalg.matrix_norm(singular, "huge")
