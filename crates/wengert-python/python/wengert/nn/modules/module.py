"""The base of all layers and models."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Callable, Iterator

from wengert import _C
from wengert._C import Tensor
from wengert._modes import no_grad

from ..parameter import Buffer, Parameter
from .hooks import (  # noqa: F401
    Hooked,
    RemovableHandle,
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from .state import Stateful, _type_name

_REGISTRIES = ("_parameters", "_buffers", "_modules")


class Module(Hooked, Stateful):
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
    training: bool
    call_super_init: bool = False

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
