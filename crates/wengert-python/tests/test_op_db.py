"""No operator that agreed with PyTorch on its samples may stop doing so."""

import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("torch.testing._internal.common_methods_invocations")

import op_db  # noqa: E402


@pytest.mark.parametrize("complex_numbers", [False, True], ids=["real", "complex"])
def test_operators_still_agree_with_pytorch(capsys, complex_numbers):
    expected = op_db.expected(op_db.EXPECTED_COMPLEX if complex_numbers else op_db.EXPECTED)
    assert expected, "the list of what must pass is missing"
    only = "^(" + "|".join(sorted({re.escape(name.split("[")[0]) for name in expected})) + ")$" if complex_numbers else None
    outcomes = {o.name: o for o in op_db.run(only, cap=8 if complex_numbers else op_db.CAP, complex_numbers=complex_numbers)}
    with capsys.disabled():
        print("\n" + op_db.summary(list(outcomes.values())))
    assert not [name for name in op_db.ABSENT if name in outcomes and not outcomes[name].missing], "these are here"
    # A newer PyTorch may have fewer samples of an operator: then those must pass.
    worse = [
        f"{name}: {o.passed} of {o.passed + o.failed} pass, and {least} did: {o.notes[:1]}"
        for name, least in expected.items()
        if (o := outcomes.get(name)) is not None and (o.missing or (o.failed and o.passed < least))
    ]
    assert not worse, "\n".join(worse)


def test_operators_agree_where_float64_is_the_default():
    import torch

    import wengert

    for module in (torch, wengert):
        module.set_default_dtype(module.float64)
    try:
        outcomes = {o.name: o for o in op_db.run(None, cap=1, gradients=False)}
    finally:
        for module in (torch, wengert):
            module.set_default_dtype(module.float32)
    worse = [f"{o.name}: {o.notes[:1]}" for name in op_db.expected() if (o := outcomes.get(name)) is not None and o.failed]
    assert len(outcomes) > 400 and not worse, "\n".join(worse)
