from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from kernel_lab import DTYPES, near, random

from moss_stream.kernels.rows import gate, normalise


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rows_are_normalised(dtype: torch.dtype) -> None:
    """Any width, each row by itself."""
    x, weight = random(3, 2, 100, dtype=dtype), random(100, dtype=dtype)
    assert near(normalise(x, weight, 1e-5), F.rms_norm(x.float(), (100,), weight.float(), 1e-5))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_first_half_gates_the_second(dtype: torch.dtype) -> None:
    """More columns than a program takes."""
    x = random(2, 2400, dtype=dtype)
    first, second = x.float().chunk(2, dim=-1)
    assert near(gate(x), F.silu(first) * second)
