"""Attention of one step: norm, rotation, the write to the cache and the reading of it, in one kernel.

A program takes the query heads that share a key head of one sequence, and a part of the rows that they may
see. Only rows in use are read, however large the cache is, and how many there are is read from the
device: one captured graph serves every length. A linear cache and a ring are the same here, since the place p
of either holds the newest position that is congruent to p modulo the capacity.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from moss_stream.nn.layers import Heads, Rotation

__all__ = ["MAX_QUERIES", "ROTARY", "attend", "splits_for"]

MAX_QUERIES = 16
"""Rows of a step times query heads of a key head."""
ROTARY = {"none": 0, "half": 1, "interleaved": 2}
ROWS_AT_ONCE = 32
"""Keys of a block: 32 of 128 numbers in bfloat16 are 8 KB."""
MIN_MATRIX_QUERIES, MATRIX_QUERIES = 2, 16
"""From so many on the matrix units are used, which take so many; what is missing is filled up. Measured on an
H100 with 32 streams and the codec's windows full: 22.5 ms a frame instead of 43.2."""
MATRIX_BLOCK, MATRIX_STAGES = 32, 2
"""Keys of a block and blocks under way: 64 keys took 24.4 ms, 3 stages of them 23.6."""
PRECISION = {2: "tf32", 4: "tf32x3"}
"""By the bytes of a cached number. Matrix units shorten float32 to ten bits behind the point, which holds all
of a 16-bit number; three such products are as exact as one of float32."""
PROGRAMS = 128
"""Split until there are about as many: a GPU has about as many processors."""
MAX_SPLITS = 16
"""One program joins as many partial sums."""


