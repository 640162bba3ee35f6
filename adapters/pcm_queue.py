"""Samples that a peer takes at its own pace: pre-roll, fades, silence, and a count of what was missing."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

__all__ = ["PcmQueue", "SlotClock"]

Samples = npt.NDArray[np.int16]
FADE_S = 0.005


class PcmQueue:
    """Mono samples in, blocks of any size out; what is not there is silence.

    Speech begins when `preroll_s` of it is queued, and again after it ran dry; the edges of what is heard are
    faded over 5 ms, so that nothing clicks.

    Args:
        rate: Samples a second.
        preroll_s: Speech that must be there before any is played.
    """

    def __init__(self, rate: int, preroll_s: float) -> None:
        self._rate = rate
        self._preroll = int(preroll_s * rate)
        self._fade = np.linspace(0.0, 1.0, int(FADE_S * rate), dtype=np.float32)
        self._blocks: deque[Samples] = deque()
        self._queued = 0
        self._is_playing = self._has_ended = False
        self._tail: Samples | None = None
        self.played = 0
        """Samples of speech that were taken."""
        self.underruns = 0
        """How often speech ran dry before its end."""

    @property
    def queued(self) -> int:
        """Samples that wait."""
        return self._queued

    def put(self, samples: Samples) -> None:
        """Queue speech."""
        if len(samples):
            self._has_ended = False
            self._blocks.append(samples)
            self._queued += len(samples)

    def end(self) -> None:
        """Say that the utterance is complete: it needs no pre-roll, and to run dry is no underrun."""
        self._has_ended = True

    def clear(self) -> int:
        """Drop what is queued, but for a fade; return how many samples that was."""
        dropped = self._queued
        self._tail = self._pop(min(len(self._fade), self._queued)) if self._is_playing else None
        self._blocks.clear()
        self._queued = 0
        self._is_playing, self._has_ended = False, True
        return dropped

    def take(self, count: int) -> Samples:
        """Return the next `count` samples."""
        out = np.zeros(count, dtype=np.int16)
        if self._tail is not None:
            faded, self._tail = self._faded(self._tail, self._fade[::-1]), None
            out[: len(faded)] = faded[:count]
            return out
        is_start = not self._is_playing
        if is_start and not self._may_start():
            return out
        speech = self._pop(min(count, self._queued))
        self._is_playing = True
        self.played += len(speech)
        if is_start:
            speech = self._faded(speech, self._fade)
        if len(speech) < count or (self._has_ended and not self._queued):
            self._run_dry()
            speech = self._faded(speech[::-1], self._fade)[::-1]
        out[: len(speech)] = speech
        return out

    def _may_start(self) -> bool:
        return self._queued > 0 and (self._queued >= self._preroll or self._has_ended)

    def _run_dry(self) -> None:
        self._is_playing = False
        self.underruns += not self._has_ended

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
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)

    def _faded(self, speech: Samples, fade: npt.NDArray[np.float32]) -> Samples:
        length = min(len(speech), len(fade))
        faded = speech.copy()
        faded[:length] = (speech[:length] * fade[:length]).astype(np.int16)
        return faded


class SlotClock:
    """When the next block is due, by a clock that never goes back.

    Blocks are due at fixed times. Who comes much too late does not hurry through what was missed: these
    slots are skipped.

    Args:
        slot_s: Length of a block.
    """

    def __init__(self, slot_s: float) -> None:
        self._slot_s = slot_s
        self._start_s: float | None = None
        self._next = 0
        self.skipped = 0
        """Slots that were left out."""

    def next(self, now_s: float) -> tuple[int, float]:
        """Return the number of the next slot, and how long to wait for it."""
        if self._start_s is None:
            self._start_s = now_s
        late_s = now_s - (self._start_s + self._next * self._slot_s)
        if late_s > MAX_LATE_SLOTS * self._slot_s:
            missed = math.floor(late_s / self._slot_s)
            self.skipped += missed
            self._next += missed
        slot, self._next = self._next, self._next + 1
        return slot, max(0.0, self._start_s + slot * self._slot_s - now_s)


MAX_LATE_SLOTS = 3
