"""Mixed precision beside PyTorch's, on the CPU: `autocast`, and what custom operations need in it."""

import itertools
import threading

import numpy as np
import pytest

import wengert
from beside import needs_torch, same, torch
from wengert import amp, nn, optim

RNG = np.random.default_rng(0)
X, Y = (RNG.standard_normal((4, 8)).astype(np.float32) for _ in range(2))
SQUARE = RNG.standard_normal((4, 4)).astype(np.float32) + 4 * np.eye(4, dtype=np.float32)
KERNEL = RNG.standard_normal((2, 4, 3)).astype(np.float32)
ROW = RNG.standard_normal(8).astype(np.float32)


def lstm(m, x, y, s, k, v):
    """A layer of an LSTM, which PyTorch has in bfloat16 alone."""
    weights, state = [y, s[:, :1], v[:4], v[4:]], (m.zeros(1, 1, 1),) * 2
    return m.lstm(x[:, None], state, weights, True, 1, 0.0, False, False, False)[0]


# Of a module, and float32 tensors x, y [4, 8], a square matrix s, a convolution's weights k and a vector v.
OPERATIONS = {
    "linear": lambda m, x, y, s, k, v: m.nn.functional.linear(x, y, v[:4]),
    "matmul": lambda m, x, y, s, k, v: x @ y.t(),
    "mm": lambda m, x, y, s, k, v: m.mm(x, y.t()),
    "bmm": lambda m, x, y, s, k, v: m.bmm(x[None], y.t()[None]),
    "einsum": lambda m, x, y, s, k, v: m.einsum("ij,kj->ik", x, y),
    "addmm": lambda m, x, y, s, k, v: m.addmm(s, x, y.t()),
    "baddbmm": lambda m, x, y, s, k, v: m.baddbmm(s[None], x[None], y.t()[None]),
    "multi_dot": lambda m, x, y, s, k, v: m.linalg.multi_dot([x, y.t(), x]),
    "matrix by vector": lambda m, x, y, s, k, v: x @ v,
    "conv1d": lambda m, x, y, s, k, v: m.nn.functional.conv1d(x[None], k, v[:2]),
    "conv2d": lambda m, x, y, s, k, v: m.nn.functional.conv2d(x.reshape(1, 2, 4, 4), s.reshape(2, 2, 2, 2)),
    "conv_transpose1d": lambda m, x, y, s, k, v: m.nn.functional.conv_transpose1d(x[None, :2], k),
    "attention": lambda m, x, y, s, k, v: m.nn.functional.scaled_dot_product_attention(x[None], y[None], x[None]),
    "layer_norm": lambda m, x, y, s, k, v: m.nn.functional.layer_norm(x @ y.t(), (4,), v[:4], v[4:]),
    "group_norm": lambda m, x, y, s, k, v: m.nn.functional.group_norm(x @ y.t(), 2, v[:4], v[4:]),
    "batch_norm": lambda m, x, y, s, k, v: m.nn.functional.batch_norm(x @ y.t(), None, None, v[4:], v[:4], training=True),
    "softmax": lambda m, x, y, s, k, v: (x @ y.t()).softmax(-1),
    "gelu": lambda m, x, y, s, k, v: m.nn.functional.gelu(x @ y.t()),
    "sum": lambda m, x, y, s, k, v: (x @ y.t()).sum(),
    "promoted": lambda m, x, y, s, k, v: x @ y.t() + s,
    "cat": lambda m, x, y, s, k, v: m.cat([x @ y.t(), s]),
    "prod": lambda m, x, y, s, k, v: (x @ y.t()).sigmoid().prod(),
    "cross_entropy": lambda m, x, y, s, k, v: m.nn.functional.cross_entropy(x @ y.t(), m.tensor([0, 1, 2, 3])),
    "smoothed": lambda m, x, y, s, k, v: m.nn.functional.cross_entropy(x @ y.t(), m.tensor([0, 1, 2, 3]), label_smoothing=0.1),
    "nll_loss": lambda m, x, y, s, k, v: m.nn.functional.nll_loss((x @ y.t()).log_softmax(-1), m.tensor([0, 1, 2, 3])),
    "mse_loss": lambda m, x, y, s, k, v: m.nn.functional.mse_loss(x @ y.t(), s),
    "l1_loss": lambda m, x, y, s, k, v: m.nn.functional.l1_loss(x @ y.t(), s),
    "huber_loss": lambda m, x, y, s, k, v: m.nn.functional.huber_loss(x @ y.t(), s),
    "kl_div": lambda m, x, y, s, k, v: m.nn.functional.kl_div((x @ y.t()).log_softmax(-1), s.softmax(-1), reduction="sum"),
    "logits": lambda m, x, y, s, k, v: m.nn.functional.binary_cross_entropy_with_logits(x @ y.t(), s.sigmoid()),
    "cosine_embedding": lambda m, x, y, s, k, v: m.nn.functional.cosine_embedding_loss(x @ y.t(), s, v[:4].sign()),
    "triplet": lambda m, x, y, s, k, v: m.nn.functional.triplet_margin_loss(x @ y.t(), s, s + 1),
    "cdist": lambda m, x, y, s, k, v: m.cdist(x @ y.t(), s),
    "trace": lambda m, x, y, s, k, v: m.trace(x @ y.t()),
    "quantile": lambda m, x, y, s, k, v: (x @ y.t()).quantile(0.5),
    "inverse": lambda m, x, y, s, k, v: m.inverse(m.mm(s, s)),
}


