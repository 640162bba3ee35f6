"""The sampler of one channel: penalty, temperature, top-k, top-p and draw of a whole row in one program.

It follows `moss_stream.nn.sampling` step by step; see there for the order and for ties. Sorting gives the
thresholds only. Which of several equal values stay is decided by their places, as a stable
sort would decide it.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from moss_stream.nn.sampling import Draw

__all__ = ["MAX_SIZE", "sample"]

MAX_SIZE = 4096
"""Longer rows do not fit into a program."""


@triton.jit
def _kept(value, there, top_k, tail, BLOCK: tl.constexpr):
    """Return which values [BLOCK] pass top-k and top-p."""
    rank = tl.arange(0, BLOCK)
    falling = tl.sort(value, descending=True)
    size = tl.sum(there.to(tl.int32), 0)
    last = tl.where((top_k > 0) & (top_k < size), top_k, size) - 1
    threshold = tl.sum(tl.where(rank == last, falling, 0.0), 0)
    highest = tl.max(falling, 0)
    mass = tl.where(falling >= threshold, tl.exp(falling - highest), 0.0)
    mass = mass / tl.sum(mass, 0)
    # What is at most `tail` together, counted from the least likely value on, is cut off.
    stays = ((tl.cumsum(mass, 0, reverse=True) > tail) | (rank == 0)) & (falling >= threshold)
    border = tl.min(tl.where(stays, falling, float("inf")), 0)
    is_equal = there & (value == border)
    too_many = tl.sum(is_equal.to(tl.int32), 0) - tl.sum((stays & (falling == border)).to(tl.int32), 0)
    return there & ((value > border) | (is_equal & (tl.cumsum(is_equal.to(tl.int32), 0) > too_many)))


@triton.jit
def _sample(
    logits,
    temperature,
    tail,
    penalty,
    top_k,
    uniform,
    active,
    seen,
    out,
    size,
    pad,
    logit_stride,
    uniform_stride,
    seen_stride,
    out_stride,
    BLOCK: tl.constexpr,
    HAS_SEEN: tl.constexpr,
):
    b = tl.program_id(0)
    i = tl.arange(0, BLOCK)
    there = (i < size) & (i != pad)
    lowest = float("-inf")
    value = tl.load(logits + b * logit_stride + i, there, other=lowest).to(tl.float32)
    likeliest = tl.argmax(value, 0)
    heat = tl.load(temperature + b)
    if HAS_SEEN:
        factor = tl.load(penalty + b)
        is_seen = tl.load(seen + b * seen_stride + i, there, other=0) != 0
        value = tl.where(is_seen & there, tl.where(value < 0, value * factor, value / factor), value)
    value = value / tl.where(heat > 0, heat, 1.0)
    value = tl.where(there, value, lowest)
    keep = _kept(value, there, tl.load(top_k + b), tl.load(tail + b), BLOCK)
    mass = tl.where(keep, tl.exp(value - tl.max(value, 0)), 0.0)
    below = tl.cumsum(mass / tl.sum(mass, 0), 0)
    target = tl.load(uniform + b * uniform_stride) * tl.max(below, 0)
    drawn = tl.sum((below <= target).to(tl.int32), 0)
    code = tl.where(heat > 0, drawn, likeliest).to(tl.int64)
    tl.store(out + b * out_stride, code)
    if HAS_SEEN:
        # One program alone reads and writes this row; the rows of sequences that stand still stay.
        tl.store(seen + b * seen_stride + code, 1, tl.load(active + b) != 0)


def sample(logits: Tensor, draw: Draw, out: Tensor) -> None:
    """Sample one value of each row.

    Args:
        logits: [B, V], rows contiguous, V at most `MAX_SIZE`.
        draw: How; options contiguous, rows of `seen` contiguous.
        out: [B] int64, any stride: the values are written there.
    """
    batch, size = logits.shape
    options, seen, pad = draw.options, draw.seen, -1 if draw.pad is None else draw.pad
    kernel: Any = _sample
    kernel[(batch,)](
        logits,
        options.temperature,
        options.tail,
        options.penalty,
        options.top_k,
        draw.uniform,
        draw.active.view(torch.uint8),
        None if seen is None else seen.view(torch.uint8),
        out,
        size,
        pad,
        logits.stride(0),
        draw.uniform.stride(0),
        0 if seen is None else seen.stride(0),
        out.stride(0),
        BLOCK=max(16, 1 << (size - 1 - (pad == size - 1)).bit_length()),
        HAS_SEEN=seen is not None,
        num_warps=4,
    )
