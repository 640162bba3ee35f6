"""Samples that a peer takes at its own pace: pre-roll, fades, silence, and a count of what was missing."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from moss_stream import Rebuffer

__all__ = ["PcmQueue", "PacketClock"]

Samples = npt.NDArray[np.int16]
FADE_S = 0.005
"""Short enough not to be heard as a fade, long enough not to click: a period of 200 Hz."""


class PcmQueue:
    """Samples in, blocks of any size out; what is not there is silence.

    `rebuffer` says when speech begins, pauses and goes on; the edges of what is heard are faded over 5 ms, so
    that nothing clicks.

    Args:
        rebuffer: For the rate of the samples; what it expects is told to it by whoever puts.
        channels: Of the samples: they are [N] of mono, [N, channels] of more.
    """

    def __init__(self, rebuffer: Rebuffer, channels: int = 1) -> None:
        self._rebuffer = rebuffer
        self._shape = () if channels == 1 else (channels,)
        self._fade = np.linspace(0.0, 1.0, int(FADE_S * rebuffer.rate), dtype=np.float32)
        self._blocks: deque[Samples] = deque()
        self._places: deque[int] = deque()
        self._queued = 0
        self._tail: Samples | None = None
        self.played = 0
        """Samples of speech that were taken."""

    @property
    def queued(self) -> int:
        """Samples that wait."""
        return self._queued

    def put(self, samples: Samples, places: Iterable[int] = ()) -> None:
        """Queue speech; `places` are the samples before which it may pause."""
        if len(samples):
            self._places.extend(self.played + self._queued + place for place in places)
            self._blocks.append(samples)
            self._queued += len(samples)

    def clear(self) -> int:
        """Drop what is queued, but for a fade; return how many samples that was."""
        dropped = self._queued
        is_heard = self._rebuffer.is_playing
        self._tail = self._pop(min(len(self._fade), self._queued)) if is_heard else None
        self._blocks.clear()
        self._places.clear()
        self._queued = 0
        self._rebuffer.reset()
        return dropped

    def take(self, count: int) -> Samples:
        """Return the next `count` samples."""
        out = self._silence(count)
        if self._tail is not None:
            faded, self._tail = self._faded(self._tail, self._fade[::-1]), None
            out[: len(faded)] = faded[:count]
            return out
        is_start = not self._rebuffer.is_playing
        speech = self._pop(self._rebuffer.playable(self._queued, count, self._next_place()))
        self.played += len(speech)
        if is_start:
            speech = self._faded(speech, self._fade)
        if not self._rebuffer.is_playing:
            speech = self._faded(speech[::-1], self._fade)[::-1]
        out[: len(speech)] = speech
        return out

    def _next_place(self) -> int | None:
        """Return after how many samples it may pause."""
        while self._places and self._places[0] < self.played:
            self._places.popleft()
        return self._places[0] - self.played if self._places else None

    def _pop(self, count: int) -> Samples:
        parts: list[Samples] = []
        missing = count
        while missing:
            block = self._blocks.popleft()
            if len(block) > missing:
                self._blocks.appendleft(block[missing:])
                block = block[:missing]
            parts.append(block)
            missing -= len(block)
        self._queued -= count
        return np.concatenate(parts) if parts else self._silence(0)

    def _faded(self, speech: Samples, fade: npt.NDArray[np.float32]) -> Samples:
        length = min(len(speech), len(fade))
        faded = speech.copy()
        # Transposed, so that the channels of a sample share its factor.
        faded[:length] = (speech[:length].T * fade[:length]).T.astype(np.int16)
        return faded

    def _silence(self, count: int) -> Samples:
        return np.zeros((count, *self._shape), dtype=np.int16)


class PacketClock:
    """When the next block is due, by a clock that never goes back.

    Blocks are due at fixed times. After a long delay the packets that were missed are skipped, not sent in a
    burst.

    Args:
        packet_s: Length of a block.
    """

    def __init__(self, packet_s: float) -> None:
        self._packet_s = packet_s
        self._start_s: float | None = None
        self._next = 0
        self.skipped = 0
        """Packets that were left out."""

    def next(self, now_s: float) -> tuple[int, float]:
        """Return the number of the next packet, and how long to wait for it."""
        if self._start_s is None:
            self._start_s = now_s
        late_s = now_s - (self._start_s + self._next * self._packet_s)
        if late_s > MAX_LATE_PACKETS * self._packet_s:
            missed = math.floor(late_s / self._packet_s)
            self.skipped += missed
            self._next += missed
        packet, self._next = self._next, self._next + 1
        return packet, max(0.0, self._start_s + packet * self._packet_s - now_s)


MAX_LATE_PACKETS = 3
"""60 ms: a loop that is later than that has stood still, and packets sent in a burst would be dropped
anyway."""
