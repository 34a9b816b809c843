"""Drives PyTorch's own operator samples through the functions of the same name here, and compares.

    python tests/op_db.py                      # the whole table and the counts
    python tests/op_db.py --only 'linalg|svd'  # operators whose name matches
    python tests/op_db.py --cap 0              # all samples of each operator, not the first few
    python tests/op_db.py --missing            # only what is missing or fails, by area
    python tests/op_db.py --write              # renew the list of what must pass

PyTorch's operator database (`torch.testing._internal.common_methods_invocations.op_db`) holds sample inputs for some
seven hundred operators. Each sample that applies is run forward and backward in float32 and float64 (or in the dtype
the operator has), in PyTorch and here; shapes, dtypes, values and gradients must agree. What an operator of PyTorch's
is tested through (often a lambda over `torch`) is run here over `wengert` instead.
"""

from __future__ import annotations

import argparse
import collections
import os
import re
import signal
import sys
import types
import warnings

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = os.path.join(HERE, "op_db_expected.txt")
CAP = 24

# What no user of either calls: internals, and what belongs to formats and devices that do not exist here.
INTERNAL = re.compile(
    r"_(?!_r)|ops\.|jiterator|sparse\.|masked\.|native_|torch\.|to_sparse|.*_copy$|nn\.functional\.scaled_mm|"
    r"nn\.functional\.scaled_grouped_mm|nn\.functional\.grouped_mm|.*\._|resize_|nonzero_static|"
    r"cauchy$|geometric$|log_normal$|.*sparse.*|empty_permuted|equal$|item$|to_mkldnn"
)
# Results that are random or not initialised: only shape and dtype can be compared.
RANDOM = re.compile(
    r"(rand|bernoulli|multinomial|normal|empty|new_empty|uniform|exponential|nn\.functional\.(alpha_|feature_alpha_)?"
    r"dropout|nn\.functional\.rrelu|nn\.functional\.fractional|nn\.functional\.scaled_dot|nn\.functional\.multi_head)"
)
TOLERANCE = {"float32": (2e-4, 3e-5), "float64": (1e-7, 1e-8), "float16": (2e-3, 2e-3), "bfloat16": (2e-2, 2e-2)}

SHAPES = set(
    """view view_as reshape reshape_as flatten unflatten ravel squeeze unsqueeze transpose t movedim moveaxis swapaxes
    swapdims permute expand expand_as broadcast_to broadcast_tensors broadcast_shapes repeat repeat_interleave tile cat
    concat concatenate stack hstack vstack dstack row_stack column_stack split split_with_sizes tensor_split chunk unbind
    hsplit vsplit dsplit unsafe_split unsafe_chunk narrow select select_scatter slice slice_scatter take
    take_along_dim gather scatter scatter_add scatter_reduce index_select index_add index_copy index_fill index_put
    index_reduce masked_select masked_fill masked_scatter where nonzero argwhere flip fliplr flipud roll rot90 unfold
    meshgrid as_strided as_strided_scatter diagonal diagonal_scatter diag diagflat diag_embed tril triu sort argsort topk
    kthvalue msort unique unique_consecutive searchsorted bucketize bincount histc histogram histogramdd arange linspace
    logspace eye full zeros ones zeros_like ones_like full_like empty_like new_full new_zeros new_ones new_empty rand
    randn randint randperm bernoulli multinomial normal empty clone contiguous cartesian_prod combinations block_diag
    atleast_1d atleast_2d atleast_3d tril_indices triu_indices T H mT mH adjoint __getitem__ put unravel_index squeeze
    fill full scalar_tensor complex real imag view_as_real view_as_complex""".split()
)
LINEAR = set(
    """matmul mm mv dot vdot inner outer ger bmm addmm addmv addbmm baddbmm addr einsum tensordot kron cross trace det
    logdet slogdet inverse cholesky cholesky_inverse cholesky_solve qr svd svd_lowrank pca_lowrank pinverse lu lu_solve
    lu_unpack geqrf ormqr householder_product triangular_solve matrix_exp cdist pdist chain_matmul multi_dot symeig stft
    istft renorm __rmatmul__ addmm_decomposed cov corrcoef""".split()
)


def area(name: str) -> str:
    """Which family of operations an operator belongs to."""
    base = name.split("[")[0]
    if base.startswith(("linalg.", "fft.")) or base in LINEAR:
        return "linear algebra and FFT"
    if base.startswith("nn.functional."):
        return "neural"
    last = base.rpartition(".")[2]
    base = re.sub(r"\d+$", "", last)
    return "shape and index" if last in SHAPES or base in SHAPES else "elementwise and reductions"


