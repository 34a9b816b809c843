"""Tables of models, and counted operations, which are as many as PyTorch counts."""

import pytest
import wengert
from beside import needs_torch, torch
from wengert import nn
from wengert.utils.flop_counter import FlopCounterMode


def test_a_table_of_layers():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10))
    model[0].bias.requires_grad_(False)
    model[2].train(False)
    before = model.state_dict()["1.num_batches_tracked"].item()
    table = nn.summary(model, (2, 1, 8, 8))
    assert model.training and not model[2].training and model[1].num_batches_tracked.item() == before
    conv, norm, relu, flat, linear = table.rows[1:]
    assert conv.output == [[2, 4, 6, 6]] and conv.flops == 2 * 9 * (2 * 4 * 6 * 6) and conv.parameters == 40
    assert norm.flops == 0 and norm.bytes == 4 * 4 * 4 + 8 and flat.output == [[2, 144]]
    assert linear.flops == 2 * 144 * 20 and (linear.kind, linear.name, linear.depth) == ("Linear", "4", 1)
    assert table.total_flops == table.rows[0].flops == conv.flops + linear.flops
    assert table.total_params == 40 + 8 + 1450 and table.trainable_params == table.total_params - 4
    assert str(table).endswith("; 10,944 FLOPs") and str(table).splitlines()[2].split()[:3] == ["0", "Conv2d", "[2,"]
    assert relu.parameters == 0


def test_without_an_example_and_with_what_is_shared():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = nn.Embedding(10, 4)
            self.out = nn.Linear(4, 10, bias=False)
            self.out.weight = self.inside.weight

        def forward(self, words, scale=1.0):
            return self.out(self.inside(words)) * scale

    table = nn.summary(Tied())
    assert table.total_flops is None and table.total_params == 40 and table.total_bytes == 160
    assert str(table).endswith("160 bytes")
    table = nn.summary(Tied(), input_data=wengert.tensor([[1, 2, 3]]), scale=2.0)
    assert table.total_flops == 2 * 4 * 30 and table.rows[0].output == [[1, 3, 10]]
    table = nn.summary(Tied(), (1, 3), dtypes=wengert.int64)
    assert table.total_flops == 2 * 4 * 30


MODELS = {
    "linear": (lambda nn: nn.Linear(7, 5), (3, 7)),
    "mlp": (lambda nn: nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 2, bias=False)), (2, 3, 7)),
    "convolutions": (
        lambda nn: nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU(), nn.ConvTranspose2d(6, 4, 2)),
        (2, 4, 9, 8),
    ),
    "groups": (lambda nn: nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.ConvTranspose2d(6, 4, 2, groups=2)), (2, 4, 9, 8)),
    "one dimension": (lambda nn: nn.Conv1d(3, 4, 3, dilation=2), (2, 3, 9)),
    "three dimensions": (lambda nn: nn.Conv3d(1, 2, 2), (1, 1, 3, 4, 5)),
}


@needs_torch
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("backward", [False, True])
def test_as_many_operations_as_pytorch_counts(name, backward):
    from torch.utils.flop_counter import FlopCounterMode as Theirs

    if name == "groups" and backward:
        pytest.skip("PyTorch counts the weight's gradient as though there were no groups")
    make, shape = MODELS[name]
    counts = []
    for library, counter in [(wengert, FlopCounterMode(display=False)), (torch, Theirs(display=False))]:
        model, x = make(library.nn), library.randn(*shape, requires_grad=True)
        with counter:
            y = model(x).sum()
            if backward:
                y.backward()
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


@needs_torch
@pytest.mark.parametrize("backward", [False, True])
def test_attention(backward):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode as Theirs

    counts = []
    for library, counter in [(wengert, FlopCounterMode(display=False)), (torch, Theirs(display=False))]:
        q, k, v = (library.randn(2, 3, n, 8, requires_grad=True) for n in (5, 6, 6))
        with counter, sdpa_kernel(SDPBackend.MATH):
            y = library.nn.functional.scaled_dot_product_attention(q, k, v).sum()
            if backward:
                y.backward()
        counts.append(counter.get_total_flops())
    if backward:
        # The scores are made again rather than kept, which is one product of seven more.
        assert counts[0] * 6 == counts[1] * 7
    else:
        assert counts[0] == counts[1] == 2 * 2 * 2 * 3 * 5 * 6 * 8


def test_counters_within_counters(capsys):
    with FlopCounterMode() as outer:
        _ = wengert.ones(2, 3) @ wengert.ones(3, 4)
        with FlopCounterMode(display=False) as inner:
            _ = wengert.ones(2, 3) @ wengert.ones(3, 1)
        _ = wengert.ones(3) + 1
        assert outer.get_total_flops() == 48 + 12
    assert inner.get_total_flops() == 12 and outer.get_flop_counts() == {"Global": {"matmul": 60}}
    assert "matmul" in capsys.readouterr().out
