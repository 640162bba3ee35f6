"""MossTTSLocal: rows into the backbone, and one new row out of the depth transformer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moss_stream.cpu.elementwise import add, copy, fill, gate, rms_norm
from moss_stream.cpu.jit import compiled, inner
from moss_stream.cpu.linear import linear
from moss_stream.cpu.qwen import final_norm, run_layers
from moss_stream.cpu.sampling import draw

__all__ = ["Depth", "DepthScratch", "Embeddings", "embed", "next_rows", "run_rows"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Weights = npt.NDArray[Any]


class Embeddings(NamedTuple):
    """Of a row's channels."""

    text: Floats
    """[vocabulary, hidden]."""
    audio: Floats
    """[Nq, values, hidden]."""


class Depth(NamedTuple):
    """The depth transformer beside its layers; matrices are packed (see `linear`)."""

    in_gate_up: Weights
    in_down: Weights
    out_gate_up: Weights
    """[1 + Nq, ...], like the next two."""
    out_down: Weights
    out_norms: Floats
    text_head: Weights
    heads: Weights
    """[Nq, ...]."""
    text_ids: Ints
    """The ids that the rows of the text head stand for."""
    codes: Floats
    """[Nq, values, width]: the input that follows a code."""
    num_values: int
    """Of a codebook, the pad code included."""


class DepthScratch(NamedTuple):
    """What a frame of B streams writes over; widths are multiples of 16."""

    x: Floats
    inner: Floats
    wide: Floats
    """[B, backbone's hidden]."""
    logits: Floats
    steps: Ints
    """[B]."""


@inner
def embed(embeddings, row, n_vq, out):
    """Sum the embeddings of the text and of the first `n_vq` codes of a row."""
    width = embeddings.text.shape[1]
    fill(out, np.float32(0.0), width)
    for codebook in range(n_vq):
        add(out, embeddings.audio[codebook, row[1 + codebook]], width)
    add(out, embeddings.text[row[0]], width)


@compiled
def run_rows(embeddings, stack, cache, scratch, x, rows, n_vq, slots, positions, count):
    """Run `count` rows through the backbone; their last states, not normalised, are in `x`.

    Args:
        embeddings: Of the channels.
        stack: The layers.
        cache: The backbone's.
        scratch: For `count` rows.
        x: [R, hidden].
        rows: [count, 1 + Nq].
        n_vq: [count]: the codebooks that each embeds.
        slots: [count]: whose row it is.
        positions: [count].
        count: How many.
    """
    for r in range(count):
        embed(embeddings, rows[r], n_vq[r], x[r])
    run_layers(stack, cache, scratch, x, count, slots, positions)


@inner
def _step(depth, stack, cache, scratch, small, channel, slots, count, head):
    """Run step `channel` of `count` streams; their logits are in `small.logits`."""
    for b in range(count):
        small.steps[b] = channel
    run_layers(stack, cache, scratch, small.x, count, slots, small.steps)
    for b in range(count):
        final_norm(stack, small.x[b], scratch.normed[b])
    linear(scratch.normed, depth.out_gate_up[channel], small.inner, count)
    gate(small.inner, count, depth.out_down.shape[2])
    linear(small.inner, depth.out_down[channel], small.wide, count)
    norm = depth.out_norms[channel]
    for b in range(count):
        rms_norm(small.wide[b], 0, norm, stack.eps, len(norm), small.wide[b], 0)
    linear(small.wide, head, small.logits, count)


@inner
def _enter(depth, small, count):
    """Bring vectors of the backbone's width, in `small.wide`, to the depth transformer's input."""
    linear(small.wide, depth.in_gate_up, small.inner, count)
    gate(small.inner, count, depth.in_down.shape[1])
    linear(small.inner, depth.in_down, small.x, count)


@compiled
def next_rows(embeddings, depth, stack, cache, scratch, small, sampler, hidden, slots, n_vq, rows):
    """Sample the next row of each of some streams.

    Args:
        embeddings: Of the channels.
        depth: Weights.
        stack: The depth transformer's layers.
        cache: Its cache; overwritten.
        scratch: For B rows.
        small: For B streams.
        sampler: Draws and remembers; moves on by a frame.
        hidden: [streams, hidden]: the backbone's last hidden state of every stream.
        slots: [B]: who gets a row, those with the most codebooks first.
        n_vq: [B]: the codebooks of each.
        rows: [streams, 1 + Nq] int64, written; codebooks that a stream does not use are 0.
    """
    count, width = len(slots), hidden.shape[1]
    for b in range(count):
        copy(hidden[slots[b]], small.wide[b], width)
    _enter(depth, small, count)
    _step(depth, stack, cache, scratch, small, 0, slots, count, depth.text_head)
    for b in range(count):
        value = draw(sampler, 0, slots[b], small.logits[b], len(depth.text_ids))
        fill(rows[slots[b]], 0, rows.shape[1])
        rows[slots[b], 0] = depth.text_ids[value]
        copy(embeddings.text[depth.text_ids[value]], small.wide[b], width)
    _enter(depth, small, count)
    for codebook in range(n_vq[0]):
        while n_vq[count - 1] <= codebook:
            count -= 1
        _step(depth, stack, cache, scratch, small, 1 + codebook, slots, count, depth.heads[codebook])
        for b in range(count):
            code = draw(sampler, 1 + codebook, slots[b], small.logits[b], depth.num_values)
            rows[slots[b], 1 + codebook] = code
            copy(depth.codes[codebook, code], small.x[b], depth.codes.shape[2])
    for b in range(len(slots)):
        sampler.frame[slots[b]] += 1