class NotApplicable(Exception):
    """A sample with an argument that has no meaning here."""


class Slow(Exception):
    """A sample took too long."""


class Driver:
    """Runs samples through both."""

    def __init__(self, cap: int = CAP, gradients: bool = True) -> None:
        import torch
        import wengert

        self.torch, self.wengert = torch, wengert
        self.cap, self.gradients = cap, gradients
        self.dtypes = {
            getattr(torch, n): getattr(wengert, n)
            for n in (
                "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128".split()
            )
            if hasattr(wengert, n)
        }

    def convert(self, value):
        """An argument of PyTorch's as one of ours."""
        torch = self.torch
        if isinstance(value, torch.Tensor):
            if value.layout != torch.strided:
                raise NotApplicable("sparse layout")
            if value.dtype not in self.dtypes:
                raise NotApplicable(f"dtype {value.dtype}")
            plain = value.detach().resolve_conj().resolve_neg()
            if plain._is_zerotensor():
                plain = torch.zeros_like(plain).contiguous()
            if value.dtype == torch.bfloat16:
                x = self.wengert.from_numpy(plain.float().numpy().copy()).to(self.wengert.bfloat16)
            else:
                x = self.wengert.from_numpy(np.array(plain.numpy(), copy=True))
            return x.requires_grad_() if value.requires_grad else x
        if isinstance(value, torch.dtype):
            if value not in self.dtypes:
                raise NotApplicable(f"dtype {value}")
            return self.dtypes[value]
        if isinstance(value, torch.device):
            return str(value)
        if isinstance(value, torch.Size):
            return tuple(value)
        if isinstance(value, torch.memory_format):
            raise NotApplicable("memory format")
        if isinstance(value, torch.layout):
            raise NotApplicable("layout")
        if isinstance(value, torch.Generator):
            raise NotApplicable("generator")
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self.convert, value))
        if isinstance(value, (list, tuple)):
            return type(value)(map(self.convert, value))
        if isinstance(value, dict):
            return {k: self.convert(v) for k, v in value.items()}
        if isinstance(value, types.FunctionType):
            return self.rebind(value)
        if isinstance(value, types.BuiltinFunctionType) and getattr(torch.nn.functional, value.__name__, None) is value:
            return getattr(self.wengert.nn.functional, value.__name__)
        return value

    def rebind(self, function):
        """A function over `torch` as the same function over `wengert`."""
        names = {"torch": self.wengert}
        if hasattr(self.wengert, "nn"):
            names["F"] = self.wengert.nn.functional
        new = types.FunctionType(
            function.__code__, {**function.__globals__, **names}, function.__name__, function.__defaults__, function.__closure__
        )
        new.__kwdefaults__ = function.__kwdefaults__
        return new

    def find(self, op):
        """Our function for an operator, and how it was found."""
        function = op.op
        path = op.name.split(".")
        wrapped = isinstance(function, types.FunctionType) and (function.__module__ or "").startswith("torch.testing")
        target = self.wengert
        for part in path:
            target = getattr(target, part, None)
            if target is None:
                break
        if target is None and len(path) == 1:
            target = getattr(self.wengert.Tensor, path[0], None)
        if wrapped:
            return (self.rebind(function), "wrapped") if target is not None or op.name in ("gradient",) else (None, "")
        return target, "named"

    def tensors(self, value) -> list:
        """All tensors in a value, in order."""
        if isinstance(value, (self.torch.Tensor, self.wengert.Tensor)):
            return [value]
        if isinstance(value, (list, tuple)):
            return [t for v in value for t in self.tensors(v)]
        if isinstance(value, dict):
            return [t for v in value.values() for t in self.tensors(v)]
        return []

    def numbers(self, t):
        if isinstance(t, self.torch.Tensor):
            t = t.detach().resolve_conj().resolve_neg()
            return (t.float() if t.dtype == self.torch.bfloat16 else t).numpy()
        t = t.detach()
        return np.asarray((t.float() if t.dtype == self.wengert.bfloat16 else t).numpy())

    def compare(self, what, mine, theirs, random=False) -> None:
        """Raises where two tensors differ."""
        if tuple(mine.shape) != tuple(theirs.shape):
            raise AssertionError(f"{what}: shape {tuple(mine.shape)}, PyTorch's is {tuple(theirs.shape)}")
        m, t = str(mine.dtype).rpartition(".")[2], str(theirs.dtype).rpartition(".")[2]
        if m != t:
            raise AssertionError(f"{what}: dtype {m}, PyTorch's is {t}")
        if random:
            return
        rtol, atol = TOLERANCE.get({"complex64": "float32", "complex128": "float64"}.get(m, m), (0, 0))
        a, b = self.numbers(mine), self.numbers(theirs)
        scale = np.abs(b[np.isfinite(b)]).max(initial=0) if b.size and b.dtype.kind in "fc" else 0
        ok = np.isclose(a, b, rtol, atol + (rtol * 0.1 * scale if what != "value" else 0), equal_nan=True)
        if not ok.all():
            at = tuple(int(i) for i in np.argwhere(~ok)[0])
            raise AssertionError(f"{what}: {a[at]} at {list(at)}, PyTorch's is {b[at]}")

    def run(self, op, function, sample) -> None:
        """One sample, forward and backward. Raises where the two differ."""
        torch = self.torch
        random = bool(RANDOM.match(op.name))
        theirs_in = (sample.input, list(sample.args), dict(sample.kwargs))
        mine_in = self.convert(theirs_in)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                theirs = op.op(sample.input, *sample.args, **sample.kwargs)
                process = sample.output_process_fn_grad
                theirs = process(theirs) if process is not None else theirs
            except Exception as error:
                raise NotApplicable(f"PyTorch itself: {error}") from None
            mine = function(mine_in[0], *mine_in[1], **mine_in[2])
            if process is not None and isinstance(process, types.FunctionType):
                mine = self.rebind(process)(mine)
            mine_out, theirs_out = self.tensors(mine), self.tensors(theirs)
            if len(mine_out) != len(theirs_out):
                raise AssertionError(f"{len(mine_out)} results, PyTorch gives {len(theirs_out)}")
            if not theirs_out and not isinstance(theirs, (list, tuple)) and theirs != mine:
                raise AssertionError(f"gives {mine!r}, PyTorch {theirs!r}")
            for m, t in zip(mine_out, theirs_out):
                self.compare("value", m, t, random)
            if not self.gradients or random or not op.supports_autograd:
                return
            pairs = [
                (m, t)
                for m, t in zip(mine_out, theirs_out)
                if t.requires_grad and (t.is_floating_point() or t.is_complex())
            ]
            leaves = [
                (m, t) for m, t in zip(self.tensors(mine_in), self.tensors(theirs_in)) if t.requires_grad and t.is_leaf
            ]
            if not pairs or not leaves:
                return
            rng = np.random.default_rng(0)
            upstream = [torch.from_numpy(np.asarray(rng.uniform(0.5, 1.5, tuple(t.shape)))).to(t.dtype) for _, t in pairs]
            try:
                grads = torch.autograd.grad([t for _, t in pairs], [t for _, t in leaves], upstream, allow_unused=True)
            except RuntimeError as error:
                raise NotApplicable(f"PyTorch's backward: {error}") from None
            for m, _ in pairs:
                if not m.requires_grad:
                    raise AssertionError("gradient: the result has no history")
            total = None
            for (m, _), up in zip(pairs, upstream):
                part = (m * self.convert(up)).sum()
                part = part.real if part.is_complex() else part
                total = part if total is None else total + part
            total.backward()
            for (m, _), g in zip(leaves, grads):
                if g is None or m.grad is None:
                    left = g if g is not None else m.grad
                    if left is not None and self.numbers(left).any():
                        raise AssertionError(f"gradient: {'none' if m.grad is None else 'one'}, PyTorch has {'one' if m.grad is None else 'none'}")
                    continue
                self.compare("gradient", m.grad, g)

    def dtypes_of(self, op) -> list:
        torch = self.torch
        floats = [d for d in (torch.float32, torch.float64) if d in op.dtypes]
        if floats:
            return floats
        for d in (torch.int64, torch.bool, torch.complex64):
            if d in op.dtypes and d in self.dtypes:
                return [d]
        return []

    def operator(self, op) -> "Outcome":
        """All samples of one operator."""
        torch = self.torch
        name = op.name + (f"[{op.variant_test_name}]" if op.variant_test_name else "")
        outcome = Outcome(name)
        function, _ = self.find(op)
        if function is None:
            outcome.missing = True
            return outcome
        for dtype in self.dtypes_of(op):
            grad = op.supports_autograd and dtype.is_floating_point
            torch.manual_seed(0)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    samples = op.sample_inputs("cpu", dtype, requires_grad=grad)
                    samples = list(samples) if not self.cap else [s for s, _ in zip(samples, range(self.cap))]
            except Exception as error:
                outcome.note(f"no samples: {type(error).__name__}: {error}")
                continue
            for number, sample in enumerate(samples):
                short = str(dtype).rpartition(".")[2]
                signal.alarm(30)
                try:
                    self.run(op, function, sample)
                except NotApplicable as why:
                    outcome.skipped[str(why)] += 1
                except (KeyboardInterrupt, SystemExit):
                    raise
                except BaseException as error:  # a panic that crossed would come as BaseException
                    outcome.failed += 1
                    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
                    outcome.note(f"{short} sample {number}: {kind}{str(error).splitlines()[0] if str(error) else ''}")
                else:
                    outcome.passed += 1
                finally:
                    signal.alarm(0)
        return outcome


