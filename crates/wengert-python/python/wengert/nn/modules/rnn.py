"""Recurrent layers and cells."""

from __future__ import annotations

import math
from typing import Any, Callable

from wengert import _C
from wengert._C import Tensor

from .. import init
from ..parameter import Parameter
from .linear import _like
from .module import Module
from .options import _functional

# A step takes what the input adds to the gates, the state, and the layer's parameters, and gives the new state; its
# first entry is the output.


def _linear(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    return _C.linear(x, w, b)


def _tanh_step(gates: Tensor, state: tuple, w: Tensor, b: Tensor | None) -> tuple:
    return ((gates + _linear(state[0], w, b)).tanh(),)


def _relu_step(gates: Tensor, state: tuple, w: Tensor, b: Tensor | None) -> tuple:
    return ((gates + _linear(state[0], w, b)).relu(),)


def _lstm_step(gates: Tensor, state: tuple, w: Tensor, b: Tensor | None, project: Tensor | None = None) -> tuple:
    h, c = state
    i, f, g, o = (gates + _linear(h, w, b)).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h if project is None else _linear(h, project, None)), c


def _gru_step(gates: Tensor, state: tuple, w: Tensor, b: Tensor | None) -> tuple:
    (h,) = state
    xr, xz, xn = gates.chunk(3, -1)
    hr, hz, hn = _linear(h, w, b).chunk(3, -1)
    r = (xr + hr).sigmoid()
    z = (xz + hz).sigmoid()
    n = (xn + r * hn).tanh()
    return (n + z * (h - n),)


_STEPS: dict[str, tuple[Callable, int]] = {
    "RNN_TANH": (_tanh_step, 1),
    "RNN_RELU": (_relu_step, 1),
    "LSTM": (_lstm_step, 4),
    "GRU": (_gru_step, 3),
}


def _direction(
    mode: str, x: Tensor, state: tuple, weights: list, bias: bool, reverse: bool, sizes: list | None
) -> tuple:
    """One layer in one direction over a sequence [L, N, ·]; with `sizes`, only the first so many rows at each time."""
    step = _STEPS[mode][0]
    w_ih, w, *more = weights
    b_ih, b, *rest = more if bias else (None, None, *more)
    if mode == "LSTM" and sizes is None and not rest:
        y, *last = _C.lstm_layer(x, *state, w_ih, w, b_ih, b, reverse)
        return y, tuple(last)
    # The input's part in all gates is one product for all times.
    gates = _linear(x, w_ih, b_ih).unbind(0)
    times = range(len(gates) - 1, -1, -1) if reverse else range(len(gates))
    outputs: list = [None] * len(gates)
    for t in times:
        if sizes is None or sizes[t] == state[0].shape[0]:
            state = step(gates[t], state, w, b, *rest)
            outputs[t] = state[0]
            continue
        n, total = sizes[t], state[0].shape[0]
        new = step(gates[t][:n], tuple(s[:n] for s in state), w, b, *rest)
        # The sequences that have not begun, or are over, keep their state.
        state = tuple(_C.cat([s, old[n:]]) for s, old in zip(new, state))
        outputs[t] = _C.cat([new[0], _C.zeros((total - n, new[0].shape[1]), dtype=new[0].dtype)])
    return _C.stack(outputs), state


