"""PCM in other encodings and rates, chunk by chunk."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import soxr

from moss_stream.audio import as_samples, mixed

__all__ = ["Encoding", "RawAudio"]

Encoding = Literal["pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"]


class RawAudio:
    """Converts int16 to mono in another encoding, at another rate.

    Args:
        encoding: Wanted.
        rate: Wanted, in Hz.
        source_rate: Of what it is given.
        source_channels: Of what it is given; they are mixed.
    """

    def __init__(self, encoding: Encoding, rate: int, source_rate: int, source_channels: int = 1) -> None:
        self._encoding = encoding
        self._channels = source_channels
        self._resampler: Any = None
        if rate != source_rate:
            # Low quality has the shortest delay of those that suppress aliases.
            self._resampler = soxr.ResampleStream(source_rate, rate, 1, dtype="int16", quality="LQ")

    def feed(self, pcm: bytes, is_last: bool = False) -> bytes:
        """Return what can be sent after a chunk; after the last one, everything."""
        samples = mixed(as_samples(pcm, self._channels), 1)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=is_last)
        if self._encoding == "pcm_f32le":
            return (samples.astype("<f4") / 32768).tobytes()
        if self._encoding == "pcm_s16le":
            return samples.astype("<i2").tobytes()
        return _companded(samples, self._encoding)


def _companded(samples: np.ndarray[Any, np.dtype[np.int16]], encoding: str) -> bytes:
    """Return samples by G.711, one byte each."""
    if not len(samples):
        return b""
    import av

    coder: Any = av.CodecContext.create(encoding, "w")
    coder.sample_rate, coder.layout, coder.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = 8000
    return b"".join(bytes(packet) for packet in [*coder.encode(frame), *coder.encode(None)])
