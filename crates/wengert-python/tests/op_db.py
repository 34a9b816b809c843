"""Drives PyTorch's own operator samples through the functions of the same name here, and compares.

    python tests/op_db.py                      # the whole table and the counts
    python tests/op_db.py --only 'linalg|svd'  # operators whose name matches
    python tests/op_db.py --cap 0              # all samples of each operator, not the first few
    python tests/op_db.py --missing            # only what is missing or fails, by area
    python tests/op_db.py --complex            # samples of complex numbers
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
EXPECTED_COMPLEX = os.path.join(HERE, "op_db_complex.txt")
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


# Where the gradient is one of what is read of the input, which the operator database makes symmetric or triangular first.
WRAPPED = {
    "cholesky_inverse",
    "cholesky_solve",
    "triangular_solve",
    "linalg.cholesky",
    "linalg.cholesky_ex",
    "linalg.eigh",
    "linalg.eigvalsh",
    "linalg.matrix_sqrth",
    "linalg.pinv[hermitian]",
}
# Functions that PyTorch computes to fewer digits than its float64 has: value and slope by SciPy.
REFERENCES = {
    "special.bessel_j0": (lambda s, x: s.j0(x), lambda s, x: -s.j1(x)),
    "special.bessel_j1": (lambda s, x: s.j1(x), lambda s, x: s.jvp(1, x)),
    "special.bessel_y0": (lambda s, x: s.y0(x), lambda s, x: -s.y1(x)),
    "special.bessel_y1": (lambda s, x: s.y1(x), lambda s, x: s.yvp(1, x)),
}
# Where PyTorch's gradient is not the derivative, and only values are compared: of as_strided_scatter's input it is that of the
# elements which are overwritten, in place of that of the others (test_index.py has the right one).
VALUES_ONLY = {"as_strided_scatter"}
# Operators without a function of their name, which are there all the same.
OTHERWISE = {"__rdiv__", "exponential", "uniform", "char", "sum_to_size"}


# What is not here, and why.
ABSENT = {
    "chalf": "there is no complex dtype of two float16",
    "hash_tensor": "its numbers are those of one algorithm of PyTorch's, and of no use for anything else",
    "linalg.eig": "its derivative needs the eigenvectors of complex matrices; `linalg.eigh` is for symmetric ones",
    "linalg.eigvals": "as `linalg.eig`",
    "max_pool2d_with_indices_backward": "a kernel of PyTorch's own, that users reach by `backward`",
    "slice": "an internal of PyTorch's; `x[a:b]` and `narrow` are here",
}


class Results:
    """What a function gave: its tensors, and gradients if there are any."""

    def __init__(self, whole, values: list) -> None:
        self.whole, self.values = whole, values
        self.gradients = None
        self.differentiable: list = []
        self.wanted: list = []
        self.upstream: list = []

    def single(self, torch) -> bool:
        """Whether there is a float32 or a complex64 among PyTorch's values."""
        return any(t.dtype in (torch.float32, torch.complex64) for t in self.values)

    def as_single(self, torch) -> "Results":
        """With float64 rounded to float32."""
        narrow = {torch.float64: torch.float32, torch.complex128: torch.complex64}
        rounded = lambda t: t.detach().to(narrow.get(t.dtype, t.dtype)) if t is not None else t  # noqa: E731
        results = Results(self.whole, [rounded(t) for t in self.values])
        results.gradients = None if self.gradients is None else [rounded(g) for g in self.gradients]
        return results


class NotApplicable(Exception):
    """A sample with an argument that has no meaning here."""


class Slow(Exception):
    """A sample took too long."""


