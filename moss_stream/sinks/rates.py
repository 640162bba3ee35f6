"""Chunks at the rate, and with the channels, that a sink takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from moss_stream.audio import AudioChunk, mixed
from moss_stream.errors import SinkError
from moss_stream.formats.pcm import resampler

__all__ = ["RateConverter"]

LOWEST_HZ, HIGHEST_HZ = 4_000, 384_000
"""What telephones and studio converters use, with room on both sides: anything else is a mistake."""


class RateConverter:
    """Resamples and mixes one utterance after another; chunks that are as wanted pass unchanged.

    Args:
        rate: Wanted, in Hz; None for whatever comes.
        channels: Wanted: stereo becomes mono as the mean of both, mono goes to both; None for whatever comes.

    Raises:
        SinkError: No audio has such a rate.
    """

    def __init__(self, rate: int | None, channels: int | None = 1) -> None:
        if rate is not None and not LOWEST_HZ <= rate <= HIGHEST_HZ:
            raise SinkError(
                f"The sink asks for {rate} Hz, but sound can be made at {LOWEST_HZ} to {HIGHEST_HZ} Hz. "
                "Correct its sample_rate."
            )
        self._rate = rate
        self._channels = channels
        self._resampler: Any = None
        self._last: AudioChunk | None = None

    def convert(self, chunk: AudioChunk) -> list[AudioChunk]:
        """Return what can be played after a chunk; its filter holds a few milliseconds back until the end."""
        mixed_chunk = _mixed(chunk, self._channels)
        if self._rate is None or chunk.sample_rate == self._rate:
            return [mixed_chunk]
        if not chunk.pcm:
            ending = self.rest() if chunk.is_final else []
            return [*ending, replace(mixed_chunk, sample_rate=self._rate)]
        if self._resampler is None:
            self._resampler = resampler(chunk.sample_rate, self._rate, mixed_chunk.channels)
        return [self._made(mixed_chunk, mixed_chunk.samples, is_last=False)]

    def rest(self) -> list[AudioChunk]:
        """End the utterance; return what was held back of it."""
        last = self._last
        if last is None:
            return []
        nothing = mixed(np.zeros(0, np.int16), last.channels)
        made = self._made(replace(last, char_start=last.char_end), nothing, is_last=True)
        self.reset()
        return [made] if made.pcm else []

    def reset(self) -> None:
        """Drop what is held back: the utterance was interrupted."""
        self._resampler = self._last = None

    def _made(self, chunk: AudioChunk, samples: Any, is_last: bool) -> AudioChunk:
        start_s = chunk.start_s if self._last is None else self._last.start_s + self._last.duration_s
        assert self._rate is not None
        made = self._resampler.resample_chunk(samples, last=is_last).astype("<i2")
        self._last = replace(
            chunk,
            pcm=made.tobytes(),
            sample_rate=self._rate,
            start_s=start_s,
            duration_s=len(made) / self._rate,
        )
        return self._last


def _mixed(chunk: AudioChunk, channels: int | None) -> AudioChunk:
    if channels is None or channels == chunk.channels:
        return chunk
    pcm = mixed(chunk.samples, channels).tobytes()
    return replace(chunk, pcm=pcm, channels=channels)
