from __future__ import annotations

import io
from typing import get_args

import numpy as np
import pytest
import soundfile

from moss_stream.formats.pcm import Encoding, encoded
from moss_stream.formats.wav import wav_header


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("encoding", get_args(Encoding))
def test_readers_take_it_as_what_it_is(encoding: Encoding, channels: int) -> None:
    """Rate, channels and samples, although the header does not know the length."""
    samples = (np.sin(np.arange(1600) / 7) * 8000).astype(np.int16).reshape(-1, channels)
    data = wav_header(16_000, channels, encoding) + encoded(samples, encoding)
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.samplerate, file.channels) == (16_000, channels)
        read = file.read(always_2d=True)
    np.testing.assert_allclose(read, samples / 32768, atol=0.01)
