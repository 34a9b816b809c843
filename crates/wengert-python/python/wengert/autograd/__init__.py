"""Gradients."""

from .._C import grad, is_grad_enabled  # noqa: F401
from . import functional  # noqa: F401
from .._modes import enable_grad, inference_mode, no_grad, set_grad_enabled  # noqa: F401


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Adds the gradients of `tensors` to those of the leaves they were made from."""
    if not isinstance(tensors, (list, tuple)):
        tensors = [tensors]
    if not isinstance(grad_tensors, (list, tuple)):
        grad_tensors = [grad_tensors] * len(tensors)
    if len(grad_tensors) != len(tensors):
        raise ValueError(f"{len(tensors)} tensors and {len(grad_tensors)} grad_tensors")
    last = len(tensors) - 1
    for i, (y, dy) in enumerate(zip(tensors, grad_tensors)):
        keep = True if i < last else retain_graph
        y.backward(dy, retain_graph=keep, create_graph=create_graph, inputs=inputs)
