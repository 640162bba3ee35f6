"""Where audio goes: the protocol of sinks, and the two sinks that need no device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from moss_stream.audio import SAMPLE_RATE_HZ, AudioChunk

__all__ = ["MemorySink", "PlaybackReport", "Sink"]


@dataclass(frozen=True, slots=True)
class PlaybackReport:
    """What became of the audio written to a sink."""

    played_s: float
    """Seconds that were really played (or stored)."""
    dropped_s: float = 0.0
    """Seconds that were written and never played."""


class Sink(Protocol):
    """A place for audio."""

    @property
    def sample_rate(self) -> int:
        """The rate of the chunks it takes, in Hz; `play` resamples what has another one."""

    @property
    def position_s(self) -> float:
        """Seconds really played so far."""

    async def write(self, chunk: AudioChunk) -> None:
        """Take a chunk; waits while the sink holds enough audio. What waits during `clear` is dropped."""

    async def flush(self) -> PlaybackReport:
        """Wait until everything written is played."""

    async def clear(self) -> PlaybackReport:
        """Drop what is not played yet."""

    def pause(self) -> None:
        """Fall silent and keep what is not played yet."""

    def resume(self) -> None:
        """Go on where it was paused."""

    async def aclose(self) -> None:
        """Free the device; may be called again."""


class MemorySink:
    """Keeps the audio as bytes in `pcm`."""

    sample_rate = SAMPLE_RATE_HZ

    def __init__(self) -> None:
        self.pcm = bytearray()

    @property
    def position_s(self) -> float:
        """See `Sink`: what is stored counts as played."""
        return len(self.pcm) / 2 / self.sample_rate

    async def write(self, chunk: AudioChunk) -> None:
        """See `Sink`; never waits."""
        chunk.check_rate(self.sample_rate)
        self.pcm += chunk.pcm

    async def flush(self) -> PlaybackReport:
        """See `Sink`."""
        return PlaybackReport(self.position_s)

    async def clear(self) -> PlaybackReport:
        """See `Sink`; what is stored stays."""
        return PlaybackReport(self.position_s)

    def pause(self) -> None:
        """See `Sink`; nothing is played."""

    def resume(self) -> None:
        """See `Sink`."""

    async def aclose(self) -> None:
        """See `Sink`."""
