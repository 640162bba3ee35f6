"""A stage of the codec, and its attention over a sliding window of positions, kept in a ring."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moss_stream.cpu.attention import attend, rotate_pairs
from moss_stream.cpu.jit import inner
from moss_stream.cpu.linear import products

__all__ = ["Stage", "attend_frame", "store"]

Floats = npt.NDArray[np.float32]
Weights = npt.NDArray[Any]

_NEVER = np.float32(-np.inf)


class Stage(NamedTuple):
    """A causal transformer over a sliding window, and the patch that follows it; matrices are packed."""

    enter: Weights
    """No tiles: the input goes in as it is; likewise `leave`."""
    leave: Weights
    qkv: Weights
    """[L, ...], like all that follows up to `scale2`."""
    out: Weights
    linear1: Weights
    linear2: Weights
    norm1: Floats
    bias1: Floats
    norm2: Floats
    bias2: Floats
    scale1: Floats
    scale2: Floats
    keys: Floats
    """[L, batch, heads, head_dim, keys_stride] in memory, flat: a tile of keys takes one load."""
    values: Floats
    """[L, batch, heads, capacity, head_dim] in memory, flat, and a tile more."""
    offset: npt.NDArray[np.int64]
    """[batch]: positions that are over."""
    low: Floats
    """[1024, 2, head_dim / 2]: cosines and sines of an angle's low part; `high` of its high part."""
    high: Floats
    keys_stride: int
    capacity: int
    window: int
    heads: int
    dim: int
    rate: int
    """Positions in a frame."""
    patch: int
    """Positions that each becomes afterwards."""
    width: int
    """Of such a position."""


@inner
def store(stage, layer, qkv, slot, position):
    """Rotate the queries and keys of a row, and put its keys and values into the ring."""
    heads, dim, size = stage.heads, stage.dim, stage.keys_stride
    low = stage.low[position % len(stage.low)]
    high = stage.high[position // len(stage.low) % len(stage.high)]
    for head in range(2 * heads):
        rotate_pairs(qkv, head * dim, low, high, dim)
    place = position % stage.capacity
    for head in range(heads):
        ring = (layer * len(stage.offset) + slot) * heads + head
        for j in range(dim):
            stage.keys[(ring * dim + j) * size + place] = qkv[(heads + head) * dim + j]
            stage.values[(ring * stage.capacity + place) * dim + j] = qkv[(2 * heads + head) * dim + j]


@inner
def _hide(stage, scores, position, last):
    """Give the lowest score to the places of positions that `position` may not see.

    Place i holds the newest position up to `last` that is congruent to i modulo the capacity.
    """
    for other in range(position + 1, last + 1):
        scores[other % stage.capacity] = _NEVER
    for other in range(max(0, last + 1 - stage.capacity), position + 1 - stage.window):
        scores[other % stage.capacity] = _NEVER


@inner
def attend_frame(stage, layer, qkv, row, slot, scores, out):
    """Attend with the positions of one frame, which begin at `row`, over the ring that holds them already.

    Sums are taken in the order of the ring's places, which is the same in every slot.
    """
    heads, dim, rate = stage.heads, stage.dim, stage.rate
    first = stage.offset[slot]
    last = first + rate - 1
    count = min(last + 1, stage.capacity)
    tiles = (count + 15) // 16
    scale = np.float32(1.0 / np.sqrt(dim))
    stride = qkv.shape[1]
    for head in range(heads):
        ring = (layer * len(stage.offset) + slot) * heads + head
        keys, values = ring * dim * stage.keys_stride, ring * stage.capacity * dim
        query = row * stride + head * dim
        products(
            scores,
            0,
            scores.shape[1],
            qkv,
            query,
            stride,
            rate,
            stage.keys,
            keys,
            tiles,
            16,
            stage.keys_stride,
            dim,
        )
        for t in range(rate):
            _hide(stage, scores[t], first + t, last)
        start = row * out.shape[1] + head * dim
        attend(scores, rate, count, scale, stage.values, values, dim, out, start, out.shape[1])
