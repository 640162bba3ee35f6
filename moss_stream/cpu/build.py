"""From the speech model's modules to the arrays that the compiled functions take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from moss_stream.cpu.linear import Format, formats, pack, padded
from moss_stream.cpu.qwen import Cache, Stack
from moss_stream.cpu.rows import Depth, DepthScratch, Embeddings
from moss_stream.cpu.sampling import SamplerState
from moss_stream.families.local.network import MossTTSLocal
from moss_stream.nn.cache import KVCache
from moss_stream.nn.layers import GatedMLP
from moss_stream.nn.qwen3 import BackboneLayer
from moss_stream.nn.sampling import Sampler

__all__ = [
    "Floats",
    "Weights",
    "array",
    "stacked",
    "Packer",
    "cache_arrays",
    "depth_arrays",
    "depth_scratch",
    "sampler_arrays",
    "stack_arrays",
]

Floats = npt.NDArray[np.float32]
Weights = npt.NDArray[Any]


def array(tensor: Tensor) -> npt.NDArray[Any]:
    """Return the tensor's own memory."""
    return tensor.detach().numpy()


class Packer:
    """Packs matrices, all in one number format, since functions are compiled for each.

    Args:
        modules: Whose linear layers will be packed: in 16 bits if these hold every value of them.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        found: set[Format] = {"float16", "bfloat16", "float32"}
        for module in modules:
            for part in module.modules():
                if isinstance(part, nn.Linear):
                    found &= formats(array(part.weight))
        # In order of preference: to read float16 takes one instruction less than bfloat16.
        preferred: tuple[Format, ...] = ("float16", "bfloat16", "float32")
        self.format = next(each for each in preferred if each in found)
        self.unused = pack(np.zeros((0, 1), np.float32), self.format)

    def one(self, linear: nn.Module) -> Weights:
        """Pack one matrix."""
        return pack(array(cast(nn.Linear, linear).weight), self.format)

    def all(self, linears: Iterable[nn.Module]) -> Weights:
        """Pack matrices of one size."""
        return np.stack([self.one(linear) for linear in linears])


def stacked(tensors: Iterable[Tensor]) -> Floats:
    """Join tensors of one size."""
    return np.stack([array(tensor) for tensor in tensors])


def stack_arrays(layers: Sequence[nn.Module], norm: nn.Module, packer: Packer) -> Stack:
    """Return the weights of Qwen3 layers and of the norm that follows them."""
    each = [cast(BackboneLayer, layer) for layer in layers]
    heads = each[0].attention.heads
    return Stack(
        packer.all(layer.attention.qkv_proj for layer in each),
        packer.all(layer.attention.o_proj for layer in each),
        packer.all(layer.mlp.gate_up_proj for layer in each),
        packer.all(layer.mlp.down_proj for layer in each),
        stacked(layer.input_norm.weight for layer in each),
        stacked(layer.post_norm.weight for layer in each),
        stacked(layer.attention.q_norm.weight for layer in each),
        stacked(layer.attention.k_norm.weight for layer in each),
        array(cast(Tensor, norm.weight)),
        np.float32(each[0].input_norm.eps),
        heads.heads,
        heads.kv_heads,
        heads.dim,
    )


def cache_arrays(cache: KVCache, cos: Tensor | None = None, sin: Tensor | None = None) -> Cache:
    """Return a cache's memory; without a rotary table nothing is rotated."""
    none = torch.zeros(0, cache.keys.shape[4])
    return Cache(
        array(cache.keys).reshape(-1),
        array(cache.values).reshape(-1),
        cache.keys.shape[1],
        cache.capacity,
        array(none if cos is None else cos),
        array(none if sin is None else sin),
    )


def depth_arrays(model: MossTTSLocal, packer: Packer) -> tuple[Embeddings, Depth]:
    """Return the embeddings of a row, and the depth transformer's parts beside its layers."""
    depth = model.depth
    mlps = [cast(GatedMLP, mlp) for mlp in depth.out_mlps]
    ids = model.pair if model.text_rows is not None else range(len(model.text_embedding))
    heads = packer.all(list(depth.heads)[1:])
    return Embeddings(array(model.text_embedding), array(model.audio_embedding)), Depth(
        packer.one(depth.in_mlp.gate_up_proj),
        packer.one(depth.in_mlp.down_proj),
        packer.all(mlp.gate_up_proj for mlp in mlps),
        packer.all(mlp.down_proj for mlp in mlps),
        stacked(cast(Tensor, norm.weight) for norm in depth.out_norms),
        packer.one(depth.heads[0]),
        heads,
        np.array(ids, np.int64),
        array(depth.code_inputs),
        model.config.audio_vocab_size + 1,
    )


def depth_scratch(stack: Stack, depth: Depth, batch: int) -> DepthScratch:
    """Allocate for `batch` streams."""
    width = max(padded(len(stack.last_norm)), depth.in_down.shape[0] * 16)
    inner = max(depth.in_gate_up.shape[0], depth.out_gate_up.shape[1]) * 16
    wide = max(depth.out_down.shape[1] * 16, padded(depth.in_gate_up.shape[1]))
    values = max(depth.text_head.shape[0], depth.heads.shape[1]) * 16
    x, gated, hidden, logits = (np.zeros((batch, size), np.float32) for size in (width, inner, wide, values))
    return DepthScratch(x, gated, hidden, logits, np.zeros(batch, np.int64))


def sampler_arrays(sampler: Sampler, num_values: int) -> SamplerState:
    """Return a sampler's memory, for draws of up to `num_values` values."""
    return SamplerState(
        array(sampler.floats),
        array(sampler.top_k),
        array(sampler.seed),
        array(sampler.frame),
        array(sampler.seen),
        np.zeros(num_values, np.float32),
        np.zeros(num_values, np.int64),
        sampler.pad if sampler.pad is not None else sampler.seen.shape[2],
    )
