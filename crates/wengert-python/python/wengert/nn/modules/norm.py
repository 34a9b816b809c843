"""Normalisation."""

from __future__ import annotations

import numbers
from typing import Any

from wengert import _C
from wengert._C import Tensor
from wengert._modes import no_grad

from .. import init
from ..parameter import Parameter
from .linear import _like
from .module import Module
from .options import _functional, _Options


class _Affine(Module):
    """Has a scale `weight` and a shift `bias`, where they are wanted."""

    def _affine(self, shape: Any, weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        like = _like(device, dtype)
        for name, there in (("weight", weight), ("bias", bias)):
            self.register_parameter(name, Parameter(_C.empty(shape, **like)) if there else None)

    def reset_parameters(self) -> None:
        """Scale 1, shift 0."""
        for name, fill in (("weight", init.ones_), ("bias", init.zeros_)):
            if self._parameters.get(name) is not None:
                fill(self._parameters[name])


class _Norm(_Affine):
    """Normalisation over a batch or an instance, with running means where they are tracked."""

    _version = 2

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ) -> None:
        super().__init__()
        like = _like(device, dtype)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._affine(num_features, affine, affine and bias, device, dtype)
        for name, make in (("running_mean", _C.zeros), ("running_var", _C.ones)):
            self.register_buffer(name, make(num_features, **like) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", _C.tensor(0) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forgets the running means."""
        if self.track_running_stats:
            with no_grad():
                self.running_mean.zero_()
                self.running_var.fill_(1)
                self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Scale 1, shift 0, nothing tracked."""
        self.reset_running_stats()
        super().reset_parameters()

    _ranks: tuple = ()

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self._ranks:
            expected = " or ".join(f"{r}D" for r in self._ranks)
            raise ValueError(f"expected {expected} input (got {input.dim()}D input)")

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict: dict, prefix: str, local_metadata: dict, *rest: Any) -> None:
        # Checkpoints from before version 2 did not count batches.
        key = prefix + "num_batches_tracked"
        version = local_metadata.get("version")
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            if self.num_batches_tracked is not None:
                state_dict[key] = self.num_batches_tracked
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_Norm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        """Each channel with mean 0 and variance 1, scaled and shifted."""
        self._check_input_dim(input)
        average = 0.0 if self.momentum is None else self.momentum
        mean, var = self.running_mean, self.running_var
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            with no_grad():
                self.num_batches_tracked.add_(1)
            if self.momentum is None:
                average = 1.0 / float(self.num_batches_tracked)
        by_batch = self.training or (mean is None and var is None)
        use = not self.training or self.track_running_stats
        return _functional().batch_norm(
            input,
            mean if use else None,
            var if use else None,
            self.weight,
            self.bias,
            by_batch,
            average,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of [N, C] or [N, C, L].

    Source: Ioffe and Szegedy, Batch Normalization, 2015.

    >>> import wengert
    >>> x = wengert.randn(8, 3)
    >>> wengert.nn.BatchNorm1d(3)(x).mean().abs().item() < 1e-6
    True
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of [N, C, H, W].

    >>> import wengert
    >>> x = wengert.randn(8, 3, 4, 4)
    >>> wengert.nn.BatchNorm2d(3)(x).mean().abs().item() < 1e-6
    True
    """

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of [N, C, D, H, W].

    >>> import wengert
    >>> x = wengert.randn(8, 3, 4, 4, 4)
    >>> wengert.nn.BatchNorm3d(3)(x).mean().abs().item() < 1e-6
    True
    """

    _ranks = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation of any number of dimensions from two on, over all processes: there is one.

    >>> import wengert
    >>> wengert.nn.SyncBatchNorm(3)(wengert.randn(8, 3)).shape
    wengert.Size([8, 3])
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with each of its batch norms replaced by one of this class, which has its parameters and statistics."""
        new = module
        if isinstance(module, _BatchNorm):
            new = cls(module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats, process_group)
            if module.affine:
                new.weight, new.bias = module.weight, module.bias
            new.running_mean, new.running_var = module.running_mean, module.running_var
            new.num_batches_tracked, new.training = module.num_batches_tracked, module.training
        for name, child in module.named_children():
            new.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return new


class _InstanceNorm(_Norm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        """Each channel of each instance with mean 0 and variance 1, scaled and shifted."""
        self._check_input_dim(input)
        alone = input.dim() == min(self._ranks)
        channels = input.shape[0 if alone else 1]
        if channels != self.num_features and self.affine:
            raise ValueError(
                f"expected input's size at dim={0 if alone else 1} to match num_features ({self.num_features}), "
                f"but got: {channels}."
            )
        result = _functional().instance_norm(
            input.unsqueeze(0) if alone else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result.squeeze(0) if alone else result


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of [N, C, L] or [C, L].

    >>> import wengert
    >>> wengert.nn.InstanceNorm1d(3)(wengert.randn(2, 3, 4)).shape
    wengert.Size([2, 3, 4])
    """

    _ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of [N, C, H, W] or [C, H, W].

    >>> import wengert
    >>> wengert.nn.InstanceNorm2d(3)(wengert.randn(2, 3, 4, 4)).shape
    wengert.Size([2, 3, 4, 4])
    """

    _ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of [N, C, D, H, W] or [C, D, H, W].

    >>> import wengert
    >>> wengert.nn.InstanceNorm3d(3)(wengert.randn(2, 3, 4, 4, 4)).shape
    wengert.Size([2, 3, 4, 4, 4])
    """

    _ranks = (4, 5)


def _shape_of(normalized_shape: Any) -> tuple:
    return (normalized_shape,) if isinstance(normalized_shape, numbers.Integral) else tuple(normalized_shape)


class LayerNorm(_Affine):
    """y = (x − mean) / √(var + ε) · weight + bias over the last dimensions.

    Source: Ba, Kiros and Hinton, Layer Normalization, 2016.

    >>> import wengert
    >>> wengert.nn.LayerNorm(2)(wengert.tensor([[1.0, 3.0]])).detach().round(decimals=3)
    tensor([[-1.,  1.]])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape_of(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._affine(self.normalized_shape, elementwise_affine, elementwise_affine and bias, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return _functional().layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The options."""
        s = f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        return f"{s}, bias={self.bias is not None}"


class RMSNorm(_Affine):
    """y = x / √(mean(x²) + ε) · weight over the last dimensions.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.

    >>> import wengert
    >>> wengert.nn.RMSNorm(2, eps=0.0)(wengert.tensor([[3.0, 4.0]])).detach()
    tensor([[0.8485, 1.1314]])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape_of(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = Parameter(_C.ones(self.normalized_shape, **_like(device, dtype))) if elementwise_affine else None
        self.register_parameter("weight", weight)

    def forward(self, x: Tensor) -> Tensor:
        """The normalised input."""
        return _functional().rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Affine):
    """Each group of channels with mean 0 and variance 1, scaled and shifted by channel.

    Source: Wu and He, Group Normalization, 2018.

    >>> import wengert
    >>> wengert.nn.GroupNorm(2, 4)(wengert.randn(1, 4, 3)).shape
    wengert.Size([1, 4, 3])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels must be divisible by num_groups, and {num_channels} is not by {num_groups}"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._affine(num_channels, affine, affine and bias, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return _functional().group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


class LocalResponseNorm(
    _Options, fn="local_response_norm", options={"size": ..., "alpha": 1e-4, "beta": 0.75, "k": 1.0}
):
    """Each number divided by what its neighbours in channels sum up to.

    >>> import wengert
    >>> wengert.nn.LocalResponseNorm(2)(wengert.ones(1, 4, 3)).shape
    wengert.Size([1, 4, 3])
    """

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm, options={"size": ..., "alpha": 1e-4, "beta": 0.75, "k": 1}):
    """`LocalResponseNorm` under its old name.

    >>> import wengert
    >>> wengert.nn.CrossMapLRN2d(2)(wengert.ones(1, 4, 3, 3)).shape
    wengert.Size([1, 4, 3, 3])
    """
