"""Recurrent layers and cells as functions, whose weights stand in lists."""

from .nn.modules.rnn import _STEPS, _linear, run_layers


def _layers(mode, name):
    """A function for one kind of layer."""

    def function(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
        several = mode == "LSTM"
        directions = 2 if bidirectional else 1
        count, rows = len(params), num_layers * directions
        if rows == 0 or count % rows:
            raise RuntimeError(f"{name}: {count} weights cannot be shared among {num_layers} layers of {directions} direction(s)")
        each = count // rows
        fewest = 4 if has_biases else 2
        if not fewest <= each <= fewest + several:
            raise RuntimeError(f"{name}: each layer and direction has {fewest} weights, and here it would be {each}")
        weights = [list(params[i : i + each]) for i in range(0, count, each)]
        x = input.transpose(0, 1) if batch_first else input
        y, states = run_layers(
            mode, x, tuple(hx) if several else (hx,), weights, has_biases, directions, dropout, train
        )
        return (y.transpose(0, 1) if batch_first else y, *states)

    return function


def _cell(mode):
    def function(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
        state = tuple(hx) if mode == "LSTM" else (hx,)
        state = _STEPS[mode][0](_linear(input, w_ih, b_ih), state, w_hh, b_hh)
        return state if mode == "LSTM" else state[0]

    return function


def _named(function, name, doc):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.__module__ = "wengert"
    return function


_LAYERS = {
    "lstm": ("LSTM", "As `nn.LSTM`", "the outputs, and the last h and c"),
    "gru": ("GRU", "As `nn.GRU`", "the outputs, and the last state"),
    "rnn_tanh": ("RNN_TANH", "As `nn.RNN`", "the outputs, and the last state"),
    "rnn_relu": ("RNN_RELU", "As `nn.RNN` with `nonlinearity='relu'`", "the outputs, and the last state"),
}
for _name, (_mode, _as, _gives) in _LAYERS.items():
    globals()[_name] = _named(
        _layers(_mode, _name),
        _name,
        f"""{_as}, where `params` lists the weights of all layers as `parameters()` does: gives {_gives}.

    >>> import wengert
    >>> layer = wengert.nn.{_name.split("_")[0].upper()}(2, 3{", nonlinearity='relu'" if _mode == "RNN_RELU" else ""})
    >>> x, h = wengert.ones(4, 1, 2), wengert.zeros(1, 1, 3)
    >>> y = wengert.{_name}(x, {"(h, h)" if _mode == "LSTM" else "h"}, list(layer.parameters()), True, 1, 0.0, False, False, False)[0]
    >>> wengert.equal(y, layer(x)[0])
    True
    """,
    )

for _name, (_mode, _as, _gives) in _LAYERS.items():
    _cell_class = f"nn.{_name.split('_')[0].upper()}Cell"
    globals()[_name + "_cell"] = _named(
        _cell(_mode),
        _name + "_cell",
        f"""One step of `{_name}`, as `{_cell_class}`: the new state{" (h, c)" if _mode == "LSTM" else ""}.

    >>> import wengert
    >>> cell = wengert.{_cell_class}(2, 3{", nonlinearity='relu'" if _mode == "RNN_RELU" else ""})
    >>> x, h = wengert.ones(1, 2), wengert.zeros(1, 3)
    >>> new = wengert.{_name}_cell(x, {"(h, h)" if _mode == "LSTM" else "h"}, *cell.parameters())
    >>> wengert.equal({"new[0], cell(x)[0]" if _mode == "LSTM" else "new, cell(x)"})
    True
    """,
    )
