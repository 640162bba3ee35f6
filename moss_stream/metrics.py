"""Metrics of a stream. Times are seconds of one clock, given by the caller."""

from __future__ import annotations

import statistics
from array import array
from dataclasses import dataclass, field

__all__ = ["Event", "StreamMeter", "StreamMetrics"]

UNDERRUN_S = 0.1
"""A listener who has to wait longer than this notices."""


@dataclass(frozen=True, slots=True)
class StreamMetrics:
    """Of one stream, until now. Moments are seconds from its start; None for what has not happened."""

    first_text_s: float | None
    """Text came."""
    first_segment_s: float | None
    """The first segment was begun."""
    first_frame_s: float | None
    """The first frame was computed, and its PCM sent."""
    first_pcm_s: float | None
    """The consumer took it."""
    first_audible_s: float | None
    """The first frame was sent that is not silent."""
    audio_s: float
    """Length of what was computed."""
    busy_s: float
    """The engine worked on it, alone or together with other streams."""
    gap_p50_s: float | None
    """Between one frame and the next, while there was something to say."""
    gap_p95_s: float | None
    gap_max_s: float | None
    underruns: int
    """How often a listener in real time had to wait for longer than 100 ms."""
    longest_wait_s: float
    """For how long, at most."""
    wasted_frames: int
    """Computed and never taken, because the stream was cancelled."""
    expected_rtf: float | None = None
    """Seconds that a second of audio is expected to take, by the frames measured so far; a player whose
    machine needs more than one has to collect audio before it plays."""

    @property
    def ttfa_s(self) -> float | None:
        """From the first text to the first audible frame."""
        if self.first_text_s is None or self.first_audible_s is None:
            return None
        return self.first_audible_s - self.first_text_s

    @property
    def rtf(self) -> float | None:
        """Seconds of work for a second of audio."""
        return self.busy_s / self.audio_s if self.audio_s else None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a stream, for a trace."""

    kind: str
    """text, segment, prefill, frame or taken."""
    start_s: float
    end_s: float
    value: float = 0.0
    """Of a text or segment its characters, of a frame the lead in seconds."""


@dataclass(slots=True)
class StreamMeter:
    """Counts for one stream.

    Attributes:
        events: What happened, if a trace is wanted, otherwise None.
        expected_rtf: The engine's expectation, at the last frame.
    """

    start_s: float
    events: list[Event] | None = None
    expected_rtf: float | None = None
    _moments: dict[str, float] = field(default_factory=dict)
    _gaps_s: array[float] = field(default_factory=lambda: array("d"))
    _last_s: float | None = None
    _audio_s: float = 0.0
    _busy_s: float = 0.0
    _num_frames: int = 0
    _num_taken: int = 0
    _underruns: int = 0
    _longest_s: float = 0.0
    _is_cancelled: bool = False

    def text(self, now_s: float, chars: int) -> None:
        """Text came."""
        self._first("text", now_s)
        self._note("text", now_s, now_s, chars)

    def segment(self, now_s: float, chars: int) -> None:
        """A segment was begun; what passed before it was waiting for text."""
        self._first("segment", now_s)
        self._last_s = None
        self._note("segment", now_s, now_s, chars)

    def prefill(self, start_s: float, end_s: float) -> None:
        """A chunk of a prompt was computed."""
        self._busy_s += end_s - start_s
        self._note("prefill", start_s, end_s)

    def step(self, start_s: float, end_s: float) -> None:
        """A frame was computed, perhaps together with those of other streams."""
        self._busy_s += end_s - start_s

    def frame(self, now_s: float, duration_s: float, is_audible: bool, slack_s: float) -> None:
        """A frame was sent.

        Args:
            now_s: When.
            duration_s: Its length.
            is_audible: It is not silent.
            slack_s: What the listener still had in hand; negative: for how long it had waited.
        """
        self._first("frame", now_s)
        if is_audible:
            self._first("audible", now_s)
        if self._last_s is not None:
            self._gaps_s.append(now_s - self._last_s)
        self._last_s = now_s
        self._audio_s += duration_s
        if self._num_frames and slack_s < 0:
            self._longest_s = max(self._longest_s, -slack_s)
            self._underruns += -slack_s > UNDERRUN_S
        self._num_frames += 1
        self._note("frame", now_s, now_s, max(0.0, slack_s) + duration_s)

    def taken(self, now_s: float) -> None:
        """The consumer took a frame."""
        self._first("pcm", now_s)
        self._num_taken += 1
        self._note("taken", now_s, now_s)

    def cancelled(self) -> None:
        """Nobody will take the rest."""
        self._is_cancelled = True

    def metrics(self) -> StreamMetrics:
        """Return the figures until now."""
        gaps = sorted(self._gaps_s)
        moments = self._moments
        return StreamMetrics(
            first_text_s=moments.get("text"),
            first_segment_s=moments.get("segment"),
            first_frame_s=moments.get("frame"),
            first_pcm_s=moments.get("pcm"),
            first_audible_s=moments.get("audible"),
            audio_s=self._audio_s,
            busy_s=self._busy_s,
            gap_p50_s=statistics.median(gaps) if gaps else None,
            gap_p95_s=gaps[int(0.95 * (len(gaps) - 1))] if gaps else None,
            gap_max_s=gaps[-1] if gaps else None,
            underruns=self._underruns,
            longest_wait_s=self._longest_s,
            wasted_frames=self._num_frames - self._num_taken if self._is_cancelled else 0,
            expected_rtf=self.expected_rtf,
        )

    def _first(self, name: str, now_s: float) -> None:
        self._moments.setdefault(name, now_s - self.start_s)

    def _note(self, kind: str, start_s: float, end_s: float, value: float = 0.0) -> None:
        if self.events is not None:
            self.events.append(Event(kind, start_s - self.start_s, end_s - self.start_s, value))
