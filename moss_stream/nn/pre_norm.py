"""Transformer layers with LayerNorm before each part, as GPT-2 and the Cat codec have them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moss_stream.nn.cache import KVCache, RingCache
from moss_stream.nn.layers import Heads
from moss_stream.nn.ops import Activation, Ops, Place

__all__ = ["PreNormLayer"]


class PreNormLayer(nn.Module):
    """Attention, then an MLP; each is added to what it was given.

    Args:
        width: Of rows.
        inner: Of the MLP.
        activation: Of the MLP.
        eps: Of the norms.
        has_bias: Products have a bias.
        is_scaled: What is added is multiplied by a vector (layer scale).
    """

    def __init__(
        self, width: int, inner: int, activation: Activation, eps: float, has_bias: bool, is_scaled: bool
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)
        self.in_proj = nn.Linear(width, 3 * width, bias=has_bias)
        self.out_proj = nn.Linear(width, width, bias=has_bias)
        self.linear1 = nn.Linear(width, inner, bias=has_bias)
        self.linear2 = nn.Linear(inner, width, bias=has_bias)
        self.scale1 = nn.Parameter(torch.empty(width)) if is_scaled else None
        self.scale2 = nn.Parameter(torch.empty(width)) if is_scaled else None
        self._activation = activation

    def run(
        self, ops: Ops, x: Tensor, heads: Heads, cache: KVCache | RingCache, index: int, place: Place
    ) -> Tensor:
        """Run rows [B, T, width] through layer `index` of a stack."""
        attended = ops.attend(ops.project(x, self.in_proj, self.norm1), heads, cache, index, place)
        x = ops.add(attended, self.out_proj, x, self.scale1)
        inner = ops.project(x, self.linear1, self.norm2, self._activation)
        return ops.add(inner, self.linear2, x, self.scale2)
