"""Every layer beside PyTorch's: what it prints, its state dict, its values and its gradients."""

import pytest
import wengert
from beside import needs_torch, numbers, ours, same, tensors_in, torch
from wengert import nn

# A layer as it is written for both, and the shapes of its inputs; "n:m" is m class numbers below n.
LAYERS = [
    ("Linear(4, 3)", [(5, 4)]),
    ("Linear(4, 3, bias=False)", [(4,)]),
    ("Bilinear(3, 4, 2)", [(5, 3), (5, 4)]),
    ("Identity()", [(2, 3)]),
    ("Flatten()", [(2, 3, 4)]),
    ("Flatten(0, 1)", [(2, 3, 4)]),
    ("Unflatten(1, (2, 3))", [(4, 6)]),
    ("Embedding(7, 3)", ["7:4,2"]),
    ("Embedding(7, 3, padding_idx=2)", ["7:9"]),
    ("EmbeddingBag(7, 3, mode='sum')", ["7:4,2"]),
    ("EmbeddingBag(7, 3)", ["7:4,2"]),
    ("EmbeddingBag(7, 3, mode='max')", ["7:4,2"]),
    ("Conv1d(4, 6, 3)", [(2, 4, 9)]),
    ("Conv1d(4, 6, 3, padding='same', dilation=2)", [(2, 4, 9)]),
    ("Conv1d(4, 6, 3, stride=2, padding=1, groups=2, bias=False)", [(2, 4, 9)]),
    ("Conv1d(4, 6, 3, padding=2, padding_mode='circular')", [(2, 4, 9)]),
    ("Conv2d(2, 3, 3)", [(2, 2, 6, 5)]),
    ("Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2)", [(2, 2, 6, 5)]),
    ("Conv2d(2, 3, 3, padding=1, padding_mode='reflect')", [(2, 2, 6, 5)]),
    ("Conv2d(2, 3, 3, padding='same', padding_mode='replicate')", [(2, 2, 6, 5)]),
    ("Conv3d(2, 3, 2)", [(1, 2, 4, 3, 3)]),
    ("ConvTranspose1d(4, 6, 3, stride=2)", [(2, 4, 5)]),
    ("ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2)", [(2, 2, 4, 3)]),
    ("ConvTranspose3d(2, 3, 2)", [(1, 2, 3, 3, 2)]),
    ("MaxPool1d(2)", [(2, 3, 8)]),
    ("MaxPool1d(3, stride=1, padding=1, return_indices=True)", [(2, 3, 8)]),
    ("MaxPool2d(2)", [(2, 3, 6, 6)]),
    ("MaxPool2d((2, 3), stride=(1, 2), ceil_mode=True)", [(2, 3, 6, 6)]),
    ("MaxPool3d(2)", [(1, 2, 4, 4, 4)]),
    ("AvgPool1d(2)", [(2, 3, 8)]),
    ("AvgPool2d(3, stride=2, padding=1, count_include_pad=False)", [(2, 3, 6, 6)]),
    ("AvgPool2d(2, divisor_override=3)", [(2, 3, 6, 6)]),
    ("AvgPool3d(2)", [(1, 2, 4, 4, 4)]),
    ("LPPool1d(2, 3)", [(2, 3, 8)]),
    ("LPPool2d(2, 2, stride=1)", [(2, 3, 6, 6)]),
    ("AdaptiveAvgPool1d(3)", [(2, 3, 8)]),
    ("AdaptiveAvgPool2d((2, None))", [(2, 3, 6, 5)]),
    ("AdaptiveAvgPool3d(2)", [(1, 2, 4, 4, 4)]),
    ("AdaptiveMaxPool1d(3)", [(2, 3, 8)]),
    ("AdaptiveMaxPool2d((2, 3))", [(2, 3, 6, 5)]),
    ("AdaptiveMaxPool3d(2)", [(1, 2, 4, 4, 4)]),
    ("BatchNorm1d(3)", [(5, 3)]),
    ("BatchNorm1d(3, affine=False)", [(5, 3, 4)]),
    ("BatchNorm2d(3, momentum=None)", [(2, 3, 4, 4)]),
    ("BatchNorm2d(3, track_running_stats=False)", [(2, 3, 4, 4)]),
    ("BatchNorm3d(2)", [(2, 2, 3, 2, 2)]),
    ("InstanceNorm1d(3)", [(2, 3, 5)]),
    ("InstanceNorm2d(3, affine=True, track_running_stats=True)", [(2, 3, 4, 4)]),
    ("InstanceNorm3d(2)", [(2, 2, 3, 2, 2)]),
    ("LayerNorm(4)", [(3, 4)]),
    ("LayerNorm((3, 4), elementwise_affine=False)", [(2, 3, 4)]),
    ("LayerNorm(4, bias=False)", [(3, 4)]),
    ("RMSNorm(4)", [(3, 4)]),
    ("GroupNorm(2, 4)", [(3, 4, 5)]),
    ("GroupNorm(2, 4, affine=False)", [(3, 4)]),
    ("LocalResponseNorm(2)", [(2, 4, 5, 5)]),
    ("Dropout(0.0)", [(3, 4)]),
    ("Dropout2d(0.0, inplace=False)", [(2, 3, 4, 4)]),
    ("AlphaDropout(0.0)", [(3, 4)]),
    ("ReLU()", [(3, 4)]),
    ("ReLU6()", [(3, 4)]),
    ("Sigmoid()", [(3, 4)]),
    ("Tanh()", [(3, 4)]),
    ("SiLU()", [(3, 4)]),
    ("Mish()", [(3, 4)]),
    ("Hardswish()", [(3, 4)]),
    ("Hardsigmoid()", [(3, 4)]),
    ("GELU()", [(3, 4)]),
    ("GELU(approximate='tanh')", [(3, 4)]),
    ("ELU(0.7)", [(3, 4)]),
    ("CELU(0.7)", [(3, 4)]),
    ("SELU()", [(3, 4)]),
    ("LeakyReLU(0.2)", [(3, 4)]),
    ("Hardtanh(-0.5, 0.7)", [(3, 4)]),
    ("Threshold(0.1, 20.0)", [(3, 4)]),
    ("Softplus(2.0, 1.0)", [(3, 4)]),
    ("Softshrink(0.3)", [(3, 4)]),
    ("Hardshrink(0.3)", [(3, 4)]),
    ("Softsign()", [(3, 4)]),
    ("Tanhshrink()", [(3, 4)]),
    ("LogSigmoid()", [(3, 4)]),
    ("GLU()", [(3, 4)]),
    ("GLU(dim=0)", [(4, 3)]),
    ("Softmax(dim=1)", [(3, 4)]),
    ("Softmin(dim=0)", [(3, 4)]),
    ("LogSoftmax(dim=-1)", [(3, 4)]),
    ("Softmax2d()", [(2, 3, 2, 2)]),
    ("PReLU()", [(3, 4)]),
    ("PReLU(4, init=0.1)", [(3, 4)]),
    ("ZeroPad1d(2)", [(2, 3, 4)]),
    ("ZeroPad2d((1, 2, 0, 1))", [(2, 3, 4, 4)]),
    ("ConstantPad1d(2, 1.5)", [(2, 3, 4)]),
    ("ConstantPad3d(1, -1.0)", [(1, 2, 2, 3, 2)]),
    ("ReflectionPad1d(2)", [(2, 3, 4)]),
    ("ReflectionPad2d((1, 2, 0, 1))", [(2, 3, 4, 4)]),
    ("ReplicationPad2d(2)", [(2, 3, 4, 4)]),
    ("ReplicationPad3d(1)", [(1, 2, 2, 3, 2)]),
    ("CircularPad1d(2)", [(2, 3, 4)]),
    ("CircularPad2d((1, 2, 0, 1))", [(2, 3, 4, 4)]),
    ("PixelShuffle(2)", [(2, 8, 3, 2)]),
    ("PixelUnshuffle(2)", [(2, 2, 4, 6)]),
    ("ChannelShuffle(2)", [(2, 4, 3, 3)]),
    ("Upsample(scale_factor=2)", [(2, 3, 4, 4)]),
    ("Upsample(size=(5, 7), mode='bilinear', align_corners=False)", [(2, 3, 4, 4)]),
    ("Upsample(scale_factor=2, mode='bicubic')", [(2, 3, 4, 4)]),
    ("UpsamplingNearest2d(scale_factor=3)", [(2, 3, 4, 4)]),
    ("UpsamplingBilinear2d(size=6)", [(2, 3, 4, 4)]),
    ("Unfold(2, stride=2)", [(2, 3, 4, 4)]),
    ("Fold((4, 4), 2, stride=2)", [(2, 12, 4)]),
    ("CosineSimilarity()", [(3, 4), (3, 4)]),
    ("PairwiseDistance()", [(3, 4), (3, 4)]),
    ("PairwiseDistance(1.0, keepdim=True)", [(3, 4), (3, 4)]),
    ("RNN(3, 4)", [(5, 2, 3)]),
    ("RNN(3, 4, 2, nonlinearity='relu', batch_first=True, bidirectional=True)", [(2, 5, 3)]),
    ("RNN(3, 4, bias=False)", [(5, 3), (1, 4)]),
    ("LSTM(3, 4)", [(5, 2, 3)]),
    ("LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)", [(2, 5, 3)]),
    ("LSTM(3, 4, proj_size=2)", [(5, 2, 3)]),
    ("GRU(3, 4)", [(5, 2, 3), (1, 2, 4)]),
    ("GRU(3, 4, 2, bidirectional=True)", [(5, 2, 3)]),
    ("RNNCell(3, 4)", [(2, 3)]),
    ("RNNCell(3, 4, nonlinearity='relu')", [(3,), (4,)]),
    ("LSTMCell(3, 4)", [(2, 3)]),
    ("GRUCell(3, 4, bias=False)", [(2, 3), (2, 4)]),
    ("MultiheadAttention(4, 2)", [(5, 3, 4), (6, 3, 4), (6, 3, 4)]),
    ("MultiheadAttention(4, 2, batch_first=True, bias=False)", [(3, 5, 4), (3, 5, 4), (3, 5, 4)]),
    ("MultiheadAttention(4, 2, kdim=3, vdim=5, add_bias_kv=True, add_zero_attn=True)", [(5, 3, 4), (6, 3, 3), (6, 3, 5)]),
    ("TransformerEncoderLayer(4, 2, 8, dropout=0.0)", [(5, 3, 4)]),
    ("TransformerEncoderLayer(4, 2, 8, dropout=0.0, activation='gelu', norm_first=True, batch_first=True)", [(3, 5, 4)]),
    ("TransformerDecoderLayer(4, 2, 8, dropout=0.0)", [(5, 3, 4), (6, 3, 4)]),
    ("TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0), 2, enable_nested_tensor=False)", [(5, 3, 4)]),
    ("Transformer(4, 2, 1, 1, 8, dropout=0.0)", [(5, 3, 4), (6, 3, 4)]),
    ("L1Loss()", [(3, 4), (3, 4)]),
    ("MSELoss(reduction='sum')", [(3, 4), (3, 4)]),
    ("SmoothL1Loss(beta=0.5)", [(3, 4), (3, 4)]),
    ("HuberLoss(delta=0.5)", [(3, 4), (3, 4)]),
    ("CrossEntropyLoss()", [(3, 4), "4:3"]),
    ("CrossEntropyLoss(label_smoothing=0.1, reduction='none')", [(3, 4), "4:3"]),
    ("CrossEntropyLoss(ignore_index=1)", [(3, 4, 2), "4:3,2"]),
    ("NLLLoss()", [(3, 4), "4:3"]),
    ("BCEWithLogitsLoss()", [(3, 4), "2:3,4f"]),
    ("KLDivLoss(reduction='batchmean', log_target=True)", [(3, 4), (3, 4)]),
    ("PoissonNLLLoss()", [(3, 4), "5:3,4f"]),
    ("HingeEmbeddingLoss()", [(3, 4), "±:3,4"]),
    ("SoftMarginLoss()", [(3, 4), "±:3,4"]),
    ("MarginRankingLoss(margin=0.3)", [(5,), (5,), "±:5"]),
    ("CosineEmbeddingLoss(margin=0.1)", [(3, 4), (3, 4), "±:3"]),
    ("MultiLabelMarginLoss()", [(3, 4), "4:3,4"]),
    ("MultiLabelSoftMarginLoss()", [(3, 4), "2:3,4f"]),
    ("MultiMarginLoss()", [(3, 4), "4:3"]),
    ("MultiMarginLoss(p=2, margin=0.5)", [(3, 4), "4:3"]),
    ("TripletMarginLoss(swap=True)", [(3, 4), (3, 4), (3, 4)]),
    ("TripletMarginWithDistanceLoss(margin=2.0)", [(3, 4), (3, 4), (3, 4)]),
    ("LinearCrossEntropyLoss(4, 5)", [(3, 4), "5:3"]),
    ("LinearCrossEntropyLoss(4, 5, bias=True, ignore_index=2, label_smoothing=0.1, reduction='sum')", [(3, 4), "5:3"]),
    ("LinearCrossEntropyLoss(4, 3, out_features=(2, 5), bias=True, reduction='none')", [(2, 4), "3:2,2,5"]),
]


