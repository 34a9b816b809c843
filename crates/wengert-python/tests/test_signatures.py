"""Names, parameters and defaults are PyTorch's, and Rust's layers, optimizers, schedules and readers are here."""

import ast
import importlib
import inspect
import pathlib
import re

import pytest

import wengert
from beside import needs_torch, torch

RUST = pathlib.Path(__file__).resolve().parents[2] / "wengert" / "src"

# What Rust has under another name here, or not at all, and why.
ELSEWHERE = {
    "nn": {
        "Part": "Module.named_parameters and named_buffers",
        "Field": "attributes of a Module",
        "Layer": "Module.forward",
        "Margins": "numbers and tuples of them",
        "Masks": "arguments of MultiheadAttention.forward",
        "Mode": "Module.training",
        "LoadReport": "what load_state_dict returns",
        "Sliding": "arguments of Unfold and Fold",
        "StateDict": "a dict",
        "WeightNormLinear": "nn.utils.weight_norm(Linear)",
        "WeightNormConv": "nn.utils.weight_norm(Conv2d)",
        "Kernels": "any Module",
        "functional": "a module",
        "summary_of": "summary(model, input_size)",
        "init": "a module",
    },
    "optim": {
        "Adjust": "Muon(adjust_lr_fn=)",
        "EMA": "swa_utils.AveragedModel with get_ema_avg_fn",
        "GradScaler": "wengert.amp.GradScaler, as in PyTorch",
        "clip_grad_norm_": "nn.utils, as in PyTorch",
        "clip_grad_value_": "nn.utils, as in PyTorch",
        "try_clip_grad_norm_": "nn.utils.clip_grad_norm_(error_if_nonfinite=True)",
        "grad_norm": "nn.utils.get_total_norm",
        "scale_grads_": "nn.utils.clip_grads_with_norm_",
        "Kept": "for the bindings",
        "SingleStep": "for the bindings",
        "pytorch_state": "state_dict is PyTorch's already",
        "schedule": "lr_scheduler",
    },
    "optim.lr_scheduler": {
        "Anneal": "OneCycleLR(anneal_strategy=)",
        "CycleMode": "CyclicLR(mode=)",
        "Mode": "ReduceLROnPlateau(mode=)",
        "Rate": "get_last_lr",
        "Rule": "LRScheduler",
        "Scheduler": "LRScheduler",
    },
    "utils.data": {
        "Collate": "DataLoader(collate_fn=)",
        "Batches": "iter(DataLoader)",
        "Generator": "wengert.Generator",
        "generator_for": "DataLoader(generator=)",
        "random_split_counts": "random_split(dataset, lengths)",
    },
    "train": {},
    "": {
        "Value": "Python's own containers",
        "load_bytes": "load(io.BytesIO(bytes))",
        "load_pt": "load",
        "load_mapped": "load(mmap=True)",
        "pt_bytes": "save(obj, io.BytesIO())",
        "save_pt": "save",
        "safetensors_bytes": "safetensors.save",
        "save_safetensors_with": "safetensors.save_file(metadata=)",
        "write_atomically": "save does it",
    },
    "func": {
        "Tree": "lists, tuples and dicts of tensors",
        "value_and_grad": "func.grad_and_value",
        "jacobian": "func.jacrev and autograd.functional.jacobian",
        "hvp": "autograd.functional.hvp",
        "vhp": "autograd.functional.vhp",
        "vmap_dims": "vmap(in_dims=)",
        "checkpoint": "utils.checkpoint",
        "checkpoint_drawing_anew": "utils.checkpoint",
        "variables": "for the bindings",
        "depends_on_others": "for the bindings",
    },
}
SOURCES = {
    "nn": "nn/mod.rs",
    "optim": "optim/mod.rs",
    "optim.lr_scheduler": "optim/schedule/mod.rs",
    "utils.data": "data/mod.rs",
    "train": "train/mod.rs",
    "": "io/mod.rs",
    "func": "autograd/functional/mod.rs",
}


def exported(file):
    """What a module of Rust gives to others."""
    path = RUST / file
    if not path.exists():
        path = path.parent.with_suffix(".rs")
    text = re.sub(r"//.*", "", path.read_text())
    found = set()
    for use in re.findall(r"^pub use ([^;]*);", text, re.M | re.S):
        listed = re.search(r"\{(.*)\}", use, re.S)
        names = listed[1].split(",") if listed else [use.rpartition("::")[2]]
        found |= {n.split(" as ")[-1].strip() for n in names if n.strip()}
    found |= set(re.findall(r"^pub (?:fn|struct|trait|enum|mod) (\w+)", text, re.M))
    return found


