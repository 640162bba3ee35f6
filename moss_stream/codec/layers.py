"""The parts of the Cat codec: causal transformers over a sliding window, and patch reshapes."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from moss_stream.codec.config import CatStage
from moss_stream.nn.cache import RingCache
from moss_stream.nn.layers import Heads, Rotation, WideRotary
from moss_stream.nn.ops import Ops, Place, TorchOps

__all__ = ["CatTransformer", "Patch"]


class CatLayer(nn.Module):
    """A pre-norm transformer layer with layer scale."""

    def __init__(self, stage: CatStage) -> None:
        super().__init__()
        d = stage.d_model
        self.norm1, self.norm2 = nn.LayerNorm(d, eps=1e-5), nn.LayerNorm(d, eps=1e-5)
        self.in_proj, self.out_proj = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.linear1 = nn.Linear(d, stage.dim_feedforward, bias=False)
        self.linear2 = nn.Linear(stage.dim_feedforward, d, bias=False)
        self.scale1, self.scale2 = nn.Parameter(torch.empty(d)), nn.Parameter(torch.empty(d))

    def run(self, ops: Ops, x: Tensor, heads: Heads, cache: RingCache, index: int, place: Place) -> Tensor:
        """Run a chunk [B, T, d] through layer `index` of a stack."""
        attended = ops.attend(ops.project(x, self.in_proj, self.norm1), heads, cache, index, place)
        x = ops.add(attended, self.out_proj, x, self.scale1)
        inner = ops.project(x, self.linear1, self.norm2, "gelu")
        return ops.add(inner, self.linear2, x, self.scale2)


class CatTransformer(nn.Module):
    """A stack of layers over a sliding window, with projections in and out where widths differ."""

    def __init__(self, stage: CatStage, window: int, always_projects: bool) -> None:
        super().__init__()
        self.window = window
        self.heads = Heads(stage.num_heads, stage.num_heads, stage.d_model // stage.num_heads)
        self.ops: Ops = TorchOps()
        self.max_period = stage.max_period
        self.output_width = stage.output_dimension
        self.input_proj = _projection(stage.input_dimension, stage.d_model, always_projects)
        self.output_proj = _projection(stage.d_model, stage.output_dimension, always_projects)
        self.layers = nn.ModuleList(CatLayer(stage) for _ in range(stage.num_layers))

    def prepare(self) -> None:
        """Make the rotary table; needed once before use."""
        device = cast(CatLayer, self.layers[0]).scale1.device
        self._rotary = WideRotary(self.heads.dim, self.max_period, device)

    @property
    def rotary_tables(self) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the low and the high part of a position; see `WideRotary`."""
        return self._rotary.low, self._rotary.high

    def new_cache(self, batch: int, max_chunk: int) -> RingCache:
        """Return an empty ring for chunks of up to `max_chunk` positions."""
        scale = cast(CatLayer, self.layers[0]).scale1
        shape = (len(self.layers), batch, self.heads.heads, self.heads.dim)
        return RingCache.zeros(shape, self.window, max_chunk, scale.device, scale.dtype)

    def forward(self, x: Tensor, cache: RingCache) -> Tensor:
        """Run a chunk [B, T, input] through the stack: [B, T, output]. Does not advance the cache."""
        x = self.input_proj(x)
        positions = cache.positions(x.shape[1])
        rotation = Rotation("interleaved", *self._rotary.tables(positions))
        mask = None if self.ops.finds_rows(self.heads, x.shape[1]) else cache.mask(positions)
        place = Place(positions, cache.capacity, mask, rotation)
        for index, layer in enumerate(self.layers):
            x = cast(CatLayer, layer).run(self.ops, x, self.heads, cache, index, place)
        out: Tensor = self.output_proj(x)
        return out


def _projection(inputs: int, outputs: int, always: bool) -> nn.Module:
    return nn.Linear(inputs, outputs, bias=False) if always or inputs != outputs else nn.Identity()


class Patch(nn.Module):
    """Fold `size` neighbouring positions into channels (encoder), or unfold them (decoder)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def fold(self, x: Tensor) -> Tensor:
        """[B, T * size, C] to [B, T, C * size]."""
        b, t, c = x.shape
        return (
            x.view(b, t // self.size, self.size, c).transpose(2, 3).reshape(b, t // self.size, c * self.size)
        )

    def unfold(self, x: Tensor) -> Tensor:
        """[B, T, C * size] to [B, T * size, C]."""
        b, t, c = x.shape
        return (
            x.view(b, t, c // self.size, self.size).transpose(2, 3).reshape(b, t * self.size, c // self.size)
        )
