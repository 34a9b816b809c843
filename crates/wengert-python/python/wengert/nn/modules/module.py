"""The base of all layers and models."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections import OrderedDict, namedtuple
from typing import Any, Callable, Iterator

from wengert import _C
from wengert._C import Tensor
from wengert._modes import no_grad

from ..parameter import Buffer, Parameter

_REGISTRIES = ("_parameters", "_buffers", "_modules")


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` reports: the names that did not match."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


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

    def __init__(self, module: "Module") -> None:
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


class Module:
    """A layer, a model, or a part of one.

    Subclasses call `super().__init__()`, keep parameters, buffers and further modules as attributes, and
    define `forward`. Parameters are found through attributes, under their dotted names.

    >>> from wengert import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nn.Linear(2, 16)
    ...         self.head = nn.Linear(16, 1)
    ...     def forward(self, x):
    ...         return self.head(self.hidden(x).relu())
    >>> [name for name, _ in Net().named_parameters()]
    ['hidden.weight', 'hidden.bias', 'head.weight', 'head.bias']
    """

    dump_patches: bool = False
    _version: int = 1
    training: bool
    call_super_init: bool = False
    _hooked: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            given = f"{len(args)} positional" if args else f"keyword {next(iter(kwargs))!r}"
            raise TypeError(f"{type(self).__name__}.__init__() passes arguments ({given}) on to Module, which takes none")
        put = super().__setattr__
        put("training", True)
        for name in ("_parameters", "_buffers", "_modules"):
            put(name, {})
        put("_non_persistent_buffers_set", set())
        for name in (
            "_forward_hooks",
            "_forward_pre_hooks",
            "_backward_hooks",
            "_backward_pre_hooks",
            "_state_dict_hooks",
            "_state_dict_pre_hooks",
            "_load_state_dict_pre_hooks",
            "_load_state_dict_post_hooks",
            "_forward_hooks_with_kwargs",
            "_forward_pre_hooks_with_kwargs",
            "_forward_hooks_always_called",
        ):
            put(name, OrderedDict())
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # Calling.

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The result; every subclass defines it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not (self._hooked or _global_hooks):
            return self.forward(*args, **kwargs)
        return self._call_with_hooks(args, kwargs)

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

    # Attributes.

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for registry in _REGISTRIES:
            held = own.get(registry)
            if held is not None and name in held:
                return held[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        parameters = own.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_parameters")
            self.register_parameter(name, value)
            return
        if isinstance(value, Module):
            if parameters is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, "_modules")
            own["_modules"][name] = value
            return
        if parameters is not None:
            if name in parameters:
                if value is not None:
                    raise TypeError(
                        f"cannot assign {_type_name(value)!r} as parameter {name!r} (wengert.nn.Parameter or None expected)"
                    )
                parameters[name] = None
                return
            if name in own["_modules"]:
                if value is not None:
                    raise TypeError(
                        f"cannot assign {_type_name(value)!r} as child module {name!r} (wengert.nn.Module or None expected)"
                    )
                own["_modules"][name] = None
                return
            if isinstance(value, Buffer):
                self._forget(name, "_buffers")
                self.register_buffer(name, value, value.persistent)
                return
            if name in own["_buffers"]:
                if value is not None and not isinstance(value, Tensor):
                    raise TypeError(
                        f"cannot assign {_type_name(value)!r} as buffer {name!r} (wengert.Tensor or None expected)"
                    )
                own["_buffers"][name] = value
                return
        super().__setattr__(name, value)

    def _forget(self, name: str, but: str) -> None:
        """A name has one meaning: drops it from wherever else it stands."""
        own = self.__dict__
        own.pop(name, None)
        for registry in _REGISTRIES:
            if registry != but:
                own[registry].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        for registry in _REGISTRIES:
            if name in self.__dict__.get(registry, ()):
                del self.__dict__[registry][name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list:
        names = set(super().__dir__())
        for registry in _REGISTRIES:
            names.update(self.__dict__.get(registry, ()))
        return sorted(n for n in names if not n[0].isdigit())

    def _check_name(self, kind: str, name: str, registry: dict) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_type_name(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in registry:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter; the same as `self.name = param`, and `None` reserves the name."""
        self._check_name("parameter", name, self.__dict__.get("_parameters", {}))
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign {_type_name(param)!r} object to parameter {name!r} "
                    "(wengert.nn.Parameter or None required)"
                )
            if not param.is_leaf:
                raise ValueError(
                    f"cannot assign a result with a history to parameter {name!r}: parameters must be leaves. "
                    "To compute it from another tensor, do so in forward()"
                )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that belongs to the state but is not trained. One that is not persistent is not saved."""
        self._check_name("buffer", name, self.__dict__.get("_buffers", {}))
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign {_type_name(tensor)!r} object to buffer {name!r} (wengert.Tensor or None required)"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: "Module | None") -> None:
        """Adds a module within this one; the same as `self.name = module`."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_type_name(module)} is not a Module subclass")
        self._check_name("module", name, self.__dict__.get("_modules", {}))
        self._modules[name] = module

    register_module = add_module

    def _walk(self, target: str, what: str) -> "Module":
        module = self
        for part in target.split(".") if target else ():
            if not hasattr(module, part):
                raise AttributeError(f"{module._get_name()} has no attribute `{part}`")
            module = getattr(module, part)
            if not isinstance(module, Module):
                raise AttributeError(f"`{part}` is not {what}")
        return module

    def get_submodule(self, target: str) -> "Module":
        """The module of this dotted name."""
        return self._walk(target, "an nn.Module")

    def set_submodule(self, target: str, module: "Module", strict: bool = False) -> None:
        """Puts a module in the place of the one of this dotted name."""
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of this dotted name."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        param = getattr(module, name)
        if not isinstance(param, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return param

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of this dotted name."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return module._buffers[name]

    # Lists of parts.

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, "Module"]]:
        """This module and all within it, with their dotted names."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, prefix + ("." if prefix else "") + name, remove_duplicate)

    def modules(self) -> Iterator["Module"]:
        """This module and all within it."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly within this one, with their names."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator["Module"]:
        """The modules directly within this one."""
        for _, module in self.named_children():
            yield module

    def _named_members(
        self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in getattr(module, registry).items():
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield path + ("." if path else "") + name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names; one that is used twice is listed once."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted names."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    # Changing all of it.

    def apply(self, fn: Callable[["Module"], Any]) -> "Module":
        """Calls `fn` with every module within this one, and then with this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Module":
        if recurse:
            for module in self.children():
                module._apply(fn)
        for param in self._parameters.values():
            if param is None:
                continue
            grad = param.grad
            param.grad = None
            with no_grad():
                param.data = fn(param.data)
                if grad is not None:
                    param.grad = fn(grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                with no_grad():
                    self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> "Module":
        """Converts floating-point parameters and buffers to a dtype, or moves all of them to a device, in place."""
        dtype = kwargs.pop("dtype", None)
        device = kwargs.pop("device", None)
        for arg in args:
            if isinstance(arg, Tensor):
                dtype, device = arg.dtype, arg.device
            elif isinstance(arg, _C.dtype):
                dtype = arg
            elif arg is not None and not isinstance(arg, bool):
                device = arg
        if dtype is not None and not dtype.is_floating_point and not dtype.is_complex:
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )

        def convert(t: Tensor) -> Tensor:
            if dtype is not None and (t.is_floating_point() or t.is_complex()):
                t = t.to(dtype)
            return t if device is None else t.to(device)

        return self._apply(convert)

    def type(self, dst_type: Any) -> "Module":
        """Converts all parameters and buffers to a dtype, in place."""
        return self._apply(lambda t: t.to(dst_type))

    def _to_float(self, dtype: Any) -> "Module":
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self) -> "Module":
        """Converts floating-point parameters and buffers to float32."""
        return self._to_float(_C.float32)

    def double(self) -> "Module":
        """Converts floating-point parameters and buffers to float64."""
        return self._to_float(_C.float64)

    def half(self) -> "Module":
        """Converts floating-point parameters and buffers to float16."""
        return self._to_float(_C.float16)

    def bfloat16(self) -> "Module":
        """Converts floating-point parameters and buffers to bfloat16."""
        return self._to_float(_C.bfloat16)

    def cpu(self) -> "Module":
        """Moves parameters and buffers to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: Any = None) -> "Module":
        """Moves parameters and buffers to a CUDA device."""
        return self.to("cuda" if device is None else device)

    def train(self, mode: bool = True) -> "Module":
        """Says whether the model is being trained, which dropout and batch norms want to know."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> "Module":
        """The same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> "Module":
        """Says whether the parameters are trained; `False` freezes them."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters."""
        for param in self.parameters():
            if param.grad is None:
                continue
            param.grad = None if set_to_none else _C.zeros_like(param.grad.detach())

    def share_memory(self) -> "Module":
        """Does nothing: threads may share models as they are."""
        return self

    def compile(self, *_: Any, **__: Any) -> None:
        """Does nothing: there is no compiler, and results are the same."""

    # State.

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
        if type(self).get_extra_state is not Module.get_extra_state:
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
        if type(self).set_extra_state is not Module.set_extra_state:
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

        def load(module: Module, state: dict, prefix: str) -> None:
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

    def __getstate__(self) -> dict:
        return self.__dict__.copy()

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)

    # Printing.

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses when the module is printed."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        name = self._get_name()
        if not children and len(lines) <= 1:
            return f"{name}({extra})"
        return name + "(\n  " + "\n  ".join(lines + children) + "\n)"


