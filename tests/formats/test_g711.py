from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from moss_stream.formats.g711 import alaw, mulaw

ALL = np.arange(-32_768, 32_768).astype(np.int16)


def heard(codes: bytes, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """What FFmpeg's decoder, which is another's, makes of codes."""
    coder: Any = av.CodecContext.create(name, "r")
    coder.sample_rate, coder.layout = 8000, "mono"
    return np.concatenate([frame.to_ndarray()[0] for frame in coder.decode(av.Packet(codes))]).astype(int)


def coded(name: str) -> bytes:
    """What FFmpeg's encoder makes of all samples."""
    coder: Any = av.CodecContext.create(name, "w")
    coder.sample_rate, coder.layout, coder.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(ALL[None], format="s16", layout="mono")
    frame.sample_rate = 8000
    return b"".join(bytes(packet) for packet in [*coder.encode(frame), *coder.encode(None)])


@pytest.mark.parametrize(("name", "ours"), [("pcm_mulaw", mulaw), ("pcm_alaw", alaw)])
def test_every_sample_gets_the_nearest_level(name: str, ours: Any) -> None:
    """No sample is further off than with FFmpeg's encoder."""
    errors = np.abs(heard(ours(ALL).tobytes(), name) - ALL)
    assert (errors <= np.abs(heard(coded(name), name) - ALL)).all()


def test_silence_is_what_telephones_call_silence() -> None:
    """The positive zero: 0xFF, and 0xD5."""
    assert mulaw(np.zeros(1, np.int16))[0] == 0xFF and alaw(np.zeros(1, np.int16))[0] == 0xD5
