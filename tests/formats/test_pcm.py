from __future__ import annotations

from typing import Any, get_args

import av
import numpy as np
import pytest

from moss_stream.formats.pcm import SAMPLE_BYTES, Encoding, PcmConverter, encoded

Samples = np.ndarray[Any, np.dtype[np.int16]]
RATES = 8000, 16_000, 22_050, 24_000, 44_100, 48_000


def tone(rate: int = 24_000) -> Samples:
    return (np.sin(np.arange(rate) * 2 * np.pi * 440 / rate) * 8000).astype(np.int16)


def converted(encoding: Encoding, rate: int, source_rate: int = 24_000) -> bytes:
    made, pcm = PcmConverter(rate, 1, source_rate, 1), tone(source_rate).tobytes()
    parts = [made.convert(pcm[i : i + 3840]) for i in range(0, len(pcm), 3840)]
    return b"".join(encoded(part, encoding) for part in [*parts, made.convert(b"", is_last=True)])


def decoded(data: bytes, encoding: str) -> Samples:
    if encoding == "pcm_f32le":
        return (np.frombuffer(data, "<f4") * 32768).astype(np.int16)
    if encoding == "pcm_s16le":
        return np.frombuffer(data, "<i2")
    coder: Any = av.CodecContext.create(encoding, "r")
    coder.sample_rate, coder.layout = 8000, "mono"
    return np.concatenate([frame.to_ndarray()[0] for frame in coder.decode(av.Packet(data))])


@pytest.mark.parametrize("source_rate", [24_000, 48_000])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("encoding", get_args(Encoding))
def test_a_tone_survives(encoding: Encoding, rate: int, source_rate: int) -> None:
    """Pitch, length and loudness are kept in every encoding and rate, whatever the chunks."""
    data = converted(encoding, rate, source_rate)
    made = decoded(data, encoding)
    assert len(data) == len(made) * SAMPLE_BYTES[encoding] and len(made) == pytest.approx(rate, abs=2)
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made))))
    assert np.fft.rfftfreq(len(made), 1 / rate)[spectrum.argmax()] == pytest.approx(440, abs=2)
    assert np.abs(made.astype(int)).max() == pytest.approx(8000, rel=0.05)


def test_plain_pcm_is_passed_on() -> None:
    """At the same rate in 16 bits not a sample changes."""
    assert converted("pcm_s16le", 24_000) == tone().tobytes()


def test_stereo_is_mixed_and_its_samples_take_turns() -> None:
    """Left and right of stereo become their mean, or stay apart in every encoding."""
    stereo = np.stack([tone(), np.zeros_like(tone())], axis=1)
    mono = PcmConverter(24_000, 1, 24_000, 2).convert(stereo.tobytes())
    assert np.abs(mono.astype(int)).max() == pytest.approx(4000, abs=1)
    both = PcmConverter(16_000, 2, 24_000, 2)
    parts = [both.convert(stereo.tobytes()), both.convert(b"", is_last=True)]
    flat = np.frombuffer(b"".join(encoded(part, "pcm_f32le") for part in parts), "<f4")
    assert np.abs(flat[1::2]).max() < 3 / 32768 and np.abs(flat[::2]).max() == pytest.approx(
        8000 / 32768, rel=0.02
    )