class Outcome:
    """What became of an operator."""

    def __init__(self, name: str) -> None:
        self.name, self.missing = name, False
        self.passed = self.failed = 0
        self.skipped: collections.Counter = collections.Counter()
        self.notes: list = []

    def note(self, text: str) -> None:
        self.notes.append(text[:200])

    @property
    def fine(self) -> bool:
        return not self.missing and self.failed == 0 and self.passed > 0

    def line(self) -> str:
        if self.missing:
            return f"{self.name:56} missing"
        total = self.passed + self.failed
        return f"{self.name:56} {self.passed:4}/{total:<4} {self.notes[0] if self.notes else ''}".rstrip()


def operators(only: str | None = None) -> list:
    """The operators that users call, and whose name matches."""
    from torch.testing._internal.common_methods_invocations import op_db

    named = [op for op in op_db if not INTERNAL.match(op.name)]
    return [op for op in named if only is None or re.search(only, op.name)]


def _alarm(*_):
    raise Slow("took more than 30 s")


def run(only: str | None = None, cap: int = CAP, gradients: bool = True, show=None) -> list:
    """The outcomes of all operators whose name matches."""
    signal.signal(signal.SIGALRM, _alarm)
    driver = Driver(cap, gradients)
    outcomes = []
    for op in operators(only):
        outcome = driver.operator(op)
        outcomes.append(outcome)
        if show is not None:
            show(outcome)
    return outcomes


