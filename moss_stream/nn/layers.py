"""Building blocks: normalised projections, rotary tables, grouped attention, the gated MLP."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.nn.config import TransformerConfig

__all__ = [
    "GatedMLP",
    "Heads",
    "QwenAttention",
    "RMSNorm",
    "Rotation",
    "WideRotary",
    "grouped_attention",
    "rotary_table",
    "rotate_half",
]


class RMSNorm(nn.Module):
    """Root mean square normalisation over the last dimension, computed in float32."""

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x` [..., dim]."""
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class GatedMLP(nn.Module):
    """silu(gate(x)) * up(x), projected down; gate and up are one matrix."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(input_size, 2 * hidden_size, bias=False)
        self.down_proj = nn.Linear(hidden_size, output_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., input_size] to [..., output_size]."""
        gate, up = self.gate_up_proj(x).chunk(2, dim=-1)
        projected: Tensor = self.down_proj(F.silu(gate) * up)
        return projected


def grouped_attention(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Attend with several query heads per key head, without repeating the keys.

    Args:
        query: [B, T, H, D].
        keys: [B, Hkv, S, D]; H is a multiple of Hkv.
        values: Like `keys`.
        mask: [B, 1, T, S], true where attention is allowed; None lets everything through.

    Returns:
        [B, T, H * D].
    """
    b, t, heads, d = query.shape
    groups = heads // keys.shape[1]
    folded = query.view(b, t, -1, groups, d).permute(0, 2, 3, 1, 4).reshape(b, -1, groups * t, d)
    if mask is not None and groups > 1:
        mask = mask.repeat(1, 1, groups, 1)
    out = F.scaled_dot_product_attention(folded, keys, values, mask)
    return out.view(b, -1, groups, t, d).permute(0, 3, 1, 2, 4).reshape(b, t, heads * d)


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of an attention, and how its queries and keys are normalised (None: not at all)."""

    heads: int
    kv_heads: int
    dim: int
    q_norm: RMSNorm | None = None
    k_norm: RMSNorm | None = None

    def split(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return query [B, T, H, D], key and value [B, T, Hkv, D] of `qkv` [B, T, (H + 2 Hkv) D]."""
        each = qkv.unflatten(-1, (-1, self.dim))
        q, k, v = each.split([self.heads, self.kv_heads, self.kv_heads], dim=2)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        return q, k, v


class QwenAttention(nn.Module):
    """The projections of Qwen3's attention: one fused q/k/v matrix, RMS-normalised queries and keys."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        heads, kv_heads, dim = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        self.qkv_proj = nn.Linear(config.hidden_size, (heads + 2 * kv_heads) * dim, bias=False)
        self.o_proj = nn.Linear(heads * dim, config.hidden_size, bias=False)
        self.q_norm, self.k_norm = RMSNorm(dim, config.rms_norm_eps), RMSNorm(dim, config.rms_norm_eps)
        self.heads = Heads(heads, kv_heads, dim, self.q_norm, self.k_norm)


def rotary_table(length: int, dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Return cosines and sines [length, dim] for `rotate_half`, in float32 as the reference computes them."""
    frequencies = 1.0 / theta ** (torch.arange(0, dim, 2, dtype=torch.int64).float() / dim)
    angles = torch.outer(torch.arange(length, dtype=torch.float32), frequencies)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate_half(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate `x` [B, T, H, D], halves being real and imaginary parts, by `cos`, `sin` [B, T, 1, D]."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


@dataclass(frozen=True, slots=True)
class Rotation:
    """How the queries and keys of a step are rotated.

    Attributes:
        kind: "none", "half" (halves are real and imaginary parts) or "interleaved" (neighbours are).
        cos: [B, T, 1, D] for "half", [B, T, 1, D / 2] float32 for "interleaved".
        sin: Like `cos`.
    """

    kind: Literal["none", "half", "interleaved"] = "none"
    cos: Tensor | None = None
    sin: Tensor | None = None

    def turn(self, x: Tensor) -> Tensor:
        """Rotate `x` [B, T, H, D]."""
        if self.cos is None or self.sin is None:
            return x
        rotate = rotate_half if self.kind == "half" else WideRotary.rotate
        return rotate(x, self.cos, self.sin)


class WideRotary:
    """Interleaved rotary embedding that stays exact for a day of positions at 100 Hz, six hours at 400 Hz.

    An angle is position * frequency; in float32 it is off by 0.02 rad after an hour at 100 Hz. Here
    a position is split into a high and a low part, their cosines and sines come from two tables made
    in float64, and the addition theorem joins them: float32 on every device, error below 1e-6.
    """

    LOW = 1024
    HIGH = 8_192

    def __init__(self, dim: int, max_period: float, device: torch.device) -> None:
        exponent = torch.arange(dim // 2, dtype=torch.float64) * (-math.log(max_period) * 2 / dim)
        frequencies = exponent.exp()
        low = torch.outer(torch.arange(self.LOW, dtype=torch.float64), frequencies)
        high = torch.outer(torch.arange(self.HIGH, dtype=torch.float64) * self.LOW, frequencies)
        self.low = torch.stack([low.cos(), low.sin()]).float().to(device)
        self.high = torch.stack([high.cos(), high.sin()]).float().to(device)

    def tables(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and sines [B, T, 1, dim / 2] of `positions` [B, T]."""
        low_cos, low_sin = self.low[:, positions % self.LOW]
        high_cos, high_sin = self.high[:, positions // self.LOW % self.HIGH]
        cos = high_cos * low_cos - high_sin * low_sin
        sin = high_sin * low_cos + high_cos * low_sin
        return cos[:, :, None], sin[:, :, None]

    @staticmethod
    def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Rotate the neighbouring pairs of `x` [B, T, H, D], in float32."""
        real, imaginary = x.float().unflatten(-1, (-1, 2)).unbind(-1)
        rotated = torch.stack([real * cos - imaginary * sin, real * sin + imaginary * cos], dim=-1)
        return rotated.flatten(-2).to(x.dtype)
