from __future__ import annotations

import torch
import torch.nn.functional as F
from realtime_data import model

from moss_stream.nn.layers import rotary_table, rotate_half


def test_steps_are_the_whole_sequence() -> None:
    """Codebook by codebook with a cache gives the logits of one pass over all, with positions from 0 on."""
    depth, states = model().depth, torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    codes = torch.tensor([[1, 2, 3, 4, 5], [500, 600, 700, 800, 900]])
    with torch.inference_mode():
        embedded = [F.embedding(codes[:, i], depth.code_embedding[i]) for i in range(5)]
        inputs = torch.stack([states, *embedded], dim=1)
        cache = depth.new_cache(2)
        stepped = [depth.step(inputs[:, i], i, cache) for i in range(6)]
        for index, logits in enumerate(stepped):
            wanted = F.linear(depth.norm(_whole(inputs)[:, index]), depth.heads[index].weight)  # type: ignore[arg-type]
            torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=1e-5)


def _whole(x: torch.Tensor) -> torch.Tensor:
    """Run a sequence through the layers at once, written out."""
    depth = model().depth
    cos, sin = rotary_table(6, depth.config.head_dim, depth.config.rope_theta)
    turns = cos[None, :, None], sin[None, :, None]
    for layer in depth.layers:
        q, k, v = layer.attention.heads.split(layer.attention.qkv_proj(layer.input_norm(x)))  # type: ignore[union-attr,operator]
        q, k = rotate_half(q, *turns), rotate_half(k, *turns)
        k, v = (t.repeat_interleave(2, dim=2).transpose(1, 2) for t in (k, v))
        out = F.scaled_dot_product_attention(q.transpose(1, 2), k, v, is_causal=True)
        x = x + layer.attention.o_proj(out.transpose(1, 2).flatten(2))  # type: ignore[union-attr,operator]
        x = x + layer.mlp(layer.post_norm(x))  # type: ignore[operator]
    return x
