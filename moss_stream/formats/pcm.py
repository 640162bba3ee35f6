"""PCM at other rates, with other channels, in other encodings, chunk by chunk."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from moss_stream.audio import as_samples, mixed
from moss_stream.formats.g711 import alaw, mulaw

__all__ = ["SAMPLE_BYTES", "Encoding", "PcmConverter", "encoded", "resampler"]

Encoding = Literal["pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"]
SAMPLE_BYTES: dict[Encoding, int] = {"pcm_s16le": 2, "pcm_f32le": 4, "pcm_mulaw": 1, "pcm_alaw": 1}


class PcmConverter:
    """Resamples and mixes int16, chunk by chunk.

    Args:
        rate: Wanted, in Hz.
        channels: Wanted.
        source_rate: Of what it is given, in Hz.
        source_channels: Of what it is given.
    """

    def __init__(self, rate: int, channels: int, source_rate: int, source_channels: int) -> None:
        self._channels = channels
        self._source_channels = source_channels
        self._resampler = resampler(source_rate, rate, channels) if rate != source_rate else None

    def convert(self, pcm: bytes, is_last: bool = False) -> npt.NDArray[np.int16]:
        """Return what is ready after a chunk, [N] or [N, channels]; after the last one, everything."""
        samples = mixed(as_samples(pcm, self._source_channels), self._channels)
        if self._resampler is None:
            return samples
        made: npt.NDArray[np.int16] = self._resampler.resample_chunk(samples, last=is_last)
        return made


def resampler(source: int, target: int, channels: int) -> Any:
    """Return a resampler of int16 for one stream, with soxr's `resample_chunk`."""
    import soxr

    # Low quality has the shortest delay of those that suppress aliases.
    return soxr.ResampleStream(source, target, channels, dtype="int16", quality="LQ")


def encoded(samples: npt.NDArray[np.int16], encoding: Encoding) -> bytes:
    """Return samples, of any channels, in an encoding."""
    if encoding == "pcm_f32le":
        return (samples.astype("<f4") / 32768).tobytes()
    if encoding == "pcm_s16le":
        return samples.astype("<i2", copy=False).tobytes()
    flat = np.ascontiguousarray(samples, dtype=np.int16).reshape(-1)
    return (mulaw(flat) if encoding == "pcm_mulaw" else alaw(flat)).tobytes()