class Driver:
    """Runs samples through both."""

    def __init__(self, cap: int = CAP, gradients: bool = True, complex_numbers: bool = False) -> None:
        import torch
        import wengert

        self.complex_numbers = complex_numbers

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
        if isinstance(value, torch.nn.Module):
            return getattr(self.wengert.nn, type(value).__name__)()
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
        if not callable(target) and len(path) == 1:
            target = getattr(self.wengert.Tensor, path[0], None)
        if wrapped or op.name in OTHERWISE:
            there = target is not None or op.name in OTHERWISE
            return (self.rebind(function), "wrapped") if there else (None, "")
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
            if t._is_zerotensor():
                return np.zeros(tuple(t.shape), str(t.dtype).rpartition(".")[2])
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

    def run(self, op, function, sample, name: str) -> str:
        """One sample, forward and backward. Raises where the two differ; says who was the judge."""
        judge = self.trial(op, op.op, function, sample, name, name not in WRAPPED)
        if name in WRAPPED and self.gradients:
            # As PyTorch tests these gradients: of what is read of the input, made symmetric or triangular first.
            wrapper = op.gradcheck_wrapper
            theirs = lambda *args, **kwargs: wrapper(op.op, *args, **kwargs)  # noqa: E731
            mine = lambda *args, **kwargs: self.rebind(wrapper)(function, *args, **kwargs)  # noqa: E731
            judge = self.trial(op, theirs, mine, sample, name, True) or judge
        return judge

    def trial(self, op, theirs_of, mine_of, sample, name: str, gradients: bool) -> str:
        """One sample through a function of PyTorch's and one of ours."""
        # An approximation within a random subspace is PyTorch's only where the subspace holds all.
        random = bool(RANDOM.match(op.name)) or (name == "svd_lowrank" and sample.kwargs.get("M") is not None)
        gradients = gradients and self.gradients and not random and op.supports_autograd and name not in VALUES_ONLY
        if name == "as_strided[partial_views]":
            x = sample.input
            if x.untyped_storage().nbytes() != x.numel() * x.element_size():
                raise NotApplicable("a view into other elements' memory")
        given = (sample.input, list(sample.args), dict(sample.kwargs))
        process = sample.output_process_fn_grad
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                theirs = self.values_and_gradients(theirs_of, given, process, gradients)
            except Exception as error:
                raise NotApplicable(f"PyTorch itself: {error}") from None
            mine_in = self.convert(given)
            if process is not None and isinstance(process, types.FunctionType):
                process = self.rebind(process)
            mine = self.values_and_gradients(mine_of, mine_in, process, gradients, like=theirs)
            try:
                self.agree(mine, theirs, random)
                return ""
            except AssertionError:
                if theirs.single(self.torch):
                    # The judge of rounding in float32 is PyTorch's own float64.
                    exact = self.values_and_gradients(theirs_of, self.doubled(given), sample.output_process_fn_grad, gradients)
                    try:
                        self.agree(mine, exact.as_single(self.torch), random)
                        return "its float64"
                    except AssertionError:
                        pass
                elif name in REFERENCES and self.agrees_with_scipy(name, mine, given[0]):
                    return "SciPy"
                raise

    def values_and_gradients(self, function, given, process, gradients, like=None) -> "Results":
        """What a function gives, and the gradients of its tensors by random upstream ones."""
        torch = self.torch
        y = function(given[0], *given[1], **given[2])
        y = process(y) if process is not None else y
        results = Results(y, self.tensors(y))
        if not gradients:
            return results
        if like is None:
            sources = [t for t in results.values if t.requires_grad and (t.is_floating_point() or t.is_complex())]
            leaves = [t for t in self.tensors(given) if t.requires_grad and t.is_leaf]
            if not sources or not leaves:
                return results
            rng = np.random.default_rng(0)
            results.differentiable = [any(t is s for s in sources) for t in results.values]
            results.wanted = [any(t is s for s in leaves) for t in self.tensors(given)]
            results.upstream = [torch.from_numpy(np.asarray(rng.uniform(0.5, 1.5, tuple(t.shape)))).to(t.dtype) for t in sources]
            try:
                results.gradients = torch.autograd.grad(sources, leaves, results.upstream, allow_unused=True)
            except RuntimeError as error:
                raise NotApplicable(f"PyTorch's backward: {error}") from None
        elif like.gradients is not None and len(like.values) == len(results.values):
            sources = [t for t, wanted in zip(results.values, like.differentiable) if wanted]
            total = None
            for t, up in zip(sources, like.upstream):
                if not t.requires_grad:
                    raise AssertionError("gradient: the result has no history")
                part = (t * self.convert(up)).sum()
                part = part.real if part.is_complex() else part
                total = part if total is None else total + part
            total.backward()
            results.gradients = [t.grad for t, wanted in zip(self.tensors(given), like.wanted) if wanted]
        return results

    def agree(self, mine: "Results", theirs: "Results", random: bool) -> None:
        """Raises where results differ."""
        if len(mine.values) != len(theirs.values):
            raise AssertionError(f"{len(mine.values)} results, PyTorch gives {len(theirs.values)}")
        if not theirs.values and not isinstance(theirs.whole, (list, tuple)) and theirs.whole != mine.whole:
            raise AssertionError(f"gives {mine.whole!r}, PyTorch {theirs.whole!r}")
        for m, t in zip(mine.values, theirs.values):
            self.compare("value", m, t, random)
        for m, t in zip(mine.gradients or (), theirs.gradients or ()):
            if m is None or t is None:
                left = m if t is None else t
                if left is not None and self.numbers(left).any():
                    raise AssertionError(f"gradient: {'none' if m is None else 'one'}, PyTorch has {'one' if m is None else 'none'}")
                continue
            self.compare("gradient", m, t)

    def doubled(self, value):
        """Arguments of float32 in float64, and of complex64 in complex128."""
        torch = self.torch
        wide = {torch.float32: torch.float64, torch.complex64: torch.complex128}
        if isinstance(value, torch.Tensor):
            if value.dtype not in wide:
                return value
            return value.detach().to(wide[value.dtype]).requires_grad_(value.requires_grad)
        if isinstance(value, torch.dtype):
            return wide.get(value, value)
        if isinstance(value, torch.nn.Module) or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return value
        if isinstance(value, (list, tuple)):
            return type(value)(map(self.doubled, value))
        if isinstance(value, dict):
            return {k: self.doubled(v) for k, v in value.items()}
        return value

    def agrees_with_scipy(self, name, mine: "Results", x) -> bool:
        """Whether the value and the gradient of a function of one number are SciPy's."""
        try:
            from scipy import special
        except ImportError:
            return False
        value, slope = REFERENCES[name]
        at = self.numbers(x)
        ok = np.allclose(self.numbers(mine.values[0]), value(special, at), 1e-10, 1e-12)
        if mine.gradients:
            up = np.random.default_rng(0).uniform(0.5, 1.5, tuple(x.shape))
            ok = ok and np.allclose(self.numbers(mine.gradients[0]), up * slope(special, at), 1e-10, 1e-12)
        return ok

    def dtypes_of(self, op) -> list:
        torch = self.torch
        if self.complex_numbers:
            return [d for d in (torch.complex64, torch.complex128) if d in op.dtypes]
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
            grad = op.supports_autograd and (dtype.is_floating_point or dtype.is_complex)
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
                    judge = self.run(op, function, sample, name)
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
                    outcome.closer[judge] += bool(judge)
                finally:
                    signal.alarm(0)
        return outcome


