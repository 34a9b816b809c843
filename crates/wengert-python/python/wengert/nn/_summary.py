"""A model as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from wengert import _C
from wengert._C import Tensor
from wengert._modes import no_grad

from .modules.module import Module


@dataclass
class Row:
    """A module in a `Summary`."""

    name: str
    kind: str
    depth: int
    output: list = field(default_factory=list)
    """Shapes of the tensors that came out."""
    parameters: int = 0
    """Of the module itself, not of those within it; one that stands in several places counts where it comes first."""
    bytes: int = 0
    flops: int = 0
    """Of the module and of those within it."""
    calls: int = 0


@dataclass
class Summary:
    """What a model consists of; as text, a table."""

    rows: list
    total_params: int
    trainable_params: int
    total_bytes: int
    total_flops: int | None

    def __str__(self) -> str:
        head = ["layer", "kind", "output", "parameters", "bytes", "FLOPs"]
        lines = [head]
        for row in self.rows:
            shapes = ", ".join(str(shape) for shape in row.output) or "-"
            flops = "-" if self.total_flops is None or not row.calls else f"{row.flops:,}"
            name = "  " * row.depth + (row.name or "(model)")
            lines.append([name, row.kind, shapes, f"{row.parameters:,}", f"{row.bytes:,}", flops])
        widths = [max(len(line[c]) for line in lines) for c in range(len(head))]
        text = ""
        for line in lines:
            cells = [cell.ljust(w) if c < 3 else cell.rjust(w) for c, (cell, w) in enumerate(zip(line, widths))]
            text += "  ".join(cells).rstrip() + "\n"
        text += f"{self.total_params:,} parameters, of which {self.trainable_params:,} are trained; {self.total_bytes:,} bytes"
        return text if self.total_flops is None else f"{text}; {self.total_flops:,} FLOPs"

    __repr__ = __str__


def _shapes(result: Any) -> list:
    if isinstance(result, Tensor):
        return [list(result.shape)]
    if isinstance(result, dict):
        result = list(result.values())
    return [shape for part in result for shape in _shapes(part)] if isinstance(result, (list, tuple)) else []


def summary(model: Module, input_size: Any = None, input_data: Any = None, dtypes: Any = None, **arguments: Any) -> Summary:
    """The modules of a model, with the shapes of what comes out, parameters, bytes, and floating-point operations.

    `input_data` are the arguments of `forward` (a tensor, or a tuple or dict of arguments), or `input_size` is the shape of
    its one argument, or a list of such shapes, for zeros of `dtypes`; `arguments` go to `forward` too. Without
    either only what is known without running the model is shown. The model is run in evaluation mode, without recording.

    Products, convolutions and attention count as FLOPs, and a multiplication with an addition as two: the count of
    `wengert.utils.flop_counter`.

    >>> import wengert
    >>> from wengert import nn
    >>> nn.summary(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)), (5, 64))
    layer    kind        output   parameters  bytes   FLOPs
    (model)  Sequential  [5, 10]           0      0  23,680
      0      Linear      [5, 32]       2,080  8,320  20,480
      1      ReLU        [5, 32]           0      0       0
      2      Linear      [5, 10]         330  1,320   3,200
    2,410 parameters, of which 2,410 are trained; 9,640 bytes; 23,680 FLOPs
    """
    rows, seen = {}, set()
    total = trained = size = 0
    for name, module in model.named_modules():
        row = Row(name.rpartition(".")[2], type(module).__name__, name.count(".") + 1 if name else 0)
        own = [(p, True) for p in module.parameters(recurse=False)] + [(b, False) for b in module.buffers(recurse=False)]
        for tensor, is_parameter in own:
            if id(tensor) in seen:
                continue
            seen.add(id(tensor))
            bytes_ = tensor.numel() * tensor.element_size()
            row.bytes += bytes_
            size += bytes_
            if is_parameter:
                row.parameters += tensor.numel()
                total += tensor.numel()
                trained += tensor.numel() if tensor.requires_grad else 0
        rows[module] = row
    flops = None
    if input_data is not None or input_size is not None or arguments:
        positional, named = _example(input_size, input_data, dtypes)
        flops = _run(model, rows, lambda: model(*positional, **{**named, **arguments}))
    return Summary(list(rows.values()), total, trained, size, flops)


def _example(input_size: Any, input_data: Any, dtypes: Any) -> tuple[tuple, dict]:
    """The arguments of `forward`."""
    if input_data is not None:
        if isinstance(input_data, dict):
            return (), input_data
        return (tuple(input_data) if isinstance(input_data, (list, tuple)) else (input_data,)), {}
    if input_size is None:
        return (), {}
    sizes = [input_size] if all(isinstance(n, int) for n in input_size) else list(input_size)
    kinds = dtypes if isinstance(dtypes, (list, tuple)) else [dtypes] * len(sizes)
    return tuple(_C.zeros(size, dtype=kind) for size, kind in zip(sizes, kinds)), {}


def _run(model: Module, rows: dict, forward: Callable[[], Any]) -> int:
    """Runs the model with a hook on each module; its FLOPs."""
    watch = _C._Watch()
    begun: list = []

    def before(module: Module, _: Any) -> None:
        begun.append(watch.count())

    def after(module: Module, _: Any, result: Any) -> None:
        row = rows[module]
        row.output = _shapes(result)
        row.flops += sum(flops for _, _, flops in watch.operations(begun.pop()))
        row.calls += 1

    handles = [hook for m in rows for hook in (m.register_forward_pre_hook(before), m.register_forward_hook(after))]
    modes = {module: module.training for module in rows}
    generator = _C.get_rng_state()
    try:
        model.eval()
        with no_grad():
            forward()
        return sum(flops for _, _, flops in watch.operations())
    finally:
        _C.set_rng_state(generator)
        watch.stop()
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
