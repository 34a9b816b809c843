"""Losses as layers that hold their options; each applies the function of `nn.functional` of like name.

`reduction` is 'mean', 'sum' or 'none'. `size_average` and `reduce` are its old spelling.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Callable

from wengert._C import Tensor

from .linear import Linear
from .module import Module
from .options import _functional, _Options
from .vision import PairwiseDistance

_OLD = {"size_average": None, "reduce": None}


def _reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    if size_average is None and reduce is None:
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"{reduction} is not a valid value for reduction")
        return reduction
    if reduce is False:
        new = "none"
    else:
        new = "sum" if size_average is False else "mean"
    warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{new}' instead.", stacklevel=4)
    return new


class _Loss(_Options):
    _unused = ("size_average", "reduce")
    # PyTorch prints no options of losses.
    _hidden = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reduction = _reduction(self.size_average, self.reduce, self.reduction)
        del self.size_average, self.reduce
        for name in ("weight", "pos_weight"):
            if name in self._names:
                value = self.__dict__.pop(name)
                self.register_buffer(name, value)

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


_PLAIN = {**_OLD, "reduction": "mean"}
_WEIGHTED = {"weight": None, **_OLD, "reduction": "mean"}


class L1Loss(_Loss, fn="l1_loss", options=_PLAIN):
    """|x − y|.

    >>> import wengert
    >>> wengert.nn.L1Loss()(wengert.tensor([1.0, 2.0]), wengert.tensor([0.0, 4.0]))
    tensor(1.5000)
    """


class MSELoss(_Loss, fn="mse_loss", options=_PLAIN):
    """(x − y)².

    >>> from wengert import nn, tensor
    >>> nn.MSELoss()(tensor([1.0, 2.0]), tensor([1.0, 4.0]))
    tensor(2.)
    """


class SmoothL1Loss(_Loss, fn="smooth_l1_loss", options={**_PLAIN, "beta": 1.0}):
    """½ (x − y)² / β where |x − y| < β, otherwise |x − y| − ½ β.

    >>> import wengert
    >>> wengert.nn.SmoothL1Loss()(wengert.tensor([1.0, 2.0]), wengert.tensor([0.5, 4.0]))
    tensor(0.8125)
    """


class HuberLoss(_Options, fn="huber_loss", options={"reduction": "mean", "delta": 1.0}):
    """½ (x − y)² where |x − y| ≤ δ, otherwise δ (|x − y| − ½ δ).

    >>> import wengert
    >>> wengert.nn.HuberLoss(delta=1.0)(wengert.tensor([1.0, 2.0]), wengert.tensor([0.5, 4.0]))
    tensor(0.8125)
    """

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class CrossEntropyLoss(
    _Loss,
    fn="cross_entropy",
    options={"weight": None, "size_average": None, "ignore_index": -100, "reduce": None, "reduction": "mean", "label_smoothing": 0.0},
):
    """−log softmax(x)[target], for class numbers or probabilities as targets.

    >>> import wengert
    >>> wengert.nn.CrossEntropyLoss()(wengert.tensor([[2.0, 0.0], [0.0, 1.0]]), wengert.tensor([0, 1]))
    tensor(0.2201)
    """


class NLLLoss(
    _Loss,
    fn="nll_loss",
    options={"weight": None, "size_average": None, "ignore_index": -100, "reduce": None, "reduction": "mean"},
):
    """−x[target], for log-probabilities x.

    >>> import wengert
    >>> wengert.nn.NLLLoss()(wengert.tensor([[-0.1, -2.0]]), wengert.tensor([0]))
    tensor(0.1000)
    """


class NLLLoss2d(
    NLLLoss,
    options={"weight": None, "size_average": None, "ignore_index": -100, "reduce": None, "reduction": "mean"},
):
    """`NLLLoss` under its old name.

    >>> import wengert
    >>> wengert.nn.NLLLoss2d()(-wengert.ones(1, 2, 3, 3), wengert.zeros(1, 3, 3, dtype=wengert.int64))
    tensor(1.)
    """


class BCELoss(_Loss, fn="binary_cross_entropy", options=_WEIGHTED):
    """−(y ln x + (1 − y) ln(1 − x)), for probabilities x.

    >>> import wengert
    >>> wengert.nn.BCELoss()(wengert.tensor([0.9, 0.2]), wengert.tensor([1.0, 0.0]))
    tensor(0.1643)
    """


class BCEWithLogitsLoss(_Loss, fn="binary_cross_entropy_with_logits", options={**_WEIGHTED, "pos_weight": None}):
    """The same for logits, which is safe where probabilities are near 0 or 1.

    >>> import wengert
    >>> wengert.nn.BCEWithLogitsLoss()(wengert.tensor([2.0, -1.0]), wengert.tensor([1.0, 0.0]))
    tensor(0.2201)
    """


class KLDivLoss(_Loss, fn="kl_div", options={**_PLAIN, "log_target": False}):
    """y (ln y − x), for log-probabilities x.

    >>> import wengert
    >>> p, q = wengert.tensor([[0.5, 0.5]]), wengert.tensor([[0.25, 0.75]])
    >>> wengert.nn.KLDivLoss(reduction='batchmean')(q.log(), p)
    tensor(0.1438)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # 'batchmean' is a reduction that only this loss has.
        batchmean = kwargs.get("reduction") == "batchmean"
        super().__init__(*args, **({**kwargs, "reduction": "mean"} if batchmean else kwargs))
        if batchmean:
            self.reduction = "batchmean"


