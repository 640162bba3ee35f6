"""Where audio goes: the protocol of sinks, and the two sinks that need no device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from moss_stream.audio import AudioChunk

__all__ = ["MemorySink", "PlaybackReport", "Sink", "channels_of"]


@dataclass(frozen=True, slots=True)
class PlaybackReport:
    """What became of the audio written to a sink."""

    played_s: float
    """Seconds that were really played (or stored)."""
    dropped_s: float = 0.0
    """Seconds that were written and never played."""


class Sink(Protocol):
    """A place for audio.

    One that takes more than mono also has `channels`: 1, 2, or None for whatever comes. `play` mixes what has
    others.
    """

    @property
    def sample_rate(self) -> int | None:
        """The rate of the chunks it takes, in Hz; `play` resamples what has another. None: whatever comes."""

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


def channels_of(sink: Sink) -> int | None:
    """Return how many channels a sink takes: mono, if it does not say; None for whatever comes."""
    return getattr(sink, "channels", 1)


class MemorySink:
    """Keeps the audio as bytes in `pcm`.

    Args:
        sample_rate: Of the chunks that it takes, in Hz; None: that of the first one.
        channels: Of them; None: those of the first one.
    """

    def __init__(self, sample_rate: int | None = None, channels: int | None = None) -> None:
        self._rate = sample_rate
        self._channels = channels
        self.pcm = bytearray()

    @property
    def sample_rate(self) -> int | None:
        """See `Sink`; None until it is known."""
        return self._rate

    @property
    def channels(self) -> int | None:
        """See `Sink`; None until it is known."""
        return self._channels

    @property
    def position_s(self) -> float:
        """See `Sink`: what is stored counts as played."""
        return len(self.pcm) / 2 / (self.channels or 1) / (self.sample_rate or 1)

    async def write(self, chunk: AudioChunk) -> None:
        """See `Sink`; never waits."""
        chunk.check_rate(self.sample_rate, self.channels)
        if chunk.pcm:
            self._rate, self._channels = chunk.sample_rate, chunk.channels
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
