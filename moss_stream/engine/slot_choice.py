"""Which slot a stream gets: a conversation finds its context again, if nobody had to take it."""

from __future__ import annotations

import weakref
from collections.abc import Iterable

__all__ = ["SlotChoice"]


class SlotChoice:
    """Remembers which conversation was in which slot, without keeping conversations alive."""

    def __init__(self) -> None:
        self._last: dict[int, weakref.ref[object]] = {}
        self._used: dict[int, int] = {}
        self._num_chosen = 0

    def choose(self, free: Iterable[int], memory: object | None) -> int:
        """Return a free slot.

        The one that the conversation was in last; otherwise the first that no conversation that goes on was
        in last, since few slots make small batches; otherwise the one that was used the longest ago.

        Args:
            free: Slots without a stream, at least one.
            memory: What the turns of a conversation share; None if its context is not worth keeping.
        """
        slots = sorted(free)
        own = [slot for slot in slots if memory is not None and self._memory(slot) is memory]
        unheld = [slot for slot in slots if self._memory(slot) is None]
        oldest = min(slots, key=lambda slot: self._used.get(slot, 0))
        slot = [*own, *unheld, oldest][0]
        self._last.pop(slot, None)
        if memory is not None:
            self._last[slot] = weakref.ref(memory)
        self._num_chosen += 1
        self._used[slot] = self._num_chosen
        return slot

    def _memory(self, slot: int) -> object | None:
        reference = self._last.get(slot)
        return None if reference is None else reference()
