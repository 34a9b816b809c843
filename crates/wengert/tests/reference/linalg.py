#!/usr/bin/env python3
"""Make linalg.safetensors: values, gradients and second derivatives of linear algebra, by PyTorch in float64.

Needs: pip install torch numpy safetensors. Run: python linalg.py

For each case NAME: the inputs NAME.x0, NAME.x1, ...; the output NAME.y; an upstream gradient
NAME.dy; the gradients NAME.g0, ... of sum(y * dy); and NAME.h0, ..., the gradients of
sum_i sum(g_i * v_i) for directions NAME.v0, ... Where PyTorch has no second derivative
(SECOND_ORDER_FREE), no v and h. Of decompositions, what does not depend on the choice of
signs is taken.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

rng = np.random.default_rng(4)
L = torch.linalg


def normal(*shape):
    return rng.standard_normal(shape)


def square(*shape):
    """Well away from singular."""
    return normal(*shape) + 3 * np.eye(shape[-1])


def positive(*shape):
    a = normal(*shape)
    return a @ np.swapaxes(a, -1, -2) / shape[-1] + np.eye(shape[-1])


def sym(a):
    return (a + a.mT) / 2


def singular(n):
    a = normal(n, n)
    a[-1] = a[0] + a[1]
    return a


def svd_parts(a):
    """Signs of the vectors cancel."""
    u, s, vh = L.svd(a, full_matrices=False)
    return torch.cat([(u * s.sqrt().unsqueeze(-2) @ vh).flatten(), (u * u).flatten(), s.flatten(), (vh * vh).flatten()])


def eigh_parts(a):
    w, v = L.eigh(sym(a))
    return torch.cat([w.flatten(), (v * v).flatten(), (v * w.exp().unsqueeze(-2) @ v.mT).flatten()])


def parts(*tensors):
    return torch.cat([t.flatten() for t in tensors])


EINSUMS = [
    ("ij,jk->ik", [(3, 4), (4, 5)]),
    ("ij,jk", [(3, 4), (4, 5)]),
    ("ji,jk->ki", [(3, 4), (3, 5)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (4, 5)]),
    ("...ij,jk->k...", [(2, 3, 4), (4, 5)]),
    ("i,i->", [(4,), (4,)]),
    ("i,j->ji", [(3,), (4,)]),
    ("ii->i", [(4, 4)]),
    ("ii", [(4, 4)]),
    ("iij->j", [(3, 3, 2)]),
    ("ijk->ki", [(2, 3, 4)]),
    ("ij->", [(2, 3)]),
    ("ij,ij,ij->ij", [(2, 3), (2, 3), (2, 3)]),
    ("ij,jk,kl,lm->im", [(2, 3), (3, 4), (4, 2), (2, 5)]),
    ("bn,anm,bm->ba", [(2, 3), (4, 3, 5), (2, 5)]),
    ("bhid,bhjd->bhij", [(2, 2, 3, 4), (2, 2, 5, 4)]),
    ("...i,...i", [(2, 1, 3), (4, 3)]),
    ("ij,kj->ik", [(3, 1), (2, 4)]),
    ("i...->...i", [(2, 3, 4)]),
    (" a b , b -> a ", [(2, 3), (3,)]),
    ("ab,cd->cadb", [(2, 3), (2, 2)]),
    ("Ab,bA", [(2, 3), (3, 2)]),
    ("iji,jk->k", [(2, 3, 2), (3, 4)]),
]

# Name, function, inputs. Inputs are drawn in this order: put new cases last.
CASES = [
    ("mm", torch.mm, [normal(3, 4), normal(4, 2)]),
    ("mv", torch.mv, [normal(3, 4), normal(4)]),
    ("dot", torch.dot, [normal(4), normal(4)]),
    ("inner", torch.inner, [normal(2, 3, 4), normal(5, 4)]),
    ("bmm", torch.bmm, [normal(2, 3, 4), normal(2, 4, 5)]),
    ("outer", torch.outer, [normal(3), normal(4)]),
    ("addmm", lambda c, a, b: torch.addmm(c, a, b, beta=0.5, alpha=2.0), [normal(5), normal(3, 4), normal(4, 5)]),
    ("addmv", lambda c, a, b: torch.addmv(c, a, b, beta=-1.0, alpha=0.25), [normal(3), normal(3, 4), normal(4)]),
    ("addr", lambda c, a, b: torch.addr(c, a, b, beta=2.0, alpha=3.0), [normal(3, 4), normal(3), normal(4)]),
    ("baddbmm", lambda c, a, b: torch.baddbmm(c, a, b, beta=0.5, alpha=2.0),
     [normal(2, 1, 5), normal(2, 3, 4), normal(2, 4, 5)]),
    ("addbmm", lambda c, a, b: torch.addbmm(c, a, b, beta=0.5, alpha=2.0),
     [normal(3, 5), normal(2, 3, 4), normal(2, 4, 5)]),
    ("tensordot", lambda a, b: torch.tensordot(a, b, dims=2), [normal(2, 3, 4), normal(3, 4, 5)]),
    ("tensordot_dims", lambda a, b: torch.tensordot(a, b, dims=([2, 0], [0, 2])), [normal(2, 3, 4), normal(4, 5, 2)]),
    ("kron", torch.kron, [normal(2, 3), normal(2, 2, 2)]),
    ("cross", lambda a, b: L.cross(a, b, dim=1), [normal(2, 3, 4), normal(1, 3, 4)]),
    ("vecdot", lambda a, b: L.vecdot(a, b, dim=0), [normal(3, 4), normal(3, 1)]),
    ("trace", torch.trace, [normal(3, 5)]),
    ("multi_dot", lambda a, b, c, d: L.multi_dot([a, b, c, d]), [normal(10), normal(10, 2), normal(2, 9), normal(9, 3)]),
    ("matrix_power_5", lambda a: L.matrix_power(a, 5), [square(2, 3, 3) / 3]),
    ("matrix_power_minus_2", lambda a: L.matrix_power(a, -2), [square(3, 3)]),
    ("matrix_exp", L.matrix_exp, [normal(2, 3, 3)]),
    ("matrix_exp_large", L.matrix_exp, [4 * normal(4, 4)]),
    ("det", L.det, [normal(2, 4, 4)]),
    ("slogdet", lambda a: L.slogdet(a)[1], [normal(2, 4, 4)]),
    ("logdet", torch.logdet, [positive(3, 3)]),
    ("inv", L.inv, [square(2, 3, 3)]),
    ("solve", L.solve, [square(2, 1, 4, 4), normal(3, 4, 2)]),
    ("solve_vector", L.solve, [square(4, 4), normal(4)]),
    ("solve_left", lambda a, b: L.solve(a, b, left=False), [square(4, 4), normal(3, 4)]),
    ("triangular_lower", lambda a, b: L.solve_triangular(a, b, upper=False), [square(3, 3), normal(2, 3, 2)]),
    ("triangular_upper_right", lambda a, b: L.solve_triangular(a, b, upper=True, left=False),
     [square(3, 3), normal(2, 3)]),
    ("triangular_unit", lambda a, b: L.solve_triangular(a, b, upper=True, unitriangular=True),
     [normal(3, 3), normal(3, 2)]),
    ("cholesky", lambda a: L.cholesky(sym(a)), [positive(2, 4, 4)]),
    ("cholesky_solve", lambda b, l: torch.cholesky_solve(b, l.tril()), [normal(3, 2), square(3, 3)]),
    ("cholesky_solve_upper", lambda b, u: torch.cholesky_solve(b, u.triu(), upper=True), [normal(3, 2), square(3, 3)]),
    ("cholesky_inverse", lambda l: torch.cholesky_inverse(l.tril()), [square(3, 3)]),
    ("qr_tall", lambda a: parts(*L.qr(a)), [normal(2, 5, 3)]),
    ("qr_square", lambda a: parts(*L.qr(a)), [normal(4, 4)]),
    ("qr_wide", lambda a: parts(*L.qr(a)), [normal(3, 5)]),
    ("lu", lambda a: parts(*L.lu(a)[1:]), [normal(4, 4)]),
    ("eigh", eigh_parts, [normal(2, 4, 4)]),
    ("eigvalsh", lambda a: L.eigvalsh(sym(a)), [normal(4, 4)]),
    ("svd_square", svd_parts, [normal(4, 4)]),
    ("svd_tall", svd_parts, [normal(2, 5, 3)]),
    ("svd_wide", svd_parts, [normal(3, 4)]),
    ("svdvals", L.svdvals, [normal(2, 3, 4)]),
    ("pinv_tall", L.pinv, [normal(2, 4, 3)]),
    ("pinv_wide", L.pinv, [normal(3, 4)]),
    ("lstsq", lambda a, b: L.lstsq(a, b).solution, [normal(5, 3), normal(5, 2)]),
    ("lstsq_wide", lambda a, b: L.lstsq(a, b).solution, [normal(3, 5), normal(3, 2)]),
    ("cond", L.cond, [square(2, 3, 3)]),
    ("cond_fro", lambda a: L.norm(a) * L.norm(L.inv(a)), [square(3, 3)]),
    ("norm", L.norm, [normal(2, 3)]),
    *[(f"vector_norm {p}", lambda a, p=p: L.vector_norm(a, float(p), dim=1), [normal(2, 3, 4)])
      for p in ["inf", "-inf", "1", "2", "3", "0.5", "-1.5"]],
    *[(f"matrix_norm {p}", lambda a, p=p: L.matrix_norm(a, p if p in ("fro", "nuc") else float(p), dim=(0, 2)),
       [normal(3, 2, 4)])
      for p in ["fro", "nuc", "1", "-1", "2", "-2", "inf", "-inf"]],
    *[(f"cdist {p}", lambda a, b, p=p: torch.cdist(a, b, float(p)), [normal(2, 3, 4), normal(5, 4)])
      for p in ["1", "2", "3", "inf"]],
    ("cov", torch.cov, [normal(3, 6)]),
    ("cov_weights", lambda x, a: torch.cov(x, correction=1, fweights=torch.tensor([1, 2, 1, 3]), aweights=a),
     [normal(3, 4), rng.uniform(0.5, 2, 4)]),
    ("corrcoef", torch.corrcoef, [normal(3, 6)]),
    *[(f"einsum {e}", lambda *x, e=e: torch.einsum(e, *x), [normal(*s) for s in shapes]) for e, shapes in EINSUMS],
    ("det_singular", L.det, [singular(4)]),
]

SECOND_ORDER_FREE = {"cdist 1", "cdist inf", "cov_weights", "det_singular"}


def main():
    out = {}
    for name, function, arrays in CASES:
        inputs = [torch.from_numpy(a).requires_grad_() for a in arrays]
        y = function(*inputs)
        dy = torch.from_numpy(np.asarray(rng.standard_normal(tuple(y.shape))))
        second = name not in SECOND_ORDER_FREE
        grads = torch.autograd.grad(y, inputs, dy, create_graph=second)
        for i, (x, g) in enumerate(zip(inputs, grads)):
            out[f"{name}.x{i}"], out[f"{name}.g{i}"] = x, g
        out[f"{name}.y"], out[f"{name}.dy"] = y, dy
        if second:
            vs = [torch.from_numpy(np.asarray(rng.standard_normal(tuple(x.shape)))) for x in inputs]
            slope = sum((g * v).sum() for g, v in zip(grads, vs))
            hs = [None] * len(inputs)
            if slope.requires_grad:
                hs = torch.autograd.grad(slope, inputs, allow_unused=True)
            for i, (v, h, x) in enumerate(zip(vs, hs, inputs)):
                out[f"{name}.v{i}"] = v
                out[f"{name}.h{i}"] = torch.zeros_like(x) if h is None else h
    # The file wants plain tensors with memory of their own.
    out = {key: value.detach().clone(memory_format=torch.contiguous_format) for key, value in out.items()}
    assert all(torch.isfinite(value).all() for value in out.values()), [k for k, v in out.items() if not torch.isfinite(v).all()]
    path = Path(__file__).resolve().parent / "linalg.safetensors"
    save_file(out, path, metadata={"torch": torch.__version__})
    print(f"torch {torch.__version__}: {len(CASES)} cases, {len(out)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
