"""One description of how audio leaves, and what makes it so: for every endpoint and sink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from moss_stream.audio import as_samples
from moss_stream.errors import ConfigError
from moss_stream.formats.coded import CODEC_RATES, CodedStream
from moss_stream.formats.pcm import Encoding, PcmConverter, encoded
from moss_stream.formats.tempo import FASTEST, SLOWEST, Tempo
from moss_stream.formats.wav import wav_header

__all__ = ["AudioEncoder", "AudioFormat", "Container"]

Container = Literal["raw", "wav", "mp3", "opus", "flac", "aac"]
MEDIA_TYPES: dict[Container, str] = {
    "raw": "audio/pcm",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
}
LEAST, MOST = -32_768, 32_767
"""Of int16."""
LOWEST_HZ, HIGHEST_HZ = 8_000, 48_000
"""From telephones to the highest rate that Opus, and every player, has."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How audio leaves.

    Raises:
        ConfigError: There is no such audio.
    """

    container: Container = "raw"
    """`raw` has no header; `opus` comes in Ogg, `aac` in ADTS."""
    encoding: Encoding = "pcm_s16le"
    """Of `raw` and `wav`."""
    rate: int | None = None
    """Hz; None: the model's."""
    channels: int | None = 1
    """None: the model's."""
    bit_rate: int | None = None
    """Bits a second of `mp3`, `opus` and `aac`; None: 64,000 of each channel."""
    speed: float = 1.0
    """Faster or slower, at the same pitch."""
    volume: float = 1.0
    """What samples are multiplied with; louder than loud is cut off."""

    def __post_init__(self) -> None:
        if self.rate is not None:
            self._check_rate(self.rate)
        if not SLOWEST <= self.speed <= FASTEST:
            raise ConfigError(
                f"Nothing is spoken at speed {self.speed:g}. Give one from {SLOWEST:g} to {FASTEST:g}."
            )

    def _check_rate(self, rate: int) -> None:
        if not LOWEST_HZ <= rate <= HIGHEST_HZ:
            raise ConfigError(f"There is no audio at {rate} Hz. Give {LOWEST_HZ} to {HIGHEST_HZ} Hz.")
        if self.container == "raw" or self.container == "wav":
            return
        rates = CODEC_RATES[self.container]
        if rate not in rates:
            known = ", ".join(map(str, rates))
            raise ConfigError(f"There is no {self.container} at {rate} Hz. There is at {known} Hz.")

    @property
    def media_type(self) -> str:
        """By which HTTP calls it."""
        return MEDIA_TYPES[self.container]


class AudioEncoder:
    """Makes one stream's PCM what an `AudioFormat` says.

    Args:
        wanted: The format.
        source_rate: Of what it is given, in Hz.
        source_channels: Of what it is given.
    """

    def __init__(self, wanted: AudioFormat, source_rate: int, source_channels: int = 1) -> None:
        self.rate = wanted.rate or source_rate
        self.channels = wanted.channels or source_channels
        self._encoding, self._volume = wanted.encoding, wanted.volume
        self._tempo = Tempo(wanted.speed, source_rate, source_channels) if wanted.speed != 1.0 else None
        self._converter = PcmConverter(self.rate, self.channels, source_rate, source_channels)
        self._source_channels = source_channels
        self.num_samples = 0
        """Of each channel, in what was made so far."""
        self._header = b""
        self._coder: CodedStream | None = None
        if wanted.container == "wav":
            self._header = wav_header(self.rate, self.channels, wanted.encoding)
        elif wanted.container != "raw":
            self._coder = CodedStream(wanted.container, self.rate, self.channels, wanted.bit_rate)

    def feed(self, pcm: bytes) -> bytes:
        """Take int16; return the bytes that can be sent now."""
        return self._coded(self._converted(pcm, is_last=False))

    def end(self) -> bytes:
        """Return the rest."""
        rest = self._coded(self._converted(b"", is_last=True))
        return rest if self._coder is None else rest + self._coder.end()

    def _converted(self, pcm: bytes, is_last: bool) -> npt.NDArray[np.int16]:
        if self._tempo is not None:
            pcm = self._tempo.feed(as_samples(pcm, self._source_channels), is_last).tobytes()
        samples = self._converter.convert(pcm, is_last)
        if self._volume == 1.0:
            return samples
        louder: npt.NDArray[np.int16] = np.clip(np.rint(samples * self._volume), LEAST, MOST).astype(np.int16)
        return louder

    def _coded(self, samples: npt.NDArray[np.int16]) -> bytes:
        self.num_samples += len(samples)
        if self._coder is not None:
            return self._coder.feed(samples)
        header, self._header = self._header, b""
        return header + encoded(samples, self._encoding)
