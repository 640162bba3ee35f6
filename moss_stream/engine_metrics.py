"""What is counted of an engine: of all its streams together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from moss_stream.metrics import StreamMetrics

__all__ = ["EngineMeter", "EngineMetrics", "Histogram"]

TIME_BUCKETS_S = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0)
"""About doubling, with a border at 80 ms: a frame that takes longer is not real time."""


@dataclass(slots=True)
class Histogram:
    """Counts of values up to some bounds, and of those beyond them."""

    bounds: Sequence[float] = TIME_BUCKETS_S
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def copy(self) -> Histogram:
        """Return one that does not count on."""
        return Histogram(self.bounds, list(self.counts), self.total)

    def add(self, value: float) -> None:
        """Count a value."""
        if not self.counts:
            self.counts = [0] * (len(self.bounds) + 1)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(frozen=True, slots=True)
class EngineMetrics:
    """Of all streams of an engine, until now."""

    active: int
    """Streams that are spoken."""
    queued: int
    """Streams that wait for a slot."""
    refused: int
    """Streams that found the queue full."""
    ended: dict[str, int]
    """Streams that are over, by how: "done", "cancelled" or "failed"."""
    frames: int
    """Frames of all streams."""
    wasted_frames: int
    """Of those, computed for streams that were cancelled, and never taken."""
    underruns: int
    batch_size: float | None
    """Streams of a step, on average."""
    step_s: Histogram
    """What the steps took."""
    prefill_s: Histogram
    """What the chunks of prompts took."""
    ttfa_s: Histogram
    """From first text to first audible frame, of streams that are over."""
    expected_rtf: float | None = None
    """Seconds that a second of audio is expected to take, with the streams active now (one, if none is)."""


class EngineMeter:
    """Counts for an engine, on its thread."""

    def __init__(self) -> None:
        self.refused = 0
        self._ended: dict[str, int] = {}
        self._frames = self._steps = self._wasted = self._underruns = 0
        self._step_s, self._prefill_s, self._ttfa_s = Histogram(), Histogram(), Histogram()

    def step(self, seconds: float, streams: int) -> None:
        """A step was taken."""
        self._step_s.add(seconds)
        self._steps += 1
        self._frames += streams

    def prefill(self, seconds: float) -> None:
        """A chunk of a prompt was computed."""
        self._prefill_s.add(seconds)

    def ended(self, how: str, stream: StreamMetrics) -> None:
        """A stream is over."""
        self._ended[how] = self._ended.get(how, 0) + 1
        self._wasted += stream.wasted_frames
        self._underruns += stream.underruns
        if stream.ttfa_s is not None:
            self._ttfa_s.add(stream.ttfa_s)

    def metrics(self, active: int, queued: int, expected_rtf: float | None = None) -> EngineMetrics:
        """Return the figures until now."""
        return EngineMetrics(
            active,
            queued,
            self.refused,
            dict(self._ended),
            self._frames,
            self._wasted,
            self._underruns,
            self._frames / self._steps if self._steps else None,
            self._step_s.copy(),
            self._prefill_s.copy(),
            self._ttfa_s.copy(),
            expected_rtf,
        )
