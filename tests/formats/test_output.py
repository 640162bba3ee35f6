from __future__ import annotations

import io
from typing import get_args

import av
import numpy as np
import pytest
import soundfile

from moss_stream import ConfigError
from moss_stream.formats.output import AudioEncoder, AudioFormat, Container


def tone(rate: int, channels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    one = (np.sin(2 * np.pi * 440 * np.arange(rate) / rate) * 8000).astype(np.int16)
    return one if channels == 1 else np.stack([one, one], axis=1)


def made(wanted: AudioFormat, rate: int = 24_000, channels: int = 1) -> bytes:
    encoder, pcm = AudioEncoder(wanted, rate, channels), tone(rate, channels).tobytes()
    frame = rate * 2 // 25 * 2 * channels
    return b"".join([*(encoder.feed(pcm[i : i + frame]) for i in range(0, len(pcm), frame)), encoder.end()])


def heard(data: bytes, wanted: AudioFormat) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], int]:
    """The left channel of a file, and its rate."""
    if wanted.container in ("raw", "wav"):
        samples, rate = soundfile.read(io.BytesIO(data), always_2d=True)
        return samples[:, 0], rate
    with av.open(io.BytesIO(data), "r") as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
        stream = container.streams.audio[0]
        joined = np.concatenate(parts, axis=1).astype(float)
        packed = not container.streams.audio[0].format.is_planar
        return joined[0, :: stream.channels if packed else 1], stream.rate


@pytest.mark.parametrize("speed", [1.0, 2.0])
@pytest.mark.parametrize(("rate", "channels"), [(24_000, 1), (48_000, 2)])
@pytest.mark.parametrize("container", [name for name in get_args(Container) if name != "raw"])
def test_a_tone_survives(container: Container, rate: int, channels: int, speed: float) -> None:
    """Of a mono and of a stereo model, at another rate; faster it is shorter, and as high."""
    wanted = AudioFormat(container, rate=16_000, channels=None, speed=speed)
    samples, rate_read = heard(made(wanted, rate, channels), wanted)
    assert len(samples) / rate_read == pytest.approx(1.0 / speed, abs=0.13)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.fft.rfftfreq(len(samples), 1 / rate_read)[spectrum.argmax()] == pytest.approx(440, abs=4)


def test_without_a_wish_nothing_changes() -> None:
    """PCM of a mono model is passed on."""
    assert made(AudioFormat()) == tone(24_000, 1).tobytes()


@pytest.mark.parametrize(
    ("wish", "part"),
    [
        ({"rate": 4000}, "8000 to 48000"),
        ({"container": "opus", "rate": 22_050}, "12000"),
        ({"speed": 5.0}, "0.25 to 4"),
    ],
)
def test_what_is_no_audio_is_refused(wish: dict[str, object], part: str) -> None:
    """With what there is instead."""
    with pytest.raises(ConfigError, match=part):
        AudioFormat(**wish)  # type: ignore[arg-type]
