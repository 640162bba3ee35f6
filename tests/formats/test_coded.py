from __future__ import annotations

import io

import av
import numpy as np
import pytest

from moss_stream.formats.coded import CODEC_RATES, Codec, CodedStream

CASES = [(codec, rate) for codec, rates in CODEC_RATES.items() for rate in (min(rates), 24_000, 48_000)]


def tone(rate: int, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    t = np.arange(int(seconds * rate)) / rate
    return (np.sin(2 * np.pi * 440 * t) * 8000).astype(np.int16)


def coded(codec: Codec, rate: int, seconds: float) -> list[bytes]:
    """What leaves with each frame of 80 ms, and at the end."""
    made, samples, step = CodedStream(codec, rate, 1), tone(rate, seconds), rate * 2 // 25
    return [*(made.feed(samples[i : i + step]) for i in range(0, len(samples), step)), made.end()]


@pytest.mark.parametrize(("codec", "rate"), CASES)
def test_what_is_decoded_is_what_was_said(codec: Codec, rate: int) -> None:
    """The pitch and the length of a tone survive each codec; FLAC keeps every sample."""
    data = b"".join(coded(codec, rate, 1.0))
    with av.open(io.BytesIO(data), "r") as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
        rate_read = container.streams.audio[0].rate
    made = np.concatenate([part.reshape(-1) for part in parts])
    if codec == "flac":
        np.testing.assert_array_equal(made, tone(rate, 1.0))
    assert rate_read == (48_000 if codec == "opus" else rate)
    assert len(made) / rate_read == pytest.approx(1.0, abs=0.25)
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made))))
    assert np.fft.rfftfreq(len(made), 1 / rate_read)[spectrum.argmax()] == pytest.approx(440, abs=3)


@pytest.mark.parametrize("codec", CODEC_RATES)
def test_bytes_leave_while_it_is_made(codec: Codec) -> None:
    """Most of the sound has left before the end."""
    parts = coded(codec, 24_000, 4.0)
    assert sum(map(len, parts[:3])) > 0
    assert sum(map(len, parts[:-1])) > 0.8 * sum(map(len, parts))


@pytest.mark.parametrize("codec", ["mp3", "opus"])
def test_the_bit_rate_is_as_asked(codec: Codec) -> None:
    """In bits a second, in the long run, of sound that needs them."""
    noise = np.random.default_rng(0).integers(-8000, 8000, 4 * 48_000).astype(np.int16)
    for bit_rate in (32_000, 128_000):
        made = CodedStream(codec, 48_000, 1, bit_rate)
        num_bytes = len(made.feed(noise) + made.end())
        assert 8 * num_bytes / 4.0 == pytest.approx(bit_rate, rel=0.3)
