"""Transformers. Source: Vaswani et al., Attention Is All You Need, 2017."""

from __future__ import annotations

import copy
from typing import Any, Callable

from wengert import _C
from wengert._C import Tensor

from .. import init
from .activation import MultiheadAttention
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear, _like
from .module import Module
from .options import _functional
from .norm import LayerNorm


def _activation(name: Any) -> Callable:
    if callable(name):
        return name
    if name not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {name}")
    return lambda x: getattr(_functional(), name)(x)


class _Layer(Module):
    """What encoder and decoder layers share: attentions and a small network, each with a norm and dropout."""

    _attentions: tuple = ("self_attn",)

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        like = _like(device, dtype)
        for name in self._attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, bias=bias, batch_first=batch_first, **like))
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **like)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **like)
        self.norm_first = norm_first
        count = len(self._attentions) + 1
        for i in range(count):
            setattr(self, f"norm{i + 1}", LayerNorm(d_model, layer_norm_eps, bias=bias, **like))
        for i in range(count):
            setattr(self, f"dropout{i + 1}", Dropout(dropout))
        self.activation = _activation(activation)

    def _block(self, number: int, x: Tensor, part: Callable) -> Tensor:
        """x and what a part makes of it, with the norm and the dropout of this number."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        return x + dropout(part(norm(x))) if self.norm_first else norm(x + dropout(part(x)))

    def _attend(
        self,
        number: int,
        x: Tensor,
        memory: Tensor | None,
        mask: Tensor | None,
        padding: Tensor | None,
        causal: bool,
    ) -> Tensor:
        """Attention to `memory`, or to itself."""
        attention = getattr(self, self._attentions[number - 1])

        def part(x: Tensor) -> Tensor:
            to = x if memory is None else memory
            y, _ = attention(
                x, to, to, attn_mask=mask, key_padding_mask=padding, need_weights=False, is_causal=causal
            )
            return y

        return self._block(number, x, part)

    def _network(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """Self-attention and a small network.

    >>> import wengert
    >>> layer = wengert.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    >>> layer(wengert.randn(1, 3, 4)).shape
    wengert.Size([1, 3, 4])
    """

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """The sequence after this layer."""
        x = self._attend(1, src, None, src_mask, src_key_padding_mask, is_causal)
        return self._block(2, x, self._network)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's result, and a small network.

    >>> import wengert
    >>> layer = wengert.nn.TransformerDecoderLayer(4, 2, 8, batch_first=True)
    >>> layer(wengert.randn(1, 3, 4), wengert.randn(1, 5, 4)).shape
    wengert.Size([1, 3, 4])
    """

    _attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The sequence after this layer."""
        x = self._attend(1, tgt, None, tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        x = self._attend(2, x, memory, memory_mask, memory_key_padding_mask, memory_is_causal)
        return self._block(3, x, self._network)


class TransformerEncoder(Module):
    """Encoder layers one after the other, each a copy of the one given.

    >>> import wengert
    >>> layer = wengert.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    >>> wengert.nn.TransformerEncoder(layer, 2)(wengert.randn(1, 3, 4)).shape
    wengert.Size([1, 3, 4])
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = ModuleList(copy.deepcopy(encoder_layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """The sequence after all layers."""
        x = src
        causal = bool(is_causal) and mask is not None
        for layer in self.layers:
            x = layer(x, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=causal)
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(Module):
    """Decoder layers one after the other, each a copy of the one given.

    >>> import wengert
    >>> layer = wengert.nn.TransformerDecoderLayer(4, 2, 8, batch_first=True)
    >>> wengert.nn.TransformerDecoder(layer, 2)(wengert.randn(1, 3, 4), wengert.randn(1, 5, 4)).shape
    wengert.Size([1, 3, 4])
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList(copy.deepcopy(decoder_layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The sequence after all layers."""
        x = tgt
        for layer in self.layers:
            x = layer(
                x,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=bool(tgt_is_causal) and tgt_mask is not None,
                memory_is_causal=memory_is_causal and memory_mask is not None,
            )
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """An encoder, and a decoder that attends to its result.

    >>> import wengert
    >>> model = wengert.nn.Transformer(4, 2, 1, 1, 8, batch_first=True)
    >>> model(wengert.randn(1, 5, 4), wengert.randn(1, 3, 4)).shape
    wengert.Size([1, 3, 4])
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = "relu",
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        like = _like(device, dtype)
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, **like)

        self.encoder = custom_encoder
        if custom_encoder is None:
            self.encoder = TransformerEncoder(TransformerEncoderLayer(*options, **like), num_encoder_layers, norm())
        self.decoder = custom_decoder
        if custom_decoder is None:
            self.decoder = TransformerDecoder(TransformerDecoderLayer(*options, **like), num_decoder_layers, norm())
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def _reset_parameters(self) -> None:
        for p in self.parameters():
            if p.dim() > 1:
                init.xavier_uniform_(p)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The decoded target sequence."""
        if src.dim() == 3:
            d = 0 if self.batch_first else 1
            if src.shape[d] != tgt.shape[d]:
                raise RuntimeError(f"the batch number of src and tgt must be equal, and is {src.shape[d]} and {tgt.shape[d]}")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(
                f"the feature number of src and tgt must be equal to d_model ({self.d_model}), "
                f"and is {src.shape[-1]} and {tgt.shape[-1]}"
            )
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The mask that hides the future: −inf above the diagonal, zeros elsewhere."""
        return _C.full((sz, sz), float("-inf"), **_like(None, dtype)).triu(1)
