from __future__ import annotations

import pytest
import torch
from golden_data import CPU

from moss_stream.nn.cache import KVCache, RingCache


def ring(window: int, max_chunk: int, batch: int = 1) -> RingCache:
    return RingCache.zeros((1, batch, 1, 1), window, max_chunk, CPU, torch.float32)


def visible(cache: RingCache, length: int) -> list[set[int]]:
    """Push a chunk whose keys are their positions; return which positions each query sees."""
    positions = cache.positions(length)
    keys, _ = cache.write(
        0, positions, positions[:, :, None, None].float(), positions[:, :, None, None].float()
    )
    mask = cache.mask(positions)[0, 0]
    cache.advance(length, torch.tensor([True]))
    held = keys[0, 0, :, 0]
    return [{int(value) for value in held[row]} for row in mask]


@pytest.mark.parametrize("sizes", [[1] * 12, [3] * 4, [4, 1, 3, 4], [2, 4, 4, 2]])
def test_each_query_sees_exactly_its_window(sizes: list[int]) -> None:
    """A position sees itself and the window before it, however the chunks fall."""
    cache = ring(window=4, max_chunk=4)
    seen = [row for size in sizes for row in visible(cache, size)]
    assert seen == [set(range(max(0, position - 3), position + 1)) for position in range(12)]


def test_a_chunk_that_is_not_committed_is_overwritten() -> None:
    """After an uncommitted chunk the next one stands at the same positions and sees its whole window."""
    cache = ring(window=4, max_chunk=3)
    for _ in range(3):
        visible(cache, 3)
    positions = cache.positions(3)
    cache.write(0, positions, torch.full((1, 3, 1, 1), -7.0), torch.full((1, 3, 1, 1), -7.0))
    cache.advance(3, torch.tensor([False]))
    assert visible(cache, 3)[0] == {6, 7, 8, 9}


def test_sequences_advance_on_their_own() -> None:
    """Only the active sequences of a batch move on."""
    cache = ring(window=4, max_chunk=2, batch=2)
    cache.advance(2, torch.tensor([True, False]))
    assert cache.positions(1).tolist() == [[2], [0]]
    cache.reset(0)
    assert cache.positions(1).tolist() == [[0], [0]]


def test_linear_cache_returns_what_was_written() -> None:
    """Keys and values are found at the positions they were written to."""
    cache = KVCache.zeros(2, 1, 1, 8, 2, device=CPU, dtype=torch.float32)
    keys = torch.arange(4.0).view(1, 2, 1, 2)
    cache.write(1, torch.tensor([[3, 5]]), keys, -keys)
    read_keys, read_values = cache.read(1, 6)
    assert read_keys[0, 0, [3, 5]].tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert read_values[0, 0, 5].tolist() == [-2.0, -3.0]
    assert cache.capacity == 8 and not cache.keys[0].any()
