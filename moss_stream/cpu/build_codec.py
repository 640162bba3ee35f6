"""From the modules of the codec's decoder to the arrays that the compiled functions take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
from torch import Tensor, nn

from moss_stream.codec.cat import CatDecoder, CatState
from moss_stream.codec.layers import CatTransformer, Patch
from moss_stream.cpu.build import Floats, Packer, Weights, array, stacked
from moss_stream.cpu.codec import CodecScratch, Quantizer
from moss_stream.cpu.linear import padded
from moss_stream.cpu.ring import Stage
from moss_stream.cpu.vectors import WIDTH
from moss_stream.nn.cache import RingCache
from moss_stream.nn.pre_norm import PreNormLayer

__all__ = ["codec_scratch", "codec_stages", "quantizer_arrays"]


def quantizer_arrays(decoder: CatDecoder, packer: Packer) -> Quantizer:
    """Return what turns codes into vectors."""
    quantizer = decoder.quantizer
    bias = cast(Tensor, quantizer.output_proj.bias)
    return Quantizer(array(quantizer.contribution), packer.one(quantizer.output_proj), array(bias))


def codec_stages(decoder: CatDecoder, state: CatState, packer: Packer) -> tuple[Stage, ...] | None:
    """Return the decoder's stages; None if they are no transformers that a patch follows each."""
    stages = list(decoder.stages)
    if [type(stage) for stage in stages] != [CatTransformer, Patch] * (len(stages) // 2):
        return None
    pairs = zip(stages[::2], stages[1::2], state.rings, strict=True)
    return tuple(
        _stage(cast(CatTransformer, transformer), cast(Patch, patch).size, ring, rate, packer)
        for transformer, patch, (ring, rate) in pairs
    )


def _stage(transformer: CatTransformer, patch: int, ring: RingCache, rate: int, packer: Packer) -> Stage:
    layers = [cast(PreNormLayer, layer) for layer in transformer.layers]

    def matrices(name: str) -> Weights:
        return packer.all(getattr(layer, name) for layer in layers)

    def vectors(name: str) -> Floats:
        return stacked(layer.get_parameter(name) for layer in layers)

    heads, stride = transformer.heads, padded(ring.capacity)
    return Stage(
        enter=_outer(transformer.input_proj, packer),
        leave=_outer(transformer.output_proj, packer),
        qkv=matrices("in_proj"),
        out=matrices("out_proj"),
        linear1=matrices("linear1"),
        linear2=matrices("linear2"),
        norm1=vectors("norm1.weight"),
        bias1=vectors("norm1.bias"),
        norm2=vectors("norm2.weight"),
        bias2=vectors("norm2.bias"),
        scale1=vectors("scale1"),
        scale2=vectors("scale2"),
        # The tensors of the ring are not used: nobody has touched them, so they take no memory.
        keys=np.zeros(ring.keys[..., 0].numel() // ring.capacity * heads.dim * stride, np.float32),
        values=np.zeros(ring.values.numel() + WIDTH, np.float32),
        offset=array(ring.offset),
        low=_rows(transformer.rotary_tables[0]),
        high=_rows(transformer.rotary_tables[1]),
        keys_stride=stride,
        capacity=ring.capacity,
        window=ring.window,
        heads=heads.heads,
        dim=heads.dim,
        rate=rate,
        patch=patch,
        width=transformer.output_width // patch,
    )


def _outer(part: nn.Module, packer: Packer) -> Weights:
    return packer.one(part) if isinstance(part, nn.Linear) else packer.unused


def _rows(table: Tensor) -> Floats:
    """Bring a table [2, angles, head_dim / 2] into the order [angles, 2, head_dim / 2]."""
    return np.ascontiguousarray(array(table).transpose(1, 0, 2))


def codec_scratch(stages: Sequence[Stage], quantizer: Quantizer, batch: int) -> CodecScratch:
    """Allocate for `batch` streams."""
    rows, most_positions = batch * _most(s.rate for s in stages), _most(s.rate for s in stages)
    width = 16 * max(len(quantizer.out), _most(n for s in stages for n in (len(s.enter), len(s.leave))))
    # Tiles that are wider than a head reach beyond the last one.
    width = max(width, padded(quantizer.added.shape[2]), _most(s.out.shape[1] * 16 for s in stages) + WIDTH)
    width = max(width, _most(padded(stage.width) for stage in stages))
    inner = 16 * _most(n for stage in stages for n in (stage.linear1.shape[1], stage.out.shape[1]))
    wide = 16 * _most(stage.qkv.shape[1] for stage in stages)
    x, y, qkv, hidden = (np.zeros((rows, size), np.float32) for size in (width, width, wide, inner))
    scores = np.zeros((most_positions, _most(stage.keys_stride for stage in stages)), np.float32)
    return CodecScratch(x, y, qkv, hidden, scores)


def _most(numbers: Iterable[int]) -> int:
    return max(numbers)
