"""A stack of Qwen3 layers over rows of many sequences."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moss_stream.cpu.attention import attend, rotate_half
from moss_stream.cpu.elementwise import add_rows, dot, gate, rms_norm
from moss_stream.cpu.jit import compiled, inner
from moss_stream.cpu.linear import linear, padded
from moss_stream.cpu.vectors import WIDTH

__all__ = ["Cache", "Scratch", "Stack", "final_norm", "run_layers"]

Floats = npt.NDArray[np.float32]
Weights = npt.NDArray[Any]


class Stack(NamedTuple):
    """The weights of L layers; matrices are packed (see `linear`)."""

    qkv: Weights
    out: Weights
    gate_up: Weights
    down: Weights
    attention_norm: Floats
    """[L, hidden]."""
    mlp_norm: Floats
    query_norm: Floats
    """[L, head_dim]."""
    key_norm: Floats
    last_norm: Floats
    """[hidden]."""
    eps: np.float32
    heads: int
    kv_heads: int
    dim: int


class Cache(NamedTuple):
    """Keys and values of the layers, flat; [L, batch, kv_heads, capacity, head_dim] in memory."""

    keys: Floats
    values: Floats
    batch: int
    capacity: int
    cos: Floats
    """[positions, head_dim]; no rows: nothing is rotated."""
    sin: Floats


class Scratch(NamedTuple):
    """What a run over R rows writes over; widths are multiples of 16."""

    normed: Floats
    qkv: Floats
    attended: Floats
    inner: Floats
    added: Floats
    scores: Floats
    """[heads, rows of a cache]."""

    @staticmethod
    def of(stack: Stack, rows: int, context: int) -> Scratch:
        """Allocate for `rows` rows that attend over up to `context`."""
        wide, inner = stack.qkv.shape[1] * 16, stack.gate_up.shape[1] * 16
        hidden = padded(stack.attention_norm.shape[1])
        # Tiles that are wider than a head reach beyond the last one.
        widths = hidden, wide, padded(stack.heads * stack.dim + WIDTH), inner, hidden
        normed, qkv, attended, gated, added = (np.zeros((rows, width), np.float32) for width in widths)
        return Scratch(
            normed, qkv, attended, gated, added, np.zeros((stack.heads, padded(context)), np.float32)
        )


@inner
def _store(stack, layer, cache, qkv, slot, position):
    """Normalise and rotate the queries and keys of a row; put its keys and values into the cache."""
    dim, heads, kv_heads = stack.dim, stack.heads, stack.kv_heads
    for head in range(heads + kv_heads):
        weight = stack.query_norm[layer] if head < heads else stack.key_norm[layer]
        rms_norm(qkv, head * dim, weight, stack.eps, dim, qkv, head * dim)
        if len(cache.cos):
            rotate_half(qkv, head * dim, cache.cos[position], cache.sin[position], dim)
    for head in range(kv_heads):
        at = (((layer * cache.batch + slot) * kv_heads + head) * cache.capacity + position) * dim
        key, value = (heads + head) * dim, (heads + kv_heads + head) * dim
        for j in range(dim):
            cache.keys[at + j] = qkv[key + j]
            cache.values[at + j] = qkv[value + j]


@inner
def _attend_row(stack, layer, cache, qkv, slot, position, scores, out):
    """Attend with all heads of a row over its sequence, up to itself."""
    dim, group, count = stack.dim, stack.heads // stack.kv_heads, position + 1
    scale = np.float32(1.0 / np.sqrt(dim))
    for pair in range(stack.kv_heads):
        at = ((layer * cache.batch + slot) * stack.kv_heads + pair) * cache.capacity * dim
        first = pair * group
        for head in range(group):
            for i in range(count):
                scores[head, i] = dot(qkv, (first + head) * dim, cache.keys, at + i * dim, dim)
        attend(scores, group, count, scale, cache.values, at, dim, out, first * dim, dim)


@inner
def run_layers(stack, cache, scratch, x, rows, slots, positions):
    """Run rows through the layers, in place.

    Args:
        stack: Weights.
        cache: Written at `positions`; every row attends over its own sequence up to itself.
        scratch: For at least as many rows.
        x: [R, hidden].
        rows: How many of them; rows of one sequence stand in order.
        slots: [rows]: the sequence of each.
        positions: [rows]: where it stands in its sequence.
    """
    hidden = stack.attention_norm.shape[1]
    for layer in range(len(stack.qkv)):
        for r in range(rows):
            rms_norm(x[r], 0, stack.attention_norm[layer], stack.eps, hidden, scratch.normed[r], 0)
        linear(scratch.normed, stack.qkv[layer], scratch.qkv, rows)
        for r in range(rows):
            _store(stack, layer, cache, scratch.qkv[r], slots[r], positions[r])
        for r in range(rows):
            _attend_row(
                stack,
                layer,
                cache,
                scratch.qkv[r],
                slots[r],
                positions[r],
                scratch.scores,
                scratch.attended[r],
            )
        linear(scratch.attended, stack.out[layer], scratch.added, rows)
        add_rows(x, scratch.added, rows, hidden)
        for r in range(rows):
            rms_norm(x[r], 0, stack.mlp_norm[layer], stack.eps, hidden, scratch.normed[r], 0)
        linear(scratch.normed, stack.gate_up[layer], scratch.inner, rows)
        gate(scratch.inner, rows, stack.down.shape[2])
        linear(scratch.inner, stack.down[layer], scratch.added, rows)
        add_rows(x, scratch.added, rows, hidden)


@compiled
def final_norm(stack, x, out):
    """Normalise one row after the last layer."""
    rms_norm(x, 0, stack.last_norm, stack.eps, len(stack.last_norm), out, 0)
