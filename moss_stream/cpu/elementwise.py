"""Functions of single numbers and rows: exponentials, activations, norms, softmax. All in float32."""

from __future__ import annotations

import math

import numpy as np

from moss_stream.cpu.jit import inner
from moss_stream.cpu.vectors import dot_16, power_of_two

__all__ = [
    "add",
    "add_rows",
    "copy",
    "dot",
    "exp",
    "fill",
    "gate",
    "gelu",
    "layer_norm",
    "rms_norm",
    "softmax",
]

_ONE, _HALF = np.float32(1.0), np.float32(0.5)
_SHIFT = np.float32(1.5 * 2**23)
"""Added to a float32 it leaves the nearest whole number in the lowest bits."""
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_LEAST, _MOST = np.float32(-87.0), np.float32(88.0)
# The polynomial of Cephes' expf: off by one in the last place at most.
_E5, _E4, _E3 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_E2, _E1, _E0 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
# The rational function that Eigen approximates erf with, in x ** 2.
_ERF_LIMIT = np.float32(4.0)
_P6, _P5, _P4 = (
    np.float32(-2.72614225801306e-10),
    np.float32(2.77068142495902e-08),
    np.float32(-2.10102402082508e-06),
)
_P3, _P2 = np.float32(-5.69250639462346e-05), np.float32(-7.34990630326855e-04)
_P1, _P0 = np.float32(-2.95459980854025e-03), np.float32(-1.60960333262415e-02)
_Q4, _Q3 = np.float32(-1.45660718464996e-05), np.float32(-2.13374055278905e-04)
_Q2, _Q1, _Q0 = (
    np.float32(-1.68282697438203e-03),
    np.float32(-7.37332916720468e-03),
    np.float32(-1.42647390514189e-02),
)
_ROOT_HALF = np.float32(math.sqrt(0.5))


@inner
def exp(x):
    """Return e ** x of a float32; arguments beyond -87 and 88 count as these."""
    x = min(max(x, _LEAST), _MOST)
    shifted = x * _LOG2_E + _SHIFT
    whole = shifted - _SHIFT
    rest = x - whole * _LN2_HIGH - whole * _LN2_LOW
    value = ((((_E5 * rest + _E4) * rest + _E3) * rest + _E2) * rest + _E1) * rest + _E0
    return (value * rest * rest + rest + _ONE) * power_of_two(shifted)


@inner
def gate(inner, rows, width):
    """Replace [g, u] of each row by silu(g) * u; both are `width` wide."""
    for r in range(rows):
        for j in range(width):
            g = inner[r, j]
            inner[r, j] = g / (_ONE + exp(-g)) * inner[r, width + j]


@inner
def gelu(inner, rows, width):
    """Replace x by x * Phi(x), the exact form."""
    for r in range(rows):
        for j in range(width):
            x = inner[r, j]
            y = min(max(x * _ROOT_HALF, -_ERF_LIMIT), _ERF_LIMIT)
            s = y * y
            above = (((((_P6 * s + _P5) * s + _P4) * s + _P3) * s + _P2) * s + _P1) * s + _P0
            below = (((_Q4 * s + _Q3) * s + _Q2) * s + _Q1) * s + _Q0
            inner[r, j] = _HALF * x * (_ONE + y * above / below)


@inner
def dot(a, a_at, b, b_at, count):
    """Return the sum of `count` products of two flat arrays' elements, from `a_at` and `b_at` on."""
    blocks = count // 16
    total = np.float32(0.0)
    if blocks:
        total = dot_16(a, a_at, b, b_at, blocks)
    for i in range(blocks * 16, count):
        total += a[a_at + i] * b[b_at + i]
    return total


@inner
def rms_norm(x, at, weight, eps, count, out, out_at):
    """Normalise `count` elements of `x` (flat) from `at` on into `out`."""
    scale = _ONE / np.sqrt(dot(x, at, x, at, count) / np.float32(count) + eps)
    for j in range(count):
        out[out_at + j] = x[at + j] * scale * weight[j]


@inner
def layer_norm(x, weight, bias, count, rows, out):
    """Normalise `rows` rows of `count` elements; epsilon is 1e-5."""
    for r in range(rows):
        mean = np.float32(0.0)
        for j in range(count):
            mean += x[r, j]
        mean /= np.float32(count)
        for j in range(count):
            out[r, j] = x[r, j] - mean
        row = out[r]
        scale = _ONE / np.sqrt(dot(row, 0, row, 0, count) / np.float32(count) + np.float32(1e-5))
        for j in range(count):
            out[r, j] = out[r, j] * scale * weight[j] + bias[j]


@inner
def fill(out, value, count):
    """Set the first `count` elements."""
    for j in range(count):
        out[j] = value


@inner
def copy(source, out, count):
    """Copy the first `count` elements."""
    for j in range(count):
        out[j] = source[j]


@inner
def add(out, source, count):
    """Add `source` to the first `count` elements."""
    for j in range(count):
        out[j] += source[j]


@inner
def add_rows(x, y, rows, width):
    """Add `y` to `x`."""
    for r in range(rows):
        for j in range(width):
            x[r, j] += y[r, j]


@inner
def softmax(scores, count, scale):
    """Replace scores by e ** (scale * (score - largest)); return 1 / their sum."""
    largest = scores[0]
    for j in range(1, count):
        largest = max(largest, scores[j])
    for j in range(count):
        scores[j] = exp(scale * (scores[j] - largest))
    total = np.float32(0.0)
    for j in range(count):
        total += scores[j]
    return _ONE / total
