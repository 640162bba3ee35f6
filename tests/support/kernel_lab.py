"""Where the kernels of `moss_stream.kernels` run: on a GPU, or in Triton's interpreter."""

from __future__ import annotations

import os

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton")
DEVICE = torch.device("cpu" if os.environ.get("TRITON_INTERPRET") else "cuda")

DTYPES = [torch.float32, torch.bfloat16]
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2}


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Normally distributed numbers, the same on every device."""
    made = torch.Generator().manual_seed(seed + 1000 * len(shape) + sum(shape))
    return torch.randn(shape, generator=made).to(DEVICE, dtype)


def near(ours: Tensor, theirs: Tensor) -> bool:
    """Tell whether two results are equal up to the rounding of their dtype."""
    size = theirs.float().abs().max().clamp(min=1e-6)
    return bool((ours.float() - theirs.float()).abs().max() / size < TOLERANCE[ours.dtype])
