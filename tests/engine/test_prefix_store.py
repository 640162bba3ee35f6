from __future__ import annotations

import numpy as np
import torch

from moss_stream.engine.prefix_store import PrefixStore
from moss_stream.nn.cache import KVCache

CPU = torch.device("cpu")


def cache(value: float = 0.0) -> KVCache:
    made = KVCache.zeros(2, 1, 3, 20, 4, device=CPU, dtype=torch.float32)
    made.keys += value
    made.values -= value
    return made


def rows(first: int, count: int = 5) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.full((count, 3), first)


def test_what_was_kept_is_restored() -> None:
    """The rows in question, and no others; later changes of the source do not matter."""
    store, source, target = PrefixStore(20), cache(7.0), cache()
    store.put(rows(1), 3, source)
    source.keys.zero_()
    assert store.restore(rows(1), 3, target)
    assert (target.keys[:, :, :, :5] == 7).all() and (target.values[:, :, :, :5] == -7).all()
    assert not target.keys[:, :, :, 5:].any()


def test_other_rows_or_codebooks_are_not_the_same() -> None:
    """Nothing is restored for them."""
    store, target = PrefixStore(20), cache()
    store.put(rows(1), 3, cache(7.0))
    assert not store.restore(rows(2), 3, target) and not store.restore(rows(1), 2, target)
    assert not store.restore(rows(1, 4), 3, target) and not target.keys.any()


def test_the_longest_unused_goes_first() -> None:
    """No more rows are kept than there is room for; what is too long is not kept at all."""
    store, target = PrefixStore(10), cache()
    store.put(rows(1), 3, cache())
    store.put(rows(2), 3, cache())
    assert store.restore(rows(1), 3, target)
    store.put(rows(3), 3, cache())
    store.put(rows(3), 3, cache())
    assert store.num_rows == 10
    assert [store.restore(rows(n), 3, target) for n in (1, 2, 3)] == [True, False, True]
    store.put(rows(4, 11), 3, cache())
    assert not store.restore(rows(4, 11), 3, target) and store.num_rows == 10