def named(path):
    value = wengert
    for part in filter(None, path.split(".")):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("path", SOURCES)
def test_what_rust_has_is_here(path):
    # Options are arguments here.
    module, names = named(path), {n for n in exported(SOURCES[path]) if not n.endswith("Options")}
    assert len(names) > 3
    missing = sorted(n for n in names if not hasattr(module, n) and n not in ELSEWHERE[path])
    assert not missing, f"bind these in wengert.{path}, or say in ELSEWHERE why not: {missing}"
    needless = sorted(n for n in ELSEWHERE[path] if n not in names)
    assert not needless, f"Rust has none of these any more: {needless}"


MODULES = [
    "nn",
    "nn.functional",
    "nn.init",
    "nn.utils",
    "nn.utils.rnn",
    "optim",
    "optim.lr_scheduler",
    "optim.swa_utils",
    "utils.data",
    "utils.checkpoint",
    "distributions",
    "testing",
    "autograd",
    "autograd.functional",
    "func",
    "random",
    "amp",
    "linalg",
    "special",
    "signal.windows",
]
# Parameters of PyTorch's that are not here, or have another default, and why.
DIFFERENT = {
    "nn.Hardtanh": "min_value and max_value are the old names of min_val and max_val",
    "nn.RNNCellBase": "num_chunks follows from the cell",
    "nn.Transformer": "the default is the text 'relu' rather than the function",
    "nn.TransformerEncoderLayer": "as Transformer",
    "nn.TransformerDecoderLayer": "as Transformer",
    "nn.functional.normalize": "no out=",
    "nn.functional.adaptive_max_pool1d_with_indices": "PyTorch ignores its default",
    "nn.functional.adaptive_max_pool2d_with_indices": "PyTorch ignores its default",
    "nn.functional.adaptive_max_pool3d_with_indices": "PyTorch ignores its default",
    "nn.functional.max_pool1d_with_indices": "PyTorch ignores its default",
    "nn.functional.max_pool2d_with_indices": "PyTorch ignores its default",
    "nn.functional.max_pool3d_with_indices": "PyTorch ignores its default",
    "utils.data.random_split": "the default generator is named by None",
    "autograd.backward": "grad_variables is the old name of grad_tensors",
    "autograd.grad": "only_inputs is always true, and batches of gradients are for func.vmap",
    "autograd.enable_grad": "used with parentheses only",
    "random.fork_rng": "there are no devices",
    "amp.GradScaler": "the device is the CPU",
    "amp.autocast": "the device has a default",
}


def parameters(f):
    try:
        return inspect.signature(f).parameters
    except (TypeError, ValueError):
        return None


def comparable():
    for path in MODULES:
        ours, theirs = named(path), importlib.import_module("torch." + path)
        for name in sorted(set(dir(ours)) & set(dir(theirs))):
            a, b = getattr(ours, name), getattr(theirs, name)
            if name.startswith("_") or inspect.ismodule(a) or not callable(a) or not callable(b):
                continue
            if not (getattr(a, "__module__", None) or "wengert").startswith(("wengert", "builtins")):
                continue
            mine, other = parameters(a), parameters(b)
            free = other and any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in other.values())
            if mine is not None and other is not None and not free:
                yield f"{path}.{name}", mine, other


@needs_torch
def test_parameters_and_defaults_are_pytorchs():
    wrong, seen = {}, 0
    for name, mine, other in comparable():
        seen += 1
        takes_all = any(p.kind is p.VAR_KEYWORD for p in mine.values())
        # An underscore begins what is PyTorch's own affair.
        missing = [p for p in other if p not in mine and not takes_all and not p.startswith("_")]
        # Defaults of the native module that are no literals show as an ellipsis.
        defaults = [
            p
            for p in other
            if p in mine
            and mine[p].default is not ...
            and mine[p].default != other[p].default
            and repr(mine[p].default) != repr(other[p].default).replace("torch.", "wengert.")
            and not (mine[p].default is None and p == "layout")
            and not (mine[p].default is inspect.Parameter.empty and other[p].default is inspect.Parameter.empty)
        ]
        places = [[p for p in one if p in both and one[p].kind is both[p].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD] for one, both in ((mine, other), (other, mine))]
        if missing or defaults or places[0] != places[1]:
            wrong[name] = (missing, defaults, places[0] == places[1])
    assert seen > 300
    assert wrong.keys() <= DIFFERENT.keys(), {k: v for k, v in wrong.items() if k not in DIFFERENT}
    assert not DIFFERENT.keys() - wrong.keys(), f"these agree now: {DIFFERENT.keys() - wrong.keys()}"