def build(text, nn):
    return eval("nn." + text, {"nn": nn})  # noqa: S307


def make_input(spec, number):
    """An input of PyTorch's."""
    torch.manual_seed(number)
    if not isinstance(spec, str):
        return torch.randn(spec, requires_grad=True)
    n, shape = spec.split(":")
    shape = [int(d) for d in shape.rstrip("f").split(",")]
    if n == "±":
        return torch.randint(0, 2, shape) * 2 - 1
    made = torch.randint(0, int(n), shape)
    return made.float() if spec.endswith("f") else made


@needs_torch
@pytest.mark.parametrize("text,shapes", LAYERS, ids=[text for text, _ in LAYERS])
def test_layer_is_pytorchs(text, shapes):
    theirs, mine = build(text, torch.nn), build(text, nn)
    state = theirs.state_dict()
    assert list(mine.state_dict()) == list(state)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    mine.load_state_dict(state)
    if "TransformerEncoder(" not in text and "Transformer(" not in text:
        assert repr(mine) == repr(theirs)
    inputs = [make_input(s, i) for i, s in enumerate(shapes)]
    copies = [ours(x) for x in inputs]
    for _ in range(2):  # norms change their state at the first call
        y, z = mine(*copies), theirs(*inputs)
    same(y, z, rtol=1e-4, atol=1e-5)
    weights = [t for t in tensors_in(z) if t.requires_grad]
    if weights:
        sum((t * t).sum() + t.sum() for t in weights).backward()
        sum((t * t).sum() + t.sum() for t in tensors_in(y) if t.requires_grad).backward()
        for mine_, theirs_ in zip([*copies, *mine.parameters()], [*inputs, *theirs.parameters()]):
            if theirs_.grad is None:
                assert mine_.grad is None or not numbers(mine_.grad).any()
            else:
                same(mine_.grad, theirs_.grad, rtol=1e-3, atol=1e-4)
    same(dict(mine.state_dict()), dict(theirs.state_dict()), rtol=1e-4, atol=1e-5)
    mine.eval(), theirs.eval()
    with wengert.no_grad(), torch.no_grad():
        same(mine(*copies), theirs(*inputs), rtol=1e-4, atol=1e-5)
    if "LSTM(" in text or "Transformer" in text:
        mine.double(), theirs.double()
        doubles = [x.detach().double() for x in inputs]
        with wengert.no_grad(), torch.no_grad():
            same(mine(*(ours(x) for x in doubles)), theirs(*doubles), rtol=1e-6, atol=1e-7)


