from __future__ import annotations

import pytest
import torch
from kernel_lab import DEVICE, DTYPES, near, random
from torch import Tensor

from moss_stream.kernels.attend import MAX_SPLITS, attend, splits_for
from moss_stream.nn.cache import KVCache, RingCache
from moss_stream.nn.layers import Heads, RMSNorm, Rotation, WideRotary, rotary_table
from moss_stream.nn.ops import Place, TorchOps
from moss_stream.nn.qwen3 import causal_mask

D = 32
"""Wide enough for the matrix units, which are asked for from two queries on."""


def norm(seed: int, dtype: torch.dtype) -> RMSNorm:
    made = RMSNorm(D)
    made.weight = torch.nn.Parameter(random(D, seed=seed, dtype=dtype), requires_grad=False)
    return made


def linear(positions: list[int], capacity: int, splits: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """One row of each of some sequences over a linear cache: results and caches, ours and PyTorch's."""
    batch = len(positions)
    heads = Heads(4, 2, D, norm(1, dtype), norm(2, dtype))
    at = torch.tensor(positions, device=DEVICE)[:, None]
    tables = rotary_table(capacity, D, 10_000.0)
    rotation = Rotation("half", *(table.to(DEVICE, dtype)[at][:, :, None] for table in tables))
    keys, values = (random(1, batch, 2, capacity, D, seed=seed, dtype=dtype) for seed in (3, 4))
    cache = KVCache(keys.clone(), values.clone())
    qkv = random(batch, 1, 8 * D, dtype=dtype)
    place = Place(at, capacity, causal_mask(at, capacity), rotation)
    theirs = TorchOps().attend(qkv, heads, cache, 0, place)
    ours = attend(qkv, heads, rotation, at, keys[0], values[0], capacity, capacity, splits)
    return ours, theirs, keys, cache.keys, values, cache.values


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("splits", [1, 4])
@pytest.mark.parametrize("positions", [[0], [31, 64, 99]], ids=str)
def test_a_row_over_a_linear_cache(positions: list[int], splits: int, dtype: torch.dtype) -> None:
    """Norms, rotation, what is stored and what comes out, read in one part or several."""
    ours, theirs, keys, their_keys, values, their_values = linear(positions, 100, splits, dtype)
    assert near(ours, theirs) and near(keys, their_keys) and torch.equal(values, their_values)


def test_sequences_that_stand_still_leave_no_trace() -> None:
    """At the limit a sequence reads nothing, writes its own row there only, and its result is a number."""
    heads, qkv = Heads(2, 2, D), random(2, 1, 6 * D)
    at = torch.tensor([[5], [40]], device=DEVICE)
    keys, values = random(2, 2, 41, D), random(2, 2, 41, D, seed=1)
    before = keys.clone()
    out = attend(qkv, heads, Rotation(), at, keys, values, 41, 40, 2)
    assert torch.isfinite(out).all() and not out[1].any()
    assert torch.equal(keys[1, :, :40], before[1, :, :40])


@pytest.mark.parametrize(
    ("length", "splits"),
    [*(pytest.param(*case, marks=pytest.mark.ci) for case in ((1, 1), (3, 2))), (8, 4)],
)
def test_chunks_over_a_ring(length: int, splits: int) -> None:
    """Far beyond the window, in chunks, with a sequence that moves on in every other step only."""
    ring = RingCache.zeros((1, 2, 2, D), 37, length, DEVICE, torch.float32)
    keys, values, heads = ring.keys.clone(), ring.values.clone(), Heads(2, 2, D)
    rotary = WideRotary(D, 10_000.0, DEVICE)
    for step in range(0, 60, length):
        ring.offset.copy_(torch.tensor([step, step // 2]))
        qkv, at = random(2, length, 6 * D, seed=step), ring.positions(length)
        rotation = Rotation("interleaved", *rotary.tables(at))
        theirs = TorchOps().attend(qkv, heads, ring, 0, Place(at, 0, ring.mask(at), rotation))
        ours = attend(qkv, heads, rotation, at, keys[0], values[0], ring.window, 1 << 62, splits)
        assert near(ours, theirs) and near(keys, ring.keys)


def test_one_position_for_all() -> None:
    """A position that is given once, not for each sequence, as the depth transformer does."""
    heads, qkv = Heads(2, 1, D), random(3, 1, 4 * D)
    keys, values = (random(1, 3, 1, 9, D, seed=seed) for seed in (1, 2))
    cache = KVCache(keys.clone(), values.clone())
    at = torch.tensor([4], device=DEVICE).expand(3, 1)
    theirs = TorchOps().attend(qkv, heads, cache, 0, Place(at, 5, None, Rotation(), 4))
    assert near(attend(qkv, heads, Rotation(), at, keys[0], values[0], 9, 5), theirs)


def test_splits_fill_the_device() -> None:
    """Few sequences are read in many parts, many in one; always a power of two."""
    assert [splits_for(n) for n in (1, 8, 20, 64, 128, 512)] == [MAX_SPLITS, 16, 4, 2, 1, 1]
