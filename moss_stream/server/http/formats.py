"""PCM as the sound formats of OpenAI's speech endpoint, encoded while it is made."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any, Literal, Protocol, get_args

import numpy as np

from moss_stream.server.encodings import RawAudio

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
"""Bits a second of each channel: a sixth of PCM at 24 kHz; a minute of mono is 480 KB."""
PCM_RATE_HZ = 24_000
"""Of the format "pcm", which has no header to say it: OpenAI's is mono at this rate."""
UNKNOWN = 0xFFFFFFFF
"""Of a WAV header: the length of what is still being made."""


class Encoder(Protocol):
    """Turns PCM into the bytes of a format."""

    def feed(self, pcm: bytes) -> bytes:
        """Take int16; return the bytes that can be sent now."""

    def end(self) -> bytes:
        """Return the rest."""


def encoder(name: Format, rate: int, channels: int) -> Encoder:
    """Return an encoder of its own for one stream.

    Args:
        name: Of the format.
        rate: Of the PCM that it gets, in Hz.
        channels: Of the PCM that it gets. All formats but "pcm" keep both.
    """
    if name == "pcm":
        return _Raw(RawAudio("pcm_s16le", PCM_RATE_HZ, rate, channels))
    return _Wav(wav_header(rate, channels)) if name == "wav" else _Coded(*_CODECS[name], rate, channels)


class _Raw:
    """PCM as OpenAI defines it."""

    def __init__(self, audio: RawAudio) -> None:
        self._audio = audio

    def feed(self, pcm: bytes) -> bytes:
        """See `Encoder`."""
        return self._audio.feed(pcm)

    def end(self) -> bytes:
        """See `Encoder`."""
        return self._audio.feed(b"", is_last=True)


class _Wav:
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

    def __init__(self, container: str, codec: str, sample_format: str, rate: int, channels: int) -> None:
        import av

        self._rate, self._channels = rate, channels
        self._layout = "mono" if channels == 1 else "stereo"
        self._pipe = _Pipe()
        # Headers are small and packets go out at once: the first bytes leave with the first frame.
        options = {"flush_packets": "1"}
        if container == "ogg":
            options["page_duration"] = "80000"
        self._container: Any = av.open(self._pipe, "w", format=container, options=options)
        about: dict[str, Any] = {} if codec == "flac" else {"bit_rate": BITRATE * channels}
        self._stream: Any = self._container.add_stream(codec, rate=rate, layout=self._layout, **about)
        self._resampler: Any = av.AudioResampler(format=sample_format, layout=self._layout, rate=rate)
        self._samples = 0

    def feed(self, pcm: bytes) -> bytes:
        """See `Encoder`."""
        import av

        samples = np.frombuffer(pcm, dtype="<i2")
        if len(samples):
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout=self._layout)
            frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
            frame.pts = self._samples
            self._samples += len(samples) // self._channels
            for resampled in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(resampled))
        return self._pipe.take()

    def end(self) -> bytes:
        """See `Encoder`."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._pipe.take()


def wav_header(rate: int, channels: int) -> bytes:
    """Return the header of a recording whose length is not known; readers take what comes."""
    size = 2 * channels
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, size * rate, size, 16)
    return struct.pack("<4sI4s", b"RIFF", UNKNOWN, b"WAVE") + form + struct.pack("<4sI", b"data", UNKNOWN)


assert set(MEDIA_TYPES) == set(get_args(Format))
