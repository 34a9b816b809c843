"""Activations as layers; each applies the function of `nn.functional` that its documentation names."""

from __future__ import annotations

from typing import Any

from wengert import _C
from wengert._C import Tensor

from .. import init
from ..parameter import Parameter
from .linear import NonDynamicallyQuantizableLinear, _like
from .module import Module
from .options import _functional, _Options

_INPLACE = {"inplace": False}


class ReLU(_Options, fn="relu", options=_INPLACE):
    """max(x, 0).

    >>> import wengert
    >>> wengert.nn.ReLU()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([0., 0., 1.])
    """


class ReLU6(_Options, fn="relu6", options=_INPLACE):
    """min(max(x, 0), 6).

    >>> import wengert
    >>> wengert.nn.ReLU6()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([0., 0., 1.])
    """


class Sigmoid(_Options, fn="sigmoid", options={}):
    """1 / (1 + e⁻ˣ).

    >>> import wengert
    >>> wengert.nn.Sigmoid()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([0.1192, 0.5000, 0.7311])
    """


class Tanh(_Options, fn="tanh", options={}):
    """The hyperbolic tangent.

    >>> import wengert
    >>> wengert.nn.Tanh()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.9640,  0.0000,  0.7616])
    """


class SiLU(_Options, fn="silu", options=_INPLACE):
    """x sigmoid(x).

    >>> import wengert
    >>> wengert.nn.SiLU()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.2384,  0.0000,  0.7311])
    """


class Mish(_Options, fn="mish", options=_INPLACE):
    """x tanh(softplus(x)).

    >>> import wengert
    >>> wengert.nn.Mish()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.2525,  0.0000,  0.8651])
    """


class Hardswish(_Options, fn="hardswish", options=_INPLACE):
    """x relu6(x + 3) / 6.

    >>> import wengert
    >>> wengert.nn.Hardswish()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.3333,  0.0000,  0.6667])
    """


class Hardsigmoid(_Options, fn="hardsigmoid", options=_INPLACE):
    """relu6(x + 3) / 6.

    >>> import wengert
    >>> wengert.nn.Hardsigmoid()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([0.1667, 0.5000, 0.6667])
    """


class GELU(_Options, fn="gelu", options={"approximate": "none"}):
    """x Φ(x), where Φ is the distribution function of the standard normal.

    >>> import wengert
    >>> wengert.nn.GELU()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.0455,  0.0000,  0.8413])
    """


class ELU(_Options, fn="elu", options={"alpha": 1.0, **_INPLACE}):
    """x where x > 0, otherwise α (eˣ − 1).

    >>> import wengert
    >>> wengert.nn.ELU()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.8647,  0.0000,  1.0000])
    """


class CELU(_Options, fn="celu", options={"alpha": 1.0, **_INPLACE}):
    """max(x, 0) + min(0, α (exp(x/α) − 1)).

    >>> import wengert
    >>> wengert.nn.CELU()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.8647,  0.0000,  1.0000])
    """


class SELU(_Options, fn="selu", options=_INPLACE):
    """ELU scaled such that activations keep mean 0 and variance 1.

    >>> import wengert
    >>> wengert.nn.SELU()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-1.5202,  0.0000,  1.0507])
    """


class LeakyReLU(_Options, fn="leaky_relu", options={"negative_slope": 0.01, **_INPLACE}):
    """x where x > 0, otherwise a x.

    >>> import wengert
    >>> wengert.nn.LeakyReLU()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.0200,  0.0000,  1.0000])
    """


class RReLU(_Options, fn="rrelu", options={"lower": 1 / 8, "upper": 1 / 3, **_INPLACE}):
    """Leaky ReLU with a slope drawn anew for each number while training.

    >>> import wengert
    >>> wengert.nn.RReLU(0.2, 0.4).eval()(wengert.tensor([-1.0, 2.0]))
    tensor([-0.3000,  2.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Applies the function."""
        return _functional().rrelu(input, self.lower, self.upper, self.training)


class Hardtanh(_Options, fn="hardtanh", options={"min_val": -1.0, "max_val": 1.0, **_INPLACE}):
    """x clamped to [min_val, max_val].

    >>> import wengert
    >>> wengert.nn.Hardtanh(-1.0, 0.5)(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-1.0000,  0.0000,  0.5000])
    """


class Threshold(_Options, fn="threshold", options={"threshold": ..., "value": ..., **_INPLACE}):
    """x where x > threshold, otherwise value.

    >>> import wengert
    >>> wengert.nn.Threshold(0.5, 20.0)(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([20., 20.,  1.])
    """


class Softplus(_Options, fn="softplus", options={"beta": 1.0, "threshold": 20.0}):
    """ln(1 + exp(β x)) / β; x itself where β x is above the threshold.

    >>> import wengert
    >>> wengert.nn.Softplus()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([0.1269, 0.6931, 1.3133])
    """


class Softshrink(_Options, fn="softshrink", options={"lambd": 0.5}):
    """x moved towards 0 by λ.

    >>> import wengert
    >>> wengert.nn.Softshrink()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-1.5000,  0.0000,  0.5000])
    """

    def extra_repr(self) -> str:
        """λ."""
        return str(self.lambd)