@needs_torch
@pytest.mark.parametrize("half, name", [*itertools.product(["bfloat16", "float16"], OPERATIONS), ("bfloat16", lstm)])
def test_operations_have_pytorchs_dtypes_and_values(name, half):
    results = []
    for module in (wengert, torch):
        inputs = [module.from_numpy(a.copy()).requires_grad_() for a in (X, Y, SQUARE, KERNEL, ROW)]
        with module.autocast("cpu", dtype=getattr(module, half)):
            y = OPERATIONS.get(name, name)(module, *inputs)
        y.float().sum().backward()
        results.append((y, [x.grad for x in inputs]))
    (mine, my_grads), (other, other_grads) = results
    assert str(mine.dtype).split(".")[1] == str(other.dtype).split(".")[1]
    # Sums of rounded products are rounded once: two engines differ in the last of 8 (or 11) bits here and there.
    near = dict(rtol=3e-2, atol=6e-2) if half == "bfloat16" else dict(rtol=4e-3, atol=8e-3)
    same(mine.float(), other.float(), **near)
    for a, b in zip(my_grads, other_grads):
        if b is not None:
            assert a.dtype is wengert.float32 and b.dtype is torch.float32
            scale = max(1.0, float(b.abs().max()))
            same(a / scale, b / scale, **near)


def test_products_are_those_of_rounded_operands():
    x, w = wengert.tensor([[1.0 + 2**-9, 3.0]]), wengert.tensor([[1.0], [2.0**-10]])
    with wengert.autocast("cpu"):
        assert (x @ w).item() == 1.0
        assert (x.double() @ w.double()).dtype is wengert.float64
        with wengert.autocast("cpu", enabled=False):
            assert (x @ w).dtype is wengert.float32
        assert wengert.is_autocast_enabled("cpu") and wengert.get_autocast_dtype("cpu") is wengert.bfloat16
    assert (x @ w).dtype is wengert.float32 and not wengert.is_autocast_enabled("cpu")
    assert (x @ w).item() == 1.0 + 2**-9 + 3 * 2**-10


def test_the_mode_is_the_threads_and_ends_with_its_block():
    seen = []
    with wengert.autocast():
        thread = threading.Thread(target=lambda: seen.append(wengert.is_autocast_enabled()))
        thread.start()
        thread.join()
    with pytest.raises(KeyError):
        with wengert.autocast():
            raise KeyError
    assert seen == [False] and not wengert.is_autocast_enabled()

    @wengert.autocast(dtype=wengert.float16)
    def product(x, depth):
        return product(x, depth - 1) if depth else x @ x

    assert product(wengert.eye(2), 2).dtype is wengert.float16 and not wengert.is_autocast_enabled()


def test_what_there_is_not_is_said():
    with pytest.warns(UserWarning, match="no device of type 'cuda'"), wengert.autocast("cuda"):
        assert not wengert.is_autocast_enabled()
    with pytest.warns(UserWarning, match="bfloat16 or float16"), wengert.autocast("cpu", wengert.float32):
        assert not wengert.is_autocast_enabled()
    with pytest.raises(ValueError, match="the type of a device is a text"):
        wengert.autocast(3)
    assert amp.is_autocast_available("cpu") and not amp.is_autocast_available("cuda")


