"""The Cat codec's decoder: one frame of many streams from codes to samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moss_stream.cpu.elementwise import add, fill, gelu, layer_norm
from moss_stream.cpu.jit import compiled, inner
from moss_stream.cpu.linear import linear
from moss_stream.cpu.ring import attend_frame, store

__all__ = ["CodecScratch", "Quantizer", "decode", "to_pcm"]

Floats = npt.NDArray[np.float32]
Weights = npt.NDArray[Any]


class Quantizer(NamedTuple):
    """From codes to vectors."""

    added: Floats
    """[Nq, codes, width]: what a code adds."""
    out: Weights
    """Packed (see `linear`)."""
    bias: Floats


class CodecScratch(NamedTuple):
    """What a frame of B streams writes over; widths are multiples of 16."""

    x: Floats
    y: Floats
    qkv: Floats
    inner: Floats
    scores: Floats
    """[positions of a frame, places of a ring]."""


@inner
def _add_scaled(x, y, scale, rows, width):
    for r in range(rows):
        for j in range(width):
            x[r, j] += scale[j] * y[r, j]


@inner
def _layer(stage, layer, scratch, slots, rows):
    x, y, width, rate = scratch.x, scratch.y, stage.norm1.shape[1], stage.rate
    layer_norm(x, stage.norm1[layer], stage.bias1[layer], width, rows, y)
    linear(y, stage.qkv[layer], scratch.qkv, rows)
    for r in range(rows):
        slot = slots[r // rate]
        store(stage, layer, scratch.qkv[r], slot, stage.offset[slot] + r % rate)
    for b in range(len(slots)):
        attend_frame(stage, layer, scratch.qkv, b * rate, slots[b], scratch.scores, y)
    linear(y, stage.out[layer], scratch.inner, rows)
    _add_scaled(x, scratch.inner, stage.scale1[layer], rows, width)
    layer_norm(x, stage.norm2[layer], stage.bias2[layer], width, rows, y)
    linear(y, stage.linear1[layer], scratch.inner, rows)
    gelu(scratch.inner, rows, stage.linear2.shape[2])
    linear(scratch.inner, stage.linear2[layer], y, rows)
    _add_scaled(x, y, stage.scale2[layer], rows, width)


@inner
def _copy(source, target, rows, width):
    for r in range(rows):
        for j in range(width):
            target[r, j] = source[r, j]


@inner
def _unfold(x, y, rows, size, width):
    """Turn each row of `size` * `width` into `size` rows of `width`."""
    for r in range(rows):
        for s in range(size):
            for j in range(width):
                y[r * size + s, j] = x[r, j * size + s]


@inner
def _dequantize(quantizer, codes, n_vq, scratch):
    """Sum what the codes of each stream add; the projected sums are in `scratch.x`."""
    width = quantizer.added.shape[2]
    for b in range(len(codes)):
        fill(scratch.y[b], np.float32(0.0), width)
        for codebook in range(n_vq[b]):
            add(scratch.y[b], quantizer.added[codebook, codes[b, codebook]], width)
    linear(scratch.y, quantizer.out, scratch.x, len(codes))
    for b in range(len(codes)):
        add(scratch.x[b], quantizer.bias, len(quantizer.bias))


@compiled
def decode(quantizer, stages, scratch, codes, n_vq, slots, samples):
    """Decode a frame of some streams; their state does not move on.

    Args:
        quantizer: From codes to vectors.
        stages: A tuple of `Stage`, all of one type.
        scratch: For B streams.
        codes: [B, Nq].
        n_vq: [B]: the codebooks of each that count.
        slots: [B]: which streams.
        samples: [B, samples of a frame], written.
    """
    _dequantize(quantizer, codes, n_vq, scratch)
    for index in range(len(stages)):
        stage = stages[index]
        rows, width = len(slots) * stage.rate, stage.norm1.shape[1]
        if len(stage.enter):
            linear(scratch.x, stage.enter, scratch.y, rows)
            _copy(scratch.y, scratch.x, rows, width)
        for layer in range(len(stage.qkv)):
            _layer(stage, layer, scratch, slots, rows)
        if len(stage.leave):
            linear(scratch.x, stage.leave, scratch.y, rows)
            _copy(scratch.y, scratch.x, rows, stage.leave.shape[0] * 16)
        if index + 1 < len(stages):
            _unfold(scratch.x, scratch.y, rows, stage.patch, stage.width)
            _copy(scratch.y, scratch.x, rows * stage.patch, stage.width)
        else:
            for r in range(rows):
                for s in range(stage.patch):
                    samples[r // stage.rate, r % stage.rate * stage.patch + s] = scratch.x[r, s]


@compiled
def to_pcm(samples, gain, out):
    """Multiply samples from -1 to 1 with `gain`, and round them to int16."""
    for i in range(len(samples)):
        value = min(max(samples[i] * gain, np.float32(-1.0)), np.float32(1.0)) * np.float32(32767.0)
        out[i] = np.int16(np.rint(value))
