"""Layers and losses as functions."""

from .. import _C
from ._attention import multi_head_attention_forward  # noqa: F401
from .._C import (  # noqa: F401
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    affine_grid,
    alpha_dropout,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    batch_norm,
    bilinear,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    celu,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    cosine_embedding_loss,
    cosine_similarity,
    cross_entropy,
    ctc_loss,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    elu,
    embedding,
    embedding_bag,
    feature_alpha_dropout,
    fractional_max_pool2d,
    fractional_max_pool3d,
    gaussian_nll_loss,
    gelu,
    glu,
    grid_sample,
    group_norm,
    gumbel_softmax,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    hinge_embedding_loss,
    huber_loss,
    instance_norm,
    interpolate,
    kl_div,
    l1_loss,
    layer_norm,
    leaky_relu,
    linear,
    local_response_norm,
    log_softmax,
    logsigmoid,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    margin_ranking_loss,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
    mish,
    mse_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    normalize,
    one_hot,
    pairwise_distance,
    pdist,
    poisson_nll_loss,
    prelu,
    relu6,
    rms_norm,
    rrelu,
    scaled_dot_product_attention,
    selu,
    sigmoid,
    silu,
    smooth_l1_loss,
    soft_margin_loss,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
    threshold,
    triplet_margin_loss,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)


def relu(input, inplace=False):
    """max(x, 0).

    >>> import wengert
    >>> wengert.nn.functional.relu(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([0., 0., 1.])
    """
    return input.relu_() if inplace else _C.relu(input)


def _in_place(function, arguments=""):
    """The function that puts its result into its first argument."""

    def put(input, *args, **kwargs):
        return input.copy_(function(input, *args, **kwargs))

    put.__name__ = put.__qualname__ = function.__name__ + "_"
    put.__doc__ = f"""`{function.__name__}`, in place.

    >>> import wengert
    >>> x = wengert.tensor([-2.0, 1.0])
    >>> wengert.nn.functional.{function.__name__}_(x{arguments}) is x
    True
    """
    return put


relu_, celu_, elu_, hardtanh_ = map(_in_place, (relu, celu, elu, hardtanh))
leaky_relu_, rrelu_, selu_ = map(_in_place, (leaky_relu, rrelu, selu))
threshold_ = _in_place(threshold, ", 0.5, 0.0")


def linear_cross_entropy(
    input,
    linear_weight,
    target,
    *,
    linear_bias=None,
    weight=None,
    reduction="mean",
    ignore_index=None,
    label_smoothing=0.0,
    options=None,
):
    """The cross entropy of a linear layer's result, for a weight `[classes, *, in]`. `options` change nothing."""
    ignore_index = -100 if ignore_index is None else ignore_index
    if linear_weight.dim() < 2:
        raise RuntimeError(f"linear_cross_entropy: the weight must be [classes, *, in], and is {list(linear_weight.shape)}")
    outputs, width = tuple(linear_weight.shape[:-1]), linear_weight.shape[-1]
    bias = None if linear_bias is None else linear_bias.reshape((-1,))
    logits = linear(input, linear_weight.reshape((-1, width)), bias).reshape((*input.shape[:-1], *outputs))
    return cross_entropy(
        logits, target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
    )


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """The triplet margin loss with a distance of one's own.

    >>> import wengert
    >>> a, p, n = wengert.tensor([[0.0]]), wengert.tensor([[1.0]]), wengert.tensor([[1.5]])
    >>> wengert.nn.functional.triplet_margin_with_distance_loss(a, p, n)
    tensor(0.5000)
    """
    distance = distance_function if distance_function is not None else pairwise_distance
    if margin <= 0:
        raise ValueError(f"triplet_margin_with_distance_loss: the margin must be positive, and is {margin}")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    losses = relu(near - far + margin)
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses
    raise ValueError(f"{reduction} is not a valid value for reduction: there are 'mean', 'sum' and 'none'")
from .._C import _fold as fold  # noqa: F401, E402
from .._C import _pad as pad  # noqa: F401, E402
from .._C import _unfold as unfold  # noqa: F401, E402
from .._C import channel_shuffle, pixel_shuffle, pixel_unshuffle  # noqa: F401, E402
