"""Attention: what follows the scores, and rotations."""

from __future__ import annotations

from moss_stream.cpu.elementwise import softmax
from moss_stream.cpu.jit import inner
from moss_stream.cpu.linear import products

__all__ = ["attend", "rotate_half", "rotate_pairs"]


@inner
def rotate_half(x, at, cos, sin, dim):
    """Rotate `dim` elements of `x` from `at` on, halves being real and imaginary parts."""
    half = dim // 2
    for j in range(half):
        first, second = x[at + j], x[at + half + j]
        x[at + j] = first * cos[j] - second * sin[j]
        x[at + half + j] = second * cos[half + j] + first * sin[half + j]


@inner
def rotate_pairs(x, at, low, high, dim):
    """Rotate `dim` elements of `x` from `at` on, neighbours being real and imaginary parts.

    `low` and `high` [2, dim / 2] are the cosines and sines of two angles, whose sum is the one to rotate by.
    """
    for j in range(dim // 2):
        cos = high[0, j] * low[0, j] - high[1, j] * low[1, j]
        sin = high[1, j] * low[0, j] + high[0, j] * low[1, j]
        real, imaginary = x[at + 2 * j], x[at + 2 * j + 1]
        x[at + 2 * j] = real * cos - imaginary * sin
        x[at + 2 * j + 1] = real * sin + imaginary * cos


@inner
def attend(scores, rows, count, scale, values, at, dim, out, out_at, out_step):
    """Mix rows of `values` by the softmax of scores.

    Args:
        scores: [R, count or more]; overwritten.
        rows: Queries, one row of scores each.
        count: Keys.
        scale: What scores are multiplied with before.
        values: Flat; [count, dim] from `at` on. Up to 15 floats behind them are read, too.
        at: See `values`.
        dim: Of a head.
        out: Flat; rows begin `out_step` apart, at `out_at`. Up to 15 floats behind each are overwritten.
        out_at: See `out`.
        out_step: See `out`.
    """
    tiles = (dim + 15) // 16
    for r in range(rows):
        norm = softmax(scores[r], count, scale)
        for i in range(count):
            scores[r, i] *= norm
    for r in range(rows):
        products(out, out_at + r * out_step, 0, scores[r], 0, 0, 1, values, at, tiles, 16, dim, count)
