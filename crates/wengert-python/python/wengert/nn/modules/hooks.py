"""Functions that are called around modules."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any, Callable, Iterator

from wengert import _C
from wengert._C import Tensor


class RemovableHandle:
    """Removes a hook again: by `remove()`, or at the end of a `with` block."""

    _count = 0

    def __init__(self, hooks: dict, *beside: dict) -> None:
        self.id = RemovableHandle._count
        RemovableHandle._count += 1
        self._dicts = (hooks, *beside)

    def remove(self) -> None:
        """From now on the hook is no longer called."""
        for hooks in self._dicts:
            hooks.pop(self.id, None)

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, *_: Any) -> None:
        self.remove()


def _add_hook(hooks: dict, hook: Callable, prepend: bool = False, flags: tuple = ()) -> RemovableHandle:
    """Adds a hook, and its number to each dict of flags whose flag is set."""
    handle = RemovableHandle(hooks, *(d for d, _ in flags))
    hooks[handle.id] = hook
    for numbers, on in flags:
        if on:
            numbers[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _gate(tensors: list, seen: Callable) -> list:
    """The same tensors, whose gradients `seen` gets all at once in the backward pass and may replace."""
    if len(tensors) == 1:
        gate = tensors[0].clone()
        gate.register_hook(lambda g: (seen((g,)) or (None,))[0])
        return [gate]
    # One tensor must carry all gradients, for a hook on each would see them one after the other.
    sizes = [t.numel() for t in tensors]
    joined = _C.cat([t.reshape(-1) for t in tensors])

    def hook(grad: Tensor) -> Tensor | None:
        parts = grad.split(sizes)
        new = seen(tuple(g.reshape(t.shape) for g, t in zip(parts, tensors)))
        return None if new is None else _C.cat([g.reshape(-1) for g in new])

    joined.register_hook(hook)
    return [part.reshape(t.shape) for part, t in zip(joined.split(sizes), tensors)]


def _tensors_in(value: Any) -> list:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in _tensors_in(v)]
    if isinstance(value, dict):
        return [t for v in value.values() for t in _tensors_in(v)]
    return []


def _put_tensors(value: Any, tensors: Iterator) -> Any:
    if isinstance(value, Tensor):
        return next(tensors)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_put_tensors(v, tensors) for v in value))
    if isinstance(value, (list, tuple)):
        return type(value)(_put_tensors(v, tensors) for v in value)
    if isinstance(value, dict):
        return type(value)((k, _put_tensors(v, tensors)) for k, v in value.items())
    return value


class _BackwardHooks:
    """One call of a module whose backward hooks wait for the gradients of its results and arguments."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.before = list(module._backward_pre_hooks.values())
        self.after = list(module._backward_hooks.values())
        self.grad_output: tuple = ()
        self.slots: list | None = None
        self.count = 0

    def enter(self, args: tuple) -> tuple:
        tensors = list(args)
        wanted = [i for i, t in enumerate(tensors) if isinstance(t, Tensor) and t.requires_grad]
        self.count = len(tensors)
        if wanted and self.after and _C.is_grad_enabled():
            self.slots = wanted
            for i, gate in zip(wanted, _gate([tensors[i] for i in wanted], self._inputs)):
                tensors[i] = gate
        return tuple(tensors)

    def leave(self, result: Any) -> Any:
        tensors = _tensors_in(result)
        wanted = [i for i, t in enumerate(tensors) if t.requires_grad]
        if not wanted:
            return result

        def outputs(grads: tuple) -> tuple | None:
            full: list = [None] * len(tensors)
            for i, g in zip(wanted, grads):
                full[i] = g
            changed = False
            for hook in self.before:
                new = hook(self.module, tuple(full))
                if new is not None:
                    full = list(new) if isinstance(new, (tuple, list)) else [new]
                    changed = True
            self.grad_output = tuple(full)
            if self.slots is None and self.after:
                self._run((None,) * self.count)
            return tuple(full[i] for i in wanted) if changed else None

        for i, gate in zip(wanted, _gate([tensors[i] for i in wanted], outputs)):
            tensors[i] = gate
        return _put_tensors(result, iter(tensors))

    def _run(self, grads: tuple) -> tuple | None:
        changed = False
        for hook in self.after:
            new = hook(self.module, grads, self.grad_output)
            if new is not None:
                grads = tuple(new) if isinstance(new, (tuple, list)) else (new,)
                changed = True
        return grads if changed else None

    def _inputs(self, grads: tuple) -> tuple | None:
        full: list = [None] * self.count
        for i, g in zip(self.slots or (), grads):
            full[i] = g
        new = self._run(tuple(full))
        return None if new is None else tuple(new[i] for i in self.slots or ())


