"""A recording on disk, or on standard output, in any format."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import BinaryIO

from moss_stream.audio import AudioChunk
from moss_stream.errors import ConfigError
from moss_stream.formats.flac import LENGTH_AT, LENGTH_SIZE, with_length
from moss_stream.formats.output import AudioEncoder, AudioFormat, Container
from moss_stream.formats.wav import wav_header
from moss_stream.quote import quoted
from moss_stream.sinks.part_file import PartFile
from moss_stream.sinks.sink import PlaybackReport

__all__ = ["SUFFIXES", "FileSink", "container_of"]

SUFFIXES: dict[str, Container] = {
    ".wav": "wav",
    ".mp3": "mp3",
    ".flac": "flac",
    ".ogg": "opus",
    ".opus": "opus",
    ".aac": "aac",
    ".pcm": "raw",
    ".raw": "raw",
}


def container_of(path: str | Path) -> Container:
    """Return the format that a file's name asks for; without a suffix it is WAV.

    Raises:
        ConfigError: There is no such format.
    """
    suffix = Path(path).suffix.lower()
    if suffix and suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise ConfigError(f"{quoted(str(path))}: there is no such format. End the name with {known}.")
    return SUFFIXES[suffix] if suffix else "wav"


class FileSink:
    """Writes a file as the audio arrives, compressed or not; see `WavSink` for a WAV that grows.

    A file of that name is replaced by the first audio, not before. A stream that is interrupted leaves what
    can be played. All methods raise SinkError if the file cannot be written.

    Args:
        path: Of the file.
        wanted: The format; None: the one that the name asks for, at the model's rate and channels.

    Raises:
        ConfigError: The name asks for no format.
    """

    def __init__(self, path: str | Path, wanted: AudioFormat | None = None) -> None:
        self._wanted = wanted or AudioFormat(container_of(path), channels=None)
        self._file = PartFile(path)
        self._encoder: AudioEncoder | None = None
        self._rate: int | None = None
        self._channels: int | None = None
        self._samples = 0

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
        """See `Sink`: what was written counts as played."""
        return self._samples / (self._rate or 1)

    async def open(self) -> None:
        """Find out whether the file can be written, before there is audio; `write` does it otherwise."""
        await asyncio.to_thread(self._open)

    async def write(self, chunk: AudioChunk) -> None:
        """See `Sink`; never waits longer than the file system and the encoder."""
        chunk.check_rate(self._rate, self._channels)
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
        """See `Sink`: ends the format, so that the file is whole."""
        await asyncio.to_thread(self._close)

    def _open(self) -> None:
        with self._file.exclusively():
            self._file.opened()

    def _append(self, chunk: AudioChunk) -> None:
        with self._file.exclusively():
            file = self._file.opened()
            if not chunk.pcm:
                return
            if self._encoder is None:
                self._encoder = AudioEncoder(self._wanted, chunk.sample_rate, chunk.channels)
            file.write(self._encoder.feed(chunk.pcm))
            self._file.show()
            self._samples += len(chunk.samples)

    def _flush(self) -> None:
        with self._file.exclusively():
            self._file.flush()

    def _close(self) -> None:
        with self._file.exclusively():
            try:
                if self._encoder is not None and self._file.is_open:
                    self._end(self._file.opened(), self._encoder)
            finally:
                self._file.close()

    def _end(self, file: BinaryIO, encoder: AudioEncoder) -> None:
        """Write the rest; what can be written twice is told its length."""
        file.write(encoder.end())
        if not file.seekable():
            return
        if self._wanted.container == "wav":
            form = encoder.rate, encoder.channels, self._wanted.encoding
            size = file.tell() - len(wav_header(*form))
            file.seek(0)
            file.write(wav_header(*form, size))
        if self._wanted.container == "flac":
            file.seek(LENGTH_AT)
            field = file.read(LENGTH_SIZE)
            file.seek(LENGTH_AT)
            file.write(with_length(field, encoder.num_samples))