def _type_name(value: Any) -> str:
    cls = type(value)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def _shape(t: Any) -> str:
    return f"[{', '.join(map(str, t.shape))}]"


def _nearest(name: str, among: list) -> str:
    near = difflib.get_close_matches(name, among, 1, 0.75)
    return f" (near {near[0]!r})" if near else ""


# Hooks on every module.
_pre_hooks: OrderedDict = OrderedDict()
_post_hooks: OrderedDict = OrderedDict()
_global_hooks: list = []


class _GlobalHandle(RemovableHandle):
    def remove(self) -> None:
        super().remove()
        if not _pre_hooks and not _post_hooks:
            _global_hooks.clear()


def _global(hooks: OrderedDict, hook: Callable) -> RemovableHandle:
    handle = _GlobalHandle(hooks)
    hooks[handle.id] = hook
    _global_hooks[:] = [True]
    return handle


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(module, args)` before the `forward` of every module."""
    return _global(_pre_hooks, hook)


def register_module_forward_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(module, args, result)` after the `forward` of every module."""
    return _global(_post_hooks, hook)


class _Options(Module):
    """A layer that calls one function of `nn.functional` with the options it was made with.

    `fn` names the function; it is looked up when the layer is called. `options` are the constructor's
    arguments with their defaults, kept as attributes; those in `_unused` are not the function's, those in
    `_hidden` are printed only when they are not the default, those in `_silent` never, as in PyTorch.
    """

    _fn: str = ""
    _names: tuple = ()
    _hidden: tuple = ("inplace",)
    _silent: tuple = ()
    _unused: tuple = ("inplace",)

    def __init_subclass__(cls, fn: str | None = None, options: dict | None = None, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if fn is not None:
            cls._fn = fn
        if options is not None:
            cls._names = tuple(options)
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            cls.__signature__ = inspect.Signature(
                [
                    inspect.Parameter(name, kind, default=inspect.Parameter.empty if d is ... else d)
                    for name, d in options.items()
                ]
            )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        try:
            bound = self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}.__init__() {error}") from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            setattr(self, name, value)

    def _kwargs(self) -> dict:
        return {name: getattr(self, name) for name in self._names if name not in self._unused}

    def forward(self, *inputs: Any) -> Any:
        """Applies the function."""
        return getattr(_functional(), self._fn)(*inputs, **self._kwargs())

    def extra_repr(self) -> str:
        parameters = self.__signature__.parameters
        shown = []
        for name in self._names:
            value = getattr(self, name)
            if name in self._silent:
                continue
            if name not in self._hidden or value != parameters[name].default:
                shown.append(f"{name}={value!r}" if isinstance(value, str) else f"{name}={value}")
        return ", ".join(shown)


@functools.cache
def _functional() -> Any:
    from wengert.nn import functional

    return functional
