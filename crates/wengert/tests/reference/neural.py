#!/usr/bin/env python3
"""Make neural.safetensors: values and gradients of the functions of torch.nn.functional, by PyTorch in float64.

Needs: pip install torch numpy safetensors. Run: python neural.py

For each case NAME: the inputs NAME.x0, NAME.x1, ...; the output NAME.y; a random upstream gradient NAME.dy; the
gradients NAME.g0, NAME.g1, ... of sum(y * dy); and the gradients NAME.h0, NAME.h1, ... of sum(g * v), with
NAME.v0, NAME.v1, ... given, where PyTorch has second derivatives. NAME.t0, ... are further tensors.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

rng = np.random.default_rng(7)


def n(*shape):
    return rng.standard_normal(shape)


def p(*shape):
    return rng.uniform(0.1, 0.9, shape)


def i(high, *shape):
    return torch.from_numpy(rng.integers(0, high, shape))


def signs(*shape):
    return torch.from_numpy(rng.integers(0, 2, shape) * 2.0 - 1.0)


def simplex(*shape):
    x = p(*shape)
    return x / x.sum(1, keepdims=True)


CASES = []


def case(name, function, inputs, *more):
    """function(*inputs, *more); gradients are for the inputs."""
    CASES.append((name, function, inputs, more))


# Convolutions.
case("conv1d", lambda x, w, b: F.conv1d(x, w, b, 2, 1, 2), [n(2, 4, 11), n(3, 4, 3), n(3)])
case("conv1d_same", lambda x, w: F.conv1d(x, w, None, 1, "same", 1), [n(2, 2, 6), n(3, 2, 4)])
case("conv2d", lambda x, w, b: F.conv2d(x, w, b, 1, 1), [n(2, 3, 6, 7), n(8, 3, 3, 3), n(8)])
case("conv2d_strided", lambda x, w: F.conv2d(x, w, None, (2, 3), (1, 0), (1, 2)), [n(1, 3, 8, 9), n(4, 3, 3, 2)])
case("conv2d_groups", lambda x, w, b: F.conv2d(x, w, b, 1, 1, 1, 2), [n(2, 4, 5, 5), n(6, 2, 3, 3), n(6)])
case("conv2d_depthwise", lambda x, w: F.conv2d(x, w, None, 2, 1, 1, 4), [n(2, 4, 6, 5), n(4, 1, 3, 3)])
case("conv2d_unbatched", lambda x, w: F.conv2d(x, w, None, 1, "valid"), [n(3, 5, 5), n(4, 3, 1, 1)])
case("conv3d", lambda x, w, b: F.conv3d(x, w, b, (1, 2, 1), (0, 1, 1)), [n(1, 2, 4, 5, 4), n(3, 2, 2, 3, 2), n(3)])
case("conv_transpose1d", lambda x, w, b: F.conv_transpose1d(x, w, b, 2, 1, 1), [n(2, 4, 5), n(4, 3, 3), n(3)])
case("conv_transpose2d", lambda x, w, b: F.conv_transpose2d(x, w, b, (2, 3), (1, 0), (1, 2), 2, 1),
     [n(2, 4, 3, 4), n(4, 2, 3, 2), n(4)])
case("conv_transpose2d_dilated", lambda x, w: F.conv_transpose2d(x, w, None, 1, 1, 1, 1, 2), [n(1, 2, 4, 4), n(2, 3, 3, 2)])
case("conv_transpose3d", lambda x, w: F.conv_transpose3d(x, w, None, 2, 1), [n(1, 2, 2, 3, 2), n(2, 3, 3, 2, 3)])
# Pooling.
case("max_pool1d", lambda x: F.max_pool1d(x, 3, 2, 1, 2), [n(2, 3, 13)])
case("max_pool2d", lambda x: F.max_pool2d(x, 2), [n(2, 3, 6, 7)])
case("max_pool2d_ceil", lambda x: F.max_pool2d(x, (3, 2), (2, 3), (1, 0), 1, True), [n(2, 3, 6, 7)])
case("max_pool3d", lambda x: F.max_pool3d(x, 2, 1, 1), [n(1, 2, 3, 4, 5)])
case("avg_pool1d", lambda x: F.avg_pool1d(x, 3, 2, 1), [n(2, 3, 8)])
case("avg_pool2d_ceil", lambda x: F.avg_pool2d(x, (3, 2), (2, 3), (1, 1), True), [n(2, 3, 6, 7)])
case("avg_pool2d_without_pad", lambda x: F.avg_pool2d(x, 3, 2, 1, True, False), [n(2, 3, 6, 6)])
case("avg_pool2d_divisor", lambda x: F.avg_pool2d(x, 2, 1, 0, False, True, 3), [n(2, 3, 4, 4)])
case("avg_pool3d", lambda x: F.avg_pool3d(x, 2, 2, 1), [n(1, 2, 4, 5, 3)])
case("lp_pool1d", lambda x: F.lp_pool1d(x, 2, 3, 2), [n(2, 3, 8)])
case("lp_pool2d", lambda x: F.lp_pool2d(x, 3, 2), [p(2, 3, 6, 6)])
case("adaptive_avg_pool1d", lambda x: F.adaptive_avg_pool1d(x, 3), [n(2, 3, 7)])
case("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (3, None)), [n(2, 3, 7, 5)])
case("adaptive_avg_pool3d", lambda x: F.adaptive_avg_pool3d(x, (2, 3, 1)), [n(1, 2, 3, 7, 5)])
case("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (3, 2)), [n(2, 3, 7, 5)])
POOLED, PLACES = F.max_pool2d(torch.from_numpy(n(2, 3, 6, 6)), 2, return_indices=True)
case("max_unpool2d", lambda x, index: F.max_unpool2d(x, index, 2), [POOLED.numpy()], PLACES)
# Resizing and sampling.
case("nearest", lambda x: F.interpolate(x, scale_factor=1.7, mode="nearest"), [n(2, 2, 7)])
case("nearest_exact", lambda x: F.interpolate(x, (5, 11), mode="nearest-exact"), [n(1, 2, 7, 6)])
case("linear", lambda x: F.interpolate(x, 9, mode="linear"), [n(2, 2, 5)])
case("bilinear", lambda x: F.interpolate(x, (7, 3), mode="bilinear"), [n(1, 2, 5, 6)])
case("bilinear_aligned", lambda x: F.interpolate(x, (7, 3), mode="bilinear", align_corners=True), [n(1, 2, 5, 6)])
case("bilinear_scale", lambda x: F.interpolate(x, scale_factor=(1.3, 0.6), mode="bilinear"), [n(1, 2, 5, 6)])
case("bilinear_antialias", lambda x: F.interpolate(x, (3, 4), mode="bilinear", antialias=True), [n(1, 2, 8, 9)])
case("bicubic", lambda x: F.interpolate(x, (7, 4), mode="bicubic"), [n(1, 2, 5, 6)])
case("bicubic_antialias", lambda x: F.interpolate(x, (3, 4), mode="bicubic", antialias=True), [n(1, 2, 8, 9)])
case("trilinear", lambda x: F.interpolate(x, scale_factor=2.0, mode="trilinear", align_corners=True), [n(1, 2, 3, 2, 3)])
case("area", lambda x: F.interpolate(x, (3, 4), mode="area"), [n(1, 2, 7, 6)])
for mode in ("bilinear", "nearest", "bicubic"):
    for padding in ("zeros", "border", "reflection"):
        for align in (False, True):
            case(f"grid_sample {mode} {padding} {align}",
                 lambda x, g, m=mode, q=padding, a=align: F.grid_sample(x, g, m, q, a),
                 [n(1, 2, 4, 5), n(1, 3, 3, 2)])
case("grid_sample_3d", lambda x, g: F.grid_sample(x, g, "bilinear", "border", False), [n(1, 2, 3, 4, 3), n(1, 2, 2, 2, 3)])
case("affine_grid", lambda t: F.affine_grid(t, [2, 1, 3, 4], False), [n(2, 2, 3)])
case("affine_grid_3d", lambda t: F.affine_grid(t, [2, 1, 2, 3, 4], True), [n(2, 3, 4)])
# Norms.
case("layer_norm", lambda x, w, b: F.layer_norm(x, (3, 4), w, b), [n(2, 5, 3, 4), n(3, 4), n(3, 4)])
case("layer_norm_plain", lambda x: F.layer_norm(x, (4,), eps=1e-3), [n(5, 4)])
case("rms_norm", lambda x, w: F.rms_norm(x, (4,), w), [n(2, 5, 4), n(4)])
case("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b), [n(2, 6, 3, 4), n(6), n(6)])
case("instance_norm", lambda x, w, b: F.instance_norm(x, None, None, w, b), [n(2, 3, 4, 5), n(3), n(3)])
case("batch_norm", lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [n(4, 3, 5, 8), n(3), n(3)])
case("batch_norm_2d", lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [n(6, 3), n(3), n(3)])
case("batch_norm_eval", lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b, False), [n(2, 3, 4), n(3), n(3)],
     torch.from_numpy(n(3)), torch.from_numpy(p(3)))
case("local_response_norm", lambda x: F.local_response_norm(x, 3, 0.1, 0.7, 1.5), [n(2, 6, 4)])
case("normalize", lambda x: F.normalize(x, 3.0, 1), [n(3, 4, 2)])
# Attention.
case("attention", lambda q, k, v: F.scaled_dot_product_attention(q, k, v), [n(2, 3, 5, 4), n(2, 3, 6, 4), n(2, 3, 6, 3)])
case("attention_causal", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3),
     [n(2, 5, 4), n(2, 5, 4), n(2, 5, 4)])
case("attention_bool", lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m.bool()),
     [n(2, 2, 5, 4), n(2, 2, 6, 4), n(2, 2, 6, 4)], torch.from_numpy(rng.integers(0, 2, (2, 1, 5, 6)).astype(np.uint8)))
case("attention_float", lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m),
     [n(2, 5, 4), n(2, 6, 4), n(2, 6, 4), n(5, 6)])
case("attention_gqa", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
     [n(1, 4, 5, 4), n(1, 2, 6, 4), n(1, 2, 6, 4)])
# Embeddings and distances.
case("embedding", lambda w, x: F.embedding(x, w, 1), [n(5, 3)], i(5, 2, 4))
case("embedding_bag_mean", lambda w, x, o: F.embedding_bag(x, w, o), [n(5, 3)], i(5, 7), torch.tensor([0, 2, 2, 5]))
case("embedding_bag_sum", lambda w, s, x: F.embedding_bag(x, w, mode="sum", per_sample_weights=s), [n(5, 3), n(2, 4)], i(5, 2, 4))
case("embedding_bag_max", lambda w, x: F.embedding_bag(x, w, mode="max", padding_idx=2), [n(5, 3)], i(5, 3, 4))
case("cosine_similarity", lambda a, b: F.cosine_similarity(a, b, 1), [n(3, 4, 2), n(1, 4, 2)])
case("pairwise_distance", lambda a, b: F.pairwise_distance(a, b, 2.0, 1e-6, True), [n(3, 4), n(3, 4)])
case("pairwise_distance_p", lambda a, b: F.pairwise_distance(a, b, 3.0), [n(3, 4), n(3, 4)])
case("pdist", lambda x: F.pdist(x, 2.0), [n(5, 3)])
case("bilinear_layer", lambda a, b, w, c: F.bilinear(a, b, w, c), [n(2, 3, 4), n(2, 3, 5), n(2, 4, 5), n(2)])
case("softmin", lambda x: F.softmin(x, 1), [n(3, 4)])
# Losses.
for r in ("mean", "sum", "none"):
    case(f"l1_loss {r}", lambda x, t, r=r: F.l1_loss(x, t, reduction=r), [n(3, 4), n(3, 4)])
    case(f"smooth_l1_loss {r}", lambda x, t, r=r: F.smooth_l1_loss(x, t, reduction=r, beta=0.7), [n(3, 4), n(3, 4)])
    case(f"huber_loss {r}", lambda x, t, r=r: F.huber_loss(x, t, reduction=r, delta=0.7), [n(3, 4), n(3, 4)])
    case(f"nll_loss {r}", lambda x, t, w, r=r: F.nll_loss(x, t, w, ignore_index=1, reduction=r),
         [n(4, 3, 2)], i(3, 4, 2), torch.from_numpy(p(3)))
    case(f"cross_entropy {r}", lambda x, t, w, r=r: F.cross_entropy(x, t, w, ignore_index=1, reduction=r, label_smoothing=0.2),
         [n(4, 3, 2)], i(3, 4, 2), torch.from_numpy(p(3)))
    case(f"cross_entropy_probabilities {r}", lambda x, t, w, r=r: F.cross_entropy(x, t, w, reduction=r, label_smoothing=0.2),
         [n(4, 3), simplex(4, 3)], torch.from_numpy(p(3)))
    case(f"ctc_loss {r}", lambda x, t, r=r: F.ctc_loss(x.log_softmax(2), t, (6, 5), (3, 2), 0, r), [n(6, 2, 4)], i(3, 2, 3) + 1)
case("binary_cross_entropy", lambda x, t, w: F.binary_cross_entropy(x, t, w), [p(3, 4)], torch.from_numpy(p(3, 4)), torch.from_numpy(p(4)))
case("bce_with_logits", lambda x, t: F.binary_cross_entropy_with_logits(x, t), [n(3, 4), p(3, 4)])
case("bce_with_logits_weighted", lambda x, t, w, q: F.binary_cross_entropy_with_logits(x, t, w, pos_weight=q),
     [n(3, 4)], torch.from_numpy(p(3, 4)), torch.from_numpy(p(4)), torch.from_numpy(p(4)))
case("kl_div", lambda x, t: F.kl_div(x, t, reduction="sum"), [n(3, 4), p(3, 4)])
case("kl_div_log", lambda x, t: F.kl_div(x, t, reduction="sum", log_target=True), [n(3, 4), n(3, 4)])
case("poisson_nll_loss", lambda x, t: F.poisson_nll_loss(x, t, True, full=True), [n(3, 4)], i(4, 3, 4).double())
case("poisson_nll_loss_rate", lambda x, t: F.poisson_nll_loss(x, t, False), [p(3, 4)], i(4, 3, 4).double())
case("gaussian_nll_loss", lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=True), [n(3, 4), n(3, 4), p(3, 1)])
case("hinge_embedding_loss", lambda x, t: F.hinge_embedding_loss(x, t, 0.8), [n(3, 4)], signs(3, 4))
case("soft_margin_loss", lambda x, t: F.soft_margin_loss(x, t), [n(3, 4)], signs(3, 4))
case("margin_ranking_loss", lambda a, b, t: F.margin_ranking_loss(a, b, t, 0.3), [n(5), n(5)], signs(5))
case("multi_margin_loss", lambda x, t, w: F.multi_margin_loss(x, t, 2, 0.8, w), [n(4, 3)], i(3, 4), torch.from_numpy(p(3)))
case("multilabel_margin_loss", lambda x, t: F.multilabel_margin_loss(x, t), [n(2, 4)], torch.tensor([[3, 0, -1, 1], [2, -1, 0, 0]]))
case("multilabel_soft_margin_loss", lambda x, t, w: F.multilabel_soft_margin_loss(x, t, w), [n(3, 4)], i(2, 3, 4).double(), torch.from_numpy(p(4)))
case("triplet_margin_loss", lambda a, b, c: F.triplet_margin_loss(a, b, c, 1.0, 2.0, 1e-6, True), [n(4, 3), n(4, 3), n(4, 3)])
case("cosine_embedding_loss", lambda a, b, t: F.cosine_embedding_loss(a, b, t, 0.1), [n(4, 3), n(4, 3)], signs(4))


def main():
    out = {}
    twice = 0
    for name, function, arrays, more in CASES:
        inputs = [torch.from_numpy(np.ascontiguousarray(a)).requires_grad_() for a in arrays]
        y = function(*inputs, *more)
        dy = torch.from_numpy(np.asarray(rng.standard_normal(tuple(y.shape))))
        vs = [torch.from_numpy(np.asarray(rng.standard_normal(tuple(x.shape)))) for x in inputs]
        gradients = torch.autograd.grad(y, inputs, dy, create_graph=True, allow_unused=True)
        try:
            slope = sum((g * v).sum() for g, v in zip(gradients, vs) if g is not None)
            second = torch.autograd.grad(slope, inputs, allow_unused=True)
        except RuntimeError:
            second = None
        for k, x in enumerate(inputs):
            out[f"{name}.x{k}"], out[f"{name}.v{k}"] = x, vs[k]
            out[f"{name}.g{k}"] = torch.zeros_like(x) if gradients[k] is None else gradients[k]
            if second is not None:
                out[f"{name}.h{k}"] = torch.zeros_like(x) if second[k] is None else second[k]
        twice += second is not None
        for k, t in enumerate(more):
            out[f"{name}.t{k}"] = t
        out[f"{name}.y"], out[f"{name}.dy"] = y, dy
    out = {key: value.detach().clone(memory_format=torch.contiguous_format) for key, value in out.items()}
    path = Path(__file__).resolve().parent / "neural.safetensors"
    save_file(out, path, metadata={"torch": torch.__version__})
    print(f"torch {torch.__version__}: {len(CASES)} cases, {twice} of them twice, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
