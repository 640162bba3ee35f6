"""The tensors that remember: a linear KV cache and a ring over a sliding window.

Both are allocated once and written in place; nothing here grows.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["KVCache", "RingCache"]


class KVCache:
    """Keys and values of a stack of causal layers for some sequences.

    Args:
        keys: [layers, batch, kv_heads, capacity, head_dim].
        values: Like `keys`.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys, self.values = keys, values
        self._slots = torch.arange(keys.shape[1], device=keys.device)[:, None]

    @classmethod
    def zeros(cls, *shape: int, device: torch.device, dtype: torch.dtype) -> KVCache:
        """Allocate a cache: layers, batch, kv_heads, capacity, head_dim."""
        return cls(*(torch.zeros(shape, device=device, dtype=dtype) for _ in range(2)))

    def part(self, start: int, stop: int) -> KVCache:
        """Return the cache of the sequences from `start` to `stop`; it shares the memory."""
        return KVCache(self.keys[:, start:stop], self.values[:, start:stop])

    def at(self, sequence: Tensor) -> KVCache:
        """Return the cache of the sequences that the device names, [B] int64; it shares the memory.

        What is read of it is a copy.
        """
        return _Picked(self.keys, self.values, sequence)

    def begin(self, sequence: int, rows: object) -> None:
        """Note nothing of a prompt: as the cache of the channels of a frame, each frame overwrites it."""

    def state(self) -> list[Tensor]:
        """Return its tensors."""
        return [self.keys, self.values]

    @property
    def capacity(self) -> int:
        """Rows that fit."""
        return self.keys.shape[3]

    def write(self, layer: int, positions: Tensor | int, keys: Tensor, values: Tensor) -> None:
        """Store `keys` and `values` [B, T, H, D] at `positions` [B, T], or one row of all at one position."""
        if isinstance(positions, int):
            self.keys[layer, :, :, positions].copy_(keys[:, 0])
            self.values[layer, :, :, positions].copy_(values[:, 0])
            return
        self.keys[layer][self._slots, :, positions] = keys
        self.values[layer][self._slots, :, positions] = values

    def read(self, layer: int, length: int) -> tuple[Tensor, Tensor]:
        """Return views of the first `length` rows, [B, H, length, D] each."""
        return self.keys[layer, :, :, :length], self.values[layer, :, :, :length]


class _Picked(KVCache):
    """Some sequences of a cache; which ones is read from the device."""

    def __init__(self, keys: Tensor, values: Tensor, sequence: Tensor) -> None:
        super().__init__(keys, values)
        self._sequence = sequence
        self._slots = sequence[:, None]

    def read(self, layer: int, length: int) -> tuple[Tensor, Tensor]:
        """Return copies of the first `length` rows, [B, H, length, D] each."""
        keys, values = super().read(layer, length)
        return keys.index_select(0, self._sequence), values.index_select(0, self._sequence)


class RingCache:
    """Keys and values of the last `window` positions for chunks of up to `max_chunk` positions.

    A chunk is written before it attends, so the ring holds `window + max_chunk - 1` positions: the
    first query of a full chunk still finds the oldest key of its window. (With a capacity of just
    `window`, as the reference has it, that key is already overwritten.) For the same reason a
    chunk that is not committed can be written again: it only overwrites positions that no later
    query may see.

    Attributes:
        keys: [layers, batch, heads, capacity, head_dim].
        values: Like `keys`.
        offset: [batch]: how many positions were committed.
        window: How many positions a query may see, its own included.
    """

    def __init__(self, keys: Tensor, values: Tensor, offset: Tensor, window: int) -> None:
        self.keys, self.values = keys, values
        self.offset = offset
        self.window = window
        self.capacity = keys.shape[3]
        self._slots = torch.arange(keys.shape[1], device=keys.device)[:, None]
        self._places = torch.arange(self.capacity, device=keys.device)
        self._steps = torch.arange(self.capacity - window + 1, device=keys.device)

    @classmethod
    def zeros(
        cls,
        shape: tuple[int, int, int, int],
        window: int,
        max_chunk: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> RingCache:
        """Allocate rings for `shape`: layers, batch, heads, head_dim."""
        layers, batch, heads, dim = shape
        size = (layers, batch, heads, window + max_chunk - 1, dim)
        keys, values = (torch.zeros(size, device=device, dtype=dtype) for _ in range(2))
        return cls(keys, values, torch.zeros(batch, device=device, dtype=torch.int64), window)

    def part(self, start: int, stop: int) -> RingCache:
        """Return the rings of the sequences from `start` to `stop`; they share the memory."""
        some = slice(start, stop)
        return RingCache(self.keys[:, some], self.values[:, some], self.offset[some], self.window)

    def positions(self, length: int) -> Tensor:
        """Return the absolute positions [B, length] of the next chunk."""
        return self.offset[:, None] + self._steps[:length]

    def mask(self, positions: Tensor) -> Tensor:
        """Return which ring places each query may see, [B, 1, T, capacity], once the chunk is written.

        The place p holds the newest position that is congruent to p modulo the capacity.
        """
        last = positions[:, -1:]
        held = last - torch.remainder(last - self._places, self.capacity)  # [B, capacity]
        distance = positions[:, :, None] - held[:, None, :]
        visible = (held[:, None, :] >= 0) & (distance >= 0) & (distance < self.window)
        return visible[:, None]

    def write(self, layer: int, positions: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store a chunk, [B, T, H, D] each, and return the whole ring, [B, H, capacity, D] each."""
        places = torch.remainder(positions, self.capacity)
        self.keys[layer][self._slots, :, places] = keys
        self.values[layer][self._slots, :, places] = values
        return self.keys[layer], self.values[layer]

    def advance(self, length: int, active: Tensor) -> None:
        """Commit a chunk for the sequences that are `active` [B] (bool)."""
        self.offset.add_(active.to(self.offset.dtype), alpha=length)

    def reset(self, sequence: int) -> None:
        """Forget everything of one sequence."""
        self.offset[sequence] = 0
