"""What there is in Rust there is in Python; the stubs say what there is."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import wengert

PYTHON = pathlib.Path(__file__).resolve().parents[1]
ENGINE = PYTHON.parent / "wengert" / "src"

# Methods of Rust's Tensor that have another name in Python, or none, and why.
METHODS = {
    "constant": "wengert.tensor",
    "new": "wengert.tensor",
    "try_new": "wengert.tensor",
    "from_slice": "wengert.tensor",
    "from_vec": "wengert.tensor",
    "from_array": "wengert.tensor",
    "array": "numpy()",
    "to_vec": "tolist()",
    "item_complex": "item()",
    "hardtanh_between": "nn.functional.hardtanh",
    "prelu_each": "nn.functional.prelu",
    "complex_scalar": "wengert.tensor(1j)",
    "with_value": "for the bindings",
    "source": "grad_fn",
    "as_parameter": "_as_parameter",
    "set_data": "x.data = y",
    "set_grad": "x.grad = g",
    "zero_grad": "x.grad = None",
    "update": "in-place methods",
    "layout": "shape, stride()",
    "is": "Python's is",
    "is_only_handle": "for the garbage collector",
    "with_shape": "shape",
    "with_array": "for bindings",
    "map": "rules are written in Rust; in Python, autograd.Function",
    "map2": "rules are written in Rust; in Python, autograd.Function",
    "index": "x[...]",
    "backward_with": "backward(gradient)",
    "sum_to": "for gradients of broadcasts",
    "full_as": "full(dtype=)",
    "arange_step": "arange(step=)",
    "randn_as": "randn(dtype=)",
    "rand_as": "rand(dtype=)",
    "uniform": "uniform_",
    "where_": "where",
    "powf": "pow",
    "ln": "log",
    "gelu_tanh": "gelu(approximate='tanh')",
    "arange_as": "arange(dtype=)",
    "eye_as": "eye(n, m, dtype=)",
    "linspace_as": "linspace(dtype=)",
    "logspace_as": "logspace(dtype=)",
    "normal_as": "normal(dtype=)",
    "uniform_as": "uniform_",
    "bernoulli_from": "bernoulli(generator=)",
    "multinomial_from": "multinomial(generator=)",
    "clamp_tensor": "clamp(tensor)",
    "cumulative_trapezoid_at": "cumulative_trapezoid(x=)",
    "trapezoid_at": "trapezoid(x=)",
    "div_mode": "div(rounding_mode=)",
    "histogram_between": "histogram(range=)",
    "histogramdd_between": "histogramdd(bins=edges)",
    "mt": "mT",
    "nonzero_lists": "nonzero(as_tuple=True)",
    "repeat_interleave_each": "repeat_interleave(tensor)",
    "scatter_value": "scatter(value=)",
    "view_dtype": "view(dtype)",
    "im2col": "nn.functional.unfold",
    "col2im": "nn.functional.fold",
    "tri": "tril and triu",
}


def public(pattern, *paths):
    found = set()
    for path in paths:
        for file in path.rglob("*.rs") if path.is_dir() else [path]:
            text = file.read_text()
            found |= set(re.findall(pattern, text))
    return found


def methods_of_tensor():
    found = set()
    for file in [*ENGINE.glob("*.rs"), *(ENGINE / "ops").rglob("*.rs")]:
        text = file.read_text()
        for block in re.finditer(r"^impl Tensor \{(.*?)^\}", text, re.S | re.M):
            found |= set(re.findall(r"^    pub fn (\w+)", block[1], re.M))
    return found


def test_every_method_of_rusts_tensor():
    missing = []
    for name in sorted(methods_of_tensor()):
        plain = re.sub(r"^try_|_dim$|_with$", "", name)
        here = hasattr(wengert.Tensor, name) or hasattr(wengert, name) or hasattr(wengert.Tensor, plain) or hasattr(wengert, plain) or hasattr(wengert.nn.functional, plain)
        if not here and name not in METHODS:
            missing.append(name)
    assert not missing, f"bind these, or say in METHODS why not: {missing}"


def test_reasons_are_needed():
    names = methods_of_tensor()
    gone = [n for n in METHODS if n not in names and hasattr(wengert, n)]
    assert not gone


def test_functions_and_methods_have_docs():
    silent = [
        name
        for owner in (wengert._C, wengert.Tensor)
        for name, value in vars(owner).items()
        if callable(value) and not name.startswith("_") and not value.__doc__
    ]
    assert not silent, silent


def test_stubs_are_up_to_date():
    run = subprocess.run([sys.executable, PYTHON / "stubs.py", "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_stubs_are_right(tmp_path):
    pytest.importorskip("mypy")
    run = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "wengert._C", "--ignore-disjoint-bases"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_importing_loads_no_more_than_is_needed():
    code = "import sys; before = set(sys.modules); import wengert; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    assert "wengert._C" in loaded and "wengert.nn" not in loaded and "numpy" not in loaded
    assert len([name for name in loaded if name.startswith("wengert")]) < 12, loaded


def test_threads():
    before = wengert.get_num_threads()
    assert before >= 1
    try:
        x = wengert.randn(300, 300)
        sums = []
        for n in (1, 2, 5):
            wengert.set_num_threads(n)
            assert wengert.get_num_threads() == n
            sums.append((x @ x).tolist())
        assert sums[0] == sums[1] == sums[2]
        for n in (0, -3):
            with pytest.raises(RuntimeError, match="at least one thread"):
                wengert.set_num_threads(n)
    finally:
        wengert.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity to set")
def test_affinity_says_how_many_threads():
    one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    code = f"{one}; import wengert; print(wengert.get_num_threads())"
    names = ("WENGERT_NUM_THREADS", "OMP_NUM_THREADS")
    env = {name: value for name, value in os.environ.items() if name not in names}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("1\n", "")
