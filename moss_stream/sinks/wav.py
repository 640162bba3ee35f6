"""A recording on disk."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

from moss_stream.audio import AudioChunk
from moss_stream.sinks.part_file import PartFile
from moss_stream.sinks.sink import PlaybackReport

__all__ = ["WavSink"]


class WavSink:
    """Writes a WAV file as the audio arrives.

    A file of that name is replaced by the first audio, not before: a stream that says nothing leaves it as it
    is. From then on the file can be played at any time, also after a program that was interrupted: its header
    always counts the audio that is there.

    The file is written on a thread, one operation at a time, so a slow disk does not hold up the
    event loop; a cancelled operation still ends. All methods raise SinkError if it cannot be written.

    Args:
        path: Of the file.
        sample_rate: Of the chunks that it takes, in Hz; None: that of the first one.
        channels: Of them; None: those of the first one.
    """

    def __init__(self, path: str | Path, sample_rate: int | None = None, channels: int | None = None) -> None:
        self._file = PartFile(path)
        self._rate = sample_rate
        self._channels = channels
        self._samples = 0
        self._wave: wave.Wave_write | None = None

    @property
    def path(self) -> str:
        """Of the file, as it was given."""
        return self._file.path

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
        """See `Sink`: what is in the file counts as played."""
        return self._samples / (self.sample_rate or 1)

    async def open(self) -> None:
        """Find out whether the file can be written, before there is audio; `write` does it otherwise."""
        await asyncio.to_thread(self._open)

    async def write(self, chunk: AudioChunk) -> None:
        """See `Sink`; never waits longer than the file system."""
        chunk.check_rate(self.sample_rate, self.channels)
        if chunk.pcm:
            self._rate, self._channels = chunk.sample_rate, chunk.channels
        await asyncio.to_thread(self._append, chunk)

    async def flush(self) -> PlaybackReport:
        """See `Sink`."""
        await asyncio.to_thread(self._flush)
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

    def _open(self) -> None:
        with self._file.exclusively():
            self._file.opened()

    def _append(self, chunk: AudioChunk) -> None:
        with self._file.exclusively():
            file = self._file.opened()
            if not chunk.pcm:
                return
            if self._wave is None:
                self._wave = wave.open(file, "wb")
                self._wave.setparams((chunk.channels, 2, chunk.sample_rate, 0, "NONE", ""))
            self._wave.writeframes(chunk.pcm)  # and the header, so that what is there can be played
            self._file.show()
            self._samples += len(chunk.samples)

    def _flush(self) -> None:
        with self._file.exclusively():
            self._file.flush()

    def _close(self) -> None:
        with self._file.exclusively():
            try:
                if self._wave is not None and self._file.is_open:
                    self._wave.close()
            finally:
                self._file.close()
