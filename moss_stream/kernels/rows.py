"""What stands around a product of many rows, each in one launch: RMS norm, and the gate of an MLP."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["gate", "normalise"]

GATE_BLOCK = 1024
"""Numbers of a program: four warps with eight each."""


@triton.jit
def _normalise(x, weight, out, width, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * width
    i = tl.arange(0, BLOCK)
    inside = i < width
    value = tl.load(x + row + i, inside, other=0.0).to(tl.float32)
    value *= tl.rsqrt(tl.sum(value * value, 0) / width + eps)
    value *= tl.load(weight + i, inside, other=0.0).to(tl.float32)
    tl.store(out + row + i, value.to(out.dtype.element_ty), inside)


@triton.jit
def _gate(x, out, width, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    i = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = i < width
    first = tl.load(x + row * 2 * width + i, inside, other=0.0).to(tl.float32)
    second = tl.load(x + row * 2 * width + width + i, inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + i, (first * tl.sigmoid(first) * second).to(out.dtype.element_ty), inside)


def normalise(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return `x` [..., K], contiguous, divided by the root mean square of its rows, times `weight` [K]."""
    width = x.shape[-1]
    out = torch.empty_like(x)
    kernel: Any = _normalise
    kernel[(x.numel() // width,)](
        x, weight, out, width, eps, BLOCK=1 << (width - 1).bit_length(), num_warps=4
    )
    return out


def gate(x: Tensor) -> Tensor:
    """Return silu(first half) * second half of the rows of `x` [..., 2 N], contiguous."""
    width = x.shape[-1] // 2
    out = torch.empty(*x.shape[:-1], width, dtype=x.dtype, device=x.device)
    kernel: Any = _gate
    kernel[(x.numel() // x.shape[-1], triton.cdiv(width, GATE_BLOCK))](
        x, out, width, BLOCK=GATE_BLOCK, num_warps=4
    )
    return out