# Names of PyTorch's that are not here, and why; the rest of these modules is.
ABSENT = {
    "nn": "Container is gone from PyTorch too; others are for fake quantisation or its own machinery:"
    " Container UninitializedBuffer LinearCrossEntropyOptions",
    "optim": "there are no sparse gradients, and steps as functions belong to PyTorch's own machinery: SparseAdam functional"
    " swap_in_optimizer_params_and_state",
    "optim.lr_scheduler": "",
    "nn.init": "",
    "distributions": "",
}


@needs_torch
@pytest.mark.parametrize("path", ABSENT)
def test_what_pytorch_has_is_here(path):
    ours, theirs = named(path), importlib.import_module("torch." + path)
    names = getattr(theirs, "__all__", None) or [n for n in dir(theirs) if inspect.isfunction(getattr(theirs, n))]
    if path == "nn":
        names = [n for n in dir(theirs) if n[0].isupper()]
    missing = {n for n in names if not n.startswith("_") and not hasattr(ours, n)} - {"Callable", "ParamSpec"}
    assert missing <= set(ABSENT[path].split()), missing - set(ABSENT[path].split())


# Parameters of PyTorch's native functions that are not here, and why; these are left out everywhere.
UNUSED = {"out", "layout", "device", "pin_memory", "names", "generator", "dtype", "memory_format", "requires_grad", "self"}
NATIVE = {
    # nn.functional's names; the native ones are PyTorch's own affair.
    "alpha_dropout dropout feature_alpha_dropout": "train",
    "embedding embedding_bag": "indices",
    "batch_norm instance_norm group_norm": "cudnn_enabled",
    "layer_norm": "cudnn_enable",
    # Sequences that are packed go to `nn.LSTM` and its like.
    "lstm gru rnn_tanh rnn_relu": "data batch_sizes",
    # A product has the dtype of its factors.
    "addmm baddbmm bmm mm": "out_dtype",
    # One parameter takes what PyTorch's overloads name differently.
    "dsplit hsplit vsplit": "sections indices",
    "tensor_split": "tensor_indices_or_sections sections indices",
    "isin": "element test_element",
    "result_type": "tensor other scalar scalar1 scalar2",
    # As PyTorch's documentation names them.
    "cholesky_solve": "input2",
    "lu_solve triangular_solve unsafe_split": "input",
    "cumulative_trapezoid trapezoid trapz": "y",
    "copy_": "other",
    "requires_grad_": "mode",
    # Nothing runs behind one's back.
    "asarray": "obj copy",
    "type": "non_blocking",
}


def overloads(file, cls=None):
    """The parameters of each function in one of PyTorch's stubs."""
    body = ast.parse(file.read_text()).body
    if cls is not None:
        body = next(n.body for n in body if isinstance(n, ast.ClassDef) and n.name == cls)
    found = {}
    for f in body:
        if isinstance(f, ast.FunctionDef) and not f.name.startswith("_"):
            names = {a.arg for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs)}
            # Named dimensions are no part of this package.
            if "Dimname" not in ast.unparse(f.args):
                found[f.name] = found.get(f.name, set()) | names
    return found


@needs_torch
@pytest.mark.parametrize("owner,file,cls", [(wengert, "_VariableFunctions.pyi", None), (wengert.Tensor, "__init__.pyi", "TensorBase")])
def test_native_functions_take_pytorchs_parameters(owner, file, cls):
    stub = pathlib.Path(torch.__file__).parent / "_C" / file
    if not stub.exists():
        pytest.skip("this PyTorch has no stubs")
    allowed = {name: set(names.split()) for group, names in NATIVE.items() for name in group.split()}
    wrong, seen = {}, 0
    for name, theirs in overloads(stub, cls).items():
        mine = parameters(getattr(owner, name, None))
        if mine is None or any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in mine.values()):
            continue
        seen += 1
        # `wengert.relu_` is the method.
        missing = theirs - set(mine) - UNUSED - ({"input"} if "self" in mine else set()) - allowed.get(name, set())
        if missing:
            wrong[name] = missing
    assert seen > 300
    assert not wrong, sorted(wrong.items())
