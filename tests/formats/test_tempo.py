from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from moss_stream.audio import AudioChunk
from moss_stream.formats.tempo import Tempo, at_speed


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("speed", [0.25, 0.7, 1.5, 4.0])
def test_length_changes_and_pitch_stays(speed: float, channels: int) -> None:
    """Also in small pieces, and of stereo each side for itself."""
    rate = 24_000
    left = (np.sin(np.arange(2 * rate) * 2 * np.pi * 440 / rate) * 8000).astype(np.int16)
    samples = left if channels == 1 else np.stack([left, np.zeros_like(left)], axis=1)
    tempo = Tempo(speed, rate, channels)
    parts = [tempo.feed(samples[i : i + 1920]) for i in range(0, len(samples), 1920)]
    assert sum(map(len, parts[:4])) > 0
    made = np.concatenate([*parts, tempo.feed(samples[:0], is_last=True)])
    assert len(made) / rate == pytest.approx(2 / speed, abs=0.06)
    side = made if channels == 1 else made[:, 0]
    spectrum = np.abs(np.fft.rfft(side * np.hanning(len(side))))
    assert np.fft.rfftfreq(len(side), 1 / rate)[spectrum.argmax()] == pytest.approx(440, abs=3)
    assert channels == 1 or not made[:, 1].any()


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
async def test_chunks_at_another_speed(speed: float) -> None:
    """All audio, in order, with times as they are played; the last chunk is final and has none."""

    async def chunks() -> AsyncIterator[AudioChunk]:
        tone = (np.sin(np.arange(1920) * 2 * np.pi / 48) * 8000).astype("<i2").tobytes()
        for number in range(25):
            yield AudioChunk(tone, 24_000, number, number * 0.08, 0.08)
        yield AudioChunk(b"", 24_000, 25, 2.0, 0.0, is_final=True)

    made = [chunk async for chunk in at_speed(chunks(), speed)]
    assert [chunk.is_final for chunk in made] == [False] * (len(made) - 1) + [True] and not made[-1].pcm
    ends = [chunk.start_s + chunk.duration_s for chunk in made]
    assert ends[-1] == pytest.approx(2 / speed, abs=0.06)
    assert all(chunk.duration_s == len(chunk.pcm) / 48_000 for chunk in made)
    assert all(chunk.start_s == pytest.approx(end) for chunk, end in zip(made[1:], ends, strict=False))