def summary(outcomes: list) -> str:
    """The counts."""
    present = [o for o in outcomes if not o.missing]
    passed, failed = sum(o.passed for o in present), sum(o.failed for o in present)
    skipped = sum(sum(o.skipped.values()) for o in present)
    rate = 100 * passed / max(passed + failed, 1)
    names = {o.name.split("[")[0] for o in present}
    return (
        f"{len(names)} operators present ({len(present)} with variants), {sum(o.fine for o in present)} without a "
        f"failure, {len(outcomes) - len(present)} missing; samples: {passed} passed, {failed} failed ({rate:.2f} %), "
        f"{skipped} not applicable"
    )


def expected() -> dict:
    """How many samples of each operator must pass."""
    if not os.path.exists(EXPECTED):
        return {}
    with open(EXPECTED, encoding="utf-8") as file:
        lines = (line.split() for line in file if line.strip() and not line.startswith("#"))
        return {name: int(passed) for name, passed in lines}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="a regular expression that operators' names must match")
    parser.add_argument("--cap", type=int, default=CAP, help="samples of each operator and dtype; 0 for all")
    parser.add_argument("--no-grad", action="store_true", help="values only")
    parser.add_argument("--missing", action="store_true", help="only what is missing or fails, by area")
    parser.add_argument("--all-notes", action="store_true", help="every failing sample, not the first of each operator")
    parser.add_argument("--write", action="store_true", help="renew the list of what must pass")
    args = parser.parse_args()

    def show(outcome):
        if not args.missing:
            print(outcome.line(), flush=True)
            if args.all_notes:
                for note in outcome.notes[1:]:
                    print(" " * 62, note)

    outcomes = run(args.only, args.cap, not args.no_grad, show)
    if args.missing:
        for title in ("elementwise and reductions", "shape and index", "neural", "linear algebra and FFT"):
            here = [o for o in outcomes if area(o.name) == title]
            print(f"\n== {title}\nmissing: {' '.join(o.name for o in here if o.missing)}\nfailing:")
            for o in here:
                if not o.missing and not o.fine:
                    print("  " + o.line())
    print("\n" + summary(outcomes))
    if args.write:
        with open(EXPECTED, "w", encoding="utf-8") as file:
            file.write(f"# Samples (of at most {args.cap} for each dtype) that pass: see op_db.py.\n")
            for o in sorted(outcomes, key=lambda o: o.name):
                if o.passed:
                    file.write(f"{o.name} {o.passed}\n")


if __name__ == "__main__":
    sys.path.insert(0, HERE)
    main()
