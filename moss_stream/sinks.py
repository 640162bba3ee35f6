"""Where audio goes: the contract of all sinks, and the two that need no device."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from moss_stream.audio import SAMPLE_RATE_HZ, AudioChunk
from moss_stream.errors import SinkError

__all__ = ["MemorySink", "PlaybackReport", "Sink", "WavSink"]


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
        """Take a chunk; waits while the sink holds enough audio. What waits when it is cleared is dropped."""

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


class WavSink:
    """Writes a WAV file as the audio arrives; the header is right after `flush` and `aclose`.

    The file is written on a thread, one operation at a time, so a slow disk does not hold up the
    event loop; a cancelled operation still ends.

    Args:
        path: Of the file; overwritten.

    Raises:
        SinkError: The file cannot be written. The methods raise it, too.
    """

    sample_rate = SAMPLE_RATE_HZ

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._samples = 0
        self._lock = threading.Lock()
        with self._exclusively():
            self._file = open(path, "wb")
        self._wave = wave.open(self._file, "wb")
        self._wave.setparams((1, 2, self.sample_rate, 0, "NONE", ""))

    @property
    def position_s(self) -> float:
        """See `Sink`: what is in the file counts as played."""
        return self._samples / self.sample_rate

    async def write(self, chunk: AudioChunk) -> None:
        """See `Sink`; never waits longer than the file system."""
        chunk.check_rate(self.sample_rate)
        await asyncio.to_thread(self._append, chunk.pcm)

    async def flush(self) -> PlaybackReport:
        """See `Sink`."""
        await asyncio.to_thread(self._patch_header)
        return PlaybackReport(self.position_s)

    async def clear(self) -> PlaybackReport:
        """See `Sink`; what is in the file stays."""
        return await self.flush()

    def pause(self) -> None:
        """See `Sink`; nothing is played."""

    def resume(self) -> None:
        """See `Sink`."""

    async def aclose(self) -> None:
        """See `Sink`."""
        await asyncio.to_thread(self._close)

    def _append(self, pcm: bytes) -> None:
        with self._exclusively():
            if self._file.closed:
                raise SinkError(f"{self._path!r} is closed already. Open a new WavSink.")
            self._wave.writeframesraw(pcm)
            self._samples += len(pcm) // 2

    def _patch_header(self) -> None:
        with self._exclusively():
            if not self._file.closed:
                self._wave.writeframes(b"")
                self._file.flush()

    def _close(self) -> None:
        with self._exclusively():
            if not self._file.closed:
                with self._file:
                    self._wave.close()

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Hold the file, and translate its errors."""
        try:
            with self._lock:
                yield
        except OSError as error:
            why = error.strerror or error
            raise SinkError(f"{self._path!r} cannot be written ({why}). Choose another path.") from error