def test_a_backward_pass_inside_and_a_checkpoint_compute_as_the_forward_pass_did():
    w = wengert.tensor(SQUARE, requires_grad=True)
    grads = []
    for inside, checkpointed in ((False, False), (True, False), (False, True)):
        w.grad = None
        with wengert.autocast():
            f = lambda x: ((x @ w).tanh() @ w).float().square().sum()  # noqa: E731
            x = wengert.tensor(SQUARE)
            y = wengert.utils.checkpoint.checkpoint(f, x) if checkpointed else f(x)
            if inside:
                y.backward()
        if not inside:
            y.backward()
        grads.append(w.grad.tolist())
    assert grads[0] == grads[1] == grads[2]


def test_custom_operations():
    seen = []

    class Product(wengert.autograd.Function):
        @staticmethod
        @amp.custom_fwd(device_type="cpu", cast_inputs=wengert.float32)
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            seen.append(wengert.is_autocast_enabled())
            return a @ b

        @staticmethod
        @amp.custom_bwd(device_type="cpu")
        def backward(ctx, dy):
            a, b = ctx.saved_tensors
            seen.append(wengert.is_autocast_enabled())
            return dy @ b.t(), a.t() @ dy

    class Given(Product):
        forward = staticmethod(amp.custom_fwd(Product.forward.__wrapped__, device_type="cpu"))

    a = wengert.tensor(SQUARE, requires_grad=True)
    with wengert.autocast():
        y, z = Product.apply(a.bfloat16(), a), Given.apply(a, a)
    assert y.dtype is wengert.float32 and z.dtype is wengert.bfloat16
    y.sum().backward()
    z.float().sum().backward()
    assert seen == [False, True, False, True]


def models(m):
    class Transformer(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = m.nn.Embedding(8, 16)
            self.layer = m.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
            self.out = m.nn.Linear(16, 4)

        def forward(self, x):
            return self.out(self.layer(self.embed(((x + 3) * 1.3).long() % 8)).mean(1))

    class Recurrent(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = m.nn.GRU(4, 8, batch_first=True), m.nn.Linear(8, 4)

        def forward(self, x):
            return self.out(self.rnn(x.reshape(-1, 4, 4))[0][:, -1])

    n = m.nn
    return {
        "mlp": lambda: n.Sequential(n.Linear(16, 32), n.LayerNorm(32), n.ReLU(), n.Linear(32, 4)),
        "cnn": lambda: n.Sequential(
            n.Unflatten(1, (1, 4, 4)), n.Conv2d(1, 4, 3, padding=1), n.BatchNorm2d(4), n.ReLU(), n.Flatten(), n.Linear(64, 4)
        ),
        "transformer": Transformer,
        "gru": Recurrent,
    }


@needs_torch
@pytest.mark.parametrize("half", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer", "gru"])
def test_training_in_mixed_precision_beside_pytorch(name, half):
    data = RNG.standard_normal((32, 16)).astype(np.float32)
    labels = (data[:, 0] > 0).astype(np.int64)
    torch.manual_seed(0)
    reference = models(torch)[name]()
    mine = models(wengert)[name]()
    mine.load_state_dict({k: wengert.tensor(v.numpy()) for k, v in reference.state_dict().items()})
    curves = []
    for m, model in ((wengert, mine), (torch, reference)):
        optimizer, scaler = m.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), m.amp.GradScaler("cpu", init_scale=1024.0)
        x, y, curve = m.from_numpy(data), m.from_numpy(labels), []
        for _ in range(30):
            optimizer.zero_grad()
            with m.autocast("cpu", dtype=getattr(m, half)):
                loss = m.nn.functional.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            curve.append(loss.item())
        assert all(p.dtype is m.float32 for p in model.parameters())
        curves.append(curve)
    assert curves[1][-1] < 0.7 * curves[1][0]
    assert np.abs(np.subtract(*curves)).max() < (0.01 if half == "bfloat16" else 0.002)


def test_states_stay_full():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    optimizer = optim.AdamW(model.parameters())
    with wengert.autocast():
        model(wengert.tensor(SQUARE)).square().mean().backward()
    optimizer.step()
    everything = [*model.state_dict().values(), *(v for s in optimizer.state.values() for v in s.values())]
    assert {t.dtype for t in everything if isinstance(t, wengert.Tensor)} <= {wengert.float32, wengert.int64}