class PoissonNLLLoss(
    _Loss,
    fn="poisson_nll_loss",
    options={"log_input": True, "full": False, "size_average": None, "eps": 1e-8, "reduce": None, "reduction": "mean"},
):
    """exp(x) − y x, for the logarithm x of a Poisson distribution's rate.

    >>> import wengert
    >>> wengert.nn.PoissonNLLLoss()(wengert.tensor([0.0, 1.0]), wengert.tensor([1.0, 2.0]))
    tensor(0.8591)
    """


class GaussianNLLLoss(_Options, fn="gaussian_nll_loss", options={"full": False, "eps": 1e-6, "reduction": "mean"}):
    """½ (ln σ² + (x − y)² / σ²).

    >>> import wengert
    >>> wengert.nn.GaussianNLLLoss()(wengert.tensor([0.0]), wengert.tensor([1.0]), wengert.tensor([1.0]))
    tensor(0.5000)
    """

    def forward(self, input: Tensor, target: Tensor, var: Any) -> Tensor:
        """The loss, given the variances σ²."""
        return _functional().gaussian_nll_loss(input, target, var, **self._kwargs())

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class HingeEmbeddingLoss(_Loss, fn="hinge_embedding_loss", options={"margin": 1.0, **_PLAIN}):
    """x where y = 1, max(0, margin − x) where y = −1.

    >>> import wengert
    >>> wengert.nn.HingeEmbeddingLoss()(wengert.tensor([0.5, 0.25]), wengert.tensor([1.0, -1.0]))
    tensor(0.6250)
    """


class SoftMarginLoss(_Loss, fn="soft_margin_loss", options=_PLAIN):
    """ln(1 + exp(−y x)).

    >>> import wengert
    >>> wengert.nn.SoftMarginLoss()(wengert.tensor([1.0, -1.0]), wengert.tensor([1.0, -1.0]))
    tensor(0.3133)
    """


class MarginRankingLoss(_Loss, fn="margin_ranking_loss", options={"margin": 0.0, **_PLAIN}):
    """max(0, −y (x₁ − x₂) + margin).

    >>> import wengert
    >>> wengert.nn.MarginRankingLoss(margin=0.5)(wengert.tensor([1.0]), wengert.tensor([0.8]), wengert.tensor([1.0]))
    tensor(0.3000)
    """


class CosineEmbeddingLoss(_Loss, fn="cosine_embedding_loss", options={"margin": 0.0, **_PLAIN}):
    """1 − cos(x₁, x₂) where y = 1, max(0, cos(x₁, x₂) − margin) where y = −1.

    >>> import wengert
    >>> wengert.nn.CosineEmbeddingLoss()(wengert.tensor([[1.0, 0.0]]), wengert.tensor([[1.0, 1.0]]), wengert.tensor([1.0]))
    tensor(0.2929)
    """


class MultiLabelMarginLoss(_Loss, fn="multilabel_margin_loss", options=_PLAIN):
    """The margin between every class that is in the target and every one that is not.

    >>> import wengert
    >>> wengert.nn.MultiLabelMarginLoss()(wengert.tensor([[0.1, 0.2, 0.4]]), wengert.tensor([[2, -1, 0]]))
    tensor(0.5000)
    """