@needs_torch
def test_every_layer_of_pytorch_is_here():
    elsewhere = {"SyncBatchNorm", "DataParallel", "Container", "UninitializedBuffer"}
    elsewhere.add("LinearCrossEntropyOptions")
    theirs = {name for name in dir(torch.nn) if isinstance(getattr(torch.nn, name), type)}
    missing = {n for n in theirs - elsewhere if not hasattr(nn, n)}
    assert missing == set()


@needs_torch
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_packed_sequences(kind):
    from wengert.nn.utils import rnn

    theirs = getattr(torch.nn, kind)(3, 4, 2, bidirectional=True)
    mine = getattr(nn, kind)(3, 4, 2, bidirectional=True)
    mine.load_state_dict(theirs.state_dict())
    sequences = [torch.randn(n, 3) for n in (2, 5, 3, 5)]
    packed = torch.nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False)
    y, last = theirs(packed)
    my_packed = rnn.pack_sequence([ours(s) for s in sequences], enforce_sorted=False)
    same([my_packed.data, my_packed.batch_sizes], [packed.data, packed.batch_sizes])
    my_y, my_last = mine(my_packed)
    same([my_y.data, my_last], [y.data, last])
    same(rnn.pad_packed_sequence(my_y, batch_first=True, total_length=6), torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=6))
    for m, t in zip(rnn.unpack_sequence(my_y), torch.nn.utils.rnn.unpack_sequence(y)):
        same(m, t)
    same(rnn.pad_sequence([ours(s) for s in sequences], padding_side="left", padding_value=2.0), torch.nn.utils.rnn.pad_sequence(sequences, padding_side="left", padding_value=2.0))


