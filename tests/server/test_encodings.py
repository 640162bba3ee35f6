from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from moss_stream.server.encodings import Encoding, RawAudio


def tone() -> np.ndarray[Any, np.dtype[np.int16]]:
    return (np.sin(np.arange(24_000) * 2 * np.pi * 440 / 24_000) * 8000).astype(np.int16)


def converted(encoding: Encoding, rate: int) -> bytes:
    made, pcm = RawAudio(encoding, rate, 24_000), tone().tobytes()
    parts = [made.feed(pcm[i : i + 3840]) for i in range(0, len(pcm), 3840)]
    return b"".join([*parts, made.feed(b"", is_last=True)])


def decoded(data: bytes, encoding: str) -> np.ndarray[Any, np.dtype[np.int16]]:
    if encoding == "pcm_f32le":
        return (np.frombuffer(data, "<f4") * 32768).astype(np.int16)
    if encoding == "pcm_s16le":
        return np.frombuffer(data, "<i2")
    coder: Any = av.CodecContext.create(encoding, "r")
    coder.sample_rate, coder.layout = 8000, "mono"
    return np.concatenate([frame.to_ndarray()[0] for frame in coder.decode(av.Packet(data))])


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 44_100])
@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"])
def test_a_tone_survives(encoding: Encoding, rate: int) -> None:
    """Pitch, length and loudness are kept in every encoding and rate, whatever the chunks."""
    made = decoded(converted(encoding, rate), encoding)
    assert len(made) == pytest.approx(rate, abs=2)
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made))))
    assert np.fft.rfftfreq(len(made), 1 / rate)[spectrum.argmax()] == pytest.approx(440, abs=2)
    assert np.abs(made.astype(int)).max() == pytest.approx(8000, rel=0.05)


def test_plain_pcm_is_passed_on() -> None:
    """At 24 kHz in 16 bits not a sample changes."""
    assert converted("pcm_s16le", 24_000) == tone().tobytes()
