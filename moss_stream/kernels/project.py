"""A matrix product for few rows, with what is around it: norm before, activation, scale and sum after.

At batch 1 to 8 a projection only reads its weights; a program takes some output columns, reads their weight
rows once, and keeps its sums apart for each lane until the end, so that nothing but loads and
multiply-adds is in the loop. Sums are float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["ACTIVATIONS", "MAX_ROWS", "NORMS", "Blocks", "Product", "blocks_for", "project"]

MAX_ROWS = 8
"""Of a product that is bound by reading its weights."""
NORMS = {"none": 0, "rms": 1, "layer": 2}
ACTIVATIONS = {"none": 0, "gated": 1, "gelu": 2, "silu": 3}


@triton.jit
def _statistics(x, rows, width, stride, eps, NORM: tl.constexpr, M: tl.constexpr, BLOCK_K: tl.constexpr):
    """Return what to subtract from each row [M], and what to multiply it with."""
    row = tl.arange(0, M)
    total = tl.zeros([M], tl.float32)
    square = tl.zeros([M], tl.float32)
    for start in range(0, width, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        inside = (row < rows)[:, None] & (k < width)[None, :]
        value = tl.load(x + row[:, None] * stride + k[None, :], inside, other=0.0).to(tl.float32)
        total += tl.sum(value, 1)
        square += tl.sum(value * value, 1)
    mean = total / width
    if NORM == 1:
        return tl.zeros([M], tl.float32), tl.rsqrt(square / width + eps)
    # A second pass, since a difference of large squares would lose what it looks for.
    square = tl.zeros([M], tl.float32)
    for start in range(0, width, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        inside = (row < rows)[:, None] & (k < width)[None, :]
        value = tl.load(x + row[:, None] * stride + k[None, :], inside, other=0.0).to(tl.float32)
        apart = tl.where(inside, value - mean[:, None], 0.0)
        square += tl.sum(apart * apart, 1)
    return mean, tl.rsqrt(square / width + eps)


@triton.jit(do_not_specialize=["rows"])
def _project(
    x,
    weight,
    row_scale,
    bias,
    norm_weight,
    norm_bias,
    residual,
    layer_scale,
    out,
    rows,
    width,
    columns,
    eps,
    M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    STAGES: tl.constexpr,
    NORM: tl.constexpr,
    ACTIVATION: tl.constexpr,
    HAS_ROW_SCALE: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    HAS_RESIDUAL: tl.constexpr,
    HAS_SCALE: tl.constexpr,
):
    row = tl.arange(0, M)
    n = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    if NORM != 0:
        mean, factor = _statistics(x, rows, width, width, eps, NORM, M, BLOCK_K)
    sums = tl.zeros([M, BLOCK_N, BLOCK_K], tl.float32)
    ups = tl.zeros([M, BLOCK_N, BLOCK_K], tl.float32)
    place = n.to(tl.int64)[:, None] * width
    for start in tl.range(0, width, BLOCK_K, num_stages=STAGES):
        k = start + tl.arange(0, BLOCK_K)
        near = (row < rows)[:, None] & (k < width)[None, :]
        value = tl.load(x + row[:, None] * width + k[None, :], near, other=0.0).to(tl.float32)
        if NORM != 0:
            value = (value - mean[:, None]) * factor[:, None]
            value *= tl.load(norm_weight + k, k < width, other=0.0).to(tl.float32)[None, :]
            if NORM == 2:
                value += tl.load(norm_bias + k, k < width, other=0.0).to(tl.float32)[None, :]
        far = (n < columns)[:, None] & (k < width)[None, :]
        read = tl.load(weight + place + k[None, :], far, other=0.0, eviction_policy="evict_first")
        sums += value[:, None, :] * read.to(tl.float32)[None, :, :]
        if ACTIVATION == 1:
            behind = weight + columns.to(tl.int64) * width
            read = tl.load(behind + place + k[None, :], far, other=0.0, eviction_policy="evict_first")
            ups += value[:, None, :] * read.to(tl.float32)[None, :, :]
    result = tl.sum(sums, 2)
    if HAS_ROW_SCALE:
        result *= tl.load(row_scale + n, n < columns, other=0.0).to(tl.float32)[None, :]
    if HAS_BIAS:
        result += tl.load(bias + n, n < columns, other=0.0).to(tl.float32)[None, :]
    if ACTIVATION == 1:
        up = tl.sum(ups, 2)
        if HAS_ROW_SCALE:
            up *= tl.load(row_scale + columns + n, n < columns, other=0.0).to(tl.float32)[None, :]
        if HAS_BIAS:
            up += tl.load(bias + columns + n, n < columns, other=0.0).to(tl.float32)[None, :]
        result = result * tl.sigmoid(result) * up
    if ACTIVATION == 2:
        result = 0.5 * result * (1.0 + tl.erf(result * 0.7071067811865476))
    if ACTIVATION == 3:
        result = result * tl.sigmoid(result)
    if HAS_SCALE:
        result *= tl.load(layer_scale + n, n < columns, other=0.0).to(tl.float32)[None, :]
    target = row[:, None] * columns + n[None, :]
    inside = (row < rows)[:, None] & (n < columns)[None, :]
    if HAS_RESIDUAL:
        result += tl.load(residual + target, inside, other=0.0).to(tl.float32)
    tl.store(out + target, result.to(out.dtype.element_ty), inside)


@dataclass(frozen=True, slots=True)
class Blocks:
    """How a product is cut: output columns and inputs of a program, its warps, loads under way."""

    columns: int
    inputs: int
    warps: int = 4
    stages: int = 1


def blocks_for(rows: int, is_gated: bool) -> Blocks:
    """Return a cut that keeps the sums of a program in its registers: 4,096 of them, 32 a thread."""
    columns = 8 // rows
    return Blocks(max(1, columns // 2) if is_gated else columns, 512 if rows < 8 else 256)


@dataclass(frozen=True, slots=True)
class Product:
    """What is multiplied with, and what comes before and after.

    Attributes:
        weight: [N, K]; [2 N, K] for the activation "gated", gate first. Contiguous; float or int8.
        row_scale: [N], what a row of an int8 weight is multiplied with; None for a float weight.
        norm: "none", "rms" or "layer".
        norm_weight: [K], if there is a norm.
        norm_bias: [K], for "layer".
        eps: Of the norm.
        activation: "none", "gated" (silu(gate) * up), "gelu" or "silu".
        bias: [N], added before the activation ([2 N] for "gated"); None for none.
    """

    weight: Tensor
    row_scale: Tensor | None = None
    norm: str = "none"
    norm_weight: Tensor | None = None
    norm_bias: Tensor | None = None
    eps: float = 0.0
    activation: str = "none"
    bias: Tensor | None = None


def project(
    x: Tensor,
    product: Product,
    residual: Tensor | None = None,
    layer_scale: Tensor | None = None,
    blocks: Blocks | None = None,
) -> Tensor:
    """Return residual + layer_scale * activation(norm(x) @ weight.T + bias).

    Args:
        x: [..., K], contiguous; at most `MAX_ROWS` rows in all.
        product: What to do.
        residual: [..., N], added if given.
        layer_scale: [N], multiplied before that.
        blocks: How to cut; None for a fitting one.

    Returns:
        [..., N] in the dtype of `x`.
    """
    width = x.shape[-1]
    rows = x.numel() // width
    columns = product.weight.shape[0] // (2 if product.activation == "gated" else 1)
    out = torch.empty(*x.shape[:-1], columns, dtype=x.dtype, device=x.device)
    padded = 1 << (rows - 1).bit_length()
    cut = blocks or blocks_for(padded, product.activation == "gated")
    kernel: Any = _project
    kernel[(triton.cdiv(columns, cut.columns),)](
        x,
        product.weight,
        product.row_scale,
        product.bias,
        product.norm_weight,
        product.norm_bias,
        residual,
        layer_scale,
        out,
        rows,
        width,
        columns,
        product.eps,
        M=padded,
        BLOCK_N=cut.columns,
        BLOCK_K=cut.inputs,
        STAGES=cut.stages,
        NORM=NORMS[product.norm],
        ACTIVATION=ACTIVATIONS[product.activation],
        HAS_ROW_SCALE=product.row_scale is not None,
        HAS_BIAS=product.bias is not None,
        HAS_RESIDUAL=residual is not None,
        HAS_SCALE=layer_scale is not None,
        num_warps=cut.warps,
    )
    return out