@triton.jit
def _turned(
    vectors,
    place,
    inside,
    weight,
    eps,
    cos,
    sin,
    angle,
    D: tl.constexpr,
    NORM: tl.constexpr,
    ROTARY: tl.constexpr,
):
    """Load vectors as two halves [R, D / 2], normalise and rotate them."""
    half = tl.arange(0, D // 2)
    first = 2 * half if ROTARY == 2 else half
    second = 2 * half + 1 if ROTARY == 2 else half + D // 2
    a = tl.load(vectors + place[:, None] + first[None, :], inside[:, None], other=0.0).to(tl.float32)
    b = tl.load(vectors + place[:, None] + second[None, :], inside[:, None], other=0.0).to(tl.float32)
    if NORM:
        factor = tl.rsqrt((tl.sum(a * a, 1) + tl.sum(b * b, 1)) / D + eps)[:, None]
        a = a * factor * tl.load(weight + first).to(tl.float32)[None, :]
        b = b * factor * tl.load(weight + second).to(tl.float32)[None, :]
    if ROTARY != 0:
        c = tl.load(cos + angle[:, None] + half[None, :], inside[:, None], other=0.0).to(tl.float32)
        s = tl.load(sin + angle[:, None] + half[None, :], inside[:, None], other=0.0).to(tl.float32)
        a, b = a * c - b * s, b * c + a * s
    return a, b


@triton.jit
def _scores(qa, qb, keys_a, keys_b, MATRIX: tl.constexpr, PRECISION: tl.constexpr):
    """Multiply queries [R, D] with keys [BLOCK, D], each given as two halves: [R, BLOCK]."""
    a, b = keys_a.to(tl.float32), keys_b.to(tl.float32)
    if MATRIX:
        score = tl.dot(qa, tl.trans(a), input_precision=PRECISION)
        return tl.dot(qb, tl.trans(b), score, input_precision=PRECISION)
    return tl.sum(qa[:, None, :] * a[None, :, :] + qb[:, None, :] * b[None, :, :], 2)


@triton.jit
def _mix(weight, values, MATRIX: tl.constexpr, PRECISION: tl.constexpr):
    """Sum values [BLOCK, D] by weight [R, BLOCK]: [R, D]."""
    if MATRIX:
        return tl.dot(weight, values.to(tl.float32), input_precision=PRECISION)
    return tl.sum(weight[:, :, None] * values.to(tl.float32)[None, :, :], 1)


@triton.jit(do_not_specialize=["position_stride", "limit"])
def _attend(
    qkv,
    positions,
    cos,
    sin,
    q_weight,
    k_weight,
    keys,
    values,
    out,
    parts,
    position_stride,
    angle_stride,
    cache_stride,
    head_stride,
    capacity,
    window,
    limit,
    eps,
    scale,
    HEADS: tl.constexpr,
    GROUPS: tl.constexpr,
    T: tl.constexpr,
    D: tl.constexpr,
    ROWS: tl.constexpr,
    NEW: tl.constexpr,
    BLOCK: tl.constexpr,
    SPLITS: tl.constexpr,
    STAGES: tl.constexpr,
    NORM: tl.constexpr,
    ROTARY: tl.constexpr,
    MATRIX: tl.constexpr,
    PRECISION: tl.constexpr,
):
    KV: tl.constexpr = HEADS // GROUPS
    WIDTH: tl.constexpr = (HEADS + 2 * KV) * D
    b, h, split = tl.program_id(0) // KV, tl.program_id(0) % KV, tl.program_id(1)
    half = tl.arange(0, D // 2)
    first = 2 * half if ROTARY == 2 else half
    second = 2 * half + 1 if ROTARY == 2 else half + D // 2
    start = tl.load(positions + b * position_stride)
    last = start + T - 1
    keys += b.to(tl.int64) * cache_stride + h * head_stride
    values += b.to(tl.int64) * cache_stride + h * head_stride

    # What this program has to read: its share of the rows in use. The rest of a step belongs to a
    # sequence that is computed beside others only: it writes where nobody looks, and reads nothing.
    used = tl.where(last < limit, tl.minimum(last + 1, capacity), 0)
    share = tl.cdiv(tl.cdiv(used, BLOCK), SPLITS) * BLOCK
    low = split * share
    high = tl.minimum(low + share, used)

    # A new row is written by the program that reads it.
    new = tl.arange(0, NEW)
    place = (start + new) % capacity
    is_new = (new < T) & (place >= low) & (place < tl.where(used > 0, high, capacity))
    token = (b * T + new) * WIDTH
    angle = (b * T + new) * angle_stride
    ka, kb = _turned(qkv, token + (HEADS + h) * D, is_new, k_weight, eps, cos, sin, angle, D, NORM, ROTARY)
    target = place[:, None] * D
    kind = keys.dtype.element_ty
    tl.store(keys + target + first[None, :], ka.to(kind), is_new[:, None])
    tl.store(keys + target + second[None, :], kb.to(kind), is_new[:, None])
    d = tl.arange(0, D)
    source = (token + (HEADS + KV + h) * D)[:, None] + d[None, :]
    v = tl.load(qkv + source, is_new[:, None], other=0.0)
    tl.store(values + target + d[None, :], v.to(kind), is_new[:, None])
    tl.debug_barrier()  # other threads of this program read what these write

    row = tl.arange(0, ROWS)
    t, g = row // GROUPS, row % GROUPS
    there = row < T * GROUPS
    qa, qb = _turned(
        qkv,
        (b * T + t) * WIDTH + (h * GROUPS + g) * D,
        there,
        q_weight,
        eps,
        cos,
        sin,
        (b * T + t) * angle_stride,
        D,
        NORM,
        ROTARY,
    )
    qa *= scale
    qb *= scale
    highest = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    mixed = tl.zeros([ROWS, D], tl.float32)
    for begin in tl.range(low, high, BLOCK, num_stages=STAGES):
        at = begin + tl.arange(0, BLOCK)
        near = at < high
        old_a = tl.load(keys + at[:, None] * D + first[None, :], near[:, None], other=0.0)
        old_b = tl.load(keys + at[:, None] * D + second[None, :], near[:, None], other=0.0)
        old = tl.load(values + at[:, None] * D + d[None, :], near[:, None], other=0.0)
        held = last - (last - at) % capacity
        distance = (start + t)[:, None] - held[None, :]
        visible = near[None, :] & (distance >= 0) & (distance < window)
        score = _scores(qa, qb, old_a, old_b, MATRIX, PRECISION)
        score = tl.where(visible, score, float("-inf"))
        peak = tl.maximum(highest, tl.max(score, 1))
        steady = tl.where(peak == float("-inf"), 0.0, peak)
        shrink = tl.exp(highest - steady)
        weight = tl.exp(score - steady[:, None])
        total = total * shrink + tl.sum(weight, 1)
        mixed = mixed * shrink[:, None] + _mix(weight, old, MATRIX, PRECISION)
        highest = peak
    head = (b * T + t) * HEADS + h * GROUPS + g
    if SPLITS == 1:
        mixed = mixed / tl.where(total > 0, total, 1.0)[:, None]
        tl.store(out + (head * D)[:, None] + d[None, :], mixed.to(out.dtype.element_ty), there[:, None])
    else:
        part = (head * SPLITS + split) * (D + 2)
        tl.store(parts + part[:, None] + d[None, :], mixed, there[:, None])
        tl.store(parts + part + D, total, there)
        tl.store(parts + part + D + 1, highest, there)


@triton.jit
def _join(parts, out, D: tl.constexpr, SPLITS: tl.constexpr):
    """Join the parts of one head."""
    head = tl.program_id(0)
    d, split = tl.arange(0, D), tl.arange(0, SPLITS)
    part = parts + (head * SPLITS + split) * (D + 2)
    total = tl.load(part + D)
    highest = tl.load(part + D + 1)
    peak = tl.max(highest, 0)
    weight = tl.exp(highest - tl.where(peak == float("-inf"), 0.0, peak))
    mixed = tl.sum(tl.load(part[:, None] + d[None, :]) * weight[:, None], 0)
    total = tl.sum(total * weight, 0)
    tl.store(out + head * D + d, (mixed / tl.where(total > 0, total, 1.0)).to(out.dtype.element_ty))


def splits_for(programs: int) -> int:
    """Return in how many parts to cut the rows in use, if there are so many sequences and key heads."""
    return max(1, min(MAX_SPLITS, 1 << (max(1, PROGRAMS // programs).bit_length() - 1)))


def attend(
    qkv: Tensor,
    heads: Heads,
    rotation: Rotation,
    positions: Tensor,
    keys: Tensor,
    values: Tensor,
    window: int,
    limit: int,
    splits: int = 1,
) -> Tensor:
    """Store the keys and values of a step, and attend over what is stored.

    Args:
        qkv: [B, T, (H + 2 Hkv) D], contiguous: queries, keys, values; T * H / Hkv at most `MAX_QUERIES`.
        heads: Their numbers and norms.
        rotation: Of queries and keys; of its tables, contiguous, the first D / 2 columns are used.
        positions: [B, T] int64, of the rows; the rows of a sequence follow each other.
        keys: [B, Hkv, S, D] with contiguous rows; the place of position p is p modulo S.
        values: Like `keys`.
        window: How many positions a query sees, its own included.
        limit: Sequences at this position or behind it are not attended over.
        splits: In how many parts the rows in use are read, a power of two.

    Returns:
        [B, T, H D].
    """
    b, t, _ = qkv.shape
    h, kv, d = heads.heads, heads.kv_heads, heads.dim
    out = torch.empty(b, t, h * d, dtype=qkv.dtype, device=qkv.device)
    shape = (b, t, h, splits, d + 2)
    parts = None if splits == 1 else torch.empty(shape, dtype=torch.float32, device=qkv.device)
    rows = 1 << (t * (h // kv) - 1).bit_length()
    is_matrix = rows >= MIN_MATRIX_QUERIES and d >= 2 * MATRIX_QUERIES
    block = MATRIX_BLOCK if is_matrix else max(16, ROWS_AT_ONCE * 2 // max(2, rows))
    kernel: Any = _attend
    kernel[(b * kv, splits)](
        qkv,
        positions,
        rotation.cos,
        rotation.sin,
        None if heads.q_norm is None else heads.q_norm.weight,
        None if heads.k_norm is None else heads.k_norm.weight,
        keys,
        values,
        out,
        parts,
        positions.stride(0),
        0 if rotation.cos is None else rotation.cos.shape[-1],
        keys.stride(0),
        keys.stride(1),
        keys.shape[2],
        window,
        limit,
        0.0 if heads.q_norm is None else heads.q_norm.eps,
        d**-0.5,
        HEADS=h,
        GROUPS=h // kv,
        T=t,
        D=d,
        ROWS=MATRIX_QUERIES if is_matrix else rows,
        NEW=1 << (t - 1).bit_length(),
        BLOCK=block,
        SPLITS=splits,
        STAGES=MATRIX_STAGES if is_matrix else 1,
        NORM=heads.q_norm is not None,
        ROTARY=ROTARY[rotation.kind],
        MATRIX=is_matrix,
        PRECISION=PRECISION[keys.element_size()],
        num_warps=8 if rows * d >= 256 and not is_matrix else 4,
    )
    if parts is not None:
        join: Any = _join
        join[(b * t * h,)](parts, out, D=d, SPLITS=splits, num_warps=1)
    return out