def run_layers(
    mode: str,
    x: Tensor,
    states: tuple,
    weights: list,
    bias: bool,
    directions: int,
    dropout: float,
    training: bool,
    sizes: list | None = None,
) -> tuple:
    """Layers over layers, in one direction or both: the outputs [L, N, ·] and the last states. `weights` has a list for each
    layer and direction: of the input, of the state, their biases (with `bias`), and perhaps of a projection."""
    last: list = []
    for layer in range(len(weights) // directions):
        if layer > 0 and dropout > 0:
            x = _functional().dropout(x, dropout, training)
        outputs = []
        for direction in range(directions):
            number = layer * directions + direction
            first = tuple(s[number] for s in states)
            y, state = _direction(mode, x, first, weights[number], bias, direction == 1, sizes)
            outputs.append(y)
            last.append(state)
        x = outputs[0] if directions == 1 else _C.cat(outputs, -1)
    return x, tuple(_C.stack(list(parts)) for parts in zip(*last))


class RNNBase(Module):
    """What RNN, LSTM and GRU share: layers over layers, in one direction or both."""

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if not isinstance(hidden_size, int):
            raise TypeError(f"hidden_size should be of type int, got: {type(hidden_size).__name__}")
        if hidden_size <= 0 or num_layers <= 0:
            what = "hidden_size" if hidden_size <= 0 else "num_layers"
            raise ValueError(f"{what} must be greater than zero")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout should be a number in range [0, 1], the probability of an element being zeroed")
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"{name}: proj_size must be at least 0 and smaller than hidden_size")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        gates = _STEPS[mode][1] * hidden_size
        out = proj_size or hidden_size
        directions = 2 if bidirectional else 1
        like = _like(device, dtype)
        self._all_names: list = []
        for layer in range(num_layers):
            for direction in range(directions):
                suffix = f"_l{layer}" + ("_reverse" if direction else "")
                sizes = {
                    "weight_ih": (gates, input_size if layer == 0 else out * directions),
                    "weight_hh": (gates, out),
                    **({"bias_ih": (gates,), "bias_hh": (gates,)} if bias else {}),
                    **({"weight_hr": (proj_size, hidden_size)} if proj_size else {}),
                }
                for key, size in sizes.items():
                    setattr(self, key + suffix, Parameter(_C.empty(size, **like)))
                self._all_names.append([key + suffix for key in sizes])
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters uniformly from ±1/√hidden."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing: there is nothing to be gained."""

    @property
    def all_weights(self) -> list:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_names]

    def _layers(self, x: Tensor, states: tuple, sizes: list | None) -> tuple:
        p = self._parameters
        weights = [[p[name] for name in names] for names in self._all_names]
        directions = 2 if self.bidirectional else 1
        return run_layers(self.mode, x, states, weights, self.bias, directions, self.dropout, self.training, sizes)

    def _forward(self, input: Any, states: tuple | None) -> tuple:
        from ..utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

        packed = input if isinstance(input, PackedSequence) else None
        if packed is not None:
            x, lengths = pad_packed_sequence(PackedSequence(packed.data, packed.batch_sizes, None, None))
            sizes = packed.batch_sizes.tolist()
            alone = False
        else:
            sizes = None
            if input.dim() not in (2, 3):
                raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.dim()}D instead")
            alone = input.dim() == 2
            x = input.unsqueeze(1) if alone else input.transpose(0, 1) if self.batch_first else input
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}"
            )
        if x.shape[0] == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        rows = self.num_layers * (2 if self.bidirectional else 1)
        batch = x.shape[1]
        widths = (self.proj_size or self.hidden_size, self.hidden_size)[: 2 if self.mode == "LSTM" else 1]
        if states is None:
            states = tuple(_C.zeros((rows, batch, width), dtype=x.dtype) for width in widths)
        else:
            for s in states:
                if s.dim() != (2 if alone else 3):
                    raise RuntimeError(
                        f"For {'unbatched 2-D' if alone else 'batched 3-D'} input, hx should also be "
                        f"{2 if alone else 3}-D but got {s.dim()}-D tensor"
                    )
            if alone:
                states = tuple(s.unsqueeze(1) for s in states)
            for s, width in zip(states, widths):
                if tuple(s.shape) != (rows, batch, width):
                    raise RuntimeError(f"Expected hidden size {(rows, batch, width)}, got {list(s.shape)}")
            if packed is not None and packed.sorted_indices is not None:
                states = tuple(s.index_select(1, packed.sorted_indices) for s in states)
        y, last = self._layers(x, states, sizes)
        if packed is not None:
            y = pack_padded_sequence(y, lengths)
            if packed.unsorted_indices is not None:
                last = tuple(s.index_select(1, packed.unsorted_indices) for s in last)
            y = PackedSequence(y.data, y.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        elif alone:
            y, last = y.squeeze(1), tuple(s.squeeze(1) for s in last)
        elif self.batch_first:
            y = y.transpose(0, 1)
        return y, last

    def extra_repr(self) -> str:
        """Sizes and whatever is not the default."""
        s = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size != 0:
            s += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            s += f", num_layers={self.num_layers}"
        if self.bias is not True:
            s += f", bias={self.bias}"
        if self.batch_first is not False:
            s += f", batch_first={self.batch_first}"
        if self.dropout != 0:
            s += f", dropout={self.dropout}"
        if self.bidirectional is not False:
            s += f", bidirectional={self.bidirectional}"
        return s


class RNN(RNNBase):
    """h' = tanh(W x + b + U h + c), over sequences [L, N, in] (or [N, L, in] with `batch_first`).

    >>> import wengert
    >>> layer = wengert.nn.RNN(2, 3, batch_first=True)
    >>> y, h = layer(wengert.ones(1, 5, 2))
    >>> y.shape, h.shape
    (wengert.Size([1, 5, 3]), wengert.Size([1, 1, 3]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(
            mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple:
        """The outputs at all times, and the last state."""
        y, (h,) = self._forward(input, None if hx is None else (hx,))
        return y, h


class LSTM(RNNBase):
    """Long short-term memory, over sequences [L, N, in] (or [N, L, in] with `batch_first`).

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997.

    >>> import wengert
    >>> layer = wengert.nn.LSTM(2, 3, batch_first=True)
    >>> y, (h, c) = layer(wengert.ones(1, 5, 2))
    >>> y.shape, h.shape, c.shape
    (wengert.Size([1, 5, 3]), wengert.Size([1, 1, 3]), wengert.Size([1, 1, 3]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        )

    def forward(self, input: Any, hx: tuple | None = None) -> tuple:
        """The outputs at all times, and the last state (h, c)."""
        return self._forward(input, hx)


class GRU(RNNBase):
    """Gated recurrent units, over sequences [L, N, in] (or [N, L, in] with `batch_first`).

    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014.

    >>> import wengert
    >>> layer = wengert.nn.GRU(2, 3, batch_first=True)
    >>> y, h = layer(wengert.ones(1, 5, 2))
    >>> y.shape, h.shape
    (wengert.Size([1, 5, 3]), wengert.Size([1, 1, 3]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple:
        """The outputs at all times, and the last state."""
        y, (h,) = self._forward(input, None if hx is None else (hx,))
        return y, h


class RNNCellBase(Module):
    """What the cells share."""

    _mode = ""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = self._chunks() * hidden_size
        like = _like(device, dtype)
        self.weight_ih = Parameter(_C.empty((gates, input_size), **like))
        self.weight_hh = Parameter(_C.empty((gates, hidden_size), **like))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(_C.empty(gates, **like)) if bias else None)
        self.reset_parameters()

    def _chunks(self) -> int:
        return _STEPS[self._mode][1]

    def reset_parameters(self) -> None:
        """Draws all parameters uniformly from ±1/√hidden."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, mode: str, input: Tensor, state: tuple | None) -> tuple:
        if input.dim() not in (1, 2):
            raise ValueError(f"{type(self).__name__}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        alone = input.dim() == 1
        x = input.unsqueeze(0) if alone else input
        if state is None:
            zeros = _C.zeros((x.shape[0], self.hidden_size), dtype=x.dtype)
            state = (zeros,) * (2 if mode == "LSTM" else 1)
        elif alone:
            state = tuple(s.unsqueeze(0) for s in state)
        gates = _linear(x, self.weight_ih, self.bias_ih)
        new = _STEPS[mode][0](gates, state, self.weight_hh, self.bias_hh)
        return tuple(s.squeeze(0) for s in new) if alone else new

    def extra_repr(self) -> str:
        """Sizes and whatever is not the default."""
        s = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            s += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            s += f", nonlinearity={self.nonlinearity}"
        return s


class RNNCell(RNNCellBase):
    """One step of `RNN`.

    >>> import wengert
    >>> wengert.nn.RNNCell(2, 3)(wengert.ones(1, 2)).shape
    wengert.Size([1, 3])
    """

    _mode = "RNN_TANH"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The new state."""
        mode = f"RNN_{self.nonlinearity.upper()}"
        if mode not in _STEPS:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(mode, input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`.

    >>> import wengert
    >>> h, c = wengert.nn.LSTMCell(2, 3)(wengert.ones(1, 2))
    >>> h.shape, c.shape
    (wengert.Size([1, 3]), wengert.Size([1, 3]))
    """

    _mode = "LSTM"

    def forward(self, input: Tensor, hx: tuple | None = None) -> tuple:
        """The new state (h, c)."""
        return self._step("LSTM", input, hx)


class GRUCell(RNNCellBase):
    """One step of `GRU`.

    >>> import wengert
    >>> wengert.nn.GRUCell(2, 3)(wengert.ones(1, 2)).shape
    wengert.Size([1, 3])
    """

    _mode = "GRU"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The new state."""
        return self._step("GRU", input, None if hx is None else (hx,))[0]
