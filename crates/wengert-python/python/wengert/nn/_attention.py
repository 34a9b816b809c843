"""Attention with several heads, as layers use it."""

from .. import _C


def _added(mask, like, name):
    """A mask as numbers to be added to scores: what a bool mask marks is cut off."""
    if mask is None:
        return None
    if mask.dtype == _C.bool:
        zeros = _C.zeros(mask.shape, dtype=like.dtype)
        return zeros.where(mask.logical_not(), float("-inf"))
    if not mask.is_floating_point():
        raise RuntimeError(f"multi_head_attention_forward: {name} must be bool or floating-point, and is {mask.dtype}")
    return mask.to(like.dtype)


def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    """Attention with several heads over `[length, n, width]`, or that without n: the values, and the weights where
    they are asked for."""
    name = "multi_head_attention_forward"
    alone = query.dim() == 2
    if query.dim() not in (2, 3) or key.dim() != query.dim() or value.dim() != query.dim():
        raise RuntimeError(
            f"{name}: queries, keys and values of shapes {list(query.shape)}, {list(key.shape)} and {list(value.shape)}"
            " must all be [length, n, width] or [length, width]"
        )
    if alone:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, n, width = query.shape
    if width != embed_dim_to_check:
        raise RuntimeError(f"{name}: the width of the queries is {width}, and was expected to be {embed_dim_to_check}")
    if width % num_heads != 0:
        raise RuntimeError(f"{name}: {num_heads} heads do not divide the width {width}")
    head = width // num_heads
    if is_causal and attn_mask is None:
        raise RuntimeError(f"{name}: is_causal is a hint about attn_mask, which is missing")

    if use_separate_proj_weight:
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    else:
        weights = tuple(in_proj_weight.narrow(0, i * width, width) for i in range(3))
    biases = (None, None, None)
    if in_proj_bias is not None:
        biases = tuple(in_proj_bias.narrow(0, i * width, width) for i in range(3))
    q, k, v = (_C.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases))

    mask = _added(attn_mask, q, "attn_mask")
    if mask is not None:
        if mask.dim() == 2:
            mask = mask.unsqueeze(0).unsqueeze(0)
        else:
            mask = mask.reshape([n, num_heads, length, mask.shape[-1]])
    padding = _added(key_padding_mask, q, "key_padding_mask")

    if bias_k is not None and bias_v is not None:
        k = _C.cat([k, bias_k.expand([1, n, width])], 0)
        v = _C.cat([v, bias_v.expand([1, n, width])], 0)

    def heads(x):
        """`[n, heads, length, head]`."""
        return x.reshape([x.shape[0], n, num_heads, head]).transpose(0, 1).transpose(1, 2)

    q = heads(q)
    k = heads(k) if static_k is None else static_k.reshape([n, num_heads, -1, head])
    v = heads(v) if static_v is None else static_v.reshape([n, num_heads, -1, head])
    if add_zero_attn:
        zero = _C.zeros([n, num_heads, 1, head], dtype=k.dtype)
        k, v = _C.cat([k, zero], 2), _C.cat([v, zero], 2)
    keys = k.shape[2]

    def widened(m):
        """A mask with what was added to the keys in sight."""
        more = keys - m.shape[-1]
        if more == 0:
            return m
        return _C.cat([m, _C.zeros([*m.shape[:-1], more], dtype=m.dtype)], -1)

    if mask is not None:
        mask = widened(mask)
    if padding is not None:
        padding = widened(padding).reshape([n, 1, 1, keys])
        mask = padding if mask is None else mask + padding
    if not training:
        dropout_p = 0.0
    if need_weights:
        scores = q.matmul(k.transpose(-2, -1)) * (1.0 / head**0.5)
        if mask is not None:
            scores = scores + mask
        probabilities = _C.dropout(scores.softmax(-1), dropout_p, True)
        y = probabilities.matmul(v)
    else:
        if mask is not None:
            mask = mask.expand([n, num_heads, length, keys])
        y = _C.scaled_dot_product_attention(q, k, v, mask, dropout_p)
    y = y.transpose(1, 2).transpose(0, 1).reshape([length, n, width])
    y = _C.linear(y, out_proj_weight, out_proj_bias)
    if alone:
        y = y.squeeze(1)
    if not need_weights:
        return y, None
    if average_attn_weights:
        probabilities = probabilities.mean(1)
    return y, probabilities.squeeze(0) if alone else probabilities
