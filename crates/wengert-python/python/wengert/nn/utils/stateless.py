"""Modules as functions of their parameters."""

from __future__ import annotations

from typing import Any


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Calls a module with these tensors in place of the parameters and buffers of the same names."""
    given: dict = {}
    dicts = parameter_and_buffer_dicts
    for d in [dicts] if isinstance(dicts, dict) else dicts:
        if given.keys() & d.keys():
            raise ValueError(f"{sorted(given.keys() & d.keys())} appeared in multiple dictionaries")
        given.update(d)
    places: dict = {}
    for path, sub in module.named_modules(remove_duplicate=False):
        for registry in (sub._parameters, sub._buffers):
            for name, value in registry.items():
                places[(path + "." if path else "") + name] = (registry, name, value)
    unknown = [name for name in given if name not in places]
    missing = [name for name, (_, _, value) in places.items() if value is not None and name not in given]
    if unknown or (strict and missing):
        raise RuntimeError(f"Unexpected key(s): {unknown}." if unknown else f"Missing key(s): {missing}.")
    new = {}
    for name, tensor in given.items():
        places_of = [name]
        if tie_weights:
            same = places[name][2]
            places_of += [n for n, (_, _, v) in places.items() if v is same and same is not None and n not in given]
        for n in places_of:
            new[n] = tensor
    try:
        for name, tensor in new.items():
            registry, key, _ = places[name]
            registry[key] = tensor
        if args is None:
            args = ()
        elif not isinstance(args, tuple):
            args = (args,)
        return module(*args, **(kwargs or {}))
    finally:
        for name in new:
            registry, key, value = places[name]
            registry[key] = value
