"""The state of modules: what is saved, and how it is loaded."""

from __future__ import annotations

import difflib
from collections import OrderedDict, namedtuple
from typing import Any

from wengert import _C
from wengert._C import Tensor
from wengert._modes import no_grad

from ..parameter import Parameter


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` reports: the names that did not match."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


def _as_tensor(value: Any) -> Tensor | None:
    """A value of a state dict as a tensor: PyTorch's tensors and NumPy's arrays are welcome there too."""
    if isinstance(value, Tensor):
        return value
    # Its owner may change it later: a copy is taken, and of the copy the memory is shared.
    if hasattr(value, "detach"):
        value = value.detach().clone()
    elif hasattr(value, "__array__") and hasattr(value, "copy"):
        value = value.copy()
    if hasattr(value, "__dlpack__"):
        try:
            return _C.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError, ValueError):
            pass
    if hasattr(value, "__array__") or isinstance(value, (int, float, bool, list)):
        return _C.as_tensor(value)
    return None


def _type_name(value: Any) -> str:
    cls = type(value)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def _shape(t: Any) -> str:
    return f"[{', '.join(map(str, t.shape))}]"


def _nearest(name: str, among: list) -> str:
    near = difflib.get_close_matches(name, among, 1, 0.75)
    return f" (near {near[0]!r})" if near else ""


class Stateful:
    """The part of `Module` that gives and takes state."""

    _version: int = 1

    def get_extra_state(self) -> Any:
        """State beside parameters and buffers, for `state_dict`; subclasses may define it."""
        raise RuntimeError("a module that defines set_extra_state must define get_extra_state too")

    def set_extra_state(self, state: Any) -> None:
        """Takes what `get_extra_state` gave."""
        raise RuntimeError("a module that defines get_extra_state must define set_extra_state too")

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        for name, param in self._parameters.items():
            if param is not None:
                destination[prefix + name] = param if keep_vars else param.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buffer if keep_vars else buffer.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + "_extra_state"] = self.get_extra_state()

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """The values of parameters and persistent buffers by their dotted names, in PyTorch's layout."""
        if args:
            destination, prefix, keep_vars = (*args, *(destination, prefix, keep_vars)[len(args) :])
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=prefix + name + ".", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            new = hook(self, destination, prefix, metadata)
            destination = destination if new is None else new
        return destination

    def _load_from_state_dict(
        self,
        state_dict: dict,
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list,
        unexpected_keys: list,
        error_msgs: list,
    ) -> None:
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        buffers = {k: v for k, v in self._buffers.items() if k not in self._non_persistent_buffers_set}
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, target in [*self._parameters.items(), *buffers.items()]:
            if target is None:
                continue
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            value = _as_tensor(state_dict[key])
            if value is None:
                error_msgs.append(
                    f'While copying the parameter named "{key}", expected a tensor but received {_type_name(state_dict[key])}'
                )
                continue
            if value.shape != target.shape:
                error_msgs.append(
                    f"size mismatch for {key}: copying a param with shape {_shape(value)} from checkpoint, "
                    f"the shape in current model is {_shape(target)}."
                )
                continue
            with no_grad():
                if not assign:
                    target.copy_(value.detach())
                elif name in self._parameters:
                    if not isinstance(value, Parameter):
                        value = Parameter(value, requires_grad=target.requires_grad)
                    self._parameters[name] = value
                else:
                    self._buffers[name] = value
        key = prefix + "_extra_state"
        if type(self).set_extra_state is not Stateful.set_extra_state:
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing_keys.append(key)
        elif strict and key in state_dict:
            unexpected_keys.append(key)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != prefix + "_extra_state":
                    first, _, rest = key[len(prefix) :].partition(".")
                    known = first in self._modules if rest else first in self._parameters or first in buffers
                    if not known:
                        unexpected_keys.append(key)

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> _IncompatibleKeys:
        """Copies the values of a state dict into parameters and buffers.

        Values may be tensors of this package or of PyTorch, or NumPy arrays. With `strict`, names must match
        exactly; the error lists all that is missing or unexpected, with the nearest names that are there.
        """
        if not hasattr(state_dict, "items"):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)
        if metadata is not None:
            state_dict._metadata = metadata
        missing: list = []
        unexpected: list = []
        errors: list = []

        def load(module: Any, state: dict, prefix: str) -> None:
            local = dict((metadata or {}).get(prefix[:-1], {}))
            if assign:
                local["assign_to_params_buffers"] = True
            module._load_from_state_dict(state, prefix, local, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    start = prefix + name + "."
                    load(child, {k: v for k, v in state.items() if k.startswith(start)}, start)
            found = _IncompatibleKeys(missing, unexpected)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, found) is not None:
                    raise AssertionError("a hook after load_state_dict must change the report in place, not return one")

        load(self, state_dict, "")
        if strict:
            names = list(self.state_dict(keep_vars=True))
            if unexpected:
                listed = ", ".join(f'"{k}"{_nearest(k, missing or names)}' for k in unexpected)
                errors.insert(0, f"Unexpected key(s) in state_dict: {listed}. ")
            if missing:
                listed = ", ".join(f'"{k}"{_nearest(k, unexpected)}' for k in missing)
                errors.insert(0, f"Missing key(s) in state_dict: {listed}. ")
        if errors:
            raise RuntimeError(
                "Error(s) in loading state_dict for {}:\n\t{}".format(type(self).__name__, "\n\t".join(errors))
            )
        return _IncompatibleKeys(missing, unexpected)