class MultiLabelSoftMarginLoss(_Loss, fn="multilabel_soft_margin_loss", options=_WEIGHTED):
    """Binary cross-entropy of each class's logit, and the mean over classes.

    >>> import wengert
    >>> wengert.nn.MultiLabelSoftMarginLoss()(wengert.tensor([[1.0, -1.0]]), wengert.tensor([[1.0, 0.0]]))
    tensor(0.3133)
    """


class MultiMarginLoss(
    _Loss,
    fn="multi_margin_loss",
    options={"p": 1, "margin": 1.0, "weight": None, **_PLAIN},
):
    """max(0, margin − x[y] + x[i])ᵖ over all other classes i.

    >>> import wengert
    >>> wengert.nn.MultiMarginLoss()(wengert.tensor([[0.1, 0.2, 0.4]]), wengert.tensor([2]))
    tensor(0.5000)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.p not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")


class TripletMarginLoss(
    _Loss,
    fn="triplet_margin_loss",
    options={
        "margin": 1.0,
        "p": 2.0,
        "eps": 1e-6,
        "swap": False,
        "size_average": None,
        "reduce": None,
        "reduction": "mean",
    },
):
    """max(0, ‖a − p‖ − ‖a − n‖ + margin).

    >>> import wengert
    >>> a, p, n = wengert.tensor([[0.0]]), wengert.tensor([[1.0]]), wengert.tensor([[1.5]])
    >>> wengert.nn.TripletMarginLoss()(a, p, n)
    tensor(0.5000)
    """


class LinearCrossEntropyLoss(Module):
    """The cross entropy of a linear layer's result, for inputs `[N, in]`; with `out_features` (d₁, …) of as many results for each.

    `options`, which in PyTorch say how the logits are computed in parts, change nothing.

    >>> import wengert
    >>> loss = wengert.nn.LinearCrossEntropyLoss(2, 3)
    >>> _ = wengert.nn.init.eye_(loss.linear.weight)
    >>> loss(wengert.tensor([[2.0, 0.0]]), wengert.tensor([0])).detach()
    tensor(0.2395)
    """

    weight: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
    ) -> None:
        super().__init__()
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise RuntimeError(f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}")
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"expected label_smoothing to be in range [0, 1], got {label_smoothing}")
        self.register_buffer("weight", weight)
        self.reduction = _reduction(None, None, reduction)
        self.num_classes, self.out_features = num_classes, tuple(out_features)
        self.ignore_index, self.label_smoothing, self.options = ignore_index, label_smoothing, options
        outputs = math.prod(self.out_features, start=num_classes)
        self.linear = Linear(in_features, outputs, bias=bias, device=device, dtype=dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        outputs, linear = (self.num_classes, *self.out_features), self.linear
        return _functional().linear_cross_entropy(
            input,
            linear.weight.reshape((*outputs, linear.in_features)),
            target,
            linear_bias=None if linear.bias is None else linear.bias.reshape(outputs),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        """What it was made with."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, out_features={self.out_features},"
            f" bias={self.linear.bias is not None}, reduction={self.reduction}, ignore_index={self.ignore_index},"
            f" label_smoothing={self.label_smoothing}, options={self.options}"
        )


class TripletMarginWithDistanceLoss(Module):
    """max(0, d(a, p) − d(a, n) + margin) with a distance of one's own.

    >>> import wengert
    >>> a, p, n = wengert.tensor([[0.0]]), wengert.tensor([[1.0]]), wengert.tensor([[1.5]])
    >>> wengert.nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1))(a, p, n)
    tensor(0.5000)
    """

    def __init__(
        self,
        *,
        distance_function: Callable | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if margin <= 0:
            raise ValueError(f"TripletMarginWithDistanceLoss: expected margin to be greater than 0, got {margin} instead")
        if distance_function is None:
            distance_function = PairwiseDistance()
        self.distance_function = distance_function
        self.margin = margin
        self.swap = swap
        self.reduction = reduction

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss."""
        return _functional().triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class CTCLoss(_Options, fn="ctc_loss", options={"blank": 0, "reduction": "mean", "zero_infinity": False}):
    """−log of the probability of all alignments of a sequence with its labels.

    Source: Graves et al., Connectionist Temporal Classification, 2006.

    >>> import wengert
    >>> chances = wengert.full((4, 1, 3), 1 / 3).log()
    >>> wengert.nn.CTCLoss()(chances, wengert.tensor([[1, 2]]), [4], [2])
    tensor(0.8432)
    """

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""
