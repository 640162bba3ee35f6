"""PCM as the sound formats of OpenAI's speech endpoint, encoded while it is made."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any, Literal, Protocol, get_args

import numpy as np

from moss_stream.audio import SAMPLE_RATE_HZ

__all__ = ["MEDIA_TYPES", "Encoder", "Format", "encoder", "wav_header"]

Format = Literal["pcm", "wav", "flac", "mp3", "opus", "aac"]
MEDIA_TYPES: dict[Format, str] = {
    "pcm": "audio/pcm",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
}
_CODECS: dict[str, tuple[str, str, str]] = {
    "flac": ("flac", "flac", "s16"),
    "mp3": ("mp3", "libmp3lame", "s16p"),
    "opus": ("ogg", "libopus", "s16"),
    "aac": ("adts", "aac", "fltp"),
}
"""Container, codec and sample format, by PyAV's names."""
BITRATE = 64_000
"""Bits a second: a sixth of PCM at 24 kHz; a minute is 480 KB."""
UNKNOWN = 0xFFFFFFFF
"""Of a WAV header: the length of what is still being made."""


class Encoder(Protocol):
    """Turns PCM into the bytes of a format."""

    def feed(self, pcm: bytes) -> bytes:
        """Take mono int16 at 24 kHz; return the bytes that can be sent now."""

    def end(self) -> bytes:
        """Return the rest."""


def encoder(name: Format) -> Encoder:
    """Return an encoder of its own for one stream."""
    if name == "pcm":
        return _Plain(b"")
    return _Plain(wav_header(SAMPLE_RATE_HZ)) if name == "wav" else _Coded(*_CODECS[name])


class _Plain:
    """PCM, after a header."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def feed(self, pcm: bytes) -> bytes:
        """See `Encoder`."""
        header, self._header = self._header, b""
        return header + pcm

    def end(self) -> bytes:
        """See `Encoder`."""
        return self.feed(b"")


class _Pipe:
    """What a container is written to; it cannot go back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


class _Coded:
    """A format that PyAV encodes."""

    def __init__(self, container: str, codec: str, sample_format: str) -> None:
        import av

        self._pipe = _Pipe()
        # Headers are small and packets go out at once: the first bytes leave with the first frame.
        options = {"flush_packets": "1"}
        if container == "ogg":
            options["page_duration"] = "80000"
        self._container: Any = av.open(self._pipe, "w", format=container, options=options)
        about: dict[str, Any] = {"layout": "mono"} | ({} if codec == "flac" else {"bit_rate": BITRATE})
        self._stream: Any = self._container.add_stream(codec, rate=SAMPLE_RATE_HZ, **about)
        self._resampler: Any = av.AudioResampler(format=sample_format, layout="mono", rate=SAMPLE_RATE_HZ)
        self._samples = 0

    def feed(self, pcm: bytes) -> bytes:
        """See `Encoder`."""
        import av

        samples = np.frombuffer(pcm, dtype="<i2")
        if len(samples):
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = (
                SAMPLE_RATE_HZ,
                self._samples,
                Fraction(1, SAMPLE_RATE_HZ),
            )
            self._samples += len(samples)
            for resampled in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(resampled))
        return self._pipe.take()

    def end(self) -> bytes:
        """See `Encoder`."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._pipe.take()


def wav_header(rate: int) -> bytes:
    """Return the header of a mono recording whose length is not known; readers take what comes."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", UNKNOWN, b"WAVE") + form + struct.pack("<4sI", b"data", UNKNOWN)


assert set(MEDIA_TYPES) == set(get_args(Format))
