"""Structures of tensors: tuples, lists, dicts and named tuples, nested to any depth."""

from . import _C


def flatten(tree):
    """The leaves of `tree` in order, and what `unflatten` needs to put others in their places."""
    leaves = []
    return leaves, _walk(tree, leaves)


def _walk(tree, leaves):
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree), "named", [_walk(part, leaves) for part in tree]
    if isinstance(tree, (tuple, list)):
        return type(tree), "sequence", [_walk(part, leaves) for part in tree]
    if isinstance(tree, dict):
        return type(tree), list(tree), [_walk(part, leaves) for part in tree.values()]
    if tree is None:
        return None
    leaves.append(tree)
    return "leaf"


def unflatten(leaves, spec):
    """The structure with these leaves in it."""
    return _build(iter(leaves), spec)


def _build(leaves, spec):
    if spec is None:
        return None
    if spec == "leaf":
        return next(leaves)
    kind, keys, parts = spec
    parts = [_build(leaves, part) for part in parts]
    if keys == "named":
        return kind(*parts)
    if keys == "sequence":
        return kind(parts)
    return kind(zip(keys, parts))


def tree_map(function, tree):
    """The structure with `function` of each leaf in its place."""
    leaves, spec = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], spec)


def tensors_of(tree, name, what):
    """The leaves of `tree`, all of which must be tensors."""
    leaves, spec = flatten(tree)
    for leaf in leaves:
        if not isinstance(leaf, _C.Tensor):
            raise TypeError(f"{name}: {what} must be made of tensors, and has a {type(leaf).__name__}")
    return leaves, spec


def spread(part, spec, name):
    """`part`, which may stand for whole branches of the structure `spec`, as one entry for each of its leaves."""
    if spec is None:
        return []
    if spec == "leaf":
        return [part]
    kind, keys, parts = spec
    if part is None or isinstance(part, int):
        return [entry for branch in parts for entry in spread(part, branch, name)]
    if isinstance(part, dict):
        part = [part[key] for key in keys]
    if not isinstance(part, (tuple, list)) or len(part) != len(parts):
        raise ValueError(f"{name} does not have the structure of what it belongs to")
    return [entry for one, branch in zip(part, parts) for entry in spread(one, branch, name)]
