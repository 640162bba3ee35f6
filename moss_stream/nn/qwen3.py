"""The backbone: Qwen3 layers over rows that are already embedded."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from moss_stream.nn.cache import KVCache
from moss_stream.nn.config import TransformerConfig
from moss_stream.nn.layers import GatedMLP, QwenAttention, RMSNorm, Rotation, rotary_table
from moss_stream.nn.ops import Ops, Place, TorchOps

__all__ = ["Backbone", "BackboneLayer", "causal_mask"]


def causal_mask(positions: Tensor, context: int) -> Tensor:
    """Return which of the first `context` rows each position may see: [B, 1, T, context], bool."""
    rows = torch.arange(context, device=positions.device)
    return (rows <= positions[:, :, None])[:, None]


class BackboneLayer(nn.Module):
    """One Qwen3 layer."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.input_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = QwenAttention(config)
        self.post_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = GatedMLP(config.hidden_size, config.intermediate_size, config.hidden_size)

    def run(self, ops: Ops, x: Tensor, cache: KVCache, index: int, place: Place) -> Tensor:
        """Run rows [B, T, hidden] through layer `index` of a stack."""
        qkv = ops.project(x, self.attention.qkv_proj, self.input_norm)
        attended = ops.attend(qkv, self.attention.heads, cache, index, place)
        x = ops.add(attended, self.attention.o_proj, x)
        gated = ops.project(x, self.mlp.gate_up_proj, self.post_norm, "gated")
        return ops.add(gated, self.mlp.down_proj, x)


class Backbone(nn.Module):
    """Qwen3 without its embedding: rows in, hidden states out, keys and values in a cache."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.ops: Ops = TorchOps()
        self.layers = nn.ModuleList(BackboneLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self._cos = self._sin = torch.empty(0)

    def prepare(self, length: int, device: torch.device, dtype: torch.dtype) -> None:
        """Make the rotary table for `length` positions; needed once before `forward`."""
        cos, sin = rotary_table(length, self.config.head_dim, self.config.rope_theta)
        self._cos, self._sin = cos.to(device, dtype), sin.to(device, dtype)

    @property
    def rotary_tables(self) -> tuple[Tensor, Tensor]:
        """Cosines and sines of every position, [positions, head_dim]."""
        return self._cos, self._sin

    def new_cache(self, batch: int, capacity: int) -> KVCache:
        """Return an empty cache for `batch` sequences of up to `capacity` rows."""
        c, weight = self.config, self.norm.weight
        shape = (c.num_hidden_layers, batch, c.num_key_value_heads, capacity, c.head_dim)
        return KVCache.zeros(*shape, device=weight.device, dtype=weight.dtype)

    def finds_rows(self) -> bool:
        """Tell whether steps of one row need no mask; see `moss_stream.nn.ops.Ops`."""
        return self.ops.finds_rows(cast(BackboneLayer, self.layers[0]).attention.heads, 1)

    def forward(
        self, x: Tensor, positions: Tensor, cache: KVCache, context: int, mask: Tensor | None
    ) -> Tensor:
        """Run rows through the stack and store their keys and values.

        Args:
            x: Embedded rows [B, T, hidden].
            positions: Where each row stands in its sequence, [B, T].
            cache: Written at `positions`.
            context: How many rows of the cache to attend over; more than the largest position.
            mask: [B, 1, T, context], true where attention is allowed, or None if every row may see
                all of the context (one row a sequence, at the end of it).

        Returns:
            Hidden states after the final norm, [B, T, hidden].
        """
        cos, sin = self._cos[positions][:, :, None], self._sin[positions][:, :, None]
        place = Place(positions, context, mask, Rotation("half", cos, sin))
        for index, layer in enumerate(self.layers):
            x = cast(BackboneLayer, layer).run(self.ops, x, cache, index, place)
        normed: Tensor = self.norm(x)
        return normed
