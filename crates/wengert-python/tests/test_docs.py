"""The examples in docstrings do what they say."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import wengert

NAMES = ["wengert", *(m.name for m in pkgutil.walk_packages(wengert.__path__, "wengert.") if not m.name.endswith("_C"))]


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    module = importlib.import_module(name)
    wengert.manual_seed(0)
    failed, _ = doctest.testmod(module)
    assert failed == 0


def test_there_are_examples():
    count = sum(len(t.examples) for n in NAMES for t in doctest.DocTestFinder().find(importlib.import_module(n)))
    assert count > 50


FUNCTIONS = sorted(n for n, f in vars(wengert._C).items() if not n.startswith("_") and callable(f) and not isinstance(f, type))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_an_example(name):
    doc = getattr(wengert._C, name).__doc__
    test = doctest.DocTestParser().get_doctest(doc, {"wengert": wengert}, name, None, None)
    assert test.examples, f"write one for {name} into src/examples.txt"
    if "import numpy" in doc:
        pytest.importorskip("numpy")
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test)
    assert runner.failures == 0


MODULES = ("nn", "nn.functional", "nn.init", "optim", "optim.lr_scheduler", "linalg", "special", "func", "autograd", "autograd.functional", "utils.data", "distributions", "array_api")


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name):
    module = importlib.import_module(f"wengert.{name}")
    silent = [
        n for n, value in vars(module).items()
        if not n.startswith("_") and callable(value) and getattr(value, "__module__", "").startswith("wengert") and not (value.__doc__ or "").strip()
    ]
    assert not silent


# What is subclassed, handed out by others, or only a name of another module's.
WITHOUT = """
Optimizer LRScheduler Sampler Distribution RNNBase RNNCellBase UninitializedParameter FunctionCtx PackedSequence ParametrizationList
ImageFolder Table Vocabulary CsvLog TensorBoard Plot Log Console Confusion Report Trainer LinAlgError
register_module_forward_hook register_module_forward_pre_hook register_kl once_differentiable clip_grad_norm fuse_conv_bn_weights
fuse_linear_bn_weights remove_weight_norm remove_spectral_norm cached is_parametrized remove_parametrizations type_before_parametrizations
update_bn get_ema_avg_fn get_ema_multi_avg_fn get_swa_avg_fn get_swa_multi_avg_fn constant dirac eye kaiming_normal kaiming_uniform
normal orthogonal sparse uniform xavier_normal xavier_uniform multi_head_attention_forward linear_cross_entropy rrelu_ load seed
is_autocast_available is_autocast_enabled get_autocast_dtype custom_fwd custom_bwd functional_call tree_map spread tensors_of flatten unflatten
""".split()
CLASSES = (*(m for m in MODULES if m != "array_api"), "optim.swa_utils", "utils.data.transforms", "nn.utils", "nn.utils.rnn", "nn.utils.parametrize", "signal.windows", "random", "testing", "amp", "train")


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_name_has_an_example(name):
    module = importlib.import_module(f"wengert.{name}")
    public = {n: v for n, v in vars(module).items() if not n.startswith("_") and n not in WITHOUT and getattr(v, "__module__", "").startswith("wengert.")}
    silent = [n for n, v in public.items() if (inspect.isclass(v) or inspect.isfunction(v)) and ">>>" not in (v.__dict__.get("__doc__") or v.__doc__ or "")]
    assert not silent
