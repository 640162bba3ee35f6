"""Matrix products with weights in tiles of 16 outputs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from moss_stream.cpu.jit import compiled, inner
from moss_stream.cpu.vectors import WIDTH, product_1x1, product_1x4, product_2x2, product_4x1

__all__ = ["Format", "formats", "linear", "pack", "padded", "products"]

Floats = npt.NDArray[np.float32]
Format = Literal["float32", "float16", "bfloat16"]


def padded(width: int) -> int:
    """Return the least multiple of 16 that holds `width`: rows are as wide, since tiles are stored whole."""
    return -(-width // WIDTH) * WIDTH


def formats(weight: Floats) -> set[Format]:
    """Return the number formats that hold every value of a matrix."""
    found: set[Format] = {"float32"}
    with np.errstate(over="ignore"):
        if np.array_equal(weight, weight.astype(np.float16)):
            found.add("float16")
    # bfloat16 is the upper half of a float32's bits.
    if not np.any(np.ascontiguousarray(weight).view(np.uint32) & 0xFFFF):
        found.add("bfloat16")
    return found


def pack(weight: Floats, number_format: Format) -> npt.NDArray[Any]:
    """Lay out a matrix [out, in] for `linear`: [out / 16, in, 16], filled up with zeros.

    Args:
        weight: float32.
        number_format: What to store: float16 goes into an array of int16, bfloat16 into one of uint16.
    """
    outputs, inputs = weight.shape
    whole = np.zeros((padded(outputs), inputs), np.float32)
    whole[:outputs] = weight
    tiles = np.ascontiguousarray(whole.reshape(-1, WIDTH, inputs).transpose(0, 2, 1))
    if number_format == "float16":
        return tiles.astype(np.float16).view(np.int16)
    return (tiles.view(np.uint32) >> 16).astype(np.uint16) if number_format == "bfloat16" else tiles


@inner
def products(out, out_at, out_step, x, x_at, x_step, rows, w, w_at, tiles, tile_step, row_step, count):
    """Multiply rows of `x` with tiles of `w`: `out[r, t * 16 + j] = sum over i of x[r, i] * w[t, i, j]`.

    All arrays are flat in memory; `_at` is where each begins, and steps count elements.
    """
    t = 0
    while t < tiles:
        num = 4 if t + 4 <= tiles else 1
        at, column = w_at + t * tile_step, out_at + t * 16
        r = 0
        while r < rows:
            start, source = column + r * out_step, x_at + r * x_step
            if r + 4 <= rows:
                for k in range(num):
                    tile, end = at + k * tile_step, start + k * 16
                    product_4x1(out, end, out_step, x, source, x_step, w, tile, 0, row_step, count)
                r += 4
            elif num == 1:
                product_1x1(out, start, 0, x, source, 0, w, at, 0, row_step, count)
                r += 1
            elif r + 2 <= rows:
                for k in range(0, 4, 2):
                    tile, end = at + k * tile_step, start + k * 16
                    product_2x2(out, end, out_step, x, source, x_step, w, tile, tile_step, row_step, count)
                r += 2
            else:
                product_1x4(out, start, 0, x, source, 0, w, at, tile_step, row_step, count)
                r += 1
        t += num


@compiled
def linear(x, w, out, rows):
    """Multiply the first `rows` rows of `x` with `w` (see `pack`) into the rows of `out`."""
    tiles, n = w.shape[0], w.shape[1]
    products(out, 0, out.shape[1], x, 0, x.shape[1], rows, w, 0, tiles, n * 16, 16, n)