# Hooks on every module.
_pre_hooks: OrderedDict = OrderedDict()
_post_hooks: OrderedDict = OrderedDict()


class _GlobalHandle(RemovableHandle):
    def remove(self) -> None:
        super().remove()
        if not _pre_hooks and not _post_hooks:
            Hooked._hooked = False


def _global(hooks: OrderedDict, hook: Callable) -> RemovableHandle:
    handle = _GlobalHandle(hooks)
    hooks[handle.id] = hook
    Hooked._hooked = True
    return handle


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(module, args)` before the `forward` of every module."""
    return _global(_pre_hooks, hook)


def register_module_forward_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(module, args, result)` after the `forward` of every module."""
    return _global(_post_hooks, hook)


class Hooked:
    """The part of `Module` that calls hooks."""

    # Of the class while hooks on every module are there, of a module that ever had one for good.
    _hooked: bool = False

    # `forward`, by way of `_call_with_hooks` where `_hooked` says so.
    __call__ = _C._call_layer

    def _call_with_hooks(self, args: tuple, kwargs: dict) -> Any:
        for number, hook in [*_pre_hooks.items(), *self._forward_pre_hooks.items()]:
            if number in self._forward_pre_hooks_with_kwargs:
                new = hook(self, args, kwargs)
                if new is not None:
                    if not (isinstance(new, tuple) and len(new) == 2):
                        raise RuntimeError(
                            "a forward pre-hook with kwargs must return None or a pair of args and kwargs, "
                            f"and returned {new!r}"
                        )
                    args, kwargs = new
            else:
                new = hook(self, args)
                if new is not None:
                    args = new if isinstance(new, tuple) else (new,)
        backward = None
        if self._backward_hooks or self._backward_pre_hooks:
            backward = _BackwardHooks(self)
            args = backward.enter(args)
        called: set = set()
        result = None
        try:
            result = self.forward(*args, **kwargs)
            for number, hook in [*_post_hooks.items(), *self._forward_hooks.items()]:
                called.add(number)
                if number in self._forward_hooks_with_kwargs:
                    new = hook(self, args, kwargs, result)
                else:
                    new = hook(self, args, result)
                if new is not None:
                    result = new
        except Exception:
            for number in self._forward_hooks_always_called:
                hook = self._forward_hooks.get(number)
                if hook is not None and number not in called:
                    extra = (kwargs,) if number in self._forward_hooks_with_kwargs else ()
                    hook(self, args, *extra, result)
            raise
        return result if backward is None else backward.leave(result)

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args)` before each `forward`; what it returns, if anything, replaces the arguments."""
        self.__dict__["_hooked"] = True
        return _add_hook(
            self._forward_pre_hooks, hook, prepend, ((self._forward_pre_hooks_with_kwargs, with_kwargs),)
        )

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args, result)` after each `forward`; what it returns, if anything, is the result."""
        self.__dict__["_hooked"] = True
        return _add_hook(
            self._forward_hooks,
            hook,
            prepend,
            ((self._forward_hooks_with_kwargs, with_kwargs), (self._forward_hooks_always_called, always_call)),
        )

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_input, grad_output)` when the gradients of the arguments are known.

        What it returns, if anything, goes on in place of `grad_input`.
        """
        self.__dict__["_hooked"] = True
        return _add_hook(self._backward_hooks, hook, prepend)

    register_backward_hook = register_full_backward_hook

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_output)` when the gradients of the results are known, and may replace them."""
        self.__dict__["_hooked"] = True
        return _add_hook(self._backward_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata)` after `state_dict` has gathered this module."""
        return _add_hook(self._state_dict_hooks, hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(module, prefix, keep_vars)` before `state_dict` gathers this module."""
        return _add_hook(self._state_dict_pre_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected, errors)` before loading."""
        return _add_hook(self._load_state_dict_pre_hooks, functools.partial(hook, self))

    def _register_load_state_dict_pre_hook(self, hook: Callable, with_module: bool = False) -> RemovableHandle:
        return _add_hook(self._load_state_dict_pre_hooks, functools.partial(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(module, incompatible_keys)` after loading."""
        return _add_hook(self._load_state_dict_post_hooks, hook)