def test_lazy_layers_learn_their_sizes():
    for text, shape, plain, size in [
        ("LazyLinear(3)", (5, 4), nn.Linear, (3, 4)),
        ("LazyConv2d(6, 3, groups=2)", (2, 4, 5, 5), nn.Conv2d, (6, 2, 3, 3)),
        ("LazyConvTranspose1d(6, 3)", (2, 4, 5), nn.ConvTranspose1d, (4, 6, 3)),
        ("LazyBatchNorm1d()", (5, 4), nn.BatchNorm1d, (4,)),
    ]:
        layer = build(text, nn)
        optimizer = wengert.optim.SGD(layer.parameters(), lr=0.1)
        assert layer.has_uninitialized_params() and repr(layer.weight) == "<UninitializedParameter>"
        layer(wengert.rand(*shape)).sum().backward()
        assert type(layer) is plain and type(layer.weight) is nn.Parameter
        assert tuple(layer.weight.shape) == tuple(layer.weight.grad.shape) == size
        assert any(p is layer.weight for p in optimizer.param_groups[0]["params"])
        optimizer.step()
        twin = build(text, nn)
        twin.load_state_dict(layer.state_dict()) if plain is not nn.BatchNorm1d else None


@needs_torch
def test_adaptive_softmax_is_pytorchs():
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], div_value=2.0, head_bias=True)
    mine = nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], div_value=2.0, head_bias=True)
    mine.load_state_dict(theirs.state_dict())
    x, target = torch.randn(6, 8), torch.tensor([0, 2, 3, 6, 7, 11])
    a, b = mine(ours(x), ours(target)), theirs(x, target)
    same([a.output, a.loss], [b.output, b.loss])
    same([mine.log_prob(ours(x)), mine.predict(ours(x))], [theirs.log_prob(x), theirs.predict(x)])
    a.loss.backward(), b.loss.backward()
    same([p.grad for p in mine.parameters()], [p.grad for p in theirs.parameters()])