class Outcome:
    """What became of an operator."""

    def __init__(self, name: str) -> None:
        self.name, self.missing = name, False
        self.passed = self.failed = 0
        self.skipped: collections.Counter = collections.Counter()
        # Samples where PyTorch's result is further from the truth, by who knows that.
        self.closer: collections.Counter = collections.Counter()
        self.notes: list = []

    def note(self, text: str) -> None:
        self.notes.append(text[:200])

    @property
    def fine(self) -> bool:
        return not self.missing and self.failed == 0 and self.passed > 0

    def line(self) -> str:
        if self.missing:
            return f"{self.name:56} missing: {ABSENT.get(self.name, 'no reason is known')}"
        total = self.passed + self.failed
        return f"{self.name:56} {self.passed:4}/{total:<4} {self.notes[0] if self.notes else ''}".rstrip()


def operators(only: str | None = None) -> list:
    """The operators that users call, and whose name matches."""
    from torch.testing._internal.common_methods_invocations import op_db

    named = [op for op in op_db if not INTERNAL.match(op.name)]
    return [op for op in named if only is None or re.search(only, op.name)]


def _alarm(*_):
    raise Slow("took more than 30 s")


def run(only: str | None = None, cap: int = CAP, gradients: bool = True, show=None, complex_numbers: bool = False) -> list:
    """The outcomes of all operators whose name matches."""
    signal.signal(signal.SIGALRM, _alarm)
    driver = Driver(cap, gradients, complex_numbers)
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
    closer = sum(sum(o.closer.values()) for o in present)
    rate = 100 * passed / max(passed + failed, 1)
    names = {o.name.split("[")[0] for o in present}
    return (
        f"{len(names)} operators present ({len(present)} with variants), {sum(o.fine for o in present)} without a "
        f"failure, {len(outcomes) - len(present)} missing; samples: {passed} passed, {failed} failed ({rate:.2f} %), "
        f"{skipped} not applicable; {closer} of those that passed are nearer to PyTorch's float64 or to SciPy than PyTorch is"
    )


def expected(path: str = EXPECTED) -> dict:
    """How many samples of each operator must pass."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
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
    parser.add_argument("--complex", action="store_true", help="samples of complex64 and complex128, of the operators that take them")
    parser.add_argument("--write", action="store_true", help="renew the list of what must pass")
    args = parser.parse_args()

    def show(outcome):
        if not args.missing:
            print(outcome.line(), flush=True)
            if args.all_notes:
                for note in outcome.notes[1:]:
                    print(" " * 62, note)

    outcomes = run(args.only, args.cap, not args.no_grad, show, args.complex)
    if args.missing:
        for title in ("elementwise and reductions", "shape and index", "neural", "linear algebra and FFT"):
            here = [o for o in outcomes if area(o.name) == title]
            print(f"\n== {title}\nmissing:")
            for o in here:
                if o.missing:
                    print(f"  {o.name}: {ABSENT.get(o.name, 'no reason is known')}")
            print("failing:")
            for o in here:
                if not o.missing and o.failed:
                    print("  " + o.line())
    print("\n" + summary(outcomes))
    if args.write:
        with open(EXPECTED_COMPLEX if args.complex else EXPECTED, "w", encoding="utf-8") as file:
            file.write(f"# Samples (of at most {args.cap} for each dtype) that pass: see op_db.py.\n")
            for o in sorted(outcomes, key=lambda o: o.name):
                if o.passed:
                    file.write(f"{o.name} {o.passed}\n")


if __name__ == "__main__":
    sys.path.insert(0, HERE)
    main()
