"""Compressed sound, by PyAV, encoded while it is made."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["CODEC_RATES", "Codec", "CodedStream"]

Codec = Literal["mp3", "opus", "flac", "aac"]
_CODECS: dict[Codec, tuple[str, str, str]] = {
    "flac": ("flac", "flac", "s16"),
    "mp3": ("mp3", "libmp3lame", "s16p"),
    "opus": ("ogg", "libopus", "s16"),
    "aac": ("adts", "aac", "fltp"),
}
"""Container, encoder and sample format, by PyAV's names."""
CODEC_RATES: dict[Codec, tuple[int, ...]] = {
    "mp3": (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "opus": (8000, 12_000, 16_000, 24_000, 48_000),
    "flac": (8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "aac": (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
}
"""What each can say in its own header, in Hz."""
BITRATE = 64_000
"""Bits a second of each channel: a sixth of PCM at 24 kHz; a minute of mono is 480 KB."""


class CodedStream:
    """Encodes one stream.

    Args:
        codec: Which one; its container comes with it: "opus" is in Ogg, "aac" in ADTS.
        rate: Of the samples, in Hz: one of `CODEC_RATES`.
        channels: Of the samples: 1 or 2.
        bit_rate: Bits a second; None for 64,000 of each channel.
    """

    def __init__(self, codec: Codec, rate: int, channels: int, bit_rate: int | None = None) -> None:
        import av

        container, encoder, sample_format = _CODECS[codec]
        self._rate, self._channels = rate, channels
        self._layout = "mono" if channels == 1 else "stereo"
        self._pipe = _Pipe()
        # Headers are small and packets go out at once: the first bytes leave with the first frame.
        options = {"flush_packets": "1"}
        if container == "ogg":
            options["page_duration"] = "80000"
        self._container: Any = av.open(self._pipe, "w", format=container, options=options)
        about: dict[str, Any] = {} if codec == "flac" else {"bit_rate": bit_rate or BITRATE * channels}
        self._stream: Any = self._container.add_stream(encoder, rate=rate, layout=self._layout, **about)
        self._resampler: Any = av.AudioResampler(format=sample_format, layout=self._layout, rate=rate)
        self._samples = 0

    def feed(self, samples: npt.NDArray[np.int16]) -> bytes:
        """Take samples [N] or [N, channels]; return the bytes that can be sent now."""
        import av

        if len(samples):
            flat = np.ascontiguousarray(samples).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(flat, format="s16", layout=self._layout)
            frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
            frame.pts = self._samples
            self._samples += len(samples)
            for resampled in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(resampled))
        return self._pipe.take()

    def end(self) -> bytes:
        """Return the rest."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._pipe.take()


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
