"""Keys and values of the beginnings that prompts share: header, reference, manner."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor

from moss_stream.nn.cache import KVCache
from moss_stream.text.message import Rows

__all__ = ["PrefixStore"]


class PrefixStore:
    """The beginnings that were used last, as far as they fit.

    Args:
        capacity: Rows, of all beginnings together.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[tuple[int, bytes], tuple[Tensor, Tensor]] = OrderedDict()
        self._num_rows = 0

    @property
    def num_rows(self) -> int:
        """Rows that are kept."""
        return self._num_rows

    def put(self, rows: Rows, n_vq: int, cache: KVCache) -> None:
        """Keep what `cache`, of one sequence, holds of `rows` [T, 1 + Nq], embedded with `n_vq` codebooks."""
        key = n_vq, rows.tobytes()
        if key in self._kept or len(rows) > self._capacity:
            return
        self._kept[key] = cache.keys[:, :, :, : len(rows)].clone(), cache.values[:, :, :, : len(rows)].clone()
        self._num_rows += len(rows)
        while self._num_rows > self._capacity:
            _, (keys, _) = self._kept.popitem(last=False)
            self._num_rows -= keys.shape[3]

    def restore(self, rows: Rows, n_vq: int, cache: KVCache) -> bool:
        """Copy what is kept of `rows` to the start of `cache`; return whether there was something."""
        key = n_vq, rows.tobytes()
        if key not in self._kept:
            return False
        self._kept.move_to_end(key)
        keys, values = self._kept[key]
        cache.keys[:, :, :, : len(rows)].copy_(keys)
        cache.values[:, :, :, : len(rows)].copy_(values)
        return True
