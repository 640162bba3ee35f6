from __future__ import annotations

import io

import av
import numpy as np
import pytest
import soundfile

from moss_stream.server.http.formats import MEDIA_TYPES, Format, encoder

RATE = 24_000


def tone(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    t = np.arange(int(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * 440 * t) * 8000).astype(np.int16)


def encoded(name: Format, samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> list[bytes]:
    """What leaves with each frame of 80 ms, and at the end."""
    made = encoder(name, RATE, 1)
    frames = [made.feed(samples[i : i + 1920].astype("<i2").tobytes()) for i in range(0, len(samples), 1920)]
    return [*frames, made.end()]


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_what_is_decoded_is_what_was_said(name: Format) -> None:
    """The pitch and the length of a tone survive each format; lossless ones keep every sample."""
    samples = tone(1.0)
    data = b"".join(encoded(name, samples))
    if name == "pcm":
        made, rate = np.frombuffer(data, dtype="<i2"), RATE
    elif name == "wav":
        made, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    else:
        with av.open(io.BytesIO(data), "r") as container:
            parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
            rate = container.streams.audio[0].rate
        made = np.concatenate([part.reshape(-1) for part in parts])
    if name in ("pcm", "wav", "flac"):
        np.testing.assert_array_equal(made, samples)
    assert len(made) / rate == pytest.approx(1.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made))))
    assert np.fft.rfftfreq(len(made), 1 / rate)[spectrum.argmax()] == pytest.approx(440, abs=3)


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_bytes_leave_while_it_is_made(name: Format) -> None:
    """Most of the sound has left before the end."""
    parts = encoded(name, tone(4.0))
    assert sum(map(len, parts[:3])) > 0
    assert sum(map(len, parts[:-1])) > 0.8 * sum(map(len, parts))