class Hardshrink(_Options, fn="hardshrink", options={"lambd": 0.5}):
    """x where |x| > λ, otherwise 0.

    >>> import wengert
    >>> wengert.nn.Hardshrink()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-2.,  0.,  1.])
    """

    def extra_repr(self) -> str:
        """λ."""
        return str(self.lambd)


class Softsign(_Options, fn="softsign", options={}):
    """x / (1 + |x|).

    >>> import wengert
    >>> wengert.nn.Softsign()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-0.6667,  0.0000,  0.5000])
    """


class Tanhshrink(_Options, fn="tanhshrink", options={}):
    """x − tanh(x).

    >>> import wengert
    >>> wengert.nn.Tanhshrink()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-1.0360,  0.0000,  0.2384])
    """


class LogSigmoid(_Options, fn="logsigmoid", options={}):
    """The logarithm of the sigmoid.

    >>> import wengert
    >>> wengert.nn.LogSigmoid()(wengert.tensor([-2.0, 0.0, 1.0]))
    tensor([-2.1269, -0.6931, -0.3133])
    """


class GLU(_Options, fn="glu", options={"dim": -1}):
    """The first half along a dimension times the sigmoid of the second.

    >>> import wengert
    >>> wengert.nn.GLU()(wengert.tensor([1.0, 2.0, 0.0, -1.0]))
    tensor([0.5000, 0.5379])
    """


class Softmax(_Options, fn="softmax", options={"dim": None}):
    """eˣ over its sum along a dimension.

    >>> import wengert
    >>> wengert.nn.Softmax(-1)(wengert.tensor([0.0, 1.0, 1.0]))
    tensor([0.1554, 0.4223, 0.4223])
    """


class Softmin(_Options, fn="softmin", options={"dim": None}):
    """The softmax of −x.

    >>> import wengert
    >>> wengert.nn.Softmin(-1)(wengert.tensor([0.0, 1.0, 1.0]))
    tensor([0.5761, 0.2119, 0.2119])
    """


class LogSoftmax(_Options, fn="log_softmax", options={"dim": None}):
    """The logarithm of the softmax.

    >>> import wengert
    >>> wengert.nn.LogSoftmax(-1)(wengert.tensor([0.0, 1.0, 1.0]))
    tensor([-1.8620, -0.8620, -0.8620])
    """


class Softmax2d(Module):
    """The softmax over the channels of images [N, C, H, W] or [C, H, W].

    >>> import wengert
    >>> wengert.nn.Softmax2d()(wengert.zeros(1, 2, 1, 1)).flatten()
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The probabilities."""
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return _functional().softmax(input, -3)


class PReLU(Module):
    """x where x > 0, otherwise a x with a learned slope a, one in all or one for each channel.

    >>> import wengert
    >>> layer = wengert.nn.PReLU(init=0.25)
    >>> layer(wengert.tensor([-2.0, 0.0, 1.0])).detach()
    tensor([-0.5000,  0.0000,  1.0000])
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(_C.empty(num_parameters, **_like(device, dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets the slope to what it was at first."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """Applies the function."""
        return _functional().prelu(input, self.weight)

    def extra_repr(self) -> str:
        """How many slopes."""
        return f"num_parameters={self.num_parameters}"


class MultiheadAttention(Module):
    """Attention by several heads: softmax(Q Kᵀ / √d) V in each, and a linear layer over all.

    Source: Vaswani et al., Attention Is All You Need, 2017.

    >>> import wengert
    >>> layer = wengert.nn.MultiheadAttention(4, 2, batch_first=True)
    >>> x = wengert.randn(1, 3, 4)
    >>> y, weights = layer(x, x, x)
    >>> y.shape, weights.shape
    (wengert.Size([1, 3, 4]), wengert.Size([1, 3, 3]))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        like = _like(device, dtype)
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError(f"embed_dim must be divisible by num_heads, and {embed_dim} is not by {num_heads}")

        def parameter(*size: int) -> Parameter:
            return Parameter(_C.empty(size, **like))

        if self._qkv_same_embed_dim:
            self.in_proj_weight = parameter(3 * embed_dim, embed_dim)
            for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
                self.register_parameter(name, None)
        else:
            self.q_proj_weight = parameter(embed_dim, embed_dim)
            self.k_proj_weight = parameter(embed_dim, self.kdim)
            self.v_proj_weight = parameter(embed_dim, self.vdim)
            self.register_parameter("in_proj_weight", None)
        if bias:
            self.in_proj_bias = parameter(3 * embed_dim)
        else:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **like)
        if add_bias_kv:
            self.bias_k = parameter(1, 1, embed_dim)
            self.bias_v = parameter(1, 1, embed_dim)
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        if self.bias_k is not None:
            init.xavier_normal_(self.bias_k)
            init.xavier_normal_(self.bias_v)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The attended values, and the weights where they are asked for."""
        turn = self.batch_first and query.dim() == 3
        if turn:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        result, weights = _functional().multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (result.transpose(0, 1) if turn else result), weights
