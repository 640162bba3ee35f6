"""The parts of the Cat codec: causal transformers over a sliding window, and patch reshapes."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from moss_stream.codec.config import CatStage
from moss_stream.nn.cache import RingCache
from moss_stream.nn.layers import Heads, Rotation, WideRotary
from moss_stream.nn.ops import Ops, Place, TorchOps
from moss_stream.nn.pre_norm import PreNormLayer

__all__ = ["CatTransformer", "Patch"]

NORM_EPS = 1e-5
"""Of the reference implementation."""


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
        self.layers = nn.ModuleList(_layer(stage) for _ in range(stage.num_layers))

    def prepare(self) -> None:
        """Make the rotary table; needed once before use."""
        device = cast(PreNormLayer, self.layers[0]).norm1.weight.device
        self._rotary = WideRotary(self.heads.dim, self.max_period, device)

    @property
    def rotary_tables(self) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the low and the high part of a position; see `WideRotary`."""
        return self._rotary.low, self._rotary.high

    def new_cache(self, batch: int, max_chunk: int) -> RingCache:
        """Return an empty ring for chunks of up to `max_chunk` positions."""
        norm = cast(PreNormLayer, self.layers[0]).norm1.weight
        shape = (len(self.layers), batch, self.heads.heads, self.heads.dim)
        return RingCache.zeros(shape, self.window, max_chunk, norm.device, norm.dtype)

    def forward(self, x: Tensor, cache: RingCache) -> Tensor:
        """Run a chunk [B, T, input] through the stack: [B, T, output]. Does not advance the cache."""
        x = self.input_proj(x)
        positions = cache.positions(x.shape[1])
        rotation = Rotation("interleaved", *self._rotary.tables(positions))
        mask = None if self.ops.finds_rows(self.heads, x.shape[1]) else cache.mask(positions)
        place = Place(positions, cache.capacity, mask, rotation)
        for index, layer in enumerate(self.layers):
            x = cast(PreNormLayer, layer).run(self.ops, x, self.heads, cache, index, place)
        out: Tensor = self.output_proj(x)
        return out


def _layer(stage: CatStage) -> PreNormLayer:
    """Return a layer of the codec: with layer scale, without biases."""
    return PreNormLayer(
        stage.d_model, stage.dim_feedforward, "gelu", NORM_EPS, has_bias=False, is_scaled=True
    )


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
