"""Chunks at the rate that a sink takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from moss_stream.audio import AudioChunk
from moss_stream.errors import SinkError

__all__ = ["RateConverter"]

LOWEST_HZ, HIGHEST_HZ = 4_000, 384_000
"""What telephones and studio converters use, with room on both sides: anything else is a mistake."""


class RateConverter:
    """Resamples one utterance after another; chunks that have the right rate pass unchanged.

    Args:
        rate: Wanted, in Hz.

    Raises:
        SinkError: No audio has such a rate.
    """

    def __init__(self, rate: int) -> None:
        if not LOWEST_HZ <= rate <= HIGHEST_HZ:
            raise SinkError(
                f"The sink asks for {rate} Hz, but sound can be made at {LOWEST_HZ} to {HIGHEST_HZ} Hz. "
                "Correct its sample_rate."
            )
        self._rate = rate
        self._resampler: Any = None
        self._last: AudioChunk | None = None

    def convert(self, chunk: AudioChunk) -> list[AudioChunk]:
        """Return what can be played after a chunk; its filter holds a few milliseconds back until the end."""
        if chunk.sample_rate == self._rate:
            return [chunk]
        if not chunk.pcm:
            ending = self.rest() if chunk.is_final else []
            return [*ending, replace(chunk, sample_rate=self._rate)]
        if self._resampler is None:
            self._resampler = _resampler(chunk.sample_rate, self._rate)
        return [self._made(chunk, chunk.samples, is_last=False)]

    def rest(self) -> list[AudioChunk]:
        """End the utterance; return what was held back of it."""
        last = self._last
        if last is None:
            return []
        made = self._made(replace(last, char_start=last.char_end), np.zeros(0, np.int16), is_last=True)
        self.reset()
        return [made] if made.pcm else []

    def reset(self) -> None:
        """Drop what is held back: the utterance was interrupted."""
        self._resampler = self._last = None

    def _made(self, chunk: AudioChunk, samples: Any, is_last: bool) -> AudioChunk:
        start_s = chunk.start_s if self._last is None else self._last.start_s + self._last.duration_s
        pcm = self._resampler.resample_chunk(samples, last=is_last).astype("<i2").tobytes()
        duration_s = len(pcm) / 2 / self._rate
        self._last = replace(chunk, pcm=pcm, sample_rate=self._rate, start_s=start_s, duration_s=duration_s)
        return self._last


def _resampler(source: int, target: int) -> Any:
    import soxr

    # Low quality has the shortest delay of those that suppress aliases.
    return soxr.ResampleStream(source, target, 1, dtype="int16", quality="LQ")
