"""Streams that wait for a slot: first come, first served, not too many and not for too long."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moss_stream.engine.utterance import SpeechJob

__all__ = ["Refusal", "WaitingLine", "retry_after_s"]

MIN_RETRY_S, MAX_RETRY_S = 1.0, 60.0
"""A client that retries sooner is likely to be refused again; a forecast beyond a minute is worthless."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stream that is sent away."""

    job: SpeechJob
    place: int
    """How many waited in front of it."""
    why: str
    """For people."""


class WaitingLine:
    """Streams that were submitted and have no slot yet. Only `submit` may be called on any thread.

    Args:
        max_length: Streams that may wait.
        max_wait_s: How long each of them may; None: until there is a slot.
    """

    def __init__(self, max_length: int, max_wait_s: float | None = None) -> None:
        self._max_length = max_length
        self._max_wait_s = max_wait_s
        self._arrived: deque[SpeechJob] = deque()
        self._waiting: deque[SpeechJob] = deque()

    def submit(self, job: SpeechJob) -> None:
        """Add a stream. On any thread."""
        self._arrived.append(job)

    def take_in(self) -> None:
        """Look at what was submitted."""
        while self._arrived:
            self._waiting.append(self._arrived.popleft())

    def __iter__(self) -> Iterator[SpeechJob]:
        return iter(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_empty(self) -> bool:
        """Whether no stream waits, not even one that was just submitted."""
        return not (self._arrived or self._waiting)

    def pop(self) -> SpeechJob:
        """Take out the first one."""
        return self._waiting.popleft()

    def let_go(self) -> list[SpeechJob]:
        """Take out, and return, those that are over."""
        over = [job for job in self._waiting if job.is_over]
        if over:
            self._waiting = deque(job for job in self._waiting if not job.is_over)
        return over

    def refusals(self, now_s: float) -> list[Refusal]:
        """Return the streams that have waited too long, and those that arrived when the line was full."""
        refused, place = [], 0
        for job in self._waiting:
            if self._max_wait_s is not None and now_s - job.meter.start_s >= self._max_wait_s:
                why = f"it has waited for {self._max_wait_s:g} s (max_queue_s)"
            elif place >= self._max_length:
                why = f"as many wait already as may (max_queue={self._max_length})"
            else:
                place += 1
                continue
            refused.append(Refusal(job, place, why))
        return refused

    def wait_s(self, now_s: float) -> float | None:
        """Return the seconds until the next stream has waited too long; None for never."""
        if self._max_wait_s is None or not self._waiting:
            return None
        first_s = min(job.meter.start_s for job in self._waiting)
        return max(0.0, first_s + self._max_wait_s - now_s)


def retry_after_s(place: int, busy_s: Sequence[float]) -> float:
    """Return in how many seconds a refused stream could be spoken.

    Args:
        place: Streams that would be served before it.
        busy_s: Of each stream that is spoken, in how many seconds its slot is free.
    """
    if not busy_s:
        return MIN_RETRY_S
    ends_s = sorted(busy_s)
    rounds, which = divmod(place, len(ends_s))
    # Those in front hold their slots for about as long as the longest of today's.
    return min(MAX_RETRY_S, max(MIN_RETRY_S, ends_s[which] + rounds * ends_s[-1]))
