#!/usr/bin/env python3
"""Make layers.safetensors: layers of PyTorch, their inputs, outputs and gradients, to compare ours with.

Needs: pip install torch safetensors. Run: python layers.py

For each case, in f64: `{case}.state.{name}` its state dict before, `{case}.after.{name}` the buffers that changed,
`{case}.in.{i}` inputs, `{case}.out.{i}` outputs, and `{case}.grad.{name}` the gradients of the sum over all outputs
of cos(number of the element) times the element, also `{case}.grad.in` of the first input.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = Path(__file__).resolve().parent
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.manual_seed(0)
r = torch.randn
out = {}


def flat(value):
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for v in value if v is not None for t in flat(v)]


def case(name, module, inputs, run=None, train=True):
    module.train(train)
    state = {k: v.clone() for k, v in module.state_dict().items()}
    x = inputs[0]
    if x.is_floating_point():
        x.requires_grad_(True)
    ys = flat(run(module, *inputs) if run else module(*inputs))
    sum(((torch.arange(y.numel()).cos().view(y.shape)) * y).sum() for y in ys if y.is_floating_point()).backward()
    for k, v in state.items():
        out[f"{name}.state.{k}"] = v
        if not torch.equal(module.state_dict()[k], v):
            out[f"{name}.after.{k}"] = module.state_dict()[k].clone()
    for i, v in enumerate(inputs):
        out[f"{name}.in.{i}"] = v.detach().clone()
    for i, y in enumerate(ys):
        out[f"{name}.out.{i}"] = y.detach().clone()
    for k, p in module.named_parameters():
        if p.grad is not None:
            out[f"{name}.grad.{k}"] = p.grad.clone()
    if x.grad is not None:
        out[f"{name}.grad.in"] = x.grad.clone()


def packed(module, x, *state):
    lengths = torch.tensor([3, 5, 1])
    y, last = module(pack_padded_sequence(x, lengths, enforce_sorted=False), *state)
    return pad_packed_sequence(y)[0], last


case("rnn", nn.RNN(3, 4, num_layers=2), [r(5, 2, 3)])
case("rnn_relu", nn.RNN(3, 4, nonlinearity="relu", bias=False), [r(5, 3)])
case("lstm", nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True), [r(2, 5, 3)])
case("lstm_state", nn.LSTM(3, 4), [r(5, 2, 3), r(1, 2, 4), r(1, 2, 4)], lambda m, x, h, c: m(x, (h, c)))
case("lstm_packed", nn.LSTM(3, 4, num_layers=2, bidirectional=True), [r(5, 3, 3)], packed)
case("gru", nn.GRU(3, 4, num_layers=2, bidirectional=True), [r(5, 2, 3)])
case("gru_packed", nn.GRU(3, 4), [r(5, 3, 3), r(1, 3, 4)], packed)
attend = lambda m, x: m(x, x, x)
case("mha", nn.MultiheadAttention(4, 2), [r(5, 2, 4)], attend)
hidden = torch.tensor([[False, False, True, False], [False, True, False, False]])
case("mha_masks", nn.MultiheadAttention(4, 2, batch_first=True, bias=False), [r(2, 3, 4), r(2, 4, 4), r(2, 4, 4)],
     lambda m, q, k, v: m(q, k, v, key_padding_mask=hidden, attn_mask=torch.ones(3, 4).triu(2).bool()))
options = dict(dim_feedforward=6, dropout=0.0)
causal = nn.Transformer.generate_square_subsequent_mask(5)
case("encoder_layer", nn.TransformerEncoderLayer(4, 2, **options), [r(5, 2, 4)])
case("encoder_layer_first", nn.TransformerEncoderLayer(4, 2, norm_first=True, batch_first=True, activation="gelu", **options),
     [r(2, 5, 4)], lambda m, x: m(x, src_mask=causal, is_causal=True))
encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, batch_first=True, **options), 2, norm=nn.LayerNorm(4),
                                enable_nested_tensor=False)
case("encoder", encoder, [r(2, 4, 4)])
case("decoder_layer", nn.TransformerDecoderLayer(4, 2, **options), [r(3, 2, 4), r(5, 2, 4)])
case("decoder", nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, norm_first=True, **options), 2), [r(3, 2, 4), r(5, 2, 4)])
case("batch_norm", nn.BatchNorm1d(3), [r(4, 3)])
case("batch_norm_2d", nn.BatchNorm2d(3), [r(2, 3, 2, 3)])
trained = nn.BatchNorm1d(3)
trained(r(10, 3) * 2 + 1)
case("batch_norm_eval", trained, [r(2, 3, 4)], train=False)
case("batch_norm_mean", nn.BatchNorm1d(3, momentum=None), [r(4, 3)])
case("instance_norm", nn.InstanceNorm1d(3, affine=True, track_running_stats=True), [r(2, 3, 5)])
case("layer_norm", nn.LayerNorm([2, 3]), [r(4, 2, 3)])
case("group_norm", nn.GroupNorm(2, 4), [r(2, 4, 3)])
case("rms_norm", nn.RMSNorm(5), [r(2, 5)])
case("conv", nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), [r(2, 4, 5, 6)])
case("conv_same", nn.Conv1d(2, 3, 4, padding="same", bias=False), [r(2, 2, 7)])
case("conv_transpose", nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1), [r(2, 3, 3, 2)])
case("embedding", nn.Embedding(6, 3, padding_idx=2), [torch.tensor([[1, 2], [5, 1]])])
case("embedding_bag", nn.EmbeddingBag(6, 3, mode="sum"), [torch.tensor([[1, 2], [5, 1]])])
case("bilinear", nn.Bilinear(3, 4, 2), [r(5, 3), r(5, 4)])
case("weight_norm", nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), [r(4, 3)])
case("rnn_cell", nn.RNNCell(3, 4, nonlinearity="relu"), [r(2, 3)])
case("lstm_cell", nn.LSTMCell(3, 4), [r(2, 3), r(2, 4), r(2, 4)], lambda m, x, h, c: m(x, (h, c)))
case("gru_cell", nn.GRUCell(3, 4, bias=False), [r(3), r(4)])
case("adaptive", nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0, head_bias=True),
     [r(5, 8), torch.tensor([0, 19, 5, 3, 12])], lambda m, x, t: [*m(x, t), m.log_prob(x), m.predict(x)])
case("transformer", nn.Transformer(4, 2, 1, 2, **options), [r(5, 2, 4), r(3, 2, 4)],
     lambda m, s, t: m(s, t, tgt_mask=causal[:3, :3], tgt_is_causal=True))
for n in (1, 2, 3):
    x, sides = r(1, 2, *[4, 5, 3][:n]), (1, 2, 2, 0, 1, 1)[: 2 * n]
    case(f"constant_pad{n}", getattr(nn, f"ConstantPad{n}d")(sides, 1.5), [x])
    for kind in ("Zero", "Reflection", "Replication", "Circular"):
        case(f"{kind.lower()}_pad{n}", getattr(nn, f"{kind}Pad{n}d")(sides if kind != "Reflection" else 1), [x.detach()])
    x = r(1, 2, *[4, 6, 4][:n])
    case(f"lp_pool{n}", getattr(nn, f"LPPool{n}d")(3.0, 2, ceil_mode=True), [x.detach().abs()])
    pooled, places = getattr(nn.functional, f"max_pool{n}d")(x, 2, return_indices=True)
    case(f"max_unpool{n}", getattr(nn, f"MaxUnpool{n}d")(2), [pooled, places])
case("unfold", nn.Unfold((2, 3), dilation=(1, 2), padding=1, stride=2), [r(2, 3, 5, 6)])
case("fold", nn.Fold((5, 6), (2, 3), dilation=(1, 2), padding=1, stride=2), [r(2, 18, 6)])
case("pixel_shuffle", nn.PixelShuffle(2), [r(1, 8, 2, 3)])
case("pixel_unshuffle", nn.PixelUnshuffle(2), [r(1, 2, 4, 6)])
case("channel_shuffle", nn.ChannelShuffle(2), [r(1, 6, 2)])
case("local_response_norm", nn.LocalResponseNorm(3, alpha=0.1), [r(2, 5, 3)])
case("cosine", nn.CosineSimilarity(), [r(3, 4), r(3, 4)])
case("distance", nn.PairwiseDistance(), [r(3, 4), r(3, 4)])
case("triplet", nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).abs().sum(-1), swap=True),
     [r(3, 4), r(3, 4), r(3, 4)])
case("linear_cross_entropy", nn.LinearCrossEntropyLoss(4, 3, out_features=(2,), bias=True, ignore_index=1, label_smoothing=0.1),
     [r(3, 4), torch.tensor([[0, 1], [2, 2], [1, 0]])])
case("weight_norm_conv", nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)), [r(2, 4, 5, 6)])
case("weight_norm_transposed", nn.utils.parametrizations.weight_norm(nn.ConvTranspose1d(3, 2, 3, bias=False)), [r(2, 3, 4)])
save_file({k: v.contiguous() for k, v in out.items()}, HERE / "layers.safetensors", metadata={"torch": torch.__version__})
