"""Samples on their way from the event loop to the thread of a sound device."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from moss_stream import Rebuffer

__all__ = ["SampleQueue"]

BYTES = 2
"""Of an int16 sample."""
FADE_S = 0.005
"""Short enough not to be heard as a fade, long enough not to click: a period of 200 Hz."""


class _Lane:
    """What was put between two clearings. A block under way when the queue is cleared stays with its lane."""

    __slots__ = ("blocks", "places", "taken", "written")

    def __init__(self) -> None:
        self.blocks: deque[memoryview] = deque()
        self.places: deque[int] = deque()
        self.written = self.taken = 0

    def next_place(self) -> int | None:
        """After how many samples it may pause."""
        while self.places and self.places[0] < self.taken:
            self.places.popleft()
        return self.places[0] - self.taken if self.places else None


class SampleQueue:
    """Int16 in, blocks of any size out. One thread puts, another one fills; neither takes a lock.

    What is counted are samples of all channels at once.

    Args:
        rebuffer: Says when samples are played and when not; what it expects is told to it by whoever puts.
        low: Samples; when fewer than these are left, `wake` is called.
        wake: Called from the thread that fills, when the queue falls under `low` and when it is empty.
        channels: Whose samples take turns.
    """

    def __init__(self, rebuffer: Rebuffer, low: int, wake: Callable[[], None], channels: int = 1) -> None:
        self.rate, self.channels = rebuffer.rate, channels
        self._bytes = BYTES * channels
        self._rebuffer = rebuffer
        self._low = low
        self._wake = wake
        self._lane, self._last_lane = _Lane(), _Lane()
        self._before = 0
        self._run = self._quiet = 0

    @property
    def queued(self) -> int:
        """Samples that wait."""
        return self._lane.written - self._lane.taken

    @property
    def taken(self) -> int:
        """Samples that were taken so far."""
        return self._before + self._last_lane.taken + self._lane.taken

    def unheard(self, buffered: int) -> int:
        """Return how many taken samples are still in a device that plays each `buffered` samples later."""
        return min(self._run, max(0, buffered - self._quiet))

    def put(self, pcm: bytes, places: Iterable[int] = ()) -> None:
        """Queue samples; `places` are those before which speech may pause."""
        lane = self._lane
        lane.places.extend(lane.written + place for place in places)
        lane.blocks.append(memoryview(pcm))
        lane.written += len(pcm) // self._bytes  # last: what is counted is there to be taken

    def fill(self, out: Any) -> int:
        """Fill a block; where nothing is to be played it is silent. Return how many samples were."""
        lane, filled = self._lane, 0
        queued = lane.written - lane.taken
        wanted = self._bytes * self._rebuffer.playable(queued, len(out) // self._bytes, lane.next_place())
        while filled < wanted:
            try:
                block = lane.blocks.popleft()
            except IndexError:
                break
            take = min(len(block), wanted - filled)
            out[filled : filled + take] = block[:take]
            if take < len(block):
                lane.blocks.appendleft(block[take:])
            filled += take
        out[filled:] = bytes(len(out) - filled)
        self._count(lane, filled // self._bytes, (len(out) - filled) // self._bytes)
        return filled // self._bytes

    def silence(self, out: Any) -> None:
        """Fill a block with silence, and keep what is queued."""
        out[:] = bytes(len(out))
        self._count(self._lane, 0, len(out) // self._bytes)

    def rest(self) -> bytes:
        """Take everything that is queued, at once."""
        self._before += self._last_lane.taken
        self._last_lane, self._lane = self._lane, _Lane()
        parts = []
        with contextlib.suppress(IndexError):
            while True:  # not by iteration: a block under way may still change it
                parts.append(self._last_lane.blocks.popleft())
        return b"".join(parts)

    def clear(self) -> int:
        """Drop what is queued, but for a fade that avoids a click; return how many samples that was."""
        dropped, rest = self.queued, self.rest()
        self._rebuffer.reset()
        if self._run and not self._quiet and rest:
            tail = np.frombuffer(rest[: self._bytes * int(FADE_S * self.rate)], dtype="<i2")
            tail = tail.reshape(-1, self.channels)
            self.put((tail * np.linspace(1.0, 0.0, len(tail))[:, None]).astype("<i2").tobytes())
        return dropped

    def _count(self, lane: _Lane, speech: int, silence: int) -> None:
        left = lane.written - lane.taken - speech
        is_crossing = left + speech > self._low >= left
        lane.taken += speech
        if speech:
            self._run = speech if self._quiet else self._run + speech
        self._quiet = silence if speech else self._quiet + silence
        if speech and (is_crossing or left <= 0):
            self._wake()
